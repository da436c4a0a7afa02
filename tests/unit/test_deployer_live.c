/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <deployer/engine.h>
#include <deployer/lease.h>
#include <deployer/live.h>
#include <deployer/path.h>

#include <airgap/yaml.h>

#include <sys/wait.h>
#include <unistd.h>

static json_t *parse(const char *text)
{
	struct err e = { 0 };
	json_t *j = ydoc_parse(text, strlen(text), &ydoc_rendered, "test", NULL, &e);

	if (!j)
		fail_msg("%s: %s", text, e.msg);
	return j;
}

/* standards §8.8, row by row. */
TEST(objects_are_ready_when_kubernetes_says_so)
{
	static const struct { const char *object; enum live_ready ready; const char *why; } cases[] = {
		{ "{kind: ConfigMap}", LIVE_READY, NULL },
		{ "{kind: Unknown, status: {phase: Odd}}", LIVE_READY, NULL },
		{ "{kind: ConfigMap, metadata: {deletionTimestamp: now}}", LIVE_WAITING, "being deleted" },
		{ "{kind: Any, metadata: {generation: 2}, status: {observedGeneration: 1}}", LIVE_WAITING, "has not seen" },
		{ "{kind: Any, status: {conditions: [{type: Stalled, status: \"True\"}]}}", LIVE_FAILED, "stalled" },
		{ "{kind: Any, status: {conditions: [{type: Reconciling, status: \"True\"}]}}", LIVE_WAITING, "reconciling" },
		{ "{kind: Any, status: {conditions: [{type: Ready, status: \"False\"}]}}", LIVE_WAITING, "Ready is not True" },
		{ "{kind: Any, status: {conditions: [{type: Ready, status: \"True\"}]}}", LIVE_READY, NULL },
		{ "{kind: Deployment, spec: {replicas: 2}, status: {replicas: 2, updatedReplicas: 2, availableReplicas: 2}}", LIVE_READY, NULL },
		{ "{kind: Deployment, spec: {replicas: 0}, status: {}}", LIVE_READY, NULL },
		{ "{kind: Deployment, spec: {replicas: 2}, status: {replicas: 3, updatedReplicas: 2, availableReplicas: 2}}", LIVE_WAITING, "2 of 2" },
		{ "{kind: Deployment, spec: {replicas: 2}, status: {replicas: 2, updatedReplicas: 1, availableReplicas: 2}}", LIVE_WAITING, NULL },
		{ "{kind: Deployment, status: {}}", LIVE_WAITING, "0 of 1 pods available" },
		{ "{kind: Deployment, status: {conditions: [{type: Progressing, reason: ProgressDeadlineExceeded}]}}", LIVE_FAILED, "deadline" },
		{ "{kind: StatefulSet, spec: {replicas: 1}, status: {readyReplicas: 1, updatedReplicas: 1}}", LIVE_READY, NULL },
		{ "{kind: StatefulSet, spec: {replicas: 2}, status: {readyReplicas: 1}}", LIVE_WAITING, "1 of 2 pods ready" },
		{ "{kind: StatefulSet, status: {readyReplicas: 1, currentRevision: a, updateRevision: b}}", LIVE_WAITING, NULL },
		{ "{kind: DaemonSet, status: {desiredNumberScheduled: 0}}", LIVE_READY, NULL },
		{ "{kind: DaemonSet, status: {}}", LIVE_WAITING, NULL },
		{ "{kind: DaemonSet, status: {desiredNumberScheduled: 2, numberAvailable: 2, updatedNumberScheduled: 1}}", LIVE_WAITING, NULL },
		{ "{kind: Job, status: {conditions: [{type: Complete, status: \"True\"}]}}", LIVE_READY, NULL },
		{ "{kind: Job, status: {conditions: [{type: Failed, status: \"True\"}]}}", LIVE_FAILED, "the job failed" },
		{ "{kind: Job, status: {active: 1}}", LIVE_WAITING, "the job runs" },
		{ "{kind: Pod, status: {phase: Running, conditions: [{type: Ready, status: \"True\"}]}}", LIVE_READY, NULL },
		{ "{kind: Pod, status: {phase: Succeeded}}", LIVE_READY, NULL },
		{ "{kind: Pod, status: {phase: Failed}}", LIVE_FAILED, "the pod failed" },
		{ "{kind: Pod, status: {phase: Pending}}", LIVE_WAITING, "phase Pending" },
		{ "{kind: PersistentVolumeClaim, status: {phase: Bound}}", LIVE_READY, NULL },
		{ "{kind: PersistentVolumeClaim, status: {phase: Pending}}", LIVE_WAITING, "not bound" },
		{ "{kind: CustomResourceDefinition, status: {conditions: [{type: Established, status: \"True\"}]}}", LIVE_READY, NULL },
		{ "{kind: CustomResourceDefinition, status: {conditions: [{type: NamesAccepted, status: \"False\"}]}}", LIVE_FAILED, "taken" },
		{ "{kind: CustomResourceDefinition, status: {}}", LIVE_WAITING, "not established" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *o = parse(cases[i].object);
		auto_free char *why = NULL;

		if (live_is_ready(o, &why) != cases[i].ready || (cases[i].why && !strstr(why ? why : "", cases[i].why)))
			fail_msg("%s: %s", cases[i].object, why ? why : "ready");
		assert_int_equal(live_is_ready(o, NULL), cases[i].ready);
	}
}

TEST(namespaces_are_set_where_there_is_none)
{
	auto_json json_t *list = parse("[{kind: ConfigMap, metadata: {name: a}}, {kind: ConfigMap, metadata: {name: b, namespace: own}}, "
				       "{kind: ClusterRole, metadata: {name: c}}, {kind: Odd}]");

	live_set_namespace(list, "ns");
	assert_string_equal(jdoc_text(json_array_get(list, 0), "metadata", "namespace", NULL), "ns");
	assert_string_equal(jdoc_text(json_array_get(list, 1), "metadata", "namespace", NULL), "own");
	assert_null(jdoc_text(json_array_get(list, 2), "metadata", "namespace", NULL));
	live_set_namespace(list, NULL);
}

TEST(conditions_follow_paths)
{
	static const char object[] =
		"{spec: {num: 3, flag: true, text: 'a=b', list: [{name: a, port: 1}, {name: b, port: 2}], empty: []}, "
		"metadata: {annotations: {example.com/x: 'yes'}}, "
		"status: {phase: Bound, conditions: [{type: Ready, status: 'True'}, {type: Other, status: 'False'}]}}";
	static const struct { const char *condition; bool holds; } cases[] = {
		{ ".status.phase=Bound", true },
		{ "status.phase=Bound", true },
		{ "{.status.phase}=Bound", true },
		{ "{.status.phase}=Pending", false },
		{ ".status.phase", true },
		{ ".status.nothing", false },
		{ ".status.nothing=", false },
		{ ".status.phase.deeper=Bound", false },
		{ ".spec.num=3", true },
		{ ".spec.flag=true", true },
		{ ".spec.text=a=b", true },
		{ ".spec.empty=[]", true },
		{ ".spec.list[1].port=2", true },
		{ ".spec.list[2].port=2", false },
		{ ".spec.list[x].port=2", false },
		{ ".spec.list[=2", false },
		{ "{.status.conditions[?(@.type==\"Ready\")].status}=True", true },
		{ ".status.conditions[?(@.type=='Other')].status=False", true },
		{ ".status.conditions[?(@.type==\"Absent\")].status=True", false },
		{ ".status.conditions[?(@.type)].status=True", false },
		{ ".metadata.annotations.example\\.com/x=yes", true },
		{ ".metadata.annotations.example.com/x=yes", false },
		{ "=", false },
		{ "", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *o = parse(object);

		if (path_holds(o, cases[i].condition) != cases[i].holds)
			fail_msg("'%s' %s", cases[i].condition, cases[i].holds ? "does not hold" : "holds");
	}
}

TEST(values_are_compared_as_helm_keeps_them)
{
	static const struct { const char *a, *b; bool same; } cases[] = {
		{ "{a: 1.0, b: [1, 2.5]}", "{a: 1, b: [1.0, 2.5]}", true },
		{ "{a: null, b: 1}", "{b: 1}", true },
		{ "{b: 1}", "{a: null, b: 1}", true },
		{ "{a: {b: null}}", "{a: {}}", true },
		{ "{a: 1}", "{a: '1'}", false },
		{ "{a: true}", "{a: false}", false },
		{ "{a: [1]}", "{a: [1, 2]}", false },
		{ "{a: [null]}", "{a: []}", false },
		{ "{a: 1}", "{a: 1, b: 2}", false },
		{ "{a: 1, b: 2}", "{a: 1}", false },
		{ "{a: {b: 1}}", "{a: 1}", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *a = parse(cases[i].a);
		auto_json json_t *b = parse(cases[i].b);

		if (step_release_same_values(a, b) != cases[i].same)
			fail_msg("%s %s", cases[i].a, cases[i].b);
	}
}

TEST(a_release_with_volumes_does_not_go_back_over_a_new_version)
{
	static const struct { const char *before, *after, *object; bool migrates; } cases[] = {
		{ "7", "8", "{kind: PersistentVolumeClaim}", true },
		{ "7", "8", "{kind: StatefulSet, spec: {volumeClaimTemplates: [{metadata: {name: data}}]}}", true },
		{ "7", "7", "{kind: PersistentVolumeClaim}", false },
		{ "7", "8", "{kind: StatefulSet, spec: {volumeClaimTemplates: []}}", false },
		{ "7", "8", "{kind: StatefulSet, spec: {}}", false },
		{ "7", "8", "{kind: Deployment}", false },
		{ "", "8", "{kind: PersistentVolumeClaim}", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *o = parse(cases[i].object);
		struct helm_object item = { .object = o };
		const struct helm_objects objects = { &item, 1 };

		if (step_release_migrates(cases[i].before, cases[i].after, &objects) != cases[i].migrates)
			fail_msg("%s -> %s: %s", cases[i].before, cases[i].after, cases[i].object);
	}
}

TEST(a_holder_is_dead_only_where_we_can_tell)
{
	auto_free char *own = lease_holder_name();
	auto_strv struct strv part = { 0 };
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	strv_split(&part, own, '/');
	assert_int_equal(part.n, 4);

	auto_free char *gone = xasprintf("h/%s/%ld/00", part.items[1], (long)child);
	auto_free char *elsewhere = xasprintf("h/other+pid:[1]/%ld/00", (long)child);
	auto_free char *odd = xasprintf("h/%s/-1/00", part.items[1]);

	assert_false(lease_holder_is_dead(own));
	assert_true(lease_holder_is_dead(gone));
	assert_false(lease_holder_is_dead(elsewhere));
	assert_false(lease_holder_is_dead(odd));
	assert_false(lease_holder_is_dead("somebody"));
	assert_false(lease_holder_is_dead(""));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_ready_when_kubernetes_says_so),
		cmocka_unit_test(namespaces_are_set_where_there_is_none),
		cmocka_unit_test(conditions_follow_paths),
		cmocka_unit_test(values_are_compared_as_helm_keeps_them),
		cmocka_unit_test(a_release_with_volumes_does_not_go_back_over_a_new_version),
		cmocka_unit_test(a_holder_is_dead_only_where_we_can_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
