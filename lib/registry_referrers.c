/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to a manifest: signatures, attestations, lists of parts. */
#include "registry_ask.h"

#include <airgap/oci.h>

#define PAGES_MAX 100u

static const char *const accept[] = { "Accept: " OCI_INDEX, NULL };

char *registry_referrers_tag(const struct digest *d)
{
	char hex[DIGEST_HEX];

	return xasprintf("sha256-%s", digest_hex(d, hex));
}

/* A refusal of any sort means that the registry does not offer this; a server in trouble is an error. */
static bool is_absent(const struct http_response *answer)
{
	const char *type = http_header(answer, "content-type");
	auto_free char *cut = media_type_cut(type ? type : "");

	if (answer->status == 200)
		return !str_eq(cut, OCI_INDEX);
	return answer->status == 501 || (answer->status >= 400 && answer->status < 500 && answer->status != 408 && answer->status != 429);
}

/* The entries of a page behind those that are there. */
static int take_page(const struct buf *page, const char *subject, struct oci_index *all, struct err *e)
{
	auto_oci_index struct oci_index ix = { 0 };

	if (oci_parse_index(buf_str(page), page->len, OCI_INDEX, &ix, e) < 0)
		return err_wrap(e, "%s: referrers", subject);
	if (all->n_manifests + ix.n_manifests > OCI_ENTRIES_MAX)
		return err_set(e, ERR_LIMIT, "%s: more than %d referrers", subject, OCI_ENTRIES_MAX);
	for (size_t i = 0; i < ix.n_manifests; i++) {
		GROW(all->manifests, all->n_manifests);
		all->manifests[all->n_manifests++] = ix.manifests[i];
		ix.manifests[i] = (struct descriptor){ 0 };
	}
	return 0;
}

/* Its address, or "": that was the last. NULL: none that is followed. */
static char *next_page(const struct http_response *answer, const char *subject, struct err *e)
{
	const char *link = http_header(answer, "link");
	auto_free char *target = link ? link_next(link) : NULL;
	CLEANUP(url_release) struct url u = { 0 };

	if (!target)
		return xstrdup("");
	if (url_resolve(&answer->url, target, &u, e) < 0)
		return NULL;
	if (url_same_origin(&u, &answer->url))
		return url_text(&u);
	err_set(e, ERR_REDIRECT, "%s: the next page of referrers is on '%s'", subject, u.host);
	return NULL;
}

/* 1: *all has them. 0: there is no such API. */
static int read_pages(struct registry *r, const char *repository, const char *first, const char *subject,
		      struct oci_index *all, struct err *e)
{
	auto_buf struct buf page = BUF_INIT(REGISTRY_MANIFEST_MAX);
	auto_free char *url = xstrdup(first);

	for (unsigned n = 0; *url; n++) {
		auto_response struct http_response answer = HTTP_RESPONSE_INIT;
		const struct registry_ask a = {
			.url = url, .headers = accept, .into = &page, .scope = { repository, NULL, r->push },
		};

		if (n == PAGES_MAX)
			return err_set(e, ERR_PROTOCOL, "%s: the pages of referrers have no end", subject);
		if (registry_ask(r, &a, &answer, e) < 0)
			return err_wrap(e, "%s: referrers", subject);
		if (n == 0 && is_absent(&answer))
			return 0;
		if (answer.status != 200)
			return registry_refused(r, &answer, subject, e);
		if (take_page(&page, subject, all, e) < 0)
			return -1;
		free(url);
		url = next_page(&answer, subject, e);
		if (!url)
			return -1;
	}
	return 1;
}

/* The first question is asked by one; whoever comes meanwhile waits for what it shows. */
static int ask_first(struct registry *r, const char *repository, const char *url, const char *subject, struct oci_index *all,
		     struct err *e)
{
	int there;

	pthread_mutex_lock(&r->referrers_lock);
	if (r->referrers == REFERRERS_UNKNOWN) {
		there = read_pages(r, repository, url, subject, all, e);
		if (there >= 0)
			r->referrers = there ? REFERRERS_THERE : REFERRERS_ABSENT;
		pthread_mutex_unlock(&r->referrers_lock);
		return there;
	}
	pthread_mutex_unlock(&r->referrers_lock);
	return r->referrers == REFERRERS_ABSENT ? 0 : read_pages(r, repository, url, subject, all, e);
}

int registry_referrers(struct registry *r, const char *repository, const struct digest *d, struct oci_index *out, struct err *e)
{
	char text[DIGEST_TEXT];
	auto_free char *url = xasprintf("%s/v2/%s/referrers/%s", r->base, repository, digest_text(d, text));
	auto_free char *subject = registry_subject(r, repository, text);
	auto_oci_index struct oci_index all = { 0 };
	int there;

	if (registry_check_names(repository, NULL, e) < 0)
		return -1;
	if (r->referrers == REFERRERS_ABSENT)
		return 0;
	there = ask_first(r, repository, url, subject, &all, e);
	if (there <= 0)
		return there;
	*out = all;
	all = (struct oci_index){ 0 };
	return 1;
}
