/*
 * proof - what must hold for rendered output before anything is installed (design §4, Rewrite and Profiles).
 *
 * Both programs prove the same: the bundler what a site's charts render with the names of that site, before the trip; the
 * deployer the same on site, before the first write. Pure: documents in, lines out.
 *
 * Images: every reference ends at the site registry and is carried by digest; nothing names a reference that the
 * bundle carries under its upstream name. Hooks included, helm tests not; disabled triples and what was waived exempt.
 * Profile: each pod template (also in ConfigMaps) keeps every rule of the Pod Security level of its namespace, restricted or baseline;
 * where none is declared, of restricted, or with the profile standard of none. nonroot-arbitrary-uid has no fixed uid besides.
 *
 * Every violation is collected: one line each, "chart: file: kind: path: what: what to do".
 */
#pragma once

#include <airgap/contents.h>
#include <airgap/ref.h>
#include <airgap/scan.h>

/* What images are held against; all of it borrowed. */
struct proof {
	const struct contents *contents;        /* what is carried; sorted */
	const struct scan_rules *rules;
	struct ref_site names;                  /* what it is called on site */
	bool upstream;                          /* rewrite `mirror`, or `post-render` not done yet: the upstream name of what is
						 * carried is as good */
	char *(*key_of)(void *ctx, const char *image);  /* the chart's value that gives an image, for the message: owned, NULL =
							 * not known; may be NULL */
	void *ctx;
	bool renamed;                           /* `post-render` has been done: what is left was out of its reach */
};

/* 0: proved. -1: ERR_PROOF with the number of violations; all of them in `out` (may be NULL). */
int proof_images(const struct proof *p, const char *chart, const struct helm_objects *o, struct strv *out, struct err *e) MUST_CHECK;
int proof_profile(const char *profile, const char *pod_security, const char *chart, const struct helm_objects *o,
		  struct strv *out, struct err *e) MUST_CHECK;
