/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/reserved.h>

#define A "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define B "sha256:2222222222222222222222222222222222222222222222222222222222222222"

static struct err e;

static struct digest digest(const char *text)
{
	struct digest d;

	assert_true(digest_parse(text, &d));
	return d;
}

static json_t *made(const struct ref_site *names, const json_t *installed)
{
	struct content_image image = { .ref = (char *)"docker.io/demo/web:1.0", .digest = digest(A), .target = digest(B) };
	struct content_chart chart = { .name = (char *)"web", .version = (char *)"1.2.3", .archive = digest(A) };
	struct content_file file = { .name = (char *)"tool", .digest = digest(A), .blob = digest(B) };
	struct content_set set = { .kind = (char *)"python", .name = (char *)"wheels", .digest = digest(A) };
	const struct contents c = { .name = (char *)"demo", .version = (char *)"2", .images = &image, .n_images = 1, .charts = &chart,
				    .n_charts = 1, .files = &file, .n_files = 1, .sets = &set, .n_sets = 1 };
	const struct reserved r = { &c, *names, "1.33", installed };

	return reserved_on_site(&r, &e);
}

TEST(says_where_everything_is_on_site)
{
	const struct ref_site names = { "site:5000", "a/b", false };
	auto_json json_t *j = made(&names, NULL);
	auto_buf struct buf text = BUF_INIT(65536);

	assert_non_null(j);
	assert_ok(jdoc_dump(j, &text, &e), e);
	assert_string_equal(buf_str(&text),
		"{\"bundle\":{\"charts\":{\"web\":{\"digest\":\"" A "\",\"version\":\"1.2.3\"}},"
		"\"files\":{\"tool\":{\"digest\":\"" B "\",\"url\":\"site:5000/a/b/files/tool:11111111111111111111111111111111\"}},"
		"\"git\":{},\"images\":{\"docker.io/demo/web:1.0\":{\"digest\":\"" B "\",\"target\":\"site:5000/a/b/demo/web:1.0\"}},"
		"\"name\":\"demo\",\"packages\":{},"
		"\"python\":{\"wheels\":{\"digest\":\"" A "\",\"url\":\"site:5000/a/b/python/wheels:11111111111111111111111111111111\"}},"
		"\"version\":\"2\"},\"facts\":{},\"installed\":{},\"kubernetes\":{\"version\":\"1.33\"},\"side\":\"site\"}");
}

TEST(says_what_is_installed)
{
	const struct ref_site names = { "site:5000", NULL, true };
	auto_json json_t *installed = json_pack("{s:{s:s}}", "web", "version", "1.0.0");
	auto_json json_t *j = made(&names, installed);

	assert_string_equal(jdoc_text(j, "installed", "web", "version", NULL), "1.0.0");
	assert_string_equal(jdoc_text(j, "bundle", "images", "docker.io/demo/web:1.0", "target", NULL),
			    "site:5000/docker.io/demo/web:1.0");
}

TEST(names_what_has_no_legal_name_on_the_site)
{
	auto_free char *prefix = xcalloc(300, 1);

	memset(prefix, 'a', 299);

	const struct ref_site names = { "site:5000", prefix, false };

	assert_null(made(&names, NULL));
	assert_int_equal(e.code, ERR_UNSAFE);
	assert_non_null(strstr(e.msg, "image 'docker.io/demo/web:1.0'"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_where_everything_is_on_site), cmocka_unit_test(says_what_is_installed),
		cmocka_unit_test(names_what_has_no_legal_name_on_the_site),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
