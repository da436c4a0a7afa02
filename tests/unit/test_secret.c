/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/fs.h>
#include <airgap/secret.h>

#include <sys/stat.h>
#include <unistd.h>

static struct err e;
static char *dir;

static int enter_dir(void **state)
{
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	return 0;
}

static int leave_dir(void **state)
{
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	return 0;
}

static void put(const char *name, const char *text, mode_t mode)
{
	auto_free char *path = fs_join(dir, name);

	assert_ok(fs_save(path, text, strlen(text), mode, &e), e);
}

TEST(takes_a_variable)
{
	auto_secret struct secret s = { 0 };

	setenv("TEST_SECRET", "hunter2", 1);
	assert_ok(secret_resolve("env:TEST_SECRET", NULL, "password of 'x'", &s, &e), e);
	assert_string_equal(s.text, "hunter2");
	setenv("TEST_SECRET", "", 1);
	assert_err(secret_resolve("env:TEST_SECRET", NULL, "password of 'x'", &s, &e), e, ERR_USAGE);
	unsetenv("TEST_SECRET");
	assert_err(secret_resolve("env:TEST_SECRET", NULL, "password of 'x'", &s, &e), e, ERR_USAGE);
	assert_non_null(strstr(e.msg, "TEST_SECRET"));
	assert_string_equal(s.text, "hunter2");
	assert_err(secret_resolve("env:", NULL, "password of 'x'", &s, &e), e, ERR_USAGE);
}

TEST(takes_the_first_line_of_a_file)
{
	auto_secret struct secret s = { 0 };

	put("good", "hunter2\r\nsecond\n", 0600);
	put("group", "hunter2", 0640);
	put("open", "hunter2", 0604);
	put("empty", "\nx", 0600);
	assert_ok(secret_resolve("file:good", dir, "x", &s, &e), e);
	assert_string_equal(s.text, "hunter2");
	assert_ok(secret_resolve("file:group", dir, "x", &s, &e), e);
	assert_err(secret_resolve("file:open", dir, "x", &s, &e), e, ERR_AUTH);
	assert_err(secret_resolve("file:empty", dir, "x", &s, &e), e, ERR_AUTH);
	assert_err(secret_resolve("file:/dev/null", dir, "x", &s, &e), e, ERR_AUTH);
	assert_err(secret_resolve("file:none", dir, "x", &s, &e), e, ERR_IO);
	assert_err(secret_resolve("file:.", dir, "x", &s, &e), e, ERR_AUTH);
}

TEST(refuses_a_secret_in_the_open_and_does_not_repeat_it)
{
	auto_secret struct secret s = { 0 };

	assert_err(secret_resolve("hunter2", NULL, "x", &s, &e), e, ERR_USAGE);
	assert_null(strstr(e.msg, "hunter2"));
	assert_null(s.text);
}

TEST(replaces_and_formats)
{
	auto_secret struct secret s = { 0 };

	secret_set(&s, "one");
	secret_setf(&s, "%s and %d", "two", 3);
	assert_string_equal(s.text, "two and 3");
	secret_release(&s);
	secret_release(&s);
	assert_null(s.text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_variable),
		cmocka_unit_test_setup_teardown(takes_the_first_line_of_a_file, enter_dir, leave_dir),
		cmocka_unit_test(refuses_a_secret_in_the_open_and_does_not_repeat_it),
		cmocka_unit_test(replaces_and_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
