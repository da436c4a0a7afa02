/*
 * resolve - from a manifest to a lock: whatever needs the network, helm or a decision happens here.
 *
 *	struct resolve_opts o = { .site = "site.yaml", .jobs = 4 };
 *	auto_lock struct lock l = { 0 };
 *	if (resolve_manifest("bundle.yaml", &o, &l, e) < 0 || lock_dump(&l, &text, e) < 0) ...
 *
 * Order: manifest, site chart, its steps, the charts they name, what those render, the images found in it, files.
 * Same inputs, same answers of the servers, same time: the same lock, also where charts render random names.
 * What was read or made on the way stays in the content cache, so that a build fetches it no second time.
 * Warnings are in the lock (`warnings`) and not logged here; images that cannot be resolved are logged as errors, one
 * line each, or one for a host that has the same to say to all of them, before the call fails.
 */
#pragma once

#include <airgap/lock.h>

struct resolve_opts {
	const char *site;       /* site file; NULL = the manifest's discover.sites, or the site chart's defaults */
	const struct strv *overlays;    /* manifests that win over the manifest, in this order; NULL = none */
	const char *facts;      /* facts file (facts.h); NULL = none but the manifest's */
	const char *helm;       /* program; NULL = from PATH */
	const char *base;       /* folder the lock will be in: its paths are relative to it; NULL = the manifest's folder */
	bool no_referrers;      /* signatures, attestations and SBOMs of images stay behind */
	unsigned jobs;          /* renders at once, 0 = pool_jobs(); questions to servers at once, 0 = 32 */
	bool quota_stop;        /* an error where pulls are counted and none is left; else it is waited for more */
	bool env_proxy;         /* the environment's proxies, where a host's settings name none */
	int64_t now;            /* the lock's time; 0 = $SOURCE_DATE_EPOCH, else the clock */
};

/* 0: *out is finished and checked. -1: out is untouched. */
int resolve_manifest(const char *path, const struct resolve_opts *o, struct lock *out, struct err *e) MUST_CHECK;
