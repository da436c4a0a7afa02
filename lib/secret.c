/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/secret.h>

#include <airgap/fs.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define SECRET_MAX 65536u

void secret_release(struct secret *s)
{
	if (s->text)
		wipe(s->text, strlen(s->text));
	free(s->text);
	s->text = NULL;
}

void secret_set_take(struct secret *s, char *text)
{
	secret_release(s);
	s->text = text;
}

void secret_set(struct secret *s, const char *text)
{
	secret_set_take(s, xstrdup(text));
}

void secret_setf(struct secret *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	secret_set_take(s, xvasprintf(fmt, ap));
	va_end(ap);
}

static int from_env(const char *name, const char *subject, struct secret *out, struct err *e)
{
	const char *value = getenv(name);

	if (!*name)
		return err_set(e, ERR_USAGE, "%s: 'env:' names no variable", subject);
	if (!value || !*value)
		return err_set(e, ERR_USAGE, "%s: the variable %s is not set", subject, name);
	secret_set(out, value);
	return 0;
}

static int check_file(int fd, const char *path, const char *subject, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "%s: cannot look at '%s'", subject, path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_AUTH, "%s: '%s' is not a regular file", subject, path);
	if (st.st_mode & S_IRWXO)
		return err_set(e, ERR_AUTH, "%s: '%s' can be read by everybody: chmod 600 it", subject, path);
	return 0;
}

static int from_file(const char *name, const char *base, const char *subject, struct secret *out, struct err *e)
{
	CLEANUP(buf_wipe) struct buf b = BUF_INIT(SECRET_MAX);
	auto_free char *path = fs_join(base, name);
	auto_fd int fd = fs_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, e);

	if (fd < 0)
		return err_wrap(e, "%s", subject);
	if (check_file(fd, path, subject, e) < 0)
		return -1;
	if (buf_reserve(&b, SECRET_MAX, e) < 0)         /* no copies left behind by growth */
		return -1;
	if (buf_read_fd(&b, fd, e) < 0)
		return err_wrap(e, "%s: '%s'", subject, path);

	size_t n = strcspn(buf_str(&b), "\r\n");

	if (!n)
		return err_set(e, ERR_AUTH, "%s: '%s' is empty", subject, path);
	secret_set_take(out, xstrndup(b.ptr, n));
	return 0;
}

/* One line from the terminal without echo. */
static int read_line(int fd, const char *subject, struct secret *out, struct err *e)
{
	CLEANUP(buf_wipe) struct buf b = BUF_INIT(SECRET_MAX);
	char c = 0;

	if (buf_reserve(&b, SECRET_MAX, e) < 0)
		return -1;
	for (;;) {
		ssize_t n = read(fd, &c, 1);

		if (n < 0)
			return err_sys(e, "%s: cannot read from the terminal", subject);
		if (n == 0 || c == '\n')
			break;
		if (buf_add(&b, &c, 1, e) < 0)
			return -1;
	}
	if (!b.len)
		return err_set(e, ERR_AUTH, "%s: nothing was entered", subject);
	secret_set(out, b.ptr);
	return 0;
}

static int from_prompt(const char *subject, struct secret *out, struct err *e)
{
	struct termios before, quiet;
	auto_fd int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_set(e, ERR_USAGE, "%s: 'prompt' needs a terminal", subject);
	dprintf(fd, "%s: ", subject);
	if (tcgetattr(fd, &before) < 0)
		return err_sys(e, "%s: cannot set up the terminal", subject);
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(fd, TCSAFLUSH, &quiet) < 0)
		return err_sys(e, "%s: cannot set up the terminal", subject);

	int rc = read_line(fd, subject, out, e);

	(void)tcsetattr(fd, TCSAFLUSH, &before);
	dprintf(fd, "\n");
	return rc;
}

int secret_resolve(const char *ref, const char *base, const char *subject, struct secret *out, struct err *e)
{
	/* A site file, like its other references, has $(env:NAME). */
	auto_free char *inner = str_starts(ref, "$(") && str_ends(ref, ")") ? xstrndup(ref + 2, strlen(ref) - 3) : NULL;

	if (inner)
		ref = inner;
	if (str_starts(ref, "env:"))
		return from_env(ref + 4, subject, out, e);
	if (str_starts(ref, "file:"))
		return from_file(ref + 5, base, subject, out, e);
	if (str_eq(ref, "prompt"))
		return from_prompt(subject, out, e);
	return err_set(e, ERR_USAGE, "%s: a secret is given as env:NAME, file:PATH or prompt", subject);
}
