/* SPDX-License-Identifier: Apache-2.0 */
#include "leaving.h"

#include <airgap/log.h>

#include <ctype.h>

void leaving_release(struct leaving *l)
{
	for (size_t i = 0; l->rows && i < l->steps.n; i++) {
		free(l->rows[i].stays);
		free(l->rows[i].command);
	}
	free(l->rows);
	steps_release(&l->steps);
	l->rows = NULL;
}

/* ---- what it made ---- */

static json_t *object(const char *api_version, const char *kind, const char *ns, const char *name)
{
	return json_pack("{s:s, s:s, s:{s:s, s:s*}}", "apiVersion", api_version, "kind", kind, "metadata", "name", name, "namespace", ns);
}

static json_t *namespace_objects(const struct step_namespace *n)
{
	json_t *list = json_pack("[o]", object("v1", "Namespace", NULL, n->name));

	if (!n->pull_secret.name)
		return list;
	json_array_append_new(list, object("v1", "Secret", n->name, n->pull_secret.name));
	for (size_t i = 0; i < n->pull_secret.service_accounts.n; i++)
		json_array_append_new(list, object("v1", "ServiceAccount", n->name, n->pull_secret.service_accounts.items[i]));
	return list;
}

json_t *leaving_objects(const struct step *s)
{
	json_t *list;

	if (s->doc && s->kind == STEP_NAMESPACE)
		return namespace_objects(&s->ns);
	if (s->doc && s->kind == STEP_APPLY)
		return json_incref(s->apply.objects);
	list = json_array();
	for (size_t i = 0; s->doc && s->kind == STEP_SECRET && i < s->secret.namespaces.n; i++)
		json_array_append_new(list, object("v1", "Secret", s->secret.namespaces.items[i], s->secret.name));
	return list;
}

char *leaving_kind(const json_t *o)
{
	const char *api = jdoc_text(o, "apiVersion", NULL), *kind = jdoc_text(o, "kind", NULL), *slash = api ? strchr(api, '/') : NULL;
	char *name = slash ? xasprintf("%s.%.*s", kind ? kind : "", (int)(slash - api), api) : xstrdup(kind ? kind : "");

	for (char *p = name; *p && *p != '.'; p++)
		*p = (char)tolower((unsigned char)*p);
	return name;
}

void leaving_made(const struct step *s, struct strv *out)
{
	auto_json json_t *objects = leaving_objects(s);
	const char *key;
	size_t i;
	json_t *o;

	json_array_foreach(objects, i, o) {
		auto_free char *kind = leaving_kind(o);
		const char *ns = jdoc_text(o, "metadata", "namespace", NULL);

		strv_pushf(out, "- %s/%s%s%s", kind, jdoc_text(o, "metadata", "name", NULL), ns ? " in namespace " : "", ns ? ns : "");
	}
	if (s->doc && s->kind == STEP_RELEASE)
		strv_pushf(out, "- release %s in namespace %s", s->release.name, s->release.ns);
	if (s->doc && s->kind == STEP_LABEL)
		json_object_foreach(s->label.labels, key, o)
			if (!json_is_null(o))
				for (i = 0; i < s->label.nodes.n; i++)
					strv_pushf(out, "- label %s of nodes '%s'", key, s->label.nodes.items[i]);
}

/* ---- the command ---- */

/* As a shell takes it. */
static char *word(const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:=@%+,";
	auto_buf struct buf out = BUF_INIT(1u << 20);
	struct err ignored;
	int r = 0;

	if (*text && strspn(text, plain) == strlen(text))
		return xstrdup(text);
	for (const char *p = text; *p && r == 0; p++)
		r = *p == '\'' ? buf_add(&out, "'\\''", 4, &ignored) : buf_add(&out, p, 1, &ignored);
	return xasprintf("'%s'", buf_str(&out));
}

char *leaving_delete(const json_t *o)
{
	auto_free char *kind = leaving_kind(o), *what = xasprintf("%s/%s", kind, jdoc_text(o, "metadata", "name", NULL));
	const char *ns = jdoc_text(o, "metadata", "namespace", NULL);
	auto_free char *quoted = word(what), *space = ns ? word(ns) : NULL;

	return xasprintf("kubectl delete %s%s%s", quoted, space ? " --namespace " : "", space ? space : "");
}

static void label_commands(const struct step_label *l, struct strv *out)
{
	auto_strv struct strv keys = { 0 };
	const char *key;
	json_t *value;

	json_object_foreach(l->labels, key, value) {
		auto_free char *minus = xasprintf("%s-", key), *quoted = word(minus);

		if (!json_is_null(value))
			strv_push(&keys, quoted);
	}
	for (size_t i = 0; keys.n && i < l->nodes.n; i++) {
		auto_free char *node = word(l->nodes.items[i]), *all = strv_join(&keys, " ");

		strv_pushf(out, steps_is_node_name(l->nodes.items[i]) ? "kubectl label node %s %s" : "kubectl label nodes --selector %s %s",
			   node, all);
	}
}

/* The last one made goes first. A namespace takes what is in it along. */
static char *command_of(const struct step *s)
{
	auto_json json_t *objects = leaving_objects(s);
	auto_strv struct strv lines = { 0 };

	if (s->doc && s->kind == STEP_RELEASE)
		strv_pushf(&lines, "helm uninstall %s --namespace %s", s->release.name, s->release.ns);
	if (s->doc && s->kind == STEP_LABEL)
		label_commands(&s->label, &lines);
	for (size_t i = s->kind == STEP_NAMESPACE ? MIN(1, json_array_size(objects)) : json_array_size(objects); i-- > 0;)
		strv_push_take(&lines, leaving_delete(json_array_get(objects, i)));
	return lines.n ? strv_join(&lines, " && ") : NULL;
}

/* ---- which, and in what order ---- */

static const char *reason(const struct step *s)
{
	if (!step_kind_lasts(s->kind))
		return NULL;
	if (!s->doc)
		return "what it made was not recorded: remove it by hand";
	return s->protect ? "protected" : NULL;
}

/* What stays keeps what it needs. why[i] is owned. */
static void find_reasons(const struct steps *all, char **why)
{
	for (size_t i = 0; i < all->n; i++)
		why[i] = reason(&all->items[i]) ? xstrdup(reason(&all->items[i])) : NULL;
	for (bool moved = true; moved;) {
		moved = false;
		for (size_t i = 0; i < all->n; i++)
			for (size_t k = 0; why[i] && k < all->items[i].n_needs; k++) {
				char **needed = &why[all->items[i].needs[k]];

				if (*needed)
					continue;
				*needed = xasprintf("%s needs it, and stays", all->items[i].id);
				moved = true;
			}
	}
}

static bool is_needed(const struct steps *all, const bool *placed, size_t which)
{
	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; !placed[i] && i != which && k < all->items[i].n_needs; k++)
			if (all->items[i].needs[k] == which)
				return true;
	return false;
}

/* The last step that no other needs any more; where they go in a circle, the last of all. */
static size_t next_to_go(const struct steps *all, const bool *placed)
{
	size_t last = 0;

	for (size_t i = all->n; i-- > 0;) {
		if (placed[i])
			continue;
		if (!is_needed(all, placed, i))
			return i;
		last = MAX(last, i);
	}
	return last;
}

void leaving_order(struct leaving *out)
{
	const struct steps *all = &out->steps;
	auto_free bool *placed = xcalloc(all->n + 1, sizeof(*placed));
	auto_free char **why = xcalloc(all->n + 1, sizeof(*why));

	find_reasons(all, why);
	out->rows = xcalloc(all->n + 1, sizeof(*out->rows));
	for (size_t n = 0; n < all->n; n++) {
		size_t i = next_to_go(all, placed);

		placed[i] = true;
		out->told += step_kind_lasts(all->items[i].kind);
		out->rows[n] = (struct leaving_row){ .step = &all->items[i], .held = why[i] && !reason(&all->items[i]),
						      .command = command_of(&all->items[i]) };
		out->rows[n].stays = TAKE(why[i]);
	}
}

static bool is_among(const struct steps *now, const char *id)
{
	for (size_t i = 0; i < now->n; i++)
		if (strcmp(now->items[i].id, id) == 0)
			return true;
	return false;
}

void leaving_find(const struct journal *j, const struct steps *now, struct leaving *out)
{
	struct err why;

	*out = (struct leaving){ 0 };
	for (size_t i = 0; i < journal_count(j); i++) {
		const struct journal_record *r = journal_at(j, i);

		if (strcmp(r->result, "removed") == 0 || is_among(now, r->step))
			continue;
		if (steps_recall(r->step, r->made, &out->steps, &why) < 0)
			log_debug("journal: %s", why.msg);
	}
	steps_recall_needs(&out->steps);
	leaving_order(out);
}
