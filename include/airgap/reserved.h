/*
 * reserved - the values under `airgap` that a site chart is given on site (design §3).
 *
 * The deployer renders steps with them; the bundler does too, to prove before the trip what the site would be given. At
 * build the key is another, smaller one: nothing has a name on site yet.
 */
#pragma once

#include <airgap/contents.h>
#include <airgap/ref.h>

struct reserved {
	const struct contents *contents;        /* what the bundle has; its facts are those of the build: what was carried was
						 * chosen by them, and steps do not change while an operator labels its nodes */
	struct ref_site names;
	const char *kube_version;               /* NULL = not known */
	const json_t *installed;                /* {NAMESPACE/NAME: {chart, version, revision}} of Helm's releases; NULL = nothing */
};

/* {side: site, facts, kubernetes, installed, bundle}. NULL: something has no legal name on this site. */
json_t *reserved_on_site(const struct reserved *r, struct err *e) MUST_CHECK;
