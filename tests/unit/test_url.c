/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/url.h>

static struct err e;

static void assert_parses(const char *text, const char *want)
{
	CLEANUP(url_release) struct url u = { 0 };

	assert_ok(url_parse(text, "t", &u, &e), e);

	auto_free char *back = url_text(&u);

	assert_string_equal(back, want);
}

TEST(parses_and_prints)
{
	assert_parses("https://Example.COM", "https://example.com/");
	assert_parses("HTTP://example.com:80/a?b#c", "http://example.com/a?b");
	assert_parses("https://example.com:8443/a/../b/./c", "https://example.com:8443/b/c");
	assert_parses("https://example.com/../../x", "https://example.com/x");
	assert_parses("https://example.com/a/..", "https://example.com/");
	assert_parses("https://example.com/a b/\xc3\xbc?q r", "https://example.com/a%20b/%C3%BC?q%20r");
	assert_parses("https://example.com/%2e%2E/a%2Fb", "https://example.com/%2e%2E/a%2Fb");
	assert_parses("https://[::1]:5000/x", "https://[::1]:5000/x");
	assert_parses("https://10.0.0.1?x", "https://10.0.0.1/?x");
	assert_parses("https://a.b:/x", "https://a.b/x");
}

TEST(refuses_what_is_read_in_two_ways)
{
	static const char *const bad[] = {
		"", "x", "https:", "https://", "https:///x", "https://user@host/", "https://user:pw@host/", "https://a b/",
		"https://a\\@b/", "https://127.1/", "https://0x7f000001/", "https://2130706433/", "https://0177.0.0.1/",
		"https://127.0.0.1./", "https://1.2.3.4.5/", "https://a..b/", "https://-a/", "https://.a/", "https://a:0/",
		"https://a:65536/", "https://a:1x/", "https://[::1", "https://[1.2.3.4]/", "https://[fe80::1%25eth0]/",
		"https://[::1]x/", "https://a%2eb/", "https://\xc3\xbc.example/", "https://a/\x01", "https://a/?\n",
	};
	struct url u = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (url_parse(bad[i], "t", &u, &e) == 0)
			fail_msg("took '%s'", bad[i]);
		assert_int_equal(e.code, ERR_MALFORMED);
	}
	assert_err(url_parse("ftp://a/", "t", &u, &e), e, ERR_UNSUPPORTED);
	assert_err(url_parse("file:///etc/passwd", "t", &u, &e), e, ERR_UNSUPPORTED);
	assert_null(u.host);
}

TEST(messages_hold_no_secret)
{
	struct url u = { 0 };

	assert_err(url_parse("https://user:hunter2@host/", "t", &u, &e), e, ERR_MALFORMED);
	assert_null(strstr(e.msg, "hunter2"));
	assert_err(url_parse("https://a b/?sig=hunter2", "t", &u, &e), e, ERR_MALFORMED);
	assert_null(strstr(e.msg, "hunter2"));
	assert_ok(url_parse("https://a:444/x?sig=hunter2", "t", &u, &e), e);

	auto_free char *shown = url_shown(&u);

	assert_string_equal(shown, "https://a:444/x");
	url_release(&u);
}

TEST(resolves_references)
{
	static const char *const rows[][2] = {
		{ "https://other/x", "https://other/x" },
		{ "//other:1/x?y", "https://other:1/x?y" },
		{ "/x?y#z", "https://host/x?y" },
		{ "x", "https://host/a/b/x" },
		{ "x:1", NULL },
		{ "./x:1", "https://host/a/b/x:1" },
		{ "../x", "https://host/a/x" },
		{ "../../../x", "https://host/x" },
		{ "", "https://host/a/b/c?d" },
		{ "#f", "https://host/a/b/c?d" },
		{ "?e", "https://host/a/b/c?e" },
		{ "javascript:alert(1)", NULL },
		{ "x\ny", NULL },
	};
	CLEANUP(url_release) struct url base = { 0 };

	assert_ok(url_parse("https://host/a/b/c?d", "t", &base, &e), e);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(url_release) struct url u = { 0 };

		if (url_resolve(&base, rows[i][0], &u, &e) < 0) {
			assert_null(rows[i][1]);
			continue;
		}
		auto_free char *text = url_text(&u);

		assert_string_equal(text, rows[i][1]);
	}
}

TEST(knows_private_addresses)
{
	static const char *const private[] = {
		"127.0.0.1", "127.255.1.2", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
		"100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "[::1]", "[::]", "[fe80::1]", "[fd00::1]",
		"[ff02::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[64:ff9b::10.0.0.1]", "[2002:7f00:1::]",
		"localhost", "a.localhost", "localhost.",
	};
	static const char *const public[] = {
		"8.8.8.8", "172.15.0.1", "172.32.0.1", "192.169.0.1", "100.63.0.1", "[2001:db8::1]", "[::ffff:8.8.8.8]",
		"example.com", "localhost.example", "notlocalhost",
	};

	for (size_t i = 0; i < ARRAY_LEN(private) + ARRAY_LEN(public); i++) {
		bool want = i < ARRAY_LEN(private);
		const char *host = want ? private[i] : public[i - ARRAY_LEN(private)];
		auto_free char *text = xasprintf("https://%s/", host);
		CLEANUP(url_release) struct url u = { 0 };

		assert_ok(url_parse(text, "t", &u, &e), e);
		if (url_is_private(&u) != want)
			fail_msg("%s", host);
	}
}

TEST(adds_to_a_query_and_keeps_it)
{
	CLEANUP(url_release) struct url u = { 0 };

	assert_ok(url_parse("https://a/u?_state=a%2Fb&x", "t", &u, &e), e);
	url_add_query(&u, "digest", "sha256:ab");

	auto_free char *text = url_text(&u);

	assert_string_equal(text, "https://a/u?_state=a%2Fb&x&digest=sha256%3Aab");
}

TEST(spells_hosts_in_one_way)
{
	auto_free char *a = url_host_normal("Example.com:443", true), *b = url_host_normal("example.com:443", false);
	auto_free char *c = url_host_normal("[::1]:5000", true);

	assert_string_equal(a, "example.com");
	assert_string_equal(b, "example.com:443");
	assert_string_equal(c, "[::1]:5000");
	assert_null(url_host_normal("a/b", true));
	assert_null(url_host_normal("a@b", true));
	assert_null(url_host_normal("", true));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_and_prints),
		cmocka_unit_test(refuses_what_is_read_in_two_ways),
		cmocka_unit_test(messages_hold_no_secret),
		cmocka_unit_test(resolves_references),
		cmocka_unit_test(knows_private_addresses),
		cmocka_unit_test(adds_to_a_query_and_keeps_it),
		cmocka_unit_test(spells_hosts_in_one_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
