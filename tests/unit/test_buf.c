/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/buf.h>

#include <unistd.h>

TEST(an_empty_buffer_is_the_empty_text)
{
	struct buf b = BUF_INIT(10);
	auto_free char *s = buf_take(&b);

	assert_string_equal(buf_str(&b), "");
	assert_string_equal(s, "");
	buf_release(&b);
}

TEST(text_is_nul_ended_after_every_change)
{
	auto_buf struct buf b = BUF_INIT(1000);

	buf_puts(&b, "ab");
	buf_putc(&b, 'c');
	buf_putf(&b, "%d", 42);
	buf_put(&b, "", 0);
	assert_string_equal(buf_str(&b), "abc42");
	assert_int_equal(b.len, 5);
	buf_clear(&b);
	assert_string_equal(buf_str(&b), "");
	buf_puts(&b, "x");
	assert_string_equal(buf_str(&b), "x");
}

TEST(the_ceiling_is_exact_and_what_was_there_stays)
{
	for (size_t max = 0; max < 300; max++) {
		auto_buf struct buf b = BUF_INIT(max);
		struct err e = { 0 };

		for (size_t i = 0; i < max; i++)
			assert_ok(buf_add(&b, "x", 1, &e), e);
		assert_err(buf_add(&b, "y", 1, &e), e, ERR_LIMIT);
		assert_int_equal(b.len, max);
		assert_null(strchr(buf_str(&b), 'y'));
		assert_ok(buf_add(&b, NULL, 0, &e), e);
	}
}

TEST(a_size_that_wraps_round_is_refused)
{
	auto_buf struct buf b = BUF_INIT(SIZE_MAX / 2);
	struct err e = { 0 };

	buf_puts(&b, "abc");
	assert_err(buf_reserve(&b, SIZE_MAX - 1, &e), e, ERR_LIMIT);
	assert_string_equal(buf_str(&b), "abc");
}

TEST(reads_a_descriptor_to_its_end_or_to_the_ceiling)
{
	auto_buf struct buf b = BUF_INIT(100000), small = BUF_INIT(99999);
	struct err e = { 0 };
	char piece[1000];
	FILE *f = tmpfile();

	memset(piece, 'p', sizeof(piece));
	for (int i = 0; i < 100; i++)
		assert_int_equal(fwrite(piece, 1, sizeof(piece), f), sizeof(piece));
	fflush(f);
	lseek(fileno(f), 0, SEEK_SET);
	assert_ok(buf_read_fd(&b, fileno(f), &e), e);
	assert_int_equal(b.len, 100000);
	lseek(fileno(f), 0, SEEK_SET);
	assert_err(buf_read_fd(&small, fileno(f), &e), e, ERR_LIMIT);
	assert_err(buf_read_fd(&b, -1, &e), e, ERR_IO);
	fclose(f);
}

TEST(take_leaves_a_usable_buffer)
{
	auto_buf struct buf b = BUF_INIT(10);

	buf_puts(&b, "one");
	auto_free char *s = buf_take(&b);

	buf_puts(&b, "two");
	assert_string_equal(s, "one");
	assert_string_equal(buf_str(&b), "two");
	buf_wipe(&b);
	assert_string_equal(buf_str(&b), "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_is_the_empty_text),
		cmocka_unit_test(text_is_nul_ended_after_every_change),
		cmocka_unit_test(the_ceiling_is_exact_and_what_was_there_stays),
		cmocka_unit_test(a_size_that_wraps_round_is_refused),
		cmocka_unit_test(reads_a_descriptor_to_its_end_or_to_the_ceiling),
		cmocka_unit_test(take_leaves_a_usable_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
