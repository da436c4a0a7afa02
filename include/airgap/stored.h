/*
 * stored - the bytes of the bundle that follow from sizes alone (format §1): stored
 * zstd frames and ustar headers, each in exactly one spelling.
 *
 * Pure arithmetic on caller's memory: no heap, no zstd. The writer makes bytes with it,
 * the verifier makes the same bytes again and compares.
 *
 * A stored frame of c content bytes: 9-byte header, then blocks of at most 131,072
 * bytes, each behind 3 bytes.
 */
#pragma once

#include <airgap/base.h>

#define STORED_HEADER    9u
#define STORED_BLOCK     131072u
#define FRAME_BLOB_BYTES 4194304u       /* blob bytes in one frame of a large blob */
#define FRAME_DECODED_MAX 4196352u      /* a decoded frame is never larger */
#define FRAME_STORED_MAX (STORED_HEADER + FRAME_DECODED_MAX + 3u * 33u)
#define SMALL_BLOB_MAX   65536u         /* blobs up to here share frames (P2) */
#define USTAR_BLOCK      512u
#define USTAR_SIZE_MAX   UINT64_C(8589934592)   /* from here a pax header comes first */
#define USTAR_HEADER_MAX 1536u          /* pax header block, its record, ustar header */
#define ARCHIVE_END      1024u          /* two zero blocks; their stored frame is 1,036 bytes */

/* Bytes of the stored frame with `content` bytes (content <= FRAME_DECODED_MAX). */
size_t stored_size(size_t content);
/* Where content byte `at` stands in that frame (behind its block header). */
size_t stored_at(size_t at);
/* Writes frame header and all block headers into frame[stored_size(content)], leaving the
 * content bytes between them alone. */
void stored_frame_headers(uint8_t *frame, size_t content);
/* Copies n content bytes to position `at` of the frame, around the block headers. */
void stored_put(uint8_t *frame, size_t at, const void *p, size_t n);
/* The content as contiguous pieces: the longest run from content byte `at`; returns its length
 * (0 at the end) and sets *p into the frame. */
size_t stored_run(const uint8_t *frame, size_t content, size_t at, const uint8_t **p);
/* True when all headers of the frame are in the one spelling for `content` bytes. */
bool stored_check(const uint8_t *frame, size_t frame_size, size_t content);

/* 512, or 1,536 with pax. */
size_t ustar_header_size(uint64_t size);
/* Writes the header(s) of a regular file; name at most 100 bytes. Returns their length. */
size_t ustar_header(uint8_t out[USTAR_HEADER_MAX], const char *name, uint64_t size);
/* Zero bytes after `size` content bytes, up to the next block. */
size_t ustar_padding(uint64_t size);
