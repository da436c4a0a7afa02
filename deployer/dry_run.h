/*
 * dry_run - the API server's own verdict on rendered pods, before they are installed (design §4, Profiles).
 */
#pragma once

#include "session.h"

/* Pod templates as Pods in `ns`, for a server-side dry run. -1: one is refused, or could not be asked for. */
int dry_run_pods(struct session *s, const char *ns, const struct helm_objects *o, struct err *e) MUST_CHECK;
