/*
 * plan - what a build will fetch and from where, known from the lock before its first byte.
 */
#pragma once

#include <airgap/lock.h>

/* For people, on stderr: a line for each host, one for the disk, one for the time it may take at the rate of the last
 * build from this machine. dir: the folder the bundle is written to. */
int plan_tell(const struct lock *l, const char *dir, struct err *e) MUST_CHECK;
/* The same on stdout, as text or JSON: all that --dry-run does. need: an upper bound of the bundle's bytes. */
int plan_print(const struct lock *l, const char *dir, uint64_t need, bool json, struct err *e) MUST_CHECK;

/* Bytes that come from servers. */
int plan_remote(const struct lock *l, uint64_t *out, struct err *e) MUST_CHECK;
/* Keeps how fast they came, in the cache, for the next build to tell; small ones say nothing. */
void plan_learn(uint64_t bytes, uint64_t milliseconds);
