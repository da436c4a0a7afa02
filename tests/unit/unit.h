/*
 * unit - what every unit test includes: cmocka, and two asserts that print the error they got.
 *
 *	TEST(refuses_short_hex) { assert_false(digest_parse_hex("ab", 2, &d)); }
 *	int main(void)
 *	{
 *		static const struct CMUnitTest tests[] = { cmocka_unit_test(refuses_short_hex), … };
 *		return cmocka_run_group_tests(tests, NULL, NULL);
 *	}
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <airgap/err.h>

#define TEST(name) static void name(void **state)

/* r is 0 (or a descriptor, or 1): else e is shown. */
#define assert_ok(r, e)                                                 \
	do {                                                            \
		if ((r) < 0)                                            \
			fail_msg("%d: %s", (int)(e).code, (e).msg);     \
	} while (0)

/* r is -1, with this code. */
#define assert_err(r, e, want)                                                          \
	do {                                                                            \
		assert_int_equal((r), -1);                                              \
		if ((e).code != (want))                                                 \
			fail_msg("%d, not %d: %s", (int)(e).code, (int)(want), (e).msg); \
	} while (0)
