/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/steps.h>

#include "step_needs.h"

#define STEPS_MAX 2000u

const char *const step_kind_names[STEP_KINDS + 1] = {
	"Carry", "Namespace", "Secret", "Release", "Apply", "Wait", NULL
};

/* One table per block; the envelope around it is the same for all kinds. */

static const struct field carry_fields[] = {
	F_STRV(struct step_carry, charts, "charts", 0),
	F_STRV(struct step_carry, images, "images", 0),
	F_STRV(struct step_carry, files, "files", 0),
	F_STRV(struct step_carry, packages, "packages", 0),
	F_STRV(struct step_carry, python, "python", 0),
	F_JSON(struct step_carry, waive, "waive", 0),
	{ 0 }
};
static const struct type carry_block = TYPE(struct step_carry, carry_fields);

static const struct field pull_secret_fields[] = {
	F_STR(struct step_pull_secret, name, "name", F_REQUIRED),
	F_STRV(struct step_pull_secret, service_accounts, "serviceAccounts", 0),
	{ 0 }
};
static const struct type pull_secret_type = TYPE(struct step_pull_secret, pull_secret_fields);
static const struct field namespace_fields[] = {
	F_STR(struct step_namespace, name, "name", F_REQUIRED),
	F_JSON(struct step_namespace, labels, "labels", 0),
	F_STR(struct step_namespace, pod_security, "podSecurity", 0),
	F_OBJ(struct step_namespace, pull_secret, "pullSecret", pull_secret_type, 0),
	F_BOOL(struct step_namespace, user_images, "userImages", 0),
	{ 0 }
};
static const struct type namespace_block = TYPE(struct step_namespace, namespace_fields);

static const struct field secret_fields[] = {
	F_STRV(struct step_secret, namespaces, "namespaces", F_REQUIRED),
	F_STR(struct step_secret, name, "name", F_REQUIRED),
	F_STR(struct step_secret, type, "type", 0),
	F_JSON(struct step_secret, data, "data", F_REQUIRED),
	{ 0 }
};
static const struct type secret_block = TYPE(struct step_secret, secret_fields);

static const struct field base_fields[] = {
	F_STR(struct step_base, chart_file, "chartFile", F_REQUIRED),
	F_BOOL(struct step_base, optional, "optional", 0),
	{ 0 }
};
static const struct type base_type = TYPE(struct step_base, base_fields);
static const struct field late_fields[] = {
	F_STRV(struct step_late, needs, "needs", F_REQUIRED),
	F_JSON(struct step_late, values, "values", F_REQUIRED),
	{ 0 }
};
static const struct type late_type = TYPE(struct step_late, late_fields);
static const struct field release_fields[] = {
	F_STR(struct step_release, chart, "chart", F_REQUIRED),
	F_STR(struct step_release, name, "name", F_REQUIRED),
	F_STR(struct step_release, ns, "namespace", F_REQUIRED),
	F_STR(struct step_release, timeout, "timeout", 0),
	F_LIST(struct step_release, base, n_base, "base", base_type, 0),
	F_JSON(struct step_release, values, "values", 0),
	F_LIST(struct step_release, late, n_late, "late", late_type, 0),
	F_BOOL(struct step_release, take_ownership, "takeOwnership", 0),
	F_BOOL(struct step_release, tests, "tests", 0),
	F_STR(struct step_release, rollback, "rollback", 0),
	F_STRV(struct step_release, before, "before", 0),
	{ 0 }
};
static const struct type release_block = TYPE(struct step_release, release_fields);

static const struct field apply_fields[] = {
	F_STR(struct step_apply, ns, "namespace", 0),
	F_JSON(struct step_apply, objects, "objects", 0),
	F_STR(struct step_apply, file, "file", 0),
	{ 0 }
};
static const struct type apply_block = TYPE(struct step_apply, apply_fields);

static const struct field object_fields[] = {
	F_STR(struct step_object, api_version, "apiVersion", F_REQUIRED),
	F_STR(struct step_object, kind, "kind", F_REQUIRED),
	F_STR(struct step_object, ns, "namespace", 0),
	F_STR(struct step_object, name, "name", F_REQUIRED),
	{ 0 }
};
static const struct type object_type = TYPE(struct step_object, object_fields);
static const struct field wait_fields[] = {
	F_OBJ(struct step_wait, object, "object", object_type, F_REQUIRED),
	F_STR(struct step_wait, until, "until", F_REQUIRED),
	F_STR(struct step_wait, fail, "fail", 0),
	F_STR(struct step_wait, timeout, "timeout", 0),
	{ 0 }
};
static const struct type wait_block = TYPE(struct step_wait, wait_fields);

static const struct field metadata_fields[] = {
	F_STR(struct step_metadata, name, "name", F_REQUIRED),
	{ 0 }
};
static const struct type metadata_type = TYPE(struct step_metadata, metadata_fields);

#define STEP_DOCUMENT(block, member, key)                                        \
	{                                                                        \
		F_STR(struct step, api_version, "apiVersion", F_REQUIRED),       \
		F_STR(struct step, kind_name, "kind", F_REQUIRED),               \
		F_OBJ(struct step, metadata, "metadata", metadata_type, F_REQUIRED), \
		F_STRV(struct step, stated, "needs", 0),                         \
		F_BOOL(struct step, protect, "protect", 0),                      \
		F_OBJ(struct step, member, key, block, F_REQUIRED),              \
		{ 0 }                                                            \
	}

static const struct field carry_document[] = STEP_DOCUMENT(carry_block, carry, "carry");
static const struct field namespace_document[] = STEP_DOCUMENT(namespace_block, ns, "namespace");
static const struct field secret_document[] = STEP_DOCUMENT(secret_block, secret, "secret");
static const struct field release_document[] = STEP_DOCUMENT(release_block, release, "release");
static const struct field apply_document[] = STEP_DOCUMENT(apply_block, apply, "apply");
static const struct field wait_document[] = STEP_DOCUMENT(wait_block, wait, "wait");

static const struct type step_types[STEP_KINDS] = {
	[STEP_CARRY] = TYPE(struct step, carry_document),
	[STEP_NAMESPACE] = TYPE(struct step, namespace_document),
	[STEP_SECRET] = TYPE(struct step, secret_document),
	[STEP_RELEASE] = TYPE(struct step, release_document),
	[STEP_APPLY] = TYPE(struct step, apply_document),
	[STEP_WAIT] = TYPE(struct step, wait_document),
};

static void step_release_content(struct step *s)
{
	decode_free(&step_types[s->kind], s);
}

void steps_release(struct steps *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct step *t = &s->items[i];
		char *id = t->id, *source = t->source;
		size_t *needs = t->needs;
		json_t *doc = t->doc;

		step_release_content(t);
		free(id);
		free(source);
		free(needs);
		json_decref(doc);
	}
	free(s->items);
	*s = (struct steps){ 0 };
}

/* Meaning of one block, beyond its shape. */

static bool one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

/* Kubernetes and helm names: a leading '-' would be an option, a '/' a path. */
static bool name_ok(const char *s, size_t max)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
	size_t n = strlen(s);

	return n > 0 && n <= max && strspn(s, legal) == n && s[0] != '-' && s[0] != '.' && s[n - 1] != '-' &&
	       s[n - 1] != '.';
}

static int check_names(const struct strv *v, const char *what, struct err *e)
{
	for (size_t i = 0; i < v->n; i++)
		if (!name_ok(v->items[i], 253))
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

	if (!name_ok(n->name, 63))
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

	if (!name_ok(s->name, 253))
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

	if (!name_ok(r->name, 53))
		return err_set(e, ERR_MALFORMED, "name: '%s' is not a release name (at most 53 of a-z 0-9 - .)", r->name);
	if (!name_ok(r->ns, 63))
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

static int check_block(const struct step *s, struct err *e)
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
	case STEP_CARRY:
	case STEP_KINDS:
		break;
	}
	return 0;
}

static int parse_kind(const json_t *doc, enum step_kind *out, struct err *e)
{
	const char *api = jdoc_text(doc, "apiVersion", NULL), *kind = jdoc_text(doc, "kind", NULL);

	if (!api || strcmp(api, "airgap/v1") != 0)
		return err_set(e, ERR_MALFORMED, "apiVersion '%s' is not airgap/v1", api ? api : "");
	for (size_t i = 0; kind && i < STEP_KINDS; i++) {
		if (strcmp(kind, step_kind_names[i]) == 0) {
			*out = (enum step_kind)i;
			return 0;
		}
	}

	const char *near = kind ? strv_nearest(step_kind_names, kind) : NULL;

	return err_set(e, ERR_MALFORMED, "unknown step kind '%s'%s%s", kind ? kind : "",
		       near ? ": did you mean " : "", near ? near : "");
}

static int parse_step(const struct helm_object *o, struct step *out, struct err *e)
{
	enum step_kind kind = STEP_CARRY;

	if (parse_kind(o->object, &kind, e) < 0)
		return err_wrap(e, "%s", o->source);
	if (decode(&step_types[kind], o->object, NULL, o->source, out, e) < 0)
		return -1;
	out->kind = kind;
	out->id = xasprintf("%s/%s", step_kind_names[kind], out->metadata.name);
	out->source = xstrdup(o->source);
	out->doc = json_incref(o->object);
	if (!name_ok(out->metadata.name, 253))
		err_set(e, ERR_MALFORMED, "metadata.name: '%s' is not a name", out->metadata.name);
	else if (check_block(out, e) == 0)
		return 0;
	return err_wrap(e, "%s: %s", out->source, out->id);
}

const struct step *steps_find(const struct steps *s, const char *id)
{
	const struct step *found = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const struct step *t = &s->items[i];

		if (strcmp(t->id, id) == 0)
			return t;
		if (strcmp(t->metadata.name, id) != 0)
			continue;
		if (found)
			return NULL;
		found = t;
	}
	return found;
}

static int check_unique(const struct steps *s, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		for (size_t k = 0; k < i; k++) {
			const struct step *a = &s->items[k], *b = &s->items[i];

			if (strcmp(a->id, b->id) == 0)
				return err_set(e, ERR_MALFORMED, "%s: %s stands also in %s", b->source, b->id, a->source);
			if (a->kind == STEP_RELEASE && b->kind == STEP_RELEASE &&
			    strcmp(a->release.name, b->release.name) == 0 && strcmp(a->release.ns, b->release.ns) == 0)
				return err_set(e, ERR_MALFORMED, "%s: %s and %s are both release '%s' in namespace '%s'",
					       b->source, a->id, b->id, b->release.name, b->release.ns);
		}
	}
	return 0;
}

int steps_parse(const struct helm_objects *objects, struct steps *out, struct err *e)
{
	auto_steps struct steps all = { 0 };

	if (objects->n > STEPS_MAX)
		return err_set(e, ERR_LIMIT, "more than %u steps", STEPS_MAX);
	for (size_t i = 0; i < objects->n; i++) {
		GROW(all.items, all.n);
		all.items[all.n] = (struct step){ 0 };
		all.n++;
		if (parse_step(&objects->items[i], &all.items[all.n - 1], e) < 0)
			return -1;
	}
	if (check_unique(&all, e) < 0 || step_needs_find(&all, e) < 0)
		return -1;
	*out = all;
	all = (struct steps){ 0 };
	return 0;
}

bool steps_duration(const char *text, unsigned fallback, unsigned *out)
{
	static const struct { const char *unit; uint64_t ms; } units[] = {
		{ "ms", 1 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 },
	};
	uint64_t total = 0;

	if (!text) {
		*out = fallback;
		return true;
	}
	if (!*text)
		return false;
	while (*text) {
		size_t digits = strspn(text, "0123456789"), i = 0;
		auto_free char *number = xstrndup(text, digits);
		uint64_t v;

		if (!u64_parse(number, &v) || v > 10000000)
			return false;
		text += digits;
		while (i < ARRAY_LEN(units) && !str_starts(text, units[i].unit))
			i++;
		if (i == ARRAY_LEN(units))
			return false;
		total += v * units[i].ms;
		text += strlen(units[i].unit);
	}
	total = (total + 999) / 1000;
	if (total == 0 || total > 7 * 24 * 3600)
		return false;
	*out = (unsigned)total;
	return true;
}
