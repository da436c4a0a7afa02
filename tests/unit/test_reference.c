/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/reference.h>
#include <airgap/strv.h>

/* Gives back what it is asked for: "secret|N/KEY". */
static int echo(void *ctx, const struct reference *r, const char *path, struct buf *out, struct err *e)
{
	static const char *const kinds[] = { "secret", "env", "file", "kube", "generate" };

	if (ctx)
		strv_push(ctx, path);
	buf_putf(out, "%s|%s", kinds[r->kind], r->body);
	return 0;
}

static int quoted(void *ctx, const struct reference *r, const char *path, struct buf *out, struct err *e)
{
	buf_puts(out, "a\"b\n");
	return 0;
}

TEST(resolves_each_reference_in_a_string)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "plain", "plain" },
		{ "", "" },
		{ "$(env:X)", "env|X" },
		{ "a$(secret:N/KEY)b$(file:/p/q)c", "asecret|N/KEYbfile|/p/qc" },
		{ "$(kube:ns/name/key)", "kube|ns/name/key" },
		{ "$(generate:hex:16)", "generate|hex:16" },
		{ "$$(env:X)", "$(env:X)" },
		{ "$", "$" },
		{ "$$", "$$" },
		{ "$ (env:X)", "$ (env:X)" },
		{ "100$(env:X)", "100env|X" },
		{ "$(env:X|base64)", "ZW52fFg=" },
		{ "$(file:x.xml|public)", "file|x.xml" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *got = NULL;
		struct err e = { 0 };

		assert_ok(reference_text(cases[i].text, "at", echo, NULL, &got, &e), e);
		assert_string_equal(got, cases[i].want);
	}
}

TEST(filters_are_applied_from_left_to_right)
{
	auto_free char *json = NULL, *both = NULL;
	struct err e = { 0 };

	assert_ok(reference_text("$(env:X|json)", "at", quoted, NULL, &json, &e), e);
	assert_string_equal(json, "\"a\\\"b\\n\"");
	assert_ok(reference_text("$(env:X|json|base64)", "at", quoted, NULL, &both, &e), e);
	assert_string_equal(both, "ImFcImJcbiI=");
}

TEST(refuses_what_it_does_not_know_and_names_the_place)
{
	static const char *const cases[] = {
		"$(", "$(env:X", "$()", "$(x)", "$(env:)", "$(env)", "$(what:X)", "$(env:X|rot13)", "$(SECRET:X)", "$(|base64)",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *got = NULL;
		struct err e = { 0 };

		assert_err(reference_text(cases[i], "values.here", echo, NULL, &got, &e), e, ERR_MALFORMED);
		assert_non_null(strstr(e.msg, "values.here"));
		assert_null(got);
	}
}

TEST(walks_a_tree_in_place)
{
	auto_json json_t *j = json_pack("{s{s[s, s, i]}, ss}", "a", "b", "$(env:X)", "x", 7, "c", "$(env:Y)");
	auto_json json_t *want = json_pack("{s{s[s, s, i]}, ss}", "a", "b", "env|X", "x", 7, "c", "env|Y");
	auto_strv struct strv paths = { 0 };
	struct err e = { 0 };

	assert_ok(reference_resolve(j, echo, &paths, &e), e);
	assert_true(json_equal(j, want));
	strv_sort(&paths);
	assert_int_equal(paths.n, 2);
	assert_string_equal(paths.items[0], "a.b[0]");
	assert_string_equal(paths.items[1], "c");
}

TEST(collects_each_body_once_and_changes_nothing)
{
	auto_json json_t *j = json_pack("[s, s, s]", "$(env:X)$(secret:a/b)", "$(env:X|base64)", "none");
	auto_json json_t *before = json_deep_copy(j);
	auto_strv struct strv found = { 0 };
	struct err e = { 0 };

	assert_ok(reference_collect(j, &found, &e), e);
	assert_true(json_equal(j, before));
	assert_int_equal(found.n, 2);
	assert_string_equal(found.items[0], "env:X");
	assert_string_equal(found.items[1], "secret:a/b");
}

static char *generated(const char *body, bool real)
{
	auto_buf struct buf out = BUF_INIT(65536);
	const struct reference r = { REFERENCE_GENERATE, (char *)body };
	struct err e = { 0 };

	if (real)
		assert_ok(reference_generate(body, &out, &e), e);
	else
		assert_ok(reference_placeholder(NULL, &r, "at", &out, &e), e);
	return buf_take(&out);
}

TEST(generated_values_have_their_shape)
{
	auto_free char *hex = generated("hex:16", true), *alnum = generated("alnum:50", true), *uuid = generated("uuid", true);
	auto_free char *other = generated("hex:16", true);

	assert_int_equal(strlen(hex), 32);
	assert_int_equal(strspn(hex, "0123456789abcdef"), 32);
	assert_string_not_equal(hex, other);
	assert_int_equal(strlen(alnum), 50);
	for (const char *p = alnum; *p; p++)
		assert_true((*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'));
	assert_int_equal(strlen(uuid), 36);
	assert_int_equal(uuid[14], '4');
	assert_non_null(strchr("89ab", uuid[19]));
}

TEST(placeholders_have_the_same_shape_every_time)
{
	static const char *const bodies[] = { "hex:16", "alnum:50", "uuid" };
	static const char *const parts[] = { "tls:crt:a.example", "tls:ca:a.example,10.0.0.1", "tls:key:*.example" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		auto_free char *a = generated(parts[i], false), *b = generated(parts[i], false);

		assert_string_equal(a, b);
		assert_true(str_starts(a, i == 2 ? "-----BEGIN PRIVATE KEY-----" : "-----BEGIN CERTIFICATE-----"));
	}
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		auto_free char *a = generated(bodies[i], false), *b = generated(bodies[i], false), *real = generated(bodies[i], true);

		assert_string_equal(a, b);
		assert_int_equal(strlen(a), strlen(real));
	}
}

TEST(refuses_generators_that_are_none)
{
	static const char *const cases[] = { "", "hex", "hex:", "hex:0", "hex:x", "hex:99999", "alnum", "uuid:1", "rsa:2048", "hex:-1" };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_buf struct buf out = BUF_INIT(65536);
		struct err e = { 0 };

		assert_err(reference_generate(cases[i], &out, &e), e, ERR_MALFORMED);
	}
}

TEST(parts_and_hosts_of_tls_are_read)
{
	static const char *const bad[] = { "tls:", "tls:crt", "tls:crt:", "tls:pem:a", "tls:crt:a b", "tls::a", "tls:crt:,", "tls:crt:a..b" };
	auto_strv struct strv hosts = { 0 };
	auto_free char *part = NULL;
	struct err e = { 0 };

	assert_int_equal(reference_tls("hex:16", &part, &hosts, &e), 0);
	assert_int_equal(reference_tls("tls:key:a.example,fd00::1,*.b", &part, &hosts, &e), 1);
	assert_string_equal(part, "key");
	assert_int_equal(hosts.n, 3);
	assert_string_equal(hosts.items[1], "fd00::1");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_strv struct strv none = { 0 };
		auto_free char *no = NULL;

		assert_err(reference_tls(bad[i], &no, &none, &e), e, ERR_MALFORMED);
	}
}

/* A password, and "CCCC…" for what is generated: the salt. */
static int password(void *ctx, const struct reference *r, const char *path, struct buf *out, struct err *e)
{
	if (r->kind != REFERENCE_GENERATE) {
		buf_puts(out, "U*U");
		return 0;
	}
	strv_push(ctx, path);
	assert_string_equal(r->body, "alnum:22");
	buf_puts(out, "CCCCCCCCCCCCCCCCCCCCC.");
	return 0;
}

TEST(bcrypt_asks_for_a_salt_of_its_own)
{
	auto_strv struct strv asked = { 0 };
	auto_free char *hash = NULL, *again = NULL, *line = NULL;
	struct err e = { 0 };

	assert_ok(reference_text("$(env:X|bcrypt)", "at", password, &asked, &hash, &e), e);
	assert_ok(reference_text("$(env:X|bcrypt)", "at", password, &asked, &again, &e), e);
	assert_ok(reference_text("admin:$(env:X|bcrypt|base64)", "at", password, &asked, &line, &e), e);
	assert_true(str_starts(hash, "$2b$10$CCCCCCCCCCCCCCCCCCCCC."));
	assert_int_equal(strlen(hash), 60);
	assert_string_equal(hash, again);
	assert_string_equal(asked.items[0], "at|bcrypt");
	assert_true(str_starts(line, "admin:JDJiJDEwJEND"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolves_each_reference_in_a_string),
		cmocka_unit_test(filters_are_applied_from_left_to_right),
		cmocka_unit_test(refuses_what_it_does_not_know_and_names_the_place),
		cmocka_unit_test(walks_a_tree_in_place),
		cmocka_unit_test(collects_each_body_once_and_changes_nothing),
		cmocka_unit_test(generated_values_have_their_shape),
		cmocka_unit_test(placeholders_have_the_same_shape_every_time),
		cmocka_unit_test(refuses_generators_that_are_none),
		cmocka_unit_test(parts_and_hosts_of_tls_are_read),
		cmocka_unit_test(bcrypt_asks_for_a_salt_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
