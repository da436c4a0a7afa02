/*
 * gpgv - OpenPGP signatures of repositories and charts, checked by the program `gpgv` with a keyring of the user's.
 *
 *	auto_buf struct buf text = BUF_INIT(16 << 20);
 *	if (gpgv_clear("debian.gpg", p, n, &text, e) < 0)       // InRelease
 *		return err_wrap(e, "'%s'", url);
 *
 * A keyring is what `gpg --export` writes, armoured or not; nothing of the user's own GnuPG folder is looked at. One
 * good signature of a key in it is enough, and a bad one spoils all. SHA-1 counts as no signature.
 *
 * Errors: ERR_UNSIGNED no signature · ERR_SIGNATURE it does not fit · ERR_UNTRUSTED by no key of the keyring, or by one
 * that is expired or revoked · ERR_MALFORMED the keyring, or what stands around the signature · ERR_PREFLIGHT no gpgv.
 */
#pragma once

#include <airgap/buf.h>

#define GPGV_KEYRING_MAX (4u << 20)     /* bytes of a keyring */

/* What is signed is what is appended to out: text before, behind or between is ERR_MALFORMED. */
int gpgv_clear(const char *keyring, const void *p, size_t n, struct buf *out, struct err *e) MUST_CHECK;
int gpgv_detached(const char *keyring, const void *p, size_t n, const void *sig, size_t sig_n, struct err *e) MUST_CHECK;

/* The text of a clear-signed message, unjudged. 1: appended to out. 0: it is none. -1: ERR_MALFORMED. */
int gpgv_clear_text(const char *p, size_t n, struct buf *out, struct err *e) MUST_CHECK;
/* The bytes of all armoured blocks of public keys, appended to out; what is not armoured is copied as it is. */
int gpgv_dearmor(const char *p, size_t n, struct buf *out, struct err *e) MUST_CHECK;
