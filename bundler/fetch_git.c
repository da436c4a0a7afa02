/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch_run.h"

int fetch_git(struct fetcher *f, const struct lock_source *s, uint64_t at, const struct sink *to,
	      struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, "source of kind 'git': not yet");
}
