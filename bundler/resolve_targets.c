/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_run.h"

/* A name that something will have on site. */
struct target {
	char *name;
	const char *what;               /* reference of the image; borrowed */
	struct digest digest;
};

struct targets { struct target *items; size_t n; };

static void targets_release(struct targets *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->items[i].name);
	free(v->items);
}

static void add_target_take(struct targets *v, char *name, const char *what, const struct digest *d)
{
	GROW(v->items, v->n);
	v->items[v->n++] = (struct target){ name, what, *d };
}

/* An image's own name, and one for each further tag. */
static int add_image(struct targets *v, const struct content_image *i, const struct ref_site *site, struct err *e)
{
	auto_ref struct ref ref = { 0 }, target = { 0 };

	if (ref_parse(i->ref, &ref, e) < 0 || ref_target(&ref, site, &target, e) < 0)
		return -1;
	add_target_take(v, ref_format(&target), i->ref, &i->target);
	for (size_t k = 0; k < i->tags.n; k++) {
		auto_free char *name = ref_name(&target);

		add_target_take(v, xasprintf("%s:%s", name, i->tags.items[k]), i->ref, &i->target);
	}
	return 0;
}

/* Charts and files have names of their own each; only whether they are legal is a question. */
static int check_others(const struct contents *c, const struct ref_site *site, struct err *e)
{
	for (size_t i = 0; i < c->n_charts; i++) {
		auto_ref struct ref target = { 0 };

		if (ref_target_chart(c->charts[i].name, c->charts[i].version, site, &target, e) < 0)
			return err_wrap(e, "chart '%s'", c->charts[i].name);
	}
	for (size_t i = 0; i < c->n_files; i++) {
		auto_ref struct ref target = { 0 };

		if (ref_target_artifact("files", c->files[i].name, &c->files[i].digest, site, &target, e) < 0)
			return err_wrap(e, "file '%s'", c->files[i].name);
	}
	for (size_t i = 0; i < c->n_sets; i++) {
		auto_ref struct ref target = { 0 };

		if (ref_target_artifact(c->sets[i].kind, c->sets[i].name, &c->sets[i].digest, site, &target, e) < 0)
			return err_wrap(e, "%s '%s'", c->sets[i].kind, c->sets[i].name);
	}
	return 0;
}

static int compare_targets(const void *a, const void *b)
{
	const struct target *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : strcmp(x->what, y->what);
}

/* Two sources with one name on site: an error when the site is known, else something to know. */
static int check_clashes(struct run *r, struct targets *v, bool known, struct err *e)
{
	if (v->n)
		qsort(v->items, v->n, sizeof(v->items[0]), compare_targets);
	for (size_t i = 1; i < v->n; i++) {
		const struct target *a = &v->items[i - 1], *b = &v->items[i];

		if (strcmp(a->name, b->name) != 0 || digest_eq(&a->digest, &b->digest))
			continue;
		if (known)
			return err_set(e, ERR_USAGE, "images '%s' and '%s' have one name on site, %s: set registry.keepHost",
				       a->what, b->what, b->name);
		run_warn(r, "images '%s' and '%s' have one name, %s, on a site without registry.keepHost", a->what, b->what,
			 b->name);
	}
	return 0;
}

int resolve_targets(struct run *r, struct err *e)
{
	const struct contents *c = &r->lock->contents;
	const json_t *values = c->site_values;
	const struct ref_site site = {
		.host = jdoc_text(values, "registry", "host", NULL), .prefix = jdoc_text(values, "registry", "prefix", NULL),
		.keep_host = json_is_true(jdoc_at(values, "registry", "keepHost", NULL)),
	};
	CLEANUP(targets_release) struct targets v = { 0 };

	for (size_t i = 0; i < c->n_images; i++)
		if (add_image(&v, &c->images[i], &site, e) < 0)
			return err_wrap(e, "image '%s'", c->images[i].ref);
	if (check_others(c, &site, e) < 0)
		return -1;
	return check_clashes(r, &v, values != NULL, e);
}
