/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <airgap/log.h>
#include <airgap/proc.h>

/* The places a command is run at: pods for exec, else one without a name. */

static bool is_ready(const json_t *pod)
{
	size_t i;
	json_t *c;

	if (jdoc_text(pod, "metadata", "deletionTimestamp", NULL))
		return false;
	json_array_foreach(jdoc_at(pod, "status", "conditions", NULL), i, c)
		if (str_eq(jdoc_text(c, "type", NULL), "Ready"))
			return str_eq(jdoc_text(c, "status", NULL), "True");
	return false;
}

static int exec_pods(struct engine *g, const struct step_run *r, struct strv *out, struct err *e)
{
	auto_json json_t *pods = NULL;
	size_t i;
	json_t *pod;

	if (kubectl_list(&g->session->kubectl, "pods", r->ns, r->exec.selector, &pods, e) < 0)
		return -1;
	json_array_foreach(pods, i, pod) {
		const char *name = jdoc_text(pod, "metadata", "name", NULL);

		if (r->exec.node && !str_eq(jdoc_text(pod, "spec", "nodeName", NULL), r->exec.node))
			continue;
		if (is_ready(pod))
			strv_push(out, name);
		else if (r->exec.each)
			return err_set(e, ERR_NOT_READY, "pod '%s' in namespace '%s': not ready: the command is for each of them", name, r->ns);
	}
	strv_sort(out);
	if (out->n == 0)
		return err_set(e, ERR_NOT_READY, "pods '%s' in namespace '%s'%s%s: none is ready", r->exec.selector, r->ns,
			       r->exec.node ? " on node " : "", r->exec.node ? r->exec.node : "");
	for (; out->n > 1 && !r->exec.each; out->items[out->n] = NULL)
		free(out->items[--out->n]);
	return 0;
}

static const char *pull_secret_of(const struct engine *g, const char *ns)
{
	for (size_t i = 0; ns && i < g->steps->n; i++)
		if (g->steps->items[i].kind == STEP_NAMESPACE && strcmp(g->steps->items[i].ns.name, ns) == 0)
			return g->steps->items[i].ns.pull_secret.name;
	return NULL;
}

static struct run_at place(struct engine *g, const struct step *s, bool looking)
{
	return (struct run_at){ .engine = g, .step = s, .run = &s->run, .ns = s->run.ns, .pull_secret = pull_secret_of(g, s->run.ns),
				.looking = looking };
}

/* ---- looking ---- */

/* 1: `unless` holds here. */
static int holds(const struct run_at *at, struct err *e)
{
	CLEANUP(run_said_release) struct run_said said = RUN_SAID;

	if (at->run->unless.n == 0)
		return 0;
	if (run_command(at, &at->run->unless, &said, e) < 0)
		return err_wrap(e, "unless");
	return said.status == 0;
}

/* The places where there is something to do. */
static int open_places(struct engine *g, const struct step *s, bool looking, struct strv *pods, size_t *n, struct err *e)
{
	struct run_at at = place(g, s, looking);
	auto_strv struct strv all = { 0 };
	int held;

	*n = 0;
	if (steps_where(&s->run) != STEP_BY_EXEC) {
		held = holds(&at, e);
		*n = held == 0;
		return MIN(held, 0);
	}
	if (exec_pods(g, &s->run, &all, e) < 0)
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		at.pod = all.items[i];
		held = holds(&at, e);
		if (held < 0)
			return -1;
		if (!held)
			strv_push(pods, all.items[i]);
	}
	*n = pods->n;
	return 0;
}

int step_run_check(struct engine *g, const struct step *s, enum step_state *out, struct strv *diff, struct err *e)
{
	const struct step_past *past = engine_past(g, s);
	bool done = past->done;
	auto_strv struct strv pods = { 0 };
	size_t n = 0;
	/* Of one that is done it was another that was killed: it brings them back itself. */
	int down = done && !past->started ? 0 : scale_is_down(g, &s->run, e);

	*out = done ? STEP_SAME : STEP_NEW;
	if (down < 0)
		return -1;
	if (down) {
		*out = STEP_CHANGES;
		if (diff)
			strv_push(diff, "scaled down by a run that ended too early");
	}
	/* A look starts no pod. */
	if (s->run.unless.n == 0 || steps_where(&s->run) == STEP_IN_POD || down)
		return 0;
	if (open_places(g, s, true, &pods, &n, e) == 0) {
		*out = n == 0 ? STEP_SAME : done ? STEP_CHANGES : STEP_NEW;
		for (size_t i = 0; diff && i < pods.n; i++)
			strv_pushf(diff, "pod '%s': %s", pods.items[i], s->run.command.items[0]);
		return 0;
	}
	if (proc_interrupted)
		return -1;
	log_debug("%s: %s", s->id, e->msg);
	*out = done ? STEP_FAILING : STEP_NEW;
	if (diff && done)
		strv_push(diff, e->msg);
	return 0;
}

/* ---- doing ---- */

static int do_at(const struct run_at *at, struct err *e)
{
	CLEANUP(run_said_release) struct run_said said = RUN_SAID;

	if (run_command(at, &at->run->command, &said, e) < 0)
		return -1;
	return said.status == 0 ? 0 : run_failed(at, &said, e);
}

static int do_all(struct engine *g, const struct step *s, const struct strv *pods, struct err *e)
{
	struct run_at at = place(g, s, false);

	if (steps_where(&s->run) != STEP_BY_EXEC)
		return do_at(&at, e);
	for (size_t i = 0; i < pods->n; i++) {
		at.pod = pods->items[i];
		if (do_at(&at, e) < 0)
			return -1;
	}
	return 0;
}

/* What could not be put back is the failure, if there was none. */
static int undone(const struct step *s, const char *what, int r, const struct err *later, struct err *e)
{
	if (r == 0)
		*e = *later;
	else
		log_warn("%s: not %s again: %s: the next run does it", s->id, what, later->msg);
	return -1;
}

int step_run_run(struct engine *g, const struct step *s, struct journal_record *record, struct err *e)
{
	auto_strv struct strv pods = { 0 };
	struct err later = { 0 };
	size_t n = 0;
	int r;

	(void)record;
	if (open_places(g, s, false, &pods, &n, e) < 0)
		return -1;
	if (n == 0)
		return scale_up(g, &s->run, true, e);

	r = level_lower(g, &s->run, e);
	if (r == 0)
		r = scale_down(g, &s->run, e);
	if (r == 0)
		r = do_all(g, s, &pods, e);
	/* Whatever came of it, what ran before runs again, while the namespace still takes it. */
	if (scale_up(g, &s->run, r == 0, &later) < 0)
		r = undone(s, "scaled up", r, &later, e);
	if (level_restore(g, &s->run, &later) < 0)
		r = undone(s, "given its level back", r, &later, e);
	return r;
}
