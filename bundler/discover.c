/* SPDX-License-Identifier: Apache-2.0 */
#include "discover_render.h"
#include "resolve_sets.h"

#include <airgap/fs.h>
#include <airgap/reference.h>
#include <airgap/schema_hint.h>
#include <airgap/site.h>
#include <airgap/steps.h>
#include <airgap/tarball.h>
#include <airgap/yaml.h>

#include <glob.h>

/* One destination the bundle is meant for: a site file, or the site chart's defaults. */
struct destination {
	char *name;                     /* for messages */
	json_t *values;                 /* as written; NULL = nothing */
	struct ydoc_marks *marks;       /* its lines */
	const char *kube_version;       /* borrowed */
	struct steps steps;
};

struct discover {
	struct run *run;
	const struct run_chart *site_chart;     /* NULL: none, charts are rendered alone */
	bool named;                     /* one site was named: only what it needs is carried */
	struct destination *sites; size_t n_sites;
	struct renders renders;
};

static void discover_release(struct discover *d)
{
	for (size_t i = 0; i < d->n_sites; i++) {
		free(d->sites[i].name);
		json_decref(d->sites[i].values);
		ydoc_marks_free(d->sites[i].marks);
		steps_release(&d->sites[i].steps);
	}
	free(d->sites);
	renders_release(&d->renders);
}

/* ---- site files */

static int add_site(struct discover *d, const char *path, const char *shown, struct err *e)
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

	GROW(d->sites, d->n_sites);
	d->sites[d->n_sites++] = (struct destination){
		.name = xstrdup(shown), .values = TAKE(values), .marks = TAKE(marks),
		.kube_version = version && *version ? version : d->run->kube_version,
	};
	return 0;
}

static int add_matches(struct discover *d, const char *pattern, struct err *e)
{
	auto_free char *path = run_path(d->run, pattern);
	size_t cut = strlen(path) - strlen(pattern);
	glob_t found = { 0 };
	int r = glob(path, GLOB_ERR, NULL, &found);

	if (r == 0)
		for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
			r = add_site(d, found.gl_pathv[i], found.gl_pathv[i] + cut, e);
	else
		r = err_set(e, ERR_USAGE, "discover.sites: '%s' matches no file", pattern);
	globfree(&found);
	return r;
}

static int load_sites(struct discover *d, const char *path, struct err *e)
{
	struct run *r = d->run;

	if (path)
		d->named = true;
	if (path)
		return add_site(d, path, path, e);
	for (size_t i = 0; i < r->m->discover.sites.n; i++)
		if (add_matches(d, r->m->discover.sites.items[i], e) < 0)
			return -1;
	if (!d->n_sites) {
		GROW(d->sites, d->n_sites);
		d->sites[d->n_sites++] = (struct destination){ .name = xstrdup("its defaults"), .kube_version = r->kube_version };
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

/* The site file, and what it must not say itself. */
static json_t *site_values(const struct discover *d, const struct destination *s)
{
	const struct manifest *m = d->run->m;
	json_t *values = s->values ? json_deep_copy(s->values) : json_object();
	json_t *facts = facts_encode(&d->run->facts);

	json_object_set_new(values, "airgap", json_pack(
		"{ss, so, s{}, s{ss, so}, s{ss, ss, s{}, s{}, s{}, s{}, s{}, s{}}}",
		"side", "build", "facts", facts ? facts : json_object(), "installed",
		"kubernetes", "version", s->kube_version, "apiVersions", names_of(d->run->api_versions),
		"bundle", "name", m->metadata.name, "version", m->metadata.version,
		"charts", "images", "files", "packages", "python", "git"));
	return values;
}

/* What the site chart's schema has against the site file, said with the file's lines. */
static int explain(const struct discover *d, const struct destination *s, struct err *e)
{
	const struct buf *archive = &d->site_chart->archive;
	auto_buf struct buf text = BUF_INIT(CHART_MAX);
	struct err ignored;
	int there = tarball_chart_file(archive->ptr, archive->len, "values.schema.json", &text, &ignored);
	auto_json json_t *schema = there == 1 ? jdoc_parse(buf_str(&text), text.len, CHART_MAX, "schema", &ignored) : NULL;
	auto_free char *hint = schema_hint(s->name, s->values, s->marks, schema, e->msg);

	return hint ? err_set(e, ERR_MALFORMED, "%s", hint) : err_wrap(e, "site '%s'", s->name);
}

static int render_steps(struct discover *d, struct destination *s, struct err *e)
{
	auto_helm_objects struct helm_objects objects = { 0 };
	auto_json json_t *values = site_values(d, s);
	const struct helm_render r = {
		.chart = d->site_chart->path, .release = "site", .ns = "default", .values = values,
		.kube_version = s->kube_version, .api_versions = d->run->api_versions,
	};
	struct helm *helm = run_helm(d->run, e);

	if (!helm)
		return -1;
	if (helm_template(helm, &r, &objects, e) < 0)
		return explain(d, s, e);
	return steps_parse(&objects, &s->steps, e) < 0 ? err_wrap(e, "site '%s'", s->name) : 0;
}

/* ---- finds */

int run_add_finds(struct run *r, const struct run_chart *c, struct scan_finds *finds, struct err *e)
{
	auto_free struct node_tags_chart *charts = xcalloc(r->n_charts + 1, sizeof(*charts));
	struct node_tags_how how = { &r->m->discover, charts, 0 };
	bool is_site = str_eq(r->lock->contents.site, c->name);

	for (size_t i = 0; i < r->n_charts; i++)
		if (is_site || r->charts[i] == c)
			charts[how.n_charts++] = (struct node_tags_chart){ r->charts[i]->name, r->charts[i]->meta.version };
	if (node_tags_replace(finds, &r->facts, &how, &r->node_tags, e) < 0)
		return -1;
	return images_add_finds(&r->images, c->name, finds, e);
}

/* ---- Carry */

static int carry_tags(struct image *x, const json_t *tags, struct err *e)
{
	size_t i;
	json_t *tag;

	json_array_foreach(tags, i, tag) {
		const char *text = json_string_value(tag);

		if (!text || !ref_tag_ok(text))
			return err_set(e, ERR_MALFORMED, "carry.tags: image '%s': '%s' is no tag", x->text, text ? text : "");
		if (!strv_has(&x->tags, text))
			strv_push(&x->tags, text);
	}
	return 0;
}

/* A name that carry.images has not got would be passed over in silence. */
static int check_tagged(const struct step *t, struct err *e)
{
	const char *ref;
	json_t *tags;

	json_object_foreach(t->carry.tags, ref, tags) {
		if (!json_is_array(tags))
			return err_set(e, ERR_MALFORMED, "carry.tags: image '%s': a list of tags is wanted", ref);
		if (!strv_has(&t->carry.images, ref))
			return err_set(e, ERR_MALFORMED, "carry.tags: image '%s': is not among carry.images", ref);
	}
	return t->carry.tags && !json_is_object(t->carry.tags) ?
		       err_set(e, ERR_MALFORMED, "carry.tags: IMAGE: [TAG, …] is wanted") : 0;
}

static int carry_images(struct discover *d, const struct step *t, struct err *e)
{
	struct content_reason why = { d->site_chart->name, t->source, (char *)"Carry", (char *)"carry.images[]" };

	for (size_t i = 0; i < t->carry.images.n; i++) {
		const char *ref = t->carry.images.items[i];
		struct image *x = images_add(&d->run->images, ref, &why, e);

		if (!x || (t->carry.tags && carry_tags(x, json_object_get(t->carry.tags, ref), e) < 0))
			return -1;
	}
	return check_tagged(t, e);
}

static int carry_waivers(struct discover *d, const struct step *t, struct err *e)
{
	size_t i;
	json_t *w;

	json_array_foreach(t->carry.waive, i, w) {
		const char *image = jdoc_text(w, "image", NULL), *reason = jdoc_text(w, "reason", NULL);

		if (!image || !reason)
			return err_set(e, ERR_MALFORMED, "carry.waive[%zu]: needs image and reason", i);
		images_waiver(&d->run->images, image, reason);
	}
	return 0;
}

static int take_carry(struct discover *d, const struct step *t, struct err *e)
{
	for (size_t i = 0; i < t->carry.charts.n; i++)
		if (resolve_chart(d->run, t->carry.charts.items[i], e) < 0)
			return -1;
	return carry_waivers(d, t, e) < 0 ? -1 : carry_images(d, t, e);
}

/* ---- Release */

static int base_values(const struct run_chart *c, const struct step_base *b, json_t **out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(CHART_MAX);
	int there = tarball_chart_file(c->archive.ptr, c->archive.len, b->chart_file, &text, e);

	if (there < 0)
		return -1;
	if (!there && b->optional)
		return 0;
	if (!there)
		return err_set(e, ERR_USAGE, "base: chart '%s' has no file '%s'", c->name, b->chart_file);
	*out = ydoc_parse(buf_str(&text), text.len, &ydoc_rendered, b->chart_file, NULL, e);
	return *out ? 0 : -1;
}

static int all_base_values(const struct run_chart *c, const struct step_release *s, struct render *x, struct err *e)
{
	size_t n = 0;

	x->base = xcalloc(s->n_base + 1, sizeof(x->base[0]));
	for (size_t i = 0; i < s->n_base; i++) {
		if (base_values(c, &s->base[i], &x->base[n], e) < 0)
			return -1;
		n += x->base[n] != NULL;
	}
	return 0;
}

/* late = false: as the release starts. true: as it is once all it waits for is there. */
static int add_release(struct discover *d, const struct destination *site, const struct step_release *s, bool late,
		       struct err *e)
{
	const struct run_chart *c = run_chart(d->run, s->chart);
	auto_render struct render x = {
		.chart = c, .release = xstrdup(s->name), .ns = xstrdup(s->ns), .kube_version = xstrdup(site->kube_version),
		.values = s->values ? json_deep_copy(s->values) : json_object(), .tests = s->tests,
	};

	for (size_t i = 0; late && i < s->n_late; i++)
		jdoc_merge(x.values, s->late[i].values);
	if (all_base_values(c, s, &x, e) < 0 || reference_resolve(x.values, reference_placeholder, NULL, e) < 0)
		return -1;
	return renders_add_take(&d->renders, &x, e);
}

static int take_release(struct discover *d, const struct destination *site, const struct step *t, struct err *e)
{
	const struct step_release *s = &t->release;

	if (resolve_chart(d->run, s->chart, e) < 0)
		return -1;
	run_chart(d->run, s->chart)->released = true;
	if (add_release(d, site, s, false, e) < 0)
		return -1;
	return s->n_late ? add_release(d, site, s, true, e) : 0;
}

/* ---- Apply */

static void push_object(struct helm_objects *v, json_t *object, const char *source)
{
	GROW(v->items, v->n);
	v->items[v->n++] = (struct helm_object){ .object = json_incref(object), .source = xstrdup(source) };
}

static int apply_objects(struct discover *d, const struct step *t, struct helm_objects *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(ydoc_rendered.bytes);
	auto_json json_t *docs = NULL;
	size_t i;
	json_t *o;

	json_array_foreach(t->apply.objects, i, o)
		push_object(out, o, t->source);
	if (!t->apply.file)
		return 0;
	if (resolve_file_load(d->run, t->apply.file, &text, e) < 0)
		return -1;
	docs = ydoc_parse_all(buf_str(&text), text.len, &ydoc_rendered, t->apply.file, e);
	json_array_foreach(docs, i, o)
		push_object(out, o, t->apply.file);
	return docs ? 0 : -1;
}

static int take_apply(struct discover *d, const struct step *t, struct err *e)
{
	const struct manifest_discover *rules = &d->run->m->discover;
	auto_helm_objects struct helm_objects objects = { 0 };
	auto_scan struct scan_finds finds = { 0 };

	if (apply_objects(d, t, &objects, e) < 0 ||
	    scan_objects(&objects, d->site_chart->name, rules->rules, rules->n_rules, false, &finds, e) < 0)
		return -1;
	return run_add_finds(d->run, d->site_chart, &finds, e);
}

/* ---- Run and Probe */

/* The image of its pod is found as in the Job that will be made of it. */
static int take_run(struct discover *d, const struct step *t, struct err *e)
{
	const struct step_run *r = t->kind == STEP_PROBE ? &t->probe.run : &t->run;
	const struct manifest_discover *rules = &d->run->m->discover;
	auto_helm_objects struct helm_objects objects = { 0 };
	auto_scan struct scan_finds finds = { 0 };
	auto_json json_t *job = NULL;

	if (steps_where(r) != STEP_IN_POD)
		return 0;
	job = steps_job(t->metadata.name, r->ns ? r->ns : "", r, &r->command, true, NULL);
	push_object(&objects, job, t->source);
	if (scan_objects(&objects, d->site_chart->name, rules->rules, rules->n_rules, false, &finds, e) < 0)
		return -1;
	return images_add_finds(&d->run->images, d->site_chart->name, &finds, e);
}

/* ---- all steps of all sites */

static int take_step(struct discover *d, const struct destination *site, const struct step *t, enum step_kind kind,
		     struct err *e)
{
	int r = 0;

	if (t->kind != kind)
		return 0;
	if (kind == STEP_CARRY)
		r = take_carry(d, t, e);
	else if (kind == STEP_RELEASE)
		r = take_release(d, site, t, e);
	else if (kind == STEP_APPLY)
		r = take_apply(d, t, e);
	else
		r = take_run(d, t, e);
	return r < 0 ? err_wrap(e, "site '%s': %s", site->name, t->id) : 0;
}

/* Waivers come first, so that every later find meets them. */
static int take_steps(struct discover *d, struct err *e)
{
	static const enum step_kind order[] = { STEP_CARRY, STEP_RELEASE, STEP_APPLY, STEP_RUN, STEP_PROBE };

	for (size_t o = 0; o < ARRAY_LEN(order); o++)
		for (size_t i = 0; i < d->n_sites; i++)
			for (size_t k = 0; k < d->sites[i].steps.n; k++)
				if (take_step(d, &d->sites[i], &d->sites[i].steps.items[k], order[o], e) < 0)
					return -1;
	return 0;
}

/* ---- charts that no step renders */

static int chart_values(const struct discover *d, const struct manifest_chart *c, json_t **out, struct err *e)
{
	*out = json_object();
	for (size_t i = 0; i < c->values.n; i++) {
		auto_free char *path = run_path(d->run, c->values.items[i]);
		auto_buf struct buf text = BUF_INIT(ydoc_rendered.bytes);
		auto_json json_t *one = NULL;

		if (fs_load(path, ydoc_rendered.bytes, &text, e) < 0)
			return -1;
		one = ydoc_parse(buf_str(&text), text.len, &ydoc_rendered, c->values.items[i], NULL, e);
		if (!one)
			return -1;
		if (json_is_object(one))
			jdoc_merge(*out, one);
	}
	return 0;
}

static int add_alone(struct discover *d, const struct run_chart *c, struct err *e)
{
	auto_render struct render x = {
		.chart = c, .release = xstrndup(c->name, 53), .ns = xstrdup("default"),
		.kube_version = xstrdup(d->run->kube_version),
	};

	if (chart_values(d, c->entry, &x.values, e) < 0)
		return err_wrap(e, "chart '%s'", c->name);
	return renders_add_take(&d->renders, &x, e);
}

static int take_other_charts(struct discover *d, struct err *e)
{
	const struct manifest *m = d->run->m;

	for (size_t i = 0; i < m->n_charts; i++) {
		const char *name = m->charts[i].name;

		if (d->named && !run_chart(d->run, name))
			carry_leave_out(&d->run->carry, "chart", name);
		else if (resolve_chart(d->run, name, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < d->run->n_charts; i++) {
		const struct run_chart *c = d->run->charts[i];

		if (c != d->site_chart && !c->released && add_alone(d, c, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- the manifest's own list */

static int take_images(struct run *r, struct err *e)
{
	static const struct content_reason listed;

	for (size_t i = 0; i < r->m->n_images; i++) {
		const struct manifest_image *m = &r->m->images[i];
		struct image *x = images_add(&r->images, m->ref, &listed, e);

		if (!x)
			return err_wrap(e, "images[%zu]", i);
		for (size_t k = 0; k < m->platforms.n; k++)
			strv_push(&x->platforms, m->platforms.items[k]);
		for (size_t k = 0; k < m->tags.n; k++)
			strv_push(&x->tags, m->tags.items[k]);
		for (size_t k = 0; k < m->add.n; k++)
			strv_push(&x->add, m->add.items[k]);
		x->layout = m->layout ? xstrdup(m->layout) : NULL;
		x->base = m->base ? xstrdup(m->base) : NULL;
	}
	return 0;
}

/* What the sites are, and what their steps say is carried. */
static int read_sites(struct discover *d, const char *site_path, struct err *e)
{
	if (site_path && !d->site_chart)
		return err_set(e, ERR_USAGE, "--site: the manifest has no site chart");
	if (!d->site_chart)
		return 0;
	if (load_sites(d, site_path, e) < 0)
		return -1;
	if (d->named)
		d->run->lock->contents.site_values = json_deep_copy(d->sites[0].values);
	for (size_t i = 0; i < d->n_sites; i++) {
		struct destination *s = &d->sites[i];

		if (render_steps(d, s, e) < 0)
			return -1;
		if (carry_read(&d->run->carry, d->run->m, &s->steps, s->values != NULL, e) < 0)
			return err_wrap(e, "site '%s'", s->name);
	}
	return 0;
}

/* Files before steps: an Apply step may name one whose images have to be found. */
static int resolve_entries(struct run *r, struct err *e)
{
	if (resolve_files(r, e) < 0 || resolve_packages(r, e) < 0 || resolve_python(r, e) < 0)
		return -1;
	return resolve_git(r, e);
}

/* A rule for a chart of another name never finds what it is for. */
static void warn_idle_rules(struct run *r)
{
	for (size_t i = 0; i < r->m->discover.n_rules; i++) {
		const char *chart = r->m->discover.rules[i].chart;

		if (chart && !manifest_chart(r->m, chart) && !run_chart(r, chart))
			run_warn(r, "discover.rules[%zu]: there is no chart '%s': name one of charts", i, chart);
	}
}

/* A chart that a Release renders has its values there. */
static void warn_idle_values(struct run *r)
{
	for (size_t i = 0; i < r->n_charts; i++) {
		const struct run_chart *c = r->charts[i];

		if (c->released && c->entry && c->entry->values.n)
			run_warn(r, "chart '%s': its values in the manifest are not used: a Release of the site chart renders it with "
				 "its own", c->name);
	}
}

int discover(struct run *r, const char *site_path, struct err *e)
{
	CLEANUP(discover_release) struct discover d = { .run = r };
	struct run_chart *site_chart = NULL;

	for (size_t i = 0; i < r->m->discover.n_waive; i++)
		images_waiver(&r->images, r->m->discover.waive[i].image, r->m->discover.waive[i].reason);
	if (take_images(r, e) < 0 || resolve_site_chart(r, &site_chart, e) < 0)
		return -1;
	d.site_chart = site_chart;
	if (read_sites(&d, site_path, e) < 0 || resolve_entries(r, e) < 0 || take_steps(&d, e) < 0 || take_other_charts(&d, e) < 0 || renders_scan(&d.renders, r, e) < 0 ||
	    discover_files(r, e) < 0)
		return -1;
	warn_idle_rules(r);
	if (r->m->discover.n_rules)
		r->lock->contents.rules = scan_rules_encode(r->m->discover.rules, r->m->discover.n_rules);
	warn_idle_values(r);
	images_finish(&r->images);
	return 0;
}
