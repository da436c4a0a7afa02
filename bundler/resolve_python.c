/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_sets.h"

int resolve_python(struct run *r, struct err *e)
{
	return r->m->n_python ? err_set(e, ERR_UNSUPPORTED, "python: not yet") : 0;
}
