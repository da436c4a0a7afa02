/* SPDX-License-Identifier: Apache-2.0 */
#include "discover.h"
#include "discover_step.h"
#include "resolve_sets.h"

#include <airgap/fs.h>
#include <airgap/yaml.h>

struct discover {
	struct run *run;
	struct destinations *sites;
	struct renders renders;
};

static void discover_release(struct discover *d)
{
	renders_release(&d->renders);
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
	struct content_reason why = { d->sites->chart->name, t->source, (char *)"Carry", (char *)"carry.images[]" };

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

static int add_release(struct discover *d, const struct destination *site, const struct step_release *s, bool late,
		       struct err *e)
{
	auto_render struct render x = { 0 };

	if (discover_step_render(d->run, site->kube_version, s, late, &x, e) < 0)
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

/* ---- Apply, Run, Probe */

static int take_objects(struct discover *d, const struct step *t, struct err *e)
{
	const struct manifest_discover *rules = &d->run->m->discover;
	auto_helm_objects struct helm_objects objects = { 0 };
	auto_scan struct scan_finds finds = { 0 };

	if (discover_step_objects(d->run, t, true, &objects, e) < 0 ||
	    scan_objects(&objects, d->sites->chart->name, rules->rules, rules->n_rules, false, &finds, e) < 0)
		return -1;
	return run_add_finds(d->run, d->sites->chart, &finds, e);
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
	else
		r = take_objects(d, t, e);
	return r < 0 ? err_wrap(e, "site '%s': %s", site->name, t->id) : 0;
}

/* Waivers come first, so that every later find meets them. */
static int take_steps(struct discover *d, struct err *e)
{
	static const enum step_kind order[] = { STEP_CARRY, STEP_RELEASE, STEP_APPLY, STEP_RUN, STEP_PROBE };

	for (size_t o = 0; o < ARRAY_LEN(order); o++)
		for (size_t i = 0; i < d->sites->n; i++)
			for (size_t k = 0; k < d->sites->items[i].steps.n; k++)
				if (take_step(d, &d->sites->items[i], &d->sites->items[i].steps.items[k], order[o], e) < 0)
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

		if (d->sites->named && !run_chart(d->run, name))
			carry_leave_out(&d->run->carry, "chart", name);
		else if (resolve_chart(d->run, name, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < d->run->n_charts; i++) {
		const struct run_chart *c = d->run->charts[i];

		if (c != d->sites->chart && !c->released && add_alone(d, c, e) < 0)
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
	if (site_path && !d->sites->chart)
		return err_set(e, ERR_USAGE, "--site: the manifest has no site chart");
	if (!d->sites->chart)
		return 0;
	if (destinations_read(d->sites, d->run, site_path, e) < 0)
		return -1;
	if (d->sites->named)
		d->run->lock->contents.site_values = json_deep_copy(d->sites->items[0].values);
	for (size_t i = 0; i < d->sites->n; i++) {
		struct destination *s = &d->sites->items[i];

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

int discover(struct run *r, const char *site_path, struct destinations *sites, struct err *e)
{
	CLEANUP(discover_release) struct discover d = { .run = r, .sites = sites };
	struct run_chart *site_chart = NULL;

	for (size_t i = 0; i < r->m->discover.n_waive; i++)
		images_waiver(&r->images, r->m->discover.waive[i].image, r->m->discover.waive[i].reason);
	if (take_images(r, e) < 0 || resolve_site_chart(r, &site_chart, e) < 0)
		return -1;
	sites->chart = site_chart;
	if (read_sites(&d, site_path, e) < 0 || resolve_entries(r, e) < 0 || take_steps(&d, e) < 0 ||
	    take_other_charts(&d, e) < 0 || renders_scan(&d.renders, r, e) < 0 ||
	    renders_check_keys(&d.renders, r, sites->chart, e) < 0 || discover_files(r, e) < 0)
		return -1;
	warn_idle_rules(r);
	if (r->m->discover.n_rules)
		r->lock->contents.rules = scan_rules_encode(r->m->discover.rules, r->m->discover.n_rules);
	warn_idle_values(r);
	images_finish(&r->images);
	if (!site_path)         /* one site needs only some of what a manifest foresees */
		images_idle_waivers(&r->images);
	return 0;
}
