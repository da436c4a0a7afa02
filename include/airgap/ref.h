/*
 * ref - image references: parse, print, recognise, and their names on site.
 *
 *	auto_ref struct ref r = { 0 };
 *	if (ref_parse("busybox:1.36", &r, e) < 0)       // docker.io, library/busybox, 1.36
 *		return -1;
 *	auto_free char *text = ref_format(&r);          // docker.io/library/busybox:1.36
 *
 * `[HOST[:PORT]/]PATH[:TAG][@sha256:HEX]`. The first component is a host when it has a dot, a colon or an
 * upper-case letter, or is `localhost`; else the host is docker.io, and a path of one component gets `library/`.
 * Hosts are kept in lower case where they still read as hosts then, index.docker.io is docker.io. A name without tag and digest keeps tag NULL: the
 * caller decides whether that is `latest`. With tag and digest the digest decides and the tag is a label.
 * Only sha256 digests (others are ERR_UNSUPPORTED). Every other flaw is ERR_MALFORMED and names the text.
 *
 * `oci://` is no part of a reference: cut it off before.
 */
#pragma once

#include <airgap/digest.h>
#include <airgap/strv.h>

#define REF_NAME_MAX 255        /* host/path, as most clients have it */
#define REF_TAG_MAX  128

struct ref {
	char *host;             /* "docker.io", "registry.example:5000"; NULL only in a target without a site */
	char *path;             /* "library/busybox" */
	char *tag;              /* NULL = none */
	bool has_digest;
	struct digest digest;
};

#define auto_ref CLEANUP(ref_release)
void ref_release(struct ref *r);        /* content only; zeroed afterwards */

/* -1: out is unchanged (what it held is not released by success either: give an empty one). */
int ref_parse(const char *text, struct ref *out, struct err *e) MUST_CHECK;
struct ref ref_copy(const struct ref *r) MUST_CHECK;
bool ref_eq(const struct ref *a, const struct ref *b);

char *ref_format(const struct ref *r) MUST_CHECK;       /* canonical: host/path[:tag][@digest] */
char *ref_name(const struct ref *r) MUST_CHECK;         /* host/path */
/* Host to speak the registry protocol with (docker.io: registry-1.docker.io). Borrowed from r or static. */
const char *ref_api_host(const struct ref *r);

/* Grammar alone: repository names and tags as the distribution specification has them. */
bool ref_path_ok(const char *path);
bool ref_tag_ok(const char *tag);

/*
 * Does a string that stands anywhere in a document, not under a key known to hold an image, read as an image
 * reference? Conservative, since a wrong yes is a failed build until it is waived. Yes needs a valid reference
 * over the whole string, in which
 *   - a path of one component or more stands behind an explicit host, or the path has a slash, and
 *   - a tag or a digest is given,
 * and is no for a tag that is a taint's effect (nvidia.com/gpu:NoSchedule), for hosts of labels and API groups
 * (kubernetes.io/arch:amd64) and for a path that is a version or a number (example.com/v1:Thing). A host must have a dot
 * or a colon here, or be localhost. Without one the tag must have a digit or be a usual word (latest, stable, main, …)
 * and must not be a port (default/service:9000). So `redis:7`,
 * `quay.io/org/app` and `org/app:prod` are no: under a key such as `image` use ref_parse.
 */
bool ref_looks_like(const char *text);
/* Adds every piece of a longer text (arguments, YAML in YAML, HOCON) that looks like a reference, in order of
 * appearance, repeats included. Paths from the root and addresses are none. Pieces end at any character that no reference has, so `--image=REF,` is found; docker:// and oci://
 * in front are cut off. */
void ref_find(const char *text, struct strv *out);
/* The same, each with its place: ref stands at text + at. */
typedef void (*ref_seen_fn)(void *ctx, const char *ref, size_t at);
void ref_each(const char *text, ref_seen_fn fn, void *ctx);

/* Where things go on site. Borrowed strings. host NULL: not known yet (at build without a site). */
struct ref_site {
	const char *host;       /* "registry.site:5000" */
	const char *prefix;     /* "" or NULL = none; "airgap", "a/b" */
	bool keep_host;
};

/* All three: out gets host, path and tag, never a digest. -1: out is unchanged; ERR_UNSAFE when the name is over
 * 255 characters with the host, the tag over 128, or not in the grammar (upper case, an IPv6 host kept in the path).
 * Image: PREFIX[/HOST]/PATH:TAG, `:` of HOST as `_`; digest only: tag d-<32 hex>; neither: latest.
 * Chart: PREFIX/charts/NAME:VERSION, `+` as `_`.   File or set: PREFIX/KIND/NAME:<32 hex of its digest>, KIND
 * "files", "packages", "python" or "git". */
int ref_target(const struct ref *r, const struct ref_site *site, struct ref *out, struct err *e) MUST_CHECK;
int ref_target_chart(const char *name, const char *version, const struct ref_site *site, struct ref *out,
		     struct err *e) MUST_CHECK;
int ref_target_artifact(const char *kind, const char *name, const struct digest *d, const struct ref_site *site,
			struct ref *out, struct err *e) MUST_CHECK;
