/* SPDX-License-Identifier: Apache-2.0 */
/* What must not run while a command does. */
#include "run.h"

#include "live.h"

#include <airgap/log.h>
#include <airgap/proc.h>

#include <time.h>

#define ANNOTATION "airgap/replicas"

static const char *kind_of(const struct step_scale *s)
{
	return strcmp(s->kind, "Deployment") == 0 ? "deployment.v1.apps" : "statefulset.v1.apps";
}

static const char *space_of(const struct step_run *r, const struct step_scale *s)
{
	return s->ns ? s->ns : r->ns;
}

static int load(struct engine *g, const struct step_run *r, const struct step_scale *s, json_t **out, struct err *e)
{
	return kubectl_get(&g->session->kubectl, kind_of(s), space_of(r, s), s->name, out, e);
}

static const char *remembered(const json_t *o)
{
	return jdoc_text(o, "metadata", "annotations", ANNOTATION, NULL);
}

static int replicas_of(const json_t *o)
{
	const json_t *n = jdoc_at(o, "spec", "replicas", NULL);

	return json_is_integer(n) ? (int)json_integer_value(n) : 1;
}

/* Replicas and what is remembered of them change together: there is no moment between. */
static int set(struct engine *g, const struct step_run *r, const struct step_scale *s, int replicas, const char *remember,
	       struct err *e)
{
	auto_json json_t *patch = json_pack("{s:{s:{s:s?}}, s:{s:i}}", "metadata", "annotations", ANNOTATION, remember, "spec",
					    "replicas", replicas);

	return kubectl_patch(&g->session->kubectl, kind_of(s), space_of(r, s), s->name, patch, e);
}

static char *selector_of(const json_t *o)
{
	auto_strv struct strv parts = { 0 };
	const char *key;
	json_t *value;

	json_object_foreach(jdoc_at(o, "spec", "selector", "matchLabels", NULL), key, value)
		if (json_is_string(value))
			strv_pushf(&parts, "%s=%s", key, json_string_value(value));
	return strv_join(&parts, ",");
}

static int await_gone(struct engine *g, const struct step_run *r, const struct step_scale *s, const json_t *o, struct err *e)
{
	static const struct timespec pause = { 0, 500000000 };
	auto_free char *selector = selector_of(o);
	time_t end = time(NULL) + run_seconds(r);

	while (*selector) {
		auto_json json_t *pods = NULL;

		if (kubectl_list(&g->session->kubectl, "pods", space_of(r, s), selector, &pods, e) < 0)
			return -1;
		if (json_array_size(pods) == 0)
			break;
		if (proc_interrupted)
			return err_set(e, ERR_DEADLINE, "interrupted");
		if (time(NULL) >= end)
			return err_set(e, ERR_NOT_READY, "%s '%s': its pods do not go", s->kind, s->name);
		nanosleep(&pause, NULL);
	}
	return 0;
}

int scale_down(struct engine *g, const struct step_run *r, struct err *e)
{
	for (size_t i = 0; i < r->n_scale_down; i++) {
		const struct step_scale *s = &r->scale_down[i];
		auto_json json_t *o = NULL;
		int there = load(g, r, s, &o, e);

		if (there < 0)
			return -1;
		if (!there)
			continue;

		/* One that is remembered was scaled down by a run that ended too early: what it had is what counts. */
		auto_free char *now = xasprintf("%d", replicas_of(o));
		const char *before = remembered(o) ? remembered(o) : now;

		if ((!remembered(o) || replicas_of(o) != 0) && set(g, r, s, 0, before, e) < 0)
			return -1;
		if (await_gone(g, r, s, o, e) < 0)
			return -1;
	}
	return 0;
}

static int await_ready(struct engine *g, const struct step_run *r, const struct step_scale *s, struct err *e)
{
	static const struct timespec pause = { 0, 500000000 };
	time_t end = time(NULL) + run_seconds(r);

	for (;;) {
		auto_json json_t *o = NULL;
		auto_free char *why = NULL;

		if (proc_interrupted)
			return err_set(e, ERR_DEADLINE, "interrupted");
		if (load(g, r, s, &o, e) < 0)
			return -1;
		if (!o || live_is_ready(o, &why) == LIVE_READY)
			return 0;
		if (time(NULL) >= end)
			return err_set(e, ERR_NOT_READY, "%s '%s': runs again, and is not ready: %s", s->kind, s->name, why ? why : "");
		nanosleep(&pause, NULL);
	}
}

static int raise_all(struct engine *g, const struct step_run *r, bool well, bool *was_down, struct err *e)
{
	for (size_t i = 0; i < r->n_scale_down; i++) {
		const struct step_scale *s = &r->scale_down[i];
		auto_json json_t *o = NULL;
		uint64_t n;

		if (load(g, r, s, &o, e) < 0)
			return -1;
		if (!o || !remembered(o))
			continue;
		if (!u64_parse(remembered(o), &n) || n > 10000)
			return err_set(e, ERR_CONFLICT, "%s '%s': annotation " ANNOTATION " is not a number: scale it by hand and remove it",
				       s->kind, s->name);
		/* One that stays down is forgotten here: what brings it up has its own number. */
		was_down[i] = !(well && s->stay_down);
		if (set(g, r, s, was_down[i] ? (int)n : 0, NULL, e) < 0)
			return -1;
	}
	return 0;
}

/* An interrupted run does not wait for what it scales up, but leaves nothing down. */
int scale_up(struct engine *g, const struct step_run *r, bool well, struct err *e)
{
	auto_free bool *was_down = xcalloc(r->n_scale_down + 1, sizeof(*was_down));
	int sig = proc_interrupt_take(), raised = raise_all(g, r, well, was_down, e);

	proc_interrupt_give(sig);
	if (raised < 0)
		return -1;
	for (size_t i = 0; i < r->n_scale_down; i++)
		if (was_down[i] && await_ready(g, r, &r->scale_down[i], e) < 0)
			return -1;
	return 0;
}

int scale_is_down(struct engine *g, const struct step_run *r, struct err *e)
{
	for (size_t i = 0; i < r->n_scale_down; i++) {
		auto_json json_t *o = NULL;

		if (load(g, r, &r->scale_down[i], &o, e) < 0)
			return -1;
		if (o && remembered(o))
			return 1;
	}
	return 0;
}
