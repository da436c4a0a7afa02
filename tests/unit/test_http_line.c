/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges, and how much a host is asked at once. */
#include "unit.h"

#include "served.h"

#include <airgap/http.h>
#include <airgap/pool.h>

#include <stdio.h>

static struct err e;
static struct served server;
static char *base;
static const char content[] = "0123456789abcdefghij";
static atomic_uint at_once, most, until_good;

static void answer_range(const struct asked *a, struct buf *out, bool too_far)
{
	unsigned first = 0, last = 19;

	sscanf(a->range, "bytes=%u-%u", &first, &last);
	if (too_far)
		last = 19;
	buf_putf(out, "HTTP/1.1 206 X\r\nETag: \"one\"\r\nContent-Range: bytes %u-%u/20\r\nContent-Length: %u\r\n\r\n%.*s",
		 first, last, last - first + 1, (int)(last - first + 1), content + first);
}

static void answer(const struct asked *a, struct buf *out)
{
	unsigned now = ++at_once, seen = most;

	while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
		;
	if (strcmp(a->target, "/good") == 0 && (!*a->if_range || strcmp(a->if_range, "\"one\"") == 0))
		answer_range(a, out, false);
	else if (strcmp(a->target, "/far") == 0)
		answer_range(a, out, true);
	else if (strcmp(a->target, "/slow") == 0)
		usleep(20000);
	else if (strcmp(a->target, "/busy") == 0 && until_good && until_good--)
		served_text(out, 429, "Retry-After: 1\r\n", "");
	if (!out->len)
		served_text(out, 200, "ETag: \"two\"\r\n", content);
	at_once--;
}

static int set_up(void **state)
{
	served_start(&server, answer);
	base = xasprintf("http://127.0.0.1:%u", server.port);
	most = 0;
	return 0;
}

static int tear_down(void **state)
{
	served_stop(&server);
	free(TAKE(base));
	return 0;
}

static struct http_client *open_client(unsigned most_at_once, uint64_t rate)
{
	struct http_options o = { .tries = 3, .backoff_ms = 5, .most_at_once = most_at_once };
	struct http_client *c = http_new(&o, &e);
	struct http_host h = { .host = base + 7, .plain_http = true, .rate = rate };

	if (!c || http_host_set(c, &h, &e) < 0)
		fail_msg("%s", e.msg);
	return c;
}

/* ---- ranges */

struct seen { bool begun, whole; char etag[16]; };

static int on_begin(void *ctx, bool whole, const char *etag, struct err *err)
{
	struct seen *s = ctx;

	s->begun = true;
	s->whole = whole;
	snprintf(s->etag, sizeof(s->etag), "%s", etag ? etag : "");
	return 0;
}

static int get(const char *path, const struct http_range *range, struct buf *out)
{
	auto_http struct http_client *c = open_client(0, 0);
	auto_free char *url = xasprintf("%s%s", base, path);
	const struct sink to = { buf_sink_write, out };
	const struct http_get g = { .url = url, .size = 20, .range = range };

	buf_clear(out);
	return http_fetch(c, &g, &to, &e);
}

TEST(a_range_is_what_was_asked_for)
{
	auto_buf struct buf out = BUF_INIT(100);
	struct seen s = { 0 };
	struct http_range r = { .offset = 5, .end = 9, .etag = "\"one\"", .begin = on_begin, .ctx = &s };

	assert_ok(get("/good", &r, &out), e);
	assert_string_equal(buf_str(&out), "5678");
	assert_true(s.begun && !s.whole);
	assert_string_equal(s.etag, "\"one\"");
	r = (struct http_range){ .offset = 16, .end = 20 };
	assert_ok(get("/good", &r, &out), e);
	assert_string_equal(buf_str(&out), "ghij");
	r = (struct http_range){ .end = 3 };
	assert_ok(get("/good", &r, &out), e);
	assert_string_equal(buf_str(&out), "012");
}

TEST(a_server_that_ignores_ranges_is_read_to_the_end_or_refused)
{
	auto_buf struct buf out = BUF_INIT(100);
	struct seen s = { 0 };
	struct http_range r = { .end = 4, .begin = on_begin, .ctx = &s };

	assert_ok(get("/whole", &r, &out), e);
	assert_true(s.whole);
	assert_string_equal(buf_str(&out), content);
	r.offset = 2;
	assert_ok(get("/whole", &r, &out), e);
	assert_string_equal(buf_str(&out), content + 2);
	r.begin = NULL;
	assert_err(get("/whole", &r, &out), e, ERR_PROTOCOL);
	assert_int_equal(out.len, 0);
	assert_err(get("/far", &r, &out), e, ERR_PROTOCOL);
	assert_int_equal(out.len, 0);
}

TEST(content_that_changed_is_not_a_part_of_it)
{
	auto_buf struct buf out = BUF_INIT(100);
	struct http_range r = { .offset = 5, .end = 9, .etag = "\"zero\"" };

	assert_err(get("/good", &r, &out), e, ERR_PROTOCOL);
	assert_int_equal(out.len, 0);
}

/* ---- at once */

struct many { struct http_client *c; const char *path; };

static int get_one(void *ctx, unsigned worker, size_t item, struct err *err)
{
	const struct many *m = ctx;
	auto_free char *url = xasprintf("%s%s", base, m->path);
	auto_buf struct buf body = BUF_INIT(100);
	const struct sink to = { buf_sink_write, &body };
	const struct http_get g = { .url = url, .size = UINT64_MAX };

	return http_fetch(m->c, &g, &to, err);
}

TEST(begins_with_few_and_never_passes_the_most)
{
	auto_http struct http_client *c = open_client(9, 0);
	struct many m = { c, "/slow" };

	assert_ok(pool_each(16, 8, get_one, &m, &e), e);
	assert_int_equal(most, 4);
	assert_ok(pool_each(16, 400, get_one, &m, &e), e);
	assert_in_range(most, 6, 9);
}

TEST(a_server_that_is_busy_gets_less_and_the_time_it_asked_for)
{
	auto_http struct http_client *c = open_client(8, 0);
	struct many m = { c, "/busy" };
	struct timespec from, to;

	until_good = 4;
	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_ok(pool_each(4, 4, get_one, &m, &e), e);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true(to.tv_sec - from.tv_sec >= 1 || to.tv_nsec - from.tv_nsec > 900000000);
	assert_int_equal(http_stats(c).retries, 4);
	most = 0;
	m.path = "/slow";
	assert_ok(pool_each(8, 8, get_one, &m, &e), e);
	assert_true(most <= 3);
}

TEST(a_rate_is_kept)
{
	auto_http struct http_client *c = open_client(8, 200);
	struct many m = { c, "/whole" };
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_ok(pool_each(4, 10, get_one, &m, &e), e);        /* 200 bytes, the last of which may come 0.9 s later */
	clock_gettime(CLOCK_MONOTONIC, &to);

	double took = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;

	assert_true(took > 0.85);
}

TEST(rates_have_units)
{
	static const struct { const char *text; uint64_t n; } cases[] = {
		{ "20MiB", 20 << 20 }, { "1", 1 }, { "500KiB", 500 << 10 }, { "3GiB", UINT64_C(3) << 30 }, { "7B", 7 },
		{ "", 0 }, { "0", 0 }, { "MiB", 0 }, { "20MB", 0 }, { "20 MiB", 0 }, { "-1", 0 }, { "1.5MiB", 0 },
		{ "18446744073709551615GiB", 0 }, { "99999999999999999999", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t n = 0;

		assert_int_equal(http_rate_parse(cases[i].text, &n), cases[i].n > 0);
		assert_int_equal(n, cases[i].n);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(a_range_is_what_was_asked_for),
		T(a_server_that_ignores_ranges_is_read_to_the_end_or_refused),
		T(content_that_changed_is_not_a_part_of_it),
		T(begins_with_few_and_never_passes_the_most),
		T(a_server_that_is_busy_gets_less_and_the_time_it_asked_for),
		T(a_rate_is_kept),
		T(rates_have_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
