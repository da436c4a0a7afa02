/*
 * layer_file - a file out of a layer of an image.
 *
 *	auto_fd int fd = layer_open(registry, "clearml/apps", &digest, size, e);
 *	int there = layer_look(fd, "opt/apps.zip", &sink, e);           // from the topmost layer down, until it is not 0
 *
 * A layer is kept in the content cache and compared with its digest before it is read. No link is followed: a file behind one, or
 * that is one, is ERR_UNSAFE.
 */
#pragma once

#include <airgap/registry.h>

/* The layer from its beginning, compared; downloaded unless it is here. size: UINT64_MAX = not known. */
int layer_open(struct registry *r, const char *repository, const struct digest *d, uint64_t size, struct err *e) MUST_CHECK;

/* 1: the file went to the sink. 0: this layer says nothing of it. 2: it says that there is none, whatever lower layers have
 * (a whiteout, or a file where a folder of its path was). -1: the sink may have got a part. */
int layer_look(int fd, const char *path, const struct sink *to, struct err *e) MUST_CHECK;

/* "opt/apps.zip": relative, without empty parts, `.` and `..`. */
bool layer_path_ok(const char *path);
