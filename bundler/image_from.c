/* SPDX-License-Identifier: Apache-2.0 */
#include "image_from.h"

#include <airgap/content.h>
#include <airgap/fs.h>

void image_manifest_release(struct image_manifest *m)
{
	buf_release(&m->bytes);
	free(TAKE(m->type));
}

static int take(struct image_manifest *out, struct buf *bytes, const char *type, const struct digest *d)
{
	image_manifest_release(out);
	out->bytes = *bytes;
	*bytes = (struct buf)BUF_INIT(OCI_MANIFEST_MAX);
	out->type = xstrdup(type);
	out->digest = *d;
	out->made = false;
	return 1;
}

/* ---- a registry */

static int ask_registry(const struct image_from *f, const char *ref, struct image_manifest *out, struct err *e)
{
	CLEANUP(registry_manifest_release) struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	int there = registry_manifest_get(f->registry, f->repository, ref, &m, e);

	if (there <= 0)
		return there;
	if (oci_check_type(m.type, e) < 0 || content_save(buf_str(&m.bytes), m.bytes.len, NULL, e) < 0)
		return -1;
	return take(out, &m.bytes, m.type, &m.digest);
}

/* Where pulls are counted a HEAD says what the tag is now and costs nothing; the bytes may be here already. */
static int name_by_head(const struct image_from *f, const struct ref *r, struct image_manifest *out, struct err *e)
{
	CLEANUP(registry_manifest_release) struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	char digest[DIGEST_TEXT];
	const char *name = r->has_digest ? digest_text(&r->digest, digest) : r->tag;
	int there = registry_manifest_head(f->registry, f->repository, name, &m, e);

	if (there <= 0)
		return there;
	if (m.type && oci_check_type(m.type, e) < 0)
		return -1;
	if (m.bytes.len) {
		if (content_save(m.bytes.ptr, m.bytes.len, NULL, e) < 0)
			return -1;
		return take(out, &m.bytes, m.type, &m.digest);
	}
	there = m.type ? content_load(&m.digest, &bytes, e) : 0;
	if (there < 0)
		return -1;
	if (there)
		return take(out, &bytes, m.type, &m.digest);
	return ask_registry(f, digest_text(&m.digest, digest), out, e);
}

/* Elsewhere a GET is one request where a HEAD may be two. */
static int name_in_registry(const struct image_from *f, const struct ref *r, struct image_manifest *out, struct err *e)
{
	if (r->has_digest || registry_counts_pulls(f->registry))
		return name_by_head(f, r, out, e);
	return ask_registry(f, r->tag, out, e);
}

/* ---- a layout */

static char *blob_name(const struct digest *d)
{
	char hex[DIGEST_HEX];

	return xasprintf("blobs/sha256/%s", digest_hex(d, hex));
}

/* A file of the layout, appended to out. 1, 0: not there. */
static int load_file(const struct image_from *f, const char *name, struct buf *out, struct err *e)
{
	auto_free char *path = fs_join(f->layout, name);
	int there;

	if (f->archive) {
		const struct archive_file *file = image_archive_file(f->archive, name);

		if (!file || file->link)
			return 0;
		return image_archive_load(f->archive, file, out, e) < 0 ? err_wrap(e, "'%s'", f->layout) : 1;
	}
	there = fs_exists(path, e);
	if (there <= 0)
		return there;
	return fs_load(path, out->max, out, e) < 0 ? -1 : 1;
}

/* In an archive a blob is what has its digest, whatever it is called. */
static int load_blob(const struct image_from *f, const struct digest *d, struct buf *out, struct err *e)
{
	const struct archive_file *file = f->archive ? image_archive_find(f->archive, d) : NULL;
	auto_free char *name = file ? xstrdup(file->name) : blob_name(d);
	size_t at = out->len;
	int there = load_file(f, name, out, e);

	if (there <= 0)
		return there;

	struct digest have = digest_of(buf_str(out) + at, out->len - at);

	if (!digest_eq(&have, d))
		return err_set(e, ERR_DIGEST, "'%s': %s is not what its name says", f->layout, name);
	return 1;
}

static int from_layout(const struct image_from *f, const struct descriptor *d, struct image_manifest *out, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	int there = oci_check_type(d->media_type, e) < 0 ? -1 : load_blob(f, &d->digest, &bytes, e);

	return there <= 0 ? there : take(out, &bytes, d->media_type, &d->digest);
}

/* 1: the file is there and read. */
static int load_index(const struct image_from *f, struct oci_index *out, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	int there = load_file(f, "index.json", &bytes, e);

	if (there == 1 && oci_parse_index(buf_str(&bytes), bytes.len, OCI_INDEX, out, e) < 0)
		return err_wrap(e, "'%s': index.json", f->layout);
	return there;
}

/* 2: it is this image, by its whole name or its digest. 1: it has the tag, as others may. */
static int entry_fits(const struct descriptor *d, const struct ref *r, const char *text)
{
	const char *name = descriptor_note(d, OCI_REF_NAME), *whole = descriptor_note(d, CONTAINERD_NAME);

	if ((r->has_digest && digest_eq(&d->digest, &r->digest)) || str_eq(name, text) || str_eq(whole, text))
		return 2;
	return name && str_eq(name, r->tag);
}

/* NULL: no entry, or none that is the only one. */
static const struct descriptor *find_entry(const struct oci_index *ix, const struct ref *r)
{
	auto_free char *text = ref_format(r);
	const struct descriptor *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < ix->n_manifests; i++) {
		int fits = entry_fits(&ix->manifests[i], r, text);

		if (fits == 2)
			return &ix->manifests[i];
		if (fits && (!found || !digest_eq(&found->digest, &ix->manifests[i].digest)))
			n++;
		if (fits)
			found = &ix->manifests[i];
	}
	if (n == 0 && ix->n_manifests == 1 && !r->has_digest)
		return &ix->manifests[0];
	return n == 1 ? found : NULL;
}

static int no_image(const struct image_from *f, bool has_index, const struct oci_index *ix, const struct ref *r, struct err *e)
{
	auto_free char *text = ref_format(r);

	if (!has_index)
		return err_set(e, ERR_USAGE, "'%s': is no OCI layout and no archive of images: it has no index.json%s", f->layout,
			       f->archive ? " and no manifest.json" : "");
	return err_set(e, ERR_USAGE, "'%s': has %zu images and not just one is named '%s'", f->layout, ix->n_manifests, text);
}

static int name_in_docker(const struct image_from *f, const struct ref *r, struct image_manifest *out, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	int there = f->archive ? image_archive_docker(f->archive, r, &bytes, e) : 0;
	struct digest d;

	if (there <= 0)
		return there;
	d = digest_of(bytes.ptr, bytes.len);
	take(out, &bytes, OCI_MANIFEST, &d);
	out->made = true;
	return 1;
}

/* Newer archives of `docker save` have both forms; the layout's manifest is the one that was pushed or pulled. */
static int name_in_layout(const struct image_from *f, const struct ref *r, struct image_manifest *out, struct err *e)
{
	auto_oci_index struct oci_index ix = { 0 };
	int has_index = load_index(f, &ix, e);
	const struct descriptor *found = has_index == 1 ? find_entry(&ix, r) : NULL;
	int there;

	if (has_index < 0)
		return -1;
	if (!found) {
		there = name_in_docker(f, r, out, e);
		return there ? there : no_image(f, has_index, &ix, r, e);
	}
	there = from_layout(f, found, out, e);
	return there ? there : err_set(e, ERR_TRUNCATED, "'%s': the manifest it names is not there", f->layout);
}

/* ---- either */

int image_from_name(const struct image_from *f, const struct ref *r, struct image_manifest *out, struct err *e)
{
	int there = f->layout ? name_in_layout(f, r, out, e) : name_in_registry(f, r, out, e);

	if (there == 1 && r->has_digest && !digest_eq(&r->digest, &out->digest))
		return err_set(e, ERR_DIGEST, "what it names has another digest");
	return there;
}

int image_from_child(const struct image_from *f, const struct descriptor *d, struct image_manifest *out, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	char digest[DIGEST_TEXT];
	int there;

	if (f->layout)
		return from_layout(f, d, out, e);
	there = content_load(&d->digest, &bytes, e);
	if (there < 0)
		return -1;
	if (there)
		return take(out, &bytes, d->media_type, &d->digest);
	return ask_registry(f, digest_text(&d->digest, digest), out, e);
}

int image_from_blob(const struct image_from *f, const struct descriptor *d, struct buf *out, struct err *e)
{
	size_t at = out->len;
	int there;

	if (f->layout) {
		there = load_blob(f, &d->digest, out, e);
		return there ? MIN(there, 0) : err_set(e, ERR_TRUNCATED, "'%s': a config is missing", f->layout);
	}
	there = content_load(&d->digest, out, e);
	if (there)
		return MIN(there, 0);
	if (registry_blob_load(f->registry, f->repository, &d->digest, d->size, out, e) < 0)
		return -1;
	return content_save(buf_str(out) + at, out->len - at, NULL, e);
}

int image_from_has(const struct image_from *f, const struct digest *d, struct err *e)
{
	auto_free char *name = blob_name(d), *path = f->layout ? fs_join(f->layout, name) : NULL;
	uint64_t size;

	if (!f->layout)
		return registry_blob_head(f->registry, f->repository, d, &size, e);
	return f->archive ? image_archive_find(f->archive, d) != NULL : fs_exists(path, e);
}

int image_from_check_layer(const struct image_from *f, const struct descriptor *d, struct err *e)
{
	char digest[DIGEST_TEXT];
	int there = oci_is_foreign_layer(d->media_type) ? image_from_has(f, &d->digest, e) : 1;

	if (there == 0)
		return err_set(e, ERR_UNSUPPORTED, "layer %s may not be distributed and the registry does not have it",
			       digest_text(&d->digest, digest));
	return MIN(there, 0);
}

struct lock_source image_from_source(const struct image_from *f, const struct digest *d)
{
	const struct archive_file *file = f->archive ? image_archive_find(f->archive, d) : NULL;
	struct lock_source s = f->source;

	s.location = xstrdup(s.location);
	s.member = file ? xstrdup(file->name) : NULL;
	return s;
}
