/* SPDX-License-Identifier: Apache-2.0 */
#include "hostile.h"

#include <airgap/scalar.h>
#include <airgap/yaml.h>

static json_t *parse(const char *text, const struct ydoc_limits *l, struct err *e)
{
	return ydoc_parse(text, strlen(text), l, "f.yaml", NULL, e);
}

static char *dump(const json_t *j)
{
	struct buf b = BUF_INIT(1 << 20);
	struct err e = { 0 };

	assert_ok(jdoc_dump(j, &b, &e), e);
	return buf_take(&b);
}

static void assert_reads(const char *text, const struct ydoc_limits *l, const char *want)
{
	struct err e = { 0 };
	auto_json json_t *j = parse(text, l, &e);

	if (!j)
		fail_msg("%s: %s", text, e.msg);

	auto_free char *have = dump(j);

	if (strcmp(have, want) != 0)
		fail_msg("%s\nis   %s\nnot  %s", text, have, want);
}

static void assert_fails(const char *text, const struct ydoc_limits *l, enum err_code code, const char *message)
{
	struct err e = { 0 };
	auto_json json_t *j = parse(text, l, &e);

	if (j)
		fail_msg("took %s", text);
	if (e.code != code || !strstr(e.msg, message))
		fail_msg("%s\nsays %d: %s", text, e.code, e.msg);
}

/* Every line was printed by helm 3.22 (`toJson` of a value) when this was written; only integers beyond 2^53 differ,
 * since helm's are floats. */
TEST(scalars_mean_what_helm_means)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "y", "true" },            { "Y", "true" },          { "n", "false" },          { "yes", "true" },
		{ "YES", "true" },          { "yEs", "\"yEs\"" },     { "on", "true" },          { "OFF", "false" },
		{ "True", "true" },         { "~", "null" },          { "Null", "null" },        { "nuLL", "\"nuLL\"" },
		{ "\"\"", "\"\"" },         { "0o17", "15" },         { "017", "15" },           { "0x1f", "31" },
		{ "0b11", "3" },            { "1_000", "1000" },      { "089", "89.0" },         { "+1", "1" },
		{ "-0x1f", "-31" },         { "-017", "-15" },        { "00", "0" },             { "_1", "\"_1\"" },
		{ "1_", "1" },              { "0x_1f", "31" },        { "0x", "\"0x\"" },        { "0b2", "\"0b2\"" },
		{ "0o8", "\"0o8\"" },       { "1e3", "1000.0" },      { "1E+5", "100000.0" },    { "1.5", "1.5" },
		{ ".5", "0.5" },            { "5.", "5.0" },          { "-.5", "-0.5" },         { "1_0.5", "10.5" },
		{ "1e400", "\"1e400\"" },   { "1:30", "\"1:30\"" },   { "2001-12-14", "\"2001-12-14\"" },
		{ ".inf", "\".inf\"" },     { ".nan", "\".nan\"" },   { "=", "\"=\"" },          { "!!str 1", "\"1\"" },
		{ "! 1", "\"1\"" },         { "'1'", "\"1\"" },       { "\"no\"", "\"no\"" },    { "1.2.3", "\"1.2.3\"" },
		{ "9223372036854775807", "9223372036854775807" },     { "-9223372036854775808", "-9223372036854775808" },
		{ "9223372036854775808", "9.2233720368547758e18" },   { "18446744073709551616", "1.8446744073709552e19" },
		{ "-9223372036854775809", "-9.2233720368547758e18" }, { "0xFFFFFFFFFFFFFFFFFF", "\"0xFFFFFFFFFFFFFFFFFF\"" },
		{ "0777777777777777777777777", "7.7777777777777776e23" },
		{ "-", "[null]" },          { "+", "\"+\"" },         { ".", "\".\"" },          { "1e", "\"1e\"" },
		{ "1e+", "\"1e+\"" },       { "1.2e3.4", "\"1.2e3.4\"" },                        { "0xg", "\"0xg\"" },
		{ "!!int 5", "5" },         { "!!float 5", "5" },     { "!!bool yes", "true" },  { "!!null ~", "null" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_reads(cases[i].text, &ydoc_user, cases[i].want);
}

TEST(raw_scalars_stay_as_they_are_written)
{
	assert_reads("{a: 1.10, b: yes, c: 0x1f, d: ~, e: , 017: x, f: \"q\", g: !!int 5}", &ydoc_index,
		     "{\"017\":\"x\",\"a\":\"1.10\",\"b\":\"yes\",\"c\":\"0x1f\",\"d\":\"~\",\"e\":\"\",\"f\":\"q\",\"g\":\"5\"}");
}

TEST(keys_become_text_as_in_helm)
{
	assert_reads("{1: a, on: b, 0x10: d, 1.50: e, \"y\": f}", &ydoc_user,
		     "{\"1\":\"a\",\"1.50\":\"e\",\"16\":\"d\",\"true\":\"b\",\"y\":\"f\"}");
	assert_fails("~: 1", &ydoc_user, ERR_MALFORMED, "f.yaml:1: an empty key");
	assert_fails("a: 1\n: 2", &ydoc_user, ERR_MALFORMED, "f.yaml:2: ");
}

TEST(block_flow_and_json_are_one)
{
	const char *want = "{\"a\":[1,{\"b\":\"c\"}],\"t\":\"x\\ny\\n\",\"f\":\"x y\"}";

	assert_reads("a:\n- 1\n- b: c\nt: |\n  x\n  y\nf: >-\n  x\n  y\n", &ydoc_user, "{\"a\":[1,{\"b\":\"c\"}],\"f\":\"x y\",\"t\":\"x\\ny\\n\"}");
	assert_reads(want, &ydoc_user, "{\"a\":[1,{\"b\":\"c\"}],\"f\":\"x y\",\"t\":\"x\\ny\\n\"}");
}

TEST(nothing_is_null)
{
	static const char *const cases[] = { "", "# only a comment\n", "---\n", "---\n---\n...\n", "~" };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_reads(cases[i], &ydoc_user, "null");
}

TEST(strict_reading_refuses_what_a_reader_may_misread)
{
	static const struct { const char *text, *message; } cases[] = {
		{ "a: 1\nb: 2\na: 3\n", "f.yaml:3: duplicate key 'a'" },
		{ "x:\n  on: 1\n  yes: 2\n", "f.yaml:3: duplicate key 'true'" },
		{ "a: &x 1\n", "f.yaml:1: anchors and aliases are not allowed here" },
		{ "a: 1\nb: *x\n", "f.yaml:2: anchors and aliases are not allowed here" },
		{ "- &x [1]\n", "anchors" },
		{ "&x a: 1\n", "anchors" },
		{ "<<: {a: 1}\n", "f.yaml:1: merge keys ('<<') are not allowed here" },
		{ "a: !!binary aGk=\n", "f.yaml:1: tag 'tag:yaml.org,2002:binary' is not allowed here" },
		{ "a: !foo 1\n", "tag '!foo'" },
		{ "a: !!map {b: !!set {}}\n", "tag" },
		{ "a: !!int x\n", "tag" },
		{ "a: !!bool 1\n", "tag" },
		{ "[a]: 1\n", "a key must be a scalar" },
		{ "? {a: 1}\n: 2\n", "a key must be a scalar" },
		{ "a: 1\n---\nb: 2\n", "f.yaml:2: a second document" },
		{ "a: \"\\0\"\n", "f.yaml:1: a string with a NUL character" },
		{ "\"a\\0\": 1\n", "f.yaml:1: a string with a NUL character" },
		{ "a: \"\\ud800\"\n", "f.yaml:1: " },
		{ "a: [1\nb: 2\n", "f.yaml:" },
		{ "a: 'x\n", "f.yaml:" },
		{ "\ta: 1\n", "f.yaml:1: " },
		{ "a: b: c\n", "f.yaml:1: " },
		{ "a: @x\n", "f.yaml:1: " },
		{ "%YAML 9.9\n---\na: 1\n", "f.yaml:1: " },
		{ "a: \xff\n", "f.yaml:1: " },
		{ "x: 1\na: \xc0\xaf\n", "f.yaml:" },
		{ "a: \xed\xa0\x80\n", "f.yaml:" },
		{ "a: \x01\n", "f.yaml:1: " },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_fails(cases[i].text, &ydoc_user, ERR_MALFORMED, cases[i].message);
}

TEST(utf16_is_not_guessed)
{
	struct err e = { 0 };

	assert_null(ydoc_parse("\xff\xfe" "a\0:\0 \0" "1\0", 10, &ydoc_user, "f.yaml", NULL, &e));
	assert_int_equal(e.code, ERR_MALFORMED);
}

TEST(charts_may_do_what_helm_lets_them)
{
	const struct ydoc_limits *l = &ydoc_rendered;

	assert_reads("a: 1\na: 2\n", l, "{\"a\":2}");
	assert_reads("a: &x {b: [1]}\nc: *x\n", l, "{\"a\":{\"b\":[1]},\"c\":{\"b\":[1]}}");
	assert_reads("a: &x 1\nb: &x 2\nc: *x\n", l, "{\"a\":1,\"b\":2,\"c\":2}");
	assert_reads("a: &x {b: 1, c: 1}\nd: {<<: *x, c: 2}\n", l, "{\"a\":{\"b\":1,\"c\":1},\"d\":{\"b\":1,\"c\":2}}");
	assert_reads("a: &x {b: 1}\ne: &y {b: 2, f: 3}\nd: {<<: [*x, *y]}\n", l,
		     "{\"a\":{\"b\":1},\"d\":{\"b\":1,\"f\":3},\"e\":{\"b\":2,\"f\":3}}");
	assert_reads("\"<<\": 1\n", l, "{\"<<\":1}");
	assert_fails("a: &x 1\nd: {<<: *x}\n", l, ERR_MALFORMED, "f.yaml:2: '<<' needs a map");
	assert_fails("a: &x 1\nd: {<<: [*x]}\n", l, ERR_MALFORMED, "'<<' needs a map");
	assert_fails("a: *x\n", l, ERR_MALFORMED, "alias 'x' has no anchor before it");
	assert_fails("a: &x [*x]\n", l, ERR_MALFORMED, "alias 'x' has no anchor before it");
	assert_fails("a: &x 1\n*x : 2\n", l, ERR_MALFORMED, "a key must be a scalar");
}

TEST(an_alias_is_a_copy_of_its_own)
{
	struct err e = { 0 };
	auto_json json_t *j = parse("a: &x {b: 1}\nc: *x\n", &ydoc_rendered, &e);

	json_object_set_new(jdoc_at(j, "c", NULL), "b", json_integer(2));
	assert_int_equal(json_integer_value(jdoc_at(j, "a", "b", NULL)), 1);
}

TEST(all_documents_without_the_empty_ones)
{
	static const char text[] = "---\n# Source: a\na: &x 1\n---\n---\n# nothing\n---\n[2]\n...\n---\nb\n";
	struct err e = { 0 };
	auto_json json_t *j = ydoc_parse_all(text, strlen(text), &ydoc_rendered, "out", &e);

	if (!j)
		fail_msg("%s", e.msg);

	auto_free char *have = dump(j);

	assert_string_equal(have, "[{\"a\":1},[2],\"b\"]");
	assert_null(ydoc_parse_all("a: &x 1\n---\nb: *x\n", 18, &ydoc_rendered, "out", &e));
	assert_non_null(strstr(e.msg, "out:3: alias 'x' has no anchor"));
}

TEST(lines_are_found_again)
{
	static const char text[] = "a: 1\nb:\n  - x\n  - c:\n      d: 2\n";
	auto_ydoc_marks struct ydoc_marks *m = NULL;
	struct err e = { 0 };
	auto_json json_t *j = ydoc_parse(text, strlen(text), &ydoc_user, "f.yaml", &m, &e);
	const json_t *b = jdoc_at(j, "b", NULL), *item = json_array_get(b, 1);

	assert_non_null(m);
	assert_int_equal(ydoc_line(m, NULL, NULL, 0), 1);
	assert_int_equal(ydoc_line(m, j, "a", 0), 1);
	assert_int_equal(ydoc_line(m, j, "b", 0), 2);
	assert_int_equal(ydoc_line(m, b, NULL, 0), 3);
	assert_int_equal(ydoc_line(m, b, NULL, 1), 4);
	assert_int_equal(ydoc_line(m, item, "c", 0), 4);
	assert_int_equal(ydoc_line(m, json_object_get(item, "c"), "d", 0), 5);
	assert_int_equal(ydoc_line(m, j, "z", 0), 0);
	assert_int_equal(ydoc_line(NULL, j, "a", 0), 0);
}

TEST(marks_stay_untouched_on_failure)
{
	struct ydoc_marks *m = NULL;
	struct err e = { 0 };

	assert_null(ydoc_parse("a: [1", 5, &ydoc_user, "f.yaml", &m, &e));
	assert_null(m);
}

TEST(only_what_is_wanted_of_a_large_index_is_kept)
{
	static const char text[] =
		"apiVersion: v1\nentries:\n  other:\n  - {version: 1, urls: [a, b]}\n  web:\n  - version: 1.10\n"
		"    urls: [x]\n  zoo: {entries: {web: 5}}\ngenerated: now\n";
	static const char *const web[] = { "entries", "web", NULL }, *const none[] = { "entries", "nothing", NULL };
	static const char *const deep[] = { "apiVersion", "x", NULL };
	struct ydoc_limits l = ydoc_index;
	struct err e = { 0 };

	l.nodes = 30;
	assert_null(ydoc_parse(text, strlen(text), &l, "index", NULL, &e));
	assert_int_equal(e.code, ERR_LIMIT);

	auto_json json_t *j = ydoc_parse_at(text, strlen(text), &l, "index", web, &e);

	if (!j)
		fail_msg("%s", e.msg);

	auto_free char *have = dump(j);

	assert_string_equal(have, "[{\"urls\":[\"x\"],\"version\":\"1.10\"}]");

	auto_json json_t *nothing = ydoc_parse_at(text, strlen(text), &l, "index", none, &e);
	auto_json json_t *wrong = ydoc_parse_at(text, strlen(text), &l, "index", deep, &e);

	assert_true(json_is_null(nothing) && json_is_null(wrong));
	assert_null(ydoc_parse_at("entries: [", 10, &l, "index", web, &e));
	assert_int_equal(e.code, ERR_MALFORMED);
}

TEST(depth_is_counted_with_what_aliases_bring)
{
	struct ydoc_limits l = ydoc_rendered;

	l.depth = 4;
	assert_reads("[[[[1]]]]", &l, "[[[[1]]]]");
	assert_fails("[[[[[1]]]]]", &l, ERR_LIMIT, "f.yaml:1: nested deeper than 4");
	assert_reads("[&x [[1]], [*x]]", &l, "[[[1]],[[[1]]]]");
	assert_fails("[&x [[1]], [[*x]]]", &l, ERR_LIMIT, "nested deeper than 4");
}

struct flood { const struct ydoc_limits *l; const char *before, *piece, *after; size_t n; };

static int flood(void *arg, struct err *e)
{
	struct flood *f = arg;
	auto_free char *middle = repeated(f->piece, f->n);
	auto_free char *text = xasprintf("%s%s%s", f->before, middle, f->after);

	free(TAKE(middle));

	auto_json json_t *j = ydoc_parse(text, strlen(text), f->l, "f.yaml", NULL, e);

	return j ? 0 : -1;
}

TEST(floods_end_early)
{
	static const struct { struct flood f; enum err_code want; } cases[] = {
		{ { &ydoc_user, "", "[", "", 100000 }, ERR_LIMIT },
		{ { &ydoc_rendered, "", "[", "", 100000 }, ERR_LIMIT },
		{ { &ydoc_rendered, "", "{a: ", "", 100000 }, ERR_LIMIT },
		{ { &ydoc_rendered, "", "- ", "", 100000 }, ERR_LIMIT },
		{ { &ydoc_rendered, "", "? ", "", 100000 }, ERR_MALFORMED },
		{ { &ydoc_user, "", "- 1\n", "", 261000 }, ERR_LIMIT },
		{ { &ydoc_user, "[", "{},", "]", 340000 }, ERR_LIMIT },
		{ { &ydoc_rendered, "[", "{},", "]", 1000000 }, ERR_LIMIT },
		{ { &ydoc_rendered, "", "---\n", "", 1000000 }, ERR_LIMIT },
		{ { &ydoc_user, "a: ", "x", "\n", 1000000 }, ERR_NONE },
		{ { &ydoc_user, "a: \"", "\\n", "\"\n", 500000 }, ERR_NONE },
		{ { &ydoc_user, "a: ", "x", "\n", 1100000 }, ERR_LIMIT },
		{ { &ydoc_user, "a: ", "9", "\n", 1000000 }, ERR_NONE },
		{ { &ydoc_user, "", "%TAG !a! b\n", "---\na: 1\n", 60000 }, ERR_LIMIT },
		{ { &ydoc_rendered, "[", "&a 1, ", "]", 100000 }, ERR_LIMIT },
		{ { &ydoc_user, "", "#\n", "a: 1", 500000 }, ERR_NONE },
		{ { &ydoc_user, "a: |\n", "  x\n", "", 200000 }, ERR_NONE },
		{ { &ydoc_user, "a: ", "\n ", "x", 500000 }, ERR_NONE },
		{ { &ydoc_user, "", "a", "", 1000000 }, ERR_NONE },
		{ { &ydoc_user, "", "a", ": 1", 1000000 }, ERR_MALFORMED },
		{ { &ydoc_user, "", "!", "", 1000000 }, ERR_MALFORMED },
		{ { &ydoc_user, "'", "''", "'", 500000 }, ERR_NONE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused(flood, (void *)&cases[i].f, cases[i].want);
}

/* Each line ten times the line before. */
static int laughs(void *arg, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);

	buf_puts(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 30; i++)
		buf_putf(&b, arg ? "a%d: &a%d {a: *a%d, b: *a%d, c: *a%d}\n" : "a%d: &a%d [*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1,
			 i - 1);

	auto_json json_t *j = parse(buf_str(&b), &ydoc_rendered, e);

	return j ? 0 : -1;
}

/* Merging copies too. */
static int merged_laughs(void *arg, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(8 << 20);

	buf_puts(&b, "a: &a {");
	for (int i = 0; i < 10000; i++)
		buf_putf(&b, "k%d: 1, ", i);
	buf_puts(&b, "}\nl:\n");
	for (int i = 0; i < 10000; i++)
		buf_puts(&b, "- <<: *a\n");

	auto_json json_t *j = parse(buf_str(&b), &ydoc_rendered, e);

	return j ? 0 : -1;
}

TEST(alias_bombs_end_at_the_ceiling)
{
	assert_refused(laughs, NULL, ERR_LIMIT);
	assert_refused(laughs, (void *)1, ERR_LIMIT);
	assert_refused(merged_laughs, NULL, ERR_LIMIT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars_mean_what_helm_means),
		cmocka_unit_test(raw_scalars_stay_as_they_are_written),
		cmocka_unit_test(keys_become_text_as_in_helm),
		cmocka_unit_test(block_flow_and_json_are_one),
		cmocka_unit_test(nothing_is_null),
		cmocka_unit_test(strict_reading_refuses_what_a_reader_may_misread),
		cmocka_unit_test(utf16_is_not_guessed),
		cmocka_unit_test(charts_may_do_what_helm_lets_them),
		cmocka_unit_test(an_alias_is_a_copy_of_its_own),
		cmocka_unit_test(all_documents_without_the_empty_ones),
		cmocka_unit_test(lines_are_found_again),
		cmocka_unit_test(marks_stay_untouched_on_failure),
		cmocka_unit_test(only_what_is_wanted_of_a_large_index_is_kept),
		cmocka_unit_test(depth_is_counted_with_what_aliases_bring),
		cmocka_unit_test(floods_end_early),
		cmocka_unit_test(alias_bombs_end_at_the_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
