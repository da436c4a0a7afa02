/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/platform.h>

static struct platform parse(const char *text)
{
	struct platform p = { 0 };
	struct err e = { 0 };

	assert_ok(platform_parse(text, &p, &e), e);
	return p;
}

TEST(other_spellings_become_the_usual_one)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "linux/amd64", "linux/amd64" },     { "linux/x86_64", "linux/amd64" },  { "Linux/X86-64", "linux/amd64" },
		{ "linux/amd64/v1", "linux/amd64" },  { "linux/amd64/v3", "linux/amd64/v3" },
		{ "linux/aarch64", "linux/arm64" },   { "linux/arm64/v8", "linux/arm64" }, { "linux/arm64/8", "linux/arm64" },
		{ "linux/arm64/v9.2", "linux/arm64/v9.2" },                                { "linux/arm", "linux/arm/v7" },
		{ "linux/armhf", "linux/arm/v7" },    { "linux/armel", "linux/arm/v6" },   { "linux/arm/6", "linux/arm/v6" },
		{ "macos/arm64", "darwin/arm64" },    { "linux/i386", "linux/386" },       { "windows/amd64", "windows/amd64" },
		{ "unknown/unknown", "unknown/unknown" },                                  { "linux/riscv64", "linux/riscv64" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct platform p = parse(cases[i].text);
		char text[PLATFORM_TEXT];

		assert_string_equal(platform_format(&p, text), cases[i].want);
		p = parse(text);
		assert_string_equal(platform_format(&p, text), cases[i].want);
	}
}

TEST(refuses_what_is_no_platform)
{
	static const char *const cases[] = {
		"", "linux", "linux/", "/amd64", "linux/amd64/", "linux/amd64/v1/x", "linux amd64", "linux/a b", "linux/amd64/v1 ",
		"linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/amd64", "linux/arm/aaaaaaaaaaaaaaaa",
		"linux/../../etc", "all", "linux/\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct platform p;
		struct err e = { 0 };

		assert_err(platform_parse(cases[i], &p, &e), e, ERR_MALFORMED);
	}
}

TEST(matches_what_runs_and_prefers_the_nearest)
{
	static const struct { const char *want, *better, *worse, *never; } cases[] = {
		{ "linux/amd64", "linux/amd64", NULL, "linux/amd64/v2" },
		{ "linux/amd64/v3", "linux/amd64/v3", "linux/amd64/v2", "linux/amd64/v4" },
		{ "linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386" },
		{ "linux/arm/v7", "linux/arm/v7", "linux/arm/v6", "linux/arm64" },
		{ "linux/arm/v6", "linux/arm/v6", "linux/arm/v5", "linux/arm/v7" },
		{ "linux/arm64", "linux/arm64", NULL, "linux/arm64/v8.1" },
		{ "linux/arm64", "linux/arm64", NULL, "linux/arm64/v9" },
		{ "linux/arm64/v8.2", "linux/arm64/v8.1", "linux/arm64", "linux/arm64/v8.3" },
		{ "linux/arm64/v9.1", "linux/arm64/v9", "linux/arm64/v8.6", "linux/arm64/v8.7" },
		{ "linux/arm64/v9", "linux/arm64/v8.5", "linux/arm64", "linux/arm64/v9.1" },
		{ "linux/amd64", "linux/amd64", NULL, "windows/amd64" },
		{ "linux/ppc64le", "linux/ppc64le", NULL, "linux/ppc64le/power9" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct platform want = parse(cases[i].want), better = parse(cases[i].better), never = parse(cases[i].never);
		unsigned most = platform_match(&want, &better);

		if (!most || platform_match(&want, &never))
			fail_msg("%s", cases[i].want);
		if (cases[i].worse) {
			struct platform worse = parse(cases[i].worse);
			unsigned less = platform_match(&want, &worse);

			if (!less || less >= most)
				fail_msg("%s: %s", cases[i].want, cases[i].worse);
		}
	}
}

TEST(no_platform_matches_nothing)
{
	struct platform none = { 0 }, p = parse("linux/amd64"), unknown = parse("unknown/unknown");
	char text[PLATFORM_TEXT];

	assert_int_equal(platform_match(&none, &none), 0);
	assert_int_equal(platform_match(&p, &none), 0);
	assert_int_equal(platform_match(&p, &unknown), 0);
	assert_true(platform_unknown(&unknown));
	assert_false(platform_unknown(&none));
	assert_true(platform_eq(&p, &p));
	assert_false(platform_eq(&p, &none));
	assert_string_equal(platform_format(&none, text), "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_spellings_become_the_usual_one),
		cmocka_unit_test(refuses_what_is_no_platform),
		cmocka_unit_test(matches_what_runs_and_prefers_the_nearest),
		cmocka_unit_test(no_platform_matches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
