/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "served.h"

#include <airgap/fs.h>
#include <airgap/http.h>
#include <airgap/pool.h>

#include <stdio.h>

static struct err e;
static struct served server;
static struct http_client *client;
static char *base;

static void answer(const struct asked *a, struct buf *out)
{
	if (strcmp(a->target, "/hello") == 0)
		served_text(out, 200, "X-A: one\r\nx-a:  two \r\n", "hello");
	else if (strcmp(a->target, "/who") == 0)
		served_text(out, 200, "", a->authorization);
	else if (strcmp(a->target, "/back") == 0)
		served_text(out, 302, "Location: /who\r\n", "");
	else if (strcmp(a->target, "/twice") == 0)
		served_text(out, 307, "Location: /count\r\n", "");
	else if (strcmp(a->target, "/count") == 0)
		buf_putf(out, "HTTP/1.1 200 X\r\nContent-Length: 8\r\n\r\n%8zu", a->length);
	else
		served_text(out, 404, "", "{\"errors\":[{\"code\":\"X\",\"message\":\"no \\u0001such\"}]}");
}

static int set_up(void **state)
{
	struct http_options o = { .tries = 2, .backoff_ms = 5 };

	served_start(&server, answer);
	client = http_new(&o, &e);
	if (!client)
		return -1;
	base = xasprintf("http://127.0.0.1:%u", server.port);

	struct http_host h = { .host = base + 7, .plain_http = true };

	return http_host_set(client, &h, &e);
}

static int tear_down(void **state)
{
	http_free(TAKE(client));
	served_stop(&server);
	free(TAKE(base));
	return 0;
}

static int do_it(const char *method, const char *path, struct http_request *q, struct buf *body, struct http_response *r)
{
	auto_free char *url = xasprintf("%s%s", base, path);
	const struct sink to = { buf_sink_write, body };
	struct http_request plain = { 0 };

	q = q ? q : &plain;
	q->method = method;
	q->url = url;
	return http_do(client, q, &to, r, &e);
}

TEST(reads_body_and_headers)
{
	auto_response struct http_response r = HTTP_RESPONSE_INIT;
	auto_buf struct buf body = BUF_INIT(100);
	auto_strv struct strv all = { 0 };

	assert_ok(do_it(NULL, "/hello", NULL, &body, &r), e);
	assert_int_equal(r.status, 200);
	assert_string_equal(buf_str(&body), "hello");
	assert_string_equal(http_header(&r, "x-a"), "one");
	http_header_all(&r, "x-a", &all);
	assert_int_equal(all.n, 2);
	assert_string_equal(all.items[1], "two");
	assert_null(http_header(&r, "x"));
	buf_clear(&body);
	assert_ok(do_it("HEAD", "/hello", NULL, &body, &r), e);
	assert_int_equal(body.len, 0);
	assert_string_equal(http_header(&r, "content-length"), "5");
}

TEST(keeps_authorization_at_home)
{
	auto_response struct http_response r = HTTP_RESPONSE_INIT;
	auto_buf struct buf body = BUF_INIT(100);
	auto_secret struct secret s = { 0 };
	struct http_request q = { .authorization = &s };

	secret_set(&s, "Bearer x");
	assert_ok(do_it(NULL, "/back", &q, &body, &r), e);
	assert_string_equal(buf_str(&body), "Bearer x");
	assert_int_equal(r.redirects, 1);
	assert_string_equal(r.url.path, "/who");
	q.stay = true;
	assert_ok(do_it(NULL, "/back", &q, &body, &r), e);
	assert_int_equal(r.status, 302);
}

TEST(refuses_a_header_of_two_lines)
{
	static const char *const headers[] = { "X: a\r\nY: b", NULL };
	auto_response struct http_response r = HTTP_RESPONSE_INIT;
	auto_buf struct buf body = BUF_INIT(100);
	auto_secret struct secret s = { 0 };
	struct http_request q = { .headers = headers }, a = { .authorization = &s };

	assert_err(do_it(NULL, "/hello", &q, &body, &r), e, ERR_PROTOCOL);
	secret_set(&s, "Bearer x\r\nY: b");
	assert_err(do_it(NULL, "/hello", &a, &body, &r), e, ERR_PROTOCOL);
}

struct counting { size_t at, size; unsigned seeks; };

static ssize_t counting_read(void *ctx, void *p, size_t n, struct err *err)
{
	struct counting *c = ctx;

	n = MIN(n, c->size - c->at);
	memset(p, 'x', n);
	c->at += n;
	return (ssize_t)n;
}

static int counting_seek(void *ctx, uint64_t at, struct err *err)
{
	struct counting *c = ctx;

	c->at = at;
	c->seeks++;
	return 0;
}

TEST(sends_a_stream_again_after_a_redirect)
{
	auto_response struct http_response r = HTTP_RESPONSE_INIT;
	auto_buf struct buf body = BUF_INIT(100);
	struct counting c = { .size = 3000000 };
	struct source s = { counting_read, counting_seek, &c };
	struct http_request q = { .source = &s, .body_size = 3000000 };

	assert_ok(do_it("PUT", "/twice", &q, &body, &r), e);
	assert_string_equal(buf_str(&body), " 3000000");
	assert_true(c.seeks >= 1);
	s.seek = NULL;
	c.at = 0;
	assert_err(do_it("PUT", "/twice", &q, &body, &r), e, ERR_REDIRECT);
	c.at = 1;
	assert_err(do_it("PUT", "/count", &q, &body, &r), e, ERR_TRUNCATED);
}

TEST(says_what_a_status_means)
{
	static const struct { int status; enum err_code code; } rows[] = {
		{ 401, ERR_AUTH }, { 403, ERR_AUTH }, { 404, ERR_NETWORK }, { 410, ERR_NETWORK }, { 429, ERR_RATE },
		{ 400, ERR_PROTOCOL }, { 302, ERR_PROTOCOL }, { 500, ERR_NETWORK }, { 503, ERR_NETWORK },
	};
	auto_response struct http_response r = HTTP_RESPONSE_INIT;
	auto_buf struct buf body = BUF_INIT(100);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		r.status = rows[i].status;
		assert_err(http_status_error(&r, "x", &e), e, rows[i].code);
	}
	assert_ok(do_it(NULL, "/nope", NULL, &body, &r), e);
	assert_err(http_status_error(&r, "it", &e), e, ERR_NETWORK);
	assert_string_equal(e.msg, "it: not there: X: no such");
}

TEST(knows_hosts_by_one_spelling)
{
	static const struct http_host hosts[] = {
		{ .host = "Plain.example", .plain_http = true },
		{ .host = "other.example:5000", .plain_http = true },
		{ .host = "later.example" },
	};
	struct http_options o = { .hosts = hosts, .n_hosts = ARRAY_LEN(hosts) };
	auto_http struct http_client *c = http_new(&o, &e);
	auto_free char *plain = http_host_base(c, "plain.example"), *port = http_host_base(c, "other.example:5000");
	auto_free char *wrong_port = http_host_base(c, "other.example"), *later = http_host_base(c, "later.example");
	struct http_host bad = { .host = "a/b" };

	assert_string_equal(plain, "http://plain.example");
	assert_string_equal(port, "http://other.example:5000");
	assert_string_equal(wrong_port, "https://other.example");
	assert_string_equal(later, "https://later.example");
	assert_err(http_host_set(c, &bad, &e), e, ERR_USAGE);
}

static int get_hello(void *ctx, unsigned worker, size_t item, struct err *err)
{
	auto_free char *url = xasprintf("%s/hello", base);
	auto_buf struct buf body = BUF_INIT(100);
	const struct sink to = { buf_sink_write, &body };
	const struct http_get g = { .url = url, .size = item % 2 ? 5 : UINT64_MAX };

	if (http_fetch(client, &g, &to, err) < 0)
		return -1;
	return strcmp(buf_str(&body), "hello") == 0 ? 0 : err_set(err, ERR_BUG, "got '%s'", buf_str(&body));
}

TEST(keeps_connections_in_many_threads)
{
	assert_ok(pool_each(8, 400, get_hello, NULL, &e), e);

	struct http_stats s = http_stats(client);

	assert_int_equal(s.requests, 400);
	assert_true(s.connections <= 8);
	assert_int_equal(s.bytes_in, 2000);
	assert_int_equal(server.connections, s.connections);
}

/* A port that takes connections and never says a word, or one that nobody listens on. */
static uint16_t odd_port(bool mute, int *out_fd)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, n) || (mute && listen(fd, 64)) || getsockname(fd, (struct sockaddr *)&a, &n))
		abort();
	*out_fd = fd;
	return ntohs(a.sin_port);
}

static struct { unsigned slow; char host[32]; } told;

static void on_slow(const char *host, unsigned seconds)
{
	told.slow++;
	snprintf(told.host, sizeof(told.host), "%s", host);
}

/* One call with all its tries. */
static int ask_odd(struct http_client *c, const char *url)
{
	auto_response struct http_response r = HTTP_RESPONSE_INIT;
	const struct http_request q = { .method = "HEAD", .url = url };
	struct http_tries t = { 0 };
	int rc;

	do
		rc = http_do(c, &q, NULL, &r, &e);
	while (http_again(c, &t, rc, &r, &e));
	return rc;
}

static void assert_given_up(bool mute, enum err_code code, const char *words, unsigned asked)
{
	struct http_options o = { .tries = 4, .backoff_ms = 5, .stall_ms = 300, .give_up = true, .slow = on_slow };
	auto_http struct http_client *c = http_new(&o, &e);
	auto_fd int fd = -1;
	uint16_t port = odd_port(mute, &fd);
	auto_free char *url = xasprintf("http://127.0.0.1:%u/x", port), *want = xasprintf("'127.0.0.1:%u'%s", port, words);
	auto_free char *host = xasprintf("127.0.0.1:%u", port);
	struct http_host h = { .host = host, .plain_http = true };

	assert_ok(http_host_set(c, &h, &e), e);
	assert_err(ask_odd(c, url), e, code);
	assert_int_equal(http_stats(c).requests, asked);
	assert_true(str_starts(e.msg, want));
	err_clear(&e);
	for (int i = 0; i < 3; i++)
		assert_err(ask_odd(c, url), e, code);
	assert_true(str_starts(e.msg, want));
	assert_int_equal(http_stats(c).requests, asked);
}

TEST(gives_a_silent_server_up)
{
	assert_given_up(true, ERR_DEADLINE, " is silent for too long", 2);
}

TEST(gives_a_port_up_where_nobody_listens)
{
	assert_given_up(false, ERR_NETWORK, ": no connection", 4);
}

TEST(gives_nobody_up_unless_told_to)
{
	struct http_options o = { .tries = 2, .backoff_ms = 5 };
	auto_http struct http_client *c = http_new(&o, &e);
	auto_fd int fd = -1;
	uint16_t port = odd_port(false, &fd);
	auto_free char *url = xasprintf("http://127.0.0.1:%u/x", port), *host = xasprintf("127.0.0.1:%u", port);
	struct http_host h = { .host = host, .plain_http = true };

	assert_ok(http_host_set(c, &h, &e), e);
	assert_err(ask_odd(c, url), e, ERR_NETWORK);
	assert_err(ask_odd(c, url), e, ERR_NETWORK);
	assert_int_equal(http_stats(c).requests, 4);
}

TEST(tells_that_a_server_is_slow)
{
	struct http_options o = { .tries = 1, .stall_ms = 12000, .slow = on_slow };
	auto_http struct http_client *c = http_new(&o, &e);
	auto_fd int fd = -1;
	uint16_t port = odd_port(true, &fd);
	auto_free char *url = xasprintf("http://127.0.0.1:%u/x", port), *host = xasprintf("127.0.0.1:%u", port);
	struct http_host h = { .host = host, .plain_http = true };

	told.slow = 0;
	assert_ok(http_host_set(c, &h, &e), e);
	assert_err(ask_odd(c, url), e, ERR_DEADLINE);
	assert_int_equal(told.slow, 1);
	assert_string_equal(told.host, host);
}

TEST(says_how_to_allow_plain_http)
{
	auto_http struct http_client *c = http_new(&(struct http_options){ 0 }, &e);

	assert_err(ask_odd(c, "http://127.0.0.1:9/x"), e, ERR_USAGE);
	assert_string_equal(e.msg, "plain http to '127.0.0.1:9' is not allowed: use https, or write "
				   "hosts: {\"127.0.0.1:9\": {plainHTTP: true}} (on the command line --plain-http)");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(reads_body_and_headers),
		T(keeps_authorization_at_home),
		T(refuses_a_header_of_two_lines),
		T(sends_a_stream_again_after_a_redirect),
		T(says_what_a_status_means),
		T(knows_hosts_by_one_spelling),
		T(keeps_connections_in_many_threads),
		T(gives_a_silent_server_up),
		T(gives_a_port_up_where_nobody_listens),
		T(gives_nobody_up_unless_told_to),
		T(tells_that_a_server_is_slow),
		T(says_how_to_allow_plain_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
