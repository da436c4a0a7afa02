/*
 * served - a server inside a test: a thread per connection, connections are kept, one function answers.
 *
 *	static void answer(const struct asked *a, struct buf *out) { served_text(out, 200, "", "hello"); }
 *	struct served s;
 *	served_start(&s, answer);
 *	… s.port …
 *	served_stop(&s);
 *
 * For ThreadSanitizer and for counting; misbehaviour lives in tests/stand/chaos.py.
 */
#pragma once

#include <airgap/buf.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct asked {
	char method[16], target[1024], authorization[256], range[64], if_range[64];
	size_t length;          /* of its body, which was read and, but for its beginning, dropped */
	char body[256];
};

typedef void (*served_fn)(const struct asked *a, struct buf *out);

struct served {
	int fd;
	uint16_t port;
	served_fn answer;
	pthread_t thread;
	_Atomic unsigned connections, open;
	_Atomic bool stopping;
};

struct served_line { struct served *s; int fd; };

static inline void served_text(struct buf *out, int status, const char *headers, const char *text)
{
	buf_putf(out, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers, strlen(text), text);
}

static inline void served_parse(const char *head, struct asked *a)
{
	const char *auth = strcasestr(head, "\r\nauthorization: "), *length = strcasestr(head, "\r\ncontent-length: ");

	*a = (struct asked){ .length = length ? strtoul(length + 18, NULL, 10) : 0 };
	sscanf(head, "%15s %1023s", a->method, a->target);
	const char *range = strcasestr(head, "\r\nrange: "), *if_range = strcasestr(head, "\r\nif-range: ");

	if (auth)
		sscanf(auth + 17, "%255[^\r]", a->authorization);
	if (range)
		sscanf(range + 9, "%63[^\r]", a->range);
	if (if_range)
		sscanf(if_range + 12, "%63[^\r]", a->if_range);
}

static inline void served_keep(struct asked *a, size_t from, const char *p, size_t n)
{
	if (from < sizeof(a->body) - 1)
		memcpy(a->body + from, p, MIN(n, sizeof(a->body) - 1 - from));
}

/* One request and its answer; false: the line is done. */
static inline bool served_one(struct served_line *l, struct buf *in)
{
	auto_buf struct buf out = BUF_INIT(1u << 20);
	struct asked a;
	char piece[65536];
	char *end;

	while (!(end = strstr(buf_str(in), "\r\n\r\n"))) {
		ssize_t n = read(l->fd, piece, sizeof(piece));

		if (n <= 0)
			return false;
		buf_put(in, piece, (size_t)n);
	}

	size_t used = (size_t)(end + 4 - in->ptr);

	*end = '\0';
	served_parse(in->ptr, &a);
	served_keep(&a, 0, in->ptr + used, MIN(a.length, in->len - used));
	for (size_t left = a.length - MIN(a.length, in->len - used); left;) {
		ssize_t n = read(l->fd, piece, MIN(left, sizeof(piece)));

		if (n <= 0)
			return false;
		served_keep(&a, a.length - left, piece, (size_t)n);
		left -= (size_t)n;
	}
	used = MIN(in->len, used + a.length);
	memmove(in->ptr, in->ptr + used, in->len - used);
	in->len -= used;
	in->ptr[in->len] = '\0';
	l->s->answer(&a, &out);
	if (strcmp(a.method, "HEAD") == 0)
		out.len = (size_t)(strstr(out.ptr, "\r\n\r\n") + 4 - out.ptr);
	return send(l->fd, out.ptr, out.len, MSG_NOSIGNAL) == (ssize_t)out.len;
}

static inline void *served_connection(void *ctx)
{
	struct served_line *l = ctx;
	auto_buf struct buf in = BUF_INIT(1u << 20);

	while (served_one(l, &in))
		;
	close(l->fd);
	l->s->open--;
	free(l);
	return NULL;
}

static inline void *served_accept(void *ctx)
{
	struct served *s = ctx;

	for (;;) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
		pthread_t t;

		if (fd < 0 || s->stopping)
			return NULL;

		struct served_line *l = xcalloc(1, sizeof(*l));

		*l = (struct served_line){ s, fd };
		s->connections++;
		s->open++;
		if (pthread_create(&t, NULL, served_connection, l) || pthread_detach(t))
			abort();
	}
}

static inline void served_start(struct served *s, served_fn answer)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	*s = (struct served){ .answer = answer, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	if (bind(s->fd, (struct sockaddr *)&a, n) || listen(s->fd, 64) || getsockname(s->fd, (struct sockaddr *)&a, &n))
		abort();
	s->port = ntohs(a.sin_port);
	if (pthread_create(&s->thread, NULL, served_accept, s))
		abort();
}

/* The client must be gone: its connections end ours. */
static inline void served_stop(struct served *s)
{
	s->stopping = true;
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	while (s->open)
		usleep(1000);
}
