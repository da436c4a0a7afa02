/*
 * images - the images a bundle should carry, each with every reason, before a registry was asked.
 *
 *	images_waiver(&set, "example/never:1", "why")     first: what need not be carried although it is found
 *	images_add(&set, ref, &reason, IMAGE_CERTAIN)     the same image again only adds its reason
 *	images_finish(&set)                               sorted; what is disabled and wanted by nobody else is taken out
 *
 * A find that is no reference at all, or a reference without tag and digest, is judged here.
 */
#pragma once

#include <airgap/contents.h>
#include <airgap/ref.h>
#include <airgap/scan.h>

struct image {
	struct ref ref;
	char *text;                     /* canonical; the identity */
	bool certain;                   /* must be there */
	struct strv platforms;          /* of its manifest entry; empty = the manifest's */
	struct strv tags;
	char *layout;                   /* path of a layout or an archive; NULL = a registry */
	char *base;                     /* it is made of this image, */
	struct strv add;                /* and of these files on top */
	struct content_reason *reasons; size_t n_reasons;
};

struct image_waiver { char *image, *reason; bool used; };

struct images {
	struct image *items; size_t n;
	struct image_waiver *waivers; size_t n_waivers;
	json_t *not_carried;            /* [{image, reason, waived}] */
	struct strv warnings;
};
#define auto_images CLEANUP(images_release)
void images_release(struct images *s);

/* image: as found, canonical, or canonical without tag (all of its tags); or a pattern with * and ? for any of these. */
void images_waiver(struct images *s, const char *image, const char *reason);
/* A reference that must be there. reason's texts are copied; NULL members stay. Borrowed until the next add. */
struct image *images_add(struct images *s, const char *text, const struct content_reason *reason, struct err *e) MUST_CHECK;
/* All finds of one render; chart says whose they are, NULL: of a carried file. ERR_MALFORMED: an image that is no reference. */
int images_add_finds(struct images *s, const char *chart, const struct scan_finds *finds, struct err *e) MUST_CHECK;
void images_finish(struct images *s);
/* Warns of waivers that nothing needed. */
void images_idle_waivers(struct images *s);

/* "chart 'web': web/templates/deployment.yaml: Deployment: spec.…image", "file 'apps': a.zip/a.conf" or "the manifest".
 * Owned. */
char *images_place(const struct content_reason *r) MUST_CHECK;
