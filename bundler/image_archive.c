/* SPDX-License-Identifier: Apache-2.0 */
#include "image_archive.h"
#include "resolve_run.h"

#include <airgap/fs.h>
#include <airgap/proc.h>
#include <airgap/tarball.h>

#include <pthread.h>

#define MEMBERS_MAX 100000u
#define CONTENT_MAX (UINT64_C(256) << 30)
#define NAMES_MAX   (8u << 20)
#define TEXTS_MAX   (64u << 20)         /* of all documents that are kept */
#define PIECE       (1u << 17)

struct image_archive {
	char *path;
	int fd;
	struct digest digest;
	struct archive_file *files; size_t n_files;             /* sorted by name */
	const struct archive_file **by_digest; size_t n_by_digest;
	pthread_mutex_t lock;           /* over the position of fd */
};

/* While it is read. */
struct reading {
	struct image_archive *a;
	uint64_t left;
	size_t names, texts;
	uint8_t piece[PIECE];
};

void image_archive_close(struct image_archive *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n_files; i++) {
		free(a->files[i].name);
		free(a->files[i].text);
	}
	free(a->files);
	free(a->by_digest);
	cleanup_fd(&a->fd);
	pthread_mutex_destroy(&a->lock);
	free(a->path);
	free(a);
}

const char *image_archive_path(const struct image_archive *a)
{
	return a->path;
}

struct digest image_archive_digest(const struct image_archive *a)
{
	return a->digest;
}

/* ---- reading it */

static bool is_document(const uint8_t *p, ssize_t n)
{
	return n > 0 && (*p == '{' || *p == '[');
}

/* The content once, hashed; kept when it is a document of some sort and there is room. */
static int read_file(struct reading *r, const struct source *content, struct archive_file *f, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_CONFIG_MAX);
	auto_hash struct hash h = { 0 };
	bool keep = true;
	ssize_t n;

	hash_begin(&h);
	while ((n = content->read(content->ctx, r->piece, PIECE, e)) > 0) {
		if (proc_interrupted)
			return err_set(e, ERR_DEADLINE, "interrupted");
		if ((uint64_t)n > r->left)
			return err_set(e, ERR_LIMIT, "more than %llu GiB of content", (unsigned long long)(CONTENT_MAX >> 30));
		r->left -= (uint64_t)n;
		if (!f->size)
			memcpy(f->head, r->piece, MIN((size_t)n, sizeof(f->head)));
		keep = keep && (f->size || is_document(r->piece, n)) && text.len + (size_t)n <= text.max &&
		       r->texts + text.len + (size_t)n <= TEXTS_MAX;
		if (keep)
			buf_put(&text, r->piece, (size_t)n);
		hash_add(&h, r->piece, (size_t)n);
		f->size += (uint64_t)n;
	}
	f->digest = hash_end(&h);
	if (n < 0 || !keep || !f->size)
		return n < 0 ? -1 : 0;
	r->texts += text.len;
	f->text = buf_take(&text);
	return 0;
}

static int on_member(void *ctx, const struct tarball_entry *m, const struct source *content, struct err *e)
{
	struct reading *r = ctx;
	struct image_archive *a = r->a;

	if (m->kind == TARBALL_FOLDER && (!*m->name || strcmp(m->name, ".") == 0))
		return 0;
	if (!m->clean)
		return err_set(e, ERR_UNSAFE, "'%.300s': no name that an archive of images has", m->name);
	if (m->kind == TARBALL_FOLDER)
		return 0;
	if (m->kind == TARBALL_OTHER)
		return err_set(e, ERR_UNSAFE, "'%.300s': neither a file nor a folder", m->name);
	r->names += strlen(m->name);
	if (r->names > NAMES_MAX)
		return err_set(e, ERR_LIMIT, "names of more than %u bytes", NAMES_MAX);
	GROW(a->files, a->n_files);

	struct archive_file *f = &a->files[a->n_files++];

	*f = (struct archive_file){ .name = xstrdup(m->name), .link = m->kind == TARBALL_LINK };
	if (!f->link && read_file(r, content, f, e) < 0)
		return err_wrap(e, "'%.300s'", m->name);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct archive_file *)a)->name, ((const struct archive_file *)b)->name);
}

static int compare_digests(const void *a, const void *b)
{
	const struct archive_file *x = *(const struct archive_file *const *)a, *y = *(const struct archive_file *const *)b;
	int c = digest_cmp(&x->digest, &y->digest);

	return c ? c : strcmp(x->name, y->name);
}

static int sort(struct image_archive *a, struct err *e)
{
	if (a->n_files)
		qsort(a->files, a->n_files, sizeof(a->files[0]), compare_names);
	for (size_t i = 1; i < a->n_files; i++)
		if (strcmp(a->files[i - 1].name, a->files[i].name) == 0)
			return err_set(e, ERR_UNSAFE, "'%.300s': there twice", a->files[i].name);
	a->by_digest = xcalloc(a->n_files + 1, sizeof(*a->by_digest));
	for (size_t i = 0; i < a->n_files; i++)
		if (!a->files[i].link)
			a->by_digest[a->n_by_digest++] = &a->files[i];
	if (a->n_by_digest)
		qsort(a->by_digest, a->n_by_digest, sizeof(*a->by_digest), compare_digests);
	return 0;
}

struct image_archive *image_archive_open(const char *path, struct err *e)
{
	auto_image_archive struct image_archive *a = xcalloc(1, sizeof(*a));
	auto_free struct reading *r = xcalloc(1, sizeof(*r));
	struct oci_blob file = { .size = 0 };

	pthread_mutex_init(&a->lock, NULL);
	a->path = xstrdup(path);
	a->fd = run_open_file(path, &file, e);
	if (a->fd < 0)
		return NULL;
	a->digest = file.digest;
	*r = (struct reading){ .a = a, .left = CONTENT_MAX };
	if (tarball_walk(a->fd, MEMBERS_MAX, on_member, r, e) < 0 || sort(a, e) < 0) {
		err_wrap(e, "'%s'", path);
		return NULL;
	}
	return TAKE(a);
}

/* ---- looking */

const struct archive_file *image_archive_file(const struct image_archive *a, const char *name)
{
	struct archive_file key = { .name = (char *)name };

	return a->n_files ? bsearch(&key, a->files, a->n_files, sizeof(key), compare_names) : NULL;
}

const struct archive_file *image_archive_find(const struct image_archive *a, const struct digest *d)
{
	size_t low = 0, high = a->n_by_digest;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (digest_cmp(&a->by_digest[mid]->digest, d) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < a->n_by_digest && digest_eq(&a->by_digest[low]->digest, d) ? a->by_digest[low] : NULL;
}

int image_archive_load(struct image_archive *a, const struct archive_file *f, struct buf *out, struct err *e)
{
	struct sink to = { buf_sink_write, out };

	if (f->text)
		return buf_add(out, f->text, (size_t)f->size, e);
	pthread_mutex_lock(&a->lock);

	int r = tarball_member(a->fd, f->name, out->max, &to, e);

	pthread_mutex_unlock(&a->lock);
	return r;
}

/* ---- compressed layers */

struct unpacking {
	const char *name;
	struct hash_sink hash;
};

static int nowhere(void *ctx, const void *p, size_t n, struct err *e)
{
	return proc_interrupted ? err_set(e, ERR_DEADLINE, "interrupted") : 0;
}

static int unpack_member(void *ctx, const struct tarball_entry *m, const struct source *content, struct err *e)
{
	struct unpacking *u = ctx;
	const struct sink to = { hash_sink_write, &u->hash };

	if (strcmp(m->name, u->name) != 0)
		return 0;
	return tarball_unpack(content, CONTENT_MAX, &to, e) < 0 ? -1 : 1;
}

int image_archive_unpacked(struct image_archive *a, const struct archive_file *f, struct digest *out, struct err *e)
{
	struct unpacking u = { .name = f->name, .hash = { .to = { nowhere, NULL }, .limit = CONTENT_MAX } };

	hash_begin(&u.hash.hash);
	pthread_mutex_lock(&a->lock);

	int r = tarball_walk(a->fd, MEMBERS_MAX, unpack_member, &u, e);

	pthread_mutex_unlock(&a->lock);
	*out = hash_end(&u.hash.hash);
	hash_release(&u.hash.hash);
	return r == 1 ? 0 : r < 0 ? err_wrap(e, "'%s'", f->name) : err_set(e, ERR_IO, "'%s' is gone", f->name);
}
