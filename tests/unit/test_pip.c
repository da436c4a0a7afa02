/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/pip.h>

static struct err e;

TEST(takes_requirements_and_nothing_else)
{
	static const char *const good[] = {
		"clearml-agent", "a", "Foo.Bar_baz", "a>=1.2", "a >= 1.2, < 2", "a==1.*", "a~=1.4.2", "a===1.0+local", "a[x]", "a[x, y.z]>=1",
		"a (>=1,<2)", "a; python_version < \"3.11\"", "a>=1 ; sys_platform == 'linux' and extra == 'b'", "a!=1.5,>=1!2.0",
	};
	static const char *const bad[] = {
		"", " ", "-r x", "--index-url https://x", "-e .", "a @ https://x/y.whl", "a@file:///x", "./a", "/a", "https://x/a.whl", "git+https://x",
		"a>=", "a>=1,", "a>>>>1", "a[", "a[x", "a[x y]", "a[,]]", "a (>=1", "a b", "a\nb", "a\n--index-url=x", "a # b", "a --hash=sha256:x",
		"a>=1 --config-settings=x", "a; x --y", "a\\", "$A", "a$", "\xc3\xa9", "a\x7f", "a>=1 -c x", "_a", "[x]", "a|b", "a>=1;\r",
	};
	auto_free char *longest = xmalloc(600);

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (pip_check_requirement(good[i], &e) < 0)
			fail_msg("'%s': %s", good[i], e.msg);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (pip_check_requirement(bad[i], &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
	memset(longest, 'a', 599);
	longest[599] = '\0';
	assert_err(pip_check_requirement(longest, &e), e, ERR_LIMIT);
}

TEST(takes_versions_and_platforms_of_wheels)
{
	static const struct { const char *python, *platform; bool good; } cases[] = {
		{ "3.10", "manylinux_2_28_x86_64", true },      { "3.10.14", "manylinux2014_aarch64", true },
		{ "3.12", "musllinux_1_2_x86_64", true },       { "3.9", "linux_armv7l", true },
		{ "3.9", "manylinux1_i686", true },             { "3", "manylinux_2_28_x86_64", false },
		{ "2.7", "manylinux1_x86_64", false },          { "3.10.", "manylinux_2_28_x86_64", true },
		{ "310", "manylinux_2_28_x86_64", false },      { "3.x", "manylinux_2_28_x86_64", false },
		{ "", "manylinux_2_28_x86_64", false },         { "3.10", "linux/amd64", false },
		{ "3.10", "manylinux_2_28", false },            { "3.10", "manylinux_2_28_", false },
		{ "3.10", "manylinux_3_28_x86_64", false },     { "3.10", "manylinux_2_x_x86_64", false },
		{ "3.10", "win_amd64", false },                 { "3.10", "", false },
		{ "3.10", "linux_x86 --target=/", false },      { "3.99999", "linux_x86_64", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if ((pip_check_target(cases[i].python, cases[i].platform, &e) == 0) != cases[i].good)
			fail_msg("'%s' '%s'", cases[i].python, cases[i].platform);
}

#define SHA "0f0f071f516c26df04e84e664d4f4dd95c6be26b85b5c64fb75122266abb0e77"
#define WHEEL(name, version, url, hash) "{\"download_info\": {\"url\": \"" url "\", \"archive_info\": {" hash "}}, " \
	"\"metadata\": {\"name\": \"" name "\", \"version\": \"" version "\"}}"
#define HASHES "\"hashes\": {\"sha256\": \"" SHA "\"}"
#define REPORT(items) "{\"version\": \"1\", \"install\": [" items "]}"

static int parse(const char *text, struct pip_wheels *out)
{
	return pip_report_parse(text, strlen(text), out, &e);
}

TEST(reads_a_report)
{
	auto_pip_wheels struct pip_wheels w = { 0 };

	assert_ok(parse(REPORT(WHEEL("b.C", "1.0+x", "https://h/p/b_c-1.0%2Bx-py3-none-any.whl?q=1#sha256=ab", HASHES) ", "
			       WHEEL("a", "2", "https://h/a-2-py3-none-any.whl", "\"hash\": \"sha256=" SHA "\"")), &w), e);
	assert_int_equal(w.n, 2);
	assert_string_equal(w.items[0].file, "a-2-py3-none-any.whl");
	assert_string_equal(w.items[1].file, "b_c-1.0+x-py3-none-any.whl");
	assert_string_equal(w.items[1].url, "https://h/p/b_c-1.0%2Bx-py3-none-any.whl?q=1");
	assert_string_equal(w.items[1].name, "b.C");
}

TEST(refuses_reports_that_are_none)
{
	static const struct { const char *text; enum err_code code; } cases[] = {
		{ "", ERR_MALFORMED }, { "[]", ERR_MALFORMED }, { "{}", ERR_MALFORMED }, { "{\"install\": {}}", ERR_MALFORMED },
		{ REPORT("1"), ERR_MALFORMED },
		{ REPORT(WHEEL("a", "1", "file:///a-1-py3-none-any.whl", HASHES)), ERR_UNSUPPORTED },
		{ REPORT(WHEEL("a", "1", "https://h/a-1.tar.gz", HASHES)), ERR_UNSAFE },
		{ REPORT(WHEEL("a", "1", "https://h/..%2Fa-1-py3-none-any.whl", HASHES)), ERR_UNSAFE },
		{ REPORT(WHEEL("a", "1", "https://h/.a-1-py3-none-any.whl", HASHES)), ERR_UNSAFE },
		{ REPORT(WHEEL("a", "1", "https://h/a%00-1-py3-none-any.whl", HASHES)), ERR_UNSAFE },
		{ REPORT(WHEEL("a", "1", "https://h/a-1-py3-none-any.whl", "")), ERR_MALFORMED },
		{ REPORT(WHEEL("a", "1", "https://h/a-1-py3-none-any.whl", "\"hash\": \"md5=12\"")), ERR_MALFORMED },
		{ REPORT(WHEEL("a/b", "1", "https://h/a-1-py3-none-any.whl", HASHES)), ERR_MALFORMED },
		{ REPORT(WHEEL("a", "1<b>", "https://h/a-1-py3-none-any.whl", HASHES)), ERR_MALFORMED },
		{ REPORT(WHEEL("a", "1", "https://h/a-1-py3-none-any.whl", HASHES) "," WHEEL("a", "1", "https://i/a-1-py3-none-any.whl", HASHES)),
		  ERR_MALFORMED },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_pip_wheels struct pip_wheels w = { 0 };

		if (parse(cases[i].text, &w) == 0 || e.code != cases[i].code)
			fail_msg("%zu: %d: %s", i, e.code, e.msg);
		assert_int_equal(w.n, 0);
	}
}

TEST(writes_an_index)
{
	auto_pip_wheels struct pip_wheels w = { 0 };
	auto_buf struct buf all = BUF_INIT(10000), one = BUF_INIT(10000);
	auto_free char *name = pip_normal_name("B.-_C");

	assert_string_equal(name, "b-c");
	assert_ok(parse(REPORT(WHEEL("b.C", "1.0+x", "https://h/b_c-1.0%2Bx-py3-none-any.whl", HASHES) ", "
			       WHEEL("a", "2", "https://h/a-2-py3-none-any.whl", HASHES)), &w), e);
	pip_page(&w, NULL, &all);
	pip_page(&w, "b-c", &one);
	assert_non_null(strstr(buf_str(&all), "<a href=\"a/\">a</a><br>\n<a href=\"b-c/\">b-c</a><br>\n"));
	assert_non_null(strstr(buf_str(&one), "<a href=\"../../b_c-1.0%2Bx-py3-none-any.whl#sha256=" SHA "\">b_c-1.0+x-py3-none-any.whl</a>"));
	assert_null(strstr(buf_str(&one), "a-2-py3"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_requirements_and_nothing_else),
		cmocka_unit_test(takes_versions_and_platforms_of_wheels),
		cmocka_unit_test(reads_a_report),
		cmocka_unit_test(refuses_reports_that_are_none),
		cmocka_unit_test(writes_an_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
