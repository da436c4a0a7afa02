/* SPDX-License-Identifier: Apache-2.0 */
#include "remote.h"

#include <airgap/cli.h>
#include <airgap/fs.h>
#include <airgap/log.h>

#include <pthread.h>
#include <time.h>

#define RESOLVER_STALL_MS 30000u         /* questions, not downloads of hours */

struct remote {
	struct http_client *http;
	struct credential_set *credentials;
	bool quota_stop;
	const struct lock_host *hosts; size_t n_hosts;
	char *base;
	bool env_proxy;
	pthread_mutex_t lock;           /* over the list */
	struct registry **registries;
	size_t n_registries;
};

/* "file:ca.pem" or a plain path; NULL stays. */
static char *file_path(const char *text, const char *base)
{
	if (!text)
		return NULL;
	return fs_join(base, str_starts(text, "file:") ? text + strlen("file:") : text);
}

static void tell_slow(const char *host, unsigned seconds)
{
	log_info("'%s' has said nothing for %u s: waiting", host, seconds);
}

static bool is_hub(const char *host)
{
	return strcmp(host, "docker.io") == 0 || strcmp(host, "index.docker.io") == 0;
}

/* A key may go on with a path, which is for credentials only: what is said of the host itself is taken from any. */
static int set_host(struct http_client *http, const struct lock_host *from, const char *base, struct err *e)
{
	auto_free char *host = xstrndup(from->host, strcspn(from->host, "/"));
	auto_free char *ca = file_path(from->ca, base), *cert = file_path(from->cert, base), *key = file_path(from->key, base);
	struct http_host h = {
		.host = host, .plain_http = from->plain_http, .ca_file = ca, .cert_file = cert, .key_file = key,
		.proxy = from->proxy, .user_agent = from->user_agent,
	};

	if (from->rate && !http_rate_parse(from->rate, &h.rate))
		return err_set(e, ERR_MALFORMED, "host '%s': rate '%s': write bytes a second, such as 20MiB", host, from->rate);
	if (!h.plain_http && !ca && !cert && !h.proxy && !h.user_agent && !h.rate)
		return 0;
	if (http_host_set(http, &h, e) < 0)
		return -1;
	h.host = "registry-1.docker.io";        /* what Docker Hub's registry is called */
	return is_hub(host) ? http_host_set(http, &h, e) : 0;
}

static struct http_client *open_http(const struct lock_host *hosts, size_t n, const char *base, const struct remote_opts *r,
				     struct err *e)
{
	struct http_options o = {
		.user_agent = "airgap-bundler/" AIRGAP_VERSION, .env_proxies = r->env_proxy, .slow = tell_slow,
		.give_up = r->resolver, .stall_ms = r->resolver ? RESOLVER_STALL_MS : 0, .most_at_once = r->jobs,
	};
	auto_http struct http_client *http = http_new(&o, e);

	for (size_t i = 0; http && i < n; i++)
		if (set_host(http, &hosts[i], base, e) < 0)
			return NULL;
	return TAKE(http);
}

/* A host with no word about a user leaves the search open: its entry is there for TLS. */
static struct credential_set *open_credentials(const struct lock_host *hosts, size_t n, const char *base, struct err *e)
{
	auto_free struct credential_host *list = xcalloc(n + 1, sizeof(*list));
	size_t used = 0;

	for (size_t i = 0; i < n; i++)
		if (hosts[i].username || hosts[i].password || hosts[i].token)
			list[used++] = (struct credential_host){
				.host = hosts[i].host, .username = hosts[i].username,
				.password = hosts[i].password, .token = hosts[i].token,
			};
	return credential_set_new(list, used, base, false, e);
}

struct remote *remote_new(const struct lock_host *hosts, size_t n, const char *base, const struct remote_opts *o,
			  struct err *e)
{
	static const struct remote_opts none;
	auto_remote struct remote *r = xcalloc(1, sizeof(*r));

	o = o ? o : &none;
	r->quota_stop = o->quota_stop;
	pthread_mutex_init(&r->lock, NULL);
	r->hosts = hosts;
	r->n_hosts = n;
	r->base = base ? xstrdup(base) : NULL;
	r->env_proxy = o->env_proxy;
	r->http = open_http(hosts, n, base, o, e);
	if (!r->http)
		return NULL;
	r->credentials = open_credentials(hosts, n, base, e);
	if (!r->credentials || (o->resolver && credential_set_resolve(r->credentials, o->optional, e) < 0))
		return NULL;
	return TAKE(r);
}

void remote_free(struct remote *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_registries; i++)
		registry_close(r->registries[i]);
	free(r->registries);
	credential_set_free(r->credentials);
	http_free(r->http);
	pthread_mutex_destroy(&r->lock);
	free(r->base);
	free(r);
}

struct http_client *remote_http(struct remote *r)
{
	return r->http;
}

struct credential_set *remote_credentials(struct remote *r)
{
	return r->credentials;
}

const struct lock_host *remote_host(const struct remote *r, const char *host)
{
	const struct lock_host *any = NULL;

	for (size_t i = 0; i < r->n_hosts; i++) {
		const struct lock_host *h = &r->hosts[i];
		auto_free char *name = xstrndup(h->host, strcspn(h->host, "/")), *normal = url_host_normal(name, !h->plain_http);

		if (str_eq(normal, host))
			return h;
		if (strcmp(name, "*") == 0)
			any = h;
	}
	return any;
}

const char *remote_proxy(const struct remote *r, const struct lock_host *h)
{
	return h && h->proxy ? h->proxy : r->env_proxy ? "environment" : NULL;
}

const char *remote_base(const struct remote *r)
{
	return r->base;
}

char *remote_ca(const struct remote *r, const struct lock_host *h)
{
	return file_path(h->ca, r->base);
}

static void tell_quota(const char *host, const struct registry_quota *q)
{
	time_t end = time(NULL) + (time_t)q->window;
	struct tm tm;
	char until[32];

	localtime_r(&end, &tm);
	strftime(until, sizeof(until), "%Y-%m-%d %H:%M", &tm);
	log_warn("%s: all %llu pulls of %llu h are used: waiting for more, until %s at the latest; log in for more", host,
		 (unsigned long long)q->limit, (unsigned long long)(q->window + 3599) / 3600, until);
}

static struct registry *find_or_open(struct remote *r, const char *host, struct err *e)
{
	const struct registry_options o = {
		.credentials = r->credentials, .quota_stop = r->quota_stop, .on_quota = tell_quota,
	};
	struct registry *reg;

	for (size_t i = 0; i < r->n_registries; i++)
		if (strcmp(registry_host(r->registries[i]), host) == 0)
			return r->registries[i];
	reg = registry_open(r->http, host, &o, e);
	if (!reg)
		return NULL;
	GROW(r->registries, r->n_registries);
	r->registries[r->n_registries++] = reg;
	return reg;
}

struct registry *remote_registry(struct remote *r, const char *host, struct err *e)
{
	pthread_mutex_lock(&r->lock);

	struct registry *reg = find_or_open(r, host, e);

	pthread_mutex_unlock(&r->lock);
	return reg;
}

int remote_authorize(struct remote *r, const char *url, struct secret *out, struct err *e)
{
	auto_url struct url u = { 0 };
	auto_credential struct credential c = { 0 };

	if (url_parse(url, "source", &u, e) < 0)
		return -1;

	auto_free char *host = url_host(&u);
	int found = credential_find(r->credentials, host, u.path + 1, &c, e);

	if (found == 1 && c.kind != CREDENTIAL_IDENTITY)
		credential_header(&c, out);
	return MIN(found, 0);
}
