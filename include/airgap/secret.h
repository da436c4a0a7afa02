/*
 * secret - text that is wiped after use and never printed; where it comes from is named instead.
 *
 * A reference is what a user writes: `env:X` a variable, `file:P` the first line of a regular file that
 * others cannot read, `prompt` asked once on the terminal; `$(env:X)`, as in a site file, is the same. Anything
 * else is refused: a secret in the open does not belong into a manifest.
 */
#pragma once

#include <airgap/err.h>

struct secret { char *text; };          /* NULL = none */

#define auto_secret CLEANUP(secret_release)
void secret_release(struct secret *s);  /* wipes, frees; empty afterwards */
void secret_set(struct secret *s, const char *text);    /* copies; what was there is wiped */
void secret_set_take(struct secret *s, char *text);
void secret_setf(struct secret *s, const char *fmt, ...) PRINTF(2, 3);

/* base: the folder `file:` is relative to (NULL = here). subject: what the secret is for, in messages and the
 * prompt. ERR_USAGE: bad reference, variable not set, no terminal; ERR_AUTH: file readable by others or empty. */
int secret_resolve(const char *ref, const char *base, const char *subject, struct secret *out, struct err *e) MUST_CHECK;
