/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include <airgap/bundle_show.h>

#include <stdio.h>

struct inspect_opts { const char *trust; bool json; };

const size_t inspect_opts_size = sizeof(struct inspect_opts);
const struct opt inspect_options[] = {
	OPT_STR(struct inspect_opts, trust, 't', "trust", "DIR", "keys to trust (default: /etc/airgap/trust.d)"),
	OPT_FLAG(struct inspect_opts, json, 0, "json", "print JSON"),
	{ 0 }
};

int inspect_run(const void *opts, char **args, struct err *e)
{
	const struct inspect_opts *o = opts;
	struct show_options show = { .trust = o->trust, .allow_unsigned = true, .inspect = true };
	auto_buf struct buf text = BUF_INIT(SHOW_MAX);

	if (bundle_show_inspect(args[0], &show, o->json, &text, e) < 0)
		return -1;
	fputs(buf_str(&text), stdout);
	return 0;
}
