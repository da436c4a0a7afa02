/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/header.h>

struct row { const char *line; enum challenge_scheme scheme; const char *realm, *service, *scope; };

TEST(picks_a_challenge)
{
	static const struct row rows[] = {
		{ "Basic realm=\"x\"", CHALLENGE_BASIC, "x", NULL, NULL },
		{ "Basic", CHALLENGE_BASIC, NULL, NULL, NULL },
		{ "basic realm=bare", CHALLENGE_BASIC, "bare", NULL, NULL },
		{ "Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:a/b:pull,push\"", CHALLENGE_BEARER,
		  "https://a/t", "s", "repository:a/b:pull,push" },
		{ "BEARER REALM = \"https://a/t\" , Service=s ,, x=y", CHALLENGE_BEARER, "https://a/t", "s", NULL },
		{ "Bearer realm=https://a/t", CHALLENGE_BEARER, "https://a/t", NULL, NULL },
		{ "Negotiate, Basic realm=\"x\"", CHALLENGE_BASIC, "x", NULL, NULL },
		{ "Negotiate abc==, Bearer realm=\"r\"", CHALLENGE_BEARER, "r", NULL, NULL },
		{ "Basic realm=\"Bearer realm=evil, x\", Bearer realm=\"r\"", CHALLENGE_BEARER, "r", NULL, NULL },
		{ "Bearer realm=\"a\\\"b\\\\c\"", CHALLENGE_BEARER, "a\"b\\c", NULL, NULL },
		{ "Bearer realm=\"first\", realm=\"second\"", CHALLENGE_BEARER, "first", NULL, NULL },
		{ "Digest realm=\"d\", nonce=\"n\", Basic realm=\"b\"", CHALLENGE_BASIC, "b", NULL, NULL },
		{ "", CHALLENGE_NONE, NULL, NULL, NULL },
		{ "Negotiate", CHALLENGE_NONE, NULL, NULL, NULL },
		{ "Bearer", CHALLENGE_NONE, NULL, NULL, NULL },
		{ "Bearer service=\"s\"", CHALLENGE_NONE, NULL, NULL, NULL },
		{ "Bearer realm=\"open", CHALLENGE_NONE, NULL, NULL, NULL },
		{ "Bearer realm=\"a\x01\"", CHALLENGE_NONE, NULL, NULL, NULL },
		{ "\"Bearer\" realm=x", CHALLENGE_NONE, NULL, NULL, NULL },
		{ ",,, ,", CHALLENGE_NONE, NULL, NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_strv struct strv lines = { 0 };
		auto_challenge struct challenge c = { 0 };

		strv_push(&lines, rows[i].line);
		if (challenge_pick(&lines, &c) != (rows[i].scheme != CHALLENGE_NONE) || c.scheme != rows[i].scheme)
			fail_msg("%s: %d", rows[i].line, (int)c.scheme);
		if (!str_eq(c.realm, rows[i].realm) || !str_eq(c.service, rows[i].service) || !str_eq(c.scope, rows[i].scope))
			fail_msg("%s: %s %s %s", rows[i].line, c.realm, c.service, c.scope);
	}
}

TEST(picks_among_lines)
{
	auto_strv struct strv lines = { 0 };
	auto_challenge struct challenge c = { 0 };

	strv_push(&lines, "Basic realm=\"b\"");
	strv_push(&lines, "Bearer realm=\"open");
	strv_push(&lines, "Bearer realm=\"r\",error=\"insufficient_scope\"");
	assert_true(challenge_pick(&lines, &c));
	assert_int_equal(c.scheme, CHALLENGE_BEARER);
	assert_string_equal(c.error, "insufficient_scope");
}

TEST(reads_ranges)
{
	uint64_t a, b, t;

	assert_true(content_range_parse("bytes 5-9/10", &a, &b, &t));
	assert_true(a == 5 && b == 9 && t == 10);
	assert_true(content_range_parse(" Bytes=0-0/* ", &a, &b, &t));
	assert_true(a == 0 && b == 0 && t == UINT64_MAX);

	static const char *const bad[] = {
		"", "5-9/10", "bytes 5-9", "bytes 9-5/10", "bytes 5-10/10", "bytes -5/10", "bytes 5-/10", "bytes */10",
		"bytes 5-9/10x", "bytes 5-9/-1", "bytes 18446744073709551616-1/2", "items 5-9/10", "bytes 0-18446744073709551615/*",
		"bytes 5-9 /10",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (content_range_parse(bad[i], &a, &b, &t))
			fail_msg("took '%s'", bad[i]);
	assert_true(content_range_total("bytes */10", &t));
	assert_true(t == 10);
	assert_false(content_range_total("bytes */*", &t));
	assert_false(content_range_total("bytes 1-2/10", &t));
}

TEST(reads_upload_ranges)
{
	uint64_t n;

	assert_true(upload_range_parse("0-99", &n) && n == 100);
	assert_true(upload_range_parse("bytes=0-99", &n) && n == 100);
	assert_true(upload_range_parse("0-0", &n) && n == 1);
	assert_false(upload_range_parse("5-99", &n));
	assert_false(upload_range_parse("0-", &n));
	assert_false(upload_range_parse("0-18446744073709551615", &n));
}

TEST(finds_the_next_link)
{
	static const char *const rows[][2] = {
		{ "</v2/a/tags/list?last=x&n=1>; rel=\"next\"", "/v2/a/tags/list?last=x&n=1" },
		{ "<a>; rel=next", "a" },
		{ "<a>; rel=\"prev\", <b>; REL=\"first next\"", "b" },
		{ "<a,b>; title=\"x, rel=next\"; rel=next", "a,b" },
		{ "<a>;rel=prev", NULL },
		{ "<a", NULL },
		{ "a; rel=next", NULL },
		{ "<a>; rel", NULL },
		{ "<a>; rel=\"next", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_free char *next = link_next(rows[i][0]);

		if (!str_eq(next, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], next);
	}
}

TEST(reads_dates_and_waits)
{
	static const char *const dates[] = {
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
	};
	static const char *const bad[] = {
		"", "soon", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 99 Nov 1994 08:49:37 GMT",
		"-1", "1.5", "99999999999999999999", "Sun, 06 Nov 1994",
	};
	uint64_t s;
	time_t t;

	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		assert_true(http_date_parse(dates[i], &t));
		assert_int_equal(t, 784111777);
		assert_true(retry_after_parse(dates[i], 784111777 - 5, &s) && s == 5);
		assert_true(retry_after_parse(dates[i], 784111777 + 5, &s) && s == 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (retry_after_parse(bad[i], 0, &s))
			fail_msg("took '%s'", bad[i]);
	assert_true(retry_after_parse("120", 0, &s) && s == 120);
}

TEST(reads_limits_and_types)
{
	uint64_t n, w;
	auto_free char *type = media_type_cut(" Text/HTML; charset=x"), *none = media_type_cut("");

	assert_true(rate_limit_parse("76;w=21600", &n, &w) && n == 76 && w == 21600);
	assert_true(rate_limit_parse("5", &n, &w) && n == 5 && w == 0);
	assert_false(rate_limit_parse("many", &n, &w));
	assert_false(rate_limit_parse("5;w=x", &n, &w));
	assert_false(rate_limit_parse("5 x", &n, &w));
	assert_string_equal(type, "text/html");
	assert_string_equal(none, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(picks_a_challenge),
		cmocka_unit_test(picks_among_lines),
		cmocka_unit_test(reads_ranges),
		cmocka_unit_test(reads_upload_ranges),
		cmocka_unit_test(finds_the_next_link),
		cmocka_unit_test(reads_dates_and_waits),
		cmocka_unit_test(reads_limits_and_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
