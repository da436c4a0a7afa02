/*
 * http - requests to http and https servers: one exchange, or a whole download that survives a bad line.
 *
 *	struct http_options o = { .user_agent = "bundler/0.1" };
 *	auto_http struct http_client *c = http_new(&o, e);
 *
 *	struct http_get g = { .url = url, .size = UINT64_MAX, .max = 1 << 20 };
 *	struct sink to = { buf_sink_write, &b };
 *	if (http_fetch(c, &g, &to, e) < 0)
 *		return err_wrap(e, "index of '%s'", repo);
 *
 * A client may be used from any number of threads. It keeps idle connections per origin. HTTP/1.1;
 * TLS 1.2 or later, verified always (a CA file per host adds trust, nothing takes it away). Plain http
 * only to hosts whose settings allow it.
 *
 * Redirects are followed by hand: at most 5, never from https to http, never from a public address to a
 * private one (unless that host has settings of its own), 303 becomes GET, 301 and 302 of a request with a
 * body and 303 of a PUT or PATCH are refused: ERR_REDIRECT. Authorization goes to the first origin only. Queries never reach a message.
 *
 * Errors: ERR_NETWORK no answer, or 404/410 · ERR_AUTH 401/403 · ERR_TLS · ERR_RATE 429 to the end ·
 * ERR_PROTOCOL nonsense, other statuses · ERR_REDIRECT · ERR_DEADLINE stall, deadline, interrupted ·
 * ERR_LIMIT over a ceiling · ERR_DIGEST another size than expected. Errors of a sink or source pass through.
 */
#pragma once

#include <airgap/header.h>
#include <airgap/secret.h>
#include <airgap/stream.h>
#include <airgap/url.h>

#define HTTP_HEADERS_MAX 65536u         /* bytes of headers of one answer */
#define HTTP_TEXT_MAX    65536u         /* bytes kept of the body of an error */

/* Settings of one host: "registry.example" (its default port) or "registry.example:5000"; "*": of hosts without any. */
struct http_host {
	const char *host;
	bool plain_http;                /* http:// is allowed (and private redirects to it); not with "*" */
	const char *ca_file;            /* PEM, in addition to the system's; NULL = none */
	const char *cert_file, *key_file;       /* PEM, shown to the server; both or none */
	const char *proxy;              /* "http://HOST:PORT", "environment" (as env_proxies), NULL = as env_proxies says */
	const char *user_agent;         /* NULL = the client's */
	uint64_t rate;                  /* bytes a second it may send us, over all connections; 0 = as fast as it can */
};
/* "20MiB", "500KiB", "1000000": bytes a second; not 0. */
bool http_rate_parse(const char *text, uint64_t *out) MUST_CHECK;

struct http_options {                   /* zero = the default named */
	const struct http_host *hosts;  /* copied */
	size_t n_hosts;
	const char *user_agent;         /* "airgap" */
	unsigned connect_ms;            /* 15,000: DNS, TCP, TLS together */
	unsigned stall_ms;              /* 60,000: fewer than 1 KiB moved in that time ends the exchange */
	unsigned deadline_ms;           /* none: for one call, retries included */
	unsigned tries;                 /* 5 */
	unsigned backoff_ms;            /* 250: doubled each time, with jitter */
	unsigned retry_after_max_ms;    /* 60,000: longer demands of a server are cut to it */
	bool env_proxies;               /* http_proxy, https_proxy, no_proxy are honoured */
	/* Exchanges with one host at once: few at first, more while that makes it faster, half as many after 429, 503, silence
	 * or no connection. 0: as many as there are calls. */
	unsigned most_at_once;
	/* A server that gave no answer in all tries of one call is not asked again: later calls fail at once, with the
	 * same error. Silence is then borne twice (by all calls to it together), whatever `tries` says. For programs that want many things of a host. */
	bool give_up;
	void (*slow)(const char *host, unsigned seconds);       /* silent for so long; once a host, from any thread; NULL */
};

struct http_client;
#define auto_http CLEANUP(cleanup_http)
struct http_client *http_new(const struct http_options *o, struct err *e) MUST_CHECK;
void http_free(struct http_client *c);  /* no call may be under way */
DEFINE_CLEANUP_PTR(cleanup_http, struct http_client, http_free)

/* Adds or replaces the settings of one host. ERR_USAGE when it is no host. */
int http_host_set(struct http_client *c, const struct http_host *h, struct err *e) MUST_CHECK;
bool http_host_room(struct http_client *c, const struct url *u);        /* a call would begin at once */
bool http_host_known(struct http_client *c, const struct url *u);       /* has settings */
/* A host without settings of its own gets those of the host that named it (a token server: its registry's CA). */
int http_host_inherit(struct http_client *c, const struct url *u, const struct url *from, struct err *e) MUST_CHECK;
/* "https://host" or, where settings say so, "http://host": the start of an address for a registry host. */
char *http_host_base(struct http_client *c, const char *host) MUST_CHECK;

/* ---- one exchange ---- */

struct http_request {
	const char *method;             /* NULL = GET */
	const char *url;
	const char *const *headers;     /* "Name: value", NULL-ended; never secrets: they follow redirects */
	const struct secret *authorization;     /* value of Authorization, for the origin of url only */
	const void *body;               /* bytes, or */
	const struct source *source;    /* a stream of exactly body_size bytes; its seek makes it repeatable */
	uint64_t body_size;
	bool stay;                      /* a redirect is an answer like any other */
	bool keep_encoding;             /* take the bytes as sent, whatever Content-Encoding says (a hash is known) */
	uint64_t max_body;              /* of a 2xx answer; 0 = 64 KiB */
	unsigned answer_ms;             /* silence allowed after the body went out; 0 = stall_ms */
};

struct http_response {
	int status;
	struct strv headers;            /* "name: value" of the last answer, names in lower case */
	struct url url;                 /* of the last answer */
	unsigned redirects;
	struct buf text;                /* body of an answer that is not 2xx, cut at HTTP_TEXT_MAX */
	uint64_t body_size;             /* bytes of a 2xx body that came */
	bool broken;                    /* http_do failed because the line did: worth another try */
	bool silent;                    /* … and it did so by saying nothing at all */
	bool refused;                   /* … or no connection came about */
};
#define HTTP_RESPONSE_INIT { .text = BUF_INIT(HTTP_TEXT_MAX) }
#define auto_response CLEANUP(http_response_release)
void http_response_release(struct http_response *r);

/* Any status is an answer: 0. The body of a 2xx goes to the sink as it comes (sink NULL: it must be small and
 * is dropped), other bodies to r->text. -1: no complete answer; the sink may have had a part. No retries. */
int http_do(struct http_client *c, const struct http_request *q, const struct sink *to, struct http_response *r,
	    struct err *e) MUST_CHECK;

/* The first value of a header (name in lower case), or NULL; borrowed. And all values of it. */
const char *http_header(const struct http_response *r, const char *name);
void http_header_all(const struct http_response *r, const char *name, struct strv *out);

/* The error that belongs to a status that is not welcome: code by the list above, "subject: what it means" (NULL: no
 * subject), with the server's own words where it gave some (control characters made visible). */
int http_status_error(const struct http_response *r, const char *subject, struct err *e);

/* Decides after each http_do whether to go again, and sleeps (Retry-After, backoff):
 *
 *	struct http_tries t = { 0 };
 *	do
 *		rc = http_do(c, &q, &to, &r, e);
 *	while (http_again(c, &t, rc, &r, e));
 *
 * True after a broken line or 408, 429, 500, 502, 503, 504, while tries are left. The request must be repeatable.
 * What Retry-After says holds for all calls to that host. */
struct http_tries { unsigned n; };
bool http_again(struct http_client *c, struct http_tries *t, int rc, const struct http_response *r, struct err *e) MUST_CHECK;

/* ---- a download ---- */

/* Some bytes of a content, so that several connections can share a large one. */
struct http_range {
	uint64_t offset, end;           /* [offset, end); end 0 = to the end of the whole */
	const char *etag;               /* strong validator of an earlier answer, for If-Range; NULL = none */
	/* Called before the first byte of each answer that brings some. whole: the server does not keep to the range, and the
	 * sink gets all bytes to the end of the content. etag: strong, or NULL; borrowed. -1 ends it.
	 * NULL: a server that does not keep to the range is ERR_PROTOCOL, before a byte of it was read. */
	int (*begin)(void *ctx, bool whole, const char *etag, struct err *e);
	void *ctx;
};

struct http_get {
	const char *url;
	const char *const *headers;
	const struct secret *authorization;
	/* Instead of authorization: called before each request (refused NULL), and once more with the answer when it was
	 * 401; fills *out (empty: none), which is wiped after the request. -1 ends the download. */
	int (*authorize)(void *ctx, const struct http_response *refused, struct secret *out, struct err *e);
	void *ctx;
	uint64_t offset;                /* the sink gets the bytes from here on */
	const struct http_range *range; /* instead of offset; NULL */
	uint64_t size;                  /* of the whole; UINT64_MAX = unknown */
	uint64_t max;                   /* ceiling of the whole when size is unknown; 0 = 64 MiB */
	bool keep_encoding;
};

/* 0: the sink had every byte from offset to the end (of the range, if the server keeps to it), once, in order; they are NOT hashed here. Messages about a status
 * do not name the address: the caller knows it.
 * A broken connection goes on at the byte where it broke (Range, If-Range). -1: the sink had a part. */
int http_fetch(struct http_client *c, const struct http_get *g, const struct sink *to, struct err *e) MUST_CHECK;

/* ---- what it cost ---- */

struct http_stats { uint64_t requests, retries, connections, bytes_in, bytes_out; };
struct http_stats http_stats(struct http_client *c);
