/*
 * head - where frames lie and what the head and the end of a bundle hold (format §1, §3): pure functions of
 * sizes and content, used by the writer to make bytes and by the verifier to make them again and compare.
 */
#pragma once

#include <airgap/digest.h>
#include <airgap/stored.h>

/* ---- the head: three members behind frame 0 ---- */

enum head_part { HEAD_JSON, HEAD_BLOBS, HEAD_FRAMES, HEAD_PARTS };
extern const char *const head_names[HEAD_PARTS];        /* "bundle.json", ... */

#define HEAD_JSON_MAX  1048576u         /* bundle.json */
#define HEAD_TABLE_MAX 33554432u        /* bundle.blobs and bundle.frames: 599,000 blobs, 3.2 TiB */

#define FRAME0_BYTES   16396u           /* the signature frame before them (statement.h) */
#define FRAME0_DECODED 16384u

struct head {
	uint64_t size[HEAD_PARTS];
	uint64_t first[HEAD_PARTS + 1]; /* file-wide number of each member's first frame; [HEAD_PARTS] = the first listed frame */
	uint64_t bytes;                 /* file offset of the first listed frame */
};

/* Sizes must be within HEAD_JSON_MAX and HEAD_TABLE_MAX. */
void head_layout(struct head *out, const uint64_t size[HEAD_PARTS]);
/* Sizes of frame number `frame` (0 <= frame < first[HEAD_PARTS]). */
void head_frame_sizes(const struct head *h, uint64_t frame, size_t *out_bytes, size_t *out_decoded);
/* Writes frame number `frame` (not 0) from the members' content; out has FRAME_STORED_MAX bytes. Returns its length. */
size_t head_frame(const struct head *h, const uint8_t *const content[HEAD_PARTS], uint64_t frame, uint8_t *out);
/* The other way: copies the content in that frame's bytes to its place in the members. Looks at nothing else. */
void head_take(const struct head *h, uint64_t frame, const uint8_t *bytes, uint8_t *const member[HEAD_PARTS]);
/* The last listed frame: two zero blocks. */
#define END_FRAME 1036u
void end_frame(uint8_t out[END_FRAME]);

#define BLOB_RECORD    56u
#define FRAME_RECORD   40u
#define FRAME_BYTES_MAX 4212744u        /* a frame as it stands in the file is never longer */

enum blob_encoding { BLOB_STORED, BLOB_ZSTD };
enum { BLOB_EXTERNAL = 1 };             /* flag: not in this bundle; frame and at are 0 */

struct blob_record {
	struct digest digest;
	uint64_t size, frame;           /* frame: number over the whole file */
	uint32_t at;                    /* of the content in that frame's decoded bytes */
	uint8_t encoding, flags;
};
struct frame_record {
	uint32_t bytes, decoded;
	struct digest digest;
};

void blob_record_put(uint8_t out[BLOB_RECORD], const struct blob_record *b);
void blob_record_get(const uint8_t p[BLOB_RECORD], struct blob_record *out);
void frame_record_put(uint8_t out[FRAME_RECORD], const struct frame_record *f);
void frame_record_get(const uint8_t p[FRAME_RECORD], struct frame_record *out);
/* Frames of a blob of its own (size > SMALL_BLOB_MAX); decoded bytes of its i-th. */
uint64_t blob_frames(uint64_t size);
size_t blob_frame_decoded(uint64_t size, uint64_t i);
/* "blobs/sha256/<hex>" */
#define BLOB_PATH (13 + DIGEST_HEX)
char *blob_path(const struct digest *d, char out[BLOB_PATH]);

/* The seek table that ends the file. n_listed = records in frames (bundle.frames). */
uint64_t seek_table_size(const struct head *h, uint64_t n_listed);
/* Its bytes from `at` (a multiple of 8) on, as many whole items as fit room (>= 16). Returns their length, 0 at the end. */
size_t seek_table_piece(const struct head *h, const uint8_t *frames, uint64_t n_listed, uint64_t at,
			uint8_t *out, size_t room);
