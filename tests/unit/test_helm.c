/* SPDX-License-Identifier: Apache-2.0 */
/* Against the real programs, version 3 and 4, without a cluster; and against one that says what we want to hear. */
#include "unit.h"

#include <airgap/chart.h>
#include <airgap/fs.h>
#include <airgap/helm.h>

#include <stdlib.h>
#include <unistd.h>

static struct err e;
static char *dir, *chart;

static void put(const char *name, const char *text, mode_t mode)
{
	auto_free char *path = fs_join(dir, name);
	auto_free char *folder = fs_dirname(path);

	assert_ok(fs_make_dirs(folder, 0700, &e), e);
	assert_ok(fs_save(path, text, strlen(text), mode, &e), e);
}

static int enter(void **state)
{
	auto_buf struct buf archive = BUF_INIT(1 << 20);
	auto_free char *folder = NULL;

	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	put("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\nkubeVersion: \">=1.30.0-0\"\n", 0600);
	put("c/values.yaml", "a: {x: 1, z: 2}\nsecret: none\n", 0600);
	put("c/values.schema.json", "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"object\",\"additionalProperties\":false,"
				    "\"properties\":{\"x\":{},\"z\":{}}}}}", 0600);
	put("c/crds/crd.yaml", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: d}\n", 0600);
	put("c/templates/a.yaml",
	    "{{- if .Values.fail }}{{ fail .Values.fail }}{{ end -}}\n"
	    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
	    "data:\n  a: {{ .Values.a | toJson | quote }}\n  version: {{ .Capabilities.KubeVersion }}\n"
	    "  has: {{ .Capabilities.APIVersions.Has \"mine/v1\" | quote }}\n  upgrade: {{ .Release.IsUpgrade | quote }}\n"
	    "  text: |\n    ---\n    # Source: not/one\n    kind: Pod\n"
	    "---\napiVersion: v1\nkind: List\nitems: [{kind: A, metadata: {name: one}}, {kind: A, metadata: {name: two}}]\n"
	    "---\n---\n# only a comment\n", 0600);
	put("c/templates/h.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: h, annotations: {helm.sh/hook: \"pre-install,pre-upgrade\"}}\n", 0600);
	put("c/templates/t.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\n", 0600);
	folder = fs_join(dir, "c");
	chart = fs_join(dir, "c.tgz");
	assert_ok(chart_pack(folder, &archive, &e), e);
	assert_ok(fs_save(chart, archive.ptr, archive.len, 0600, &e), e);
	return 0;
}

static int leave(void **state)
{
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	free(TAKE(chart));
	return 0;
}

/* Opens version 3 or 4 from the tool cache; false: not there. */
static bool opened(struct helm *h, int major)
{
	auto_free char *cache = getenv("AIRGAP_CACHE") ? xstrdup(getenv("AIRGAP_CACHE")) : fs_cache_dir();
	auto_free char *tools = fs_join(cache, "tools");
	auto_free char *prefix = xasprintf("helm-v%d.", major);
	auto_strv struct strv names = { 0 };
	struct err ignored;

	if (fs_list(tools, &names, &ignored) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = xasprintf("%s/%s/helm", tools, names.items[i]);

		if (!str_starts(names.items[i], prefix) || access(path, X_OK) < 0)
			continue;
		assert_ok(helm_open(h, path, &e), e);
		assert_int_equal(h->major, major);
		return true;
	}
	return false;
}

/* A test body for each version that is there. */
static void each(void (*body)(struct helm *h))
{
	unsigned n = 0;

	for (int major = 3; major <= 4; major++) {
		auto_helm struct helm h = { 0 };

		if (!opened(&h, major))
			continue;
		body(&h);
		n++;
	}
	if (!n)
		skip();
}

static const struct helm_object *find(const struct helm_objects *o, const char *kind, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (str_eq(jdoc_text(o->items[i].object, "kind", NULL), kind) &&
		    str_eq(jdoc_text(o->items[i].object, "metadata", "name", NULL), name))
			return &o->items[i];
	fail_msg("no %s %s", kind, name);
	return NULL;
}

static void renders(struct helm *h)
{
	auto_strv struct strv versions = { 0 };
	auto_json json_t *base = json_pack("{s:{s:i}}", "a", "z", 7);
	auto_json json_t *values = json_pack("{s:{s:n}}", "a", "x");
	const json_t *bases[] = { base, NULL };
	struct helm_render r = { .chart = chart, .release = "rel", .ns = "n", .values = values, .base = bases, .kube_version = "v1.36.3",
				 .api_versions = &versions, .is_upgrade = true };
	auto_helm_objects struct helm_objects o = { 0 };
	const struct helm_object *map;

	strv_push(&versions, "mine/v1");
	assert_ok(helm_template(h, &r, &o, &e), e);
	assert_int_equal(o.n, 6);
	map = find(&o, "ConfigMap", "rel");
	assert_string_equal(map->source, "c/templates/a.yaml");
	/* null took the chart's default away. */
	assert_string_equal(jdoc_text(map->object, "data", "a", NULL), "{\"z\":7}");
	assert_string_equal(jdoc_text(map->object, "data", "version", NULL), "v1.36.3");
	assert_string_equal(jdoc_text(map->object, "data", "has", NULL), "true");
	assert_string_equal(jdoc_text(map->object, "data", "upgrade", NULL), "true");
	assert_string_equal(jdoc_text(map->object, "data", "text", NULL), "---\n# Source: not/one\nkind: Pod\n");
	find(&o, "A", "two");
	find(&o, "CustomResourceDefinition", "d");
	assert_true(find(&o, "Pod", "h")->hook && !find(&o, "Pod", "h")->test);
	assert_true(find(&o, "Pod", "t")->hook && find(&o, "Pod", "t")->test);

	auto_strv struct strv left = { 0 };

	assert_ok(fs_list(h->home, &left, &e), e);
	for (size_t i = 0; i < left.n; i++)
		assert_false(str_starts(left.items[i], "values-"));
}

TEST(a_chart_is_rendered_with_values_and_versions) { each(renders); }

static void says_why(struct helm *h)
{
	static const struct { const char *values, *kube; enum err_code code; const char *says; } cases[] = {
		{ "{\"fail\":\"image a: not in the bundle b 1\"}", "1.36", ERR_MALFORMED, "execution error at (c/templates/a.yaml:1:25): image a: not in the bundle b 1" },
		{ "{\"a\":{\"hots\":1}}", "1.36", ERR_MALFORMED, "- at '/a': additional properties 'hots' not allowed" },
		{ "{}", "1.20", ERR_PREFLIGHT, "chart requires kubeVersion: >=1.30.0-0" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *values = jdoc_parse(cases[i].values, strlen(cases[i].values), 4096, "values", &e);
		auto_helm_objects struct helm_objects o = { 0 };
		struct helm_render r = { .chart = chart, .release = "rel", .ns = "n", .values = values, .kube_version = cases[i].kube };

		assert_err(helm_template(h, &r, &o, &e), e, cases[i].code);
		if (!strstr(e.msg, cases[i].says) || strchr(e.msg, '\n'))
			fail_msg("%s", e.msg);
	}
}

TEST(a_chart_that_does_not_render_says_why_on_one_line) { each(says_why); }

static void finds_no_cluster(struct helm *h)
{
	struct helm_release r = { 0 };

	h->kubeconfig = xstrdup("/dev/null");
	assert_err(helm_status(h, "rel", "n", &r, &e), e, ERR_CLUSTER);
	assert_non_null(strstr(e.msg, "helm list: "));
}

TEST(without_a_cluster_a_release_cannot_be_asked_for) { each(finds_no_cluster); }

/* ---- a helm of our own ---- */

/* Says its version; else keeps its arguments and does what DIR/do says. */
static void fake(struct helm *h, const char *version, const char *body)
{
	auto_free char *path = fs_join(dir, "helm");
	auto_free char *script = xasprintf("#!/bin/sh\nd=%s\n[ \"$1\" != version ] || { echo %s; exit 0; }\n"
					   "echo \"$*\" >>$d/args\nenv >$d/env\n%s\n", dir, version, body);

	put("helm", script, 0700);
	assert_ok(helm_open(h, path, &e), e);
}

static char *told(const char *name)
{
	auto_free char *path = fs_join(dir, name);
	struct buf b = BUF_INIT(1 << 16);

	assert_ok(fs_load(path, 1 << 16, &b, &e), e);
	return buf_take(&b);
}

TEST(what_is_not_helm_is_refused)
{
	static const char *const bad[] = { "v2.17.0", "v5.0.0", "3.1.0", "hello", "" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_helm struct helm h = { 0 };
		auto_free char *path = fs_join(dir, "helm");
		auto_free char *script = xasprintf("#!/bin/sh\necho '%s'\n", bad[i]);

		put("helm", script, 0700);
		assert_err(helm_open(&h, path, &e), e, ERR_PREFLIGHT);
	}

	auto_helm struct helm h = { 0 };

	assert_err(helm_open(&h, "/absent/helm", &e), e, ERR_PREFLIGHT);
}

TEST(a_release_is_upgraded_in_the_words_of_each_version)
{
	static const struct { const char *version, *wants; bool server; } cases[] = {
		{ "v3.22.0", "--wait --wait-for-jobs --timeout=90s --take-ownership", false },
		{ "v4.3.1", "--server-side=true --force-conflicts", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_helm struct helm h = { 0 };
		auto_json json_t *values = json_pack("{s:s}", "password", "hunter2");
		struct helm_install in = { .render = { .chart = "c.tgz", .release = "rel", .ns = "n", .values = values }, .timeout = 90,
					   .take_ownership = true };
		auto_free char *args = NULL;
		auto_free char *env = NULL;

		setenv("HELM_DRIVER", "memory", 1);
		setenv("SOME_TOKEN", "hunter2", 1);
		fake(&h, cases[i].version, "for a; do case $a in --values=*) cat ${a#--values=} >$d/values; stat -c %a ${a#--values=} >$d/mode ;; esac; done");
		h.kubeconfig = xstrdup("/some/config");
		h.context = xstrdup("ctx");
		assert_ok(helm_upgrade(&h, &in, &e), e);
		args = told("args");
		env = told("env");
		assert_true(str_starts(args, "upgrade --install rel c.tgz --namespace=n --values="));
		assert_non_null(strstr(args, cases[i].wants));
		assert_non_null(strstr(args, "--kube-context=ctx"));
		assert_int_equal(strstr(args, "--force-conflicts") != NULL, cases[i].server);
		assert_null(strstr(args, "hunter2"));
		assert_null(strstr(env, "hunter2"));
		assert_null(strstr(env, "HELM_DRIVER"));
		assert_non_null(strstr(env, "KUBECONFIG=/some/config\n"));

		auto_free char *kept = told("values"), *mode = told("mode");

		assert_string_equal(kept, "{\"password\":\"hunter2\"}");
		assert_string_equal(mode, "600\n");
		put("args", "", 0600);
	}
}

TEST(a_failure_has_its_code_and_helms_words)
{
	static const struct { const char *says; enum err_code code; } cases[] = {
		{ "Error: UPGRADE FAILED: context deadline exceeded", ERR_NOT_READY },
		{ "Error: UPGRADE FAILED: timed out waiting for the condition", ERR_NOT_READY },
		{ "Error: resource Job/n/j not ready. status: InProgress", ERR_NOT_READY },
		{ "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress", ERR_CONFLICT },
		{ "Error: Unable to continue with install: ConfigMap \\\"a\\\" exists and cannot be imported: invalid ownership metadata", ERR_CONFLICT },
		{ "Error: UPGRADE FAILED: conflict occurred while applying object", ERR_CONFLICT },
		{ "Error: Kubernetes cluster unreachable: Get", ERR_CLUSTER },
		{ "Error: something else", ERR_CLUSTER },
		{ "", ERR_CLUSTER },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_helm struct helm h = { 0 };
		struct helm_install in = { .render = { .chart = "c", .release = "rel", .ns = "n" }, .timeout = 1 };
		auto_free char *body = xasprintf("echo 'level=WARN msg=\"upgrade failed\"' >&2; printf '%%s\\n' \"%s\" >&2; exit 1", cases[i].says);

		fake(&h, "v4.3.1", body);
		assert_err(helm_upgrade(&h, &in, &e), e, cases[i].code);
		assert_true(str_starts(e.msg, "helm upgrade rel: "));
		assert_null(strstr(e.msg, "Error: "));
	}
}

TEST(a_list_of_releases_is_read)
{
	struct helm_release r = { 0 };
	auto_helm struct helm h = { 0 };
	auto_free char *args = NULL;

	fake(&h, "v3.22.0", "cat $d/answer");
	put("answer", "[{\"name\":\"a.b\",\"revision\":\"12\",\"status\":\"pending-upgrade\",\"chart\":\"web-1.2.0\",\"app_version\":\"1\"}]", 0600);
	assert_int_equal(helm_status(&h, "a.b", "n", &r, &e), 1);
	assert_string_equal(r.status, "pending-upgrade");
	assert_string_equal(r.chart, "web-1.2.0");
	assert_int_equal(r.revision, 12);
	helm_release_free(&r);
	args = told("args");
	assert_non_null(strstr(args, "--filter=^a[.]b$"));
	assert_non_null(strstr(args, "--all"));
	put("answer", "[]", 0600);
	assert_int_equal(helm_status(&h, "a", "n", &r, &e), 0);
	put("answer", "[{\"name\":\"a\"}]", 0600);
	assert_err(helm_status(&h, "a", "n", &r, &e), e, ERR_CLUSTER);
	put("answer", "nonsense", 0600);
	assert_int_equal(helm_status(&h, "a", "n", &r, &e), -1);
}

TEST(all_releases_are_listed)
{
	auto_helm struct helm h = { 0 };
	auto_json json_t *list = NULL;
	auto_free char *args = NULL;

	fake(&h, "v3.22.0", "cat $d/answer");
	put("answer", "[{\"name\":\"a\",\"namespace\":\"n\",\"revision\":\"1\",\"status\":\"deployed\",\"chart\":\"web-1.2.0\"}]", 0600);
	assert_ok(helm_list(&h, NULL, &list, &e), e);
	assert_int_equal(json_array_size(list), 1);
	args = told("args");
	assert_non_null(strstr(args, "--all-namespaces"));
	assert_non_null(strstr(args, "--max=0"));
	json_decref(list);
	list = NULL;
	free(args);
	put("answer", "[]", 0600);
	assert_ok(helm_list(&h, "n", &list, &e), e);
	args = told("args");
	assert_non_null(strstr(args, "--namespace=n"));
	json_decref(list);
	list = NULL;
	put("answer", "{}", 0600);
	assert_err(helm_list(&h, NULL, &list, &e), e, ERR_CLUSTER);
}

TEST(releases_that_may_not_be_listed_are_told_apart)
{
	auto_helm struct helm h = { 0 };
	json_t *list = NULL;

	fake(&h, "v3.22.0", "echo 'Error: list: failed to list: secrets is forbidden: User \"u\" cannot list resource \"secrets\"' >&2; exit 1");
	assert_err(helm_list(&h, NULL, &list, &e), e, ERR_AUTH);
}

TEST(no_such_release_is_no_error)
{
	auto_helm struct helm h = { 0 };
	auto_helm_objects struct helm_objects o = { 0 };
	json_t *values = NULL;

	fake(&h, "v3.22.0", "echo 'Error: release: not found' >&2; exit 1");
	assert_int_equal(helm_get_values(&h, "a", "n", &values, &e), 0);
	assert_int_equal(helm_get_manifest(&h, "a", "n", &o, &e), 0);
}

TEST(undoing_is_asked_for_plainly)
{
	auto_helm struct helm h = { 0 };
	auto_free char *args = NULL;

	fake(&h, "v3.22.0", "");
	assert_ok(helm_rollback(&h, "rel", "n", 4, 30, &e), e);
	assert_ok(helm_uninstall(&h, "rel", "n", 30, &e), e);
	args = told("args");
	assert_string_equal(args, "rollback rel 4 --namespace=n --wait --wait-for-jobs --timeout=30s\n"
				  "uninstall rel --namespace=n --ignore-not-found --wait --timeout=30s\n");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)
	static const struct CMUnitTest tests[] = {
		CASE(a_chart_is_rendered_with_values_and_versions), CASE(a_chart_that_does_not_render_says_why_on_one_line),
		CASE(without_a_cluster_a_release_cannot_be_asked_for), CASE(what_is_not_helm_is_refused),
		CASE(a_release_is_upgraded_in_the_words_of_each_version), CASE(a_failure_has_its_code_and_helms_words),
		CASE(a_list_of_releases_is_read), CASE(all_releases_are_listed),
		CASE(releases_that_may_not_be_listed_are_told_apart),
		CASE(no_such_release_is_no_error), CASE(undoing_is_asked_for_plainly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
