/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an interrupted build left: every frame its journal names is read back and compared, decoded, and the content
 * hashed again, so that neither a torn write nor an edited journal can bring a wrong byte in.
 *
 * An item of work is a large blob with its frames, or one frame of P2; items are independent of each other.
 */
#include "bundle_writer.h"

#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/oci.h>
#include <airgap/proc.h>

struct resume {
	struct bundle_writer *w;
	uint64_t *items;                /* first frames of them */
	size_t n_items;
	uint64_t *at;                   /* file offsets of P2 and P3, by frame number from p2_frame on */
	uint64_t end;                   /* the first ordered frame that is not in the journal */
};

static bool written(const struct resume *r, uint64_t frame)
{
	const struct bundle_writer *w = r->w;

	return w->lines[frame].bytes && (frame < writer_first_ordered(w) || frame < r->end);
}

static uint64_t file_at(const struct resume *r, uint64_t frame)
{
	const struct layout *l = &r->w->layout;

	return frame < l->p2_frame ? l->frames[frame].at : r->at[frame - l->p2_frame];
}

/* The frame's content into out (decoded bytes); false: it is not what the journal says, or does not decode. */
static bool read_frame(const struct resume *r, uint64_t frame, uint8_t *raw, uint8_t *out)
{
	const struct bundle_writer *w = r->w;
	const struct journal_line *line = &w->lines[frame];
	size_t decoded = w->layout.frames[frame].decoded, n;
	struct err ignored;     /* whatever it is, the frame is made again */
	const uint8_t *p;

	if (line->bytes > frame_bound(FRAME_DECODED_MAX))
		return false;
	if (fs_read_exact(w->fd, raw, line->bytes, file_at(r, frame), &ignored) < 0)
		return false;

	struct digest have = digest_of(raw, line->bytes);

	if (!digest_eq(&have, &line->digest))
		return false;
	if (layout_part_of(&w->layout, frame) != LAYOUT_P1)
		return frame_decode(raw, line->bytes, out, decoded, &ignored) == 0;
	if (!stored_check(raw, line->bytes, decoded))
		return false;
	for (size_t at = 0; (n = stored_run(raw, decoded, at, &p)) > 0; at += n)
		memcpy(out + at, p, n);
	return true;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	static const uint8_t zero[USTAR_BLOCK];

	return memcmp(p, zero, n) == 0;
}

static void forget(struct bundle_writer *w, uint64_t frame)
{
	memset(&w->lines[frame], 0, sizeof(w->lines[frame]));
}

/* ---- a large blob: the longest right beginning */

static bool large_frame_right(const struct bundle_writer *w, size_t blob, uint64_t i, const uint8_t *p)
{
	const struct bundle_blob *b = &w->in->blobs[blob];
	size_t before = layout_before(b->size, i), content = layout_content(b->size, i);
	uint8_t header[USTAR_HEADER_MAX];

	if (before && memcmp(p, header, layout_header(b, header)) != 0)
		return false;
	return all_zero(p + before + content, blob_frame_decoded(b->size, i) - before - content);
}

/* One whose frames have their places: every right frame counts, wherever it is. */
static void read_spread(const struct resume *r, size_t blob, uint8_t *raw, uint8_t *plain)
{
	struct bundle_writer *w = r->w;
	const struct bundle_blob *b = &w->in->blobs[blob];
	struct spread *s = w->blobs[blob].spread;
	uint64_t first = w->layout.places[blob].frame;
	bool gap = false;

	for (uint64_t i = 0; i < s->n_frames && !proc_interrupted; i++) {
		size_t before = layout_before(b->size, i), content = layout_content(b->size, i);

		if (!written(r, first + i) || !read_frame(r, first + i, raw, plain) ||
		    !large_frame_right(w, blob, i, plain)) {
			forget(w, first + i);
			gap = true;
			continue;
		}
		s->frames[i] = SPREAD_DONE;
		progress_add(content);
		if (gap)
			continue;
		hash_add(spread_hash(s), plain + before, content);
		s->hashed += content;
	}
	if (s->hashed < b->size)
		return;

	struct digest have = hash_end(&s->hash);

	w->blobs[blob].complete = digest_eq(&have, &b->digest);
	if (w->blobs[blob].complete)
		return;
	memset(s->frames, SPREAD_FREE, (size_t)s->n_frames);
	s->hashed = 0;
	for (uint64_t i = 0; i < s->n_frames; i++)
		forget(w, first + i);
}

static void read_large(const struct resume *r, size_t blob, uint8_t *raw, uint8_t *plain)
{
	struct bundle_writer *w = r->w;
	const struct bundle_blob *b = &w->in->blobs[blob];
	struct blob_state *s = &w->blobs[blob];
	struct active *a = writer_active(w, blob);
	uint64_t first = w->layout.places[blob].frame, n = blob_frames(b->size), i = 0;

	for (; i < n && !proc_interrupted && written(r, first + i); i++) {
		size_t before = layout_before(b->size, i), content = layout_content(b->size, i);

		if (!read_frame(r, first + i, raw, plain) || !large_frame_right(w, blob, i, plain))
			break;
		hash_add(&a->blob, plain + before, content);
		s->at += content;
		progress_add(content);
	}
	if (s->at == b->size) {
		struct digest have = hash_end(&a->blob);

		s->complete = digest_eq(&have, &b->digest);
		if (!s->complete)
			i = s->at = 0;
	}
	if (s->at == 0 || s->complete)
		writer_active_free(w, blob);
	for (; i < n; i++)
		forget(w, first + i);
}

/* ---- a frame of P2: all or nothing */

static bool entry_right(const struct bundle_writer *w, size_t entry, const uint8_t *p)
{
	size_t size = (size_t)layout_entry_size(&w->layout, entry);
	const void *own = entry == LAYOUT_OCI ? OCI_LAYOUT_TEXT : w->in->index_json;
	uint8_t header[USTAR_HEADER_MAX];

	if (entry < w->in->n_blobs)
		layout_header(&w->in->blobs[entry], header);
	else
		ustar_header(header, entry == LAYOUT_OCI ? "oci-layout" : "index.json", size);
	if (memcmp(p, header, USTAR_BLOCK) != 0 || !all_zero(p + USTAR_BLOCK + size, ustar_padding(size)))
		return false;
	if (entry >= w->in->n_blobs)
		return memcmp(p + USTAR_BLOCK, own, size) == 0;

	struct digest have = digest_of(p + USTAR_BLOCK, size);

	return digest_eq(&have, &w->in->blobs[entry].digest);
}

static void read_small(const struct resume *r, uint64_t frame, uint8_t *raw, uint8_t *plain)
{
	struct bundle_writer *w = r->w;
	const struct layout_frame *f = &w->layout.frames[frame];
	bool right = read_frame(r, frame, raw, plain);
	const uint8_t *p = plain;

	for (size_t i = f->first; right && i < f->first + f->n; i++) {
		right = entry_right(w, w->layout.small[i], p);
		p += layout_entry_bytes(layout_entry_size(&w->layout, w->layout.small[i]));
	}
	if (!right) {
		forget(w, frame);
		return;
	}
	for (size_t i = f->first; i < f->first + f->n; i++) {
		size_t entry = w->layout.small[i];

		if (entry >= w->in->n_blobs)
			continue;
		w->blobs[entry].at = w->in->blobs[entry].size;
		w->blobs[entry].complete = true;
		progress_add(w->in->blobs[entry].size);
	}
}

static int read_item(void *ctx, unsigned worker, size_t item, struct err *e)
{
	const struct resume *r = ctx;
	struct bundle_writer *w = r->w;
	uint64_t frame = r->items[item];
	uint8_t *raw = buffers_get(w->buffers), *plain = buffers_get(w->buffers);

	if (layout_part_of(&w->layout, frame) == LAYOUT_P2)
		read_small(r, frame, raw, plain);
	else if (w->blobs[w->layout.frames[frame].first].spread)
		read_spread(r, w->layout.frames[frame].first, raw, plain);
	else
		read_large(r, w->layout.frames[frame].first, raw, plain);
	buffers_put(w->buffers, raw);
	buffers_put(w->buffers, plain);
	return proc_interrupted ? err_set(e, ERR_DEADLINE, "interrupted") : 0;
}

/* ---- all of it */

static uint64_t last_frame(const struct bundle_writer *w)
{
	return w->layout.n_frames - 1;
}

/* The file offset where frame `next` goes, once all before it are right. */
static uint64_t tail_at(const struct bundle_writer *w, uint64_t next)
{
	uint64_t at = w->layout.p1_end;

	if (next < w->layout.p2_frame)
		return w->layout.frames[next].at;
	for (uint64_t f = w->layout.p2_frame; f < next; f++)
		at += w->lines[f].bytes;
	return at;
}

/* Frames of the in-order part count up to the first that is missing; what lies behind it is made again. */
static void cut_order(struct bundle_writer *w)
{
	uint64_t next = writer_first_ordered(w);

	while (next < last_frame(w) && w->lines[next].bytes)
		next++;
	w->next = next;
	w->tail = tail_at(w, next);
	for (uint64_t f = next; f < w->layout.n_frames; f++)
		forget(w, f);
	for (size_t i = 0; i < w->in->n_blobs; i++) {
		const struct layout_place *place = &w->layout.places[i];

		if (place->part == LAYOUT_EXTERNAL || place->frame < next || place->frame < writer_first_ordered(w))
			continue;
		writer_active_free(w, i);
		w->blobs[i] = (struct blob_state){ 0 };
	}
}

/* A frame of a large blob: the first, or of one with places the first that is in the journal. */
static bool begins_item(const struct bundle_writer *w, uint64_t frame)
{
	const struct layout_frame *f = &w->layout.frames[frame];
	uint64_t k = f->n;

	if (!w->blobs[f->first].spread)
		return k == 0;
	while (k > 0 && w->lines[frame - (f->n - k) - 1].bytes == 0)
		k--;
	return k == 0;
}

/* Where frames should lie, and what to look at. */
static void find_items(struct resume *r)
{
	const struct bundle_writer *w = r->w;
	const struct layout *l = &w->layout;
	uint64_t at = l->p1_end;

	r->end = writer_first_ordered(w);
	while (r->end < last_frame(w) && w->lines[r->end].bytes)
		r->end++;
	for (uint64_t f = l->p2_frame; f < l->n_frames; f++) {
		r->at[f - l->p2_frame] = at;
		at += w->lines[f].bytes;
	}
	for (uint64_t f = 0; f < last_frame(w); f++)
		if (written(r, f) && (layout_part_of(l, f) == LAYOUT_P2 || begins_item(w, f)))
			r->items[r->n_items++] = f;
}

int writer_resume(struct bundle_writer *w, struct err *e)
{
	auto_free uint64_t *items = xcalloc((size_t)w->layout.n_frames, sizeof(*items));
	auto_free uint64_t *at = xcalloc((size_t)w->layout.n_frames, sizeof(*at));
	struct resume r = { .w = w, .items = items, .at = at };
	int done = 0;

	find_items(&r);
	if (r.n_items) {
		progress_begin("checking what an earlier run left", bundle_writer_content(w));
		done = pool_each(w->in->jobs, r.n_items, read_item, &r, e);
		progress_end();
	}
	if (done < 0)
		return -1;
	for (uint64_t f = 0; w->ordered && f < w->layout.p2_frame; f++)
		if (w->layout.frames[f].n && w->lines[f].bytes && w->blobs[w->layout.frames[f].first].at == 0)
			forget(w, f);   /* a later frame of a blob whose first is gone */
	cut_order(w);
	for (size_t i = 0; i < w->in->n_blobs; i++)
		w->resumed += w->blobs[i].spread ? spread_done(w, i) : w->blobs[i].at;
	return 0;
}
