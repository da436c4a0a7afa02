/* SPDX-License-Identifier: Apache-2.0 */
/* frame: what decodes keeps its caps; what was encoded comes back. First four bytes: the size that is expected. */
#include <airgap/frame.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t out[FRAME_DECODED_MAX], back[FRAME_DECODED_MAX];
	struct err e;

	if (n < 4)
		return 0;
	(void)!frame_decode(p + 4, n - 4, out, le32_get(p), &e);

	auto_frame_encoder struct frame_encoder *enc = frame_encoder_new(1);
	auto_free uint8_t *frame = xmalloc(frame_bound(n));
	size_t len;

	if (n > FRAME_DECODED_MAX)
		return 0;
	if (frame_encode(enc, p, n, frame, frame_bound(n), &len, &e) < 0 || frame_decode(frame, len, back, n, &e) < 0 ||
	    memcmp(back, p, n) != 0)
		abort();
	return 0;
}
