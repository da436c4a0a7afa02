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

int oci_make_index(const struct descriptor *entries, size_t n, struct buf *out, struct err *e)
{
	auto_json json_t *j = json_object();
	json_t *list = json_array();

	json_object_set_new(j, "schemaVersion", json_integer(2));
	set_text(j, "mediaType", OCI_INDEX);
	json_object_set_new(j, "manifests", list);
	for (size_t i = 0; i < n; i++) {
		json_t *d = blob_json(entries[i].media_type, &(struct oci_blob){ entries[i].digest, entries[i].size });

		set_text(d, "artifactType", entries[i].artifact_type);
		if (entries[i].platform.os[0])
			json_object_set_new(d, "platform", platform_json(&entries[i].platform));
		if (entries[i].annotations)
			json_object_set(d, "annotations", entries[i].annotations);
		json_array_append_new(list, d);
	}
	return jdoc_dump(j, out, e);
}
