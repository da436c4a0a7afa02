/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "diff.h"

#include <stdio.h>

#define TEXT_MAX (256u << 20)

struct diff_opts { const char *trust; unsigned jobs; bool json, exit_code; };

const struct opt diff_options[] = {
	OPT_STR(struct diff_opts, trust, 't', "trust", "DIR", "the folder with the keys to trust (bundles only)"),
	OPT_UINT(struct diff_opts, jobs, 'j', "jobs", "N", "requests and renders at once (manifests only)"),
	OPT_FLAG(struct diff_opts, exit_code, 0, "exit-code", "end with 46 when they differ"),
	OPT_FLAG(struct diff_opts, json, 0, "json", "print JSON"),
	{ 0 }
};
const size_t diff_opts_size = sizeof(struct diff_opts);

int diff_run(const void *opts, char **args, struct err *e)
{
	const struct diff_opts *o = opts;
	const struct subject_options from = { .trust = o->trust, .jobs = o->jobs };
	auto_subject struct subject old = { 0 }, new = { 0 };
	auto_buf struct buf text = BUF_INIT(TEXT_MAX);

	if (subject_open(&old, args[0], &from, e) < 0 || subject_open(&new, args[1], &from, e) < 0)
		return -1;

	auto_json json_t *diff = diff_make(&old, &new, e);

	if (!diff)
		return -1;
	if (!o->json)
		diff_text(diff, &text);
	else if (jdoc_dump_pretty(diff, &text, e) < 0)
		return -1;
	fputs(buf_str(&text), stdout);
	if (o->exit_code && !diff_is_empty(diff))
		return err_set(e, ERR_DRIFT, "'%s' and '%s' differ", args[0], args[1]);
	return 0;
}
