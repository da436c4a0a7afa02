/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/digest.h>

#include <pthread.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void assert_hex(struct digest d, const char *want)
{
	char hex[DIGEST_HEX];

	assert_string_equal(digest_hex(&d, hex), want);
}

TEST(hashes_known_texts)
{
	assert_hex(digest_of("", 0), EMPTY);
	assert_hex(digest_of(NULL, 0), EMPTY);
	assert_hex(digest_of("abc", 3), ABC);
}

TEST(running_hash_equals_the_hash_at_once_and_starts_over)
{
	auto_hash struct hash h = { 0 };

	hash_begin(&h);
	hash_add(&h, "a", 1);
	hash_add(&h, NULL, 0);
	hash_add(&h, "bc", 2);
	assert_hex(hash_end(&h), ABC);
	assert_hex(hash_end(&h), EMPTY);
	hash_add(&h, "garbage", 7);
	hash_begin(&h);
	hash_add(&h, "abc", 3);
	assert_hex(hash_end(&h), ABC);
}

TEST(keyed_digest_is_hmac)
{
	/* RFC 4231, case 2 */
	static const char data[] = "what do ya want for nothing?";

	assert_hex(digest_keyed("Jefe", 4, data, sizeof(data) - 1),
		   "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_hex(digest_keyed(NULL, 0, NULL, 0), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(text_and_back)
{
	struct digest d = { 0 }, same = digest_of("abc", 3);
	char text[DIGEST_TEXT];

	assert_true(digest_parse("sha256:" ABC, &d));
	assert_string_equal(digest_text(&d, text), "sha256:" ABC);
	assert_true(digest_eq(&d, &same));
	assert_int_equal(digest_cmp(&d, &same), 0);
}

TEST(refuses_any_other_spelling)
{
	static const char *const bad[] = {
		"", "sha256:", "sha256", ABC, "sha512:" ABC, "SHA256:" ABC, "sha256:" ABC "0", "sha256: " ABC,
		"sha256:BA7816BF8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha256:ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha256:a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "sha256:" ABC "\n",
	};
	struct digest before = digest_of("x", 1), d = before;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (digest_parse(bad[i], &d) || !digest_eq(&d, &before))
			fail_msg("took '%s'", bad[i]);
}

TEST(refuses_short_hex)
{
	struct digest d;

	assert_false(digest_parse_hex(ABC, 63, &d));
	assert_false(digest_parse_hex(ABC, 0, &d));
	assert_true(digest_parse_hex(ABC "and more", 64, &d));
}

TEST(orders_by_bytes)
{
	struct digest a = { { 1 } }, b = { { 2 } };

	assert_true(digest_cmp(&a, &b) < 0);
	assert_true(digest_cmp(&b, &a) > 0);
	assert_false(digest_eq(&a, &b));
}

static const struct { const char *plain, *text; } base64_cases[] = {
	{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xff\xef\xfe", "/+/+" },
};

TEST(base64_of_known_texts)
{
	for (size_t i = 0; i < ARRAY_LEN(base64_cases); i++) {
		size_t n = strlen(base64_cases[i].plain), len = 0;
		char text[32];
		uint8_t back[32];

		assert_string_equal(base64_encode(base64_cases[i].plain, n, text), base64_cases[i].text);
		assert_int_equal(base64_size(n), strlen(text) + 1);
		assert_true(base64_decode(text, strlen(text), back, &len));
		assert_int_equal(len, n);
		assert_memory_equal(back, base64_cases[i].plain, n);
	}
}

TEST(base64_has_one_spelling)
{
	static const char *const bad[] = {
		"Zg", "Zg=", "Zg===", "Z===", "====", "Zg==Zg==", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "Zm9_", "Zm-v", "Z=g=", "=Zg=",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint8_t out[32];
		size_t len = 77;

		if (base64_decode(bad[i], strlen(bad[i]), out, &len) || len != 77)
			fail_msg("took '%s'", bad[i]);
	}
	assert_false(base64_decode("Zm\0v", 4, (uint8_t[3]){ 0 }, &(size_t){ 0 }));
}

TEST(random_bytes_differ)
{
	uint8_t a[64] = { 0 }, b[64] = { 0 };

	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	random_bytes(a, 0);
}

static void *hash_in_thread(void *out)
{
	*(struct digest *)out = digest_of("abc", 3);
	return NULL;
}

TEST(threads_may_hash_at_once)
{
	pthread_t threads[8];
	struct digest out[8];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hash_in_thread, &out[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], NULL);
		assert_hex(out[i], ABC);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_may_hash_at_once),
		cmocka_unit_test(hashes_known_texts),
		cmocka_unit_test(running_hash_equals_the_hash_at_once_and_starts_over),
		cmocka_unit_test(keyed_digest_is_hmac),
		cmocka_unit_test(text_and_back),
		cmocka_unit_test(refuses_any_other_spelling),
		cmocka_unit_test(refuses_short_hex),
		cmocka_unit_test(orders_by_bytes),
		cmocka_unit_test(base64_of_known_texts),
		cmocka_unit_test(base64_has_one_spelling),
		cmocka_unit_test(random_bytes_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
