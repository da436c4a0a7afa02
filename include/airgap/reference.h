/*
 * reference - $(…) inside strings of the typed tree: parsed here, resolved by whoever knows the values.
 *
 *	$(secret:N/KEY) $(env:X) $(file:P) $(kube:NS/NAME/KEY) $(generate:hex:16|alnum:50|uuid|tls:PART:HOST,HOST)
 *	filters |base64 |json |bcrypt |public, applied left to right; $$( is a literal $(
 *
 * file: the content of P, beside the site file; where that is one line, without its line break.
 * tls: PART is crt, key or ca of one certificate for these hosts (certificate.h): the three belong together. bcrypt: the salt
 * is asked of fn as another generated value, so that the hash stays what it is. public: changes nothing; see struct reference.
 *
 * A string may hold several. Unknown kinds or filters, a missing `)`: ERR_MALFORMED with the path of the leaf.
 */
#pragma once

#include <airgap/json.h>

enum reference_kind { REFERENCE_SECRET, REFERENCE_ENV, REFERENCE_FILE, REFERENCE_KUBE, REFERENCE_GENERATE };

struct reference {
	enum reference_kind kind;
	char *body;             /* "N/KEY", "X", "hex:16" */
	bool is_public;         /* filter |public: its author says that it is no secret and may stand in the open */
};

/* Gives the value of one reference as text in out (a secret: wiped by the caller). path names the leaf. */
typedef int (*reference_fn)(void *ctx, const struct reference *r, const char *path, struct buf *out, struct err *e);

/* Replaces every reference in every string leaf of j, in place. */
int reference_resolve(json_t *j, reference_fn fn, void *ctx, struct err *e) MUST_CHECK;
/* One string; *out owned. */
int reference_text(const char *text, const char *path, reference_fn fn, void *ctx, char **out, struct err *e) MUST_CHECK;
/* A fn that gives placeholders of the right shape (build side, plan): never a real value. */
int reference_placeholder(void *ctx, const struct reference *r, const char *path, struct buf *out, struct err *e);
/* The bodies of all references in j ("secret:N/KEY"), each once, for step digests and checks. */
struct strv;
int reference_collect(const json_t *j, struct strv *out, struct err *e) MUST_CHECK;
/* Makes a generated value: hex:N (N bytes as 2 N digits), alnum:N, uuid. Not tls: its parts are made together. */
int reference_generate(const char *body, struct buf *out, struct err *e) MUST_CHECK;
/* "tls:PART:HOST,HOST" of a generated value: 1 and its part ("crt", "key", "ca") and hosts; 0 = it is another one; -1: ERR_MALFORMED. */
int reference_tls(const char *body, char **out_part, struct strv *out_hosts, struct err *e) MUST_CHECK;
