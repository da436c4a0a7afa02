/*
 * scalar - what an unquoted YAML scalar means, as Helm (go-yaml 2) has it.
 *
 * Words: y Y yes on true … are true, n no off false … false, nothing ~ null are null. Numbers: underscores are dropped;
 * 0x, 0o, 0b and a leading 0 (octal) are bases; what needs more than 64 bits and reads as a decimal is a real; what no
 * double can hold is no number. `.inf`, `.nan`, dates and base 60 are strings.
 */
#pragma once

#include <airgap/json.h>

/* A boolean, null, integer or real; NULL: it is just a string. Owned. */
json_t *scalar_resolve(const char *text);
