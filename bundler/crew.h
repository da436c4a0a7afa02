/*
 * crew - the blobs whose frames have their places, fetched by the workers of a build: each blob has an owner, and who has
 * nothing else to do takes parts of the large ones, where the source keeps to ranges.
 *
 *	crew_fetch(c, blob, way, e)             its owner: 1 complete, 0 this way failed, -1 give up
 *	crew_help(c)                            an idle worker: until no owner is at work any more
 *
 * A part is 32 MiB: 50 ms until its first byte cost a connection of 100 MB/s a seventh of its time, which the others
 * use, and what the last worker has left when all others are done is small. The end of a build is thus no single slow connection.
 */
#pragma once

#include "fetch.h"

#include <airgap/bundle_write.h>

struct crew;
struct crew *crew_new(struct bundle_writer *w, struct fetcher *f, const struct lock *l);
void crew_free(struct crew *c);

int crew_fetch(struct crew *c, size_t blob, size_t way, struct err *e) MUST_CHECK;
void crew_help(struct crew *c);
/* A worker may take blobs from now on; it takes no more. Helpers stay as long as there is one that may. */
void crew_enter(struct crew *c);
void crew_leave(struct crew *c);
