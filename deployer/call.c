/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include "path.h"

#include <airgap/fs.h>

#define ANSWER_MAX (8u << 20)
#define WORDS_MAX  300

/* ---- where it is ---- */

/* The CA into a file of ours: that is what the HTTP client takes. */
static int save_ca(struct call_server *c, const char *pem, char **out, struct err *e)
{
	auto_free char *path = xasprintf("%s/%s-ca.pem", c->engine->session->kubectl.home, c->step->metadata.name);

	if (fs_save(path, pem, strlen(pem), 0600, e) < 0)
		return -1;
	*out = TAKE(path);
	return 0;
}

/* The address and the CA of a server outside, references resolved. */
static int resolve_address(struct call_server *c, enum call_mode mode, json_t **out, struct err *e)
{
	const struct step_call *k = &c->step->call;
	struct secrets *x = c->engine->secrets;
	auto_json json_t *parts = json_pack("{s:{s:s, s:s*}}", "call", "url", k->request.url, "ca", k->ca);
	bool known = true;

	*out = mode == CALL_ACT ? secrets_resolve(x, c->step->id, parts, false, e)
				: secrets_resolve_known(x, c->step->id, parts, &known, e);
	if (*out && !known) {
		c->unknown = true;
		json_decref(*out);
		*out = NULL;
		err_set(e, ERR_PREFLIGHT, "the address is not known yet");
	}
	return *out ? 0 : -1;
}

static int open_address(struct call_server *c, enum call_mode mode, struct err *e)
{
	auto_json json_t *parts = NULL;
	auto_url struct url u = { 0 };
	auto_free char *ca = NULL;

	if (resolve_address(c, mode, &parts, e) < 0 || url_parse(jdoc_text(parts, "call", "url", NULL), "url", &u, e) < 0)
		return -1;

	const char *pem = jdoc_text(parts, "call", "ca", NULL);
	auto_free char *host = url_host(&u);
	struct http_host h = { .host = host, .plain_http = !u.tls };

	if (pem && save_ca(c, pem, &ca, e) < 0)
		return -1;
	h.ca_file = ca;
	c->base = xasprintf("%s://%s", u.tls ? "https" : "http", host);
	return http_host_set(c->http, &h, e);
}

static int open_forward(struct call_server *c, struct err *e)
{
	const struct step_via *via = &c->step->call.via;

	if (kubectl_forward_open(&c->engine->session->kubectl, via->ns, via->service, (unsigned)via->port, &c->forward, e) < 0)
		return -1;

	auto_free char *host = xasprintf("127.0.0.1:%u", c->forward.port);
	struct http_host h = { .host = host, .plain_http = true };

	c->base = xasprintf("http://%s", host);
	return http_host_set(c->http, &h, e);
}

int call_open(struct call_server *c, enum call_mode mode, struct err *e)
{
	struct http_options o = { .user_agent = "airgap-deployer", .tries = 1 };

	c->status = 0;
	c->unknown = false;
	c->http = http_new(&o, e);
	if (!c->http)
		return -1;
	return c->step->call.via.service ? open_forward(c, e) : open_address(c, mode, e);
}

void call_close(struct call_server *c)
{
	if (c->http)
		http_free(TAKE(c->http));
	kubectl_forward_close(&c->forward);
	free(TAKE(c->base));
}

/* ---- asking ---- */

/* A part of the block with what it shares with the call: {PART: {url, method, auth, headers, body}}. */
static json_t *written(const struct call_server *c, const char *part, const struct step_request *q)
{
	const struct step_request *call = &c->step->call.request;
	const struct step_auth *auth = q->auth.basic || q->auth.bearer ? &q->auth : &call->auth;
	json_t *headers = q->headers ? q->headers : call->headers;

	return json_pack("{s:{s:s, s:s*, s:s*, s:O*, s:O*}}", *part ? part : "call", "url", q->url, "basic", auth->basic,
			 "bearer", auth->bearer, "headers", headers, "body", q->body);
}

/* NULL: -1. The references are resolved, or it is not to be asked. */
static json_t *resolved(struct call_server *c, const char *part, const struct step_request *q, enum call_mode mode, struct err *e)
{
	struct secrets *x = c->engine->secrets;
	auto_json json_t *parts = written(c, part, q);
	bool known = true;
	auto_json json_t *r = mode == CALL_ACT ? secrets_resolve(x, c->step->id, parts, false, e)
					       : secrets_resolve_known(x, c->step->id, parts, &known, e);

	if (!r)
		return NULL;
	if (!known) {
		c->unknown = true;
		err_set(e, ERR_PREFLIGHT, "something in it is not known yet");
		return NULL;
	}
	/* What was generated for it is kept before anybody hears of it. */
	if (mode == CALL_ACT && secrets_save(x, e) < 0)
		return NULL;
	return json_incref(json_object_get(r, *part ? part : "call"));
}

static void put_headers(const json_t *q, struct strv *out)
{
	const char *key;
	json_t *value;

	strv_push(out, "Accept: application/json");
	if (json_object_get(q, "body"))
		strv_push(out, "Content-Type: application/json");
	json_object_foreach(json_object_get(q, "headers"), key, value)
		strv_pushf(out, "%s: %s", key, json_string_value(value));
}

static int check_lines(const struct strv *headers, struct err *e)
{
	for (size_t i = 0; i < headers->n; i++)
		if (strpbrk(headers->items[i], "\r\n"))
			return err_set(e, ERR_MALFORMED, "headers: '%.*s': a line break in it", (int)strcspn(headers->items[i], ":"),
				       headers->items[i]);
	return 0;
}

static void put_authorization(const json_t *q, struct secret *out)
{
	const char *basic = jdoc_text(q, "basic", NULL), *bearer = jdoc_text(q, "bearer", NULL);

	if (bearer)
		secret_setf(out, "Bearer %s", bearer);
	if (!basic)
		return;

	auto_free char *encoded = xmalloc(base64_size(strlen(basic)));

	secret_setf(out, "Basic %s", base64_encode(basic, strlen(basic), encoded));
	wipe(encoded, strlen(encoded));
}

/* The path of a whole address: the rest of it is the server's. */
static const char *path_of(const char *url)
{
	const char *authority = strstr(url, "://"), *path = authority ? strchr(authority + 3, '/') : url;

	return path ? path : "/";
}

/* ---- judging ---- */

/* What the server says of it, clean and cut, or nothing. Half a secret would not be known for one: it is cut last. */
static char *words_of(const struct call_server *c, const json_t *answer)
{
	const char *said = jdoc_text(answer, "meta", "result_msg", NULL);
	auto_free char *words = said ? xstrdup(said) : NULL;

	if (!words)
		return NULL;
	secrets_mask(c->engine->secrets, words);
	for (char *p = words; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return xstrndup(words, WORDS_MAX);
}

static int judge(const struct call_server *c, const struct step_request *q, const struct http_response *r, const json_t *answer,
		 struct err *e)
{
	const json_t *code = jdoc_at(answer, "meta", "result_code", NULL);
	auto_free char *words = words_of(c, answer);

	if (r->status >= 300 && r->status < 400)
		return err_set(e, ERR_REDIRECT, "the server sends us elsewhere (%d): correct the url", r->status);
	if (r->status >= 300 && words)
		return err_set(e, r->status == 401 || r->status == 403 ? ERR_AUTH : r->status >= 500 ? ERR_NETWORK : ERR_PROTOCOL,
			       "the server answered %d: %s", r->status, words);
	if (r->status < 200 || r->status >= 300)
		return http_status_error(r, NULL, e);
	if (code && json_integer_value(code) != 200)
		return err_set(e, ERR_PROTOCOL, "result %lld: %s", (long long)json_integer_value(code), words ? words : "");
	for (size_t i = 0; i < q->expect.n; i++)
		if (!path_holds(answer, q->expect.items[i]))
			return err_set(e, ERR_PROTOCOL, "the answer is not as expected: %s", q->expect.items[i]);
	return 0;
}

static int exchange(struct call_server *c, const json_t *j, const struct step_request *q, json_t **out, struct err *e)
{
	const json_t *body = json_object_get(j, "body");
	auto_free char *url = xasprintf("%s%s", c->base, path_of(jdoc_text(j, "url", NULL)));
	CLEANUP(buf_wipe) struct buf sent = BUF_INIT(ANSWER_MAX), got = BUF_INIT(ANSWER_MAX);
	auto_strv struct strv headers = { 0 };
	auto_secret struct secret authorization = { 0 };
	auto_response struct http_response r = HTTP_RESPONSE_INIT;
	struct sink to = { buf_sink_write, &got };
	struct err ignored;

	put_headers(j, &headers);
	put_authorization(j, &authorization);
	if (check_lines(&headers, e) < 0 || (body && jdoc_dump(body, &sent, e) < 0))
		return -1;

	struct http_request request = {
		.method = q->method ? q->method : body ? "POST" : "GET", .url = url, .headers = (const char *const *)headers.items,
		.authorization = authorization.text ? &authorization : NULL, .body = sent.ptr, .body_size = sent.len, .stay = true,
		.max_body = ANSWER_MAX,
	};

	/* Its port may be somebody else's by now. */
	if (c->step->call.via.service && !kubectl_forward_alive(&c->forward))
		return err_set(e, ERR_NETWORK, "the port-forward to '%s' ended", c->step->call.via.service);
	if (http_do(c->http, &request, &to, &r, e) < 0)
		return -1;
	c->status = r.status;

	const struct buf *text = r.status >= 200 && r.status < 300 ? &got : &r.text;
	auto_json json_t *answer = text->len ? jdoc_parse(text->ptr, text->len, ANSWER_MAX, "answer", &ignored) : json_null();

	if (judge(c, q, &r, answer, e) < 0)
		return -1;
	if (!answer)
		return err_set(e, ERR_PROTOCOL, "the answer is not JSON: is this the address of the API?");
	*out = TAKE(answer);
	return 0;
}

int call_ask(struct call_server *c, const char *part, const struct step_request *q, enum call_mode mode, json_t **out, struct err *e)
{
	auto_json json_t *j = NULL;

	c->status = 0;
	c->unknown = false;
	j = resolved(c, part, q, mode, e);
	if (j && exchange(c, j, q, out, e) == 0)
		return 0;
	secrets_mask(c->engine->secrets, e->msg);
	return err_wrap(e, "%s%s%.*s", part, *part ? ": " : "", (int)strcspn(path_of(q->url), "?"), path_of(q->url));
}

bool call_may_retry(const struct call_server *c, const struct err *e)
{
	static const char *const usual[] = { "network", "502", "503", "504" };
	const struct strv *on = &c->step->call.retry.on;
	char status[16];

	if (c->status == 0 && e->code != ERR_NETWORK && e->code != ERR_DEADLINE)
		return false;
	snprintf(status, sizeof(status), "%d", c->status);

	const char *what = c->status ? status : "network";

	for (size_t i = 0; on->n == 0 && i < ARRAY_LEN(usual); i++)
		if (strcmp(usual[i], what) == 0)
			return true;
	return strv_has(on, what);
}
