/* SPDX-License-Identifier: Apache-2.0 */
/* What a run scaled down goes up again, and a namespace that it opened is closed, whatever ended the run. */
#include "unit.h"

#include <deployer/run.h>

#include <airgap/fs.h>
#include <airgap/proc.h>

#include <signal.h>

static struct err e;
static char *dir;
static struct session session;
static struct engine engine = { .session = &session };

/* A kubectl that shows DIR/object and keeps what it is to patch it with. */
static int enter(void **state)
{
	auto_free char *kubectl = NULL, *script = NULL;

	(void)state;
	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	kubectl = fs_join(dir, "kubectl");
	script = xasprintf("#!/bin/sh\ncase \"$*\" in *patch*) cat >%s/patched ;; *) cat %s/object ;; esac\n", dir, dir);
	assert_ok(fs_save(kubectl, script, strlen(script), 0755, &e), e);
	session = (struct session){ .system = NULL };
	assert_ok(kubectl_open(&session.kubectl, kubectl, NULL, NULL, &e), e);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	kubectl_close(&session.kubectl);
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	return 0;
}

static void there_is(const char *object)
{
	auto_free char *path = fs_join(dir, "object"), *old = fs_join(dir, "patched");

	assert_ok(fs_save(path, object, strlen(object), 0600, &e), e);
	assert_ok(fs_save(old, "", 0, 0600, &e), e);
}

static void assert_patched(const char *wants)
{
	auto_free char *path = fs_join(dir, "patched");
	auto_buf struct buf patch = BUF_INIT(4096);

	assert_ok(fs_load(path, 4096, &patch, &e), e);
	assert_string_equal(buf_str(&patch), wants);
}

static const char down[] = "{\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"metadata\": {\"name\": \"web\", "
			   "\"annotations\": {\"airgap/replicas\": \"3\"}}, \"spec\": {\"replicas\": 0}}";
#define UP   "{\"metadata\":{\"annotations\":{\"airgap/replicas\":null}},\"spec\":{\"replicas\":3}}"
#define LEFT "{\"metadata\":{\"annotations\":{\"airgap/replicas\":null}},\"spec\":{\"replicas\":0}}"

TEST(an_interrupt_leaves_nothing_scaled_down)
{
	struct step_scale scale = { .kind = (char *)"Deployment", .name = (char *)"web", .ns = (char *)"t" };
	struct step_run run = { .scale_down = &scale, .n_scale_down = 1 };

	there_is(down);
	proc_interrupted = SIGINT;
	assert_int_equal(scale_up(&engine, &run, false, &e), -1);
	assert_int_equal(proc_interrupted, SIGINT);
	proc_interrupted = 0;
	assert_patched(UP);
}

TEST(what_is_to_stay_down_does_only_after_success)
{
	struct step_scale scale = { .kind = (char *)"Deployment", .name = (char *)"web", .ns = (char *)"t", .stay_down = true };
	struct step_run run = { .scale_down = &scale, .n_scale_down = 1 };

	there_is(down);
	assert_ok(scale_up(&engine, &run, true, &e), e);
	assert_patched(LEFT);
	proc_interrupted = SIGINT;      /* not to wait until it is ready */
	assert_int_equal(scale_up(&engine, &run, false, &e), -1);
	proc_interrupted = 0;
	assert_patched(UP);
}

#define NAMESPACE(labels, annotations) \
	"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"t\",\"labels\":{" labels "},\"annotations\":{" annotations "}}}"
#define LEVEL(l)  "\"pod-security.kubernetes.io/enforce\":\"" l "\""
#define MEMORY(l) "\"airgap/pod-security\":" l
#define PATCH(l, m) "{\"metadata\":{\"annotations\":{" MEMORY(m) "},\"labels\":{" LEVEL(l) "}}}"

TEST(a_namespace_is_opened_only_as_far_as_needed)
{
	static const struct { const char *object, *wants; } cases[] = {
		{ NAMESPACE(LEVEL("restricted"), ""), PATCH("baseline", "\"restricted\"") },
		{ NAMESPACE(LEVEL("restricted"), MEMORY("\"restricted\"")), PATCH("baseline", "\"restricted\"") },
		{ NAMESPACE(LEVEL("baseline"), ""), "" },
		{ NAMESPACE(LEVEL("privileged"), ""), "" },
		{ NAMESPACE("", ""), "" },
	};
	struct step_run run = { .ns = (char *)"t", .pod_security = (char *)"baseline" };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		there_is(cases[i].object);
		assert_ok(level_lower(&engine, &run, &e), e);
		assert_patched(cases[i].wants);
		there_is(NAMESPACE("", ""));
		assert_ok(level_restore(&engine, &run, &e), e);
		assert_patched("");
	}
}

TEST(an_interrupt_leaves_no_namespace_open)
{
	struct step_run run = { .ns = (char *)"t", .pod_security = (char *)"baseline" };

	there_is(NAMESPACE(LEVEL("baseline"), MEMORY("\"restricted\"")));
	assert_ok(level_lower(&engine, &run, &e), e);
	proc_interrupted = SIGINT;
	assert_ok(level_restore(&engine, &run, &e), e);
	proc_interrupted = 0;
	assert_patched(PATCH("restricted", "null"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)
	static const struct CMUnitTest tests[] = {
		CASE(an_interrupt_leaves_nothing_scaled_down), CASE(what_is_to_stay_down_does_only_after_success),
		CASE(a_namespace_is_opened_only_as_far_as_needed), CASE(an_interrupt_leaves_no_namespace_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
