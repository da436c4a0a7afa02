/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of `docker save`, of skopeo's docker-archive, of builders that write the same. */
#include "image_archive.h"

/* ---- which one */

static bool is_named(const struct docker_image *i, const struct ref *want, const char *text)
{
	for (size_t k = 0; k < i->tags.n; k++) {
		auto_ref struct ref r = { 0 };
		struct err ignored;

		if (str_eq(i->tags.items[k], text))
			return true;
		if (ref_parse(i->tags.items[k], &r, &ignored) == 0 && strcmp(r.host, want->host) == 0 &&
		    strcmp(r.path, want->path) == 0 && str_eq(r.tag, want->tag))
			return true;
	}
	return false;
}

static char *names_of(const struct docker_images *v)
{
	auto_strv struct strv names = { 0 };

	for (size_t i = 0; i < v->n && names.n < 10; i++)
		for (size_t k = 0; k < v->items[i].tags.n && names.n < 10; k++)
			strv_push(&names, v->items[i].tags.items[k]);
	return names.n ? strv_join(&names, ", ") : xstrdup("none");
}

static const struct docker_image *pick(const struct docker_images *v, const struct ref *r, struct err *e)
{
	auto_free char *text = ref_format(r);

	for (size_t i = 0; i < v->n; i++)
		if (is_named(&v->items[i], r, text))
			return &v->items[i];
	if (v->n == 1)
		return &v->items[0];

	auto_free char *names = names_of(v);

	err_set(e, ERR_USAGE, "has %zu images and none is named '%s': it has %.300s", v->n, text, names);
	return NULL;
}

/* ---- its parts */

static const struct archive_file *part(const struct image_archive *a, const char *what, const char *name, struct err *e)
{
	const struct archive_file *f = image_archive_file(a, name);

	if (!f)
		err_set(e, ERR_TRUNCATED, "%s '%.300s' is not in it", what, name);
	return f;
}

/* NULL: it is neither of the two that layers come in. */
static const char *compressed_type(const struct archive_file *f)
{
	static const uint8_t gzip[2] = { 0x1f, 0x8b }, zstd[4] = { 0x28, 0xb5, 0x2f, 0xfd };

	if (memcmp(f->head, gzip, sizeof(gzip)) == 0)
		return OCI_LAYER_GZIP;
	return memcmp(f->head, zstd, sizeof(zstd)) == 0 ? OCI_LAYER_ZSTD : NULL;
}

/* Builders compress the layers of such archives; they are carried as they are. */
static int compressed_layer(struct image_archive *a, const struct archive_file *f, const struct digest *diff_id,
			    struct descriptor *out, struct err *e)
{
	const char *type = compressed_type(f);
	char want[DIGEST_TEXT], got[DIGEST_TEXT];
	struct digest inner = f->digest;

	if (type && image_archive_unpacked(a, f, &inner, e) < 0)
		return -1;
	if (!digest_eq(&inner, diff_id))
		return err_set(e, ERR_DIGEST, "layer '%.300s' is %s, its config says %s", f->name, digest_text(&inner, got),
			       digest_text(diff_id, want));
	*out = (struct descriptor){ .media_type = xstrdup(type), .digest = f->digest, .size = f->size };
	return 0;
}

/* A layer is what its diff_id says. Where an archive has it once for several images, the other names are links to it: the
 * file is found by what is in it, not by following them. */
static int find_layer(struct image_archive *a, const char *name, const struct digest *diff_id, struct descriptor *out,
		      struct err *e)
{
	const struct archive_file *named = part(a, "layer", name, e), *f;

	if (!named)
		return -1;
	f = image_archive_find(a, diff_id);
	if (!f && named->link)
		return err_set(e, ERR_UNSAFE, "layer '%.300s' is a link, and nothing in the archive is what it should be", name);
	if (!f || (!named->link && !digest_eq(&named->digest, diff_id)))
		return compressed_layer(a, named, diff_id, out, e);
	*out = (struct descriptor){ .media_type = xstrdup(OCI_LAYER_TAR), .digest = f->digest, .size = f->size };
	return 0;
}

struct layers { struct descriptor *items; size_t n; };

static void layers_release(struct layers *l)
{
	for (size_t i = 0; i < l->n; i++)
		descriptor_release(&l->items[i]);
	free(l->items);
}

static int find_layers(struct image_archive *a, const struct docker_image *i, const struct digest *diff_ids,
		       struct layers *out, struct err *e)
{
	out->items = xcalloc(i->layers.n + 1, sizeof(*out->items));
	for (out->n = 0; out->n < i->layers.n; out->n++)
		if (find_layer(a, i->layers.items[out->n], &diff_ids[out->n], &out->items[out->n], e) < 0)
			return -1;
	return 0;
}

static int make_manifest(struct image_archive *a, const struct docker_image *i, struct buf *out, struct err *e)
{
	const struct archive_file *f = part(a, "config", i->config, e);
	auto_buf struct buf text = BUF_INIT(OCI_CONFIG_MAX);
	auto_free struct digest *diff_ids = NULL;
	CLEANUP(layers_release) struct layers layers = { 0 };
	size_t n;

	if (!f)
		return -1;
	if (f->link)
		return err_set(e, ERR_UNSAFE, "config '%.300s' is a link", i->config);
	if (image_archive_load(a, f, &text, e) < 0 || oci_parse_diff_ids(buf_str(&text), text.len, &diff_ids, &n, e) < 0)
		return -1;
	if (n != i->layers.n)
		return err_set(e, ERR_MALFORMED, "its config has %zu layers, manifest.json has %zu", n, i->layers.n);
	if (find_layers(a, i, diff_ids, &layers, e) < 0)
		return -1;

	const struct descriptor config = { .media_type = (char *)OCI_CONFIG, .digest = f->digest, .size = f->size };

	return oci_make_image_manifest(&config, layers.items, layers.n, NULL, out, e);
}

int image_archive_docker(struct image_archive *a, const struct ref *r, struct buf *out, struct err *e)
{
	const struct archive_file *f = image_archive_file(a, "manifest.json");
	auto_buf struct buf text = BUF_INIT(OCI_MANIFEST_MAX);
	auto_docker_images struct docker_images images = { 0 };
	const struct docker_image *i;

	if (!f || f->link)
		return 0;
	if (image_archive_load(a, f, &text, e) < 0 || oci_parse_docker_archive(buf_str(&text), text.len, &images, e) < 0)
		return err_wrap(e, "'%s'", image_archive_path(a));
	i = pick(&images, r, e);
	if (!i || make_manifest(a, i, out, e) < 0)
		return err_wrap(e, "'%s'", image_archive_path(a));
	return 1;
}
