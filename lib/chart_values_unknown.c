/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/chart_values.h>

#include <airgap/strv.h>

#include <ctype.h>

#define AHEAD 600u      /* of a `with`: how far its block is looked at */

struct unknown {
	const struct chart_values *v;
	chart_values_fn told;
	void *ctx;
};

static bool in_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* The next place in text where the word stands and does not go on. */
static const char *find_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = strstr(text, word); p; p = strstr(p + 1, word))
		if (!in_word(p[n]))
			return p;
	return NULL;
}

static bool writes(const char *text)
{
	static const char *const words[] = { "toYaml", "toJson", "tplvalues", "range ", "merge" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strstr(text, words[i]))
			return true;
	return false;
}

/* One {{ … }} that names the map: is the whole of it written out, or is the key read in the block that it opens? */
static bool action_reads(const char *action, size_t n, const char *map, const char *key)
{
	auto_free char *text = xstrndup(action, n);
	const char *at = find_word(text, map), *first = text + strspn(text, "{- \t\n");

	for (; at && at[strlen(map)] == '.'; at = find_word(at + 1, map))
		continue;
	if (!at)
		return false;
	if (writes(text))
		return true;
	if (!str_starts(first, "with "))
		return false;

	auto_free char *block = xstrndup(action + n, strnlen(action + n, AHEAD));

	return writes(block) || find_word(block, key);
}

static bool is_read(const struct chart_values *v, const char *parent, const char *key)
{
	auto_free char *chain = xasprintf(".%s.%s", parent, key), *quoted = xasprintf("\"%s\"", key);
	auto_free char *map = xasprintf(".%s", parent), *dotted = xasprintf(".%s", key);
	const char *text = buf_str(&v->templates);

	if (find_word(text, chain) || strstr(text, quoted))
		return true;
	if (strcmp(parent, "Values") == 0)
		return false;
	/* what a sub-chart is given under its name, it reads as its own */
	if (strv_has(&v->parts, parent) && is_read(v, "Values", key))
		return true;
	for (const char *p = strstr(text, "{{"); p; p = strstr(p + 2, "{{")) {
		const char *end = strstr(p, "}}");

		if (!end)
			break;
		if (action_reads(p, (size_t)(end - p) + 2, map, dotted))
			return true;
	}
	return false;
}

/* Maps of this name hold what Kubernetes or a user calls so, in every chart. */
static bool is_open(const char *name)
{
	static const char *const ends[] = { "ecurityContext", "nnotations", "abels", "elector", "esources", "imits", "equests", "ffinity" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (str_ends(name, ends[i]))
			return true;
	return false;
}

static char *below(const char *path, const char *key)
{
	return xasprintf("%s%s%s", path, *path ? "." : "", key);
}

/* The path of the first value in it. */
static char *leaf_of(const char *path, const json_t *v)
{
	char *leaf = xstrdup(path);

	while (json_is_object(v) && json_object_size(v)) {
		void *i = json_object_iter((json_t *)v);
		char *next = below(leaf, json_object_iter_key(i));

		v = json_object_iter_value(i);
		free(leaf);
		leaf = next;
	}
	return leaf;
}

static void tell(const struct unknown *u, const char *path, const char *key, const json_t *value, const json_t *defaults,
		 const json_t *properties)
{
	auto_free char *whole = below(path, key), *leaf = leaf_of(whole, value);
	auto_strv struct strv names = { 0 };
	const char *name;
	json_t *ignored;

	json_object_foreach((json_t *)defaults, name, ignored)
		strv_push(&names, name);
	json_object_foreach((json_t *)properties, name, ignored)
		strv_push(&names, name);

	const char *near = names.n ? strv_nearest((const char *const *)names.items, key) : NULL;
	auto_free char *nearest = near ? below(path, near) : NULL;

	u->told(u->ctx, whole, leaf, nearest);
}

static void walk(const struct unknown *u, const char *path, const char *name, const json_t *values, const json_t *defaults,
		 const json_t *schema)
{
	const json_t *properties = json_object_get(schema, "properties");
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)values, key, v) {
		const json_t *d = json_object_get(defaults, key), *s = json_object_get(properties, key);
		/* helm gives `global` to every sub-chart, whether a values.yaml has it or not */
		bool shared = !*path && strcmp(key, "global") == 0;
		auto_free char *whole = below(path, key);

		if (json_is_null(v))
			continue;
		if (!d && !s && !shared) {
			if (!is_read(u->v, name, key))
				tell(u, path, key, v, defaults, properties);
			continue;
		}
		if (json_is_object(v) && !is_open(key) &&
		    (shared || json_object_size(d) || json_object_size(json_object_get(s, "properties"))))
			walk(u, whole, key, v, d, s);
	}
}

void chart_values_unknown(const struct chart_values *v, const json_t *values, chart_values_fn told, void *ctx)
{
	const struct unknown u = { v, told, ctx };

	if (json_object_size(v->defaults))
		walk(&u, "", "Values", values, v->defaults, v->schema);
}
