/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/fs.h>
#include <airgap/stream.h>

#include <errno.h>
#include <unistd.h>

int hash_sink_write(void *hash_sink, const void *p, size_t n, struct err *e)
{
	struct hash_sink *s = hash_sink;

	if (s->count > s->limit || n > s->limit - s->count)
		return err_set(e, ERR_LIMIT, "more than %ju bytes", (uintmax_t)s->limit);
	if (s->to.write && s->to.write(s->to.ctx, p, n, e) < 0)
		return -1;
	hash_add(&s->hash, p, n);
	s->count += n;
	return 0;
}

int buf_sink_write(void *buf, const void *p, size_t n, struct err *e)
{
	return buf_add(buf, p, n, e);
}

int fd_sink_write(void *fd, const void *p, size_t n, struct err *e)
{
	return fs_write_all(*(int *)fd, p, n, e);
}

static int fd_read_at(void *fd, void *p, size_t n, uint64_t at, struct err *e)
{
	return fs_read_exact(*(int *)fd, p, n, at, e);
}

struct source_at source_at_fd(int *fd, uint64_t size)
{
	return (struct source_at){ .read = fd_read_at, .ctx = fd, .size = size };
}

static ssize_t fd_read(void *fd, void *p, size_t n, struct err *e)
{
	ssize_t got;

	do
		got = read(*(int *)fd, p, n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys(e, "cannot read");
	return got;
}

static int fd_seek(void *fd, uint64_t at, struct err *e)
{
	if (at > INT64_MAX)
		return err_set(e, ERR_LIMIT, "offset %ju is too large", (uintmax_t)at);
	if (lseek(*(int *)fd, (off_t)at, SEEK_SET) < 0)
		return err_sys(e, "cannot seek to %ju", (uintmax_t)at);
	return 0;
}

struct source source_fd(int *fd)
{
	return (struct source){ .read = fd_read, .seek = fd_seek, .ctx = fd };
}

static ssize_t mem_read(void *mem, void *p, size_t n, struct err *e)
{
	struct mem_source *m = mem;

	n = MIN(n, m->n - m->at);
	if (n)
		memcpy(p, (const char *)m->p + m->at, n);
	m->at += n;
	return (ssize_t)n;
}

static int mem_seek(void *mem, uint64_t at, struct err *e)
{
	struct mem_source *m = mem;

	if (at > m->n)
		return err_set(e, ERR_TRUNCATED, "offset %ju is behind the end", (uintmax_t)at);
	m->at = (size_t)at;
	return 0;
}

struct source source_mem(struct mem_source *m)
{
	return (struct source){ .read = mem_read, .seek = mem_seek, .ctx = m };
}

static int mem_read_at(void *mem, void *p, size_t n, uint64_t at, struct err *e)
{
	const struct mem_source *m = mem;

	if (at > m->n || n > m->n - at)
		return err_set(e, ERR_TRUNCATED, "ends at byte %zu", m->n);
	if (n)
		memcpy(p, (const char *)m->p + at, n);
	return 0;
}

struct source_at source_at_mem(struct mem_source *m)
{
	return (struct source_at){ .read = mem_read_at, .ctx = m, .size = m->n };
}
