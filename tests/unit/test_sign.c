/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/fs.h>
#include <airgap/sign.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;

static char *in_dir(const char *name)
{
	return fs_join(dir, name);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	struct err e;

	assert_ok(fs_save(path, text, strlen(text), mode, &e), e);
}

static void make_key(enum sign_algorithm a, const char *name, const struct passphrase *pass, struct digest *id)
{
	auto_buf struct buf priv = BUF_INIT(8192), pub = BUF_INIT(8192);
	auto_free char *key = xasprintf("%s/%s.key", dir, name), *pem = xasprintf("%s/%s.pub", dir, name);
	struct err e;

	assert_ok(sign_generate(a, pass, &priv, &pub, id, &e), e);
	assert_ok(fs_save(key, buf_str(&priv), priv.len, 0600, &e), e);
	assert_ok(fs_save(pem, buf_str(&pub), pub.len, 0644, &e), e);
}

TEST(signs_and_checks_with_every_algorithm)
{
	static const char *const names[] = { "p256", "p384", "ed25519" };
	static const char body[] = "{\"a\":1}";

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		enum sign_algorithm a = sign_algorithm_parse(names[i]);
		auto_free char *key = xasprintf("%s/%s.key", dir, names[i]), *pub = xasprintf("%s/%s.pub", dir, names[i]);
		auto_signer struct signer s = { 0 };
		auto_sign_key struct sign_key k = { 0 };
		struct signature sig;
		struct digest id;
		struct err e;

		make_key(a, names[i], NULL, &id);
		assert_ok(signer_load(&s, key, NULL, &e), e);
		assert_ok(sign_key_load(&k, pub, &e), e);
		assert_true(digest_eq(&k.id, &id) && digest_eq(&s.key.id, &id));
		assert_int_equal(k.algorithm, a);
		assert_string_equal(k.name, names[i]);
		assert_ok(signer_sign(&s, body, sizeof(body) - 1, &sig, &e), e);
		assert_int_equal(sig.algorithm, a);
		assert_int_equal(sign_check(&k, body, sizeof(body) - 1, sig.bytes, sig.len, &e), 1);
		assert_int_equal(sign_check(&k, body, sizeof(body) - 2, sig.bytes, sig.len, &e), 0);
		assert_int_equal(sign_check(&k, body, sizeof(body) - 1, sig.bytes, sig.len - 1u, &e), 0);
		assert_int_equal(sign_check(&k, body, sizeof(body) - 1, sig.bytes, 0, &e), 0);
		for (size_t bit = 0; bit < sig.len * 8u; bit++) {
			sig.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(sign_check(&k, body, sizeof(body) - 1, sig.bytes, sig.len, &e), 0);
			sig.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

TEST(pae_is_dsse_s)
{
	uint8_t pae[SIGN_PAE_MAX];
	size_t n = sign_pae(pae, "hello", 5);
	static const char want[] = "DSSEv1 28 application/vnd.in-toto+json 5 hello";

	assert_int_equal(n, sizeof(want) - 1);
	assert_memory_equal(pae, want, n);
}

TEST(refuses_a_private_key_open_to_others)
{
	auto_free char *key = in_dir("p256.key");
	auto_signer struct signer s = { 0 };
	struct err e;

	chmod(key, 0640);
	assert_err(signer_load(&s, key, NULL, &e), e, ERR_UNSAFE);
	chmod(key, 0600);
}

TEST(says_that_a_key_is_a_public_one)
{
	auto_free char *key = in_dir("p256.pub");
	auto_signer struct signer s = { 0 };
	struct err e;

	assert_err(signer_load(&s, key, NULL, &e), e, ERR_MALFORMED);
	assert_non_null(strstr(e.msg, "a public key"));
}

static int ask_word(void *ctx, const char *prompt, struct buf *out, struct err *e)
{
	(void)prompt;
	return buf_add(out, ctx, strlen(ctx), e);
}

TEST(passphrases_come_from_a_file_or_a_callback)
{
	auto_free char *word = in_dir("word"), *key = in_dir("locked.key");
	char right[] = "secret", other[] = "Secret";
	struct passphrase file = { .file = word }, good = { .ask = ask_word, .ctx = right };
	struct passphrase bad = { .ask = ask_word, .ctx = other };
	struct digest id;
	struct err e;

	write_file(word, "secret\nsecond line\n", 0600);
	make_key(SIGN_P256, "locked", &file, &id);
	{
		auto_signer struct signer s = { 0 };

		assert_ok(signer_load(&s, key, &good, &e), e);
		assert_true(digest_eq(&s.key.id, &id));
	}
	auto_signer struct signer s = { 0 };

	assert_err(signer_load(&s, key, &bad, &e), e, ERR_AUTH);
	assert_err(signer_load(&s, key, NULL, &e), e, ERR_AUTH);
}

static const struct { const char *name, *pem; enum err_code code; } bad_keys[] = {
	{ "empty", "", ERR_MALFORMED },
	{ "text", "hello", ERR_MALFORMED },
	{ "cut", "-----BEGIN PUBLIC KEY-----\nMCow\n", ERR_MALFORMED },
	{ "x25519", "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAMA3jLnU7wnw4bVRQ1r0vUhxr5D/bQPYQ+zU5ciSvYS0=\n"
		    "-----END PUBLIC KEY-----\n", ERR_UNSUPPORTED },
	{ "secp256k1", "-----BEGIN PUBLIC KEY-----\nMFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEeb5mfvncu6xVoGKVzocLBwKb/Nstz"
		       "ijZWfKBWxb4F5hIOtp3JqPEZV2k+/wOEQio/Re0SKaFVBmcR9CP+xDUuA==\n-----END PUBLIC KEY-----\n",
	  ERR_UNSUPPORTED },
};

TEST(refuses_what_is_no_public_key_of_ours)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_keys); i++) {
		auto_sign_key struct sign_key k = { 0 };
		struct err e;

		if (sign_key_parse(&k, bad_keys[i].pem, strlen(bad_keys[i].pem), "k", &e) == 0 || e.code != bad_keys[i].code)
			fail_msg("%s: %d %s", bad_keys[i].name, e.code, e.msg);
	}
}

TEST(a_program_signs_without_a_shell)
{
	auto_free char *script = in_dir("signer"), *key = in_dir("ed25519.key"), *pub = in_dir("ed25519.pub");
	auto_free char *text = xasprintf("#!/bin/sh\n[ $# = 2 ] || exit 9\ncat >'%s/pae'\n"
					 "openssl pkeyutl -sign -inkey \"$2\" -rawin -in '%s/pae'\n", dir, dir);
	auto_free char *command = xasprintf("%s ;reboot %s", script, key);
	auto_free char *wrong = xasprintf("%s ;x %s/p256.key", script, dir), *silent = xstrdup("true");
	auto_sign_key struct sign_key k = { 0 };
	struct signature sig;
	struct err e;

	write_file(script, text, 0700);
	assert_ok(sign_key_load(&k, pub, &e), e);
	{
		auto_signer struct signer s = { 0 };

		assert_ok(signer_command(&s, command, &k, &e), e);
		assert_ok(signer_sign(&s, "body", 4, &sig, &e), e);
		assert_int_equal(sign_check(&k, "body", 4, sig.bytes, sig.len, &e), 1);
	}
	{
		auto_signer struct signer s = { 0 };

		assert_ok(signer_command(&s, wrong, &k, &e), e);        /* another key's signature */
		assert_err(signer_sign(&s, "body", 4, &sig, &e), e, ERR_SIGNATURE);
	}
	auto_signer struct signer s = { 0 };

	assert_ok(signer_command(&s, silent, NULL, &e), e);
	assert_err(signer_sign(&s, "body", 4, &sig, &e), e, ERR_SIGNATURE);
	assert_err(signer_command(&s, "  ", NULL, &e), e, ERR_USAGE);
}

static const struct { const char *text; bool good; int64_t t; } times[] = {
	{ "1970-01-01T00:00:00Z", true, 0 },
	{ "2026-01-02T03:04:05Z", true, 1767323045 },
	{ "2000-02-29T23:59:59Z", true, 951868799 },
	{ "0001-01-01T00:00:00Z", true, -62135596800 },
	{ "9999-12-31T23:59:59Z", true, 253402300799 },
	{ "0000-12-31T23:59:59Z", false, 0 },
	{ "2100-02-29T00:00:00Z", false, 0 },
	{ "2026-13-01T00:00:00Z", false, 0 },
	{ "2026-00-01T00:00:00Z", false, 0 },
	{ "2026-04-31T00:00:00Z", false, 0 },
	{ "2026-01-00T00:00:00Z", false, 0 },
	{ "2026-01-01T24:00:00Z", false, 0 },
	{ "2026-01-01T00:60:00Z", false, 0 },
	{ "2026-01-01T00:00:60Z", false, 0 },
	{ "2026-01-01T00:00:00z", false, 0 },
	{ "2026-01-01 00:00:00Z", false, 0 },
	{ "2026-01-01T00:00:00Z ", false, 0 },
	{ "+026-01-01T00:00:00Z", false, 0 },
	{ "", false, 0 },
};

TEST(times_have_one_spelling)
{
	char text[SIGN_TIME];

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		int64_t t = 0;

		if (sign_time_parse(times[i].text, strlen(times[i].text), &t) != times[i].good || t != times[i].t)
			fail_msg("%s: %jd", times[i].text, (intmax_t)t);
	}
	for (int64_t t = -62135596800; t <= 253402300799; t += 86399 * 31 + 7) {
		int64_t again;

		assert_true(sign_time_parse(sign_time_format(t, text), SIGN_TIME - 1, &again));
		assert_true(again == t);
	}
	assert_string_equal(sign_time_format(INT64_MAX, text), "9999-12-31T23:59:59Z");
}

static const struct { const char *glob, *text; bool match; } globs[] = {
	{ "a/b", "a/b", true },   { "a/b", "a/bc", false }, { "a/*", "a/b/c", true }, { "*", "", true },
	{ "", "", true },         { "", "a", false },       { "?", "a", true },       { "?", "", false },
	{ "a*b*c", "a-b-b-c", true }, { "a*b*c", "a-b-b-cd", false }, { "*x", "aaax", true }, { "*x", "aaaxa", false },
	{ "**", "abc", true },    { "a?c*", "abcd", true }, { "vendor/[x]", "vendor/x", false },
};

TEST(streams_match_by_globs)
{
	for (size_t i = 0; i < ARRAY_LEN(globs); i++)
		if (policy_glob(globs[i].glob, globs[i].text) != globs[i].match)
			fail_msg("'%s' '%s'", globs[i].glob, globs[i].text);
}

static int setup(void **state)
{
	struct err e;

	(void)state;
	return fs_temp_dir(NULL, "airgap-sign-", &dir, &e);
}

static int teardown(void **state)
{
	struct err e;
	int rc = fs_remove_tree(dir, &e);

	(void)state;
	free(dir);
	return rc;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_and_checks_with_every_algorithm),
		cmocka_unit_test(pae_is_dsse_s),
		cmocka_unit_test(refuses_a_private_key_open_to_others),
		cmocka_unit_test(says_that_a_key_is_a_public_one),
		cmocka_unit_test(passphrases_come_from_a_file_or_a_callback),
		cmocka_unit_test(refuses_what_is_no_public_key_of_ours),
		cmocka_unit_test(a_program_signs_without_a_shell),
		cmocka_unit_test(times_have_one_spelling),
		cmocka_unit_test(streams_match_by_globs),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
