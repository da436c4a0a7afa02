/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/deb.h>

#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OTHER "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b"

static int release(const char *text, struct deb_release *out, struct err *e)
{
	return deb_release_parse(text, strlen(text), out, e);
}

TEST(stanzas_and_their_fields)
{
	static const char text[] = "\n\n# no field\nA: 1\nb:two\n  more\n\tlines\nAB: \n \t\r\n\nA: 2";
	struct deb_text rest = { text, sizeof(text) - 1 }, s, v;

	assert_true(deb_next(&rest, &s));
	assert_true(deb_field(&s, "a", &v));
	assert_int_equal(v.n, 1);
	assert_true(deb_field(&s, "B", &v));
	assert_memory_equal(v.p, "two\n  more\n\tlines", v.n);
	assert_true(deb_field(&s, "AB", &v));
	assert_int_equal(v.n, 0);
	assert_false(deb_field(&s, "C", &v));
	assert_true(deb_next(&rest, &s));
	assert_true(deb_field(&s, "A", &v));
	assert_memory_equal(v.p, "2", 1);
	assert_false(deb_next(&rest, &s));
}

TEST(a_field_is_put_in_the_place_of_another)
{
	static const struct { const char *stanza, *value, *want; } cases[] = {
		{ "A: 1\nF: x\n y\nB: 2\n", "z", "A: 1\nF: z\nB: 2\n" },
		{ "A: 1\nf: x\nB: 2", "z", "A: 1\nF: z\nB: 2\n" },
		{ "A: 1", "z", "A: 1\nF: z\n" },
		{ "F: 1\nF: 2\nA: 1\n", "z", "F: z\nA: 1\n" },
		{ "A: 1\nF: x\n", "", "A: 1\n" },
	};
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_buf struct buf out = BUF_INIT(4096);
		const struct deb_text stanza = { cases[i].stanza, strlen(cases[i].stanza) };

		assert_ok(deb_put(&out, &stanza, "F", cases[i].value, &e), e);
		assert_string_equal(buf_str(&out), cases[i].want);
	}
}

TEST(reads_a_release)
{
	auto_deb_release struct deb_release r = { 0 };
	struct err e = { 0 };

	assert_ok(release("Suite: s\nCodename: c\nDate: Sat, 10 Jan 2026 09:44:13 UTC\nMD5Sum:\n 00 1 x\nSHA256:\n " OTHER
			  "   1 z\n " HASH " 0\ta/b\nValid-Until: Thu, 01 Jan 1970 00:00:09 UTC\n", &r, &e), e);
	assert_string_equal(r.suite, "s");
	assert_string_equal(r.codename, "c");
	assert_int_equal(r.valid_until, 9);
	assert_int_equal(r.n, 2);
	assert_int_equal(deb_release_find(&r, "z")->size, 1);
	assert_int_equal(deb_release_find(&r, "a/b")->size, 0);
	assert_null(deb_release_find(&r, "a"));
}

TEST(refuses_a_release_that_says_less_than_it_must)
{
	static const struct { const char *text; enum err_code code; } cases[] = {
		{ "", ERR_MALFORMED },
		{ "Suite: s\n", ERR_UNSUPPORTED },
		{ "MD5Sum:\n 00 1 x\nSHA1:\n 00 1 x\n", ERR_UNSUPPORTED },
		{ "SHA256:\n " HASH " 0 a\n\nSHA256:\n " HASH " 0 a\n", ERR_MALFORMED },        /* two stanzas */
		{ "SHA256:\n " HASH " 0 a\n " OTHER " 1 a\n", ERR_MALFORMED },                  /* one name, two hashes */
		{ "SHA256:\n " HASH " 0\n", ERR_MALFORMED },
		{ "SHA256:\n " HASH " -1 a\n", ERR_MALFORMED },
		{ "SHA256:\n " HASH " 99999999999999999999999 a\n", ERR_MALFORMED },
		{ "SHA256:\n abcd 0 a\n", ERR_MALFORMED },
		{ "SHA256:\n " HASH " 0 a\nValid-Until: tomorrow\n", ERR_MALFORMED },
		{ "SHA256:\n " HASH " 0 a\nValid-Until: Sat, 10 Jan 2026 09:44:13 +0100\n", ERR_MALFORMED },
		{ "SHA256:\n " HASH " 0 a\nSuite: a\x01\n", ERR_MALFORMED },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_deb_release struct deb_release r = { 0 };
		struct err e = { 0 };

		assert_err(release(cases[i].text, &r, &e), e, cases[i].code);
		assert_int_equal(r.n, 0);
	}
}

static int package(const char *file, const char *size, const char *hash, struct deb_package *out, struct err *e)
{
	auto_free char *text = xasprintf("Package: a\nVersion: 1\nArchitecture: all\nFilename: %s\nSize: %s\nSHA256: %s\n", file, size,
					 hash);
	const struct deb_text stanza = { text, strlen(text) };

	return deb_package_parse(&stanza, out, e);
}

TEST(a_package_lies_below_the_repository)
{
	static const char *const bad[] = { "../a.deb", "/a.deb", "a/../b.deb", "a/..", "..", ".", "a//b.deb", "a/", "a b.deb",
					   "a\\b.deb", "./../a.deb", "./", "\xc3\xa4.deb" };
	static const char *const good[] = { "a.deb", "./a.deb", "pool/a/a_1%3a2~x+y.deb", "...deb", "a/..b" };
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_deb_package struct deb_package p = { 0 };

		assert_err(package(bad[i], "1", HASH, &p, &e), e, ERR_UNSAFE);
		assert_null(p.name);
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		auto_deb_package struct deb_package p = { 0 };

		assert_ok(package(good[i], "1", HASH, &p, &e), e);
		assert_string_equal(p.path, good[i] + (strncmp(good[i], "./", 2) ? 0 : 2));
	}
}

TEST(a_package_has_a_size_and_a_hash)
{
	auto_deb_package struct deb_package p = { 0 };
	struct err e = { 0 };

	assert_err(package("a", "", HASH, &p, &e), e, ERR_MALFORMED);
	assert_err(package("a", "1k", HASH, &p, &e), e, ERR_MALFORMED);
	assert_err(package("a", "1", "", &p, &e), e, ERR_MALFORMED);
	assert_err(package("a", "1", "00", &p, &e), e, ERR_MALFORMED);

	auto_free char *huge = xmalloc(DEB_FIELD_MAX + 2);

	memset(huge, 'a', DEB_FIELD_MAX + 1);
	huge[DEB_FIELD_MAX + 1] = '\0';
	assert_err(package(huge, "1", HASH, &p, &e), e, ERR_LIMIT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(stanzas_and_their_fields),
		cmocka_unit_test(a_field_is_put_in_the_place_of_another),
		cmocka_unit_test(reads_a_release),
		cmocka_unit_test(refuses_a_release_that_says_less_than_it_must),
		cmocka_unit_test(a_package_lies_below_the_repository),
		cmocka_unit_test(a_package_has_a_size_and_a_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
