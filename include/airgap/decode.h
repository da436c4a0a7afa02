/*
 * decode - json_t into structs and back by one table of fields: a field cannot be parsed and not freed.
 *
 *	static const struct field chart_fields[] = {
 *		F_STR (struct chart, name,   "name",   F_REQUIRED),
 *		F_LIST(struct chart, values, n_values, "values", value_type, 0),
 *		{ 0 }
 *	};
 *	static const struct type chart_type = TYPE(struct chart, chart_fields);
 *
 * Unknown keys, wrong types and missing keys are ERR_MALFORMED with a path and, when marks are given, a line:
 *	bundle.yaml:7: charts[1]: unknown key 'verison': did you mean 'version'?
 * `key:` with nothing behind it (null) counts as absent. The first error in the order of the text is reported.
 * A type with TYPE_OPEN takes unknown keys silently (foreign documents).
 */
#pragma once

#include <airgap/digest.h>
#include <airgap/strv.h>
#include <airgap/yaml.h>

enum field_kind {
	FIELD_END, FIELD_STR, FIELD_BOOL, FIELD_U64, FIELD_ENUM, FIELD_STRV, FIELD_OBJ, FIELD_LIST, FIELD_MAP,
	FIELD_JSON, FIELD_DIGEST,
};
/* F_ALIAS_SCALAR: for a strv one string is a list of one; for both a whole number or boolean is taken as its text (a real
 * never is: 1.10 has become 1.1 by then). */
enum { F_REQUIRED = 1, F_ALIAS_SCALAR = 2 };
enum { TYPE_OPEN = 1 };

struct type;
struct field {
	enum field_kind kind;
	const char *key;
	size_t offset, offset_n;        /* of the member; of its count for lists and maps */
	int flags;
	const struct type *type;        /* OBJ (embedded struct), LIST, MAP (array of structs) */
	const char *const *names;       /* ENUM: NULL-ended; value = index */
};
struct type {
	size_t size;
	const struct field *fields;
	int flags;
	size_t offset_key;              /* MAP: char * member that takes the key; SIZE_MAX = none */
};

#define TYPE(t, f)              { sizeof(t), f, 0, SIZE_MAX }
#define TYPE_FLAGS(t, f, flags) { sizeof(t), f, flags, SIZE_MAX }
#define TYPE_KEYED(t, f, key)   { sizeof(t), f, 0, offsetof(t, key) }

#define F_STR(t, m, k, fl)      { FIELD_STR,  k, offsetof(t, m), 0, fl, NULL, NULL }            /* char * */
#define F_BOOL(t, m, k, fl)     { FIELD_BOOL, k, offsetof(t, m), 0, fl, NULL, NULL }            /* bool */
#define F_U64(t, m, k, fl)      { FIELD_U64,  k, offsetof(t, m), 0, fl, NULL, NULL }            /* uint64_t */
#define F_ENUM(t, m, k, n, fl)  { FIELD_ENUM, k, offsetof(t, m), 0, fl, NULL, n }               /* int */
#define F_STRV(t, m, k, fl)     { FIELD_STRV, k, offsetof(t, m), 0, fl, NULL, NULL }            /* struct strv */
#define F_OBJ(t, m, k, ty, fl)  { FIELD_OBJ,  k, offsetof(t, m), 0, fl, &(ty), NULL }           /* struct, embedded */
#define F_LIST(t, m, n, k, ty, fl) { FIELD_LIST, k, offsetof(t, m), offsetof(t, n), fl, &(ty), NULL } /* struct *, size_t */
#define F_MAP(t, m, n, k, ty, fl)  { FIELD_MAP,  k, offsetof(t, m), offsetof(t, n), fl, &(ty), NULL } /* keyed struct *, size_t; in key order of the text */
#define F_DIGEST(t, m, k, fl)   { FIELD_DIGEST, k, offsetof(t, m), 0, fl, NULL, NULL }          /* struct digest, text "sha256:…"; absent = all zero */
#define F_JSON(t, m, k, fl)     { FIELD_JSON, k, offsetof(t, m), 0, fl, NULL, NULL }            /* json_t *, owned */

/* out is zeroed first. -1: out is released and zeroed. subject = file name for messages. */
int decode(const struct type *t, const json_t *j, const struct ydoc_marks *m, const char *subject, void *out, struct err *e) MUST_CHECK;
void decode_free(const struct type *t, void *p);        /* content only; zeroed afterwards */
/* NULL, false, 0, empty lists and structs with nothing in them are left out, unless the field is F_REQUIRED. */
json_t *encode(const struct type *t, const void *p) MUST_CHECK;
