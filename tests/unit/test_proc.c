/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/proc.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct err e;

/* Runs `sh -c script`; fills the rest of p from what it holds already. */
static int run_sh(struct proc *p, const char *script, struct buf *out, int *status)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, xstrdup(script), NULL };

	p->argv = argv;
	int r = proc_run(p, out, status, &e);

	free(argv[2]);
	p->argv = NULL;
	return r;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

TEST(gives_output_and_status)
{
	auto_buf struct buf out = BUF_INIT(1000);
	struct proc p = { 0 };
	int status = -1;

	assert_ok(run_sh(&p, "echo hello; echo oops >&2; exit 7", &out, &status), e);
	assert_int_equal(status, 7);
	assert_string_equal(buf_str(&out), "hello\n");
	assert_string_equal(p.tail, "oops");
	assert_ok(run_sh(&p, "kill -9 $$", NULL, &status), e);
	assert_int_equal(status, 128 + 9);
	assert_string_equal(p.tail, "");
}

TEST(input_is_a_file_of_any_size)
{
	size_t n = 3u << 20;
	auto_free char *input = xmalloc(n);
	auto_buf struct buf out = BUF_INIT(n);
	struct proc p = { .input = input, .input_len = n };
	int status = -1;

	for (size_t i = 0; i < n; i++)
		input[i] = (char)(i * 31 + i / 127);
	assert_ok(run_sh(&p, "cat", &out, &status), e);
	assert_int_equal(status, 0);
	assert_int_equal(out.len, n);
	assert_memory_equal(out.ptr, input, n);
	buf_clear(&out);
	assert_ok(run_sh(&p, "exit 0", &out, &status), e);      /* input unread: no SIGPIPE */
	assert_ok(run_sh(&p, "head -c 3 /dev/stdin | wc -c", &out, &status), e);
	assert_string_equal(buf_str(&out), "3\n");
	p.input_len = 0;
	buf_clear(&out);
	assert_ok(run_sh(&p, "cat", &out, &status), e);
	assert_int_equal(out.len, 0);
}

TEST(output_over_the_ceiling_ends_the_child)
{
	auto_buf struct buf out = BUF_INIT(1000);
	struct proc p = { 0 };
	int status;
	double start = now();

	assert_err(run_sh(&p, "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", &out, &status), e, ERR_LIMIT);
	assert_string_equal(e.msg, "sh: output: more than 1000 bytes");
	assert_true(now() - start < 5);
}

TEST(the_deadline_ends_the_whole_group)
{
	struct proc p = { .timeout = 1 };
	auto_buf struct buf out = BUF_INIT(1000);
	int status;
	double start = now();

	assert_err(run_sh(&p, "sleep 60 & echo $!; wait", &out, &status), e, ERR_DEADLINE);
	assert_string_equal(e.msg, "sh: not done after 1 seconds");
	assert_true(now() - start < 5);

	pid_t grandchild = (pid_t)atol(buf_str(&out));

	for (int i = 0; i < 100 && kill(grandchild, 0) == 0; i++)
		usleep(10000);
	/* reaped by init, or a zombie where there is none */
	auto_free char *path = xasprintf("/proc/%d/cmdline", (int)grandchild);
	auto_buf struct buf cmdline = BUF_INIT(1000);

	if (fs_exists(path, &e) == 1 && fs_load(path, 1000, &cmdline, &e) == 0)
		assert_int_equal(cmdline.len, 0);
}

TEST(an_interrupt_ends_the_child)
{
	struct proc p = { 0 };
	int status;

	proc_interrupted = SIGINT;
	double start = now();
	int r = run_sh(&p, "sleep 60", NULL, &status);

	proc_interrupted = 0;
	assert_err(r, e, ERR_DEADLINE);
	assert_string_equal(e.msg, "sh: interrupted");
	assert_true(now() - start < 5);
}

TEST(a_background_child_does_not_hold_us_up)
{
	auto_buf struct buf out = BUF_INIT(1000);
	struct proc p = { 0 };
	int status = -1;
	double start = now();

	assert_ok(run_sh(&p, "sleep 60 & echo done", &out, &status), e);
	assert_int_equal(status, 0);
	assert_string_equal(buf_str(&out), "done\n");
	assert_true(now() - start < 5);
}

TEST(nothing_of_ours_leaks_in)
{
	auto_buf struct buf out = BUF_INIT(4000);
	char *env[] = { (char[]){ "PATH=/usr/bin:/bin" }, (char[]){ "ONLY=this" }, NULL };
	struct proc p = { .env = env, .dir = "/usr" };
	int leak = open("/dev/null", O_RDONLY), status = -1;
	sigset_t set, before;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &before);
	signal(SIGPIPE, SIG_IGN);
	setenv("SECRET", "x", 1);
	assert_ok(run_sh(&p, "pwd; env | grep -c SECRET; echo $ONLY; ls /proc/self/fd | wc -l;"
			     /* all but 32 and 33, which are libc's own and not ours to set */
			     "for s in SigBlk SigIgn; do v=$(sed -n \"s/$s:.//p\" /proc/self/status);"
			     "echo $((0x$v & ~0x180000000)); done", &out, &status), e);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(leak);
	/* 0, 1, 2 and the one ls itself opens */
	assert_string_equal(buf_str(&out), "/usr\n0\nthis\n4\n0\n0\n");
}

TEST(the_tail_keeps_whole_last_lines)
{
	struct proc p = { 0 };
	int status;

	assert_ok(run_sh(&p, "i=0; while [ $i -lt 1000 ]; do echo line $i >&2; i=$((i+1)); done; printf '\\n\\n' >&2",
			 NULL, &status), e);
	assert_true(str_ends(p.tail, "\nline 998\nline 999"));
	assert_true(str_starts(p.tail, "line "));
	assert_in_range(strlen(p.tail), 500, sizeof(p.tail) - 1);
	assert_ok(run_sh(&p, "printf 'one\\000line\\n' >&2", NULL, &status), e);
	assert_string_equal(p.tail, "one line");
}

TEST(check_says_what_failed_and_why)
{
	char *argv[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" }, (char[]){ "echo first >&2; echo last >&2; exit 3" }, NULL };
	char *silent[] = { (char[]){ "false" }, NULL }, *good[] = { (char[]){ "true" }, NULL };
	struct proc p = { .argv = argv };

	assert_err(proc_check(&p, NULL, ERR_CLUSTER, &e), e, ERR_CLUSTER);
	assert_string_equal(e.msg, "sh: exited with 3: last");
	p.argv = silent;
	assert_err(proc_check(&p, NULL, ERR_CLUSTER, &e), e, ERR_CLUSTER);
	assert_string_equal(e.msg, "false: exited with 1");
	p.argv = good;
	assert_ok(proc_check(&p, NULL, ERR_CLUSTER, &e), e);
}

TEST(what_cannot_be_started_says_so)
{
	char *absent[] = { (char[]){ "no-such-program" }, NULL };
	char *folder[] = { (char[]){ "/usr" }, NULL }, *good[] = { (char[]){ "true" }, NULL };
	struct proc p = { .argv = absent };
	int status;

	assert_err(proc_run(&p, NULL, &status, &e), e, ERR_PREFLIGHT);
	assert_non_null(strstr(e.msg, "'no-such-program'"));
	p.argv = folder;
	assert_err(proc_run(&p, NULL, &status, &e), e, ERR_PREFLIGHT);
	p.argv = good;
	p.dir = "/no/such/folder";
	assert_err(proc_run(&p, NULL, &status, &e), e, ERR_IO);
	assert_int_equal(e.sys, ENOENT);
}

static int program_fd(const char *text)
{
	int fd = memfd_create("program", MFD_CLOEXEC);

	if (write(fd, text, strlen(text)) < 0 || fchmod(fd, 0700) < 0)
		fail();
	return fd;
}

TEST(runs_a_descriptor_binary_or_script)
{
	char *argv[] = { (char[]){ "tool" }, (char[]){ "arg" }, NULL };
	auto_fd int script = program_fd("#!/bin/sh\necho \"script $1\"\n");
	auto_fd int binary = open("/bin/echo", O_RDONLY | O_CLOEXEC);
	auto_buf struct buf out = BUF_INIT(100);
	struct proc p = { .argv = argv, .exe_fd = script };
	int status = -1;

	assert_ok(proc_run(&p, &out, &status, &e), e);
	p.exe_fd = binary;
	assert_ok(proc_run(&p, &out, &status, &e), e);
	assert_string_equal(buf_str(&out), "script arg\narg\n");
}

TEST(a_started_child_talks_until_it_is_stopped)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "echo up; echo err >&2; sleep 60" }, NULL };
	struct proc p = { .argv = argv };
	char text[64] = { 0 };
	pid_t pid = 0;
	int fd = -1;

	assert_ok(proc_start(&p, &fd, &pid, &e), e);
	assert_true(pid > 0);
	for (size_t n = 0; n < 7;) {
		ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);

		assert_true(got > 0);
		n += (size_t)got;
	}
	assert_string_equal(text, "up\nerr\n");

	double start = now();

	proc_stop(pid);
	assert_true(now() - start < 4);
	assert_int_equal(kill(pid, 0), -1);
	close(fd);
	assert_ok(proc_start(&p, NULL, &pid, &e), e);
	proc_stop(pid);
}

TEST(a_child_that_ignores_term_is_killed)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "trap '' TERM; echo up; while :; do sleep 1; done" }, NULL };
	struct proc p = { .argv = argv };
	char text[8];
	pid_t pid;
	int fd;

	assert_ok(proc_start(&p, &fd, &pid, &e), e);
	assert_int_equal(read(fd, text, sizeof(text)), 3);
	proc_stop(pid);
	assert_int_equal(kill(pid, 0), -1);
	close(fd);
}

TEST(children_die_with_their_parent)
{
	int ends[2];
	char text[32] = { 0 };
	pid_t child = -1;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);

	pid_t parent = fork();

	if (parent == 0) {
		char *argv[] = { (char[]){ "sleep" }, (char[]){ "60" }, NULL };
		struct proc p = { .argv = argv };

		if (proc_start(&p, NULL, &child, &e) < 0 || write(ends[1], &child, sizeof(child)) < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	snprintf(text, sizeof(text), "/proc/%d/exe", (int)child);
	for (int i = 0; i < 200 && access(text, F_OK) == 0; i++)
		usleep(10000);
	assert_int_equal(readlink(text, (char[8]){ 0 }, 8), -1);
	close(ends[0]);
	close(ends[1]);
}

TEST(what_a_confidant_says_is_not_logged)
{
	auto_buf struct buf said = BUF_INIT(4096);
	struct proc p = { .confidential = true };
	int ends[2], before = dup(STDERR_FILENO), status;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	dup2(ends[1], STDERR_FILENO);
	log_setup(LOG_DEBUG, LOG_TEXT, false);
	assert_ok(run_sh(&p, "echo hunter2 >&2", NULL, &status), e);
	assert_string_equal(p.tail, "hunter2");
	p.confidential = false;
	assert_ok(run_sh(&p, "echo other >&2", NULL, &status), e);
	log_setup(LOG_ERROR, LOG_TEXT, false);
	dup2(before, STDERR_FILENO);
	close(before);
	close(ends[1]);
	assert_ok(buf_read_fd(&said, ends[0], &e), e);
	close(ends[0]);
	assert_non_null(strstr(buf_str(&said), "other"));
	assert_null(strstr(buf_str(&said), "hunter2"));
}

TEST(finds_programs_in_path_only)
{
	auto_free char *sh = proc_which("sh"), *full = proc_which("/bin/sh"), *none = proc_which("no-such-program");
	auto_free char *path = xstrdup(getenv("PATH"));

	assert_true(sh && str_ends(sh, "/sh"));
	assert_string_equal(full, "/bin/sh");
	assert_null(none);
	assert_null(proc_which("/etc/passwd"));
	assert_int_equal(chdir("/bin"), 0);
	setenv("PATH", ":", 1);
	assert_null(proc_which("sh"));          /* an empty piece is not the working directory */
	setenv("PATH", path, 1);
	assert_int_equal(chdir("/"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_output_and_status),
		cmocka_unit_test(input_is_a_file_of_any_size),
		cmocka_unit_test(output_over_the_ceiling_ends_the_child),
		cmocka_unit_test(the_deadline_ends_the_whole_group),
		cmocka_unit_test(an_interrupt_ends_the_child),
		cmocka_unit_test(a_background_child_does_not_hold_us_up),
		cmocka_unit_test(nothing_of_ours_leaks_in),
		cmocka_unit_test(the_tail_keeps_whole_last_lines),
		cmocka_unit_test(check_says_what_failed_and_why),
		cmocka_unit_test(what_cannot_be_started_says_so),
		cmocka_unit_test(runs_a_descriptor_binary_or_script),
		cmocka_unit_test(a_started_child_talks_until_it_is_stopped),
		cmocka_unit_test(a_child_that_ignores_term_is_killed),
		cmocka_unit_test(children_die_with_their_parent),
		cmocka_unit_test(what_a_confidant_says_is_not_logged),
		cmocka_unit_test(finds_programs_in_path_only),
	};

	log_setup(LOG_ERROR, LOG_TEXT, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
