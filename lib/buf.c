/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/buf.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

void buf_release(struct buf *b)
{
	free(b->ptr);
	b->ptr = NULL;
	b->len = b->cap = 0;
}

void buf_wipe(struct buf *b)
{
	if (b->ptr)
		wipe(b->ptr, b->cap);
	buf_release(b);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->ptr)
		b->ptr[0] = '\0';
}

const char *buf_str(const struct buf *b)
{
	return b->ptr ? b->ptr : "";
}

/* cap counts the byte for the final NUL; max does not. */
static bool make_room(struct buf *b, size_t n)
{
	if (n > b->max - b->len)
		return false;
	if (b->cap && b->len + n < b->cap)
		return true;

	size_t cap = MAX(b->len + n + 1, MIN(b->cap * 2, b->max + 1));

	b->ptr = xrealloc(b->ptr, MAX(cap, 64u));
	b->cap = MAX(cap, 64u);
	return true;
}

int buf_reserve(struct buf *b, size_t n, struct err *e)
{
	if (!make_room(b, n))
		return err_set(e, ERR_LIMIT, "more than %zu bytes", b->max);
	return 0;
}

int buf_add(struct buf *b, const void *p, size_t n, struct err *e)
{
	if (buf_reserve(b, n, e) < 0)
		return -1;
	if (n)
		memcpy(b->ptr + b->len, p, n);
	b->len += n;
	b->ptr[b->len] = '\0';
	return 0;
}

int buf_read_fd(struct buf *b, int fd, struct err *e)
{
	char piece[16384];

	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "cannot read");
		if (n == 0)
			return 0;
		if (buf_add(b, piece, (size_t)n, e) < 0)
			return -1;
	}
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	struct err e;

	if (buf_add(b, p, n, &e) < 0)
		abort();
}

void buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_put(b, &c, 1);
}

void buf_putf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	auto_free char *s = xvasprintf(fmt, ap);
	va_end(ap);
	buf_puts(b, s);
}

char *buf_take(struct buf *b)
{
	char *s = b->ptr ? TAKE(b->ptr) : xstrdup("");

	b->len = b->cap = 0;
	return s;
}
