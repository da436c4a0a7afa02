/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The in-order part of a bundle: P2 and P3 (and P1 where files cannot be sparse).
 *
 * A frame's place is known when all before it are written, so finished frames wait in slots, and whoever finishes
 * frame `next` writes it and those behind it that wait. Frame f may be begun only when f < next + WINDOW, which
 * bounds what waits.
 *
 * Nobody waits for ever: blobs are started in file order, and a worker waits only for its blob's frame f to enter
 * the window, f >= next + WINDOW. Every blob with bytes in frame `next` comes before the waiting worker's in that
 * order, so each of them is complete or in the hands of a worker; that one's frame is in the window, so it
 * does not wait here. It completes frame `next`, or it fails and stops all. Dropping a blob lowers `next`
 * to the first frame of a blob whose worker is the caller: the same holds again.
 * Buffers never run out: in the window and (after a drop) just behind it at most 2 * WINDOW frames hold one each,
 * every worker holds at most one more, and another while it has an encoder.
 */
#include "bundle_writer.h"

#include <airgap/oci.h>

int order_wait(struct bundle_writer *w, uint64_t frame, struct err *e)
{
	int r = 0;

	pthread_mutex_lock(&w->lock);
	while (!w->stopped && frame >= w->next + WINDOW)
		pthread_cond_wait(&w->changed, &w->lock);
	if (w->stopped) {
		*e = w->why;
		r = -1;
	}
	pthread_mutex_unlock(&w->lock);
	return r;
}

/* ---- slots */

/* oci-layout and index.json, at the front of P2; returns how many entries of the frame are blobs. */
static size_t put_own_entries(const struct bundle_writer *w, const struct layout_frame *f, uint8_t *out)
{
	size_t blobs = 0;

	for (size_t i = f->first; i < f->first + f->n; i++) {
		size_t entry = w->layout.small[i], size = (size_t)layout_entry_size(&w->layout, entry);
		bool oci = entry == LAYOUT_OCI;
		uint8_t header[USTAR_HEADER_MAX];

		if (entry < w->in->n_blobs) {
			blobs++;
			continue;
		}
		memcpy(out, header, ustar_header(header, oci ? "oci-layout" : "index.json", size));
		if (size)
			memcpy(out + USTAR_BLOCK, oci ? OCI_LAYOUT_TEXT : w->in->index_json, size);
		memset(out + USTAR_BLOCK + size, 0, ustar_padding(size));
		out += layout_entry_bytes(size);
	}
	return blobs;
}

/* With the lock held. */
static struct slot *slot_at(struct bundle_writer *w, uint64_t frame)
{
	if (!w->slots[frame])
		w->slots[frame] = xcalloc(1, sizeof(*w->slots[frame]));
	return w->slots[frame];
}

/* With the lock held. */
static void free_slot(struct bundle_writer *w, uint64_t frame)
{
	struct slot *s = TAKE(w->slots[frame]);

	if (!s)
		return;
	buffers_put(w->buffers, s->bytes);
	free(s);
}

struct slot *order_slot(struct bundle_writer *w, uint64_t frame)
{
	pthread_mutex_lock(&w->lock);

	struct slot *s = slot_at(w, frame);

	if (!s->bytes) {
		s->bytes = buffers_get(w->buffers);
		s->missing = put_own_entries(w, &w->layout.frames[frame], s->bytes);
	}
	pthread_mutex_unlock(&w->lock);
	return s;
}

/* ---- compressing: every worker its own frame, with an encoder of its own for as long as it takes */

static struct frame_encoder *take_encoder(struct bundle_writer *w)
{
	struct frame_encoder *enc = NULL;

	pthread_mutex_lock(&w->lock);
	while (w->n_encoders == 0 && w->made_encoders == w->most_encoders)
		pthread_cond_wait(&w->changed, &w->lock);
	if (w->n_encoders) {
		enc = w->encoders[--w->n_encoders];
	} else {
		enc = frame_encoder_new(w->in->level ? w->in->level : FRAME_LEVEL);
		w->made_encoders++;
	}
	pthread_mutex_unlock(&w->lock);
	return enc;
}

static void put_encoder(struct bundle_writer *w, struct frame_encoder *enc)
{
	pthread_mutex_lock(&w->lock);
	w->encoders[w->n_encoders++] = enc;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* *buffer holds the frame's content, then the frame. */
static int compress(struct bundle_writer *w, uint64_t frame, uint8_t **buffer, struct journal_line *line, struct err *e)
{
	size_t decoded = w->layout.frames[frame].decoded, len = 0;
	struct frame_encoder *enc = take_encoder(w);
	uint8_t *out = buffers_get(w->buffers);
	int r = frame_encode(enc, *buffer, decoded, out, frame_bound(FRAME_DECODED_MAX), &len, e);

	put_encoder(w, enc);
	buffers_put(w->buffers, *buffer);
	*buffer = out;
	if (r == 0)
		*line = (struct journal_line){ (uint32_t)len, digest_of(out, len) };
	return r;
}

/* ---- the queue */

/* Writes frame `next` and moves on. With the lock held, which is free while it writes. */
static int write_next(struct bundle_writer *w, struct err *e)
{
	const struct slot *s = w->slots[w->next];

	w->writing = true;
	pthread_mutex_unlock(&w->lock);

	int r = writer_commit(w, w->next, s->bytes, &s->line, w->tail, e);

	pthread_mutex_lock(&w->lock);
	w->writing = false;
	if (r == 0) {
		w->tail += s->line.bytes;
		free_slot(w, w->next);
		w->next++;
	}
	pthread_cond_broadcast(&w->changed);
	return r;
}

static bool next_is_finished(const struct bundle_writer *w)
{
	const struct slot *s = w->next < w->layout.n_frames ? w->slots[w->next] : NULL;

	return s && s->finished;
}

/* A finished frame for the queue; takes the buffer. If somebody else is writing, he will find it. */
static int deliver_take(struct bundle_writer *w, uint64_t frame, uint8_t *buffer, const struct journal_line *line,
			struct err *e)
{
	int r = 0;

	pthread_mutex_lock(&w->lock);

	struct slot *s = slot_at(w, frame);

	s->bytes = buffer;
	s->line = *line;
	s->finished = true;
	while (r == 0 && !w->writing && next_is_finished(w))
		r = write_next(w, e);
	pthread_mutex_unlock(&w->lock);
	if (r < 0)
		bundle_writer_stop(w, e);
	return r;
}

int order_frame_take(struct bundle_writer *w, uint64_t frame, uint8_t *buffer, bool stored,
		     const struct journal_line *line, struct err *e)
{
	struct journal_line made = { 0 };

	if (stored)
		return deliver_take(w, frame, buffer, line, e);
	if (compress(w, frame, &buffer, &made, e) < 0) {
		buffers_put(w->buffers, buffer);
		return -1;
	}
	return deliver_take(w, frame, buffer, &made, e);
}

/* The buffer leaves the slot while it is compressed: nobody else looks at it any more. */
static int finish_slot(struct bundle_writer *w, uint64_t frame, struct slot *s, struct err *e)
{
	return order_frame_take(w, frame, TAKE(s->bytes), false, NULL, e);
}

int order_entry_done(struct bundle_writer *w, uint64_t frame, struct err *e)
{
	pthread_mutex_lock(&w->lock);

	struct slot *s = w->slots[frame];
	bool last = --s->missing == 0;

	pthread_mutex_unlock(&w->lock);
	return last ? finish_slot(w, frame, s, e) : 0;
}

int order_start(struct bundle_writer *w, struct err *e)
{
	for (uint64_t f = w->layout.p2_frame; f < w->layout.p3_frame; f++) {
		const struct layout_frame *frame = &w->layout.frames[f];

		if (w->layout.small[frame->first + frame->n - 1] < w->in->n_blobs)
			return 0;       /* it ends with a blob, and so do all behind it */
		if (w->lines[f].bytes == 0 && finish_slot(w, f, order_slot(w, f), e) < 0)
			return -1;
	}
	return 0;
}

/* The journal drops from the back: what a kill leaves is a beginning of the part. */
static int forget_lines(struct bundle_writer *w, uint64_t first, uint64_t end, struct err *e)
{
	while (end-- > first) {
		if (w->lines[end].bytes == 0)
			continue;
		w->tail -= w->lines[end].bytes;
		memset(&w->lines[end], 0, sizeof(w->lines[end]));
		if (journal_drop(&w->journal, end, 1, e) < 0)
			return -1;
	}
	return 0;
}

int order_drop(struct bundle_writer *w, uint64_t first, uint64_t end, struct err *e)
{
	int r = 0;

	pthread_mutex_lock(&w->lock);
	while (w->writing)
		pthread_cond_wait(&w->changed, &w->lock);
	for (uint64_t f = first; f < end; f++)
		free_slot(w, f);
	if (w->next > first) {
		r = forget_lines(w, first, w->next, e);
		w->next = first;
	}
	pthread_mutex_unlock(&w->lock);
	return r;
}

void order_release(struct bundle_writer *w)
{
	for (uint64_t f = 0; w->slots && f < w->layout.n_frames; f++)
		free_slot(w, f);
	free(w->slots);
	for (size_t i = 0; i < w->n_encoders; i++)
		frame_encoder_free(w->encoders[i]);
	free(w->encoders);
}
