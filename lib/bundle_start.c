/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the unfinished file: lock, layout, what an earlier run left, room on the disk. */
#include "bundle_writer.h"

#include <airgap/fs.h>
#include <airgap/log.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Encoders hold little at low levels, some 80 MiB each at the highest. */
#define ENCODERS_HIGH     2u
#define LEVEL_HIGH        10

/* ---- which layout is it */

static void hash_u64(struct hash *h, uint64_t v)
{
	uint8_t b[8];

	le64_put(b, v);
	hash_add(h, b, sizeof(b));
}

/* Another level or another libzstd makes other frames: the index is compressed and stands for all. (Two that agree
 * on it and differ elsewhere would mix in one bundle, which is right all the same, only not reproducible.) */
static int hash_encoder(struct hash *h, const struct bundle_input *in, struct err *e)
{
	size_t n = MIN(in->index_json_len, FRAME_BLOB_BYTES), len = 0;
	auto_frame_encoder struct frame_encoder *enc = frame_encoder_new(in->level ? in->level : FRAME_LEVEL);
	auto_free uint8_t *out = xmalloc(frame_bound(n));

	if (frame_encode(enc, in->index_json, n, out, frame_bound(n), &len, e) < 0)
		return -1;
	hash_u64(h, (uint64_t)in->level);
	hash_add(h, out, len);
	return 0;
}

/* Over all that fixes a byte outside the head's tables and the signatures. */
static int hash_layout(const struct bundle_input *in, struct digest *out, struct err *e)
{
	auto_hash struct hash h = { 0 };

	hash_begin(&h);
	hash_u64(&h, in->n_blobs);
	for (size_t i = 0; i < in->n_blobs; i++) {
		hash_add(&h, in->blobs[i].digest.b, sizeof(in->blobs[i].digest.b));
		hash_u64(&h, in->blobs[i].size);
		hash_u64(&h, (uint64_t)in->blobs[i].stored | (uint64_t)in->blobs[i].external << 1);
	}
	hash_u64(&h, in->json_len);
	hash_add(&h, in->json, in->json_len);
	hash_u64(&h, in->index_json_len);
	hash_add(&h, in->index_json, in->index_json_len);
	if (hash_encoder(&h, in, e) < 0)
		return -1;
	*out = hash_end(&h);
	return 0;
}

/* ---- the file */

static int check_target(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(e, ERR_USAGE, "'%s' is no regular file", path);
	return 0;
}

/* Locks path.partial. The run before us may have renamed the file we waited at: then it is another one now. */
static int lock_partial(struct bundle_writer *w, struct err *e)
{
	for (;;) {
		auto_fd int fd = -1;
		struct stat ours, there;

		if (fs_lock(w->partial, &fd, e) < 0)
			return -1;
		if (fstat(fd, &ours) < 0)
			return err_sys(e, "'%s'", w->partial);
		if (!S_ISREG(ours.st_mode) || ours.st_nlink > 1)
			return err_set(e, ERR_UNSAFE, "'%s' is no regular file of ours", w->partial);
		if (lstat(w->partial, &there) == 0 && there.st_ino == ours.st_ino && there.st_dev == ours.st_dev) {
			w->fd = fd;
			fd = -1;
			return 0;
		}
	}
}

/* Can a byte far behind the end be written without all bytes before it? FAT and its kin cannot. */
static int probe_sparse(struct bundle_writer *w, struct err *e)
{
	const uint64_t far = 4u << 20;
	struct stat st;

	if (fs_write_at(w->fd, "", 1, far, e) < 0)
		return err_wrap(e, "'%s'", w->partial);
	if (fstat(w->fd, &st) < 0 || ftruncate(w->fd, 0) < 0)
		return err_sys(e, "'%s'", w->partial);
	w->ordered = (uint64_t)st.st_blocks * 512 >= far;
	return 0;
}

/* ---- room */

static int check_space(const struct bundle_writer *w, struct err *e)
{
	auto_free char *dir = fs_dirname(w->path);
	char need_text[16], have_text[16];
	uint64_t have = 0, need = layout_size_known(&w->layout);
	struct stat st;

	if (fs_free_space(dir, &have, e) < 0)
		return -1;
	if (fstat(w->fd, &st) < 0)
		return err_sys(e, "'%s'", w->partial);
	need -= MIN(need, (uint64_t)st.st_blocks * 512);
	if (need <= have)
		return 0;
	return err_set(e, ERR_SPACE, "'%s': needs %s more (%llu bytes), has %s (%llu bytes): free some, or write elsewhere",
		       dir, log_size(need_text, need), (unsigned long long)need, log_size(have_text, have),
		       (unsigned long long)have);
}

/* The head's and P1's blocks; where the file system has no such call they are taken as they are written. */
static int reserve(struct bundle_writer *w, struct err *e)
{
	if (w->ordered)
		return 0;
	while (fallocate(w->fd, 0, 0, (off_t)w->layout.p1_end) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)
			return 0;
		return err_sys(e, "cannot reserve %llu bytes for '%s'", (unsigned long long)w->layout.p1_end,
			       w->partial);
	}
	return 0;
}

/* ---- opening */

static void prepare(struct bundle_writer *w, const struct bundle_input *in)
{
	unsigned jobs = MAX(in->jobs, 1u);

	w->lines = xcalloc((size_t)w->layout.n_frames, sizeof(w->lines[0]));
	w->slots = xcalloc((size_t)w->layout.n_frames, sizeof(w->slots[0]));
	w->blobs = xcalloc(MAX(in->n_blobs, 1u), sizeof(w->blobs[0]));
	w->most_encoders = in->level < LEVEL_HIGH ? MIN(jobs, pool_jobs()) : MIN(jobs, ENCODERS_HIGH);
	w->buffers = buffers_new(2 * WINDOW + jobs + w->most_encoders, frame_bound(FRAME_DECODED_MAX));
	w->encoders = xcalloc(w->most_encoders, sizeof(struct frame_encoder *));
}

static int larger_first(const void *a, const void *b, void *blobs)
{
	const struct bundle_blob *list = blobs;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;

	if (list[i].size != list[k].size)
		return list[i].size > list[k].size ? -1 : 1;
	return i < k ? -1 : 1;
}

/* The places of P1 are known, so its blobs may come in any order: with the largest first no worker is left alone with
 * it in the end. */
static void sort_order(struct bundle_writer *w)
{
	if (w->ordered)
		return;
	while (w->n_free < w->in->n_blobs && w->layout.places[w->layout.order[w->n_free]].part == LAYOUT_P1)
		w->n_free++;
	if (w->n_free)
		qsort_r(w->layout.order, w->n_free, sizeof(w->layout.order[0]), larger_first, (void *)w->in->blobs);
}

/* What is there counts if its journal is of this layout; else the file starts empty. */
static int take_up(struct bundle_writer *w, struct err *e)
{
	int found = journal_load(w->journal_path, &w->layout_hash, w->lines, w->layout.n_frames, &w->ordered, e);

	if (found < 0)
		return -1;
	if (!found && (ftruncate(w->fd, 0) < 0))
		return err_sys(e, "cannot empty '%s'", w->partial);
	if (!found && probe_sparse(w, e) < 0)
		return -1;
	sort_order(w);
	for (size_t i = 0; i < w->in->n_blobs; i++)
		if (!w->ordered && w->layout.places[i].part == LAYOUT_P1)
			spread_make(w, i);
	if (check_space(w, e) < 0 || writer_resume(w, e) < 0 || reserve(w, e) < 0)
		return -1;
	for (size_t i = 0; i < w->in->n_blobs; i++)
		w->blobs[i].complete |= w->in->blobs[i].external;
	if (journal_create(&w->journal, w->journal_path, &w->layout_hash, w->ordered, w->lines, w->layout.n_frames, e) < 0)
		return -1;
	return order_start(w, e);
}

int bundle_writer_open(const char *path, const struct bundle_input *in, struct bundle_writer **out, struct err *e)
{
	auto_bundle_writer struct bundle_writer *w = xcalloc(1, sizeof(*w));

	w->in = in;
	w->fd = w->journal.fd = -1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	w->path = xstrdup(path);
	w->partial = xasprintf("%s.partial", path);
	w->journal_path = xasprintf("%s.partial.journal", path);
	if (layout_make(&w->layout, in->blobs, in->n_blobs, in->json_len, in->index_json_len, e) < 0)
		return -1;
	prepare(w, in);
	if (hash_layout(in, &w->layout_hash, e) < 0 || check_target(path, e) < 0)
		return -1;
	if (lock_partial(w, e) < 0 || take_up(w, e) < 0)
		return -1;
	*out = TAKE(w);
	return 0;
}

void bundle_writer_close(struct bundle_writer *w)
{
	if (!w)
		return;
	for (size_t i = 0; w->blobs && i < w->in->n_blobs; i++) {
		writer_active_free(w, i);
		bundle_part_end(w, &w->blobs[i].own);
		spread_free(w, i);
	}
	order_release(w);
	buffers_free(w->buffers);
	journal_close(&w->journal);
	cleanup_fd(&w->fd);
	layout_release(&w->layout);
	free(w->lines);
	free(w->blobs);
	free(w->path);
	free(w->partial);
	free(w->journal_path);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
