/* SPDX-License-Identifier: Apache-2.0 */
/* http1.h: the server's half of HTTP/1.1 for the tests' stand-ins: one thread per connection, bodies read in pieces as
 * they come, with a length or chunked. Not hardened: only tests talk to it.
 *
 * while (read_head(&r) && dispatch(&r) && !r.close) — a dispatcher reads the body with body_piece(), or not, and calls
 * answer() once. false from any of them: the connection is of no more use. */
#ifndef STAND_HTTP1_H
#define STAND_HTTP1_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { HTTP_HEAD_MAX = 16 * 1024, HTTP_BUFFER = 1 << 20 };

struct request {
	int fd;
	char method[16], path[4096], query[4096];
	char type[256], headers[8192]; /* all of them: "Name: value\n" each */
	long long length; /* of the body; -1 if none was told */
	bool chunked, expects, close;
	/* What was read from the socket and not used yet. */
	char *buffer;
	size_t at, have;
	/* What is left of the body, or of its current chunk. */
	long long left;
	bool body_done;
};

static inline bool send_all(int fd, const void *data, size_t n)
{
	const char *p = data;
	while (n > 0) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

static inline bool fill(struct request *r)
{
	if (r->at == r->have)
		r->at = r->have = 0;
	ssize_t k;
	do
		k = recv(r->fd, r->buffer + r->have, HTTP_BUFFER - r->have, 0);
	while (k < 0 && errno == EINTR);
	if (k <= 0)
		return false;
	r->have += (size_t)k;
	return true;
}

/* Reads a line of the head, or of a chunked body's framing, without its end. */
static inline bool read_line(struct request *r, char *line, size_t n)
{
	for (size_t used = 0;;) {
		if (r->at == r->have && !fill(r))
			return false;
		char c = r->buffer[r->at++];
		if (c == '\n') {
			line[used] = '\0';
			return true;
		}
		if (c != '\r' && used + 1 < n)
			line[used++] = c;
	}
}

/* Gives the next piece of the body: its length, 0 at the end, -1 if the connection broke. */
static inline ssize_t body_piece(struct request *r, const char **data)
{
	char line[64];
	if (r->expects) {
		static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
		r->expects = false;
		if (!send_all(r->fd, go_on, sizeof go_on - 1))
			return -1;
	}
	if (r->left == 0 && r->chunked && !r->body_done) {
		if (!read_line(r, line, sizeof line))
			return -1;
		if (line[0] == '\0' && !read_line(r, line, sizeof line)) /* the line end after a chunk */
			return -1;
		r->left = strtoll(line, NULL, 16);
		if (r->left == 0) {
			r->body_done = true;
			do
				if (!read_line(r, line, sizeof line)) /* trailers */
					return -1;
			while (line[0]);
		}
	}
	if (r->left == 0)
		return 0;
	if (r->at == r->have && !fill(r))
		return -1;
	long long n = (long long)(r->have - r->at);
	if (n > r->left)
		n = r->left;
	*data = r->buffer + r->at;
	r->at += (size_t)n;
	r->left -= n;
	return (ssize_t)n;
}

/* headers is a format and ends each header with \r\n; size is told even where body is NULL, as for a HEAD. */
__attribute__((format(printf, 5, 6))) static inline bool answer(struct request *r, int status, const char *body, long long size,
	const char *headers, ...)
{
	char head[HTTP_HEAD_MAX];
	va_list ap;
	/* A body that was not read would be taken for the next request. */
	const char *data;
	ssize_t k;
	if (r->expects) {
		r->close = true;
	} else {
		while ((k = body_piece(r, &data)) > 0)
			;
		if (k < 0)
			return false;
	}
	int n = snprintf(head, sizeof head,
		"HTTP/1.1 %d X\r\nDocker-Distribution-Api-Version: registry/2.0\r\nContent-Length: %lld\r\n%s", status, size,
		r->close ? "Connection: close\r\n" : "");
	va_start(ap, headers);
	n += vsnprintf(head + n, sizeof head - (size_t)n - 2, headers, ap);
	va_end(ap);
	memcpy(head + n, "\r\n", 2);
	n += 2;
	if (!send_all(r->fd, head, (size_t)n))
		return false;
	return !body || strcmp(r->method, "HEAD") == 0 || send_all(r->fd, body, (size_t)size);
}

/* query_value - the percent-decoded value of a name in the query; "" if it is not there. */
static inline void query_value(const char *query, const char *name, char *out, size_t n)
{
	size_t used = 0, len = strlen(name);
	out[0] = '\0';
	for (const char *p = query; *p; p += strcspn(p, "&"), p += *p == '&') {
		if (strncmp(p, name, len) != 0 || p[len] != '=')
			continue;
		for (p += len + 1; *p && *p != '&' && used + 1 < n; p++) {
			unsigned c;
			if (*p == '%' && sscanf(p + 1, "%2x", &c) == 1) {
				out[used++] = (char)c;
				p += 2;
			} else {
				out[used++] = *p;
			}
		}
		out[used] = '\0';
		return;
	}
}

/* header_value - the first value of a header; "" if it is not there. */
static inline void header_value(const struct request *r, const char *name, char *out, size_t n)
{
	size_t len = strlen(name);
	out[0] = '\0';
	for (const char *p = r->headers; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		if (strncasecmp(p, name, len) != 0 || p[len] != ':')
			continue;
		p += len + 1 + strspn(p + len + 1, " \t");
		snprintf(out, n, "%.*s", (int)strcspn(p, "\n"), p);
		return;
	}
}

static inline void take_header(struct request *r, char *line)
{
	size_t used = strlen(r->headers);
	snprintf(r->headers + used, sizeof r->headers - used, "%s\n", line);
	char *value = strchr(line, ':');
	if (!value)
		return;
	*value++ = '\0';
	value += strspn(value, " \t");
	if (strcasecmp(line, "Content-Length") == 0)
		r->length = strtoll(value, NULL, 10);
	else if (strcasecmp(line, "Content-Type") == 0)
		snprintf(r->type, sizeof r->type, "%s", value);
	else if (strcasecmp(line, "Transfer-Encoding") == 0)
		r->chunked = strcasecmp(value, "chunked") == 0;
	else if (strcasecmp(line, "Expect") == 0)
		r->expects = true;
	else if (strcasecmp(line, "Connection") == 0)
		r->close = strcasecmp(value, "close") == 0;
}

/* Reads one request's head; false at the end of the connection. */
static inline bool read_head(struct request *r)
{
	char line[8192], target[4096];
	r->length = -1;
	r->left = 0;
	r->chunked = r->expects = r->close = r->body_done = false;
	r->type[0] = r->headers[0] = '\0';
	if (!read_line(r, line, sizeof line) || sscanf(line, "%15s %4095s", r->method, target) != 2)
		return false;
	char *q = strchr(target, '?');
	snprintf(r->query, sizeof r->query, "%s", q ? q + 1 : "");
	if (q)
		*q = '\0';
	snprintf(r->path, sizeof r->path, "%s", target);
	for (;;) {
		if (!read_line(r, line, sizeof line))
			return false;
		if (!line[0])
			break;
		take_header(r, line);
	}
	if (!r->chunked && r->length > 0)
		r->left = r->length;
	return true;
}

#endif
