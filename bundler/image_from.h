/*
 * image_from - where an image is read from at lock time: a registry, or an OCI layout (a folder, or a tar of one).
 *
 * Both give manifests by name and by digest, and small blobs, always compared with their digest. What a registry gave
 * is kept in the content cache and asked for no second time.
 */
#pragma once

#include <airgap/oci.h>
#include <airgap/ref.h>
#include <airgap/registry.h>

struct image_from {
	struct registry *registry;      /* borrowed; NULL: a layout */
	const char *repository;         /* borrowed */
	const char *layout;             /* folder or archive; borrowed */
	bool archive;                   /* layout is a tar, compressed or not */
};

struct image_manifest {
	struct buf bytes;
	char *type;
	struct digest digest;
};
#define IMAGE_MANIFEST_INIT { .bytes = BUF_INIT(OCI_MANIFEST_MAX) }
#define auto_image_manifest CLEANUP(image_manifest_release)
void image_manifest_release(struct image_manifest *m);

/* What a reference names, its tag resolved here and once. 1; 0: there is no such image. In a layout: the one whose
 * name is the tag or the whole reference, or the only one there is. */
int image_from_name(const struct image_from *f, const struct ref *r, struct image_manifest *out, struct err *e) MUST_CHECK;
/* A child, by its descriptor. 1, or 0: not there. */
int image_from_child(const struct image_from *f, const struct descriptor *d, struct image_manifest *out, struct err *e) MUST_CHECK;
/* A config, appended to out. */
int image_from_blob(const struct image_from *f, const struct descriptor *d, struct buf *out, struct err *e) MUST_CHECK;
/* 1: the bytes of a layer can be had. 0: not. */
int image_from_has(const struct image_from *f, const struct descriptor *d, struct err *e) MUST_CHECK;
