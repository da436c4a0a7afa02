/*
 * run - one command of a Run or Probe step, in a pod, on this machine or in a container that is there already.
 *
 *	struct run_at at = { .engine = g, .step = s, .run = &s->run, .ns = s->run.ns };
 *	CLEANUP(run_said_release) struct run_said said = RUN_SAID;
 *	if (run_command(&at, &s->run.command, &said, e) < 0) ...       // it could not be run
 *	if (said.status != 0) return run_failed(&at, &said, e);
 */
#pragma once

#include "engine.h"

struct run_at {
	struct engine *engine;
	const struct step *step;
	const struct step_run *run;
	const char *ns;                 /* of the pod */
	const char *pull_secret;        /* for the pod; NULL = none */
	const char *pod;                /* where: exec: this one */
	const char *name, *node;        /* where: pod: the Job is named after this, NULL = the step; on this node, NULL = wherever */
	bool looking;                   /* generates nothing: ERR_PREFLIGHT when something in env is not known yet */
};

struct run_said { int status; struct buf text; };
#define RUN_SAID { 0, BUF_INIT(16u << 20) }
void run_said_release(struct run_said *r);

/* 0: it ran and ended with said->status; what it said, both outputs, in said->text. */
int run_command(const struct run_at *at, const struct strv *command, struct run_said *said, struct err *e) MUST_CHECK;
int run_pod(const struct run_at *at, const struct strv *command, struct run_said *said, struct err *e) MUST_CHECK;
int run_host(const struct run_at *at, const struct strv *command, struct run_said *said, struct err *e) MUST_CHECK;
/* The last line it said, without control characters and secrets; "" when it said nothing. Owned. */
char *run_last_words(const struct run_at *at, const struct run_said *said) MUST_CHECK;
/* -1: an error with its last words; the lines before them go to the log. */
int run_failed(const struct run_at *at, const struct run_said *said, struct err *e);
/* {NAME: text} of its env, references resolved. NULL: -1. */
json_t *run_env(const struct run_at *at, struct err *e) MUST_CHECK;
unsigned run_seconds(const struct step_run *r);

/* Nothing of these runs any more; what they had stands in an annotation. What is not there is left out. */
int scale_down(struct engine *g, const struct step_run *r, struct err *e) MUST_CHECK;
/* As they were; waits until they are ready. Those that were not scaled down are left alone, and, when all went well, those
 * that are to stay down. */
int scale_up(struct engine *g, const struct step_run *r, bool well, struct err *e) MUST_CHECK;
/* One of them is still scaled down by a run that ended too early: 1, 0, -1. */
int scale_is_down(struct engine *g, const struct step_run *r, struct err *e) MUST_CHECK;

/* The run's podSecurity, where the namespace has a higher level; one run at a time: each lower wants its restore, whatever
 * came of it. */
int level_lower(struct engine *g, const struct step_run *r, struct err *e) MUST_CHECK;
int level_restore(struct engine *g, const struct step_run *r, struct err *e) MUST_CHECK;
