/*
 * image_resolve - one image: from a name to digests, the children that are carried, and all of their blobs.
 *
 * The rule for indexes is format §7. Everything wanted is there: the index is carried whole, attestations too. Else, if
 * all children together are at most 1.25 times the wanted ones, or the reference pins the index by digest: all of them,
 * with a note. Else one platform: the site tag names the child. Else: the index is carried with the wanted children.
 * An index that holds indexes is carried whole.
 */
#pragma once

#include "image_from.h"

#include <airgap/contents.h>

struct image_blob {
	struct digest digest;
	uint64_t size;
	char *media_type;
	bool manifest;
	struct lock_source source;      /* texts owned; location NULL: it is made */
	char *made;                     /* its bytes: a document of ours */
};

struct image_result {
	struct content_image image;     /* ref, source, tags and reasons are the caller's to fill */
	struct image_blob *blobs; size_t n_blobs;
};
#define auto_image_result CLEANUP(image_result_release)
void image_result_release(struct image_result *r);
/* A blob of the image, new or known; borrowed until the next one. Its size counts once. */
struct image_blob *image_result_add(struct image_result *r, const struct digest *d, uint64_t size, const char *type,
				    struct err *e) MUST_CHECK;
/* The same from a source; what a layout or an archive lacks is ERR_TRUNCATED, a registry is believed. */
int image_result_add_from(struct image_result *r, const struct image_from *f, const struct digest *d, uint64_t size,
			  const char *type, bool manifest, struct err *e) MUST_CHECK;

/* platforms: "linux/amd64", …, or "all" alone. 1: *out. 0: there is no such image. -1: also when there is one but not
 * for any of these platforms (ERR_UNSUPPORTED), or a layer that nobody may distribute (ERR_UNSUPPORTED). */
int image_resolve(const struct image_from *f, const struct ref *r, const struct strv *platforms,
		  struct image_result *out, struct err *e) MUST_CHECK;
