/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/url.h>

#include <airgap/strv.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

void url_release(struct url *u)
{
	free(u->host);
	free(u->path);
	free(u->query);
	*u = (struct url){ 0 };
}

static uint16_t default_port(bool tls)
{
	return tls ? 443 : 80;
}

/* Path and query: blanks and bytes over 126 encoded, control characters refused. */
static char *clean_part(const char *s, size_t n)
{
	auto_buf struct buf b = BUF_INIT(URL_MAX * 3);

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < ' ' || c == 127)
			return NULL;
		if (c == ' ' || c > 127 || c == '"' || c == '<' || c == '>')
			buf_putf(&b, "%%%02X", c);
		else
			buf_putc(&b, s[i]);
	}
	return buf_take(&b);
}

/* A last label that is a number makes the host an address: only the plain form is taken, since
 * resolvers also read 127.1 or 0x7f000001. */
static bool looks_numeric(const char *host)
{
	size_t n = strlen(host);

	if (n && host[n - 1] == '.')
		n--;

	size_t start = n;

	while (start && host[start - 1] != '.')
		start--;
	return n > start && (isdigit((unsigned char)host[start])) &&
	       strspn(host + start, "0123456789abcdefx") >= n - start;
}

static bool name_ok(const char *host)
{
	struct in_addr v4;
	size_t n = strlen(host);

	if (!n || n > 253 || host[0] == '.' || host[0] == '-' || strstr(host, ".."))
		return false;
	if (strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") != n)
		return false;
	return !looks_numeric(host) || inet_pton(AF_INET, host, &v4) == 1;
}

static bool host_ok(const char *host)
{
	struct in6_addr v6;
	size_t n = strlen(host);

	if (host[0] != '[')
		return name_ok(host);
	if (n < 4 || n > 64 || host[n - 1] != ']')
		return false;

	auto_free char *inner = xstrndup(host + 1, n - 2);

	return inet_pton(AF_INET6, inner, &v6) == 1;
}

/* "host[:port]" into its parts; host NULL when it is none. */
static char *split_authority(const char *s, size_t n, bool tls, uint16_t *port)
{
	auto_free char *host = xstrndup(s, n);
	char *colon = strrchr(host, ':');
	uint64_t number = default_port(tls);

	if (colon && !strchr(colon, ']')) {
		*colon = '\0';
		if (colon[1] && !u64_parse(colon + 1, &number))
			return NULL;
	}
	for (char *p = host; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (number == 0 || number > 65535 || !host_ok(host))
		return NULL;
	*port = (uint16_t)number;
	return TAKE(host);
}

/* Takes "." and ".." out of a path that starts with '/' (RFC 3986 5.2.4), in place. */
static void remove_dots(char *path)
{
	char *in = path, *out = path;

	while (*in) {
		const char *end = strchrnul(in + 1, '/');
		size_t n = (size_t)(end - in);
		bool last = !*end;

		if (n == 2 && in[1] == '.') {
			if (last)
				*out++ = '/';
		} else if (n == 3 && in[1] == '.' && in[2] == '.') {
			while (out > path && *--out != '/')
				;
			if (last)
				*out++ = '/';
		} else {
			memmove(out, in, n);
			out += n;
		}
		in += n;
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

/* Path and query from text that starts with '/', '?' or is empty; false: control characters. */
static bool set_path(struct url *u, const char *s)
{
	size_t all = strcspn(s, "#"), n = strcspn(s, "?#");

	if (n) {
		u->path = clean_part(s, n);
		if (!u->path)
			return false;
		remove_dots(u->path);
	} else {
		u->path = xstrdup("/");
	}
	if (s[n] == '?') {
		u->query = clean_part(s + n + 1, all - n - 1);
		if (!u->query)
			return false;
	}
	return true;
}

/* From behind "//". */
static bool set_rest(struct url *u, const char *s)
{
	size_t n = strcspn(s, "/?#");

	u->host = split_authority(s, n, u->tls, &u->port);
	return u->host && set_path(u, s + n);
}

/* What a message may show of an address that does not parse. */
static char *shown_text(const char *s)
{
	char *shown = xstrndup(s, MIN(strcspn(s, "?#"), 200u));
	char *at = strchr(shown, '@');

	for (char *p = shown; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > 126)
			*p = '?';
	if (at)
		memmove(shown, at + 1, strlen(at));
	return shown;
}

static int bad(const char *text, const char *subject, struct err *e)
{
	auto_free char *shown = shown_text(text);

	if (memchr(text, '@', strcspn(text, "?#")))
		return err_set(e, ERR_MALFORMED, "%s: a user in the address '%s' is not taken: use settings of the host",
			       subject, shown);
	return err_set(e, ERR_MALFORMED, "%s: '%s' is not an http or https address", subject, shown);
}

static const char *after_scheme(const char *s, bool *tls)
{
	*tls = strncasecmp(s, "https://", 8) == 0;
	if (*tls)
		return s + 8;
	return strncasecmp(s, "http://", 7) == 0 ? s + 7 : NULL;
}

/* The length of "scheme" when the text starts with "scheme:". */
static size_t scheme_len(const char *s)
{
	size_t n = 0;

	if (!isalpha((unsigned char)*s))
		return 0;
	while (isalnum((unsigned char)s[n]) || (s[n] && strchr("+-.", s[n])))
		n++;
	return s[n] == ':' ? n : 0;
}

int url_parse(const char *text, const char *subject, struct url *out, struct err *e)
{
	CLEANUP(url_release) struct url u = { 0 };
	size_t n = scheme_len(text);

	if (strlen(text) > URL_MAX)
		return err_set(e, ERR_LIMIT, "%s: an address of more than %u bytes", subject, URL_MAX);

	const char *rest = after_scheme(text, &u.tls);

	if (!rest && n && str_starts(text + n, "://"))
		return err_set(e, ERR_UNSUPPORTED, "%s: addresses with %.*s: are not fetched, only http and https",
			       subject, (int)MIN(n, 32u), text);
	if (!rest || !set_rest(&u, rest))
		return bad(text, subject, e);
	*out = u;
	u = (struct url){ 0 };
	return 0;
}

struct url url_copy(const struct url *u)
{
	return (struct url){
		.tls = u->tls,
		.host = xstrdup(u->host),
		.port = u->port,
		.path = xstrdup(u->path),
		.query = u->query ? xstrdup(u->query) : NULL,
	};
}

/* A reference without a scheme and without "//". */
static bool resolve_path(const struct url *base, const char *ref, struct url *u)
{
	auto_free char *whole = NULL;

	u->host = xstrdup(base->host);
	u->port = base->port;
	if (*ref == '/')
		return set_path(u, ref);
	if (*ref == '\0' || *ref == '#' || *ref == '?') {
		u->path = xstrdup(base->path);
		if (*ref == '?')
			u->query = clean_part(ref + 1, strcspn(ref + 1, "#"));
		else if (base->query)
			u->query = xstrdup(base->query);
		return *ref != '?' || u->query;
	}

	const char *slash = strrchr(base->path, '/');

	whole = xasprintf("%.*s%s", (int)(slash - base->path + 1), base->path, ref);
	return set_path(u, whole);
}

int url_resolve(const struct url *base, const char *ref, struct url *out, struct err *e)
{
	CLEANUP(url_release) struct url u = { .tls = base->tls };
	auto_free char *subject = xasprintf("answer of '%s'", base->host);

	if (strlen(ref) > URL_MAX)
		return err_set(e, ERR_LIMIT, "%s: an address of more than %u bytes", subject, URL_MAX);
	if (scheme_len(ref))
		return url_parse(ref, subject, out, e);
	if (str_starts(ref, "//") ? !set_rest(&u, ref + 2) : !resolve_path(base, ref, &u))
		return bad(ref, subject, e);
	*out = u;
	u = (struct url){ 0 };
	return 0;
}

char *url_host(const struct url *u)
{
	if (u->port == default_port(u->tls))
		return xstrdup(u->host);
	return xasprintf("%s:%u", u->host, u->port);
}

char *url_text(const struct url *u)
{
	auto_free char *host = url_host(u);

	return xasprintf("http%s://%s%s%s%s", u->tls ? "s" : "", host, u->path, u->query ? "?" : "",
			 u->query ? u->query : "");
}

char *url_shown(const struct url *u)
{
	auto_free char *host = url_host(u);

	return xasprintf("http%s://%s%s", u->tls ? "s" : "", host, u->path);
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return a->tls == b->tls && a->port == b->port && str_eq(a->host, b->host);
}

void url_escape(struct buf *out, const char *text, const char *keep)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr("-._~", c) || strchr(keep, c))
			buf_putc(out, *text);
		else
			buf_putf(out, "%%%02X", c);
	}
}

void url_add_query(struct url *u, const char *name, const char *value)
{
	auto_buf struct buf b = BUF_INIT(4 * URL_MAX);

	if (u->query && *u->query)
		buf_putf(&b, "%s&", u->query);
	buf_putf(&b, "%s=", name);
	url_escape(&b, value, "");
	free(u->query);
	u->query = buf_take(&b);
}

static bool v4_is_private(const uint8_t a[4])
{
	return a[0] == 0 || a[0] == 10 || a[0] == 127 || a[0] >= 224 ||
	       (a[0] == 100 && (a[1] & 0xc0) == 64) ||
	       (a[0] == 169 && a[1] == 254) ||
	       (a[0] == 172 && (a[1] & 0xf0) == 16) ||
	       (a[0] == 192 && a[1] == 168);
}

/* The v4 address is at byte 12 of ::a.b.c.d and ::ffff:a.b.c.d, at 12 of 64:ff9b::, at 2 of 2002::. */
static bool v6_is_private(const uint8_t a[16])
{
	static const uint8_t zero[12], mapped[12] = { [10] = 0xff, [11] = 0xff }, nat64[12] = { 0, 0x64, 0xff, 0x9b };

	if (memcmp(a, zero, 12) == 0 || memcmp(a, mapped, 12) == 0 || memcmp(a, nat64, 12) == 0)
		return v4_is_private(a + 12);
	if (a[0] == 0x20 && a[1] == 0x02)
		return v4_is_private(a + 2);
	return (a[0] & 0xfe) == 0xfc || (a[0] == 0xfe && a[1] >= 0x80) || a[0] == 0xff;
}

bool url_is_private(const struct url *u)
{
	uint8_t v4[4], v6[16];

	if (u->host[0] == '[') {
		auto_free char *inner = xstrndup(u->host + 1, strlen(u->host) - 2);

		return inet_pton(AF_INET6, inner, v6) != 1 || v6_is_private(v6);
	}
	if (inet_pton(AF_INET, u->host, v4) == 1)
		return v4_is_private(v4);

	size_t n = strlen(u->host);
	auto_free char *name = xstrndup(u->host, u->host[n - 1] == '.' ? n - 1 : n);

	return str_eq(name, "localhost") || str_ends(name, ".localhost");
}

char *url_host_normal(const char *host, bool tls)
{
	struct url u = { .tls = tls };

	if (strlen(host) > 300)
		return NULL;

	auto_free char *name = split_authority(host, strlen(host), tls, &u.port);

	u.host = name;
	return name ? url_host(&u) : NULL;
}
