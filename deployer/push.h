/*
 * push - from verified frames straight to the registry: one plan of unique blobs, one HEAD each, mounts across
 * repositories, children before parents, tags last, read back by digest.
 *
 * Nothing is written locally. A second push makes a HEAD per manifest and per blob and uploads nothing.
 */
#pragma once

#include "session.h"

struct push_report { uint64_t images, referrers, charts, files, sets, blobs, uploaded, mounted, present, bytes; };

/* images, charts and files of the bundle (or only those `wanted` names; NULL = all, and what the registry keeps of the bundle
 * itself: keep.h). 0: every tag names the locked digest. */
int push_all(struct session *s, const struct strv *wanted, struct push_report *out, struct err *e) MUST_CHECK;
/* Before the first write. 0: the registry lets us push where the bundle's images go, and takes an index with platforms
 * left out if the bundle has such a one that is not there yet: tried with a manifest that no tag names.
 * ERR_AUTH, ERR_NETWORK and so on; ERR_REGISTRY with a way out. */
int push_probe(struct session *s, struct err *e) MUST_CHECK;
/* The site tag of an image names this digest already? 1/0/-1. */
int push_check_image(struct session *s, const struct content_image *i, struct err *e) MUST_CHECK;
/* All of them do. ERR_PROOF names each that does not; otherwise = what to do then. */
int push_check(struct session *s, unsigned jobs, const char *otherwise, struct err *e) MUST_CHECK;
/* Replaces the registry's words on an index with missing children by what to do; they are kept in it. */
void push_sparse_advice(struct err *e);
