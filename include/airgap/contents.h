/*
 * contents - bundle.json: what is in a bundle, for people and programs (format §3).
 *
 * Signed, but it describes only: no byte is found through it, blobs are found by digest. The lock
 * holds the same description; what `build` writes is its canonical dump.
 *
 *	struct contents c;
 *	if (contents_parse(bytes, n, "bundle.json", &c, e) < 0) ...
 *	const struct content_image *i = contents_image(&c, "docker.io/library/busybox:1.36");
 */
#pragma once

#include <airgap/decode.h>
#include <airgap/digest.h>

#define CONTENTS_MAX (1u << 20)         /* bytes of bundle.json */

/* What belongs to an image: a signature, an attestation, an SBOM; a manifest in the same repository. In the bundle's index.json it
 * is "HOST/PATH:TAG" by its tag, else "HOST/PATH@sha256:…". */
struct content_referrer {
	struct digest digest;
	char *media_type;       /* of the manifest */
	char *artifact_type;    /* what it is; NULL = not said */
	char *tag;              /* found by this tag ("sha256-….sig"); NULL = by its subject */
};

/* Why an image is carried: chart + template file + kind + field path, or the manifest itself. */
struct content_reason {
	char *chart;            /* NULL: listed in the manifest, or found in a file of it */
	char *file;             /* template file within the chart; or the carried file's name */
	char *kind;             /* of the rendered object; "Chart": its author's list; "File": an archive's member */
	char *path;             /* "spec.template.spec.containers[].image" */
};

struct content_child {
	char *platform;         /* "linux/arm64/v8" */
	struct digest digest;
	bool carried;
};

struct content_image {
	char *ref;              /* canonical full reference as the charts name it */
	char *source;           /* "mirror.example:5000/hub/library/busybox" when an alias led elsewhere; else NULL */
	char *media_type;       /* of `digest` */
	struct digest digest;   /* what the reference named upstream: an index or a manifest */
	struct digest target;   /* what the site tag names: `digest`, or the one child (sparse rule, format §7) */
	struct content_child *children; size_t n_children;      /* of an index, in its order */
	struct strv tags;       /* further tags on site */
	struct content_referrer *referrers; size_t n_referrers; /* sorted by digest, then tag: one may have several */
	uint64_t size;          /* bytes of all carried blobs of this image, shared ones counted */
	struct content_reason *reasons; size_t n_reasons;
	json_t *notes;          /* strings for people: "all platforms taken: …"; may be NULL */
};

struct content_chart {
	char *name, *version, *app_version, *kube_version;
	char *role;             /* "chart" or "site" */
	char *origin;           /* repository or path it came from, no secrets */
	struct digest digest;   /* of its OCI manifest */
	struct digest archive;  /* of the .tgz layer */
	uint64_t size;          /* of the archive */
};

struct content_file {
	char *name;             /* as the manifest calls it */
	char *file;             /* file name on site (title annotation) */
	char *role;             /* "tool" or NULL */
	char *mode;             /* "755", NULL = 644 */
	char *platform;         /* NULL = any */
	char *origin;           /* URL without query, or path */
	struct digest digest;   /* of its OCI manifest */
	struct digest blob;
	uint64_t size;
};

/* Several files that are used together, one artifact with a layer for each; a layer's title is its path in the folder:
 * a flat package repository, a Python index, a git bundle. */
struct content_set {
	char *kind;             /* "packages", "python" or "git": the list of the manifest */
	char *name;
	char *type;             /* "deb", "rpm", "simple", "bundle" */
	char *platform;         /* NULL = any */
	char *origin;           /* URL without query */
	struct digest digest;   /* of its OCI manifest */
	uint64_t files;         /* number of layers */
	uint64_t size;          /* bytes of all of them */
	json_t *notes;          /* array of strings for people: "nginx 1.22.1-9", "refs/heads/main 3f2a…"; may be NULL */
};

struct contents {
	char *name, *version;
	char *builder;          /* "bundler 0.1.0" */
	struct strv platforms;
	char *kube_version;     /* rendered for, NULL = not said */
	struct strv api_versions;
	json_t *facts;          /* what the build knew of the site's nodes (facts.h), for `airgap.facts` there; NULL = nothing */
	char *site;             /* chart name of the site chart; NULL = none */
	json_t *site_values;    /* the site file recorded at build (references only), or NULL */
	struct content_image *images; size_t n_images;          /* sorted by ref */
	struct content_chart *charts; size_t n_charts;          /* sorted by name */
	struct content_file *files; size_t n_files;             /* sorted by name */
	struct content_set *sets; size_t n_sets;                /* sorted by kind, then name */
	json_t *rules;          /* discover.rules of the manifest (scan.h): the site proves with them; NULL = none */
	json_t *not_carried;    /* array of {image | chart | file | packages | python | git: NAME, reason}: what is
				 * disabled, waived, or named by no step of the sites; for people. {image, reason, waived: true}:
				 * as it was found; exempt from the proof of images */
};

#define auto_contents CLEANUP(contents_release)

extern const struct type contents_type; /* for lock.c, which holds the same description */

int contents_parse(const void *p, size_t n, const char *subject, struct contents *out, struct err *e) MUST_CHECK;
/* The one spelling: canonical JSON. ERR_LIMIT past CONTENTS_MAX. */
int contents_dump(const struct contents *c, struct buf *out, struct err *e) MUST_CHECK;
/* Meaning: names unique, sorted and legal, references canonical, targets among digest and carried children. Pure. */
int contents_check(const struct contents *c, struct err *e) MUST_CHECK;
void contents_release(struct contents *c);
void content_set_release(struct content_set *s);        /* of one that is in no contents */
void contents_sort(struct contents *c);        /* images, charts and files; look-ups and the check need it */

const struct content_set *contents_set(const struct contents *c, const char *kind, const char *name);
/* Borrowed; NULL when absent. A file: the one for this platform, else the one for any; without a platform, the one for any,
 * else the only one there is. */
const struct content_image *contents_image(const struct contents *c, const char *ref);
const struct content_chart *contents_chart(const struct contents *c, const char *name);
const struct content_file *contents_file(const struct contents *c, const char *name, const char *platform);
