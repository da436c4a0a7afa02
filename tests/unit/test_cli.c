/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/buf.h>
#include <airgap/cli.h>
#include <airgap/log.h>
#include <airgap/proc.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct build_opts {
	const char *output;
	unsigned jobs;
	bool force;
	struct strv hosts;
	uint64_t size;
};

static const struct opt build_options[] = {
	OPT_STR(struct build_opts, output, 'o', "output", "FILE", "write the bundle to FILE"),
	OPT_UINT(struct build_opts, jobs, 'j', "jobs", "N", "downloads at once"),
	OPT_FLAG(struct build_opts, force, 'f', "force", "overwrite what is there, which is a long story told "
						   "over more than one line of the eighty columns: [it's \\ so]"),
	OPT_LIST(struct build_opts, hosts, 0, "host", "HOST", "may be repeated"),
	OPT_SIZE(struct build_opts, size, 0, "volume-size-of-each-part", "SIZE", "cut"),
	{ 0 }
};

static char seen[1000];         /* what build_run was given */
static enum err_code answer;

static int build_run(const void *opts, char **args, struct err *e)
{
	const struct build_opts *o = opts;
	struct strv a = { args, 0 };

	while (args[a.n])
		a.n++;

	auto_free char *hosts = strv_join(&o->hosts, "+"), *joined = strv_join(&a, "+");

	snprintf(seen, sizeof(seen), "output=%s jobs=%u force=%d hosts=%s size=%llu args=%s debug=%d",
		 o->output ? o->output : "-", o->jobs, o->force, hosts, (unsigned long long)o->size, joined,
		 log_wants(LOG_DEBUG));
	if (answer != ERR_NONE)
		return answer == ERR_BUG ? -1 : err_set(e, answer, "site.bundle: not good");
	return 0;
}

static int interrupted_run(const void *opts, char **args, struct err *e)
{
	raise(SIGTERM);
	return proc_interrupted ? err_set(e, ERR_NETWORK, "interrupted") : 0;
}

static int limits_run(const void *opts, char **args, struct err *e)
{
	struct rlimit core;
	struct sigaction pipe_action;

	getrlimit(RLIMIT_CORE, &core);
	sigaction(SIGPIPE, NULL, &pipe_action);
	snprintf(seen, sizeof(seen), "core=%d pipe=%d", (int)core.rlim_cur, pipe_action.sa_handler == SIG_IGN);
	return 0;
}

static const struct cmd cmds[] = {
	{ "build", "MANIFEST|LOCK", "Build a bundle.", build_options, sizeof(struct build_opts), 1, 2, build_run,
	  "demo build bundle.yaml --force\ndemo build lock" },
	{ "stop", "", "Be interrupted.", NULL, 0, 0, 0, interrupted_run, NULL },
	{ "limits", NULL, "Look at limits.", NULL, 0, 0, -1, limits_run, NULL },
	{ 0 }
};

/* Runs "demo" with these words; *text gets stdout, or stderr. */
static int run(const char *words, int which, char **text)
{
	auto_strv struct strv split = { 0 };
	struct buf b = BUF_INIT(1 << 20);
	FILE *file = tmpfile();
	struct err e;
	int kept = dup(which);

	strv_split(&split, words, ' ');
	/* cli_main moves pointers about: it gets an array of its own */
	char **argv = xmemdup(split.items, (split.n + 1) * sizeof(*argv));

	fflush(stdout);
	dup2(fileno(file), which);
	seen[0] = '\0';
	int r = cli_main("demo", "A program for tests.", cmds, (int)split.n, argv);

	fflush(stdout);
	dup2(kept, which);
	close(kept);
	free(argv);
	lseek(fileno(file), 0, SEEK_SET);
	assert_ok(buf_read_fd(&b, fileno(file), &e), e);
	fclose(file);
	*text = buf_take(&b);
	return r;
}

TEST(options_land_in_the_struct)
{
	static const struct { const char *words, *want; } cases[] = {
		{ "demo build x", "output=- jobs=0 force=0 hosts= size=0 args=x debug=0" },
		{ "demo build -o out --jobs 4 x --force", "output=out jobs=4 force=1 hosts= size=0 args=x debug=0" },
		{ "demo build --output=out -fj3 x y", "output=out jobs=3 force=1 hosts= size=0 args=x+y debug=0" },
		{ "demo build x --host a --host=b -v", "output=- jobs=0 force=0 hosts=a+b size=0 args=x debug=1" },
		{ "demo build -- --force", "output=- jobs=0 force=0 hosts= size=0 args=--force debug=0" },
		{ "demo build x --volume-size 2G", "output=- jobs=0 force=0 hosts= size=2147483648 args=x debug=0" },
		{ "demo build x --volume-size 64MiB", "output=- jobs=0 force=0 hosts= size=67108864 args=x debug=0" },
		{ "demo build x --volume-size 77", "output=- jobs=0 force=0 hosts= size=77 args=x debug=0" },
		{ "demo -v --log-format text build -j 2 x", "output=- jobs=2 force=0 hosts= size=0 args=x debug=1" },
		{ "demo --no-progress --log-format=text build x", "output=- jobs=0 force=0 hosts= size=0 args=x debug=0" },
	};

	answer = ERR_NONE;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *text = NULL;
		int r = run(cases[i].words, STDERR_FILENO, &text);

		if (r != 0 || !str_eq(seen, cases[i].want) || *text)
			fail_msg("'%s': %d, '%s', %s", cases[i].words, r, seen, text);
	}
}

TEST(usage_errors_name_the_nearest_right_thing)
{
	static const struct { const char *words, *want; } cases[] = {
		{ "demo", "error: no command: see 'demo help'\n" },
		{ "demo biuld x", "error: unknown command 'biuld': did you mean 'build'?\n" },
		{ "demo xyzzy", "error: unknown command 'xyzzy': see 'demo help'\n" },
		{ "demo build", "error: an argument is missing: MANIFEST|LOCK: see 'demo help build'\n" },
		{ "demo build a b c", "error: one argument too many: 'c': see 'demo help build'\n" },
		{ "demo build --ouptut=f x", "error: unknown option '--ouptut': did you mean '--output'?\n" },
		{ "demo build --verbos2 x", "error: unknown option '--verbos2': did you mean '--verbose'?\n" },
		{ "demo build --xyzzy x", "error: unknown option '--xyzzy': see 'demo help build'\n" },
		{ "demo build -x x", "error: unknown option '-x': see 'demo help build'\n" },
		{ "demo build x --output", "error: option '--output' needs a value: FILE\n" },
		{ "demo build x -o", "error: option '--output' needs a value: FILE\n" },
		{ "demo build --force=yes x", "error: option '--force' takes no value\n" },
		{ "demo build --jobs many x", "error: option '--jobs': 'many' is not a number\n" },
		{ "demo build --jobs 4294967296 x", "error: option '--jobs': '4294967296' is not a number\n" },
		{ "demo build --volume-size 1X x",
		  "error: option '--volume-size-of-each-part': '1X' is not a size such as 4096, 64M or 2G\n" },
		{ "demo build --volume-size G x",
		  "error: option '--volume-size-of-each-part': 'G' is not a size such as 4096, 64M or 2G\n" },
		{ "demo build --volume-size 99999999999G x",
		  "error: option '--volume-size-of-each-part': '99999999999G' is not a size such as 4096, 64M or 2G\n" },
		{ "demo build --log-format xml x", "error: option '--log-format': 'xml' is neither text nor json\n" },
		{ "demo --output f build x", "error: '--output' stands before the command: put the command first\n" },
		{ "demo completion tcsh", "error: no completion for 'tcsh': there is one for bash, zsh and fish\n" },
		{ "demo help biuld", "error: unknown command 'biuld': did you mean 'build'?\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *text = NULL;
		int r = run(cases[i].words, STDERR_FILENO, &text);

		if (r != ERR_USAGE || !str_eq(text, cases[i].want) || *seen)
			fail_msg("'%s': %d, %s", cases[i].words, r, text);
	}
}

TEST(a_failure_is_one_line_and_its_code)
{
	auto_free char *text = NULL, *json = NULL, *bug = NULL;

	answer = ERR_UNTRUSTED;
	assert_int_equal(run("demo build x", STDERR_FILENO, &text), ERR_UNTRUSTED);
	assert_string_equal(text, "error: site.bundle: not good\n");
	assert_int_equal(run("demo build x --log-format json", STDERR_FILENO, &json), ERR_UNTRUSTED);
	assert_non_null(strstr(json, "\"level\":\"error\",\"message\":\"site.bundle: not good\"}\n"));
	answer = ERR_BUG;
	assert_int_equal(run("demo build x", STDERR_FILENO, &bug), ERR_BUG);
	answer = ERR_NONE;
}

static void assert_narrow(const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n > 80)
			fail_msg("%.*s", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

TEST(help_goes_to_stdout_and_fits_eighty_columns)
{
	auto_free char *program = NULL, *command = NULL, *same = NULL, *version = NULL;

	assert_int_equal(run("demo --help", STDOUT_FILENO, &program), 0);
	assert_true(str_starts(program, "Usage: demo COMMAND [OPTION]... [ARGUMENT]...\n\nA program for tests.\n"));
	assert_non_null(strstr(program, "\n  build       Build a bundle.\n"));
	assert_non_null(strstr(program, "\n  completion "));
	assert_narrow(program);
	assert_int_equal(run("demo build --help", STDOUT_FILENO, &command), 0);
	assert_true(str_starts(command, "Usage: demo build [OPTION]... MANIFEST|LOCK\n\nBuild a bundle.\n\nOptions:\n"));
	assert_non_null(strstr(command, "\n  -o, --output FILE         write the bundle to FILE\n"));
	assert_non_null(strstr(command, "\n      --host HOST           may be repeated\n"));
	assert_non_null(strstr(command, "\n      --volume-size-of-each-part SIZE\n                            cut\n"));
	assert_non_null(strstr(command, "\nExample:\n  demo build bundle.yaml --force\n  demo build lock\n"));
	assert_narrow(command);
	assert_int_equal(run("demo help build", STDOUT_FILENO, &same), 0);
	assert_string_equal(same, command);
	assert_int_equal(run("demo --version", STDOUT_FILENO, &version), 0);
	assert_string_equal(version, "demo " AIRGAP_VERSION "\n");
}

TEST(the_list_names_every_command_and_option)
{
	auto_free char *text = NULL;

	assert_int_equal(run("demo help --list", STDOUT_FILENO, &text), 0);
	assert_string_equal(text, "build\nbuild --output\nbuild --jobs\nbuild --force\nbuild --host\n"
				  "build --volume-size-of-each-part\nstop\nlimits\ncompletion\nhelp\n"
				  "--help\n--verbose\n--log-format\n--no-progress\n--version\n");
}

TEST(completion_scripts_are_valid)
{
	static const char *const shells[] = { "bash", "zsh", "fish" };

	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		auto_free char *words = xasprintf("demo completion %s", shells[i]), *script = NULL;
		char *argv[] = { xstrdup(shells[i]), (char[]){ "-n" }, NULL };
		struct proc p = { .argv = argv };
		auto_free char *found = proc_which(shells[i]);
		struct err e = { 0 };

		assert_int_equal(run(words, STDOUT_FILENO, &script), 0);
		assert_non_null(strstr(script, "volume-size-of-each-part"));
		p.input = script;
		p.input_len = strlen(script);
		if (found)
			assert_ok(proc_check(&p, NULL, ERR_BUG, &e), e);
		free(argv[0]);
	}
}

TEST(bash_completes_commands_and_options)
{
	auto_free char *script = NULL;
	auto_buf struct buf out = BUF_INIT(1000), input = BUF_INIT(1 << 16);
	char *argv[] = { (char[]){ "bash" }, NULL };
	struct proc p = { .argv = argv };
	struct err e = { 0 };

	assert_int_equal(run("demo completion bash", STDOUT_FILENO, &script), 0);
	buf_putf(&input, "%s\n"
			 "COMP_WORDS=(demo b) COMP_CWORD=1; _demo; echo \"${COMPREPLY[*]}\"\n"
			 "COMP_WORDS=(demo build --fo) COMP_CWORD=2; _demo; echo \"${COMPREPLY[*]}\"\n", script);
	p.input = input.ptr;
	p.input_len = input.len;
	assert_ok(proc_check(&p, &out, ERR_BUG, &e), e);
	assert_string_equal(buf_str(&out), "build\n--force\n");
}

TEST(signals_set_the_flag_and_the_exit_status)
{
	auto_free char *text = NULL, *again = NULL;

	assert_int_equal(run("demo stop", STDERR_FILENO, &text), 128 + SIGTERM);
	assert_int_equal(proc_interrupted, SIGTERM);

	/* the second one ends the program at once */
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		raise(SIGINT);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 130);
	proc_interrupted = 0;
	assert_int_equal(run("demo limits a b c", STDERR_FILENO, &again), 0);
	assert_string_equal(seen, "core=0 pipe=1");
}

TEST(a_full_stdout_is_a_failure)
{
	int kept = dup(STDOUT_FILENO);
	FILE *full = fopen("/dev/full", "w");
	char *argv[] = { (char[]){ "demo" }, (char[]){ "--help" }, NULL };

	if (!full)
		skip();
	fflush(stdout);
	dup2(fileno(full), STDOUT_FILENO);
	int kept_err = dup(STDERR_FILENO), nothing = fileno(full);

	dup2(nothing, STDERR_FILENO);
	int r = cli_main("demo", "x", cmds, 2, argv);

	dup2(kept, STDOUT_FILENO);
	dup2(kept_err, STDERR_FILENO);
	clearerr(stdout);
	close(kept);
	close(kept_err);
	fclose(full);
	assert_int_equal(r, ERR_SPACE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_land_in_the_struct),
		cmocka_unit_test(usage_errors_name_the_nearest_right_thing),
		cmocka_unit_test(a_failure_is_one_line_and_its_code),
		cmocka_unit_test(help_goes_to_stdout_and_fits_eighty_columns),
		cmocka_unit_test(the_list_names_every_command_and_option),
		cmocka_unit_test(completion_scripts_are_valid),
		cmocka_unit_test(bash_completes_commands_and_options),
		cmocka_unit_test(signals_set_the_flag_and_the_exit_status),
		cmocka_unit_test(a_full_stdout_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
