/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/chart.h>

#include <airgap/decode.h>
#include <airgap/semver.h>
#include <airgap/tarball.h>

#define TEXT_MAX (5u << 20)     /* of one file, as in tarball_chart */

static const struct field dependency_fields[] = {
	F_STR(struct chart_dependency, name, "name", F_REQUIRED),
	F_STR(struct chart_dependency, version, "version", F_ALIAS_SCALAR),
	F_STR(struct chart_dependency, repository, "repository", 0),
	{ 0 }
};
static const struct type dependency_type = TYPE_FLAGS(struct chart_dependency, dependency_fields, TYPE_OPEN);

static const struct field chart_fields[] = {
	F_STR(struct chart, api_version, "apiVersion", F_REQUIRED),
	F_STR(struct chart, name, "name", F_REQUIRED),
	F_STR(struct chart, version, "version", F_REQUIRED | F_ALIAS_SCALAR),
	F_STR(struct chart, app_version, "appVersion", F_ALIAS_SCALAR),
	F_STR(struct chart, kube_version, "kubeVersion", 0),
	F_STR(struct chart, type, "type", 0),
	F_LIST(struct chart, dependencies, n_dependencies, "dependencies", dependency_type, 0),
	{ 0 }
};
static const struct type chart_type = TYPE_FLAGS(struct chart, chart_fields, TYPE_OPEN);

/* requirements.yaml of a v1 chart, which has the dependencies instead; Chart.lock is spelt the same. */
struct requirements { struct chart_dependency *items; size_t n; };
static const struct field requirements_fields[] = {
	F_LIST(struct requirements, items, n, "dependencies", dependency_type, 0),
	{ 0 }
};
static const struct type requirements_type = TYPE_FLAGS(struct requirements, requirements_fields, TYPE_OPEN);

void chart_release(struct chart *c)
{
	struct requirements locked = { c->locked, c->n_locked };

	decode_free(&requirements_type, &locked);
	json_decref(c->metadata);
	decode_free(&chart_type, c);
}

/* ---- Chart.yaml */

/* Helm reads the three texts as texts whatever they look like: 1.10 is "1.1" to it, and so to us. */
static int texts_from_reals(json_t *doc, struct err *e)
{
	static const char *const keys[] = { "version", "appVersion", "kubeVersion" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const json_t *v = json_object_get(doc, keys[i]);
		auto_free char *text = json_is_real(v) ? xasprintf("%.15g", json_real_value(v)) : NULL;

		if (text && json_object_set_new(doc, keys[i], json_string(text)) < 0)
			return err_set(e, ERR_MALFORMED, "%s: not a text", keys[i]);
	}
	return 0;
}

static json_t *parse_yaml(const void *p, size_t n, const char *subject, struct err *e)
{
	json_t *doc = ydoc_parse(p, n, &ydoc_rendered, subject, NULL, e);

	if (doc && !json_is_object(doc)) {
		json_decref(doc);
		err_set(e, ERR_MALFORMED, "%s: not a map", subject);
		return NULL;
	}
	return doc;
}

static int parse_metadata(const void *p, size_t n, struct chart *out, struct err *e)
{
	auto_json json_t *doc = parse_yaml(p, n, "Chart.yaml", e);
	auto_chart struct chart c = { 0 };
	struct semver v;

	if (!doc || texts_from_reals(doc, e) < 0 || decode(&chart_type, doc, NULL, "Chart.yaml", &c, e) < 0)
		return -1;
	if (!str_eq(c.api_version, "v1") && !str_eq(c.api_version, "v2"))
		return err_set(e, ERR_UNSUPPORTED, "Chart.yaml: apiVersion '%s' is neither v1 nor v2", c.api_version);
	if (!*c.name || strchr(c.name, '/') || strchr(c.name, '\\') || c.name[0] == '.')
		return err_set(e, ERR_UNSAFE, "Chart.yaml: '%s' is no name", c.name);
	if (!semver_parse(c.version, 0, &v))
		return err_set(e, ERR_MALFORMED, "Chart.yaml: '%s' is no version", c.version);
	c.metadata = TAKE(doc);
	*out = c;
	c = (struct chart){ 0 };
	return 0;
}

static int parse_requirements(const struct buf *text, struct chart *c, struct err *e)
{
	auto_json json_t *doc = parse_yaml(buf_str(text), text->len, "requirements.yaml", e);
	struct requirements r;

	if (!doc || decode(&requirements_type, doc, NULL, "requirements.yaml", &r, e) < 0)
		return -1;
	if (c->n_dependencies) {
		decode_free(&requirements_type, &r);
		return 0;
	}
	c->dependencies = r.items;
	c->n_dependencies = r.n;
	return 0;
}

static int parse_lock(const struct buf *text, struct chart *c, struct err *e)
{
	auto_json json_t *doc = parse_yaml(buf_str(text), text->len, "Chart.lock", e);
	struct requirements r;

	if (!doc || decode(&requirements_type, doc, NULL, "Chart.lock", &r, e) < 0)
		return -1;
	c->locked = r.items;
	c->n_locked = r.n;
	return 0;
}

/* ---- a walk over the archive */

struct walk {
	struct buf metadata, requirements, lock;
	struct chart *inside;           /* charts in charts/, at the first level */
	size_t n_inside;
};

static void walk_release(struct walk *w)
{
	for (size_t i = 0; i < w->n_inside; i++)
		chart_release(&w->inside[i]);
	free(w->inside);
	buf_release(&w->metadata);
	buf_release(&w->requirements);
	buf_release(&w->lock);
}

static int metadata_only(void *ctx, const struct tarball_member *m, struct err *e)
{
	if (strcmp(m->name, "Chart.yaml") != 0)
		return 0;
	return buf_add(ctx, m->bytes, m->size, e);
}

/* charts/NAME-VERSION.tgz: a chart of its own. */
static int read_packed(const struct tarball_member *m, struct chart *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(TEXT_MAX);

	if (tarball_chart_each(m->bytes, m->size, metadata_only, &text, e) < 0)
		return -1;
	if (!text.len)
		return err_set(e, ERR_MALFORMED, "has no Chart.yaml");
	return parse_metadata(text.ptr, text.len, out, e);
}

static int add_inside(struct walk *w, const struct tarball_member *m, struct err *e)
{
	const char *name = m->name + strlen("charts/"), *slash = strchr(name, '/');
	struct chart c = { 0 };
	int r;

	if (*name == '_' || *name == '.')       /* as helm's loader */
		return 0;
	if (!slash && str_ends(name, ".tgz"))
		r = read_packed(m, &c, e);
	else if (slash && strcmp(slash, "/Chart.yaml") == 0)
		r = parse_metadata(m->bytes, m->size, &c, e);
	else
		return 0;
	if (r < 0)
		return err_wrap(e, "%s", m->name);
	GROW(w->inside, w->n_inside);
	w->inside[w->n_inside++] = c;
	return 0;
}

static int walk_member(void *ctx, const struct tarball_member *m, struct err *e)
{
	struct walk *w = ctx;

	if (strcmp(m->name, "Chart.yaml") == 0)
		return buf_add(&w->metadata, m->bytes, m->size, e);
	if (strcmp(m->name, "requirements.yaml") == 0)
		return buf_add(&w->requirements, m->bytes, m->size, e);
	if (strcmp(m->name, "Chart.lock") == 0 || strcmp(m->name, "requirements.lock") == 0)
		return w->lock.len ? 0 : buf_add(&w->lock, m->bytes, m->size, e);
	return str_starts(m->name, "charts/") ? add_inside(w, m, e) : 0;
}

/* 1: there in a version that will do. 0: not. */
static int has_dependency(const struct walk *w, const struct chart_dependency *d, struct err *e)
{
	for (size_t i = 0; i < w->n_inside; i++) {
		int fits;

		if (strcmp(w->inside[i].name, d->name) != 0)
			continue;
		fits = semver_matches(d->version ? d->version : "", w->inside[i].version, e);
		if (fits != 0)
			return fits;
	}
	return 0;
}

static int mark_missing(const struct walk *w, struct chart *c, struct err *e)
{
	for (size_t i = 0; i < c->n_dependencies; i++) {
		struct chart_dependency *d = &c->dependencies[i];
		int there = has_dependency(w, d, e);

		if (there < 0)
			return err_wrap(e, "dependency '%s'", d->name);
		d->missing = !there;
	}
	return 0;
}

int chart_read_open(const void *p, size_t n, struct chart *out, struct err *e)
{
	CLEANUP(walk_release) struct walk w = { BUF_INIT(TEXT_MAX), BUF_INIT(TEXT_MAX), BUF_INIT(TEXT_MAX), NULL, 0 };
	auto_chart struct chart c = { 0 };

	if (tarball_chart_each(p, n, walk_member, &w, e) < 0)
		return -1;
	if (!w.metadata.len)
		return err_set(e, ERR_MALFORMED, "has no Chart.yaml");
	if (parse_metadata(w.metadata.ptr, w.metadata.len, &c, e) < 0)
		return -1;
	if (w.requirements.len && parse_requirements(&w.requirements, &c, e) < 0)
		return -1;
	if ((w.lock.len && parse_lock(&w.lock, &c, e) < 0) || mark_missing(&w, &c, e) < 0)
		return -1;
	*out = c;
	c = (struct chart){ 0 };
	return 0;
}

int chart_read(const void *p, size_t n, struct chart *out, struct err *e)
{
	auto_chart struct chart c = { 0 };
	auto_strv struct strv missing = { 0 };

	if (chart_read_open(p, n, &c, e) < 0)
		return -1;
	for (size_t i = 0; i < c.n_dependencies; i++) {
		const struct chart_dependency *d = &c.dependencies[i];

		if (d->missing)
			strv_pushf(&missing, "%s %s", d->name, d->version && *d->version ? d->version : "*");
	}
	if (missing.n) {
		auto_free char *list = strv_join(&missing, ", ");

		return err_set(e, ERR_MALFORMED, "its charts/ folder lacks %s: run 'helm dependency build' before it is packed", list);
	}
	*out = c;
	c = (struct chart){ 0 };
	return 0;
}

int chart_check(const struct chart *c, const char *kube_version, struct err *e)
{
	int fits = c->kube_version ? semver_matches(c->kube_version, kube_version, e) : 1;

	if (fits < 0)
		return err_wrap(e, "kubeVersion");
	if (!fits)
		return err_set(e, ERR_USAGE, "takes Kubernetes %s, not %s: choose another version of it, or patch its kubeVersion",
			       c->kube_version, kube_version);
	if (str_eq(c->type, "library"))
		return err_set(e, ERR_USAGE, "is a library and cannot be installed");
	return 0;
}

/* Reals have no one spelling: texts instead. */
static void reals_to_texts(json_t *j)
{
	const char *key;
	json_t *v;
	size_t i;
	void *next;

	json_object_foreach_safe(j, next, key, v) {
		if (json_is_real(v)) {
			auto_free char *text = xasprintf("%.15g", json_real_value(v));

			json_object_set_new(j, key, json_string(text));
		} else {
			reals_to_texts(v);
		}
	}
	json_array_foreach(j, i, v)
		reals_to_texts(v);
}

int chart_config(const struct chart *c, struct buf *out, struct err *e)
{
	auto_json json_t *doc = json_deep_copy(c->metadata);

	reals_to_texts(doc);
	json_object_set_new(doc, "version", json_string(c->version));
	if (c->app_version)
		json_object_set_new(doc, "appVersion", json_string(c->app_version));
	return jdoc_dump(doc, out, e);
}
