/*
 * image_costs - what each image and each component costs: bytes of its own, bytes it shares, bytes that leaving it out
 * would save.
 *
 *	auto_costs struct costs c = { 0 };
 *	if (costs_count(&subject, &c, e) < 0) ...
 *
 * A blob that several images have is carried once: it is nobody's own, and is saved only when all of them go. Manifests
 * count, charts' archives and files too. A component is a chart, a file that a rule looked into, or the manifest itself;
 * an image belongs to each that names it.
 */
#pragma once

#include "subject.h"

struct image_cost {
	uint64_t own, shared;           /* shared: with another image */
	bool known;                     /* false: its manifests cannot be had here; own and shared are 0 */
};

struct component {
	const char *name;               /* borrowed; NULL: the manifest itself */
	bool file;                      /* a carried file */
	const char *version;            /* of a chart; borrowed; NULL = none */
	size_t images;
	uint64_t size;                  /* of its blobs, each counted once */
	uint64_t saved;                 /* by leaving it out */
};

struct costs {
	struct image_cost *images;      /* as contents.images */
	struct component *components; size_t n_components;      /* charts by name, files, the manifest last */
	uint64_t images_size;           /* of all images, each blob once */
	bool known;                     /* all images are */
};
#define auto_costs CLEANUP(costs_release)
void costs_release(struct costs *c);
int costs_count(struct subject *s, struct costs *out, struct err *e) MUST_CHECK;
/* Does this component name the image? */
bool component_names(const struct component *c, const struct content_reason *r);
/* "web 1.0.0", "file apps" or "the manifest". Owned. */
char *component_title(const struct component *c) MUST_CHECK;
