/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links, ranges, dates, limits: what is taken prints, and what is printed is taken as the same. One input goes to all of
 * them, whole and line by line, as a server may put any value into any field.
 */
#include <airgap/header.h>

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(bool good)
{
	if (!good)
		abort();
}

static void content_range(const char *s)
{
	uint64_t first, last, total, a, b, t;
	char text[100];

	if (content_range_total(s, &t)) {
		check(!content_range_parse(s, &a, &b, &total));
		snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)t);
		check(content_range_total(text, &total) && total == t);
	}
	if (!content_range_parse(s, &first, &last, &total))
		return;
	check(first <= last && last < total);
	if (total == UINT64_MAX)
		snprintf(text, sizeof(text), "bytes %llu-%llu/*", (unsigned long long)first, (unsigned long long)last);
	else
		snprintf(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)first, (unsigned long long)last,
			 (unsigned long long)total);
	check(content_range_parse(text, &a, &b, &t) && a == first && b == last && t == total);
}

static void upload_range(const char *s)
{
	uint64_t have, again;
	char text[40];

	if (!upload_range_parse(s, &have))
		return;
	check(have > 0);
	snprintf(text, sizeof(text), "0-%llu", (unsigned long long)have - 1);
	check(upload_range_parse(text, &again) && again == have);
}

/* The target is a part of the text that somebody put between angle brackets. */
static void links(const char *s)
{
	auto_free char *next = link_next(s);

	if (!next)
		return;

	auto_free char *quoted = xasprintf("<%s>", next), *line = xasprintf("<%s>; rel=\"next\"", next);
	auto_free char *again = link_next(line);

	check(strstr(s, quoted) && !strchr(next, '>') && str_eq(again, next));
}

/* A year of five digits comes out of the last second of 9999 plus one: no form has room for it. */
static void same_date(const char *text, time_t when, int year)
{
	time_t same;

	check(year > 9999 || (http_date_parse(text, &same) && same == when));
}

/* A wait is what a date leaves of it. */
static void waits(const char *s)
{
	const time_t now = 784111777;
	uint64_t seconds = 0;
	time_t when;
	struct tm tm;
	char text[64];

	if (!http_date_parse(s, &when))
		return;
	check(retry_after_parse(s, now, &seconds) && seconds == (when > now ? (uint64_t)(when - now) : 0));
	check(gmtime_r(&when, &tm) && strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
	same_date(text, when, tm.tm_year + 1900);
	check(strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &tm) > 0);
	same_date(text, when, tm.tm_year + 1900);
}

static void limits(const char *s)
{
	uint64_t count, window, n, w;
	char text[64];

	if (!rate_limit_parse(s, &count, &window))
		return;
	snprintf(text, sizeof(text), "%llu;w=%llu", (unsigned long long)count, (unsigned long long)window);
	check(rate_limit_parse(text, &n, &w) && n == count && w == window);
}

static void one(const char *s)
{
	auto_free char *type = media_type_cut(s), *again = media_type_cut(type);

	check(str_eq(type, again) && !strchr(type, ';'));
	content_range(s);
	upload_range(s);
	links(s);
	waits(s);
	limits(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_free char *text = xstrndup((const char *)p, n);
	auto_strv struct strv lines = { 0 };

	one(text);
	strv_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.n; i++)
		one(lines.items[i]);
	return 0;
}
