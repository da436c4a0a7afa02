/* SPDX-License-Identifier: Apache-2.0 */
#include "image_resolve.h"
#include "image_children.h"

struct job {
	const struct image_from *from;
	const struct strv *platforms;
	struct image_result *out;
};

static void content_image_release(struct content_image *i)
{
	for (size_t k = 0; k < i->n_children; k++)
		free(i->children[k].platform);
	for (size_t k = 0; k < i->n_reasons; k++) {
		free(i->reasons[k].chart);
		free(i->reasons[k].file);
		free(i->reasons[k].kind);
		free(i->reasons[k].path);
	}
	for (size_t k = 0; k < i->n_referrers; k++) {
		free(i->referrers[k].media_type);
		free(i->referrers[k].artifact_type);
		free(i->referrers[k].tag);
	}
	free(i->referrers);
	free(i->children);
	free(i->reasons);
	free(i->ref);
	free(i->source);
	free(i->media_type);
	strv_release(&i->tags);
	json_decref(i->notes);
}

static void drop_blobs(struct image_result *r, size_t from)
{
	while (r->n_blobs > from) {
		struct image_blob *b = &r->blobs[--r->n_blobs];

		free(b->media_type);
		free(b->source.location);
		free(b->source.member);
		free(b->made);
	}
}

void image_result_release(struct image_result *r)
{
	drop_blobs(r, 0);
	free(r->blobs);
	content_image_release(&r->image);
	*r = (struct image_result){ 0 };
}

/* ---- blobs */

struct image_blob *image_result_add(struct image_result *r, const struct digest *d, uint64_t size, const char *type,
				    struct err *e)
{
	for (size_t i = 0; i < r->n_blobs; i++)
		if (digest_eq(&r->blobs[i].digest, d))
			return &r->blobs[i];
	if (!u64_add(&r->image.size, size)) {
		err_set(e, ERR_LIMIT, "larger than any file");
		return NULL;
	}
	GROW(r->blobs, r->n_blobs);
	r->blobs[r->n_blobs] = (struct image_blob){ .digest = *d, .size = size, .media_type = xstrdup(type) };
	return &r->blobs[r->n_blobs++];
}

int image_result_add_from(struct image_result *r, const struct image_from *f, const struct digest *d, uint64_t size,
			  const char *type, bool manifest, struct err *e)
{
	struct image_blob *b = image_result_add(r, d, size, type, e);
	char digest[DIGEST_TEXT];
	int there = 1;

	if (!b)
		return -1;
	b->manifest |= manifest;
	if (b->source.location)
		return 0;
	if (!f->registry)
		there = image_from_has(f, d, e);
	if (there < 0)
		return -1;
	b->source = image_from_source(f, d);
	return there ? 0 : err_set(e, ERR_TRUNCATED, "'%s': %s is not there", f->layout, digest_text(d, digest));
}

static int add_blob(struct job *j, const struct digest *d, uint64_t size, const char *type, struct err *e)
{
	return image_result_add_from(j->out, j->from, d, size, type, false, e);
}

static int add_document(struct job *j, const struct image_manifest *m, struct err *e)
{
	struct image_blob *b;

	if (!m->made && add_blob(j, &m->digest, m->bytes.len, m->type, e) < 0)
		return -1;
	b = image_result_add(j->out, &m->digest, m->bytes.len, m->type, e);
	if (!b)
		return -1;
	b->manifest = true;
	if (m->made && !b->made)
		b->made = xstrndup(m->bytes.ptr, m->bytes.len);
	return 0;
}

static int add_layer(struct job *j, const struct descriptor *d, struct err *e)
{
	return image_from_check_layer(j->from, d, e) < 0 ? -1 : add_blob(j, &d->digest, d->size, d->media_type, e);
}

/* out NULL: its platform is known, or of no interest. */
static int add_manifest(struct job *j, const struct image_manifest *m, struct platform *out, struct err *e)
{
	auto_oci_manifest struct oci_manifest oci = { 0 };

	if (oci_parse_manifest(buf_str(&m->bytes), m->bytes.len, m->type, &oci, e) < 0 ||
	    (out && image_platform(j->from, &oci, out, e) < 0))
		return -1;
	if (add_document(j, m, e) < 0 || add_blob(j, &oci.config.digest, oci.config.size, oci.config.media_type, e) < 0)
		return -1;
	for (size_t i = 0; i < oci.n_layers; i++)
		if (add_layer(j, &oci.layers[i], e) < 0)
			return -1;
	return 0;
}

static int add_index_whole(struct job *j, const struct image_manifest *m, unsigned depth, struct err *e);

static int add_child(struct job *j, const struct descriptor *d, unsigned depth, struct err *e)
{
	auto_image_manifest struct image_manifest m = IMAGE_MANIFEST_INIT;

	if (image_load_child(j->from, d, &m, e) < 0)
		return -1;
	if (oci_is_index(d->media_type))
		return add_index_whole(j, &m, depth + 1, e);
	return add_manifest(j, &m, NULL, e);
}

static int add_index_whole(struct job *j, const struct image_manifest *m, unsigned depth, struct err *e)
{
	auto_oci_index struct oci_index ix = { 0 };

	if (depth > OCI_NESTING_MAX)
		return err_set(e, ERR_LIMIT, "indexes are nested deeper than %u", OCI_NESTING_MAX);
	if (oci_parse_index(buf_str(&m->bytes), m->bytes.len, m->type, &ix, e) < 0 ||
	    add_document(j, m, e) < 0)
		return -1;
	for (size_t i = 0; i < ix.n_manifests; i++)
		if ((oci_is_index(ix.manifests[i].media_type) || oci_is_manifest(ix.manifests[i].media_type)) &&
		    add_child(j, &ix.manifests[i], depth, e) < 0)
			return -1;
	return 0;
}

/* ---- the children of an index */

static size_t count_missing(const struct child *list, size_t n)
{
	size_t missing = 0;

	for (size_t i = 0; i < n; i++)
		missing += list[i].image && !list[i].wanted;
	return missing;
}

static int add_wanted(struct job *j, const struct child *list, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].wanted && add_child(j, list[i].d, 1, e) < 0)
			return -1;
	return 0;
}

/* Children nobody asked for may be incomplete upstream, or hold layers that may not be distributed. */
static bool is_lacking(const struct err *e)
{
	return e->code == ERR_TRUNCATED || e->code == ERR_UNSUPPORTED;
}

/* 1: the rest is added, as it is at most `limit` bytes. 0: it is more, or cannot be had; nothing was added. The first
 * child that is too much ends the question: each costs a request. */
static int add_rest(struct job *j, const struct child *list, size_t n, uint64_t limit, struct err *e)
{
	uint64_t size = j->out->image.size;
	size_t before = j->out->n_blobs;
	bool all = true;

	for (size_t i = 0; i < n && all; i++) {
		if (list[i].wanted || !list[i].image)
			continue;
		if (add_child(j, list[i].d, 1, e) < 0) {
			if (!is_lacking(e))
				return -1;
			all = false;
		}
		all = all && j->out->image.size - size <= limit;
	}
	if (all)
		return 1;
	drop_blobs(j->out, before);
	j->out->image.size = size;
	return 0;
}

static int add_attestations(struct job *j, struct child *list, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!list[i].attestation)
			continue;
		if (add_child(j, list[i].d, 1, e) < 0)
			return -1;
		list[i].wanted = true;
	}
	return 0;
}

static void record_children(struct job *j, const struct child *list, size_t n)
{
	struct content_image *i = &j->out->image;
	char text[PLATFORM_TEXT];

	i->children = xcalloc(n, sizeof(*i->children));
	i->n_children = n;
	for (size_t k = 0; k < n; k++) {
		const char *platform = list[k].attestation ? "" : platform_format(&list[k].platform, text);

		i->children[k] = (struct content_child){
			.platform = *platform ? xstrdup(platform) : NULL,
			.digest = list[k].d->digest, .carried = list[k].wanted,
		};
	}
}

static void take_all(struct child *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		list[i].wanted |= list[i].image || list[i].index;
}

static int carry_index(struct job *j, const struct image_manifest *m, struct child *list, size_t n, bool whole, struct err *e)
{
	if (add_document(j, m, e) < 0)
		return -1;
	return whole ? add_attestations(j, list, n, e) : 0;
}

static const struct child *only_wanted(const struct child *list, size_t n)
{
	const struct child *only = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!list[i].wanted)
			continue;
		if (only || list[i].index)
			return NULL;
		only = &list[i];
	}
	return only;
}

/* The rule of format §7, once the children are listed and chosen. */
static int apply_rule(struct job *j, const struct image_manifest *m, const struct ref *r, struct child *list, size_t n,
		      struct err *e)
{
	size_t missing = count_missing(list, n);
	int whole = 1;

	if (add_wanted(j, list, n, e) < 0)
		return -1;
	if (missing)
		whole = add_rest(j, list, n, r->has_digest ? UINT64_MAX : j->out->image.size / 4, e);
	if (whole < 0)
		return -1;
	if (missing && whole)
		image_note(&j->out->image.notes, "all platforms are taken: %s", r->has_digest ? "the reference pins the index by its digest"
								     : "together they are hardly larger");
	if (whole)
		take_all(list, n);

	const struct child *only = only_wanted(list, n);

	if (whole || r->has_digest || !only)
		return carry_index(j, m, list, n, whole, e);
	j->out->image.target = only->d->digest;
	return 0;
}

static int resolve_index(struct job *j, const struct image_manifest *m, const struct ref *r, struct err *e)
{
	auto_oci_index struct oci_index ix = { 0 };

	if (oci_parse_index(buf_str(&m->bytes), m->bytes.len, m->type, &ix, e) < 0)
		return -1;
	if (ix.n_manifests == 0)
		return err_set(e, ERR_MALFORMED, "its index is empty");

	auto_free struct child *list = xcalloc(ix.n_manifests, sizeof(*list));

	if (image_children(j->from, &ix, list, e) < 0 ||
	    image_choose(j->platforms, list, ix.n_manifests, &j->out->image.notes, e) < 0)
		return -1;
	for (size_t i = 0; i < ix.n_manifests; i++)
		if (list[i].index)
			take_all(list, ix.n_manifests);
	if (apply_rule(j, m, r, list, ix.n_manifests, e) < 0)
		return -1;
	record_children(j, list, ix.n_manifests);
	return 0;
}

/* ---- one manifest */

int image_resolve(const struct image_from *f, const struct ref *r, const struct strv *platforms,
		  struct image_result *out, struct err *e)
{
	auto_image_manifest struct image_manifest m = IMAGE_MANIFEST_INIT;
	auto_image_result struct image_result result = { 0 };
	struct job j = { f, platforms, &result };
	struct platform platform;
	int there = image_from_name(f, r, &m, e);

	if (there <= 0)
		return there;
	result.image.media_type = xstrdup(m.type);
	result.image.digest = result.image.target = m.digest;
	if (oci_is_index(m.type) ? resolve_index(&j, &m, r, e) < 0
				 : add_manifest(&j, &m, &platform, e) < 0 ||
				   image_check_platform(platforms, &platform, &result.image.notes, e) < 0)
		return -1;
	*out = result;
	result = (struct image_result){ 0 };
	return 1;
}
