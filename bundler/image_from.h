/*
 * image_from - where an image is read from at lock time: a registry, an OCI layout in a folder, or an archive (of such a layout,
 * or of `docker save`).
 *
 * All give manifests by name and by digest, and small blobs, always compared with their digest. What a registry gave
 * is kept in the content cache and asked for no second time.
 */
#pragma once

#include "image_archive.h"

#include <airgap/lock.h>
#include <airgap/registry.h>

struct image_from {
	struct registry *registry;      /* borrowed, as all here; NULL: a layout */
	const char *repository;
	const char *layout;             /* path of a folder or archive, for messages too */
	struct image_archive *archive;  /* NULL: a folder */
	struct lock_source source;      /* of its blobs, as the lock will say; the member is found for each */
};

struct image_manifest {
	struct buf bytes;
	char *type;
	struct digest digest;
	bool made;                      /* by us: its source has only what it names */
};
#define IMAGE_MANIFEST_INIT { .bytes = BUF_INIT(OCI_MANIFEST_MAX) }
#define auto_image_manifest CLEANUP(image_manifest_release)
void image_manifest_release(struct image_manifest *m);

/* What a reference names, its tag resolved here and once. 1; 0: there is no such image. In a layout: the one whose
 * name is the whole reference, else the tag if only one has it, or the only one there is. */
int image_from_name(const struct image_from *f, const struct ref *r, struct image_manifest *out, struct err *e) MUST_CHECK;
/* A child, by its descriptor. 1, or 0: not there. */
int image_from_child(const struct image_from *f, const struct descriptor *d, struct image_manifest *out, struct err *e) MUST_CHECK;
/* A config, appended to out. */
int image_from_blob(const struct image_from *f, const struct descriptor *d, struct buf *out, struct err *e) MUST_CHECK;
/* 1: the bytes of a blob can be had. 0: not. */
int image_from_has(const struct image_from *f, const struct digest *d, struct err *e) MUST_CHECK;
/* A layer that "must not be distributed" is carried when its registry has it after all; else ERR_UNSUPPORTED. */
int image_from_check_layer(const struct image_from *f, const struct descriptor *d, struct err *e) MUST_CHECK;
/* Where the lock says that a blob comes from; texts owned. */
struct lock_source image_from_source(const struct image_from *f, const struct digest *d) MUST_CHECK;
