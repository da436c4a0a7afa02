/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/helmignore.h>

/* Helm's own cases (pkg/ignore) are among these. */
TEST(leaves_out_what_helm_leaves_out)
{
	static const struct { const char *rules, *path; bool folder, want; } cases[] = {
		{ "helm.txt", "helm.txt", false, true },          { "helm.*", "helm.txt", false, true },
		{ "helm.*", "rudder.txt", false, false },         { "*.txt", "cargo/a.txt", false, true },
		{ "cargo/*.txt", "cargo/a.txt", false, true },    { "cargo/*.txt", "mast/a.txt", false, false },
		{ "cargo/*.*", "cargo/a.txt", false, true },      { "ru[c-e]?er.txt", "rudder.txt", false, true },
		{ "templates/.?*", "templates/.dotfile", false, true },                    { "cargo/", "cargo", true, true },
		{ "cargo/", "cargo", false, false },              { "cargo/", "mast/", true, false },
		{ "/a.txt", "a.txt", false, true },               { "/a.txt", "cargo/a.txt", false, false },
		{ "/cargo/a.txt", "cargo/a.txt", false, true },   { "!helm.txt", "helm.txt", false, false },
		{ "!helm.txt", "tiller.txt", false, true },       { "!*.txt", "cargo", true, true },
		{ "!cargo/", "mast/", true, true },               { "!cargo/", "cargo", true, false },
		{ "", "a", false, false },                        { "# a", "a", false, false },
		{ "  a  \r\n\tb", "b", false, true },             { "a*c", "a/c", false, false },
		{ "\xef\xbb\xbf" "a", "a", false, true },         { "*", "x/y/.z", false, true },
		{ NULL, "templates/.x", false, true },            { NULL, "templates/x", false, false },
		{ ".git", ".git", true, true },                   { ".git/", "sub/.git", true, true },
		{ "[", "[", false, true },                        { "/", "a", true, false },
	};
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_helmignore struct helmignore h = { 0 };

		assert_ok(helmignore_parse(cases[i].rules, &h, &e), e);
		if (helmignore_match(&h, cases[i].path, cases[i].folder) != cases[i].want)
			fail_msg("'%s' '%s'", cases[i].rules, cases[i].path);
	}
}

TEST(refuses_what_helm_refuses_and_floods)
{
	auto_helmignore struct helmignore h = { 0 };
	struct err e = { 0 };
	char text[2200];

	assert_err(helmignore_parse("a\n**/b\n", &h, &e), e, ERR_UNSUPPORTED);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "a\n"[i % 2];
	text[sizeof(text) - 1] = '\0';
	assert_err(helmignore_parse(text, &h, &e), e, ERR_LIMIT);
	assert_int_equal(h.n, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_out_what_helm_leaves_out),
		cmocka_unit_test(refuses_what_helm_refuses_and_floods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
