/* SPDX-License-Identifier: Apache-2.0 */
/* Steps after they were done: kept by the deployer, and read again when the site does not say them any more. */
#include "steps_part.h"

/* Where the block of a kind stands that is kept as it is. */
static const char *const blocks[STEP_KINDS] = {
	[STEP_NAMESPACE] = "namespace", [STEP_SECRET] = "secret", [STEP_LABEL] = "label", [STEP_CALL] = "call",
};

bool step_kind_lasts(enum step_kind kind)
{
	return blocks[kind] || kind == STEP_RELEASE || kind == STEP_APPLY;
}

/* {apiVersion, kind, metadata: {name, namespace}} */
static json_t *identity(const json_t *object)
{
	return json_pack("{s:s*, s:s*, s:{s:s*, s:s*}}", "apiVersion", jdoc_text(object, "apiVersion", NULL), "kind",
			 jdoc_text(object, "kind", NULL), "metadata", "name", jdoc_text(object, "metadata", "name", NULL), "namespace",
			 jdoc_text(object, "metadata", "namespace", NULL));
}

/* "$(kind:body)" and nothing beside it. */
static bool is_reference(const char *text)
{
	const char *end = text ? strchr(text, ')') : NULL;

	return end && str_starts(text, "$(") && !end[1];
}

/* Keys of data are names, references are places: neither is a secret. A value that is written out is where the step puts it. */
static json_t *secret_block(const struct step_secret *s, const json_t *block)
{
	json_t *out = json_copy((json_t *)block), *data = json_object(), *value;
	const char *key;

	json_object_foreach(s->data, key, value)
		if (is_reference(json_string_value(value)))
			json_object_set(data, key, value);
		else if (s->namespaces.n)
			json_object_set_new(data, key, json_sprintf("$(kube:%s/%s/%s)", s->namespaces.items[0], s->name, key));
	json_object_set_new(out, "data", data);
	return out;
}

/* Without what is sent to make it and to look after it. */
static json_t *call_block(const json_t *block)
{
	static const char *const unneeded[] = { "body", "unless", "update", "expect", "retry" };
	json_t *out = json_copy((json_t *)block);

	for (size_t i = 0; i < ARRAY_LEN(unneeded); i++)
		json_object_del(out, unneeded[i]);
	return out;
}

static void keep_block(const struct step *s, const json_t *objects, json_t *doc)
{
	json_t *list;
	size_t i;
	json_t *o;

	switch (s->kind) {
	case STEP_RELEASE:
		json_object_set_new(doc, "release", json_pack("{s:s, s:s, s:s, s:s*}", "chart", s->release.chart, "name",
							      s->release.name, "namespace", s->release.ns, "timeout",
							      s->release.timeout));
		break;
	case STEP_APPLY:
		list = json_array();
		json_array_foreach(objects, i, o)
			json_array_append_new(list, identity(o));
		json_object_set_new(doc, "apply", json_pack("{s:o}", "objects", list));
		break;
	case STEP_SECRET:
		json_object_set_new(doc, "secret", secret_block(&s->secret, json_object_get(s->doc, "secret")));
		break;
	case STEP_CALL:
		json_object_set_new(doc, "call", call_block(json_object_get(s->doc, "call")));
		break;
	default:
		if (blocks[s->kind])
			json_object_set(doc, blocks[s->kind], json_object_get(s->doc, blocks[s->kind]));
	}
}

json_t *steps_keep(const struct steps *all, const struct step *s, const json_t *objects)
{
	json_t *doc = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "airgap/v1", "kind", step_kind_names[s->kind], "metadata", "name",
				s->metadata.name);
	json_t *needs = json_array();

	for (size_t i = 0; i < s->n_needs; i++)
		json_array_append_new(needs, json_string(all->items[s->needs[i]].id));
	if (s->n_needs)
		json_object_set(doc, "needs", needs);
	json_decref(needs);
	if (s->protect)
		json_object_set_new(doc, "protect", json_true());
	keep_block(s, objects, doc);
	return doc;
}

static bool kind_of(const char *id, enum step_kind *out)
{
	for (size_t i = 0; i < STEP_KINDS; i++) {
		size_t n = strlen(step_kind_names[i]);

		if (strncmp(id, step_kind_names[i], n) == 0 && id[n] == '/' && id[n + 1]) {
			*out = (enum step_kind)i;
			return true;
		}
	}
	return false;
}

/* What the envelope tells, where there is no block or none that is understood. */
static void recall_envelope(const char *id, enum step_kind kind, const json_t *doc, struct step *out)
{
	size_t i;
	json_t *need;

	*out = (struct step){ .kind = kind, .id = xstrdup(id), .source = xstrdup("journal") };
	out->metadata.name = xstrdup(strchr(id, '/') + 1);
	out->protect = json_is_true(json_object_get(doc, "protect"));
	json_array_foreach(json_object_get(doc, "needs"), i, need)
		if (json_is_string(need))
			strv_push(&out->stated, json_string_value(need));
}

int steps_recall(const char *id, json_t *doc, struct steps *all, struct err *e)
{
	struct helm_object kept = { .object = doc, .source = (char *)"journal" };
	auto_steps struct steps one = { .items = xcalloc(1, sizeof(*one.items)), .n = 1 };
	enum step_kind kind;
	struct err why;

	if (!kind_of(id, &kind))
		return err_set(e, ERR_MALFORMED, "'%s' is no step", id);
	if (!doc || !step_kind_lasts(kind) || step_parse(&kept, one.items, &why) < 0 || strcmp(one.items->id, id) != 0) {
		steps_release(&one);
		one = (struct steps){ .items = xcalloc(1, sizeof(*one.items)), .n = 1 };
		recall_envelope(id, kind, doc, one.items);
		if (!step_kind_lasts(kind))
			one.items->doc = doc ? json_incref(doc) : NULL;
	}
	GROW(all->items, all->n);
	all->items[all->n++] = one.items[0];
	one.items[0] = (struct step){ 0 };
	return 0;
}

void steps_recall_needs(struct steps *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct step *s = &all->items[i];

		for (size_t k = 0; k < all->n; k++) {
			if (k == i || !strv_has(&s->stated, all->items[k].id))
				continue;
			GROW(s->needs, s->n_needs);
			s->needs[s->n_needs++] = k;
		}
	}
}
