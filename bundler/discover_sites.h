/*
 * discover_sites - the destinations of a bundle and the steps their site chart renders. Private to discover*.c and resolve.c.
 *
 *	CLEANUP(destinations_release) struct destinations sites = { 0 };
 *	if (destinations_read(&sites, r, site_path, e) < 0) ...    // site files, and their steps as the build sees them
 */
#pragma once

#include "resolve_run.h"

#include <airgap/steps.h>

/* One destination the bundle is meant for: a site file, or the site chart's defaults. */
struct destination {
	char *name;                     /* for messages */
	json_t *values;                 /* as written; NULL = nothing */
	struct ydoc_marks *marks;       /* its lines */
	const char *kube_version;       /* borrowed */
	struct steps steps;             /* side: build */
};

struct destinations {
	const struct run_chart *chart;  /* the site chart; NULL: none, charts are rendered alone */
	bool named;                     /* one site was named: only what it needs is carried */
	struct destination *items; size_t n;
};
void destinations_release(struct destinations *d);

/* Site files and steps of d->chart, which is there. path NULL = discover.sites; without any, the site chart's defaults. */
int destinations_read(struct destinations *d, struct run *r, const char *path, struct err *e) MUST_CHECK;
/* The steps as this site will have them: its names, and what the lock carries under them. */
int destination_on_site(const struct destinations *d, const struct destination *s, struct run *r, const struct ref_site *names,
			struct steps *out, struct err *e) MUST_CHECK;
