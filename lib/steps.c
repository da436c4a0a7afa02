/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/steps.h>

#include "step_needs.h"
#include "steps_part.h"

#define STEPS_MAX 2000u

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

int step_parse(const struct helm_object *o, struct step *out, struct err *e)
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
	if (kind == STEP_CALL && out->call.retry.on.n == 0) {
		out->call.retry.on = out->call.retry.bare_on;
		out->call.retry.bare_on = (struct strv){ 0 };
	}
	if (!step_name_ok(out->metadata.name, 253))
		err_set(e, ERR_MALFORMED, "metadata.name: '%s' is not a name", out->metadata.name);
	else if (step_check(out, e) == 0)
		return 0;
	return err_wrap(e, "%s: %s", out->source, out->id);
}

const char *steps_pod_security(const struct steps *s, const char *ns)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].kind == STEP_NAMESPACE && strcmp(s->items[i].ns.name, ns) == 0)
			return s->items[i].ns.pod_security;
	return NULL;
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

const struct step *steps_secret(const struct steps *s, const char *name, const char *key)
{
	const struct step *named = NULL, *call = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const struct step *t = &s->items[i];
		bool has_name = strcmp(t->metadata.name, name) == 0;

		if (t->kind == STEP_SECRET && jdoc_text(t->secret.data, key, NULL)) {
			if (strcmp(t->secret.name, name) == 0)
				return t;
			if (has_name)
				named = t;
		}
		if (t->kind == STEP_CALL && has_name && step_call_saves(&t->call, key))
			call = t;
	}
	return named ? named : call;
}

static int check_unique(const struct steps *s, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		for (size_t k = 0; k < i; k++) {
			const struct step *a = &s->items[k], *b = &s->items[i];

			if (strcmp(a->id, b->id) == 0)
				return err_set(e, ERR_MALFORMED, "%s: %s stands also in %s", b->source, b->id, a->source);
			if (a->kind == STEP_PROBE && b->kind == STEP_PROBE && strcmp(a->probe.id, b->probe.id) == 0)
				return err_set(e, ERR_MALFORMED, "%s: %s and %s have both the id '%s'", b->source, a->id, b->id,
					       b->probe.id);
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
		if (step_parse(&objects->items[i], &all.items[all.n - 1], e) < 0)
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
