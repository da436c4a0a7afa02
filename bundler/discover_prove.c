/* SPDX-License-Identifier: Apache-2.0 */
#include "discover.h"
#include "discover_step.h"

#include <airgap/chart_values.h>
#include <airgap/log.h>
#include <airgap/pool.h>
#include <airgap/proof.h>
#include <airgap/rewrite.h>
#include <airgap/site.h>
#include <airgap/tarball.h>

/* A destination as it will be. */
struct place {
	const struct destination *to;
	struct site site;
	struct steps steps;             /* side: site */
	struct rewrite names;           /* of images there, for post-render */
};

/* One thing to prove: a chart with its values, or what a step makes itself. */
struct item {
	const struct place *place;
	const struct step *step;
	struct render render;           /* chart NULL: there is none */
	struct helm_objects objects;
	struct strv lines;              /* out: what is not proved */
};

struct proving {
	struct run *run;
	const struct destinations *sites;
	struct scan_rules rules;
	struct place *places; size_t n_places;
	struct item *items; size_t n_items;
};

static void item_release(struct item *i)
{
	render_release(&i->render);
	helm_objects_release(&i->objects);
	strv_release(&i->lines);
	*i = (struct item){ 0 };
}

static void proving_release(struct proving *p)
{
	for (size_t i = 0; i < p->n_places; i++) {
		site_release(&p->places[i].site);
		steps_release(&p->places[i].steps);
		rewrite_release(&p->places[i].names);
	}
	for (size_t i = 0; i < p->n_items; i++)
		item_release(&p->items[i]);
	free(p->places);
	free(p->items);
}

/* ---- the sites */

/* What the site file does not say, the site chart's values do, as on site. */
static int choose_profile(const struct proving *p, struct place *place, struct err *e)
{
	const struct buf *archive = &p->sites->chart->archive;
	auto_buf struct buf text = BUF_INIT(ydoc_rendered.bytes);
	int there = jdoc_text(place->to->values, "profile", NULL)
			    ? 0 : tarball_chart_file(archive->ptr, archive->len, "values.yaml", &text, e);

	if (there <= 0)
		return there;

	auto_json json_t *values = ydoc_parse(buf_str(&text), text.len, &ydoc_rendered, "values.yaml", NULL, e);
	const char *profile = jdoc_text(values, "profile", NULL);

	if (!values)
		return err_wrap(e, "chart '%s'", p->sites->chart->name);
	if (!profile || !site_profile_ok(profile))
		return 0;
	free(place->site.profile);
	place->site.profile = xstrdup(profile);
	return 0;
}

/* Without a registry it is not known what anything will be called. */
static int add_places(struct proving *p, struct err *e)
{
	p->places = xcalloc(p->sites->n + 1, sizeof(*p->places));
	for (size_t i = 0; i < p->sites->n; i++) {
		const struct destination *s = &p->sites->items[i];
		struct place *place = &p->places[p->n_places];

		if (!jdoc_text(s->values, "registry", "host", NULL))
			continue;
		p->n_places++;
		place->to = s;
		if (site_from_json(s->values, s->name, &place->site, e) < 0 || choose_profile(p, place, e) < 0)
			return -1;
	}
	return 0;
}

static int render_place(void *ctx, unsigned worker, size_t i, struct err *e)
{
	struct proving *p = ctx;
	struct place *place = &p->places[i];
	const struct ref_site names = site_names(&place->site);

	(void)worker;
	if (rewrite_names(&place->names, &p->run->lock->contents, &names, e) < 0)
		return -1;
	if (destination_on_site(p->sites, place->to, p->run, &names, &place->steps, e) == 0)
		return 0;
	if (e->code == ERR_MALFORMED)   /* it rendered at build: what differs is what the bundle has */
		e->code = ERR_PROOF;
	return err_wrap(e, "as it will be on site");
}

/* ---- what there is to prove */

static bool same_names(const struct site *a, const struct site *b)
{
	return str_eq(a->registry.host, b->registry.host) && str_eq(a->registry.prefix, b->registry.prefix) &&
	       a->registry.keep_host == b->registry.keep_host && str_eq(a->registry.rewrite, b->registry.rewrite) &&
	       str_eq(a->profile, b->profile);
}

/* Sites that differ elsewhere share many a render. */
static bool is_known(const struct proving *p, const struct item *x)
{
	const char *level = steps_pod_security(&x->place->steps, x->render.ns);

	for (size_t i = 0; i < p->n_items; i++) {
		const struct item *have = &p->items[i];

		if (have->render.chart && digest_eq(&have->render.id, &x->render.id) &&
		    same_names(&have->place->site, &x->place->site) &&
		    str_eq(steps_pod_security(&have->place->steps, have->render.ns), level))
			return true;
	}
	return false;
}

/* A release with all that comes late: what the deployer proves before its first write. */
static int make_item(struct proving *p, struct item *x, struct err *e)
{
	const struct step *t = x->step;
	bool fixed_uid = strcmp(x->place->site.profile, "nonroot-arbitrary-uid") != 0;

	if (t->kind != STEP_RELEASE)
		return discover_step_objects(p->run, t, fixed_uid, &x->objects, e);
	if (discover_step_render(p->run, x->place->to->kube_version, &t->release, true, &x->render, e) < 0)
		return -1;
	return render_identify(&x->render, e);
}

static int add_item(struct proving *p, const struct place *place, const struct step *t, struct err *e)
{
	CLEANUP(item_release) struct item x = { .place = place, .step = t };

	if (make_item(p, &x, e) < 0)
		return err_wrap(e, "site '%s': %s", place->to->name, t->id);
	if (x.render.chart ? is_known(p, &x) : !x.objects.n)
		return 0;
	GROW(p->items, p->n_items);
	p->items[p->n_items++] = x;
	x = (struct item){ 0 };
	return 0;
}

static int add_items(struct proving *p, struct err *e)
{
	for (size_t i = 0; i < p->n_places; i++)
		for (size_t k = 0; k < p->places[i].steps.n; k++)
			if (add_item(p, &p->places[i], &p->places[i].steps.items[k], e) < 0)
				return -1;
	return 0;
}

/* ---- the proofs */

/* What a chart's values are is asked only once something is wrong. */
struct keys {
	const struct run_chart *chart;  /* NULL: what a step makes itself has none */
	bool read;
	struct chart_values values;
};

static void keys_release(struct keys *k)
{
	chart_values_release(&k->values);
}

static char *key_of(void *ctx, const char *image)
{
	struct keys *k = ctx;
	struct err ignored;

	if (!k->chart)
		return NULL;
	if (!k->read && chart_values_read(k->chart->archive.ptr, k->chart->archive.len, &k->values, &ignored) < 0)
		k->values.defaults = json_object();
	k->read = true;
	return chart_values_of_image(&k->values, image);
}

/* -1 only where it could not be judged: what is not proved stands in the lines. */
static int judge(const struct proving *p, struct item *x, const char *ns, const char *what, struct helm_objects *o, struct err *e)
{
	const struct site *site = &x->place->site;
	const struct helm_object *hook; /* which helm the site has is not known */
	CLEANUP(keys_release) struct keys keys = { .chart = x->render.chart };
	const struct proof how = {
		.contents = &p->run->lock->contents, .rules = &p->rules, .names = site_names(site),
		.upstream = site_rewrite(site) == SITE_MIRROR, .renamed = site_rewrite(site) == SITE_POST_RENDER, .key_of = key_of, .ctx = &keys,
	};
	const char *own = x->step->kind == STEP_RUN ? x->step->run.pod_security : NULL;
	const char *level = own ? own : ns ? steps_pod_security(&x->place->steps, ns) : NULL;

	if (site_rewrite(site) == SITE_POST_RENDER && rewrite_rendered(&x->place->names, what, &p->rules, o, &hook, e) < 0)
		return -1;
	if (proof_images(&how, what, o, &x->lines, e) < 0 && e->code != ERR_PROOF)
		return -1;
	if (x->step->kind == STEP_PROBE)        /* its namespace takes what it needs */
		return 0;
	return proof_profile(site->profile, level, what, o, &x->lines, e) < 0 && e->code != ERR_PROOF ? -1 : 0;
}

static int prove_objects(const struct proving *p, struct item *x, struct err *e)
{
	const struct step *t = x->step;

	for (size_t i = 0; i < x->objects.n; i++) {
		struct helm_objects one = { &x->objects.items[i], 1 };
		const char *ns = jdoc_text(one.items[0].object, "metadata", "namespace", NULL);

		if (judge(p, x, ns || t->kind != STEP_APPLY ? ns : t->apply.ns, t->id, &one, e) < 0)
			return -1;
	}
	return 0;
}

static int prove_render(const struct proving *p, struct item *x, struct err *e)
{
	const struct render *r = &x->render;
	auto_helm_objects struct helm_objects objects = { 0 };
	const struct helm_render what = {
		.chart = r->chart->path, .release = r->release, .ns = r->ns, .values = r->values,
		.base = (const json_t *const *)r->base, .kube_version = r->kube_version, .api_versions = p->run->api_versions,
	};

	if (helm_template(&p->run->helm, &what, &objects, e) < 0)
		return -1;
	return judge(p, x, r->ns, r->chart->name, &objects, e);
}

static int prove_item(void *ctx, unsigned worker, size_t i, struct err *e)
{
	const struct proving *p = ctx;
	struct item *x = &p->items[i];

	(void)worker;
	if ((x->render.chart ? prove_render(p, x, e) : prove_objects(p, x, e)) < 0)
		return err_wrap(e, "site '%s': %s", x->place->to->name, x->step->id);
	progress_item("%s of site %s", x->step->id, x->place->to->name);
	return 0;
}

static int report(const struct proving *p, struct err *e)
{
	const struct strv *warnings = &p->run->lock->warnings;
	size_t bad = 0;

	for (size_t i = 0; i < p->n_items; i++)
		bad += p->items[i].lines.n;
	if (!bad)
		return 0;
	/* They would be told with the lock, and may say why: a key that its chart does not know. */
	for (size_t i = 0; i < warnings->n; i++)
		log_warn("%s", warnings->items[i]);
	for (size_t i = 0; i < p->n_items; i++) {
		struct item *x = &p->items[i];

		strv_sort(&x->lines);
		for (size_t k = 0; k < x->lines.n; k++)
			log_error("site '%s': %s: %s", x->place->to->name, x->step->id, x->lines.items[k]);
	}
	return err_set(e, ERR_PROOF, "%zu thing%s the deployer would refuse on site: correct the site chart or the site file: "
		       "nothing was written", bad, bad > 1 ? "s" : "");
}

int discover_prove(struct run *r, const struct destinations *sites, struct err *e)
{
	CLEANUP(proving_release) struct proving p = {
		.run = r, .sites = sites, .rules = { r->m->discover.rules, r->m->discover.n_rules },
	};

	if (add_places(&p, e) < 0)
		return -1;
	if (!p.n_places)
		return 0;
	if (pool_each(r->jobs, p.n_places, render_place, &p, e) < 0 || add_items(&p, e) < 0)
		return -1;
	progress_begin("proving", 0);

	int done = pool_each(r->jobs, p.n_items, prove_item, &p, e);

	progress_end();
	return done < 0 ? -1 : report(&p, e);
}
