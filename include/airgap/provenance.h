/*
 * provenance - Helm's provenance files: a clear-signed text that names an archive and its sha256.
 *
 *	if (provenance_check("keys.gpg", prov, n, "web", "1.2.0", &digest, e) < 0)
 *		return err_wrap(e, "provenance");
 *
 * The text has Chart.yaml, a line `...`, and `files: {web-1.2.0.tgz: "sha256:…"}`. Nothing of it is read before gpgv has
 * found a good signature by a key of the keyring.
 */
#pragma once

#include <airgap/digest.h>

#define PROVENANCE_MAX (1u << 20)       /* bytes */

struct provenance {
	char *name, *version;
	char *file;                     /* the one it speaks of */
	struct digest archive;
};
#define auto_provenance CLEANUP(provenance_release)
void provenance_release(struct provenance *p);

/* The text that was signed. ERR_MALFORMED: it is none, or speaks of more than one file. -1: out is unchanged. */
int provenance_parse(const char *text, size_t n, struct provenance *out, struct err *e) MUST_CHECK;

/* Does the file vouch for this archive? ERR_UNSIGNED, ERR_SIGNATURE, ERR_UNTRUSTED as gpgv_clear has them; ERR_SIGNATURE
 * for another chart or version; ERR_DIGEST for another archive. */
int provenance_check(const char *keyring, const void *prov, size_t n, const char *name, const char *version,
		     const struct digest *archive, struct err *e) MUST_CHECK;
