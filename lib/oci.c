/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/decode.h>
#include <airgap/oci.h>

#define DOCKER_REFERENCE_TYPE   "vnd.docker.reference.type"
#define DOCKER_REFERENCE_DIGEST "vnd.docker.reference.digest"

/* ---- media types */

bool oci_is_index(const char *media_type)
{
	return str_eq(media_type, OCI_INDEX) || str_eq(media_type, DOCKER_LIST);
}

bool oci_is_manifest(const char *media_type)
{
	return str_eq(media_type, OCI_MANIFEST) || str_eq(media_type, DOCKER_MANIFEST);
}

bool oci_is_docker(const char *media_type)
{
	return str_eq(media_type, DOCKER_LIST) || str_eq(media_type, DOCKER_MANIFEST);
}

bool oci_is_schema1(const char *media_type)
{
	return media_type && str_starts(media_type, "application/vnd.docker.distribution.manifest.v1+");
}

bool oci_is_foreign_layer(const char *media_type)
{
	return media_type && (str_starts(media_type, "application/vnd.oci.image.layer.nondistributable.v1.tar") ||
			      str_starts(media_type, "application/vnd.docker.image.rootfs.foreign.diff.tar"));
}

int oci_check_type(const char *media_type, struct err *e)
{
	if (oci_is_index(media_type) || oci_is_manifest(media_type))
		return 0;
	if (oci_is_schema1(media_type))
		return err_set(e, ERR_UNSUPPORTED, "an image of schema 1, which nothing runs any more: build it again or "
			       "push it again as schema 2");
	return err_set(e, ERR_UNSUPPORTED, "'%.200s' is not the type of an image manifest or index",
		       media_type ? media_type : "");
}

bool oci_encoding_stored(const char *media_type_or_file_name)
{
	static const char *const suffixes[] = {
		"+gzip", "+zstd", ".gzip", ".zstd", ".tgz", ".gz", ".xz", ".zst", ".bz2", ".deb", ".rpm", ".run", ".zip",
		".whl", ".jar",
	};

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (str_ends(media_type_or_file_name, suffixes[i]))
			return true;
	return false;
}

/* ---- releasing */

void descriptor_release(struct descriptor *d)
{
	free(d->media_type);
	free(d->artifact_type);
	strv_release(&d->urls);
	json_decref(d->annotations);
	*d = (struct descriptor){ 0 };
}

static void release_all(struct descriptor *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		descriptor_release(&items[i]);
	free(items);
}

void oci_manifest_release(struct oci_manifest *m)
{
	free(m->media_type);
	free(m->artifact_type);
	descriptor_release(&m->config);
	release_all(m->layers, m->n_layers);
	descriptor_release(&m->subject);
	json_decref(m->annotations);
	*m = (struct oci_manifest){ 0 };
}

void oci_index_release(struct oci_index *ix)
{
	free(ix->media_type);
	free(ix->artifact_type);
	release_all(ix->manifests, ix->n_manifests);
	descriptor_release(&ix->subject);
	json_decref(ix->annotations);
	*ix = (struct oci_index){ 0 };
}

const char *descriptor_note(const struct descriptor *d, const char *annotation)
{
	return json_string_value(json_object_get(d->annotations, annotation));
}

/* ---- the documents as they are written */

struct raw_platform { char *os, *arch, *variant; };
static const struct field raw_platform_fields[] = {
	F_STR(struct raw_platform, os, "os", 0),
	F_STR(struct raw_platform, arch, "architecture", 0),
	F_STR(struct raw_platform, variant, "variant", 0),
	{ 0 }
};
static const struct type raw_platform_type = TYPE_FLAGS(struct raw_platform, raw_platform_fields, TYPE_OPEN);

struct raw_descriptor {
	char *media_type, *digest, *artifact_type, *data;
	uint64_t size;
	struct raw_platform platform;
	struct strv urls;
	json_t *annotations;
};
static const struct field raw_descriptor_fields[] = {
	F_STR(struct raw_descriptor, media_type, "mediaType", F_REQUIRED),
	F_STR(struct raw_descriptor, digest, "digest", F_REQUIRED),
	F_U64(struct raw_descriptor, size, "size", F_REQUIRED),
	F_STR(struct raw_descriptor, artifact_type, "artifactType", 0),
	F_STR(struct raw_descriptor, data, "data", 0),
	F_OBJ(struct raw_descriptor, platform, "platform", raw_platform_type, 0),
	F_STRV(struct raw_descriptor, urls, "urls", 0),
	F_JSON(struct raw_descriptor, annotations, "annotations", 0),
	{ 0 }
};
static const struct type raw_descriptor_type = TYPE_FLAGS(struct raw_descriptor, raw_descriptor_fields, TYPE_OPEN);

/* Manifest and index at once: one of the lists is empty. */
struct raw_document {
	uint64_t schema;
	char *media_type, *artifact_type;
	struct raw_descriptor *entries;
	size_t n_entries;
	json_t *config, *subject, *annotations;
};
static const struct field raw_manifest_fields[] = {
	F_U64(struct raw_document, schema, "schemaVersion", F_REQUIRED),
	F_STR(struct raw_document, media_type, "mediaType", 0),
	F_STR(struct raw_document, artifact_type, "artifactType", 0),
	F_JSON(struct raw_document, config, "config", F_REQUIRED),
	F_LIST(struct raw_document, entries, n_entries, "layers", raw_descriptor_type, 0),
	F_JSON(struct raw_document, subject, "subject", 0),
	F_JSON(struct raw_document, annotations, "annotations", 0),
	{ 0 }
};
static const struct type raw_manifest_type = TYPE_FLAGS(struct raw_document, raw_manifest_fields, TYPE_OPEN);
static const struct field raw_index_fields[] = {
	F_U64(struct raw_document, schema, "schemaVersion", F_REQUIRED),
	F_STR(struct raw_document, media_type, "mediaType", 0),
	F_STR(struct raw_document, artifact_type, "artifactType", 0),
	F_LIST(struct raw_document, entries, n_entries, "manifests", raw_descriptor_type, 0),
	F_JSON(struct raw_document, subject, "subject", 0),
	F_JSON(struct raw_document, annotations, "annotations", 0),
	{ 0 }
};
static const struct type raw_index_type = TYPE_FLAGS(struct raw_document, raw_index_fields, TYPE_OPEN);

static void release_raw_manifest(struct raw_document *r)
{
	decode_free(&raw_manifest_type, r);
}

static void release_raw_index(struct raw_document *r)
{
	decode_free(&raw_index_type, r);
}

static void release_raw_descriptor(struct raw_descriptor *r)
{
	decode_free(&raw_descriptor_type, r);
}

/* ---- from there to what is meant */

static int check_annotations(const json_t *j, struct err *e)
{
	const char *key;
	json_t *value;

	if (j && !json_is_object(j))
		return err_set(e, ERR_MALFORMED, "annotations must be a map");
	json_object_foreach((json_t *)j, key, value)
		if (!json_is_string(value))
			return err_set(e, ERR_MALFORMED, "annotation '%.200s' must be a string", key);
	return 0;
}

static int parse_stored_digest(const char *text, struct digest *out, struct err *e)
{
	const char *colon = strchr(text, ':');

	if (digest_parse(text, out))
		return 0;
	if (colon && colon > text && colon[1] && !str_starts(text, "sha256:"))
		return err_set(e, ERR_UNSUPPORTED, "digest '%.200s': only sha256 can be stored", text);
	return err_set(e, ERR_MALFORMED, "'%.200s' is not a digest", text);
}

static int check_data(const struct raw_descriptor *r, const struct digest *want, struct err *e)
{
	size_t len = strlen(r->data), n = 0;
	auto_free uint8_t *bytes = xmalloc(len / 4 * 3 + 3);

	if (!base64_decode(r->data, len, bytes, &n))
		return err_set(e, ERR_MALFORMED, "embedded data is not base64");

	struct digest have = digest_of(bytes, n);

	if (n != r->size || !digest_eq(&have, want))
		return err_set(e, ERR_DIGEST, "embedded data is not what its digest says");
	return 0;
}

/* Moves what r holds into out. */
static int take_descriptor(struct raw_descriptor *r, struct descriptor *out, struct err *e)
{
	if (parse_stored_digest(r->digest, &out->digest, e) < 0 || check_annotations(r->annotations, e) < 0)
		return -1;
	if (r->data && check_data(r, &out->digest, e) < 0)
		return -1;
	if (r->platform.os && r->platform.arch && *r->platform.os && *r->platform.arch &&
	    platform_set(r->platform.os, r->platform.arch, r->platform.variant, &out->platform, e) < 0)
		return -1;
	out->size = r->size;
	out->media_type = TAKE(r->media_type);
	out->artifact_type = TAKE(r->artifact_type);
	out->annotations = TAKE(r->annotations);
	out->urls = r->urls;
	r->urls = (struct strv){ 0 };
	return 0;
}

static int take_entries(struct raw_document *r, const char *list, struct descriptor **out, size_t *out_n, struct err *e)
{
	*out = xcalloc(r->n_entries, sizeof(**out));
	*out_n = r->n_entries;
	for (size_t i = 0; i < r->n_entries; i++)
		if (take_descriptor(&r->entries[i], &(*out)[i], e) < 0)
			return err_wrap(e, "%s[%zu]", list, i);
	return 0;
}

static int take_single(const char *subject, const char *key, const json_t *j, struct descriptor *out, struct err *e)
{
	CLEANUP(release_raw_descriptor) struct raw_descriptor raw = { 0 };

	if (decode(&raw_descriptor_type, j, NULL, key, &raw, e) < 0 || take_descriptor(&raw, out, e) < 0)
		return err_wrap(e, "%s", subject);
	return 0;
}

static int compare_by_digest(const void *a, const void *b)
{
	const struct descriptor *x = *(const struct descriptor *const *)a, *y = *(const struct descriptor *const *)b;

	return digest_cmp(&x->digest, &y->digest);
}

/* A digest has one content, so it has one size. */
static int check_sizes(const struct descriptor *items, size_t n, const struct descriptor *config, struct err *e)
{
	auto_free const struct descriptor **all = xcalloc(n + 1, sizeof(*all));
	char text[DIGEST_TEXT];

	for (size_t i = 0; i < n; i++)
		all[i] = &items[i];
	if (config)
		all[n++] = config;
	if (n)
		qsort(all, n, sizeof(*all), compare_by_digest);
	for (size_t i = 1; i < n; i++)
		if (all[i - 1]->size != all[i]->size && digest_eq(&all[i - 1]->digest, &all[i]->digest))
			return err_set(e, ERR_MALFORMED, "%s stands there with two sizes",
				       digest_text(&all[i]->digest, text));
	return 0;
}

/* What both kinds of document must keep before a row of them is looked at. */
static int check_shape(const json_t *j, const char *subject, const char *list, size_t max, struct err *e)
{
	if (!json_is_object(j))
		return err_set(e, ERR_MALFORMED, "%s: must be a map", subject);
	if (json_object_get(j, "manifests") && json_object_get(j, "layers"))
		return err_set(e, ERR_MALFORMED, "%s: has both 'manifests' and 'layers'", subject);
	if (!json_object_get(j, list))
		return err_set(e, ERR_MALFORMED, "%s: '%s' is missing", subject, list);
	if (json_array_size(json_object_get(j, list)) > max)
		return err_set(e, ERR_LIMIT, "%s: more than %zu %s", subject, max, list);
	return 0;
}

static int check_document(const struct raw_document *r, const char *subject, const char *media_type, struct err *e)
{
	if (r->schema != 2)
		return err_set(e, r->schema == 1 ? ERR_UNSUPPORTED : ERR_MALFORMED, "%s: schemaVersion is %ju, not 2",
			       subject, (uintmax_t)r->schema);
	if (r->media_type && !str_eq(r->media_type, media_type))
		return err_set(e, ERR_MALFORMED, "%s: says it is '%.200s' but was announced as '%.200s'", subject,
			       r->media_type, media_type);
	if (!r->media_type && oci_is_docker(media_type))
		return err_set(e, ERR_MALFORMED, "%s: 'mediaType' is missing", subject);
	if (check_annotations(r->annotations, e) < 0)
		return err_wrap(e, "%s", subject);
	return 0;
}

int oci_parse_manifest(const void *p, size_t n, const char *media_type, struct oci_manifest *out, struct err *e)
{
	CLEANUP(release_raw_manifest) struct raw_document raw = { 0 };
	auto_oci_manifest struct oci_manifest m = { 0 };

	if (!oci_is_manifest(media_type))
		return oci_check_type(media_type, e) < 0 ? -1 :
		       err_set(e, ERR_MALFORMED, "manifest: announced as an index");

	auto_json json_t *j = jdoc_parse(p, n, OCI_MANIFEST_MAX, "manifest", e);

	if (!j || check_shape(j, "manifest", "layers", OCI_LAYERS_MAX, e) < 0 ||
	    decode(&raw_manifest_type, j, NULL, "manifest", &raw, e) < 0 ||
	    check_document(&raw, "manifest", media_type, e) < 0 ||
	    take_single("manifest", "config", raw.config, &m.config, e) < 0)
		return -1;
	m.has_subject = raw.subject != NULL;
	if (m.has_subject && take_single("manifest", "subject", raw.subject, &m.subject, e) < 0)
		return -1;
	if (take_entries(&raw, "layers", &m.layers, &m.n_layers, e) < 0 ||
	    check_sizes(m.layers, m.n_layers, &m.config, e) < 0)
		return err_wrap(e, "manifest");
	m.media_type = xstrdup(media_type);
	m.artifact_type = TAKE(raw.artifact_type);
	m.annotations = TAKE(raw.annotations);
	*out = m;
	m = (struct oci_manifest){ 0 };
	return 0;
}

int oci_parse_index(const void *p, size_t n, const char *media_type, struct oci_index *out, struct err *e)
{
	CLEANUP(release_raw_index) struct raw_document raw = { 0 };
	auto_oci_index struct oci_index ix = { 0 };

	if (!oci_is_index(media_type))
		return oci_check_type(media_type, e) < 0 ? -1 :
		       err_set(e, ERR_MALFORMED, "index: announced as a manifest");

	auto_json json_t *j = jdoc_parse(p, n, OCI_MANIFEST_MAX, "index", e);

	if (!j || check_shape(j, "index", "manifests", OCI_ENTRIES_MAX, e) < 0 ||
	    decode(&raw_index_type, j, NULL, "index", &raw, e) < 0 || check_document(&raw, "index", media_type, e) < 0)
		return -1;
	ix.has_subject = raw.subject != NULL;
	if (ix.has_subject && take_single("index", "subject", raw.subject, &ix.subject, e) < 0)
		return -1;
	if (take_entries(&raw, "manifests", &ix.manifests, &ix.n_manifests, e) < 0 ||
	    check_sizes(ix.manifests, ix.n_manifests, NULL, e) < 0)
		return err_wrap(e, "index");
	ix.media_type = xstrdup(media_type);
	ix.artifact_type = TAKE(raw.artifact_type);
	ix.annotations = TAKE(raw.annotations);
	*out = ix;
	ix = (struct oci_index){ 0 };
	return 0;
}

int oci_parse_config(const void *p, size_t n, struct platform *out, size_t *out_layers, struct err *e)
{
	auto_json json_t *j = jdoc_parse(p, n, OCI_CONFIG_MAX, "config", e);
	struct platform platform = { 0 };

	if (!j)
		return -1;

	const char *os = jdoc_text(j, "os", NULL), *arch = jdoc_text(j, "architecture", NULL);

	if (!os || !arch)
		return err_set(e, ERR_MALFORMED, "config: 'os' or 'architecture' is missing");
	if (platform_set(os, arch, jdoc_text(j, "variant", NULL), &platform, e) < 0)
		return err_wrap(e, "config");
	*out = platform;
	*out_layers = json_array_size(jdoc_at(j, "rootfs", "diff_ids", NULL));
	return 0;
}

/* ---- choosing from an index */

bool oci_is_attestation(const struct descriptor *d)
{
	return descriptor_note(d, DOCKER_REFERENCE_TYPE) != NULL;
}

bool oci_attests(const struct descriptor *d, const struct digest *of)
{
	const char *type = descriptor_note(d, DOCKER_REFERENCE_TYPE), *text = descriptor_note(d, DOCKER_REFERENCE_DIGEST);
	struct digest digest;

	return str_eq(type, "attestation-manifest") && text && digest_parse(text, &digest) && digest_eq(&digest, of);
}

const struct descriptor *oci_index_pick(const struct oci_index *ix, const struct platform *want)
{
	const struct descriptor *best = NULL;
	unsigned most = 0;

	for (size_t i = 0; i < ix->n_manifests; i++) {
		const struct descriptor *d = &ix->manifests[i];
		unsigned m = platform_match(want, &d->platform);

		if (m > most && !oci_is_attestation(d) && (oci_is_manifest(d->media_type) || oci_is_index(d->media_type))) {
			most = m;
			best = d;
		}
	}
	return best;
}
