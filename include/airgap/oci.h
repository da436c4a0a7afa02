/*
 * oci - descriptors, manifests and indexes (OCI image-spec 1.1, Docker schema 2): read with limits, made with one spelling.
 *
 * Whether a document is a manifest or an index is decided by its media type, never by looking inside; a document
 * that has both `manifests` and `layers` is refused. Refused too: more than 4 MiB, 1,024 layers or 10,000 entries,
 * duplicate keys, a mediaType other than the one announced, one digest with two sizes, a size that is no integer
 * from 0 to 2^63-1, embedded `data` that is not what its digest says. Digests other than sha256 cannot be stored:
 * ERR_UNSUPPORTED. Unknown keys, annotations, config and layer types are kept out of the way: manifests are
 * carried as the bytes they came in, these structs only say what hangs on them.
 *
 *	auto_oci_index struct oci_index ix = { 0 };
 *	if (oci_is_index(type) && oci_parse_index(p, n, type, &ix, e) < 0)
 *		return err_wrap(e, "image '%s'", name);
 */
#pragma once

#include <airgap/digest.h>
#include <airgap/json.h>
#include <airgap/platform.h>
#include <airgap/strv.h>

#define OCI_MANIFEST_MAX (4u << 20)     /* bytes of a manifest or index */
#define OCI_CONFIG_MAX   (8u << 20)     /* bytes of an image config */
#define OCI_LAYERS_MAX   1024
#define OCI_ENTRIES_MAX  10000
#define OCI_NESTING_MAX  8              /* indexes in indexes; for the walker to keep */

#define OCI_INDEX       "application/vnd.oci.image.index.v1+json"
#define OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define OCI_EMPTY       "application/vnd.oci.empty.v1+json"
#define OCI_LAYER_TAR   "application/vnd.oci.image.layer.v1.tar"
#define OCI_LAYER_GZIP  "application/vnd.oci.image.layer.v1.tar+gzip"
#define OCI_LAYER_ZSTD  "application/vnd.oci.image.layer.v1.tar+zstd"
#define DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_CONFIG   "application/vnd.docker.container.image.v1+json"
#define HELM_CONFIG     "application/vnd.cncf.helm.config.v1+json"
#define HELM_CHART      "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
#define HELM_CHART_OLD  "application/tar+gzip"
#define HELM_PROVENANCE "application/vnd.cncf.helm.chart.provenance.v1.prov"
#define AIRGAP_FILE     "application/vnd.airgap.file.v1"        /* artifactType of our files */
#define AIRGAP_SET      "application/vnd.airgap.set.v1"         /* … of several files that belong together (contents.h) */
/* The Accept header of a manifest request. */
#define OCI_ACCEPT      OCI_INDEX ", " OCI_MANIFEST ", " DOCKER_LIST ", " DOCKER_MANIFEST

#define OCI_REF_NAME    "org.opencontainers.image.ref.name"     /* annotations */
#define OCI_TITLE       "org.opencontainers.image.title"
#define CONTAINERD_NAME "io.containerd.image.name"

#define OCI_LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"    /* content of the file oci-layout */
#define OCI_EMPTY_TEXT  "{}"                                    /* content of the empty config */

/* By media type; NULL is none of them. */
bool oci_is_index(const char *media_type);
bool oci_is_manifest(const char *media_type);
bool oci_is_docker(const char *media_type);             /* one of Docker's two */
bool oci_is_schema1(const char *media_type);            /* refused wherever it comes from */
bool oci_is_foreign_layer(const char *media_type);      /* non-distributable: its bytes may be at urls only */
/* 0 when it is an index or a manifest; else ERR_UNSUPPORTED that says what it is (schema 1: rebuild, push again). */
int oci_check_type(const char *media_type, struct err *e) MUST_CHECK;
/* A layer's title: a path below the folder it is written to. Relative, at most 512 bytes; its components of printable
 * characters without space, quote and what a shell reads, none beginning with '.' or '-' (so never ".."). */
bool oci_title_ok(const char *title);

/* The encoding of a blob in the bundle (format.md §1), from its media type or, for a file, its file name alone:
 * true = stored as it is (it is compressed already), false = zstd. Case counts. */
bool oci_encoding_stored(const char *media_type_or_file_name);

struct descriptor {
	char *media_type;
	struct digest digest;
	uint64_t size;
	struct platform platform;       /* os "" = not given */
	char *artifact_type;            /* NULL = not given */
	struct strv urls;
	json_t *annotations;            /* owned object of strings, or NULL */
};
void descriptor_release(struct descriptor *d);          /* content only; zeroed afterwards */
#define auto_descriptor CLEANUP(descriptor_release)
const char *descriptor_note(const struct descriptor *d, const char *annotation);        /* or NULL; borrowed */

struct oci_manifest {
	char *media_type;
	char *artifact_type;            /* NULL = not given; then config.media_type says what it is */
	struct descriptor config;
	struct descriptor *layers;
	size_t n_layers;
	bool has_subject;
	struct descriptor subject;
	json_t *annotations;
};
struct oci_index {
	char *media_type;
	char *artifact_type;
	struct descriptor *manifests;
	size_t n_manifests;
	bool has_subject;
	struct descriptor subject;
	json_t *annotations;
};
void oci_manifest_release(struct oci_manifest *m);
void oci_index_release(struct oci_index *ix);
#define auto_oci_manifest CLEANUP(oci_manifest_release)
#define auto_oci_index    CLEANUP(oci_index_release)

/* media_type: what the descriptor or the Content-Type said. -1: out is unchanged; ERR_MALFORMED, ERR_LIMIT,
 * ERR_UNSUPPORTED. Messages begin with `manifest:` or `index:`; wrap with the reference. */
int oci_parse_manifest(const void *p, size_t n, const char *media_type, struct oci_manifest *out, struct err *e) MUST_CHECK;
int oci_parse_index(const void *p, size_t n, const char *media_type, struct oci_index *out, struct err *e) MUST_CHECK;
/* What an image config says: its platform and its number of layers (diff_ids). */
int oci_parse_config(const void *p, size_t n, struct platform *out, size_t *out_layers, struct err *e) MUST_CHECK;
/* The digests of its layers without compression, from the lowest; *out is the caller's to free. */
int oci_parse_diff_ids(const void *p, size_t n, struct digest **out, size_t *out_n, struct err *e) MUST_CHECK;

/* manifest.json of an archive of `docker save`: an entry for each image. Names of members, as they stand there. */
struct docker_image {
	char *config;
	struct strv tags;               /* "busybox:1.36" */
	struct strv layers;             /* from the lowest */
};
struct docker_images { struct docker_image *items; size_t n; };
#define auto_docker_images CLEANUP(docker_images_release)
void docker_images_release(struct docker_images *v);
int oci_parse_docker_archive(const void *p, size_t n, struct docker_images *out, struct err *e) MUST_CHECK;

/* Entries that are no images: BuildKit's attestations, and whatever else has a vnd.docker.reference.type. */
bool oci_is_attestation(const struct descriptor *d);
/* True when d is an attestation of the image `of`. */
bool oci_attests(const struct descriptor *d, const struct digest *of);
/* The entry for a wanted platform: best match, first among equals, attestations never. NULL = none. */
const struct descriptor *oci_index_pick(const struct oci_index *ix, const struct platform *want);

/* Makers: the same arguments give the same bytes (canonical JSON, no time, no machine). Out is appended to. */
struct oci_blob { struct digest digest; uint64_t size; };
struct oci_blob oci_empty_blob(void);                   /* of OCI_EMPTY_TEXT */
struct oci_file { const char *title; struct oci_blob blob; };
/* Files: empty config, a layer for each with the title annotation; octet streams. */
int oci_make_artifact_manifest(const char *artifact_type, const struct oci_file *files, size_t n, struct buf *out,
			       struct err *e) MUST_CHECK;
/* A Helm chart: config = Chart.yaml as JSON, layer = the archive. name and version become title and version notes. */
int oci_make_chart_manifest(const char *name, const char *version, const struct oci_blob *config,
			    const struct oci_blob *layer, struct buf *out, struct err *e) MUST_CHECK;
/* An image: media types, urls and annotations of the descriptors are kept, Docker's types become OCI's, whose content is
 * the same. annotations: an object of strings, or NULL. */
int oci_make_image_manifest(const struct descriptor *config, const struct descriptor *layers, size_t n,
			    const json_t *annotations, struct buf *out, struct err *e) MUST_CHECK;
/* An image config with one layer more on top: its diff_id and, where there is a history, an entry in it. */
int oci_config_add(const void *p, size_t n, const struct digest *diff_id, const char *created_by, struct buf *out,
		   struct err *e) MUST_CHECK;
/* An OCI index over n entries in the order given (media type, digest, size, platform, annotations): index.json. */
int oci_make_index(const struct descriptor *entries, size_t n, struct buf *out, struct err *e) MUST_CHECK;
/* Somebody else's index with these entries behind its own; whatever else stands in it stays. An entry that it has
 * already (by digest) is not added. 1: out has it. 0: nothing to add, out is as it was. */
int oci_index_add(const void *p, size_t index_len, const struct descriptor *entries, size_t n, struct buf *out, struct err *e) MUST_CHECK;
