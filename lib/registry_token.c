/* SPDX-License-Identifier: Apache-2.0 */
/* Talks to token servers: the GET form, and the POST form for identity tokens. */
#include "registry_ask.h"

#include <airgap/json.h>

#define CLIENT_ID     "airgap"
#define ANSWER_MAX    65536u
#define SECONDS_LEAST 60u               /* what the specification assumes when nothing is said */
#define SECONDS_MOST  86400u

static int refuse(const struct registry *r, const struct url *u, const char *why, struct err *e)
{
	auto_free char *shown = url_shown(u);

	return err_set(e, ERR_AUTH, "%s: names %s as its token server: %s", r->host, shown, why);
}

/* May our password go there? The token server of a registry with TLS has TLS; none hides at a private address
 * unless the registry does. */
static int check_realm(struct registry *r, const struct url *u, struct err *e)
{
	if (r->url.tls && !u->tls)
		return refuse(r, u, "plain http is refused", e);
	if (url_is_private(u) && !url_is_private(&r->url) && !str_eq(u->host, r->url.host) &&
	    !http_host_known(r->http, u))
		return refuse(r, u, "a private address is refused", e);
	return http_host_inherit(r->http, u, &r->url, e);
}

/* A token goes into a header: printable ASCII, no blanks. */
static bool token_ok(const char *s)
{
	if (!s || !*s)
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static int read_answer(const struct buf *body, const char *host, struct secret *out, uint64_t *seconds, struct err *e)
{
	auto_json json_t *j = jdoc_parse(body->ptr, body->len, ANSWER_MAX, "token", e);
	const char *token = jdoc_text(j, "access_token", NULL);
	json_t *life = jdoc_at(j, "expires_in", NULL);
	double n = json_is_number(life) ? json_number_value(life) : 0;

	if (!token)
		token = jdoc_text(j, "token", NULL);
	if (!json_is_object(j) || !token_ok(token))
		return err_set(e, ERR_PROTOCOL, "the token server '%s' answers without a usable token", host);
	*seconds = n >= 1 ? MIN((uint64_t)MIN(n, 1e9), SECONDS_MOST) : SECONDS_LEAST;
	secret_set(out, token);
	return 0;
}

static void put_form(struct buf *b, const char *key, const char *value)
{
	if (b->len)
		buf_putc(b, '&');
	buf_putf(b, "%s=", key);
	url_escape(b, value, "");
}

static int send(struct registry *r, const struct http_request *q, struct buf *into, struct http_response *answer,
		struct err *e)
{
	const struct sink to = { buf_sink_write, into };
	struct http_tries tries = { 0 };
	int rc;

	do {
		buf_clear(into);
		r->token_requests++;
		rc = http_do(r->http, q, &to, answer, e);
	} while (http_again(r->http, &tries, rc, answer, e));
	return rc;
}

/* Registries that are asked in the open answer to everybody: the credentials, not the address, are at fault. */
static int token_refused(const struct registry *r, const struct http_response *answer, const struct credential *who,
			 struct err *e)
{
	bool denied = answer->status == 400 || answer->status == 401 || answer->status == 403;
	auto_free char *at = url_host(&answer->url);
	auto_free char *subject = denied && who ? xasprintf("%s: credentials from %s: token server '%s'", r->host, who->origin, at)
						: xasprintf("%s: token server '%s'", r->host, at);

	http_status_error(answer, subject, e);
	if (denied)
		e->code = ERR_AUTH;
	return -1;
}

static int by_get(struct registry *r, struct url *realm, const struct challenge *c, const struct strv *scopes,
		  const struct credential *who, struct buf *into, struct http_response *answer, struct err *e)
{
	auto_secret struct secret basic = { 0 };

	if (c->service)
		url_add_query(realm, "service", c->service);
	for (size_t i = 0; i < scopes->n; i++)
		url_add_query(realm, "scope", scopes->items[i]);
	if (who)
		credential_header(who, &basic);

	auto_free char *url = url_text(realm);
	const struct http_request q = { .url = url, .authorization = &basic, .max_body = ANSWER_MAX };

	return send(r, &q, into, answer, e);
}

/* The body holds the refresh token: a redirect would carry it on, so none is followed. */
static int by_post(struct registry *r, const struct url *realm, const struct challenge *c, const struct strv *scopes,
		   const struct credential *who, struct buf *into, struct http_response *answer, struct err *e)
{
	static const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded", NULL };
	CLEANUP(buf_wipe) struct buf form = BUF_INIT(4 * ANSWER_MAX);
	auto_free char *url = url_text(realm), *scope = strv_join(scopes, " ");

	if (strlen(who->secret.text) > ANSWER_MAX || buf_reserve(&form, 4 * ANSWER_MAX, e) < 0)
		return err_set(e, ERR_AUTH, "%s: the identity token is too long", r->host);
	put_form(&form, "grant_type", "refresh_token");
	put_form(&form, "client_id", CLIENT_ID);
	if (c->service)
		put_form(&form, "service", c->service);
	if (*scope)
		put_form(&form, "scope", scope);
	put_form(&form, "refresh_token", who->secret.text);

	const struct http_request q = {
		.method = "POST",
		.url = url,
		.headers = headers,
		.body = form.ptr,
		.body_size = form.len,
		.max_body = ANSWER_MAX,
		.stay = true,
	};

	return send(r, &q, into, answer, e);
}

static int fetch_from(struct registry *r, struct url *realm, const struct challenge *c, const struct strv *scopes,
		      const struct credential *who, struct http_response *answer, struct secret *out, uint64_t *seconds,
		      struct err *e)
{
	CLEANUP(buf_wipe) struct buf body = BUF_INIT(ANSWER_MAX);
	bool identity = who && who->kind == CREDENTIAL_IDENTITY;

	if (buf_reserve(&body, ANSWER_MAX, e) < 0)
		return -1;

	int rc = identity ? by_post(r, realm, c, scopes, who, &body, answer, e) :
			    by_get(r, realm, c, scopes, who, &body, answer, e);

	if (rc < 0)
		return err_wrap(e, "%s: token server", r->host);
	if (answer->status != 200)
		return token_refused(r, answer, who, e);
	return read_answer(&body, answer->url.host, out, seconds, e);
}

/* 403 may be for this scope alone; 401 before any token came is for all. */
static enum registry_standing judge(int rc, const struct http_response *answer)
{
	if (rc == 0)
		return STANDING_GOOD;
	return answer->status == 401 ? STANDING_REFUSED : STANDING_UNKNOWN;
}

int registry_token_fetch(struct registry *r, const struct challenge *c, const struct strv *scopes,
			 const struct credential *who, struct secret *out, uint64_t *seconds, struct err *e)
{
	CLEANUP(url_release) struct url realm = { 0 };
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;

	if (url_parse(c->realm, "realm of the token server", &realm, e) < 0) {
		e->code = ERR_PROTOCOL;
		return err_wrap(e, "%s", r->host);
	}
	if (check_realm(r, &realm, e) < 0)
		return -1;

	int known = who ? registry_standing_begin(r, who, e) : 1;

	if (known < 0)
		return -1;

	int rc = fetch_from(r, &realm, c, scopes, who, &answer, out, seconds, e);

	if (!known)
		registry_standing_end(r, who, judge(rc, &answer), e);
	return rc;
}
