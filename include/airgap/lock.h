/*
 * lock - the resolved bundle: every blob with digest, size, encoding and where to get it (design §3).
 *
 * JSON-compatible YAML, pretty-printed, sorted: made to be read in a review. `build` on a lock
 * resolves nothing and needs no helm. Same lock, same program: same bytes. Holds no secret: hosts
 * keep their references (env:X, file:P).
 *
 * Paths are relative to the folder of the lock file.
 *
 *	auto_lock struct lock l = { 0 };
 *	if (lock_add_blob(&l, &d, size, type, stored, false, &source, e) < 0) ...
 *	lock_finish(&l);                        // sorts
 *	if (lock_dump(&l, &out, e) < 0) ...     // checks
 */
#pragma once

#include <airgap/contents.h>

#define LOCK_MAX (256u << 20)           /* bytes of its text */

/* Where the bytes of a blob can be had. */
enum lock_source_kind {
	LOCK_REGISTRY,          /* location "host/path": blob (or manifest) by digest */
	LOCK_URL,               /* location http(s) URL: the whole body is the blob */
	LOCK_FILE,              /* location path: the file is the blob */
	LOCK_LAYOUT,            /* location path of an OCI image layout folder */
	LOCK_PACK,              /* location folder, member the top folder's name: a chart to pack again; or location URL or
				 * path of an archive, member "NAME?kubeVersion=…", `archive` its digest: to patch again
				 * (chart.h). Must give the same digest, else ERR_DIGEST */
	LOCK_MEMBER,            /* location URL or path of an archive, `member` in it, `archive` the digest of its bytes */
	LOCK_GIT,               /* location URL of a git repository; member "COMMIT:PATH": a chart's folder, packed; or
				 * "REF=COMMIT …", separated by spaces: a git bundle of them. Must give the same digest */
	LOCK_LAYER,             /* location "host/path", archive the digest of a layer of an image there; `member` in it */
	LOCK_ADD,               /* location the folder, member "PATH\nPATH…": these files as an image layer (image_add.h) */
	LOCK_MADE,              /* the bytes stand in lock.made */
};
extern const char *const lock_source_kinds[];   /* "registry", "url", …, NULL */

struct lock_source {
	int kind;
	char *location, *member;
	struct digest archive;
};

struct lock_blob {
	struct digest digest;
	uint64_t size;
	char *media_type;       /* "application/octet-stream" for plain files */
	bool stored;            /* encoding 0; false = zstd. Fixed by media type or file name */
	bool manifest;          /* a registry serves it under /manifests/, not /blobs/ */
	struct lock_source *sources; size_t n_sources;  /* tried in this order */
};

struct lock_made {
	struct digest digest;
	char *text;             /* raw bytes (JSON text of ours) */
};

/* As in a manifest's `hosts`; values are references, never secrets. */
struct lock_host {
	char *host;
	bool plain_http;
	char *ca, *username, *password, *token;
	char *cert, *key;       /* client certificate and its key: files */
	char *proxy;            /* "http://HOST:PORT", "environment"; NULL = none */
	char *rate;             /* bytes a second: "20MiB"; NULL = no limit */
	char *user_agent;
};

struct lock {
	char *stream, *created, *expires;       /* RFC 3339 with Z; expires "" or NULL = never */
	uint64_t sequence;
	struct strv audience;
	struct contents contents;
	struct lock_host *hosts; size_t n_hosts;
	struct lock_blob *blobs; size_t n_blobs;        /* sorted by digest, none twice */
	struct lock_made *made; size_t n_made;          /* sorted by digest */
	struct strv warnings;                   /* told at lock time, told again at build */
	size_t *index; size_t index_cap;        /* private: digests to blobs, while it is being made */
};

#define auto_lock CLEANUP(lock_release)

/* 1: the file is a lock (its top-level kind says so). 0: something else, a manifest perhaps. */
int lock_is(const char *path, struct err *e) MUST_CHECK;
int lock_load(const char *path, struct lock *out, struct err *e) MUST_CHECK;
int lock_parse(const void *p, size_t n, const char *subject, struct lock *out, struct err *e) MUST_CHECK;       /* and checks */
int lock_dump(const struct lock *l, struct buf *out, struct err *e) MUST_CHECK;        /* checks first */
/* Meaning: texts fit the signed statement, contents are right, every digest they name is a blob, every blob has
 * a source, made bytes match. Pure. */
int lock_check(const struct lock *l, struct err *e) MUST_CHECK;
void lock_release(struct lock *l);

/* Adds a blob or a further source of a known one (one it has already is left out). Same digest with another size:
 * ERR_MALFORMED. The first media type and encoding stay; `manifest` holds when any caller said so.
 * source's strings are copied. The vector is kept sorted by lock_finish. */
int lock_add_blob(struct lock *l, const struct digest *d, uint64_t size, const char *media_type, bool stored,
		  bool manifest, const struct lock_source *source, struct err *e) MUST_CHECK;
/* Adds bytes of our own as blob and as `made` (text without NUL, at most 4 MiB); *out is their digest. */
int lock_add_made(struct lock *l, const void *p, size_t n, const char *media_type, bool manifest,
		  struct digest *out, struct err *e) MUST_CHECK;
void lock_finish(struct lock *l);       /* sorts all there is to sort; more may be added and finished again */
/* Borrowed until the next change; NULL when absent. Before lock_finish too. */
const struct lock_blob *lock_find(const struct lock *l, const struct digest *d);
const struct lock_made *lock_find_made(const struct lock *l, const struct digest *d);   /* after lock_finish */

/* Sum of all blobs' sizes. */
uint64_t lock_size(const struct lock *l);

/* The layout's own files: bytes of "index.json" for these contents (format §7): images by reference, charts as
 * charts/NAME:VERSION, files as files/NAME:<32 hex>, what belongs to an image as contents.h says. */
int lock_index_json(const struct lock *l, struct buf *out, struct err *e) MUST_CHECK;
