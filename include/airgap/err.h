/*
 * err - the one error type: a code for programs, a message for people.
 *
 * Owned by the caller, fixed in size, never allocates. Every fallible function
 * takes it last and returns 0 or -1 (a constructor: the object or NULL), so
 * raising an error is one expression:
 *
 *	if (fd < 0)
 *		return err_sys(e, "cannot open '%s'", path);
 *	if (chart_load(path, &c, e) < 0)
 *		return err_wrap(e, "chart '%s'", name);
 *
 * A message reads `subject: what is wrong: what to do`, lower case, no full stop.
 * The code is the exit status of both programs (docs/: EXIT STATUS). A message
 * that grows past the room loses its middle, never its beginning.
 * No secret ever goes into a message: cut queries off URLs, name the file or the
 * variable a token came from.
 */
#pragma once

#include <airgap/base.h>

enum err_code {
	ERR_NONE = 0,
	ERR_USAGE = 2,          /* the command line, or what the user wrote asks for the impossible */
	ERR_UNSIGNED = 10,      /* no signature */
	ERR_SIGNATURE = 11,     /* bad signature */
	ERR_UNTRUSTED = 12,     /* key not trusted, expired or revoked */
	ERR_POLICY = 13,        /* rollback, expired, other audience */
	ERR_DIGEST = 14,        /* content does not match its hash */
	ERR_TRUNCATED = 15,     /* cut, or a part is missing */
	ERR_LIMIT = 16,         /* a ceiling was passed */
	ERR_UNSAFE = 17,        /* unsafe name or type */
	ERR_MALFORMED = 18,
	ERR_UNSUPPORTED = 19,   /* format version or encoding we do not know */
	ERR_NETWORK = 20,       /* no answer, or not there */
	ERR_AUTH = 21,
	ERR_TLS = 22,
	ERR_RATE = 23,
	ERR_PROTOCOL = 24,      /* the server broke the protocol */
	ERR_REDIRECT = 25,
	ERR_DEADLINE = 26,
	ERR_SPACE = 30,
	ERR_IO = 31,
	ERR_LOCKED = 32,        /* by another run */
	ERR_CLUSTER = 40,       /* unreachable */
	ERR_CONFLICT = 41,      /* release or object belongs to somebody else */
	ERR_NOT_READY = 42,     /* in time */
	ERR_REGISTRY = 43,      /* the site registry refused */
	ERR_PREFLIGHT = 44,
	ERR_PROOF = 45,         /* profile or image proof failed */
	ERR_DRIFT = 46,
	ERR_ROLLED_BACK = 47,
	ERR_BUG = 70,
};

struct err {
	enum err_code code;
	int sys;                /* errno, where there was one */
	char msg[1024];
};

/* All three return -1. err_set replaces what was there. err_sys appends
 * ": " strerror(errno) and picks ERR_SPACE for ENOSPC, EDQUOT and EFBIG, else ERR_IO. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF(3, 4);
int err_sys(struct err *e, const char *fmt, ...) PRINTF(2, 3);
int err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3); /* "outer: " before what is there */

void err_clear(struct err *e);

/* The name of a code in one or two words, for tables and JSON ("bad signature"). */
const char *err_code_name(enum err_code code);
