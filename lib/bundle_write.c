/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_writer.h"

#include <airgap/fs.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 65536u            /* hashed twice while it is in the cache */

/* ---- blobs being worked on */

struct active *writer_active(struct bundle_writer *w, size_t blob)
{
	struct blob_state *s = &w->blobs[blob];

	if (!s->active) {
		s->active = xcalloc(1, sizeof(*s->active));
		hash_begin(&s->active->blob);
	}
	return s->active;
}

void writer_active_free(struct bundle_writer *w, size_t blob)
{
	struct active *a = TAKE(w->blobs[blob].active);

	if (!a)
		return;
	buffers_put(w->buffers, a->buffer);
	hash_release(&a->blob);
	hash_release(&a->frame);
	free(a);
}

int writer_stopped(const struct bundle_writer *w, struct err *e)
{
	*e = w->why;    /* set before the flag, never changed after */
	return -1;
}

void bundle_writer_stop(struct bundle_writer *w, const struct err *why)
{
	pthread_mutex_lock(&w->lock);
	if (!w->stopped) {
		w->why = *why;
		w->stopped = true;
	}
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

int writer_commit(struct bundle_writer *w, uint64_t frame, const uint8_t *p, const struct journal_line *line,
		  uint64_t at, struct err *e)
{
	if (fs_write_at(w->fd, p, line->bytes, at, e) < 0)
		return err_wrap(e, "'%s'", w->partial);
	/* Now, not when the kernel has collected gigabytes: the end would be a long wait for the disk. */
	fs_write_back(w->fd, at, line->bytes);
	w->lines[frame] = *line;
	return journal_add(&w->journal, frame, line, e);
}

/* ---- large blobs in order: P3, and P1 without places */

static uint64_t frame_of(const struct bundle_writer *w, size_t blob, uint64_t at)
{
	return w->layout.places[blob].frame + at / FRAME_BLOB_BYTES;
}

static bool is_stored(const struct bundle_writer *w, size_t blob)
{
	return w->layout.places[blob].part == LAYOUT_P1;
}

/* Hashes what is new of a stored frame, up to content byte `to`: block headers are in place already. */
static void hash_stored(struct active *a, size_t to, size_t decoded)
{
	size_t end = MIN(stored_at(to), stored_size(decoded));

	if (to == decoded)
		end = stored_size(decoded);
	hash_add(&a->frame, a->buffer + a->hashed, end - a->hashed);
	a->hashed = end;
}

/* A buffer with everything in it but the blob's bytes: frame and block headers, tar header, padding. */
static int open_frame(struct bundle_writer *w, size_t blob, uint64_t frame, struct err *e)
{
	static const uint8_t zero[USTAR_BLOCK];
	const struct layout_frame *f = &w->layout.frames[frame];
	struct active *a = writer_active(w, blob);
	uint64_t size = w->in->blobs[blob].size;
	uint8_t header[USTAR_HEADER_MAX];
	size_t before = layout_before(size, f->n), pad_at = before + layout_content(size, f->n);

	if (order_wait(w, frame, e) < 0)
		return -1;
	a->buffer = buffers_get(w->buffers);
	if (before)
		layout_header(&w->in->blobs[blob], header);
	if (!is_stored(w, blob)) {
		memcpy(a->buffer, header, before);
		memcpy(a->buffer + pad_at, zero, f->decoded - pad_at);
		return 0;
	}
	stored_frame_headers(a->buffer, f->decoded);
	stored_put(a->buffer, 0, header, before);
	stored_put(a->buffer, pad_at, zero, f->decoded - pad_at);
	a->hashed = 0;
	hash_begin(&a->frame);
	return 0;
}

/* The frame holds all its bytes: into the queue. */
static int close_frame(struct bundle_writer *w, size_t blob, uint64_t frame, struct err *e)
{
	const struct layout_frame *f = &w->layout.frames[frame];
	struct active *a = w->blobs[blob].active;
	struct journal_line line = { 0 };

	if (!is_stored(w, blob))
		return order_frame_take(w, frame, TAKE(a->buffer), false, NULL, e);
	hash_stored(a, f->decoded, f->decoded);
	line = (struct journal_line){ (uint32_t)stored_size(f->decoded), hash_end(&a->frame) };
	return order_frame_take(w, frame, TAKE(a->buffer), true, &line, e);
}

/* All its frames are void: it will be fetched from the start. */
static int drop_blob(struct bundle_writer *w, size_t blob, struct err *e)
{
	struct blob_state *s = &w->blobs[blob];
	uint64_t first = w->layout.places[blob].frame, n = blob_frames(w->in->blobs[blob].size);

	s->at = 0;
	writer_active_free(w, blob);
	if (w->layout.places[blob].part == LAYOUT_P2)
		return 0;       /* its bytes lie in an open frame and will be written over */
	return order_drop(w, first, first + n, e);
}

/* The blob's last byte has come: is it the right blob? Judged before its last frame is written. */
static int check_digest(struct bundle_writer *w, size_t blob, struct err *e)
{
	const struct digest *want = &w->in->blobs[blob].digest;
	struct digest have = hash_end(&w->blobs[blob].active->blob);
	char want_text[DIGEST_TEXT], have_text[DIGEST_TEXT];

	if (digest_eq(&have, want))
		return 0;
	if (drop_blob(w, blob, e) < 0)
		return -1;
	return err_set(e, ERR_DIGEST, "wanted %s, got %s", digest_text(want, want_text), digest_text(&have, have_text));
}

static int add_large(struct bundle_writer *w, size_t blob, const uint8_t **p, size_t *n, struct err *e)
{
	struct blob_state *s = &w->blobs[blob];
	uint64_t size = w->in->blobs[blob].size, frame = frame_of(w, blob, s->at);
	const struct layout_frame *f = &w->layout.frames[frame];
	size_t in = (size_t)(s->at % FRAME_BLOB_BYTES), content = layout_content(size, f->n);
	size_t take = MIN(MIN(*n, content - in), PIECE), at = layout_before(size, f->n) + in;

	if (in == 0 && open_frame(w, blob, frame, e) < 0)
		return -1;

	struct active *a = s->active;

	hash_add(&a->blob, *p, take);
	if (is_stored(w, blob)) {
		stored_put(a->buffer, at, *p, take);
		hash_stored(a, at + take, f->decoded);
	} else {
		memcpy(a->buffer + at, *p, take);
	}
	s->at += take;
	*p += take;
	*n -= take;
	if (s->at == size && check_digest(w, blob, e) < 0)
		return -1;
	if (in + take == content && close_frame(w, blob, frame, e) < 0)
		return -1;
	if (s->at == size) {
		writer_active_free(w, blob);
		s->complete = true;
	}
	return 0;
}

/* ---- small blobs: P2 */

/* Everything of the entry is there: header, padding, content. */
static int small_done(struct bundle_writer *w, size_t blob, struct err *e)
{
	const struct layout_place *place = &w->layout.places[blob];
	const struct bundle_blob *b = &w->in->blobs[blob];
	uint8_t *entry = order_slot(w, place->frame)->bytes + place->at;
	uint8_t header[USTAR_HEADER_MAX];

	if (check_digest(w, blob, e) < 0)
		return -1;
	writer_active_free(w, blob);
	memcpy(entry - USTAR_BLOCK, header, layout_header(b, header));
	memset(entry + b->size, 0, ustar_padding(b->size));
	w->blobs[blob].complete = true;
	return order_entry_done(w, place->frame, e);
}

static int add_small(struct bundle_writer *w, size_t blob, const uint8_t **p, size_t *n, struct err *e)
{
	const struct layout_place *place = &w->layout.places[blob];
	struct blob_state *s = &w->blobs[blob];
	struct active *a = writer_active(w, blob);
	uint8_t *to = order_slot(w, place->frame)->bytes + place->at + s->at;

	memcpy(to, *p, *n);
	hash_add(&a->blob, *p, *n);
	s->at += *n;
	*p += *n;
	*n = 0;
	return s->at == w->in->blobs[blob].size ? small_done(w, blob, e) : 0;
}

/* ---- what callers use */

int bundle_writer_gap(struct bundle_writer *w, size_t blob, uint64_t *at, uint64_t *end, struct err *e)
{
	struct blob_state *s = &w->blobs[blob];
	const struct layout_place *place = &w->layout.places[blob];
	uint64_t size = w->in->blobs[blob].size;
	uint64_t frame = place->part == LAYOUT_P2 ? place->frame : frame_of(w, blob, s->at);

	if (s->complete)
		return 0;
	if (w->stopped)
		return writer_stopped(w, e);
	if (s->spread)
		return spread_gap(w, blob, at, end, e);
	if (frame >= writer_first_ordered(w) && order_wait(w, frame, e) < 0)
		return -1;
	if (size == 0) {
		writer_active(w, blob);
		return small_done(w, blob, e);
	}
	*at = s->at;
	*end = size;
	return 1;
}

int bundle_writer_add(struct bundle_writer *w, size_t blob, uint64_t at, const void *p, size_t n, struct err *e)
{
	struct blob_state *s = &w->blobs[blob];
	uint64_t size = w->in->blobs[blob].size;
	const uint8_t *from = p;

	if (w->stopped)
		return writer_stopped(w, e);
	if (s->spread)
		return spread_add(w, blob, at, p, n, e);
	if (at != s->at)
		return err_set(e, ERR_BUG, "byte %llu was given, %llu is next", (unsigned long long)at,
			       (unsigned long long)s->at);
	if (n > size - s->at) {
		if (!s->complete && drop_blob(w, blob, e) < 0)
			return -1;
		return err_set(e, ERR_DIGEST, "more than %llu bytes came", (unsigned long long)size);
	}
	while (n) {
		int r = w->layout.places[blob].part == LAYOUT_P2 ? add_small(w, blob, &from, &n, e)
								 : add_large(w, blob, &from, &n, e);

		if (r < 0)
			return -1;
	}
	return 0;
}

uint64_t bundle_writer_size(const struct bundle_writer *w)
{
	return layout_size_most(&w->layout);
}

uint64_t bundle_writer_content(const struct bundle_writer *w)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < w->in->n_blobs; i++)
		if (!w->in->blobs[i].external)
			sum += w->in->blobs[i].size;
	return sum;
}

uint64_t bundle_writer_resumed(const struct bundle_writer *w)
{
	return w->resumed;
}

const size_t *bundle_writer_order(const struct bundle_writer *w)
{
	return w->layout.order;
}

size_t bundle_writer_free(const struct bundle_writer *w)
{
	return w->n_free;
}
