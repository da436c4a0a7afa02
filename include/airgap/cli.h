/*
 * cli - commands and options are rows; parser, --help, completion and the man-page check follow from them.
 *
 *	struct build_opts { const char *output; const char *key; unsigned jobs; bool force; struct strv hosts; };
 *	static const struct opt build_options[] = {
 *		OPT_STR (struct build_opts, output, 'o', "output", "FILE", "write the bundle to FILE"),
 *		OPT_UINT(struct build_opts, jobs,   'j', "jobs",   "N",    "downloads at once"),
 *		OPT_FLAG(struct build_opts, force,   0,  "force",          "…"),
 *		OPT_LIST(struct build_opts, hosts,   0,  "host",   "HOST", "may be repeated"),
 *		{ 0 }
 *	};
 *	static const struct cmd cmds[] = {
 *		{ "build", "MANIFEST|LOCK", "Build a bundle.", build_options, sizeof(struct build_opts), 1, 1, build_run,
 *		  "bundler build bundle.yaml --key release.key" },
 *		{ 0 }
 *	};
 *	int main(int argc, char **argv) { return cli_main("bundler", "…one line…", cmds, argc, argv); }
 *
 * The struct is zeroed before options are read: a run function puts the defaults in for what is still zero.
 * Every command also has -h/--help, -v/--verbose, --log-format, --no-progress. `PROGRAM completion SHELL`,
 * `PROGRAM --version`, `PROGRAM help CMD` are built in. Options may stand anywhere; "--" ends them.
 * cli_main sets up logging and signals, runs the command, prints one `error:` line for a failure and
 * returns its code. An unknown command or option names the nearest right one. INT, TERM and HUP set
 * proc_interrupted, for the command to end soon (exit 128 + signal if it then fails); a second one ends
 * the program on the spot (130). PIPE is ignored, no core is dumped. `help --list` prints a line
 * "COMMAND" or "COMMAND --OPTION" each, for the test that compares with the man pages.
 */
#pragma once

#include <airgap/err.h>
#include <airgap/strv.h>

enum opt_kind { OPT_KIND_END, OPT_KIND_STR, OPT_KIND_UINT, OPT_KIND_FLAG, OPT_KIND_LIST, OPT_KIND_SIZE };

struct opt {
	enum opt_kind kind;
	char letter;                    /* 0 = none */
	const char *name, *arg, *help;
	size_t offset;
};

#define OPT_STR(type, field, letter, name, arg, help)  { OPT_KIND_STR,  letter, name, arg, help, offsetof(type, field) }
#define OPT_UINT(type, field, letter, name, arg, help) { OPT_KIND_UINT, letter, name, arg, help, offsetof(type, field) }
#define OPT_FLAG(type, field, letter, name, help)      { OPT_KIND_FLAG, letter, name, NULL, help, offsetof(type, field) }
#define OPT_LIST(type, field, letter, name, arg, help) { OPT_KIND_LIST, letter, name, arg, help, offsetof(type, field) }
#define OPT_SIZE(type, field, letter, name, arg, help) { OPT_KIND_SIZE, letter, name, arg, help, offsetof(type, field) }
/* const char * (borrowed from argv) / unsigned / bool / struct strv (released after run) / uint64_t ("64M", "2G") */

struct cmd {
	const char *name, *args, *help;
	const struct opt *options;
	size_t opts_size;
	int min_args, max_args;         /* max -1 = any */
	int (*run)(const void *opts, char **args, struct err *e);       /* args NULL-ended */
	const char *example;            /* one or more lines for --help */
};

#define AIRGAP_VERSION "0.1.0"

int cli_main(const char *program, const char *about, const struct cmd *cmds, int argc, char **argv);
