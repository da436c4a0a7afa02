/*
 * rewrite - rendered manifests with the names of the site registry: what `registry.rewrite: post-render` does.
 *
 * For references that a chart has no key for. One set of names serves twice: for objects that are proved, and as a file
 * for the program that helm pipes its output through. Only references of carried images change (scan_rename says where);
 * a document in which nothing does is passed on byte for byte, and one in which something does keeps its comments in
 * front and is then JSON, which is YAML in which no scalar can be taken for another.
 *
 *	auto_rewrite struct rewrite r = { 0 };
 *	if (rewrite_names(&r, &contents, &site, e) < 0 ||
 *	    rewrite_rendered(&r, "web", &rules, &objects, &hook, e) < 0) ...
 */
#pragma once

#include <airgap/contents.h>
#include <airgap/ref.h>
#include <airgap/scan.h>

struct rewrite {
	json_t *images;         /* {REF: TARGET} */
	json_t *names;          /* {HOST/PATH: TARGET without its tag} */
};
#define auto_rewrite CLEANUP(rewrite_release)

/* Every carried image with its further tags as the site calls it. A reference with a digest keeps one: that of the target. */
int rewrite_names(struct rewrite *out, const struct contents *c, const struct ref_site *site, struct err *e) MUST_CHECK;
void rewrite_release(struct rewrite *r);

/* What a reference in any spelling becomes; owned, NULL: no image of ours. "NAME:{}": any tag. */
char *rewrite_target(const struct rewrite *r, const char *image) MUST_CHECK;

/* One object of the chart, in place; it must share no part with another. */
int rewrite_object(const struct rewrite *r, const char *chart, const struct scan_rules *rules, json_t *object, bool *changed,
		   struct err *e) MUST_CHECK;
/* What helm has rendered, as it will be installed: CRDs of crds/, which helm installs by another way, and tests stay. *hook: the
 * first hook that changed, or NULL. */
int rewrite_rendered(const struct rewrite *r, const char *chart, const struct scan_rules *rules, struct helm_objects *o,
		     const struct helm_object **hook, struct err *e) MUST_CHECK;

/* For the other process: all it needs, at most REWRITE_MAX bytes; then what helm pipes through it. -1: out has part of it. */
#define REWRITE_MAX (16u << 20)
int rewrite_dump(const struct rewrite *r, const char *chart, const struct scan_rules *rules, struct buf *out, struct err *e) MUST_CHECK;
int rewrite_manifests(const void *names, size_t n_names, const char *text, size_t n, struct buf *out, struct err *e) MUST_CHECK;
