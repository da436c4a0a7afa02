/*
 * digest - sha256, as 32 bytes everywhere and as text at the edges only.
 */
#pragma once

#include <airgap/err.h>

struct digest { uint8_t b[32]; };

#define DIGEST_HEX  65          /* 64 lower-case digits and NUL */
#define DIGEST_TEXT 72          /* "sha256:" + hex + NUL */

/* "sha256:<64 lower-case hex>" and nothing else. false: out is unchanged. */
bool digest_parse(const char *text, struct digest *out) MUST_CHECK;
bool digest_parse_hex(const char *hex, size_t n, struct digest *out) MUST_CHECK;   /* n must be 64 */
char *digest_text(const struct digest *d, char out[DIGEST_TEXT]);      /* returns out */
char *digest_hex(const struct digest *d, char out[DIGEST_HEX]);

bool digest_eq(const struct digest *a, const struct digest *b);        /* constant time */
int digest_cmp(const void *a, const void *b);          /* for qsort and bsearch over struct digest */
struct digest digest_of(const void *p, size_t n);
/* HMAC-SHA256. */
struct digest digest_keyed(const void *key, size_t key_len, const void *p, size_t n);

/* A running hash. hash_end resets it for the next use. */
struct hash { void *ctx; };
#define auto_hash CLEANUP(hash_release)
void hash_begin(struct hash *h);                       /* also resets */
void hash_add(struct hash *h, const void *p, size_t n);
struct digest hash_end(struct hash *h);
void hash_copy(struct hash *to, const struct hash *from);      /* `to` stands where `from` stands; both go on alone */
void hash_release(struct hash *h);

/* n random bytes from the kernel; ends the program when there are none. */
void random_bytes(void *p, size_t n);
/* Standard base64 with padding, NUL-ended; out has base64_size(n) bytes. */
size_t base64_size(size_t n);
char *base64_encode(const void *p, size_t n, char *out);
/* Strict decode (padding required, no blanks); out has room for strlen/4*3 bytes. false: not base64. */
bool base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len) MUST_CHECK;
