/* SPDX-License-Identifier: Apache-2.0 */
/* A download that goes on where the line broke. */
#include "http_wire.h"

#include <airgap/proc.h>

#define DEFAULT_MAX  (UINT64_C(64) << 20)
#define PROGRESS_MIN (UINT64_C(16) << 10)       /* so much gained makes the tries count anew */
#define AT_ONCE_MIN  (UINT64_C(256) << 10)      /* so much, and a broken line is gone on with at once */

struct download {
	struct http_client *c;
	const struct http_get *g;
	const struct sink *to;
	struct url url;
	uint64_t at;            /* the next byte the sink wants */
	uint64_t whole;         /* size of all, UINT64_MAX = not known yet */
	uint64_t end;           /* of what is wanted; 0 = the whole */
	uint64_t skip;          /* bytes to drop: the server began at 0 */
	uint64_t deadline_at;
	char *etag;             /* strong validator of the first answer */
	bool refreshed;         /* the credentials, once */
	struct secret secret;
	struct http_response r;
};

static void download_release(struct download *d)
{
	url_release(&d->url);
	free(d->etag);
	secret_release(&d->secret);
	http_response_release(&d->r);
}

/* ---- the head of an answer ---- */

/* A size the server states: must agree with what we know. */
static int learn_size(struct download *d, uint64_t size, struct err *e)
{
	const char *host = d->r.url.host;

	if (d->whole != UINT64_MAX && size != d->whole)
		return err_set(e, ERR_DIGEST, "'%s' has %llu bytes where %llu were expected", host,
			       (unsigned long long)size, (unsigned long long)d->whole);
	if (d->g->size == UINT64_MAX && size > (d->g->max ? d->g->max : DEFAULT_MAX))
		return err_set(e, ERR_LIMIT, "'%s' has %llu bytes, more than are taken here", host,
			       (unsigned long long)size);
	d->whole = size;
	return 0;
}

/* The same content as before? Weak validators say nothing about bytes. */
static int check_etag(struct download *d, struct err *e)
{
	const char *etag = http_header(&d->r, "etag");

	if (!etag || etag[0] != '"')
		return 0;
	if (d->etag && !str_eq(d->etag, etag) && d->at > (d->g->range ? d->g->range->offset : d->g->offset))
		return err_set(e, ERR_PROTOCOL, "'%s' changed the content while it was read", d->r.url.host);
	free(d->etag);
	d->etag = xstrdup(etag);
	return 0;
}

/* Tells whoever asked for a range how the server takes it. `last` is the last byte it will send. */
static int tell_range(struct download *d, bool partial, uint64_t last, struct err *e)
{
	const struct http_range *g = d->g->range;
	bool whole = !partial || (d->end && last >= d->end);

	if (!g)
		return 0;
	if (whole && d->end) {
		if (!g->begin)
			return err_set(e, ERR_PROTOCOL, "'%s' does not keep to the range asked for", d->r.url.host);
		d->end = 0;
	}
	return g->begin ? g->begin(g->ctx, whole, d->etag, e) : 0;
}

static int head_partial(struct download *d, struct err *e)
{
	const char *range = http_header(&d->r, "content-range"), *length = http_header(&d->r, "content-length");
	const char *host = d->r.url.host;
	uint64_t first, last, total, n;

	if ((!d->at && !d->end) || !range || !content_range_parse(range, &first, &last, &total))
		return err_set(e, ERR_PROTOCOL, "'%s' sends a part that was not asked for", host);
	if (first != d->at)
		return err_set(e, ERR_PROTOCOL, "'%s' sends from byte %llu where %llu was asked for", host,
			       (unsigned long long)first, (unsigned long long)d->at);
	if (length && (!u64_parse(length, &n) || n != last - first + 1))
		return err_set(e, ERR_PROTOCOL, "'%s' sends a range and a length that differ", host);
	d->skip = 0;
	if (total != UINT64_MAX && learn_size(d, total, e) < 0)
		return -1;
	return tell_range(d, true, last, e);
}

static int on_head(void *ctx, const struct http_response *r, struct err *e)
{
	struct download *d = ctx;
	const char *length = http_header(r, "content-length");
	uint64_t n;

	if (r->status < 200 || r->status > 299)
		return 0;
	if (r->status != 200 && r->status != 206)
		return err_set(e, ERR_PROTOCOL, "'%s' answers %d to a download", r->url.host, r->status);
	if (check_etag(d, e) < 0)
		return -1;
	if (r->status == 206)
		return head_partial(d, e);
	d->skip = d->at;
	if (length && u64_parse(length, &n) && learn_size(d, n, e) < 0)
		return -1;
	return tell_range(d, false, 0, e);
}

static int on_write(void *ctx, const void *p, size_t n, struct err *e)
{
	struct download *d = ctx;
	size_t drop = (size_t)MIN(d->skip, n);
	uint64_t most = d->whole != UINT64_MAX ? d->whole : d->g->max ? d->g->max : DEFAULT_MAX;

	d->skip -= drop;
	n -= drop;
	if (!n)
		return 0;
	if (n > most - d->at)
		return err_set(e, d->whole != UINT64_MAX ? ERR_DIGEST : ERR_LIMIT,
			       "'%s' sends more than the %llu bytes %s", d->r.url.host, (unsigned long long)most,
			       d->whole != UINT64_MAX ? "there are" : "allowed");
	if (d->to->write(d->to->ctx, (const char *)p + drop, n, e) < 0)
		return -1;
	d->at += n;
	return 0;
}

/* ---- one request ---- */

static int ask(struct download *d, struct err *e)
{
	const struct http_get *g = d->g;
	const struct wire_hooks hooks = { on_head, on_write, d };
	auto_strv struct strv headers = { 0 };
	struct http_request q = {
		.url = g->url,
		.authorization = g->authorize ? &d->secret : g->authorization,
		.keep_encoding = g->keep_encoding,
		.max_body = UINT64_MAX,
	};

	for (const char *const *h = g->headers; h && *h; h++)
		strv_push(&headers, *h);
	if (d->end)
		strv_pushf(&headers, "Range: bytes=%llu-%llu", (unsigned long long)d->at, (unsigned long long)d->end - 1);
	else if (d->at)
		strv_pushf(&headers, "Range: bytes=%llu-", (unsigned long long)d->at);
	if ((d->at || d->end) && d->etag)
		strv_pushf(&headers, "If-Range: %s", d->etag);
	q.headers = (const char *const *)headers.items;
	return http_exchange(d->c, &q, &hooks, d->deadline_at, &d->r, e);
}

/* ---- what came of it ---- */

enum outcome { DONE, AGAIN, LATER, FAILED };    /* AGAIN at once, LATER if tries are left */

static int stop(struct download *d, struct err *e)
{
	auto_free char *away = url_same_origin(&d->url, &d->r.url) ? NULL : url_shown(&d->r.url);

	http_status_error(&d->r, away, e);
	return FAILED;
}

static int after_body(struct download *d, struct err *e)
{
	if (d->skip && d->whole == UINT64_MAX) {
		err_set(e, ERR_PROTOCOL, "'%s' has less content than before", d->r.url.host);
		return FAILED;
	}
	if (d->whole == UINT64_MAX && d->r.status == 200)
		d->whole = d->at;
	if (d->at == (d->end ? d->end : d->whole))
		return DONE;
	/* A part of the rest, or an end that nothing announced: both are a line that broke. */
	d->r.broken = true;
	err_set(e, ERR_NETWORK, "'%s' ended after %llu bytes", d->r.url.host, (unsigned long long)d->at);
	return LATER;
}

/* 416: complete if there is nothing behind what we have. */
static int after_unsatisfied(struct download *d, struct err *e)
{
	const char *range = http_header(&d->r, "content-range");
	uint64_t total;

	if (d->at && range && content_range_total(range, &total) && total == d->at &&
	    (d->whole == UINT64_MAX || d->whole == total)) {
		d->whole = total;
		return DONE;
	}
	return stop(d, e);
}

static int after_answer(struct download *d, struct err *e)
{
	bool away = !url_same_origin(&d->url, &d->r.url);
	int status = d->r.status;

	if (status == 200 || status == 206)
		return after_body(d, e);
	if (status == 416)
		return after_unsatisfied(d, e);
	if (status == 401 && !away && d->g->authorize && !d->refreshed) {
		d->refreshed = true;
		return d->g->authorize(d->g->ctx, &d->r, &d->secret, e) < 0 ? FAILED : AGAIN;
	}
	stop(d, e);
	if (away && (status == 400 || status == 401 || status == 403)) {
		d->r.broken = true;     /* a signed address that expired: the first server gives a new one */
		return LATER;
	}
	return status == 408 || status == 429 || status >= 500 ? LATER : FAILED;
}

/* The line broke, but behind the last byte that was wanted. */
static bool has_all(const struct download *d)
{
	return d->end ? d->at == d->end : d->whole != UINT64_MAX && d->at == d->whole;
}

/* One try: the outcome, with e set unless it is DONE or AGAIN. */
static int attempt(struct download *d, int *rc, struct err *e)
{
	if (d->g->authorize && !d->refreshed && d->g->authorize(d->g->ctx, NULL, &d->secret, e) < 0)
		return FAILED;
	*rc = ask(d, e);
	if (*rc < 0 && d->r.broken && has_all(d) && d->r.status)
		return DONE;
	if (*rc < 0)
		return d->r.broken ? LATER : FAILED;
	return after_answer(d, e);
}

int http_fetch(struct http_client *c, const struct http_get *g, const struct sink *to, struct err *e)
{
	uint64_t offset = g->range ? g->range->offset : g->offset;
	CLEANUP(download_release) struct download d = {
		.c = c,
		.g = g,
		.to = to,
		.at = offset,
		.whole = g->size,
		.end = g->range && g->range->end < g->size ? g->range->end : 0,
		.etag = g->range && g->range->etag ? xstrdup(g->range->etag) : NULL,
		.deadline_at = http_deadline(c),
		.r = HTTP_RESPONSE_INIT,
	};
	struct http_tries tries = { 0 };

	if (url_parse(g->url, "address", &d.url, e) < 0)
		return -1;
	if (offset && offset >= g->size)
		return offset == g->size ? 0 : err_set(e, ERR_BUG, "offset beyond the size");
	for (;;) {
		uint64_t before = d.at;
		int rc = 0, outcome = attempt(&d, &rc, e);

		if (outcome == DONE)
			return 0;
		if (outcome == FAILED)
			return -1;
		if (outcome == AGAIN)
			continue;
		d.refreshed = false;
		if (d.at - before >= PROGRESS_MIN)
			tries.n = 0;
		if (d.at - before >= AT_ONCE_MIN && d.r.broken && !proc_interrupted)
			continue;
		if (!http_again_until(c, &tries, d.r.broken ? -1 : rc, &d.r, d.deadline_at, e))
			return -1;
	}
}
