/* SPDX-License-Identifier: Apache-2.0 */
#include "image_resolve.h"

/* One entry of an index. */
struct child {
	const struct descriptor *d;
	struct platform platform;
	bool image, index, attestation; /* none of them: something we do not know, never carried */
	bool wanted;
};

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
	while (r->n_blobs > from)
		free(r->blobs[--r->n_blobs].media_type);
}

void image_result_release(struct image_result *r)
{
	drop_blobs(r, 0);
	free(r->blobs);
	content_image_release(&r->image);
	*r = (struct image_result){ 0 };
}

static void note(struct job *j, const char *fmt, ...) PRINTF(2, 3);
static void note(struct job *j, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	auto_free char *text = xvasprintf(fmt, ap);
	va_end(ap);
	if (!j->out->image.notes)
		j->out->image.notes = json_array();
	json_array_append_new(j->out->image.notes, json_string(text));
}

static bool wants_all(const struct job *j)
{
	return j->platforms->n == 1 && strcmp(j->platforms->items[0], "all") == 0;
}

/* ---- blobs */

static int add_blob(struct job *j, const struct digest *d, uint64_t size, const char *type, bool manifest, struct err *e)
{
	struct image_result *r = j->out;

	for (size_t i = 0; i < r->n_blobs; i++)
		if (digest_eq(&r->blobs[i].digest, d))
			return 0;
	if (!u64_add(&r->image.size, size))
		return err_set(e, ERR_LIMIT, "larger than any file");
	GROW(r->blobs, r->n_blobs);
	r->blobs[r->n_blobs++] = (struct image_blob){ *d, size, xstrdup(type), manifest };
	return 0;
}

/* Layers that "must not be distributed" are carried when the registry has them after all. */
static int add_layer(struct job *j, const struct descriptor *d, struct err *e)
{
	char digest[DIGEST_TEXT];

	if (oci_is_foreign_layer(d->media_type)) {
		int there = image_from_has(j->from, d, e);

		if (there < 0)
			return -1;
		if (!there)
			return err_set(e, ERR_UNSUPPORTED, "layer %s may not be distributed and the registry does not have it",
				       digest_text(&d->digest, digest));
	}
	return add_blob(j, &d->digest, d->size, d->media_type, false, e);
}

static bool has_platform(const struct oci_manifest *m)
{
	return str_eq(m->config.media_type, OCI_CONFIG) || str_eq(m->config.media_type, DOCKER_CONFIG);
}

/* What the config says; os "" for what is no image to run: an artifact, or a config that says nothing of the kind. */
static int config_platform(struct job *j, const struct oci_manifest *m, struct platform *out, struct err *e)
{
	auto_buf struct buf config = BUF_INIT(OCI_CONFIG_MAX);
	struct err ignored;
	size_t layers;

	*out = (struct platform){ 0 };
	if (!has_platform(m))
		return 0;
	if (image_from_blob(j->from, &m->config, &config, e) < 0)
		return -1;
	if (oci_parse_config(buf_str(&config), config.len, out, &layers, &ignored) < 0)
		*out = (struct platform){ 0 };
	return 0;
}

/* out NULL: its platform is known, or of no interest. */
static int add_manifest(struct job *j, const struct image_manifest *m, struct platform *out, struct err *e)
{
	auto_oci_manifest struct oci_manifest oci = { 0 };

	if (oci_parse_manifest(buf_str(&m->bytes), m->bytes.len, m->type, &oci, e) < 0 ||
	    (out && config_platform(j, &oci, out, e) < 0))
		return -1;
	if (add_blob(j, &m->digest, m->bytes.len, m->type, true, e) < 0 ||
	    add_blob(j, &oci.config.digest, oci.config.size, oci.config.media_type, false, e) < 0)
		return -1;
	for (size_t i = 0; i < oci.n_layers; i++)
		if (add_layer(j, &oci.layers[i], e) < 0)
			return -1;
	return 0;
}

static int load_child(struct job *j, const struct descriptor *d, struct image_manifest *out, struct err *e)
{
	char digest[DIGEST_TEXT];
	int there = image_from_child(j->from, d, out, e);

	if (there == 0)
		return err_set(e, ERR_TRUNCATED, "its manifest %s is not there", digest_text(&d->digest, digest));
	if (there > 0 && out->bytes.len != d->size)
		return err_set(e, ERR_MALFORMED, "its manifest %s has another size than the index says",
			       digest_text(&d->digest, digest));
	return MIN(there, 0);
}

static int add_index_whole(struct job *j, const struct image_manifest *m, unsigned depth, struct err *e);

static int add_child(struct job *j, const struct descriptor *d, unsigned depth, struct err *e)
{
	auto_image_manifest struct image_manifest m = IMAGE_MANIFEST_INIT;

	if (load_child(j, d, &m, e) < 0)
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
	    add_blob(j, &m->digest, m->bytes.len, m->type, true, e) < 0)
		return -1;
	for (size_t i = 0; i < ix.n_manifests; i++)
		if ((oci_is_index(ix.manifests[i].media_type) || oci_is_manifest(ix.manifests[i].media_type)) &&
		    add_child(j, &ix.manifests[i], depth, e) < 0)
			return -1;
	return 0;
}

/* ---- the children of an index */

/* An entry that does not say its platform is looked into. */
static int learn_platform(struct job *j, struct child *c, struct err *e)
{
	auto_image_manifest struct image_manifest m = IMAGE_MANIFEST_INIT;
	auto_oci_manifest struct oci_manifest oci = { 0 };

	c->platform = c->d->platform;
	if (!c->image || *c->platform.os)
		return 0;
	if (load_child(j, c->d, &m, e) < 0 || oci_parse_manifest(buf_str(&m.bytes), m.bytes.len, m.type, &oci, e) < 0)
		return -1;
	return config_platform(j, &oci, &c->platform, e);
}

static int list_children(struct job *j, const struct oci_index *ix, struct child *list, struct err *e)
{
	for (size_t i = 0; i < ix->n_manifests; i++) {
		struct child *c = &list[i];

		c->d = &ix->manifests[i];
		c->attestation = oci_is_attestation(c->d) && oci_is_manifest(c->d->media_type);
		c->index = oci_is_index(c->d->media_type);
		c->image = oci_is_manifest(c->d->media_type) && !oci_is_attestation(c->d);
		if (learn_platform(j, c, e) < 0)
			return -1;
	}
	return 0;
}

/* The best entry for one platform, the first among equals. */
static bool want_platform(struct child *list, size_t n, const struct platform *want)
{
	struct child *best = NULL;
	unsigned how = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned match = list[i].image ? platform_match(want, &list[i].platform) : 0;

		if (match > how) {
			how = match;
			best = &list[i];
		}
	}
	if (best)
		best->wanted = true;
	return best != NULL;
}

static char *platforms_of(const struct child *list, size_t n)
{
	auto_strv struct strv names = { 0 };
	char text[PLATFORM_TEXT];

	for (size_t i = 0; i < n; i++)
		if (list[i].image)
			strv_push(&names, platform_format(&list[i].platform, text));
	return strv_join(&names, ", ");
}

static int choose(struct job *j, struct child *list, size_t n, struct err *e)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		if (list[i].index || (list[i].image && wants_all(j)))
			list[i].wanted = true;
	for (size_t i = 0; i < j->platforms->n && !wants_all(j); i++) {
		struct platform want;

		if (platform_parse(j->platforms->items[i], &want, e) < 0)
			return -1;
		if (want_platform(list, n, &want))
			found++;
		else
			note(j, "there is none for %s", j->platforms->items[i]);
	}
	for (size_t i = 0; i < n; i++)
		if (list[i].wanted)
			return 0;

	auto_free char *have = platforms_of(list, n), *wanted = strv_join(j->platforms, ", ");

	return err_set(e, ERR_UNSUPPORTED, "there is none for %s: it has %s", wanted, *have ? have : "nothing");
}

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
	if (add_blob(j, &m->digest, m->bytes.len, m->type, true, e) < 0)
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
		note(j, "all platforms are taken: %s", r->has_digest ? "the reference pins the index by its digest"
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

	if (list_children(j, &ix, list, e) < 0 || choose(j, list, ix.n_manifests, e) < 0)
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

/* An image for one of several platforms is taken, with a note; one for none of them is not what was asked for. */
static int check_platform(struct job *j, const struct platform *have, struct err *e)
{
	auto_strv struct strv missing = { 0 };
	char text[PLATFORM_TEXT];

	if (!*have->os || wants_all(j))
		return 0;
	for (size_t i = 0; i < j->platforms->n; i++) {
		struct platform want;

		if (platform_parse(j->platforms->items[i], &want, e) < 0)
			return -1;
		if (!platform_match(&want, have))
			strv_push(&missing, j->platforms->items[i]);
	}

	auto_free char *list = missing.n ? strv_join(&missing, ", ") : NULL;

	if (missing.n == j->platforms->n)
		return err_set(e, ERR_UNSUPPORTED, "it is for %s, not for %s", platform_format(have, text), list);
	if (missing.n)
		note(j, "there is none for %s", list);
	return 0;
}

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
				 : add_manifest(&j, &m, &platform, e) < 0 || check_platform(&j, &platform, e) < 0)
		return -1;
	*out = result;
	result = (struct image_result){ 0 };
	return 1;
}
