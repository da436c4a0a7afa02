/* SPDX-License-Identifier: Apache-2.0 */
/* Against a kubectl that says what we want to hear; the real one is in tests/cli/deployer-cluster.sh. */
#include "unit.h"

#include <airgap/fs.h>
#include <airgap/kubectl.h>

#include <stdlib.h>

static struct err e;
static char *dir;
static struct kubectl k;

static void put(const char *name, const char *text, mode_t mode)
{
	auto_free char *path = fs_join(dir, name);

	assert_ok(fs_save(path, text, strlen(text), mode, &e), e);
}

static char *told(const char *name)
{
	auto_free char *path = fs_join(dir, name);
	struct buf b = BUF_INIT(1 << 16);

	assert_ok(fs_load(path, 1 << 16, &b, &e), e);
	return buf_take(&b);
}

/* Prints DIR/out, DIR/err, ends with DIR/status. */
static int enter(void **state)
{
	auto_free char *path = NULL;

	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	path = fs_join(dir, "kubectl");
	put("kubectl", "#!/bin/sh\nd=${0%/*}\necho \"$*\" >$d/args\nenv >$d/env\ncat >$d/in\ncat $d/out\ncat $d/err >&2\nexit $(cat $d/status)\n", 0700);
	put("out", "", 0600);
	put("err", "", 0600);
	put("status", "0", 0600);
	assert_ok(kubectl_open(&k, path, "/some/config", "ctx", &e), e);
	return 0;
}

static int leave(void **state)
{
	kubectl_close(&k);
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	return 0;
}

static void answers(const char *out, const char *err, const char *status)
{
	put("out", out, 0600);
	put("err", err, 0600);
	put("status", status, 0600);
}

TEST(objects_travel_on_stdin_and_nothing_of_ours_with_them)
{
	auto_json json_t *o = json_pack("{s:s, s:{s:s}}", "kind", "Secret", "data", "password", "hunter2");
	auto_free char *args = NULL;
	auto_free char *env = NULL;
	auto_free char *in = NULL;

	setenv("SOME_TOKEN", "hunter2", 1);
	assert_ok(kubectl_apply(&k, o, KUBECTL_APPLY, NULL, &e), e);
	args = told("args");
	env = told("env");
	in = told("in");
	assert_string_equal(args, "--context=ctx apply --server-side --field-manager=airgap-deployer --filename=- --output=json\n");
	assert_null(strstr(env, "hunter2"));
	assert_non_null(strstr(env, "KUBECONFIG=/some/config\n"));
	assert_string_equal(in, "{\"data\":{\"password\":\"hunter2\"},\"kind\":\"Secret\"}");
}

TEST(several_objects_are_one_list)
{
	auto_json json_t *o = json_pack("[{s:s}, {s:s}]", "kind", "A", "kind", "B");
	auto_json json_t *none = json_array();
	auto_json json_t *out = NULL;
	auto_free char *in = NULL;

	answers("{\"kind\":\"List\",\"items\":[{\"kind\":\"A\"},{\"kind\":\"B\"}]}", "", "0");
	assert_ok(kubectl_apply(&k, o, KUBECTL_DRY_RUN, &out, &e), e);
	assert_int_equal(json_array_size(out), 2);
	in = told("in");
	assert_string_equal(in, "{\"kind\":\"A\"}\n{\"kind\":\"B\"}\n");

	auto_free char *args = told("args");

	assert_non_null(strstr(args, "--dry-run=server --force-conflicts"));
	answers("", "must not be called", "1");
	assert_ok(kubectl_apply(&k, none, KUBECTL_APPLY, NULL, &e), e);
}

TEST(what_went_wrong_has_a_code)
{
	static const struct { const char *says; enum err_code code; } cases[] = {
		{ "Error from server (Forbidden): pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\"", ERR_PROOF },
		{ "admission webhook \"x\" denied the request: no", ERR_PROOF },
		{ "error: Apply failed with 1 conflict: conflict with \"other\" using v1: .data.a\nPlease review the fields above--they", ERR_CONFLICT },
		{ "Error from server (Forbidden): secrets is forbidden: User \"a\" cannot", ERR_AUTH },
		{ "Error from server (Forbidden): pods \"a\" is forbidden: exceeded quota: q", ERR_PREFLIGHT },
		{ "error: You must be logged in to the server (Unauthorized)", ERR_AUTH },
		{ "The connection to the server localhost:8080 was refused", ERR_CLUSTER },
		{ "Error from server (InternalError): failed calling webhook \"x\": no endpoints", ERR_CLUSTER },
		{ "", ERR_CLUSTER },
	};
	auto_json json_t *o = json_pack("{s:s}", "kind", "A");

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		answers("", cases[i].says, "1");
		assert_err(kubectl_apply(&k, o, KUBECTL_APPLY, NULL, &e), e, cases[i].code);
		assert_true(str_starts(e.msg, "kubectl apply: "));
		assert_null(strchr(e.msg, '\n'));
		assert_null(strstr(e.msg, "Please review"));
		assert_null(strstr(e.msg, "kubectl apply: error: "));
	}
}

TEST(one_object_is_there_or_not)
{
	auto_json json_t *o = NULL;

	answers("{\"kind\":\"Pod\"}", "", "0");
	assert_int_equal(kubectl_get(&k, "pod", "n", "a", &o, &e), 1);
	answers("", "", "0");
	assert_int_equal(kubectl_get(&k, "pod", "n", "a", &o, &e), 0);
	answers("", "error: the server doesn't have a resource type \"what\"", "1");
	assert_int_equal(kubectl_get(&k, "what", "n", "a", &o, &e), 0);
	answers("", "Unable to connect to the server: dial tcp", "1");
	assert_err(kubectl_get(&k, "pod", "n", "a", &o, &e), e, ERR_CLUSTER);
	answers("nonsense", "", "0");
	assert_int_equal(kubectl_get(&k, "pod", "n", "a", &o, &e), -1);
}

TEST(of_many_objects_those_come_back_that_exist)
{
	auto_json json_t *ask = json_pack("[{s:s}]", "kind", "A");
	static const struct { const char *out, *err, *status; size_t n; } cases[] = {
		{ "", "", "0", 0 },
		{ "{\"kind\":\"A\"}", "", "0", 1 },
		{ "{\"kind\":\"List\",\"items\":[{},{}]}", "", "0", 2 },
		{ "", "error: resource mapping not found: no matches for kind \"A\" in version \"b/v1\"", "1", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *out = NULL;

		answers(cases[i].out, cases[i].err, cases[i].status);
		assert_ok(kubectl_get_all(&k, ask, &out, &e), e);
		assert_int_equal(json_array_size(out), cases[i].n);
	}
}

TEST(somebody_else_may_have_been_faster)
{
	auto_json json_t *o = json_pack("{s:s}", "kind", "Lease");
	auto_json json_t *out = NULL;

	answers("", "Error from server (AlreadyExists): leases \"a\" already exists", "1");
	assert_int_equal(kubectl_create(&k, o, NULL, &e), 1);
	answers("", "Error from server (Conflict): Operation cannot be fulfilled", "1");
	assert_int_equal(kubectl_replace(&k, o, NULL, &e), 1);
	answers("", "Error from server (NotFound): leases \"a\" not found", "1");
	assert_err(kubectl_replace(&k, o, NULL, &e), e, ERR_CLUSTER);
	answers("{\"metadata\":{\"resourceVersion\":\"7\"}}", "", "0");
	assert_int_equal(kubectl_replace(&k, o, &out, &e), 0);
	assert_string_equal(jdoc_text(out, "metadata", "resourceVersion", NULL), "7");
}

TEST(the_server_tells_its_version)
{
	auto_free char *version = NULL;
	auto_strv struct strv all = { 0 };

	answers("{\"clientVersion\":{\"gitVersion\":\"v1\"},\"serverVersion\":{\"gitVersion\":\"v1.36.3\"}}", "", "0");
	assert_ok(kubectl_server_version(&k, &version, &e), e);
	assert_string_equal(version, "v1.36.3");
	answers("{\"clientVersion\":{\"gitVersion\":\"v1\"}}", "", "0");
	assert_err(kubectl_server_version(&k, &version, &e), e, ERR_CLUSTER);
	answers("v1\napps/v1\n", "", "0");
	assert_ok(kubectl_api_versions(&k, &all, &e), e);
	assert_int_equal(all.n, 2);
}

TEST(a_list_is_a_list)
{
	auto_json json_t *out = NULL;
	auto_free char *args = NULL;

	answers("{\"items\":[{}]}", "", "0");
	assert_ok(kubectl_list(&k, "pods", NULL, "a=b", &out, &e), e);
	args = told("args");
	assert_string_equal(args, "--context=ctx get pods --output=json --selector=a=b --all-namespaces\n");
	answers("{}", "", "0");
	assert_err(kubectl_list(&k, "pods", "n", NULL, &out, &e), e, ERR_CLUSTER);
}

TEST(inside_a_cluster_no_kubeconfig_is_needed)
{
	struct kubectl inside = { 0 };
	auto_free char *path = fs_join(dir, "kubectl");
	auto_free char *env = NULL;

	setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
	assert_ok(kubectl_open(&inside, path, NULL, NULL, &e), e);
	assert_ok(kubectl_delete(&inside, "pod", "n", "a", &e), e);
	env = told("env");
	assert_non_null(strstr(env, "KUBERNETES_SERVICE_HOST=10.0.0.1"));
	assert_null(strstr(env, "KUBECONFIG="));
	kubectl_close(&inside);
	unsetenv("KUBERNETES_SERVICE_HOST");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)
	static const struct CMUnitTest tests[] = {
		CASE(objects_travel_on_stdin_and_nothing_of_ours_with_them), CASE(several_objects_are_one_list),
		CASE(what_went_wrong_has_a_code), CASE(one_object_is_there_or_not), CASE(of_many_objects_those_come_back_that_exist),
		CASE(somebody_else_may_have_been_faster), CASE(the_server_tells_its_version), CASE(a_list_is_a_list),
		CASE(inside_a_cluster_no_kubeconfig_is_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
