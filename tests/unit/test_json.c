/* SPDX-License-Identifier: Apache-2.0 */
#include "hostile.h"

#include <airgap/json.h>

static json_t *parse(const char *text, struct err *e)
{
	return jdoc_parse(text, strlen(text), 1 << 20, "doc.json", e);
}

static void assert_dump(const json_t *j, const char *want)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);
	struct err e = { 0 };

	assert_ok(jdoc_dump(j, &b, &e), e);
	assert_string_equal(buf_str(&b), want);
}

TEST(takes_any_value_and_dumps_it_in_one_spelling)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "{\"b\":1,\"a\":[true,null,\"x\"]}", "{\"a\":[true,null,\"x\"],\"b\":1}" },
		{ " [ ] ", "[]" },
		{ "\"text\"", "\"text\"" },
		{ "9223372036854775807", "9223372036854775807" },
		{ "-9223372036854775808", "-9223372036854775808" },
		{ "null", "null" },
		{ "\"\\u00e4\\ud83d\\ude00\"", "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
		{ "{\"a\":\"]}]}{{[[\\\"[\"}", "{\"a\":\"]}]}{{[[\\\"[\"}" },
	};
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *j = parse(cases[i].text, &e);

		if (!j)
			fail_msg("%s: %s", cases[i].text, e.msg);
		assert_dump(j, cases[i].want);
	}
}

TEST(refuses_what_is_no_json)
{
	static const char *const cases[] = {
		"", " ", "{", "[1,]", "{\"a\":1,}", "{'a':1}", "[1] x", "nul", "01", "+1", "1.", "NaN", "Infinity", "-",
		"\"\x01\"", "\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\\u0000\"", "{\"a\\u0000b\":1}", "\"\\ud800\"",
		"\"\\x\"", "[\"a", "{\"a\":1 \"b\":2}", "9223372036854775808", "1e999", "\xef\xbb\xbf{}", "/* */{}",
		"{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}", "{\"a\":1,\"\\u0061\":2}", "\"\\", "\"",
	};
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *j = parse(cases[i], &e);

		if (j)
			fail_msg("took %s", cases[i]);
		assert_int_equal(e.code, ERR_MALFORMED);
		assert_true(str_starts(e.msg, "doc.json: line "));
	}
}

TEST(a_nul_inside_the_text_is_refused)
{
	struct err e = { 0 };

	assert_null(jdoc_parse("{}\0{}", 5, 100, "doc.json", &e));
	assert_int_equal(e.code, ERR_MALFORMED);
}

TEST(an_error_has_line_and_column)
{
	struct err e = { 0 };

	assert_null(parse("{\n  \"a\": 1,\n  \"a\": 2\n}", &e));
	assert_non_null(strstr(e.msg, "doc.json: line 3, column"));
	assert_non_null(strstr(e.msg, "duplicate"));
}

TEST(the_ceiling_of_the_text_is_exact)
{
	struct err e = { 0 };
	auto_json json_t *j = jdoc_parse("[1]", 3, 3, "doc.json", &e);

	assert_non_null(j);
	assert_null(jdoc_parse("[12]", 4, 3, "doc.json", &e));
	assert_int_equal(e.code, ERR_LIMIT);
}

TEST(sixty_four_levels_are_allowed_and_no_more)
{
	struct err e = { 0 };

	for (size_t depth = 64; depth <= 65; depth++) {
		auto_free char *open = repeated("[", depth);
		auto_free char *close = repeated("]", depth);
		auto_free char *text = xasprintf("%s%s", open, close);
		auto_json json_t *j = parse(text, &e);

		assert_int_equal(j != NULL, depth == 64);
	}
	assert_int_equal(e.code, ERR_LIMIT);
}

/* Text of a repeated piece, given to the parser with a ceiling of 4 MiB. */
struct flood { const char *before, *piece, *after; size_t n; };

static int flood(void *arg, struct err *e)
{
	struct flood *f = arg;
	auto_free char *middle = repeated(f->piece, f->n);
	auto_free char *text = xasprintf("%s%s%s", f->before, middle, f->after);

	free(TAKE(middle));

	auto_json json_t *j = jdoc_parse(text, strlen(text), 4 << 20, "doc.json", e);

	return j ? 0 : -1;
}

TEST(floods_end_early)
{
	static const struct { struct flood f; enum err_code want; } cases[] = {
		{ { "", "[", "", 100000 }, ERR_LIMIT },
		{ { "", "{\"a\":", "", 100000 }, ERR_LIMIT },
		{ { "[", "{},", "{}]", 1300000 }, ERR_LIMIT },
		{ { "[", "[],", "[]]", 1300000 }, ERR_LIMIT },
		{ { "[", "0,", "0]", 2000000 }, ERR_LIMIT },
		{ { "[", "\"\",", "0]", 1300000 }, ERR_LIMIT },
		{ { "\"", "a", "\"", 4000000 }, ERR_NONE },
		{ { "\"", "\\n", "\"", 2000000 }, ERR_NONE },
		{ { "", "9", "", 1000000 }, ERR_MALFORMED },
		{ { "", "]", "", 1000000 }, ERR_MALFORMED },
		{ { "\"", "\\", "", 1000001 }, ERR_MALFORMED },
		{ { "[", "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"size\":1,\"annotations\":{}},", "0]",
		    40000 }, ERR_NONE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused(flood, (void *)&cases[i].f, cases[i].want);
}

TEST(pretty_is_sorted_and_ends_in_a_newline)
{
	auto_buf struct buf b = BUF_INIT(1000);
	struct err e = { 0 };
	auto_json json_t *j = parse("{\"b\":[1],\"a\":{}}", &e);

	assert_ok(jdoc_dump_pretty(j, &b, &e), e);
	assert_string_equal(buf_str(&b), "{\n  \"a\": {},\n  \"b\": [\n    1\n  ]\n}\n");
}

TEST(a_dump_over_the_ceiling_says_so)
{
	auto_buf struct buf b = BUF_INIT(5);
	struct err e = { 0 };
	auto_json json_t *j = parse("\"a long text\"", &e);

	assert_err(jdoc_dump(j, &b, &e), e, ERR_LIMIT);
}

TEST(a_dump_keeps_an_earlier_error)
{
	auto_buf struct buf b = BUF_INIT(100);
	struct err e = { 0 };
	auto_json json_t *j = parse("{\"a\":1}", &e);

	err_set(&e, ERR_DIGEST, "earlier");
	assert_int_equal(jdoc_dump(j, &b, &e), 0);
	assert_int_equal(e.code, ERR_DIGEST);
	assert_string_equal(e.msg, "earlier");
}

TEST(looks_up_along_keys_and_bears_what_is_missing)
{
	struct err e = { 0 };
	auto_json json_t *j = parse("{\"a\":{\"b\":\"x\",\"n\":1}}", &e);

	assert_string_equal(jdoc_text(j, "a", "b", NULL), "x");
	assert_null(jdoc_text(j, "a", "n", NULL));
	assert_null(jdoc_text(j, "a", "b", "c", NULL));
	assert_null(jdoc_text(j, "z", "b", NULL));
	assert_null(jdoc_text(NULL, "a", NULL));
	assert_ptr_equal(jdoc_at(j, NULL), j);
	assert_int_equal(json_integer_value(jdoc_at(j, "a", "n", NULL)), 1);
}

static int collect(void *ctx, const char *path, const char *key, json_t *leaf, struct err *e)
{
	buf_putf(ctx, "%s(%s)=%s;", path, key ? key : "", json_string_value(leaf));
	if (strcmp(json_string_value(leaf), "stop") == 0)
		return err_set(e, ERR_BUG, "stopped");
	return json_string_set(leaf, "seen");
}

TEST(walks_every_string_with_its_path)
{
	auto_buf struct buf b = BUF_INIT(1000);
	struct err e = { 0 };
	auto_json json_t *j = parse("{\"a\":[\"x\",{\"b\":\"y\"},[\"z\"]],\"n\":1,\"c\":\"w\"}", &e);

	assert_ok(jdoc_strings(j, collect, &b, &e), e);
	assert_string_equal(buf_str(&b), "a[0](a)=x;a[1].b(b)=y;a[2][0](a)=z;c(c)=w;");
	assert_dump(j, "{\"a\":[\"seen\",{\"b\":\"seen\"},[\"seen\"]],\"c\":\"seen\",\"n\":1}");
	json_decref(TAKE(j));
	j = parse("[\"a\",\"stop\",\"b\"]", &e);
	buf_clear(&b);
	assert_err(jdoc_strings(j, collect, &b, &e), e, ERR_BUG);
	assert_string_equal(buf_str(&b), "[0]()=a;[1]()=stop;");
}

TEST(merges_as_helm_does)
{
	struct err e = { 0 };
	auto_json json_t *into = parse("{\"m\":{\"a\":{\"x\":0,\"y\":2},\"z\":{\"q\":1}},\"l\":[1],\"s\":\"t\"}", &e);
	auto_json json_t *over = parse("{\"m\":{\"a\":{\"x\":1,\"y\":null},\"z\":5,\"n\":{\"k\":null}},\"l\":[2,3],\"s\":null}", &e);

	jdoc_merge(into, over);
	assert_dump(into, "{\"l\":[2,3],\"m\":{\"a\":{\"x\":1,\"y\":null},\"n\":{\"k\":null},\"z\":5},\"s\":null}");
	json_object_set_new(jdoc_at(over, "m", "n", NULL), "k", json_true());
	assert_true(json_is_null(jdoc_at(into, "m", "n", "k", NULL)));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_any_value_and_dumps_it_in_one_spelling),
		cmocka_unit_test(refuses_what_is_no_json),
		cmocka_unit_test(a_nul_inside_the_text_is_refused),
		cmocka_unit_test(an_error_has_line_and_column),
		cmocka_unit_test(the_ceiling_of_the_text_is_exact),
		cmocka_unit_test(sixty_four_levels_are_allowed_and_no_more),
		cmocka_unit_test(floods_end_early),
		cmocka_unit_test(pretty_is_sorted_and_ends_in_a_newline),
		cmocka_unit_test(a_dump_over_the_ceiling_says_so),
		cmocka_unit_test(a_dump_keeps_an_earlier_error),
		cmocka_unit_test(looks_up_along_keys_and_bears_what_is_missing),
		cmocka_unit_test(walks_every_string_with_its_path),
		cmocka_unit_test(merges_as_helm_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
