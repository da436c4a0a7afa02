/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/semver.h>

TEST(reads_versions_loosely_and_strictly)
{
	static const struct { const char *text; bool loose, strict; } cases[] = {
		{ "1.2.3", true, true },          { "v1.2.3", true, false },      { "1.2", true, false },
		{ "1", true, false },             { "01.2.3", true, false },      { "1.2.3-beta.1+b.2", true, true },
		{ "1.2.3+b", true, true },        { "1.2.3-01", false, false },   { "1.2.3-0", true, true },
		{ "1.2.3-0a", true, true },       { "1.2.3-", false, false },     { "1.2.3+", false, false },
		{ "1.2.3-a..b", false, false },   { "1.2.3.4", false, false },    { "", false, false },
		{ "v", false, false },            { "x", false, false },          { "1.x", false, false },
		{ "1.2.3 ", false, false },       { "-1.2.3", false, false },     { "1.2-rc", true, false },
		{ "18446744073709551615.0.0", true, true },                       { "18446744073709551616.0.0", false, false },
		{ "1.2.3-b\xc3\xa4", false, false },                              { "latest", false, false },
		{ "V1.2.3", false, false },       { "1..2", false, false },       { "1.2.", false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct semver v;

		if (semver_parse(cases[i].text, 0, &v) != cases[i].loose ||
		    semver_parse(cases[i].text, SEMVER_STRICT, &v) != cases[i].strict)
			fail_msg("%s", cases[i].text);
	}
}

TEST(a_text_over_256_characters_is_no_version)
{
	char text[300] = "1.0.0-";
	struct semver v;

	memset(text + 6, 'a', 250);
	assert_true(semver_parse(text, 0, &v));
	text[256] = 'a';
	assert_false(semver_parse(text, 0, &v));
}

TEST(orders_versions_by_precedence)
{
	static const char *const rising[] = {
		"0.0.0-0", "0.0.1", "0.9.0", "1.0.0-1", "1.0.0-9", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1",
		"1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.10", "1.2.0",
		"2.0.0", "10.0.0",
	};

	for (size_t i = 0; i < ARRAY_LEN(rising); i++) {
		for (size_t j = 0; j < ARRAY_LEN(rising); j++) {
			struct semver a, b;

			assert_true(semver_parse(rising[i], 0, &a) && semver_parse(rising[j], 0, &b));

			int c = semver_cmp(&a, &b);

			if ((c > 0) - (c < 0) != (i > j) - (i < j))
				fail_msg("%s %s: %d", rising[i], rising[j], c);
		}
	}
}

TEST(build_metadata_does_not_decide)
{
	struct semver a, b;

	assert_true(semver_parse("1.0.0+a", 0, &a) && semver_parse("1.0.0+b", 0, &b));
	assert_int_equal(semver_cmp(&a, &b), 0);
}

/* Compared with Masterminds semver 3.5 (85,000 random pairs) when this was written; these are the telling ones. */
TEST(constraints_mean_what_helm_means)
{
	static const struct { const char *constraint, *version; int want; } cases[] = {
		{ "", "1.2.3", 1 },               { " ", "1.2.3-rc", 0 },         { "*", "1.2.3", 1 },
		{ "*", "1.2.3-rc", 0 },           { ">0.0.0-0", "1.2.3-rc", 1 },  { "*-0", "1.2.3-rc", 1 },
		{ "1.2.3", "1.2.3", 1 },          { "=1.2.3", "v1.2.3", 1 },      { "1.2.3", "1.2.3+b", 1 },
		{ "=1.2", "1.2.9", 1 },           { "1.2", "1.3.0", 0 },          { "1", "1.9.9", 1 },
		{ "1.x", "2.0.0", 0 },            { "1.2.X", "1.2.7", 1 },        { "x.2", "9.9.9", 1 },
		{ "~1.2.3", "1.2.9", 1 },         { "~1.2.3", "1.3.0", 0 },       { "~1.2.3", "1.2.2", 0 },
		{ "~1", "1.9.0", 1 },             { "~>1.2", "1.2.5", 1 },        { "~0.0.0", "5.0.0", 1 },
		{ "^1.2.3", "1.9.9", 1 },         { "^1.2.3", "2.0.0", 0 },       { "^0.2.3", "0.2.9", 1 },
		{ "^0.2.3", "0.3.0", 0 },         { "^0.0.3", "0.0.3", 1 },       { "^0.0.3", "0.0.4", 0 },
		{ "^0", "0.9.0", 1 },             { "^0", "1.0.0", 0 },           { "^0.0", "0.0.9", 1 },
		{ "^0.0", "0.1.0", 0 },           { "^*", "1.0.0", 0 },           { ">11", "11.1.0", 0 },
		{ ">11", "12.0.0", 1 },           { ">11.1", "11.1.1", 0 },       { ">11.1", "11.2.0", 1 },
		{ "<=11", "11.9.0", 1 },          { "<=11.1", "11.1.9", 1 },      { "<=11.1", "11.2.0", 0 },
		{ "<11", "10.9.9", 1 },           { "<11", "11.0.0", 0 },         { "!=4.x", "4.1.0", 0 },
		{ "!=4.x", "5.1.0", 1 },          { "!=4.1", "4.1.5", 0 },        { "!=1.2.3", "1.2.4", 1 },
		{ ">=1.2.3-0", "1.2.3-beta", 1 }, { ">=1.2.3", "1.2.4-beta", 0 }, { ">=1.2.3-beta.2", "1.2.3-beta.10", 1 },
		{ ">=1.2.3-0 <2.0.0", "1.5.0-rc.1", 1 },                          { ">=1.2, <1.4", "1.3.0", 1 },
		{ ">=1.2,<1.4", "1.4.0", 0 },     { "<1 || >2", "3.0.0", 1 },     { "<1||>2", "1.5.0", 0 },
		{ "1.2 - 1.4.5", "1.4.5", 1 },    { "1.2 - 1.4.5", "1.4.6", 0 },  { "1.2 - 1.4", "1.4.9", 1 },
		{ "1.2 - 1.4 || 2", "2.5.0", 1 }, { ">= 1.2.3", "1.2.3", 1 },     { "=>1.2.3", "1.2.2", 0 },
		{ "=<1.2.3", "1.2.3", 1 },        { ">=1.21.0-0", "1.32.1", 1 },  { "1.0.0", "no version", 0 },
	};
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int r = semver_matches(cases[i].constraint, cases[i].version, &e);

		if (r != cases[i].want)
			fail_msg("'%s' '%s': %d", cases[i].constraint, cases[i].version, r);
	}
}

TEST(refuses_what_is_no_constraint)
{
	static const char *const cases[] = {
		"latest", "1.2.3.4", "==1", ">", ">=", "1.", ".1", "1,,2", ",1", "1,", "1 ||", "|| 1", "1 | 2", "1.2.3-", "a",
		">1<2", "1 -2", "1 - ", "^^1", "1x", "18446744073709551616", "1.2.3+", "! =1", "1.2.3-a..b",
	};
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_err(semver_check(cases[i], &e), e, ERR_MALFORMED);
		assert_err(semver_matches(cases[i], "1.0.0", &e), e, ERR_MALFORMED);
	}
}

TEST(refuses_long_constraints_and_many_groups)
{
	char text[600] = "";
	struct err e = { 0 };

	for (size_t i = 0; i < 33; i++)
		memcpy(text + 3 * i, i < 32 ? "1||" : "1", i < 32 ? 3 : 2);
	assert_err(semver_check(text, &e), e, ERR_MALFORMED);
	assert_ok(semver_check(text + 3, &e), e);
	memset(text, ' ', 511);
	memcpy(text + 511, "1", 2);
	assert_ok(semver_check(text, &e), e);
	memcpy(text + 512, "1", 2);
	assert_err(semver_check(text, &e), e, ERR_MALFORMED);
}

static const char *best(const char *constraint, const char *const *versions, size_t n, int flags)
{
	struct err e = { 0 };
	size_t at = 0;
	int r = semver_best(constraint, (char *const *)versions, n, flags, &at, &e);

	return r < 0 ? e.msg[0] ? "malformed" : "?" : r ? versions[at] : NULL;
}

TEST(picks_the_exact_text_or_the_highest)
{
	static const char *const v[] = {
		"1.2.0", "junk", "v1.10.0", "1.9.0", "2.0.0-rc.1", "1.10.0", "1.10.0+b", "1.2",
	};

	assert_string_equal(best("^1.2", v, ARRAY_LEN(v), 0), "v1.10.0");
	assert_string_equal(best("1.10.0", v, ARRAY_LEN(v), 0), "1.10.0");
	assert_string_equal(best("1.2", v, ARRAY_LEN(v), 0), "1.2");
	assert_string_equal(best("", v, ARRAY_LEN(v), 0), "v1.10.0");
	assert_string_equal(best(">0.0.0-0", v, ARRAY_LEN(v), 0), "2.0.0-rc.1");
	assert_string_equal(best("^1", v, ARRAY_LEN(v), SEMVER_STRICT), "1.10.0");
	assert_null(best("^3", v, ARRAY_LEN(v), 0));
	assert_null(best("^3", v, 0, 0));
	assert_string_equal(best("not one", v, ARRAY_LEN(v), 0), "malformed");
}

TEST(tags_stand_for_strict_versions)
{
	static const char *const v[] = { "v1.5.0", "1.4", "1.2.0_b.1", "1.3.0-rc.1", "latest", "1.1.0" };

	assert_string_equal(best("^1", v, ARRAY_LEN(v), SEMVER_TAGS), "1.2.0_b.1");
	assert_string_equal(best("1.2.0+b.1", v, ARRAY_LEN(v), SEMVER_TAGS), "1.2.0_b.1");
	assert_string_equal(best("^1-0", v, ARRAY_LEN(v), SEMVER_TAGS), "1.3.0-rc.1");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_versions_loosely_and_strictly),
		cmocka_unit_test(a_text_over_256_characters_is_no_version),
		cmocka_unit_test(orders_versions_by_precedence),
		cmocka_unit_test(build_metadata_does_not_decide),
		cmocka_unit_test(constraints_mean_what_helm_means),
		cmocka_unit_test(refuses_what_is_no_constraint),
		cmocka_unit_test(refuses_long_constraints_and_many_groups),
		cmocka_unit_test(picks_the_exact_text_or_the_highest),
		cmocka_unit_test(tags_stand_for_strict_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
