/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/schema_hint.h>

#include <airgap/strv.h>

/* One complaint: where in the values, which key is not known there (NULL: something else), and the words. */
struct complaint {
	struct strv at;
	char *key, *text;
};

static void complaint_release(struct complaint *c)
{
	strv_release(&c->at);
	free(c->key);
	free(c->text);
}

/* "- at '/web': additional properties 'replica', 'x' not allowed - at …", since helm 3.18. */
static bool read_new(const char *message, struct complaint *out)
{
	static const char start[] = "- at '", unknown[] = "additional properties '";
	const char *p = strstr(message, start), *end;

	if (!p)
		return false;
	p += strlen(start);
	end = strstr(p, "': ");
	if (!end)
		return false;

	auto_free char *path = xstrndup(p, (size_t)(end - p));

	strv_split(&out->at, path, '/');
	p = end + strlen("': ");
	end = strstr(p, " - at '");
	out->text = xstrndup(p, end ? (size_t)(end - p) : strcspn(p, "\n"));
	if (str_starts(p, unknown))
		out->key = xstrndup(p + strlen(unknown), strcspn(p + strlen(unknown), "'"));
	return true;
}

/* "- web.image: Additional property replica is not allowed - …"; "(root)" is the top. */
static bool read_old(const char *message, struct complaint *out)
{
	static const char unknown[] = "Additional property ";
	const char *p = strstr(message, "- "), *end = p ? strstr(p, ": ") : NULL;

	if (!end)
		return false;

	auto_free char *path = xstrndup(p + 2, (size_t)(end - p - 2));

	if (strchr(path, ' '))
		return false;
	if (strcmp(path, "(root)") != 0)
		strv_split(&out->at, path, '.');
	p = end + 2;
	end = strstr(p, " - ");
	out->text = xstrndup(p, end ? (size_t)(end - p) : strcspn(p, "\n"));
	if (str_starts(p, unknown))
		out->key = xstrndup(p + strlen(unknown), strcspn(p + strlen(unknown), " "));
	return true;
}

/* The schema of a member, through a reference into the same document. */
static const json_t *follow(const json_t *schema, const json_t *root)
{
	static const char *const places[] = { "definitions", "$defs" };
	const char *ref = jdoc_text(schema, "$ref", NULL);

	for (size_t i = 0; ref && i < ARRAY_LEN(places); i++) {
		auto_free char *start = xasprintf("#/%s/", places[i]);

		if (str_starts(ref, start))
			return jdoc_at(root, places[i], ref + strlen(start), NULL);
	}
	return schema;
}

static const json_t *schema_at(const json_t *root, const struct strv *at)
{
	const json_t *s = follow(root, root);

	for (size_t i = 0; i < at->n; i++)
		s = follow(jdoc_at(s, "properties", at->items[i], NULL), root);
	return s;
}

/* The map at a path; *line is that of the last key on the way. */
static const json_t *map_at(const json_t *doc, const struct ydoc_marks *marks, const struct strv *at, unsigned *line)
{
	for (size_t i = 0; doc && i < at->n; i++) {
		uint64_t index;
		bool list = json_is_array(doc) && u64_parse(at->items[i], &index);

		*line = list ? ydoc_line(marks, doc, NULL, (size_t)index) : ydoc_line(marks, doc, at->items[i], 0);
		doc = list ? json_array_get(doc, (size_t)index) : json_object_get(doc, at->items[i]);
	}
	return doc;
}

static const char *nearest(const json_t *schema, const char *key)
{
	auto_strv struct strv known = { 0 };
	const json_t *properties = json_object_get(schema, "properties");
	const char *name;
	json_t *ignored;

	json_object_foreach((json_t *)properties, name, ignored)
		strv_push(&known, name);

	const char *near = known.n ? strv_nearest((const char *const *)known.items, key) : NULL;

	/* Borrowed from the schema, which outlives the list. */
	return near ? json_object_iter_key(json_object_iter_at((json_t *)properties, near)) : NULL;
}

/* "execution error at (site/templates/a.yaml:3:4): tls.cert: missing  Use --debug …": what `fail` in a template said. It
 * begins with the key it is about, whose line is that of the nearest key above it that the file has. */
static char *template_hint(const char *file, const json_t *doc, const struct ydoc_marks *marks, const char *message)
{
	const char *start = strstr(message, "execution error at ("), *text = start ? strstr(start, "): ") : NULL;
	auto_strv struct strv at = { 0 };
	unsigned line = 0;

	if (!text)
		return NULL;
	text += strlen("): ");

	const char *advice = strstr(text, "Use --debug flag");
	size_t n = advice ? (size_t)(advice - text) : strlen(text);

	while (n && (text[n - 1] == ' ' || text[n - 1] == '\n'))
		n--;

	auto_free char *words = xstrndup(text, n), *path = xstrndup(words, strcspn(words, ": "));

	strv_split(&at, path, '.');
	for (size_t i = 0; doc && i < at.n; i++) {
		unsigned here = ydoc_line(marks, doc, at.items[i], 0);

		line = here ? here : line;
		doc = json_object_get(doc, at.items[i]);
	}
	return line ? xasprintf("%s:%u: %s", file, line, words) : xasprintf("%s: %s", file, words);
}

char *schema_hint(const char *file, const json_t *doc, const struct ydoc_marks *marks, const json_t *schema,
		  const char *helm_message)
{
	CLEANUP(complaint_release) struct complaint c = { 0 };
	unsigned line = 0;

	if (strstr(helm_message, "execution error at ("))
		return template_hint(file, doc, marks, helm_message);
	if (!strstr(helm_message, "schema(s)") || (!read_new(helm_message, &c) && !read_old(helm_message, &c)))
		return NULL;

	const json_t *map = map_at(doc, marks, &c.at, &line);
	auto_free char *path = c.at.n ? strv_join(&c.at, ".") : xstrdup("");

	if (c.key)
		line = ydoc_line(marks, map, c.key, 0);
	if (!line)
		return NULL;
	if (!c.key)
		return xasprintf("%s:%u: %s: %s", file, line, path, c.text);

	const char *near = nearest(schema_at(schema, &c.at), c.key);

	return xasprintf("%s:%u: %s%sunknown key '%s'%s%s%s", file, line, path, *path ? ": " : "", c.key,
			 near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
}
