/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/proc.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS_TERM      10000u     /* from TERM to KILL */
#define MS_LINGER    1000u      /* for what a dead child's children still write */
#define MS_LOOK      500        /* how late an interrupt may be seen */
#define MS_LOOK_SLOW 50         /* the same where the kernel has no pidfd (before 5.3) */

atomic_int proc_interrupted;

int proc_interrupt_take(void)
{
	return atomic_exchange(&proc_interrupted, 0);
}

void proc_interrupt_give(int sig)
{
	if (sig)
		atomic_store(&proc_interrupted, sig);
}

/* ---- the child: from fork to exec only calls that are safe after fork in a threaded program */

struct launch {
	const char *path;
	char *const *argv, *const *env;
	const char *dir;
	int in, out, err;
	int exe_fd;
	int report;             /* errno goes here when exec fails; closed by exec */
	pid_t parent;
};

static NORETURN void child_fail(const struct launch *l)
{
	int sys = errno;
	ssize_t n = write(l->report, &sys, sizeof(sys));

	_exit(n == sizeof(sys) ? 126 : 127);
}

static void child_close_on_exec(unsigned first, unsigned last)
{
	if (first > last || close_range(first, last, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	for (unsigned fd = first; fd <= MIN(last, 4096u); fd++)
		fcntl((int)fd, F_SETFD, FD_CLOEXEC);
}

static void child_reset_signals(void)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		sigaction(s, &plain, NULL);     /* KILL, STOP and libc's own refuse: fine */
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static NORETURN void child_run(const struct launch *l)
{
	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		child_fail(l);
	/* The parent may have died before the line above: then nobody waits for us. */
	if (getppid() != l->parent)
		_exit(127);
	child_reset_signals();
	if (dup2(l->in, 0) < 0 || dup2(l->out, 1) < 0 || dup2(l->err, 2) < 0)
		child_fail(l);
	if (l->dir && chdir(l->dir) < 0)
		child_fail(l);
	if (l->exe_fd > 0) {
		/* Stays open: the kernel runs a script's interpreter on this very name. */
		child_close_on_exec(3, (unsigned)l->exe_fd - 1);
		child_close_on_exec((unsigned)l->exe_fd + 1, ~0u);
		fcntl(l->exe_fd, F_SETFD, 0);
	} else {
		child_close_on_exec(3, ~0u);
	}
	execve(l->path, l->argv, l->env);
	child_fail(l);
}

/* ---- starting */

static const char *proc_name(const struct proc *p)
{
	const char *slash = strrchr(p->argv[0], '/');

	return slash ? slash + 1 : p->argv[0];
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *proc_which(const char *name)
{
	const char *path = getenv("PATH");
	auto_strv struct strv dirs = { 0 };

	if (strchr(name, '/'))
		return is_program(name) ? xstrdup(name) : NULL;
	/* An empty piece would mean the working directory: strv_split leaves it out. */
	strv_split(&dirs, path ? path : "/usr/local/bin:/usr/bin:/bin", ':');
	for (size_t i = 0; i < dirs.n; i++) {
		auto_free char *full = fs_join(dirs.items[i], name);

		if (is_program(full))
			return TAKE(full);
	}
	return NULL;
}

/* Input goes into a file in memory: no pipe to feed, so no deadlock and no SIGPIPE. */
static int open_input(const struct proc *p, struct err *e)
{
	if (!p->input_len)
		return fs_open("/dev/null", O_RDONLY, 0, e);

	auto_fd int fd = memfd_create("stdin", MFD_CLOEXEC | 0x8u /* MFD_NOEXEC_SEAL */);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("stdin", MFD_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot make a file in memory");
	if (fs_write_all(fd, p->input, p->input_len, e) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "cannot rewind a file in memory");

	int given = fd;

	fd = -1;
	return given;
}

static void drop_fd(int *fd)
{
	cleanup_fd(fd);
	*fd = -1;
}

/* All signals wait meanwhile, so that none of our handlers runs in the child. */
static pid_t fork_child(const struct launch *l)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);

	pid_t pid = fork();

	if (pid == 0)
		child_run(l);

	int saved = errno;

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return pid;
}

static int launch(struct proc *p, int out, int err, pid_t *pid, struct err *e)
{
	char exe[64];
	auto_free char *found = p->exe_fd > 0 ? NULL : proc_which(p->argv[0]);
	auto_fd int in = open_input(p, e);
	int report[2], sys = 0;

	if (in < 0)
		return -1;
	if (p->exe_fd <= 0 && !found)
		return err_set(e, ERR_PREFLIGHT, "'%s' is not there: install it or add its folder to PATH", p->argv[0]);
	if (pipe2(report, O_CLOEXEC) < 0)
		return err_sys(e, "cannot make a pipe");

	auto_fd int report_read = report[0], report_write = report[1];
	struct launch l = {
		.path = found, .argv = p->argv, .env = p->env ? p->env : environ, .dir = p->dir,
		.in = in, .out = out, .err = err, .exe_fd = p->exe_fd, .report = report_write, .parent = getpid(),
	};

	if (p->exe_fd > 0) {
		snprintf(exe, sizeof(exe), "/proc/self/fd/%d", p->exe_fd);
		l.path = exe;
	}
	*pid = fork_child(&l);
	if (*pid < 0)
		return err_sys(e, "cannot start '%s'", proc_name(p));
	setpgid(*pid, *pid);    /* both do it: whoever is first */
	drop_fd(&report_write);

	ssize_t n;

	do
		n = read(report_read, &sys, sizeof(sys));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		;
	errno = sys;
	if (p->dir)
		return err_sys(e, "cannot run '%s' in '%s'", p->argv[0], p->dir);
	return err_sys(e, "cannot run '%s'", p->argv[0]);
}

/* ---- watching */

struct run {
	struct proc *p;
	pid_t pid;
	int pidfd, out_fd, err_fd;
	struct buf *out;
	uint64_t deadline, kill_at, linger_until;       /* the last two 0 = not yet */
	bool failed;            /* e is set */
	char line[1024];        /* of stderr, for the log */
	size_t line_len, tail_len;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* Ended but not reaped: until then its number, and that of its group, belongs to nobody else. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

static void fail_run(struct run *r, uint64_t now)
{
	r->failed = true;
	if (!r->kill_at) {
		kill(-r->pid, SIGTERM);
		r->kill_at = now + MS_TERM;
	}
}

static void log_line(struct run *r)
{
	if (r->line_len && !r->p->confidential)
		log_debug("%s: %.*s", proc_name(r->p), (int)r->line_len, r->line);
	r->line_len = 0;
}

static void take_stderr(struct run *r, const char *text, size_t n)
{
	char *tail = r->p->tail;
	size_t room = sizeof(r->p->tail) - 1;

	for (size_t i = 0; i < n; i++) {
		char c = text[i] ? text[i] : ' ';

		if (c == '\n' || r->line_len == sizeof(r->line))
			log_line(r);
		if (c != '\n')
			r->line[r->line_len++] = c;
		if (r->tail_len == room) {
			r->tail_len = room / 2;
			memmove(tail, tail + room - r->tail_len, r->tail_len);
		}
		tail[r->tail_len++] = c;
	}
}

/* Ends the tail where text ends; a tail that lost its beginning starts with a whole line. */
static void finish_tail(struct run *r)
{
	char *tail = r->p->tail;

	log_line(r);
	while (r->tail_len && strchr(" \t\r\n", tail[r->tail_len - 1]))
		r->tail_len--;
	tail[r->tail_len] = '\0';
	if (r->tail_len < (sizeof(r->p->tail) - 1) / 2)
		return;

	char *newline = strchr(tail, '\n');

	if (newline)
		memmove(tail, newline + 1, strlen(newline + 1) + 1);
}

static void read_stdout(struct run *r, uint64_t now, struct err *e)
{
	char piece[65536];
	ssize_t n = read(r->out_fd, piece, sizeof(piece));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		drop_fd(&r->out_fd);
	} else if (buf_add(r->out, piece, (size_t)n, e) < 0) {
		err_wrap(e, "%s: output", proc_name(r->p));
		drop_fd(&r->out_fd);
		fail_run(r, now);
	}
	wipe(piece, n > 0 ? (size_t)n : 0);     /* kubectl get secret passes here */
}

static void read_stderr(struct run *r)
{
	char piece[4096];
	ssize_t n = read(r->err_fd, piece, sizeof(piece));

	if (n > 0)
		take_stderr(r, piece, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		drop_fd(&r->err_fd);
}

static void check_clock(struct run *r, uint64_t now, struct err *e)
{
	unsigned seconds = r->p->timeout ? r->p->timeout : 300;

	if (!r->failed && now >= r->deadline) {
		err_set(e, ERR_DEADLINE, "%s: not done after %u seconds", proc_name(r->p), seconds);
		fail_run(r, now);
	} else if (!r->failed && proc_interrupted) {
		err_set(e, ERR_DEADLINE, "%s: interrupted", proc_name(r->p));
		fail_run(r, now);
	}
	if (r->kill_at && now >= r->kill_at)
		kill(-r->pid, SIGKILL);
}

static void wait_for_news(struct run *r, uint64_t now, struct err *e)
{
	struct pollfd fds[] = {
		{ .fd = r->out_fd, .events = POLLIN },
		{ .fd = r->err_fd, .events = POLLIN },
		/* A pidfd stays readable once the child has ended. */
		{ .fd = r->linger_until ? -1 : r->pidfd, .events = POLLIN },
	};

	if (poll(fds, ARRAY_LEN(fds), r->pidfd < 0 || r->linger_until ? MS_LOOK_SLOW : MS_LOOK) <= 0)
		return;
	if (fds[0].revents)
		read_stdout(r, now, e);
	if (fds[1].revents)
		read_stderr(r);
}

static int reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int watch(struct run *r, struct err *e)
{
	r->deadline = now_ms() + (r->p->timeout ? r->p->timeout : 300) * UINT64_C(1000);
	for (;;) {
		uint64_t now = now_ms();

		if (!r->linger_until && has_ended(r->pid))
			r->linger_until = now + MS_LINGER;
		if (r->linger_until && ((r->out_fd < 0 && r->err_fd < 0) || now >= r->linger_until))
			break;
		if (!r->linger_until)
			check_clock(r, now, e);
		wait_for_news(r, now, e);
	}
	kill(-r->pid, SIGKILL);
	finish_tail(r);
	return reap(r->pid);
}

int proc_run(struct proc *p, struct buf *out, int *status, struct err *e)
{
	int out_pipe[2] = { -1, -1 }, err_pipe[2] = { -1, -1 };
	struct run r = { .p = p, .out = out };

	p->tail[0] = '\0';
	if (out && pipe2(out_pipe, O_CLOEXEC) < 0)
		return err_sys(e, "cannot make a pipe");

	auto_fd int out_read = out_pipe[0], out_write = out ? out_pipe[1] : fs_open("/dev/null", O_WRONLY, 0, e);

	if (out_write < 0)
		return -1;
	if (pipe2(err_pipe, O_CLOEXEC) < 0)
		return err_sys(e, "cannot make a pipe");

	auto_fd int err_read = err_pipe[0], err_write = err_pipe[1];

	if (launch(p, out_write, err_write, &r.pid, e) < 0)
		return -1;
	drop_fd(&out_write);
	drop_fd(&err_write);

	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, r.pid, 0);

	r.pidfd = pidfd;
	r.out_fd = out_read;
	r.err_fd = err_read;
	*status = watch(&r, e);
	out_read = r.out_fd;    /* -1 where watch has closed them */
	err_read = r.err_fd;
	return r.failed ? -1 : 0;
}

int proc_check(struct proc *p, struct buf *out, enum err_code code, struct err *e)
{
	int status;

	if (proc_run(p, out, &status, e) < 0)
		return -1;
	if (status == 0)
		return 0;

	const char *newline = strrchr(p->tail, '\n'), *last = newline ? newline + 1 : p->tail;
	const char *how = status > 128 ? "killed by signal" : "exited with";

	return err_set(e, code, "%s: %s %d%s%s", proc_name(p), how, status > 128 ? status - 128 : status,
		       *last ? ": " : "", last);
}

int proc_start(struct proc *p, int *out_stdout_fd, pid_t *out_pid, struct err *e)
{
	int ends[2] = { -1, -1 };
	pid_t pid;

	p->tail[0] = '\0';
	if (out_stdout_fd && pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "cannot make a pipe");

	auto_fd int from = ends[0], to = out_stdout_fd ? ends[1] : fs_open("/dev/null", O_WRONLY, 0, e);

	if (to < 0 || launch(p, to, to, &pid, e) < 0)
		return -1;
	*out_pid = pid;
	if (out_stdout_fd) {
		*out_stdout_fd = from;
		from = -1;
	}
	return 0;
}

void proc_stop(pid_t pid)
{
	struct timespec tick = { .tv_nsec = 20 * 1000 * 1000 };

	kill(-pid, SIGTERM);
	for (int i = 0; i < 250 && !has_ended(pid); i++)
		nanosleep(&tick, NULL);
	kill(-pid, SIGKILL);
	reap(pid);
}
