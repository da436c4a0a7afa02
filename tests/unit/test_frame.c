/* SPDX-License-Identifier: Apache-2.0 */
#include "made.h"

static uint8_t *noise, *frame, *back;

static size_t encode(int level, const void *p, size_t n)
{
	auto_frame_encoder struct frame_encoder *enc = frame_encoder_new(level);
	struct err e;
	size_t len;

	assert_ok(frame_encode(enc, p, n, frame, frame_bound(FRAME_DECODED_MAX), &len, &e), e);
	return len;
}

TEST(gives_back_what_it_took_at_every_level)
{
	static const size_t sizes[] = { 0, 1, 512, 65536, 131072, 131073, FRAME_BLOB_BYTES, FRAME_DECODED_MAX };
	struct err e;

	for (int level = 1; level <= FRAME_LEVEL_MAX; level += 3) {
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			size_t n = encode(level, noise, sizes[i]);

			assert_true(n <= frame_bound(sizes[i]) && n <= FRAME_BYTES_MAX);
			assert_ok(frame_decode(frame, n, back, sizes[i], &e), e);
			assert_memory_equal(back, noise, sizes[i]);
		}
	}
}

TEST(the_same_bytes_give_the_same_frame)
{
	auto_frame_encoder struct frame_encoder *enc = frame_encoder_new(FRAME_LEVEL);
	size_t first = encode(FRAME_LEVEL, noise, 1 << 20), len = 0;
	auto_free uint8_t *again = xmalloc(frame_bound(FRAME_DECODED_MAX));
	struct err e;

	/* an encoder that has worked before */
	assert_ok(frame_encode(enc, noise + 5, 3 << 20, again, frame_bound(3 << 20), &len, &e), e);
	assert_ok(frame_encode(enc, noise, 1 << 20, again, frame_bound(1 << 20), &len, &e), e);
	assert_int_equal(len, first);
	assert_memory_equal(again, frame, len);
}

TEST(declares_its_size_and_has_no_checksum)
{
	encode(FRAME_LEVEL, noise, 100000);
	assert_int_equal(le32_get(frame), 0xfd2fb528u);
	assert_int_equal(frame[4] & 0x0f, 0);           /* no checksum, no dictionary */
	assert_true(frame[4] & 0x20 || frame[4] >> 6);  /* content size is there */
}

TEST(refuses_other_sizes_and_trailing_bytes)
{
	size_t n = encode(FRAME_LEVEL, noise, 70000);
	struct err e;

	assert_err(frame_decode(frame, n, back, 69999, &e), e, ERR_MALFORMED);
	assert_err(frame_decode(frame, n, back, 70001, &e), e, ERR_MALFORMED);
	assert_err(frame_decode(frame, n + 1, back, 70000, &e), e, ERR_MALFORMED);
	assert_err(frame_decode(frame, n, back, FRAME_DECODED_MAX + 1, &e), e, ERR_LIMIT);
	for (size_t cut = 0; cut < n; cut += cut < 64 ? 1 : 997)
		assert_err(frame_decode(frame, cut, back, 70000, &e), e, ERR_MALFORMED);
}

/* Frames of other writers: what our rules exclude. */
static const struct { const char *name; uint8_t bytes[32]; size_t n, decoded; enum err_code code; } foreign[] = {
	{ "skippable", { 0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4 }, 12, 4, ERR_MALFORMED },
	{ "no content size", { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x09, 0, 0, 'a' }, 10, 1, ERR_MALFORMED },
	{ "checksum", { 0x28, 0xb5, 0x2f, 0xfd, 0x24, 0x01, 0x09, 0, 0, 'a', 1, 2, 3, 4 }, 14, 1, ERR_MALFORMED },
	{ "dictionary", { 0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x07, 0x01, 0x09, 0, 0, 'a' }, 11, 1, ERR_MALFORMED },
	{ "window 16 MiB", { 0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x70, 1, 0, 0, 0, 0x09, 0, 0, 'a' }, 14, 1, ERR_LIMIT },
	{ "another magic", { 0x27, 0xb5, 0x2f, 0xfd, 0x20, 0x01, 0x09, 0, 0, 'a' }, 10, 1, ERR_MALFORMED },
	{ "two frames", { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x01, 0x09, 0, 0, 'a', 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x01, 0x09, 0, 0, 'b' },
	  20, 1, ERR_MALFORMED },
};

TEST(refuses_frames_that_are_not_of_the_format)
{
	static const uint8_t good[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x01, 0x09, 0, 0, 'a' };
	struct err e;

	assert_ok(frame_decode(good, sizeof(good), back, 1, &e), e);
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		if (frame_decode(foreign[i].bytes, foreign[i].n, back, foreign[i].decoded, &e) == 0 ||
		    e.code != foreign[i].code)
			fail_msg("%s: %d %s", foreign[i].name, e.code, e.msg);
}

static int setup(void **state)
{
	(void)state;
	noise = made_noise(FRAME_DECODED_MAX, 3);
	memset(noise + 100000, 'a', 1 << 20);   /* something to compress */
	frame = xmalloc(frame_bound(FRAME_DECODED_MAX));
	back = xmalloc(FRAME_DECODED_MAX);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(noise);
	free(frame);
	free(back);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_back_what_it_took_at_every_level),
		cmocka_unit_test(the_same_bytes_give_the_same_frame),
		cmocka_unit_test(declares_its_size_and_has_no_checksum),
		cmocka_unit_test(refuses_other_sizes_and_trailing_bytes),
		cmocka_unit_test(refuses_frames_that_are_not_of_the_format),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
