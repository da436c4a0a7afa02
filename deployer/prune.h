/*
 * prune - removes the steps that leave, one after the other, each journalled (`removed`): a run that is killed in between goes
 * on where it stopped.
 */
#pragma once

#include "engine.h"
#include "leaving.h"

struct pruned {
	size_t removed;
	struct strv said;       /* what stays of them and why, with the command that removes it */
};
#define auto_pruned CLEANUP(pruned_release)
void pruned_release(struct pruned *p);

/* After engine_run, under the lease. Of those that stay, what is gone by somebody's hand is forgotten. -1: the first failure;
 * what the step needs was left, the others were removed, and other failures were logged. */
int prune(struct engine *g, const struct leaving *l, struct pruned *out, struct err *e) MUST_CHECK;
