/*
 * proof - what must hold for rendered output before anything is installed (design §4, Rewrite and Profiles).
 *
 * Images: every reference ends at the site registry and is carried by digest; nothing names a reference that the
 * bundle carries under its upstream name. Hooks included, helm tests not; disabled triples exempt.
 * Profile: each pod template (also in ConfigMaps) of a namespace with podSecurity restricted keeps every rule of
 * Kubernetes' restricted level; nonroot needs a uid that is not 0, nonroot-arbitrary-uid no fixed uid.
 *
 * Every violation is collected: one line each, "chart: file: kind: path: what: what to do".
 */
#pragma once

#include "render.h"

/* 0: proved. -1: ERR_PROOF with the number of violations; all of them in `out` (may be NULL). */
int proof_images(struct session *s, const char *chart, const struct helm_objects *o, struct strv *out, struct err *e) MUST_CHECK;
int proof_profile(const char *profile, const char *pod_security, const char *chart, const struct helm_objects *o,
		  struct strv *out, struct err *e) MUST_CHECK;
/* Pod templates as Pods in `ns`, for a server-side dry run: the API server's own verdict. */
int proof_dry_run(struct session *s, const char *ns, const struct helm_objects *o, struct err *e) MUST_CHECK;
