/*
 * deb - the texts of a Debian repository: Release, and Packages stanza by stanza.
 *
 *	auto_deb_release struct deb_release r = { 0 };
 *	if (deb_release_parse(p, n, &r, e) < 0) ...             // whose signature was checked
 *	const struct deb_index *ix = deb_release_find(&r, "main/binary-amd64/Packages.xz");
 *
 *	struct deb_text rest = { p, n }, stanza;
 *	while (deb_next(&rest, &stanza))
 *		if (deb_package_parse(&stanza, &package, e) < 0) ...
 *
 * Nothing is looked up and nothing trusted: a name of a file that would leave its folder is ERR_UNSAFE.
 */
#pragma once

#include <airgap/buf.h>
#include <airgap/digest.h>

#define DEB_RELEASE_MAX (16u << 20)     /* bytes of Release or InRelease */
#define DEB_INDEXES_MAX 100000u         /* files that a Release lists */
#define DEB_FIELD_MAX   4096u           /* bytes of a field that we read */

/* Borrowed bytes. */
struct deb_text { const char *p; size_t n; };

/* The next stanza, its lines without the empty ones around it; false: none is left. */
bool deb_next(struct deb_text *rest, struct deb_text *out);
/* The value of a field, lines that continue it included; case of the name does not count. false: it has none. */
bool deb_field(const struct deb_text *stanza, const char *name, struct deb_text *out);
/* The stanza, ended by a newline, with another value (or "" for none) in one of its fields, or that field more. */
int deb_put(struct buf *out, const struct deb_text *stanza, const char *name, const char *value, struct err *e) MUST_CHECK;

/* ---- Release */

struct deb_index { char *path; struct digest sha256; uint64_t size; };
struct deb_release {
	char *suite, *codename, *date;  /* NULL = not said */
	int64_t valid_until;            /* seconds; 0 = for ever */
	struct deb_index *items; size_t n;      /* sorted by path */
};
#define auto_deb_release CLEANUP(deb_release_release)
void deb_release_release(struct deb_release *r);
/* -1: out is unchanged. ERR_MALFORMED, ERR_LIMIT, ERR_UNSUPPORTED: it has no SHA256. */
int deb_release_parse(const char *p, size_t n, struct deb_release *out, struct err *e) MUST_CHECK;
const struct deb_index *deb_release_find(const struct deb_release *r, const char *path);        /* NULL = not listed */
/* "Sat, 10 Jan 2026 09:44:13 UTC" to seconds. */
bool deb_time(const char *text, int64_t *out) MUST_CHECK;

/* ---- Packages */

struct deb_package {
	char *name, *version, *architecture;
	char *path;                     /* Filename, without "./" in front */
	struct digest sha256;
	uint64_t size;
};
#define auto_deb_package CLEANUP(deb_package_release)
void deb_package_release(struct deb_package *p);
/* -1: out is unchanged. */
int deb_package_parse(const struct deb_text *stanza, struct deb_package *out, struct err *e) MUST_CHECK;

/* A path below the repository's address: relative, no "..", printable ASCII, at most 512 bytes. rpmmd.h uses it too. */
bool deb_path_ok(const char *path);
