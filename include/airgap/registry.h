/*
 * registry - a client of one OCI registry: manifests, blobs, tags; both directions.
 *
 *	struct registry_options o = { .credentials = set };
 *	auto_registry struct registry *r = registry_open(http, "docker.io", &o, e);
 *	int there = registry_manifest_get(r, "library/busybox", "1.36", &m, e);      // 1, 0 = no such, -1
 *
 * May be used from any number of threads. Docker Hub is known by "docker.io". Tokens are cached per scope and
 * fetched once however many threads ask; they live in memory only. Repository and reference must be legal
 * (ERR_UNSAFE). A broken line, 429 and 5xx are retried by the rules of http.h.
 *
 * Errors as in http.h; in addition ERR_DIGEST (content or the server's Docker-Content-Digest differs), ERR_UNSUPPORTED
 * (schema 1). With push = true what the registry refuses is ERR_REGISTRY with its own words; 401 and 403 stay ERR_AUTH
 * ("not found or no access").
 */
#pragma once

#include <airgap/credential.h>
#include <airgap/digest.h>
#include <airgap/http.h>

#define REGISTRY_MANIFEST_MAX (4u << 20)

/* Pulls that a registry counts: of `limit` in `window` seconds so many are left. */
struct registry_quota { uint64_t limit, left, window; };

struct registry_options {
	struct credential_set *credentials;     /* borrowed; NULL = anonymous */
	bool plain_http;                        /* with ca_file: settings of this host, given to the http client */
	const char *ca_file;
	bool push;                              /* ask for push rights, name refusals ERR_REGISTRY */
	uint64_t chunk;                         /* bytes of a chunk where one PUT is refused (413); 0 = 32 MiB */
	/* Where pulls are counted and none is left, a GET of a manifest waits until there is (a HEAD tells, when RateLimit-Reset said or now and then), or
	 * is ERR_RATE. on_quota is called when the wait begins, from any thread. */
	bool quota_stop;
	void (*on_quota)(const char *host, const struct registry_quota *q);    /* NULL */
	unsigned answer_ms;                     /* a registry may think so long after an upload; 0 = 600,000 */
};

struct registry;
struct registry *registry_open(struct http_client *http, const char *host, const struct registry_options *o,
			       struct err *e) MUST_CHECK;       /* http is borrowed; no request yet */
void registry_close(struct registry *r);
#define auto_registry CLEANUP(cleanup_registry)
DEFINE_CLEANUP_PTR(cleanup_registry, struct registry, registry_close)
bool registry_room(struct registry *r);                 /* a request would begin at once (http_host_room) */
const char *registry_host(const struct registry *r);    /* as given */

/* 0: there is a v2 registry and it lets us in (repository NULL), or lets us do what we came for in that repository
 * (its tag list is asked for; an unknown repository is fine). */
int registry_ping(struct registry *r, const char *repository, struct err *e) MUST_CHECK;

/* True once it refused credentials of ours as a whole, not for one repository. They are not shown again: whatever needs
 * them fails at once, with the same error. */
bool registry_locked_out(struct registry *r);

/* ---- manifests ---- */

struct registry_manifest {
	struct buf bytes;               /* exactly as sent; empty after a head */
	char *type;                     /* media type */
	struct digest digest;           /* of the bytes; after a head: what the server said */
	uint64_t size;                  /* after a head: UINT64_MAX = not said */
};
#define REGISTRY_MANIFEST_INIT { .bytes = BUF_INIT(REGISTRY_MANIFEST_MAX) }
#define auto_registry_manifest CLEANUP(registry_manifest_release)
void registry_manifest_release(struct registry_manifest *m);

/* ref: a tag or "sha256:…". 1: found. 0: no such manifest or repository. A head whose answer names no digest
 * is made a get (and m->bytes are filled). Does not count as a pull on Docker Hub, get does. */
int registry_manifest_head(struct registry *r, const char *repository, const char *ref, struct registry_manifest *m,
			   struct err *e) MUST_CHECK;
int registry_manifest_get(struct registry *r, const char *repository, const char *ref, struct registry_manifest *m,
			  struct err *e) MUST_CHECK;
/* 0: the registry holds exactly these bytes under ref (its digest was compared). Idempotent. */
int registry_manifest_put(struct registry *r, const char *repository, const char *ref, const char *type,
			  const void *bytes, size_t n, struct err *e) MUST_CHECK;

/* ---- blobs ---- */

/* 1: there, *size set (UINT64_MAX = not said). 0: not there. */
int registry_blob_head(struct registry *r, const char *repository, const struct digest *d, uint64_t *size,
		       struct err *e) MUST_CHECK;

/* Bytes offset..size of the blob into the sink, once and in order, over broken connections and expired addresses.
 * NOT hashed: a caller that resumes has the state of the hash. -1: the sink had a part. */
int registry_blob_get(struct registry *r, const char *repository, const struct digest *d, uint64_t size, uint64_t offset,
		      const struct sink *to, struct err *e) MUST_CHECK;
/* The same for a part of it, as http.h says. */
int registry_blob_range(struct registry *r, const char *repository, const struct digest *d, uint64_t size,
			const struct http_range *range, const struct sink *to, struct err *e) MUST_CHECK;
/* A small blob (a config) whole and hashed; appended to out. */
int registry_blob_load(struct registry *r, const char *repository, const struct digest *d, uint64_t size, struct buf *out,
		       struct err *e) MUST_CHECK;

struct registry_blob {
	const char *repository;
	struct digest digest;
	uint64_t size;
	const char *from;               /* a repository of this registry that holds it: mounted when possible; NULL */
};
enum registry_how { REGISTRY_UPLOADED, REGISTRY_MOUNTED };

/* 0: the registry holds the blob in that repository. No HEAD is made: ask registry_blob_head first. One PUT with
 * a length; after a broken line it goes on where the registry says it stopped (source seeks) or starts again; 413 makes it
 * chunks. The registry checks the digest. how may be NULL.
 * (docker-registry 2.8 forgets an upload whose line broke: there every break begins anew.) */
int registry_blob_put(struct registry *r, const struct registry_blob *b, const struct source *from, enum registry_how *how,
		      struct err *e) MUST_CHECK;
/* The same with no bytes at hand: 1 mounted, 0 the registry would not (its upload session is cancelled). */
int registry_blob_mount(struct registry *r, const struct registry_blob *b, struct err *e) MUST_CHECK;

/* ---- tags ---- */

/* All tags, sorted. 1, or 0: no such repository. At most 1,000,000 tags, 10,000 pages. */
int registry_tags(struct registry *r, const char *repository, struct strv *out, struct err *e) MUST_CHECK;

/* The tags that begin with prefix, as far as `pages` requests go. 1, 0: no such repository. 2: there is more, of which
 * nothing is known. A sorted list is read as far as it matters. */
int registry_tags_prefix(struct registry *r, const char *repository, const char *prefix, unsigned pages, struct strv *out,
			 struct err *e) MUST_CHECK;

/* ---- what belongs to a manifest: signatures, attestations ---- */

struct oci_index;
/* What names d as its subject, from all pages: descriptors with artifact type and annotations. 1: *out has them, maybe
 * none. 0: this registry has no such API; that is remembered, so it costs one request a registry. Nobody has looked yet
 * whether what it lists is there, or true. */
int registry_referrers(struct registry *r, const char *repository, const struct digest *d, struct oci_index *out,
		       struct err *e) MUST_CHECK;
/* The tag of the index that says the same where there is no API: "sha256-<hex>". Owned. */
char *registry_referrers_tag(const struct digest *d) MUST_CHECK;
/* registry_manifest_put of a manifest that has a subject, by its own digest. *linked: the registry says that it lists it; else
 * that index is the client's to keep. */
int registry_referrer_put(struct registry *r, const char *repository, const struct digest *subject, const char *type,
			  const void *bytes, size_t n, bool *linked, struct err *e) MUST_CHECK;

/* ---- what it cost ---- */

struct registry_stats {
	uint64_t requests;              /* all but those to token servers */
	uint64_t tokens;                /* requests to token servers */
	uint64_t heads, gets, puts, mounts;     /* of manifests and blobs, answered with success */
	uint64_t bytes_in, bytes_out;   /* of manifests and blobs */
};
struct registry_stats registry_stats(struct registry *r);

/* Docker Hub's pull quota as last seen: 1, or 0 when no answer carried one. */
int registry_quota(struct registry *r, struct registry_quota *out);
/* A GET of a manifest is counted there: Docker Hub, or one that named a quota. */
bool registry_counts_pulls(struct registry *r);
