/*
 * push_plan - what a push is made of: every tag with its tree of manifests, every blob once with all the repositories
 * that need it. Private to deployer/push*.c.
 */
#pragma once

#include "keep.h"
#include "push.h"

#include <airgap/oci.h>

struct push_place {             /* a blob in one repository */
	struct digest digest;
	uint64_t size;
	size_t repository;
};

struct push_document {          /* a manifest or index in one repository */
	struct digest digest;
	char *type;
	size_t repository;
	unsigned height;        /* 0 = no manifests below; pushed in rising order */
};

struct push_tag { char *text; size_t repository; struct digest digest; char *type; bool right; };

/* A manifest with a subject in the same repository. */
struct push_referrer {
	struct digest subject;
	struct descriptor entry;        /* in a list of referrers */
	char *type;
	size_t repository;
	bool late;              /* its subject is a referrer itself */
	bool there;
};
void push_referrer_release(struct push_referrer *r);

struct push_plan {
	struct session *session;
	struct strv repositories;
	struct push_place *places; size_t n_places;
	struct push_document *documents; size_t n_documents;
	struct push_tag *tags; size_t n_tags;
	struct push_referrer *referrers; size_t n_referrers;    /* those of one subject together */
	bool *settled;          /* repositories whose tags all name what they should: the registry has checked what hangs on them */
	size_t *groups; size_t n_groups;        /* first place of each blob; places are sorted by digest */
	struct keep keep;       /* manifest empty = not pushed */
	struct push_report *report;
	_Atomic uint64_t uploaded, mounted, present, bytes;
};
void push_plan_release(struct push_plan *p);

/* push_gather.c: all of the bundle, or what `wanted` names. ERR_PREFLIGHT: two different images with one name. */
int push_gather(struct push_plan *p, const struct strv *wanted, struct err *e) MUST_CHECK;
/* The bytes of a manifest or index, appended to out. */
int push_load_document(struct push_plan *p, const struct digest *d, struct buf *out, struct err *e) MUST_CHECK;

/* push_keep.c: what the registry keeps of the bundle itself, one more artifact, after push_gather's others. */
int push_gather_keep(struct push_plan *p, struct err *e) MUST_CHECK;
/* A blob's bytes, wherever they are. Zeroed = closed. */
struct push_content { struct bundle_reader reader; struct keep_reader kept; };
int push_content_open(struct push_plan *p, const struct digest *d, struct push_content *c, struct source *out, struct err *e) MUST_CHECK;
void push_content_close(struct push_content *c);
size_t push_repository(struct push_plan *p, const char *path);
void push_add_place(struct push_plan *p, const struct oci_blob *blob, size_t repository);
void push_add_document(struct push_plan *p, const struct digest *d, const char *type, size_t repository, unsigned height);
void push_add_tag(struct push_plan *p, const char *text, size_t repository, const struct digest *d, const char *type);

/* push_referrers.c. Gathering: nothing but the manifest's place in a list; its blobs and tag are push_gather's. */
int push_gather_referrer(struct push_plan *p, const struct content_referrer *c, size_t repository, struct err *e) MUST_CHECK;
void push_sort_referrers(struct push_plan *p);
/* Which are there: one HEAD each. */
int push_check_referrers(struct push_plan *p, unsigned jobs, struct err *e) MUST_CHECK;
/* After their subjects: those that are not there, by digest; the registry lists them, or else the index under the tag
 * `sha256-<hex>` is kept for it: read, added to once, read back. One question for each subject when nothing changed. */
int push_send_referrers(struct push_plan *p, unsigned jobs, struct err *e) MUST_CHECK;
