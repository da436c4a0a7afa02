/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_walk.h"

#include <airgap/tarball.h>

#include <fnmatch.h>

#define DEPTH    3u             /* archives within archives */
#define TEXT_MAX (8u << 20)     /* bytes of a text that is searched */

static const struct tarball_limits outer = {
	.total = UINT64_C(4) << 30, .file = 64 << 20, .members = 100000, .filters = TARBALL_ANY,
};
static const struct tarball_limits inner = {
	.total = 256 << 20, .file = 64 << 20, .members = 20000, .filters = TARBALL_ANY,
};

/* One archive that is being looked through. */
struct search {
	struct walk *w;
	const char *member;     /* pattern; NULL = every text */
};

static bool is_archive(const char *name)
{
	static const char *const ends[] = { ".zip", ".jar", ".whl", ".tgz", ".tar", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (str_ends(name, ends[i]))
			return true;
	return false;
}

static bool fits(const struct search *s, const char *name)
{
	const char *slash = strrchr(name, '/');

	return !s->member || fnmatch(s->member, name, 0) == 0 || fnmatch(s->member, slash ? slash + 1 : name, 0) == 0;
}

static bool wanted(void *ctx, const char *name)
{
	return is_archive(name) || fits(ctx, name);
}

static int search(struct walk *w, int fd, const void *p, size_t n, const char *member, struct err *e);

/* A name that says archive and lies is looked at as text. 1: it was one. */
static int search_inner(const struct search *s, const struct tarball_member *m, struct err *e)
{
	struct walk *w = s->w;

	if (!is_archive(m->name) || w->archives >= DEPTH)
		return 0;
	if (search(w, -1, m->bytes, m->size, s->member, e) == 0)
		return 1;
	return e->code == ERR_LIMIT ? -1 : 0;
}

static int search_text(const struct search *s, const struct tarball_member *m, struct err *e)
{
	if (!fits(s, m->name) || memchr(m->bytes, '\0', m->size))
		return 0;
	if (m->size > TEXT_MAX)
		return err_set(e, ERR_LIMIT, "'%.300s': a text of more than %u bytes", m->name, TEXT_MAX);

	auto_free char *text = xstrndup((const char *)m->bytes, m->size);

	return walk_text(s->w, text, e);
}

static int look(void *ctx, const struct tarball_member *m, struct err *e)
{
	const struct search *s = ctx;
	struct buf *path = &s->w->path;
	size_t len = path->len;

	if ((len && buf_add(path, "/", 1, e) < 0) || buf_add(path, m->name, strlen(m->name), e) < 0)
		return -1;

	int done = search_inner(s, m, e);

	if (done == 0)
		done = search_text(s, m, e);
	walk_leave(s->w, len);
	return MIN(done, 0);
}

static int search(struct walk *w, int fd, const void *p, size_t n, const char *member, struct err *e)
{
	struct search s = { w, member };
	size_t len = w->path.len;

	w->archives++;

	int r = tarball_search(fd, p, n, w->archives == 1 && fd >= 0 ? &outer : &inner, wanted, look, &s, e);

	w->archives--;
	walk_leave(w, len);
	return r;
}

int scan_bytes(struct walk *w, const void *p, size_t n, struct err *e)
{
	struct err why = { 0 };

	if (w->archives >= DEPTH || search(w, -1, p, n, NULL, &why) == 0 || why.code != ERR_LIMIT)
		return 0;
	*e = why;
	return -1;
}

int scan_archive(int fd, const char *name, const char *member, struct scan_finds *out, struct err *e)
{
	struct walk w = {
		.file = name, .kind = "File", .path = BUF_INIT(SCAN_PATH_MAX), .in_file = true, .out = out,
	};
	int r = search(&w, fd, NULL, 0, member, e);

	buf_release(&w.path);
	scan_finish(out);
	return r;
}
