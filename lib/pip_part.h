/*
 * pip_part - what the halves of pip share. Private to lib/pip*.c.
 */
#pragma once

#include <airgap/pip.h>

/* The error that belongs to what pip said last. -1. *out_missing: as of pip_resolve. */
int pip_explain(const char *tail, int status, const struct pip_target *t, char **out_missing, struct err *e);
