/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_walk.h"

#define JOIN_MAX  4096u         /* bytes of a joined name */
#define JOINS_MAX 1000u         /* names of one rule */
#define ENVS_MAX  10000u

static const struct field rule_fields[] = {
	F_STR(struct scan_rule, chart, "chart", 0),
	F_STR(struct scan_rule, kind, "kind", 0),
	F_STR(struct scan_rule, path, "path", 0),
	F_STRV(struct scan_rule, triple, "triple", 0),
	F_STRV(struct scan_rule, when, "when", F_ALIAS_SCALAR),
	F_STR(struct scan_rule, nodes, "nodes", 0),
	F_STRV(struct scan_rule, enabled_by, "enabledBy", F_ALIAS_SCALAR),
	F_STRV(struct scan_rule, tags, "tags", F_ALIAS_SCALAR),
	F_STR(struct scan_rule, env, "env", 0),
	F_STR(struct scan_rule, join, "join", 0),
	F_STR(struct scan_rule, file, "file", 0),
	F_STR(struct scan_rule, member, "member", 0),
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

/* ---- meaning */

/* Every { of a join is closed and has a name in it; without a kind there are variables only. */
static int check_join(const struct scan_rule *r, struct err *e)
{
	for (const char *p = strchr(r->join, '{'); p; p = strchr(p, '{')) {
		size_t n = strcspn(++p, "{}");
		bool env = str_starts(p, "env:");

		if (p[n] != '}' || n == (env ? 4u : 0u))
			return err_set(e, ERR_MALFORMED, "join: '%s': {env:NAME} or {path} is wanted", r->join);
		if (!env && !r->kind)
			return err_set(e, ERR_MALFORMED, "kind is missing: whose {%.*s} the join takes", (int)n, p);
	}
	return 0;
}

/* Anything else in braces would stand in a tag as it is. */
static int check_tag(const char *tag, struct err *e)
{
	static const char *const words[] = { "{version}", "{kernel}", "{osTag}" };

	for (const char *p = strpbrk(tag, "{}"); p; p = strpbrk(p, "{}")) {
		size_t i = 0;

		while (i < ARRAY_LEN(words) && !str_starts(p, words[i]))
			i++;
		if (i == ARRAY_LEN(words))
			return err_set(e, ERR_MALFORMED, "tags: '%s': takes {version}, {kernel} and {osTag}", tag);
		p += strlen(words[i]);
	}
	return 0;
}

static int check_triple(const struct scan_rule *r, struct err *e)
{
	for (size_t i = 0; i < r->tags.n; i++)
		if (check_tag(r->tags.items[i], e) < 0)
			return -1;
	for (size_t i = 0; i < r->when.n; i++)
		if (!r->when.items[i][*r->when.items[i] == '!'])
			return err_set(e, ERR_MALFORMED, "when: '%s' names no key", r->when.items[i]);
	if (r->triple.n != 3)
		return err_set(e, ERR_MALFORMED, "triple: takes the keys of repository, image and version");
	if (!r->path)
		return err_set(e, ERR_MALFORMED, "path is missing: where the triple stands");
	for (size_t i = 0; i < 3; i++)
		if (*r->triple.items[i] != '=')
			return 0;
	return err_set(e, ERR_MALFORMED, "triple: three texts say nothing: list the image under images");
}

int scan_rule_check(const struct scan_rule *r, struct err *e)
{
	int forms = (r->triple.n > 0) + (r->env != NULL) + (r->join != NULL) + (r->file != NULL);

	if (forms == 0)
		return err_set(e, ERR_MALFORMED, "needs triple, env, join or file");
	if (forms > 1)
		return err_set(e, ERR_MALFORMED, "give only one of triple, env, join and file");
	if (!r->triple.n && (r->when.n || r->nodes || r->enabled_by.n || r->tags.n))
		return err_set(e, ERR_MALFORMED, "when, nodes, enabledBy and tags belong to a triple");
	if (r->member && !r->file)
		return err_set(e, ERR_MALFORMED, "member belongs to a file");
	if (r->file && (r->chart || r->kind || r->path))
		return err_set(e, ERR_MALFORMED, "a file has no chart, kind or path");
	if (r->triple.n)
		return check_triple(r, e);
	return r->join ? check_join(r, e) : 0;
}

/* ---- whose */

bool rule_for(const struct scan_rule *r, const struct walk *w)
{
	return !r->chart || str_eq(r->chart, w->chart);
}

bool rule_names_env(const struct walk *w, const char *name)
{
	for (size_t i = 0; name && i < w->n_rules; i++)
		if (w->rules[i].env && strcmp(w->rules[i].env, name) == 0 && rule_for(&w->rules[i], w))
			return true;
	return false;
}

/* ---- places */

/* Along dotted keys; NULL: not there. */
static const json_t *at_path(const json_t *map, const char *path)
{
	while (map && *path) {
		size_t n = strcspn(path, ".");
		auto_free char *key = xstrndup(path, n);

		map = json_object_get(map, key);
		path += n + (path[n] == '.');
	}
	return map;
}

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

/* ---- triples: repository + image + version as three keys of one map */

static bool is_word(const json_t *v, bool wanted)
{
	return wanted ? json_is_true(v) || str_eq(json_string_value(v), "true")
		      : json_is_false(v) || str_eq(json_string_value(v), "false");
}

/* Every key beside the triple is true, and with a '!' not true. */
static bool when_fits(const struct scan_rule *r, const json_t *map)
{
	for (size_t i = 0; i < r->when.n; i++) {
		const char *key = r->when.items[i];
		bool negated = *key == '!';

		if (is_word(json_object_get(map, key + negated), true) == negated)
			return false;
	}
	return true;
}

static bool more_definite(const struct scan_rule *a, const struct scan_rule *b)
{
	size_t x = wildcards(a->path), y = wildcards(b->path);

	return x != y ? x < y : a->when.n > b->when.n;
}

/* The most definite rule for the place: `spec.driver` goes before `spec.*`, a condition that holds before none. */
static const struct scan_rule *triple_rule(const struct walk *w, const json_t *map)
{
	const struct scan_rule *best = NULL;

	for (size_t i = 0; i < w->n_rules; i++) {
		const struct scan_rule *r = &w->rules[i];

		if (r->triple.n == 3 && r->path && rule_for(r, w) && (!r->kind || str_eq(r->kind, w->kind)) &&
		    path_matches(r->path, buf_str(&w->path)) && when_fits(r, map) && (!best || more_definite(r, best)))
			best = r;
	}
	return best;
}

static const char *const usual[] = { "repository", "image", "version" };

struct triple {
	const struct scan_rule *rule;   /* NULL: by the usual names */
	const char *repository, *image, *version;
	const json_t *nodes;            /* labels; NULL = not said */
	bool disabled;
};

static bool is_disabled(const struct walk *w, const struct scan_rule *rule, const json_t *map)
{
	if (!rule || !rule->enabled_by.n)
		return is_word(json_object_get(map, "enabled"), false);
	for (size_t i = 0; i < rule->enabled_by.n; i++) {
		const char *place = rule->enabled_by.items[i];
		bool off = *place == '!';

		if (is_word(at_path(map, place + off), off) || is_word(at_path(w->root, place + off), off))
			return true;
	}
	return false;
}

static bool read_triple(const struct walk *w, const json_t *map, struct triple *out)
{
	const struct scan_rule *rule = triple_rule(w, map);
	const char *part[3];

	for (size_t i = 0; i < 3; i++) {
		const char *key = rule ? rule->triple.items[i] : usual[i];

		part[i] = *key == '=' ? key + 1 : jdoc_text(map, key, NULL);
		if (!part[i] || !*part[i])
			return false;
	}
	*out = (struct triple){ rule, part[0], part[1], part[2], NULL, is_disabled(w, rule, map) };
	if (rule && rule->nodes)
		out->nodes = json_object_get(map, rule->nodes);
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

/* The repository alone changes; where it is no key of the map nothing can. */
static void replace_triple(struct walk *w, json_t *map, const struct triple *t)
{
	const char *key = t->rule ? t->rule->triple.items[0] : usual[0];
	bool digest = str_starts(t->version, "sha256:");
	auto_free char *image = xasprintf("%s/%s%s%s", t->repository, t->image, digest ? "@" : ":", t->version);
	bool done = *key == '=' || edit_triple(w, map, key, t->image, image);

	for (size_t i = 0; t->rule && !done && !digest && i < t->rule->tags.n; i++) {
		auto_free char *tag = fill_tag(t, t->rule->tags.items[i]);
		auto_free char *one = xasprintf("%s/%s:%s", t->repository, t->image, tag);

		done = edit_triple(w, map, key, t->image, one);
	}
}

static int add_triple(struct walk *w, const struct triple *t, struct err *e)
{
	bool digest = str_starts(t->version, "sha256:");
	auto_free char *image = xasprintf("%s/%s%s%s", t->repository, t->image, digest ? "@" : ":", t->version);

	/* A digest is whole: nothing is put behind it. */
	if (!t->rule || !t->rule->tags.n || digest)
		return walk_add(w, image, true, t->disabled, e);
	for (size_t i = 0; i < t->rule->tags.n; i++) {
		auto_free char *tag = fill_tag(t, t->rule->tags.items[i]);
		auto_free char *one = xasprintf("%s/%s:%s", t->repository, t->image, tag);

		if (walk_add(w, one, true, t->disabled, e) < 0)
			return -1;
		/* A find of its own for each set of nodes. */
		if (json_object_size(t->nodes))
			w->out->items[w->out->n - 1].nodes = json_dumps(t->nodes, JSON_SORT_KEYS | JSON_COMPACT);
	}
	return 0;
}

int rule_triple(struct walk *w, json_t *map, struct err *e)
{
	struct triple t;

	if (!read_triple(w, map, &t))
		return 0;

	auto_free char *name = xasprintf("%s/%s", t.repository, t.image);

	/* Without a rule the three words may mean something else. */
	if (!t.rule && !scan_parses(name))
		return 0;
	if (w->edit) {
		replace_triple(w, map, &t);
		return 1;
	}
	return add_triple(w, &t, e) < 0 ? -1 : 1;
}

bool rule_triple_key(const struct walk *w, const json_t *map, const char *key)
{
	const struct scan_rule *rule = triple_rule(w, map);

	for (size_t i = 0; i < 3; i++)
		if (strcmp(key, rule ? rule->triple.items[i] : usual[i]) == 0)
			return true;
	return false;
}

/* ---- joins: a name that an operator puts together */

static bool some_join_needs(const struct walk *w, const char *name)
{
	auto_free char *wanted = xasprintf("{env:%s}", name);

	for (size_t i = 0; i < w->n_rules; i++)
		if (w->rules[i].join && rule_for(&w->rules[i], w) && strstr(w->rules[i].join, wanted))
			return true;
	return false;
}

void rule_keep_env(struct walk *w, const char *name, const char *value)
{
	if (w->n_envs >= ENVS_MAX || !some_join_needs(w, name))
		return;
	for (size_t i = 0; i < w->n_envs; i++)
		if (strcmp(w->envs[i].name, name) == 0 && strcmp(w->envs[i].value, value) == 0)
			return;
	GROW(w->envs, w->n_envs);
	w->envs[w->n_envs++] = (struct scan_env){
		xstrdup(name), xstrdup(value),
		{ .file = xstrdup(w->file), .kind = xstrdup(w->kind), .path = xstrdup(buf_str(&w->path)) },
	};
}

void rule_forget_envs(struct walk *w)
{
	for (size_t i = 0; i < w->n_envs; i++) {
		free(w->envs[i].name);
		free(w->envs[i].value);
		free(w->envs[i].at.file);
		free(w->envs[i].at.kind);
		free(w->envs[i].at.path);
	}
	free(w->envs);
	w->envs = NULL;
	w->n_envs = 0;
}

/* One join on its way: the text so far, and where its first piece stands. */
struct join {
	struct walk *w;
	const struct helm_object *object;       /* NULL: of variables alone */
	char *file, *kind, *path;               /* borrowed */
	size_t made;
};

static int finish_join(struct join *j, const char *image, struct err *e)
{
	struct walk *w = j->w;

	if (!j->file || *image == ':' || *image == '/')
		return 0;
	if (++j->made > JOINS_MAX)
		return err_set(e, ERR_LIMIT, "a join gives more than %u names", JOINS_MAX);
	w->file = j->file;
	w->kind = j->kind;
	walk_leave(w, 0);
	if (buf_add(&w->path, j->path, strlen(j->path), e) < 0)
		return -1;
	return walk_add(w, image, true, false, e);
}

static int go_on(struct join *j, const char *done, const char *pattern, struct err *e);

/* The piece is known: the rest of the pattern behind it. */
static int put_piece(struct join *j, const char *done, const char *piece, const char *rest, const struct scan_find *at,
		     struct err *e)
{
	const struct join before = *j;
	auto_free char *text = xasprintf("%s%s", done, piece);

	if (strlen(text) > JOIN_MAX)
		return err_set(e, ERR_LIMIT, "a join is longer than %u bytes", JOIN_MAX);
	if (!j->file) {
		j->file = at->file;
		j->kind = at->kind;
		j->path = at->path;
	}

	int r = go_on(j, text, rest, e);

	j->file = before.file;
	j->kind = before.kind;
	j->path = before.path;
	return r;
}

/* An object of the rule's kind is there and needs an image: a variable that nobody sets would be one missing on site. */
static int put_env(struct join *j, const char *done, const char *name, const char *rest, struct err *e)
{
	const struct walk *w = j->w;
	bool known = false;

	for (size_t i = 0; i < w->n_envs; i++) {
		if (strcmp(w->envs[i].name, name) != 0)
			continue;
		known = true;
		if (put_piece(j, done, w->envs[i].value, rest, &w->envs[i].at, e) < 0)
			return -1;
	}
	if (!known && j->object)
		return err_set(e, ERR_MALFORMED, "a rule joins the variable %s and no object sets it: name the image in a triple",
			       name);
	return 0;
}

static int go_on(struct join *j, const char *done, const char *pattern, struct err *e)
{
	size_t plain = strcspn(pattern, "{"), n;
	auto_free char *text = xasprintf("%s%.*s", done, (int)plain, pattern);

	pattern += plain;
	if (!*pattern)
		return finish_join(j, text, e);
	n = strcspn(++pattern, "}");

	auto_free char *name = xstrndup(pattern, n);
	const char *rest = pattern + n + (pattern[n] == '}');

	if (str_starts(name, "env:"))
		return put_env(j, text, name + 4, rest, e);

	const char *value = j->object ? json_string_value(at_path(j->object->object, name)) : NULL;
	const char *kind = j->object ? jdoc_text(j->object->object, "kind", NULL) : NULL;
	struct scan_find at = { .file = j->object ? j->object->source : NULL, .kind = (char *)kind, .path = name };

	return value && *value ? put_piece(j, text, value, rest, &at, e) : 0;
}

static int join_objects(struct walk *w, const struct scan_rule *r, const struct helm_objects *objects, bool tests,
			struct err *e)
{
	struct join j = { .w = w };

	if (!r->kind)
		return go_on(&j, "", r->join, e);
	for (size_t i = 0; i < objects->n; i++) {
		const struct helm_object *o = &objects->items[i];

		if ((o->test && !tests) || !str_eq(jdoc_text(o->object, "kind", NULL), r->kind))
			continue;
		j.object = o;
		if (go_on(&j, "", r->join, e) < 0)
			return -1;
	}
	return 0;
}

int rule_joins(struct walk *w, const struct helm_objects *objects, bool tests, struct err *e)
{
	for (size_t i = 0; i < w->n_rules; i++)
		if (w->rules[i].join && rule_for(&w->rules[i], w) && join_objects(w, &w->rules[i], objects, tests, e) < 0)
			return -1;
	return 0;
}
