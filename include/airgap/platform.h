/*
 * platform - os/architecture[/variant]: parse, normalise, match.
 *
 * A value type without owned memory. Normal form everywhere: x86_64 is amd64, aarch64 is arm64, armhf is arm/v7,
 * arm without variant is arm/v7, arm64/v8 is arm64, amd64/v1 is amd64, macos is darwin.
 */
#pragma once

#include <airgap/err.h>

struct platform {
	char os[32];            /* "" = the document named no platform */
	char arch[32];
	char variant[16];       /* "" = none */
};

#define PLATFORM_TEXT 84        /* room for platform_format */

/* "linux/amd64", "linux/arm64/v8". ERR_MALFORMED; out is unchanged then. */
int platform_parse(const char *text, struct platform *out, struct err *e) MUST_CHECK;
/* From the three fields of a document; variant may be NULL. Overlong or oddly spelled fields: ERR_MALFORMED. */
int platform_set(const char *os, const char *arch, const char *variant, struct platform *out, struct err *e) MUST_CHECK;

char *platform_format(const struct platform *p, char out[PLATFORM_TEXT]);       /* returns out; "" for none */
bool platform_eq(const struct platform *a, const struct platform *b);
/* 0: `have` does not run where `want` is asked for; else the higher the better (equal is best; arm v7 takes v6,
 * amd64/v3 takes v2 and none, arm64/v9.2 takes v9.1, v8.7 and below). The first of equals wins. */
unsigned platform_match(const struct platform *want, const struct platform *have);
bool platform_unknown(const struct platform *p);        /* "unknown/unknown": no image, an attestation */
