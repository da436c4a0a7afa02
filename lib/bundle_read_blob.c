/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs of an opened bundle: whole, or as a stream; out of its frames, or from elsewhere. */
#include "bundle_read_part.h"

#include <airgap/fs.h>

#include <inttypes.h>

#define AWAY_PIECE 131072u

/* ---- small blobs, and whole ones: through the one frame that stays decoded ---- */

/* Content [at, at + n) of a frame, copied out. */
static int copy_out(struct bundle *b, uint64_t number, size_t at, uint8_t *to, size_t n, struct err *e)
{
	bool stored = bundle_frame_is_stored(b, number);

	if (b->last_number != number) {
		b->last_number = 0;
		if (!b->last)
			b->last = xmalloc(READ_BUFFER);
		if (bundle_frame_read(b, number, b->last, &b->last_decoded, e) < 0)
			return -1;
		b->last_number = number;
	}
	if (at > b->last_decoded || n > b->last_decoded - at)
		return err_set(e, ERR_BUG, "frame %" PRIu64 ": a blob outside of it", number);
	if (!stored) {
		memcpy(to, b->last + at, n);
		return 0;
	}
	while (n) {
		const uint8_t *p;
		size_t run = MIN(stored_run(b->last, b->last_decoded, at, &p), n);

		memcpy(to, p, run);
		to += run;
		at += run;
		n -= run;
	}
	return 0;
}

static int copy_frames(struct bundle *b, const struct blob_record *r, uint8_t *to, struct err *e)
{
	uint64_t done = 0;
	int rc = 0;

	pthread_mutex_lock(&b->lock);
	for (uint64_t i = 0; rc == 0 && done < r->size; i++) {
		size_t n = (size_t)MIN(r->size - done, FRAME_BLOB_BYTES);

		rc = copy_out(b, r->frame + i, i ? 0 : r->at, to + done, n, e);
		done += n;
	}
	pthread_mutex_unlock(&b->lock);
	return rc;
}

/* ---- from elsewhere ---- */

/* Through the hook, compared: whoever reads what `to` got reads the blob. */
static int fetch(const struct bundle *b, const struct blob_record *r, const struct sink *to, struct err *e)
{
	struct hash_sink counted = { .to = *to, .limit = r->size };
	const struct sink sink = { hash_sink_write, &counted };

	hash_begin(&counted.hash);

	int rc = b->blob(b->blob_ctx, &r->digest, r->size, &sink, e);
	struct digest got = hash_end(&counted.hash);

	hash_release(&counted.hash);
	if (rc < 0)
		return -1;
	if (counted.count != r->size || !digest_eq(&got, &r->digest))
		return err_set(e, ERR_DIGEST, "content does not match");
	return 0;
}

static int write_mem(void *at, const void *p, size_t n, struct err *e)
{
	uint8_t **to = at;

	(void)e;
	memcpy(*to, p, n);
	*to += n;
	return 0;
}

/* A blob whole into r->size bytes. */
static int copy_blob(struct bundle *b, const struct blob_record *r, uint8_t *to, struct err *e)
{
	uint8_t *at = to;
	const struct sink sink = { write_mem, &at };

	return b->blob ? fetch(b, r, &sink, e) : copy_frames(b, r, to, e);
}

/* ---- whole ---- */

static int find_here(const struct bundle *b, const struct digest *d, struct blob_record *out, struct err *e)
{
	char text[DIGEST_TEXT];

	if (!bundle_find(b, d, out))
		return err_set(e, ERR_TRUNCATED, "%s is not in the bundle", digest_text(d, text));
	if (out->flags & BLOB_EXTERNAL)
		return err_set(e, ERR_TRUNCATED, "%s is not in this bundle: it is a delta", digest_text(d, text));
	return 0;
}

int bundle_blob_load(struct bundle *b, const struct digest *d, struct buf *out, struct err *e)
{
	struct blob_record r;
	char text[DIGEST_TEXT];

	if (find_here(b, d, &r, e) < 0)
		return -1;
	if (r.size > out->max - out->len || buf_reserve(out, (size_t)r.size, e) < 0)
		return err_set(e, ERR_LIMIT, "%s: %" PRIu64 " bytes, at most %zu", digest_text(d, text), r.size, out->max);

	uint8_t *to = (uint8_t *)out->ptr + out->len;

	if (copy_blob(b, &r, to, e) < 0)
		return err_wrap(e, "%s", digest_text(d, text));

	struct digest got = digest_of(to, (size_t)r.size);

	if (!digest_eq(&got, d))
		return err_set(e, ERR_DIGEST, "%s: content does not match", digest_text(d, text));
	out->len += (size_t)r.size;
	out->ptr[out->len] = '\0';
	return 0;
}

/* ---- one blob as a stream ---- */

/* A large blob as it was fetched: compared, then read from a file that nobody else can open. */
struct bundle_away { int fd; uint8_t piece[AWAY_PIECE]; };

int bundle_reader_open(struct bundle_reader *r, struct bundle *b, const struct digest *d, struct err *e)
{
	struct bundle_reader new = { .bundle = b };

	if (find_here(b, d, &new.blob, e) < 0)
		return -1;
	*r = new;
	return 0;
}

void bundle_reader_park(struct bundle_reader *r)
{
	bundle_frame_release(&r->frame);
	free(r->small);
	r->small = NULL;
}

void bundle_reader_close(struct bundle_reader *r)
{
	bundle_reader_park(r);
	if (r->away)
		cleanup_fd(&r->away->fd);
	free(r->away);
	memset(r, 0, sizeof(*r));
}

int bundle_reader_seek(struct bundle_reader *r, uint64_t at, struct err *e)
{
	if (at > r->blob.size)
		return err_set(e, ERR_BUG, "seek to %" PRIu64 " in a blob of %" PRIu64 " bytes", at, r->blob.size);
	r->at = at;
	return 0;
}

static int hold_small(struct bundle_reader *r, struct err *e)
{
	if (r->small)
		return 0;

	auto_free uint8_t *copy = xmalloc((size_t)r->blob.size);

	if (copy_blob(r->bundle, &r->blob, copy, e) < 0)
		return -1;
	r->small = TAKE(copy);
	return 0;
}

static int hold_frame(struct bundle_reader *r, uint64_t number, struct err *e)
{
	if (r->frame.bytes && r->frame.number == number)
		return 0;
	bundle_frame_release(&r->frame);        /* never wait for a buffer while holding one */
	return bundle_frame_load(r->bundle, number, &r->frame, e);
}

static int hold_away(struct bundle_reader *r, struct err *e)
{
	if (r->away)
		return 0;

	auto_fd int fd = fs_temp_file(r->bundle->dir, e);
	const struct sink to = { fd_sink_write, &fd };

	if (fd < 0 || fetch(r->bundle, &r->blob, &to, e) < 0)
		return -1;
	r->away = xmalloc(sizeof(*r->away));
	r->away->fd = fd;
	fd = -1;
	return 0;
}

/* At least one byte from r->at on, at most n. 0 = failed. */
static size_t run_away(struct bundle_reader *r, const uint8_t **p, size_t n, struct err *e)
{
	n = MIN(n, AWAY_PIECE);
	if (hold_away(r, e) < 0 || fs_read_exact(r->away->fd, r->away->piece, n, r->at, e) < 0)
		return 0;
	*p = r->away->piece;
	return n;
}

static size_t run_frame(struct bundle_reader *r, const uint8_t **p, size_t n, struct err *e)
{
	uint64_t i = r->at / FRAME_BLOB_BYTES;
	size_t before = i ? 0 : r->blob.at;

	if (hold_frame(r, r->blob.frame + i, e) < 0)
		return 0;
	return MIN(n, bundle_frame_run(&r->frame, before + (size_t)(r->at % FRAME_BLOB_BYTES), p));
}

static size_t run_small(struct bundle_reader *r, const uint8_t **p, size_t n, struct err *e)
{
	if (hold_small(r, e) < 0)
		return 0;
	*p = r->small + r->at;
	return n;
}

ssize_t bundle_reader_run(struct bundle_reader *r, const uint8_t **p, size_t max, struct err *e)
{
	size_t n = (size_t)MIN(r->blob.size - r->at, max);

	if (!n)
		return 0;
	if (r->blob.size <= SMALL_BLOB_MAX)
		n = run_small(r, p, n, e);
	else
		n = (r->bundle->blob ? run_away : run_frame)(r, p, n, e);
	if (!n)
		return -1;
	r->at += n;
	return (ssize_t)n;
}

static ssize_t reader_read(void *reader, void *p, size_t n, struct err *e)
{
	const uint8_t *from;
	ssize_t got = bundle_reader_run(reader, &from, n, e);

	if (got > 0)
		memcpy(p, from, (size_t)got);
	return got;
}

static int reader_seek(void *reader, uint64_t at, struct err *e)
{
	return bundle_reader_seek(reader, at, e);
}

struct source bundle_reader_source(struct bundle_reader *r)
{
	return (struct source){ .read = reader_read, .seek = reader_seek, .ctx = r };
}
