/*
 * json - JSON text to and from json_t, with ceilings; duplicate keys refused.
 *
 * Functions are named jdoc_, since json_ is jansson's. Depth is at most 64, and the nodes
 * together at most 12 times `max`, judged before any is made. Errors name subject, line and column. Owned json_t: auto_json.
 */
#pragma once

#include <airgap/buf.h>

#include <jansson.h>

void cleanup_json(json_t **j);
#define auto_json CLEANUP(cleanup_json)

/* The document in p (any JSON value). ERR_MALFORMED, ERR_LIMIT (size over max, too deep). NULL on failure. */
json_t *jdoc_parse(const void *p, size_t n, size_t max, const char *subject, struct err *e) MUST_CHECK;

/* Canonical: sorted keys, compact, no newline. Pretty: sorted keys, two spaces, a final newline. */
int jdoc_dump(const json_t *j, struct buf *out, struct err *e) MUST_CHECK;
int jdoc_dump_pretty(const json_t *j, struct buf *out, struct err *e) MUST_CHECK;

/* NULL-safe look-ups along keys: jdoc_at(j, "spec", "template", NULL); jdoc_text gives NULL unless a string. */
json_t *jdoc_at(const json_t *j, ...) __attribute__((sentinel));
const char *jdoc_text(const json_t *j, ...) __attribute__((sentinel));

/* Walks every string leaf with its path ("spec.containers[0].image"); fn returning -1 ends the walk. */
typedef int (*jdoc_leaf_fn)(void *ctx, const char *path, const char *key, json_t *leaf, struct err *e);
int jdoc_strings(json_t *j, jdoc_leaf_fn fn, void *ctx, struct err *e) MUST_CHECK;

/* Helm's merge of values files: maps merge key by key, everything else in `over` replaces. So does null, and it stays:
 * it is helm that then deletes the chart's default of that key (a null dropped here would bring it back). into is changed. */
void jdoc_merge(json_t *into, const json_t *over);
