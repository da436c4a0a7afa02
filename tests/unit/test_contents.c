/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/contents.h>

static struct err e;

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define D3 "sha256:3333333333333333333333333333333333333333333333333333333333333333"

#define IMAGE(ref) "{\"ref\":\"" ref "\",\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" D1 \
	"\",\"target\":\"" D1 "\"}"
#define CHART(name) "{\"name\":\"" name "\",\"version\":\"1.0.0\",\"role\":\"chart\",\"digest\":\"" D1 "\",\"archive\":\"" D2 "\"}"
#define FILE_(name, more) "{\"name\":\"" name "\",\"file\":\"f.run\",\"digest\":\"" D1 "\",\"blob\":\"" D2 "\"" more "}"
#define ALL(what) "{\"name\":\"demo\",\"version\":\"1.2.0\"," what "}"

static int parse(const char *text, struct contents *out)
{
	return contents_parse(text, strlen(text), "bundle.json", out, &e);
}

/* One of everything, in the one spelling. */
static const char whole[] =
	"{\"apiVersions\":[\"monitoring.coreos.com/v1\"],\"builder\":\"bundler 0.1.0\",\"charts\":[{\"appVersion\":\"2\","
	"\"archive\":\"" D2 "\",\"digest\":\"" D1 "\",\"kubeVersion\":\">=1.21\",\"name\":\"web\","
	"\"origin\":\"https://charts.example\",\"role\":\"site\",\"size\":7,\"version\":\"1.0.0+b1\"}],"
	"\"files\":[{\"blob\":\"" D2 "\",\"digest\":\"" D1 "\",\"file\":\"helm\",\"mode\":\"755\",\"name\":\"helm\","
	"\"platform\":\"linux/amd64\",\"role\":\"tool\",\"size\":9}],"
	"\"images\":[{\"children\":[{\"carried\":true,\"digest\":\"" D2 "\",\"platform\":\"linux/amd64\"},"
	"{\"digest\":\"" D3 "\",\"platform\":\"linux/s390x\"}],\"digest\":\"" D1 "\","
	"\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"notes\":[\"one platform of two\"],"
	"\"reasons\":[{\"chart\":\"web\",\"file\":\"templates/d.yaml\",\"kind\":\"Deployment\",\"path\":\"spec.image\"}],"
	"\"ref\":\"docker.io/library/busybox:1.36\",\"size\":12,\"source\":\"mirror.example/hub/library/busybox\","
	"\"tags\":[\"1.36-x\"],\"target\":\"" D2 "\"}],\"kubeVersion\":\"1.32\",\"name\":\"demo\","
	"\"notCarried\":[{\"image\":\"a/b:1\",\"reason\":\"off\"}],\"platforms\":[\"linux/amd64\"],\"site\":\"web\","
	"\"siteValues\":{\"a\":{\"b\":[1,true,null]}},\"version\":\"1.2.0\"}";

TEST(reads_and_writes_one_spelling)
{
	auto_contents struct contents c = { 0 };
	auto_buf struct buf out = BUF_INIT(CONTENTS_MAX);

	assert_ok(parse(whole, &c), e);
	assert_ok(contents_dump(&c, &out, &e), e);
	assert_string_equal(buf_str(&out), whole);
	assert_int_equal(c.images[0].n_children, 2);
	assert_true(c.images[0].children[0].carried);
	assert_false(c.images[0].children[1].carried);
}

TEST(finds_by_name)
{
	auto_contents struct contents c = { 0 };

	assert_ok(parse(ALL("\"images\":[" IMAGE("a.io/a:1") "," IMAGE("a.io/b:1") "],\"charts\":[" CHART("a") "," CHART("b") "],"
		"\"files\":[" FILE_("f", "") "," FILE_("f", ",\"platform\":\"linux/amd64\"") ","
		FILE_("g", ",\"platform\":\"linux/amd64\"") "," FILE_("h", ",\"platform\":\"linux/amd64\"") ","
		FILE_("h", ",\"platform\":\"linux/arm64\"") "]"), &c), e);
	assert_ptr_equal(contents_image(&c, "a.io/b:1"), &c.images[1]);
	assert_null(contents_image(&c, "a.io/c:1"));
	assert_ptr_equal(contents_chart(&c, "a"), &c.charts[0]);
	assert_null(contents_chart(&c, "c"));
	assert_ptr_equal(contents_file(&c, "f", "linux/amd64"), &c.files[1]);
	assert_ptr_equal(contents_file(&c, "f", "linux/arm64"), &c.files[0]);
	assert_ptr_equal(contents_file(&c, "f", NULL), &c.files[0]);
	assert_ptr_equal(contents_file(&c, "g", NULL), &c.files[2]);
	assert_null(contents_file(&c, "g", "linux/arm64"));
	assert_null(contents_file(&c, "h", NULL));
	assert_null(contents_file(&c, "i", NULL));
}

TEST(an_empty_one_has_nothing)
{
	struct contents c = { 0 };

	assert_null(contents_image(&c, "a"));
	assert_null(contents_chart(&c, "a"));
	assert_null(contents_file(&c, "a", NULL));
	contents_sort(&c);
	contents_release(&c);
}

TEST(refuses_what_is_wrong)
{
	static const struct { const char *text; enum err_code code; const char *says; } cases[] = {
		{ "", ERR_MALFORMED, "bundle.json" },
		{ "{}", ERR_MALFORMED, "name" },
		{ "{\"name\":\"\",\"version\":\"1\"}", ERR_MALFORMED, "name" },
		{ "{\"name\":\"a\\\"b\",\"version\":\"1\"}", ERR_MALFORMED, "printable" },
		{ "{\"name\":\"a\",\"version\":\"1\\n\"}", ERR_MALFORMED, "version" },
		{ ALL("\"imges\":[]"), ERR_MALFORMED, "imges" },
		{ ALL("\"platforms\":[\"x86_64\"]"), ERR_MALFORMED, "x86_64" },
		{ ALL("\"platforms\":[\"linux/x86_64\"]"), ERR_MALFORMED, "linux/amd64" },
		{ ALL("\"images\":[" IMAGE("busybox:1") "]"), ERR_MALFORMED, "docker.io/library/busybox:1" },
		{ ALL("\"images\":[" IMAGE("a.io/b") "]"), ERR_MALFORMED, "neither tag nor digest" },
		{ ALL("\"images\":[" IMAGE("a.io/b:1") "," IMAGE("a.io/b:1") "]"), ERR_MALFORMED, "twice" },
		{ ALL("\"images\":[" IMAGE("a.io/b:1") "," IMAGE("a.io/a:1") "]"), ERR_MALFORMED, "out of order" },
		{ ALL("\"images\":[{\"ref\":\"a.io/b:1\",\"mediaType\":\"m\",\"digest\":\"" D1 "\",\"target\":\"" D2 "\"}]"),
		  ERR_MALFORMED, "target" },
		{ ALL("\"images\":[{\"ref\":\"a.io/b:1\",\"mediaType\":\"m\",\"digest\":\"" D1 "\",\"target\":\"" D2
		  "\",\"children\":[{\"digest\":\"" D2 "\",\"platform\":\"linux/amd64\"}]}]"), ERR_MALFORMED, "target" },
		{ ALL("\"images\":[{\"ref\":\"a.io/b:1\",\"mediaType\":\"m\",\"digest\":\"" D1 "\",\"target\":\"" D1
		  "\",\"tags\":[\"a/b\"]}]"), ERR_UNSAFE, "a/b" },
		{ ALL("\"charts\":[" CHART("Web") "]"), ERR_UNSAFE, "Web" },
		{ ALL("\"charts\":[" CHART("a/b") "]"), ERR_UNSAFE, "a/b" },
		{ ALL("\"charts\":[" CHART("..") "]"), ERR_UNSAFE, ".." },
		{ ALL("\"charts\":[" CHART("a") "," CHART("a") "]"), ERR_MALFORMED, "twice" },
		{ ALL("\"charts\":[" CHART("a") "],\"site\":\"a\""), ERR_MALFORMED, "site chart" },
		{ ALL("\"files\":[" FILE_("a b", "") "]"), ERR_UNSAFE, "a b" },
		{ ALL("\"files\":[" FILE_("a", ",\"mode\":\"7777\"") "]"), ERR_MALFORMED, "mode" },
		{ ALL("\"files\":[" FILE_("a", ",\"role\":\"x\"") "]"), ERR_MALFORMED, "role" },
		{ ALL("\"files\":[" FILE_("a", ",\"platform\":\"amd64\"") "]"), ERR_MALFORMED, "amd64" },
		{ ALL("\"files\":[{\"name\":\"a\",\"file\":\"../x\",\"digest\":\"" D1 "\",\"blob\":\"" D1 "\"}]"), ERR_UNSAFE, "../x" },
		{ ALL("\"files\":[{\"name\":\"a\",\"file\":\"a b\",\"digest\":\"" D1 "\",\"blob\":\"" D1 "\"}]"), ERR_UNSAFE, "a b" },
		{ ALL("\"files\":[{\"name\":\"a\",\"file\":\"-x\",\"digest\":\"" D1 "\",\"blob\":\"" D1 "\"}]"), ERR_UNSAFE, "-x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct contents c = { 0 };

		if (parse(cases[i].text, &c) == 0)
			fail_msg("taken: %s", cases[i].text);
		if (e.code != cases[i].code || !strstr(e.msg, cases[i].says))
			fail_msg("%s: %d: %s", cases[i].text, (int)e.code, e.msg);
		assert_null(c.name);
	}
}

TEST(sorts_into_the_order_it_checks)
{
	static struct content_image images[] = { { .ref = (char *)"b" }, { .ref = (char *)"a" } };
	static struct content_file files[] = {
		{ .name = (char *)"f", .platform = (char *)"linux/arm64" }, { .name = (char *)"f" }, { .name = (char *)"e" },
	};
	struct contents c = { .images = images, .n_images = 2, .files = files, .n_files = 3 };

	contents_sort(&c);
	assert_string_equal(images[0].ref, "a");
	assert_string_equal(files[0].name, "e");
	assert_null(files[1].platform);
}

TEST(a_description_over_1_mib_is_refused)
{
	auto_contents struct contents c = { .name = xstrdup("a"), .version = xstrdup("1") };
	auto_buf struct buf out = BUF_INIT(2 * CONTENTS_MAX);
	char big[1000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	c.not_carried = json_array();
	for (size_t i = 0; i < 1100; i++)
		json_array_append_new(c.not_carried, json_string(big));
	assert_err(contents_dump(&c, &out, &e), e, ERR_LIMIT);
	assert_int_equal(out.len, 0);
}

#define REFERRER(d, more) "{\"digest\":\"" d "\",\"mediaType\":\"m/m\"" more "}"
#define WITH(referrers) ALL("\"images\":[{\"ref\":\"a.io/a:1\",\"mediaType\":\"m/m\",\"digest\":\"" D1 "\",\"target\":\"" D1 "\",\"referrers\":[" referrers "]}]")

TEST(what_belongs_to_an_image_stands_in_one_order)
{
	static const struct { const char *text; enum err_code code; } bad[] = {
		{ WITH(REFERRER(D2, "") "," REFERRER(D1, "")), ERR_MALFORMED },
		{ WITH(REFERRER(D1, "") "," REFERRER(D1, "")), ERR_MALFORMED },
		{ WITH(REFERRER(D1, ",\"tag\":\"b\"") "," REFERRER(D1, ",\"tag\":\"a\"")), ERR_MALFORMED },
		{ WITH(REFERRER(D1, ",\"tag\":\"a\"") "," REFERRER(D1, "")), ERR_MALFORMED },
		{ WITH(REFERRER(D1, ",\"tag\":\"../x\"")), ERR_UNSAFE },
		{ WITH("{\"digest\":\"" D1 "\"}"), ERR_MALFORMED },
	};
	auto_contents struct contents c = { 0 };

	assert_ok(parse(WITH(REFERRER(D1, "") "," REFERRER(D1, ",\"tag\":\"a.sig\"") "," REFERRER(D2, ",\"artifactType\":\"x/y\"")), &c), e);
	assert_int_equal(c.images[0].n_referrers, 3);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct contents none = { 0 };

		if (parse(bad[i].text, &none) == 0 || e.code != bad[i].code)
			fail_msg("%s: %s", bad[i].text, e.msg);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_one_spelling),
		cmocka_unit_test(finds_by_name),
		cmocka_unit_test(an_empty_one_has_nothing),
		cmocka_unit_test(refuses_what_is_wrong),
		cmocka_unit_test(sorts_into_the_order_it_checks),
		cmocka_unit_test(a_description_over_1_mib_is_refused),
		cmocka_unit_test(what_belongs_to_an_image_stands_in_one_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
