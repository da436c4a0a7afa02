/* SPDX-License-Identifier: Apache-2.0 */
#include "discover_sites.h"

#include <airgap/fs.h>
#include <airgap/reserved.h>
#include <airgap/schema_hint.h>
#include <airgap/site.h>
#include <airgap/tarball.h>

#include <glob.h>

void destinations_release(struct destinations *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->items[i].name);
		json_decref(d->items[i].values);
		ydoc_marks_free(d->items[i].marks);
		steps_release(&d->items[i].steps);
	}
	free(d->items);
	*d = (struct destinations){ 0 };
}

/* ---- site files */

static int add_site(struct destinations *d, const struct run *r, const char *path, const char *shown, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(ydoc_user.bytes);
	auto_ydoc_marks struct ydoc_marks *marks = NULL;

	if (fs_load(path, ydoc_user.bytes, &text, e) < 0)
		return -1;

	auto_json json_t *values = ydoc_parse(buf_str(&text), text.len, &ydoc_user, shown, &marks, e);

	if (!values)
		return -1;
	if (site_check(values, marks, shown, e) < 0)
		return -1;

	const char *version = jdoc_text(values, "kubernetes", "version", NULL);

	GROW(d->items, d->n);
	d->items[d->n++] = (struct destination){
		.name = xstrdup(shown), .values = TAKE(values), .marks = TAKE(marks),
		.kube_version = version && *version ? version : r->kube_version,
	};
	return 0;
}

static int add_matches(struct destinations *d, const struct run *r, const char *pattern, struct err *e)
{
	auto_free char *path = run_path(r, pattern);
	size_t cut = strlen(path) - strlen(pattern);
	glob_t found = { 0 };
	int rc = glob(path, GLOB_ERR, NULL, &found);

	if (rc == 0)
		for (size_t i = 0; i < found.gl_pathc && rc == 0; i++)
			rc = add_site(d, r, found.gl_pathv[i], found.gl_pathv[i] + cut, e);
	else
		rc = err_set(e, ERR_USAGE, "discover.sites: '%s' matches no file", pattern);
	globfree(&found);
	return rc;
}

static int load(struct destinations *d, const struct run *r, const char *path, struct err *e)
{
	if (path)
		d->named = true;
	if (path)
		return add_site(d, r, path, path, e);
	for (size_t i = 0; i < r->m->discover.sites.n; i++)
		if (add_matches(d, r, r->m->discover.sites.items[i], e) < 0)
			return -1;
	if (!d->n) {
		GROW(d->items, d->n);
		d->items[d->n++] = (struct destination){ .name = xstrdup("its defaults"), .kube_version = r->kube_version };
	}
	return 0;
}

/* ---- steps */

static json_t *names_of(const struct strv *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(list, json_string(v->items[i]));
	return list;
}

static json_t *reserved_at_build(const struct destination *s, const struct run *r)
{
	json_t *facts = facts_encode(&r->facts);

	return json_pack("{ss, so, s{}, s{ss, so}, s{ss, ss, s{}, s{}, s{}, s{}, s{}, s{}}}",
			 "side", "build", "facts", facts ? facts : json_object(), "installed",
			 "kubernetes", "version", s->kube_version, "apiVersions", names_of(r->api_versions),
			 "bundle", "name", r->m->metadata.name, "version", r->m->metadata.version,
			 "charts", "images", "files", "packages", "python", "git");
}

/* What the site chart's schema has against the site file, said with the file's lines. */
static int explain(const struct destinations *d, const struct destination *s, struct err *e)
{
	const struct buf *archive = &d->chart->archive;
	auto_buf struct buf text = BUF_INIT(CHART_MAX);
	struct err ignored;
	int there = tarball_chart_file(archive->ptr, archive->len, "values.schema.json", &text, &ignored);
	auto_json json_t *schema = there == 1 ? jdoc_parse(buf_str(&text), text.len, CHART_MAX, "schema", &ignored) : NULL;
	auto_free char *hint = schema_hint(s->name, s->values, s->marks, schema, e->msg);

	return hint ? err_set(e, ERR_MALFORMED, "%s", hint) : err_wrap(e, "site '%s'", s->name);
}

/* The site file, and under `airgap` what it must not say itself; that is taken. */
static int render(const struct destinations *d, const struct destination *s, struct run *r, json_t *airgap, struct steps *out,
		  struct err *e)
{
	auto_helm_objects struct helm_objects objects = { 0 };
	auto_json json_t *values = s->values ? json_deep_copy(s->values) : json_object();
	const struct helm_render what = {
		.chart = d->chart->path, .release = "site", .ns = "default", .values = values,
		.kube_version = s->kube_version, .api_versions = r->api_versions,
	};
	struct helm *helm = run_helm(r, e);

	json_object_set_new(values, "airgap", airgap);
	if (!helm)
		return -1;
	if (helm_template(helm, &what, &objects, e) < 0)
		return explain(d, s, e);
	return steps_parse(&objects, out, e) < 0 ? err_wrap(e, "site '%s'", s->name) : 0;
}

int destinations_read(struct destinations *d, struct run *r, const char *path, struct err *e)
{
	if (load(d, r, path, e) < 0)
		return -1;
	for (size_t i = 0; i < d->n; i++)
		if (render(d, &d->items[i], r, reserved_at_build(&d->items[i], r), &d->items[i].steps, e) < 0)
			return -1;
	return 0;
}

int destination_on_site(const struct destinations *d, const struct destination *s, struct run *r, const struct ref_site *names,
			struct steps *out, struct err *e)
{
	const struct reserved what = { &r->lock->contents, *names, s->kube_version, NULL };
	json_t *airgap = reserved_on_site(&what, e);

	return airgap ? render(d, s, r, airgap, out, e) : -1;
}
