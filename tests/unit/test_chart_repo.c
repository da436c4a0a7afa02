/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/chart.h>
#include <airgap/chart_repo.h>
#include <airgap/fs.h>
#include <airgap/tarball.h>

#include <sys/stat.h>

#define HEX0 "0000000000000000000000000000000000000000000000000000000000000000"
#define HEX1 "1111111111111111111111111111111111111111111111111111111111111111"
#define REPO "https://charts.example/stable?sig=s3cret"

static const char index_yaml[] =
	"apiVersion: v1\n"
	"generated: 2026-01-01T00:00:00Z\n"
	"entries:\n"
	"  other:\n"
	"  - {name: other, version: 9.9.9, urls: [other-9.9.9.tgz]}\n"
	"  web:\n"
	"  - {name: web, version: 2.0.0-rc.1, urls: [web-2.0.0-rc.1.tgz]}\n"
	"  - {name: web, version: 1.10.0, urls: ['https://cdn.example/web-1.10.0.tgz'], digest: " HEX0 ", unknown: {a: 1}}\n"
	"  - {name: web, version: 1.2.0, urls: [web-1.2.0.tgz], digest: 'sha256:" HEX1 "'}\n"
	"  - {name: web, version: 1.10, urls: [web-1.10.tgz]}\n"
	"  - {name: web, version: bad, urls: [x]}\n"
	"  - {name: web, version: 3.0.0}\n"
	"  -\n"
	"  mixed:\n"
	"  - {name: mixed, version: 1.0.0, urls: ['oci://registry.example/charts/mixed:1.0.0']}\n"
	"  twice:\n"
	"  - {name: twice, version: 1.0.0, urls: [a], digest: " HEX0 "}\n"
	"  - {name: twice, version: 1.0.0, urls: [b], digest: " HEX1 "}\n"
	"  same:\n"
	"  - {name: same, version: 1.0.0, urls: [a], digest: " HEX0 "}\n"
	"  - {name: same, version: 1.0.0, urls: [b], digest: " HEX0 "}\n"
	"  odd:\n"
	"  - {name: odd, version: 1.0.0, urls: [a], digest: md5}\n";

static int find(const char *text, const char *name, const char *constraint, struct chart_entry *out, char **near, struct err *e)
{
	return chart_index_find(text, strlen(text), REPO, name, constraint, out, near, e);
}

TEST(takes_the_best_version_and_its_address)
{
	static const struct { const char *name, *constraint, *version, *url; bool digest; } cases[] = {
		{ "web", NULL, "1.10.0", "https://cdn.example/web-1.10.0.tgz", true },
		{ "web", "", "1.10.0", "https://cdn.example/web-1.10.0.tgz", true },
		{ "web", "~1.2", "1.2.0", "https://charts.example/stable/web-1.2.0.tgz?sig=s3cret", true },
		{ "web", "1.10", "1.10", "https://charts.example/stable/web-1.10.tgz?sig=s3cret", false },
		{ "web", ">0.0.0-0", "2.0.0-rc.1", "https://charts.example/stable/web-2.0.0-rc.1.tgz?sig=s3cret", false },
		{ "mixed", "1.x", "1.0.0", "oci://registry.example/charts/mixed:1.0.0", false },
		{ "same", NULL, "1.0.0", "https://charts.example/stable/a?sig=s3cret", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_chart_entry struct chart_entry en = { 0 };
		struct err e = { 0 };
		int r = find(index_yaml, cases[i].name, cases[i].constraint, &en, NULL, &e);

		assert_ok(r, e);
		assert_int_equal(r, 1);
		assert_string_equal(en.version, cases[i].version);
		assert_string_equal(en.url, cases[i].url);
		assert_int_equal(en.has_digest, cases[i].digest);
	}
}

TEST(says_what_there_is_instead)
{
	auto_chart_entry struct chart_entry en = { 0 };
	auto_free char *near = NULL, *none = NULL;
	struct err e = { 0 };

	assert_int_equal(find(index_yaml, "web", "^4", &en, &near, &e), 0);
	assert_string_equal(near, "2.0.0-rc.1");
	assert_int_equal(find(index_yaml, "nothing", NULL, &en, &none, &e), 0);
	assert_null(none);
}

TEST(refuses_two_archives_with_one_version)
{
	auto_chart_entry struct chart_entry en = { 0 };
	struct err e = { 0 };

	assert_err(find(index_yaml, "twice", NULL, &en, NULL, &e), e, ERR_MALFORMED);
	assert_err(find(index_yaml, "odd", NULL, &en, NULL, &e), e, ERR_MALFORMED);
	assert_null(en.url);
}

TEST(reads_an_index_in_json)
{
	static const char json[] = "{\"apiVersion\":\"v1\",\"entries\":{\"web\":[{\"version\":\"1.0.0\",\"urls\":[\"a\\/web.tgz\"]}]}}";
	auto_chart_entry struct chart_entry en = { 0 };
	struct err e = { 0 };

	assert_ok(find(json, "web", NULL, &en, NULL, &e), e);
	assert_string_equal(en.url, "https://charts.example/stable/a/web.tgz?sig=s3cret");
}

TEST(refuses_what_is_no_index)
{
	static const char *const cases[] = { "<html>: [", "a: &x [1]\nb: *x\n", "\t", "entries: {web: [" };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_chart_entry struct chart_entry en = { 0 };
		struct err e = { 0 };

		assert_int_equal(find(cases[i], "web", NULL, &en, NULL, &e), -1);
		assert_null(strstr(e.msg, "s3cret"));
	}
}

/* ---- archives */

static int to_buf(struct tarball_pack *t, struct buf *out)
{
	struct sink to = { buf_sink_write, out };
	struct err e = { 0 };

	assert_ok(tarball_pack_write(t, TARBALL_GZIP, &to, &e), e);
	return 0;
}

static void add(struct tarball_pack *t, const char *name, const char *text)
{
	struct err e = { 0 };

	assert_ok(tarball_pack_add(t, name, text, strlen(text), &e), e);
}

static void pack_one(const char *metadata, struct buf *out)
{
	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();

	add(t, "web/Chart.yaml", metadata);
	add(t, "web/templates/a.yaml", "x: 1\n");
	to_buf(t, out);
}

static void chart_refused(const char *metadata, enum err_code code, const char *why)
{
	auto_buf struct buf b = BUF_INIT(CHART_MAX);
	auto_chart struct chart c = { 0 };
	struct err e = { 0 };

	pack_one(metadata, &b);
	assert_err(chart_read(b.ptr, b.len, &c, &e), e, code);
	if (!strstr(e.msg, why))
		fail_msg("'%s' does not say '%s'", e.msg, why);
}

TEST(reads_a_chart)
{
	auto_buf struct buf b = BUF_INIT(CHART_MAX), config = BUF_INIT(65536);
	auto_chart struct chart c = { 0 };
	struct err e = { 0 };

	pack_one("apiVersion: v2\nname: web\nversion: 1.2.0\nappVersion: 1.10\nkubeVersion: '>=1.25.0-0'\nannotations: {a: b}\n", &b);
	assert_ok(chart_read(b.ptr, b.len, &c, &e), e);
	assert_string_equal(c.version, "1.2.0");
	assert_string_equal(c.app_version, "1.1");
	assert_ok(chart_check(&c, "1.32", &e), e);
	assert_err(chart_check(&c, "1.24", &e), e, ERR_USAGE);
	assert_ok(chart_config(&c, &config, &e), e);
	assert_string_equal(buf_str(&config), "{\"annotations\":{\"a\":\"b\"},\"apiVersion\":\"v2\",\"appVersion\":\"1.1\","
					      "\"kubeVersion\":\">=1.25.0-0\",\"name\":\"web\",\"version\":\"1.2.0\"}");
}

TEST(refuses_what_is_no_chart)
{
	chart_refused("apiVersion: v2\nname: web\n", ERR_MALFORMED, "version");
	chart_refused("apiVersion: v2\nname: ../web\nversion: 1.0.0\n", ERR_UNSAFE, "name");
	chart_refused("apiVersion: v9\nname: web\nversion: 1.0.0\n", ERR_UNSUPPORTED, "v9");
	chart_refused("apiVersion: v2\nname: web\nversion: one\n", ERR_MALFORMED, "one");
	chart_refused("[]\n", ERR_MALFORMED, "map");
}

TEST(a_library_cannot_be_installed)
{
	auto_buf struct buf b = BUF_INIT(CHART_MAX);
	auto_chart struct chart c = { 0 };
	struct err e = { 0 };

	pack_one("apiVersion: v2\nname: web\nversion: 1.2.0\ntype: library\n", &b);
	assert_ok(chart_read(b.ptr, b.len, &c, &e), e);
	assert_err(chart_check(&c, "1.32", &e), e, ERR_USAGE);
}

#define WEB "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n- {name: redis, version: ^17}\n- {name: common, version: 2.x}\n"

TEST(names_the_dependencies_that_are_not_in_the_archive)
{
	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();
	auto_buf struct buf b = BUF_INIT(CHART_MAX);
	auto_chart struct chart c = { 0 };
	struct err e = { 0 };

	add(t, "web/Chart.yaml", WEB);
	add(t, "web/charts/redis/Chart.yaml", "apiVersion: v2\nname: redis\nversion: 16.0.0\n");
	to_buf(t, &b);
	assert_err(chart_read(b.ptr, b.len, &c, &e), e, ERR_MALFORMED);
	assert_non_null(strstr(e.msg, "lacks redis ^17, common 2.x"));
}

TEST(takes_dependencies_as_folders_and_as_archives)
{
	auto_tarball_pack struct tarball_pack *t = tarball_pack_new(), *inner = tarball_pack_new();
	auto_buf struct buf b = BUF_INIT(CHART_MAX), in = BUF_INIT(CHART_MAX);
	auto_chart struct chart c = { 0 };
	struct err e = { 0 };

	add(inner, "common/Chart.yaml", "apiVersion: v2\nname: common\nversion: 2.1.0\n");
	to_buf(inner, &in);
	add(t, "web/Chart.yaml", WEB);
	add(t, "web/charts/redis/Chart.yaml", "apiVersion: v2\nname: redis\nversion: 17.1.0\n");
	assert_ok(tarball_pack_add(t, "web/charts/common-2.1.0.tgz", in.ptr, in.len, &e), e);
	to_buf(t, &b);
	assert_ok(chart_read(b.ptr, b.len, &c, &e), e);
	assert_int_equal(c.n_dependencies, 2);
}

TEST(a_patch_changes_one_line_and_always_gives_the_same)
{
	static const char before[] = "apiVersion: v2\n# a comment\nkubeVersion: '>=1.99'\nname: web\nversion: 1.0.0\n";
	auto_buf struct buf b = BUF_INIT(CHART_MAX), once = BUF_INIT(CHART_MAX), again = BUF_INIT(CHART_MAX), text = BUF_INIT(65536);
	struct err e = { 0 };

	pack_one(before, &b);
	assert_ok(chart_patch(b.ptr, b.len, ">=1.21.0-0", &once, &e), e);
	assert_ok(chart_patch(b.ptr, b.len, ">=1.21.0-0", &again, &e), e);
	assert_int_equal(once.len, again.len);
	assert_memory_equal(once.ptr, again.ptr, once.len);
	assert_int_equal(tarball_chart_file(once.ptr, once.len, "Chart.yaml", &text, &e), 1);
	assert_string_equal(buf_str(&text), "apiVersion: v2\n# a comment\nkubeVersion: '>=1.21.0-0'\nname: web\nversion: 1.0.0\n");
}

TEST(a_patch_adds_the_line_where_there_is_none)
{
	auto_buf struct buf b = BUF_INIT(CHART_MAX), out = BUF_INIT(CHART_MAX);
	auto_chart struct chart c = { 0 };
	struct err e = { 0 };

	pack_one("apiVersion: v2\nname: web\nversion: 1.0.0", &b);
	assert_ok(chart_patch(b.ptr, b.len, ">=1.21.0-0", &out, &e), e);
	assert_ok(chart_read(out.ptr, out.len, &c, &e), e);
	assert_string_equal(c.kube_version, ">=1.21.0-0");
}

/* ---- folders */

static void write_file(const char *dir, const char *name, const char *text)
{
	auto_free char *path = fs_join(dir, name), *folder = fs_dirname(path);
	struct err e = { 0 };

	assert_ok(fs_make_dirs(folder, 0755, &e), e);
	assert_ok(fs_save(path, text, strlen(text), 0644, &e), e);
}

TEST(a_folder_is_packed_with_its_neighbours)
{
	auto_free char *dir = NULL;
	auto_buf struct buf once = BUF_INIT(CHART_MAX), again = BUF_INIT(CHART_MAX), text = BUF_INIT(65536);
	auto_chart struct chart c = { 0 };
	struct err e = { 0 };

	assert_ok(fs_temp_dir(NULL, "test-chart-", &dir, &e), e);
	auto_free char *site = fs_join(dir, "site");
	write_file(dir, "lib/Chart.yaml", "apiVersion: v2\nname: lib\nversion: 1.3.0\ntype: library\n");
	write_file(dir, "lib/templates/_x.tpl", "x");
	write_file(dir, "site/Chart.yaml",
		   "apiVersion: v2\nname: site\nversion: 1.0.0\ndependencies: [{name: lib, version: 1.x.x, repository: 'file://../lib'}]\n");
	write_file(dir, "site/.helmignore", "*.bak\n");
	write_file(dir, "site/a.bak", "no");
	assert_ok(chart_pack(site, &once, &e), e);
	assert_ok(chart_pack(site, &again, &e), e);
	assert_int_equal(once.len, again.len);
	assert_memory_equal(once.ptr, again.ptr, once.len);
	assert_ok(chart_read(once.ptr, once.len, &c, &e), e);
	assert_int_equal(tarball_chart_file(once.ptr, once.len, "charts/lib/templates/_x.tpl", &text, &e), 1);
	assert_int_equal(tarball_chart_file(once.ptr, once.len, "a.bak", &text, &e), 0);
	assert_ok(fs_remove_tree(dir, &e), e);
}

TEST(a_folder_that_leads_back_to_itself_is_refused)
{
	auto_free char *dir = NULL;
	auto_buf struct buf b = BUF_INIT(CHART_MAX);
	struct err e = { 0 };

	assert_ok(fs_temp_dir(NULL, "test-chart-", &dir, &e), e);
	auto_free char *a = fs_join(dir, "a");
	write_file(dir, "a/Chart.yaml",
		   "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies: [{name: a, version: 1.x.x, repository: 'file://../a'}]\n");
	assert_err(chart_pack(a, &b, &e), e, ERR_LIMIT);
	assert_ok(fs_remove_tree(dir, &e), e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_best_version_and_its_address),
		cmocka_unit_test(says_what_there_is_instead),
		cmocka_unit_test(refuses_two_archives_with_one_version),
		cmocka_unit_test(reads_an_index_in_json),
		cmocka_unit_test(refuses_what_is_no_index),
		cmocka_unit_test(reads_a_chart),
		cmocka_unit_test(refuses_what_is_no_chart),
		cmocka_unit_test(a_library_cannot_be_installed),
		cmocka_unit_test(names_the_dependencies_that_are_not_in_the_archive),
		cmocka_unit_test(takes_dependencies_as_folders_and_as_archives),
		cmocka_unit_test(a_patch_changes_one_line_and_always_gives_the_same),
		cmocka_unit_test(a_patch_adds_the_line_where_there_is_none),
		cmocka_unit_test(a_folder_is_packed_with_its_neighbours),
		cmocka_unit_test(a_folder_that_leads_back_to_itself_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
