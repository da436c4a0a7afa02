/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_sets.h"

int resolve_packages(struct run *r, struct err *e)
{
	return r->m->n_packages ? err_set(e, ERR_UNSUPPORTED, "packages: not yet") : 0;
}
