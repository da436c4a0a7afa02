/*
 * frame - one zstd frame at a time, exactly as format §1 says: content size set, no checksum, no
 * dictionary, window at most 8 MiB. (Stored frames are stored.h's: they need no zstd.)
 *
 *	struct frame_encoder *enc = frame_encoder_new(3);       // one per thread
 *	if (frame_encode(enc, plain, n, out, frame_bound(n), &len, e) < 0) ...
 *
 * The same library, level and bytes give the same frame. Decoding is for frames whose hash was compared:
 * its caps are the second line of defence.
 */
#pragma once

#include <airgap/err.h>
#include <airgap/stored.h>

#define FRAME_LEVEL      3
#define FRAME_LEVEL_MAX  19
#define FRAME_WINDOW_MAX 8388608u

struct frame_encoder;
/* level 1..FRAME_LEVEL_MAX. */
struct frame_encoder *frame_encoder_new(int level);
void frame_encoder_free(struct frame_encoder *enc);
DEFINE_CLEANUP_PTR(cleanup_frame_encoder, struct frame_encoder, frame_encoder_free)
#define auto_frame_encoder CLEANUP(cleanup_frame_encoder)

/* Room that always suffices for n content bytes. */
size_t frame_bound(size_t n);
/* n <= FRAME_DECODED_MAX. -1: the room does not suffice (ERR_LIMIT), or a bug. */
int frame_encode(struct frame_encoder *enc, const void *p, size_t n, uint8_t *out, size_t room, size_t *out_len,
		 struct err *e) MUST_CHECK;

/* One whole frame of n bytes that holds exactly `decoded` content bytes (<= FRAME_DECODED_MAX), written to
 * out[decoded]. -1: other declared size, trailing bytes, skippable, checksum, dictionary or damaged
 * (ERR_MALFORMED), window over 8 MiB (ERR_LIMIT); out's bytes are then meaningless. */
int frame_decode(const uint8_t *frame, size_t n, uint8_t *out, size_t decoded, struct err *e) MUST_CHECK;
