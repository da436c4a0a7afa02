/*
 * rpmmd - the texts of an RPM repository: repomd.xml, and primary.xml package by package (expat).
 *
 *	auto_rpmmd struct rpmmd md = { 0 };
 *	if (rpmmd_parse(p, n, &md, e) < 0) ...                  // whose signature was checked
 *	if (rpmmd_each(primary, size, on_package, ctx, e) < 0) ...
 *
 * Nothing is looked up and nothing trusted. A document type (and so every entity of its own), nesting deeper than 32 and
 * texts over 4,096 bytes where we read one are refused, hashes other than sha256 are ERR_UNSUPPORTED, and a name of a file
 * that would leave its folder is ERR_UNSAFE.
 */
#pragma once

#include <airgap/buf.h>
#include <airgap/digest.h>

#define RPMMD_MAX (4u << 20)            /* bytes of repomd.xml */

struct rpmmd {
	char *revision;                 /* NULL = not said */
	char *primary;                  /* path of primary.xml, compressed or not */
	struct digest sha256;           /* of it */
	uint64_t size;                  /* UINT64_MAX = not said */
};
#define auto_rpmmd CLEANUP(rpmmd_release)
void rpmmd_release(struct rpmmd *m);
/* -1: out is unchanged. */
int rpmmd_parse(const char *p, size_t n, struct rpmmd *out, struct err *e) MUST_CHECK;

struct rpm_package {
	char *name, *version, *architecture;    /* version: "EPOCH:VERSION-RELEASE", without an epoch of 0 */
	char *path;                     /* href of its location */
	struct digest sha256;
	uint64_t size;
	/* Where it stands in the text: <package …>…</package>, and in it <location …/>. */
	size_t at, length, location_at, location_length;
};
/* Each package in its order; p is the callback's for the call, -1 ends the walk. */
typedef int (*rpmmd_fn)(void *ctx, const struct rpm_package *p, struct err *e);
int rpmmd_each(const char *p, size_t n, rpmmd_fn fn, void *ctx, struct err *e) MUST_CHECK;
