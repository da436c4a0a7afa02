/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/strv.h>

TEST(always_ends_in_null)
{
	auto_strv struct strv v = { 0 };

	for (size_t i = 0; i < 100; i++) {
		strv_pushf(&v, "%zu", i);
		assert_int_equal(v.n, i + 1);
		assert_null(v.items[v.n]);
	}
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(strtoul(v.items[i], NULL, 10), i);
}

TEST(split_leaves_empty_pieces_out)
{
	static const struct { const char *text, *joined; } cases[] = {
		{ "", "" }, { ",", "" }, { "a", "a" }, { "a,b", "a|b" }, { ",a,,b,", "a|b" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_strv struct strv v = { 0 };

		strv_split(&v, cases[i].text, ',');

		auto_free char *s = strv_join(&v, "|");

		assert_string_equal(s, cases[i].joined);
	}
}

TEST(sorts_by_bytes_and_drops_doubles)
{
	auto_strv struct strv v = { 0 };

	strv_uniq(&v);
	strv_sort(&v);
	strv_split(&v, "b a B a c b a", ' ');
	strv_sort(&v);
	strv_uniq(&v);

	auto_free char *s = strv_join(&v, " ");

	assert_string_equal(s, "B a b c");
	assert_null(v.items[v.n]);
	assert_true(strv_has(&v, "c"));
	assert_false(strv_has(&v, "d"));
}

TEST(nearest_is_near_or_nothing)
{
	static const char *const words[] = { "output", "key", "build", "charts", NULL };
	static const struct { const char *typed, *want; } cases[] = {
		{ "ouptut", "output" }, { "outptu", "output" }, { "biuld", "build" }, { "chart", "charts" },
		{ "key", "key" }, { "kex", "key" }, { "xyz", NULL }, { "", NULL }, { "k", NULL },
		{ "completely-different", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = strv_nearest(words, cases[i].typed);

		if (!str_eq(got, cases[i].want))
			fail_msg("'%s' gave '%s'", cases[i].typed, got ? got : "nothing");
	}
}

TEST(nearest_bears_words_of_any_length)
{
	char word[200];
	const char *const words[] = { word, NULL };

	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	assert_null(strv_nearest(words, "aaaa"));
	assert_null(strv_nearest((const char *const[]){ "aaaa", NULL }, word));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(always_ends_in_null),
		cmocka_unit_test(split_leaves_empty_pieces_out),
		cmocka_unit_test(sorts_by_bytes_and_drops_doubles),
		cmocka_unit_test(nearest_is_near_or_nothing),
		cmocka_unit_test(nearest_bears_words_of_any_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
