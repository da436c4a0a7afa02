/* SPDX-License-Identifier: Apache-2.0 */
/* What a site chart is told of the releases that are there, over a helm and a kubectl that are scripts. */
#include "unit.h"

#include <deployer/installed.h>

#include <airgap/fs.h>

static struct err e;
static char *dir;
static struct session session;

static void put(const char *name, const char *text)
{
	auto_free char *path = fs_join(dir, name);

	assert_ok(fs_save(path, text, strlen(text), 0700, &e), e);
}

static int enter(void **state)
{
	auto_free char *helm = NULL, *kubectl = NULL, *script = NULL;

	(void)state;
	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	script = xasprintf("#!/bin/sh\n[ \"$1\" != version ] || { echo v3.22.0; exit 0; }\ncat %s/list\n", dir);
	put("helm", script);
	put("kubectl", "#!/bin/sh\ncat >/dev/null\n");
	helm = fs_join(dir, "helm");
	kubectl = fs_join(dir, "kubectl");
	session = (struct session){ .state_dir = dir, .system = json_object() };
	session.site.doc = json_pack("{s:s}", "kind", "Site");
	assert_ok(helm_open(&session.helm, helm, &e), e);
	assert_ok(kubectl_open(&session.kubectl, kubectl, NULL, NULL, &e), e);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	helm_close(&session.helm);
	kubectl_close(&session.kubectl);
	json_decref(session.system);
	json_decref(session.site.doc);
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	return 0;
}

static struct journal *opened(void)
{
	struct journal *j = NULL;

	assert_ok(journal_open(&session, "example/test", true, &j, &e), e);
	return j;
}

static char *told(const struct journal *j, json_t **now)
{
	json_t *out = NULL;
	auto_buf struct buf text = BUF_INIT(65536);

	assert_ok(installed_read(&session, j, &out, now, &e), e);
	assert_ok(jdoc_dump(out, &text, &e), e);
	json_decref(out);
	return buf_take(&text);
}

#define RELEASE(name, revision, chart) \
	"{\"name\":\"" name "\",\"namespace\":\"n\",\"revision\":\"" revision "\",\"status\":\"deployed\",\"chart\":\"" chart "\"}"

TEST(charts_and_versions_are_told_apart)
{
	static const struct { const char *chart, *wants; } cases[] = {
		{ "web-1.2.0", "\"chart\":\"web\",\"revision\":3,\"version\":\"1.2.0\"" },
		{ "clearml-enterprise-10.9.0", "\"chart\":\"clearml-enterprise\",\"revision\":3,\"version\":\"10.9.0\"" },
		{ "web-2-1.0.0-rc.1+b", "\"chart\":\"web-2\",\"revision\":3,\"version\":\"1.0.0-rc.1+b\"" },
		{ "gpu-operator-v25.3.1", "\"chart\":\"gpu-operator\",\"revision\":3,\"version\":\"v25.3.1\"" },
		{ "web", "\"chart\":\"web\",\"revision\":3,\"version\":\"\"" },
	};
	auto_journal struct journal *j = opened();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *list = xasprintf("[{\"name\":\"r\",\"namespace\":\"n\",\"revision\":\"3\",\"status\":\"failed\",\"chart\":\"%s\"}]",
						 cases[i].chart);
		auto_free char *wants = xasprintf("{\"n/r\":{%s}}", cases[i].wants);
		auto_json json_t *now = NULL;

		put("list", list);

		auto_free char *text = told(j, &now);

		assert_string_equal(text, wants);
	}
}

TEST(answers_that_are_none_are_refused)
{
	static const char *const bad[] = { "[{}]", "{}", "[1]", "nonsense",
					   "[{\"name\":\"r\",\"namespace\":\"n\",\"revision\":\"x\",\"chart\":\"web-1.0.0\"}]" };
	auto_journal struct journal *j = opened();

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_t *out = NULL, *now = NULL;

		put("list", bad[i]);
		assert_int_equal(installed_read(&session, j, &out, &now, &e), -1);
	}
}

TEST(what_helm_only_remembers_is_not_there)
{
	auto_journal struct journal *j = opened();
	auto_json json_t *now = NULL;

	put("list", "[{\"name\":\"r\",\"namespace\":\"n\",\"revision\":\"3\",\"status\":\"uninstalled\",\"chart\":\"web-1.0.0\"}]");

	auto_free char *text = told(j, &now);

	assert_string_equal(text, "{}");
}

TEST(what_was_there_is_told_until_an_install_is_whole)
{
	auto_journal struct journal *j = opened();
	auto_json json_t *before = NULL;
	auto_json json_t *during = NULL;
	auto_json json_t *after = NULL;
	auto_json json_t *about = NULL;

	put("list", "[" RELEASE("r", "7", "web-1.0.0") "," RELEASE("gone", "1", "old-1.0.0") "]");

	auto_free char *first = told(j, &before);

	assert_non_null(strstr(first, "\"n/gone\""));
	assert_ok(installed_keep(&session, j, before, "b1", &e), e);
	put("list", "[" RELEASE("r", "8", "web-2.0.0") "," RELEASE("new", "1", "new-1.0.0") "]");

	auto_free char *second = told(j, &during);

	assert_string_equal(second, "{\"n/r\":{\"chart\":\"web\",\"revision\":7,\"version\":\"1.0.0\"}}");
	assert_int_equal(json_object_size(during), 2);
	/* another run of it keeps what the first one found */
	assert_ok(installed_keep(&session, j, during, "b2", &e), e);
	assert_non_null(jdoc_at(journal_installed(j), "from", "n/gone", NULL));

	about = json_pack("{s:s, s:O, s:O}", "bundle", "b1", "site", session.site.doc, "releases", during);
	assert_ok(journal_set_installed(j, about, &e), e);

	auto_free char *third = told(j, &after);

	assert_non_null(strstr(third, "\"n/new\""));
	/* nothing is new: nothing is written */
	assert_ok(installed_keep(&session, j, after, "b1", &e), e);
	assert_null(jdoc_at(journal_installed(j), "from", NULL));
	assert_ok(installed_keep(&session, j, after, "b2", &e), e);
	assert_non_null(jdoc_at(journal_installed(j), "from", NULL));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)
	static const struct CMUnitTest tests[] = {
		CASE(charts_and_versions_are_told_apart), CASE(answers_that_are_none_are_refused),
		CASE(what_helm_only_remembers_is_not_there), CASE(what_was_there_is_told_until_an_install_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
