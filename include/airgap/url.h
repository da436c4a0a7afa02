/*
 * url - http and https addresses: taken apart, put together, compared.
 *
 * One strict reading, so that what we check is what the wire sees: http or https only, no user part,
 * host in lower case, an IPv4 address only as four decimal numbers, [v6] in brackets. Spaces and bytes
 * over 126 in path and query are percent-encoded, everything else stays byte for byte. A fragment is cut.
 * The query may be a signed secret: messages show url_shown, never url_text.
 */
#pragma once

#include <airgap/buf.h>

#define URL_MAX 16384u          /* bytes of an address we take */

struct url {
	bool tls;               /* https */
	char *host;             /* "example", "10.0.0.1", "[::1]" */
	uint16_t port;
	char *path;             /* starts with '/' */
	char *query;            /* without '?'; NULL = none */
};

#define auto_url CLEANUP(url_release)
void url_release(struct url *u);

/* subject names whose address it is. ERR_MALFORMED (ERR_UNSUPPORTED for another scheme); out is then unchanged. */
int url_parse(const char *text, const char *subject, struct url *out, struct err *e) MUST_CHECK;
/* A reference (Location, Link, urls[] of an index) against its base, by RFC 3986: absolute, //host, /path, path, ?query. */
int url_resolve(const struct url *base, const char *ref, struct url *out, struct err *e) MUST_CHECK;
struct url url_copy(const struct url *u) MUST_CHECK;

char *url_text(const struct url *u) MUST_CHECK;         /* whole, for the wire */
char *url_shown(const struct url *u) MUST_CHECK;        /* without the query, for people */
char *url_host(const struct url *u) MUST_CHECK;         /* "host" or "host:port" where the port is not the scheme's */
bool url_same_origin(const struct url *a, const struct url *b);         /* scheme, host and port */
/* Adds name=value to the query (value percent-encoded), what is there stays byte for byte. */
void url_add_query(struct url *u, const char *name, const char *value);

/* Loopback, link-local, private, shared, unspecified, multicast as an IP literal, or localhost by name. */
bool url_is_private(const struct url *u);

/* "HOST" or "HOST:PORT" as a user writes it into the spelling of url_host for https (or http); NULL when it is none. */
char *url_host_normal(const char *host, bool tls) MUST_CHECK;
/* Percent-encodes all but unreserved characters and those in `keep`. */
void url_escape(struct buf *out, const char *text, const char *keep);
