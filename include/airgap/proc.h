/*
 * proc - run a program: argv, never a shell; nothing of ours leaks into it; it dies with us.
 *
 *	struct proc p = { .argv = a.items, .env = env.items, .timeout = 60 };
 *	auto_buf struct buf out = BUF_INIT(16 << 20);
 *	if (proc_run(&p, &out, &status, e) < 0) ...    // could not run, deadline, output too large
 *	if (status != 0) ... proc_tail(&p) ...
 *
 * The child is in its own process group, has PR_SET_PDEATHSIG=KILL, default signal handling,
 * descriptors 0-2 only (and exe_fd). stderr goes line by line to log_debug and its last lines are kept.
 * On the deadline, or when proc_interrupted is set: TERM to the group, 10 s, then KILL. ERR_DEADLINE.
 * Whatever of the group is left when the child itself has ended is killed a second later.
 * Must be called from a thread that outlives the child (the parent-death signal is the thread's).
 */
#pragma once

#include <airgap/buf.h>
#include <airgap/strv.h>

#include <stdatomic.h>
#include <sys/types.h>

struct proc {
	char *const *argv;              /* argv[0] is looked up in PATH unless exe_fd is set */
	char *const *env;               /* whole environment; NULL = ours */
	int exe_fd;                     /* > 0: run this descriptor as /proc/self/fd/N (checked by the caller) */
	const char *dir;                /* working directory; NULL = ours */
	const void *input;              /* stdin, as a file in memory; NULL = /dev/null */
	size_t input_len;
	unsigned timeout;               /* seconds; 0 = 300 */
	bool confidential;              /* it was given secrets, and may say them: stderr is not logged */
	char tail[2048];                /* out: the last lines of stderr, trimmed */
};

/* 0: ran and ended, *status = exit status (128 + signal when killed). out may be NULL (stdout dropped).
 * -1: could not be started (ERR_PREFLIGHT when not found), output over its ceiling, or deadline. */
int proc_run(struct proc *p, struct buf *out, int *status, struct err *e) MUST_CHECK;

/* The same, but anything but status 0 is an error with `code`: "NAME: exited with 1: <last line>". */
int proc_check(struct proc *p, struct buf *out, enum err_code code, struct err *e) MUST_CHECK;

/* A child that goes on (a port-forward): started, then ended by proc_stop. pid > 0. Its stdout and its stderr both
 * come out of the one descriptor, which the caller reads and closes; it blocks a child that says more than 64 KiB
 * unread. out_stdout_fd NULL = /dev/null. timeout and tail are not used. */
int proc_start(struct proc *p, int *out_stdout_fd, pid_t *out_pid, struct err *e) MUST_CHECK;
void proc_stop(pid_t pid);              /* TERM, 5 s, KILL, reaped */

/* Finds an executable in PATH (or checks a path with '/'); NULL when there is none. */
char *proc_which(const char *name) MUST_CHECK;

/* Set by the handlers of SIGINT/SIGTERM/SIGHUP that cli_main installs; long loops look at it. */
extern atomic_int proc_interrupted;

/* What an interrupted run must still do, such as taking secrets away, stands between these two: the interrupt is taken
 * away and given back. One that comes meanwhile counts. By one thread, while no other works on the same. */
int proc_interrupt_take(void) MUST_CHECK;
void proc_interrupt_give(int sig);
