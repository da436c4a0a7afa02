/*
 * content - what lock had to read or make, kept by digest in $XDG_CACHE_HOME/airgap/content/sha256/<hex>.
 *
 * A cache: everything in it can be had again from the lock's sources. Saved whole or not at all, but not forced to the disk (a
 * thousand images are four thousand waits for it): what a machine that stopped left damaged is dropped by its reader. Any number of programs may use it at once. content_load compares before it hands out; content_open does
 * not: its reader hashes (the bundle writer does).
 *
 *	auto_content_new struct content_new n = CONTENT_NEW_INIT;
 *	if (content_new_open(&n, limit, e) < 0 || registry_blob_get(…, &(struct sink){ content_new_write, &n }, e) < 0 ||
 *	    content_new_keep(&n, &digest, &size, e) < 0) ...
 */
#pragma once

#include <airgap/buf.h>
#include <airgap/digest.h>

/* 1: there (by name; not compared). 0: not. */
int content_has(const struct digest *d, struct err *e) MUST_CHECK;
/* 1: appended to out, compared. 0: not there, or damaged and removed. -1: ERR_LIMIT over out's ceiling, ERR_IO. */
int content_load(const struct digest *d, struct buf *out, struct err *e) MUST_CHECK;
/* 1: *out_fd reads a file of this size (UINT64_MAX = any) that should be d. 0: there is none. */
int content_open(const struct digest *d, uint64_t size, int *out_fd, struct err *e) MUST_CHECK;
/* Takes one out that turned out damaged. */
int content_drop(const struct digest *d, struct err *e) MUST_CHECK;

/* 0: there under its digest, which *out (may be NULL) is. */
int content_save(const void *p, size_t n, struct digest *out, struct err *e) MUST_CHECK;

/* The same for what does not fit memory, or whose digest is learnt on the way. */
struct content_new {
	int fd;
	char *name;             /* of the unfinished file; NULL = it has none (O_TMPFILE) */
	struct hash hash;
	uint64_t size, limit;
};
#define CONTENT_NEW_INIT { .fd = -1 }
int content_new_open(struct content_new *n, uint64_t limit, struct err *e) MUST_CHECK;
/* A sink's write; ctx is the struct. More than limit: ERR_LIMIT. */
int content_new_write(void *content_new, const void *p, size_t n, struct err *e) MUST_CHECK;
int content_new_keep(struct content_new *n, struct digest *out, uint64_t *out_size, struct err *e) MUST_CHECK;
void content_new_release(struct content_new *n);        /* unless kept, nothing stays behind */
#define auto_content_new CLEANUP(content_new_release)
