/*
 * quota - where pulls are counted (Docker Hub): what is left, next to what a lock will need, before it is needed.
 */
#pragma once

#include "resolve_run.h"

/* Asks by HEAD, which is not counted, for every wanted image of such a registry, and says one line for each registry.
 * 0 always but when interrupted: whether an image is there is found out later. */
int quota_survey(struct run *r, struct err *e) MUST_CHECK;

/* "wait" or "stop" as --quota takes it; NULL = wait. */
int quota_choice(const char *text, bool *stop, struct err *e) MUST_CHECK;
