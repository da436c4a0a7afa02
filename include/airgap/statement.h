/*
 * statement - what is signed about a bundle, and frame 0, which carries it (format §2): each in one spelling,
 * printed by the writer, scanned or made again by the verifier. No trust is decided here.
 *
 *	size_t n = statement_print(&s, body);
 *	struct record r = { .body = body, .body_len = n, .n = 1, .entries = { record_entry_of(&sig) } };
 *	record_print(&r, frame0, e)
 *
 * No heap, no parser: the statement is scanned with the template it is printed with, then printed back and
 * compared.
 */
#pragma once

#include <airgap/head.h>
#include <airgap/sign.h>

/* ---- the statement: what is signed ---- */

struct head_member { uint64_t size; struct digest digest; };

struct statement {
	char stream[SIGN_BODY_MAX], version[SIGN_BODY_MAX];
	uint64_t sequence;
	int64_t created, expires;       /* Unix seconds; expires POLICY_NEVER = empty */
	size_t n_audience;
	char audience[SIGN_BODY_MAX];   /* n_audience names, each NUL-ended */
	struct head_member member[HEAD_PARTS];
};

/* The body. 0: longer than SIGN_BODY_MAX, or a character the format does not allow. Not NUL-ended. */
size_t statement_print(const struct statement *s, char out[SIGN_BODY_MAX]) MUST_CHECK;
/* true: p[n] is exactly what statement_print makes of *out. */
bool statement_scan(const void *p, size_t n, struct statement *out) MUST_CHECK;
/* Adds a name to the audience; false: no room. */
bool statement_add_audience(struct statement *s, const char *name) MUST_CHECK;
bool statement_has_audience(const struct statement *s, const char *name);
/* The i-th name. */
const char *statement_audience(const struct statement *s, size_t i);
/* The bundle's id: sha256 over size (u64) and sha256 of the three members. */
struct digest statement_id(const struct statement *s);

/* ---- frame 0: the signature record and its Sigstore twin ---- */

#define RECORD_FRAME      FRAME0_BYTES  /* always */
#define RECORD_AT         524u          /* file offset of bundle.sig's content */
#define RECORD_SIZE       8192u
#define RECORD_ENTRY      36u           /* key id, algorithm, length; the signature follows */
#define RECORD_SIGNATURES 16u
#define SIGSTORE_SIZE     7168u

struct record_entry {
	struct digest key;
	uint16_t algorithm, len;
	const uint8_t *sig;             /* borrowed */
};

struct record {
	const uint8_t *body;            /* borrowed */
	size_t body_len, n;
	struct record_entry entries[RECORD_SIGNATURES];
};

/* Frame 0 from a record. -1: it does not fit (ERR_LIMIT), or an entry has no algorithm or no signature
 * (ERR_USAGE: signer_sign with an unknown key); frame is then meaningless. */
int record_print(const struct record *r, uint8_t frame[RECORD_FRAME], struct err *e) MUST_CHECK;
/* The record in frame 0; entries point into it. Looks at structure only: nothing here is trusted. */
int record_parse(const uint8_t frame[RECORD_FRAME], struct record *out, struct err *e) MUST_CHECK;
/* An entry that borrows s's bytes. */
struct record_entry record_entry_of(const struct signature *s);
