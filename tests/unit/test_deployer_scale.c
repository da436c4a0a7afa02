/* SPDX-License-Identifier: Apache-2.0 */
/* What a run scaled down goes up again, whatever ended the run. */
#include "unit.h"

#include <deployer/run.h>

#include <airgap/fs.h>
#include <airgap/proc.h>

#include <signal.h>

static struct err e;

TEST(an_interrupt_leaves_nothing_scaled_down)
{
	static const char object[] = "{\"apiVersion\": \"apps/v1\", \"kind\": \"Deployment\", \"metadata\": {\"name\": \"web\", "
				     "\"annotations\": {\"airgap/replicas\": \"3\"}}, \"spec\": {\"replicas\": 0}}";
	auto_free char *dir = NULL, *kubectl = NULL, *script = NULL, *patched = NULL;
	auto_buf struct buf patch = BUF_INIT(4096);
	struct step_scale scale = { .kind = (char *)"Deployment", .name = (char *)"web", .ns = (char *)"t" };
	struct step_run run = { .scale_down = &scale, .n_scale_down = 1 };
	struct session session = { .system = NULL };
	struct engine engine = { .session = &session };

	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	kubectl = fs_join(dir, "kubectl");
	patched = fs_join(dir, "patched");
	script = xasprintf("#!/bin/sh\ncase \"$*\" in *patch*) cat >%s ;; *) echo '%s' ;; esac\n", patched, object);
	assert_ok(fs_save(kubectl, script, strlen(script), 0755, &e), e);
	assert_ok(kubectl_open(&session.kubectl, kubectl, NULL, NULL, &e), e);
	proc_interrupted = SIGINT;
	assert_int_equal(scale_up(&engine, &run, &e), -1);
	assert_int_equal(proc_interrupted, SIGINT);
	proc_interrupted = 0;
	assert_ok(fs_load(patched, 4096, &patch, &e), e);
	assert_non_null(strstr(buf_str(&patch), "\"replicas\":3"));
	kubectl_close(&session.kubectl);
	assert_ok(fs_remove_tree(dir, &e), e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(an_interrupt_leaves_nothing_scaled_down) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
