/*
 * preflight - everything that is missing, found before the first write and told at once (law 5).
 */
#pragma once

#include "secrets.h"

/* 0: ready. -1: ERR_PREFLIGHT (or the one finding's own code where it is one alone); every finding in `out`,
 * "ID: subject: what is wrong: what to do". skip holds IDs to leave out. */
int preflight_run(struct session *s, const struct steps *steps, struct secrets *x, const struct strv *skip, struct strv *out,
		  struct err *e) MUST_CHECK;
