/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_file.h"

#include <airgap/content.h>
#include <airgap/fs.h>
#include <airgap/proc.h>
#include <airgap/tarball.h>

#include <unistd.h>

#define LAYER_MAX   (UINT64_C(64) << 30)
#define FILE_MAX    (UINT64_C(16) << 30)
#define MEMBERS_MAX 2000000u
#define PIECE       (1u << 17)

bool layer_path_ok(const char *path)
{
	for (const char *part = path; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
		size_t n = strcspn(part, "/");

		if (n == 0 || (n <= 2 && strncmp(part, "..", n) == 0))
			return false;
	}
	return true;
}

/* ---- the layer */

static int download(struct registry *r, const char *repository, const struct digest *d, uint64_t size, struct err *e)
{
	auto_content_new struct content_new n = CONTENT_NEW_INIT;
	const struct sink to = { content_new_write, &n };
	char want[DIGEST_TEXT], have[DIGEST_TEXT];
	struct digest got;

	if (content_new_open(&n, LAYER_MAX, e) < 0 || registry_blob_get(r, repository, d, size, 0, &to, e) < 0 ||
	    content_new_keep(&n, &got, NULL, e) < 0)
		return -1;
	if (digest_eq(&got, d))
		return 0;
	return err_set(e, ERR_DIGEST, "'%s': layer %s came as %s", repository, digest_text(d, want), digest_text(&got, have));
}

static int compare(int fd, const struct digest *d, bool *same, struct err *e)
{
	auto_free uint8_t *piece = xmalloc(PIECE);
	auto_hash struct hash h = { 0 };
	struct source s = source_fd(&fd);
	struct digest have;
	ssize_t n;

	hash_begin(&h);
	while ((n = s.read(s.ctx, piece, PIECE, e)) > 0)
		hash_add(&h, piece, (size_t)n);
	if (n < 0)
		return -1;
	have = hash_end(&h);
	*same = digest_eq(&have, d);
	return lseek(fd, 0, SEEK_SET) < 0 ? err_sys(e, "seek") : 0;
}

/* 1: *out reads it. A damaged one leaves the cache. */
static int open_cached(const struct digest *d, int *out, struct err *e)
{
	auto_fd int fd = -1;
	int there = content_open(d, UINT64_MAX, &fd, e);
	bool same = false;

	if (there <= 0)
		return there;
	if (compare(fd, d, &same, e) < 0)
		return -1;
	if (!same)
		return content_drop(d, e);
	*out = fd;
	fd = -1;
	return 1;
}

int layer_open(struct registry *r, const char *repository, const struct digest *d, uint64_t size, struct err *e)
{
	int fd = -1, there = open_cached(d, &fd, e);

	if (there == 0) {
		if (download(r, repository, d, size, e) < 0)
			return -1;
		there = open_cached(d, &fd, e);
	}
	return there == 1 ? fd : there < 0 ? -1 : err_set(e, ERR_IO, "the content cache lost a layer");
}

/* ---- the file in it */

struct look {
	const char *path;
	struct hash_sink to;    /* counts */
	bool found, hidden;
	char *link;             /* a folder of the path is one */
};

static void look_release(struct look *l)
{
	hash_release(&l->to.hash);
	free(l->link);
}

/* The folder of path that is n bytes long, or path itself. */
static bool is_part(const char *path, const char *name, size_t n)
{
	return n > 0 && strncmp(path, name, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* "opt/.wh.apps.zip" and "opt/.wh..wh..opq" speak of what is below. */
static bool is_whiteout(const struct look *l, const char *name)
{
	const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;
	size_t dir = slash ? (size_t)(slash - name) : 0;
	auto_free char *gone = NULL;

	if (!str_starts(last, ".wh."))
		return false;
	if (strcmp(last, ".wh..wh..opq") == 0)
		return dir == 0 || (is_part(l->path, name, dir) && l->path[dir] == '/');
	gone = xasprintf("%.*s%s", (int)(dir ? dir + 1 : 0), name, last + strlen(".wh."));
	return is_part(l->path, gone, strlen(gone));
}

static int take_file(struct look *l, const struct tarball_entry *m, const struct source *content, struct err *e)
{
	auto_free uint8_t *piece = xmalloc(PIECE);
	ssize_t n;

	if (l->found)
		return err_set(e, ERR_UNSAFE, "'%s' is there twice in one layer", l->path);
	if (m->kind != TARBALL_FILE)
		return err_set(e, ERR_UNSAFE, "'%s' is %s", l->path, m->kind == TARBALL_LINK ? "a link: name the file it leads to" :
			       m->kind == TARBALL_FOLDER ? "a folder" : "no regular file");
	l->found = true;
	while ((n = content->read(content->ctx, piece, PIECE, e)) > 0) {
		if (proc_interrupted)
			return err_set(e, ERR_DEADLINE, "interrupted");
		if (hash_sink_write(&l->to, piece, (size_t)n, e) < 0)
			return -1;
	}
	return n < 0 ? -1 : 0;
}

static int on_entry(void *ctx, const struct tarball_entry *m, const struct source *content, struct err *e)
{
	struct look *l = ctx;
	const char *name = m->name + strspn(m->name, "/");
	size_t n = strlen(name);

	if (strcmp(name, l->path) == 0)
		return take_file(l, m, content, e);
	if (is_whiteout(l, name)) {
		l->hidden = true;
	} else if (m->kind != TARBALL_FOLDER && is_part(l->path, name, n)) {
		l->hidden = true;
		if (m->kind == TARBALL_LINK && !l->link)
			l->link = xstrdup(name);
	}
	return 0;
}

int layer_look(int fd, const char *path, const struct sink *to, struct err *e)
{
	CLEANUP(look_release) struct look l = { .path = path, .to = { .to = *to, .limit = FILE_MAX } };

	hash_begin(&l.to.hash);
	if (tarball_walk(fd, MEMBERS_MAX, on_entry, &l, e) < 0)
		return -1;
	if (l.found)
		return 1;
	if (l.link)
		return err_set(e, ERR_UNSAFE, "'%s' lies behind the link '%s': name the file itself", path, l.link);
	return l.hidden ? 2 : 0;
}
