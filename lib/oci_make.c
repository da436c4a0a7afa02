/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of our own. */
#include <airgap/oci.h>

#define OCI_VERSION "org.opencontainers.image.version"

struct oci_blob oci_empty_blob(void)
{
	return (struct oci_blob){ digest_of(OCI_EMPTY_TEXT, strlen(OCI_EMPTY_TEXT)), strlen(OCI_EMPTY_TEXT) };
}

static void set_text(json_t *j, const char *key, const char *text)
{
	if (text)
		json_object_set_new(j, key, json_string(text));
}

static json_t *blob_json(const char *media_type, const struct oci_blob *b)
{
	char text[DIGEST_TEXT];
	json_t *j = json_object();

	set_text(j, "mediaType", media_type);
	set_text(j, "digest", digest_text(&b->digest, text));
	json_object_set_new(j, "size", json_integer((json_int_t)b->size));
	return j;
}

static bool component_ok(const char *s, size_t n)
{
	if (n == 0 || n > 255 || *s == '.' || *s == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~' || strchr("\\\"'`$&|;<>*?", s[i]))
			return false;
	return true;
}

bool oci_title_ok(const char *title)
{
	if (strlen(title) > 512)
		return false;
	for (const char *s = title;; s++) {
		size_t n = strcspn(s, "/");

		if (!component_ok(s, n))
			return false;
		s += n;
		if (!*s)
			return true;
	}
}

/* Takes config, layers and annotations (which may be NULL). */
static json_t *manifest_json_take(const char *artifact_type, json_t *config, json_t *layers, json_t *annotations)
{
	json_t *j = json_object();

	json_object_set_new(j, "schemaVersion", json_integer(2));
	set_text(j, "mediaType", OCI_MANIFEST);
	set_text(j, "artifactType", artifact_type);
	json_object_set_new(j, "config", config);
	json_object_set_new(j, "layers", layers);
	if (annotations)
		json_object_set_new(j, "annotations", annotations);
	return j;
}

int oci_make_artifact_manifest(const char *artifact_type, const struct oci_file *files, size_t n, struct buf *out,
			       struct err *e)
{
	struct oci_blob empty = oci_empty_blob();
	json_t *layers = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *layer = blob_json("application/octet-stream", &files[i].blob), *notes = json_object();

		set_text(notes, OCI_TITLE, files[i].title);
		json_object_set_new(layer, "annotations", notes);
		json_array_append_new(layers, layer);
	}

	auto_json json_t *j = manifest_json_take(artifact_type, blob_json(OCI_EMPTY, &empty), layers, NULL);

	return jdoc_dump(j, out, e);
}

int oci_make_chart_manifest(const char *name, const char *version, const struct oci_blob *config,
			    const struct oci_blob *layer, struct buf *out, struct err *e)
{
	json_t *notes = json_object(), *layers = json_array();

	set_text(notes, OCI_TITLE, name);
	set_text(notes, OCI_VERSION, version);
	json_array_append_new(layers, blob_json(HELM_CHART, layer));

	auto_json json_t *j = manifest_json_take(NULL, blob_json(HELM_CONFIG, config), layers, notes);

	return jdoc_dump(j, out, e);
}

static json_t *platform_json(const struct platform *p)
{
	json_t *j = json_object();

	set_text(j, "os", p->os);
	set_text(j, "architecture", p->arch);
	set_text(j, "variant", p->variant[0] ? p->variant : NULL);
	return j;
}

static json_t *descriptor_json(const struct descriptor *d)
{
	json_t *j = blob_json(d->media_type, &(struct oci_blob){ d->digest, d->size });

	set_text(j, "artifactType", d->artifact_type);
	if (d->platform.os[0])
		json_object_set_new(j, "platform", platform_json(&d->platform));
	if (d->annotations)
		json_object_set(j, "annotations", d->annotations);
	if (d->urls.n) {
		json_t *urls = json_array();

		for (size_t i = 0; i < d->urls.n; i++)
			json_array_append_new(urls, json_string(d->urls.items[i]));
		json_object_set_new(j, "urls", urls);
	}
	return j;
}

int oci_make_index(const struct descriptor *entries, size_t n, struct buf *out, struct err *e)
{
	auto_json json_t *j = json_object();
	json_t *list = json_array();

	json_object_set_new(j, "schemaVersion", json_integer(2));
	set_text(j, "mediaType", OCI_INDEX);
	json_object_set_new(j, "manifests", list);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, descriptor_json(&entries[i]));
	return jdoc_dump(j, out, e);
}

static bool has_entry(const json_t *list, const char *digest)
{
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
		if (str_eq(jdoc_text(entry, "digest", NULL), digest))
			return true;
	return false;
}

int oci_index_add(const void *p, size_t index_len, const struct descriptor *entries, size_t n, struct buf *out, struct err *e)
{
	auto_oci_index struct oci_index checked = { 0 };
	auto_json json_t *j = jdoc_parse(p, index_len, OCI_MANIFEST_MAX, "index", e);
	json_t *list = json_object_get(j, "manifests");
	char text[DIGEST_TEXT];
	bool more = false;

	if (!j || oci_parse_index(p, index_len, OCI_INDEX, &checked, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (has_entry(list, digest_text(&entries[i].digest, text)))
			continue;
		json_array_append_new(list, descriptor_json(&entries[i]));
		more = true;
	}
	if (!more)
		return 0;
	if (json_array_size(list) > OCI_ENTRIES_MAX)
		return err_set(e, ERR_LIMIT, "index: more than %d entries", OCI_ENTRIES_MAX);
	return jdoc_dump(j, out, e) < 0 ? -1 : 1;
}

/* ---- images */

/* The same bytes under OCI's name. */
static const char *oci_name(const char *media_type)
{
	static const char *const names[][2] = {
		{ DOCKER_CONFIG, OCI_CONFIG },
		{ "application/vnd.docker.image.rootfs.diff.tar", OCI_LAYER_TAR },
		{ "application/vnd.docker.image.rootfs.diff.tar.gzip", OCI_LAYER_GZIP },
		{ "application/vnd.docker.image.rootfs.diff.tar.zstd", OCI_LAYER_ZSTD },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(media_type, names[i][0]))
			return names[i][1];
	return media_type;
}

static json_t *part_json(const struct descriptor *d)
{
	json_t *j = descriptor_json(d);

	set_text(j, "mediaType", oci_name(d->media_type));
	return j;
}

int oci_make_image_manifest(const struct descriptor *config, const struct descriptor *layers, size_t n,
			    const json_t *annotations, struct buf *out, struct err *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, part_json(&layers[i]));

	auto_json json_t *j = manifest_json_take(NULL, part_json(config), list, json_incref((json_t *)annotations));

	return jdoc_dump(j, out, e);
}
