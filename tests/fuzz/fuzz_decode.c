/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table with every kind of field: what decodes encodes, and that decodes to the same.
 */
#include <airgap/decode.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct inner { char *name, *text; struct strv list; };
static const struct field inner_fields[] = {
	F_STR(struct inner, text, "text", F_ALIAS_SCALAR),
	F_STRV(struct inner, list, "list", F_ALIAS_SCALAR),
	{ 0 }
};
static const struct type inner_type = TYPE(struct inner, inner_fields);
static const struct type keyed_type = TYPE_KEYED(struct inner, inner_fields, name);
static const char *const words[] = { "one", "two", NULL };

struct outer {
	char *name;
	bool flag;
	uint64_t number;
	int word;
	struct strv list;
	struct inner inner, *items, *map;
	size_t n_items, n_map;
	struct digest digest;
	json_t *any;
};
static const struct field outer_fields[] = {
	F_STR(struct outer, name, "name", F_REQUIRED),
	F_BOOL(struct outer, flag, "flag", 0),
	F_U64(struct outer, number, "number", 0),
	F_ENUM(struct outer, word, "word", words, 0),
	F_STRV(struct outer, list, "list", 0),
	F_OBJ(struct outer, inner, "inner", inner_type, 0),
	F_LIST(struct outer, items, n_items, "items", inner_type, 0),
	F_MAP(struct outer, map, n_map, "map", keyed_type, 0),
	F_DIGEST(struct outer, digest, "digest", 0),
	F_JSON(struct outer, any, "any", 0),
	{ 0 }
};
static const struct type outer_type = TYPE(struct outer, outer_fields);

static json_t *decode_encode(const json_t *j, const struct ydoc_marks *marks)
{
	struct outer o;
	struct err e = { 0 };

	if (decode(&outer_type, j, marks, "fuzz", &o, &e) < 0)
		return NULL;

	json_t *out = encode(&outer_type, &o);

	decode_free(&outer_type, &o);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_ydoc_marks struct ydoc_marks *marks = NULL;
	struct err e = { 0 };
	auto_json json_t *j = ydoc_parse(p, n, &ydoc_user, "fuzz", &marks, &e);

	if (!j)
		return 0;

	auto_json json_t *once = decode_encode(j, marks);

	if (!once)
		return 0;

	auto_json json_t *twice = decode_encode(once, NULL);

	if (!twice || !json_equal(once, twice))
		abort();
	return 0;
}
