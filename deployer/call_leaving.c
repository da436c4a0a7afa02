/* SPDX-License-Identifier: Apache-2.0 */
/* A Call that leaves: how far its journal is believed, and what the steps that stay need of what it made. */
#include "call.h"

#include "removal.h"

#define NESTING_MAX 8u

static bool is_safe(const struct removal *r, const json_t *value, unsigned depth);

/* A Secret step of the site is the site's word; one that left says what the journal says. */
static bool secret_is_safe(const struct removal *r, const char *body, unsigned depth)
{
	const char *slash = strchr(body, '/');
	auto_free char *name = slash ? xstrndup(body, (size_t)(slash - body)) : NULL;
	const struct step *s;

	if (!slash || depth == 0)
		return false;
	if (steps_secret(r->engine->steps, name, slash + 1))
		return true;
	s = steps_secret(r->past, name, slash + 1);
	if (!s || s->kind != STEP_SECRET || journal_made_here(r->engine->journal, s->id))
		return true;

	auto_json json_t *value = json_pack("[s]", jdoc_text(s->secret.data, slash + 1, NULL));

	return is_safe(r, value, depth - 1);
}

/* Nothing of this machine or of other Secrets of the cluster is in it. */
static bool is_safe(const struct removal *r, const json_t *value, unsigned depth)
{
	auto_strv struct strv bodies = { 0 };
	struct err ignored;

	if (reference_collect(value, &bodies, &ignored) < 0)
		return false;
	for (size_t i = 0; i < bodies.n; i++) {
		const char *body = bodies.items[i];

		if (str_starts(body, "generate:"))
			continue;
		if (!str_starts(body, "secret:") || !secret_is_safe(r, body + strlen("secret:"), depth))
			return false;
	}
	return true;
}

/* A copy of the block with what a removal sends. */
static json_t *sent_of(const struct step *s)
{
	static const char *const unsent[] = { "ca", "body", "unless", "update", "save", "retry" };
	json_t *block = json_copy(json_object_get(s->doc, "call"));

	for (size_t i = 0; i < ARRAY_LEN(unsent); i++)
		json_object_del(block, unsent[i]);
	return block;
}

bool call_may_send(const struct removal *r, const struct step *s)
{
	auto_json json_t *block = sent_of(s);

	return journal_made_here(r->engine->journal, s->id) || is_safe(r, block, NESTING_MAX);
}

/* What it is a call of: two with the same are one thing. Resolved, for the names of steps in it change with theirs. */
static json_t *target_of(const struct removal *r, const struct step *s)
{
	static const char *const keys[] = { "via", "url", "auth", "headers", "find" };
	const json_t *block = json_object_get(s->doc, "call");
	auto_json json_t *target = json_object();
	struct err ignored;
	bool known = true;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_object_get(block, keys[i]))
			json_object_set(target, keys[i], json_object_get(block, keys[i]));

	auto_json json_t *resolved = secrets_resolve_known(r->engine->secrets, s->id, target, &known, &ignored);

	return json_incref(resolved && known ? resolved : target);
}

static bool same_target(const struct removal *r, const struct step *a, const struct step *b)
{
	if (b->kind != STEP_CALL || !b->doc)
		return false;

	auto_json json_t *x = target_of(r, a), *y = target_of(r, b);

	return json_equal(x, y);
}

const struct step *call_found_by(const struct removal *r, const struct step *s)
{
	const struct steps *stay[] = { r->engine->steps, &r->others };

	for (size_t i = 0; i < ARRAY_LEN(stay); i++)
		for (size_t k = 0; s->call.find.request.url && k < stay[i]->n; k++)
			if (same_target(r, s, &stay[i]->items[k]))
				return &stay[i]->items[k];
	return NULL;
}

json_t *call_members_kept(const struct removal *r, const struct step *s)
{
	const struct steps *stay[] = { r->engine->steps, &r->others };
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(stay); i++)
		for (size_t k = 0; k < stay[i]->n; k++) {
			const struct step *other = &stay[i]->items[k];

			if (!same_target(r, s, other) || !str_eq(other->call.members.key, s->call.members.key))
				continue;
			for (size_t m = 0; m < other->call.members.items.n; m++)
				json_array_append_new(list, json_string(other->call.members.items.items[m]));
		}
	return list;
}
