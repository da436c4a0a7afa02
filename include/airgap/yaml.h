/*
 * yaml - YAML text to json_t, through libyaml's events, with ceilings.
 *
 * Scalars as Helm reads them (YAML 1.1 and Go): y/yes/on are true, 0o17, 017, 0x1f and 1_000 are integers, ~ and nothing
 * are null, dates are strings. An integer beyond 64 bits becomes a real (Helm's too), a number no double can hold and
 * .inf and .nan stay strings. A key that is an integer or boolean becomes its text (`0x10` "16", `on` "true"; a real
 * keeps its spelling), an empty key is refused. No tags but the core ones, no NUL in strings.
 *
 * Strict (aliases = false, what a user writes for us): anchors, aliases, merge keys and duplicate keys are refused.
 * As Helm (aliases = true, charts' files and output): aliases are expanded, counted as copied; `<<` merges; the last
 * of duplicate keys wins.
 *
 * Named ydoc_, since yaml_ is libyaml's.
 */
#pragma once

#include <airgap/json.h>

struct ydoc_limits {
	size_t bytes;           /* of the text */
	size_t depth;           /* 0 = 64 */
	size_t nodes;           /* a key or scalar counts 1, a container 4, with aliases expanded */
	size_t documents;       /* of ydoc_parse_all, empty ones too */
	bool aliases;           /* read as Helm does */
	bool raw_scalars;       /* every scalar stays a string (repository indexes: "1.10" is not 1.1) */
};
extern const struct ydoc_limits ydoc_user;      /* 1 MiB, depth 32, 200,000 nodes, 1 document, strict: manifests, sites, policies */
extern const struct ydoc_limits ydoc_rendered;  /* 64 MiB, depth 64, 700,000 nodes, 10,000 documents, as Helm: its output, charts' files */
extern const struct ydoc_limits ydoc_index;     /* 256 MiB, depth 32, 700,000 nodes kept, raw scalars, strict: repository indexes */

/* Where keys stood, so that an error can name a line: looked up by the container and key (or array index, key NULL);
 * container NULL is the document itself. Holds while the document lives and is not changed. */
struct ydoc_marks;
unsigned ydoc_line(const struct ydoc_marks *m, const json_t *container, const char *key, size_t index); /* 0 = unknown */
/* "FILE:LINE" of it; the subject alone when it is not known ("" for NULL). Owned. */
char *ydoc_where(const struct ydoc_marks *m, const json_t *container, const char *key, size_t index,
		 const char *subject) MUST_CHECK;
/* The subject of the document it stands in; NULL = unknown. */
const char *ydoc_file(const struct ydoc_marks *m, const json_t *container, const char *key, size_t index);
/* Documents that become one: the marks of another added to these, and what is moved to another place keeps its own. All
 * documents must live as long as the marks, also what is no longer part of the result. */
void ydoc_marks_take(struct ydoc_marks *m, struct ydoc_marks **more);
void ydoc_mark_copy(struct ydoc_marks *m, const json_t *to, const char *to_key, size_t to_index, const json_t *from,
		    const char *from_key, size_t from_index);
void ydoc_marks_free(struct ydoc_marks *m);
static inline void cleanup_ydoc_marks(struct ydoc_marks **m) { ydoc_marks_free(*m); }
#define auto_ydoc_marks CLEANUP(cleanup_ydoc_marks)

/* One document and any empty ones (json null when there is none); marks may be NULL, *marks is set on success only.
 * Errors: `subject:LINE: what is wrong`, ERR_MALFORMED or ERR_LIMIT. */
json_t *ydoc_parse(const void *p, size_t n, const struct ydoc_limits *l, const char *subject,
		   struct ydoc_marks **marks, struct err *e) MUST_CHECK;
/* All documents as one array (empty documents left out). */
json_t *ydoc_parse_all(const void *p, size_t n, const struct ydoc_limits *l, const char *subject, struct err *e) MUST_CHECK;
/* Only what stands under a path of keys ({ "entries", "web", NULL }); everything else is read past and neither kept nor
 * counted as nodes. Json null when there is nothing. For indexes far larger than what is wanted of them. */
json_t *ydoc_parse_at(const void *p, size_t n, const struct ydoc_limits *l, const char *subject,
		      const char *const *path, struct err *e) MUST_CHECK;

/* YAML output is JSON: it is YAML too. Use jdoc_dump_pretty. */
