/*
 * image_archive - an archive of images on disk, read once: a tar of an OCI layout, or what `docker save` writes.
 *
 *	struct image_archive *a = image_archive_open("apps.tar", e);
 *	const struct archive_file *f = image_archive_find(a, &digest);
 *
 * Every regular file in it is known by its name and by the digest of its bytes, so that a layer is found by what it is and no
 * link is ever followed. Refused: names that leave the archive, names that come twice, devices, more than 100,000
 * members or 256 GiB of content (ERR_UNSAFE, ERR_LIMIT). The tar may be compressed.
 * After open any thread may look.
 */
#pragma once

#include <airgap/digest.h>
#include <airgap/oci.h>
#include <airgap/ref.h>

struct archive_file {
	char *name;
	uint64_t size;
	struct digest digest;
	bool link;                      /* it is one: no size, no digest */
	uint8_t head[4];                /* its first bytes */
	char *text;                     /* of small JSON documents; NULL = not kept */
};

struct image_archive;
struct image_archive *image_archive_open(const char *path, struct err *e) MUST_CHECK;
void image_archive_close(struct image_archive *a);
#define auto_image_archive CLEANUP(cleanup_image_archive)
DEFINE_CLEANUP_PTR(cleanup_image_archive, struct image_archive, image_archive_close)

const char *image_archive_path(const struct image_archive *a);
struct digest image_archive_digest(const struct image_archive *a);      /* of the file itself */
/* Borrowed; NULL: there is none. By digest only files, the first by name. */
const struct archive_file *image_archive_file(const struct image_archive *a, const char *name);
const struct archive_file *image_archive_find(const struct image_archive *a, const struct digest *d);
/* The bytes of a file, appended to out. */
int image_archive_load(struct image_archive *a, const struct archive_file *f, struct buf *out, struct err *e) MUST_CHECK;

/* image_docker.c: the image of an archive of `docker save` that has this name among its RepoTags, or the only one there is:
 * a manifest of our making over its own config and layers, which are compared with the config's diff_ids.
 * 1. 0: it has no manifest.json. ERR_DIGEST: a layer is not what the config says; ERR_USAGE: no image of that name. */
int image_archive_docker(struct image_archive *a, const struct ref *r, struct buf *out, struct err *e) MUST_CHECK;
/* The digest of what is in a compressed file. */
int image_archive_unpacked(struct image_archive *a, const struct archive_file *f, struct digest *out, struct err *e) MUST_CHECK;
