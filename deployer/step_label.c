/* SPDX-License-Identifier: Apache-2.0 */
#include "removal.h"

#include <airgap/proc.h>

#include <time.h>

#define APPEAR_SECONDS 60u      /* for labels that somebody else has yet to set */

static void add_node(json_t *found, json_t *node)
{
	const char *name = jdoc_text(node, "metadata", "name", NULL);

	if (name)
		json_object_set(found, name, node);
}

/* The nodes one item means, added to found. 1, 0 = there is none, -1. */
static int find_item(struct engine *g, const char *item, json_t *found, struct err *e)
{
	auto_json json_t *node = NULL;
	auto_json json_t *list = NULL;
	size_t i;
	json_t *one;

	if (steps_is_node_name(item)) {
		int there = kubectl_get(&g->session->kubectl, "node", NULL, item, &node, e);

		if (there == 1)
			add_node(found, node);
		return there;
	}
	if (kubectl_list(&g->session->kubectl, "nodes", NULL, item, &list, e) < 0)
		return -1;
	json_array_foreach(list, i, one)
		add_node(found, one);
	return json_array_size(list) > 0;
}

/* {NAME: node}; the items that found nothing in `without`. */
static int find_nodes(struct engine *g, const struct step_label *l, json_t **out, struct strv *without, struct err *e)
{
	auto_json json_t *found = json_object();

	for (size_t i = 0; i < l->nodes.n; i++) {
		int some = find_item(g, l->nodes.items[i], found, e);

		if (some < 0)
			return err_wrap(e, "nodes: '%s'", l->nodes.items[i]);
		if (!some)
			strv_push(without, l->nodes.items[i]);
	}
	*out = TAKE(found);
	return 0;
}

/* What has to be patched on this node, NULL when all is as it should be. */
static json_t *missing_on(const json_t *node, const json_t *labels, struct strv *diff)
{
	auto_json json_t *change = json_object();
	const char *key, *name = jdoc_text(node, "metadata", "name", NULL);
	json_t *want;

	json_object_foreach((json_t *)labels, key, want) {
		const char *is = jdoc_text(node, "metadata", "labels", key, NULL), *should = json_string_value(want);

		if (str_eq(is, should))
			continue;
		json_object_set(change, key, want);
		if (diff)
			strv_pushf(diff, "node '%s': %s: %s -> %s", name, key, is ? is : "(none)", should ? should : "(none)");
	}
	return json_object_size(change) ? TAKE(change) : NULL;
}

int step_label_check(struct engine *g, const struct step *s, enum step_state *out, struct strv *diff, struct err *e)
{
	auto_strv struct strv without = { 0 };
	auto_json json_t *found = NULL;
	const char *name;
	json_t *node;

	if (find_nodes(g, &s->label, &found, &without, e) < 0)
		return -1;
	*out = without.n ? STEP_FAILING : STEP_SAME;
	for (size_t i = 0; diff && i < without.n; i++)
		strv_pushf(diff, "nodes: '%s': there is none", without.items[i]);
	json_object_foreach(found, name, node) {
		auto_json json_t *change = missing_on(node, s->label.labels, diff);

		if (change)
			*out = engine_past(g, s)->done ? STEP_CHANGES : STEP_NEW;
	}
	return 0;
}

/* Waits for nodes that are not there, or not labelled, yet. */
static int await_nodes(struct engine *g, const struct step_label *l, json_t **out, struct err *e)
{
	static const struct timespec pause = { 2, 0 };
	unsigned seconds = APPEAR_SECONDS;
	time_t end;

	if (!steps_duration(l->timeout, APPEAR_SECONDS, &seconds))
		return err_set(e, ERR_MALFORMED, "timeout '%s'", l->timeout);
	end = time(NULL) + seconds;
	for (;;) {
		auto_strv struct strv without = { 0 };
		auto_json json_t *found = NULL;

		if (find_nodes(g, l, &found, &without, e) < 0)
			return -1;
		if (!without.n) {
			*out = TAKE(found);
			return 0;
		}
		if (proc_interrupted)
			return err_set(e, ERR_DEADLINE, "interrupted");
		if (time(NULL) >= end)
			return err_set(e, ERR_NOT_READY, "nodes: '%s': there is none after %u s: correct the site file, or label the node "
				       "and run again", without.items[0], seconds);
		nanosleep(&pause, NULL);
	}
}

int step_label_run(struct engine *g, const struct step *s, struct journal_record *record, struct err *e)
{
	auto_json json_t *found = NULL;
	const char *name;
	json_t *node;

	(void)record;
	if (await_nodes(g, &s->label, &found, e) < 0)
		return -1;
	json_object_foreach(found, name, node) {
		json_t *change = missing_on(node, s->label.labels, NULL);

		if (!change)
			continue;

		auto_json json_t *patch = json_pack("{s:{s:o}}", "metadata", "labels", change);

		if (kubectl_patch(&g->session->kubectl, "node", NULL, name, patch, e) < 0)
			return err_wrap(e, "node '%s'", name);
	}
	return 0;
}

/* ---- a step that goes ---- */

/* One of these steps sets this label on this node. */
static int is_set_by(const struct steps *all, struct engine *g, const char *node, const char *key, struct err *e)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct step *s = &all->items[i];
		auto_strv struct strv without = { 0 };
		auto_json json_t *found = NULL;

		if (s->kind != STEP_LABEL || !s->doc || !json_object_get(s->label.labels, key))
			continue;
		if (find_nodes(g, &s->label, &found, &without, e) < 0)
			return -1;
		if (json_object_get(found, node))
			return 1;
	}
	return 0;
}

/* Labels that still are what we made them. */
static int strip(struct removal *r, const char *name, const json_t *node, const json_t *labels, struct err *e)
{
	auto_json json_t *change = json_object();
	const char *key;
	json_t *made;

	json_object_foreach((json_t *)labels, key, made) {
		int theirs;

		if (json_is_null(made) || !str_eq(jdoc_text(node, "metadata", "labels", key, NULL), json_string_value(made)))
			continue;
		theirs = is_set_by(r->engine->steps, r->engine, name, key, e);
		if (theirs == 0)
			theirs = is_set_by(&r->others, r->engine, name, key, e);
		if (theirs < 0)
			return -1;
		if (!theirs)
			json_object_set_new(change, key, json_null());
	}
	if (json_object_size(change) == 0)
		return 0;

	auto_json json_t *patch = json_pack("{s:{s:O}}", "metadata", "labels", change);

	return kubectl_patch(&r->engine->session->kubectl, "node", NULL, name, patch, e) < 0 ? err_wrap(e, "node '%s'", name) : 0;
}

int step_label_remove(struct removal *r, const struct step *s, struct err *e)
{
	auto_strv struct strv without = { 0 };
	auto_json json_t *found = NULL;
	const char *name;
	json_t *node;

	if (find_nodes(r->engine, &s->label, &found, &without, e) < 0)
		return -1;
	json_object_foreach(found, name, node)
		if (strip(r, name, node, s->label.labels, e) < 0)
			return -1;
	return 1;
}
