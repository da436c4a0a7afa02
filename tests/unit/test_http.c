/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "served.h"

#include <airgap/http.h>
#include <airgap/pool.h>

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
