/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

/* ---- comparing ---- */

static const char *text_at(const json_t *o, const char *key)
{
	const char *s = jdoc_text(o, "metadata", key, NULL);

	return s ? s : "";
}

/* Of two kinds of the whole cluster one may have been given a namespace: not every kind is known to us. */
static bool same_object(const json_t *a, const json_t *b)
{
	const char *x = text_at(a, "namespace"), *y = text_at(b, "namespace");

	return str_eq(jdoc_text(a, "kind", NULL), jdoc_text(b, "kind", NULL)) &&
	       strcmp(text_at(a, "name"), text_at(b, "name")) == 0 && (!*x || !*y || strcmp(x, y) == 0);
}

static json_t *find_object(const json_t *list, const json_t *like)
{
	size_t i;
	json_t *o;

	json_array_foreach(list, i, o)
		if (same_object(o, like))
			return o;
	return NULL;
}

/* What changes by itself. */
static void strip(json_t *o)
{
	static const char *const meta[] = { "managedFields", "resourceVersion", "generation", "uid", "creationTimestamp",
					    "selfLink" };

	json_object_del(o, "status");
	for (size_t i = 0; i < ARRAY_LEN(meta); i++)
		json_object_del(jdoc_at(o, "metadata", NULL), meta[i]);
}

struct diff {
	const json_t *object;
	bool secret;
	struct strv *out;
};

static char *shown(const struct diff *d, const json_t *v)
{
	if (!v)
		return xstrdup("(none)");
	if (d->secret)
		return xstrdup("***");

	auto_free char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);

	return text ? xasprintf("%.120s%s", text, strlen(text) > 120 ? "…" : "") : xstrdup("?");
}

static void diff_leaf(const struct diff *d, const char *path, const json_t *is, const json_t *should)
{
	auto_free char *a = shown(d, is), *b = shown(d, should);

	strv_pushf(d->out, "%s/%s: %s: %s -> %s", jdoc_text(d->object, "kind", NULL), text_at(d->object, "name"), path, a, b);
}

static void diff_value(const struct diff *d, const char *path, const json_t *is, const json_t *should)
{
	const char *key;
	json_t *child;

	if (json_equal((json_t *)is, (json_t *)should))
		return;
	if (!json_is_object(is) || !json_is_object(should)) {
		diff_leaf(d, path, is, should);
		return;
	}
	json_object_foreach((json_t *)should, key, child) {
		auto_free char *below = xasprintf("%s%s%s", path, *path ? "." : "", key);

		diff_value(d, below, json_object_get(is, key), child);
	}
	json_object_foreach((json_t *)is, key, child) {
		auto_free char *below = xasprintf("%s%s%s", path, *path ? "." : "", key);

		if (!json_object_get(should, key))
			diff_leaf(d, below, child, NULL);
	}
}

/* A finished Job may be gone because it asked for that. */
static bool may_be_gone(const json_t *o)
{
	return str_eq(jdoc_text(o, "kind", NULL), "Job") && json_is_integer(jdoc_at(o, "spec", "ttlSecondsAfterFinished", NULL));
}

/* Those of the objects that should be there and are not. */
static size_t missing(const json_t *objects, const json_t *live, struct strv *diff)
{
	size_t n = 0, i;
	json_t *o;

	json_array_foreach(objects, i, o) {
		if (find_object(live, o) || may_be_gone(o))
			continue;
		n++;
		if (diff)
			strv_pushf(diff, "%s/%s: missing", jdoc_text(o, "kind", NULL), text_at(o, "name"));
	}
	return n;
}

/* Two lists of the same objects; the server's answer to a dry run against what there is. */
static bool compare(const json_t *live, const json_t *wanted, struct strv *diff)
{
	bool same = true;
	size_t i;
	json_t *o;

	json_array_foreach(wanted, i, o) {
		json_t *is = find_object(live, o);
		struct diff d = { o, str_eq(jdoc_text(o, "kind", NULL), "Secret"), diff };

		strip(o);
		if (is)
			strip(is);
		if ((!is && may_be_gone(o)) || json_equal(is, o))
			continue;
		same = false;
		if (diff)
			diff_value(&d, "", is, o);
	}
	return same;
}

int live_compare(struct session *s, const json_t *objects, enum live_state *out, struct strv *diff, struct err *e)
{
	auto_json json_t *live = NULL;
	auto_json json_t *wanted = NULL;

	*out = LIVE_SAME;
	if (json_array_size(objects) == 0)
		return 0;
	if (kubectl_get_all(&s->kubectl, objects, &live, e) < 0)
		return -1;
	if (json_array_size(live) == 0 && missing(objects, live, NULL)) {
		*out = LIVE_ABSENT;
		return 0;
	}
	if (missing(objects, live, diff)) {
		*out = LIVE_DIFFERENT;
		return 0;
	}
	if (kubectl_apply(&s->kubectl, objects, KUBECTL_DRY_RUN, &wanted, e) < 0) {
		/* An object that can only be made anew differs. What cannot be judged otherwise is an error. */
		if (!strstr(e->msg, "is immutable") && !strstr(e->msg, "field is immutable"))
			return -1;
		if (diff)
			strv_push(diff, e->msg);
		*out = LIVE_DIFFERENT;
		return 0;
	}
	*out = compare(live, wanted, diff) ? LIVE_SAME : LIVE_DIFFERENT;
	return 0;
}

static bool cluster_wide(const char *kind)
{
	static const char *const kinds[] = { "Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding",
					     "StorageClass", "PriorityClass", "PersistentVolume", "IngressClass", "RuntimeClass",
					     "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService",
					     "CSIDriver", "DeviceClass", "ValidatingAdmissionPolicy",
					     "ValidatingAdmissionPolicyBinding" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

void live_set_namespace(json_t *objects, const char *ns)
{
	size_t i;
	json_t *o;

	json_array_foreach(objects, i, o) {
		const char *kind = jdoc_text(o, "kind", NULL);

		if (ns && kind && !cluster_wide(kind) && !jdoc_text(o, "metadata", "namespace", NULL))
			json_object_set_new(jdoc_at(o, "metadata", NULL), "namespace", json_string(ns));
	}
}

/* ---- ready ---- */

static json_int_t number(const json_t *o, const char *part, const char *key, json_int_t fallback)
{
	const json_t *v = jdoc_at(o, part, key, NULL);

	return json_is_integer(v) ? json_integer_value(v) : fallback;
}

static const json_t *condition(const json_t *o, const char *type)
{
	size_t i;
	json_t *c;

	json_array_foreach(jdoc_at(o, "status", "conditions", NULL), i, c)
		if (str_eq(jdoc_text(c, "type", NULL), type))
			return c;
	return NULL;
}

static bool condition_is(const json_t *o, const char *type, const char *status)
{
	return str_eq(jdoc_text(condition(o, type), "status", NULL), status);
}

static enum live_ready waiting(char **why, char *text)
{
	if (why)
		*why = text;
	else
		free(text);
	return LIVE_WAITING;
}

static enum live_ready failed(char **why, char *text)
{
	waiting(why, text);
	return LIVE_FAILED;
}

static enum live_ready deployment(const json_t *o, char **why)
{
	json_int_t want = number(o, "spec", "replicas", 1), have = number(o, "status", "availableReplicas", 0);
	const json_t *progress = condition(o, "Progressing");

	if (str_eq(jdoc_text(progress, "reason", NULL), "ProgressDeadlineExceeded"))
		return failed(why, xstrdup("its progress deadline passed"));
	if (number(o, "status", "updatedReplicas", 0) < want || number(o, "status", "replicas", 0) > want || have < want)
		return waiting(why, xasprintf("%lld of %lld pods available", (long long)have, (long long)want));
	return LIVE_READY;
}

static enum live_ready stateful_set(const json_t *o, char **why)
{
	json_int_t want = number(o, "spec", "replicas", 1), have = number(o, "status", "readyReplicas", 0);

	if (have < want || (number(o, "status", "updatedReplicas", 0) < want &&
			    !str_eq(jdoc_text(o, "status", "currentRevision", NULL), jdoc_text(o, "status", "updateRevision", NULL))))
		return waiting(why, xasprintf("%lld of %lld pods ready", (long long)have, (long long)want));
	return LIVE_READY;
}

static enum live_ready daemon_set(const json_t *o, char **why)
{
	json_int_t want = number(o, "status", "desiredNumberScheduled", -1), have = number(o, "status", "numberAvailable", 0);

	if (want < 0 || have < want || number(o, "status", "updatedNumberScheduled", 0) < want)
		return waiting(why, xasprintf("%lld of %lld pods available", (long long)have, (long long)want));
	return LIVE_READY;
}

static enum live_ready job(const json_t *o, char **why)
{
	if (condition_is(o, "Failed", "True"))
		return failed(why, xstrdup("the job failed"));
	return condition_is(o, "Complete", "True") ? LIVE_READY : waiting(why, xstrdup("the job runs"));
}

static enum live_ready pod(const json_t *o, char **why)
{
	const char *phase = jdoc_text(o, "status", "phase", NULL);

	if (str_eq(phase, "Succeeded") || condition_is(o, "Ready", "True"))
		return LIVE_READY;
	if (str_eq(phase, "Failed"))
		return failed(why, xstrdup("the pod failed"));
	return waiting(why, xasprintf("phase %s", phase ? phase : "unknown"));
}

static enum live_ready claim(const json_t *o, char **why)
{
	return str_eq(jdoc_text(o, "status", "phase", NULL), "Bound") ? LIVE_READY : waiting(why, xstrdup("not bound"));
}

static enum live_ready definition(const json_t *o, char **why)
{
	if (condition_is(o, "NamesAccepted", "False"))
		return failed(why, xstrdup("its names are taken"));
	return condition_is(o, "Established", "True") ? LIVE_READY : waiting(why, xstrdup("not established"));
}

static const struct { const char *kind; enum live_ready (*judge)(const json_t *o, char **why); } judges[] = {
	{ "Deployment", deployment }, { "StatefulSet", stateful_set }, { "DaemonSet", daemon_set }, { "Job", job },
	{ "Pod", pod }, { "PersistentVolumeClaim", claim }, { "CustomResourceDefinition", definition },
};

enum live_ready live_is_ready(const json_t *o, char **why)
{
	const char *kind = jdoc_text(o, "kind", NULL);
	json_int_t seen = number(o, "status", "observedGeneration", -1);

	if (jdoc_text(o, "metadata", "deletionTimestamp", NULL))
		return waiting(why, xstrdup("being deleted"));
	if (seen >= 0 && seen != number(o, "metadata", "generation", seen))
		return waiting(why, xstrdup("its controller has not seen the change yet"));
	if (condition_is(o, "Stalled", "True"))
		return failed(why, xstrdup("stalled"));
	if (condition_is(o, "Reconciling", "True"))
		return waiting(why, xstrdup("reconciling"));
	for (size_t i = 0; kind && i < ARRAY_LEN(judges); i++)
		if (strcmp(kind, judges[i].kind) == 0)
			return judges[i].judge(o, why);
	if (condition(o, "Ready") && !condition_is(o, "Ready", "True"))
		return waiting(why, xstrdup("its condition Ready is not True"));
	return LIVE_READY;
}
