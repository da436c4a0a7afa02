/* SPDX-License-Identifier: Apache-2.0 */
#include "blob_name.h"
#include "image_add.h"

#include <airgap/ref.h>

/* ---- what the contents name themselves */

static char *of_file(const struct contents *c, const struct digest *d)
{
	for (size_t i = 0; i < c->n_files; i++)
		if (digest_eq(&c->files[i].blob, d) || digest_eq(&c->files[i].digest, d))
			return xasprintf("file '%s'", c->files[i].name);
	return NULL;
}

static char *of_chart(const struct contents *c, const struct digest *d)
{
	for (size_t i = 0; i < c->n_charts; i++)
		if (digest_eq(&c->charts[i].archive, d) || digest_eq(&c->charts[i].digest, d))
			return xasprintf("chart '%s'", c->charts[i].name);
	return NULL;
}

static bool is_manifest_of(const struct content_image *i, const struct digest *d)
{
	for (size_t k = 0; k < i->n_children; k++)
		if (digest_eq(&i->children[k].digest, d))
			return true;
	return digest_eq(&i->digest, d) || digest_eq(&i->target, d);
}

static char *of_referrer(const struct contents *c, const struct digest *d)
{
	for (size_t i = 0; i < c->n_images; i++)
		for (size_t k = 0; k < c->images[i].n_referrers; k++)
			if (digest_eq(&c->images[i].referrers[k].digest, d))
				return xasprintf("what belongs to image '%s'", c->images[i].ref);
	return NULL;
}

static char *of_image(const struct contents *c, const struct digest *d)
{
	for (size_t i = 0; i < c->n_images; i++)
		if (is_manifest_of(&c->images[i], d))
			return xasprintf("image '%s'", c->images[i].ref);
	return NULL;
}

/* One of its files stands in its manifest, which is a text of ours. */
static char *of_set(const struct lock *l, const struct digest *d)
{
	char text[DIGEST_TEXT];

	digest_text(d, text);
	for (size_t i = 0; i < l->contents.n_sets; i++) {
		const struct content_set *s = &l->contents.sets[i];
		const struct lock_made *manifest = lock_find_made(l, &s->digest);

		if (digest_eq(&s->digest, d) || (manifest && strstr(manifest->text, text)))
			return xasprintf("%s '%s'", s->kind, s->name);
	}
	return NULL;
}

/* ---- layers and configs: by where they come from */

static bool comes_from(const struct content_image *i, const char *location)
{
	auto_ref struct ref r = { 0 };
	struct err ignored;

	if (i->source)
		return strcmp(i->source, location) == 0;
	if (ref_parse(i->ref, &r, &ignored) < 0)
		return false;

	auto_free char *name = ref_name(&r);

	return strcmp(name, location) == 0;
}

/* Several tags of one repository: any of them may be the one. */
static char *of_repository(const struct contents *c, const char *location)
{
	const struct content_image *found = NULL;

	for (size_t i = 0; i < c->n_images; i++) {
		if (!comes_from(&c->images[i], location))
			continue;
		if (found)
			return xasprintf("images of '%s'", location);
		found = &c->images[i];
	}
	if (found)
		return xasprintf("image '%s'", found->ref);
	for (size_t i = 0; i < c->n_charts; i++) {
		const char *origin = c->charts[i].origin;

		if (origin && str_starts(origin, "oci://") && strcmp(origin + strlen("oci://"), location) == 0)
			return xasprintf("chart '%s'", c->charts[i].name);
	}
	return NULL;
}

static char *of_files(const char *member)
{
	auto_free char *files = image_layer_files(member);

	return xasprintf("layer of %s", files);
}

static char *of_sources(const struct lock *l, const struct lock_blob *b)
{
	for (size_t i = 0; b && i < b->n_sources; i++) {
		const struct lock_source *s = &b->sources[i];
		char *name = NULL;

		if (s->kind == LOCK_REGISTRY)
			name = of_repository(&l->contents, s->location);
		else if (s->kind == LOCK_LAYOUT || s->kind == LOCK_MEMBER)
			name = xasprintf("image in '%.*s'", (int)strcspn(s->location, "?"), s->location);
		else if (s->kind == LOCK_ADD)
			name = of_files(s->member);
		if (name)
			return name;
	}
	return NULL;
}

char *blob_name(const struct lock *l, const struct digest *d)
{
	char *name = of_file(&l->contents, d);
	char text[DIGEST_TEXT];

	name = name ? name : of_chart(&l->contents, d);
	name = name ? name : of_image(&l->contents, d);
	name = name ? name : of_referrer(&l->contents, d);
	name = name ? name : of_set(l, d);
	name = name ? name : of_sources(l, lock_find(l, d));
	return name ? name : xasprintf("blob %s", digest_text(d, text));
}
