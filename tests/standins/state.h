/* state - what the stand-in's API keeps: one document, held by another `server store`, read and written whole. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#define BODY_MAX (1u << 20)     /* of a document, and of a call */

/* Where the store is; the texts stay the caller's. */
void state_at(const char *store_host, const char *store_port);
/* One exchange; the answer's body, to be freed; NULL: no store. */
char *state_ask(const char *method, const char *body);
/* The document, to be released; an empty one at first; NULL: no store. */
json_t *state_load(void);
bool state_save(json_t *state);
