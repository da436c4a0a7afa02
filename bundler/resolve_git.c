/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_sets.h"

int resolve_git(struct run *r, struct err *e)
{
	return r->m->n_git ? err_set(e, ERR_UNSUPPORTED, "git: not yet") : 0;
}
