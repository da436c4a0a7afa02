/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/pod.h>
#include <airgap/proof.h>
#include <airgap/yaml.h>

/* A pod that keeps every rule. The cases below change one thing. */
static const char good[] =
	"{\"securityContext\":{\"runAsNonRoot\":true,\"runAsUser\":1000,\"seccompProfile\":{\"type\":\"RuntimeDefault\"}},"
	"\"volumes\":[{\"name\":\"a\",\"emptyDir\":{}},{\"name\":\"b\",\"secret\":{\"secretName\":\"s\"}}],"
	"\"initContainers\":[{\"name\":\"init\",\"securityContext\":{\"allowPrivilegeEscalation\":false,"
	"\"capabilities\":{\"drop\":[\"ALL\"]}}}],"
	"\"containers\":[{\"name\":\"main\",\"ports\":[{\"containerPort\":80}],\"securityContext\":"
	"{\"allowPrivilegeEscalation\":false,\"capabilities\":{\"drop\":[\"ALL\"],\"add\":[\"NET_BIND_SERVICE\"]}}}]}";

static json_t *parse(const char *text)
{
	struct err e = { 0 };
	json_t *j = ydoc_parse(text, strlen(text), &ydoc_rendered, "test", NULL, &e);

	if (!j)
		fail_msg("%s", e.msg);
	return j;
}

/* Deep, as a JSON merge patch: null removes. */
static void patch(json_t *into, const json_t *over)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)over, key, v) {
		json_t *old = json_object_get(into, key);

		if (json_is_null(v))
			json_object_del(into, key);
		else if (json_is_object(v) && json_is_object(old))
			patch(old, v);
		else
			json_object_set(into, key, v);
	}
}

static json_t *pod(const char *pod_patch, const char *container_patch)
{
	json_t *spec = parse(good);
	auto_json json_t *p = pod_patch ? parse(pod_patch) : json_object();
	auto_json json_t *c = container_patch ? parse(container_patch) : json_object();

	patch(spec, p);
	patch(json_array_get(json_object_get(spec, "containers"), 0), c);
	return spec;
}

/* The same pod in each of the places where one may stand. */
static const char *const kinds[] = { "Pod", "Deployment", "CronJob", "Custom", "ConfigMap" };

static json_t *object_with(const char *kind, json_t *spec)
{
	auto_json json_t *s = spec;

	if (strcmp(kind, "Pod") == 0)
		return json_pack("{s:s, s:O}", "kind", kind, "spec", s);
	if (strcmp(kind, "Deployment") == 0)
		return json_pack("{s:s, s:{s:{s:O}}}", "kind", kind, "spec", "template", "spec", s);
	if (strcmp(kind, "CronJob") == 0)
		return json_pack("{s:s, s:{s:{s:{s:{s:O}}}}}", "kind", kind, "spec", "jobTemplate", "spec", "template", "spec", s);
	if (strcmp(kind, "Custom") == 0)
		return json_pack("{s:s, s:{s:[{s:O}]}}", "kind", kind, "spec", "groups", "podSpec", s);

	auto_free char *text = json_dumps(s, JSON_COMPACT);
	auto_free char *yaml = xasprintf("apiVersion: v1\nkind: Pod\nspec: %s\n", text);

	return json_pack("{s:s, s:{s:s}}", "kind", kind, "data", "template.yaml", yaml);
}

static struct helm_objects one(json_t *object)
{
	struct helm_objects o = { xcalloc(1, sizeof(struct helm_object)), 1 };

	o.items[0] = (struct helm_object){ .object = object, .source = xstrdup("c/templates/x.yaml") };
	return o;
}

struct said { struct strv lines; };

static void hear(void *ctx, const struct pod_template *t, const char *path, const char *what)
{
	struct said *s = ctx;

	strv_pushf(&s->lines, "%s: %s: %s", t->kind, path, what);
}

static struct strv judge(const char *kind, json_t *spec, bool fixed_uid)
{
	auto_helm_objects struct helm_objects o = one(object_with(kind, spec));
	auto_pods struct pod_templates pods = { 0 };
	struct said s = { { 0 } };
	struct err e = { 0 };

	assert_ok(pod_find_templates(&o, &pods, &e), e);
	assert_int_equal(pods.n, 1);
	assert_int_equal(pods.items[0].embedded, strcmp(kind, "Custom") == 0 || strcmp(kind, "ConfigMap") == 0);
	pod_check_restricted(&pods.items[0], fixed_uid, hear, &s);
	return s.lines;
}

TEST(a_pod_that_keeps_every_rule_passes_wherever_it_stands)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		auto_strv struct strv said = judge(kinds[i], pod(NULL, NULL), true);

		if (said.n)
			fail_msg("%s", said.items[0]);
	}
}

TEST(each_rule_is_judged_wherever_the_pod_stands)
{
	static const struct { const char *pod, *container, *says; } cases[] = {
		{ "{hostNetwork: true}", NULL, "hostNetwork: not allowed" },
		{ "{hostPID: true}", NULL, "hostPID: not allowed" },
		{ "{hostIPC: true}", NULL, "hostIPC: not allowed" },
		{ "{securityContext: {runAsUser: 0}}", NULL, "securityContext: runAsUser is 0" },
		{ "{securityContext: {runAsNonRoot: null}}", NULL, "runAsNonRoot: set it to true" },
		{ "{securityContext: {seccompProfile: null}}", NULL, "seccompProfile: set type RuntimeDefault" },
		{ "{securityContext: {seccompProfile: {type: Unconfined}}}", NULL, "securityContext: seccompProfile: set type" },
		{ "{securityContext: {sysctls: [{name: kernel.msgmax, value: \"1\"}]}}", NULL, "sysctls: one that is not safe" },
		{ "{securityContext: {seLinuxOptions: {type: spc_t}}}", NULL, "seLinuxOptions: only the types" },
		{ "{securityContext: {seLinuxOptions: {user: system_u}}}", NULL, "seLinuxOptions: only the types" },
		{ "{securityContext: {appArmorProfile: {type: Unconfined}}}", NULL, "appArmorProfile: use RuntimeDefault" },
		{ "{securityContext: {windowsOptions: {hostProcess: true}}}", NULL, "windowsOptions.hostProcess: not allowed" },
		{ "{volumes: [{name: v, hostPath: {path: /}}]}", NULL, "volumes: hostPath: a kind of volume" },
		{ "{volumes: [{name: v, nfs: {server: a, path: /}}]}", NULL, "volumes: nfs: a kind of volume" },
		{ NULL, "{securityContext: {privileged: true}}", "containers[main]: privileged: set it to false" },
		{ NULL, "{securityContext: {allowPrivilegeEscalation: null}}", "containers[main]: allowPrivilegeEscalation" },
		{ NULL, "{securityContext: {allowPrivilegeEscalation: true}}", "containers[main]: allowPrivilegeEscalation" },
		{ NULL, "{securityContext: {runAsNonRoot: false}}", "containers[main]: runAsNonRoot: set it to true" },
		{ NULL, "{securityContext: {runAsUser: 0}}", "containers[main]: runAsUser is 0" },
		{ NULL, "{securityContext: {seccompProfile: {type: Unconfined}}}", "containers[main]: seccompProfile" },
		{ NULL, "{securityContext: {capabilities: {drop: [NET_RAW]}}}", "containers[main]: capabilities: add drop: [ALL]" },
		{ NULL, "{securityContext: {capabilities: {add: [SYS_ADMIN]}}}", "containers[main]: capabilities: add may hold" },
		{ NULL, "{securityContext: {procMount: Unmasked}}", "containers[main]: procMount: use Default" },
		{ NULL, "{ports: [{containerPort: 80, hostPort: 80}]}", "containers[main]: hostPort: not allowed" },
		{ NULL, "{livenessProbe: {httpGet: {host: h, port: 1}}}", "containers[main]: a probe or hook with a host" },
		{ NULL, "{lifecycle: {preStop: {tcpSocket: {host: h, port: 1}}}}", "containers[main]: a probe or hook with a host" },
		{ "{initContainers: [{name: bad}]}", NULL, "initContainers[bad]: allowPrivilegeEscalation" },
		{ "{ephemeralContainers: [{name: bad}]}", NULL, "ephemeralContainers[bad]: allowPrivilegeEscalation" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			auto_strv struct strv said = judge(kinds[k], pod(cases[i].pod, cases[i].container), true);
			auto_free char *all = strv_join(&said, "\n");

			if (!strstr(all, cases[i].says))
				fail_msg("%s %s%s: says '%s', not '%s'", kinds[k], cases[i].pod ? cases[i].pod : "",
					 cases[i].container ? cases[i].container : "", all, cases[i].says);
		}
}

TEST(what_is_allowed_is_not_reported)
{
	static const struct { const char *pod, *container; } cases[] = {
		{ "{securityContext: {runAsNonRoot: null}}", "{securityContext: {runAsNonRoot: true}}" },
		{ "{securityContext: {seccompProfile: {type: Localhost, localhostProfile: a}}}", NULL },
		{ "{securityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: \"1\"}]}}", NULL },
		{ "{securityContext: {seLinuxOptions: {type: container_t, level: s0}}}", NULL },
		{ "{hostNetwork: false}", "{securityContext: {procMount: Default}}" },
		{ NULL, "{livenessProbe: {httpGet: {host: \"\", port: 1}}}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *spec = pod(cases[i].pod, cases[i].container);

		/* Each container for itself where the pod says nothing. */
		if (i == 0)
			json_object_del(spec, "initContainers");

		auto_strv struct strv said = judge("Deployment", json_incref(spec), true);

		if (said.n)
			fail_msg("case %zu: %s", i, said.items[0]);
	}
}

TEST(an_arbitrary_uid_leaves_users_and_groups_to_the_cluster)
{
	static const char *const none = "{securityContext: {runAsUser: null}}";
	static const char *const fixed[] = { "{securityContext: {runAsUser: 7}}", "{securityContext: {runAsUser: null, runAsGroup: 7}}",
					     "{securityContext: {runAsUser: null, fsGroup: 7}}" };
	auto_strv struct strv said = judge("Pod", pod(none, NULL), false);

	assert_int_equal(said.n, 0);
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		auto_strv struct strv bad = judge("Pod", pod(fixed[i], NULL), false);

		assert_int_equal(bad.n, 1);
		assert_non_null(strstr(bad.items[0], "a fixed uid or group"));
	}
}

static size_t found(json_t *object, bool test)
{
	auto_helm_objects struct helm_objects o = one(object);
	auto_pods struct pod_templates pods = { 0 };
	struct err e = { 0 };

	o.items[0].test = test;
	assert_ok(pod_find_templates(&o, &pods, &e), e);
	return pods.n;
}

TEST(what_only_looks_like_a_pod_is_none)
{
	assert_int_equal(found(parse("{kind: X, spec: {containers: []}}"), false), 0);
	assert_int_equal(found(parse("{kind: X, spec: {containers: [a, b]}}"), false), 0);
	assert_int_equal(found(parse("{kind: X, spec: {containers: [{image: a}]}}"), false), 0);
	assert_int_equal(found(parse("{kind: CustomResourceDefinition, spec: {containers: [{name: a}]}}"), false), 0);
	assert_int_equal(found(parse("{kind: Pod, spec: {containers: [{name: a}]}}"), true), 0);
	assert_int_equal(found(parse("{kind: ConfigMap, data: {a: 'containers: [ {'}}"), false), 0);
	assert_int_equal(found(parse("{kind: ConfigMap, data: {a: 'the containers are blue'}}"), false), 0);
	assert_int_equal(found(parse("{kind: Secret, stringData: {a: 'containers: [{name: a}]'}}"), false), 0);
}

TEST(a_text_may_hold_several_pods)
{
	assert_int_equal(found(parse("{kind: ConfigMap, data: {a: \"containers: [{name: a}]\\n---\\ncontainers: [{name: b}]\\n\", "
				     "b: \"spec: {containers: [{name: c}]}\"}}"), false), 3);
}

TEST(the_proof_of_a_profile_names_each_violation)
{
	auto_helm_objects struct helm_objects o = one(object_with("Deployment", pod("{hostPID: true, hostIPC: true}", NULL)));
	auto_strv struct strv out = { 0 };
	struct err e = { 0 };

	assert_err(proof_profile("nonroot", "restricted", "web", &o, &out, &e), e, ERR_PROOF);
	assert_int_equal(out.n, 2);
	assert_string_equal(out.items[0],
			    "web: c/templates/x.yaml: Deployment: spec.template.spec.hostPID: not allowed: remove it");
	assert_non_null(strstr(e.msg, "chart 'web': 2 violations of profile nonroot, first"));
	assert_err(proof_profile("nonroot", NULL, "web", &o, NULL, &e), e, ERR_PROOF);
	assert_ok(proof_profile("standard", "restricted", "web", &o, NULL, &e), e);
	assert_ok(proof_profile("nonroot", "privileged", "web", &o, NULL, &e), e);
	assert_ok(proof_profile("nonroot", "baseline", "web", &o, NULL, &e), e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pod_that_keeps_every_rule_passes_wherever_it_stands),
		cmocka_unit_test(each_rule_is_judged_wherever_the_pod_stands),
		cmocka_unit_test(what_is_allowed_is_not_reported),
		cmocka_unit_test(an_arbitrary_uid_leaves_users_and_groups_to_the_cluster),
		cmocka_unit_test(what_only_looks_like_a_pod_is_none),
		cmocka_unit_test(a_text_may_hold_several_pods),
		cmocka_unit_test(the_proof_of_a_profile_names_each_violation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
