/*
 * bundle_layout - the place of every frame of a bundle, from sizes alone (format §1).
 *
 * Pure arithmetic: no byte of content is needed. The file offsets of the head and of P1 are known, and the
 * decoded size of every frame; the compressed sizes of P2 and P3 are not.
 *
 *	struct layout l = { 0 };                        // auto_layout
 *	if (layout_make(&l, blobs, n, json_len, index_len, e) < 0) ...
 *
 * Listed frames are numbered from 0 here; in the file, l.head.first[HEAD_PARTS] frames stand before them.
 * 100,000 blobs: 8 MB.
 */
#pragma once

#include <airgap/head.h>

struct bundle_blob {
	struct digest digest;
	uint64_t size;
	bool stored;            /* encoding 0; counts for blobs over SMALL_BLOB_MAX only */
	bool external;          /* listed, but not in this bundle (format §5) */
};

enum layout_part { LAYOUT_P1, LAYOUT_P2, LAYOUT_P3, LAYOUT_EXTERNAL };

struct layout_place {
	uint64_t frame;         /* its first listed frame */
	uint32_t at;            /* of the content in that frame's decoded bytes */
	enum layout_part part;
};

struct layout_frame {
	uint64_t at;            /* P1: file offset */
	size_t first;           /* P1, P3: the blob. P2: its first entry in l.small */
	uint32_t n;             /* P1, P3: its number within the blob. P2: how many entries */
	uint32_t decoded;
};

/* Entries of P2 that are no blobs; everything below them in l.small is an index of a blob. */
#define LAYOUT_OCI   (SIZE_MAX - 1)     /* oci-layout */
#define LAYOUT_INDEX SIZE_MAX           /* index.json */

struct layout {
	const struct bundle_blob *blobs;        /* borrowed */
	size_t n_blobs;
	size_t index_len;
	struct head head;
	struct layout_place *places;            /* n_blobs */
	struct layout_frame *frames;            /* n_frames; the last one is the end */
	uint64_t n_frames, p2_frame, p3_frame;  /* P1 is [0, p2_frame), P2 [p2_frame, p3_frame), P3 the rest but the end */
	uint64_t p1_end;                        /* file offset: P2 begins here */
	size_t *small, n_small;                 /* P2's entries in order */
	size_t *order;                          /* n_blobs: P1, P2, P3, external, each by digest */
};

#define auto_layout CLEANUP(layout_release)
void layout_release(struct layout *l);

/* blobs are sorted by digest. -1: out of order, or over a ceiling of the format (ERR_MALFORMED, ERR_LIMIT). */
int layout_make(struct layout *out, const struct bundle_blob *blobs, size_t n, size_t json_len, size_t index_len,
		struct err *e) MUST_CHECK;

/* The part a listed frame belongs to; not for the end frame. */
enum layout_part layout_part_of(const struct layout *l, uint64_t frame);
/* Decoded bytes before the content in frame i of a large blob: its tar header in the first, else 0. */
size_t layout_before(uint64_t size, uint64_t i);
/* Blob bytes in frame i of a large blob. */
size_t layout_content(uint64_t size, uint64_t i);
/* Tar header of a blob; returns its length. */
size_t layout_header(const struct bundle_blob *b, uint8_t out[USTAR_HEADER_MAX]);
/* Name and content length of an entry of P2. */
uint64_t layout_entry_size(const struct layout *l, size_t entry);
/* Tar header, content and padding of a P2 entry. */
size_t layout_entry_bytes(uint64_t size);

/* File size: exact parts alone, and with the longest P2 and P3 that could be. */
uint64_t layout_size_known(const struct layout *l);
uint64_t layout_size_most(const struct layout *l);

/* Content of bundle.blobs: l->n_blobs * BLOB_RECORD bytes. */
void layout_blob_table(const struct layout *l, uint8_t *out);
