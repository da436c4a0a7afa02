/* SPDX-License-Identifier: Apache-2.0 */
/* Everything a server can put into a header field that we take apart: challenges, ranges, links, dates, addresses. */
#include <airgap/header.h>
#include <airgap/url.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(bool good)
{
	if (!good)
		abort();
}

static void numbers(const char *s)
{
	uint64_t a, b, t;
	time_t when;

	if (content_range_parse(s, &a, &b, &t))
		check(a <= b && b < t);
	if (content_range_total(s, &t))
		check(!content_range_parse(s, &a, &b, &t));
	if (upload_range_parse(s, &a))
		check(a > 0);
	if (retry_after_parse(s, 784111777, &a) && http_date_parse(s, &when))
		check(when <= 784111777 ? a == 0 : a == (uint64_t)(when - 784111777));
	if (rate_limit_parse(s, &a, &b))
		check(*s != '\0');
	free(media_type_cut(s));
}

/* What parses prints, and what is printed parses to the same. */
static void round_trip(const struct url *u)
{
	CLEANUP(url_release) struct url again = { 0 };
	auto_free char *text = url_text(u), *shown = url_shown(u);
	struct err e;

	if (url_parse(text, "fuzz", &again, &e) < 0) {
		check(e.code == ERR_LIMIT);
		return;
	}

	auto_free char *back = url_text(&again);

	check(strcmp(text, back) == 0 && url_same_origin(u, &again) && u->path[0] == '/');
	check(!strchr(shown, '?') && !strchr(text, '#'));
	for (const char *c = text; *c; c++)
		check(*c > ' ' && *c < 127);
	(void)url_is_private(u);
}

static void address(const char *s)
{
	CLEANUP(url_release) struct url base = { 0 }, u = { 0 }, resolved = { 0 };
	struct err e;

	if (url_parse(s, "fuzz", &u, &e) == 0)
		round_trip(&u);
	if (url_parse("https://host/a/b?c", "fuzz", &base, &e) < 0)
		abort();
	if (url_resolve(&base, s, &resolved, &e) == 0)
		round_trip(&resolved);
	free(url_host_normal(s, true));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_free char *text = xstrndup((const char *)p, n);
	auto_strv struct strv lines = { 0 };
	auto_challenge struct challenge c = { 0 };
	auto_free char *next = NULL;

	strv_split(&lines, text, '\n');
	if (challenge_pick(&lines, &c))
		check(c.scheme == CHALLENGE_BASIC || (c.realm && *c.realm));
	next = link_next(text);
	if (next)
		check(strlen(next) <= n);
	numbers(text);
	address(text);
	return 0;
}
