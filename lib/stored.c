/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/stored.h>

#include <assert.h>
#include <stdio.h>

#define BLOCK_HEADER 3u

static size_t blocks_of(size_t content)
{
	return content ? (content + STORED_BLOCK - 1) / STORED_BLOCK : 1;
}

/* Magic, then a descriptor (RFC 8878 §3.1.1): 4-byte content size, single segment, no checksum. */
static void put_frame_header(uint8_t out[STORED_HEADER], size_t content)
{
	le32_put(out, 0xfd2fb528u);
	out[4] = 0xa0;
	le32_put(out + 5, (uint32_t)content);
}

/* Bit 0: the last block; bits 1-2: type raw (0); from bit 3: its size. */
static void put_block_header(uint8_t out[BLOCK_HEADER], size_t size, bool last)
{
	size_t v = size << 3 | last;

	le16_put(out, (uint16_t)v);
	out[2] = (uint8_t)(v >> 16);
}

static size_t block_size(size_t content, size_t block)
{
	return MIN(STORED_BLOCK, content - block * STORED_BLOCK);
}

/* Where block number `block` begins in the frame, its header first. */
static size_t block_at(size_t block)
{
	return STORED_HEADER + block * (BLOCK_HEADER + STORED_BLOCK);
}

size_t stored_size(size_t content)
{
	assert(content <= FRAME_DECODED_MAX);
	return STORED_HEADER + content + BLOCK_HEADER * blocks_of(content);
}

size_t stored_at(size_t at)
{
	return block_at(at / STORED_BLOCK) + BLOCK_HEADER + at % STORED_BLOCK;
}

void stored_frame_headers(uint8_t *frame, size_t content)
{
	size_t n = blocks_of(content);

	put_frame_header(frame, content);
	for (size_t i = 0; i < n; i++)
		put_block_header(frame + block_at(i), block_size(content, i), i + 1 == n);
}

void stored_put(uint8_t *frame, size_t at, const void *p, size_t n)
{
	const uint8_t *from = p;

	while (n) {
		size_t piece = MIN(n, STORED_BLOCK - at % STORED_BLOCK);

		memcpy(frame + stored_at(at), from, piece);
		from += piece;
		at += piece;
		n -= piece;
	}
}

size_t stored_run(const uint8_t *frame, size_t content, size_t at, const uint8_t **p)
{
	if (at >= content)
		return 0;
	*p = frame + stored_at(at);
	return MIN(content - at, STORED_BLOCK - at % STORED_BLOCK);
}

bool stored_check(const uint8_t *frame, size_t frame_size, size_t content)
{
	uint8_t want[STORED_HEADER];

	if (content > FRAME_DECODED_MAX || frame_size != stored_size(content))
		return false;
	put_frame_header(want, content);
	if (memcmp(frame, want, STORED_HEADER) != 0)
		return false;

	size_t n = blocks_of(content);

	for (size_t i = 0; i < n; i++) {
		put_block_header(want, block_size(content, i), i + 1 == n);
		if (memcmp(frame + block_at(i), want, BLOCK_HEADER) != 0)
			return false;
	}
	return true;
}

/* One header block (format §1). The checksum is of the block with blanks in its own place. */
static void put_ustar_block(uint8_t out[USTAR_BLOCK], const char *name, uint64_t size, char type)
{
	unsigned sum = 0;

	assert(strlen(name) <= 100 && size < USTAR_SIZE_MAX);
	memset(out, 0, USTAR_BLOCK);
	memcpy(out, name, strlen(name));
	memcpy(out + 100, "0000644", 7);
	memcpy(out + 108, "0000000", 7);
	memcpy(out + 116, "0000000", 7);
	snprintf((char *)out + 124, 12, "%011llo", (unsigned long long)size);
	memcpy(out + 136, "00000000000", 11);
	memset(out + 148, ' ', 8);
	out[156] = (uint8_t)type;
	memcpy(out + 257, "ustar\0" "00", 8);
	memcpy(out + 329, "0000000", 7);
	memcpy(out + 337, "0000000", 7);
	for (size_t i = 0; i < USTAR_BLOCK; i++)
		sum += out[i];
	snprintf((char *)out + 148, 8, "%06o", sum);
	out[155] = ' ';
}

/* "LEN size=N\n", where LEN counts itself; returns LEN. */
static size_t put_pax_record(char out[40], uint64_t size)
{
	size_t len = (size_t)snprintf(out, 40, " size=%llu\n", (unsigned long long)size);
	size_t total = len + 2;         /* 10 to 99: N has 10 digits at least, 20 at most */

	snprintf(out, 40, "%zu size=%llu\n", total, (unsigned long long)size);
	return total;
}

size_t ustar_header_size(uint64_t size)
{
	return size < USTAR_SIZE_MAX ? USTAR_BLOCK : USTAR_HEADER_MAX;
}

size_t ustar_header(uint8_t out[USTAR_HEADER_MAX], const char *name, uint64_t size)
{
	char record[40], pax_name[101];
	const char *slash = strrchr(name, '/');

	if (size < USTAR_SIZE_MAX) {
		put_ustar_block(out, name, size, '0');
		return USTAR_BLOCK;
	}

	size_t len = put_pax_record(record, size);

	assert(strlen(slash ? slash + 1 : name) <= 100 - strlen("PaxHeaders/"));
	snprintf(pax_name, sizeof(pax_name), "PaxHeaders/%s", slash ? slash + 1 : name);
	put_ustar_block(out, pax_name, len, 'x');
	memset(out + USTAR_BLOCK, 0, USTAR_BLOCK);
	memcpy(out + USTAR_BLOCK, record, len);
	put_ustar_block(out + 2 * USTAR_BLOCK, name, 0, '0');
	return USTAR_HEADER_MAX;
}

size_t ustar_padding(uint64_t size)
{
	return (size_t)(-size % USTAR_BLOCK);
}
