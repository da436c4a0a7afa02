/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/fs.h>
#include <airgap/stream.h>

#include <fcntl.h>
#include <unistd.h>

TEST(hashes_and_counts_what_passes_on)
{
	auto_buf struct buf b = BUF_INIT(100);
	struct hash_sink s = { .to = { buf_sink_write, &b }, .limit = 6 };
	struct err e = { 0 };

	hash_begin(&s.hash);
	assert_ok(hash_sink_write(&s, "abc", 3, &e), e);
	assert_ok(hash_sink_write(&s, "def", 3, &e), e);

	struct digest have = hash_end(&s.hash), want = digest_of("abcdef", 6);

	assert_true(digest_eq(&have, &want));
	assert_int_equal(s.count, 6);
	assert_string_equal(buf_str(&b), "abcdef");
	hash_release(&s.hash);
}

TEST(stops_before_the_byte_over_the_limit)
{
	auto_buf struct buf b = BUF_INIT(100);
	struct hash_sink s = { .to = { buf_sink_write, &b }, .limit = 4 };
	struct err e = { 0 };

	hash_begin(&s.hash);
	assert_ok(hash_sink_write(&s, "abc", 3, &e), e);
	assert_err(hash_sink_write(&s, "de", 2, &e), e, ERR_LIMIT);
	assert_string_equal(buf_str(&b), "abc");
	assert_ok(hash_sink_write(&s, "d", 1, &e), e);
	assert_ok(hash_sink_write(&s, "", 0, &e), e);
	hash_release(&s.hash);
}

TEST(a_failing_sink_is_not_counted)
{
	auto_buf struct buf b = BUF_INIT(2);
	struct hash_sink s = { .to = { buf_sink_write, &b }, .limit = 100 };
	struct err e = { 0 };

	hash_begin(&s.hash);
	assert_err(hash_sink_write(&s, "abc", 3, &e), e, ERR_LIMIT);
	assert_int_equal(s.count, 0);
	hash_release(&s.hash);
}

TEST(hashes_without_a_sink)
{
	struct hash_sink s = { .limit = UINT64_MAX };
	struct err e = { 0 };

	hash_begin(&s.hash);
	assert_ok(hash_sink_write(&s, "abc", 3, &e), e);
	assert_int_equal(s.count, 3);
	hash_release(&s.hash);
}

TEST(memory_is_read_in_pieces_and_again_from_anywhere)
{
	struct mem_source m = { "abcdef", 6, 0 };
	struct source s = source_mem(&m);
	struct err e = { 0 };
	char piece[4];

	assert_int_equal(s.read(s.ctx, piece, 4, &e), 4);
	assert_memory_equal(piece, "abcd", 4);
	assert_int_equal(s.read(s.ctx, piece, 4, &e), 2);
	assert_int_equal(s.read(s.ctx, piece, 4, &e), 0);
	assert_ok(s.seek(s.ctx, 5, &e), e);
	assert_int_equal(s.read(s.ctx, piece, 4, &e), 1);
	assert_memory_equal(piece, "f", 1);
	assert_ok(s.seek(s.ctx, 6, &e), e);
	assert_err(s.seek(s.ctx, 7, &e), e, ERR_TRUNCATED);
}

TEST(a_descriptor_is_written_read_and_read_at)
{
	auto_fd int fd = fs_open("/tmp", O_TMPFILE | O_RDWR, 0600, &(struct err){ 0 });
	struct source s = source_fd(&fd);
	struct source_at at = source_at_fd(&fd, 6);
	struct err e = { 0 };
	char piece[8];

	assert_ok(fd_sink_write(&fd, "abcdef", 6, &e), e);
	assert_ok(s.seek(s.ctx, 2, &e), e);
	assert_int_equal(s.read(s.ctx, piece, 8, &e), 4);
	assert_memory_equal(piece, "cdef", 4);
	assert_int_equal(at.size, 6);
	assert_ok(at.read(at.ctx, piece, 2, 1, &e), e);
	assert_memory_equal(piece, "bc", 2);
	assert_err(at.read(at.ctx, piece, 4, 4, &e), e, ERR_TRUNCATED);
}

TEST(a_pipe_cannot_seek)
{
	int p[2];
	struct err e = { 0 };

	assert_int_equal(pipe(p), 0);

	struct source s = source_fd(&p[0]);

	assert_err(s.seek(s.ctx, 0, &e), e, ERR_IO);
	close(p[0]);
	close(p[1]);
	assert_int_equal(s.read(s.ctx, (char[1]){ 0 }, 1, &e), -1);
	assert_int_equal(e.code, ERR_IO);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_and_counts_what_passes_on),
		cmocka_unit_test(stops_before_the_byte_over_the_limit),
		cmocka_unit_test(a_failing_sink_is_not_counted),
		cmocka_unit_test(hashes_without_a_sink),
		cmocka_unit_test(memory_is_read_in_pieces_and_again_from_anywhere),
		cmocka_unit_test(a_descriptor_is_written_read_and_read_at),
		cmocka_unit_test(a_pipe_cannot_seek),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
