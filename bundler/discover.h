/*
 * discover - what a manifest's sites need: steps, charts, renders, and the images found in them; and the proof, once all
 * has its digest, that each site will be able to run them. Private to bundler/resolve.c.
 */
#pragma once

#include "discover_sites.h"

/* site_path NULL = discover.sites. *sites, empty before, is what was read of them. */
int discover(struct run *r, const char *site_path, struct destinations *sites, struct err *e) MUST_CHECK;
/* Every site that names a registry, as it will be: its steps and charts rendered with its names and what the lock carries, and
 * held to what the deployer proves before its first write (proof.h). After lock_finish. ERR_PROOF: each violation was
 * logged, one line each. */
int discover_prove(struct run *r, const struct destinations *sites, struct err *e) MUST_CHECK;
