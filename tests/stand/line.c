/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line: a line with a length, that breaks. Passes TCP on to --to and counts what arrived at the client.
 *
 *	line --to HOST:PORT --dir DIR [--delay MS] [--rate BYTES] [--cuts N --after BYTES] [--port PORT]
 *
 * --delay    each byte comes MS later, each way; the line is as wide as before: what is on its way does not wait
 * --rate     at most so many bytes a second to the client, over all connections
 * --cuts     so many connections are cut (RST) once they carried BYTES/2 to BYTES*3/2 bytes to the client, by chance
 *
 * DIR/facts holds `address=` once it listens; DIR/counts, made anew when a connection ends, `bytes=` that the clients' side
 * of those that ended acknowledged, `cuts=` and `connections=`. Of the tests' own.
 */
#include <airgap/base.h>

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <linux/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE (256u << 10)
#define QUEUE 256u              /* pieces on their way in one direction */

static uint64_t delay_us, after, rate, rate_at;
static long cuts_left;
static const char *dir;
static struct addrinfo *far_address;
static _Atomic uint64_t taken, cuts, connections;
static pthread_mutex_t cut_lock = PTHREAD_MUTEX_INITIALIZER;

struct piece { uint64_t due; size_t n; char bytes[PIECE]; };

/* One direction: a thread reads into the queue, another writes what is due. */
struct pipe_end {
	struct line *line;
	int from, to;
	bool down;              /* towards the client */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct piece *queue[QUEUE];
	size_t head, n;
	bool ended, broken;
};

struct line {
	int near, far;
	struct pipe_end up, down;
	uint64_t cut_at;        /* 0 = never */
	uint64_t carried;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void write_counts(void)
{
	auto_free char *path = xasprintf("%s/counts", dir), *fresh = xasprintf("%s/counts.new", dir);
	FILE *f;

	pthread_mutex_lock(&cut_lock);
	f = fopen(fresh, "w");
	if (f) {
		fprintf(f, "bytes=%llu\ncuts=%llu\nconnections=%llu\n", (unsigned long long)taken, (unsigned long long)cuts,
			(unsigned long long)connections);
		fclose(f);
		if (rename(fresh, path) < 0)
			perror(path);
	}
	pthread_mutex_unlock(&cut_lock);
}

static void break_pipe(struct pipe_end *p)
{
	pthread_mutex_lock(&p->lock);
	p->broken = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

static struct tcp_info info(int fd)
{
	struct tcp_info t = { 0 };
	socklen_t n = sizeof(t);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &t, &n) < 0)
		perror("line");
	return t;
}

/* What was sent is to arrive before the reset, so that the count is that of the client's side. */
static void drain(int fd)
{
	for (int i = 0; i < 1000; i++) {
		struct tcp_info t = info(fd);

		if (t.tcpi_unacked == 0 && t.tcpi_notsent_bytes == 0)
			return;
		usleep(200);
	}
}

/* Ends the connection for both sides; with a reset towards the client. */
static void cut(struct line *l)
{
	const struct linger now = { 1, 0 };

	drain(l->near);
	setsockopt(l->near, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	break_pipe(&l->up);
	break_pipe(&l->down);
	shutdown(l->far, SHUT_RDWR);
	shutdown(l->near, SHUT_RD);
}

static void *reader(void *ctx)
{
	struct pipe_end *p = ctx;

	for (;;) {
		struct piece *piece = xmalloc(sizeof(*piece));
		ssize_t n = read(p->from, piece->bytes, PIECE);

		pthread_mutex_lock(&p->lock);
		while (n > 0 && p->n == QUEUE && !p->broken)
			pthread_cond_wait(&p->changed, &p->lock);
		if (n <= 0 || p->broken) {
			p->ended = true;
			pthread_cond_broadcast(&p->changed);
			pthread_mutex_unlock(&p->lock);
			free(piece);
			return NULL;
		}
		piece->n = (size_t)n;
		piece->due = now_us() + delay_us;
		p->queue[(p->head + p->n++) % QUEUE] = piece;
		pthread_cond_broadcast(&p->changed);
		pthread_mutex_unlock(&p->lock);
	}
}

static struct piece *take(struct pipe_end *p)
{
	struct piece *piece = NULL;

	pthread_mutex_lock(&p->lock);
	while (!p->n && !p->ended && !p->broken)
		pthread_cond_wait(&p->changed, &p->lock);
	if (p->n && !p->broken) {
		piece = p->queue[p->head];
		p->head = (p->head + 1) % QUEUE;
		p->n--;
		pthread_cond_broadcast(&p->changed);
	}
	pthread_mutex_unlock(&p->lock);
	return piece;
}

static bool send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		p += sent;
		n -= (size_t)sent;
	}
	return true;
}

/* The bytes of a piece that may still go before the cut; true: cut behind them. */
static bool due_to_cut(struct line *l, size_t *n)
{
	bool due = false;

	if (!l->cut_at || l->carried + *n < l->cut_at)
		return false;
	pthread_mutex_lock(&cut_lock);
	if (cuts_left > 0) {
		cuts_left--;
		due = true;
	}
	pthread_mutex_unlock(&cut_lock);
	if (due)
		*n = (size_t)(l->cut_at - l->carried);
	return due;
}

/* The time from which the next bytes may go moves on with each piece. */
static void wait_for_rate(size_t n)
{
	uint64_t now = now_us(), at;

	pthread_mutex_lock(&cut_lock);
	at = MAX(rate_at, now);
	rate_at = at + n * 1000000u / rate;
	pthread_mutex_unlock(&cut_lock);
	if (at > now)
		usleep((useconds_t)(at - now));
}

static void *writer(void *ctx)
{
	struct pipe_end *p = ctx;
	struct line *l = p->line;
	struct piece *piece;

	while ((piece = take(p))) {
		uint64_t now = now_us();
		size_t n = piece->n;
		bool last = p->down && due_to_cut(l, &n);

		if (piece->due > now)
			usleep((useconds_t)(piece->due - now));

		if (p->down && rate)
			wait_for_rate(n);

		bool sent = send_all(p->to, piece->bytes, n);

		free(piece);
		if (p->down)
			l->carried += n;
		if (last)
			cuts++;
		if (last || !sent) {
			cut(l);
			break;
		}
	}
	if (!p->broken)
		shutdown(p->to, SHUT_WR);
	return NULL;
}

static void *connection(void *ctx)
{
	struct line *l = ctx;
	void *(*const run[4])(void *) = { reader, writer, reader, writer };
	struct pipe_end *const ends[4] = { &l->up, &l->up, &l->down, &l->down };
	pthread_t threads[4];

	l->far = socket(far_address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (delay_us)
		usleep((useconds_t)(2 * delay_us));     /* the handshake */
	if (l->far < 0 || connect(l->far, far_address->ai_addr, far_address->ai_addrlen) < 0) {
		perror("line");
	} else {
		int on = 1;

		setsockopt(l->far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(l->near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		l->up = (struct pipe_end){ l, l->near, l->far, false, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER };
		l->down = (struct pipe_end){ l, l->far, l->near, true, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER };
		for (int i = 0; i < 4; i++)
			if (pthread_create(&threads[i], NULL, run[i], ends[i]))
				abort();
		for (int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
	}
	taken += info(l->near).tcpi_bytes_acked;
	close(l->near);
	close(l->far);
	for (int i = 0; i < 2; i++)
		for (struct pipe_end *p = i ? &l->up : &l->down; p->n; p->n--, p->head = (p->head + 1) % QUEUE)
			free(p->queue[p->head]);
	free(l);
	write_counts();
	return NULL;
}

static int usage(void)
{
	fputs("line --to HOST:PORT --dir DIR [--delay MS] [--rate BYTES] [--cuts N --after BYTES] [--port PORT]\n", stderr);
	return 2;
}

static void say_where(int fd)
{
	auto_free char *path = xasprintf("%s/facts", dir), *fresh = xasprintf("%s/facts.new", dir);
	struct sockaddr_in a;
	socklen_t n = sizeof(a);
	FILE *f = fopen(fresh, "w");

	if (!f || getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		abort();
	fprintf(f, "address=127.0.0.1:%u\n", ntohs(a.sin_port));
	fclose(f);
	if (rename(fresh, path) < 0)
		abort();
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 128) < 0) {
		perror("line");
		exit(1);
	}
	return fd;
}

static bool find_far(char *to)
{
	const struct addrinfo want = { .ai_socktype = SOCK_STREAM };
	char *colon = to ? strrchr(to, ':') : NULL;

	if (!colon)
		return false;
	*colon = '\0';
	return getaddrinfo(to, colon + 1, &want, &far_address) == 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "to", 1, NULL, 't' }, { "dir", 1, NULL, 'd' }, { "delay", 1, NULL, 'y' }, { "cuts", 1, NULL, 'c' },
		{ "rate", 1, NULL, 'r' },
		{ "after", 1, NULL, 'a' }, { "port", 1, NULL, 'p' }, { 0 },
	};
	char *to = NULL;
	uint16_t port = 0;
	pthread_t t;

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;)
		switch (o) {
		case 't': to = optarg; break;
		case 'd': dir = optarg; break;
		case 'y': delay_us = strtoull(optarg, NULL, 10) * 1000; break;
		case 'r': rate = strtoull(optarg, NULL, 10); break;
		case 'c': cuts_left = strtol(optarg, NULL, 10); break;
		case 'a': after = strtoull(optarg, NULL, 10); break;
		case 'p': port = (uint16_t)strtoul(optarg, NULL, 10); break;
		default: return usage();
		}
	if (!dir || !find_far(to))
		return usage();

	int fd = listen_on(port);
	unsigned seed = 4711;

	say_where(fd);
	write_counts();
	for (;;) {
		struct line *l = xcalloc(1, sizeof(*l));

		l->near = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (l->near < 0)
			return 1;
		connections++;
		l->cut_at = after ? after / 2 + (uint64_t)((double)after * rand_r(&seed) / ((double)RAND_MAX + 1)) : 0;
		if (pthread_create(&t, NULL, connection, l) || pthread_detach(t))
			abort();
	}
}
