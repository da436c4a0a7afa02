/* SPDX-License-Identifier: Apache-2.0 */
#include "starter.h"

#define SCHEMA_MAX (4u << 20)
#define VALUES_MAX (1u << 20)
#define DEPTH_MAX  8u

void starter_release(struct starter *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->keys[i].path);
		json_decref(s->keys[i].value);
	}
	free(s->keys);
	free(s->values);
	json_decref(s->schema);
	*s = (struct starter){ 0 };
}

static struct starter_key *add_key(struct starter *s, const char *path, const json_t *schema)
{
	GROW(s->keys, s->n);
	s->keys[s->n] = (struct starter_key){ .path = xstrdup(path), .question = jdoc_text(schema, "x-ask", NULL), .schema = schema };
	return &s->keys[s->n++];
}

static void find_asked(struct starter *s, const char *above, const json_t *schema, unsigned depth)
{
	const char *key;
	json_t *child;

	json_object_foreach(json_object_get(schema, "properties"), key, child) {
		auto_free char *path = xasprintf("%s%s%s", above, *above ? "." : "", key);

		if (jdoc_text(child, "x-ask", NULL))
			add_key(s, path, child);
		if (depth < DEPTH_MAX)
			find_asked(s, path, child, depth + 1);
	}
}

int starter_open(struct starter *s, const char *schema, size_t n, const char *values, struct err *e)
{
	s->schema = jdoc_parse(schema, n, SCHEMA_MAX, "values.schema.json", e);
	if (!s->schema)
		return -1;
	if (strlen(values) > VALUES_MAX)
		return err_set(e, ERR_LIMIT, "values.yaml: larger than %u bytes", VALUES_MAX);
	s->values = xstrdup(values);
	find_asked(s, "", s->schema, 0);
	return 0;
}

/* ---- answers */

static int check_enum(const struct starter_key *k, const json_t *value, struct err *e)
{
	const json_t *allowed = json_object_get(k->schema, "enum");
	auto_strv struct strv words = { 0 };
	size_t i;
	json_t *one;

	json_array_foreach(allowed, i, one) {
		if (json_equal(one, value))
			return 0;
		if (json_is_string(one))
			strv_push(&words, json_string_value(one));
	}
	if (!allowed)
		return 0;

	auto_free char *list = strv_join(&words, ", ");

	return err_set(e, ERR_USAGE, "%s: '%s': use one of %s", k->path,
		       json_is_string(value) ? json_string_value(value) : "", list);
}

static json_t *list_of(const char *text)
{
	auto_strv struct strv items = { 0 };
	json_t *list = json_array();

	strv_split(&items, text, ',');
	for (size_t i = 0; i < items.n; i++)
		json_array_append_new(list, json_string(items.items[i] + strspn(items.items[i], " ")));
	return list;
}

/* By the type the schema gives; NULL: it does not fit. */
static json_t *value_of(const char *type, const char *text)
{
	uint64_t number;

	if (str_eq(type, "array"))
		return list_of(text);
	if (str_eq(type, "boolean"))
		return str_eq(text, "true") || str_eq(text, "yes") ? json_true()
		       : str_eq(text, "false") || str_eq(text, "no") ? json_false() : NULL;
	if (str_eq(type, "integer"))
		return u64_parse(text, &number) && number <= INT64_MAX ? json_integer((json_int_t)number) : NULL;
	return str_eq(type, "object") ? NULL : json_string(text);
}

int starter_answer(struct starter_key *k, const char *answer, struct err *e)
{
	const char *type = jdoc_text(k->schema, "type", NULL);
	auto_json json_t *value = NULL;

	if (!*answer)
		return 0;
	value = value_of(type, answer);
	if (!value)
		return err_set(e, ERR_USAGE, "%s: '%s' is no %s", k->path, answer, type);
	if (check_enum(k, value, e) < 0)
		return -1;
	json_decref(k->value);
	k->value = TAKE(value);
	return 0;
}

/* The key's own schema, through `properties` and $ref to definitions. */
static const json_t *below(const struct starter *s, const json_t *schema, const char *key)
{
	static const char local[] = "#/definitions/";
	const json_t *child = jdoc_at(schema, "properties", key, NULL);
	const char *ref = jdoc_text(child, "$ref", NULL);

	if (!child)
		child = json_object_get(schema, "additionalProperties");
	return ref && str_starts(ref, local) ? jdoc_at(s->schema, "definitions", ref + strlen(local), NULL) : child;
}

static int unknown(const json_t *schema, const char *path, const char *key, struct err *e)
{
	auto_strv struct strv names = { 0 };
	const char *name;
	json_t *ignored;

	json_object_foreach(json_object_get(schema, "properties"), name, ignored)
		strv_push(&names, name);

	const char *near = names.n ? strv_nearest((const char *const *)names.items, key) : NULL;

	return err_set(e, ERR_USAGE, "%s: a site file has no key '%s'%s%s", path, key, near ? ": did you mean " : "",
		       near ? near : "");
}

int starter_set(struct starter *s, const char *assignment, struct err *e)
{
	const char *equals = strchr(assignment, '=');
	auto_free char *path = equals ? xstrndup(assignment, (size_t)(equals - assignment)) : NULL;
	auto_strv struct strv parts = { 0 };
	const json_t *schema = s->schema;

	if (!path)
		return err_set(e, ERR_USAGE, "'%s': write KEY=VALUE", assignment);
	strv_split(&parts, path, '.');
	for (size_t i = 0; i < parts.n; i++) {
		const json_t *next = below(s, schema, parts.items[i]);

		if (!json_is_object(next))
			return unknown(schema, path, parts.items[i], e);
		schema = next;
	}
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->keys[i].path, path) == 0)
			return starter_answer(&s->keys[i], equals + 1, e);

	struct starter_key *k = add_key(s, path, schema);

	k->question = NULL;
	return starter_answer(k, equals + 1, e);
}

/* ---- the file */

static void put_comment(struct buf *out, unsigned depth, const char *text)
{
	for (; *text; text += *text == '\n') {
		size_t n = strcspn(text, "\n");

		buf_putf(out, "%*s# %.*s\n", (int)(2 * depth), "", (int)n, text);
		text += n;
	}
}

static void put_value(struct buf *out, const struct starter_key *k)
{
	static const struct { const char *type, *nothing; } types[] = {
		{ "array", "[]" }, { "object", "{}" }, { "boolean", "false" }, { "integer", "0" },
	};
	const char *nothing = "\"\"", *type = jdoc_text(k->schema, "type", NULL);
	auto_free char *text = k->value ? json_dumps(k->value, JSON_ENCODE_ANY) : NULL;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_eq(type, types[i].type))
			nothing = types[i].nothing;
	buf_puts(out, text ? text : nothing);
}

/* Parents that the key before did not have, then the key itself with its description. */
static void put_key(struct buf *out, const struct starter_key *k, const char *before)
{
	auto_strv struct strv parts = { 0 }, last = { 0 };
	const char *what = jdoc_text(k->schema, "description", NULL);
	unsigned depth = 0;

	strv_split(&parts, k->path, '.');
	strv_split(&last, before, '.');
	while (depth + 1 < parts.n && depth + 1 < last.n && strcmp(parts.items[depth], last.items[depth]) == 0)
		depth++;
	for (; depth + 1 < parts.n; depth++)
		buf_putf(out, "%*s%s:\n", (int)(2 * depth), "", parts.items[depth]);
	if (what)
		put_comment(out, depth, what);
	buf_putf(out, "%*s%s: ", (int)(2 * depth), "", parts.items[depth]);
	put_value(out, k);
	buf_puts(out, k->value ? "\n" : "        # fill in, or take out\n");
}

static int compare_paths(const void *a, const void *b)
{
	const struct starter_key *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

void starter_write(const struct starter *s, struct buf *out)
{
	auto_free const struct starter_key **order = xcalloc(s->n + 1, sizeof(*order));
	const char *title = jdoc_text(s->schema, "title", NULL), *before = "";

	put_comment(out, 0, title ? title : "Site file");
	buf_puts(out, "apiVersion: airgap/v1\nkind: Site\n\n");
	for (size_t i = 0; i < s->n; i++)
		order[i] = &s->keys[i];
	/* Keys of one map stand together. */
	qsort(order, s->n, sizeof(order[0]), compare_paths);
	for (size_t i = 0; i < s->n; i++) {
		put_key(out, order[i], before);
		before = order[i]->path;
	}
	buf_puts(out, "\n# ---- All there is, with its defaults. A site file names only what differs.\n#\n");
	put_comment(out, 0, s->values);
}
