/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/json.h>

#include <stdio.h>

#define DEPTH_MAX 64

/* What jansson takes for a node, roughly, in bytes; a document may take 12 times the ceiling of its text. */
enum { OBJECT_COST = 240, ARRAY_COST = 112, VALUE_COST = 48, COST_FACTOR = 12 };

void cleanup_json(json_t **j)
{
	json_decref(*j);
}

/* Past the string that opens at p, or at end. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : end;
}

/* Depth and size are judged before jansson makes a node: `[[[[` and `{},{},` cost it far more than their text. */
static int check_shape(const char *p, const char *end, size_t max, const char *subject, struct err *e)
{
	size_t depth = 0, cost = 0, budget = max > SIZE_MAX / COST_FACTOR ? SIZE_MAX : max * COST_FACTOR;

	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		if (*p == '{' || *p == '[') {
			cost += *p == '{' ? OBJECT_COST : ARRAY_COST;
			if (++depth > DEPTH_MAX)
				return err_set(e, ERR_LIMIT, "%s: nested deeper than %d", subject, DEPTH_MAX);
		} else if ((*p == '}' || *p == ']') && depth) {
			depth--;
		} else if (*p == ',') {
			cost += VALUE_COST;
		}
		if (cost > budget)
			return err_set(e, ERR_LIMIT, "%s: too many values for a document of this kind", subject);
		p++;
	}
	return 0;
}

json_t *jdoc_parse(const void *p, size_t n, size_t max, const char *subject, struct err *e)
{
	json_error_t why;

	if (n > max) {
		err_set(e, ERR_LIMIT, "%s: more than %zu bytes", subject, max);
		return NULL;
	}
	if (check_shape(p, (const char *)p + n, MAX(max, 4096u), subject, e) < 0)
		return NULL;

	json_t *j = json_loadb(n ? p : "", n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);

	if (!j)
		err_set(e, ERR_MALFORMED, "%s: line %d, column %d: %s", subject, why.line, why.column, why.text);
	return j;
}

struct dump { struct buf *out; bool full; struct err *e; };

static int add_to_buf(const char *p, size_t n, void *ctx)
{
	struct dump *to = ctx;

	to->full = buf_add(to->out, p, n, to->e) < 0;
	return to->full ? -1 : 0;
}

static int dump(const json_t *j, size_t flags, struct buf *out, struct err *e)
{
	struct dump to = { .out = out, .e = e };

	if (json_dump_callback(j, add_to_buf, &to, flags | JSON_SORT_KEYS | JSON_ENCODE_ANY) == 0)
		return 0;
	return to.full ? -1 : err_set(e, ERR_MALFORMED, "a value cannot be written as JSON");
}

int jdoc_dump(const json_t *j, struct buf *out, struct err *e)
{
	return dump(j, JSON_COMPACT, out, e);
}

int jdoc_dump_pretty(const json_t *j, struct buf *out, struct err *e)
{
	if (dump(j, JSON_INDENT(2), out, e) < 0)
		return -1;
	return buf_add(out, "\n", 1, e);
}

static json_t *walk_keys(const json_t *j, va_list ap)
{
	const char *key;

	while (j && (key = va_arg(ap, const char *)))
		j = json_object_get(j, key);
	return (json_t *)j;
}

json_t *jdoc_at(const json_t *j, ...)
{
	va_list ap;

	va_start(ap, j);
	json_t *found = walk_keys(j, ap);
	va_end(ap);
	return found;
}

const char *jdoc_text(const json_t *j, ...)
{
	va_list ap;

	va_start(ap, j);
	json_t *found = walk_keys(j, ap);
	va_end(ap);
	return json_string_value(found);
}

/* The path is one buffer that grows and shrinks along the walk. */
struct walk {
	jdoc_leaf_fn fn;
	void *ctx;
	struct buf path;
};

static int walk_value(struct walk *w, const char *key, json_t *j, struct err *e);

static void path_cut(struct buf *path, size_t len)
{
	path->len = len;
	if (path->ptr)
		path->ptr[len] = '\0';
}

static int walk_object(struct walk *w, json_t *j, struct err *e)
{
	size_t len = w->path.len;
	const char *key;
	json_t *value;
	void *next;

	/* Safe against a callback that replaces the value under its own key. */
	json_object_foreach_safe(j, next, key, value) {
		if ((len && buf_add(&w->path, ".", 1, e) < 0) || buf_add(&w->path, key, strlen(key), e) < 0)
			return -1;
		if (walk_value(w, key, value, e) < 0)
			return -1;
		path_cut(&w->path, len);
	}
	return 0;
}

static int walk_array(struct walk *w, const char *key, json_t *j, struct err *e)
{
	size_t len = w->path.len;

	for (size_t i = 0; i < json_array_size(j); i++) {
		char index[24];

		snprintf(index, sizeof(index), "[%zu]", i);
		if (buf_add(&w->path, index, strlen(index), e) < 0 ||
		    walk_value(w, key, json_array_get(j, i), e) < 0)
			return -1;
		path_cut(&w->path, len);
	}
	return 0;
}

static int walk_value(struct walk *w, const char *key, json_t *j, struct err *e)
{
	if (json_is_string(j))
		return w->fn(w->ctx, buf_str(&w->path), key, j, e);
	if (json_is_object(j))
		return walk_object(w, j, e);
	if (json_is_array(j))
		return walk_array(w, key, j, e);
	return 0;
}

int jdoc_strings(json_t *j, jdoc_leaf_fn fn, void *ctx, struct err *e)
{
	struct walk w = { fn, ctx, BUF_INIT(1 << 20) };
	int r = walk_value(&w, NULL, j, e);

	buf_release(&w.path);
	return r;
}

void jdoc_merge(json_t *into, const json_t *over)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)over, key, value) {
		json_t *old = json_object_get(into, key);

		if (json_is_object(value) && json_is_object(old))
			jdoc_merge(old, value);
		else
			json_object_set_new(into, key, json_deep_copy(value));
	}
}
