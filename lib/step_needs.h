/*
 * step_needs - which step waits for which: stated by name, inferred from what a step touches.
 * The second half of steps_parse.
 */
#pragma once

#include <airgap/steps.h>

/* Fills needs of every step. Unknown names and cycles: ERR_MALFORMED. */
int step_needs_find(struct steps *all, struct err *e) MUST_CHECK;
