/* SPDX-License-Identifier: Apache-2.0 */
#include "discover_render.h"

#include <airgap/log.h>
#include <airgap/pool.h>

#define VALUES_MAX (64u << 20)
#define RANDOM_SHOWN 3u         /* places named in a warning */

void render_release(struct render *x)
{
	for (size_t i = 0; x->base && x->base[i]; i++)
		json_decref(x->base[i]);
	free(x->base);
	json_decref(x->values);
	free(x->release);
	free(x->ns);
	free(x->kube_version);
	scan_release(&x->finds);
	strv_release(&x->random);
	*x = (struct render){ 0 };
}

void renders_release(struct renders *v)
{
	for (size_t i = 0; i < v->n; i++)
		render_release(&v->items[i]);
	free(v->items);
	*v = (struct renders){ 0 };
}

int render_identify(struct render *x, struct err *e)
{
	auto_json json_t *base = json_array();
	auto_buf struct buf text = BUF_INIT(VALUES_MAX);

	for (size_t i = 0; x->base && x->base[i]; i++)
		json_array_append(base, x->base[i]);

	auto_json json_t *all = json_pack("{ss, ss, ss, ss, sb, sO?, sO}", "chart", x->chart->name, "release", x->release,
					  "namespace", x->ns, "kubernetes", x->kube_version, "tests", x->tests,
					  "values", x->values, "base", base);

	if (jdoc_dump(all, &text, e) < 0)
		return -1;
	x->id = digest_of(buf_str(&text), text.len);
	return 0;
}

int renders_add_take(struct renders *v, struct render *what, struct err *e)
{
	auto_render struct render x = *what;

	*what = (struct render){ 0 };
	if (render_identify(&x, e) < 0)
		return -1;
	for (size_t i = 0; i < v->n; i++)
		if (digest_eq(&v->items[i].id, &x.id))
			return 0;
	GROW(v->items, v->n);
	v->items[v->n++] = x;
	x = (struct render){ 0 };
	return 0;
}

struct scan {
	struct run *run;
	struct renders *renders;
};

static int render_twice(void *ctx, unsigned worker, size_t item, struct err *e)
{
	const struct scan *s = ctx;
	const struct manifest *m = s->run->m;
	struct render *x = &s->renders->items[item];
	auto_helm_objects struct helm_objects a = { 0 }, b = { 0 };
	const struct helm_render r = {
		.chart = x->chart->path, .release = x->release, .ns = x->ns, .values = x->values,
		.base = (const json_t *const *)x->base, .kube_version = x->kube_version,
		.api_versions = s->run->api_versions,
	};

	if (helm_template(&s->run->helm, &r, &a, e) < 0 || helm_template(&s->run->helm, &r, &b, e) < 0 ||
	    scan_mask_random(&a, &b, &x->random, e) < 0 ||
	    scan_objects(&a, x->chart->name, m->discover.rules, m->discover.n_rules, x->tests, &x->finds, e) < 0)
		return err_wrap(e, "chart '%s'", x->chart->name);
	progress_item("chart %s as %s", x->chart->name, x->release);
	return 0;
}

/* One line for a chart, however often it was rendered. */
static void warn_random(struct run *r, const struct renders *v, const struct run_chart *c)
{
	auto_strv struct strv places = { 0 };

	for (size_t i = 0; i < v->n; i++)
		for (size_t k = 0; v->items[i].chart == c && k < v->items[i].random.n; k++)
			strv_push(&places, v->items[i].random.items[k]);
	if (!places.n)
		return;
	strv_sort(&places);
	strv_uniq(&places);

	size_t more = places.n - MIN(places.n, RANDOM_SHOWN);
	auto_buf struct buf text = BUF_INIT(1u << 20);

	for (size_t i = 0; i < places.n - more; i++)
		buf_putf(&text, "%s%s", i ? ", " : "", places.items[i]);
	if (more)
		buf_putf(&text, " and %zu more", more);
	run_warn(r, "chart '%s': renders otherwise each time: %s", c->name, buf_str(&text));
}

static bool is_rendered(const struct renders *v, const struct run_chart *c)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->items[i].chart == c)
			return true;
	return false;
}

/* What the charts' authors list besides. */
static int add_annotations(const struct renders *v, struct run *r, struct err *e)
{
	for (size_t i = 0; i < r->n_charts; i++) {
		const struct run_chart *c = r->charts[i];
		auto_scan struct scan_finds finds = { 0 };

		if (!is_rendered(v, c))
			continue;
		if (scan_chart_annotations(c->archive.ptr, c->archive.len, c->name, &finds, e) < 0)
			return err_wrap(e, "chart '%s'", c->name);
		if (images_add_finds(&r->images, c->name, &finds, e) < 0)
			return -1;
	}
	return 0;
}

int renders_scan(struct renders *v, struct run *r, struct err *e)
{
	struct scan s = { r, v };

	if (!v->n)
		return 0;
	if (!run_helm(r, e))
		return -1;
	progress_begin("rendering", 0);

	int done = pool_each(r->jobs, v->n, render_twice, &s, e);

	progress_end();
	if (done < 0)
		return -1;
	for (size_t i = 0; i < v->n; i++)
		if (run_add_finds(r, v->items[i].chart, &v->items[i].finds, e) < 0)
			return -1;
	for (size_t i = 0; i < r->n_charts; i++)
		warn_random(r, v, r->charts[i]);
	return add_annotations(v, r, e);
}
