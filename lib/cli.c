/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/cli.h>
#include <airgap/log.h>
#include <airgap/proc.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define WIDTH       80u
#define CMD_COLUMN  14u
#define OPT_COLUMN  28u
#define MAX_OPTIONS 64u
#define LONG_BASE   256         /* getopt's value of the long option in row i is this + i */

struct cli {
	const char *program, *about;
	const struct cmd **cmds;        /* the program's and the built-in ones, NULL-ended */
};

struct common_opts {
	bool help, verbose, no_progress;
	const char *log_format;
};

static const struct opt common_options[] = {
	OPT_FLAG(struct common_opts, help, 'h', "help", "show this help"),
	OPT_FLAG(struct common_opts, verbose, 'v', "verbose", "tell in detail what is being done"),
	OPT_STR(struct common_opts, log_format, 0, "log-format", "text|json", "messages as text or as JSON lines"),
	OPT_FLAG(struct common_opts, no_progress, 0, "no-progress", "no progress line, no list of finished items"),
	{ 0 }
};

static const struct cmd built_in[] = {
	{ "completion", "bash|zsh|fish", "Print the completion script of a shell.", NULL, 0, 1, 1, NULL, NULL },
	{ "help", "[COMMAND]", "Show what a command does and its options.", NULL, 0, 0, 1, NULL, NULL },
};

/* The rows of a command and then the common ones; returns how many are the command's own. */
static size_t list_options(const struct cmd *cmd, const struct opt *rows[MAX_OPTIONS + 1])
{
	size_t n = 0, own;

	for (const struct opt *o = cmd->options; o && o->kind != OPT_KIND_END; o++) {
		assert(n < MAX_OPTIONS - ARRAY_LEN(common_options));
		rows[n++] = o;
	}
	own = n;
	for (const struct opt *o = common_options; o->kind != OPT_KIND_END; o++)
		rows[n++] = o;
	rows[n] = NULL;
	return own;
}

/* ---- help */

/* Prints words from `column` on, later lines from `indent` on, within WIDTH; ends the line. */
static void put_wrapped(const char *text, size_t column, size_t indent)
{
	bool first = true;

	while (*(text += strspn(text, " "))) {
		size_t bytes = strcspn(text, " "), shown = 0;

		for (size_t i = 0; i < bytes; i++)
			shown += ((uint8_t)text[i] & 0xc0) != 0x80;     /* bytes that begin a character */
		if (!first && column + 1 + shown > WIDTH) {
			printf("\n%*s", (int)indent, "");
			column = indent;
			first = true;
		}
		column += shown + !first;
		printf("%s%.*s", first ? "" : " ", (int)bytes, text);
		first = false;
		text += bytes;
	}
	putchar('\n');
}

static void put_row(const char *left, size_t column, const char *help)
{
	size_t n = strlen(left);

	printf("  %s", left);
	if (n + 4 > column)
		printf("\n%*s", (int)column, "");
	else
		printf("%*s", (int)(column - 2 - n), "");
	put_wrapped(help, column, column);
}

static void put_option(const struct opt *o)
{
	char letter[] = { '-', o->letter, ',', '\0' };
	auto_free char *left = xasprintf("%3s --%s%s%s", o->letter ? letter : "", o->name, o->arg ? " " : "",
					 o->arg ? o->arg : "");

	put_row(left, OPT_COLUMN, o->help);
}

static void put_examples(const char *text)
{
	printf("\nExample:\n");
	while (*text) {
		size_t n = strcspn(text, "\n");

		printf("  %.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static void help_command(const struct cli *c, const struct cmd *cmd)
{
	const struct opt *rows[MAX_OPTIONS + 1];
	size_t own = list_options(cmd, rows);
	auto_free char *usage = xasprintf("Usage: %s %s [OPTION]... %s", c->program, cmd->name, cmd->args ? cmd->args : "");

	put_wrapped(usage, 0, strlen("Usage: ") + strlen(c->program) + 1);
	putchar('\n');
	put_wrapped(cmd->help, 0, 0);
	if (own)
		printf("\nOptions:\n");
	for (size_t i = 0; rows[i]; i++) {
		if (i == own)
			printf("\nCommon options:\n");
		put_option(rows[i]);
	}
	if (cmd->example)
		put_examples(cmd->example);
}

static void help_program(const struct cli *c)
{
	printf("Usage: %s COMMAND [OPTION]... [ARGUMENT]...\n\n", c->program);
	put_wrapped(c->about, 0, 0);
	printf("\nCommands:\n");
	for (const struct cmd **cmd = c->cmds; *cmd; cmd++)
		put_row((*cmd)->name, CMD_COLUMN, (*cmd)->help);
	printf("\n`%s help COMMAND` shows the options of one.\n", c->program);
}

/* For tests: a line "COMMAND" and one "COMMAND --OPTION" for each of its own options. */
static void help_list(const struct cli *c)
{
	const struct opt *rows[MAX_OPTIONS + 1];

	for (const struct cmd **cmd = c->cmds; *cmd; cmd++) {
		size_t own = list_options(*cmd, rows);

		printf("%s\n", (*cmd)->name);
		for (size_t i = 0; i < own; i++)
			printf("%s --%s\n", (*cmd)->name, rows[i]->name);
	}
	for (const struct opt *o = common_options; o->kind != OPT_KIND_END; o++)
		printf("--%s\n", o->name);
	printf("--version\n");
}

/* ---- completion */

static void complete_bash(const struct cli *c)
{
	const struct opt *rows[MAX_OPTIONS + 1];

	printf("_%s() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} words\n\tif [ \"$COMP_CWORD\" = 1 ]; then\n"
	       "\t\twords='", c->program);
	for (const struct cmd **cmd = c->cmds; *cmd; cmd++)
		printf("%s ", (*cmd)->name);
	printf("--help --version'\n\telse\n\t\tcase ${COMP_WORDS[1]} in\n");
	for (const struct cmd **cmd = c->cmds; *cmd; cmd++) {
		list_options(*cmd, rows);
		printf("\t\t%s) words='", (*cmd)->name);
		for (size_t i = 0; rows[i]; i++)
			printf("%s--%s", i ? " " : "", rows[i]->name);
		printf("' ;;\n");
	}
	printf("\t\tesac\n\tfi\n\tcase $cur,$COMP_CWORD in\n"
	       "\t-* | *,1) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
	       "\t*) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n\tesac\n}\n"
	       "complete -o filenames -F _%s %s\n", c->program, c->program);
}

/* Text inside single quotes of a zsh or fish script; the characters of `special` get a backslash. */
static void put_quoted(const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			printf("'\\''");
		else
			printf(strchr(special, *text) ? "\\%c" : "%c", *text);
	}
}

static void complete_zsh(const struct cli *c)
{
	const struct opt *rows[MAX_OPTIONS + 1];

	printf("#compdef %s\n_%s() {\n\tlocal -a commands\n\tcommands=(\n", c->program, c->program);
	for (const struct cmd **cmd = c->cmds; *cmd; cmd++) {
		printf("\t\t'%s:", (*cmd)->name);
		put_quoted((*cmd)->help, ":\\");
		printf("'\n");
	}
	printf("\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n"
	       "\tcase ${words[2]} in\n");
	for (const struct cmd **cmd = c->cmds; *cmd; cmd++) {
		list_options(*cmd, rows);
		printf("\t%s) _arguments", (*cmd)->name);
		for (size_t i = 0; rows[i]; i++) {
			printf(" \\\n\t\t'%s--%s[", rows[i]->kind == OPT_KIND_LIST ? "*" : "", rows[i]->name);
			put_quoted(rows[i]->help, ":\\[]");
			printf("]%s%s%s'", rows[i]->arg ? ":" : "", rows[i]->arg ? rows[i]->arg : "",
			       rows[i]->arg ? ":_files" : "");
		}
		printf(" \\\n\t\t'*:file:_files' ;;\n");
	}
	printf("\tesac\n}\ncompdef _%s %s\n", c->program, c->program);
}

static void complete_fish(const struct cli *c)
{
	const struct opt *rows[MAX_OPTIONS + 1];

	for (const struct cmd **cmd = c->cmds; *cmd; cmd++) {
		printf("complete -c %s -n __fish_use_subcommand -f -a %s -d '", c->program, (*cmd)->name);
		put_quoted((*cmd)->help, "\\");
		printf("'\n");
		list_options(*cmd, rows);
		for (size_t i = 0; rows[i]; i++) {
			printf("complete -c %s -n '__fish_seen_subcommand_from %s' -l %s%s", c->program, (*cmd)->name,
			       rows[i]->name, rows[i]->arg ? " -r" : "");
			if (rows[i]->letter)
				printf(" -s %c", rows[i]->letter);
			printf(" -d '");
			put_quoted(rows[i]->help, "\\");
			printf("'\n");
		}
	}
}

static int completion_run(const struct cli *c, const char *shell, struct err *e)
{
	static const struct { const char *name; void (*print)(const struct cli *); } shells[] = {
		{ "bash", complete_bash }, { "zsh", complete_zsh }, { "fish", complete_fish },
	};

	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		if (str_eq(shell, shells[i].name)) {
			shells[i].print(c);
			return 0;
		}
	}
	return err_set(e, ERR_USAGE, "no completion for '%s': there is one for bash, zsh and fish", shell);
}

/* ---- parsing */

static int find_command(const struct cli *c, const char *name, const struct cmd **out, struct err *e)
{
	auto_strv struct strv names = { 0 };

	for (const struct cmd **cmd = c->cmds; *cmd; cmd++) {
		if (str_eq((*cmd)->name, name)) {
			*out = *cmd;
			return 0;
		}
		strv_push(&names, (*cmd)->name);
	}

	const char *near = strv_nearest((const char *const *)names.items, name);

	if (near)
		return err_set(e, ERR_USAGE, "unknown command '%s': did you mean '%s'?", name, near);
	return err_set(e, ERR_USAGE, "unknown command '%s': see '%s help'", name, c->program);
}

static int unknown_option(const struct opt *const *rows, const char *word, const char *see, struct err *e)
{
	auto_strv struct strv names = { 0 };
	auto_free char *name = xstrndup(word, strcspn(word, "="));

	for (; *rows; rows++)
		strv_push(&names, (*rows)->name);

	const char *near = str_starts(name, "--") ? strv_nearest((const char *const *)names.items, name + 2) : NULL;

	if (near)
		return err_set(e, ERR_USAGE, "unknown option '%s': did you mean '--%s'?", name, near);
	return err_set(e, ERR_USAGE, "unknown option '%s': see '%s'", name, see);
}

/* "4096", "64M", "2GiB": powers of 1024. */
static bool parse_size(const char *text, uint64_t *out)
{
	size_t digits = strspn(text, "0123456789");
	auto_free char *number = xstrndup(text, digits);
	const char *unit = text + digits;
	static const char letters[] = "KMGT";
	const char *at = *unit ? strchr(letters, *unit) : NULL;
	uint64_t v, scale = at ? UINT64_C(1024) << (10 * (at - letters)) : 1;

	if (*unit && (!at || !(str_eq(unit + 1, "") || str_eq(unit + 1, "iB"))))
		return false;
	return u64_parse(number, &v) && !__builtin_mul_overflow(v, scale, out);
}

static int store_value(const struct opt *o, char *base, const char *value, struct err *e)
{
	void *field = base + o->offset;
	uint64_t v;

	switch (o->kind) {
	case OPT_KIND_STR:
		*(const char **)field = value;
		return 0;
	case OPT_KIND_FLAG:
		*(bool *)field = true;
		return 0;
	case OPT_KIND_LIST:
		strv_push(field, value);
		return 0;
	case OPT_KIND_UINT:
		if (!u64_parse(value, &v) || v > UINT_MAX)
			return err_set(e, ERR_USAGE, "option '--%s': '%s' is not a number", o->name, value);
		*(unsigned *)field = (unsigned)v;
		return 0;
	case OPT_KIND_SIZE:
		if (!parse_size(value, field))
			return err_set(e, ERR_USAGE, "option '--%s': '%s' is not a size such as 4096, 64M or 2G", o->name, value);
		return 0;
	case OPT_KIND_END:
		break;
	}
	return err_set(e, ERR_BUG, "option '--%s' has no kind", o->name);
}

struct parser {
	const struct opt *rows[MAX_OPTIONS + 1];
	size_t own;
	struct option longs[MAX_OPTIONS + 1];
	char letters[2 * MAX_OPTIONS + 2];
};

static void parser_init(struct parser *p, const struct cmd *cmd)
{
	char *letter = p->letters;

	memset(p, 0, sizeof(*p));
	p->own = list_options(cmd, p->rows);
	*letter++ = ':';        /* a missing argument is ':', not '?' */
	for (int i = 0; p->rows[i]; i++) {
		const struct opt *o = p->rows[i];

		p->longs[i] = (struct option){ o->name, o->arg ? required_argument : no_argument, NULL, LONG_BASE + i };
		if (!o->letter)
			continue;
		*letter++ = o->letter;
		if (o->arg)
			*letter++ = ':';
	}
}

static size_t find_row(const struct parser *p, int value)
{
	size_t i = 0;

	if (value >= LONG_BASE)
		return (size_t)(value - LONG_BASE);
	while (p->rows[i] && p->rows[i]->letter != value)
		i++;
	return i;
}

/* Reads all options of argv[1..]; argv[0] is the command. The arguments then begin at optind. */
static int parse_options(const struct cmd *cmd, const char *see, int argc, char **argv, char *opts,
			 struct common_opts *common, struct err *e)
{
	struct parser p;
	int value;

	parser_init(&p, cmd);
	opterr = 0;
	optind = 0;             /* glibc: start over, also after an earlier parse */
	while ((value = getopt_long(argc, argv, p.letters, p.longs, NULL)) != -1) {
		if (value == '?' && optopt >= LONG_BASE)
			return err_set(e, ERR_USAGE, "option '--%s' takes no value", p.rows[optopt - LONG_BASE]->name);
		if (value == '?' && optopt) {
			char word[] = { '-', (char)optopt, '\0' };

			return unknown_option(p.rows, word, see, e);
		}
		if (value == '?')
			return unknown_option(p.rows, argv[optind - 1], see, e);
		if (value == ':') {
			const struct opt *o = p.rows[find_row(&p, optopt)];

			return err_set(e, ERR_USAGE, "option '--%s' needs a value: %s", o->name, o->arg);
		}

		size_t i = find_row(&p, value);

		if (store_value(p.rows[i], i < p.own ? opts : (char *)common, optarg, e) < 0)
			return -1;
	}
	return 0;
}

static void release_opts(const struct cmd *cmd, char *opts)
{
	for (const struct opt *o = cmd->options; o && o->kind != OPT_KIND_END; o++)
		if (o->kind == OPT_KIND_LIST)
			strv_release((struct strv *)(opts + o->offset));
}

static int check_args(const struct cmd *cmd, const char *see, int n, char **args, struct err *e)
{
	if (n < cmd->min_args)
		return err_set(e, ERR_USAGE, "an argument is missing: %s: see '%s'", cmd->args ? cmd->args : "", see);
	if (cmd->max_args >= 0 && n > cmd->max_args)
		return err_set(e, ERR_USAGE, "one argument too many: '%s': see '%s'", args[cmd->max_args], see);
	return 0;
}

static int setup_log(const struct common_opts *common, struct err *e)
{
	const char *how = common->log_format ? common->log_format : "text";

	if (!str_eq(how, "text") && !str_eq(how, "json"))
		return err_set(e, ERR_USAGE, "option '--log-format': '%s' is neither text nor json", how);
	log_setup(common->verbose ? LOG_DEBUG : LOG_INFO, str_eq(how, "json") ? LOG_JSON : LOG_TEXT,
		  !common->no_progress);
	return 0;
}

static int run_built_in(const struct cli *c, const struct cmd *cmd, char **args, struct err *e)
{
	if (str_eq(cmd->name, "completion"))
		return completion_run(c, args[0], e);
	if (!args[0]) {
		help_program(c);
		return 0;
	}
	if (find_command(c, args[0], &cmd, e) < 0)
		return -1;
	help_command(c, cmd);
	return 0;
}

/* argv[0] is the command. */
static int run_command(const struct cli *c, const struct cmd *cmd, int argc, char **argv, struct err *e)
{
	auto_free char *opts = xcalloc(1, cmd->opts_size);
	auto_free char *see = xasprintf("%s help %s", c->program, cmd->name);
	struct common_opts common = { 0 };
	int r = parse_options(cmd, see, argc, argv, opts, &common, e);

	if (r == 0)
		r = setup_log(&common, e);
	if (r == 0 && common.help) {
		help_command(c, cmd);
	} else if (r == 0) {
		char **args = argv + optind;

		r = check_args(cmd, see, argc - optind, args, e);
		if (r == 0)
			r = cmd->run ? cmd->run(opts, args, e) : run_built_in(c, cmd, args, e);
	}
	release_opts(cmd, opts);
	return r;
}

/* Where the command stands: common options may come before it. */
static int command_index(const struct cli *c, int argc, char **argv, struct err *e)
{
	for (int i = 1; i < argc; i++) {
		if (*argv[i] != '-')
			return i;
		if (str_eq(argv[i], "--log-format"))
			i++;
		else if (!str_eq(argv[i], "-v") && !str_eq(argv[i], "--verbose") && !str_eq(argv[i], "--no-progress") &&
			 !str_starts(argv[i], "--log-format="))
			return err_set(e, ERR_USAGE, "'%s' stands before the command: put the command first", argv[i]);
	}
	return err_set(e, ERR_USAGE, "no command: see '%s help'", c->program);
}

static int dispatch(const struct cli *c, int argc, char **argv, struct err *e)
{
	const struct cmd *cmd;
	const char *first = argc > 1 ? argv[1] : "";

	if (str_eq(first, "--version")) {
		printf("%s %s\n", c->program, AIRGAP_VERSION);
		return 0;
	}
	if (str_eq(first, "-h") || str_eq(first, "--help")) {
		help_program(c);
		return 0;
	}
	if (str_eq(first, "help") && argc == 3 && str_eq(argv[2], "--list")) {
		help_list(c);
		return 0;
	}

	int at = command_index(c, argc, argv, e);

	if (at < 0 || find_command(c, argv[at], &cmd, e) < 0)
		return -1;

	/* The command's name moves in front of common options: it is getopt's argv[0]. */
	char *name = argv[at];

	memmove(argv + 2, argv + 1, (size_t)(at - 1) * sizeof(*argv));
	argv[1] = name;
	return run_command(c, cmd, argc - 1, argv + 1, e);
}

/* ---- the process */

static void on_signal(int sig)
{
	if (proc_interrupted)
		_exit(130);
	proc_interrupted = sig;
}

static void prepare_process(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct rlimit no_core = { 0, 0 };       /* secrets may be in memory */
	int fd;

	/* A later open must not become stdin, stdout or stderr. */
	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);      /* a limit on file sizes is an error like any other */
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		struct sigaction now, ours = { .sa_handler = on_signal };       /* no SA_RESTART: waits end */

		/* nohup ignores HUP: it stays so. */
		if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaction(signals[i], &ours, NULL);
	}
}

static int finish(int r, struct err *e)
{
	progress_end();
	if (fflush(stdout) != 0 && r == 0 && errno != EPIPE)
		r = err_sys(e, "cannot write to standard output");
	if (r == 0)
		return 0;
	log_error("%s", e->code == ERR_NONE ? "a bug: failed without a reason" : e->msg);
	if (proc_interrupted)
		return 128 + proc_interrupted;
	return e->code == ERR_NONE ? ERR_BUG : (int)e->code;
}

int cli_main(const char *program, const char *about, const struct cmd *cmds, int argc, char **argv)
{
	struct err e = { 0 };
	size_t n = 0;

	while (cmds[n].name)
		n++;

	auto_free const struct cmd **all = xcalloc(n + ARRAY_LEN(built_in) + 1, sizeof(*all));
	struct cli c = { program, about, all };

	for (size_t i = 0; i < n; i++)
		all[i] = &cmds[i];
	for (size_t i = 0; i < ARRAY_LEN(built_in); i++)
		all[n + i] = &built_in[i];
	prepare_process();
	log_setup(LOG_INFO, LOG_TEXT, true);
	return finish(dispatch(&c, argc, argv, &e), &e);
}
