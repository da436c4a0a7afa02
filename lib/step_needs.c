/* SPDX-License-Identifier: Apache-2.0 */
#include "step_needs.h"

#include <airgap/reference.h>

static void add_need(struct step *s, size_t need)
{
	for (size_t i = 0; i < s->n_needs; i++)
		if (s->needs[i] == need)
			return;
	GROW(s->needs, s->n_needs);
	s->needs[s->n_needs++] = need;
}

static int stated_needs(struct steps *all, struct step *s, const struct strv *names, struct err *e)
{
	for (size_t i = 0; i < names->n; i++) {
		const struct step *need = steps_find(all, names->items[i]);

		if (!need)
			return err_set(e, ERR_MALFORMED, "needs '%s', which names no step or several: write KIND/NAME",
				       names->items[i]);
		if (need == s)
			return err_set(e, ERR_MALFORMED, "needs itself");
		add_need(s, (size_t)(need - all->items));
	}
	return 0;
}

/* The strings in which a step names other things: namespaces, secrets. */
static int push_leaf(void *ctx, const char *path, const char *key, json_t *leaf, struct err *e)
{
	struct strv *words = ctx;

	(void)path;
	(void)key;
	(void)e;
	strv_push(words, json_string_value(leaf));
	return 0;
}

static void namespaces_of(const struct step *s, struct strv *out)
{
	size_t i;
	json_t *o;

	switch (s->kind) {
	case STEP_SECRET:
		for (size_t k = 0; k < s->secret.namespaces.n; k++)
			strv_push(out, s->secret.namespaces.items[k]);
		break;
	case STEP_RELEASE:
		strv_push(out, s->release.ns);
		break;
	case STEP_APPLY:
		if (s->apply.ns)
			strv_push(out, s->apply.ns);
		json_array_foreach(s->apply.objects, i, o)
			if (jdoc_text(o, "metadata", "namespace", NULL))
				strv_push(out, jdoc_text(o, "metadata", "namespace", NULL));
		break;
	case STEP_WAIT:
		if (s->wait.object.ns)
			strv_push(out, s->wait.object.ns);
		break;
	case STEP_CALL:
		if (s->call.via.ns)
			strv_push(out, s->call.via.ns);
		break;
	case STEP_RUN:
		if (s->run.ns)
			strv_push(out, s->run.ns);
		for (size_t k = 0; k < s->run.n_scale_down; k++)
			if (s->run.scale_down[k].ns)
				strv_push(out, s->run.scale_down[k].ns);
		break;
	case STEP_CARRY:
	case STEP_NAMESPACE:
	case STEP_LABEL:
	case STEP_PROBE:
	case STEP_KINDS:
		break;
	}
}

/* Where references make a need. The late values of a release do not: they come when they can. */
static json_t *payload(const struct step *s)
{
	switch (s->kind) {
	case STEP_RELEASE:
		return s->release.values;
	case STEP_APPLY:
		return s->apply.objects;
	case STEP_SECRET:
		return s->secret.data;
	case STEP_CALL:
		return json_object_get(s->doc, "call");
	case STEP_RUN:
		return json_object_get(s->doc, "run");
	default:
		return NULL;
	}
}

static bool makes_kind(const struct step *s, const char *api_version, const char *kind)
{
	size_t i;
	json_t *o;

	if (s->kind != STEP_APPLY)
		return false;
	json_array_foreach(s->apply.objects, i, o) {
		const char *group = jdoc_text(o, "spec", "group", NULL), *made = jdoc_text(o, "spec", "names", "kind", NULL);

		if (str_eq(jdoc_text(o, "kind", NULL), "CustomResourceDefinition") && group && str_eq(made, kind) &&
		    str_starts(api_version, group) && api_version[strlen(group)] == '/')
			return true;
	}
	return false;
}

static void crd_needs(struct steps *all, struct step *s)
{
	size_t i;
	json_t *o;

	if (s->kind != STEP_APPLY)
		return;
	json_array_foreach(s->apply.objects, i, o)
		for (size_t k = 0; k < all->n; k++)
			if (&all->items[k] != s && makes_kind(&all->items[k], jdoc_text(o, "apiVersion", NULL),
							      jdoc_text(o, "kind", NULL)))
				add_need(s, k);
}

/* The steps behind `$(secret:NAME/KEY)`. A call may use what it has saved itself. */
static int reference_needs(struct steps *all, struct step *s, const json_t *body, struct err *e)
{
	auto_strv struct strv references = { 0 };

	if (reference_collect(body, &references, e) < 0)
		return -1;
	for (size_t i = 0; i < references.n; i++) {
		if (!str_starts(references.items[i], "secret:"))
			continue;

		const char *name = references.items[i] + strlen("secret:"), *slash = strchrnul(name, '/');
		auto_free char *head = xstrndup(name, (size_t)(slash - name));
		const struct step *t = *slash ? steps_secret(all, head, slash + 1) : NULL;

		if (!t)
			return err_set(e, ERR_MALFORMED, "$(%s): no Secret step makes this key and no Call step saves it",
				       references.items[i]);
		if (t != s)
			add_need(s, (size_t)(t - all->items));
	}
	return 0;
}

/* Objects, values and pods that have the name of a Secret in them. */
static int secret_needs(struct steps *all, struct step *s, json_t *body, struct err *e)
{
	auto_strv struct strv words = { 0 };

	if (s->kind == STEP_SECRET || s->kind == STEP_CALL)
		return 0;
	if (jdoc_strings(body, push_leaf, &words, e) < 0)
		return -1;
	for (size_t i = 0; i < all->n; i++)
		if (all->items[i].kind == STEP_SECRET && strv_has(&words, all->items[i].secret.name))
			add_need(s, i);
	return 0;
}

static int inferred_needs(struct steps *all, struct step *s, struct err *e)
{
	auto_strv struct strv spaces = { 0 };
	json_t *body = payload(s);

	namespaces_of(s, &spaces);
	for (size_t i = 0; i < all->n; i++)
		if (&all->items[i] != s && all->items[i].kind == STEP_NAMESPACE && strv_has(&spaces, all->items[i].ns.name))
			add_need(s, i);
	if (body && (reference_needs(all, s, body, e) < 0 || secret_needs(all, s, body, e) < 0))
		return -1;
	crd_needs(all, s);
	return 0;
}

static int compare_index(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

/* What late values wait for is no need of the release: the release may well be a need of it. It must be there, though. */
static int check_late(const struct steps *all, const struct step *s, struct err *e)
{
	for (size_t i = 0; s->kind == STEP_RELEASE && i < s->release.n_late; i++) {
		const struct strv *names = &s->release.late[i].needs;

		if (!json_is_object(s->release.late[i].values))
			return err_set(e, ERR_MALFORMED, "late[%zu].values: not a map", i);
		for (size_t k = 0; k < names->n; k++)
			if (!steps_find(all, names->items[k]))
				return err_set(e, ERR_MALFORMED,
					       "late[%zu]: needs '%s', which names no step or several: write KIND/NAME", i,
					       names->items[k]);
	}
	return 0;
}

/* Repeatedly takes away what has no open need; what is left is a cycle. */
static int check_acyclic(const struct steps *s, struct err *e)
{
	auto_free bool *done = xcalloc(s->n, sizeof(*done));
	size_t left = s->n;

	for (bool moved = true; moved && left;) {
		moved = false;
		for (size_t i = 0; i < s->n; i++) {
			bool open = done[i];

			for (size_t k = 0; k < s->items[i].n_needs && !open; k++)
				open = !done[s->items[i].needs[k]];
			if (open)
				continue;
			done[i] = moved = true;
			left--;
		}
	}
	for (size_t i = 0; i < s->n; i++)
		if (!done[i])
			return err_set(e, ERR_MALFORMED, "%s: %s: its needs lead back to it", s->items[i].source,
				       s->items[i].id);
	return 0;
}

int step_needs_find(struct steps *all, struct err *e)
{
	for (size_t i = 0; i < all->n; i++) {
		struct step *s = &all->items[i];

		if (stated_needs(all, s, &s->stated, e) < 0 || check_late(all, s, e) < 0 || inferred_needs(all, s, e) < 0 ||
		    (s->kind == STEP_RELEASE && stated_needs(all, s, &s->release.before, e) < 0))
			return err_wrap(e, "%s: %s", s->source, s->id);
		if (s->n_needs)
			qsort(s->needs, s->n_needs, sizeof(s->needs[0]), compare_index);
	}
	return check_acyclic(all, e);
}
