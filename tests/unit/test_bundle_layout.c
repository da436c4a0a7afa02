/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/bundle_layout.h>
#include <airgap/oci.h>

#define MIB4 4194304u

static struct err e;

/* Digests that rise with i. */
static struct bundle_blob blob(unsigned i, uint64_t size, bool stored)
{
	struct bundle_blob b = { .size = size, .stored = stored };

	b.digest.b[0] = (uint8_t)(i >> 8);
	b.digest.b[1] = (uint8_t)i;
	return b;
}

TEST(empty_bundle_has_oci_layout_index_and_end)
{
	auto_layout struct layout l = { 0 };

	assert_ok(layout_make(&l, NULL, 0, 2, 10, &e), e);
	assert_int_equal(l.n_frames, 2);
	assert_int_equal(l.p2_frame, 0);
	assert_int_equal(l.p3_frame, 1);
	assert_int_equal(l.frames[0].n, 2);
	assert_int_equal(l.frames[0].decoded, 2048);
	assert_int_equal(l.frames[1].decoded, 1024);
	assert_int_equal(l.p1_end, l.head.bytes);
	assert_int_equal(l.small[0], LAYOUT_OCI);
	assert_int_equal(l.small[1], LAYOUT_INDEX);
}

TEST(size_and_encoding_choose_the_part)
{
	static const struct { uint64_t size; bool stored; enum layout_part part; uint64_t frames; } cases[] = {
		{ 0, true, LAYOUT_P2, 0 }, { 65536, true, LAYOUT_P2, 0 }, { 65536, false, LAYOUT_P2, 0 },
		{ 65537, true, LAYOUT_P1, 1 }, { 65537, false, LAYOUT_P3, 1 },
		{ MIB4 - 1, true, LAYOUT_P1, 1 }, { MIB4, true, LAYOUT_P1, 1 }, { MIB4 + 1, true, LAYOUT_P1, 2 },
		{ MIB4, false, LAYOUT_P3, 1 }, { MIB4 + 1, false, LAYOUT_P3, 2 }, { 3 * MIB4, false, LAYOUT_P3, 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bundle_blob b = blob(1, cases[i].size, cases[i].stored);
		auto_layout struct layout l = { 0 };

		assert_ok(layout_make(&l, &b, 1, 2, 10, &e), e);
		assert_int_equal(l.places[0].part, cases[i].part);
		assert_int_equal(l.n_frames, 2 + cases[i].frames);
	}
}

TEST(p1_offsets_are_sums)
{
	const struct bundle_blob blobs[] = { blob(1, 100000, true), blob(2, 5, true), blob(3, MIB4 + 7, true) };
	auto_layout struct layout l = { 0 };
	uint64_t at;

	assert_ok(layout_make(&l, blobs, ARRAY_LEN(blobs), 100, 100, &e), e);
	at = l.head.bytes;
	assert_int_equal(l.frames[0].at, at);
	at += stored_size(512 + 100000 + 352);
	assert_int_equal(l.frames[1].at, at);
	at += stored_size(512 + MIB4);
	assert_int_equal(l.frames[2].at, at);
	at += stored_size(512);         /* 7 bytes and their padding */
	assert_int_equal(l.p1_end, at);
	assert_int_equal(l.p2_frame, 3);
	assert_int_equal(l.frames[2].n, 1);
	assert_int_equal(l.places[2].frame, 1);
	assert_int_equal(l.places[2].at, 512);
}

TEST(pax_header_from_8_gib)
{
	const struct bundle_blob blobs[] = { blob(1, (UINT64_C(1) << 33) - 1, true), blob(2, UINT64_C(1) << 33, true) };
	auto_layout struct layout l = { 0 };

	assert_ok(layout_make(&l, blobs, 2, 100, 100, &e), e);
	assert_int_equal(l.places[0].at, 512);
	assert_int_equal(l.frames[0].decoded, MIB4 + 512);
	assert_int_equal(l.frames[2047].decoded, MIB4);
	assert_int_equal(l.places[1].frame, 2048);
	assert_int_equal(l.places[1].at, 1536);
	assert_int_equal(l.frames[2048].decoded, MIB4 + 1536);
	assert_int_equal(l.frames[2048].at, l.head.bytes + stored_size(MIB4 + 512) + 2047 * stored_size(MIB4));
	assert_int_equal(l.n_frames, 2 * 2048 + 2);
}

TEST(a_p2_frame_is_closed_before_it_passes_4_mib)
{
	/* oci-layout and index.json take 1,024 bytes each, an entry of 65,024 bytes 65,536: 63 fit behind them. */
	struct bundle_blob blobs[100];
	auto_layout struct layout l = { 0 };

	for (unsigned i = 0; i < ARRAY_LEN(blobs); i++)
		blobs[i] = blob(i, 65024, false);
	assert_ok(layout_make(&l, blobs, ARRAY_LEN(blobs), 100, 100, &e), e);
	assert_int_equal(l.n_frames, 3);
	assert_int_equal(l.frames[0].n, 65);
	assert_int_equal(l.frames[0].decoded, 2048 + 63 * 65536);
	assert_int_equal(l.frames[1].n, 37);
	assert_int_equal(l.places[62].frame, 0);
	assert_int_equal(l.places[62].at, 2048 + 62 * 65536 + 512);
	assert_int_equal(l.places[63].frame, 1);
	assert_int_equal(l.places[63].at, 512);
}

TEST(a_p2_frame_may_hold_exactly_4_mib)
{
	/* 64 entries of 65,536 bytes fill one but for what oci-layout and index.json take: make that one entry too. */
	struct bundle_blob blobs[63];
	auto_layout struct layout l = { 0 };

	for (unsigned i = 0; i < ARRAY_LEN(blobs); i++)
		blobs[i] = blob(i, 65024, false);
	assert_ok(layout_make(&l, blobs, ARRAY_LEN(blobs), 100, 65536 - 1024 - 512, &e), e);
	assert_int_equal(l.n_frames, 2);
	assert_int_equal(l.frames[0].decoded, MIB4);
}

TEST(an_index_that_fills_the_frame_stands_alone)
{
	const struct bundle_blob b = blob(1, 10, false);
	auto_layout struct layout l = { 0 };

	assert_ok(layout_make(&l, &b, 1, 100, MIB4 - 1024, &e), e);
	assert_int_equal(l.n_frames, 4);
	assert_int_equal(l.frames[0].n, 1);
	assert_int_equal(l.frames[1].n, 1);
	assert_int_equal(l.frames[1].decoded, MIB4 - 512);
	assert_int_equal(l.places[0].frame, 2);
}

TEST(order_is_p1_p2_p3_external)
{
	struct bundle_blob blobs[] = {
		blob(1, 10, false), blob(2, 70000, false), blob(3, 70000, true), blob(4, 10, false), blob(5, 99999, true),
	};
	static const size_t want[] = { 4, 0, 3, 1, 2 };
	auto_layout struct layout l = { 0 };

	blobs[2].external = true;
	assert_ok(layout_make(&l, blobs, ARRAY_LEN(blobs), 100, 100, &e), e);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(l.order[i], want[i]);
	assert_int_equal(layout_part_of(&l, 0), LAYOUT_P1);
	assert_int_equal(layout_part_of(&l, 1), LAYOUT_P2);
	assert_int_equal(layout_part_of(&l, 2), LAYOUT_P3);
}

TEST(the_blob_table_names_places_in_the_file)
{
	struct bundle_blob blobs[] = { blob(1, 10, true), blob(2, 70000, true), blob(3, 70000, true), blob(4, 80000, false) };
	uint8_t table[4 * BLOB_RECORD];
	auto_layout struct layout l = { 0 };
	struct blob_record r;

	blobs[2].external = true;
	assert_ok(layout_make(&l, blobs, ARRAY_LEN(blobs), 100, 100, &e), e);
	layout_blob_table(&l, table);

	blob_record_get(table, &r);
	assert_int_equal(r.frame, l.head.first[HEAD_PARTS] + 1);
	assert_int_equal(r.at, 512 + 512 + 512 + 512 + 512);
	assert_int_equal(r.encoding, BLOB_ZSTD);        /* P2, whatever the input says */
	blob_record_get(table + BLOB_RECORD, &r);
	assert_int_equal(r.frame, l.head.first[HEAD_PARTS]);
	assert_int_equal(r.encoding, BLOB_STORED);
	assert_int_equal(r.flags, 0);
	blob_record_get(table + 2 * BLOB_RECORD, &r);
	assert_int_equal(r.flags, BLOB_EXTERNAL);
	assert_int_equal(r.frame, 0);
	assert_int_equal(r.at, 0);
	blob_record_get(table + 3 * BLOB_RECORD, &r);
	assert_int_equal(r.frame, l.head.first[HEAD_PARTS] + 2);
	assert_int_equal(r.encoding, BLOB_ZSTD);
}

TEST(refuses_what_no_bundle_takes)
{
	const struct bundle_blob twice[] = { blob(1, 10, false), blob(1, 10, false) };
	const struct bundle_blob wrong[] = { blob(2, 10, false), blob(1, 10, false) };
	const struct bundle_blob huge = blob(1, UINT64_C(1) << 42, true), most = blob(1, UINT64_MAX, true);
	auto_layout struct layout l = { 0 };

	assert_err(layout_make(&l, twice, 2, 100, 100, &e), e, ERR_MALFORMED);
	assert_err(layout_make(&l, wrong, 2, 100, 100, &e), e, ERR_MALFORMED);
	assert_err(layout_make(&l, &huge, 1, 100, 100, &e), e, ERR_LIMIT);
	assert_err(layout_make(&l, &most, 1, 100, 100, &e), e, ERR_LIMIT);
	assert_err(layout_make(&l, NULL, 0, HEAD_JSON_MAX + 1, 100, &e), e, ERR_LIMIT);
	assert_err(layout_make(&l, NULL, 0, 100, MIB4, &e), e, ERR_LIMIT);
	assert_null(l.frames);
}

TEST(sizes_bound_the_file)
{
	const struct bundle_blob blobs[] = { blob(1, 10, true), blob(2, 70000, true), blob(3, 80000, false) };
	auto_layout struct layout l = { 0 };

	assert_ok(layout_make(&l, blobs, ARRAY_LEN(blobs), 100, 100, &e), e);
	assert_true(layout_size_known(&l) > l.p1_end + END_FRAME);
	assert_true(layout_size_most(&l) > layout_size_known(&l) + 80000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_bundle_has_oci_layout_index_and_end),
		cmocka_unit_test(size_and_encoding_choose_the_part),
		cmocka_unit_test(p1_offsets_are_sums),
		cmocka_unit_test(pax_header_from_8_gib),
		cmocka_unit_test(a_p2_frame_is_closed_before_it_passes_4_mib),
		cmocka_unit_test(a_p2_frame_may_hold_exactly_4_mib),
		cmocka_unit_test(an_index_that_fills_the_frame_stands_alone),
		cmocka_unit_test(order_is_p1_p2_p3_external),
		cmocka_unit_test(the_blob_table_names_places_in_the_file),
		cmocka_unit_test(refuses_what_no_bundle_takes),
		cmocka_unit_test(sizes_bound_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
