/* SPDX-License-Identifier: Apache-2.0 */
#define ZSTD_STATIC_LINKING_ONLY        /* ZSTD_getFrameHeader */
#include <airgap/frame.h>

#include <zstd.h>

struct frame_encoder {
	ZSTD_CCtx *ctx;
};

struct frame_encoder *frame_encoder_new(int level)
{
	struct frame_encoder *enc = xcalloc(1, sizeof(*enc));

	enc->ctx = ZSTD_createCCtx();
	if (!enc->ctx)
		abort();        /* out of memory, as in xmalloc */
	ZSTD_CCtx_setParameter(enc->ctx, ZSTD_c_compressionLevel, MIN(MAX(level, 1), FRAME_LEVEL_MAX));
	ZSTD_CCtx_setParameter(enc->ctx, ZSTD_c_contentSizeFlag, 1);
	ZSTD_CCtx_setParameter(enc->ctx, ZSTD_c_checksumFlag, 0);
	return enc;
}

void frame_encoder_free(struct frame_encoder *enc)
{
	if (!enc)
		return;
	ZSTD_freeCCtx(enc->ctx);
	free(enc);
}

size_t frame_bound(size_t n)
{
	return ZSTD_compressBound(n);
}

/* One shot, so the window never passes what FRAME_DECODED_MAX needs: 8 MiB. */
int frame_encode(struct frame_encoder *enc, const void *p, size_t n, uint8_t *out, size_t room, size_t *out_len,
		 struct err *e)
{
	if (n > FRAME_DECODED_MAX)
		return err_set(e, ERR_LIMIT, "a frame of %zu bytes: at most %u", n, FRAME_DECODED_MAX);

	size_t len = ZSTD_compress2(enc->ctx, out, room, p, n);

	if (ZSTD_isError(len))
		return err_set(e, ERR_LIMIT, "cannot compress: %s", ZSTD_getErrorName(len));
	*out_len = len;
	return 0;
}

static int check_header(const uint8_t *frame, size_t n, size_t decoded, struct err *e)
{
	ZSTD_frameHeader h;

	if (ZSTD_getFrameHeader(&h, frame, n) != 0 || h.frameType != ZSTD_frame)
		return err_set(e, ERR_MALFORMED, "not a zstd frame");
	if (h.windowSize > FRAME_WINDOW_MAX)
		return err_set(e, ERR_LIMIT, "zstd frame: window of %llu bytes, at most %u", h.windowSize, FRAME_WINDOW_MAX);
	if (h.frameContentSize != decoded)
		return err_set(e, ERR_MALFORMED, "zstd frame: declares another size than its record");
	if (h.dictID || h.checksumFlag)
		return err_set(e, ERR_MALFORMED, "zstd frame: dictionary or checksum");
	if (ZSTD_findFrameCompressedSize(frame, n) != n)
		return err_set(e, ERR_MALFORMED, "zstd frame: cut, or bytes behind it");
	return 0;
}

static void cleanup_dctx(ZSTD_DCtx **ctx)
{
	ZSTD_freeDCtx(*ctx);
}

int frame_decode(const uint8_t *frame, size_t n, uint8_t *out, size_t decoded, struct err *e)
{
	if (decoded > FRAME_DECODED_MAX)
		return err_set(e, ERR_LIMIT, "a frame of %zu bytes: at most %u", decoded, FRAME_DECODED_MAX);
	if (check_header(frame, n, decoded, e) < 0)
		return -1;

	CLEANUP(cleanup_dctx) ZSTD_DCtx *ctx = ZSTD_createDCtx();

	if (!ctx)
		abort();        /* out of memory, as in xmalloc */

	size_t len = ZSTD_decompressDCtx(ctx, out, decoded, frame, n);

	if (ZSTD_isError(len))
		return err_set(e, ERR_MALFORMED, "zstd frame: %s", ZSTD_getErrorName(len));
	if (len != decoded)
		return err_set(e, ERR_MALFORMED, "zstd frame: %zu bytes, not %zu", len, decoded);
	return 0;
}
