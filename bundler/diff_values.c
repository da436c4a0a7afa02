/* SPDX-License-Identifier: Apache-2.0 */
#include "diff.h"

#include <airgap/tarball.h>
#include <airgap/yaml.h>

#define ARCHIVE_MAX (100u << 20)
#define PATH_BYTES  4096u
#define CHANGES_MAX 10000u

/* A chart's files of default values, by their name. */
struct files { json_t *docs; };

static bool is_values(const char *name)
{
	const char *slash = strrchr(name, '/');

	if (!slash)
		return str_starts(name, "values") && (str_ends(name, ".yaml") || str_ends(name, ".yml"));
	return str_starts(name, "charts/") && strcmp(slash, "/values.yaml") == 0;
}

/* What is no YAML is compared as a text. */
static int keep_values(void *ctx, const struct tarball_member *m, struct err *e)
{
	struct files *f = ctx;
	struct err ignored;

	if (!is_values(m->name))
		return 0;

	json_t *doc = ydoc_parse(m->bytes, m->size, &ydoc_rendered, m->name, NULL, &ignored);

	if (!doc)
		doc = json_stringn((const char *)m->bytes, m->size);
	json_object_set_new(f->docs, m->name, doc ? doc : json_null());
	return 0;
}

static int load(struct subject *s, const struct content_chart *c, json_t *out, struct err *e)
{
	auto_buf struct buf archive = BUF_INIT(ARCHIVE_MAX);
	struct files f = { out };
	int there = subject_blob(s, &c->archive, &archive, e);

	if (there == 1 && tarball_chart_each(buf_str(&archive), archive.len, keep_values, &f, e) < 0)
		return -1;
	return there;
}

/* ---- key by key */

struct walk { json_t *out; const char *file; struct buf path; };

static void report(struct walk *w, const json_t *a, const json_t *b)
{
	json_t *change = json_pack("{ss, ss}", "file", w->file, "key", buf_str(&w->path));

	if (a)
		json_object_set(change, "old", (json_t *)a);
	if (b)
		json_object_set(change, "new", (json_t *)b);
	json_array_append_new(w->out, change);
}

static int compare(struct walk *w, const json_t *a, const json_t *b, struct err *e);

/* Keys with dots in quotes. */
static int compare_key(struct walk *w, const char *key, const json_t *a, const json_t *b, struct err *e)
{
	size_t len = w->path.len;
	const char *quote = strchr(key, '.') ? "\"" : "";
	auto_free char *step = xasprintf("%s%s%s%s", len ? "." : "", quote, key, quote);

	if (buf_add(&w->path, step, strlen(step), e) < 0 || compare(w, a, b, e) < 0)
		return -1;
	w->path.len = len;
	w->path.ptr[len] = '\0';
	return 0;
}

/* Depth is bounded by the parser. */
static int compare(struct walk *w, const json_t *a, const json_t *b, struct err *e)
{
	const char *key;
	json_t *v;

	if (json_array_size(w->out) >= CHANGES_MAX)
		return err_set(e, ERR_LIMIT, "more than %u changed values", CHANGES_MAX);
	if (!json_is_object(a) || !json_is_object(b)) {
		if (!a || !b || !json_equal(a, b))
			report(w, a, b);
		return 0;
	}
	json_object_foreach((json_t *)a, key, v)
		if (compare_key(w, key, v, json_object_get(b, key), e) < 0)
			return -1;
	json_object_foreach((json_t *)b, key, v)
		if (!json_object_get(a, key) && compare_key(w, key, NULL, v, e) < 0)
			return -1;
	return 0;
}

static int compare_file(json_t *out, const char *name, const json_t *a, const json_t *b, struct err *e)
{
	struct walk w = { out, name, BUF_INIT(PATH_BYTES) };
	int r = compare(&w, a, b, e);

	buf_release(&w.path);
	return r;
}

int diff_values(struct subject *from, const struct content_chart *a, struct subject *to, const struct content_chart *b,
		json_t *out, struct err *e)
{
	auto_json json_t *old = json_object(), *new = json_object();
	const char *name;
	json_t *doc;
	int there = load(from, a, old, e);

	if (there == 1)
		there = load(to, b, new, e);
	if (there <= 0)
		return there;
	json_object_foreach(old, name, doc)
		if (compare_file(out, name, doc, json_object_get(new, name), e) < 0)
			return -1;
	json_object_foreach(new, name, doc)
		if (!json_object_get(old, name) && compare_file(out, name, NULL, doc, e) < 0)
			return -1;
	return 1;
}
