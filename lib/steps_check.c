/* SPDX-License-Identifier: Apache-2.0 */
/* The meaning of one block, beyond its shape. */
#include "steps_part.h"

static bool one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

/* Kubernetes and helm names: a leading '-' would be an option, a '/' a path. */
bool step_name_ok(const char *s, size_t max)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
	size_t n = strlen(s);

	return n > 0 && n <= max && strspn(s, legal) == n && s[0] != '-' && s[0] != '.' && s[n - 1] != '-' &&
	       s[n - 1] != '.';
}

static int check_names(const struct strv *v, const char *what, struct err *e)
{
	for (size_t i = 0; i < v->n; i++)
		if (!step_name_ok(v->items[i], 253))
			return err_set(e, ERR_MALFORMED, "%s: '%s' is not a Kubernetes name", what, v->items[i]);
	return 0;
}

static int check_timeout(const char *text, struct err *e)
{
	unsigned ignored;

	if (!steps_duration(text, 1, &ignored))
		return err_set(e, ERR_MALFORMED, "timeout: '%s' is not a duration: write '90s' or '10m'", text);
	return 0;
}

static int check_namespace(const struct step_namespace *n, struct err *e)
{
	static const char *const levels[] = { "restricted", "baseline", "privileged", NULL };

	if (!step_name_ok(n->name, 63))
		return err_set(e, ERR_MALFORMED, "name: '%s' is not a namespace name", n->name);
	if (n->pod_security && !one_of(n->pod_security, levels))
		return err_set(e, ERR_MALFORMED, "podSecurity: '%s': use restricted, baseline or privileged",
			       n->pod_security);
	if (n->labels && !json_is_object(n->labels))
		return err_set(e, ERR_MALFORMED, "labels: not a map");
	return check_names(&n->pull_secret.service_accounts, "serviceAccounts", e);
}

static int check_secret(const struct step_secret *s, struct err *e)
{
	const char *key;
	json_t *value;

	if (!step_name_ok(s->name, 253))
		return err_set(e, ERR_MALFORMED, "name: '%s' is not a Kubernetes name", s->name);
	if (!json_is_object(s->data))
		return err_set(e, ERR_MALFORMED, "data: not a map of texts");
	json_object_foreach(s->data, key, value)
		if (!json_is_string(value))
			return err_set(e, ERR_MALFORMED, "data.%s: not a text: put it in quotes", key);
	return check_names(&s->namespaces, "namespaces", e);
}

static int check_release(const struct step_release *r, struct err *e)
{
	static const char *const ways[] = { "auto", "stop", NULL };

	if (!step_name_ok(r->name, 53))
		return err_set(e, ERR_MALFORMED, "name: '%s' is not a release name (at most 53 of a-z 0-9 - .)", r->name);
	if (!step_name_ok(r->ns, 63))
		return err_set(e, ERR_MALFORMED, "namespace: '%s' is not a namespace name", r->ns);
	if (r->rollback && !one_of(r->rollback, ways))
		return err_set(e, ERR_MALFORMED, "rollback: '%s': use auto or stop", r->rollback);
	if (r->values && !json_is_object(r->values))
		return err_set(e, ERR_MALFORMED, "values: not a map");
	return check_timeout(r->timeout, e);
}

static int check_apply(const struct step_apply *a, struct err *e)
{
	size_t i;
	json_t *o;

	if (!a->objects == !a->file)
		return err_set(e, ERR_MALFORMED, "give either objects or file");
	if (a->objects && !json_is_array(a->objects))
		return err_set(e, ERR_MALFORMED, "objects: not a list");
	json_array_foreach(a->objects, i, o)
		if (!jdoc_text(o, "apiVersion", NULL) || !jdoc_text(o, "kind", NULL) ||
		    !jdoc_text(o, "metadata", "name", NULL))
			return err_set(e, ERR_MALFORMED, "objects[%zu]: needs apiVersion, kind and metadata.name", i);
	return 0;
}

static int check_wait(const struct step_wait *w, struct err *e)
{
	static const char *const words[] = { "Ready", "Established", "Exists", "Gone", "Endpoints", NULL };

	if (!one_of(w->until, words) && !strchr(w->until, '='))
		return err_set(e, ERR_MALFORMED,
			       "until: '%s': use Ready, Established, Exists, Gone, Endpoints or \"jsonpath=value\"", w->until);
	if (w->fail && !strchr(w->fail, '='))
		return err_set(e, ERR_MALFORMED, "fail: '%s': write \"jsonpath=value\"", w->fail);
	return check_timeout(w->timeout, e);
}

bool steps_is_node_name(const char *item)
{
	return step_name_ok(item, 253);
}

static int check_label(const struct step_label *l, struct err *e)
{
	const char *key;
	json_t *value;

	if (l->nodes.n == 0)
		return err_set(e, ERR_MALFORMED, "nodes: none: name nodes or a label selector");
	for (size_t i = 0; i < l->nodes.n; i++)
		if (!*l->nodes.items[i] || *l->nodes.items[i] == '-')
			return err_set(e, ERR_MALFORMED, "nodes: '%s' is no node's name and no label selector", l->nodes.items[i]);
	if (!json_is_object(l->labels) || json_object_size(l->labels) == 0)
		return err_set(e, ERR_MALFORMED, "labels: not a map of texts");
	json_object_foreach(l->labels, key, value)
		if (!*key || (!json_is_string(value) && !json_is_null(value)))
			return err_set(e, ERR_MALFORMED, "labels.%s: not a text: put it in quotes; null takes the label off", key);
	return check_timeout(l->timeout, e);
}

int step_check(const struct step *s, struct err *e)
{
	switch (s->kind) {
	case STEP_NAMESPACE:
		return check_namespace(&s->ns, e);
	case STEP_SECRET:
		return check_secret(&s->secret, e);
	case STEP_RELEASE:
		return check_release(&s->release, e);
	case STEP_APPLY:
		return check_apply(&s->apply, e);
	case STEP_WAIT:
		return check_wait(&s->wait, e);
	case STEP_LABEL:
		return check_label(&s->label, e);
	case STEP_CALL:
		return step_check_call(&s->call, e);
	case STEP_RUN:
		return step_check_run(s->metadata.name, &s->run, e);
	case STEP_PROBE:
		return step_check_probe(s, e);
	case STEP_CARRY:
	case STEP_KINDS:
		break;
	}
	return 0;
}
