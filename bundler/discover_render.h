/*
 * discover_render - charts rendered with given values, each twice, and scanned for images. Private to discover*.c.
 */
#pragma once

#include "resolve_run.h"

/* One chart with one set of values. */
struct render {
	const struct run_chart *chart;
	char *release, *ns;
	char *kube_version;
	json_t *values;
	json_t **base;                  /* under values; NULL-ended, or NULL */
	bool tests;
	struct digest id;               /* of all of the above: the same render is done once */
	struct scan_finds finds;        /* out */
	struct strv random;             /* out: places that differ with each render */
};
#define auto_render CLEANUP(render_release)
void render_release(struct render *x);

/* Fills id. */
int render_identify(struct render *x, struct err *e) MUST_CHECK;

struct renders { struct render *items; size_t n; };
#define auto_renders CLEANUP(renders_release)
void renders_release(struct renders *v);

/* Takes values and base over, also when the render is there already. */
int renders_add_take(struct renders *v, struct render *what, struct err *e) MUST_CHECK;
/* Renders and scans all, a few at once, then adds what was found to run.images. */
int renders_scan(struct renders *v, struct run *r, struct err *e) MUST_CHECK;

/* discover_keys.c: a warning for each value that a site's steps set and its chart does not know, with the place where the site
 * chart says it. */
int renders_check_keys(const struct renders *v, struct run *r, const struct run_chart *site, struct err *e) MUST_CHECK;
