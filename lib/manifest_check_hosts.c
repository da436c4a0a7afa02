/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the settings of a host make sense. */
#include "manifest_check.h"

#include <airgap/http.h>
#include <airgap/url.h>

static bool is_reference(const char *s)
{
	return (str_starts(s, "env:") && s[4]) || (str_starts(s, "file:") && s[5]) || strcmp(s, "prompt") == 0;
}

static int check_secret(const char *key, const char *value, struct err *e)
{
	if (value && !is_reference(value))
		return err_set(e, ERR_MALFORMED, "%s: a secret in the open: write env:NAME, file:PATH or prompt", key);
	return 0;
}

/* "http://HOST:PORT" and no more: who we are to the proxy would stand in the open. */
static int check_proxy(const char *proxy, struct err *e)
{
	auto_url struct url u = { 0 };
	struct err why;

	if (!proxy || strcmp(proxy, "environment") == 0)
		return 0;
	if (strchr(proxy, '@'))
		return err_set(e, ERR_MALFORMED, "proxy: holds a user or a password in the open: write \"environment\" and set "
			       "https_proxy, or use a proxy that asks for none");
	if (url_parse(proxy, "proxy", &u, &why) < 0 || strcmp(u.path, "/") != 0 || u.query)
		return err_set(e, ERR_MALFORMED, "proxy: '%.100s': write \"http://HOST:PORT\" or \"environment\"", proxy);
	return 0;
}

/* What any host would be shown must be no secret, and no weaker than usual. */
static int check_any_host(const struct manifest_host *h, struct err *e)
{
	if (h->username || h->password || h->token || h->cert || h->key)
		return err_set(e, ERR_MALFORMED, "credentials would go to every host: name the host they are for");
	if (h->plain_http)
		return err_set(e, ERR_MALFORMED, "plainHTTP would hold for every host: name those it is for");
	return 0;
}

/* What is for the line, not for who we are. */
static int check_line(const struct manifest_host *h, struct err *e)
{
	uint64_t rate;

	if (!h->cert != !h->key)
		return err_set(e, ERR_MALFORMED, "%s", h->cert ? "cert without key" : "key without cert");
	if (h->rate && !http_rate_parse(h->rate, &rate))
		return err_set(e, ERR_MALFORMED, "rate: '%.40s': write bytes a second, such as \"20MiB\"", h->rate);
	for (const char *p = h->user_agent; p && *p; p++)
		if (*p < ' ' || *p > '~')
			return err_set(e, ERR_MALFORMED, "userAgent: takes printable ASCII on one line");
	return check_proxy(h->proxy, e);
}

int manifest_check_host(const struct manifest_host *h, struct err *e)
{
	if (strcmp(h->host, "*") == 0)
		return check_any_host(h, e) < 0 ? -1 : check_line(h, e);

	/* A path may follow: credentials of a namespace. */
	auto_free char *host = xstrndup(h->host, strcspn(h->host, "/"));
	auto_free char *normal = url_host_normal(host, !h->plain_http);

	if (!normal || strstr(h->host, "://"))
		return err_set(e, ERR_MALFORMED, "takes HOST or HOST:PORT, without https://");
	if (check_secret("password", h->password, e) < 0 || check_secret("token", h->token, e) < 0)
		return -1;
	if (h->token && h->password)
		return err_set(e, ERR_MALFORMED, "give either token or username and password");
	if (h->password && !h->username)
		return err_set(e, ERR_MALFORMED, "password without username");
	return check_line(h, e);
}
