/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#define KEPT_MAX (1u << 20)

static bool has(const json_t *list, const json_t *item)
{
	size_t i;
	json_t *one;

	json_array_foreach(list, i, one)
		if (json_equal(one, (json_t *)item))
			return true;
	return false;
}

/* The items of a that b lacks. */
static json_t *without(const json_t *a, const json_t *b)
{
	json_t *out = json_array(), *one;
	size_t i;

	json_array_foreach(a, i, one)
		if (!has(b, one))
			json_array_append(out, one);
	return out;
}

/* What earlier runs put there, or may have. */
static int remembered(struct call_server *c, json_t **out, struct err *e)
{
	auto_free char *text = secrets_kept(c->engine->secrets, c->step, STEP_MEMBERS);

	*out = text ? jdoc_parse(text, strlen(text), KEPT_MAX, "members kept in the cluster", e) : json_array();
	return *out ? 0 : -1;
}

static int remember(struct call_server *c, const json_t *list, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(KEPT_MAX);

	if (jdoc_dump(list, &text, e) < 0)
		return -1;

	auto_json json_t *values = json_pack("{s:s}", STEP_MEMBERS, buf_str(&text));

	secrets_keep(c->engine->secrets, c->step, values);
	return secrets_save(c->engine->secrets, e);
}

static int send(struct call_server *c, const char *part, const struct step_request *request, const json_t *list, struct err *e)
{
	auto_json json_t *body = request->body ? json_deep_copy(request->body) : json_object();
	auto_json json_t *ignored = NULL;
	struct step_request q = *request;

	if (json_array_size(list) == 0)
		return 0;
	json_object_set(body, c->step->call.members.key, (json_t *)list);
	q.body = body;
	return call_ask(c, part, &q, CALL_ACT, &ignored, e);
}

/* Remembered before it is added: what a killed run may have added can be removed later. */
int call_members(struct call_server *c, struct err *e)
{
	const struct step_members *m = &c->step->call.members;
	auto_json json_t *before = NULL;
	auto_json json_t *now = json_array();

	for (size_t i = 0; i < m->items.n; i++)
		json_array_append_new(now, json_string(m->items.items[i]));
	if (remembered(c, &before, e) < 0)
		return -1;

	auto_json json_t *gone = without(before, now);
	auto_json json_t *either = json_copy(now);

	json_array_extend(either, gone);
	if (remember(c, either, e) < 0 || send(c, "members.remove", &m->remove, gone, e) < 0 ||
	    send(c, "", &c->step->call.request, now, e) < 0)
		return -1;
	return remember(c, now, e);
}

int call_members_undo(struct call_server *c, const json_t *kept, struct err *e)
{
	auto_json json_t *before = NULL;

	if (remembered(c, &before, e) < 0)
		return -1;

	auto_json json_t *gone = without(before, kept);

	if (json_array_size(gone) && call_open(c, CALL_ACT, e) < 0)
		return -1;
	return send(c, "members.remove", &c->step->call.members.remove, gone, e);
}
