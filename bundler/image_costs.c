/* SPDX-License-Identifier: Apache-2.0 */
#include "image_costs.h"

#include <airgap/oci.h>

#define NOBODY  UINT32_MAX      /* no image, or no component, yet */
#define SEVERAL (UINT32_MAX - 1)

/* Who has a blob. */
struct usage {
	uint32_t image;                 /* the only one, or SEVERAL */
	uint32_t component;             /* the only one whose images have it, or SEVERAL */
	uint32_t seen;                  /* by the image that is counted */
	uint32_t counted;               /* by the component that is counted */
};

struct count {
	struct subject *s;
	struct costs *out;
	struct usage *usage;            /* as subject.blobs */
	uint32_t **blobs;               /* of each image */
	size_t *n_blobs;
	uint32_t image;                 /* under way */
};

static void count_release(struct count *c)
{
	for (size_t i = 0; c->blobs && i < c->s->contents->n_images; i++)
		free(c->blobs[i]);
	free(c->blobs);
	free(c->n_blobs);
	free(c->usage);
}

void costs_release(struct costs *c)
{
	free(c->images);
	free(c->components);
	*c = (struct costs){ 0 };
}

/* ---- components */

bool component_names(const struct component *c, const struct content_reason *r)
{
	if (!c->name)
		return !r->chart && !r->file;
	return str_eq(c->file ? r->file : r->chart, c->name) && (!c->file || !r->chart);
}

char *component_title(const struct component *c)
{
	if (!c->name)
		return xstrdup("the manifest");
	if (c->file)
		return xasprintf("file %s", c->name);
	return xasprintf("%s%s%s", c->name, c->version ? " " : "", c->version ? c->version : "");
}

static void add_component(struct costs *out, const char *name, bool file, const char *version)
{
	GROW(out->components, out->n_components);
	out->components[out->n_components++] = (struct component){ .name = name, .file = file, .version = version };
}

static bool knows_file(const struct costs *out, const char *name)
{
	for (size_t i = 0; i < out->n_components; i++)
		if (out->components[i].file && strcmp(out->components[i].name, name) == 0)
			return true;
	return false;
}

static void list_components(const struct contents *c, struct costs *out)
{
	bool manifest = false;

	for (size_t i = 0; i < c->n_charts; i++)
		add_component(out, c->charts[i].name, false, c->charts[i].version);
	for (size_t i = 0; i < c->n_images; i++)
		for (size_t k = 0; k < c->images[i].n_reasons; k++) {
			const struct content_reason *r = &c->images[i].reasons[k];

			if (!r->chart && r->file && !knows_file(out, r->file))
				add_component(out, r->file, true, NULL);
			manifest |= !r->chart && !r->file;
		}
	if (manifest)
		add_component(out, NULL, false, NULL);
}

/* The only component that names the image, or SEVERAL. */
static uint32_t only_component(const struct costs *out, const struct content_image *image)
{
	uint32_t only = NOBODY;

	for (size_t k = 0; k < image->n_reasons; k++)
		for (uint32_t i = 0; i < out->n_components; i++)
			if (component_names(&out->components[i], &image->reasons[k]))
				only = only == NOBODY || only == i ? i : SEVERAL;
	return only;
}

/* ---- the blobs of an image */

static void add_blob(struct count *c, const struct digest *d)
{
	const struct subject_blob *b = subject_find(c->s, d);
	struct usage *u = b ? &c->usage[b - c->s->blobs] : NULL;

	if (!u || u->seen == c->image)
		return;
	u->seen = c->image;
	u->image = u->image == NOBODY ? c->image : SEVERAL;
	GROW(c->blobs[c->image], c->n_blobs[c->image]);
	c->blobs[c->image][c->n_blobs[c->image]++] = (uint32_t)(b - c->s->blobs);
}

static bool entry_digest(const json_t *entry, struct digest *out)
{
	const char *text = jdoc_text(entry, "digest", NULL);

	return text && digest_parse(text, out);
}

/* A manifest, an index, and all that hang on it. What is not carried is no blob and is passed over. 1, 0: its bytes cannot
 * be had. */
static int add_manifest(struct count *c, const struct digest *d, unsigned depth, struct err *e)
{
	static const char *const lists[] = { "layers", "blobs" };
	auto_buf struct buf text = BUF_INIT(OCI_MANIFEST_MAX);
	struct digest part;
	size_t i;
	json_t *entry;

	if (!subject_find(c->s, d) || depth > OCI_NESTING_MAX)
		return 1;
	add_blob(c, d);

	int there = subject_blob(c->s, d, &text, e);
	auto_json json_t *doc = there == 1 ? jdoc_parse(buf_str(&text), text.len, OCI_MANIFEST_MAX, "manifest", e) : NULL;

	if (there <= 0)
		return there;
	if (!doc)
		return -1;
	if (entry_digest(json_object_get(doc, "config"), &part))
		add_blob(c, &part);
	for (size_t k = 0; k < ARRAY_LEN(lists); k++)
		json_array_foreach(json_object_get(doc, lists[k]), i, entry)
			if (entry_digest(entry, &part))
				add_blob(c, &part);
	json_array_foreach(json_object_get(doc, "manifests"), i, entry)
		if (there == 1 && entry_digest(entry, &part))
			there = add_manifest(c, &part, depth + 1, e);
	return there;
}

/* The index itself is carried only where the tag names it. */
static int add_image(struct count *c, const struct content_image *image, struct err *e)
{
	int there = 1;

	if (digest_eq(&image->digest, &image->target) && image->n_children)
		add_blob(c, &image->digest);
	else
		there = add_manifest(c, &image->target, 0, e);
	for (size_t i = 0; i < image->n_children && there == 1; i++)
		if (image->children[i].carried)
			there = add_manifest(c, &image->children[i].digest, 1, e);
	for (size_t i = 0; i < image->n_referrers && there == 1; i++)
		there = add_manifest(c, &image->referrers[i].digest, 1, e);
	return there;
}

/* ---- sums */

static void sum_images(struct count *c)
{
	const struct contents *contents = c->s->contents;

	for (size_t i = 0; i < contents->n_images; i++) {
		struct image_cost *cost = &c->out->images[i];

		for (size_t k = 0; k < c->n_blobs[i] && cost->known; k++) {
			uint64_t size = c->s->blobs[c->blobs[i][k]].size;

			if (c->usage[c->blobs[i][k]].image == i)
				cost->own += size;
			else
				cost->shared += size;
		}
	}
	for (size_t i = 0; i < c->s->n_blobs; i++)
		if (c->usage[i].image != NOBODY)
			c->out->images_size += c->s->blobs[i].size;
}

static void sum_component(struct count *c, uint32_t number)
{
	struct component *m = &c->out->components[number];
	const struct contents *contents = c->s->contents;

	for (size_t i = 0; i < contents->n_images; i++) {
		bool named = false;

		for (size_t k = 0; k < contents->images[i].n_reasons && !named; k++)
			named = component_names(m, &contents->images[i].reasons[k]);
		m->images += named;
		for (size_t k = 0; k < c->n_blobs[i] && named; k++) {
			struct usage *u = &c->usage[c->blobs[i][k]];
			uint64_t size = c->s->blobs[c->blobs[i][k]].size;

			if (u->counted == number)
				continue;
			u->counted = number;
			m->size += size;
			m->saved += u->component == number ? size : 0;
		}
	}
}

/* The artifact of a chart or a file: its manifest and what that names. */
static int size_artifact(struct count *c, const struct digest *d, uint64_t *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_MANIFEST_MAX);
	const struct subject_blob *b = subject_find(c->s, d);
	struct digest part;
	size_t i;
	json_t *entry;

	*out += b ? b->size : 0;
	if (subject_blob(c->s, d, &text, e) < 0)
		return -1;

	auto_json json_t *doc = text.len ? jdoc_parse(buf_str(&text), text.len, OCI_MANIFEST_MAX, "manifest", e) : NULL;

	if (text.len && !doc)
		return -1;
	b = entry_digest(json_object_get(doc, "config"), &part) ? subject_find(c->s, &part) : NULL;
	*out += b ? b->size : 0;
	json_array_foreach(json_object_get(doc, "layers"), i, entry) {
		b = entry_digest(entry, &part) ? subject_find(c->s, &part) : NULL;
		*out += b ? b->size : 0;
	}
	return 0;
}

/* A chart's own archive, the file itself. */
static int add_itself(struct count *c, struct component *m, struct err *e)
{
	const struct contents *contents = c->s->contents;
	const struct digest *d = NULL;
	uint64_t size = 0;

	for (size_t i = 0; m->name && i < contents->n_charts && !m->file; i++)
		if (strcmp(contents->charts[i].name, m->name) == 0)
			d = &contents->charts[i].digest;
	for (size_t i = 0; m->name && i < contents->n_files && m->file; i++)
		if (strcmp(contents->files[i].name, m->name) == 0)
			d = &contents->files[i].digest;
	if (d && size_artifact(c, d, &size, e) < 0)
		return -1;
	m->size += size;
	m->saved += size;
	return 0;
}

static void mark_components(struct count *c)
{
	const struct contents *contents = c->s->contents;

	for (size_t i = 0; i < contents->n_images; i++) {
		uint32_t only = only_component(c->out, &contents->images[i]);

		for (size_t k = 0; k < c->n_blobs[i]; k++) {
			uint32_t *have = &c->usage[c->blobs[i][k]].component;

			*have = *have == NOBODY || *have == only ? only : SEVERAL;
		}
	}
}

int costs_count(struct subject *s, struct costs *out, struct err *e)
{
	const struct contents *contents = s->contents;
	CLEANUP(count_release) struct count c = { .s = s, .out = out };

	c.usage = xmalloc((s->n_blobs + 1) * sizeof(c.usage[0]));
	memset(c.usage, 0xff, (s->n_blobs + 1) * sizeof(c.usage[0]));
	c.blobs = xcalloc(contents->n_images + 1, sizeof(c.blobs[0]));
	c.n_blobs = xcalloc(contents->n_images + 1, sizeof(c.n_blobs[0]));
	out->images = xcalloc(contents->n_images + 1, sizeof(out->images[0]));
	out->known = true;
	list_components(contents, out);
	for (c.image = 0; c.image < contents->n_images; c.image++) {
		int there = add_image(&c, &contents->images[c.image], e);

		if (there < 0)
			return err_wrap(e, "image '%s'", contents->images[c.image].ref);
		out->images[c.image].known = there == 1;
		out->known &= there == 1;
	}
	sum_images(&c);
	mark_components(&c);
	for (uint32_t i = 0; i < out->n_components; i++) {
		sum_component(&c, i);
		if (add_itself(&c, &out->components[i], e) < 0)
			return -1;
	}
	return 0;
}
