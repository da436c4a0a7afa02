/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/bundle_layout.h>
#include <airgap/frame.h>
#include <airgap/oci.h>

#define P2_FRAME 4194304u       /* a frame of P2 is closed when the next entry would pass this */

void layout_release(struct layout *l)
{
	free(l->places);
	free(l->frames);
	free(l->small);
	free(l->order);
	memset(l, 0, sizeof(*l));
}

/* ---- large blobs, frame by frame */

size_t layout_before(uint64_t size, uint64_t i)
{
	return i == 0 ? ustar_header_size(size) : 0;
}

size_t layout_content(uint64_t size, uint64_t i)
{
	return (size_t)MIN(size - i * FRAME_BLOB_BYTES, FRAME_BLOB_BYTES);
}

size_t layout_header(const struct bundle_blob *b, uint8_t out[USTAR_HEADER_MAX])
{
	char path[BLOB_PATH];

	return ustar_header(out, blob_path(&b->digest, path), b->size);
}

/* ---- entries of P2 */

uint64_t layout_entry_size(const struct layout *l, size_t entry)
{
	if (entry == LAYOUT_OCI)
		return strlen(OCI_LAYOUT_TEXT);
	return entry == LAYOUT_INDEX ? l->index_len : l->blobs[entry].size;
}

size_t layout_entry_bytes(uint64_t size)
{
	return USTAR_BLOCK + (size_t)size + ustar_padding(size);
}

/* ---- counting: before anything is allocated, so that input is bounded first */

static enum layout_part part_of_blob(const struct bundle_blob *b)
{
	if (b->external)
		return LAYOUT_EXTERNAL;
	if (b->size <= SMALL_BLOB_MAX)
		return LAYOUT_P2;
	return b->stored ? LAYOUT_P1 : LAYOUT_P3;
}

static int check_input(const struct bundle_blob *blobs, size_t n, size_t json_len, size_t index_len, struct err *e)
{
	if (n > HEAD_TABLE_MAX / BLOB_RECORD)
		return err_set(e, ERR_LIMIT, "%zu blobs: a bundle takes at most %u", n, HEAD_TABLE_MAX / BLOB_RECORD);
	if (json_len > HEAD_JSON_MAX)
		return err_set(e, ERR_LIMIT, "bundle.json: over %u bytes", HEAD_JSON_MAX);
	if (index_len > P2_FRAME - 2 * USTAR_BLOCK)
		return err_set(e, ERR_LIMIT, "index.json: over %u bytes", P2_FRAME - 2 * USTAR_BLOCK);
	for (size_t i = 1; i < n; i++)
		if (digest_cmp(&blobs[i - 1].digest, &blobs[i].digest) >= 0)
			return err_set(e, ERR_MALFORMED, "blobs are not sorted by digest, or one is there twice");
	return 0;
}

/* Frames of P1 and P3 and the end, and one frame for every entry of P2: no layout has more. */
static int count_frames(const struct bundle_blob *blobs, size_t n, uint64_t *out, struct err *e)
{
	const uint64_t most = HEAD_TABLE_MAX / FRAME_RECORD;
	uint64_t large = 1, small = 2;

	for (size_t i = 0; i < n; i++) {
		enum layout_part part = part_of_blob(&blobs[i]);

		if (part == LAYOUT_P2)
			small++;
		else if (part != LAYOUT_EXTERNAL && !u64_add(&large, blob_frames(blobs[i].size)))
			large = UINT64_MAX;
		if (large > most)
			return err_set(e, ERR_LIMIT, "a bundle takes at most %llu frames of 4 MiB, 3.2 TiB",
				       (unsigned long long)most);
	}
	*out = large + small;
	return 0;
}

/* ---- placing */

static void add_large(struct layout *l, enum layout_part part, uint64_t *at)
{
	for (size_t i = 0; i < l->n_blobs; i++) {
		const struct bundle_blob *b = &l->blobs[i];

		if (part_of_blob(b) != part)
			continue;
		l->places[i] = (struct layout_place){ l->n_frames, (uint32_t)layout_before(b->size, 0), part };
		for (uint64_t k = 0; k < blob_frames(b->size); k++) {
			struct layout_frame *f = &l->frames[l->n_frames++];

			f->first = i;
			f->n = (uint32_t)k;
			f->decoded = (uint32_t)blob_frame_decoded(b->size, k);
			if (!at)
				continue;
			f->at = *at;
			*at += stored_size(f->decoded);
		}
	}
}

/* Puts one entry behind the others; *used is what the open frame holds. */
static void add_small(struct layout *l, size_t entry, size_t *used)
{
	size_t whole = layout_entry_bytes(layout_entry_size(l, entry));

	if (*used + whole > P2_FRAME) {
		l->frames[l->n_frames++] = (struct layout_frame){ .first = l->n_small };
		*used = 0;
	}

	struct layout_frame *f = &l->frames[l->n_frames - 1];

	if (entry < l->n_blobs)
		l->places[entry] = (struct layout_place){
			l->n_frames - 1, (uint32_t)(*used + USTAR_BLOCK), LAYOUT_P2,
		};
	l->small[l->n_small++] = entry;
	*used += whole;
	f->n++;
	f->decoded = (uint32_t)*used;
}

static void add_all_small(struct layout *l)
{
	size_t used = P2_FRAME;         /* no frame is open: the first entry opens one */

	add_small(l, LAYOUT_OCI, &used);
	add_small(l, LAYOUT_INDEX, &used);
	for (size_t i = 0; i < l->n_blobs; i++)
		if (part_of_blob(&l->blobs[i]) == LAYOUT_P2)
			add_small(l, i, &used);
}

static void make_order(struct layout *l)
{
	size_t n = 0;

	for (int part = LAYOUT_P1; part <= LAYOUT_EXTERNAL; part++)
		for (size_t i = 0; i < l->n_blobs; i++)
			if ((int)part_of_blob(&l->blobs[i]) == part)
				l->order[n++] = i;
}

/* The head's length needs the number of frames, so P1 moves behind it only now. */
static int place_head(struct layout *l, size_t json_len, uint64_t p1_bytes, struct err *e)
{
	uint64_t blobs = l->n_blobs * BLOB_RECORD, frames = l->n_frames * FRAME_RECORD;

	if (frames > HEAD_TABLE_MAX)
		return err_set(e, ERR_LIMIT, "%llu frames: a bundle takes at most %u",
			       (unsigned long long)l->n_frames, HEAD_TABLE_MAX / FRAME_RECORD);
	head_layout(&l->head, (uint64_t[HEAD_PARTS]){ json_len, blobs, frames });
	for (uint64_t f = 0; f < l->p2_frame; f++)
		l->frames[f].at += l->head.bytes;
	l->p1_end = l->head.bytes + p1_bytes;
	return 0;
}

int layout_make(struct layout *out, const struct bundle_blob *blobs, size_t n, size_t json_len, size_t index_len,
		struct err *e)
{
	auto_layout struct layout l = { .blobs = blobs, .n_blobs = n, .index_len = index_len };
	uint64_t most = 0, p1_bytes = 0;

	if (check_input(blobs, n, json_len, index_len, e) < 0 || count_frames(blobs, n, &most, e) < 0)
		return -1;
	l.places = xcalloc(MAX(n, 1u), sizeof(l.places[0]));
	l.order = xcalloc(MAX(n, 1u), sizeof(l.order[0]));
	l.small = xcalloc(n + 2, sizeof(l.small[0]));
	l.frames = xcalloc((size_t)most, sizeof(l.frames[0]));
	for (size_t i = 0; i < n; i++)
		l.places[i].part = LAYOUT_EXTERNAL;

	add_large(&l, LAYOUT_P1, &p1_bytes);
	l.p2_frame = l.n_frames;
	add_all_small(&l);
	l.p3_frame = l.n_frames;
	add_large(&l, LAYOUT_P3, NULL);
	l.frames[l.n_frames++] = (struct layout_frame){ .decoded = ARCHIVE_END };
	make_order(&l);
	if (place_head(&l, json_len, p1_bytes, e) < 0)
		return -1;
	*out = l;
	memset(&l, 0, sizeof(l));
	return 0;
}

/* ---- what follows from it */

enum layout_part layout_part_of(const struct layout *l, uint64_t frame)
{
	if (frame < l->p2_frame)
		return LAYOUT_P1;
	return frame < l->p3_frame ? LAYOUT_P2 : LAYOUT_P3;
}

uint64_t layout_size_known(const struct layout *l)
{
	return l->p1_end + END_FRAME + seek_table_size(&l->head, l->n_frames);
}

uint64_t layout_size_most(const struct layout *l)
{
	uint64_t size = layout_size_known(l);

	for (uint64_t f = l->p2_frame; f + 1 < l->n_frames; f++)
		size += frame_bound(l->frames[f].decoded);
	return size;
}

void layout_blob_table(const struct layout *l, uint8_t *out)
{
	for (size_t i = 0; i < l->n_blobs; i++, out += BLOB_RECORD) {
		const struct layout_place *p = &l->places[i];
		struct blob_record r = { .digest = l->blobs[i].digest, .size = l->blobs[i].size };

		if (p->part == LAYOUT_EXTERNAL) {
			r.encoding = l->blobs[i].stored && r.size > SMALL_BLOB_MAX ? BLOB_STORED : BLOB_ZSTD;
			r.flags = BLOB_EXTERNAL;
		} else {
			r.encoding = p->part == LAYOUT_P1 ? BLOB_STORED : BLOB_ZSTD;
			r.frame = l->head.first[HEAD_PARTS] + p->frame;
			r.at = p->at;
		}
		blob_record_put(out, &r);
	}
}
