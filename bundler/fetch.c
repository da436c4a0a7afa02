/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch_run.h"

#include <airgap/content.h>
#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/ref.h>
#include <airgap/tarball.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE       (1u << 17)
#define ARCHIVE_MAX (UINT64_C(16) << 30)        /* of an archive that a member is taken from */

struct fetcher *fetcher_new(const struct lock *l, const char *dir, const struct remote_opts *o, struct err *e)
{
	auto_fetcher struct fetcher *f = xcalloc(1, sizeof(*f));

	f->lock = l;
	f->dir = xstrdup(dir);
	pthread_mutex_init(&f->archives, NULL);
	f->remote = remote_new(l->hosts, l->n_hosts, dir, o, e);
	return f->remote ? TAKE(f) : NULL;
}

void fetcher_free(struct fetcher *f)
{
	if (!f)
		return;
	remote_free(f->remote);
	pthread_mutex_destroy(&f->archives);
	free(f->compared);
	free(f->dir);
	free(f);
}

size_t fetch_ways(const struct lock_blob *b)
{
	return 1 + b->n_sources;
}

char *fetch_way_name(const struct lock_blob *b, size_t way)
{
	if (way == 0)
		return xstrdup("content cache");

	const struct lock_source *s = &b->sources[way - 1];

	if (s->kind == LOCK_MADE)
		return xstrdup("lock");
	/* A query may be a signed secret. */
	return xasprintf("%s '%.*s'", lock_source_kinds[s->kind], (int)strcspn(s->location, "?"), s->location);
}

/* ---- what makes the whole blob again, while only its end is wanted */

int tail_write(void *ctx, const void *p, size_t n, struct err *e)
{
	struct tail *t = ctx;
	size_t drop = (size_t)MIN(t->skip, n);

	t->skip -= drop;
	return n > drop ? t->to->write(t->to->ctx, (const uint8_t *)p + drop, n - drop, e) : 0;
}

/* ---- files */

static int copy_fd(int fd, uint64_t at, uint64_t end, const struct sink *to, struct err *e)
{
	auto_free uint8_t *piece = xmalloc(PIECE);

	while (at < end) {
		size_t n = (size_t)MIN(end - at, PIECE);

		if (fs_read_exact(fd, piece, n, at, e) < 0 || to->write(to->ctx, piece, n, e) < 0)
			return -1;
		at += n;
	}
	return 0;
}

/* A file, or a part of it. */
static int copy_range(int fd, uint64_t size, const struct http_range *range, const struct sink *to, struct err *e)
{
	if (range->begin && range->begin(range->ctx, false, NULL, e) < 0)
		return -1;
	return copy_fd(fd, range->offset, range->end ? range->end : size, to, e);
}

static int fetch_file(const struct lock_blob *b, const char *path, const struct http_range *range, const struct sink *to,
		      struct err *e)
{
	auto_fd int fd = fs_open(path, O_RDONLY | O_NONBLOCK, 0, e);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(e, "'%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_UNSAFE, "'%s' is no regular file", path);
	if ((uint64_t)st.st_size != b->size)
		return err_set(e, ERR_DIGEST, "'%s' has %lld bytes, %llu were locked", path, (long long)st.st_size,
			       (unsigned long long)b->size);
	return copy_range(fd, b->size, range, to, e);
}

static int fetch_layout(const struct fetcher *f, const struct lock_blob *b, const struct lock_source *s,
			const struct http_range *range, const struct sink *to, struct err *e)
{
	char hex[DIGEST_HEX];
	auto_free char *folder = fs_join(f->dir, s->location);
	auto_free char *path = xasprintf("%s/blobs/sha256/%s", folder, digest_hex(&b->digest, hex));

	return fetch_file(b, path, range, to, e);
}

static int fetch_cached(const struct lock_blob *b, const struct http_range *range, const struct sink *to, struct err *e)
{
	auto_fd int fd = -1;
	int there = content_open(&b->digest, b->size, &fd, e);

	if (there == 0) {
		err_clear(e);
		return -1;
	}
	return there < 0 ? -1 : copy_range(fd, b->size, range, to, e);
}

/* ---- servers */

static int fetch_registry(struct fetcher *f, const struct lock_blob *b, const struct lock_source *s,
			  const struct http_range *range, const struct sink *to, struct err *e)
{
	auto_registry_manifest struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	auto_ref struct ref r = { 0 };
	char text[DIGEST_TEXT];

	if (ref_parse(s->location, &r, e) < 0)
		return -1;

	struct registry *reg = remote_registry(f->remote, r.host, e);

	if (!reg)
		return -1;
	if (!b->manifest)
		return registry_blob_range(reg, r.path, &b->digest, b->size, range, to, e);

	int there = registry_manifest_get(reg, r.path, digest_text(&b->digest, text), &m, e);

	if (there < 0)
		return -1;
	if (!there)
		return err_set(e, ERR_NETWORK, "no manifest %s any more", text);
	if (m.bytes.len < range->offset)
		return err_set(e, ERR_DIGEST, "has %zu bytes, %llu were locked", m.bytes.len, (unsigned long long)b->size);
	return to->write(to->ctx, m.bytes.ptr + range->offset, m.bytes.len - (size_t)range->offset, e);
}

/* Who we are to the server of this address; an empty secret: nobody. */
static int authorize(struct fetcher *f, const char *address, struct secret *out, struct err *e)
{
	auto_url struct url u = { 0 };
	auto_credential struct credential c = { 0 };

	if (url_parse(address, "source", &u, e) < 0)
		return -1;

	auto_free char *host = url_host(&u);
	int found = credential_find(remote_credentials(f->remote), host, u.path + 1, &c, e);

	if (found == 1 && c.kind != CREDENTIAL_IDENTITY)
		credential_header(&c, out);
	return found < 0 ? -1 : 0;
}

int fetch_url(struct fetcher *f, const char *address, uint64_t size, uint64_t max, const struct http_range *range,
		     const struct sink *to, struct err *e)
{
	auto_secret struct secret who = { 0 };
	struct http_get g = { .url = address, .range = range, .size = size, .max = max, .keep_encoding = true };

	if (authorize(f, address, &who, e) < 0)
		return -1;
	g.authorization = who.text ? &who : NULL;
	return http_fetch(remote_http(f->remote), &g, to, e);
}

bool fetch_room(struct fetcher *f, const struct lock_blob *b)
{
	const struct lock_source *s = b->n_sources ? &b->sources[0] : NULL;
	auto_ref struct ref r = { 0 };
	auto_url struct url u = { 0 };
	struct err ignored;

	if (s && s->kind == LOCK_URL)
		return url_parse(s->location, "source", &u, &ignored) < 0 || http_host_room(remote_http(f->remote), &u);
	if (!s || s->kind != LOCK_REGISTRY || ref_parse(s->location, &r, &ignored) < 0)
		return true;

	struct registry *reg = remote_registry(f->remote, r.host, &ignored);

	return !reg || registry_room(reg);
}

/* ---- what is made again */

static int fetch_made(const struct fetcher *f, const struct lock_blob *b, uint64_t at, const struct sink *to, struct err *e)
{
	const struct lock_made *m = lock_find_made(f->lock, &b->digest);

	if (!m || at > b->size)
		return err_set(e, ERR_BUG, "made content is gone");
	return to->write(to->ctx, m->text + at, (size_t)(b->size - at), e);
}

/* Compares before a parser looks at it, and goes back to the start. A damaged one leaves the cache. */
static int check_archive(int fd, const struct lock_source *s, struct err *e)
{
	auto_hash struct hash h = { 0 };
	auto_free uint8_t *piece = xmalloc(PIECE);
	char want[DIGEST_TEXT], got[DIGEST_TEXT];
	struct err ignored;
	ssize_t n;

	hash_begin(&h);
	while ((n = read(fd, piece, PIECE)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "cannot read the archive");
		hash_add(&h, piece, (size_t)n);
	}

	struct digest have = hash_end(&h);

	if (digest_eq(&have, &s->archive))
		return lseek(fd, 0, SEEK_SET) < 0 ? err_sys(e, "cannot read the archive") : 0;
	if (content_drop(&s->archive, &ignored) < 0)
		log_debug("%s", ignored.msg);
	return err_set(e, ERR_DIGEST, "archive: wanted %s, got %s", digest_text(&s->archive, want),
		       digest_text(&have, got));
}

/* Into the content cache, where the next member of the same archive finds it. */
static int download_archive(struct fetcher *f, const struct lock_source *s, struct err *e)
{
	auto_content_new struct content_new n = CONTENT_NEW_INIT;
	const struct sink to = { content_new_write, &n };
	const struct http_range all = { 0 };

	if (content_new_open(&n, ARCHIVE_MAX, e) < 0)
		return -1;
	if (fetch_url(f, s->location, UINT64_MAX, ARCHIVE_MAX, &all, &to, e) < 0)
		return -1;
	return content_new_keep(&n, NULL, NULL, e);
}

static int find_archive(struct fetcher *f, const struct lock_source *s, struct err *e)
{
	auto_fd int fd = -1;
	int there = content_open(&s->archive, UINT64_MAX, &fd, e);
	char text[DIGEST_TEXT];

	if (there < 0)
		return -1;
	if (!there && !str_starts(s->location, "http://") && !str_starts(s->location, "https://")) {
		auto_free char *path = fs_join(f->dir, s->location);

		return fs_open(path, O_RDONLY, 0, e);
	}
	if (!there && download_archive(f, s, e) < 0)
		return -1;
	if (!there)
		there = content_open(&s->archive, UINT64_MAX, &fd, e);
	if (there == 0)
		return err_set(e, ERR_DIGEST, "the archive is no longer %s", digest_text(&s->archive, text));
	if (there < 0)
		return -1;

	int out = fd;

	fd = -1;
	return out;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* An image has many members in one archive, which is hashed for the first only: each of them is compared itself. */
static int check_once(struct fetcher *f, int fd, const struct lock_source *s, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot read the archive");
	for (size_t i = 0; i < f->n_compared; i++)
		if (digest_eq(&f->compared[i].digest, &s->archive) && is_same_file(&f->compared[i].st, &st))
			return 0;
	if (check_archive(fd, s, e) < 0)
		return -1;
	GROW(f->compared, f->n_compared);
	f->compared[f->n_compared++] = (struct fetch_archive){ s->archive, st };
	return 0;
}

static int find_and_check(struct fetcher *f, const struct lock_source *s, struct err *e)
{
	auto_fd int fd = find_archive(f, s, e);

	if (fd < 0 || check_once(f, fd, s, e) < 0)
		return -1;

	int out = fd;

	fd = -1;
	return out;
}

/* At its beginning, compared. */
static int open_archive(struct fetcher *f, const struct lock_source *s, struct err *e)
{
	pthread_mutex_lock(&f->archives);

	int fd = find_and_check(f, s, e);

	pthread_mutex_unlock(&f->archives);
	return fd;
}

static int fetch_member(struct fetcher *f, const struct lock_blob *b, const struct lock_source *s, uint64_t at,
			const struct sink *to, struct err *e)
{
	struct tail tail = { at, to };
	const struct sink end = { tail_write, &tail };
	auto_fd int fd = open_archive(f, s, e);

	if (fd < 0)
		return -1;
	return tarball_member(fd, s->member, b->size, &end, e);
}

/* ---- all ways */

/* What is made again from its beginning comes to the end. */
static int fetch_again(struct fetcher *f, const struct lock_blob *b, const struct lock_source *s, const struct http_range *range,
		       const struct sink *to, struct err *e)
{
	uint64_t at = range->offset;

	if (range->end && !range->begin)
		return err_set(e, ERR_BUG, "no part can be had of what is made again");
	if (range->begin && range->begin(range->ctx, true, NULL, e) < 0)
		return -1;
	switch ((enum lock_source_kind)s->kind) {
	case LOCK_PACK:
		return fetch_pack(f, s, at, to, e);
	case LOCK_MEMBER:
		return fetch_member(f, b, s, at, to, e);
	case LOCK_GIT:
		return fetch_git(f, s, at, to, e);
	case LOCK_LAYER:
		return fetch_layer(f, b, s, at, to, e);
	case LOCK_ADD:
		return fetch_add(f, s, at, to, e);
	case LOCK_MADE:
		return fetch_made(f, b, at, to, e);
	default:
		return err_set(e, ERR_BUG, "source of kind %d", s->kind);
	}
}

static int fetch_source(struct fetcher *f, const struct lock_blob *b, const struct lock_source *s, const struct http_range *range,
			const struct sink *to, struct err *e)
{
	auto_free char *path = NULL;

	switch ((enum lock_source_kind)s->kind) {
	case LOCK_REGISTRY:
		return fetch_registry(f, b, s, range, to, e);
	case LOCK_URL:
		return fetch_url(f, s->location, b->size, b->size, range, to, e);
	case LOCK_FILE:
		path = fs_join(f->dir, s->location);
		return fetch_file(b, path, range, to, e);
	case LOCK_LAYOUT:
		return fetch_layout(f, b, s, range, to, e);
	default:
		return fetch_again(f, b, s, range, to, e);
	}
}

int fetch_range(struct fetcher *f, const struct lock_blob *b, size_t way, const struct http_range *range, const struct sink *to,
		struct err *e)
{
	return way == 0 ? fetch_cached(b, range, to, e) : fetch_source(f, b, &b->sources[way - 1], range, to, e);
}

int fetch_blob(struct fetcher *f, const struct lock_blob *b, size_t way, uint64_t at, const struct sink *to, struct err *e)
{
	const struct http_range range = { .offset = at };

	return fetch_range(f, b, way, &range, to, e);
}
