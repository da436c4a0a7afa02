/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/credential.h>
#include <airgap/fs.h>

#include <unistd.h>

static struct err e;
static char *dir;

/* Nothing of the machine's own. */
static int enter_dir(void **state)
{
	static const char *const names[] = {
		"REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "HELM_REGISTRY_CONFIG",
		"CLEARML_DOCKERHUB_TOKEN", "CLEARML_DOCKERHUB_USERNAME", "HELM_REPO_TOKEN", "NGC_API_KEY",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	return setenv("HOME", dir, 1);
}

static int leave_dir(void **state)
{
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	return 0;
}

static void put_auth_file(const char *text)
{
	auto_free char *path = fs_join(dir, "auth.json");

	assert_ok(fs_save(path, text, strlen(text), 0600, &e), e);
	setenv("REGISTRY_AUTH_FILE", path, 1);
}

/* "user:secret" that the set gives, "" for nobody; the kind in front when it is not basic. */
static char *found(struct credential_set *s, const char *host, const char *repository)
{
	static const char *const kinds[] = { "", "bearer ", "identity " };
	auto_credential struct credential c = { 0 };
	int rc = credential_find(s, host, repository, &c, &e);

	if (rc < 0)
		return xasprintf("error %d", (int)e.code);
	if (rc == 0)
		return xstrdup("");
	return xasprintf("%s%s:%s", kinds[c.kind], c.username ? c.username : "", c.secret.text);
}

static void assert_found(struct credential_set *s, const char *host, const char *repository, const char *want)
{
	auto_free char *got = found(s, host, repository);

	assert_string_equal(got, want);
}

static struct credential_set *new_set(const struct credential_host *hosts, size_t n)
{
	struct credential_set *s = credential_set_new(hosts, n, NULL, false, &e);

	if (!s)
		fail_msg("%s", e.msg);
	return s;
}

TEST(takes_the_longest_explicit_setting)
{
	static const struct credential_host hosts[] = {
		{ .host = "Example.com", .username = "a", .password = "env:PA" },
		{ .host = "example.com/ns", .username = "env:UB", .password = "env:PB" },
		{ .host = "example.com/ns/free", .anonymous = true },
		{ .host = "example.com:5000", .token = "env:PA" },
		{ .host = "docker.io", .username = "hub", .password = "env:PB" },
		{ .host = "unset.example", .username = "a", .password = "env:UNSET_VARIABLE" },
	};
	auto_credential_set struct credential_set *s = new_set(hosts, ARRAY_LEN(hosts));

	setenv("PA", "one", 1);
	setenv("UB", "bob", 1);
	setenv("PB", "two", 1);
	assert_found(s, "example.com", "", "a:one");
	assert_found(s, "example.com", "nsx/a", "a:one");
	assert_found(s, "example.com", "ns", "bob:two");
	assert_found(s, "example.com", "ns/a", "bob:two");
	assert_found(s, "example.com", "ns/free/x", "");
	assert_found(s, "example.com:5000", "ns", "bearer :one");
	assert_found(s, "registry-1.docker.io", "library/x", "hub:two");
	assert_found(s, "other.example", "", "");
	assert_found(s, "unset.example", "", "error 2");
	setenv("PA", "changed", 1);
	assert_found(s, "example.com", "", "a:one");    /* asked once */
}

TEST(refuses_half_settings)
{
	static const struct credential_host bad[] = {
		{ .host = "a", .username = "x" },
		{ .host = "a", .password = "env:X" },
		{ .host = "a", .username = "x", .password = "env:X", .token = "env:Y" },
		{ .host = "a b", .token = "env:Y" },
		{ .host = "", .token = "env:Y" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(credential_set_new(&bad[i], 1, NULL, false, &e));
		assert_int_equal(e.code, ERR_USAGE);
	}
}

TEST(knows_variables_of_known_hosts)
{
	auto_credential_set struct credential_set *s = new_set(NULL, 0);

	setenv("CLEARML_DOCKERHUB_TOKEN", "c", 1);
	setenv("HELM_REPO_TOKEN", "h", 1);
	setenv("NGC_API_KEY", "n", 1);
	assert_found(s, "docker.io", "clearml/server", "allegroaienterprise:c");
	assert_found(s, "index.docker.io", "clearml", "allegroaienterprise:c");
	assert_found(s, "docker.io", "library/busybox", "");
	assert_found(s, "docker.io", "clearmlx/y", "");
	assert_found(s, "raw.githubusercontent.com", "clearml/charts/index.yaml", "h:h");
	assert_found(s, "raw.githubusercontent.com", "evil/charts", "");
	assert_found(s, "nvcr.io", "nvidia/x", "$oauthtoken:n");
	assert_found(s, "nvcr.io:444", "nvidia/x", "");
	setenv("CLEARML_DOCKERHUB_USERNAME", "me", 1);
	assert_found(s, "docker.io", "clearml/server", "me:c");

	auto_credential_set struct credential_set *strict = credential_set_new(NULL, 0, NULL, true, &e);

	assert_found(strict, "nvcr.io", "nvidia/x", "");
}

TEST(reads_auth_files)
{
	put_auth_file("{\"auths\": {"
		      "\"https://index.docker.io/v1/\": {\"auth\": \"aHViOnB3OndpdGg6Y29sb25z\"},"
		      "\"a.example\": {\"auth\": \"dTpw\"}, \"a.example/ns\": {\"username\": \"v\", \"password\": \"q\"},"
		      "\"https://b.example/v2/\": {\"identitytoken\": \"it\"},"
		      "\"c.example:5000\": {\"registrytoken\": \"rt\"},"
		      "\"d.example\": {}, \"e.example\": {\"auth\": \"bm9jb2xvbg==\"}, \"f.example\": {\"auth\": \"*\"}}}");

	auto_credential_set struct credential_set *s = new_set(NULL, 0);

	assert_found(s, "docker.io", "library/x", "hub:pw:with:colons");
	assert_found(s, "a.example", "x", "u:p");
	assert_found(s, "a.example", "ns/x", "v:q");
	assert_found(s, "a.example", "nsx", "u:p");
	assert_found(s, "b.example", "x", "identity :it");
	assert_found(s, "c.example:5000", "x", "bearer :rt");
	assert_found(s, "c.example", "x", "");
	assert_found(s, "d.example", "x", "");
	assert_found(s, "e.example", "x", "error 18");
	assert_null(strstr(e.msg, "nocolon"));
	assert_found(s, "f.example", "x", "error 18");
}

TEST(says_which_file_is_broken)
{
	auto_credential_set struct credential_set *s = new_set(NULL, 0);

	put_auth_file("{\"auths\": {\"a\": {}, \"a\": {}}}");
	assert_found(s, "a", "", "error 18");
	assert_non_null(strstr(e.msg, "auth.json"));
	put_auth_file("[]");

	auto_credential_set struct credential_set *again = new_set(NULL, 0);

	assert_found(again, "a", "", "error 18");
	setenv("REGISTRY_AUTH_FILE", "/nowhere/auth.json", 1);

	auto_credential_set struct credential_set *none = new_set(NULL, 0);

	assert_found(none, "a", "", "error 2");
}

TEST(makes_headers)
{
	auto_secret struct secret out = { 0 };
	struct credential c = { .kind = CREDENTIAL_BASIC, .username = (char[]){ "Aladdin" }, .secret = { (char[]){ "open sesame" } } };

	credential_header(&c, &out);
	assert_string_equal(out.text, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
	c.kind = CREDENTIAL_BEARER;
	credential_header(&c, &out);
	assert_string_equal(out.text, "Bearer open sesame");
}

/* A line break would begin a header of its own. */
TEST(refuses_what_no_header_can_hold)
{
	static const struct credential_host token = { .host = "a", .token = "env:PA" };
	static const struct credential_host user = { .host = "a", .username = "x:y", .password = "env:PA" };
	static const char *const bad[] = { "q\r\nX-Evil: 1", "q q", "q\n", "\tq", "\xc3\xa9" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_credential_set struct credential_set *s = new_set(&token, 1);

		setenv("PA", bad[i], 1);
		assert_found(s, "a", "", "error 21");
		assert_err(credential_set_resolve(s, NULL, &e), e, ERR_AUTH);
		assert_null(strstr(e.msg, bad[i]));
	}

	auto_credential_set struct credential_set *named = new_set(&user, 1), *filed = NULL;

	assert_found(named, "a", "", "error 21");
	put_auth_file("{\"auths\":{\"a\":{\"registrytoken\":\"b\\nc\"},\"b\":{\"registrytoken\":\"b.c\"}}}");
	filed = new_set(NULL, 0);
	assert_found(filed, "a", "", "error 21");
	assert_found(filed, "b", "", "bearer :b.c");
}

TEST(resolves_all_references_at_once)
{
	static const struct credential_host hosts[] = {
		{ .host = "a.example", .username = "a", .password = "env:PA" },
		{ .host = "free.example", .anonymous = true },
		{ .host = "b.example", .token = "env:UNSET_VARIABLE" },
	};
	auto_credential_set struct credential_set *good = new_set(hosts, 2), *bad = new_set(hosts, 3);
	auto_credential struct credential c = { 0 };
	auto_strv struct strv optional = { 0 };

	setenv("PA", "x", 1);
	assert_ok(credential_set_resolve(good, NULL, &e), e);
	assert_found(good, "a.example", "", "a:x");
	strv_push(&optional, "OTHER");
	assert_err(credential_set_resolve(bad, &optional, &e), e, ERR_USAGE);
	assert_non_null(strstr(e.msg, "UNSET_VARIABLE"));
	assert_non_null(strstr(e.msg, "b.example"));
	/* A manifest may name hosts that not everybody needs. */
	strv_push(&optional, "UNSET_VARIABLE");
	assert_ok(credential_set_resolve(bad, &optional, &e), e);
	assert_err(credential_find(bad, "b.example", "", &c, &e), e, ERR_USAGE);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, enter_dir, leave_dir)
	static const struct CMUnitTest tests[] = {
		T(takes_the_longest_explicit_setting),
		T(refuses_half_settings),
		T(knows_variables_of_known_hosts),
		T(reads_auth_files),
		T(says_which_file_is_broken),
		T(makes_headers),
		T(refuses_what_no_header_can_hold),
		T(resolves_all_references_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
