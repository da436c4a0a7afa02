/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include "diagnose.h"

#include <airgap/log.h>
#include <airgap/pool.h>
#include <airgap/proc.h>

#include <time.h>

/* How long a webhook may take to answer, and the longest pause between two tries. */
#define HEAL_SECONDS 180
#define HEAL_STEP    30

/* Nodes of the graph: the steps, then one for each `late` block of a Release. */
struct node {
	const struct step *step;
	bool late;
	size_t *needs; size_t n_needs;
	struct err why;         /* code ERR_NONE = did not fail */
};

struct run {
	struct engine *g;
	struct node *nodes; size_t n;
	bool *wanted;           /* steps that --only or --from leave in */
	_Atomic size_t changed;
};

static size_t index_of(const struct engine *g, const struct step *s)
{
	return (size_t)(s - g->steps->items);
}

/* ---- which ---- */

/* --from S: S and what needs it, directly or not. needs are sorted and acyclic but not topological: repeat. */
static void mark_from(struct run *r, size_t from)
{
	const struct steps *all = r->g->steps;

	r->wanted[from] = true;
	for (bool moved = true; moved;) {
		moved = false;
		for (size_t i = 0; i < all->n; i++)
			for (size_t k = 0; k < all->items[i].n_needs && !r->wanted[i]; k++)
				if (r->wanted[all->items[i].needs[k]])
					r->wanted[i] = moved = true;
	}
}

static void mark(struct run *r)
{
	const struct engine *g = r->g;
	bool all = !g->from && !(g->only && g->only->n);

	for (size_t i = 0; i < g->steps->n; i++)
		r->wanted[i] = all;
	if (g->from)
		mark_from(r, index_of(g, steps_find(g->steps, g->from)));
	for (size_t i = 0; g->only && i < g->only->n; i++)
		r->wanted[index_of(g, steps_find(g->steps, g->only->items[i]))] = true;

	/* A release is never upgraded without what has to come before it. */
	for (size_t i = 0; i < g->steps->n; i++) {
		const struct step *s = &g->steps->items[i];

		for (size_t k = 0; s->kind == STEP_RELEASE && r->wanted[i] && k < s->release.before.n; k++)
			r->wanted[index_of(g, steps_find(g->steps, s->release.before.items[k]))] = true;
	}
}

static void add_need(struct node *n, size_t need)
{
	GROW(n->needs, n->n_needs);
	n->needs[n->n_needs++] = need;
}

/* A release is upgraded by one node at a time: each late one needs the one before. */
static int add_late(struct run *r, size_t at, const struct step *s, struct err *e)
{
	size_t before = index_of(r->g, s);

	for (size_t i = 0; i < s->release.n_late; i++, at++) {
		const struct strv *ids = &s->release.late[i].needs;
		struct node *n = &r->nodes[at];

		*n = (struct node){ .step = s, .late = true };
		add_need(n, before);
		before = at;
		for (size_t k = 0; k < ids->n; k++) {
			const struct step *need = steps_find(r->g->steps, ids->items[k]);

			if (!need)
				return err_set(e, ERR_MALFORMED, "%s: late: needs '%s': no such step", s->id, ids->items[k]);
			add_need(n, index_of(r->g, need));
		}
	}
	return 0;
}

static void nodes_release(struct run *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->nodes[i].needs);
	free(r->nodes);
}

static int make_nodes(struct run *r, struct err *e)
{
	const struct steps *all = r->g->steps;
	size_t late = 0, at = all->n;

	for (size_t i = 0; i < all->n; i++)
		late += all->items[i].kind == STEP_RELEASE ? all->items[i].release.n_late : 0;
	r->n = all->n + late;
	r->nodes = xcalloc(r->n, sizeof(*r->nodes));
	for (size_t i = 0; i < all->n; i++) {
		const struct step *s = &all->items[i];

		r->nodes[i].step = s;
		for (size_t k = 0; k < s->n_needs; k++)
			add_need(&r->nodes[i], s->needs[k]);
		if (s->kind != STEP_RELEASE)
			continue;
		if (add_late(r, at, s, e) < 0)
			return -1;
		at += s->release.n_late;
	}
	return 0;
}

/* ---- doing ---- */

static const char *namespace_of(const struct step *s)
{
	switch (s->kind) {
	case STEP_RELEASE:
		return s->release.ns;
	case STEP_WAIT:
		return s->wait.object.ns;
	case STEP_RUN:
		return steps_where(&s->run) == STEP_IN_POD ? s->run.ns : NULL;
	default:
		return NULL;
	}
}

void engine_diagnose(struct engine *g, const struct step *s)
{
	auto_strv struct strv lines = { 0 };

	if (namespace_of(s) && !proc_interrupted)
		diagnose_namespace(g->session, namespace_of(s), &lines);
	for (size_t i = 0; i < lines.n; i++)
		log_info("%s: %s", s->id, lines.items[i]);
}

static int record(struct engine *g, const struct step *s, const struct journal_record *what, const struct digest *d,
		  const char *result, struct err *e)
{
	struct journal_record r = *what;

	r.step = s->id;
	r.digest = *d;
	r.bundle = g->bundle;
	r.result = (char *)result;
	return journal_add(g->journal, &r, e);
}

static void record_failure(struct engine *g, const struct step *s, const struct digest *d, struct err *why)
{
	struct journal_record r = { .note = why->msg };
	struct err ignored;

	if (record(g, s, &r, d, "failed", &ignored) < 0)
		log_debug("%s", ignored.msg);
}

static void note_release(struct journal_record *r)
{
	free(r->note);
	json_decref(r->made);
}

/* With what has to be known to remove it one day. */
static int record_start(struct engine *g, const struct step *s, const struct digest *now, struct err *e)
{
	CLEANUP(note_release) struct journal_record r = { 0 };
	auto_json json_t *objects = NULL;

	if (s->kind == STEP_APPLY && step_apply_objects(g, s, true, &objects, e) < 0)
		return -1;
	r.made = steps_keep(g->steps, s, objects);
	return record(g, s, &r, now, "started", e);
}

static int do_step(struct run *run, const struct step *s, const struct digest *now, struct err *e)
{
	struct engine *g = run->g;
	CLEANUP(note_release) struct journal_record r = { 0 };
	struct digest after;

	log_debug("%s: start", s->id);
	if (record_start(g, s, now, e) < 0)
		return -1;

	if (step_actions[s->kind].run(g, s, &r, e) < 0) {
		record_failure(g, s, now, e);
		return -1;
	}

	/* Values generated by the step are part of what it is now. */
	if (engine_step_digest(g, s, &after, e) < 0 || record(g, s, &r, &after, "done", e) < 0)
		return -1;
	g->past[index_of(g, s)] = (struct step_past){ .done = true, .digest = after, .revision = r.revision };
	atomic_fetch_add(&run->changed, 1);
	progress_item("%s", s->id);
	return 0;
}

static int visit(struct run *run, const struct node *n, struct err *e)
{
	struct engine *g = run->g;
	const struct step *s = n->step;
	enum step_state state;
	struct digest now;

	if (proc_interrupted)
		return err_set(e, ERR_DEADLINE, "interrupted: run the same command again to go on");
	if (lease_check(g->lease, e) < 0 || engine_check(g, s, &state, NULL, e) < 0 || engine_step_digest(g, s, &now, e) < 0)
		return -1;

	if (state == STEP_SAME && !(g->retry && !n->late && steps_find(g->steps, g->retry) == s)) {
		log_debug("%s: unchanged", s->id);
		return 0;
	}
	if (do_step(run, s, &now, e) < 0) {
		/* A release was looked at before it was undone. */
		if (s->kind != STEP_RELEASE)
			engine_diagnose(g, s);
		return err_wrap(e, "%s", s->id);
	}
	return 0;
}

/* A webhook whose server is ready before it listens, as a certificate has to reach it first, heals by itself; one that
 * answers, and denies, does not. */
static bool heals(const struct err *e)
{
	return strstr(e->msg, "failed calling webhook") && !proc_interrupted;
}

static int visit_healing(struct run *run, const struct node *n, struct err *e)
{
	time_t waited = 0;

	for (time_t wait = 2; visit(run, n, e) < 0; wait = MIN(2 * wait, (time_t)HEAL_STEP)) {
		if (!heals(e) || waited >= (time_t)HEAL_SECONDS)
			return -1;
		log_info("%s: tried again in %llds", e->msg, (long long)wait);
		for (time_t i = 0; i < wait && !proc_interrupted; i++)
			nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
		waited += wait;
	}
	return 0;
}

static bool is_skipped(const struct engine *g, const struct step *s)
{
	return s->kind == STEP_PROBE && g->skip && strv_has(g->skip, s->probe.id);
}

static int run_node(void *ctx, unsigned worker, size_t i, struct err *e)
{
	struct run *run = ctx;
	struct node *n = &run->nodes[i];
	size_t step = index_of(run->g, n->step);

	(void)worker;
	if (!run->wanted[step] || n->step->kind == STEP_CARRY || is_skipped(run->g, n->step))
		return 0;
	if (visit_healing(run, n, e) < 0) {
		n->why = *e;
		return -1;
	}
	run->g->done[step] = true;
	return 0;
}

/* All that went wrong but the one failure that is returned; what was not tried because of it. */
static void tell_rest(const struct run *run, const struct pool_node *state, const struct err *returned)
{
	bool skipped_one = false;

	if (proc_interrupted)
		return;
	for (size_t i = 0; i < run->n; i++) {
		if (state[i].state == POOL_SKIPPED && !run->nodes[i].late)
			log_warn("%s: not started: a step it needs failed", run->nodes[i].step->id);
		if (state[i].state != POOL_FAILED || run->nodes[i].why.code == ERR_NONE)
			continue;
		if (!skipped_one && strcmp(run->nodes[i].why.msg, returned->msg) == 0)
			skipped_one = true;
		else
			log_error("%s", run->nodes[i].why.msg);
	}
}

int engine_run(struct engine *g, unsigned jobs, size_t *out_changed, struct err *e)
{
	auto_free bool *wanted = xcalloc(g->steps->n, sizeof(*wanted));
	CLEANUP(nodes_release) struct run run = { .g = g, .wanted = wanted };

	if (make_nodes(&run, e) < 0)
		return -1;

	auto_free struct pool_node *nodes = xcalloc(run.n, sizeof(*nodes));

	mark(&run);
	for (size_t i = 0; i < run.n; i++) {
		nodes[i].needs = run.nodes[i].needs;
		nodes[i].n_needs = run.nodes[i].n_needs;
	}
	progress_begin("install", 0);

	int r = pool_graph(jobs, nodes, run.n, run_node, &run, e);

	progress_end();
	if (r < 0)
		tell_rest(&run, nodes, e);
	*out_changed = atomic_load(&run.changed);
	return r;
}
