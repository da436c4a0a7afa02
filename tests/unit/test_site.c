/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/fs.h>
#include <airgap/site.h>

static struct err e;
static char *dir;

static int enter_dir(void **state)
{
	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	return 0;
}

static int leave_dir(void **state)
{
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	return 0;
}

static int load(const char *text, struct site *out)
{
	auto_free char *path = fs_join(dir, "site.yaml");

	assert_ok(fs_save(path, text, strlen(text), 0600, &e), e);
	return site_load(path, out, &e);
}

#define HEAD "apiVersion: airgap/v1\nkind: Site\n"

TEST(a_site_file_says_where_things_go)
{
	auto_site struct site s = { 0 };

	assert_ok(load(HEAD "registry: {host: \"r:5000\", push: \"p:1\", prefix: a/b, keepHost: true, ca: ca.pem, username: u, password: env:X}\n"
			    "kubernetes: {kubeconfig: k, context: c, version: \"1.36\"}\nprofile: standard\nreleases: {web: {name: n}}\n"
			    "mine: {anything: [1]}\n", &s), e);
	assert_string_equal(s.registry.host, "r:5000");
	assert_string_equal(site_push_host(&s), "p:1");
	assert_string_equal(s.registry.password, "env:X");
	assert_string_equal(s.kubeconfig, "k");
	assert_string_equal(s.context, "c");
	assert_string_equal(s.kube_version, "1.36");
	assert_string_equal(s.profile, "standard");
	assert_non_null(json_object_get(s.doc, "mine"));

	struct ref_site names = site_names(&s);

	assert_string_equal(names.prefix, "a/b");
	assert_true(names.keep_host);
}

TEST(what_is_not_said_has_a_default)
{
	auto_site struct site s = { 0 };

	assert_ok(load(HEAD "registry: {host: r, push: \"\", prefix: \"\", username: \"\", password: \"\"}\nkubernetes: {version: \"\"}\n", &s), e);
	assert_string_equal(site_push_host(&s), "r");
	assert_null(s.registry.prefix);
	assert_null(s.registry.username);
	assert_null(s.registry.password);
	assert_null(s.kube_version);
	assert_string_equal(s.profile, "nonroot");
}

TEST(a_named_file_must_be_there)
{
	auto_site struct site s = { 0 };
	auto_free char *absent = fs_join(dir, "absent.yaml");

	assert_int_equal(site_load(absent, &s, &e), -1);
	assert_null(s.doc);
}

TEST(a_wrong_file_is_refused_with_its_line)
{
	static const struct { const char *text; enum err_code code; const char *says; } cases[] = {
		{ "kind: Site\n", ERR_MALFORMED, "apiVersion" },
		{ "apiVersion: airgap/v2\nkind: Site\n", ERR_MALFORMED, "not a site file" },
		{ "apiVersion: airgap/v1\nkind: Manifest\n", ERR_MALFORMED, "not a site file" },
		{ HEAD "registry: {hots: a}\n", ERR_MALFORMED, "site.yaml:3: registry: unknown key 'hots': did you mean 'host'?" },
		{ HEAD "registry:\n  prefix: a\n  keephost: true\n", ERR_MALFORMED, "site.yaml:5: registry: unknown key 'keephost': did you mean 'keepHost'?" },
		{ HEAD "registry: text\n", ERR_MALFORMED, "registry" },
		{ HEAD "\nprofile: root\n", ERR_MALFORMED, "site.yaml:4: profile: 'root': use nonroot" },
		{ HEAD "kubernetes: {kubeconfg: a}\n", ERR_MALFORMED, "did you mean 'kubeconfig'?" },
		{ HEAD "registry: {mode: mirror}\n", ERR_MALFORMED, "mode" },
		{ HEAD "registry: {mode: serve}\n", ERR_UNSUPPORTED, "registry.mode: 'serve' is not supported" },
		{ HEAD "registry: {rewrite: none}\n", ERR_MALFORMED, "registry.rewrite: 'none': use" },
		{ HEAD "registry: {host: a}\nregistry: {host: b}\n", ERR_MALFORMED, "site.yaml:4" },
		{ "- a\n", ERR_MALFORMED, "site.yaml" },
		{ "", ERR_MALFORMED, "site.yaml" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_site struct site s = { 0 };

		err_clear(&e);
		if (load(cases[i].text, &s) == 0)
			fail_msg("took %s", cases[i].text);
		if (e.code != cases[i].code || !strstr(e.msg, cases[i].says))
			fail_msg("%s\nsays %d: %s", cases[i].text, e.code, e.msg);
		assert_null(s.doc);
	}
}

TEST(a_password_is_a_reference_or_refused)
{
	static const struct { const char *written, *kept; } good[] = {
		{ "env:TOKEN", "env:TOKEN" }, { "file:/run/secret", "file:/run/secret" }, { "prompt", "prompt" },
		{ "$(env:TOKEN)", "env:TOKEN" }, { "$(file:p.txt)", "file:p.txt" },
	};
	static const char *const bad[] = { "hunter2", "$(env:TOKEN", "$(secret:a/b)", "$(env:A)$(env:B)", "$(env:A|base64)", "x$(env:A)",
					   "prompt2", "ENV:X" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		auto_site struct site s = { 0 };
		auto_free char *text = xasprintf(HEAD "registry: {host: r, username: u, password: \"%s\"}\n", good[i].written);

		assert_ok(load(text, &s), e);
		assert_string_equal(s.registry.password, good[i].kept);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_site struct site s = { 0 };
		auto_free char *text = xasprintf(HEAD "registry:\n  host: r\n  password: \"%s\"\n", bad[i]);

		assert_err(load(text, &s), e, ERR_MALFORMED);
		assert_non_null(strstr(e.msg, "site.yaml:5: registry.password: a password in the open"));
		assert_null(strstr(e.msg, bad[i]));
	}
}

TEST(a_recorded_site_is_read_like_a_file)
{
	auto_site struct site s = { 0 };
	auto_json json_t *doc = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "airgap/v1", "kind", "Site", "registry", "host", "r");

	assert_ok(site_from_json(doc, "the site recorded at build", &s, &e), e);
	assert_string_equal(s.registry.host, "r");
	assert_null(s.path);

	auto_site struct site none = { 0 };

	json_object_del(doc, "kind");
	assert_err(site_from_json(doc, "the site recorded at build", &none, &e), e, ERR_MALFORMED);
	assert_non_null(strstr(e.msg, "the site recorded at build"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_site_file_says_where_things_go, enter_dir, leave_dir),
		cmocka_unit_test_setup_teardown(what_is_not_said_has_a_default, enter_dir, leave_dir),
		cmocka_unit_test_setup_teardown(a_named_file_must_be_there, enter_dir, leave_dir),
		cmocka_unit_test_setup_teardown(a_wrong_file_is_refused_with_its_line, enter_dir, leave_dir),
		cmocka_unit_test_setup_teardown(a_password_is_a_reference_or_refused, enter_dir, leave_dir),
		cmocka_unit_test_setup_teardown(a_recorded_site_is_read_like_a_file, enter_dir, leave_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
