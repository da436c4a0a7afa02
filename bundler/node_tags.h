/*
 * node_tags - images whose tag names a node's kernel or system: a pattern and the facts become references.
 *
 *	node_tags_fill("x.example/driver:580-{kernel}-{osTag}", NULL, &facts, &how, &tags, e)
 *	tags.items[0].image     "x.example/driver:580-5.15.0-1071-nvidia-ubuntu22.04"
 *	tags.items[0].nodes     "2 nodes ubuntu 22.04, kernel 5.15.0-1071-nvidia"
 *
 * Nodes with a GPU count, or all where none says that it has one; of these the ones that have the labels by which the object
 * chooses its nodes, as far as facts know labels: distribution, kernel, architecture, product. {kernel} is the node's own, {osTag} the ID of its
 * distribution and its version, or the major part of it where discover.osTags says so for this version of the chart.
 */
#pragma once

#include <airgap/facts.h>
#include <airgap/manifest.h>

struct node_tag {
	char *image;                    /* a reference */
	char *pattern;                  /* its tag with {kernel} open, or {osTag} where that alone is in it */
	char *nodes;                    /* for people */
};
struct node_tags { struct node_tag *items; size_t n; };
#define auto_node_tags CLEANUP(node_tags_release)
void node_tags_release(struct node_tags *t);

/* Whose operator writes the tags: the chart that asks for the image; for what a site chart applies, any of all charts. */
struct node_tags_chart { const char *name, *version; };
struct node_tags_how {
	const struct manifest_discover *discover;
	const struct node_tags_chart *charts; size_t n_charts;
};

bool node_tags_is_pattern(const char *image);
/* Adds one entry for each different reference. labels: JSON, NULL = any node. ERR_USAGE: a node's distribution is needed and not known. */
int node_tags_fill(const char *pattern, const char *labels, const struct facts *f, const struct node_tags_how *how,
		   struct node_tags *out, struct err *e) MUST_CHECK;
bool node_tags_has(const struct node_tags *t, const char *image);
/* Of the tags of a repository at most five that come nearest to the tag of an image that is not there, those that differ in
 * the open place alone first; as words to follow "is not in 'x'". NULL: the image is none of these. */
char *node_tags_hint(const struct node_tags *t, const char *image, const struct strv *tags) MUST_CHECK;
/* The finds of one chart: patterns are replaced by what they come to, and kept in `known`. Without facts they stay; what no
 * node of the facts asks for counts as disabled. */
int node_tags_replace(struct scan_finds *finds, const struct facts *f, const struct node_tags_how *how,
		      struct node_tags *known, struct err *e) MUST_CHECK;
