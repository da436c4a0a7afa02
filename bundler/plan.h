/*
 * plan - what a build will fetch and from where, known from the lock before its first byte.
 */
#pragma once

#include <airgap/lock.h>

/* For people, on stderr: a line for each host, one for the disk. dir: the folder the bundle is written to. */
int plan_tell(const struct lock *l, const char *dir, struct err *e) MUST_CHECK;
/* The same on stdout, as text or JSON: all that --dry-run does. need: an upper bound of the bundle's bytes. */
int plan_print(const struct lock *l, const char *dir, uint64_t need, bool json, struct err *e) MUST_CHECK;
