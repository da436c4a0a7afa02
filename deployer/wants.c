/* SPDX-License-Identifier: Apache-2.0 */
#include "wants.h"

#define DEPTH 32        /* of a custom resource */

static const char *const kept[] = {
	"PersistentVolumeClaim", "StorageClass", "Ingress", "IngressClass", "Certificate", "ClusterRole", "NetworkPolicy", "Pod", "Deployment",
	"StatefulSet", "DaemonSet", "ReplicaSet", "Job",
};

void wants_release(struct wants *w)
{
	for (size_t i = 0; i < w->n; i++) {
		free(w->items[i].from);
		free(w->items[i].ns);
		json_decref(w->items[i].object);
	}
	for (size_t i = 0; i < w->n_kinds; i++) {
		free(w->kinds[i].from);
		free(w->kinds[i].ns);
		free(w->kinds[i].group);
		free(w->kinds[i].kind);
	}
	free(w->items);
	free(w->kinds);
	strv_release(&w->patterns);
	pthread_mutex_destroy(&w->lock);
}

/* ---- adding ---- */

static bool has_templates(const json_t *j, unsigned depth)
{
	const char *key;
	json_t *v;
	size_t i;

	if (depth > DEPTH)
		return false;
	json_object_foreach((json_t *)j, key, v)
		if ((strcmp(key, "volumeClaimTemplates") == 0 && json_is_array(v)) || has_templates(v, depth + 1))
			return true;
	json_array_foreach((json_t *)j, i, v)
		if (has_templates(v, depth + 1))
			return true;
	return false;
}

static bool is_kept(const json_t *o, const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (strcmp(kind, kept[i]) == 0)
			return true;
	if (strcmp(kind, "Service") == 0)
		return str_eq(jdoc_text(o, "spec", "type", NULL), "LoadBalancer");
	return strcmp(kind, "CustomResourceDefinition") != 0 && strcmp(kind, "ConfigMap") != 0 && has_templates(o, 0);
}

static void add_kind(struct wants *w, const char *from, const char *ns, const json_t *o)
{
	const char *version = jdoc_text(o, "apiVersion", NULL), *kind = jdoc_text(o, "kind", NULL);
	const char *slash = version ? strchr(version, '/') : NULL;
	auto_free char *group = slash ? xstrndup(version, (size_t)(slash - version)) : xstrdup("");

	for (size_t i = 0; i < w->n_kinds; i++)
		if (strcmp(w->kinds[i].kind, kind) == 0 && strcmp(w->kinds[i].group, group) == 0 && strcmp(w->kinds[i].ns, ns) == 0)
			return;
	GROW(w->kinds, w->n_kinds);
	w->kinds[w->n_kinds++] = (struct want_kind){ xstrdup(from), xstrdup(ns), TAKE(group), xstrdup(kind) };
}

void wants_add(struct wants *w, const char *from, const char *ns, const struct helm_objects *o)
{
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < o->n; i++) {
		json_t *object = o->items[i].object;
		const char *kind = jdoc_text(object, "kind", NULL), *own = jdoc_text(object, "metadata", "namespace", NULL);
		bool secret = kind && strcmp(kind, "Secret") == 0;

		if (o->items[i].test || !kind)
			continue;
		add_kind(w, from, own ? own : ns, object);
		if (!secret && !is_kept(object, kind))
			continue;
		GROW(w->items, w->n);
		/* Of a Secret its name alone is of interest, and nothing else of it is ours to keep. */
		w->items[w->n++] = (struct want){
			.from = xstrdup(from), .ns = xstrdup(own ? own : ns),
			.object = secret ? json_pack("{s:s, s:{s:O*}}", "kind", "Secret", "metadata", "name",
						     jdoc_at(object, "metadata", "name", NULL))
					 : json_incref(object),
		};
	}
	pthread_mutex_unlock(&w->lock);
}

void wants_add_pattern(struct wants *w, const char *image)
{
	pthread_mutex_lock(&w->lock);
	if (!strv_has(&w->patterns, image))
		strv_push(&w->patterns, image);
	pthread_mutex_unlock(&w->lock);
}

static int by_name(const void *a, const void *b)
{
	const struct want *x = a, *y = b;
	const char *names[] = { jdoc_text(x->object, "kind", NULL), jdoc_text(y->object, "kind", NULL),
				jdoc_text(x->object, "metadata", "name", NULL), jdoc_text(y->object, "metadata", "name", NULL) };
	int d = strcmp(x->from, y->from);

	for (size_t i = 0; i < ARRAY_LEN(names) && d == 0; i += 2)
		d = strcmp(names[i] ? names[i] : "", names[i + 1] ? names[i + 1] : "");
	return d;
}

static int by_kind(const void *a, const void *b)
{
	const struct want_kind *x = a, *y = b;
	int d = strcmp(x->group, y->group);

	if (d == 0)
		d = strcmp(x->kind, y->kind);
	return d ? d : strcmp(x->ns, y->ns);
}

void wants_sort(struct wants *w)
{
	if (w->n)
		qsort(w->items, w->n, sizeof(*w->items), by_name);
	if (w->n_kinds)
		qsort(w->kinds, w->n_kinds, sizeof(*w->kinds), by_kind);
	strv_sort(&w->patterns);
}

/* ---- claims ---- */

void want_claims_release(struct want_claims *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->items[i].name);
	free(c->items);
	*c = (struct want_claims){ 0 };
}

static void add_claim(struct want_claims *out, const struct want *w, const json_t *claim, uint64_t count, bool template)
{
	const char *name = jdoc_text(claim, "metadata", "name", NULL);

	GROW(out->items, out->n);
	out->items[out->n++] = (struct want_claim){ w, xstrdup(name ? name : "unnamed"), jdoc_at(claim, "spec", NULL), count, template };
}

/* replicas stand beside the templates, or a custom resource has its own word for them and counts as one. */
static void find_templates(struct want_claims *out, const struct want *w, const json_t *j, unsigned depth)
{
	const json_t *list = json_object_get(j, "volumeClaimTemplates"), *replicas = json_object_get(j, "replicas");
	const char *key;
	json_t *v;
	size_t i;

	if (depth > DEPTH)
		return;
	json_array_foreach((json_t *)list, i, v)
		add_claim(out, w, v, json_is_integer(replicas) ? (uint64_t)MAX(json_integer_value(replicas), 0) : 1, true);
	json_object_foreach((json_t *)j, key, v)
		if (v != list)
			find_templates(out, w, v, depth + 1);
	json_array_foreach((json_t *)j, i, v)
		find_templates(out, w, v, depth + 1);
}

void want_claims_find(const struct wants *w, struct want_claims *out)
{
	for (size_t i = 0; i < w->n; i++) {
		if (str_eq(jdoc_text(w->items[i].object, "kind", NULL), "PersistentVolumeClaim"))
			add_claim(out, &w->items[i], w->items[i].object, 1, false);
		else
			find_templates(out, &w->items[i], w->items[i].object, 0);
	}
}

/* ---- quantities ---- */

bool quantity_parse(const json_t *j, double *out)
{
	static const struct { const char *suffix; double factor; } units[] = {
		{ "", 1 }, { "m", 1e-3 }, { "k", 1e3 }, { "M", 1e6 }, { "G", 1e9 }, { "T", 1e12 }, { "P", 1e15 }, { "u", 1e-6 },
		{ "n", 1e-9 }, { "Ki", 1024. }, { "Mi", 1048576. }, { "Gi", 1073741824. }, { "Ti", 1099511627776. }, { "Pi", 1125899906842624. },
	};
	const char *text = json_string_value(j);
	char *end;

	if (json_is_number(j)) {
		*out = json_number_value(j);
		return *out >= 0;
	}
	if (!text || strlen(text) > 40 || !strchr("0123456789.", *text) || strpbrk(text, "xX"))
		return false;

	double n = strtod(text, &end);

	for (size_t i = 0; end != text && i < ARRAY_LEN(units); i++)
		if (strcmp(end, units[i].suffix) == 0) {
			*out = n * units[i].factor;
			return true;
		}
	return false;
}

char *quantity_bytes(double n)
{
	static const char *const units[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi" };
	size_t i = 0;

	for (; n >= 1024 && i + 1 < ARRAY_LEN(units); i++)
		n /= 1024;
	return xasprintf("%.*f%s", n < 10 && n > (double)(uint64_t)n ? 1 : 0, n, units[i]);
}
