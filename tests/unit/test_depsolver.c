/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/buf.h>
#include <airgap/depsolver.h>

/* Each: name, version, further fields. */
static void put(struct buf *out, const char *name, const char *version, const char *fields)
{
	buf_putf(out, "Package: %s\nVersion: %s\nArchitecture: amd64\nFilename: %s.deb\nSize: 1\n%s\n", name, version, name, fields);
}

struct question { const char *index[10][3], *install, *present, *want; enum err_code code; bool recommends; };

static void split(struct strv *out, const char *names)
{
	strv_split(out, names ? names : "", ' ');
}

static int ask(const struct question *q, struct buf *answer, struct err *e)
{
	auto_depsolver struct depsolver *s = depsolver_new(DEPSOLVER_DEB, "amd64");
	auto_picks struct depsolver_picks picks = { 0 };
	auto_buf struct buf index = BUF_INIT(1u << 20);
	auto_strv struct strv install = { 0 }, present = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(q->index) && q->index[i][0]; i++)
		put(&index, q->index[i][0], q->index[i][1], q->index[i][2]);
	split(&install, q->install);
	split(&present, q->present);
	if (depsolver_add(s, buf_str(&index), index.len, e) < 0)
		return -1;
	for (size_t i = 0; i < present.n; i++)
		depsolver_add_present(s, present.items[i]);
	if (depsolver_solve(s, &install, q->recommends, &picks, e) < 0)
		return -1;
	for (size_t i = 0; i < picks.n; i++) {
		const struct depsolver_pick *p = &picks.items[i];

		assert_ptr_equal(depsolver_picks_find(&picks, p), p);
		assert_true(depsolver_picks_named(&picks, p->name));
		buf_putf(answer, "%s%s=%s", i ? " " : "", p->name, p->version);
	}
	return 0;
}

TEST(chooses_as_apt_does)
{
	static const struct question cases[] = {
		{ { { "a", "1", "" }, { "a", "1~rc", "" }, { "a", "0:0.9", "" } }, "a", NULL, "a=1" },
		{ { { "a", "1", "" }, { "a", "2", "" } }, "a=1", NULL, "a=1" },
		{ { { "a", "1", "Depends: z | b\n" }, { "b", "1", "" }, { "z", "1", "" } }, "a", NULL, "a=1 z=1" },
		{ { { "a", "1", "Depends: z (>= 2) | b\n" }, { "b", "1", "" }, { "z", "1", "" } }, "a", NULL, "a=1 b=1" },
		{ { { "a", "1", "Depends: z | b\n" }, { "b", "1", "" }, { "z", "1", "" } }, "a b", NULL, "a=1 b=1" },
		/* the real one, though another provides it and even says it replaces it */
		{ { { "a", "1", "Depends: lib (>= 1)\n" },
		    { "alib", "9", "Provides: lib (= 9)\nConflicts: lib\nReplaces: lib\n" },
		    { "lib", "1", "" } }, "a", NULL, "a=1 lib=1" },
		{ { { "a", "1", "Depends: virtual\n" }, { "c", "1", "Provides: virtual\n" } }, "a", NULL, "a=1 c=1" },
		{ { { "c", "1", "Provides: virtual\n" } }, "virtual", NULL, "c=1" },
		{ { { "a", "1", "Pre-Depends: b\nRecommends: c\n" }, { "b", "1", "" }, { "c", "1", "" } }, "a", NULL, "a=1 b=1" },
		{ { { "a", "1", "Recommends: c\n" }, { "c", "1", "" } }, "a", NULL, "a=1 c=1", ERR_NONE, true },
		{ { { "a", "1", "Depends: p:any\n" }, { "p", "1", "Multi-Arch: allowed\n" } }, "a", NULL, "a=1 p=1" },
		/* what machines have */
		{ { { "a", "1", "Depends: b\n" }, { "b", "1", "Depends: c\n" } }, "a", "b", "a=1" },
		{ { { "a", "1", "Depends: b\n" }, { "b", "1", "Depends: c\n" } }, "a b", "b", "a=1" },
		{ { { "a", "1", "Depends: gone\n" } }, "a", "gone", "a=1" },
		{ { { "a", "1", "Depends: gone (>= 2)\n" } }, "a", "gone=2.1", "a=1" },
		{ { { "a", "1", "Depends: b (>= 2)\n" }, { "b", "1", "" }, { "b", "2", "" } }, "a", "b=1", "a=1 b=2" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_buf struct buf answer = BUF_INIT(4096);
		struct err e = { 0 };

		if (ask(&cases[i], &answer, &e) < 0 || strcmp(buf_str(&answer), cases[i].want) != 0)
			fail_msg("case %zu: '%s', not '%s' (%s)", i, buf_str(&answer), cases[i].want, e.msg);
	}
}

TEST(says_why_not)
{
	static const struct question cases[] = {
		{ { { "a", "1", "" } }, "b", NULL, "b: not in the repository", ERR_USAGE },
		{ { { "linux-1-amd64", "1", "" }, { "linux-2-amd64", "1", "" }, { "linux-2-arm", "1", "" } }, "linux-3-amd64", NULL,
		  "linux-3-amd64: not in the repository; there are: linux-2-amd64, linux-1-amd64, linux-2-arm", ERR_USAGE },
		{ { { "a", "1", "" }, { "a", "2", "" } }, "a=3", NULL, "a=3: not in the repository; there are: a=2, a=1", ERR_USAGE },
		{ { { "a", "1", "Depends: b\n" }, { "b", "1", "Depends: c (>= 3)\n" }, { "c", "2", "" } }, "a", NULL,
		  "nothing provides c >= 3 needed by b-1.amd64", ERR_USAGE },
		{ { { "a", "1", "Conflicts: b\n" }, { "b", "1", "" } }, "a b", NULL,
		  "package a-1.amd64 conflicts with b provided by b-1.amd64", ERR_USAGE },
		{ { { "a", "1", "Depends: gone (>= 2)\n" } }, "a", "gone", "nothing provides gone >= 2 needed by a-1.amd64", ERR_USAGE },
		{ { { "a", "1", "" } }, "a:i386", NULL, "a:i386: not in the repository", ERR_USAGE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_buf struct buf answer = BUF_INIT(4096);
		struct err e = { 0 };

		assert_err(ask(&cases[i], &answer, &e), e, cases[i].code);
		if (!strstr(e.msg, cases[i].want))
			fail_msg("case %zu: '%s' has no '%s'", i, e.msg, cases[i].want);
	}
}

TEST(an_answer_has_a_ceiling)
{
	auto_depsolver struct depsolver *s = depsolver_new(DEPSOLVER_DEB, "amd64");
	auto_picks struct depsolver_picks picks = { 0 };
	auto_buf struct buf index = BUF_INIT(4u << 20);
	auto_strv struct strv names = { 0 };
	struct err e = { 0 };

	for (unsigned i = 0; i <= DEPSOLVER_PICKS_MAX; i++) {
		auto_free char *name = xasprintf("p%u", i), *next = xasprintf("Depends: p%u\n", MIN(i + 1, DEPSOLVER_PICKS_MAX));

		put(&index, name, "1", next);
	}
	strv_push(&names, "p0");
	assert_ok(depsolver_add(s, buf_str(&index), index.len, &e), e);
	assert_err(depsolver_solve(s, &names, false, &picks, &e), e, ERR_LIMIT);
	assert_int_equal(picks.n, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(chooses_as_apt_does),
		cmocka_unit_test(says_why_not),
		cmocka_unit_test(an_answer_has_a_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
