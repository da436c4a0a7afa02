/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "extract.h"

#include <airgap/platform.h>

#include <stdio.h>
#include <sys/utsname.h>

struct extract_opts { struct common_opts common; const char *output, *platform; bool list; };

const size_t extract_opts_size = sizeof(struct extract_opts);
const struct opt extract_options[] = {
	OPT_STR(struct extract_opts, output, 'o', "output", "DIR", "the folder to write into (default: this one)"),
	OPT_STR(struct extract_opts, platform, 0, "platform", "OS/ARCH", "of files there are several of (default: ours)"),
	OPT_FLAG(struct extract_opts, list, 0, "list", "print what may be named; writes nothing"),
	COMMON_TRUST_OPTIONS(struct extract_opts),
	{ 0 }
};

static int list(const struct contents *c)
{
	auto_strv struct strv names = { 0 };

	extract_names(c, &names);
	for (size_t i = 0; i < names.n; i++)
		puts(names.items[i]);
	return 0;
}

int extract_run(const void *opts, char **args, struct err *e)
{
	const struct extract_opts *o = opts;
	auto_session struct session s = { 0 };
	struct platform p = { 0 };
	struct utsname u;
	char text[PLATFORM_TEXT];
	int rc;

	if (uname(&u) < 0)
		return err_sys(e, "uname");
	if ((o->platform ? platform_parse(o->platform, &p, e) : platform_set("linux", u.machine, NULL, &p, e)) < 0)
		return err_wrap(e, "--platform");
	if (o->list == (args[1] != NULL))
		return err_set(e, ERR_USAGE, "extract: name what to take, or use --list");
	if (session_bundle(&s, args[0], &o->common, e) < 0)
		return -1;
	if (o->list)
		return list(&s.contents);

	struct extract x = {
		.bundle = s.bundle, .contents = &s.contents, .dir = o->output ? o->output : ".",
		.platform = platform_format(&p, text),
	};

	rc = extract_all(&x, args + 1, e);
	for (size_t i = 0; i < x.done.n; i++)
		puts(x.done.items[i]);
	strv_release(&x.done);
	return rc;
}
