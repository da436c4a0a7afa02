/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/head.h>

#include <assert.h>

const char *const head_names[HEAD_PARTS] = { "bundle.json", "bundle.blobs", "bundle.frames" };

/* ---- head layout ---- */

void head_layout(struct head *out, const uint64_t size[HEAD_PARTS])
{
	uint64_t at = FRAME0_BYTES, frame = 1;
	size_t bytes, decoded;

	for (size_t i = 0; i < HEAD_PARTS; i++) {
		assert(size[i] <= HEAD_TABLE_MAX);
		out->size[i] = size[i];
		out->first[i] = frame;
		frame += MAX(blob_frames(size[i]), 1u);
	}
	out->first[HEAD_PARTS] = frame;
	for (uint64_t f = 1; f < frame; f++) {
		head_frame_sizes(out, f, &bytes, &decoded);
		at += bytes;
	}
	out->bytes = at;
}

/* Which member a frame of the head belongs to. */
static size_t head_part_of(const struct head *h, uint64_t frame)
{
	size_t i = 0;

	assert(frame && frame < h->first[HEAD_PARTS]);
	while (frame >= h->first[i + 1])
		i++;
	return i;
}

void head_frame_sizes(const struct head *h, uint64_t frame, size_t *out_bytes, size_t *out_decoded)
{
	*out_decoded = FRAME0_DECODED;
	if (frame) {
		size_t i = head_part_of(h, frame);

		*out_decoded = blob_frame_decoded(h->size[i], frame - h->first[i]);
	}
	*out_bytes = stored_size(*out_decoded);
}

/* The part of a member's content that is in one of its frames: where in the frame's decoded bytes, and how much. */
static size_t head_content(uint64_t size, uint64_t i, size_t *out_at)
{
	*out_at = i ? 0 : ustar_header_size(size);
	return (size_t)MIN(size - i * FRAME_BLOB_BYTES, FRAME_BLOB_BYTES);
}

size_t head_frame(const struct head *h, const uint8_t *const content[HEAD_PARTS], uint64_t frame, uint8_t *out)
{
	static const uint8_t zero[USTAR_BLOCK];
	uint8_t header[USTAR_HEADER_MAX];
	size_t part = head_part_of(h, frame), bytes, decoded, at;
	uint64_t i = frame - h->first[part];
	size_t n = head_content(h->size[part], i, &at);

	head_frame_sizes(h, frame, &bytes, &decoded);
	stored_frame_headers(out, decoded);
	if (at) {
		ustar_header(header, head_names[part], h->size[part]);
		stored_put(out, 0, header, at);
	}
	stored_put(out, at, content[part] + i * FRAME_BLOB_BYTES, n);
	stored_put(out, at + n, zero, decoded - at - n);
	return bytes;
}

void head_take(const struct head *h, uint64_t frame, const uint8_t *bytes, uint8_t *const member[HEAD_PARTS])
{
	size_t part = head_part_of(h, frame), size, decoded, at;
	uint64_t i = frame - h->first[part];
	size_t n = head_content(h->size[part], i, &at), done = 0;

	head_frame_sizes(h, frame, &size, &decoded);
	while (done < n) {
		const uint8_t *p;
		size_t run = MIN(stored_run(bytes, decoded, at + done, &p), n - done);

		memcpy(member[part] + i * FRAME_BLOB_BYTES + done, p, run);
		done += run;
	}
}

void end_frame(uint8_t out[END_FRAME])
{
	memset(out, 0, END_FRAME);
	stored_frame_headers(out, ARCHIVE_END);
}

/* ---- records of the tables ---- */

void blob_record_put(uint8_t out[BLOB_RECORD], const struct blob_record *b)
{
	memcpy(out, b->digest.b, 32);
	le64_put(out + 32, b->size);
	le64_put(out + 40, b->frame);
	le32_put(out + 48, b->at);
	out[52] = b->encoding;
	out[53] = b->flags;
	le16_put(out + 54, 0);
}

void blob_record_get(const uint8_t p[BLOB_RECORD], struct blob_record *out)
{
	memcpy(out->digest.b, p, 32);
	out->size = le64_get(p + 32);
	out->frame = le64_get(p + 40);
	out->at = le32_get(p + 48);
	out->encoding = p[52];
	out->flags = p[53];
}

void frame_record_put(uint8_t out[FRAME_RECORD], const struct frame_record *f)
{
	le32_put(out, f->bytes);
	le32_put(out + 4, f->decoded);
	memcpy(out + 8, f->digest.b, 32);
}

void frame_record_get(const uint8_t p[FRAME_RECORD], struct frame_record *out)
{
	out->bytes = le32_get(p);
	out->decoded = le32_get(p + 4);
	memcpy(out->digest.b, p + 8, 32);
}

uint64_t blob_frames(uint64_t size)
{
	return size / FRAME_BLOB_BYTES + (size % FRAME_BLOB_BYTES != 0);
}

size_t blob_frame_decoded(uint64_t size, uint64_t i)
{
	uint64_t left = size - i * FRAME_BLOB_BYTES;
	size_t n = (size_t)MIN(left, FRAME_BLOB_BYTES);

	if (i == 0)
		n += ustar_header_size(size);
	if (left <= FRAME_BLOB_BYTES)
		n += ustar_padding(size);
	return n;
}

char *blob_path(const struct digest *d, char out[BLOB_PATH])
{
	memcpy(out, "blobs/sha256/", 13);
	digest_hex(d, out + 13);
	return out;
}

/* ---- seek table (zstd seekable format 0.1.0) ---- */

#define SEEK_MAGIC  0x184d2a5eu
#define SEEK_END    0x8f92eab1u
#define SEEK_ENTRY  8u
#define SEEK_FOOTER 9u

uint64_t seek_table_size(const struct head *h, uint64_t n_listed)
{
	return SEEK_ENTRY + (h->first[HEAD_PARTS] + n_listed) * SEEK_ENTRY + SEEK_FOOTER;
}

static void seek_entry(const struct head *h, const uint8_t *frames, uint64_t i, uint8_t out[SEEK_ENTRY])
{
	size_t bytes, decoded;

	if (i >= h->first[HEAD_PARTS]) {
		memcpy(out, frames + (i - h->first[HEAD_PARTS]) * FRAME_RECORD, SEEK_ENTRY);
		return;
	}
	head_frame_sizes(h, i, &bytes, &decoded);
	le32_put(out, (uint32_t)bytes);
	le32_put(out + 4, (uint32_t)decoded);
}

size_t seek_table_piece(const struct head *h, const uint8_t *frames, uint64_t n_listed, uint64_t at,
			uint8_t *out, size_t room)
{
	uint64_t n = h->first[HEAD_PARTS] + n_listed, item = at / SEEK_ENTRY;
	size_t len = 0;

	for (; item <= n && room - len >= SEEK_ENTRY; item++, len += SEEK_ENTRY) {
		if (item) {
			seek_entry(h, frames, item - 1, out + len);
			continue;
		}
		le32_put(out, SEEK_MAGIC);
		le32_put(out + 4, (uint32_t)(n * SEEK_ENTRY + SEEK_FOOTER));
	}
	if (item == n + 1 && room - len >= SEEK_FOOTER) {
		le32_put(out + len, (uint32_t)n);
		out[len + 4] = 0;
		le32_put(out + len + 5, SEEK_END);
		len += SEEK_FOOTER;
	}
	return len;
}
