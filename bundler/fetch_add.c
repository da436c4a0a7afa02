/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch_run.h"

int fetch_add(struct fetcher *f, const struct lock_source *s, uint64_t at, const struct sink *to,
	      struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "source of kind 'add': not yet");
}
