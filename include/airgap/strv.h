/*
 * strv - a vector of owned strings that always ends in NULL, so that v.items is an argv.
 *
 *	auto_strv struct strv a = { 0 };
 *	strv_push(&a, "helm");
 *	strv_pushf(&a, "--timeout=%us", seconds);
 */
#pragma once

#include <airgap/base.h>

struct strv {
	char **items;           /* NULL while empty */
	size_t n;
};

#define auto_strv CLEANUP(strv_release)

void strv_release(struct strv *v);
void strv_push(struct strv *v, const char *s);          /* copies */
void strv_push_take(struct strv *v, char *s);
void strv_pushf(struct strv *v, const char *fmt, ...) PRINTF(2, 3);
void strv_split(struct strv *v, const char *s, char separator);     /* empty pieces are left out */
void strv_sort(struct strv *v);                         /* bytewise */
void strv_uniq(struct strv *v);                         /* of a sorted one */
bool strv_has(const struct strv *v, const char *s);
char *strv_join(const struct strv *v, const char *separator) MUST_CHECK;
/* The entry nearest to s in edits (at most 3 and at most half of s), or NULL: "did you mean". */
const char *strv_nearest(const char *const *items, const char *s);
