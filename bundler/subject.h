/*
 * subject - a manifest, a lock or a bundle seen alike: what is in it, its blobs, and the bytes of small ones.
 *
 *	auto_subject struct subject s = { 0 };
 *	if (subject_open(&s, path, &options, e) < 0) ...        // a manifest is resolved: that asks the network
 *	subject_blob(&s, &digest, &text, e)                     // 1; 0: it cannot be had here
 *
 * The bytes of a lock's blobs are those that resolving left in the content cache, or in a layout beside it; on another
 * machine they may be missing, which is no error.
 */
#pragma once

#include <airgap/bundle_show.h>
#include <airgap/lock.h>

struct subject_options {
	const char *site, *facts;       /* of a manifest; NULL = none */
	const struct strv *overlays;    /* of a manifest; NULL = none */
	bool no_referrers;              /* of a manifest */
	const char *trust;              /* of a bundle */
	unsigned jobs;
	bool env_proxy;                 /* resolve.h */
};

struct subject_blob { struct digest digest; uint64_t size; };

struct subject {
	char *path;
	const struct contents *contents;        /* borrowed from below */
	struct subject_blob *blobs; size_t n_blobs;     /* sorted by digest; of a delta also what it leaves out */
	struct lock lock;
	struct contents of_bundle;
	struct bundle *bundle;                  /* NULL: a lock */
	struct policy policy;                   /* of the bundle */
};
#define auto_subject CLEANUP(subject_release)
void subject_release(struct subject *s);

int subject_open(struct subject *s, const char *path, const struct subject_options *o, struct err *e) MUST_CHECK;
/* Borrowed; NULL: it has no such blob. */
const struct subject_blob *subject_find(const struct subject *s, const struct digest *d);
/* 1: appended to out, compared. 0: not to be had here. -1. */
int subject_blob(struct subject *s, const struct digest *d, struct buf *out, struct err *e) MUST_CHECK;
/* Sum of all blobs' sizes. */
uint64_t subject_size(const struct subject *s);

/* Text of a bundle that somebody may have made to trick a terminal. Owned. */
char *printable(const char *s) MUST_CHECK;
/* Of an entry of contents.not_carried: "nginx:1", or "packages 'headers'" for what is no image. Owned. */
char *not_carried_name(const json_t *entry) MUST_CHECK;
