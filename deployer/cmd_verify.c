/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include <airgap/bundle_show.h>
#include <airgap/log.h>

#include <stdio.h>

struct verify_opts { const char *trust; bool allow_unsigned; unsigned jobs; };

const size_t verify_opts_size = sizeof(struct verify_opts);
const struct opt verify_options[] = {
	OPT_STR(struct verify_opts, trust, 't', "trust", "DIR", "keys to trust (default: /etc/airgap/trust.d)"),
	OPT_FLAG(struct verify_opts, allow_unsigned, 0, "allow-unsigned", "take an unsigned bundle where no trust folder exists"),
	OPT_UINT(struct verify_opts, jobs, 'j', "jobs", "N", "frames checked at once"),
	{ 0 }
};

int verify_run(const void *opts, char **args, struct err *e)
{
	const struct verify_opts *o = opts;
	struct show_options show = { .trust = o->trust, .allow_unsigned = o->allow_unsigned };
	auto_buf struct buf text = BUF_INIT(SHOW_MAX);
	bool trusted;

	if (bundle_show_verify(args[0], &show, o->jobs, &text, &trusted, e) < 0)
		return -1;
	if (!trusted)
		log_warn("%s: not signed: taken because of --allow-unsigned", args[0]);
	fputs(buf_str(&text), stdout);
	return 0;
}
