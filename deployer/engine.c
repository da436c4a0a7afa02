/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include <airgap/pool.h>

#include <pthread.h>

const char *const step_state_names[] = {
	[STEP_NEW] = "create", [STEP_CHANGES] = "change", [STEP_DRIFTED] = "drifted", [STEP_SAME] = "unchanged",
	[STEP_FAILING] = "not ready", [STEP_LEAVING] = "leaving", NULL
};

/* What the site does not do: the build did it. */
static int nothing_check(struct engine *g, const struct step *s, enum step_state *out, struct strv *diff, struct err *e)
{
	(void)g;
	(void)s;
	(void)diff;
	(void)e;
	*out = STEP_SAME;
	return 0;
}

static int nothing_run(struct engine *g, const struct step *s, struct journal_record *record, struct err *e)
{
	(void)g;
	(void)s;
	(void)record;
	(void)e;
	return 0;
}

const struct step_action step_actions[STEP_KINDS] = {
	[STEP_CARRY] = { nothing_check, nothing_run },
	[STEP_NAMESPACE] = { step_namespace_check, step_namespace_run },
	[STEP_SECRET] = { step_secret_check, step_secret_run },
	[STEP_RELEASE] = { step_release_check, step_release_run },
	[STEP_APPLY] = { step_apply_check, step_apply_run },
	[STEP_WAIT] = { step_wait_check, step_wait_run },
	[STEP_LABEL] = { step_label_check, step_label_run },
	[STEP_CALL] = { step_call_check, step_call_run },
	[STEP_RUN] = { step_run_check, step_run_run },
	[STEP_PROBE] = { step_probe_check, step_probe_run },
};
_Static_assert(ARRAY_LEN(step_actions) == STEP_KINDS, "one row per kind");

static size_t index_of(const struct engine *g, const struct step *s)
{
	return (size_t)(s - g->steps->items);
}

const struct step_past *engine_past(const struct engine *g, const struct step *s)
{
	return &g->past[index_of(g, s)];
}

static int check_name(const struct engine *g, const char *option, const char *name, struct err *e)
{
	if (name && !steps_find(g->steps, name))
		return err_set(e, ERR_USAGE, "%s %s: no such step: see the list of `deployer plan`", option, name);
	return 0;
}

int engine_begin(struct engine *g, struct err *e)
{
	for (size_t i = 0; g->only && i < g->only->n; i++)
		if (check_name(g, "--only", g->only->items[i], e) < 0)
			return -1;
	if (check_name(g, "--from", g->from, e) < 0 || check_name(g, "--retry", g->retry, e) < 0)
		return -1;
	digest_hex(bundle_id(g->session->bundle), g->bundle);
	g->past = xcalloc(g->steps->n, sizeof(*g->past));
	g->done = xcalloc(g->steps->n, sizeof(*g->done));
	for (size_t i = 0; i < g->steps->n; i++) {
		const struct journal_record *r = journal_last(g->journal, g->steps->items[i].id);

		if (!r)
			continue;
		g->past[i].done = strcmp(r->result, "done") == 0;
		g->past[i].started = journal_begun(g->journal, r->step);
		g->past[i].digest = r->digest;
		g->past[i].revision = r->revision;
		g->done[i] = g->past[i].done;
	}
	return 0;
}

void engine_end(struct engine *g)
{
	free(g->past);
	free(g->done);
	g->past = NULL;
	g->done = NULL;
}

bool engine_all_done(const struct engine *g, const struct strv *ids)
{
	for (size_t i = 0; i < ids->n; i++) {
		const struct step *s = steps_find(g->steps, ids->items[i]);

		if (!s || !g->done[index_of(g, s)])
			return false;
	}
	return true;
}

/* ---- digests and states ---- */

/* What a command runs with: the same name may stand for other bytes in the next bundle. */
static void hash_content(struct hash *h, const struct session *s, const struct step_run *r)
{
	const char *name;
	json_t *path;

	json_object_foreach(r->files, name, path) {
		const struct content_file *f = contents_file(&s->contents, name, NULL);

		if (f)
			hash_add(h, f->blob.b, sizeof(f->blob.b));
	}
	for (size_t i = 0; r->image && i < s->contents.n_images; i++) {
		auto_free char *target = NULL;
		struct err ignored;

		if (session_image_name(s, s->contents.images[i].ref, &target, &ignored) == 0 && strcmp(target, r->image) == 0)
			hash_add(h, s->contents.images[i].target.b, sizeof(s->contents.images[i].target.b));
	}
}

/* What comes before it is no part of what it does: the last steps of a migration are needed once, and are gone then. */
static json_t *without_order(const struct step *s)
{
	json_t *doc = json_copy(s->doc);

	json_object_del(doc, "needs");
	if (s->kind == STEP_RELEASE && s->release.before.n) {
		json_t *release = json_copy(json_object_get(doc, "release"));

		json_object_del(release, "before");
		json_object_set_new(doc, "release", release);
	}
	return doc;
}

/* Where names lead that no value says: the registry is another, and so is what was made. */
static void hash_names(struct hash *h, const struct session *s)
{
	const struct site_registry *r = &s->site.registry;

	if (site_rewrite(&s->site) != SITE_POST_RENDER)
		return;
	hash_add(h, r->host, strlen(r->host) + 1);
	hash_add(h, r->prefix ? r->prefix : "", r->prefix ? strlen(r->prefix) + 1 : 1);
	hash_add(h, r->keep_host ? "y" : "n", 1);
}

int engine_step_digest(struct engine *g, const struct step *s, struct digest *out, struct err *e)
{
	auto_json json_t *doc = without_order(s);
	auto_json json_t *resolved = secrets_resolve(g->secrets, s->id, doc, true, e);
	auto_hash struct hash h = { 0 };
	struct digest print;

	if (!resolved)
		return -1;
	print = secrets_fingerprint(g->secrets, resolved);
	hash_begin(&h);
	hash_add(&h, print.b, sizeof(print.b));
	if (s->kind == STEP_RELEASE) {
		const struct content_chart *c = contents_chart(&g->session->contents, s->release.chart);

		if (c)
			hash_add(&h, c->archive.b, sizeof(c->archive.b));
	}
	if (s->kind == STEP_RELEASE || s->kind == STEP_APPLY)
		hash_names(&h, g->session);
	if (s->kind == STEP_RUN || s->kind == STEP_PROBE)
		hash_content(&h, g->session, s->kind == STEP_RUN ? &s->run : &s->probe.run);
	*out = hash_end(&h);
	return 0;
}

int engine_check(struct engine *g, const struct step *s, enum step_state *out, struct strv *diff, struct err *e)
{
	const struct step_past *past = engine_past(g, s);
	struct digest now;
	enum step_state state;

	if (step_actions[s->kind].check(g, s, &state, diff, e) < 0 || engine_step_digest(g, s, &now, e) < 0)
		return err_wrap(e, "%s", s->id);

	bool ours = past->done && digest_eq(&past->digest, &now);

	/* As we left it, and yet not as it should be: somebody else changed it. */
	if (state == STEP_CHANGES && ours)
		state = STEP_DRIFTED;
	if (state == STEP_SAME && !ours && s->kind != STEP_CARRY) {
		state = STEP_CHANGES;
		if (diff)
			strv_push(diff, past->done ? "what the step says has changed" : "as it should be, but not recorded as done");
	}
	*out = state;
	return 0;
}

/* ---- proofs ---- */

struct proving {
	struct engine *g;
	struct strv *out;
	pthread_mutex_t lock;
	size_t bad;
};

/* What the proof has rendered is what the cluster will be asked for. Patterns are rare: they are looked for where a rule
 * makes them. */
static int collect(struct engine *g, const char *from, const char *chart, const char *ns, const struct helm_objects *o, struct err *e)
{
	const struct scan_rules *rules = &g->session->rules;
	auto_scan struct scan_finds finds = { 0 };
	bool patterns = false;

	if (!g->wants)
		return 0;
	wants_add(g->wants, from, ns, o);
	for (size_t i = 0; i < rules->n; i++)
		patterns = patterns || (rules->items[i].tags.n && (!rules->items[i].chart || strcmp(rules->items[i].chart, chart) == 0));
	if (patterns && scan_objects(o, chart, rules->items, rules->n, false, &finds, e) < 0)
		return -1;
	for (size_t i = 0; i < finds.n; i++)
		if (finds.items[i].certain && !finds.items[i].disabled && strchr(finds.items[i].image, '{'))
			wants_add_pattern(g->wants, finds.items[i].image);
	return 0;
}

static int prove_release(struct engine *g, const struct step *s, struct strv *found, struct err *e)
{
	const struct step_release *r = &s->release;
	const struct proof how = session_proof(g->session);
	auto_helm_objects struct helm_objects objects = { 0 };
	auto_json json_t *values = NULL;

	if (step_release_values(g, s, true, true, &values, e) < 0 ||
	    render_release(g->session, r, values, false, &objects, e) < 0 ||
	    collect(g, s->id, r->chart, r->ns, &objects, e) < 0)
		return -1;

	/* What is not proved goes on the list; all else ends it. */
	if (proof_images(&how, r->chart, &objects, found, e) < 0 && e->code != ERR_PROOF)
		return -1;
	if (proof_profile(g->session->site.profile, steps_pod_security(g->steps, r->ns), r->chart, &objects, found, e) < 0 && e->code != ERR_PROOF)
		return -1;
	return secrets_check_objects(g->secrets, r->chart, &objects, e);
}

/* What a step applies is proved as a chart's output is: images, ConfigMaps, and pods against their namespace's level. */
static int prove_apply(struct engine *g, const struct step *s, struct strv *found, struct err *e)
{
	const struct proof how = session_proof(g->session);
	auto_json json_t *list = NULL;

	if (step_apply_objects(g, s, true, &list, e) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *o = json_array_get(list, i);
		struct helm_object item = { .object = o, .source = s->apply.file ? s->apply.file : s->source };
		const struct helm_objects one = { &item, 1 };
		const char *ns = jdoc_text(o, "metadata", "namespace", NULL);

		if (collect(g, s->id, s->id, ns ? ns : "", &one, e) < 0)
			return -1;
		if (proof_images(&how, s->id, &one, found, e) < 0 && e->code != ERR_PROOF)
			return -1;
		if (proof_profile(g->session->site.profile, ns ? steps_pod_security(g->steps, ns) : NULL, s->id, &one, found, e) < 0 &&
		    e->code != ERR_PROOF)
			return -1;
		if (secrets_check_objects(g->secrets, s->id, &one, e) < 0)
			return -1;
	}
	return 0;
}

/* The Job of a command, as it would be made. A probe's namespace takes what the probe needs. */
static int prove_job(struct engine *g, const struct step *s, struct strv *found, struct err *e)
{
	const struct step_run *r = s->kind == STEP_PROBE ? &s->probe.run : &s->run;
	bool fixed = strcmp(g->session->site.profile, "nonroot-arbitrary-uid") != 0;
	const struct proof how = session_proof(g->session);
	auto_json json_t *job = NULL;
	struct helm_object item = { .source = s->source };
	const struct helm_objects one = { &item, 1 };

	if (steps_where(r) != STEP_IN_POD)
		return 0;
	item.object = job = steps_job(s->metadata.name, r->ns ? r->ns : "", r, &r->command, fixed, NULL);
	if (proof_images(&how, s->id, &one, found, e) < 0 && e->code != ERR_PROOF)
		return -1;
	if (s->kind == STEP_PROBE)
		return 0;
	return proof_profile(g->session->site.profile, r->pod_security ? r->pod_security : steps_pod_security(g->steps, r->ns), s->id,
			     &one, found, e) < 0 && e->code != ERR_PROOF ? -1 : 0;
}

static int prove_step(struct engine *g, const struct step *s, struct strv *found, struct err *e)
{
	switch (s->kind) {
	case STEP_RELEASE:
		return prove_release(g, s, found, e);
	case STEP_APPLY:
		return prove_apply(g, s, found, e);
	case STEP_RUN:
	case STEP_PROBE:
		return prove_job(g, s, found, e);
	default:
		return 0;
	}
}

static int prove_item(void *ctx, unsigned worker, size_t i, struct err *e)
{
	struct proving *p = ctx;
	const struct step *s = &p->g->steps->items[i];
	auto_strv struct strv found = { 0 };

	(void)worker;
	if (prove_step(p->g, s, &found, e) < 0)
		return err_wrap(e, "%s", s->id);
	pthread_mutex_lock(&p->lock);
	p->bad += found.n;
	for (size_t k = 0; k < found.n; k++)
		strv_pushf(p->out, "%s: %s", s->id, found.items[k]);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

int engine_prove(struct engine *g, unsigned jobs, struct strv *out, struct err *e)
{
	struct proving p = { .g = g, .out = out, .lock = PTHREAD_MUTEX_INITIALIZER };

	if (pool_each(jobs, g->steps->n, prove_item, &p, e) < 0)
		return -1;
	strv_sort(out);
	if (p.bad)
		return err_set(e, ERR_PROOF, "%zu thing%s not proved for profile %s and the site registry: nothing was changed",
			       p.bad, p.bad > 1 ? "s" : "", g->session->site.profile);
	return 0;
}
