/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/gpgv.h>

#define TOP "-----BEGIN PGP SIGNED MESSAGE-----\n"
#define SIG "-----BEGIN PGP SIGNATURE-----\n\nabcd\n=ab\n"
#define END "-----END PGP SIGNATURE-----\n"

TEST(the_text_of_a_clear_signed_message)
{
	static const struct { const char *message, *text; } cases[] = {
		{ TOP "Hash: SHA256\n\na: b\n" SIG END, "a: b\n" },
		{ TOP "\n- -x\n- y  \n\nz\t\n" SIG END, "-x\ny\n\nz\n" },
		{ TOP "Hash: SHA256\r\n\r\na: b\r\n" SIG END "\n\n", "a: b\n" },
	};
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_buf struct buf out = BUF_INIT(4096);

		assert_int_equal(gpgv_clear_text(cases[i].message, strlen(cases[i].message), &out, &e), 1);
		assert_string_equal(buf_str(&out), cases[i].text);
	}
}

/* What gpgv would pass over, and a reader of the whole file would not. */
TEST(refuses_text_around_the_signed_one)
{
	static const char *const bad[] = {
		TOP "\na: b\n" SIG END "c: d\n", TOP "\na: b\n" SIG END TOP "\na: b\n" SIG END, TOP "\na: b\n" TOP "\n" SIG END,
		TOP "Hash: SHA256\nc: d\n\na: b\n" SIG END, TOP "\na: b\n" SIG, TOP "\na: b\n", TOP "\n-x\n" SIG END, TOP,
	};
	auto_buf struct buf out = BUF_INIT(4096);
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(gpgv_clear_text(bad[i], strlen(bad[i]), &out, &e), e, ERR_MALFORMED);
	assert_int_equal(gpgv_clear_text("c: d\n" TOP, 5 + strlen(TOP), &out, &e), 0);
	assert_int_equal(gpgv_clear_text("", 0, &out, &e), 0);
}

TEST(reads_keys_with_and_without_armour)
{
#define BLOCK(x) "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: c\n\n" x "=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"
	static const struct { const char *text, *want; enum err_code code; } cases[] = {
		{ BLOCK("mDME\n"), "\x98\x33\x04", ERR_NONE },
		{ "a word before\n" BLOCK("mDME\n") BLOCK("mA==\n"), "\x98\x33\x04\x98", ERR_NONE },
		{ "\x98\x33\x04", "\x98\x33\x04", ERR_NONE },
		{ "no key", NULL, ERR_MALFORMED },
		{ "", NULL, ERR_MALFORMED },
		{ BLOCK("mD*E\n"), NULL, ERR_MALFORMED },
		{ "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n", NULL, ERR_MALFORMED },
		{ "-----BEGIN PGP PUBLIC KEY BLOCK-----\nmDME\n", NULL, ERR_MALFORMED },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_buf struct buf out = BUF_INIT(4096);
		struct err e = { 0 };
		int rc = gpgv_dearmor(cases[i].text, strlen(cases[i].text), &out, &e);

		if (cases[i].code) {
			assert_err(rc, e, cases[i].code);
			continue;
		}
		assert_ok(rc, e);
		assert_string_equal(buf_str(&out), cases[i].want);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_of_a_clear_signed_message),
		cmocka_unit_test(refuses_text_around_the_signed_one),
		cmocka_unit_test(reads_keys_with_and_without_armour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
