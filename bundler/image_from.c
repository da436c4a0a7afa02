/* SPDX-License-Identifier: Apache-2.0 */
#include "image_from.h"

#include <airgap/content.h>
#include <airgap/fs.h>
#include <airgap/tarball.h>

#include <fcntl.h>

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

/* A HEAD says what the tag is now and costs nothing on Docker Hub; the bytes may be here already. */
static int name_in_registry(const struct image_from *f, const struct ref *r, struct image_manifest *out, struct err *e)
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
	struct sink to = { buf_sink_write, out };
	int there;

	if (f->archive) {
		auto_fd int fd = fs_open(f->layout, O_RDONLY, 0, e);

		if (fd < 0)
			return -1;
		if (tarball_member(fd, name, out->max, &to, e) == 0)
			return 1;
		return e->code == ERR_USAGE ? 0 : err_wrap(e, "'%s'", f->layout);
	}
	there = fs_exists(path, e);
	if (there <= 0)
		return there;
	return fs_load(path, out->max, out, e) < 0 ? -1 : 1;
}

static int load_blob(const struct image_from *f, const struct digest *d, struct buf *out, struct err *e)
{
	auto_free char *name = blob_name(d);
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

static bool entry_named(const struct descriptor *d, const struct ref *r, const char *text)
{
	const char *name = descriptor_note(d, OCI_REF_NAME);

	return (r->has_digest && digest_eq(&d->digest, &r->digest)) || (name && (str_eq(name, r->tag) || str_eq(name, text)));
}

static int load_index(const struct image_from *f, struct oci_index *out, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	int there = load_file(f, "index.json", &bytes, e);

	if (there < 0)
		return -1;
	if (!there)
		return err_set(e, ERR_USAGE, "'%s': is no OCI layout: it has no index.json", f->layout);
	if (oci_parse_index(buf_str(&bytes), bytes.len, OCI_INDEX, out, e) < 0)
		return err_wrap(e, "'%s': index.json", f->layout);
	return 0;
}

static int name_in_layout(const struct image_from *f, const struct ref *r, struct image_manifest *out, struct err *e)
{
	auto_free char *text = ref_format(r);
	auto_oci_index struct oci_index ix = { 0 };
	const struct descriptor *found = NULL;

	if (load_index(f, &ix, e) < 0)
		return -1;
	for (size_t i = 0; i < ix.n_manifests && !found; i++)
		if (entry_named(&ix.manifests[i], r, text))
			found = &ix.manifests[i];
	if (!found && ix.n_manifests == 1 && !r->has_digest)
		found = &ix.manifests[0];
	if (!found)
		return err_set(e, ERR_USAGE, "'%s': has %zu images and none is named '%s'", f->layout, ix.n_manifests,
			       r->tag ? r->tag : text);

	int there = from_layout(f, found, out, e);

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

int image_from_has(const struct image_from *f, const struct descriptor *d, struct err *e)
{
	auto_free char *name = blob_name(&d->digest), *path = f->layout ? fs_join(f->layout, name) : NULL;
	uint64_t size;

	if (!f->layout)
		return registry_blob_head(f->registry, f->repository, &d->digest, &size, e);
	/* A layer that may not be distributed is not looked for in an archive: it would not be in one. */
	return f->archive ? 0 : fs_exists(path, e);
}
