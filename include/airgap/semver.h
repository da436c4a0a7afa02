/*
 * semver - versions and constraints as Helm has them (Masterminds semver 3).
 *
 *	size_t best;
 *	int found = semver_best("^1.2", versions.items, versions.n, 0, &best, e);   // 1, 0 or -1
 *
 * Versions are read loosely: optional `v`, missing minor and patch are 0; strictly (registry tags): three parts,
 * no `v`. Constraints: `||` or; space or comma and; = != > < >= => <= =< ~ ~> ^; `1.2 - 1.4.5`; wildcards x X *.
 * Empty is `*`. Pre-releases match only where a comparator of the same and-group carries one; `>0.0.0-0` is --devel.
 * Build metadata never decides. Texts over 256 characters are not versions; constraints have at most 512 and 32 or-groups.
 */
#pragma once

#include <airgap/err.h>

#define SEMVER_MAX 256

struct semver {                 /* borrows from the text it was parsed from */
	uint64_t major, minor, patch;
	const char *pre;        /* behind the '-'; pre_len 0 = none */
	size_t pre_len;
	const char *build;      /* behind the '+' */
	size_t build_len;
};

enum { SEMVER_STRICT = 1, SEMVER_TAGS = 2 /* semver_best: `_` of a tag stands for `+`, strict versions only */ };

/* false: not a version; out is unchanged. */
bool semver_parse(const char *text, int flags, struct semver *out) MUST_CHECK;
int semver_cmp(const struct semver *a, const struct semver *b); /* <0, 0, >0 by precedence */

/* Is the text a constraint at all? ERR_MALFORMED names it. */
int semver_check(const char *constraint, struct err *e) MUST_CHECK;
/* 1: the version satisfies it. 0: no (also when it is no version). -1: the constraint is malformed. */
int semver_matches(const char *constraint, const char *version, struct err *e) MUST_CHECK;

/* Helm's choice: the entry that equals the text exactly, else the highest that satisfies it. Entries that are no
 * versions are passed over; of equal ones the first is taken. 1: *out is its index. 0: none. -1: malformed constraint. */
int semver_best(const char *constraint, char *const *versions, size_t n, int flags, size_t *out, struct err *e) MUST_CHECK;
