/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_marks.h"

#include <airgap/scalar.h>

#include <yaml.h>

enum { SCALAR_COST = 1, CONTAINER_COST = 4 };
#define ANCHORS_MAX 1000
#define TAG_LINES_MAX 16
#define EMPTY_DOCUMENTS_MAX 1000
#define TAG_PREFIX "tag:yaml.org,2002:"

const struct ydoc_limits ydoc_user = { .bytes = 1 << 20, .depth = 32, .nodes = 200000, .documents = 1 };
const struct ydoc_limits ydoc_rendered = {
	.bytes = 64 << 20, .depth = 64, .nodes = 700000, .documents = 10000, .aliases = true,
};
const struct ydoc_limits ydoc_index = {
	.bytes = 256 << 20, .depth = 32, .nodes = 700000, .documents = 1, .raw_scalars = true,
};

/* ---- the builder: an explicit stack, so that nesting costs no stack of ours */

struct frame {
	json_t *container;      /* owned */
	char *key;              /* of the value to come; NULL: a key comes next */
	unsigned key_line;
	bool merge;             /* the key was `<<` */
	bool skip;              /* the value to come is not wanted */
	char *anchor;
	size_t cost, height;
	unsigned line;
};

struct anchor {
	char *name;
	json_t *value;          /* owned */
	size_t cost, height;
};

struct builder {
	const struct ydoc_limits *l;
	const char *subject;
	struct ydoc_marks *marks;
	const char *const *path;        /* the only keys wanted, n_path of them; NULL = all */
	size_t n_path;
	struct frame *frames;
	size_t n_frames;
	struct anchor *anchors;
	size_t n_anchors;
	size_t nodes;
	size_t skipping;        /* how deep we are in a value that is not wanted */
	json_t *root;           /* of the document under way; owned */
	json_t *documents;      /* array; owned */
	size_t n_documents;     /* empty ones too */
	bool single;            /* one document, and any number of empty ones */
	unsigned document_line;
	struct err *e;
};

/* A value on its way to its place. */
struct node {
	json_t *value;          /* owned */
	size_t cost, height;
	unsigned line;
};

static int fail(struct builder *b, enum err_code code, unsigned line, const char *fmt, ...) PRINTF(4, 5);
static int fail(struct builder *b, enum err_code code, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	auto_free char *text = xvasprintf(fmt, ap);
	va_end(ap);
	return err_set(b->e, code, "%s:%u: %s", b->subject, line, text);
}

static void forget_anchors(struct builder *b)
{
	for (size_t i = 0; i < b->n_anchors; i++) {
		free(b->anchors[i].name);
		json_decref(b->anchors[i].value);
	}
	free(b->anchors);
	b->anchors = NULL;
	b->n_anchors = 0;
}

static void builder_release(struct builder *b)
{
	for (size_t i = 0; i < b->n_frames; i++) {
		json_decref(b->frames[i].container);
		free(b->frames[i].key);
		free(b->frames[i].anchor);
	}
	free(b->frames);
	forget_anchors(b);
	json_decref(b->root);
	json_decref(b->documents);
	ydoc_marks_free(b->marks);
}

static size_t depth_limit(const struct builder *b)
{
	return b->l->depth ? b->l->depth : 64;
}

static int count_nodes(struct builder *b, size_t cost, unsigned line)
{
	b->nodes += cost;
	if (b->nodes > b->l->nodes)
		return fail(b, ERR_LIMIT, line, "more than %zu values", b->l->nodes);
	return 0;
}

static int remember_anchor(struct builder *b, const char *name, const struct node *n)
{
	if (!name)
		return 0;
	if (!b->l->aliases)
		return fail(b, ERR_MALFORMED, n->line, "anchors and aliases are not allowed here");
	if (b->n_anchors >= ANCHORS_MAX)
		return fail(b, ERR_LIMIT, n->line, "more than %d anchors", ANCHORS_MAX);
	GROW(b->anchors, b->n_anchors);
	b->anchors[b->n_anchors++] = (struct anchor){ xstrdup(name), json_incref(n->value), n->cost, n->height };
	return 0;
}

/* `<<: MAP` or `<<: [MAP, MAP]`: of a list the first wins, so it is merged from its end. */
static int merge_into(struct builder *b, struct frame *f, const struct node *n)
{
	if (json_is_object(n->value)) {
		json_object_update(f->container, n->value);
		return 0;
	}
	if (!json_is_array(n->value))
		return fail(b, ERR_MALFORMED, n->line, "'<<' needs a map or a list of maps");
	for (size_t i = json_array_size(n->value); i-- > 0;)
		if (json_object_update(f->container, json_array_get(n->value, i)) < 0)
			return fail(b, ERR_MALFORMED, n->line, "'<<' needs a map or a list of maps");
	return 0;
}

static int place_in_map(struct builder *b, struct frame *f, const struct node *n)
{
	auto_free char *key = TAKE(f->key);

	if (f->merge) {
		f->merge = false;
		return merge_into(b, f, n);
	}
	if (!b->l->aliases && json_object_get(f->container, key))
		return fail(b, ERR_MALFORMED, f->key_line, "duplicate key '%.100s'", key);
	marks_add(b->marks, f->container, key, 0, f->key_line);
	if (json_object_set(f->container, key, n->value) < 0)
		return fail(b, ERR_MALFORMED, n->line, "a key is not valid UTF-8");
	return 0;
}

/* Puts a finished value where it belongs; takes it in any case. */
static int place_take(struct builder *b, struct node n)
{
	auto_json json_t *value = n.value;

	if (!b->n_frames) {
		json_decref(b->root);
		b->root = TAKE(value);
		marks_add(b->marks, NULL, NULL, 0, n.line);
		return 0;
	}

	struct frame *f = &b->frames[b->n_frames - 1];

	f->cost += n.cost;
	f->height = MAX(f->height, n.height + 1);
	if (json_is_object(f->container))
		return place_in_map(b, f, &n);
	marks_add(b->marks, f->container, NULL, json_array_size(f->container), n.line);
	json_array_append(f->container, value);
	return 0;
}

static bool wants_key(const struct builder *b)
{
	const struct frame *f = b->n_frames ? &b->frames[b->n_frames - 1] : NULL;

	return f && json_is_object(f->container) && !f->key;
}

/* Is the value that comes next to be read past? Then nothing of it is kept. */
static bool skips_value(struct builder *b)
{
	struct frame *f = b->n_frames ? &b->frames[b->n_frames - 1] : NULL;

	if (!f || !f->skip || !f->key)
		return false;
	free(TAKE(f->key));
	f->skip = false;
	return true;
}

/* The core tags, named behind their common prefix; NULL = no tag, "" = another one. */
static const char *short_tag(const yaml_char_t *tag)
{
	static const char *const known[] = { "str", "int", "float", "bool", "null", "map", "seq" };
	const char *t = (const char *)tag;

	if (!t)
		return NULL;
	if (strcmp(t, "!") == 0)
		return "str";
	if (!str_starts(t, TAG_PREFIX))
		return "";
	t += strlen(TAG_PREFIX);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i], t) == 0)
			return known[i];
	return "";
}

static bool tag_fits(const char *tag, const json_t *j)
{
	switch (json_typeof(j)) {
	case JSON_INTEGER:
		return str_eq(tag, "int") || str_eq(tag, "float");
	case JSON_REAL:
		return str_eq(tag, "float");
	case JSON_TRUE:
	case JSON_FALSE:
		return str_eq(tag, "bool");
	case JSON_NULL:
		return str_eq(tag, "null");
	default:
		return false;
	}
}

/* The value of a scalar; NULL with the error set. */
static json_t *scalar_value(struct builder *b, const yaml_event_t *ev, unsigned line)
{
	const char *text = (const char *)ev->data.scalar.value, *tag = short_tag(ev->data.scalar.tag);
	json_t *j = NULL;

	if (strlen(text) != ev->data.scalar.length) {
		fail(b, ERR_MALFORMED, line, "a string with a NUL character");
		return NULL;
	}
	if (!b->l->raw_scalars && (tag ? !str_eq(tag, "str") : ev->data.scalar.plain_implicit))
		j = scalar_resolve(text);
	if (tag && !str_eq(tag, "str") && !(j && tag_fits(tag, j)) && !(b->l->raw_scalars && *tag)) {
		json_decref(j);
		fail(b, ERR_MALFORMED, line, "tag '%.100s' is not allowed here", (const char *)ev->data.scalar.tag);
		return NULL;
	}
	if (!j)
		j = json_stringn(text, ev->data.scalar.length);
	if (!j)
		fail(b, ERR_MALFORMED, line, "a string is not valid UTF-8");
	return j;
}

/* The text a key goes by: its value's, where that is no string. */
static int take_key(struct builder *b, const yaml_event_t *ev, unsigned line)
{
	struct frame *f = &b->frames[b->n_frames - 1];
	const char *text = (const char *)ev->data.scalar.value;
	auto_json json_t *j = scalar_value(b, ev, line);

	if (!j)
		return -1;
	if (ev->data.scalar.anchor && !b->l->aliases)
		return fail(b, ERR_MALFORMED, line, "anchors and aliases are not allowed here");
	f->cost += SCALAR_COST;
	if (count_nodes(b, SCALAR_COST, line) < 0)
		return -1;
	f->key_line = line;
	f->merge = ev->data.scalar.plain_implicit && strcmp(text, "<<") == 0 && !b->l->raw_scalars;
	if (f->merge && !b->l->aliases)
		return fail(b, ERR_MALFORMED, line, "merge keys ('<<') are not allowed here");
	if (json_is_null(j))
		return fail(b, ERR_MALFORMED, line, "an empty key");
	if (json_is_integer(j))
		f->key = xasprintf("%jd", (intmax_t)json_integer_value(j));
	else
		f->key = xstrdup(json_is_true(j) ? "true" : json_is_false(j) ? "false" : text);
	f->skip = b->n_frames <= b->n_path && strcmp(f->key, b->path[b->n_frames - 1]) != 0;
	return 0;
}

static int on_scalar(struct builder *b, const yaml_event_t *ev, unsigned line)
{
	if (wants_key(b))
		return take_key(b, ev, line);
	if (skips_value(b))
		return 0;

	struct node n = { .cost = SCALAR_COST, .line = line };

	if (count_nodes(b, n.cost, line) < 0)
		return -1;
	n.value = scalar_value(b, ev, line);
	if (!n.value)
		return -1;
	if (remember_anchor(b, (const char *)ev->data.scalar.anchor, &n) < 0) {
		json_decref(n.value);
		return -1;
	}
	return place_take(b, n);
}

static int on_start(struct builder *b, const yaml_event_t *ev, unsigned line)
{
	bool map = ev->type == YAML_MAPPING_START_EVENT;
	const char *anchor = (const char *)(map ? ev->data.mapping_start.anchor : ev->data.sequence_start.anchor);
	const yaml_char_t *tag = map ? ev->data.mapping_start.tag : ev->data.sequence_start.tag;

	if (b->n_frames >= depth_limit(b))
		return fail(b, ERR_LIMIT, line, "nested deeper than %zu", depth_limit(b));
	if (wants_key(b))
		return fail(b, ERR_MALFORMED, line, "a key must be a scalar");
	if (skips_value(b)) {
		b->skipping = 1;
		return 0;
	}
	if (tag && strcmp((const char *)tag, "!") != 0 && !str_eq(short_tag(tag), map ? "map" : "seq"))
		return fail(b, ERR_MALFORMED, line, "tag '%.100s' is not allowed here", (const char *)tag);
	if (anchor && !b->l->aliases)
		return fail(b, ERR_MALFORMED, line, "anchors and aliases are not allowed here");
	if (count_nodes(b, CONTAINER_COST, line) < 0)
		return -1;
	GROW(b->frames, b->n_frames);
	b->frames[b->n_frames++] = (struct frame){
		.container = map ? json_object() : json_array(),
		.anchor = anchor ? xstrdup(anchor) : NULL,
		.cost = CONTAINER_COST,
		.height = 1,
		.line = line,
	};
	return 0;
}

static int on_end(struct builder *b)
{
	struct frame *f = &b->frames[--b->n_frames];
	auto_free char *anchor = TAKE(f->anchor);
	struct node n = { TAKE(f->container), f->cost, f->height, f->line };

	if (remember_anchor(b, anchor, &n) < 0) {
		json_decref(n.value);
		return -1;
	}
	return place_take(b, n);
}

static int on_alias(struct builder *b, const yaml_event_t *ev, unsigned line)
{
	const char *name = (const char *)ev->data.alias.anchor;

	if (!b->l->aliases)
		return fail(b, ERR_MALFORMED, line, "anchors and aliases are not allowed here");
	if (wants_key(b))
		return fail(b, ERR_MALFORMED, line, "a key must be a scalar");
	if (skips_value(b))
		return 0;
	for (size_t i = b->n_anchors; i-- > 0;) {
		const struct anchor *a = &b->anchors[i];

		if (strcmp(a->name, name) != 0)
			continue;
		if (b->n_frames + a->height > depth_limit(b))
			return fail(b, ERR_LIMIT, line, "nested deeper than %zu", depth_limit(b));
		if (count_nodes(b, a->cost, line) < 0)
			return -1;
		return place_take(b, (struct node){ json_deep_copy(a->value), a->cost, a->height, line });
	}
	return fail(b, ERR_MALFORMED, line, "alias '%.100s' has no anchor before it", name);
}

static int on_document(struct builder *b, unsigned line)
{
	size_t max = b->single ? EMPTY_DOCUMENTS_MAX : b->l->documents;

	if (++b->n_documents > max)
		return fail(b, ERR_LIMIT, line, "more than %zu documents", max);
	b->document_line = line;
	return 0;
}

static int on_document_end(struct builder *b)
{
	auto_json json_t *root = TAKE(b->root);

	forget_anchors(b);
	if (json_is_null(root))
		return 0;
	if (b->single && json_array_size(b->documents))
		return fail(b, ERR_MALFORMED, b->document_line, "a second document: only one is allowed here");
	json_array_append(b->documents, root);
	return 0;
}

/* Between the start and the end of something not wanted: only nesting counts. */
static int on_skipped(struct builder *b, const yaml_event_t *ev, unsigned line)
{
	if (ev->type == YAML_MAPPING_START_EVENT || ev->type == YAML_SEQUENCE_START_EVENT)
		b->skipping++;
	else if (ev->type == YAML_MAPPING_END_EVENT || ev->type == YAML_SEQUENCE_END_EVENT)
		b->skipping--;
	if (b->n_frames + b->skipping > depth_limit(b))
		return fail(b, ERR_LIMIT, line, "nested deeper than %zu", depth_limit(b));
	return 0;
}

static int on_event(struct builder *b, const yaml_event_t *ev)
{
	unsigned line = (unsigned)ev->start_mark.line + 1;

	if (b->skipping)
		return on_skipped(b, ev, line);
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		return on_document(b, line);
	case YAML_DOCUMENT_END_EVENT:
		return on_document_end(b);
	case YAML_SCALAR_EVENT:
		return on_scalar(b, ev, line);
	case YAML_ALIAS_EVENT:
		return on_alias(b, ev, line);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return on_start(b, ev, line);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_end(b);
	default:
		return 0;
	}
}

/* ---- driving libyaml */

/* libyaml compares every %TAG line with all before it. */
static bool too_many_tag_lines(const char *p, const char *end)
{
	size_t n = 0;

	while (p < end) {
		if (end - p > 4 && memcmp(p, "%TAG", 4) == 0 && ++n > TAG_LINES_MAX)
			return true;
		p = memchr(p, '\n', (size_t)(end - p));
		p = p ? p + 1 : end;
	}
	return false;
}

static int parser_failed(struct builder *b, const yaml_parser_t *y)
{
	size_t line = y->problem_mark.line;

	if (y->error == YAML_MEMORY_ERROR)
		abort();
	if (y->error == YAML_READER_ERROR)
		line = y->mark.line;
	return fail(b, ERR_MALFORMED, (unsigned)line + 1, "%s%s%s", y->context ? y->context : "",
		    y->context ? ": " : "", y->problem ? y->problem : "not YAML");
}

static int pump(struct builder *b, yaml_parser_t *y)
{
	for (;;) {
		CLEANUP(yaml_event_delete) yaml_event_t ev = { 0 };

		if (!yaml_parser_parse(y, &ev))
			return parser_failed(b, y);
		if (ev.type == YAML_STREAM_END_EVENT)
			return 0;
		if (on_event(b, &ev) < 0)
			return -1;
	}
}

/* Fills b->documents. */
static int parse(struct builder *b, const void *p, size_t n)
{
	CLEANUP(yaml_parser_delete) yaml_parser_t y = { 0 };

	b->documents = json_array();
	if (n > b->l->bytes)
		return err_set(b->e, ERR_LIMIT, "%s: more than %zu bytes", b->subject, b->l->bytes);
	if (too_many_tag_lines(p, (const char *)p + n))
		return err_set(b->e, ERR_LIMIT, "%s: more than %d directives", b->subject, TAG_LINES_MAX);
	if (!yaml_parser_initialize(&y))
		abort();
	yaml_parser_set_encoding(&y, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&y, p, n);
	return pump(b, &y);
}

static json_t *first_document(struct builder *b)
{
	return json_array_size(b->documents) ? json_incref(json_array_get(b->documents, 0)) : json_null();
}

json_t *ydoc_parse(const void *p, size_t n, const struct ydoc_limits *l, const char *subject,
		   struct ydoc_marks **marks, struct err *e)
{
	CLEANUP(builder_release) struct builder b = { .l = l, .subject = subject, .single = true, .e = e };

	if (marks)
		b.marks = marks_new(subject);
	if (parse(&b, p, n) < 0)
		return NULL;
	if (marks)
		*marks = TAKE(b.marks);
	return first_document(&b);
}

json_t *ydoc_parse_all(const void *p, size_t n, const struct ydoc_limits *l, const char *subject, struct err *e)
{
	CLEANUP(builder_release) struct builder b = { .l = l, .subject = subject, .e = e };

	if (parse(&b, p, n) < 0)
		return NULL;
	return TAKE(b.documents);
}

json_t *ydoc_parse_at(const void *p, size_t n, const struct ydoc_limits *l, const char *subject,
		      const char *const *path, struct err *e)
{
	CLEANUP(builder_release) struct builder b = {
		.l = l, .subject = subject, .path = path, .single = true, .e = e,
	};

	while (path[b.n_path])
		b.n_path++;
	if (parse(&b, p, n) < 0)
		return NULL;

	auto_json json_t *j = first_document(&b);
	json_t *at = j;

	for (; at && *path; path++)
		at = json_object_get(at, *path);
	return at ? json_incref(at) : json_null();
}
