/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large blobs whose frames have their places from the start: several workers fill them, in any order.
 *
 * The blob's hash goes through it in order. A part that begins a frame where the hash stands takes a copy of it along
 * and gives it back with the whole frame, so that bytes are hashed while they are in the cache; a frame that came ahead is
 * read back from the output once the hash gets there, by whoever got it there. A part that is given up loses the
 * frame it was in, and nothing else.
 */
#include "bundle_writer.h"

#include <airgap/fs.h>
#include <airgap/proc.h>

#define PIECE 65536u            /* hashed twice while it is in the cache */

/* What a part has in hand: its open frame. */
struct part_work {
	uint8_t *buffer;        /* as stored; NULL between frames */
	size_t hashed;          /* bytes of buffer that are in `frame` */
	struct hash frame, blob;
	bool hashing;           /* `blob` goes along, and the spread's `hashing` is ours */
};

void spread_make(struct bundle_writer *w, size_t blob)
{
	struct spread *s = xcalloc(1, sizeof(*s));

	s->n_frames = blob_frames(w->in->blobs[blob].size);
	s->frames = xcalloc((size_t)s->n_frames, 1);
	w->blobs[blob].spread = s;
}

void spread_free(struct bundle_writer *w, size_t blob)
{
	struct spread *s = TAKE(w->blobs[blob].spread);

	if (!s)
		return;
	hash_release(&s->hash);
	free(s->frames);
	free(s);
}

uint64_t spread_done(const struct bundle_writer *w, size_t blob)
{
	const struct spread *s = w->blobs[blob].spread;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < s->n_frames; i++)
		if (s->frames[i] == SPREAD_DONE)
			sum += layout_content(w->in->blobs[blob].size, i);
	return sum;
}

struct hash *spread_hash(struct spread *s)
{
	if (!s->hash.ctx)
		hash_begin(&s->hash);
	return &s->hash;
}

int spread_drop(struct bundle_writer *w, size_t blob, struct err *e)
{
	struct spread *s = w->blobs[blob].spread;
	uint64_t first = w->layout.places[blob].frame;
	int r = 0;

	pthread_mutex_lock(&w->lock);
	for (uint64_t i = 0; i < s->n_frames && r == 0; i++) {
		s->frames[i] = SPREAD_FREE;
		if (w->lines[first + i].bytes == 0)
			continue;
		memset(&w->lines[first + i], 0, sizeof(w->lines[0]));
		r = journal_drop(&w->journal, first + i, 1, e);
	}
	s->hashed = 0;
	hash_release(&s->hash);
	pthread_mutex_unlock(&w->lock);
	return r;
}

/* ---- the hash of the blob */

/* All of it is hashed: is it the right blob? */
static int judge(struct bundle_writer *w, size_t blob, struct err *e)
{
	struct blob_state *s = &w->blobs[blob];
	const struct digest *want = &w->in->blobs[blob].digest;
	struct digest have = hash_end(spread_hash(s->spread));
	char want_text[DIGEST_TEXT], have_text[DIGEST_TEXT];

	if (digest_eq(&have, want)) {
		pthread_mutex_lock(&w->lock);
		s->complete = true;
		pthread_mutex_unlock(&w->lock);
		return 0;
	}
	if (spread_drop(w, blob, e) < 0)
		return -1;
	return err_set(e, ERR_DIGEST, "wanted %s, got %s", digest_text(want, want_text), digest_text(&have, have_text));
}

/* A frame from the output into the hash. The buffer is the caller's. */
static int hash_back(struct bundle_writer *w, size_t blob, uint64_t i, uint8_t *buffer, struct err *e)
{
	uint64_t frame = w->layout.places[blob].frame + i, size = w->in->blobs[blob].size;
	const struct layout_frame *f = &w->layout.frames[frame];
	size_t at = layout_before(size, i), end = at + layout_content(size, i), n;
	const uint8_t *p;

	if (fs_read_exact(w->fd, buffer, w->lines[frame].bytes, f->at, e) < 0)
		return err_wrap(e, "'%s'", w->partial);
	for (; at < end && (n = stored_run(buffer, f->decoded, at, &p)) > 0; at += n)
		hash_add(spread_hash(w->blobs[blob].spread), p, MIN(n, end - at));
	return 0;
}

/* Called by whoever finished a frame: as far as there are frames, one worker at a time. The last byte brings the verdict. */
static int catch_up(struct bundle_writer *w, size_t blob, uint8_t *buffer, struct err *e)
{
	struct spread *s = w->blobs[blob].spread;
	uint64_t size = w->in->blobs[blob].size;
	bool end = false;
	int r = 0;

	pthread_mutex_lock(&w->lock);
	if (s->hashing || w->blobs[blob].complete) {
		pthread_mutex_unlock(&w->lock);
		return 0;
	}
	s->hashing = true;
	while (r == 0 && !w->stopped && !proc_interrupted && s->hashed < size &&
	       s->frames[s->hashed / FRAME_BLOB_BYTES] == SPREAD_DONE) {
		uint64_t i = s->hashed / FRAME_BLOB_BYTES;

		pthread_mutex_unlock(&w->lock);
		r = hash_back(w, blob, i, buffer, e);
		pthread_mutex_lock(&w->lock);
		if (r == 0)
			s->hashed += layout_content(size, i);
	}
	end = r == 0 && s->hashed == size;
	s->hashing = end;
	pthread_mutex_unlock(&w->lock);
	if (!end)
		return r;
	r = judge(w, blob, e);
	pthread_mutex_lock(&w->lock);
	s->hashing = false;
	pthread_mutex_unlock(&w->lock);
	return r;
}

/* ---- a part */

int bundle_part_take(struct bundle_writer *w, size_t blob, uint64_t from, uint64_t most, struct bundle_part *out,
		     struct err *e)
{
	struct spread *s = w->blobs[blob].spread;
	uint64_t size = w->in->blobs[blob].size, n = 0;
	uint64_t i = from / FRAME_BLOB_BYTES + (from % FRAME_BLOB_BYTES != 0);  /* what begins before it has gone by */
	uint64_t limit = MAX(most / FRAME_BLOB_BYTES, 1u);

	if (w->stopped)
		return writer_stopped(w, e);
	pthread_mutex_lock(&w->lock);
	i = MAX(i, s->hashed / FRAME_BLOB_BYTES);
	while (i < s->n_frames && s->frames[i] != SPREAD_FREE)
		i++;
	for (; i + n < s->n_frames && n < limit && s->frames[i + n] == SPREAD_FREE; n++)
		s->frames[i + n] = SPREAD_TAKEN;
	pthread_mutex_unlock(&w->lock);
	if (n == 0)
		return 0;
	*out = (struct bundle_part){
		.blob = blob, .at = i * FRAME_BLOB_BYTES, .end = MIN(size, (i + n) * FRAME_BLOB_BYTES),
		.work = xcalloc(1, sizeof(struct part_work)),
	};
	return 1;
}

static void open_frame(struct bundle_writer *w, struct bundle_part *p, uint64_t i)
{
	static const uint8_t zero[USTAR_BLOCK];
	const struct bundle_blob *b = &w->in->blobs[p->blob];
	const struct layout_frame *f = &w->layout.frames[w->layout.places[p->blob].frame + i];
	size_t before = layout_before(b->size, i), pad_at = before + layout_content(b->size, i);
	struct spread *s = w->blobs[p->blob].spread;
	struct part_work *work = p->work;
	uint8_t header[USTAR_HEADER_MAX];

	work->buffer = buffers_get(w->buffers);
	stored_frame_headers(work->buffer, f->decoded);
	if (before)
		layout_header(b, header);
	stored_put(work->buffer, 0, header, before);
	stored_put(work->buffer, pad_at, zero, f->decoded - pad_at);
	work->hashed = 0;
	hash_begin(&work->frame);
	pthread_mutex_lock(&w->lock);
	work->hashing = !s->hashing && s->hashed == p->at;
	s->hashing |= work->hashing;
	if (work->hashing)
		hash_copy(&work->blob, spread_hash(s));
	pthread_mutex_unlock(&w->lock);
}

/* Hashes what is new of the frame, up to content byte `to`: block headers are in place already. */
static void hash_frame(struct part_work *work, size_t to, size_t decoded)
{
	size_t end = to == decoded ? stored_size(decoded) : MIN(stored_at(to), stored_size(decoded));

	hash_add(&work->frame, work->buffer + work->hashed, end - work->hashed);
	work->hashed = end;
}

static int close_frame(struct bundle_writer *w, struct bundle_part *p, uint64_t i, struct err *e)
{
	struct spread *s = w->blobs[p->blob].spread;
	struct part_work *work = p->work;
	uint64_t frame = w->layout.places[p->blob].frame + i;
	const struct layout_frame *f = &w->layout.frames[frame];
	struct journal_line line;

	hash_frame(work, f->decoded, f->decoded);
	line = (struct journal_line){ (uint32_t)stored_size(f->decoded), hash_end(&work->frame) };
	if (writer_commit(w, frame, work->buffer, &line, f->at, e) < 0)
		return -1;
	pthread_mutex_lock(&w->lock);
	s->frames[i] = SPREAD_DONE;
	if (work->hashing) {
		hash_copy(spread_hash(s), &work->blob);
		s->hashed = p->at;
		s->hashing = work->hashing = false;
	}
	pthread_mutex_unlock(&w->lock);

	uint8_t *buffer = TAKE(work->buffer);
	int r = catch_up(w, p->blob, buffer, e);

	buffers_put(w->buffers, buffer);
	return r;
}

int bundle_part_add(struct bundle_writer *w, struct bundle_part *p, const void *bytes, size_t n, struct err *e)
{
	uint64_t size = w->in->blobs[p->blob].size;
	const uint8_t *from = bytes;

	if (n > p->end - p->at)
		return err_set(e, ERR_BUG, "more bytes than the part has");
	while (n) {
		uint64_t i = p->at / FRAME_BLOB_BYTES;
		size_t in = (size_t)(p->at % FRAME_BLOB_BYTES), content = layout_content(size, i);
		size_t take = MIN(MIN(n, content - in), PIECE), at = layout_before(size, i) + in;

		if (w->stopped)
			return writer_stopped(w, e);
		if (in == 0)
			open_frame(w, p, i);
		if (p->work->hashing)
			hash_add(&p->work->blob, from, take);
		stored_put(p->work->buffer, at, from, take);
		hash_frame(p->work, at + take, w->layout.frames[w->layout.places[p->blob].frame + i].decoded);
		p->at += take;
		from += take;
		n -= take;
		if (in + take == content && close_frame(w, p, i, e) < 0)
			return -1;
	}
	return 0;
}

void bundle_part_end(struct bundle_writer *w, struct bundle_part *p)
{
	struct part_work *work = TAKE(p->work);
	struct spread *s = work ? w->blobs[p->blob].spread : NULL;

	if (!work)
		return;
	pthread_mutex_lock(&w->lock);
	for (uint64_t i = p->at / FRAME_BLOB_BYTES; i * FRAME_BLOB_BYTES < p->end; i++)
		if (s->frames[i] == SPREAD_TAKEN)
			s->frames[i] = SPREAD_FREE;
	if (work->hashing)
		s->hashing = false;
	pthread_mutex_unlock(&w->lock);
	buffers_put(w->buffers, work->buffer);
	hash_release(&work->frame);
	hash_release(&work->blob);
	free(work);
}

bool bundle_writer_complete(struct bundle_writer *w, size_t blob)
{
	pthread_mutex_lock(&w->lock);

	bool complete = w->blobs[blob].complete;

	pthread_mutex_unlock(&w->lock);
	return complete;
}

/* ---- one worker, one part: all there is to the next frame that is there */

int spread_gap(struct bundle_writer *w, size_t blob, uint64_t *at, uint64_t *end, struct err *e)
{
	struct bundle_part *own = &w->blobs[blob].own;
	int r = own->work ? 1 : bundle_part_take(w, blob, 0, UINT64_MAX, own, e);

	if (r < 0)
		return -1;
	if (r == 0)
		return bundle_writer_complete(w, blob) ? 0 : err_set(e, ERR_BUG, "others are at work on this blob");
	*at = own->at;
	*end = own->end;
	return 1;
}

int spread_add(struct bundle_writer *w, size_t blob, uint64_t at, const void *p, size_t n, struct err *e)
{
	struct bundle_part *own = &w->blobs[blob].own;
	uint64_t size = w->in->blobs[blob].size;

	if (!own->work || at != own->at)
		return err_set(e, ERR_BUG, "byte %llu was given, %llu is next", (unsigned long long)at,
			       (unsigned long long)own->at);
	if (n > own->end - own->at && own->end == size) {
		bundle_part_end(w, own);
		if (spread_drop(w, blob, e) < 0)
			return -1;
		return err_set(e, ERR_DIGEST, "more than %llu bytes came", (unsigned long long)size);
	}

	int r = bundle_part_add(w, own, p, n, e);

	if (r < 0 || own->at == own->end)
		bundle_part_end(w, own);
	return r;
}
