/*
 * image_add - files as a layer on top of an image, the same bytes for the same files, and the image that this makes.
 *
 * The layer is a plain tar: the files stand in / by the last component of their paths, with mode 644, or 755 when their owner
 * may execute them, as root, without a time. It is written down nowhere: the lock keeps each file's sha256 and path in
 * the form of `sha256sum`, and a build makes the layer again from the files.
 */
#pragma once

#include "image_resolve.h"

#include <airgap/stream.h>

struct image_layer {
	struct digest digest;
	uint64_t size;
	struct lock_source source;      /* LOCK_ADD; texts owned */
	char *files;                    /* "apps.zip upload_apps.py": for people */
};
#define auto_image_layer CLEANUP(image_layer_release)
void image_layer_release(struct image_layer *l);

/* dir: where the paths are; lock_dir: the same as the lock spells it. ERR_UNSAFE: no regular file, a name that a layer gives a
 * meaning; ERR_USAGE: two files of one name. */
int image_layer_make(const char *dir, const char *lock_dir, const struct strv *paths, struct image_layer *out, struct err *e) MUST_CHECK;
/* The bytes of a layer, from the member of its LOCK_ADD. ERR_DIGEST: a file is not what it was, and is named. */
int image_layer_write(const char *dir, const char *member, const struct sink *to, struct err *e) MUST_CHECK;

/* "apps/apps.zip, upload_apps.py": for messages. Owned. */
char *image_layer_files(const char *member) MUST_CHECK;

/* The image that is base with the layer on top: for each wanted platform a config and a manifest, and an index when there
 * are several. 1, or 0: there is no such base. As image_resolve otherwise. */
int image_make(const struct image_from *from, const struct ref *base, const struct image_layer *layer,
	       const struct strv *platforms, struct image_result *out, struct err *e) MUST_CHECK;
