/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest_merge.h"

/* How the lists of a manifest merge: identity NULL = put together. */
static const struct list_rule { const char *path, *identity, *second; } list_rules[] = {
	{ "charts", "name", NULL },
	{ "images", "ref", NULL },
	{ "files", "name", "platform" },
	{ "packages", "name", NULL },
	{ "python", "name", NULL },
	{ "git", "name", NULL },
	{ "discover.rules", NULL, NULL },
	{ "discover.osTags", NULL, NULL },
	{ "discover.waive", NULL, NULL },
};

static const struct list_rule *list_rule(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(list_rules); i++)
		if (strcmp(list_rules[i].path, path) == 0)
			return &list_rules[i];
	return NULL;
}

/* A place of the document: "discover.rules". Linked through the calls. */
static char *path_of(const char *map, const char *key)
{
	return xasprintf("%s%s%s", map, *map ? "." : "", key);
}

static bool same_entry(const struct list_rule *r, const json_t *a, const json_t *b)
{
	const char *x = jdoc_text(a, r->identity, NULL), *y = jdoc_text(b, r->identity, NULL);

	return x && y && strcmp(x, y) == 0 &&
	       (!r->second || str_eq(jdoc_text(a, r->second, NULL), jdoc_text(b, r->second, NULL)));
}

static void append(struct manifest_doc *d, json_t *list, const json_t *from, size_t i)
{
	ydoc_mark_copy(d->marks, list, NULL, json_array_size(list), from, NULL, i);
	json_array_append(list, json_array_get(from, i));
}

static bool has_equal(const json_t *list, const json_t *value)
{
	size_t i;
	json_t *x;

	json_array_foreach((json_t *)list, i, x)
		if (json_equal(x, value))
			return true;
	return false;
}

/* The later ones first: of rules that fit equally well the first is taken. */
static json_t *put_together(struct manifest_doc *d, const json_t *base, const json_t *over)
{
	json_t *list = json_array();

	for (size_t i = 0; i < json_array_size(over); i++)
		append(d, list, over, i);
	for (size_t i = 0; i < json_array_size(base); i++)
		if (!has_equal(over, json_array_get(base, i)))
			append(d, list, base, i);
	return list;
}

static int merge_map(struct manifest_doc *d, const char *path, json_t *base, json_t *over, struct err *e);

/* Which entry of base an entry is about; SIZE_MAX = a new one. */
static size_t find_entry(const struct list_rule *r, const json_t *base, const json_t *entry)
{
	for (size_t i = 0; i < json_array_size(base); i++)
		if (same_entry(r, json_array_get(base, i), entry))
			return i;
	return SIZE_MAX;
}

static int nothing_to_remove(struct manifest_doc *d, const struct list_rule *r, const json_t *over, size_t i, struct err *e)
{
	auto_free char *where = ydoc_where(d->marks, over, NULL, i, NULL);
	const char *name = jdoc_text(json_array_get(over, i), r->identity, NULL);

	return err_set(e, ERR_MALFORMED, "%s: %s[%zu]: remove: no file before this one has '%s'", where, r->path, i,
		       name ? name : "");
}

/* taken: entries of base that are gone. */
static int merge_entry(struct manifest_doc *d, const struct list_rule *r, const json_t *base, const json_t *over, size_t i,
		       bool *gone, json_t *fresh, struct err *e)
{
	json_t *entry = json_array_get(over, i);
	size_t at = find_entry(r, base, entry);

	if (json_is_true(json_object_get(entry, "remove"))) {
		if (at == SIZE_MAX)
			return nothing_to_remove(d, r, over, i, e);
		gone[at] = true;
		return 0;
	}
	if (at == SIZE_MAX) {
		append(d, fresh, over, i);
		return 0;
	}
	return merge_map(d, r->path, json_array_get(base, at), entry, e);
}

static int merge_list(struct manifest_doc *d, const struct list_rule *r, const json_t *base, const json_t *over,
		      json_t **out, struct err *e)
{
	auto_free bool *gone = xcalloc(json_array_size(base) + 1, sizeof(*gone));
	auto_json json_t *list = json_array(), *fresh = json_array();

	json_array_append(d->kept, fresh);
	for (size_t i = 0; i < json_array_size(over); i++)
		if (merge_entry(d, r, base, over, i, gone, fresh, e) < 0)
			return -1;
	for (size_t i = 0; i < json_array_size(base); i++)
		if (!gone[i])
			append(d, list, base, i);
	for (size_t i = 0; i < json_array_size(fresh); i++)
		append(d, list, fresh, i);
	*out = TAKE(list);
	return 0;
}

/* What stands in base at key is kept alive: marks name it. */
static void replace_take(struct manifest_doc *d, json_t *base, const char *key, json_t *value)
{
	json_t *old = json_object_get(base, key);

	if (old)
		json_array_append(d->kept, old);
	json_object_set_new(base, key, value);
}

static int merge_value(struct manifest_doc *d, const char *path, json_t *base, const char *key, json_t *over,
		       json_t *value, struct err *e)
{
	json_t *old = json_object_get(base, key), *list = NULL;
	const struct list_rule *rule = list_rule(path);

	if (json_is_object(old) && json_is_object(value))
		return merge_map(d, path, old, value, e);
	if (json_is_array(old) && json_is_array(value) && rule) {
		if (!rule->identity)
			list = put_together(d, old, value);
		else if (merge_list(d, rule, old, value, &list, e) < 0)
			return -1;
		replace_take(d, base, key, list);
		return 0;
	}
	if (old && json_is_null(value)) {
		json_array_append(d->kept, old);
		json_object_del(base, key);
		return 0;
	}
	replace_take(d, base, key, json_incref(value));
	ydoc_mark_copy(d->marks, base, key, 0, over, key, 0);
	return 0;
}

/* Depth is bounded by the parser. */
static int merge_map(struct manifest_doc *d, const char *path, json_t *base, json_t *over, struct err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach(over, key, value) {
		auto_free char *at = path_of(path, key);

		if (merge_value(d, at, base, key, over, value, e) < 0)
			return -1;
	}
	return 0;
}

int manifest_doc_merge(struct manifest_doc *d, json_t *base, json_t *over, struct err *e)
{
	return merge_map(d, "", base, over, e);
}
