/*
 * steps_part - the two halves of a step's reading: its shape (steps_blocks.c) and its meaning (steps_check.c).
 */
#pragma once

#include <airgap/steps.h>

extern const struct type step_types[STEP_KINDS];

/* One document, without its needs. -1: what is in out already is released as any other step. */
int step_parse(const struct helm_object *o, struct step *out, struct err *e) MUST_CHECK;
/* Kubernetes and helm names: a leading '-' would be an option, a '/' a path. */
bool step_name_ok(const char *s, size_t max);
/* The block makes sense. -1: ERR_MALFORMED, "KEY: what is wrong: what to do". */
int step_check(const struct step *s, struct err *e) MUST_CHECK;
int step_check_call(const struct step_call *c, struct err *e) MUST_CHECK;
int step_check_run(const char *name, const struct step_run *r, struct err *e) MUST_CHECK;
int step_check_probe(const struct step *s, struct err *e) MUST_CHECK;
