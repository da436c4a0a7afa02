/* SPDX-License-Identifier: Apache-2.0 */
#include "images.h"

#include "node_tags.h"

#include <fnmatch.h>

#define HUB "docker.io/"

static void reason_release(struct content_reason *r)
{
	free(r->chart);
	free(r->file);
	free(r->kind);
	free(r->path);
}

static void image_release(struct image *i)
{
	for (size_t k = 0; k < i->n_reasons; k++)
		reason_release(&i->reasons[k]);
	free(i->reasons);
	ref_release(&i->ref);
	free(i->text);
	strv_release(&i->platforms);
	strv_release(&i->tags);
	free(i->layout);
	free(i->base);
	strv_release(&i->add);
}

void images_release(struct images *s)
{
	for (size_t i = 0; i < s->n; i++)
		image_release(&s->items[i]);
	for (size_t i = 0; i < s->n_waivers; i++) {
		free(s->waivers[i].image);
		free(s->waivers[i].reason);
	}
	free(s->items);
	free(s->waivers);
	json_decref(s->not_carried);
	strv_release(&s->warnings);
	*s = (struct images){ 0 };
}

char *images_place(const struct content_reason *r)
{
	if (!r->chart && r->file)
		return xasprintf("file '%s': %s", r->file, r->path ? r->path : "");
	if (!r->chart)
		return xstrdup("the manifest");
	return xasprintf("chart '%s': %s: %s: %s", r->chart, r->file ? r->file : "", r->kind ? r->kind : "",
			 r->path ? r->path : "");
}

/* ---- what is not carried */

static void leave_out(struct images *s, const char *image, const char *reason, bool waived)
{
	json_t *entry = json_pack("{ss, ss}", "image", image, "reason", reason);

	if (waived)
		json_object_set_new(entry, "waived", json_true());
	if (!s->not_carried)
		s->not_carried = json_array();
	json_array_append_new(s->not_carried, entry);
}

void images_waiver(struct images *s, const char *image, const char *reason)
{
	GROW(s->waivers, s->n_waivers);
	s->waivers[s->n_waivers++] = (struct image_waiver){ xstrdup(image), xstrdup(reason), false };
}

/* A pattern is tried on the text, and on the whole reference with and without tag; of Docker Hub without its host too. */
static bool pattern_fits(const char *pattern, const char *text, const struct ref *r)
{
	auto_free char *whole = r ? ref_format(r) : NULL, *name = r ? ref_name(r) : NULL;
	const char *const spellings[] = { text, whole, name };

	for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
		const char *s = spellings[i];

		if (!s)
			continue;
		if (fnmatch(pattern, s, 0) == 0 || (str_starts(s, HUB) && fnmatch(pattern, s + strlen(HUB), 0) == 0))
			return true;
	}
	return false;
}

/* r NULL: the text is no reference. */
static bool waiver_fits(const struct image_waiver *w, const char *text, const struct ref *r)
{
	auto_ref struct ref want = { 0 };
	struct err ignored;

	if (strcmp(w->image, text) == 0)
		return true;
	if (strpbrk(w->image, "*?["))
		return pattern_fits(w->image, text, r);
	if (!r || ref_parse(w->image, &want, &ignored) < 0)
		return false;
	if (!want.tag && !want.has_digest)
		return strcmp(want.host, r->host) == 0 && strcmp(want.path, r->path) == 0;
	return ref_eq(&want, r);
}

static bool is_waived(struct images *s, const char *text, const struct ref *r)
{
	bool found = false;

	for (size_t i = 0; i < s->n_waivers; i++) {
		if (!waiver_fits(&s->waivers[i], text, r))
			continue;
		s->waivers[i].used = true;
		if (!found)
			leave_out(s, text, s->waivers[i].reason, true);
		found = true;
	}
	return found;
}

/* ---- adding */

static void add_reason(struct image *i, const struct content_reason *r)
{
	for (size_t k = 0; k < i->n_reasons; k++) {
		const struct content_reason *have = &i->reasons[k];

		if (str_eq(have->chart, r->chart) && str_eq(have->file, r->file) && str_eq(have->kind, r->kind) &&
		    str_eq(have->path, r->path))
			return;
	}
	GROW(i->reasons, i->n_reasons);
	i->reasons[i->n_reasons++] = (struct content_reason){
		.chart = r->chart ? xstrdup(r->chart) : NULL,
		.file = r->file ? xstrdup(r->file) : NULL,
		.kind = r->kind ? xstrdup(r->kind) : NULL,
		.path = r->path ? xstrdup(r->path) : NULL,
	};
}

static struct image *find_or_add(struct images *s, const struct ref *r)
{
	auto_free char *text = ref_format(r);

	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->items[i].text, text) == 0)
			return &s->items[i];
	GROW(s->items, s->n);
	s->items[s->n] = (struct image){ .ref = ref_copy(r), .text = TAKE(text) };
	return &s->items[s->n++];
}

/* Kubernetes takes a name without tag and digest as `latest`; so do we, and say it. */
static void assume_latest(struct images *s, struct ref *r, const struct content_reason *reason)
{
	if (r->tag || r->has_digest)
		return;

	auto_free char *name = ref_name(r), *place = images_place(reason);

	r->tag = xstrdup("latest");
	strv_pushf(&s->warnings, "image '%s': has neither tag nor digest in %s: 'latest' is taken", name, place);
}

struct image *images_add(struct images *s, const char *text, const struct content_reason *reason, struct err *e)
{
	auto_ref struct ref r = { 0 };

	if (ref_parse(text, &r, e) < 0)
		return NULL;
	assume_latest(s, &r, reason);

	struct image *i = find_or_add(s, &r);

	i->certain = true;
	add_reason(i, reason);
	return i;
}

/* The name of a pattern is one even while its tag is not known. */
static bool parse_find(const char *image, struct ref *out, struct err *e)
{
	const char *colon = node_tags_is_pattern(image) ? strrchr(image, ':') : NULL;
	auto_free char *name = xstrndup(image, colon ? (size_t)(colon - image) : strlen(image));

	return ref_parse(name, out, e) == 0;
}

static int add_find(struct images *s, const struct scan_find *f, const struct content_reason *reason, struct err *e)
{
	auto_ref struct ref r = { 0 };
	bool parsed = parse_find(f->image, &r, e);
	auto_free char *place = images_place(reason);

	if (f->disabled) {
		auto_free char *why = xasprintf("disabled in %s", place);

		leave_out(s, f->image, why, false);
		return 0;
	}
	if (is_waived(s, f->image, parsed ? &r : NULL))
		return 0;
	if (!parsed)
		return f->certain ? err_wrap(e, "%s", place) : 0;
	if (node_tags_is_pattern(f->image))
		return err_set(e, ERR_USAGE, "image '%s' (%s): its tag is chosen by the nodes: give --facts FILE, which `deployer "
			       "facts` writes on site, or name them under `facts` in the manifest", f->image, place);
	if (!f->certain && !r.tag && !r.has_digest)
		return 0;
	assume_latest(s, &r, reason);

	struct image *i = find_or_add(s, &r);

	i->certain |= f->certain;
	add_reason(i, reason);
	return 0;
}

int images_add_finds(struct images *s, const char *chart, const struct scan_finds *finds, struct err *e)
{
	for (size_t i = 0; i < finds->n; i++) {
		const struct scan_find *f = &finds->items[i];
		const struct content_reason reason = { (char *)chart, f->file, f->kind, f->path };

		if (add_find(s, f, &reason, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- the end */

static int compare_images(const void *a, const void *b)
{
	return strcmp(((const struct image *)a)->text, ((const struct image *)b)->text);
}

static int compare_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : (a != NULL) - (b != NULL);
}

/* The manifest's own word first. */
static int compare_reasons(const void *a, const void *b)
{
	const struct content_reason *x = a, *y = b;
	int c = compare_text(x->chart, y->chart);

	c = c ? c : compare_text(x->file, y->file);
	c = c ? c : compare_text(x->kind, y->kind);
	return c ? c : compare_text(x->path, y->path);
}

static bool is_carried(const struct images *s, const char *text)
{
	auto_ref struct ref r = { 0 };
	struct err ignored;

	if (ref_parse(text, &r, &ignored) < 0)
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (ref_eq(&s->items[i].ref, &r))
			return true;
	return false;
}

static int compare_entries(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int c = strcmp(jdoc_text(x, "image", NULL), jdoc_text(y, "image", NULL));

	return c ? c : strcmp(jdoc_text(x, "reason", NULL), jdoc_text(y, "reason", NULL));
}

/* The author's list in Chart.yaml names the images of every feature. */
static bool only_listed(const struct image *i)
{
	for (size_t k = 0; k < i->n_reasons; k++)
		if (!str_eq(i->reasons[k].kind, "Chart"))
			return false;
	return i->n_reasons > 0;
}

static bool is_turned_off(const struct images *s, const struct image *i)
{
	size_t k;
	json_t *entry;

	json_array_foreach(s->not_carried, k, entry) {
		auto_ref struct ref r = { 0 };
		struct err ignored;

		if (ref_parse(jdoc_text(entry, "image", NULL), &r, &ignored) == 0 && ref_eq(&r, &i->ref))
			return true;
	}
	return false;
}

/* What only that list names goes, when a place says that it is turned off. */
static void drop_turned_off(struct images *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (only_listed(&s->items[i]) && is_turned_off(s, &s->items[i]))
			image_release(&s->items[i]);
		else
			s->items[kept++] = s->items[i];
	}
	s->n = kept;
}

/* Sorted, each once, without what somebody else wants after all. */
static void tidy_not_carried(struct images *s)
{
	size_t n = json_array_size(s->not_carried), i, kept = 0;
	auto_free json_t **list = xcalloc(n + 1, sizeof(*list));
	json_t *tidy = json_array(), *entry;

	json_array_foreach(s->not_carried, i, entry)
		if (!is_carried(s, jdoc_text(entry, "image", NULL)))
			list[kept++] = entry;
	if (kept)
		qsort(list, kept, sizeof(list[0]), compare_entries);
	for (i = 0; i < kept; i++)
		if (i == 0 || !json_equal(list[i], list[i - 1]))
			json_array_append(tidy, list[i]);
	json_decref(s->not_carried);
	s->not_carried = json_array_size(tidy) ? tidy : NULL;
	if (!s->not_carried)
		json_decref(tidy);
}

void images_finish(struct images *s)
{
	drop_turned_off(s);
	if (s->n)
		qsort(s->items, s->n, sizeof(s->items[0]), compare_images);
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].n_reasons)
			qsort(s->items[i].reasons, s->items[i].n_reasons, sizeof(s->items[i].reasons[0]), compare_reasons);
	tidy_not_carried(s);
	strv_sort(&s->warnings);
	strv_uniq(&s->warnings);
}

void images_idle_waivers(struct images *s)
{
	for (size_t i = 0; i < s->n_waivers; i++)
		if (!s->waivers[i].used)
			strv_pushf(&s->warnings, "waive '%s': nothing names it: take it out", s->waivers[i].image);
}
