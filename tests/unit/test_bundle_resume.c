/* SPDX-License-Identifier: Apache-2.0 */
#include "written.h"

#include <airgap/bundle_journal.h>

#include <fcntl.h>
#include <sys/stat.h>

/* A run that ends after so many bytes; true: it had enough for everything. */
static bool write_some(const struct set *s, const char *path, long budget, uint32_t seed, struct digest *id)
{
	auto_bundle_writer struct bundle_writer *w = NULL;

	assert_ok(bundle_writer_open(path, &s->in, &w, &e), e);

	struct run r = { .w = w, .set = s, .seed = seed, .budget = budget, .bad = SIZE_MAX };

	if (write_all(&r) < 0) {
		assert_string_equal(e.msg, "dead");
		return false;
	}
	assert_ok(bundle_writer_finish(w, NULL, id, &e), e);
	return true;
}

TEST(goes_on_after_any_stop)
{
	auto_set struct set s = { 0 };
	uint32_t seed = 4711;
	struct digest id, again;

	set_init(&s, edges, ARRAY_LEN(edges));
	write_bundle(&s, "whole", 0, NULL, &id);
	for (int round = 0; round < 8; round++) {
		s.in.jobs = 1 + round % 4;
		while (!write_some(&s, "b", (long)(next_random(&seed) % (20u << 20)), seed, &again))
			assert_false(there("b"));
		assert_same_files("whole", "b", 0);
		assert_int_equal(unlink("b"), 0);
	}
}

TEST(a_later_run_takes_nothing_twice)
{
	auto_set struct set s = { 0 };
	auto_bundle_writer struct bundle_writer *w = NULL;
	uint64_t at, end;
	struct digest id;

	set_init(&s, edges, ARRAY_LEN(edges));
	assert_ok(bundle_writer_open("b", &s.in, &w, &e), e);
	assert_int_equal(bundle_writer_resumed(w), 0);

	struct run r = { .w = w, .set = &s, .seed = 3, .budget = -1, .bad = SIZE_MAX };

	assert_ok(write_all(&r), e);
	bundle_writer_close(TAKE(w));
	assert_ok(bundle_writer_open("b", &s.in, &w, &e), e);
	assert_int_equal(bundle_writer_resumed(w), bundle_writer_content(w));
	for (size_t i = 0; i < s.n; i++)
		assert_int_equal(bundle_writer_gap(w, i, &at, &end, &e), 0);
	assert_ok(bundle_writer_finish(w, NULL, &id, &e), e);
	assert_right(&s, "b", &id);
}

/* One byte of the unfinished file or of its journal is another: the bundle comes out right all the same. */
TEST(damage_between_runs_does_no_harm)
{
	auto_set struct set s = { 0 };
	uint32_t seed = 99;
	struct digest id, again;

	set_init(&s, edges, ARRAY_LEN(edges));
	write_bundle(&s, "whole", 0, NULL, &id);
	for (int round = 0; round < 15; round++) {
		const char *victim = round % 3 ? "b.partial" : "b.partial.journal";
		bool done = write_some(&s, "b", (long)(next_random(&seed) % (30u << 20)), seed, &again);

		if (!done) {
			auto_fd int fd = open(victim, O_RDWR);
			struct stat st;
			uint8_t byte;

			assert_int_equal(fstat(fd, &st), 0);

			off_t at = (off_t)(next_random(&seed) % (uint32_t)st.st_size);

			assert_int_equal(pread(fd, &byte, 1, at), 1);
			byte ^= 1 << (round & 7);
			assert_int_equal(pwrite(fd, &byte, 1, at), 1);
			assert_true(write_some(&s, "b", -1, seed, &again));
		}
		assert_same_files("whole", "b", 0);
		unlink("b");
	}
}

/* The digest of the layout, out of the journal's first line. */
static struct digest layout_of(const char *journal)
{
	auto_buf struct buf text = BUF_INIT(1 << 20);
	struct digest d;

	load(journal, &text);
	assert_true(digest_parse_hex(text.ptr + strlen("airgap-journal 1 "), 64, &d));
	return d;
}

/* A journal that names frames of zeros, with right sums: content is hashed again, so nothing of it gets in. */
TEST(a_forged_journal_brings_nothing_in)
{
	static const uint64_t sizes[] = { 100, 200, 70000, 70000, MIB4 + 5, MIB4 + 5 };
	auto_set struct set s = { 0 };
	struct digest id, again;
	auto_layout struct layout l = { 0 };

	set_init(&s, sizes, ARRAY_LEN(sizes));
	write_bundle(&s, "whole", 0, NULL, &id);
	write_some(&s, "b", 0, 0, &again);
	assert_ok(layout_make(&l, s.blobs, s.n, s.in.json_len, s.in.index_json_len, &e), e);

	struct digest layout = layout_of("b.partial.journal");
	auto_free struct journal_line *lines = xcalloc(l.n_frames, sizeof(*lines));
	auto_fd int fd = open("b.partial", O_RDWR);

	for (uint64_t f = 0; f < l.p2_frame; f++) {
		size_t n = stored_size(l.frames[f].decoded);
		auto_free uint8_t *frame = xcalloc(n, 1);

		stored_frame_headers(frame, l.frames[f].decoded);
		if (l.frames[f].n == 0) {
			uint8_t header[USTAR_HEADER_MAX];

			stored_put(frame, 0, header, layout_header(&s.blobs[l.frames[f].first], header));
		}
		assert_ok(fs_write_at(fd, frame, n, l.frames[f].at, &e), e);
		lines[f] = (struct journal_line){ (uint32_t)n, digest_of(frame, n) };
	}

	struct journal j;

	assert_ok(journal_create(&j, "b.partial.journal", &layout, false, lines, l.n_frames, &e), e);
	journal_close(&j);
	assert_true(write_some(&s, "b", -1, 0, &again));
	assert_same_files("whole", "b", 0);
}

/* As on a file system without sparse files. */
TEST(in_order_writing_gives_the_same_bytes)
{
	auto_set struct set s = { 0 };
	uint32_t seed = 12;
	struct digest id, again;
	struct journal j;

	set_init(&s, edges, ARRAY_LEN(edges));
	write_bundle(&s, "whole", 0, NULL, &id);
	for (int round = 0; round < 4; round++) {
		s.in.jobs = 1 + (unsigned)round;
		write_some(&s, "b", 0, 0, &again);

		struct digest layout = layout_of("b.partial.journal");

		assert_ok(journal_create(&j, "b.partial.journal", &layout, true, NULL, 0, &e), e);
		journal_close(&j);
		while (!write_some(&s, "b", (long)(next_random(&seed) % (20u << 20)), seed, &again))
			;
		assert_same_files("whole", "b", 0);
		assert_int_equal(unlink("b"), 0);
	}
}

TEST(another_layout_starts_anew)
{
	auto_set struct set s = { 0 }, other = { 0 };
	struct digest id;

	set_init(&s, edges, ARRAY_LEN(edges));
	set_init(&other, edges, ARRAY_LEN(edges) - 1);
	write_bundle(&other, "whole", 0, NULL, &id);
	assert_false(write_some(&s, "b", 25 << 20, 5, &id));
	assert_true(write_some(&other, "b", -1, 5, &id));
	assert_same_files("whole", "b", 0);
}

TEST(a_second_run_is_locked_out)
{
	auto_set struct set s = { 0 };
	auto_bundle_writer struct bundle_writer *w = NULL, *second = NULL;

	set_init(&s, edges, 3);
	assert_ok(bundle_writer_open("b", &s.in, &w, &e), e);
	assert_err(bundle_writer_open("b", &s.in, &second, &e), e, ERR_LOCKED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, enter_dir, leave_dir)
	static const struct CMUnitTest tests[] = {
		T(goes_on_after_any_stop),
		T(a_later_run_takes_nothing_twice),
		T(damage_between_runs_does_no_harm),
		T(a_forged_journal_brings_nothing_in),
		T(in_order_writing_gives_the_same_bytes),
		T(another_layout_starts_anew),
		T(a_second_run_is_locked_out),
	};

	written_begin();

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(checker);
	return failed;
}
