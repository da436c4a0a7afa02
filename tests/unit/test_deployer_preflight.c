/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../../deployer/lease.h"
#include "../../deployer/preflight.h"
#include "../../deployer/pull.h"

#include <airgap/yaml.h>

static struct err e;

static json_t *yaml(const char *text)
{
	json_t *j = ydoc_parse(text, strlen(text), &ydoc_user, "t", NULL, &e);

	assert_non_null(j);
	return j;
}

/* ---- findings */

TEST(the_worst_line_is_the_result)
{
	auto_findings struct findings f = { 0 };
	struct finding_row *row = findings_row(&f, "a", "A");

	assert_string_equal(findings_result(row), "ok");
	findings_say(row, FOUND_INFO, "1");
	assert_string_equal(findings_result(row), "info");
	findings_say(row, FOUND_FAIL, "3");
	findings_say(row, FOUND_WARN, "2");
	assert_string_equal(findings_result(row), "fail");
	findings_sort_lines(row);
	assert_string_equal(row->lines.items[1], "2");
	assert_int_equal(row->levels[1], FOUND_WARN);
	findings_skip(findings_row(&f, "b", "B"), NULL);
	assert_string_equal(findings_result(f.rows[1]), "skipped");
}

TEST(one_failure_is_the_verdict_and_several_are_counted)
{
	auto_findings struct findings f = { 0 };
	struct finding_row *a = findings_row(&f, "a", "A"), *b;

	findings_say(a, FOUND_WARN, "a warning");
	assert_ok(findings_verdict(&f, &e), e);
	a->code = ERR_TLS;
	findings_say(a, FOUND_FAIL, "bad: do");
	assert_err(findings_verdict(&f, &e), e, ERR_TLS);
	assert_string_equal(e.msg, "a: bad: do");
	findings_say(a, FOUND_FAIL, "worse");
	assert_err(findings_verdict(&f, &e), e, ERR_TLS);
	assert_string_equal(e.msg, "2 things missing before the first write: a: bad: do");
	b = findings_row(&f, "b", "B");
	findings_say(b, FOUND_FAIL, "x");
	assert_err(findings_verdict(&f, &e), e, ERR_PREFLIGHT);
	assert_string_equal(e.msg, "3 things missing before the first write: a: bad: do");
}

/* ---- pulls */

TEST(a_pod_says_whether_its_image_is_there)
{
#define STATUS(x) "{status: {containerStatuses: [" x "]}}"
	static const struct { const char *pod; enum pull_state state; const char *why; } table[] = {
		{ "{}", PULL_WAITING, NULL },
		{ "{status: {phase: Pending}}", PULL_WAITING, NULL },
		{ STATUS("{imageID: '', state: {waiting: {reason: ContainerCreating}}}"), PULL_WAITING, NULL },
		{ STATUS("{state: {waiting: {reason: ErrImagePull, message: 'x509: unknown authority'}}}"), PULL_REFUSED,
		  "ErrImagePull: x509: unknown authority" },
		{ STATUS("{state: {waiting: {reason: ImagePullBackOff}}}"), PULL_REFUSED, "ImagePullBackOff" },
		{ STATUS("{state: {waiting: {reason: InvalidImageName}}}"), PULL_REFUSED, "InvalidImageName" },
		{ STATUS("{state: {waiting: {reason: CreateContainerError, message: 'no such program'}}}"), PULL_DONE, NULL },
		{ STATUS("{state: {terminated: {exitCode: 128, reason: StartError}}}"), PULL_DONE, NULL },
		{ STATUS("{state: {running: {}}}"), PULL_DONE, NULL },
		{ STATUS("{imageID: 'sha256:1', state: {waiting: {reason: ContainerCreating}}}"), PULL_DONE, NULL },
		{ "{status: {phase: Failed, message: 'Pod was rejected: out of pods'}}", PULL_REFUSED, "Pod was rejected: out of pods" },
		{ "{status: {phase: Failed}}", PULL_REFUSED, "the kubelet refuses the pod" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_json json_t *pod = yaml(table[i].pod);
		auto_free char *why = NULL;

		assert_int_equal(pull_judge(pod, &why), table[i].state);
		assert_true(str_eq(why, table[i].why));
	}
}

TEST(nodes_that_are_not_ready_are_told_apart)
{
	auto_json json_t *items = yaml("[{metadata: {name: b}, status: {conditions: [{type: DiskPressure, status: 'True'}, {type: Ready, status: 'True'}]}},"
				       " {metadata: {name: c}, status: {conditions: [{type: Ready, status: Unknown}]}}, {metadata: {name: d}},"
				       " {metadata: {name: a}, status: {conditions: [{type: Ready, status: 'True'}]}}]");
	auto_strv struct strv ready = { 0 }, not_ready = { 0 };

	pull_nodes(items, &ready, &not_ready);
	assert_int_equal(ready.n, 2);
	assert_string_equal(ready.items[0], "a");
	assert_int_equal(not_ready.n, 2);
}

/* ---- the namespace of the probes */

TEST(a_namespace_of_a_run_at_work_is_held)
{
#define MADE "creationTimestamp: '2000-01-01T00:00:00Z'"
	auto_free char *alive = lease_holder_name();
	auto_free char *dead = xstrdup(alive);
	char *pid = strrchr(dead, '/');

	*pid = '\0';
	*strrchr(dead, '/') = '\0';

	const struct { const char *holder, *more; int64_t age; bool held; } table[] = {
		{ alive, MADE, 5, true },
		{ "elsewhere/b1+pid:[1]/1/00000000", MADE, 5, true },
		{ "elsewhere/b1+pid:[1]/1/00000000", MADE, 600, true },
		{ "elsewhere/b1+pid:[1]/1/00000000", MADE, 601, false },
		{ "elsewhere/b1+pid:[1]/1/00000000", MADE, -3600, true },       /* our clock is slow */
		{ "elsewhere/b1+pid:[1]/1/00000000", MADE ", deletionTimestamp: '2000-01-01T00:00:01Z'", 5, false },
		{ "elsewhere/b1+pid:[1]/1/00000000", "creationTimestamp: soon", 5, false },
		{ "elsewhere/b1+pid:[1]/1/00000000", "name: x", 5, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_free char *text = xasprintf("{metadata: {annotations: {airgap/holder: '%s'}, %s}}", table[i].holder, table[i].more);
		auto_json json_t *ns = yaml(text);

		assert_int_equal(preflight_held(ns, 946684800 + table[i].age) != NULL, table[i].held);
	}

	auto_free char *text = xasprintf("{metadata: {annotations: {airgap/holder: '%s/2147483646/00000000'}, " MADE "}}", dead);
	auto_json json_t *of_dead = yaml(text);
	auto_json json_t *nobodys = yaml("{metadata: {" MADE "}}");
	auto_json json_t *ours = yaml("{metadata: {annotations: {airgap/holder: 'a/b/1/c'}, " MADE "}}");

	assert_null(preflight_held(of_dead, 946684800));
	assert_null(preflight_held(nobodys, 946684800));
	assert_string_equal(preflight_held(ours, 946684800), "2000-01-01T00:00:00Z");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_worst_line_is_the_result),
		cmocka_unit_test(one_failure_is_the_verdict_and_several_are_counted),
		cmocka_unit_test(a_pod_says_whether_its_image_is_there),
		cmocka_unit_test(nodes_that_are_not_ready_are_told_apart),
		cmocka_unit_test(a_namespace_of_a_run_at_work_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
