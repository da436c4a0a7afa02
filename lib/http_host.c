/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of hosts: the newest of a host count, those of "*" where a host has none. */
#include "http_wire.h"

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void host_free(struct host *h)
{
	free(h->host);
	free(h->plain_name);
	free(h->ca_file);
	free(h->cert_file);
	free(h->key_file);
	free(h->proxy);
	free(h->user_agent);
	free(h);
}

void hosts_init(struct http_hosts *h)
{
	*h = (struct http_hosts){ .lock = PTHREAD_MUTEX_INITIALIZER };
}

void hosts_release(struct http_hosts *h)
{
	for (size_t i = 0; i < h->n; i++)
		host_free(h->items[i]);
	free(h->items);
	pthread_mutex_destroy(&h->lock);
}

int hosts_add(struct http_hosts *list, const struct http_host *h, struct err *e)
{
	struct host *n = xcalloc(1, sizeof(*n));
	bool any = str_eq(h->host, "*");

	*n = (struct host){
		.host = any ? xstrdup("*") : url_host_normal(h->host, true),
		.plain_name = any ? xstrdup("*") : url_host_normal(h->host, false),
		.plain_http = h->plain_http, .ca_file = copy(h->ca_file), .cert_file = copy(h->cert_file),
		.key_file = copy(h->key_file), .proxy = copy(h->proxy), .user_agent = copy(h->user_agent), .rate = h->rate,
	};
	if (!n->host) {
		host_free(n);
		return err_set(e, ERR_USAGE, "'%s' is not a host name with an optional port", h->host);
	}
	pthread_mutex_lock(&list->lock);
	GROW(list->items, list->n);
	list->items[list->n++] = n;
	pthread_mutex_unlock(&list->lock);
	return 0;
}

const struct host *hosts_by_name(struct http_hosts *list, const char *name, bool tls)
{
	const struct host *found = NULL;

	pthread_mutex_lock(&list->lock);
	for (size_t i = list->n; i-- > 0 && !found;)
		if (str_eq(tls ? list->items[i]->host : list->items[i]->plain_name, name))
			found = list->items[i];
	pthread_mutex_unlock(&list->lock);
	return found;
}

const struct host *hosts_find(struct http_hosts *list, const struct url *u)
{
	auto_free char *name = url_host(u);

	return hosts_by_name(list, name, u->tls);
}

const struct host *hosts_find_or_any(struct http_hosts *list, const struct url *u)
{
	const struct host *own = hosts_find(list, u);

	return own ? own : hosts_by_name(list, "*", true);
}

/* ---- "20MiB" */

bool http_rate_parse(const char *text, uint64_t *out)
{
	static const struct { const char *unit; uint64_t bytes; } units[] = {
		{ "", 1 }, { "B", 1 }, { "KiB", 1u << 10 }, { "MiB", 1u << 20 }, { "GiB", 1u << 30 },
	};
	size_t digits = strspn(text, "0123456789");
	auto_free char *number = xstrndup(text, digits);
	uint64_t n;

	if (!digits || !u64_parse(number, &n) || n == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (str_eq(text + digits, units[i].unit) && n <= UINT64_MAX / units[i].bytes) {
			*out = n * units[i].bytes;
			return true;
		}
	return false;
}
