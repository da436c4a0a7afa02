/*
 * removal - undoing one step that the site does not say any more: one row of removals per kind.
 *
 * What a step of the site or of another bundle's install makes as well is not touched, nor is what belongs to a Helm release by now. Never deleted: a
 * namespace that still holds anything, a CRD that still has objects, a volume or a claim, a StatefulSet that takes its claims along.
 */
#pragma once

#include "engine.h"

struct removal {
	struct engine *engine;
	const struct steps *past;       /* all that leave, lent */
	struct steps others;    /* of other bundles in this cluster, as their journals have them */
	json_t *claims;         /* {"GROUP/KIND/NAMESPACE/NAME": the step that makes it} */
	struct strv *said;      /* what stays and why, a line each */
};

/* Collects the claims of the steps of the site and of other bundles. */
int removal_begin(struct removal *r, struct engine *g, const struct steps *past, struct strv *said, struct err *e) MUST_CHECK;
void removal_end(struct removal *r);
#define auto_removal CLEANUP(removal_end)

/* 1: nothing is left of the step, or what is left is not ours to remove. 0: something stays, said why. -1: it could not be removed. */
typedef int (*removal_fn)(struct removal *r, const struct step *s, struct err *e);
extern const removal_fn removals[STEP_KINDS];   /* NULL: there is nothing to undo */
/* The same answers, nothing is changed: 1 = it is gone already, by somebody's hand. */
int removal_is_gone(struct removal *r, const struct step *s, struct err *e) MUST_CHECK;

/* The step that makes this object, or the release it belongs to: owned text; NULL = nobody. live (may be NULL): as
 * it is; own (may be NULL): the release that does not count. */
char *removal_owner(const struct removal *r, const json_t *object, const json_t *live, const struct step_release *own) MUST_CHECK;

/* Why this object, as it is, must not be deleted, owned: "holds data"; NULL = it may go. ours: what goes with it. */
int removal_obstacle(struct removal *r, const json_t *live, const json_t *ours, char **why, struct err *e) MUST_CHECK;

int removal_release(struct removal *r, const struct step *s, struct err *e);
/* Each in its own file, with the rest of the step. */
int step_label_remove(struct removal *r, const struct step *s, struct err *e);
int step_call_remove(struct removal *r, const struct step *s, struct err *e);
