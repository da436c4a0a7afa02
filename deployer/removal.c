/* SPDX-License-Identifier: Apache-2.0 */
#include "removal.h"

#include "leaving.h"

#include <airgap/log.h>
#include <airgap/proc.h>

#include <time.h>

#define LINGER_SECONDS 30u      /* for what the cluster itself clears away after its owner */
#define NAMED          5u       /* things that are named of those that are in the way */

/* ---- whose ---- */

/* The version says nothing. ns NULL: of the whole cluster, or not known to be. */
static char *claim_key(const json_t *object, const char *ns)
{
	auto_free char *kind = leaving_kind(object);

	return xasprintf("%s/%s/%s", kind, ns ? ns : "", jdoc_text(object, "metadata", "name", NULL));
}

static void claim(struct removal *r, const json_t *objects, const char *whose)
{
	size_t i;
	json_t *o;

	json_array_foreach(objects, i, o) {
		auto_free char *there = claim_key(o, jdoc_text(o, "metadata", "namespace", NULL)), *anywhere = claim_key(o, NULL);

		json_object_set_new(r->claims, there, json_string(whose));
		json_object_set_new(r->claims, anywhere, json_string(whose));
	}
}

static int claim_step(struct removal *r, const struct step *s, struct err *e)
{
	auto_json json_t *objects = NULL;

	if (s->kind != STEP_APPLY)
		objects = leaving_objects(s);
	else if (step_apply_objects(r->engine, s, true, &objects, e) < 0)
		return err_wrap(e, "%s", s->id);
	claim(r, objects, s->id);
	return 0;
}

int removal_begin(struct removal *r, struct engine *g, const struct steps *past, struct strv *said, struct err *e)
{
	*r = (struct removal){ .engine = g, .past = past, .claims = json_object(), .said = said };
	if (journal_others(g->journal, &r->others, e) < 0)
		return -1;
	for (size_t i = 0; i < r->others.n; i++) {
		auto_json json_t *objects = leaving_objects(&r->others.items[i]);
		auto_free char *whose = xasprintf("%s of another bundle", r->others.items[i].id);

		claim(r, objects, whose);
	}
	for (size_t i = 0; i < g->steps->n; i++)
		if (claim_step(r, &g->steps->items[i], e) < 0)
			return -1;
	return 0;
}

void removal_end(struct removal *r)
{
	steps_release(&r->others);
	json_decref(r->claims);
	r->claims = NULL;
}

char *removal_owner(const struct removal *r, const json_t *object, const json_t *live, const struct step_release *own)
{
	/* Only the cluster knows which kinds have no namespace. */
	const char *ns = jdoc_text(live ? live : object, "metadata", "namespace", NULL);
	const char *name = jdoc_text(live, "metadata", "annotations", "meta.helm.sh/release-name", NULL);
	const char *in = jdoc_text(live, "metadata", "annotations", "meta.helm.sh/release-namespace", NULL);
	auto_free char *key = claim_key(object, ns);
	const char *step = jdoc_text(r->claims, key, NULL);

	if (step)
		return xstrdup(step);
	if (!name || !in || (own && strcmp(own->name, name) == 0 && strcmp(own->ns, in) == 0))
		return NULL;
	return xasprintf("release '%s' in namespace '%s'", name, in);
}

/* ---- namespaces ---- */

/* In every namespace, put there by the cluster. */
static bool is_furniture(const char *item)
{
	static const char *const items[] = {
		"configmap/kube-root-ca.crt", "configmap/openshift-service-ca.crt", "serviceaccount/default", "serviceaccount/builder",
		"serviceaccount/deployer", "rolebinding.rbac.authorization.k8s.io/system:",
		"rolebinding.authorization.openshift.io/system:", "secret/builder-dockercfg-", "secret/default-dockercfg-",
		"secret/deployer-dockercfg-", "event/", "event.events.k8s.io/",
	};

	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		if (strchr("/:-", items[i][strlen(items[i]) - 1]) ? str_starts(item, items[i]) : strcmp(item, items[i]) == 0)
			return true;
	return false;
}

/* Goes by itself when its owner has gone. */
static bool is_passing(const char *item)
{
	static const char *const kinds[] = { "pod/", "endpoints/", "endpointslice.discovery.k8s.io/", "replicaset.apps/",
					     "controllerrevision.apps/", "job.batch/", "podmetrics.metrics.k8s.io/" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_starts(item, kinds[i]))
			return true;
	return false;
}

static bool is_ours(const char *item, const json_t *ours)
{
	size_t i;
	json_t *o;

	json_array_foreach(ours, i, o) {
		auto_free char *kind = leaving_kind(o), *name = xasprintf("%s/%s", kind, jdoc_text(o, "metadata", "name", NULL));

		if (strcmp(item, name) == 0)
			return true;
	}
	return false;
}

/* What is in it beside what we and the cluster put there. *passing: all of that goes by itself. */
static int in_the_way(struct removal *r, const char *ns, const json_t *ours, struct strv *out, bool *passing, struct err *e)
{
	auto_strv struct strv all = { 0 };

	if (kubectl_inside(&r->engine->session->kubectl, ns, &all, e) < 0)
		return err_wrap(e, "namespace '%s'", ns);
	*passing = true;
	for (size_t i = 0; i < all.n; i++) {
		if (is_furniture(all.items[i]) || is_ours(all.items[i], ours))
			continue;
		*passing = *passing && is_passing(all.items[i]);
		strv_push(out, all.items[i]);
	}
	return 0;
}

static char *named(const struct strv *left)
{
	auto_strv struct strv some = { 0 };

	for (size_t i = 0; i < left->n && i < NAMED; i++)
		strv_push(&some, left->items[i]);
	if (left->n > NAMED)
		strv_pushf(&some, "and %zu more", left->n - NAMED);
	return strv_join(&some, ", ");
}

static void say_full(struct removal *r, const json_t *namespace, const struct strv *left)
{
	auto_free char *command = leaving_delete(namespace), *list = named(left);

	strv_pushf(r->said, "namespace '%s' still holds %s: when they may go, too: %s", jdoc_text(namespace, "metadata", "name", NULL), list,
		   command);
}

/* ours: what else the step made in it. */
static int remove_namespace(struct removal *r, const json_t *namespace, const json_t *ours, struct err *e)
{
	static const struct timespec pause = { 1, 0 };
	const char *ns = jdoc_text(namespace, "metadata", "name", NULL);
	time_t end = time(NULL) + LINGER_SECONDS;

	for (;;) {
		auto_strv struct strv left = { 0 };
		bool passing = false;

		if (in_the_way(r, ns, ours, &left, &passing, e) < 0)
			return -1;
		if (left.n == 0)
			break;
		if (proc_interrupted)
			return err_set(e, ERR_DEADLINE, "interrupted");
		if (!passing || time(NULL) >= end) {
			say_full(r, namespace, &left);
			return 0;
		}
		nanosleep(&pause, NULL);
	}
	return kubectl_delete(&r->engine->session->kubectl, "namespace", NULL, ns, e) < 0 ? -1 : 1;
}

/* ---- objects ---- */

/* What holds other things goes last. */
static int rank(const json_t *object)
{
	const char *kind = jdoc_text(object, "kind", NULL);

	return str_eq(kind, "Namespace") ? 2 : str_eq(kind, "CustomResourceDefinition") ? 1 : 0;
}

static bool is_volume(const json_t *object)
{
	const char *kind = jdoc_text(object, "kind", NULL);

	return str_eq(jdoc_text(object, "apiVersion", NULL), "v1") &&
	       (str_eq(kind, "PersistentVolumeClaim") || str_eq(kind, "PersistentVolume"));
}

static int stays(struct removal *r, const json_t *object, const char *why)
{
	auto_free char *kind = leaving_kind(object), *command = leaving_delete(object);

	strv_pushf(r->said, "%s/%s %s: %s", kind, jdoc_text(object, "metadata", "name", NULL), why, command);
	return 0;
}

/* Data that would be lost with it, and why; NULL: none. */
static const char *data_in(const json_t *live)
{
	if (is_volume(live))
		return "holds data";
	if (str_eq(jdoc_text(live, "kind", NULL), "StatefulSet") && json_array_size(jdoc_at(live, "spec", "volumeClaimTemplates", NULL)) &&
	    str_eq(jdoc_text(live, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted", NULL), "Delete"))
		return "takes its volume claims along";
	return NULL;
}

/* The objects of a kind go with its definition. */
static int has_objects(struct removal *r, const json_t *live, struct err *e)
{
	auto_free char *kind = xasprintf("%s.%s", jdoc_text(live, "spec", "names", "plural", NULL), jdoc_text(live, "spec", "group", NULL));
	auto_json json_t *items = NULL;

	return kubectl_list(&r->engine->session->kubectl, kind, NULL, NULL, &items, e) < 0 ? -1 : json_array_size(items) > 0;
}

int removal_obstacle(struct removal *r, const json_t *live, const json_t *ours, char **why, struct err *e)
{
	auto_strv struct strv left = { 0 };
	bool passing;
	int some = 0;

	*why = data_in(live) ? xstrdup(data_in(live)) : NULL;
	if (rank(live) == 1)
		some = has_objects(r, live, e);
	if (some > 0)
		*why = xstrdup("still has objects, which would go with it");
	if (rank(live) != 2 || some < 0)
		return MIN(some, 0);
	if (in_the_way(r, jdoc_text(live, "metadata", "name", NULL), ours, &left, &passing, e) < 0)
		return -1;
	if (left.n) {
		auto_free char *list = named(&left);

		*why = xasprintf("still holds %s", list);
	}
	return 0;
}

/* A definition may call one of its objects otherwise than its kind; a version may be served no more. *kind: how it was found. */
static int find_live(struct removal *r, const json_t *object, char **kind, json_t **live, struct err *e)
{
	struct kubectl *k = &r->engine->session->kubectl;
	const char *ns = jdoc_text(object, "metadata", "namespace", NULL), *name = jdoc_text(object, "metadata", "name", NULL);
	const char *api = jdoc_text(object, "apiVersion", NULL), *slash = strchr(api, '/');
	int there;

	*kind = leaving_kind(object);
	there = kubectl_get(k, *kind, ns, name, live, e);
	if (there || !slash)
		return there;
	free(*kind);
	*kind = xasprintf("%s.%s.%.*s", jdoc_text(object, "kind", NULL), slash + 1, (int)(slash - api), api);
	return kubectl_get(k, *kind, ns, name, live, e);
}

static int remove_object(struct removal *r, const json_t *object, const json_t *ours, struct err *e)
{
	struct kubectl *k = &r->engine->session->kubectl;
	auto_free char *kind = NULL, *owner = NULL, *why = NULL;
	const char *name = jdoc_text(object, "metadata", "name", NULL);
	auto_json json_t *live = NULL;
	int there = find_live(r, object, &kind, &live, e);

	if (there <= 0)
		return there < 0 ? -1 : 1;
	owner = removal_owner(r, object, live, NULL);
	if (owner) {
		log_debug("%s/%s: stays: %s makes it", kind, name, owner);
		return 1;
	}
	/* A namespace waits for what goes by itself. */
	if (rank(object) == 2)
		return remove_namespace(r, object, ours, e);
	if (removal_obstacle(r, live, NULL, &why, e) < 0)
		return -1;
	if (why)
		return stays(r, object, why);
	return kubectl_delete(k, kind, jdoc_text(live, "metadata", "namespace", NULL), name, e) < 0 ? -1 : 1;
}

/* The last one first. */
static int remove_list(struct removal *r, const json_t *objects, struct err *e)
{
	bool all = true;

	for (int turn = 0; turn <= 2; turn++)
		for (size_t i = json_array_size(objects); i-- > 0;) {
			const json_t *o = json_array_get(objects, i);
			int gone = rank(o) == turn ? remove_object(r, o, NULL, e) : 1;

			if (gone < 0)
				return -1;
			all = all && gone;
		}
	return all;
}

static int remove_objects(struct removal *r, const struct step *s, struct err *e)
{
	auto_json json_t *objects = leaving_objects(s);

	return remove_list(r, objects, e);
}

/* The pull secret and the accounts go with it, not before. */
static int remove_namespace_step(struct removal *r, const struct step *s, struct err *e)
{
	auto_json json_t *objects = leaving_objects(s);

	return remove_object(r, json_array_get(objects, 0), objects, e);
}

const removal_fn removals[STEP_KINDS] = {
	[STEP_NAMESPACE] = remove_namespace_step,
	[STEP_SECRET] = remove_objects,
	[STEP_APPLY] = remove_objects,
	[STEP_RELEASE] = removal_release,
	[STEP_LABEL] = step_label_remove,
	[STEP_CALL] = step_call_remove,
};
_Static_assert(ARRAY_LEN(removals) == STEP_KINDS, "one row per kind");

/* ---- by hand ---- */

static int objects_gone(struct removal *r, const struct step *s, struct err *e)
{
	auto_json json_t *objects = leaving_objects(s);
	size_t n = s->kind == STEP_NAMESPACE ? MIN(1, json_array_size(objects)) : json_array_size(objects);

	for (size_t i = 0; i < n; i++) {
		const json_t *o = json_array_get(objects, i);
		auto_free char *kind = NULL;
		auto_json json_t *live = NULL;
		int there = find_live(r, o, &kind, &live, e);

		if (there)
			return MIN(there, 0);
	}
	return 1;
}

int removal_is_gone(struct removal *r, const struct step *s, struct err *e)
{
	struct helm_release live = { 0 };
	int there;

	if (!s->doc)
		return 0;
	switch (s->kind) {
	case STEP_NAMESPACE:
	case STEP_SECRET:
	case STEP_APPLY:
		return objects_gone(r, s, e);
	case STEP_RELEASE:
		there = helm_status(&r->engine->session->helm, s->release.name, s->release.ns, &live, e);
		helm_release_free(&live);
		return there < 0 ? -1 : !there;
	default:
		return 0;
	}
}
