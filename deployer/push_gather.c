/* SPDX-License-Identifier: Apache-2.0 */
#include "push_plan.h"

void push_plan_release(struct push_plan *p)
{
	strv_release(&p->repositories);
	free(p->places);
	for (size_t i = 0; i < p->n_documents; i++)
		free(p->documents[i].type);
	free(p->documents);
	for (size_t i = 0; i < p->n_tags; i++) {
		free(p->tags[i].text);
		free(p->tags[i].type);
	}
	free(p->tags);
	for (size_t i = 0; i < p->n_referrers; i++)
		push_referrer_release(&p->referrers[i]);
	free(p->referrers);
	free(p->groups);
	free(p->settled);
	keep_release(&p->keep);
}

/* ---- one after the other ---- */

size_t push_repository(struct push_plan *p, const char *path)
{
	for (size_t i = 0; i < p->repositories.n; i++)
		if (strcmp(p->repositories.items[i], path) == 0)
			return i;
	strv_push(&p->repositories, path);
	return p->repositories.n - 1;
}

void push_add_place(struct push_plan *p, const struct oci_blob *blob, size_t repository)
{
	struct push_place place = { blob->digest, blob->size, repository };

	GROW(p->places, p->n_places);
	p->places[p->n_places++] = place;
}

static int add_blob(struct push_plan *p, const struct descriptor *d, size_t repository, struct err *e)
{
	struct blob_record rec;
	char text[DIGEST_TEXT];

	if (!bundle_find(p->session->bundle, &d->digest, &rec)) {
		/* Bytes that are at foreign addresses only are no part of what a registry must hold. */
		if (oci_is_foreign_layer(d->media_type))
			return 0;
		return err_set(e, ERR_TRUNCATED, "blob %s: not in the bundle", digest_text(&d->digest, text));
	}
	if (rec.size != d->size)
		return err_set(e, ERR_MALFORMED, "blob %s: two sizes", digest_text(&d->digest, text));
	push_add_place(p, &(struct oci_blob){ d->digest, d->size }, repository);
	return 0;
}

void push_add_document(struct push_plan *p, const struct digest *d, const char *type, size_t repository, unsigned height)
{
	struct push_document doc = { *d, xstrdup(type), repository, height };

	GROW(p->documents, p->n_documents);
	p->documents[p->n_documents++] = doc;
}

int push_load_document(struct push_plan *p, const struct digest *d, struct buf *out, struct err *e)
{
	char text[DIGEST_TEXT];

	if (p->keep.manifest.len && digest_eq(d, &p->keep.digest))
		return buf_add(out, p->keep.manifest.ptr, p->keep.manifest.len, e);
	if (bundle_blob_load(p->session->bundle, d, out, e) < 0)
		return err_wrap(e, "manifest %s", digest_text(d, text));
	return 0;
}

/* blobs_only: the manifest itself is somebody else's to push. */
static int add_manifest(struct push_plan *p, const struct digest *d, const char *type, size_t repository, bool blobs_only,
			struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	auto_oci_manifest struct oci_manifest m = { 0 };

	if (push_load_document(p, d, &bytes, e) < 0 || oci_parse_manifest(bytes.ptr, bytes.len, type, &m, e) < 0 ||
	    add_blob(p, &m.config, repository, e) < 0)
		return -1;
	for (size_t i = 0; i < m.n_layers; i++)
		if (add_blob(p, &m.layers[i], repository, e) < 0)
			return -1;
	if (!blobs_only)
		push_add_document(p, d, m.media_type ? m.media_type : type, repository, 0);
	return 0;
}

/* Indexes hold manifests and, rarely, indexes. What the bundle does not carry is left out: a sparse index. */
static int add_tree(struct push_plan *p, const struct digest *d, const char *type, size_t repository, unsigned depth,
		    unsigned *height, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	auto_oci_index struct oci_index ix = { 0 };
	unsigned tallest = 0;

	*height = 0;
	if (!oci_is_index(type))
		return add_manifest(p, d, type, repository, false, e);
	if (depth > OCI_NESTING_MAX)
		return err_set(e, ERR_LIMIT, "index: nested more than %d deep", OCI_NESTING_MAX);
	if (push_load_document(p, d, &bytes, e) < 0 || oci_parse_index(bytes.ptr, bytes.len, type, &ix, e) < 0)
		return -1;
	for (size_t i = 0; i < ix.n_manifests; i++) {
		const struct descriptor *m = &ix.manifests[i];
		unsigned below;

		if (!bundle_has(p->session->bundle, &m->digest))
			continue;
		if (add_tree(p, &m->digest, m->media_type, repository, depth + 1, &below, e) < 0)
			return -1;
		tallest = MAX(tallest, below);
	}
	*height = tallest + 1;
	push_add_document(p, d, ix.media_type ? ix.media_type : type, repository, *height);
	return 0;
}

void push_add_tag(struct push_plan *p, const char *text, size_t repository, const struct digest *d, const char *type)
{
	struct push_tag t = { xstrdup(text), repository, *d, xstrdup(type), false };

	GROW(p->tags, p->n_tags);
	p->tags[p->n_tags++] = t;
}

static int add_target(struct push_plan *p, const struct ref *target, const struct digest *d, const char *type, struct err *e)
{
	size_t repository = push_repository(p, target->path);
	unsigned height;

	if (add_tree(p, d, type, repository, 0, &height, e) < 0)
		return err_wrap(e, "'%s:%s'", target->path, target->tag);
	push_add_tag(p, target->tag, repository, d, type);
	return 0;
}

/* The type of what the site tag names: the index's own, or the chosen child's, whose index is not here: Docker's manifests
 * say theirs, OCI's need not. */
static int target_type(struct push_plan *p, const struct content_image *i, char **out, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	auto_json json_t *j = NULL;
	const char *said;

	*out = NULL;
	if (digest_eq(&i->digest, &i->target)) {
		*out = xstrdup(i->media_type);
		return 0;
	}
	if (push_load_document(p, &i->target, &bytes, e) < 0)
		return -1;
	j = jdoc_parse(buf_str(&bytes), bytes.len, OCI_MANIFEST_MAX, "manifest", e);
	if (!j)
		return -1;
	said = jdoc_text(j, "mediaType", NULL);
	*out = xstrdup(said ? said : OCI_MANIFEST);
	return 0;
}

/* With a tag it is one more image of its repository; with a subject alone it goes there by its digest. */
static int add_referrer(struct push_plan *p, const struct content_referrer *c, size_t repository, struct err *e)
{
	char text[DIGEST_TEXT];

	if (add_manifest(p, &c->digest, c->media_type, repository, !c->tag, e) < 0 || push_gather_referrer(p, c, repository, e) < 0)
		return err_wrap(e, "what belongs to it as %s", digest_text(&c->digest, text));
	if (c->tag)
		push_add_tag(p, c->tag, repository, &c->digest, c->media_type);
	p->report->referrers++;
	return 0;
}

static int add_image(struct push_plan *p, const struct content_image *i, struct err *e)
{
	struct ref_site names = site_names(&p->session->site);
	auto_ref struct ref r = { 0 }, target = { 0 };
	auto_free char *type = NULL;

	if (ref_parse(i->ref, &r, e) < 0 || ref_target(&r, &names, &target, e) < 0 || target_type(p, i, &type, e) < 0 ||
	    add_target(p, &target, &i->target, type, e) < 0)
		return err_wrap(e, "image '%s'", i->ref);
	for (size_t k = 0; k < i->tags.n; k++)
		push_add_tag(p, i->tags.items[k], push_repository(p, target.path), &i->target, type);
	for (size_t k = 0; k < i->n_referrers; k++)
		if (add_referrer(p, &i->referrers[k], push_repository(p, target.path), e) < 0)
			return err_wrap(e, "image '%s'", i->ref);
	p->report->images++;
	return 0;
}

static int add_charts(struct push_plan *p, const struct strv *wanted, struct err *e)
{
	const struct contents *c = &p->session->contents;
	struct ref_site names = site_names(&p->session->site);

	for (size_t i = 0; i < c->n_charts; i++) {
		auto_ref struct ref target = { 0 };

		if (wanted && !strv_has(wanted, c->charts[i].name))
			continue;
		if (ref_target_chart(c->charts[i].name, c->charts[i].version, &names, &target, e) < 0 ||
		    add_target(p, &target, &c->charts[i].digest, OCI_MANIFEST, e) < 0)
			return err_wrap(e, "chart '%s'", c->charts[i].name);
		p->report->charts++;
	}
	return 0;
}

static int add_files(struct push_plan *p, const struct strv *wanted, struct err *e)
{
	const struct contents *c = &p->session->contents;
	struct ref_site names = site_names(&p->session->site);

	for (size_t i = 0; i < c->n_files; i++) {
		auto_ref struct ref target = { 0 };

		if (wanted && !strv_has(wanted, c->files[i].name))
			continue;
		if (ref_target_artifact("files", c->files[i].name, &c->files[i].digest, &names, &target, e) < 0 ||
		    add_target(p, &target, &c->files[i].digest, OCI_MANIFEST, e) < 0)
			return err_wrap(e, "file '%s'", c->files[i].name);
		p->report->files++;
	}
	return 0;
}

static int add_sets(struct push_plan *p, const struct strv *wanted, struct err *e)
{
	const struct contents *c = &p->session->contents;
	struct ref_site names = site_names(&p->session->site);

	for (size_t i = 0; i < c->n_sets; i++) {
		const struct content_set *s = &c->sets[i];
		auto_ref struct ref target = { 0 };

		if (wanted && !strv_has(wanted, s->name))
			continue;
		if (ref_target_artifact(s->kind, s->name, &s->digest, &names, &target, e) < 0 ||
		    add_target(p, &target, &s->digest, OCI_MANIFEST, e) < 0)
			return err_wrap(e, "%s '%s'", s->kind, s->name);
		p->report->sets++;
	}
	return 0;
}

static int compare_place(const void *a, const void *b)
{
	const struct push_place *x = a, *y = b;
	int c = digest_cmp(&x->digest, &y->digest);

	return c ? c : (x->repository > y->repository) - (x->repository < y->repository);
}

static int compare_document(const void *a, const void *b)
{
	const struct push_document *x = a, *y = b;
	int c = (x->height > y->height) - (x->height < y->height);

	c = c ? c : digest_cmp(&x->digest, &y->digest);
	return c ? c : (x->repository > y->repository) - (x->repository < y->repository);
}

static int compare_tag(const void *a, const void *b)
{
	const struct push_tag *x = a, *y = b;
	int c = (x->repository > y->repository) - (x->repository < y->repository);

	return c ? c : strcmp(x->text, y->text);
}

/* Two sources with one target would overwrite each other's tag. */
static int check_tags(struct push_plan *p, struct err *e)
{
	qsort(p->tags, p->n_tags, sizeof(p->tags[0]), compare_tag);
	for (size_t i = 1; i < p->n_tags; i++)
		if (compare_tag(&p->tags[i - 1], &p->tags[i]) == 0 && !digest_eq(&p->tags[i - 1].digest, &p->tags[i].digest))
			return err_set(e, ERR_PREFLIGHT, "'%s:%s': two different images have this name on site: set registry.keepHost: true in the "
				       "site file and push with --site",
				       p->repositories.items[p->tags[i].repository], p->tags[i].text);
	return 0;
}

static void sort_places(struct push_plan *p)
{
	size_t kept = 0;

	if (p->n_places)
		qsort(p->places, p->n_places, sizeof(p->places[0]), compare_place);
	for (size_t i = 0; i < p->n_places; i++)
		if (!kept || compare_place(&p->places[kept - 1], &p->places[i]) != 0)
			p->places[kept++] = p->places[i];
	p->n_places = kept;
	for (size_t i = 0; i < p->n_places; i++) {
		if (i && digest_eq(&p->places[i - 1].digest, &p->places[i].digest))
			continue;
		GROW(p->groups, p->n_groups);
		p->groups[p->n_groups++] = i;
	}
}

static void sort_documents(struct push_plan *p)
{
	size_t kept = 0;

	if (p->n_documents)
		qsort(p->documents, p->n_documents, sizeof(p->documents[0]), compare_document);
	for (size_t i = 0; i < p->n_documents; i++) {
		if (kept && compare_document(&p->documents[kept - 1], &p->documents[i]) == 0)
			free(p->documents[i].type);
		else
			p->documents[kept++] = p->documents[i];
	}
	p->n_documents = kept;
}

int push_gather(struct push_plan *p, const struct strv *wanted, struct err *e)
{
	const struct contents *c = &p->session->contents;

	for (size_t i = 0; i < c->n_images; i++)
		if ((!wanted || strv_has(wanted, c->images[i].ref)) && add_image(p, &c->images[i], e) < 0)
			return -1;
	if (add_charts(p, wanted, e) < 0 || add_files(p, wanted, e) < 0 || add_sets(p, wanted, e) < 0 ||
	    (!wanted && push_gather_keep(p, e) < 0))
		return -1;
	sort_places(p);
	sort_documents(p);
	push_sort_referrers(p);
	return check_tags(p, e);
}
