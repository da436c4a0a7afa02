/* SPDX-License-Identifier: Apache-2.0 */
/* An image of our making: somebody's image with one layer on top. */
#include "image_add.h"
#include "image_children.h"

struct making {
	const struct image_from *from;
	const struct ref *base;
	const struct image_layer *layer;
	struct image_result *out;
};

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

/* A document of ours. */
static int add_made(struct making *m, const struct buf *bytes, const char *type, bool manifest, struct oci_blob *out, struct err *e)
{
	struct image_blob *b;

	*out = (struct oci_blob){ digest_of(bytes->ptr, bytes->len), bytes->len };
	b = image_result_add(m->out, &out->digest, out->size, type, e);
	if (!b)
		return -1;
	b->manifest = manifest;
	if (!b->made)
		b->made = xstrndup(bytes->ptr, bytes->len);
	return 0;
}

static int add_layers(struct making *m, const struct oci_manifest *base, struct err *e)
{
	const struct image_layer *l = m->layer;
	struct image_blob *b;

	for (size_t i = 0; i < base->n_layers; i++) {
		const struct descriptor *d = &base->layers[i];

		b = image_from_check_layer(m->from, d, e) < 0 ? NULL
							      : image_result_add(m->out, &d->digest, d->size, d->media_type, e);
		if (!b)
			return -1;
		if (!b->source.location)
			b->source = image_from_source(m->from, &d->digest);
	}
	b = image_result_add(m->out, &l->digest, l->size, OCI_LAYER_TAR, e);
	if (!b)
		return -1;
	if (!b->source.location) {
		b->source = l->source;
		b->source.location = copy(l->source.location);
		b->source.member = copy(l->source.member);
	}
	return 0;
}

static int make_config(struct making *m, const struct oci_manifest *base, struct oci_blob *out, struct err *e)
{
	auto_buf struct buf old = BUF_INIT(OCI_CONFIG_MAX), made = BUF_INIT(OCI_MANIFEST_MAX);
	auto_free char *created_by = xasprintf("bundler add %s", m->layer->files);
	auto_free struct digest *diff_ids = NULL;
	size_t n;

	if (!str_eq(base->config.media_type, OCI_CONFIG) && !str_eq(base->config.media_type, DOCKER_CONFIG))
		return err_set(e, ERR_UNSUPPORTED, "the base is no image that files can be added to: its config is '%s'",
			       base->config.media_type);
	if (image_from_blob(m->from, &base->config, &old, e) < 0 || oci_parse_diff_ids(buf_str(&old), old.len, &diff_ids, &n, e) < 0)
		return -1;
	if (n != base->n_layers)
		return err_set(e, ERR_MALFORMED, "the base has %zu layers, its config says %zu", base->n_layers, n);
	if (oci_config_add(buf_str(&old), old.len, &m->layer->digest, created_by, &made, e) < 0)
		return -1;
	return add_made(m, &made, OCI_CONFIG, false, out, e);
}

/* The manifest over all of it, which says what it was made of. */
static int make_manifest(struct making *m, const struct image_manifest *base, struct oci_blob *out, struct err *e)
{
	auto_oci_manifest struct oci_manifest old = { 0 };
	auto_buf struct buf made = BUF_INIT(OCI_MANIFEST_MAX);
	auto_free char *name = ref_format(m->base);
	struct oci_blob config;
	char digest[DIGEST_TEXT];

	if (oci_parse_manifest(buf_str(&base->bytes), base->bytes.len, base->type, &old, e) < 0 ||
	    make_config(m, &old, &config, e) < 0 || add_layers(m, &old, e) < 0)
		return -1;

	auto_free struct descriptor *layers = xcalloc(old.n_layers + 1, sizeof(*layers));
	const struct descriptor top = { .media_type = (char *)OCI_CONFIG, .digest = config.digest, .size = config.size };
	auto_json json_t *notes = json_pack("{ss, ss}", "org.opencontainers.image.base.name", name,
					    "org.opencontainers.image.base.digest", digest_text(&base->digest, digest));

	if (old.n_layers)
		memcpy(layers, old.layers, old.n_layers * sizeof(*layers));
	layers[old.n_layers] = (struct descriptor){
		.media_type = (char *)OCI_LAYER_TAR, .digest = m->layer->digest, .size = m->layer->size,
	};
	if (oci_make_image_manifest(&top, layers, old.n_layers + 1, notes, &made, e) < 0)
		return -1;
	return add_made(m, &made, OCI_MANIFEST, true, out, e);
}

/* ---- one platform, or several */

static void set_image(struct making *m, const char *type, const struct digest *d)
{
	m->out->image.media_type = xstrdup(type);
	m->out->image.digest = m->out->image.target = *d;
}

static int make_single(struct making *m, const struct image_manifest *base, struct err *e)
{
	struct oci_blob made;

	if (make_manifest(m, base, &made, e) < 0)
		return -1;
	set_image(m, OCI_MANIFEST, &made.digest);
	return 0;
}

static int make_child(struct making *m, const struct child *c, struct descriptor *out, struct err *e)
{
	auto_image_manifest struct image_manifest base = IMAGE_MANIFEST_INIT;
	struct content_image *i = &m->out->image;
	struct oci_blob made;
	char text[PLATFORM_TEXT];

	if (c->index)
		return err_set(e, ERR_UNSUPPORTED, "the base has indexes in its index: name one of them by its digest");
	if (image_load_child(m->from, c->d, &base, e) < 0 || make_manifest(m, &base, &made, e) < 0)
		return -1;
	*out = (struct descriptor){
		.media_type = (char *)OCI_MANIFEST, .digest = made.digest, .size = made.size, .platform = c->platform,
	};
	i->children[i->n_children++] = (struct content_child){
		.platform = *c->platform.os ? xstrdup(platform_format(&c->platform, text)) : NULL, .digest = made.digest, .carried = true,
	};
	return 0;
}

static int make_several(struct making *m, const struct child *list, size_t n, struct err *e)
{
	auto_free struct descriptor *made = xcalloc(n, sizeof(*made));
	auto_buf struct buf index = BUF_INIT(OCI_MANIFEST_MAX);
	struct oci_blob blob;
	size_t wanted = 0;

	m->out->image.children = xcalloc(n, sizeof(*m->out->image.children));
	for (size_t i = 0; i < n; i++)
		if (list[i].wanted && make_child(m, &list[i], &made[wanted++], e) < 0)
			return -1;
	if (wanted == 1) {
		set_image(m, OCI_MANIFEST, &made[0].digest);
		return 0;
	}
	if (oci_make_index(made, wanted, &index, e) < 0 || add_made(m, &index, OCI_INDEX, true, &blob, e) < 0)
		return -1;
	set_image(m, OCI_INDEX, &blob.digest);
	return 0;
}

static int make_all(struct making *m, const struct image_manifest *base, const struct strv *platforms, struct err *e)
{
	auto_oci_index struct oci_index ix = { 0 };
	json_t **notes = &m->out->image.notes;

	if (oci_parse_index(buf_str(&base->bytes), base->bytes.len, base->type, &ix, e) < 0)
		return -1;

	auto_free struct child *list = xcalloc(ix.n_manifests + 1, sizeof(*list));

	if (image_children(m->from, &ix, list, e) < 0 || image_choose(platforms, list, ix.n_manifests, notes, e) < 0)
		return -1;
	return make_several(m, list, ix.n_manifests, e);
}

/* A base without an index must be for one of the platforms. */
static int check_single(struct making *m, const struct image_manifest *base, const struct strv *platforms, struct err *e)
{
	auto_oci_manifest struct oci_manifest oci = { 0 };
	struct platform platform;

	if (oci_parse_manifest(buf_str(&base->bytes), base->bytes.len, base->type, &oci, e) < 0 ||
	    image_platform(m->from, &oci, &platform, e) < 0)
		return -1;
	return image_check_platform(platforms, &platform, &m->out->image.notes, e);
}

int image_make(const struct image_from *from, const struct ref *base, const struct image_layer *layer,
	       const struct strv *platforms, struct image_result *out, struct err *e)
{
	auto_image_manifest struct image_manifest top = IMAGE_MANIFEST_INIT;
	auto_image_result struct image_result result = { 0 };
	struct making m = { from, base, layer, &result };
	int there = image_from_name(from, base, &top, e);
	char text[DIGEST_TEXT];

	if (there <= 0)
		return there;
	if (oci_is_index(top.type) ? make_all(&m, &top, platforms, e) < 0
				   : check_single(&m, &top, platforms, e) < 0 || make_single(&m, &top, e) < 0)
		return -1;

	auto_free char *name = ref_format(base);

	image_note(&result.image.notes, "made of %s, %s, and %s", name, digest_text(&top.digest, text), layer->files);
	*out = result;
	result = (struct image_result){ 0 };
	return 1;
}
