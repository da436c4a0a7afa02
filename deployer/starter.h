/*
 * starter - a site file to begin with, made from a site chart's values.yaml and values.schema.json alone.
 *
 * Keys that the schema marks with "x-ask": "QUESTION" are asked for, in the schema's order; all others follow as
 * comments with their defaults, as values.yaml has them. So a stack decides what its users are asked, and no program
 * knows any of it.
 *
 *	auto_starter struct starter s = { 0 };
 *	if (starter_open(&s, schema, values, e) < 0 ||
 *	    starter_set(&s, "registry.host=reg.site:5000", e) < 0) ...
 *	starter_write(&s, &text);               // with room for STARTER_MAX
 */
#pragma once

#include <airgap/json.h>
#include <airgap/strv.h>

#define STARTER_MAX (16u << 20)

struct starter_key {
	char *path;             /* "registry.host" */
	const char *question;   /* borrowed from the schema; NULL: set by hand, not asked */
	const json_t *schema;   /* of this key; borrowed */
	json_t *value;          /* NULL = not answered */
};

struct starter {
	json_t *schema;
	char *values;           /* text of values.yaml */
	struct starter_key *keys; size_t n;     /* asked ones, in the schema's order */
};
#define auto_starter CLEANUP(starter_release)
void starter_release(struct starter *s);

int starter_open(struct starter *s, const char *schema, size_t n, const char *values, struct err *e) MUST_CHECK;
/* "KEY=VALUE", a key of the schema: ERR_USAGE names the nearest one, or what the schema allows. Lists are separated by commas. */
int starter_set(struct starter *s, const char *assignment, struct err *e) MUST_CHECK;
/* The same for a key that is asked for; an empty answer leaves it out. */
int starter_answer(struct starter_key *k, const char *answer, struct err *e) MUST_CHECK;
/* The file: what was answered, what was not and must be as `KEY: ""` with a remark, the rest as comments. Appended. */
void starter_write(const struct starter *s, struct buf *out);
