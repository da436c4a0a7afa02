/*
 * path - a place in a JSON document as `kubectl wait` writes it:
 *
 *	.status.phase   {.status.conditions[?(@.type=="Ready")].status}   .spec.list[0].a\.b   data.id
 *
 * A leading dot and the braces may be left out; an empty path is the document.
 */
#pragma once

#include <airgap/json.h>

/* Borrowed; NULL = nothing there. */
const json_t *path_value(const json_t *o, const char *path);
/* "PATH=TEXT": the value there, as text, is TEXT. "PATH": there is one. */
bool path_holds(const json_t *o, const char *condition);
/* A string as it is, all else as compact JSON. Owned. */
char *path_text(const json_t *value) MUST_CHECK;
