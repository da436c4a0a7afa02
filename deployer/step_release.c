/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include "dry_run.h"
#include "live.h"

#include <airgap/log.h>
#include <airgap/proc.h>
#include <airgap/yaml.h>

#define RELEASE_SECONDS 600u
#define BASE_MAX        (5u << 20)

static bool is_pending(const char *status)
{
	return str_starts(status, "pending-");
}

/* ---- values ---- */

/* `values` of a YAML file inside the chart, under what the step says. */
static int merge_base(struct engine *g, const struct step_release *r, const struct step_base *base, json_t *into, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(BASE_MAX);
	int there = session_chart_file(g->session, r->chart, base->chart_file, &text, e);

	if (there < 0)
		return -1;
	if (!there)
		return base->optional ? 0 : err_set(e, ERR_MALFORMED, "base: chart '%s' has no file '%s'", r->chart, base->chart_file);

	auto_json json_t *doc = ydoc_parse(buf_str(&text), text.len, &ydoc_rendered, base->chart_file, NULL, e);

	if (!doc)
		return err_wrap(e, "base: chart '%s'", r->chart);
	if (!json_is_object(doc) && !json_is_null(doc))
		return err_set(e, ERR_MALFORMED, "base: chart '%s': '%s' holds no values", r->chart, base->chart_file);
	jdoc_merge(into, doc);
	return 0;
}

int step_release_values(struct engine *g, const struct step *s, bool placeholders, bool all_late, json_t **out,
			struct err *e)
{
	const struct step_release *r = &s->release;
	auto_json json_t *values = json_object();
	auto_json json_t *own = json_object();
	auto_json json_t *resolved = NULL;

	for (size_t i = 0; i < r->n_base; i++)
		if (merge_base(g, r, &r->base[i], values, e) < 0)
			return -1;
	if (r->values)
		jdoc_merge(own, r->values);
	for (size_t i = 0; i < r->n_late; i++)
		if (all_late || engine_all_done(g, &r->late[i].needs))
			jdoc_merge(own, r->late[i].values);
	resolved = secrets_resolve(g->secrets, s->id, own, placeholders, e);
	if (!resolved)
		return -1;
	jdoc_merge(values, resolved);
	*out = TAKE(values);
	return 0;
}

/* As helm gives them back: a null is gone or there, 1.0 has become 1. */
bool step_release_same_values(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *child;
	size_t i;

	if (json_is_number(a) && json_is_number(b))
		return json_number_value(a) == json_number_value(b);
	if (json_is_array(a) && json_is_array(b)) {
		if (json_array_size(a) != json_array_size(b))
			return false;
		json_array_foreach(a, i, child)
			if (!step_release_same_values(child, json_array_get(b, i)))
				return false;
		return true;
	}
	if (!json_is_object(a) || !json_is_object(b))
		return json_equal(a, b);
	json_object_foreach((json_t *)a, key, child)
		if (!json_is_null(child) && !(json_object_get(b, key) && step_release_same_values(child, json_object_get(b, key))))
			return false;
	json_object_foreach((json_t *)b, key, child)
		if (!json_is_null(child) && !json_object_get(a, key))
			return false;
	return true;
}

/* ---- check: deployed, same chart, same values, and the objects as helm left them ---- */

static void note(struct strv *diff, const char *what, const char *is, const char *should)
{
	if (diff)
		strv_pushf(diff, "%s: %s -> %s", what, is, should);
}

/* Which keys; what stands there may be a secret. */
static void note_values(struct strv *diff, const char *path, const json_t *is, const json_t *should)
{
	const char *key;
	json_t *child;

	if (!diff || step_release_same_values(is, should))
		return;
	if (!json_is_object(is) || !json_is_object(should)) {
		strv_pushf(diff, "values: %s: %s", path, json_is_null(should) ? "goes" : json_is_null(is) ? "comes" : "changes");
		return;
	}
	json_object_foreach((json_t *)should, key, child) {
		auto_free char *below = xasprintf("%s%s%s", path, *path ? "." : "", key);
		const json_t *old = json_object_get(is, key);

		if (old || !json_is_null(child))
			note_values(diff, below, old ? old : json_null(), child);
	}
	json_object_foreach((json_t *)is, key, child) {
		auto_free char *below = xasprintf("%s%s%s", path, *path ? "." : "", key);

		if (!json_object_get(should, key) && !json_is_null(child))
			note_values(diff, below, child, json_null());
	}
}

static int same_release(struct engine *g, const struct step_release *r, const struct helm_release *live,
			const json_t *values, bool *same, struct strv *diff, struct err *e)
{
	const struct content_chart *chart = contents_chart(&g->session->contents, r->chart);
	auto_free char *name = chart ? xasprintf("%s-%s", chart->name, chart->version) : xstrdup(r->chart);
	auto_json json_t *have = NULL;

	*same = true;
	if (strcmp(live->status, "deployed") != 0) {
		note(diff, "status", live->status, "deployed");
		*same = false;
	}
	if (strcmp(live->chart, name) != 0) {
		note(diff, "chart", live->chart, name);
		*same = false;
	}
	if (helm_get_values(&g->session->helm, r->name, r->ns, &have, e) < 0)
		return -1;
	if (json_is_null(have)) {       /* helm's word for no values */
		json_decref(have);
		have = json_object();
	}
	if (!step_release_same_values(have, values)) {
		note_values(diff, "", have, values);
		*same = false;
	}
	return 0;
}

static int objects_same(struct engine *g, const struct step_release *r, bool *same, struct strv *diff, struct err *e)
{
	auto_helm_objects struct helm_objects objects = { 0 };
	auto_json json_t *list = json_array();
	enum live_state state;

	if (helm_get_manifest(&g->session->helm, r->name, r->ns, &objects, e) < 0)
		return -1;
	for (size_t i = 0; i < objects.n; i++)
		if (!objects.items[i].hook)
			json_array_append(list, objects.items[i].object);
	live_set_namespace(list, r->ns);
	if (live_compare(g->session, list, &state, diff, e) < 0) {
		/* Objects that helm 3 took and the server-side way does not: they are there, no more can be said. */
		if (!strstr(e->msg, "typed patch object"))
			return -1;
		log_debug("%s: not compared: %s", r->name, e->msg);
		state = LIVE_SAME;
	}
	*same = state == LIVE_SAME;
	return 0;
}

int step_release_check(struct engine *g, const struct step *s, enum step_state *out, struct strv *diff, struct err *e)
{
	const struct step_release *r = &s->release;
	struct helm_release live = { 0 };
	auto_json json_t *values = NULL;
	bool same = false;
	int there = helm_status(&g->session->helm, r->name, r->ns, &live, e);

	if (there <= 0) {
		*out = STEP_NEW;
		return there;
	}

	int rc = step_release_values(g, s, true, false, &values, e);

	if (rc == 0)
		rc = same_release(g, r, &live, values, &same, diff, e);
	if (rc == 0 && same)
		rc = objects_same(g, r, &same, diff, e);
	helm_release_free(&live);
	*out = same ? STEP_SAME : STEP_CHANGES;
	return rc;
}

/* ---- run ---- */

/*
 * A run of ours that was killed leaves its revision pending, and helm refuses to go on. The record of that one
 * revision is dropped, nothing that runs is touched: the objects it made bear the release's name and the
 * next upgrade takes them over. Only when our journal says that we were at it.
 */
static int recover(struct engine *g, const struct step *s, struct helm_release *live, struct err *e)
{
	const struct step_release *r = &s->release;
	int there = helm_status(&g->session->helm, r->name, r->ns, live, e);

	if (there <= 0 || !is_pending(live->status))
		return MIN(there, 0);
	if (!engine_past(g, s)->started)
		return err_set(e, ERR_CONFLICT, "release '%s' in namespace '%s' is %s, and not by a run on this machine: wait for "
			       "whoever does it; if nobody does, `kubectl -n %s delete secret sh.helm.release.v1.%s.v%llu`", r->name,
			       r->ns, live->status, r->ns, r->name, (unsigned long long)live->revision);

	auto_free char *record = xasprintf("sh.helm.release.v1.%s.v%llu", r->name, (unsigned long long)live->revision);

	log_info("%s: going on where a run was interrupted (%s)", s->id, live->status);
	if (kubectl_delete(&g->session->kubectl, "secret", r->ns, record, e) < 0)
		return -1;
	helm_release_free(live);
	return MIN(helm_status(&g->session->helm, r->name, r->ns, live, e), 0);
}

/* The same proofs as before the first write, on the very values that are installed; then the API server's verdict. */
static int prove(struct engine *g, const struct step *s, const json_t *values, bool is_upgrade, struct err *e)
{
	const struct step_release *r = &s->release;
	const struct proof how = session_proof(g->session);
	auto_helm_objects struct helm_objects objects = { 0 };

	if (render_release(g->session, r, values, is_upgrade, &objects, e) < 0 ||
	    proof_images(&how, r->chart, &objects, NULL, e) < 0 ||
	    secrets_check_objects(g->secrets, r->chart, &objects, e) < 0)
		return -1;
	if (strcmp(g->session->site.profile, "standard") == 0)
		return 0;
	return dry_run_pods(g->session, r->ns, &objects, e);
}

/* Back to what ran before, or to nothing: only from a state that was whole. before->status NULL: there was none. */
static int undo(struct engine *g, const struct step *s, const struct helm_release *before, unsigned seconds, struct err *e)
{
	const struct step_release *r = &s->release;
	struct err why = { 0 };
	int rc;

	if (before->status && strcmp(before->status, "deployed") != 0)
		return -1;
	if (before->status)
		rc = helm_rollback(&g->session->helm, r->name, r->ns, before->revision, seconds, &why);
	else
		rc = helm_uninstall(&g->session->helm, r->name, r->ns, seconds, &why);
	if (rc < 0) {
		log_warn("%s: not undone: %s", s->id, why.msg);
		return -1;
	}
	e->code = ERR_ROLLED_BACK;
	if (before->status)
		return err_wrap(e, "failed and rolled back to revision %llu", (unsigned long long)before->revision);
	return err_wrap(e, "failed and removed again");
}

static bool has_volumes(const json_t *o)
{
	const char *kind = jdoc_text(o, "kind", NULL);

	return str_eq(kind, "PersistentVolumeClaim") ||
	       (str_eq(kind, "StatefulSet") && json_array_size(jdoc_at(o, "spec", "volumeClaimTemplates", NULL)));
}

bool step_release_migrates(const char *before, const char *after, const struct helm_objects *objects)
{
	if (strcmp(before, after) == 0)
		return false;
	for (size_t i = 0; i < objects->n; i++)
		if (has_volumes(objects->items[i].object))
			return true;
	return false;
}

/* Data that the new version may have changed is not given back to the old one, unless the step says so. */
static bool may_go_back(struct engine *g, const struct step *s, const struct helm_release *before)
{
	const struct step_release *r = &s->release;
	const struct content_chart *chart = contents_chart(&g->session->contents, r->chart);
	const char *after = chart && chart->app_version ? chart->app_version : "";
	auto_helm_objects struct helm_objects objects = { 0 };
	struct err why;

	if (r->rollback || !before->status || strcmp(before->app_version, after) == 0)
		return true;
	if (helm_get_manifest(&g->session->helm, r->name, r->ns, &objects, &why) == 1 &&
	    !step_release_migrates(before->app_version, after, &objects))
		return true;
	log_warn("%s: not rolled back: it has volumes, and %s may have changed what %s left there: set rollback: auto to do it all "
		 "the same", s->id, after, before->app_version);
	return false;
}

/* What conflicts or cannot be reached has changed nothing; an interrupted one goes on where it stopped. */
static bool undoes(const struct step_release *r, const struct err *e)
{
	bool wanted = !r->rollback || strcmp(r->rollback, "auto") == 0;

	return wanted && !proc_interrupted && e->code != ERR_CONFLICT && !strstr(e->msg, "unreachable");
}

static int install(struct engine *g, const struct step *s, const struct helm_release *before, const json_t *values,
		   struct err *e)
{
	const struct step_release *r = &s->release;
	auto_render_post struct render_post post = { 0 };
	auto_free char *chart = NULL;
	unsigned seconds = RELEASE_SECONDS;

	if (!steps_duration(r->timeout, RELEASE_SECONDS, &seconds))
		return err_set(e, ERR_MALFORMED, "timeout '%s'", r->timeout);
	if (session_chart(g->session, r->chart, &chart, e) < 0 || render_post_begin(g->session, r->chart, &post, e) < 0)
		return -1;

	struct helm_install in = {
		.render = { .chart = chart, .release = r->name, .ns = r->ns, .values = values },
		.post = post.program ? &post.post : NULL,
		.timeout = seconds,
		.take_ownership = r->take_ownership || g->take_ownership,
	};

	if (helm_upgrade(&g->session->helm, &in, e) == 0)
		return 0;
	engine_diagnose(g, s);
	return undoes(r, e) && may_go_back(g, s, before) ? undo(g, s, before, seconds, e) : -1;
}

int step_release_run(struct engine *g, const struct step *s, struct journal_record *record, struct err *e)
{
	const struct step_release *r = &s->release;
	auto_json json_t *values = NULL;
	CLEANUP(helm_release_free) struct helm_release before = { 0 }, after = { 0 };

	if (step_release_values(g, s, false, false, &values, e) < 0 || secrets_save(g->secrets, e) < 0 ||
	    recover(g, s, &before, e) < 0 || prove(g, s, values, before.status != NULL, e) < 0 ||
	    install(g, s, &before, values, e) < 0)
		return -1;
	if (helm_status(&g->session->helm, r->name, r->ns, &after, e) < 0)
		return -1;
	record->revision = after.revision;
	record->note = TAKE(after.chart);
	return 0;
}
