/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_run.h"

#include <airgap/content.h>
#include <airgap/fs.h>
#include <airgap/oci.h>
#include <airgap/tarball.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARCHIVE_MAX (UINT64_C(16) << 30)        /* of an archive that a member is taken from */
#define MEMBER_MAX  (UINT64_C(16) << 30)
#define PIECE       (1u << 17)

/* One file of the manifest: its bytes by digest, and where they are. */
struct file {
	const struct manifest_file *entry;
	struct oci_blob blob;
	struct lock_source source;      /* texts owned */
	char *origin;                   /* where it stands to people */
};

static void file_release(struct file *f)
{
	free(f->source.location);
	free(f->source.member);
	free(f->origin);
}

static bool wanted_digest(const struct manifest_file *f, struct digest *out)
{
	return f->sha256 && digest_parse_hex(f->sha256, strlen(f->sha256), out);
}

static int compare(const struct manifest_file *f, const struct digest *have, const char *where, struct err *e)
{
	char got[DIGEST_HEX];
	struct digest want;

	if (!wanted_digest(f, &want) || digest_eq(&want, have))
		return 0;
	return err_set(e, ERR_DIGEST, "'%s': its sha256 is %s, the manifest says %s", where, digest_hex(have, got), f->sha256);
}

/* ---- on disk */

/* From the beginning, and back to it. */
static int hash_fd(int fd, struct oci_blob *out, struct err *e)
{
	auto_free uint8_t *piece = xmalloc(PIECE);
	auto_hash struct hash h = { 0 };
	struct source s = source_fd(&fd);
	ssize_t n;

	out->size = 0;
	hash_begin(&h);
	while ((n = s.read(s.ctx, piece, PIECE, e)) > 0) {
		hash_add(&h, piece, (size_t)n);
		out->size += (uint64_t)n;
	}
	if (n < 0)
		return -1;
	out->digest = hash_end(&h);
	return lseek(fd, 0, SEEK_SET) < 0 ? err_sys(e, "seek") : 0;
}

int run_open_file(const char *path, struct oci_blob *out, struct err *e)
{
	auto_fd int fd = fs_open(path, O_RDONLY | O_NONBLOCK, 0, e);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_UNSAFE, "'%s': is no regular file", path);
	if (hash_fd(fd, out, e) < 0)
		return err_wrap(e, "'%s'", path);

	int opened = fd;

	fd = -1;
	return opened;
}

static int open_file(const struct manifest_file *f, const char *path, struct oci_blob *out, struct err *e)
{
	auto_fd int fd = run_open_file(path, out, e);

	if (fd < 0 || compare(f, &out->digest, path, e) < 0)
		return -1;

	int opened = fd;

	fd = -1;
	return opened;
}

/* ---- on a server */

static char *shown(const char *url)
{
	return xstrndup(url, strcspn(url, "?"));
}

int run_ask_size(struct run *r, const char *url, uint64_t *out, struct err *e)
{
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;
	auto_secret struct secret who = { 0 };
	struct http_request q = { .method = "HEAD", .url = url, .keep_encoding = true };
	struct http_client *http = remote_http(r->remote);
	struct http_tries t = { 0 };
	const char *length;
	int rc;

	if (remote_authorize(r->remote, url, &who, e) < 0)
		return -1;
	q.authorization = who.text ? &who : NULL;
	do
		rc = http_do(http, &q, NULL, &answer, e);
	while (http_again(http, &t, rc, &answer, e));
	if (rc < 0)
		return -1;
	*out = UINT64_MAX;
	length = http_header(&answer, "content-length");
	if (answer.status == 200 && length && !u64_parse(length, out))
		*out = UINT64_MAX;
	return 0;
}

/* Into the content cache, compared. */
static int download(struct run *r, const struct manifest_file *f, struct oci_blob *out, struct err *e)
{
	auto_content_new struct content_new n = CONTENT_NEW_INIT;
	const struct sink to = { content_new_write, &n };
	auto_secret struct secret who = { 0 };
	struct http_get g = { .url = f->url, .size = UINT64_MAX, .max = ARCHIVE_MAX, .keep_encoding = true };
	auto_free char *name = shown(f->url);

	if (remote_authorize(r->remote, f->url, &who, e) < 0)
		return -1;
	g.authorization = who.text ? &who : NULL;
	if (content_new_open(&n, ARCHIVE_MAX, e) < 0)
		return -1;
	if (http_fetch(remote_http(r->remote), &g, &to, e) < 0)
		return err_wrap(e, "'%s'", name);
	if (content_new_keep(&n, &out->digest, &out->size, e) < 0)
		return -1;
	return compare(f, &out->digest, name, e);
}

/* A file that is carried as it is needs no download at lock time, when its server says its size. */
static int from_url(struct run *r, struct file *f, struct err *e)
{
	const struct manifest_file *m = f->entry;

	f->source.kind = LOCK_URL;
	f->source.location = xstrdup(m->url);   /* the user's own words, query too: a secret in them is in the open already */
	if (!wanted_digest(m, &f->blob.digest))
		return err_set(e, ERR_BUG, "no sha256");
	if (run_ask_size(r, m->url, &f->blob.size, e) < 0)
		return -1;
	return f->blob.size == UINT64_MAX ? download(r, m, &f->blob, e) : 0;
}

static int from_path(struct run *r, struct file *f, struct err *e)
{
	auto_free char *path = run_path(r, f->entry->path);

	f->source.kind = LOCK_FILE;
	f->source.location = run_lock_path(r, f->entry->path);

	auto_fd int fd = open_file(f->entry, path, &f->blob, e);

	return MIN(fd, 0);
}

/* ---- out of an archive */

/* 1: *out_fd is the archive from the cache, compared. */
static int cached_archive(const struct manifest_file *m, struct oci_blob *archive, int *out_fd, struct err *e)
{
	auto_fd int fd = -1;
	struct digest want;
	int there = wanted_digest(m, &want) ? content_open(&want, UINT64_MAX, &fd, e) : 0;

	if (there <= 0)
		return there;
	if (hash_fd(fd, archive, e) < 0)
		return -1;
	if (!digest_eq(&want, &archive->digest))
		return content_drop(&want, e);
	*out_fd = fd;
	fd = -1;
	return 1;
}

static int open_archive(struct run *r, const struct manifest_file *m, struct oci_blob *archive, struct err *e)
{
	auto_free char *path = m->path ? run_path(r, m->path) : NULL;
	int fd = -1, there;

	if (path)
		return open_file(m, path, archive, e);
	there = cached_archive(m, archive, &fd, e);
	if (there == 0) {
		if (download(r, m, archive, e) < 0)
			return -1;
		there = cached_archive(m, archive, &fd, e);
	}
	return there == 1 ? fd : there < 0 ? -1 : err_set(e, ERR_IO, "the content cache lost it");
}

static int from_member(struct run *r, struct file *f, struct err *e)
{
	const struct manifest_file *m = f->entry;
	auto_content_new struct content_new n = CONTENT_NEW_INIT;
	const struct sink to = { content_new_write, &n };
	struct oci_blob archive = { .size = 0 };
	auto_fd int fd = open_archive(r, m, &archive, e);

	if (fd < 0 || content_new_open(&n, MEMBER_MAX, e) < 0 || tarball_member(fd, m->member, MEMBER_MAX, &to, e) < 0 ||
	    content_new_keep(&n, &f->blob.digest, &f->blob.size, e) < 0)
		return -1;
	f->source = (struct lock_source){
		.kind = LOCK_MEMBER, .location = m->url ? xstrdup(m->url) : run_lock_path(r, m->path),
		.member = xstrdup(m->member), .archive = archive.digest,
	};
	return 0;
}

/* ---- out of an image */

static int from_image(struct run *r, struct file *f, struct err *e)
{
	CLEANUP(run_image_file_release) struct run_image_file found = { 0 };

	if (resolve_image_file(r, f->entry, &found, e) < 0 || compare(f->entry, &found.blob.digest, f->entry->member, e) < 0)
		return -1;
	f->blob = found.blob;
	f->source = found.source;
	f->origin = TAKE(found.origin);
	found.source = (struct lock_source){ 0 };
	return 0;
}

/* ---- into the lock */

static char *base_name(const struct manifest_file *f)
{
	auto_free char *url = f->url ? shown(f->url) : NULL;
	const char *from = f->member ? f->member : url ? url : f->path, *slash = strrchr(from, '/');

	return xstrdup(slash ? slash + 1 : from);
}

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static char *normal_platform(const char *text)
{
	struct platform p;
	struct err ignored;
	char out[PLATFORM_TEXT];

	return text && platform_parse(text, &p, &ignored) == 0 ? xstrdup(platform_format(&p, out)) : NULL;
}

static int add_file(struct run *r, struct file *f, struct err *e)
{
	static const char type[] = "application/octet-stream";
	const struct manifest_file *m = f->entry;
	struct contents *c = &r->lock->contents;
	auto_buf struct buf manifest = BUF_INIT(OCI_MANIFEST_MAX);
	auto_free char *title = base_name(m);
	const struct oci_file file = { title, f->blob };
	struct digest empty, oci;

	if (oci_make_artifact_manifest(AIRGAP_FILE, &file, 1, &manifest, e) < 0 ||
	    lock_add_made(r->lock, OCI_EMPTY_TEXT, strlen(OCI_EMPTY_TEXT), OCI_EMPTY, false, &empty, e) < 0 ||
	    lock_add_made(r->lock, manifest.ptr, manifest.len, OCI_MANIFEST, true, &oci, e) < 0 ||
	    run_add_blob(r, &f->blob.digest, f->blob.size, type, oci_encoding_stored(title), false, &f->source, e) < 0)
		return -1;
	GROW(c->files, c->n_files);
	c->files[c->n_files++] = (struct content_file){
		.name = xstrdup(m->name), .file = TAKE(title), .role = copy(m->role), .mode = copy(m->mode),
		.platform = normal_platform(m->platform), .origin = TAKE(f->origin),
		.digest = oci, .blob = f->blob.digest, .size = f->blob.size,
	};
	return 0;
}

static int resolve_file(struct run *r, const struct manifest_file *entry, struct err *e)
{
	CLEANUP(file_release) struct file f = { .entry = entry };
	int done;

	if (entry->image)
		done = from_image(r, &f, e);
	else if (entry->member)
		done = from_member(r, &f, e);
	else if (entry->url)
		done = from_url(r, &f, e);
	else
		done = from_path(r, &f, e);
	if (!f.origin)
		f.origin = entry->url ? shown(entry->url) : copy(entry->path);
	return done < 0 ? -1 : add_file(r, &f, e);
}

int resolve_files(struct run *r, struct err *e)
{
	for (size_t i = 0; i < r->m->n_files; i++) {
		const struct manifest_file *m = &r->m->files[i];

		/* Tools are the deployer's own. */
		if ((m->role || carry_wants(&r->carry, CARRY_FILES, m->name)) && resolve_file(r, m, e) < 0)
			return err_wrap(e, "file '%s'", m->name);
	}
	return 0;
}

int resolve_files_blame(struct run *r, const struct digest *d, struct err *e)
{
	for (size_t i = 0; i < r->m->n_files; i++) {
		const struct manifest_file *m = &r->m->files[i];
		struct oci_blob have;
		struct digest claimed;
		struct err why = { 0 };

		if (!m->url || m->member || !wanted_digest(m, &claimed) || !digest_eq(&claimed, d))
			continue;
		if (download(r, m, &have, &why) == 0)
			continue;
		*e = why;
		return err_wrap(e, "file '%s'", m->name);
	}
	return -1;
}

/* 1: *out_fd reads it, from the cache. */
static int open_cached(const struct digest *d, int *out_fd, struct err *e)
{
	auto_fd int fd = -1;
	struct oci_blob have;
	int there = content_open(d, UINT64_MAX, &fd, e);

	if (there <= 0)
		return there;
	if (hash_fd(fd, &have, e) < 0)
		return -1;
	if (!digest_eq(&have.digest, d))
		return content_drop(d, e);
	*out_fd = fd;
	fd = -1;
	return 1;
}

static int fetch_again(struct run *r, const struct manifest_file *m, struct oci_blob *out, struct err *e)
{
	CLEANUP(run_image_file_release) struct run_image_file found = { 0 };
	int done = m->image ? resolve_image_file(r, m, &found, e) : download(r, m, out, e);

	if (m->image)
		*out = found.blob;
	return done;
}

int resolve_file_open(struct run *r, const char *name, int *out_fd, struct err *e)
{
	const struct manifest_file *m = manifest_file(r->m, name);
	const struct content_file *c = NULL;
	struct oci_blob again;
	int there;

	for (size_t i = 0; m && i < r->lock->contents.n_files && !c; i++)
		if (strcmp(r->lock->contents.files[i].name, name) == 0)
			c = &r->lock->contents.files[i];
	if (!c)
		return err_set(e, ERR_USAGE, "file '%s': is not in the manifest", name);
	if (m->path && !m->member) {
		auto_free char *path = run_path(r, m->path);

		*out_fd = open_file(m, path, &again, e);
		return MIN(*out_fd, 0);
	}
	there = open_cached(&c->blob, out_fd, e);
	if (there)
		return MIN(there, 0);
	if (fetch_again(r, m, &again, e) < 0)
		return err_wrap(e, "file '%s'", name);
	there = open_cached(&c->blob, out_fd, e);
	return there == 1 ? 0 : there < 0 ? -1 : err_set(e, ERR_IO, "file '%s': the content cache lost it", name);
}

int resolve_file_load(struct run *r, const char *name, struct buf *out, struct err *e)
{
	auto_fd int fd = -1;

	if (resolve_file_open(r, name, &fd, e) < 0)
		return -1;
	return buf_read_fd(out, fd, e) < 0 ? err_wrap(e, "file '%s'", name) : 0;
}
