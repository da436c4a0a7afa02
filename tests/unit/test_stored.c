/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/digest.h>
#include <airgap/stored.h>

/* Hashes of what tests/format1.py, written from the format's text alone, makes of the same input. The first
 * header is also GNU tar's: tar --format=ustar --mode=0644 --owner=:0 --group=:0 --numeric-owner --mtime=@0. */
static const struct { size_t content, size; const char *sha256; } frames[] = {
	{ 0, 12, "aae1cbcc6b556fece00326a1dcfacab532967ed31b498b1e5754eb3c48b43d7a" },
	{ 1, 13, "5edb8df77ec032b22620bc72235f40db46d56385f5563dac1bd0f664d8bf523e" },
	{ 1024, 1036, "3e592fa95227524ef1a11f4fce9dcce96f614802b06276e10c4ec3a29fb95853" },
	{ 131071, 131083, "4e0289d9d7f5270a34d7e65fee3c63659bdad36297b5ccc9db2834d0845c0cec" },
	{ 131072, 131084, "c044ff25f20e50c026ba6d2784535062883e1f1ab285a0b015422adf80085ac9" },
	{ 131073, 131088, "77c9804989ba4c99c4406e67995b9d57ca06b2f06a2a2065ab4232bb0a3a2f24" },
	{ 262144, 262159, "99b7170e61bbf796b9e076f6856bda657a4f1deb2f0da32a4f8d6749ae250588" },
	{ FRAME_BLOB_BYTES, 4194409, "e7142fe3c0e600ed5f1081cbd9b40a4cb328b2536239123efaf34d851c78b46a" },
	{ FRAME_DECODED_MAX, FRAME_STORED_MAX, "aad9ff3f7d3f1b5a41cf400d5c0236bf33cc516260c628094b972c7621e83198" },
};

static const struct { uint64_t size; size_t header; const char *sha256; } headers[] = {
	{ 1000, 512, "5d136288e7bc4d06f9acae717b33a7c244db90ed49170215dde4cd1234faa8c6" },
	{ USTAR_SIZE_MAX - 1, 512, "afb1643555e9446f8f1dc617ff4d220fba14c1855402b145546ad1a4131acfee" },
	{ USTAR_SIZE_MAX, 1536, "a44238e07c38d7627fba239b516bacb8ddef2a7221ff0c8d7cf0f98bccac6410" },
	{ 10000000000, 1536, "66d9117bca0f9ae77dc8a80eaefea329d8f265dd3dd81bc7b839dd036a5d3ead" },
	{ INT64_MAX, 1536, "ba1f3d73816d78213b0b237ca2f2e6f246ea6ff23b67e432ec0ce0c8e364175f" },
};

static uint8_t content_byte(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static uint8_t *make_content(size_t n)
{
	uint8_t *p = xmalloc(n);

	for (size_t i = 0; i < n; i++)
		p[i] = content_byte(i);
	return p;
}

static uint8_t *make_frame(size_t content)
{
	auto_free uint8_t *bytes = make_content(content);
	uint8_t *frame = xmalloc(stored_size(content));

	stored_frame_headers(frame, content);
	/* in pieces of odd lengths, as a download brings them */
	for (size_t at = 0, n = 1; at < content; at += n, n = n * 3 + 1) {
		n = MIN(n, content - at);
		stored_put(frame, at, bytes + at, n);
	}
	return frame;
}

static void assert_sha256(const uint8_t *p, size_t n, const char *want)
{
	struct digest d = digest_of(p, n);
	char hex[DIGEST_HEX];

	assert_string_equal(digest_hex(&d, hex), want);
}

TEST(frames_are_those_of_the_independent_checker)
{
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		auto_free uint8_t *frame = make_frame(frames[i].content);

		assert_int_equal(stored_size(frames[i].content), frames[i].size);
		assert_sha256(frame, frames[i].size, frames[i].sha256);
		assert_true(stored_check(frame, frames[i].size, frames[i].content));
	}
}

TEST(runs_give_the_content_back)
{
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		auto_free uint8_t *frame = make_frame(frames[i].content);
		const uint8_t *p = NULL;
		size_t at = 0, n;

		while ((n = stored_run(frame, frames[i].content, at, &p)) > 0) {
			for (size_t j = 0; j < n; j++)
				if (p[j] != content_byte(at + j))
					fail_msg("byte %zu of %zu", at + j, frames[i].content);
			assert_ptr_equal(p, frame + stored_at(at));
			at += n;
		}
		assert_int_equal(at, frames[i].content);
	}
}

TEST(check_refuses_every_changed_header_bit_and_no_content_bit)
{
	size_t content = 2 * STORED_BLOCK + 5, size = stored_size(content);
	auto_free uint8_t *frame = make_frame(content);
	auto_free bool *is_content = xcalloc(size, sizeof(bool));

	for (size_t at = 0; at < content; at++)
		is_content[stored_at(at)] = true;
	for (size_t i = 0; i < size; i++) {
		frame[i] ^= (uint8_t)(1u << i % 8);
		if (stored_check(frame, size, content) != is_content[i])
			fail_msg("byte %zu", i);
		frame[i] ^= (uint8_t)(1u << i % 8);
	}
}

TEST(check_refuses_other_sizes)
{
	auto_free uint8_t *frame = make_frame(1000);

	assert_false(stored_check(frame, 1011, 1000));
	assert_false(stored_check(frame, 1012, 999));
	assert_false(stored_check(frame, 1012, 1001));
	assert_false(stored_check(frame, 1012, FRAME_DECODED_MAX + 1u));
	assert_false(stored_check(frame, 1012, SIZE_MAX));
}

TEST(tar_headers_are_those_of_the_independent_checker)
{
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		uint8_t out[USTAR_HEADER_MAX];

		assert_int_equal(ustar_header_size(headers[i].size), headers[i].header);
		assert_int_equal(ustar_header(out, "blobs/sha256/ab", headers[i].size), headers[i].header);
		assert_sha256(out, headers[i].header, headers[i].sha256);
	}
}

TEST(a_name_of_a_hundred_bytes_fits)
{
	uint8_t out[USTAR_HEADER_MAX];
	char name[101];

	memset(name, 'n', 100);
	name[100] = '\0';
	assert_int_equal(ustar_header(out, name, 1), USTAR_BLOCK);
	assert_memory_equal(out, name, 100);
	assert_memory_equal(out + 100, "0000644", 8);
}

TEST(padding_ends_on_a_block)
{
	static const struct { uint64_t size; size_t want; } cases[] = {
		{ 0, 0 }, { 1, 511 }, { 511, 1 }, { 512, 0 }, { 513, 511 }, { USTAR_SIZE_MAX, 0 }, { INT64_MAX, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(ustar_padding(cases[i].size), cases[i].want);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_those_of_the_independent_checker),
		cmocka_unit_test(runs_give_the_content_back),
		cmocka_unit_test(check_refuses_every_changed_header_bit_and_no_content_bit),
		cmocka_unit_test(check_refuses_other_sizes),
		cmocka_unit_test(tar_headers_are_those_of_the_independent_checker),
		cmocka_unit_test(a_name_of_a_hundred_bytes_fits),
		cmocka_unit_test(padding_ends_on_a_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
