/* SPDX-License-Identifier: Apache-2.0 */
/* The site file that the cluster keeps: what of it is obeyed by a machine that applied it, and by one that did not. */
#include "unit.h"

#include <deployer/applied.h>

#include <airgap/fs.h>
#include <airgap/yaml.h>

#include <sys/stat.h>
#include <unistd.h>

#define STREAM "example/test"
#define SITE   "apiVersion: airgap/v1\nkind: Site\n"
#define REFERS SITE "registry: {host: r, username: u, password: 'file:secret', ca: ca.pem}\n"

static struct err e;
static char *dir, *folder;

static int enter(void **state)
{
	char *made = NULL;

	(void)state;
	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	made = fs_join(dir, "site");
	assert_ok(fs_make_dirs(made, 0700, &e), e);
	folder = realpath(made, NULL);
	free(made);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	free(TAKE(folder));
	return 0;
}

static json_t *record(const char *site)
{
	json_t *doc = ydoc_parse(site, strlen(site), &ydoc_user, "t", NULL, &e);

	assert_non_null(doc);
	return json_pack("{s:s, s:o}", "stream", STREAM, "site", doc);
}

/* As an install with the site file FOLDER/site.yaml leaves it. */
static void apply(const char *site)
{
	auto_free char *path = fs_join(folder, "site.yaml");
	struct session s = { .state_dir = dir };

	assert_ok(fs_save(path, site, strlen(site), 0600, &e), e);
	assert_ok(site_load(path, &s.site, &e), e);
	assert_ok(applied_save(&s, STREAM, &e), e);
	site_release(&s.site);
}

static char *state_file(void)
{
	auto_strv struct strv names = { 0 };

	assert_ok(fs_list(dir, &names, &e), e);
	for (size_t i = 0; i < names.n; i++)
		if (str_starts(names.items[i], "site-"))
			return fs_join(dir, names.items[i]);
	fail_msg("no file");
	return NULL;
}

static void refused(const char *site)
{
	auto_json json_t *installed = record(site);
	struct session s = { .state_dir = dir };

	assert_err(session_site_kept(&s, installed, &e), e, ERR_USAGE);
	assert_string_equal(e.msg, "site kept in the cluster: it refers to files or variables of the machine that applied it: give "
				   "--site FILE");
	assert_null(s.site.doc);
	err_clear(&e);
}

TEST(what_refers_to_a_machine_is_not_taken_from_the_cluster_alone)
{
	static const char *const bad[] = {
		REFERS,
		SITE "registry: {host: r, username: u, password: 'env:X'}\n",
		SITE "registry: {host: r, username: u, password: $(file:/etc/shadow)}\n",
		SITE "registry: {host: r, username: u, password: prompt}\n",
		SITE "registry: {host: r, ca: /tmp/ca.pem}\n",
		SITE "registry: {host: r, plainHTTP: true}\n",
		SITE "kubernetes: {kubeconfig: /tmp/other}\n",
		SITE "kubernetes: {context: other}\n",
		SITE "tls: {list: [1, {key: 'x $(file:wild.key)'}]}\n",
		SITE "a: {b: 'x$(env:HOME|base64)'}\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		refused(bad[i]);
}

TEST(what_refers_to_none_is_taken_and_not_remembered_as_ours)
{
	auto_json json_t *installed = record(SITE "registry: {host: r}\ntoken: $(secret:a/b)\nfile: 'profile: x'\n");
	struct session s = { .state_dir = dir };
	char *found = NULL;

	assert_ok(session_site_kept(&s, installed, &e), e);
	assert_string_equal(s.site.registry.host, "r");
	assert_true(s.foreign);
	assert_ok(applied_save(&s, STREAM, &e), e);
	assert_int_equal(applied_find(&s, STREAM, json_object_get(installed, "site"), &found, &e), 0);
	site_release(&s.site);
}

TEST(ours_is_taken_with_the_folder_it_was_in)
{
	auto_json json_t *installed = record(REFERS);
	struct session s = { .state_dir = dir };
	struct stat st;

	apply(REFERS);
	assert_ok(session_site_kept(&s, installed, &e), e);
	assert_false(s.foreign);
	assert_string_equal(s.site.dir, folder);
	site_release(&s.site);

	auto_free char *file = state_file();

	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

TEST(any_other_than_ours_is_refused)
{
	apply(REFERS);
	refused(REFERS "x: 1\n");
	refused(SITE "registry: {host: 'other:1', username: u, password: 'file:secret', ca: ca.pem}\n");
	refused(SITE "registry: {host: r, plainHTTP: true, username: u, password: 'file:secret', ca: ca.pem}\n");
	apply(REFERS "x: 1\n");
	refused(REFERS);
}

TEST(a_damaged_memory_is_none)
{
	static const char *const bad[] = { "", "{", "[]", "{\"site\":1}", "{\"folder\":\"/\"}", "{\"folder\":\"/\",\"site\":\"sha256:0\"}" };

	apply(REFERS);

	auto_free char *file = state_file();

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_ok(fs_save(file, bad[i], strlen(bad[i]), 0600, &e), e);
		refused(REFERS);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_refers_to_a_machine_is_not_taken_from_the_cluster_alone, enter, leave),
		cmocka_unit_test_setup_teardown(what_refers_to_none_is_taken_and_not_remembered_as_ours, enter, leave),
		cmocka_unit_test_setup_teardown(ours_is_taken_with_the_folder_it_was_in, enter, leave),
		cmocka_unit_test_setup_teardown(any_other_than_ours_is_refused, enter, leave),
		cmocka_unit_test_setup_teardown(a_damaged_memory_is_none, enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
