/*
 * rewrite - rendered manifests with the names of the site registry: what `registry.rewrite: post-render` does.
 *
 * For references that a chart has no key for. One set of names serves twice: for objects that are proved, and as a file
 * for the program that helm pipes its output through. Only references of carried images change (scan_rename says where);
 * a document in which nothing does is passed on byte for byte, and one in which something does keeps its comments in
 * front and is then JSON, which is YAML in which no scalar can be taken for another.
 *
 *	auto_rewrite struct rewrite r = { 0 };
 *	rewrite_begin(&r);
 *	if (rewrite_add(&r, image, target, e) < 0) ...          // for every carried image
 *	if (rewrite_objects(&r, "web", rules, list, &changed, e) < 0) ...
 */
#pragma once

#include <airgap/contents.h>
#include <airgap/scan.h>

struct rewrite {
	json_t *images;         /* {REF: TARGET} */
	json_t *names;          /* {HOST/PATH: TARGET without its tag} */
};
#define auto_rewrite CLEANUP(rewrite_release)

void rewrite_begin(struct rewrite *r);
/* An image, its further tags too, is HOST/PATH:TAG on site. A reference with a digest keeps one: that of the target. */
int rewrite_add(struct rewrite *r, const struct content_image *image, const char *target, struct err *e) MUST_CHECK;
void rewrite_release(struct rewrite *r);

/* What a reference in any spelling becomes; owned, NULL: no image of ours. "NAME:{}": any tag. */
char *rewrite_target(const struct rewrite *r, const char *image) MUST_CHECK;

/* One object of the chart, in place; it must share no part with another. */
int rewrite_object(const struct rewrite *r, const char *chart, const struct scan_rules *rules, json_t *object, bool *changed,
		   struct err *e) MUST_CHECK;

/* For the other process: all it needs, at most REWRITE_MAX bytes; then what helm pipes through it. -1: out has part of it. */
#define REWRITE_MAX (16u << 20)
int rewrite_dump(const struct rewrite *r, const char *chart, const struct scan_rules *rules, struct buf *out, struct err *e) MUST_CHECK;
int rewrite_manifests(const void *names, size_t n_names, const char *text, size_t n, struct buf *out, struct err *e) MUST_CHECK;
