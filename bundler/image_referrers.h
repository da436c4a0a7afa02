/*
 * image_referrers - what belongs to an image and is carried with it: signatures, attestations, lists of parts.
 *
 * Two ways lead to them, and both are gone: manifests that name a carried one as their subject (the registry's API, or where
 * it has none the index under the tag `sha256-<hex>`), and the tags `sha256-<hex>.sig`, `.att`, `.sbom` that cosign writes. What
 * belongs to a referrer (a signature of an SBOM) is found too, once. An image has at most 64, each of at most 32 MiB; what
 * is more is a note. What belongs to an index of which only one child is carried stays behind, as the index does.
 *
 * Costs: the API one request for each carried manifest; the tags one list of each repository, read to where they stand; a
 * registry whose lists are closed or very long is asked for the tags one by one, by HEAD, which is no pull on Docker Hub.
 */
#pragma once

#include "image_resolve.h"

/* What is known of repositories already. Any thread. */
struct referrers;
struct referrers *referrers_new(void) MUST_CHECK;
void referrers_free(struct referrers *r);
#define auto_referrers CLEANUP(cleanup_referrers)
DEFINE_CLEANUP_PTR(cleanup_referrers, struct referrers, referrers_free)

/* For an image that image_resolve found in a registry: adds to its blobs and to image.referrers. */
int image_referrers(struct referrers *known, const struct image_from *from, struct image_result *r, struct err *e) MUST_CHECK;
