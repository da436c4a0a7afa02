/*
 * preflight - everything that is missing, found before the first write and told at once (law 5).
 */
#pragma once

#include "engine.h"

/* 0: ready. -1: ERR_PREFLIGHT (or the one finding's own code where it is one alone); every finding in `out`,
 * "ID: subject: what is wrong: what to do". g->skip holds IDs to leave out. engine_begin was called.
 * Probes are asked when all else is well, unless they passed before and nothing in them has changed. Those in pods only when
 * `pods`: that takes a namespace of their own, airgap-probe, and their images in the registry. */
int preflight_run(struct engine *g, bool pods, struct strv *out, struct err *e) MUST_CHECK;

/* The probes: findings as above. -1: they could not be asked. */
int preflight_probes(struct engine *g, bool pods, struct strv *out, struct err *e) MUST_CHECK;
