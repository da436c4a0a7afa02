/* SPDX-License-Identifier: Apache-2.0 */
/* Probe steps: asked before the first write, in pods of a namespace that is made for it and goes again. */
#include "preflight.h"

#include "lease.h"
#include "mirrors.h"
#include "pull.h"
#include "push.h"
#include "run.h"

#include <airgap/log.h>
#include <airgap/pod.h>
#include <airgap/pool.h>
#include <airgap/proc.h>

#include <pthread.h>
#include <time.h>

#define PROBE_NAMESPACE "airgap-probe"
#define MANAGED_BY      "app.kubernetes.io/managed-by"
#define MANAGER         "airgap-deployer"
#define HOLDER          "airgap/holder"
#define HELD_SECONDS    600
#define PULL_SECRET     "site-registry"
#define AT_ONCE         4
#define NODES_HIDDEN    "not known: you may not list nodes: ask for that right, or look yourself"

/* One pod, or one command on this machine. */
struct asked {
	const struct step *step;
	struct finding_row *row;
	const char *node;       /* borrowed from probing.ready; NULL = wherever */
	size_t number;          /* of the node */
};

struct probing;
struct asked_list { struct probing *probing; struct asked *items; size_t n; };

struct probing {
	struct engine *engine;
	enum preflight_mode mode;
	struct asked_list here, pods;           /* still to be asked */
	struct strv pulled;                     /* references of images; none = no pull is asked */
	enum mirror_kind kind;                  /* of the nodes */
	struct finding_row *pull_row;
	struct strv ready;                      /* nodes */
	const char *pull_secret;
	bool nodes_hidden;                      /* they may not be listed */
	char *holder;                           /* our name on the namespace; NULL = it was not asked for yet */
	pthread_mutex_t lock;
	struct findings *out;
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

/* Not passed before, or not with all that it is now? */
static int is_open(const struct probing *p, const struct step *s, struct err *e)
{
	struct engine *g = p->engine;
	enum step_state state;

	if (p->mode == PREFLIGHT_ALL || (g->retry && steps_find(g->steps, g->retry) == s))
		return 1;
	return engine_check(g, s, &state, NULL, e) < 0 ? -1 : state != STEP_SAME;
}

/* ---- asking ---- */

static enum finding_level level(const struct step *s)
{
	const char *said = s->probe.level;

	if (said && strcmp(said, "warn") == 0)
		return FOUND_WARN;
	return said && strcmp(said, "info") == 0 ? FOUND_INFO : FOUND_FAIL;
}

static void finding(struct probing *p, const struct asked *a, const char *said)
{
	const struct step_probe *probe = &a->step->probe;
	auto_free char *node = a->node ? xasprintf("node '%s': ", a->node) : xstrdup("");

	pthread_mutex_lock(&p->lock);
	findings_say(a->row, level(a->step), "%s%s: %s%s%s", node, probe->title, said, *said ? ": " : "", probe->need);
	pthread_mutex_unlock(&p->lock);
}

static int ask(void *ctx, unsigned worker, size_t i, struct err *e)
{
	const struct asked_list *list = ctx;
	const struct asked *a = &list->items[i];
	struct probing *p = list->probing;
	const struct step *s = a->step;
	auto_free char *name = a->node ? xasprintf("%s-n%zu", s->metadata.name, a->number) : xstrdup(s->metadata.name);
	struct run_at at = { .engine = p->engine, .step = s, .run = &s->probe.run, .ns = PROBE_NAMESPACE, .pull_secret = p->pull_secret,
			     .looking = true, .name = name, .node = a->node };
	CLEANUP(run_said_release) struct run_said said = RUN_SAID;

	(void)worker;
	if (run_command(&at, &s->probe.run.command, &said, e) < 0) {
		/* It could not be asked: as much of a finding as a bad answer, unless we are told to stop. */
		if (proc_interrupted)
			return err_wrap(e, "%s", s->id);
		finding(p, a, e->msg);
		return 0;
	}

	auto_free char *words = run_last_words(&at, &said);

	if (said.status != 0)
		finding(p, a, words);
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

	for (size_t i = 0; i < p->pods.n; i++) {
		const struct step_run *r = &p->pods.items[i].step->probe.run;
		auto_json json_t *job = steps_job(p->pods.items[i].step->metadata.name, PROBE_NAMESPACE, r, &r->command, true, NULL);
		struct helm_object item = { .object = job, .source = p->pods.items[i].step->source };
		const struct helm_objects one = { &item, 1 };
		auto_pods struct pod_templates pods = { 0 };

		if (pod_find_templates(&one, &pods, e) < 0)
			return -1;
		for (size_t k = 0; k < pods.n; k++)
			pod_check(&pods.items[k], POD_RESTRICTED, report, &restricted);
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

	for (size_t i = 0; i < p->pulled.n; i++)
		strv_push(&wanted, p->pulled.items[i]);
	for (size_t i = 0; i < p->pods.n; i++) {
		const char *image = p->pods.items[i].step->probe.run.image;
		size_t before = wanted.n;

		for (size_t k = 0; k < s->contents.n_images; k++) {
			auto_free char *target = NULL;

			if (session_image_name(s, s->contents.images[k].ref, &target, e) < 0)
				return -1;
			if (strcmp(target, image) == 0)
				strv_push(&wanted, s->contents.images[k].ref);
		}
		if (wanted.n == before)
			return err_set(e, ERR_PREFLIGHT, "%s: image '%s': not in the bundle: build it again with this site file",
				       p->pods.items[i].step->id, image);
	}
	strv_sort(&wanted);
	strv_uniq(&wanted);
	if (bundle_is_head_alone(s->bundle))    /* they are in the registry, or their pods will tell */
		return 0;
	return push_all(s, &wanted, &ignored, e);
}

const char *preflight_held(const json_t *ns, int64_t now)
{
	const char *holder = jdoc_text(ns, "metadata", "annotations", HOLDER, NULL);
	const char *since = jdoc_text(ns, "metadata", "creationTimestamp", NULL);
	struct tm tm = { 0 };

	if (!holder || lease_holder_is_dead(holder) || jdoc_text(ns, "metadata", "deletionTimestamp", NULL))
		return NULL;
	if (!since || !strptime(since, "%Y-%m-%dT%H:%M:%S", &tm) || timegm(&tm) + HELD_SECONDS < now)
		return NULL;
	return since;
}

/* One that a killed run left goes first; one of somebody else's, or of a run that is at work, stays. */
static int clear_namespace(struct session *s, struct err *e)
{
	auto_json json_t *there = NULL;
	int found = kubectl_get(&s->kubectl, "namespace", NULL, PROBE_NAMESPACE, &there, e);

	if (found <= 0)
		return found;
	if (!str_eq(jdoc_text(there, "metadata", "labels", MANAGED_BY, NULL), MANAGER))
		return err_set(e, ERR_CONFLICT, "namespace " PROBE_NAMESPACE ": is there and not ours: rename it, or leave probes out "
			       "with --skip ID");

	const char *since = preflight_held(there, (int64_t)time(NULL));

	if (since)
		return err_set(e, ERR_LOCKED, "namespace " PROBE_NAMESPACE ": another run asks its probes there, since %s (%s): wait, or "
			       "delete the namespace", since, jdoc_text(there, "metadata", "annotations", HOLDER, NULL));
	return kubectl_delete(&s->kubectl, "namespace", NULL, PROBE_NAMESPACE, e);
}

/* Created, not applied: of two that find none only one may have it. */
static int claim(struct probing *p, json_t *ns, struct err *e)
{
	struct session *s = p->engine->session;
	int r = 1;

	p->holder = lease_holder_name();
	json_object_set_new(json_object_get(ns, "metadata"), "annotations", json_pack("{s:s}", HOLDER, p->holder));
	for (unsigned i = 0; i < 2 && r > 0; i++)
		r = clear_namespace(s, e) < 0 ? -1 : kubectl_create(&s->kubectl, ns, NULL, e);
	return r > 0 ? err_set(e, ERR_LOCKED, "namespace " PROBE_NAMESPACE ": several runs want it: try again") : r;
}

/* If it has our name still: another run may have taken what it thought was left. */
static void remove_namespace(const struct probing *p)
{
	struct kubectl *k = &p->engine->session->kubectl;
	auto_json json_t *there = NULL;
	struct err e = { 0 };
	int r = p->holder ? kubectl_get(k, "namespace", NULL, PROBE_NAMESPACE, &there, &e) : 0;

	if (r > 0 && str_eq(jdoc_text(there, "metadata", "annotations", HOLDER, NULL), p->holder))
		r = kubectl_delete(k, "namespace", NULL, PROBE_NAMESPACE, &e);
	if (r < 0)
		log_warn("namespace " PROBE_NAMESPACE ": not removed: %s", e.msg);
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
	if (step_namespace_objects(p->engine, &n, &objects, e) < 0 || claim(p, json_array_get(objects, 0), e) < 0)
		return -1;
	json_array_remove(objects, 0);
	return kubectl_apply(&s->kubectl, objects, KUBECTL_APPLY, NULL, e);
}

/* What is to be done on a node; owned. */
static char *pull_need(const struct probing *p, const char *image)
{
	auto_ref struct ref r = { 0 };
	struct err ignored;

	if (site_rewrite(&p->engine->session->site) != SITE_MIRROR || ref_parse(image, &r, &ignored) < 0)
		return xstrdup("make the registry reachable from it, trusted by its runtime, and its user right");

	auto_free char *path = mirror_path(p->kind, r.host);

	return xasprintf("write %s there, as `deployer mirrors --%s` has it", path, mirror_option(p->kind));
}

/* The pull is asked for by the name that pods will have: nodes that go by mirrors know the upstream one. */
static int ask_pull(struct probing *p, struct err *e)
{
	struct session *s = p->engine->session;

	for (size_t i = 0; i < p->pulled.n; i++) {
		auto_free char *name = NULL, *need = pull_need(p, p->pulled.items[i]);

		if (session_image_name(s, p->pulled.items[i], &name, e) < 0)
			return -1;

		const struct pull pull = {
			.kubectl = &s->kubectl, .ns = PROBE_NAMESPACE, .pull_secret = p->pull_secret, .image = name, .number = i,
			.need = need, .fixed_uid = !str_eq(s->site.profile, "nonroot-arbitrary-uid"),
		};

		if (pull_on_nodes(&pull, &p->ready, p->pull_row, e) < 0)
			return -1;
	}
	return 0;
}

static int ask_in_pods(struct probing *p, struct err *e)
{
	if (push_images(p, e) < 0)
		return -1;

	int r = make_namespace(p, e) < 0 || ask_pull(p, e) < 0 ? -1 : pool_each(AT_ONCE, p->pods.n, ask, &p->pods, e);
	int sig = proc_interrupt_take();        /* what signs in to the registry must not stay there */

	remove_namespace(p);
	proc_interrupt_give(sig);
	return r;
}

/* ---- all of them ---- */

static void probing_release(struct probing *p)
{
	free(p->here.items);
	free(p->pods.items);
	strv_release(&p->ready);
	strv_release(&p->pulled);
	free(p->holder);
	pthread_mutex_destroy(&p->lock);
}

static void add(struct probing *p, const struct step *s, struct finding_row *row)
{
	struct asked_list *list = in_pod(s) ? &p->pods : &p->here;
	size_t n = s->probe.each ? p->ready.n : 1;

	for (size_t i = 0; i < n; i++) {
		GROW(list->items, list->n);
		list->items[list->n++] = (struct asked){ s, row, s->probe.each ? p->ready.items[i] : NULL, i };
	}
}

/* The row of one probe. */
static int gather_one(struct probing *p, const struct step *s, bool asking, struct err *e)
{
	struct finding_row *row = findings_row(p->out, s->probe.id, s->probe.title);
	int open;

	if (preflight_skips(p->engine, s->probe.id)) {
		findings_skip(row, "--skip");
		return 0;
	}
	if (in_pod(s) && !asking) {
		findings_skip(row, "not asked: a check before it failed");
		return 0;
	}
	if ((open = is_open(p, s, e)) <= 0)
		return open;
	if (s->probe.each && p->nodes_hidden) {
		findings_say(row, FOUND_WARN, NODES_HIDDEN);
		return 0;
	}
	if (in_pod(s) && p->mode == PREFLIGHT_LOOK) {
		findings_skip(row, NULL);
		log_info("%s: %s: asked by `deployer install`, in a pod", s->probe.id, s->probe.title);
		return 0;
	}
	add(p, s, row);
	return 0;
}

/* Asked before, and nothing is new in what was asked: the registry, and with mirrors the bundle with its upstreams. */
static bool pulled_before(const struct probing *p)
{
	const json_t *installed = journal_installed(p->engine->journal);
	const struct session *s = p->engine->session;
	const json_t *before = jdoc_at(installed, "site", "registry", NULL), *now = json_object_get(s->site.doc, "registry");

	if (p->mode != PREFLIGHT_INSTALL || !installed || !json_equal(before, now))
		return false;
	return site_rewrite(&s->site) != SITE_MIRROR || str_eq(jdoc_text(installed, "bundle", NULL), p->engine->bundle);
}

/* The smallest image serves; with mirrors that of each registry, since each has its own. */
static void choose_pulled(struct probing *p)
{
	const struct contents *c = &p->engine->session->contents;
	bool mirrors = site_rewrite(&p->engine->session->site) == SITE_MIRROR;
	auto_strv struct strv hosts = { 0 };

	mirror_hosts(c, &hosts);
	for (size_t h = 0; h < (mirrors ? hosts.n : 1); h++) {
		const struct content_image *best = NULL;

		for (size_t i = 0; i < c->n_images; i++) {
			auto_free char *front = mirrors ? xasprintf("%s/", hosts.items[h]) : xstrdup("");

			if (str_starts(c->images[i].ref, front) && (!best || c->images[i].size < best->size))
				best = &c->images[i];
		}
		if (best)
			strv_push(&p->pulled, best->ref);
	}
}

static void gather_pull(struct probing *p, bool asking)
{
	struct finding_row *row = p->pull_row = findings_row(p->out, "pull", "every node can pull from the site registry");

	if (preflight_skips(p->engine, row->id))
		findings_skip(row, "--skip");
	else if (!asking)
		findings_skip(row, "not asked: a check before it failed");
	else if (p->mode == PREFLIGHT_LOOK || pulled_before(p) || !p->engine->session->contents.n_images)
		findings_skip(row, NULL);
	if (!row->skipped)
		choose_pulled(p);
}

/* On which nodes; one that is not Ready would be waited for in vain. Whoever may not see them may still install. */
static int find_nodes(struct probing *p, struct err *e)
{
	auto_json json_t *nodes = NULL;
	auto_strv struct strv not_ready = { 0 };
	bool needed = p->pulled.n > 0;

	for (size_t i = 0; i < p->engine->steps->n; i++) {
		const struct step *s = &p->engine->steps->items[i];

		needed = needed || (s->kind == STEP_PROBE && s->probe.each);
	}
	if (!needed || p->mode == PREFLIGHT_LOOK)
		return 0;
	if (kubectl_list(&p->engine->session->kubectl, "nodes", NULL, NULL, &nodes, e) < 0) {
		if (e->code != ERR_AUTH)
			return -1;
		p->nodes_hidden = true;
		if (p->pulled.n)
			findings_say(p->pull_row, FOUND_WARN, NODES_HIDDEN);
		strv_release(&p->pulled);
		return 0;
	}
	pull_nodes(nodes, &p->ready, &not_ready);
	p->kind = mirror_kind_of(json_array_get(nodes, 0));
	for (size_t i = 0; p->pulled.n && i < not_ready.n; i++)
		findings_say(p->pull_row, FOUND_WARN, "node '%s': not Ready: could not be asked: look at it before anything is to run there",
			     not_ready.items[i]);
	return 0;
}

static int probe(struct engine *g, enum preflight_mode mode, bool asking, struct findings *out, struct err *e)
{
	CLEANUP(probing_release) struct probing p = { .engine = g, .mode = mode, .lock = PTHREAD_MUTEX_INITIALIZER, .out = out };

	gather_pull(&p, asking);
	if (find_nodes(&p, e) < 0)
		return -1;
	for (size_t i = 0; i < g->steps->n; i++)
		if (g->steps->items[i].kind == STEP_PROBE && gather_one(&p, &g->steps->items[i], asking, e) < 0)
			return -1;
	p.here.probing = p.pods.probing = &p;
	if (pool_each(AT_ONCE, p.here.n, ask, &p.here, e) < 0 || ((p.pods.n || p.pulled.n) && ask_in_pods(&p, e) < 0))
		return -1;
	for (size_t i = 0; i < out->n; i++)
		findings_sort_lines(out->rows[i]);
	return 0;
}

int preflight_probes(struct engine *g, enum preflight_mode mode, bool asking, struct findings *out, struct err *e)
{
	return probe(g, mode, asking, out, e) < 0 ? err_wrap(e, "probes") : 0;
}
