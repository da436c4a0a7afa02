/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/scan.h>

#include <airgap/buf.h>
#include <airgap/decode.h>
#include <airgap/digest.h>
#include <airgap/ref.h>
#include <airgap/yaml.h>

#define PATH_MAX_TEXT  4096u
#define FINDS_MAX      100000u
#define EMBEDDED_DEPTH 2u       /* YAML in YAML in YAML */

static const struct field rule_fields[] = {
	F_STR(struct scan_rule, chart, "chart", 0),
	F_STR(struct scan_rule, kind, "kind", 0),
	F_STR(struct scan_rule, path, "path", 0),
	F_STRV(struct scan_rule, triple, "triple", 0),
	F_STR(struct scan_rule, enabled_by, "enabledBy", 0),
	F_STRV(struct scan_rule, tags, "tags", F_ALIAS_SCALAR),
	F_STR(struct scan_rule, env, "env", 0),
	{ 0 }
};
const struct type scan_rule_type = TYPE(struct scan_rule, rule_fields);

struct rules_document { struct scan_rules rules; };
static const struct field rules_document_fields[] = {
	F_LIST(struct rules_document, rules.items, rules.n, "rules", scan_rule_type, F_REQUIRED),
	{ 0 }
};
static const struct type rules_document_type = TYPE(struct rules_document, rules_document_fields);

void scan_rules_release(struct scan_rules *r)
{
	struct rules_document d = { *r };

	decode_free(&rules_document_type, &d);
	*r = (struct scan_rules){ 0 };
}

int scan_rules_decode(const json_t *list, const char *subject, struct scan_rules *out, struct err *e)
{
	auto_json json_t *doc = json_pack("{s:O}", "rules", list ? list : json_null());
	struct rules_document d;

	*out = (struct scan_rules){ 0 };
	if (!list)
		return 0;
	if (decode(&rules_document_type, doc, NULL, subject, &d, e) < 0)
		return -1;
	*out = d.rules;
	return 0;
}

json_t *scan_rules_encode(const struct scan_rule *rules, size_t n)
{
	const struct rules_document d = { { (struct scan_rule *)rules, n } };
	auto_json json_t *doc = encode(&rules_document_type, &d);

	return json_incref(json_object_get(doc, "rules"));
}

void scan_release(struct scan_finds *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->items[i].image);
		free(f->items[i].file);
		free(f->items[i].kind);
		free(f->items[i].path);
	}
	free(f->items);
	*f = (struct scan_finds){ 0 };
}

/* Where the walk is. path has "[]" for every list index, so that a place is the same in every render. */
struct walk {
	const struct scan_rule *rules;
	size_t n_rules;
	const char *chart, *file, *kind;
	struct buf path;
	unsigned embedded;      /* in a text, how many deep */
	struct scan_finds *out;
};

static int scan_value(struct walk *w, const json_t *parent, const char *key, json_t *v, struct err *e);

static int add(struct walk *w, const char *image, bool certain, bool disabled, struct err *e)
{
	struct scan_find f = { .certain = certain, .disabled = disabled };

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

static bool parses(const char *text)
{
	auto_ref struct ref r = { 0 };
	struct err ignored;

	return ref_parse(text, &r, &ignored) == 0;
}

/* "spec.template.spec.containers[].image": the key `image` of an entry of a container list. */
static bool container_image(const char *path)
{
	static const char *const lists[] = { "ontainers[].image" };     /* containers, initContainers, ephemeralContainers */

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (str_ends(path, lists[i]))
			return true;
	return false;
}

/* Values at keys that hold an image even when it is a short name (busybox:1.36). */
static bool image_key(const char *key)
{
	return key && (strcmp(key, "image") == 0 || str_ends(key, "Image") || str_ends(key, "_IMAGE"));
}

/* `image: busybox:1.36` and `image = "busybox:1.36"` within a longer text: the rest of the line after the word. */
static int embedded_images(struct walk *w, const char *text, struct err *e)
{
	static const char word[] = "image";

	for (const char *at = strcasestr(text, word); at; at = strcasestr(at, word)) {
		at += strlen(word);
		at += strspn(at, "\"' \t");
		if (*at != ':' && *at != '=')
			continue;
		at += 1 + strspn(at + 1, "\"' \t");

		size_t n = strcspn(at, "\"' \t\r\n,;}])");
		auto_free char *value = xstrndup(at, n);

		/* Only what has a tag or digest: `image: {` and `image: name` of other formats say nothing. */
		if (n > 0 && strpbrk(value, ":@") && !ref_looks_like(value) && !strstr(value, "://") && parses(value) &&
		    add(w, value, false, false, e) < 0)
			return -1;
		at += n;
	}
	return 0;
}

/* Nothing says that a pod in a text will run, so it is no more than a guess; without a tag it would be pulled as latest. */
static int add_embedded(struct walk *w, const char *text, struct err *e)
{
	auto_ref struct ref r = { 0 };
	struct err ignored;

	if (ref_parse(text, &r, &ignored) < 0)
		return 0;

	auto_free char *image = xasprintf("%s%s", text, r.tag || r.has_digest ? "" : ":latest");

	return add(w, image, false, false, e);
}

/* A text that is YAML and has pods is walked like any document. 1: done. 0: it is something else. */
static int embedded_pods(struct walk *w, const char *text, struct err *e)
{
	struct err ignored;
	json_t *doc;
	size_t i;
	int r = 0;

	if (w->embedded >= EMBEDDED_DEPTH || !strchr(text, '\n') || !strstr(text, "ontainers:"))
		return 0;

	auto_json json_t *docs = ydoc_parse_all(text, strlen(text), &ydoc_rendered, "text", &ignored);

	w->embedded++;
	json_array_foreach(docs, i, doc)
		if (r == 0)
			r = scan_value(w, NULL, NULL, doc, e);
	w->embedded--;
	return r < 0 ? -1 : docs != NULL;
}

static bool rule_env(const struct walk *w, const char *name)
{
	for (size_t i = 0; name && i < w->n_rules; i++)
		if (w->rules[i].env && strcmp(w->rules[i].env, name) == 0 &&
		    (!w->rules[i].chart || str_eq(w->rules[i].chart, w->chart)))
			return true;
	return false;
}

/* The schema of a custom resource explains itself with examples. Its defaults are taken seriously. */
static bool is_prose(const struct walk *w, const char *key)
{
	return key && strcmp(key, "description") == 0 && strcmp(w->kind, "CustomResourceDefinition") == 0;
}

/* What a Secret's `data` says, out of base64; NULL = no text. */
static char *secret_text(const struct walk *w, const char *text)
{
	size_t n = strlen(text), len;

	if (w->embedded || strcmp(w->kind, "Secret") != 0 || !str_starts(buf_str(&w->path), "data."))
		return NULL;

	auto_free char *out = xmalloc(n / 4 * 3 + 1);

	if (!base64_decode(text, n, (uint8_t *)out, &len) || memchr(out, '\0', len))
		return NULL;
	out[len] = '\0';
	return TAKE(out);
}

/* parent is the map that holds the string, NULL in a list. */
static int scan_string(struct walk *w, const json_t *parent, const char *key, const char *text, struct err *e)
{
	auto_strv struct strv found = { 0 };
	auto_free char *decoded = secret_text(w, text);
	const char *name = jdoc_text(parent, "name", NULL);
	bool env_value = key && strcmp(key, "value") == 0 && name;

	text = decoded ? decoded : text;
	if (!*text || is_prose(w, key))
		return 0;
	if (container_image(buf_str(&w->path)) && w->embedded)
		return add_embedded(w, text, e);
	if (container_image(buf_str(&w->path)) || (env_value && rule_env(w, name)))
		return add(w, text, true, false, e);
	if (ref_looks_like(text) || ((image_key(key) || (env_value && image_key(name))) && strpbrk(text, ":@") && parses(text)))
		return add(w, text, false, false, e);

	int pods = embedded_pods(w, text, e);

	if (pods)
		return MIN(pods, 0);
	if (strchr(text, '\n') || strcasestr(text, "image"))
		if (embedded_images(w, text, e) < 0)
			return -1;
	ref_find(text, &found);
	for (size_t i = 0; i < found.n; i++)
		if (add(w, found.items[i], false, false, e) < 0)
			return -1;
	return 0;
}

/* Triples: repository + image + version as three keys of one map. */

/* Does the walk's path match "spec.*"? `*` is one component. */
static bool path_matches(const char *pattern, const char *path)
{
	while (*pattern && *path) {
		if (*pattern == '*') {
			path += strcspn(path, ".");
			pattern++;
			continue;
		}
		if (*pattern++ != *path++)
			return false;
	}
	return !*pattern && !*path;
}

static size_t wildcards(const char *pattern)
{
	size_t n = 0;

	for (; *pattern; pattern++)
		n += *pattern == '*';
	return n;
}

/* The most definite rule for the place: `spec.driver` goes before `spec.*`. */
static const struct scan_rule *triple_rule(const struct walk *w)
{
	const struct scan_rule *best = NULL;

	for (size_t i = 0; i < w->n_rules; i++) {
		const struct scan_rule *r = &w->rules[i];

		if (r->triple.n == 3 && r->path && (!r->chart || str_eq(r->chart, w->chart)) &&
		    (!r->kind || str_eq(r->kind, w->kind)) && path_matches(r->path, buf_str(&w->path)) &&
		    (!best || wildcards(r->path) < wildcards(best->path)))
			best = r;
	}
	return best;
}

struct triple {
	const struct scan_rule *rule;   /* NULL: by the usual names */
	const char *repository, *image, *version;
	bool disabled;
};

static bool read_triple(const struct walk *w, const json_t *map, struct triple *out)
{
	static const char *const usual[] = { "repository", "image", "version" };
	const struct scan_rule *rule = triple_rule(w);
	const char *part[3];

	for (size_t i = 0; i < 3; i++) {
		part[i] = jdoc_text(map, rule ? rule->triple.items[i] : usual[i], NULL);
		if (!part[i] || !*part[i])
			return false;
	}

	const char *name = rule && rule->enabled_by ? rule->enabled_by : "enabled";

	*out = (struct triple){ rule, part[0], part[1], part[2], json_is_false(json_object_get(map, name)) };
	return true;
}

/* "{version}-{kernel}-{osTag}" with what the triple knows. */
static char *fill_tag(const struct triple *t, const char *pattern)
{
	static const char version[] = "{version}";
	const char *at = strstr(pattern, version);

	if (!at)
		return xstrdup(pattern);
	return xasprintf("%.*s%s%s", (int)(at - pattern), pattern, t->version, at + strlen(version));
}

static int add_triple(struct walk *w, const struct triple *t, struct err *e)
{
	bool digest = str_starts(t->version, "sha256:");
	auto_free char *image = xasprintf("%s/%s%s%s", t->repository, t->image, digest ? "@" : ":", t->version);

	if (!t->rule || !t->rule->tags.n)
		return add(w, image, true, t->disabled, e);
	for (size_t i = 0; i < t->rule->tags.n; i++) {
		auto_free char *tag = fill_tag(t, t->rule->tags.items[i]);
		auto_free char *one = xasprintf("%s/%s:%s", t->repository, t->image, tag);

		/* What only the site knows (kernel, osTag) cannot be carried unseen: it is listed, like what is turned off. */
		if (add(w, one, true, t->disabled || strchr(tag, '{'), e) < 0)
			return -1;
	}
	return 0;
}

static int scan_triple(struct walk *w, const json_t *map, bool *taken, struct err *e)
{
	struct triple t;

	if (!read_triple(w, map, &t))
		return 0;

	auto_free char *name = xasprintf("%s/%s", t.repository, t.image);

	/* Without a rule the three words may mean something else. */
	if (!t.rule && !parses(name))
		return 0;
	*taken = true;
	return add_triple(w, &t, e);
}

/* `repository` and `tag` in one map, with or without `registry`: how most charts' values and many custom resources say
 * an image. Only a guess: no container. */
static int scan_pair(struct walk *w, const json_t *map, struct err *e)
{
	const char *registry = jdoc_text(map, "registry", NULL), *repository = jdoc_text(map, "repository", NULL);
	const char *tag = jdoc_text(map, "tag", NULL);

	if (!repository || !*repository || !tag || !*tag || strstr(repository, "://"))
		return 0;

	bool with = registry && *registry;
	auto_free char *image = xasprintf("%s%s%s:%s", with ? registry : "", with ? "/" : "", repository, tag);

	return parses(image) ? add(w, image, false, false, e) : 0;
}

static int scan_child(struct walk *w, const json_t *parent, const char *key, json_t *v, struct err *e)
{
	size_t len = w->path.len;

	if (key && len && buf_add(&w->path, ".", 1, e) < 0)
		return -1;
	if (buf_add(&w->path, key ? key : "[]", key ? strlen(key) : 2, e) < 0)
		return -1;

	int r = scan_value(w, parent, key, v, e);

	w->path.len = len;
	w->path.ptr[len] = '\0';
	return r;
}

static bool triple_key(const char *key)
{
	return strcmp(key, "repository") == 0 || strcmp(key, "image") == 0 || strcmp(key, "version") == 0;
}

/* Depth is bounded by the parser. */
static int scan_value(struct walk *w, const json_t *parent, const char *key, json_t *v, struct err *e)
{
	bool triple = false;
	const char *name;
	json_t *child;
	size_t i;

	if (json_is_string(v))
		return scan_string(w, parent, key, json_string_value(v), e);
	if (json_is_object(v) && (scan_triple(w, v, &triple, e) < 0 || scan_pair(w, v, e) < 0))
		return -1;
	json_object_foreach(v, name, child)
		if (!(triple && triple_key(name)) && scan_child(w, v, name, child, e) < 0)
			return -1;
	json_array_foreach(v, i, child)
		if (scan_child(w, NULL, NULL, child, e) < 0)
			return -1;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct scan_find *x = a, *y = b;
	int c = strcmp(x->image, y->image);

	c = c ? c : strcmp(x->file, y->file);
	c = c ? c : strcmp(x->kind, y->kind);
	return c ? c : strcmp(x->path, y->path);
}

/* Of equal finds one stays: certain if any is, disabled only if all are. */
static void sort_unique(struct scan_finds *f)
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

int scan_objects(const struct helm_objects *objects, const char *chart, const struct scan_rule *rules, size_t n_rules,
		 bool tests, struct scan_finds *out, struct err *e)
{
	for (size_t i = 0; i < objects->n; i++) {
		const struct helm_object *o = &objects->items[i];
		const char *kind = jdoc_text(o->object, "kind", NULL);
		auto_buf struct buf path = BUF_INIT(PATH_MAX_TEXT);
		struct walk w = { rules, n_rules, chart, o->source, kind ? kind : "", path, 0, out };

		if (o->test && !tests)
			continue;

		int r = scan_value(&w, NULL, NULL, o->object, e);

		path = w.path;
		if (r < 0)
			return err_wrap(e, "%s", o->source);
	}
	sort_unique(out);
	return 0;
}
