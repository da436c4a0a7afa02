/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "bundler/chart_edit.h"

#define SHA "sha256:0f0f071f516c26df04e84e664d4f4dd95c6be26b85b5c64fb75122266abb0e77"

static struct err e;

TEST(is_spelt_one_way)
{
	static const char *const members[] = {
		"web", "web?kubeVersion=>=1.21.0-0", "0123456789abcdef0123456789abcdef01234567:deploy/web",
		"web\nlib-1.0.0.tgz " SHA " https://h/lib.tgz?a=b\nb-2.tgz " SHA " oci://h:5000/charts/b",
		"web?kubeVersion=>=1.21 <1.30\nlib-1.0.0+x.tgz " SHA " https://h/lib.tgz",
	};

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		auto_chart_edit struct chart_edit x = { 0 };

		assert_ok(chart_edit_parse(members[i], &x, &e), e);

		auto_free char *again = chart_edit_format(&x);

		assert_string_equal(again, members[i]);
	}
}

TEST(refuses_what_is_none)
{
	static const char *const members[] = {
		"", "\n", "web\nlib", "web\nlib.tgz " SHA, "web\nlib.tgz " SHA " x y", "web\n../lib.tgz " SHA " https://x",
		"web\na/lib.tgz " SHA " https://x", "web\nlib.zip " SHA " https://x", "web\nlib.tgz sha256:00 https://x", "web\n" SHA " lib.tgz https://x",
	};

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		auto_chart_edit struct chart_edit x = { 0 };

		assert_err(chart_edit_parse(members[i], &x, &e), e, ERR_MALFORMED);
		assert_null(x.base);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_spelt_one_way),
		cmocka_unit_test(refuses_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
