/*
 * live - objects as they should be against objects as they are.
 */
#pragma once

#include "session.h"

/* Do these objects exist as described? Asks the API server for a dry run of applying them and compares with what is
 * there; what the server itself manages (resourceVersion, managedFields, status) is left out.
 * LIVE_ABSENT: none of them is there. diff (may be NULL): a line for each difference, Secrets' values masked. */
enum live_state { LIVE_ABSENT, LIVE_DIFFERENT, LIVE_SAME };
int live_compare(struct session *s, const json_t *objects, enum live_state *out, struct strv *diff, struct err *e) MUST_CHECK;

/* Sets namespace on objects that have none and are not known to be of the whole cluster. */
void live_set_namespace(json_t *objects, const char *ns);

enum live_ready { LIVE_WAITING, LIVE_READY, LIVE_FAILED };
/* Ready rules as in standards §8.8 (kstatus). why (may be NULL): owned text for people. */
enum live_ready live_is_ready(const json_t *object, char **why);
