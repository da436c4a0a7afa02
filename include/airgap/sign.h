/*
 * sign - keys, signatures over DSSE's PAE, and the plain struct that says whom to trust.
 *
 *	struct signer s = { 0 };                        // auto_signer
 *	if (signer_load(&s, "release.key", &pass, e) < 0 ||
 *	    signer_sign(&s, body, n, &sig, e) < 0) ...
 *
 *	int good = sign_check(&key, body, n, sig, sig_len, e);    // 1 good, 0 bad, -1 could not tell
 *
 * Keys: ECDSA on P-256 and P-384 (SHA-256, DER signatures), Ed25519 (64 bytes). The algorithm is the
 * key's, never the signature's. A key's id is the sha256 of its SPKI in DER. What is signed is always
 * "DSSEv1 28 application/vnd.in-toto+json <length> <body>".
 * Private keys are PKCS#8 PEM in a file of mode 0600 or stricter; passphrases come from a file or a
 * callback, never from argv or the environment. A file name like /dev/fd/3 is a descriptor.
 */
#pragma once

#include <airgap/buf.h>
#include <airgap/digest.h>
#include <airgap/strv.h>

enum sign_algorithm { SIGN_P256 = 1, SIGN_P384 = 2, SIGN_ED25519 = 3 };

#define SIGNATURE_MAX 128               /* the longest we make or check is 104 bytes (P-384) */
#define SIGN_NAME_MAX 256
#define SIGN_BODY_MAX 4096              /* the longest body (format §2) */
#define SIGN_PAE_MAX  (SIGN_BODY_MAX + 64)

/* "p256", "p384", "ed25519"; 0 when it is none of them. */
enum sign_algorithm sign_algorithm_parse(const char *text);
const char *sign_algorithm_name(enum sign_algorithm a); /* "ECDSA P-256", ... "unknown" */

/* ---- public keys ---- */

struct sign_key {
	struct digest id;
	enum sign_algorithm algorithm;
	char name[SIGN_NAME_MAX];       /* the file's name without .pub: for people only */
	void *pkey;                     /* EVP_PKEY; owned */
};

void sign_key_release(struct sign_key *k);
#define auto_sign_key CLEANUP(sign_key_release)

/* -1: not a public key (ERR_MALFORMED), of a kind we do not take (ERR_UNSUPPORTED), unreadable. */
int sign_key_load(struct sign_key *out, const char *path, struct err *e) MUST_CHECK;
int sign_key_parse(struct sign_key *out, const void *pem, size_t n, const char *name, struct err *e) MUST_CHECK;
/* A second owner of the same key. */
void sign_key_copy(struct sign_key *out, const struct sign_key *k);

/* ---- PAE and checking ---- */

/* The bytes that are signed; n <= SIGN_BODY_MAX. Returns their length. */
size_t sign_pae(uint8_t out[SIGN_PAE_MAX], const void *body, size_t n);
/* 1: sig is k's signature over the PAE of body. 0: it is not. -1: the library failed. */
int sign_check(const struct sign_key *k, const void *body, size_t n, const void *sig, size_t sig_len,
	       struct err *e) MUST_CHECK;

/* ---- making signatures ---- */

/* One entry of the signature record. */
struct signature {
	struct digest key;
	uint16_t algorithm;
	uint16_t len;
	uint8_t bytes[SIGNATURE_MAX];
};

/* Where a passphrase comes from: the first line of file, else ask; neither: there is none. */
struct passphrase {
	const char *file;
	int (*ask)(void *ctx, const char *prompt, struct buf *out, struct err *e);
	void *ctx;
};
/* -1: no source, or unreadable (ERR_AUTH). out is wiped by the caller. */
int passphrase_get(const struct passphrase *p, const char *prompt, struct buf *out, struct err *e) MUST_CHECK;
/* An `ask` that reads one line from the terminal without echo. */
int passphrase_prompt(void *ctx, const char *prompt, struct buf *out, struct err *e) MUST_CHECK;

/* A private key in a file, or a program that signs. */
struct signer {
	struct sign_key key;            /* public half; pkey NULL = not known (a program without --public) */
	void *pkey;                     /* private half, or NULL */
	struct strv command;            /* argv of the program, or empty */
};

void signer_release(struct signer *s);
#define auto_signer CLEANUP(signer_release)

/* pass may be NULL. -1: ERR_UNSAFE when the file is open to others, ERR_AUTH on a wrong passphrase. */
int signer_load(struct signer *out, const char *path, const struct passphrase *pass, struct err *e) MUST_CHECK;
/* command is split at blanks, run without a shell: PAE on stdin, the signature (DER or 64 bytes) on
 * stdout. key = the public key it signs with; NULL = any, see signer_sign. */
int signer_command(struct signer *out, const char *command, const struct sign_key *key, struct err *e) MUST_CHECK;
/* A signature over body, checked with the public key before it is handed out. With a program whose key is
 * not known only bytes and len are set: see sign_match. */
int signer_sign(const struct signer *s, const void *body, size_t n, struct signature *out, struct err *e) MUST_CHECK;

/* A new key pair as two PEM texts. pass NULL = the private key is not encrypted. priv is wiped by the caller. */
int sign_generate(enum sign_algorithm a, const struct passphrase *pass, struct buf *priv, struct buf *pub,
		  struct digest *out_id, struct err *e) MUST_CHECK;

/* ---- times of statements, policies, states ---- */

/* "2026-01-02T03:04:05Z" and nothing else, years 0001 to 9999, as Unix seconds. */
bool sign_time_parse(const char *text, size_t n, int64_t *out) MUST_CHECK;
#define SIGN_TIME 21
char *sign_time_format(int64_t t, char out[SIGN_TIME]);         /* t outside those years is cut to them */

/* ---- whom to trust, what is remembered: filled by trust.c, judged by verify.c ---- */

#define POLICY_KEYS_MAX    32
#define POLICY_STREAMS_MAX 8
#define POLICY_TEXT_MAX    128
#define POLICY_NEVER       INT64_MAX    /* a time that does not come */

struct policy_key {
	struct sign_key key;
	bool revoked;
	size_t n_streams;               /* 0 = every stream */
	char streams[POLICY_STREAMS_MAX][POLICY_TEXT_MAX];      /* globs: * any text, ? any character */
	int64_t not_after;              /* Unix seconds; POLICY_NEVER */
};

struct policy {
	bool present;                   /* there is a trust folder */
	size_t n_keys;
	struct policy_key keys[POLICY_KEYS_MAX];
	unsigned threshold;             /* 0 reads as 1 */
	char audience[POLICY_TEXT_MAX]; /* our name; "" = none */
};

/* What a site remembers of a stream. */
struct stream_state {
	bool present;
	uint64_t sequence;
	struct digest id;
	int64_t newest_time;            /* Unix seconds */
};

void policy_release(struct policy *p);
#define auto_policy CLEANUP(policy_release)

/* Index of the key, or -1. */
int policy_find(const struct policy *p, const struct digest *id);
bool policy_glob(const char *glob, const char *text);
/* The first unrevoked key that made this signature: sets out's key and algorithm. 1, 0 = none, -1. */
int sign_match(const struct policy *p, const void *body, size_t n, struct signature *out, struct err *e) MUST_CHECK;
