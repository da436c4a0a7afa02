/*
 * leaving - steps that an earlier install began and the site does not say any more: which they are, in what order they go,
 * why one of them stays, and what a person would write to remove it (design §4). Nothing is asked of the cluster here.
 *
 *	auto_leaving struct leaving l = { 0 };
 *	leaving_find(journal, &steps, &l);
 *	for (size_t i = 0; i < l.steps.n; i++) ... l.rows[i] ...
 */
#pragma once

#include "journal.h"

#include <airgap/steps.h>

struct leaving_row {
	const struct step *step;        /* as it was kept; its doc is NULL when it is not known what it made */
	char *stays;                    /* why --prune leaves it: "protected", "Release/db needs it, and stays"; NULL = it goes */
	bool held;                      /* only because of the one that needs it */
	char *command;                  /* NULL = there is none to give */
};

struct leaving {
	struct steps steps;             /* needs are indices into it */
	struct leaving_row *rows;       /* one per step, in the order in which they go: before what they need */
	size_t told;                    /* steps that made something. Of the others nobody is told: --prune forgets them */
};
#define auto_leaving CLEANUP(leaving_release)

/* What the journal has of steps that are not among `now`. Protected ones stay, and so does what those need. */
void leaving_find(const struct journal *j, const struct steps *now, struct leaving *out);
/* Rows for out->steps, which is given. */
void leaving_order(struct leaving *out);
void leaving_release(struct leaving *l);

/* What a Namespace, Secret or Apply step made, each as {apiVersion, kind, metadata: {name, namespace}}; else empty. */
json_t *leaving_objects(const struct step *s) MUST_CHECK;
/* "deployment.apps", as kubectl takes it. */
char *leaving_kind(const json_t *object) MUST_CHECK;
/* "kubectl delete deployment.apps/web --namespace shop", as a shell takes it. */
char *leaving_delete(const json_t *object) MUST_CHECK;
/* What it made, a line each, for people. */
void leaving_made(const struct step *s, struct strv *out);
