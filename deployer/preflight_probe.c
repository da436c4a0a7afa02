/* SPDX-License-Identifier: Apache-2.0 */
/* Probe steps: asked before the first write, in pods of a namespace that is made for it and goes again. */
#include "preflight.h"

#include "push.h"
#include "run.h"

#include <airgap/log.h>
#include <airgap/pod.h>
#include <airgap/pool.h>
#include <airgap/proc.h>

#include <pthread.h>

#define PROBE_NAMESPACE "airgap-probe"
#define MANAGED_BY      "app.kubernetes.io/managed-by"
#define MANAGER         "airgap-deployer"
#define PULL_SECRET     "site-registry"
#define AT_ONCE         4

struct probing {
	struct engine *engine;
	const struct step **open; size_t n;     /* still to be asked */
	const char *pull_secret;
	pthread_mutex_t lock;
	struct strv *out;
};

int step_probe_check(struct engine *g, const struct step *s, enum step_state *out, struct strv *diff, struct err *e)
{
	(void)diff;
	(void)e;
	*out = engine_past(g, s)->done ? STEP_SAME : STEP_NEW;
	return 0;
}

int step_probe_run(struct engine *g, const struct step *s, struct journal_record *record, struct err *e)
{
	(void)g;
	(void)s;
	(void)record;
	(void)e;
	return 0;
}

static bool in_pod(const struct step *s)
{
	return steps_where(&s->probe.run) == STEP_IN_POD;
}

/* Passed before, with all that it is now? */
static int is_open(struct engine *g, const struct step *s, struct err *e)
{
	enum step_state state;

	if (s->kind != STEP_PROBE || (g->skip && strv_has(g->skip, s->probe.id)))
		return 0;
	if (g->retry && steps_find(g->steps, g->retry) == s)
		return 1;
	return engine_check(g, s, &state, NULL, e) < 0 ? -1 : state != STEP_SAME;
}

/* ---- asking ---- */

static void finding(struct probing *p, const struct step *s, const char *said)
{
	pthread_mutex_lock(&p->lock);
	strv_pushf(p->out, "%s: %s: %s%s%s", s->probe.id, s->probe.title, said, *said ? ": " : "", s->probe.need);
	pthread_mutex_unlock(&p->lock);
}

static int ask(void *ctx, unsigned worker, size_t i, struct err *e)
{
	struct probing *p = ctx;
	const struct step *s = p->open[i];
	struct run_at at = { .engine = p->engine, .step = s, .run = &s->probe.run, .ns = PROBE_NAMESPACE, .pull_secret = p->pull_secret,
			     .looking = true };
	CLEANUP(run_said_release) struct run_said said = RUN_SAID;

	(void)worker;
	if (run_command(&at, &s->probe.run.command, &said, e) < 0) {
		/* It could not be asked: as much of a finding as a bad answer, unless we are told to stop. */
		if (proc_interrupted)
			return err_wrap(e, "%s", s->id);
		finding(p, s, e->msg);
		return 0;
	}

	auto_free char *words = run_last_words(&at, &said);

	if (said.status != 0)
		finding(p, s, words);
	return 0;
}

/* ---- where the pods go ---- */

static void report(void *ctx, const struct pod_template *t, const char *path, const char *what)
{
	(void)t;
	(void)path;
	(void)what;
	*(bool *)ctx = false;
}

/* Restricted, unless one of them cannot be. */
static int level_of(const struct probing *p, const char **out, struct err *e)
{
	bool restricted = true;

	for (size_t i = 0; i < p->n; i++) {
		const struct step_run *r = &p->open[i]->probe.run;
		auto_json json_t *job = steps_job(p->open[i]->metadata.name, PROBE_NAMESPACE, r, &r->command, true, NULL);
		struct helm_object item = { .object = job, .source = p->open[i]->source };
		const struct helm_objects one = { &item, 1 };
		auto_pods struct pod_templates pods = { 0 };

		if (pod_find_templates(&one, &pods, e) < 0)
			return -1;
		for (size_t k = 0; k < pods.n; k++)
			pod_check_restricted(&pods.items[k], true, report, &restricted);
	}
	*out = restricted ? "restricted" : "privileged";
	return 0;
}

/* The images of the probes alone; everything else goes to the registry when they have passed. */
static int push_images(const struct probing *p, struct err *e)
{
	struct session *s = p->engine->session;
	struct push_report ignored = { 0 };
	auto_strv struct strv wanted = { 0 };

	for (size_t i = 0; i < p->n; i++) {
		const char *image = p->open[i]->probe.run.image;
		size_t before = wanted.n;

		for (size_t k = 0; k < s->contents.n_images; k++) {
			auto_free char *target = NULL;

			if (session_image_target(s, s->contents.images[k].ref, &target, e) < 0)
				return -1;
			if (strcmp(target, image) == 0)
				strv_push(&wanted, s->contents.images[k].ref);
		}
		if (wanted.n == before)
			return err_set(e, ERR_PREFLIGHT, "%s: image '%s': not in the bundle: build it again with this site file",
				       p->open[i]->id, image);
	}
	strv_sort(&wanted);
	strv_uniq(&wanted);
	return push_all(s, &wanted, &ignored, e);
}

/* One that a killed run left goes first; one of somebody else's stays. */
static int clear_namespace(struct session *s, struct err *e)
{
	auto_json json_t *there = NULL;
	int found = kubectl_get(&s->kubectl, "namespace", NULL, PROBE_NAMESPACE, &there, e);

	if (found <= 0)
		return found;
	if (!str_eq(jdoc_text(there, "metadata", "labels", MANAGED_BY, NULL), MANAGER))
		return err_set(e, ERR_CONFLICT, "namespace " PROBE_NAMESPACE ": is there and not ours: rename it, or leave probes out "
			       "with --skip ID");
	return kubectl_delete(&s->kubectl, "namespace", NULL, PROBE_NAMESPACE, e);
}

static int make_namespace(struct probing *p, struct err *e)
{
	struct session *s = p->engine->session;
	auto_json json_t *labels = json_pack("{s:s}", MANAGED_BY, MANAGER);
	struct step_namespace n = { .name = (char *)PROBE_NAMESPACE, .labels = labels };
	auto_json json_t *objects = NULL;
	const char *level;

	if (s->site.registry.username || s->pull_user)
		p->pull_secret = n.pull_secret.name = (char *)PULL_SECRET;
	if (level_of(p, &level, e) < 0)
		return -1;
	n.pod_security = (char *)level;
	if (step_namespace_objects(p->engine, &n, &objects, e) < 0 || clear_namespace(s, e) < 0 ||
	    kubectl_apply(&s->kubectl, json_array_get(objects, 0), KUBECTL_APPLY, NULL, e) < 0)
		return -1;
	json_array_remove(objects, 0);
	return kubectl_apply(&s->kubectl, objects, KUBECTL_APPLY, NULL, e);
}

static int ask_in_pods(struct probing *p, struct err *e)
{
	struct err later = { 0 };

	if (push_images(p, e) < 0 || make_namespace(p, e) < 0)
		return -1;

	int r = pool_each(AT_ONCE, p->n, ask, p, e);
	int sig = proc_interrupt_take();        /* what signs in to the registry must not stay there */

	if (kubectl_delete(&p->engine->session->kubectl, "namespace", NULL, PROBE_NAMESPACE, &later) < 0)
		log_warn("namespace " PROBE_NAMESPACE ": not removed: %s", later.msg);
	proc_interrupt_give(sig);
	return r;
}

/* ---- all of them ---- */

static void probing_release(struct probing *p)
{
	free(p->open);
	pthread_mutex_destroy(&p->lock);
}

static int gather(struct probing *p, bool pods, struct err *e)
{
	struct engine *g = p->engine;

	p->n = 0;
	for (size_t i = 0; i < g->steps->n; i++) {
		const struct step *s = &g->steps->items[i];
		int wanted = s->kind == STEP_PROBE && in_pod(s) == pods ? is_open(g, s, e) : 0;

		if (wanted < 0)
			return -1;
		if (wanted)
			p->open[p->n++] = s;
	}
	return 0;
}

int preflight_probes(struct engine *g, bool pods, struct strv *out, struct err *e)
{
	CLEANUP(probing_release) struct probing p = {
		.engine = g, .open = xcalloc(g->steps->n + 1, sizeof(*p.open)), .lock = PTHREAD_MUTEX_INITIALIZER, .out = out,
	};

	if (gather(&p, false, e) < 0 || pool_each(AT_ONCE, p.n, ask, &p, e) < 0 || gather(&p, true, e) < 0)
		return -1;
	for (size_t i = 0; !pods && i < p.n; i++)
		log_info("%s: %s: asked by `deployer install`, in a pod", p.open[i]->probe.id, p.open[i]->probe.title);
	if (pods && p.n && ask_in_pods(&p, e) < 0)
		return -1;
	strv_sort(out);
	return 0;
}
