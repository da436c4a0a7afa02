/* SPDX-License-Identifier: Apache-2.0 */
#include "discover_step.h"

#include <airgap/reference.h>
#include <airgap/tarball.h>
#include <airgap/yaml.h>

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

int discover_step_render(struct run *r, const char *kube_version, const struct step_release *s, bool late, struct render *out,
			 struct err *e)
{
	const struct run_chart *c = run_chart(r, s->chart);

	if (!c)
		return err_set(e, ERR_USAGE, "chart '%s': is not carried: name it in a Release or a Carry at build too", s->chart);

	auto_render struct render x = {
		.chart = c, .release = xstrdup(s->name), .ns = xstrdup(s->ns), .kube_version = xstrdup(kube_version),
		.values = s->values ? json_deep_copy(s->values) : json_object(), .tests = s->tests,
	};

	for (size_t i = 0; late && i < s->n_late; i++)
		jdoc_merge(x.values, s->late[i].values);
	if (all_base_values(c, s, &x, e) < 0 || reference_resolve(x.values, reference_placeholder, NULL, e) < 0)
		return -1;
	*out = x;
	x = (struct render){ 0 };
	return 0;
}

/* ---- Apply, Run, Probe */

static void push_object(struct helm_objects *v, json_t *object, const char *source)
{
	GROW(v->items, v->n);
	v->items[v->n++] = (struct helm_object){ .object = json_incref(object), .source = xstrdup(source) };
}

static int apply_objects(struct run *r, const struct step *t, struct helm_objects *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(ydoc_rendered.bytes);
	auto_json json_t *docs = NULL;
	size_t i;
	json_t *o;

	json_array_foreach(t->apply.objects, i, o)
		push_object(out, o, t->source);
	if (!t->apply.file)
		return 0;
	if (resolve_file_load(r, t->apply.file, &text, e) < 0)
		return -1;
	docs = ydoc_parse_all(buf_str(&text), text.len, &ydoc_rendered, t->apply.file, e);
	json_array_foreach(docs, i, o)
		push_object(out, o, t->apply.file);
	return docs ? 0 : -1;
}

int discover_step_objects(struct run *r, const struct step *t, bool fixed_uid, struct helm_objects *out, struct err *e)
{
	const struct step_run *run = t->kind == STEP_PROBE ? &t->probe.run : &t->run;
	auto_json json_t *job = NULL;

	if (t->kind == STEP_APPLY)
		return apply_objects(r, t, out, e);
	if ((t->kind != STEP_RUN && t->kind != STEP_PROBE) || steps_where(run) != STEP_IN_POD)
		return 0;
	job = steps_job(t->metadata.name, run->ns ? run->ns : "", run, &run->command, fixed_uid, NULL);
	push_object(out, job, t->source);
	return 0;
}
