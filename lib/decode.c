/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/decode.h>

#define KEYS_MAX 128            /* rows of one table */

/* Where we are: linked upwards through the calls, so that a path costs nothing until it is needed. */
struct place {
	const struct place *up;
	const json_t *container;        /* that the value stands in; NULL = it is the document */
	const char *key;                /* NULL: index */
	size_t index;
};

struct reader {
	const struct ydoc_marks *marks;
	const char *subject;
	struct err *e;
};

static int decode_fields(const struct reader *r, const struct place *at, const struct type *t, const json_t *j, void *out);

static void put_path(struct buf *b, const struct place *at)
{
	if (!at || !at->container)
		return;
	put_path(b, at->up);
	if (at->key)
		buf_putf(b, "%s%s", b->len ? "." : "", at->key);
	else
		buf_putf(b, "[%zu]", at->index);
}

/* where: "FILE:LINE"; taken. */
static int fail(const struct reader *r, const struct place *at, char *where, const char *fmt, ...) PRINTF(4, 5);
static int fail(const struct reader *r, const struct place *at, char *where, const char *fmt, ...)
{
	auto_free char *start = where;
	auto_buf struct buf path = BUF_INIT(64 << 20);
	va_list ap;

	va_start(ap, fmt);
	auto_free char *text = xvasprintf(fmt, ap);
	va_end(ap);
	put_path(&path, at);
	return err_set(r->e, ERR_MALFORMED, "%s: %s%s%s", start, path.len ? buf_str(&path) : "", path.len ? ": " : "", text);
}

static char *where(const struct reader *r, const struct place *at)
{
	return ydoc_where(r->marks, at->container, at->key, at->index, r->subject);
}

static int fail_at(const struct reader *r, const struct place *at, const char *what)
{
	return fail(r, at, where(r, at), "%s", what);
}

static const char *kind_of(const json_t *j)
{
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return "a map";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_NULL:
		return "nothing";
	default:
		return "true or false";
	}
}

static int fail_type(const struct reader *r, const struct place *at, const char *want, const json_t *j)
{
	return fail(r, at, where(r, at), "must be %s, not %s", want, kind_of(j));
}

/* ---- fields from values */

static int take_text(const struct reader *r, const struct place *at, const struct field *f, const json_t *j, char **out)
{
	if (json_is_string(j)) {
		*out = xstrdup(json_string_value(j));
		return 0;
	}
	if (json_is_real(j))    /* 1.10 has become 1.1 by now */
		return fail(r, at, where(r, at), "must be a string: write the number in quotes");
	if (!(f->flags & F_ALIAS_SCALAR) || json_is_object(j) || json_is_array(j))
		return fail_type(r, at, "a string", j);
	if (json_is_integer(j))
		*out = xasprintf("%jd", (intmax_t)json_integer_value(j));
	else
		*out = xstrdup(json_is_true(j) ? "true" : "false");
	return 0;
}

static int decode_str(const struct reader *r, const struct place *at, const struct field *f, const json_t *j, void *out)
{
	return take_text(r, at, f, j, out);
}

static int decode_bool(const struct reader *r, const struct place *at, const struct field *f, const json_t *j, void *out)
{
	if (!json_is_boolean(j))
		return fail_type(r, at, "true or false", j);
	*(bool *)out = json_is_true(j);
	return 0;
}

static int decode_u64(const struct reader *r, const struct place *at, const struct field *f, const json_t *j, void *out)
{
	if (!json_is_integer(j))
		return fail_type(r, at, "a whole number", j);
	if (json_integer_value(j) < 0)
		return fail_at(r, at, "must not be negative");
	*(uint64_t *)out = (uint64_t)json_integer_value(j);
	return 0;
}

static int decode_digest(const struct reader *r, const struct place *at, const struct field *f, const json_t *j, void *out)
{
	const char *text = json_string_value(j);

	if (!text)
		return fail_type(r, at, "a digest", j);
	if (!digest_parse(text, out))
		return fail_at(r, at, "must be a digest: sha256: and 64 lower-case hex digits");
	return 0;
}

static int decode_enum(const struct reader *r, const struct place *at, const struct field *f, const json_t *j, void *out)
{
	const char *text = json_string_value(j);

	if (!text)
		return fail_type(r, at, "a string", j);
	for (int i = 0; f->names[i]; i++) {
		if (strcmp(f->names[i], text) == 0) {
			*(int *)out = i;
			return 0;
		}
	}

	auto_buf struct buf all = BUF_INIT(64 << 10);

	for (int i = 0; f->names[i]; i++)
		buf_putf(&all, "%s%s", i ? ", " : "", f->names[i]);
	return fail(r, at, where(r, at), "'%s' is none of: %s", text, buf_str(&all));
}

static int decode_strv(const struct reader *r, const struct place *at, const struct field *f, const json_t *j, void *out)
{
	struct strv *v = out;
	char *text;

	if (!json_is_array(j)) {
		if (!(f->flags & F_ALIAS_SCALAR) || json_is_object(j))
			return fail_type(r, at, "a list of strings", j);
		if (take_text(r, at, f, j, &text) < 0)
			return -1;
		strv_push_take(v, text);
		return 0;
	}
	for (size_t i = 0; i < json_array_size(j); i++) {
		struct place item = { at, j, NULL, i };

		if (take_text(r, &item, f, json_array_get(j, i), &text) < 0)
			return -1;
		strv_push_take(v, text);
	}
	return 0;
}

static int decode_obj(const struct reader *r, const struct place *at, const struct field *f, const json_t *j, void *out)
{
	return decode_fields(r, at, f->type, j, out);
}

/* A new zeroed item at the end, already counted: what fails later is freed with the rest. */
static void *add_item(const struct type *t, void **items, size_t *n)
{
	*items = grow_items(*items, *n, t->size);

	void *item = (char *)*items + (*n)++ * t->size;

	memset(item, 0, t->size);
	return item;
}

static int decode_list(const struct reader *r, const struct place *at, const struct field *f, const json_t *j, void *out)
{
	void **items = out;
	size_t *n = (size_t *)((char *)out - f->offset + f->offset_n);

	if (!json_is_array(j))
		return fail_type(r, at, "a list", j);
	for (size_t i = 0; i < json_array_size(j); i++) {
		struct place place = { at, j, NULL, i };
		void *item = add_item(f->type, items, n);

		if (decode_fields(r, &place, f->type, json_array_get(j, i), item) < 0)
			return -1;
	}
	return 0;
}

static int decode_map(const struct reader *r, const struct place *at, const struct field *f, const json_t *j, void *out)
{
	void **items = out;
	size_t *n = (size_t *)((char *)out - f->offset + f->offset_n);
	const char *key;
	json_t *value;

	if (!json_is_object(j))
		return fail_type(r, at, "a map", j);
	json_object_foreach((json_t *)j, key, value) {
		struct place place = { at, j, key, 0 };
		char *item = add_item(f->type, items, n);

		if (f->type->offset_key != SIZE_MAX)
			*(char **)(void *)(item + f->type->offset_key) = xstrdup(key);
		/* `name:` with nothing behind it is an entry with nothing set. */
		if (!json_is_null(value) && decode_fields(r, &place, f->type, value, item) < 0)
			return -1;
	}
	return 0;
}

static int decode_json(const struct reader *r, const struct place *at, const struct field *f, const json_t *j, void *out)
{
	*(json_t **)out = json_incref((json_t *)j);
	return 0;
}

typedef int (*decode_fn)(const struct reader *r, const struct place *at, const struct field *f, const json_t *j, void *out);

static const decode_fn decoders[] = {
	[FIELD_END] = NULL,
	[FIELD_STR] = decode_str,
	[FIELD_BOOL] = decode_bool,
	[FIELD_U64] = decode_u64,
	[FIELD_ENUM] = decode_enum,
	[FIELD_STRV] = decode_strv,
	[FIELD_OBJ] = decode_obj,
	[FIELD_LIST] = decode_list,
	[FIELD_MAP] = decode_map,
	[FIELD_JSON] = decode_json,
	[FIELD_DIGEST] = decode_digest,
};
_Static_assert(ARRAY_LEN(decoders) == FIELD_DIGEST + 1, "a kind of field has no decoder");

static const struct field *find_field(const struct type *t, const char *key)
{
	for (const struct field *f = t->fields; f->kind; f++)
		if (strcmp(f->key, key) == 0)
			return f;
	return NULL;
}

static int fail_unknown(const struct reader *r, const struct place *at, const struct type *t, const json_t *j,
			const char *key)
{
	const char *names[KEYS_MAX + 1] = { NULL };
	size_t n = 0;

	for (const struct field *f = t->fields; f->kind && n < KEYS_MAX; f++)
		names[n++] = f->key;

	const char *near = strv_nearest(names, key);
	char *line = ydoc_where(r->marks, j, key, 0, r->subject);

	if (near)
		return fail(r, at, line, "unknown key '%s': did you mean '%s'?", key, near);
	return fail(r, at, line, "unknown key '%s'", key);
}

/* Keys in the order of the text, so that the first error is the one that stands first. */
static int decode_fields(const struct reader *r, const struct place *at, const struct type *t, const json_t *j, void *out)
{
	const char *key;
	json_t *value;

	if (!json_is_object(j))
		return fail_type(r, at, "a map", j);
	json_object_foreach((json_t *)j, key, value) {
		const struct field *f = find_field(t, key);
		struct place place = { at, j, key, 0 };

		if (!f && !(t->flags & TYPE_OPEN))
			return fail_unknown(r, at, t, j, key);
		/* `key:` with nothing behind it is as if it were not there. */
		if (!f || json_is_null(value))
			continue;
		if (decoders[f->kind](r, &place, f, value, (char *)out + f->offset) < 0)
			return -1;
	}
	for (const struct field *f = t->fields; f->kind; f++) {
		json_t *there = json_object_get(j, f->key);

		if ((f->flags & F_REQUIRED) && (!there || json_is_null(there)))
			return fail(r, at, where(r, at), "'%s' is missing", f->key);
	}
	return 0;
}

int decode(const struct type *t, const json_t *j, const struct ydoc_marks *m, const char *subject, void *out, struct err *e)
{
	struct reader r = { m, subject, e };
	struct place document = { 0 };

	memset(out, 0, t->size);
	if (decode_fields(&r, &document, t, j, out) < 0) {
		decode_free(t, out);
		return -1;
	}
	return 0;
}

/* ---- freeing */

static void free_field(const struct field *f, void *p)
{
	size_t *n = (size_t *)((char *)p - f->offset + f->offset_n);

	switch (f->kind) {
	case FIELD_STR:
		free(*(char **)p);
		break;
	case FIELD_STRV:
		strv_release(p);
		break;
	case FIELD_JSON:
		json_decref(*(json_t **)p);
		break;
	case FIELD_OBJ:
		decode_free(f->type, p);
		break;
	case FIELD_LIST:
	case FIELD_MAP:
		for (size_t i = 0; i < *n; i++) {
			char *item = *(char **)p + i * f->type->size;

			/* Before the fields: decode_free zeroes the item. */
			if (f->kind == FIELD_MAP && f->type->offset_key != SIZE_MAX)
				free(*(char **)(void *)(item + f->type->offset_key));
			decode_free(f->type, item);
		}
		free(*(void **)p);
		break;
	default:
		break;
	}
}

void decode_free(const struct type *t, void *p)
{
	for (const struct field *f = t->fields; f->kind; f++)
		free_field(f, (char *)p + f->offset);
	memset(p, 0, t->size);
}

/* ---- encoding */

static json_t *encode_strv(const struct strv *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(list, json_string(v->items[i]));
	return list;
}

static json_t *encode_digest(const struct digest *d, bool always)
{
	static const struct digest none;
	char text[DIGEST_TEXT];

	return always || memcmp(d, &none, sizeof(none)) ? json_string(digest_text(d, text)) : NULL;
}

static json_t *encode_items(const struct field *f, const char *items, size_t n)
{
	bool map = f->kind == FIELD_MAP;
	json_t *all = map ? json_object() : json_array();

	for (size_t i = 0; i < n; i++) {
		const char *item = items + i * f->type->size;
		json_t *j = encode(f->type, item);

		if (map)
			json_object_set_new(all, *(char *const *)(const void *)(item + f->type->offset_key), j);
		else
			json_array_append_new(all, j);
	}
	return all;
}

/* NULL: nothing to say. */
static json_t *encode_field(const struct field *f, const void *p)
{
	bool always = f->flags & F_REQUIRED;
	size_t n = 0;

	switch (f->kind) {
	case FIELD_STR:
		return *(char *const *)p ? json_string(*(char *const *)p) : NULL;
	case FIELD_BOOL:
		return always || *(const bool *)p ? json_boolean(*(const bool *)p) : NULL;
	case FIELD_U64:
		return always || *(const uint64_t *)p ? json_integer((json_int_t)*(const uint64_t *)p) : NULL;
	case FIELD_ENUM:
		return always || *(const int *)p ? json_string(f->names[*(const int *)p]) : NULL;
	case FIELD_STRV:
		return always || ((const struct strv *)p)->n ? encode_strv(p) : NULL;
	case FIELD_DIGEST:
		return encode_digest(p, always);
	case FIELD_JSON:
		return json_incref(*(json_t *const *)p);
	case FIELD_LIST:
	case FIELD_MAP:
		n = *(const size_t *)((const char *)p - f->offset + f->offset_n);
		return always || n ? encode_items(f, *(char *const *)p, n) : NULL;
	default:
		return NULL;
	}
}

json_t *encode(const struct type *t, const void *p)
{
	json_t *j = json_object();

	for (const struct field *f = t->fields; f->kind; f++) {
		const char *at = (const char *)p + f->offset;
		json_t *value = f->kind == FIELD_OBJ ? encode(f->type, at) : encode_field(f, at);

		/* An embedded struct with nothing set is left out, like every other default. */
		if (f->kind == FIELD_OBJ && !json_object_size(value) && !(f->flags & F_REQUIRED))
			json_decref(value);
		else if (value)
			json_object_set_new(j, f->key, value);
	}
	return j;
}
