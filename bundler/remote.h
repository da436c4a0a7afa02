/*
 * remote - the servers a bundle is made from: one http client, one set of credentials, one registry per host.
 *
 *	auto_remote struct remote *r = remote_new(lock.hosts, lock.n_hosts, dir, NULL, e);
 *	struct registry *reg = remote_registry(r, "docker.io", e);      // borrowed
 *
 * All functions but new and free may be called from several threads.
 */
#pragma once

#include <airgap/lock.h>
#include <airgap/registry.h>

struct remote_opts {                    /* zero = the default named */
	/* A resolver wants many things of a host: secrets are looked up now, and a server that gives no answer is given up
	 * for good (http.h). */
	bool resolver;
	const struct strv *optional;    /* variables that only some of its hosts want, and may not be set; borrowed; NULL = none */
	bool env_proxy;                 /* the environment's proxies, where a host's settings name none */
	bool quota_stop;                /* an error where pulls are counted and none is left; else it is waited for more */
	unsigned jobs;                  /* exchanges with one host at once, at most; 0 = not limited */
};

struct remote;
/* Hosts are borrowed; `file:`, CA files and certificates are relative to base (NULL = here). o may be NULL. */
struct remote *remote_new(const struct lock_host *hosts, size_t n, const char *base, const struct remote_opts *o,
			  struct err *e) MUST_CHECK;
void remote_free(struct remote *r);
#define auto_remote CLEANUP(cleanup_remote)
DEFINE_CLEANUP_PTR(cleanup_remote, struct remote, remote_free)

struct http_client *remote_http(struct remote *r);
struct credential_set *remote_credentials(struct remote *r);
/* The settings of a host ("host" or "host:port", as url_host spells it), else those of "*"; NULL: none. For programs that do
 * not use our http. */
const struct lock_host *remote_host(const struct remote *r, const char *host);
const char *remote_base(const struct remote *r);        /* the folder that paths are relative to; NULL = here */
/* "http://HOST:PORT", "environment", or NULL: none. h may be NULL. */
const char *remote_proxy(const struct remote *r, const struct lock_host *h);
/* Its CA file, to open it; owned, NULL: none. */
char *remote_ca(const struct remote *r, const struct lock_host *h) MUST_CHECK;
/* The registry of a host, opened at first use. */
struct registry *remote_registry(struct remote *r, const char *host, struct err *e) MUST_CHECK;
/* The Authorization header for an address; empty when we are nobody there. */
int remote_authorize(struct remote *r, const char *url, struct secret *out, struct err *e) MUST_CHECK;
