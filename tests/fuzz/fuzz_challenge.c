/* SPDX-License-Identifier: Apache-2.0 */
/* Challenges, and addresses wherever a server may put them. */
#include <airgap/header.h>
#include <airgap/url.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(bool good)
{
	if (!good)
		abort();
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

	strv_split(&lines, text, '\n');
	if (challenge_pick(&lines, &c))
		check(c.scheme == CHALLENGE_BASIC || (c.realm && *c.realm));
	address(text);
	return 0;
}
