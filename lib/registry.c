/* SPDX-License-Identifier: Apache-2.0 */
#include "registry_ask.h"

#include <airgap/ref.h>

#define CHUNK_BYTES (UINT64_C(32) << 20)
#define ANSWER_MS   600000u

/* ---- one registry ---- */

static bool is_hub(const char *host)
{
	return str_eq(host, "docker.io") || str_eq(host, "index.docker.io");
}

/* Settings that came on the way of the command line belong to the client. */
static int give_settings(struct http_client *http, const char *host, const struct registry_options *o, struct err *e)
{
	const struct http_host h = { .host = host, .plain_http = o->plain_http, .ca_file = o->ca_file };

	return o->plain_http || o->ca_file ? http_host_set(http, &h, e) : 0;
}

struct registry *registry_open(struct http_client *http, const char *host, const struct registry_options *o,
			       struct err *e)
{
	auto_registry struct registry *r = xcalloc(1, sizeof(*r));
	const char *api = is_hub(host) ? "registry-1.docker.io" : host;

	r->http = http;
	r->host = xstrdup(host);
	r->credentials = o->credentials;
	r->push = o->push;
	r->chunk = o->chunk ? o->chunk : CHUNK_BYTES;
	r->answer_ms = o->answer_ms ? o->answer_ms : ANSWER_MS;
	r->quota_stop = o->quota_stop;
	r->on_quota = o->on_quota;
	quota_init(&r->quota);
	registry_auth_init(&r->auth);
	pthread_mutex_init(&r->referrers_lock, NULL);
	if (give_settings(http, api, o, e) < 0)
		return NULL;
	r->base = http_host_base(http, api);
	if (url_parse(r->base, "registry", &r->url, e) < 0)
		return NULL;
	return TAKE(r);
}

void registry_close(struct registry *r)
{
	if (!r)
		return;
	registry_auth_release(&r->auth);
	pthread_mutex_destroy(&r->referrers_lock);
	url_release(&r->url);
	free(r->host);
	free(r->base);
	free(r);
}

const char *registry_host(const struct registry *r)
{
	return r->host;
}

bool registry_room(struct registry *r)
{
	return http_host_room(r->http, &r->url);
}

struct registry_stats registry_stats(struct registry *r)
{
	return (struct registry_stats){
		.requests = r->requests,
		.tokens = r->token_requests,
		.heads = r->heads,
		.gets = r->gets,
		.puts = r->puts,
		.mounts = r->mounts,
		.bytes_in = r->bytes_in,
		.bytes_out = r->bytes_out,
	};
}

bool registry_counts_pulls(struct registry *r)
{
	struct registry_quota q;

	return is_hub(r->host) || registry_quota(r, &q) == 1;
}

/* ---- names and errors ---- */

int registry_check_names(const char *repository, const char *ref, struct err *e)
{
	struct digest d;

	if (repository && !ref_path_ok(repository))
		return err_set(e, ERR_UNSAFE, "'%.100s' is not the name of a repository", repository);
	if (ref && !ref_tag_ok(ref) && !digest_parse(ref, &d))
		return err_set(e, ERR_UNSAFE, "'%.140s' is neither a tag nor a digest", ref);
	return 0;
}

char *registry_subject(const struct registry *r, const char *repository, const char *ref)
{
	if (!repository)
		return xstrdup(r->host);
	if (!ref)
		return xasprintf("%s/%s", r->host, repository);
	return xasprintf("%s/%s%c%s", r->host, repository, strchr(ref, ':') ? '@' : ':', ref);
}

int registry_refused(struct registry *r, const struct http_response *answer, const char *subject, struct err *e)
{
	http_status_error(answer, subject, e);
	if (r->push && e->code != ERR_AUTH && e->code != ERR_RATE)
		e->code = ERR_REGISTRY;
	return -1;
}

int registry_check_digest(const struct http_response *answer, const struct digest *d, const char *subject,
			  struct err *e)
{
	const char *named = http_header(answer, "docker-content-digest");
	char text[DIGEST_TEXT];
	struct digest other;

	if (!named || !digest_parse(named, &other) || digest_eq(&other, d))
		return 0;
	return err_set(e, ERR_DIGEST, "%s: the registry names the digest %s where it is %s", subject, named,
		       digest_text(d, text));
}

/* ---- a request ---- */

/* Does the request go to the registry itself? An upload's address may lie elsewhere. */
static int is_home(const struct registry *r, const struct registry_ask *a, bool *home, struct err *e)
{
	CLEANUP(url_release) struct url u = { 0 };

	if (url_parse(a->url, r->host, &u, e) < 0)
		return -1;
	*home = url_same_origin(&u, &r->url);
	return 0;
}

static int send(struct registry *r, const struct registry_ask *a, const struct secret *secret,
		struct http_response *answer, struct err *e)
{
	const struct sink to = { buf_sink_write, a->into };
	const struct http_request q = {
		.method = a->method,
		.url = a->url,
		.headers = a->headers,
		.authorization = secret,
		.body = a->body,
		.source = a->source,
		.body_size = a->body_size,
		.max_body = a->into ? a->into->max : 0,
		.answer_ms = a->answer_ms,
	};

	if (a->into)
		buf_clear(a->into);
	r->requests++;
	return http_do(r->http, &q, a->into ? &to : NULL, answer, e);
}

/* A stream is set back for another try; false: it cannot be. */
static bool set_back(const struct registry_ask *a, struct err *e)
{
	if (!a->source)
		return true;
	return a->source->seek && a->source->seek(a->source->ctx, 0, e) == 0;
}

/* A 401 of the registry itself (not of an address it sent us to) is answered once. */
static bool is_challenge(const struct registry *r, const struct http_response *answer, int rc)
{
	return rc == 0 && answer->status == 401 && url_same_origin(&answer->url, &r->url);
}

int registry_ask(struct registry *r, const struct registry_ask *a, struct http_response *answer, struct err *e)
{
	auto_secret struct secret secret = { 0 };
	struct http_tries tries = { 0 };
	bool home = false, refreshed = false;

	if (is_home(r, a, &home, e) < 0)
		return -1;
	for (;;) {
		if (home && !refreshed && registry_authorize(r, &a->scope, NULL, &secret, e) < 0)
			return -1;

		int rc = send(r, a, &secret, answer, e);

		if (home && !refreshed && is_challenge(r, answer, rc)) {
			refreshed = true;
			if (registry_authorize(r, &a->scope, answer, &secret, e) < 0)
				return -1;
			if (!set_back(a, e))
				return 0;
			continue;
		}
		if (rc == 0)
			quota_note(r, answer);
		if (a->once || (a->pull && rc == 0 && answer->status == 429 && quota_is_out(r)) || !http_again(r->http, &tries, rc, answer, e))
			return rc;
		if (!set_back(a, e))
			return rc;
		refreshed = false;
	}
}

/* ---- is it there, and may we? ---- */

void registry_cancel(struct registry *r, const char *url, const char *repository)
{
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;
	const struct registry_ask a = { .method = "DELETE", .url = url, .scope = { repository, NULL, true }, .once = true };
	struct err ignored;
	int rc = registry_ask(r, &a, &answer, &ignored);

	(void)rc;
}

/* Rights to push show only in an upload that begins; it is given up at once. */
static int try_upload(struct registry *r, const char *repository, struct err *e)
{
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;
	auto_free char *url = xasprintf("%s/v2/%s/blobs/uploads/", r->base, repository);
	auto_free char *subject = registry_subject(r, repository, NULL);
	const struct registry_ask a = { .method = "POST", .url = url, .scope = { repository, NULL, true } };
	CLEANUP(url_release) struct url at = { 0 };

	if (registry_ask(r, &a, &answer, e) < 0)
		return -1;
	if (answer.status != 202)
		return registry_refused(r, &answer, subject, e);

	const char *location = http_header(&answer, "location");

	if (!location || url_resolve(&answer.url, location, &at, e) < 0)
		return err_set(e, ERR_PROTOCOL, "%s: an upload without an address", subject);

	auto_free char *text = url_text(&at);

	registry_cancel(r, text, repository);
	return 0;
}

int registry_ping(struct registry *r, const char *repository, struct err *e)
{
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;
	auto_buf struct buf body = BUF_INIT(1u << 20);
	auto_free char *subject = registry_subject(r, repository, NULL);
	auto_free char *url = repository ? xasprintf("%s/v2/%s/tags/list?n=1", r->base, repository) :
					   xasprintf("%s/v2/", r->base);
	struct registry_ask a = { .url = url, .into = &body, .scope = { repository, NULL, false } };

	if (registry_check_names(repository, NULL, e) < 0)
		return -1;
	if (repository && r->push)
		return try_upload(r, repository, e);
	if (registry_ask(r, &a, &answer, e) < 0)
		return -1;
	if (answer.status == 200 || (repository && answer.status == 404))
		return 0;
	if (answer.status == 404)
		return err_set(e, r->push ? ERR_REGISTRY : ERR_PROTOCOL, "%s: there is no registry of version 2", subject);
	return registry_refused(r, &answer, subject, e);
}
