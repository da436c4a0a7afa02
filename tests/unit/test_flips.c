/* SPDX-License-Identifier: Apache-2.0 */
/* 10,000 single bits, drawn at random over a bundle of 64 MiB, each turned alone and refused with its region's code. */
#include "made.h"

#include <airgap/bundle_read.h>

#define FLIPS     10000u
#define BUNDLE    (64u << 20)
#define BLOB_SIZE (4u << 20)
#define NOW       INT64_C(1770000000)

static struct made made;
static struct made_keys keys;

static uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Stored blobs for the most part, a compressed one, small ones. */
static int set_up(void **state)
{
	made_keys_init(&keys, SIGN_ED25519);
	made_init(&made);
	made.listed.max = made.file.max = 2 * BUNDLE;
	for (uint32_t i = 0; i < BUNDLE / BLOB_SIZE; i++) {
		auto_free uint8_t *p = made_noise(BLOB_SIZE, i + 1);

		made_add(&made, p, BLOB_SIZE, i == 3 ? BLOB_ZSTD : BLOB_STORED, 0);
		made_add(&made, p, 1000 + i, BLOB_ZSTD, 0);
	}
	made_build(&made, keys.all, 1);
	return 0;
}

static int tear_down(void **state)
{
	made_release(&made);
	made_keys_release(&keys);
	return 0;
}

static struct bundle *open_made(struct err *e)
{
	static struct source_at src;
	struct bundle_options o = { .policy = &keys.policy, .now = NOW };

	src = made_source(&made);
	return bundle_open_at(&src, &o, e);
}

/* The listed frame that holds this byte. */
static uint64_t frame_of(const struct bundle *b, uint64_t byte)
{
	uint64_t f = bundle_verdict(b)->head.first[HEAD_PARTS], at;
	size_t bytes, decoded;

	for (;; f++) {
		bundle_frame_place(b, f, &at, &bytes, &decoded);
		if (byte < at + bytes)
			return f;
	}
}

/* The head and the seek table decide when the file is opened, a frame when it is read: nothing else looks at a byte. */
static enum err_code refused_with(struct bundle *whole, uint64_t byte, struct err *e)
{
	const struct verify *v = bundle_verdict(whole);

	if (byte < v->head.bytes || byte >= v->head.bytes + v->frames_bytes) {
		auto_bundle struct bundle *b = open_made(e);

		return b ? ERR_NONE : e->code;
	}

	struct bundle_frame frame;

	if (bundle_frame_load(whole, frame_of(whole, byte), &frame, e) == 0) {
		bundle_frame_release(&frame);
		return ERR_NONE;
	}
	return e->code;
}

static bool right(const struct verify *v, uint64_t byte, enum err_code code)
{
	if (byte >= v->head.bytes)
		return code == (byte < v->head.bytes + v->frames_bytes ? ERR_DIGEST : ERR_MALFORMED);
	if (byte >= RECORD_FRAME)
		return code == ERR_DIGEST || code == ERR_MALFORMED;
	return code == ERR_SIGNATURE || code == ERR_UNTRUSTED || code == ERR_UNSIGNED || code == ERR_MALFORMED ||
	       code == ERR_UNSUPPORTED;
}

TEST(refuses_ten_thousand_bits_of_64_mib)
{
	uint64_t seed = 20261124;
	struct err e = { 0 };
	auto_bundle struct bundle *whole = open_made(&e);

	assert_ok(whole ? 0 : -1, e);
	assert_true(made.file.len >= BUNDLE);
	for (unsigned i = 0; i < FLIPS; i += (unsigned)made_stride()) {
		/* One in eight in the head or the end, which are small: else hardly one would fall there. */
		uint64_t head = bundle_verdict(whole)->head.bytes;
		uint64_t byte = i % 8 ? draw(&seed) % made.file.len
				      : i % 16 ? draw(&seed) % head : made.file.len - 1 - draw(&seed) % 200;
		char bit = (char)(1 << draw(&seed) % 8);

		made.file.ptr[byte] ^= bit;

		enum err_code code = refused_with(whole, byte, &e);

		made.file.ptr[byte] ^= bit;
		if (!right(bundle_verdict(whole), byte, code))
			fail_msg("byte %llu: ended with %d: %s", (unsigned long long)byte, (int)code, e.msg);
	}
	assert_ok(bundle_check_all(whole, 2, NULL, &e), e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(refuses_ten_thousand_bits_of_64_mib, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
