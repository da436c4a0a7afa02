/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/rpmmd.h>

#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SUM  "<checksum type=\"sha256\">" HASH "</checksum>"
#define MD(x) "<repomd>" x "</repomd>"
#define DATA(x) "<data type=\"primary\">" x "</data>"
#define PLACE "<location href=\"repodata/p.xml.gz\"/>"

TEST(reads_repomd)
{
	static const char text[] = MD("<revision>17</revision><data type=\"filelists\"><checksum type=\"md5\">x</checksum></data>"
				      DATA(SUM PLACE "<open-size>99</open-size><size>7</size>"));
	auto_rpmmd struct rpmmd md = { 0 };
	struct err e = { 0 };

	assert_ok(rpmmd_parse(text, strlen(text), &md, &e), e);
	assert_string_equal(md.revision, "17");
	assert_string_equal(md.primary, "repodata/p.xml.gz");
	assert_int_equal(md.size, 7);
}

TEST(refuses_repomd_that_leads_elsewhere)
{
	static const struct { const char *text; enum err_code code; } cases[] = {
		{ "", ERR_MALFORMED },
		{ "<repomd>", ERR_MALFORMED },
		{ MD(""), ERR_MALFORMED },
		{ MD(DATA(SUM)), ERR_MALFORMED },
		{ MD(DATA(PLACE)), ERR_MALFORMED },
		{ MD(DATA(SUM PLACE) DATA(SUM PLACE)), ERR_MALFORMED },
		{ MD(DATA(SUM PLACE PLACE)), ERR_MALFORMED },
		{ MD(DATA("<checksum type=\"sha\">" HASH "</checksum>" PLACE)), ERR_UNSUPPORTED },
		{ MD(DATA("<checksum>" HASH "</checksum>" PLACE)), ERR_UNSUPPORTED },
		{ MD(DATA("<checksum type=\"sha256\">00</checksum>" PLACE)), ERR_MALFORMED },
		{ MD(DATA(SUM "<location href=\"../p.xml\"/>")), ERR_UNSAFE },
		{ MD(DATA(SUM "<location href=\"/p.xml\"/>")), ERR_UNSAFE },
		{ MD(DATA(SUM "<location href=\"http://x/p.xml\"/>")), ERR_UNSAFE },
		{ MD(DATA(SUM "<location/>")), ERR_UNSAFE },
		{ MD(DATA(SUM "<location xml:base=\"http://x/\" href=\"p.xml\"/>")), ERR_UNSUPPORTED },
		{ "<!DOCTYPE r [<!ENTITY a \"b\">]>" MD(DATA(SUM PLACE)), ERR_UNSAFE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_rpmmd struct rpmmd md = { 0 };
		struct err e = { 0 };

		assert_err(rpmmd_parse(cases[i].text, strlen(cases[i].text), &md, &e), e, cases[i].code);
		assert_null(md.primary);
	}
}

struct seen { const char *text; size_t n; char last[200], slice[600]; };

static int on_package(void *ctx, const struct rpm_package *p, struct err *e)
{
	struct seen *s = ctx;

	s->n++;
	snprintf(s->last, sizeof(s->last), "%s %s %s %s %ju", p->name, p->version, p->architecture, p->path, (uintmax_t)p->size);
	snprintf(s->slice, sizeof(s->slice), "%.*s|%.*s", (int)p->length, s->text + p->at, (int)p->location_length,
		 s->text + p->location_at);
	return s->n > 2 ? err_set(e, ERR_LIMIT, "enough") : 0;
}

#define PACKAGE(version, size, place) "<package type=\"rpm\"><name>web</name><arch>noarch</arch>" version SUM \
	"<description>&lt;package&gt;</description>" size place "<format><location href=\"x\"/></format></package>"
#define V "<version epoch=\"2\" ver=\"3\" rel=\"1\"/>"
#define S "<size package=\"12\"/>"
#define L "<location href=\"a/web.rpm\"/>"

TEST(walks_packages_and_says_where_they_stand)
{
	static const char text[] = "<metadata>" PACKAGE("<version epoch=\"0\" ver=\"1\" rel=\"\"/>", S, L) "\n" PACKAGE(V, S, L) "</metadata>";
	struct seen s = { .text = text };
	struct err e = { 0 };

	assert_ok(rpmmd_each(text, strlen(text), on_package, &s, &e), e);
	assert_int_equal(s.n, 2);
	assert_string_equal(s.last, "web 2:3-1 noarch a/web.rpm 12");
	assert_string_equal(s.slice, PACKAGE(V, S, L) "|" L);
}

TEST(refuses_packages_that_cannot_be_carried)
{
	static const struct { const char *text; enum err_code code; } cases[] = {
		{ "<m>" PACKAGE("", S, L) "</m>", ERR_MALFORMED },
		{ "<m>" PACKAGE(V, "", L) "</m>", ERR_MALFORMED },
		{ "<m>" PACKAGE(V, S, "") "</m>", ERR_MALFORMED },
		{ "<m>" PACKAGE(V, S, L L) "</m>", ERR_MALFORMED },
		{ "<m>" PACKAGE(V, S, "<location href=\"../a\"/>") "</m>", ERR_UNSAFE },
		{ "<m>" PACKAGE(V, S, "<location xml:base=\"http://x\" href=\"a\"/>") "</m>", ERR_UNSUPPORTED },
		{ "<m>" PACKAGE(V, S "<checksum type=\"sha512\">00</checksum>", L) "</m>", ERR_UNSUPPORTED },
		{ "<m>" PACKAGE(V, S, L), ERR_MALFORMED },
		{ "<m>" PACKAGE(V, S, L) PACKAGE(V, S, L) PACKAGE(V, S, L) "</m>", ERR_LIMIT },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seen s = { .text = cases[i].text };
		struct err e = { 0 };

		assert_err(rpmmd_each(cases[i].text, strlen(cases[i].text), on_package, &s, &e), e, cases[i].code);
	}
}

TEST(floods_end_early)
{
	auto_buf struct buf deep = BUF_INIT(1u << 20);
	struct seen s = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < 1000; i++)
		buf_puts(&deep, "<a>");
	assert_err(rpmmd_each(buf_str(&deep), deep.len, on_package, &s, &e), e, ERR_LIMIT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_repomd),
		cmocka_unit_test(refuses_repomd_that_leads_elsewhere),
		cmocka_unit_test(walks_packages_and_says_where_they_stand),
		cmocka_unit_test(refuses_packages_that_cannot_be_carried),
		cmocka_unit_test(floods_end_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
