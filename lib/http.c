/* SPDX-License-Identifier: Apache-2.0 */
#include "http_wire.h"

#include <airgap/log.h>
#include <airgap/proc.h>

#include <strings.h>
#include <time.h>

#define HOPS_MAX      5u
#define SMALL_BODY    65536u
#define DEFAULT_AGENT "airgap"

struct http_client {
	struct wire_pool pool;
	struct http_troubles troubles;
	struct http_options o;          /* defaults filled in; hosts and user_agent are ours below */
	char *user_agent;
	struct http_hosts hosts;
	struct http_paces paces;
	_Atomic uint64_t retries;
};

/* ---- client and settings ---- */

static void fill_defaults(struct http_options *o)
{
	const struct { unsigned *value, otherwise; } rows[] = {
		{ &o->connect_ms, 15000 },
		{ &o->stall_ms, 60000 },
		{ &o->tries, 5 },
		{ &o->backoff_ms, 250 },
		{ &o->retry_after_max_ms, 60000 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!*rows[i].value)
			*rows[i].value = rows[i].otherwise;
}

struct http_client *http_new(const struct http_options *o, struct err *e)
{
	CLEANUP(cleanup_http) struct http_client *c = xcalloc(1, sizeof(*c));

	c->o = *o;
	c->o.hosts = NULL;
	c->o.n_hosts = 0;
	c->user_agent = xstrdup(o->user_agent ? o->user_agent : DEFAULT_AGENT);
	fill_defaults(&c->o);
	hosts_init(&c->hosts);
	paces_init(&c->paces, o->most_at_once);
	troubles_init(&c->troubles);
	if (wire_pool_init(&c->pool, e) < 0)
		return NULL;
	for (size_t i = 0; i < o->n_hosts; i++)
		if (http_host_set(c, &o->hosts[i], e) < 0)
			return NULL;
	return TAKE(c);
}

void http_free(struct http_client *c)
{
	if (!c)
		return;
	wire_pool_release(&c->pool);
	troubles_release(&c->troubles);
	hosts_release(&c->hosts);
	paces_release(&c->paces);
	free(c->user_agent);
	free(c);
}

int http_host_set(struct http_client *c, const struct http_host *h, struct err *e)
{
	return hosts_add(&c->hosts, h, e);
}

bool http_host_room(struct http_client *c, const struct url *u)
{
	return pace_room(&c->paces, u);
}

bool http_host_known(struct http_client *c, const struct url *u)
{
	return hosts_find(&c->hosts, u) != NULL;
}

int http_host_inherit(struct http_client *c, const struct url *u, const struct url *from, struct err *e)
{
	const struct host *model = hosts_find(&c->hosts, from);
	auto_free char *host = url_host(u);
	const struct http_host h = {
		.host = host,
		.plain_http = model && model->plain_http && !u->tls,
		.ca_file = model ? model->ca_file : NULL,
		.proxy = model ? model->proxy : NULL,
		.user_agent = model ? model->user_agent : NULL,
	};

	return !model || http_host_known(c, u) ? 0 : http_host_set(c, &h, e);
}

char *http_host_base(struct http_client *c, const char *host)
{
	auto_free char *name = url_host_normal(host, true), *plain_name = url_host_normal(host, false);
	/* "host:80" is "host" in plain http only: what is written for the name itself comes first */
	const struct host *known = name ? hosts_by_name(&c->hosts, name, true) : NULL;

	if (!known && plain_name)
		known = hosts_by_name(&c->hosts, plain_name, false);
	return xasprintf("http%s://%s", known && known->plain_http ? "" : "s", host);
}

struct http_stats http_stats(struct http_client *c)
{
	return (struct http_stats){
		.requests = c->pool.requests,
		.retries = c->retries,
		.connections = c->pool.connections,
		.bytes_in = c->pool.bytes_in,
		.bytes_out = c->pool.bytes_out,
	};
}

/* ---- answers ---- */

void http_response_release(struct http_response *r)
{
	strv_release(&r->headers);
	url_release(&r->url);
	buf_wipe(&r->text);
	r->status = 0;
	r->redirects = 0;
	r->body_size = 0;
	r->broken = false;
	r->silent = false;
	r->refused = false;
}

static const char *value_of(const char *field, const char *name)
{
	size_t n = strlen(name);

	return strncmp(field, name, n) == 0 && str_starts(field + n, ": ") ? field + n + 2 : NULL;
}

const char *http_header(const struct http_response *r, const char *name)
{
	for (size_t i = 0; i < r->headers.n; i++) {
		const char *value = value_of(r->headers.items[i], name);

		if (value)
			return value;
	}
	return NULL;
}

void http_header_all(const struct http_response *r, const char *name, struct strv *out)
{
	for (size_t i = 0; i < r->headers.n; i++) {
		const char *value = value_of(r->headers.items[i], name);

		if (value)
			strv_push(out, value);
	}
}

/* ---- redirects ---- */

/* One call and where it stands. */
struct hop {
	struct http_client *c;
	const struct http_request *q;
	struct url first, url;
	const char *method;
	bool has_body, secret_off;
};

static void hop_release(struct hop *h)
{
	url_release(&h->first);
	url_release(&h->url);
}

static bool takes_body(const char *method)
{
	return str_eq(method, "POST") || str_eq(method, "PUT") || str_eq(method, "PATCH");
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static int refuse(const struct hop *h, const struct url *to, const char *why, struct err *e)
{
	auto_free char *from = url_host(&h->url), *shown = url_shown(to);

	return err_set(e, ERR_REDIRECT, "'%s' redirects to %s: %s", from, shown, why);
}

static int check_target(const struct hop *h, const struct url *to, struct err *e)
{
	const struct host *known = hosts_find(&h->c->hosts, to);

	if (h->url.tls && !to->tls)
		return refuse(h, to, "from https to http is refused", e);
	if (!to->tls && !(known && known->plain_http) && !url_same_origin(to, &h->first))
		return refuse(h, to, "plain http is not allowed for that host", e);
	if (url_is_private(to) && !url_is_private(&h->first) && !str_eq(to->host, h->first.host) && !known)
		return refuse(h, to, "a private address: give that host settings of its own if it is meant", e);
	return 0;
}

/* Method and body for the next hop. */
static int change_method(struct hop *h, int status, const struct url *to, struct err *e)
{
	const struct source *s = h->q->source;

	/* What is shown there is no word on whether the content was taken. */
	if (status == 303 && (str_eq(h->method, "PUT") || str_eq(h->method, "PATCH")))
		return refuse(h, to, "the content would not be sent there", e);
	if (status == 303) {
		if (!str_eq(h->method, "HEAD"))
			h->method = "GET";
		h->has_body = false;
		return 0;
	}
	if (str_eq(h->method, "GET") || str_eq(h->method, "HEAD"))
		return 0;
	if (status == 301 || status == 302)
		return refuse(h, to, "the method after this status is ambiguous", e);
	if (h->has_body && s && (!s->seek || s->seek(s->ctx, 0, e) < 0))
		return refuse(h, to, "the content cannot be sent twice", e);
	return 0;
}

static int follow(struct hop *h, const struct http_response *r, unsigned hops, struct err *e)
{
	CLEANUP(url_release) struct url to = { 0 };
	const char *location = http_header(r, "location");

	if (!location || !*location)
		return err_set(e, ERR_PROTOCOL, "'%s' redirects to nowhere", h->url.host);
	if (url_resolve(&h->url, location, &to, e) < 0) {
		e->code = ERR_REDIRECT;
		return -1;
	}
	if (hops > HOPS_MAX)
		return refuse(h, &to, "too many redirects", e);
	if (check_target(h, &to, e) < 0 || change_method(h, r->status, &to, e) < 0)
		return -1;
	/* Once away it stays away, also when a later hop comes home. */
	h->secret_off |= !url_same_origin(&to, &h->first);
	url_release(&h->url);
	h->url = to;
	to = (struct url){ 0 };
	return 0;
}

/* ---- the exchange ---- */

uint64_t http_deadline(const struct http_client *c)
{
	return c->o.deadline_ms ? wire_now() + c->o.deadline_ms : 0;
}

static void on_slow(void *ctx, const struct url *u)
{
	struct http_client *c = ctx;
	auto_free char *host = url_host(u);

	if (troubles_tell(&c->troubles, u))
		c->o.slow(host, WIRE_SLOW_MS / 1000);
}

/* The sink of an exchange, behind the gate of its host. */
struct paced {
	struct http_client *c;
	const struct wire_hooks *hooks;
	struct pace_slot slot;
	uint64_t rate;
};

static int paced_head(void *ctx, const struct http_response *r, struct err *e)
{
	const struct paced *p = ctx;

	return p->hooks->head ? p->hooks->head(p->hooks->ctx, r, e) : 0;
}

static int paced_write(void *ctx, const void *bytes, size_t n, struct err *e)
{
	struct paced *p = ctx;
	int r;

	if (pace_bytes(&p->c->paces, &p->slot, n, p->rate, e) < 0)
		return -1;
	p->slot.sink_since = wire_now();
	r = p->hooks->write ? p->hooks->write(p->hooks->ctx, bytes, n, e) : 0;
	p->slot.sink_since = 0;
	return r;
}

static bool is_trouble(int rc, const struct http_response *r, const struct err *e)
{
	if (rc == 0)
		return r->status == 429 || r->status == 503;
	return r->refused || (r->broken && e->code == ERR_DEADLINE);
}

static int exchange(struct hop *h, const struct wire_request *w, uint64_t rate, const struct wire_hooks *hooks,
		    struct http_response *r, struct err *e)
{
	struct paced p = { .c = h->c, .hooks = hooks, .rate = rate };
	const struct wire_hooks behind = { paced_head, paced_write, &p };
	int rc = -1;

	if (pace_enter(&h->c->paces, w->url, &p.slot, w->deadline_at, e) < 0)
		return -1;
	/* Asked now: others may have found the server mute while this one waited. */
	if (!h->c->o.give_up || troubles_check(&h->c->troubles, w->url, e) == 0)
		rc = wire_exchange(&h->c->pool, w, &behind, r, e);
	pace_leave(&h->c->paces, &p.slot, is_trouble(rc, r, e));
	return rc;
}

/* "" = none, NULL = what the environment says. */
static const char *proxy_of(const struct http_options *o, const struct host *known)
{
	if (known && known->proxy)
		return str_eq(known->proxy, "environment") ? NULL : known->proxy;
	return o->env_proxies ? NULL : "";
}

static int one_hop(struct hop *h, const struct wire_hooks *hooks, uint64_t deadline_at, struct http_response *r,
		   struct err *e)
{
	static const struct host none;
	const struct http_request *q = h->q;
	const struct http_options *o = &h->c->o;
	const struct host *known = hosts_find_or_any(&h->c->hosts, &h->url);
	const struct host *set = known ? known : &none;
	struct wire_request w = {
		.method = h->method,
		.url = &h->url,
		.headers = q->headers,
		.authorization = h->secret_off ? NULL : q->authorization,
		.body = h->has_body ? q->body : NULL,
		.source = h->has_body ? q->source : NULL,
		.body_size = h->has_body ? q->body_size : 0,
		.max_body = q->max_body ? q->max_body : SMALL_BODY,
		.has_body = h->has_body,
		.keep_encoding = q->keep_encoding,
		.user_agent = set->user_agent ? set->user_agent : h->c->user_agent,
		.ca_file = set->ca_file,
		.cert_file = set->cert_file,
		.key_file = set->key_file,
		.proxy = proxy_of(o, known),
		.connect_ms = o->connect_ms,
		.stall_ms = o->stall_ms,
		.answer_ms = q->answer_ms,
		.deadline_at = deadline_at,
		.slow = o->slow ? on_slow : NULL,
		.slow_ctx = h->c,
	};

	http_response_release(r);
	r->url = url_copy(&h->url);
	return exchange(h, &w, set->rate, hooks, r, e);
}

/* For -v. The query stays out: it may be a signature. */
static void say(const struct hop *h, int rc, const struct http_response *r)
{
	auto_free char *shown = NULL;

	if (!log_wants(LOG_DEBUG))
		return;
	shown = url_shown(&h->url);
	if (rc < 0)
		log_debug("%s %s: no answer", h->method, shown);
	else
		log_debug("%s %s: %d", h->method, shown, r->status);
}

static int refuse_plain(const struct url *u, struct err *e)
{
	auto_free char *host = url_host(u);

	return err_set(e, ERR_USAGE, "plain http to '%s' is not allowed: use https, or write hosts: {\"%s\": {plainHTTP: true}} "
		       "(on the command line --plain-http)", host, host);
}

int http_exchange(struct http_client *c, const struct http_request *q, const struct wire_hooks *hooks,
		  uint64_t deadline_at, struct http_response *r, struct err *e)
{
	CLEANUP(hop_release) struct hop h = { .c = c, .q = q, .method = q->method ? q->method : "GET" };
	unsigned hops = 0;

	h.has_body = takes_body(h.method);
	if (url_parse(q->url, "address", &h.first, e) < 0)
		return -1;
	h.url = url_copy(&h.first);
	if (!h.url.tls) {
		const struct host *known = hosts_find(&c->hosts, &h.url);

		if (!known || !known->plain_http)
			return refuse_plain(&h.url, e);
	}
	for (;;) {
		int rc = one_hop(&h, hooks, deadline_at, r, e);

		say(&h, rc, r);
		if (rc < 0)
			return -1;
		if (q->stay || !is_redirect(r->status))
			break;
		if (follow(&h, r, ++hops, e) < 0)
			return -1;
	}
	r->redirects = hops;
	return 0;
}

int http_do(struct http_client *c, const struct http_request *q, const struct sink *to, struct http_response *r,
	    struct err *e)
{
	struct wire_hooks hooks = { .write = to ? to->write : NULL, .ctx = to ? to->ctx : NULL };

	return http_exchange(c, q, &hooks, http_deadline(c), r, e);
}

/* ---- once more ---- */

static bool is_passing(int status)
{
	return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

/* backoff, doubled each time, half of it chance; what the server asks for where that is more. */
static uint64_t pause_ms(const struct http_client *c, unsigned n, int rc, const struct http_response *r)
{
	const char *after = rc == 0 ? http_header(r, "retry-after") : NULL;
	uint64_t wait = (uint64_t)c->o.backoff_ms << MIN(n, 10u), seconds = 0;
	uint16_t chance;

	random_bytes(&chance, sizeof(chance));
	wait = wait / 2 + wait * chance / 131072;
	if (after && retry_after_parse(after, time(NULL), &seconds))
		wait = MAX(wait, MIN(seconds, 3600u) * 1000);
	return MIN(wait, c->o.retry_after_max_ms);
}

static bool sleep_ms(uint64_t ms)
{
	uint64_t end = wire_now() + ms;

	for (;;) {
		uint64_t now = wire_now();
		struct timespec t = { .tv_nsec = 50000000 };

		if (proc_interrupted)
			return false;
		if (now >= end)
			return true;
		if (end - now < 50)
			t.tv_nsec = (long)(end - now) * 1000000;
		nanosleep(&t, NULL);
	}
}

bool http_again_until(struct http_client *c, struct http_tries *t, int rc, const struct http_response *r,
		      uint64_t deadline_at, struct err *e)
{
	bool mute = c->o.give_up && rc < 0 && r->silent && troubles_silent(&c->troubles, &r->url, c->o.stall_ms);
	uint64_t wait;

	if (c->o.give_up && rc == 0)
		troubles_answered(&c->troubles, &r->url);

	if (rc < 0 ? !r->broken : !is_passing(r->status))
		return false;
	if (proc_interrupted)
		return false;
	if (++t->n >= c->o.tries || mute) {
		if (rc < 0 && !r->status && c->o.give_up)
			troubles_add(&c->troubles, &r->url, e);
		return false;
	}
	wait = pause_ms(c, t->n - 1, rc, r);
	if (rc == 0 && http_header(r, "retry-after"))
		pace_hold(&c->paces, &r->url, wait);
	if (deadline_at && wire_now() + wait >= deadline_at)
		return false;
	c->retries++;
	return sleep_ms(wait);
}

bool http_again(struct http_client *c, struct http_tries *t, int rc, const struct http_response *r, struct err *e)
{
	return http_again_until(c, t, rc, r, 0, e);
}
