/*
 * header - values of HTTP header fields, parsed by pure functions that never fail loudly.
 *
 * The text comes from servers: whatever does not parse is "not there" (false), and the caller decides
 * what that means. Fuzzed by tests/fuzz/fuzz_challenge.c.
 */
#pragma once

#include <airgap/strv.h>

#include <time.h>

/* WWW-Authenticate. Texts are owned; NULL where the server said nothing. */
enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };
struct challenge {
	enum challenge_scheme scheme;
	char *realm, *service, *scope, *error;
};
#define auto_challenge CLEANUP(challenge_release)
void challenge_release(struct challenge *c);
/* The one to answer out of all lines (each may hold several): Bearer with a realm, else Basic. */
bool challenge_pick(const struct strv *lines, struct challenge *out) MUST_CHECK;

/* Content-Range: "bytes 5-9/10", total UINT64_MAX for '*'; first <= last < total. */
bool content_range_parse(const char *s, uint64_t *first, uint64_t *last, uint64_t *total) MUST_CHECK;
/* The total of the answer to an unsatisfiable range, "bytes * /10" without the blank. */
bool content_range_total(const char *s, uint64_t *total) MUST_CHECK;
/* Range of an upload answer: "0-99" or "bytes=0-99" is 100; "0-0" is 1 although some servers mean none. */
bool upload_range_parse(const char *s, uint64_t *have) MUST_CHECK;

/* Link: the target of the first link with rel="next". */
char *link_next(const char *s) MUST_CHECK;      /* NULL = none */

/* Retry-After: seconds, or a date of any of the three HTTP forms counted from now (0 when it is past). */
bool retry_after_parse(const char *s, time_t now, uint64_t *seconds) MUST_CHECK;
bool http_date_parse(const char *s, time_t *out) MUST_CHECK;

/* ratelimit-remaining: "76;w=21600"; window 0 when it is not given. */
bool rate_limit_parse(const char *s, uint64_t *count, uint64_t *window) MUST_CHECK;

/* Content-Type without parameters, lower case. */
char *media_type_cut(const char *s) MUST_CHECK;
