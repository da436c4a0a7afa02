/* SPDX-License-Identifier: Apache-2.0 */
#include "judge.h"

void rights_release(struct rights *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->items[i].verb);
		free(r->items[i].group);
		free(r->items[i].resource);
		free(r->items[i].ns);
		free(r->items[i].from);
	}
	free(r->items);
	*r = (struct rights){ 0 };
}

/* As Kubernetes guesses it where it does not know: "Ingress" is "ingresses", "NetworkPolicy" "networkpolicies". Owned. */
static char *resource_of(const char *kind)
{
	char *s = xasprintf("%s", kind);
	size_t n = strlen(s);

	for (char *p = s; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	if (strcmp(s, "endpoints") == 0)
		return s;

	auto_free char *one = s;

	if (str_ends(one, "s") || str_ends(one, "x") || str_ends(one, "ch") || str_ends(one, "sh"))
		return xasprintf("%ses", one);
	if (n > 1 && str_ends(one, "y") && !strchr("aeiou", one[n - 2]))
		return xasprintf("%.*sies", (int)n - 1, one);
	return xasprintf("%ss", one);
}

static void add(struct rights *out, const char *verb, const char *group, const char *resource, const char *ns, const char *from)
{
	for (size_t i = 0; i < out->n; i++) {
		const struct right *r = &out->items[i];

		if (strcmp(r->verb, verb) == 0 && strcmp(r->group, group) == 0 && strcmp(r->resource, resource) == 0 &&
		    strcmp(r->ns, ns) == 0)
			return;
	}
	GROW(out->items, out->n);
	out->items[out->n++] = (struct right){ xstrdup(verb), xstrdup(group), xstrdup(resource), xstrdup(ns), xstrdup(from) };
}

static void of_run(const struct step *s, struct rights *out)
{
	const char *ns = s->run.ns ? s->run.ns : "";

	switch (steps_where(&s->run)) {
	case STEP_IN_POD:
		add(out, "create", "batch", "jobs", ns, s->id);
		break;
	case STEP_BY_EXEC:
		add(out, "create", "", "pods/exec", ns, s->id);
		break;
	case STEP_ON_HOST:
		break;
	}
}

static bool namespace_is_there(const json_t *there, const char *name)
{
	size_t i;
	json_t *o;

	json_array_foreach((json_t *)there, i, o)
		if (str_eq(jdoc_text(o, "kind", NULL), "Namespace") && str_eq(jdoc_text(o, "metadata", "name", NULL), name))
			return true;
	return false;
}

static void of_step(const struct step *s, const json_t *there, struct rights *out)
{
	switch (s->kind) {
	case STEP_NAMESPACE:
		add(out, namespace_is_there(there, s->ns.name) ? "patch" : "create", "", "namespaces", "", s->id);
		break;
	case STEP_SECRET:
		for (size_t i = 0; i < s->secret.namespaces.n; i++)
			add(out, "create", "", "secrets", s->secret.namespaces.items[i], s->id);
		break;
	case STEP_RELEASE:      /* Helm's own record */
		add(out, "create", "", "secrets", s->release.ns, s->id);
		break;
	case STEP_LABEL:
		add(out, "patch", "", "nodes", "", s->id);
		break;
	case STEP_CALL:
		if (s->call.via.service)
			add(out, "create", "", "pods/portforward", s->call.via.ns, s->id);
		break;
	case STEP_RUN:
		of_run(s, out);
		break;
	default:
		break;
	}
}

static int by_name(const void *a, const void *b)
{
	const struct right *x = a, *y = b;
	int d = strcmp(x->group, y->group);

	if (d == 0)
		d = strcmp(x->resource, y->resource);
	if (d == 0)
		d = strcmp(x->verb, y->verb);
	return d ? d : strcmp(x->ns, y->ns);
}

void rights_needed(const struct wants *w, const struct steps *s, const json_t *there, struct rights *out)
{
	for (size_t i = 0; i < s->n; i++)
		of_step(&s->items[i], there, out);
	for (size_t i = 0; i < w->n_kinds; i++) {
		auto_free char *resource = resource_of(w->kinds[i].kind);

		add(out, "create", w->kinds[i].group, resource, w->kinds[i].ns, w->kinds[i].from);
	}
	if (out->n)
		qsort(out->items, out->n, sizeof(*out->items), by_name);
}

static bool has(const json_t *list, const char *text)
{
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)list, i, v)
		if (str_eq(json_string_value(v), text) || str_eq(json_string_value(v), "*"))
			return true;
	return false;
}

bool rights_allow(const json_t *rules, const struct right *r)
{
	size_t i;
	json_t *rule;

	json_array_foreach((json_t *)rules, i, rule)
		if (has(json_object_get(rule, "verbs"), r->verb) && has(json_object_get(rule, "apiGroups"), r->group) &&
		    has(json_object_get(rule, "resources"), r->resource) && !json_array_size(json_object_get(rule, "resourceNames")))
			return true;
	return false;
}
