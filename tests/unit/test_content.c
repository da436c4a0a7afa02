/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/content.h>
#include <airgap/fs.h>
#include <airgap/pool.h>
#include <airgap/strv.h>

#include <fcntl.h>
#include <unistd.h>

static struct err e;
static char *dir;

static int enter_dir(void **state)
{
	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	return setenv("XDG_CACHE_HOME", dir, 1);
}

static int leave_dir(void **state)
{
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	return 0;
}

static char *path_of(const struct digest *d)
{
	char hex[DIGEST_HEX];

	return xasprintf("%s/airgap/content/sha256/%s", dir, digest_hex(d, hex));
}

TEST(gives_back_what_was_saved)
{
	auto_buf struct buf b = BUF_INIT(100);
	struct digest d, none = digest_of("none", 4);
	auto_fd int fd = -1;

	assert_int_equal(content_has(&none, &e), 0);
	assert_int_equal(content_load(&none, &b, &e), 0);
	assert_int_equal(content_open(&none, 4, &fd, &e), 0);
	assert_ok(content_save("hello", 5, &d, &e), e);
	assert_ok(content_save("hello", 5, NULL, &e), e);
	assert_int_equal(content_has(&d, &e), 1);
	buf_puts(&b, ">");
	assert_int_equal(content_load(&d, &b, &e), 1);
	assert_string_equal(buf_str(&b), ">hello");
	assert_int_equal(content_open(&d, 5, &fd, &e), 1);

	struct digest empty;

	assert_ok(content_save("", 0, &empty, &e), e);
	assert_int_equal(content_load(&empty, &b, &e), 1);
}

TEST(damaged_content_is_removed_and_not_there)
{
	auto_buf struct buf b = BUF_INIT(100);
	struct digest d;
	auto_fd int fd = -1;

	assert_ok(content_save("hello", 5, &d, &e), e);

	auto_free char *path = path_of(&d);

	assert_ok(fs_save(path, "jello", 5, 0600, &e), e);
	buf_puts(&b, ">");
	assert_int_equal(content_load(&d, &b, &e), 0);
	assert_string_equal(buf_str(&b), ">");
	assert_int_equal(content_has(&d, &e), 0);
	assert_ok(fs_save(path, "jelloo", 6, 0600, &e), e);
	assert_int_equal(content_open(&d, 5, &fd, &e), 0);
	assert_int_equal(content_has(&d, &e), 0);
}

TEST(what_is_not_kept_leaves_nothing)
{
	auto_free char *folder = xasprintf("%s/airgap/content/sha256", dir);
	auto_strv struct strv names = { 0 };

	for (int i = 0; i < 2; i++) {
		auto_content_new struct content_new n = CONTENT_NEW_INIT;

		assert_ok(content_new_open(&n, 6, &e), e);
		assert_ok(content_new_write(&n, "abc", 3, &e), e);
		assert_err(content_new_write(&n, "defg", 4, &e), e, ERR_LIMIT);
	}
	assert_ok(fs_list(folder, &names, &e), e);
	assert_int_equal(names.n, 0);
}

TEST(learns_digest_and_size_on_the_way)
{
	auto_content_new struct content_new n = CONTENT_NEW_INIT;
	struct digest d, want = digest_of("abcdef", 6);
	uint64_t size;

	assert_ok(content_new_open(&n, 6, &e), e);
	assert_ok(content_new_write(&n, "abc", 3, &e), e);
	assert_ok(content_new_write(&n, "def", 3, &e), e);
	assert_ok(content_new_keep(&n, &d, &size, &e), e);
	assert_true(digest_eq(&d, &want));
	assert_int_equal(size, 6);
	assert_int_equal(content_has(&d, &e), 1);
}

TEST(links_are_not_followed)
{
	auto_buf struct buf b = BUF_INIT(100);
	struct digest d;

	assert_ok(content_save("hello", 5, &d, &e), e);

	auto_free char *path = path_of(&d);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(content_load(&d, &b, &e), -1);
}

static int save_some(void *ctx, unsigned worker, size_t item, struct err *err)
{
	uint64_t text = item % 10;

	return content_save(&text, sizeof(text), NULL, err);
}

TEST(many_may_save_the_same)
{
	assert_ok(pool_each(8, 400, save_some, NULL, &e), e);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, enter_dir, leave_dir)
	static const struct CMUnitTest tests[] = {
		T(gives_back_what_was_saved),
		T(damaged_content_is_removed_and_not_there),
		T(what_is_not_kept_leaves_nothing),
		T(learns_digest_and_size_on_the_way),
		T(links_are_not_followed),
		T(many_may_save_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
