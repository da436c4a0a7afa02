/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/digest.h>

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>

static const EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

/* libcrypto without SHA-256, or without memory: nothing this program says would be true. */
static void demand(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "error: %s does not work\n", what);
	abort();
}

static void fetch_sha256(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	demand(sha256 != NULL, "SHA-256");
}

static const EVP_MD *the_sha256(void)
{
	pthread_once(&sha256_once, fetch_sha256);
	return sha256;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool digest_parse_hex(const char *hex, size_t n, struct digest *out)
{
	struct digest d;

	if (n != 2 * sizeof(d.b))
		return false;
	for (size_t i = 0; i < sizeof(d.b); i++) {
		int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		d.b[i] = (uint8_t)(high << 4 | low);
	}
	*out = d;
	return true;
}

bool digest_parse(const char *text, struct digest *out)
{
	if (!str_starts(text, "sha256:"))
		return false;
	text += strlen("sha256:");
	return digest_parse_hex(text, strlen(text), out);
}

char *digest_hex(const struct digest *d, char out[DIGEST_HEX])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(d->b); i++) {
		out[2 * i] = digits[d->b[i] >> 4];
		out[2 * i + 1] = digits[d->b[i] & 15];
	}
	out[DIGEST_HEX - 1] = '\0';
	return out;
}

char *digest_text(const struct digest *d, char out[DIGEST_TEXT])
{
	memcpy(out, "sha256:", 7);
	digest_hex(d, out + 7);
	return out;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return CRYPTO_memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

int digest_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

struct digest digest_of(const void *p, size_t n)
{
	struct digest d;

	demand(EVP_Digest(n ? p : "", n, d.b, NULL, the_sha256(), NULL) == 1, "SHA-256");
	return d;
}

struct digest digest_keyed(const void *key, size_t key_len, const void *p, size_t n)
{
	struct digest d;
	size_t len = 0;

	demand(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key_len ? key : "", key_len, n ? p : (const void *)"", n,
			 d.b, sizeof(d.b), &len) != NULL && len == sizeof(d.b), "HMAC-SHA-256");
	return d;
}

void hash_begin(struct hash *h)
{
	if (!h->ctx)
		h->ctx = EVP_MD_CTX_new();
	demand(h->ctx && EVP_DigestInit_ex2(h->ctx, the_sha256(), NULL) == 1, "SHA-256");
}

void hash_add(struct hash *h, const void *p, size_t n)
{
	if (n)
		demand(EVP_DigestUpdate(h->ctx, p, n) == 1, "SHA-256");
}

struct digest hash_end(struct hash *h)
{
	struct digest d;

	demand(EVP_DigestFinal_ex(h->ctx, d.b, NULL) == 1, "SHA-256");
	hash_begin(h);
	return d;
}

void hash_copy(struct hash *to, const struct hash *from)
{
	if (!to->ctx)
		to->ctx = EVP_MD_CTX_new();
	demand(to->ctx && EVP_MD_CTX_copy_ex(to->ctx, from->ctx) == 1, "SHA-256");
}

void hash_release(struct hash *h)
{
	EVP_MD_CTX_free(h->ctx);
	h->ctx = NULL;
}

void random_bytes(void *p, size_t n)
{
	for (uint8_t *at = p; n;) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		demand(got > 0, "getrandom");
		at += got;
		n -= (size_t)got;
	}
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_size(size_t n)
{
	return (n + 2) / 3 * 4 + 1;
}

char *base64_encode(const void *p, size_t n, char *out)
{
	const uint8_t *in = p;
	char *to = out;

	for (; n; in += MIN(n, 3u), n -= MIN(n, 3u)) {
		uint32_t group = (uint32_t)in[0] << 16 | (n > 1 ? (uint32_t)in[1] << 8 : 0) | (n > 2 ? in[2] : 0);

		*to++ = base64_digits[group >> 18];
		*to++ = base64_digits[group >> 12 & 63];
		*to++ = n > 1 ? base64_digits[group >> 6 & 63] : '=';
		*to++ = n > 2 ? base64_digits[group & 63] : '=';
	}
	*to = '\0';
	return out;
}

static int base64_value(char c)
{
	const char *at = c ? strchr(base64_digits, c) : NULL;

	return at ? (int)(at - base64_digits) : -1;
}

/* One group of four with `used` digits before its padding. false also when bits that the
 * padding cuts off are not zero: one content has one spelling. */
static bool decode_group(const char *text, size_t used, uint8_t *out)
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		int v = i < used ? base64_value(text[i]) : 0;

		if (v < 0)
			return false;
		group = group << 6 | (uint32_t)v;
	}
	if (used < 4 && group & (used == 3 ? 0xffu : 0xffffu))
		return false;
	for (size_t i = 0; i < used - 1; i++)
		out[i] = (uint8_t)(group >> (16 - 8 * i));
	return true;
}

bool base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len)
{
	size_t n = 0;

	if (len % 4)
		return false;
	for (size_t i = 0; i < len; i += 4) {
		size_t used = 4;

		if (i + 4 == len && text[i + 3] == '=')
			used = text[i + 2] == '=' ? 2 : 3;
		if (!decode_group(text + i, used, out + n))
			return false;
		n += used - 1;
	}
	*out_len = n;
	return true;
}
