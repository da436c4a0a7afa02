/*
 * tools - helm and kubectl out of the bundle: written once, checked before every exec (format §4).
 */
#pragma once

#include <airgap/bundle_read.h>
#include <airgap/contents.h>

#include <sys/types.h>

/* The tool as a checked descriptor: 1 and *out_fd, or 0 when the bundle has none of that name for this machine.
 * It stands in dir/tools (0700, ours) under its digest, written O_EXCL, hashed while written, fsync'ed, 0500; an existing
 * file is opened, fstat'ed (owner, mode, one link) and hashed through the descriptor that will be run. */
int tools_open(struct bundle *b, const struct contents *c, const char *dir, const char *name, int *out_fd,
	       struct err *e) MUST_CHECK;
/* Before a bundle is there to say which: one that an earlier bundle was the origin of, still as it was written under the
 * hash in its name, in that folder of ours. 1 and *out_fd, or 0. */
int tools_kept(const char *dir, const char *name, int *out_fd, struct err *e) MUST_CHECK;
/* A file of the bundle as a new file with this mode, hashed while written. -1: nothing of it is there. */
int tools_extract(struct bundle *b, const struct content_file *f, const char *path, mode_t mode, struct err *e) MUST_CHECK;
