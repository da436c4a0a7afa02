/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "pods.h"

#include <airgap/proof.h>

/* The same pod in each of the places where one may stand, and the path of its spec there. */
static const struct { const char *kind, *spec; } places[] = {
	{ "Pod", "spec" }, { "Deployment", "spec.template.spec" }, { "CronJob", "spec.jobTemplate.spec.template.spec" },
	{ "Custom", "spec.groups[0].template.spec" }, { "ConfigMap", "data.template.yaml[0].spec" },
	{ "ConfigMap list", "data.template.yaml[0][1].spec" }, { "ConfigMap deep", "data.template.yaml[0].queues.gpu.template.spec" },
	{ "ConfigMap twice", "data.template.yaml[0].inner[0].spec" }, { "ConfigMap stream", "data.template.yaml[1].spec" },
};

static char *dumped(const json_t *j)
{
	return json_dumps(j, JSON_COMPACT);
}

/* In a ConfigMap's text. */
static json_t *config_map(char *text)
{
	json_t *object = json_pack("{s:s, s:{s:s}}", "kind", "ConfigMap", "data", "template.yaml", text);

	free(text);
	return object;
}

static json_t *object_with(const char *kind, const json_t *pod)
{
	auto_free char *text = dumped(pod);
	auto_json json_t *t = json_deep_copy(pod);

	if (strcmp(kind, "Pod") == 0) {
		json_object_set_new(t, "kind", json_string("Pod"));
		return TAKE(t);
	}
	if (strcmp(kind, "Deployment") == 0)
		return json_pack("{s:s, s:{s:O}}", "kind", kind, "spec", "template", t);
	if (strcmp(kind, "CronJob") == 0)
		return json_pack("{s:s, s:{s:{s:{s:O}}}}", "kind", kind, "spec", "jobTemplate", "spec", "template", t);
	if (strcmp(kind, "Custom") == 0)
		return json_pack("{s:s, s:{s:[{s:O}]}}", "kind", kind, "spec", "groups", "template", t);
	if (strcmp(kind, "ConfigMap list") == 0)
		return config_map(xasprintf("- note: none\n- %s\n", text));
	if (strcmp(kind, "ConfigMap deep") == 0)
		return config_map(xasprintf("queues: {gpu: {template: %s}}\n", text));
	if (strcmp(kind, "ConfigMap twice") == 0)
		return config_map(xasprintf("inner: |\n  # by hand\n  %s\n", text));
	if (strcmp(kind, "ConfigMap stream") == 0)
		return config_map(xasprintf("a: 1\n---\n%s\n", text));
	return config_map(xasprintf("# for the agent\n%s\n", text));
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

	(void)t;
	strv_pushf(&s->lines, "%s: %s", path, what);
}

static char *judged(json_t *object, bool embedded, enum pod_level level)
{
	auto_helm_objects struct helm_objects o = one(object);
	auto_pods struct pod_templates pods = { 0 };
	struct said s = { { 0 } };
	struct err e = { 0 };

	assert_ok(pod_find_templates(&o, &pods, &e), e);
	assert_int_equal(pods.n, 1);
	assert_int_equal(pods.items[0].embedded, embedded);
	pod_check(&pods.items[0], level, hear, &s);

	char *all = strv_join(&s.lines, "\n");

	strv_release(&s.lines);
	return all;
}

/* What the row says, for a level, with the paths of a place and a container. */
static char *wanted(const struct pods_row *row, enum pod_level level, const char *spec, const char *container)
{
	auto_strv struct strv cells = { 0 }, lines = { 0 };
	auto_free char *says = xstrdup(row->says);

	if (level == POD_BASELINE && strcmp(row->level, "baseline") != 0)
		return xstrdup("");
	for (char *at; (at = strstr(says, " | "));)
		memcpy(at, "\n\n\n", 3);
	strv_split(&cells, says, '\n');
	for (size_t i = 0; i < cells.n; i++) {
		const char *text = cells.items[i];

		if (strchr("+*", *text) && level == POD_BASELINE)
			continue;
		if (*text == '*') {
			free(lines.items[--lines.n]);
			lines.items[lines.n] = NULL;
		}
		text += strchr("+*", *text) != NULL;
		if (str_starts(text, "metadata."))
			strv_push(&lines, text);
		else
			strv_pushf(&lines, "%s.%s%s", spec, container, text);
	}
	return strv_join(&lines, "\n");
}

static void check_row(const struct pods_row *row, const char *list, size_t place, enum pod_level level)
{
	bool in_container = strcmp(row->where, "container") == 0;
	const char *kind = places[place].kind;
	bool embedded = str_starts(kind, "ConfigMap") || strcmp(kind, "Custom") == 0;
	struct err e = { 0 };
	auto_json json_t *pod = pods_made(row, list, &e);

	if (!pod)
		fail_msg("%s: %s", row->patch, e.msg);

	auto_free char *container = in_container ? xasprintf("%s[%s].", list, strcmp(list, "containers") == 0 ? "main" : "other") : xstrdup("");
	auto_free char *want = wanted(row, level, places[place].spec, container);
	auto_free char *got = judged(object_with(kind, pod), embedded, level);

	if (strcmp(got, want) != 0)
		fail_msg("%s at level %d in %s %s:\nsays '%s'\nnot  '%s'", row->patch, (int)level, list, kind, got, want);
}

TEST(each_rule_is_judged_for_every_container_wherever_the_pod_stands)
{
	static const char *const lists[] = { "containers", "initContainers", "ephemeralContainers" };
	static struct pods_rows rows;
	struct err e = { 0 };

	assert_ok(pods_read(PODS_TABLE, &rows, &e), e);
	assert_true(rows.n > 60);
	for (size_t i = 0; i < rows.n; i++)
		for (size_t k = 0; k < (strcmp(rows.items[i].where, "container") == 0 ? ARRAY_LEN(lists) : 1); k++)
			for (size_t p = 0; p < ARRAY_LEN(places); p++) {
				check_row(&rows.items[i], lists[k], p, POD_BASELINE);
				check_row(&rows.items[i], lists[k], p, POD_RESTRICTED);
			}
	buf_release(&rows.text);
}

static char *restricted(const char *pod)
{
	struct err e = { 0 };
	json_t *j = pods_parse(pod, &e);

	if (!j)
		fail_msg("%s", e.msg);
	return judged(j, false, POD_RESTRICTED);
}

/* What Linux alone has is not asked of Windows. */
TEST(a_windows_pod_needs_no_rules_of_linux)
{
	auto_free char *said = restricted("{kind: Pod, spec: {os: {name: windows}, securityContext: {runAsNonRoot: true}, "
					  "containers: [{name: a, image: x}]}}");

	assert_string_equal(said, "");
}

TEST(the_level_privileged_takes_all)
{
	struct err e = { 0 };
	auto_free char *said = judged(pods_parse("{kind: Pod, spec: {hostPID: true, containers: [{name: a}]}}", &e), false, POD_PRIVILEGED);

	assert_string_equal(said, "");
	assert_int_equal(pod_level("privileged"), POD_PRIVILEGED);
	assert_int_equal(pod_level("baseline"), POD_BASELINE);
	assert_int_equal(pod_level("restricted"), POD_RESTRICTED);
	assert_int_equal(pod_level(NULL), POD_RESTRICTED);
}

TEST(an_arbitrary_uid_leaves_users_and_groups_to_the_cluster)
{
	static const char advice[] = ": set it to null: the profile nonroot-arbitrary-uid leaves users and groups to the cluster";
	struct err e = { 0 };
	auto_json json_t *pod = pods_parse("{spec: {securityContext: {runAsUser: 7, fsGroup: 8}, containers: [{name: a, securityContext: "
					   "{runAsGroup: 9}}]}}", &e);
	const struct pod_template t = { .spec = json_object_get(pod, "spec"), .path = (char *)"spec" };
	struct said s = { { 0 } };
	auto_free char *want = xasprintf("spec.securityContext.runAsUser: 7%s\nspec.securityContext.fsGroup: 8%s\n"
					 "spec.containers[a].securityContext.runAsGroup: 9%s", advice, advice, advice);

	pod_check_no_uid(&t, hear, &s);

	auto_free char *got = strv_join(&s.lines, "\n");

	assert_string_equal(got, want);
	strv_release(&s.lines);
}

static json_t *parse(const char *text)
{
	struct err e = { 0 };
	json_t *j = pods_parse(text, &e);

	if (!j)
		fail_msg("%s", e.msg);
	return j;
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

/* The agent names the container itself. */
TEST(a_template_for_an_agent_needs_no_names)
{
	assert_int_equal(found(parse("{kind: ConfigMap, data: {a: \"metadata: {labels: {}}\\nspec: {containers: [{resources: {}}]}\"}}"), false), 1);
	assert_int_equal(found(parse("{kind: ConfigMap, data: {a: \"containers: [{resources: {}}]\"}}"), false), 0);
	assert_int_equal(found(parse("{kind: ConfigMap, data: {a: \"spec: {containers: [a]}\"}}"), false), 0);
}

TEST(the_proof_of_a_profile_names_each_violation)
{
	static const struct { const char *profile, *level; size_t n; } cases[] = {
		{ "nonroot", "restricted", 6 }, { "nonroot", NULL, 6 }, { "nonroot", "baseline", 2 }, { "nonroot", "privileged", 0 },
		{ "standard", NULL, 0 }, { "standard", "restricted", 6 }, { "standard", "baseline", 2 },
		{ "nonroot-arbitrary-uid", "restricted", 7 }, { "nonroot-arbitrary-uid", "baseline", 2 },
	};
	static const char pod[] = "{kind: Deployment, spec: {template: {spec: {hostPID: true, hostIPC: true, securityContext: {runAsUser: 5}, "
				  "containers: [{name: a}]}}}}";

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_helm_objects struct helm_objects o = one(parse(pod));
		auto_strv struct strv out = { 0 };
		struct err e = { 0 };
		int r = proof_profile(cases[i].profile, cases[i].level, "web", &o, &out, &e);

		assert_int_equal(r, cases[i].n ? -1 : 0);
		assert_int_equal(out.n, cases[i].n);
		if (!r)
			continue;
		assert_int_equal(e.code, ERR_PROOF);
		assert_string_equal(out.items[0], "web: c/templates/x.yaml: Deployment: spec.template.spec.hostPID: true: remove it");
		assert_non_null(strstr(e.msg, "chart 'web': "));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_is_judged_for_every_container_wherever_the_pod_stands),
		cmocka_unit_test(a_windows_pod_needs_no_rules_of_linux),
		cmocka_unit_test(the_level_privileged_takes_all),
		cmocka_unit_test(an_arbitrary_uid_leaves_users_and_groups_to_the_cluster),
		cmocka_unit_test(what_only_looks_like_a_pod_is_none),
		cmocka_unit_test(a_text_may_hold_several_pods),
		cmocka_unit_test(a_template_for_an_agent_needs_no_names),
		cmocka_unit_test(the_proof_of_a_profile_names_each_violation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
