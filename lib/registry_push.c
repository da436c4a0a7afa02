/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs on their way out: one PUT; resumed or in chunks where that does not do. */
#include "registry_ask.h"

#define CHUNK_LEAST (UINT64_C(5) << 20)
#define PROGRESS_MIN (UINT64_C(256) << 10)      /* so much gained makes the tries count anew */
#define RESTARTS    2u             /* for other reasons than the line */

/* A part of the source as a body of its own. */
struct slice {
	const struct source *from;
	uint64_t base;          /* where in the source it begins */
	uint64_t *pos;          /* where the source stands */
	uint64_t left;
};

static ssize_t slice_read(void *ctx, void *p, size_t n, struct err *e)
{
	struct slice *s = ctx;
	ssize_t got = s->from->read(s->from->ctx, p, (size_t)MIN(n, s->left), e);

	if (got > 0) {
		*s->pos += (uint64_t)got;
		s->left -= (uint64_t)got;
	}
	return got;
}

static int slice_seek(void *ctx, uint64_t at, struct err *e)
{
	struct slice *s = ctx;
	uint64_t end = *s->pos + s->left;

	if (s->base + at == *s->pos)
		return 0;
	if (!s->from->seek)
		return err_set(e, ERR_NETWORK, "the line broke, and the content cannot be read again");
	if (s->from->seek(s->from->ctx, s->base + at, e) < 0)
		return -1;
	*s->pos = s->base + at;
	s->left = end - *s->pos;
	return 0;
}

/* An upload and where it stands. */
struct upload {
	struct registry *r;
	const struct registry_blob *b;
	const struct source *from;
	uint64_t pos;                   /* of the source */
	char *subject;
	char *at;                       /* the newest Location; NULL: no session */
	struct url url;                 /* the same, parsed */
	uint64_t have;                  /* bytes the registry has */
	uint64_t best;                  /* the most it ever had */
	uint64_t chunk;                 /* 0 = all in one PUT */
	uint64_t chunk_least;           /* what the registry asks for */
	bool pieced;                    /* bytes came in more than one request */
	unsigned restarts;
	struct http_tries tries;
	struct http_response answer;
};

static void upload_release(struct upload *u)
{
	free(u->subject);
	free(u->at);
	url_release(&u->url);
	http_response_release(&u->answer);
}

static struct registry_scope scope_of(const struct upload *u)
{
	return (struct registry_scope){ u->b->repository, u->b->from, true };
}

/* ---- the session's address ---- */

static int refuse_location(const struct upload *u, const char *why, struct err *e)
{
	return err_set(e, ERR_REDIRECT, "%s: the upload's address is on '%s': %s", u->subject, u->url.host, why);
}

/* Location of the last answer, by the rules for redirects. */
static int take_location(struct upload *u, bool must, struct err *e)
{
	const char *location = http_header(&u->answer, "location");
	CLEANUP(url_release) struct url to = { 0 };

	if (location && !*location)
		location = NULL;
	if (!location && !must)
		return 0;
	if (!location)
		return err_set(e, ERR_PROTOCOL, "%s: the registry opens an upload without an address", u->subject);
	if (url_resolve(&u->answer.url, location, &to, e) < 0) {
		e->code = ERR_REDIRECT;
		return err_wrap(e, "%s: address of the upload", u->subject);
	}
	url_release(&u->url);
	u->url = to;
	to = (struct url){ 0 };
	if (u->r->url.tls && !u->url.tls)
		return refuse_location(u, "from https to http is refused (does its proxy pass X-Forwarded-Proto on?)", e);
	if (!str_eq(u->url.host, u->r->url.host) && url_is_private(&u->url) && !url_is_private(&u->r->url) &&
	    !http_host_known(u->r->http, &u->url))
		return refuse_location(u, "a private address is refused", e);
	free(u->at);
	u->at = url_text(&u->url);
	return 0;
}

/* Its query stays byte for byte: it is signed. */
static char *final_address(const struct upload *u)
{
	CLEANUP(url_release) struct url to = url_copy(&u->url);
	char text[DIGEST_TEXT];

	url_add_query(&to, "digest", digest_text(&u->b->digest, text));
	return url_text(&to);
}

static void give_up(struct upload *u)
{
	if (u->at)
		registry_cancel(u->r, u->at, u->b->repository);
	free(u->at);
	u->at = NULL;
	u->have = 0;
}

/* ---- opening ---- */

static int open_request(struct upload *u, const char *from, struct err *e)
{
	auto_buf struct buf url = BUF_INIT(4096);
	char text[DIGEST_TEXT];

	buf_putf(&url, "%s/v2/%s/blobs/uploads/", u->r->base, u->b->repository);
	if (from) {
		buf_puts(&url, "?mount=");
		url_escape(&url, digest_text(&u->b->digest, text), "");
		buf_puts(&url, "&from=");
		url_escape(&url, from, "/");
	}

	const struct registry_ask a = {
		.method = "POST",
		.url = buf_str(&url),
		.scope = { u->b->repository, from, true },
	};

	return registry_ask(u->r, &a, &u->answer, e);
}

/* 1: mounted. 0: a session is open. */
static int open_session(struct upload *u, bool mount, struct err *e)
{
	const char *least;

	u->have = 0;
	if (mount && open_request(u, u->b->from, e) < 0)
		return err_wrap(e, "%s", u->subject);
	if (mount && u->answer.status == 201)
		return registry_check_digest(&u->answer, &u->b->digest, u->subject, e) < 0 ? -1 : 1;
	if (mount && u->answer.status == 429)
		return registry_refused(u->r, &u->answer, u->subject, e);
	/* a registry that cannot mount may still take it */
	if (!mount || u->answer.status != 202) {
		if (open_request(u, NULL, e) < 0)
			return err_wrap(e, "%s", u->subject);
		if (u->answer.status != 202)
			return registry_refused(u->r, &u->answer, u->subject, e);
	}
	least = http_header(&u->answer, "oci-chunk-min-length");
	if (!least || !u64_parse(least, &u->chunk_least))
		u->chunk_least = 0;
	return take_location(u, true, e);
}

/* ---- sending ---- */

/* ASK where it stands, the session is LOST, begin AGAIN for good reason, once. */
enum outcome { DONE, BROKEN, ASK, TOO_LARGE, LOST, AGAIN, FAILED };

/* What an answer that is no success asks us to do. */
static enum outcome judge(struct upload *u, int rc, struct err *e)
{
	int status = u->answer.status;

	if (rc < 0)
		return u->answer.broken ? BROKEN : FAILED;
	registry_refused(u->r, &u->answer, u->subject, e);
	if (status == 413)
		return TOO_LARGE;
	if (status == 416)
		return ASK;
	if (status == 408 || status == 429 || status >= 500)
		return BROKEN;
	/* docker-registry forgets an upload whose line broke. */
	if (status == 404)
		return LOST;
	/* Pieces that did not fit together. */
	return status == 400 && u->pieced ? AGAIN : FAILED;
}

static int send_slice(struct upload *u, const char *method, const char *url, const char *const *headers, uint64_t n,
		      unsigned answer_ms, struct err *e)
{
	struct slice part = { u->from, u->have, &u->pos, n };
	const struct source s = { slice_read, slice_seek, &part };
	const struct registry_ask a = {
		.method = method,
		.url = url,
		.headers = headers,
		.source = n ? &s : NULL,
		.body_size = n,
		.scope = scope_of(u),
		.once = true,
		.answer_ms = answer_ms,
	};

	/* the source may stand elsewhere after an earlier try */
	part.left = 0;
	if (slice_seek(&part, 0, e) < 0)
		return -1;
	part.left = n;
	return registry_ask(u->r, &a, &u->answer, e);
}

/* PUT with whatever is not there yet; nothing after chunks. */
static enum outcome put_rest(struct upload *u, struct err *e)
{
	static const char *const headers[] = { "Content-Type: application/octet-stream", NULL };
	auto_free char *url = final_address(u);

	u->answer.broken = false;

	int rc = send_slice(u, "PUT", url, headers, u->b->size - u->have, u->r->answer_ms, e);

	if (rc < 0 || (u->answer.status != 201 && u->answer.status != 200 && u->answer.status != 204))
		return judge(u, rc, e);
	if (registry_check_digest(&u->answer, &u->b->digest, u->subject, e) < 0)
		return FAILED;
	free(u->at);
	u->at = NULL;
	return DONE;
}

/* How far the registry says it is: of all, or (some) of this chunk. */
static enum outcome take_range(struct upload *u, uint64_t sent, struct err *e)
{
	const char *range = http_header(&u->answer, "range");
	uint64_t have;

	if (!range || !upload_range_parse(range, &have) || have == sent || have == u->have + sent) {
		u->have += sent;
		return DONE;
	}
	if (have > u->have && have < u->have + sent) {
		u->have = have;
		return DONE;
	}
	err_set(e, ERR_PROTOCOL, "%s: the registry counts %llu bytes where %llu were sent", u->subject,
		(unsigned long long)have, (unsigned long long)(u->have + sent));
	return AGAIN;
}

static enum outcome patch_chunk(struct upload *u, struct err *e)
{
	uint64_t n = MIN(u->chunk, u->b->size - u->have);
	auto_free char *range = xasprintf("Content-Range: %llu-%llu", (unsigned long long)u->have,
					  (unsigned long long)(u->have + n - 1));
	const char *const headers[] = { "Content-Type: application/octet-stream", range, NULL };
	int status;

	u->answer.broken = false;
	u->pieced = true;

	int rc = send_slice(u, "PATCH", u->at, headers, n, u->r->answer_ms, e);

	status = u->answer.status;
	if (rc < 0 || (status != 200 && status != 201 && status != 202 && status != 204))
		return judge(u, rc, e);
	if (take_location(u, false, e) < 0)
		return FAILED;
	u->tries.n = 0;
	return take_range(u, n, e);
}

static enum outcome send_all(struct upload *u, struct err *e)
{
	enum outcome o = DONE;

	while (o == DONE && u->chunk && u->have < u->b->size)
		o = patch_chunk(u, e);
	return o == DONE ? put_rest(u, e) : o;
}

/* ---- after trouble ---- */

/* Asks where the upload stands; without an answer a new session is opened. */
static int resume(struct upload *u, struct err *e)
{
	const struct registry_ask a = { .url = u->at, .scope = scope_of(u) };
	const char *range;
	uint64_t have;

	if (registry_ask(u->r, &a, &u->answer, e) < 0)
		return -1;
	range = http_header(&u->answer, "range");
	if ((u->answer.status != 204 && u->answer.status != 202 && u->answer.status != 200) || !range ||
	    !upload_range_parse(range, &have) || have > u->b->size) {
		give_up(u);
		return open_session(u, false, e);
	}
	if (take_location(u, false, e) < 0)
		return -1;
	u->have = have == 1 ? 0 : have;         /* "0-0" is said for nothing, too */
	u->pieced |= u->have > 0;
	if (u->have && !u->chunk)
		u->chunk = MAX(u->r->chunk, u->chunk_least);
	if (u->have >= u->best + PROGRESS_MIN)
		u->tries.n = 0;
	u->best = MAX(u->best, u->have);
	return 0;
}

static int restart(struct upload *u, struct err *e)
{
	give_up(u);
	u->pieced = false;
	return open_session(u, false, e);
}

/* Half of what was too much, but not below what the registry or reason wants. */
static int shrink(struct upload *u, struct err *e)
{
	uint64_t least = MAX(MIN(CHUNK_LEAST, u->r->chunk / 4), u->chunk_least);
	uint64_t now = u->chunk ? u->chunk : u->b->size;
	uint64_t next = u->chunk ? now / 2 : MIN(u->r->chunk, now / 2);

	if (now <= least)
		return -1;
	u->chunk = MAX(next, least);
	return resume(u, e);
}

static int recover(struct upload *u, enum outcome o, struct err *e)
{
	if (o == TOO_LARGE)
		return shrink(u, e);
	if (o == AGAIN || o == ASK) {
		if (++u->restarts > RESTARTS)
			return -1;
		return o == ASK ? resume(u, e) : restart(u, e);
	}
	u->answer.broken |= o == LOST;
	if (o == FAILED || !http_again(u->r->http, &u->tries, u->answer.broken ? -1 : 0, &u->answer, e))
		return -1;
	return o == LOST ? restart(u, e) : resume(u, e);
}

static int upload_run(struct upload *u, struct err *e)
{
	for (;;) {
		enum outcome o = send_all(u, e);

		if (o == DONE)
			return 0;
		if (recover(u, o, e) < 0)
			return -1;
	}
}

int registry_blob_put(struct registry *r, const struct registry_blob *b, const struct source *from, enum registry_how *how,
		      struct err *e)
{
	char text[DIGEST_TEXT];
	CLEANUP(upload_release) struct upload u = {
		.r = r,
		.b = b,
		.from = from,
		.subject = registry_subject(r, b->repository, digest_text(&b->digest, text)),
		.answer = HTTP_RESPONSE_INIT,
	};
	int mounted;

	if (registry_check_names(b->repository, NULL, e) < 0 || (b->from && registry_check_names(b->from, NULL, e) < 0))
		return -1;
	mounted = open_session(&u, b->from != NULL, e);
	if (mounted < 0)
		return -1;
	if (!mounted && upload_run(&u, e) < 0) {
		give_up(&u);
		return -1;
	}
	r->mounts += mounted ? 1 : 0;
	r->puts += mounted ? 0 : 1;
	r->bytes_out += mounted ? 0 : b->size;
	if (how)
		*how = mounted ? REGISTRY_MOUNTED : REGISTRY_UPLOADED;
	return 0;
}

int registry_blob_mount(struct registry *r, const struct registry_blob *b, struct err *e)
{
	char text[DIGEST_TEXT];
	CLEANUP(upload_release) struct upload u = {
		.r = r,
		.b = b,
		.subject = registry_subject(r, b->repository, digest_text(&b->digest, text)),
		.answer = HTTP_RESPONSE_INIT,
	};

	if (registry_check_names(b->repository, NULL, e) < 0 || registry_check_names(b->from, NULL, e) < 0)
		return -1;
	if (open_request(&u, b->from, e) < 0)
		return err_wrap(e, "%s", u.subject);
	if (u.answer.status == 201) {
		r->mounts++;
		return 1;
	}
	if (u.answer.status != 202)
		return registry_refused(r, &u.answer, u.subject, e);
	if (take_location(&u, true, e) == 0)
		give_up(&u);
	return 0;
}
