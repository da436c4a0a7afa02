/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/base.h>

TEST(take_gives_the_pointer_and_leaves_null)
{
	char *s = xstrdup("x"), *t = TAKE(s);

	assert_null(s);
	assert_string_equal(t, "x");
	free(t);
}

TEST(growth_keeps_items)
{
	auto_free int *items = NULL;

	for (size_t n = 0; n < 1000; n++) {
		GROW(items, n);
		items[n] = (int)n;
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(items[i], i);
}

TEST(strndup_stops_at_the_end_of_the_string)
{
	auto_free char *s = xstrndup("ab", 10), *t = xstrndup("abc", 2);

	assert_string_equal(s, "ab");
	assert_string_equal(t, "ab");
}

TEST(compares_strings)
{
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq("a", NULL));
	assert_false(str_eq(NULL, "a"));
	assert_true(str_eq("a", "a"));
	assert_true(str_starts("abc", "ab"));
	assert_false(str_starts("a", "ab"));
	assert_true(str_starts("a", ""));
	assert_true(str_ends("abc", "bc"));
	assert_false(str_ends("c", "bc"));
	assert_true(str_ends("c", ""));
}

TEST(little_endian_fields_come_back_from_any_address)
{
	uint8_t b[9] = { 0 };

	le64_put(b + 1, 0x0123456789abcdefu);
	assert_int_equal(b[1], 0xef);
	assert_int_equal(b[8], 0x01);
	assert_true(le64_get(b + 1) == 0x0123456789abcdefu);
	assert_int_equal(le32_get(b + 1), 0x89abcdefu);
	assert_int_equal(le16_get(b + 1), 0xcdef);
	le32_put(b + 1, 0xfedcba98u);
	le16_put(b + 5, 0x8001);
	assert_int_equal(le32_get(b + 1), 0xfedcba98u);
	assert_int_equal(le16_get(b + 5), 0x8001);
}

TEST(addition_that_does_not_fit_changes_nothing)
{
	uint64_t sum = UINT64_MAX - 1;

	assert_true(u64_add(&sum, 1));
	assert_false(u64_add(&sum, 1));
	assert_true(sum == UINT64_MAX);
}

TEST(parses_decimal_numbers_only)
{
	static const struct { const char *text; bool ok; uint64_t v; } cases[] = {
		{ "0", true, 0 }, { "007", true, 7 }, { "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 }, { "99999999999999999999", false, 0 },
		{ "", false, 0 }, { "-1", false, 0 }, { "+1", false, 0 }, { " 1", false, 0 },
		{ "1 ", false, 0 }, { "1k", false, 0 }, { "0x1", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t v = 0;

		if (u64_parse(cases[i].text, &v) != cases[i].ok || v != cases[i].v)
			fail_msg("'%s'", cases[i].text);
	}
}

TEST(wipe_zeroes)
{
	char s[] = "secret";

	wipe(s, sizeof(s));
	for (size_t i = 0; i < sizeof(s); i++)
		assert_int_equal(s[i], 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_gives_the_pointer_and_leaves_null),
		cmocka_unit_test(growth_keeps_items),
		cmocka_unit_test(strndup_stops_at_the_end_of_the_string),
		cmocka_unit_test(compares_strings),
		cmocka_unit_test(little_endian_fields_come_back_from_any_address),
		cmocka_unit_test(addition_that_does_not_fit_changes_nothing),
		cmocka_unit_test(parses_decimal_numbers_only),
		cmocka_unit_test(wipe_zeroes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
