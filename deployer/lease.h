/*
 * lease - one deployer at a time per cluster: a coordination.k8s.io Lease in airgap-system, renewed while held.
 *
 * ERR_LOCKED names the holder and since when. A holder of this very machine whose process is gone is followed at
 * once; any other one when its lease has run out and is seen not to be renewed for a while, so that clocks which
 * disagree do no harm. A run whose lease was taken over stops before its next step.
 */
#pragma once

#include "session.h"

struct lease;
int lease_take(struct session *s, struct lease **out, struct err *e) MUST_CHECK;
/* -1: ERR_LOCKED, somebody else has it by now. NULL is fine: nothing is written then. */
int lease_check(const struct lease *l, struct err *e) MUST_CHECK;
void lease_give(struct lease *l);       /* stops renewing and releases it, also when interrupted */
DEFINE_CLEANUP_PTR(cleanup_lease, struct lease, lease_give)
#define auto_lease CLEANUP(cleanup_lease)

/* For tests. Does the holder's name say a process of this boot and process namespace that is gone? */
bool lease_holder_is_dead(const char *holder);
/* A name as this process would hold it under. Owned. */
char *lease_holder_name(void) MUST_CHECK;
