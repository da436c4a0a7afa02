/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

TEST(set_replaces_what_was_there)
{
	struct err e = { 0 };

	assert_int_equal(err_set(&e, ERR_DIGEST, "blob %d", 7), -1);
	assert_int_equal(err_set(&e, ERR_LIMIT, "more"), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(e.sys, 0);
	assert_string_equal(e.msg, "more");
}

TEST(sys_appends_the_reason_and_tells_full_disks)
{
	static const struct { int sys; enum err_code code; } cases[] = {
		{ ENOENT, ERR_IO }, { EIO, ERR_IO }, { ENOSPC, ERR_SPACE }, { EDQUOT, ERR_SPACE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };

		errno = cases[i].sys;
		assert_int_equal(err_sys(&e, "cannot open '%s'", "f"), -1);
		assert_int_equal(e.code, cases[i].code);
		assert_int_equal(e.sys, cases[i].sys);
		assert_true(str_starts(e.msg, "cannot open 'f': "));
		assert_true(str_ends(e.msg, strerror(cases[i].sys)));
	}
}

TEST(wrap_puts_the_subject_in_front_and_keeps_the_code)
{
	struct err e = { 0 };

	err_set(&e, ERR_DIGEST, "digest mismatch");
	assert_int_equal(err_wrap(&e, "image '%s'", "web"), -1);
	assert_int_equal(e.code, ERR_DIGEST);
	assert_string_equal(e.msg, "image 'web': digest mismatch");
}

TEST(messages_of_any_length_stay_inside_and_keep_both_ends_readable)
{
	struct err e = { 0 };
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_IO, "%s", text);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	assert_true(str_ends(e.msg, "..."));
	for (size_t n = 0; n < sizeof(text); n += 37) {
		err_set(&e, ERR_IO, "cause");
		err_wrap(&e, "%.*s", (int)n, text);
		assert_true(str_ends(e.msg, ": cause"));
		assert_true(strlen(e.msg) < sizeof(e.msg));
		err_wrap(&e, "%s", text);
		assert_true(strlen(e.msg) < sizeof(e.msg));
	}
	errno = EIO;
	err_sys(&e, "%s", text);
	assert_true(strlen(e.msg) < sizeof(e.msg));
}

TEST(every_code_has_a_name)
{
	static const enum err_code codes[] = { 0, 2, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
					       30, 31, 32, 40, 41, 42, 43, 44, 45, 46, 47, 70 };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		assert_string_not_equal(err_code_name(codes[i]), "unknown");
	assert_string_equal(err_code_name((enum err_code)3), "unknown");
	assert_string_equal(err_code_name((enum err_code)1000), "unknown");
}

TEST(clear_empties)
{
	struct err e = { ERR_IO, 3, "x" };

	err_clear(&e);
	assert_int_equal(e.code, ERR_NONE);
	assert_int_equal(e.sys, 0);
	assert_string_equal(e.msg, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_replaces_what_was_there),
		cmocka_unit_test(sys_appends_the_reason_and_tells_full_disks),
		cmocka_unit_test(wrap_puts_the_subject_in_front_and_keeps_the_code),
		cmocka_unit_test(messages_of_any_length_stay_inside_and_keep_both_ends_readable),
		cmocka_unit_test(every_code_has_a_name),
		cmocka_unit_test(clear_empties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
