/* SPDX-License-Identifier: Apache-2.0 */
/* A release that goes: what helm would delete although others make it by now, what it leaves behind. */
#include "removal.h"

#include "leaving.h"
#include "live.h"

#include <airgap/log.h>

#define RELEASE_SECONDS 600u

static const struct step *same_release(const struct steps *all, const struct step_release *r)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct step *s = &all->items[i];

		if (s->kind == STEP_RELEASE && s->doc && strcmp(s->release.name, r->name) == 0 && strcmp(s->release.ns, r->ns) == 0)
			return s;
	}
	return NULL;
}

static bool helm_keeps(const json_t *o)
{
	return str_eq(jdoc_text(o, "metadata", "annotations", "helm.sh/resource-policy", NULL), "keep");
}

/* What helm deletes: it goes by the annotations of its own record. ns NULL: wherever they are. */
static json_t *going(const json_t *objects, const char *ns)
{
	json_t *out = json_array(), *o;
	size_t i;

	json_array_foreach(objects, i, o)
		if (!helm_keeps(o) && (!ns || str_eq(jdoc_text(o, "metadata", "namespace", NULL), ns)))
			json_array_append(out, o);
	return out;
}

/* As they are. A kind that the cluster does not know any more must not hide the others. */
static int look(struct kubectl *k, const json_t *objects, json_t **out, struct err *e)
{
	auto_json json_t *live = NULL;
	size_t i;
	json_t *o;

	if (kubectl_get_all(k, objects, &live, e) < 0)
		return -1;
	if (json_array_size(live)) {
		*out = TAKE(live);
		return 0;
	}
	json_array_foreach(objects, i, o) {
		auto_free char *kind = leaving_kind(o);
		json_t *one = NULL;

		if (kubectl_get(k, kind, jdoc_text(o, "metadata", "namespace", NULL), jdoc_text(o, "metadata", "name", NULL), &one, e) < 0)
			return -1;
		if (one)
			json_array_append_new(live, one);
	}
	*out = TAKE(live);
	return 0;
}

/* 1: this object of the release, as it is, must not be deleted; said. */
static int refuse_one(struct removal *r, const struct step_release *release, const json_t *objects, const json_t *live, struct err *e)
{
	const char *name = jdoc_text(live, "metadata", "name", NULL);
	auto_free char *kind = leaving_kind(live), *owner = removal_owner(r, live, live, release), *why = NULL;
	auto_json json_t *inside = going(objects, name);

	if (owner) {
		strv_pushf(r->said, "release '%s': %s/%s in it is made by %s now, and helm would delete it: to forget the release alone: "
			   "kubectl delete secret --namespace %s --selector owner=helm,name=%s", release->name, kind, name, owner,
			   release->ns, release->name);
		return 1;
	}
	if (removal_obstacle(r, live, inside, &why, e) < 0)
		return -1;
	if (why)
		strv_pushf(r->said, "release '%s': %s/%s in it %s: helm uninstall %s --namespace %s", release->name, kind, name, why,
			   release->name, release->ns);
	return why != NULL;
}

/* Helm deletes all that its record names, whoever made it last, and what hangs on it. 1: it must not. */
static int refuse(struct removal *r, const struct step_release *release, const json_t *objects, struct err *e)
{
	auto_json json_t *doomed = going(objects, NULL);
	auto_json json_t *live = NULL;
	size_t i;
	json_t *o;

	if (json_array_size(doomed) == 0)
		return 0;
	if (look(&r->engine->session->kubectl, doomed, &live, e) < 0)
		return -1;
	json_array_foreach(live, i, o) {
		int refused = refuse_one(r, release, objects, o, e);

		if (refused)
			return refused;
	}
	return 0;
}

/* "data-db-": claims that StatefulSets made of their templates, which nobody deletes. */
static void claim_prefixes(const json_t *objects, struct strv *out)
{
	size_t i, k;
	json_t *o, *template;

	json_array_foreach(objects, i, o)
		if (str_eq(jdoc_text(o, "kind", NULL), "StatefulSet"))
			json_array_foreach(jdoc_at(o, "spec", "volumeClaimTemplates", NULL), k, template)
				strv_pushf(out, "%s-%s-", jdoc_text(template, "metadata", "name", NULL), jdoc_text(o, "metadata", "name", NULL));
}

static bool is_of(const struct strv *prefixes, const char *name)
{
	for (size_t i = 0; i < prefixes->n; i++) {
		const char *tail = name + strlen(prefixes->items[i]);

		if (str_starts(name, prefixes->items[i]) && *tail && strspn(tail, "0123456789") == strlen(tail))
			return true;
	}
	return false;
}

/* The release is gone; what helm left of it is told once. */
static int tell_left(struct removal *r, const struct step_release *release, const json_t *objects, struct err *e)
{
	auto_strv struct strv prefixes = { 0 };
	auto_json json_t *claims = NULL;
	size_t i;
	json_t *o;

	json_array_foreach(objects, i, o) {
		auto_free char *command = leaving_delete(o);

		if (helm_keeps(o))
			strv_pushf(r->said, "release '%s': its chart keeps this: %s", release->name, command);
	}
	claim_prefixes(objects, &prefixes);
	if (prefixes.n == 0)
		return 0;
	if (kubectl_list(&r->engine->session->kubectl, "persistentvolumeclaims", release->ns, NULL, &claims, e) < 0)
		return -1;
	json_array_foreach(claims, i, o) {
		auto_free char *command = leaving_delete(o);

		if (is_of(&prefixes, jdoc_text(o, "metadata", "name", NULL)))
			strv_pushf(r->said, "release '%s': its data stays: %s", release->name, command);
	}
	return 0;
}

static int manifest_of(struct removal *r, const struct step_release *release, json_t **out, struct err *e)
{
	auto_helm_objects struct helm_objects objects = { 0 };
	auto_json json_t *list = json_array();

	if (helm_get_manifest(&r->engine->session->helm, release->name, release->ns, &objects, e) < 0)
		return -1;
	for (size_t i = 0; i < objects.n; i++)
		if (!objects.items[i].hook)
			json_array_append(list, objects.items[i].object);
	live_set_namespace(list, release->ns);
	*out = TAKE(list);
	return 0;
}

int removal_release(struct removal *r, const struct step *s, struct err *e)
{
	const struct step_release *release = &s->release;
	const struct step *same = same_release(r->engine->steps, release);
	struct helm *helm = &r->engine->session->helm;
	CLEANUP(helm_release_free) struct helm_release live = { 0 };
	auto_json json_t *objects = NULL;
	unsigned seconds = RELEASE_SECONDS;
	int there, refused;

	if (!same)
		same = same_release(&r->others, release);
	if (same) {
		log_debug("%s: stays: %s is the same release", s->id, same->id);
		return 1;
	}
	if (!steps_duration(release->timeout, RELEASE_SECONDS, &seconds))
		seconds = RELEASE_SECONDS;
	there = helm_status(helm, release->name, release->ns, &live, e);
	if (there <= 0)
		return there < 0 ? -1 : 1;
	if (manifest_of(r, release, &objects, e) < 0)
		return -1;
	refused = refuse(r, release, objects, e);
	if (refused)
		return refused < 0 ? -1 : 0;
	if (helm_uninstall(helm, release->name, release->ns, seconds, e) < 0)
		return -1;
	return tell_left(r, release, objects, e) < 0 ? -1 : 1;
}
