/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_walk.h"

#include <airgap/chart.h>
#include <airgap/digest.h>
#include <airgap/ref.h>
#include <airgap/tarball.h>

#define FINDS_MAX      100000u
#define EMBEDDED_DEPTH 2u       /* YAML in YAML in YAML */
#define ARCHIVE_BASE64 "H4sI"   /* how gzip begins */

void scan_release(struct scan_finds *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->items[i].image);
		free(f->items[i].file);
		free(f->items[i].kind);
		free(f->items[i].path);
		free(f->items[i].nodes);
	}
	free(f->items);
	*f = (struct scan_finds){ 0 };
}

/* ---- finds */

int walk_add(struct walk *w, const char *image, bool certain, bool disabled, struct err *e)
{
	struct scan_find f = { .certain = certain, .disabled = disabled };

	if (w->edit) {
		edit_found(w, image);
		return 0;
	}
	if (w->out->n >= FINDS_MAX)
		return err_set(e, ERR_LIMIT, "more than %u image references in one stack", FINDS_MAX);
	f.image = xstrdup(image);
	f.file = xstrdup(w->file);
	f.kind = xstrdup(w->kind);
	f.path = xstrdup(buf_str(&w->path));
	GROW(w->out->items, w->out->n);
	w->out->items[w->out->n++] = f;
	return 0;
}

int walk_add_keyed(struct walk *w, const char *image, struct err *e)
{
	return walk_add(w, image, w->in_file, false, e);
}

static int compare(const void *a, const void *b)
{
	const struct scan_find *x = a, *y = b;
	int c = strcmp(x->image, y->image);

	c = c ? c : strcmp(x->file, y->file);
	c = c ? c : strcmp(x->kind, y->kind);
	c = c ? c : strcmp(x->path, y->path);
	return c ? c : strcmp(x->nodes ? x->nodes : "", y->nodes ? y->nodes : "");
}

/* Of equal finds one stays: certain if any is, disabled only if all are. */
void scan_finish(struct scan_finds *f)
{
	size_t kept = 0;

	if (f->n)
		qsort(f->items, f->n, sizeof(f->items[0]), compare);
	for (size_t i = 0; i < f->n; i++) {
		if (kept && compare(&f->items[kept - 1], &f->items[i]) == 0) {
			struct scan_finds gone = { xmemdup(&f->items[i], sizeof(f->items[i])), 1 };

			f->items[kept - 1].certain |= f->items[i].certain;
			f->items[kept - 1].disabled &= f->items[i].disabled;
			scan_release(&gone);
		} else {
			f->items[kept++] = f->items[i];
		}
	}
	f->n = kept;
}

/* ---- texts */

/* A text that is a document is walked like any other. 1: done. 0: it is something else. */
static int embedded_document(struct walk *w, const char *text, struct err *e)
{
	size_t i, words = edit_words(w);
	struct err ignored;
	json_t *doc;
	int r = 0;

	if (w->embedded >= EMBEDDED_DEPTH || !strpbrk(text, "\n{") || !strchr(text, ':'))
		return 0;

	auto_json json_t *docs = ydoc_parse_all(text, strlen(text), &ydoc_rendered, "text", &ignored);

	/* Any words are a YAML string. */
	json_array_foreach(docs, i, doc)
		if (!json_is_object(doc) && !json_is_array(doc))
			return 0;
	w->embedded++;
	json_array_foreach(docs, i, doc)
		if (r == 0)
			r = walk_value(w, NULL, NULL, doc, e);
	w->embedded--;
	edit_embedded(w, text, docs, words);
	return r < 0 ? -1 : json_array_size(docs) > 0;
}

int walk_text(struct walk *w, const char *text, struct err *e)
{
	int document = embedded_document(w, text, e);

	return document ? MIN(document, 0) : scan_words(w, text, e);
}

/* Text in the base64 of a Secret, or bytes in that of binaryData. */
static bool holds_base64(const struct walk *w)
{
	const char *path = buf_str(&w->path);

	return !w->embedded && !w->archives && ((strcmp(w->kind, "Secret") == 0 && str_starts(path, "data.")) ||
						(strcmp(w->kind, "ConfigMap") == 0 && str_starts(path, "binaryData.")));
}

/* 1: it was base64 and is done. */
static int scan_base64(struct walk *w, const char *text, struct err *e)
{
	size_t n = strlen(text), len, before = edit_mark(w);
	bool archive = str_starts(text, ARCHIVE_BASE64);

	if (!archive && !holds_base64(w))
		return 0;

	auto_free char *out = xmalloc(n / 4 * 3 + 1);

	if (!base64_decode(text, n, (uint8_t *)out, &len))
		return 0;
	out[len] = '\0';
	if (!memchr(out, '\0', len)) {
		int r = walk_text(w, out, e);

		edit_base64(w, text, out, before);
		return r < 0 ? -1 : 1;
	}
	return scan_bytes(w, out, len, e) < 0 ? -1 : 1;
}

/* ---- strings */

/* "spec.template.spec.containers[].image": the key `image` of an entry of a container list; or an image volume. */
static bool container_image(const char *path)
{
	return str_ends(path, "ontainers[].image") || str_ends(path, "volumes[].image.reference");
}

/* Nothing says that a pod in a text will run, so it is no more than a guess; without a tag it would be pulled as latest. */
static int add_embedded(struct walk *w, const char *text, struct err *e)
{
	auto_ref struct ref r = { 0 };
	struct err ignored;

	if (ref_parse(text, &r, &ignored) < 0)
		return 0;

	auto_free char *image = xasprintf("%s%s", text, r.tag || r.has_digest ? "" : ":latest");

	return walk_add_keyed(w, image, e);
}

/* The schema of a custom resource explains itself with examples. Its defaults are taken seriously. */
static bool is_prose(const struct walk *w, const char *key)
{
	return key && strcmp(w->kind, "CustomResourceDefinition") == 0 &&
	       (strcmp(key, "description") == 0 || strcmp(key, "example") == 0 || strcmp(key, "title") == 0);
}

/* `image: quay.io/a/b` of a custom resource, `container: {image: busybox}`: pulled as latest. */
static bool untagged(const struct walk *w, const char *key, const char *text)
{
	return key && strcmp(key, "image") == 0 && scan_parses(text) &&
	       (scan_with_host(text) || str_ends(buf_str(&w->path), "ontainer.image"));
}

/* parent is the map that holds the string, NULL in a list. */
static int scan_string(struct walk *w, const json_t *parent, const char *key, const char *text, struct err *e)
{
	const char *name = jdoc_text(parent, "name", NULL);
	bool env_value = key && strcmp(key, "value") == 0 && name;
	bool container = container_image(buf_str(&w->path));

	if (!*text || is_prose(w, key))
		return 0;
	w->at = 0;
	w->span = strlen(text);
	if (env_value)
		rule_keep_env(w, name, text);
	if (container && w->embedded)
		return add_embedded(w, text, e);
	if (container || (env_value && rule_names_env(w, name)))
		return walk_add(w, text, true, false, e);
	if (scan_image_key(key) || (env_value && scan_image_key(name))) {
		if (scan_tagged(text))
			return walk_add_keyed(w, text, e);
		if (untagged(w, key, text))
			return add_embedded(w, text, e);
	}
	if (ref_looks_like(text))
		return walk_add(w, text, false, false, e);

	int base64 = scan_base64(w, text, e);

	return base64 ? MIN(base64, 0) : walk_text(w, text, e);
}

/* ---- the walk */

int walk_enter(struct walk *w, const char *key, struct err *e)
{
	if (key && w->path.len && buf_add(&w->path, ".", 1, e) < 0)
		return -1;
	return buf_add(&w->path, key ? key : "[]", key ? strlen(key) : 2, e);
}

void walk_leave(struct walk *w, size_t len)
{
	w->path.len = len;
	if (w->path.ptr)
		w->path.ptr[len] = '\0';
}

/* as: what the key counts as, where that differs. */
static int scan_child(struct walk *w, const json_t *parent, const char *key, const char *as, json_t *v, struct err *e)
{
	size_t len = w->path.len, before = edit_mark(w);

	if (walk_enter(w, key, e) < 0 || walk_value(w, parent, as, v, e) < 0)
		return -1;
	edit_leaf(w, v, before);
	walk_leave(w, len);
	return 0;
}

static int scan_map(struct walk *w, json_t *map, struct err *e)
{
	int triple = rule_triple(w, map, e), pair = triple ? 0 : scan_pair(w, map, e);
	const char *name;
	json_t *child;

	if (triple < 0 || pair < 0)
		return -1;
	json_object_foreach(map, name, child) {
		w->span = 0;
		if (ref_looks_like(name) && walk_add(w, name, false, false, e) < 0)
			return -1;
		if ((triple && rule_triple_key(w, map, name)) || (pair && json_is_string(child) && scan_pair_key(name)))
			continue;
		if (scan_child(w, map, name, name, child, e) < 0)
			return -1;
	}
	return 0;
}

/* ["--image", "busybox:1.36"]: what stands behind an option is its value. */
static int scan_list(struct walk *w, json_t *list, struct err *e)
{
	const char *option = NULL;
	json_t *child;
	size_t i;

	json_array_foreach(list, i, child) {
		if (scan_child(w, NULL, NULL, option && *option == '-' ? option : NULL, child, e) < 0)
			return -1;
		option = json_string_value(child);
	}
	return 0;
}

/* Depth is bounded by the parser. */
int walk_value(struct walk *w, const json_t *parent, const char *key, json_t *v, struct err *e)
{
	if (json_is_string(v))
		return scan_string(w, parent, key, json_string_value(v), e);
	if (json_is_object(v))
		return scan_map(w, v, e);
	return scan_list(w, v, e);
}

static int scan_object(struct walk *w, const struct helm_object *o, struct err *e)
{
	const char *kind = jdoc_text(o->object, "kind", NULL);

	w->file = o->source;
	w->kind = kind ? kind : "";
	w->root = o->object;
	walk_leave(w, 0);
	return walk_value(w, NULL, NULL, o->object, e) < 0 ? err_wrap(e, "%s", o->source) : 0;
}

int scan_objects(const struct helm_objects *objects, const char *chart, const struct scan_rule *rules, size_t n_rules,
		 bool tests, struct scan_finds *out, struct err *e)
{
	struct walk w = { .rules = rules, .n_rules = n_rules, .chart = chart, .path = BUF_INIT(SCAN_PATH_MAX), .out = out };
	int r = 0;

	for (size_t i = 0; i < objects->n && r == 0; i++)
		if (!objects->items[i].test || tests)
			r = scan_object(&w, &objects->items[i], e);
	if (r == 0)
		r = rule_joins(&w, objects, tests, e);
	rule_forget_envs(&w);
	buf_release(&w.path);
	scan_finish(out);
	return r;
}

/* ---- what a chart says of itself */

int scan_chart_annotations(const void *archive, size_t n, const char *chart, struct scan_finds *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(tarball_chart.total);
	auto_free char *file = xasprintf("%s/Chart.yaml", chart);
	struct walk w = { .chart = chart, .file = file, .kind = "Chart", .path = BUF_INIT(SCAN_PATH_MAX), .out = out };
	struct err ignored;
	int there = tarball_chart_file(archive, n, "Chart.yaml", &text, e);

	if (there <= 0)
		return there;

	auto_json json_t *doc = ydoc_parse(buf_str(&text), text.len, &ydoc_rendered, file, NULL, &ignored);
	const char *list = jdoc_text(doc, "annotations", "artifacthub.io/images", NULL);
	int r = 0;

	if (list && walk_enter(&w, "annotations.artifacthub.io/images", e) == 0)
		r = walk_text(&w, list, e);
	buf_release(&w.path);
	scan_finish(out);
	return r;
}
