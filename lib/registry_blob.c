/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs and tags on their way in. */
#include "registry_ask.h"

#include <airgap/json.h>

#define TAGS_PAGE   1000u
#define TAGS_MAX    1000000u
#define PAGES_MAX   10000u
#define PAGE_BYTES  (32u << 20)

static char *blob_url(const struct registry *r, const char *repository, const struct digest *d)
{
	char text[DIGEST_TEXT];

	return xasprintf("%s/v2/%s/blobs/%s", r->base, repository, digest_text(d, text));
}

static char *blob_subject(const struct registry *r, const char *repository, const struct digest *d)
{
	char text[DIGEST_TEXT];

	return registry_subject(r, repository, digest_text(d, text));
}

int registry_blob_head(struct registry *r, const char *repository, const struct digest *d, uint64_t *size, struct err *e)
{
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;
	auto_free char *url = blob_url(r, repository, d), *subject = blob_subject(r, repository, d);
	struct registry_ask a = { .method = "HEAD", .url = url, .scope = { repository, NULL, r->push } };
	const char *length;
	uint64_t n = UINT64_MAX;

	if (registry_check_names(repository, NULL, e) < 0)
		return -1;
	if (registry_ask(r, &a, &answer, e) < 0)
		return err_wrap(e, "%s", subject);
	/* Some registries refuse the question where they would allow the upload. */
	if (answer.status == 404 || (r->push && (answer.status == 403 || answer.status == 405)))
		return 0;
	/* A store behind it that takes its signed address for GET only: it is there. */
	bool away = !url_same_origin(&answer.url, &r->url);

	if (answer.status != 200 && !(away && answer.status >= 400 && answer.status < 500))
		return registry_refused(r, &answer, subject, e);
	if (registry_check_digest(&answer, d, subject, e) < 0)
		return -1;
	length = http_header(&answer, "content-length");
	*size = answer.status == 200 && length && u64_parse(length, &n) ? n : UINT64_MAX;
	r->heads++;
	return 1;
}

/* ---- downloads ---- */

struct pull {
	struct registry *r;
	struct registry_scope scope;
};

static int pull_authorize(void *ctx, const struct http_response *refused, struct secret *out, struct err *e)
{
	struct pull *p = ctx;

	p->r->requests++;
	return registry_authorize(p->r, &p->scope, refused, out, e);
}

int registry_blob_range(struct registry *r, const char *repository, const struct digest *d, uint64_t size,
			const struct http_range *range, const struct sink *to, struct err *e)
{
	auto_free char *url = blob_url(r, repository, d), *subject = blob_subject(r, repository, d);
	struct pull p = { r, { repository, NULL, false } };
	const struct http_get g = {
		.url = url,
		.authorize = pull_authorize,
		.ctx = &p,
		.range = range,
		.size = size,
		.max = UINT64_MAX,
		.keep_encoding = false,
	};

	if (registry_check_names(repository, NULL, e) < 0)
		return -1;
	if (http_fetch(r->http, &g, to, e) < 0)
		return err_wrap(e, "%s", subject);
	r->gets++;
	if (size != UINT64_MAX)
		r->bytes_in += (range->end ? MIN(range->end, size) : size) - range->offset;
	return 0;
}

int registry_blob_get(struct registry *r, const char *repository, const struct digest *d, uint64_t size, uint64_t offset,
		      const struct sink *to, struct err *e)
{
	const struct http_range range = { .offset = offset };

	return registry_blob_range(r, repository, d, size, &range, to, e);
}

static int load_once(struct registry *r, const char *repository, const struct digest *d, uint64_t size, struct buf *out,
		     struct err *e)
{
	size_t before = out->len;
	const struct sink to = { buf_sink_write, out };
	char text[DIGEST_TEXT];

	if (registry_blob_get(r, repository, d, size, 0, &to, e) < 0) {
		out->len = before;
		return -1;
	}

	struct digest got = digest_of(buf_str(out) + before, out->len - before);

	if (digest_eq(&got, d))
		return 0;
	out->len = before;

	auto_free char *subject = blob_subject(r, repository, d);

	return err_set(e, ERR_DIGEST, "%s: the registry sent content with the digest %s", subject, digest_text(&got, text));
}

int registry_blob_load(struct registry *r, const char *repository, const struct digest *d, uint64_t size, struct buf *out,
		       struct err *e)
{
	if (size != UINT64_MAX && size > out->max - out->len)
		return err_set(e, ERR_LIMIT, "a blob of %llu bytes is more than is taken here", (unsigned long long)size);
	if (load_once(r, repository, d, size, out, e) == 0)
		return 0;
	return e->code == ERR_DIGEST ? load_once(r, repository, d, size, out, e) : -1;
}

/* ---- tags ---- */

static int add_tags(const struct buf *page, const char *subject, struct strv *out, size_t *added, struct err *e)
{
	auto_json json_t *j = jdoc_parse(page->ptr, page->len, PAGE_BYTES, subject, e);
	json_t *tags = jdoc_at(j, "tags", NULL), *tag;
	size_t i;

	if (!j)
		return -1;
	if (!json_is_object(j) || (tags && !json_is_array(tags) && !json_is_null(tags)))
		return err_set(e, ERR_PROTOCOL, "%s: the list of tags is none", subject);
	*added = json_array_size(tags);
	if (*added > TAGS_MAX - MIN(out->n, TAGS_MAX))
		return err_set(e, ERR_LIMIT, "%s: more than %u tags", subject, TAGS_MAX);
	json_array_foreach(tags, i, tag) {
		if (!json_is_string(tag))
			return err_set(e, ERR_PROTOCOL, "%s: a tag is no text", subject);
		strv_push(out, json_string_value(tag));
	}
	return 0;
}

/* The address of the next page; NULL: this was the last. Servers without Link fill a page and wait for `last`. */
static int next_page(const struct registry *r, const char *base, const struct http_response *answer, size_t added,
		     const struct strv *tags, char **out, struct err *e)
{
	const char *link = http_header(answer, "link");
	auto_free char *target = link ? link_next(link) : NULL;
	CLEANUP(url_release) struct url u = { 0 };

	*out = NULL;
	if (!target && added != TAGS_PAGE)
		return 0;
	if (!target) {
		if (url_parse(base, r->host, &u, e) < 0)
			return -1;
		url_add_query(&u, "last", tags->items[tags->n - 1]);
	} else {
		if (url_resolve(&answer->url, target, &u, e) < 0) {
			e->code = ERR_REDIRECT;
			return err_wrap(e, "%s: the next page of tags", r->host);
		}
		if (!url_same_origin(&u, &answer->url))
			return err_set(e, ERR_REDIRECT, "%s: the next page of tags is on '%s'", r->host, u.host);
	}
	*out = url_text(&u);
	return 0;
}

static int one_page(struct registry *r, const char *url, const char *repository, const char *subject, struct buf *page,
		    struct http_response *answer, struct err *e)
{
	const struct registry_ask a = { .url = url, .into = page, .scope = { repository, NULL, false } };

	if (registry_ask(r, &a, answer, e) < 0)
		return err_wrap(e, "%s: tags", subject);
	if (answer->status == 404)
		return 0;
	return answer->status == 200 ? 1 : registry_refused(r, answer, subject, e);
}

/* Pages as they come; seen holds their addresses, the newest last. */
struct pages {
	struct strv seen, tags;
	struct buf page;
	struct digest last;
};

static void pages_release(struct pages *p)
{
	strv_release(&p->seen);
	strv_release(&p->tags);
	buf_release(&p->page);
}

/* 1: there is another page, its address is in seen. 0: that was all. */
static int pages_next(struct pages *p, struct registry *r, const char *repository, const char *base, struct err *e)
{
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;
	auto_free char *subject = registry_subject(r, repository, NULL), *next = NULL;
	size_t added = 0;
	int rc = one_page(r, p->seen.items[p->seen.n - 1], repository, subject, &p->page, &answer, e);

	if (rc <= 0)
		return rc;

	struct digest now = digest_of(buf_str(&p->page), p->page.len);

	if (p->seen.n > 1 && digest_eq(&p->last, &now))
		return 0;       /* a server that knows no `last` says the same again */
	p->last = now;
	if (add_tags(&p->page, subject, &p->tags, &added, e) < 0 ||
	    next_page(r, base, &answer, added, &p->tags, &next, e) < 0)
		return -1;
	if (!next)
		return 0;
	if (strv_has(&p->seen, next) || p->seen.n == PAGES_MAX)
		return err_set(e, ERR_PROTOCOL, "%s: the pages of tags have no end", subject);
	strv_push_take(&p->seen, TAKE(next));
	return 1;
}

int registry_tags(struct registry *r, const char *repository, struct strv *out, struct err *e)
{
	CLEANUP(pages_release) struct pages p = { .page = BUF_INIT(PAGE_BYTES) };
	auto_free char *base = xasprintf("%s/v2/%s/tags/list?n=%u", r->base, repository, TAGS_PAGE);
	int more;

	if (registry_check_names(repository, NULL, e) < 0)
		return -1;
	strv_push(&p.seen, base);
	do
		more = pages_next(&p, r, repository, base, e);
	while (more > 0);
	if (more < 0)
		return -1;
	if (!p.page.len)
		return 0;
	strv_sort(&p.tags);
	strv_uniq(&p.tags);
	strv_release(out);
	*out = p.tags;
	p.tags = (struct strv){ 0 };
	return 1;
}

/* Bytewise sorted as far as it goes, and past what begins with prefix. */
static bool is_past(const struct strv *tags, const char *prefix)
{
	const char *last = tags->n ? tags->items[tags->n - 1] : "";

	for (size_t i = 1; i < tags->n; i++)
		if (strcmp(tags->items[i - 1], tags->items[i]) > 0)
			return false;
	return strcmp(last, prefix) > 0 && !str_starts(last, prefix);
}

int registry_tags_prefix(struct registry *r, const char *repository, const char *prefix, unsigned pages, struct strv *out,
			 struct err *e)
{
	CLEANUP(pages_release) struct pages p = { .page = BUF_INIT(PAGE_BYTES) };
	auto_free char *base = xasprintf("%s/v2/%s/tags/list?n=%u", r->base, repository, TAGS_PAGE);
	int more = 1;

	if (registry_check_names(repository, NULL, e) < 0)
		return -1;
	strv_push(&p.seen, base);
	for (unsigned n = 0; n < pages && more > 0 && !is_past(&p.tags, prefix); n++)
		more = pages_next(&p, r, repository, base, e);
	if (more < 0)
		return -1;
	if (!p.page.len)
		return 0;
	for (size_t i = 0; i < p.tags.n; i++)
		if (str_starts(p.tags.items[i], prefix))
			strv_push(out, p.tags.items[i]);
	strv_sort(out);
	strv_uniq(out);
	return more > 0 && !is_past(&p.tags, prefix) ? 2 : 1;
}
