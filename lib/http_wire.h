/*
 * http_wire - one request and its answer over one connection; private to lib/http*.c.
 *
 * http_wire.c is the only file that knows libcurl. It follows no redirect, retries nothing and
 * knows nothing of settings of hosts.
 */
#pragma once

#include <airgap/http.h>

#include <pthread.h>
#include <stdatomic.h>

/* Idle connections, newest last; any thread. */
struct wire_pool {
	pthread_mutex_t lock;
	struct wire **idle;
	size_t n_idle;
	_Atomic uint64_t requests, connections, bytes_in, bytes_out;
};

int wire_pool_init(struct wire_pool *p, struct err *e) MUST_CHECK;
void wire_pool_release(struct wire_pool *p);

/* What the reader of an answer wants to see. */
struct wire_hooks {
	/* The head of a final answer, before its body; -1 ends the exchange. May be NULL. */
	int (*head)(void *ctx, const struct http_response *r, struct err *e);
	/* Body of a 2xx. NULL: dropped. */
	int (*write)(void *ctx, const void *p, size_t n, struct err *e);
	void *ctx;
};

#define WIRE_SLOW_MS 10000u     /* silence after which `slow` is called, once an exchange */

struct wire_request {
	const char *method;
	const struct url *url;
	const char *const *headers;
	const struct secret *authorization;     /* NULL = none */
	const void *body;
	const struct source *source;
	uint64_t body_size;
	uint64_t max_body;
	bool has_body;                          /* also one of no bytes */
	bool keep_encoding;
	const char *user_agent, *ca_file;
	const char *cert_file, *key_file;       /* of ours; NULL = none */
	const char *proxy;                      /* "" = none, NULL = what the environment says */
	uint64_t connect_ms, stall_ms, answer_ms;
	uint64_t deadline_at;                   /* on the clock of wire_now; 0 = none */
	void (*slow)(void *ctx, const struct url *u);   /* may be NULL */
	void *slow_ctx;
};

/* Servers in trouble, by host; any thread (http_trouble.c). */
struct http_troubles {
	pthread_mutex_t lock;
	struct http_trouble *items;
	size_t n;
};

void troubles_init(struct http_troubles *t);
void troubles_release(struct http_troubles *t);
/* -1: the server is given up; e says why it was. */
int troubles_check(struct http_troubles *t, const struct url *u, struct err *e) MUST_CHECK;
void troubles_add(struct http_troubles *t, const struct url *u, const struct err *why);
/* A silence of stall_ms ended: true when most of it came after another, with no answer between. */
bool troubles_silent(struct http_troubles *t, const struct url *u, uint64_t stall_ms);
void troubles_answered(struct http_troubles *t, const struct url *u);
bool troubles_tell(struct http_troubles *t, const struct url *u);      /* true the first time for a host */

/* Settings of a host (http_host.c); never changed once listed, so borrowed text stays as long as the client. */
struct host {
	char *host;             /* as url_host spells it for https, and for http; "*" */
	char *plain_name;
	char *ca_file, *cert_file, *key_file, *proxy, *user_agent;
	uint64_t rate;
	bool plain_http;
};

struct http_hosts {
	pthread_mutex_t lock;
	struct host **items;
	size_t n;
};

void hosts_init(struct http_hosts *h);
void hosts_release(struct http_hosts *h);
int hosts_add(struct http_hosts *list, const struct http_host *h, struct err *e) MUST_CHECK;
const struct host *hosts_find(struct http_hosts *list, const struct url *u);           /* its own, or NULL */
const struct host *hosts_find_or_any(struct http_hosts *list, const struct url *u);
const struct host *hosts_by_name(struct http_hosts *list, const char *name, bool tls);

/* How much each host is asked at once (http_pace.c); any thread. */
struct http_paces {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct http_pace **items;
	size_t n;
	unsigned most;                  /* at once; 0 = not limited, only held and slowed */
};
struct pace_slot {                      /* one exchange under way */
	struct http_pace *pace;
	struct pace_slot *next;
	uint64_t began;
	_Atomic uint64_t sink_since;    /* its sink has the bytes since then; 0 = it has not */
};

void paces_init(struct http_paces *p, unsigned most);
void paces_release(struct http_paces *p);
/* 0: entered, leave must follow. -1: interrupted, or the deadline is over. */
int pace_enter(struct http_paces *p, const struct url *u, struct pace_slot *slot, uint64_t deadline_at,
	       struct err *e) MUST_CHECK;
void pace_leave(struct http_paces *p, struct pace_slot *slot, bool trouble);
int pace_bytes(struct http_paces *p, struct pace_slot *slot, size_t n, uint64_t rate, struct err *e) MUST_CHECK;
void pace_hold(struct http_paces *p, const struct url *u, uint64_t ms);       /* nobody enters for so long */
bool pace_room(struct http_paces *p, const struct url *u);

uint64_t wire_now(void);        /* milliseconds, monotonic */

/* r is empty. 0: r holds a whole answer. -1: r->broken tells whether the line was at fault. */
int wire_exchange(struct wire_pool *p, const struct wire_request *q, const struct wire_hooks *hooks,
		  struct http_response *r, struct err *e) MUST_CHECK;

/* http_do with hooks and a deadline of its own. */
int http_exchange(struct http_client *c, const struct http_request *q, const struct wire_hooks *hooks,
		  uint64_t deadline_at, struct http_response *r, struct err *e) MUST_CHECK;
uint64_t http_deadline(const struct http_client *c);    /* for a call that starts now; 0 = none */
/* http_again with a deadline. */
bool http_again_until(struct http_client *c, struct http_tries *t, int rc, const struct http_response *r,
		      uint64_t deadline_at, struct err *e) MUST_CHECK;
