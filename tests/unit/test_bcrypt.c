/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/bcrypt.h>

/* Made by Python's crypt, as others make them. */
TEST(hashes_as_everybody_does)
{
	static const struct { const char *password, *salt, *hash; } cases[] = {
		{ "", "abcdefghijklmnopqrstuu", "$2b$10$abcdefghijklmnopqrstuujr5dF95nlffmIUNubpV71FPx1zncrEm" },
		{ "correct horse", "ABCDEFGHIJKLMNOPQRSTUe", "$2b$10$ABCDEFGHIJKLMNOPQRSTUejKgel594Dit297.7w9ZNucPpjpqJ3sa" },
		{ "\xc3""\xbc""nicode", "0123456789012345678901", "$2b$10$012345678901234567890upWzy50JO0tLaAfqB2SH7DUUC19G8DZa" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *got = NULL;
		struct err e = { 0 };

		assert_ok(bcrypt_hash(cases[i].password, cases[i].salt, &got, &e), e);
		assert_string_equal(got, cases[i].hash);
	}
}

TEST(refuses_what_would_not_count)
{
	char longest[BCRYPT_MAX + 2] = { 0 };
	char *got = NULL;
	struct err e = { 0 };

	memset(longest, 'a', BCRYPT_MAX + 1);
	assert_err(bcrypt_hash(longest, "abcdefghijklmnopqrstuu", &got, &e), e, ERR_LIMIT);
	assert_err(bcrypt_hash("a", "short", &got, &e), e, ERR_MALFORMED);
	assert_err(bcrypt_hash("a", "abcdefghijklmnopqr$tuu", &got, &e), e, ERR_MALFORMED);
	assert_null(got);
	longest[BCRYPT_MAX] = '\0';
	assert_ok(bcrypt_hash(longest, "abcdefghijklmnopqrstuu", &got, &e), e);
	free(got);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_as_everybody_does),
		cmocka_unit_test(refuses_what_would_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
