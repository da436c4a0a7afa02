/* SPDX-License-Identifier: Apache-2.0 */
#include "made.h"

#include <deployer/tools.h>

#include <airgap/bundle_read.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct err e;
static char *dir;
static struct made made;
static struct made_keys keys;
static struct bundle *bundle;
static struct contents contents;
static struct source_at source;

#define TOOL_SIZE (300u << 10)

static int enter(void **state)
{
	auto_free uint8_t *bytes = made_noise(TOOL_SIZE, 1);
	struct digest d = digest_of(bytes, TOOL_SIZE);
	struct bundle_options o = { .policy = &keys.policy };

	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	made_init(&made);
	made_add(&made, bytes, TOOL_SIZE, BLOB_ZSTD, 0);
	made_keys_init(&keys, SIGN_ED25519);
	made_build(&made, keys.all, 1);
	source = made_source(&made);
	bundle = bundle_open_at(&source, &o, &e);
	if (!bundle)
		fail_msg("%s", e.msg);
	contents.files = xcalloc(2, sizeof(*contents.files));
	contents.n_files = 2;
	contents.files[0] = (struct content_file){ .name = xstrdup("helm"), .role = xstrdup("tool"), .blob = d, .size = TOOL_SIZE };
	contents.files[1] = (struct content_file){ .name = xstrdup("other"), .role = xstrdup("tool"), .blob = d, .size = TOOL_SIZE,
						   .platform = xstrdup("windows/amd64") };
	return 0;
}

static int leave(void **state)
{
	bundle_close(TAKE(bundle));
	contents_release(&contents);
	made_keys_release(&keys);
	made_release(&made);
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	return 0;
}

static int opened(const char *name)
{
	auto_fd int fd = -1;
	int r = tools_open(bundle, &contents, dir, name, &fd, &e);

	if (r == 1) {
		uint8_t byte;

		assert_int_equal(pread(fd, &byte, 1, TOOL_SIZE - 1), 1);
		assert_int_equal(byte, made.blobs[0].p[TOOL_SIZE - 1]);
	}
	return r;
}

static char *tool_path(void)
{
	char hex[DIGEST_HEX];

	return xasprintf("%s/tools/helm-%.16s", dir, digest_hex(&contents.files[0].blob, hex));
}

TEST(a_tool_is_written_once_and_found_again)
{
	auto_free char *path = tool_path();
	struct stat first, second;

	assert_int_equal(opened("helm"), 1);
	assert_int_equal(stat(path, &first), 0);
	assert_int_equal(first.st_mode & 07777, 0500);
	assert_int_equal(opened("helm"), 1);
	assert_int_equal(stat(path, &second), 0);
	assert_int_equal(first.st_ino, second.st_ino);

	auto_strv struct strv names = { 0 };
	auto_free char *folder = fs_join(dir, "tools");

	assert_ok(fs_list(folder, &names, &e), e);
	assert_int_equal(names.n, 1);
}

TEST(what_the_bundle_has_not_is_looked_for_elsewhere)
{
	assert_int_equal(opened("kubectl"), 0);
	assert_int_equal(opened("other"), 0);
	free(contents.files[0].role);
	contents.files[0].role = NULL;
	assert_int_equal(opened("helm"), 0);
}

TEST(other_bytes_are_refused)
{
	auto_free char *path = tool_path();

	assert_int_equal(opened("helm"), 1);
	for (off_t at = 0; at < (off_t)TOOL_SIZE; at += TOOL_SIZE / 3) {
		uint8_t byte;

		assert_int_equal(chmod(path, 0700), 0);
		auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_int_equal(chmod(path, 0500), 0);
		assert_err(opened("helm"), e, ERR_DIGEST);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_int_equal(opened("helm"), 1);
	}
	assert_int_equal(truncate(path, 10), 0);
	assert_err(opened("helm"), e, ERR_DIGEST);
	assert_int_equal(truncate(path, 0), 0);
	assert_err(opened("helm"), e, ERR_DIGEST);
}

TEST(what_others_may_have_touched_is_refused)
{
	static const mode_t modes[] = { 0700, 0520, 0502, 0550, 0555, 04500, 02500 };
	auto_free char *path = tool_path();
	auto_free char *second = xasprintf("%s-again", path);

	assert_int_equal(opened("helm"), 1);
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_err(opened("helm"), e, ERR_UNSAFE);
	}
	assert_int_equal(chmod(path, 0500), 0);
	assert_int_equal(link(path, second), 0);
	assert_err(opened("helm"), e, ERR_UNSAFE);
	assert_int_equal(unlink(second), 0);
	assert_int_equal(opened("helm"), 1);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 65534, (gid_t)-1), 0);
		assert_int_equal(chmod(path, 0500), 0);
		assert_err(opened("helm"), e, ERR_UNSAFE);
	}
}

TEST(a_link_in_its_place_is_not_followed)
{
	auto_free char *path = tool_path();
	auto_free char *moved = xasprintf("%s/moved", dir);

	assert_int_equal(opened("helm"), 1);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(symlink(moved, path), 0);
	assert_int_equal(opened("helm"), -1);
}

TEST(a_run_that_was_killed_is_no_obstacle)
{
	auto_free char *path = tool_path();
	auto_free char *folder = fs_join(dir, "tools");
	auto_free char *partial = xasprintf("%s.%ld", path, (long)getpid());

	assert_ok(fs_make_dirs(folder, 0700, &e), e);
	assert_ok(fs_save(partial, "half", 4, 0500, &e), e);
	assert_int_equal(opened("helm"), 1);
}

TEST(a_folder_that_others_may_write_to_is_refused)
{
	auto_free char *folder = fs_join(dir, "tools");

	assert_int_equal(opened("helm"), 1);
	assert_int_equal(chmod(folder, 0777), 0);
	assert_err(opened("helm"), e, ERR_UNSAFE);
}

static int kept(const char *name)
{
	auto_fd int fd = -1;
	int r = tools_kept(dir, name, &fd, &e);
	struct digest have = { 0 };

	if (r == 1) {
		auto_buf struct buf bytes = BUF_INIT(1 << 20);

		assert_ok(buf_read_fd(&bytes, fd, &e), e);
		have = digest_of(bytes.ptr, bytes.len);
		assert_true(digest_eq(&have, &contents.files[0].blob));
	}
	return r;
}

TEST(an_earlier_tool_is_found_without_a_bundle)
{
	auto_free char *path = tool_path();
	auto_free char *folder = xasprintf("%s/tools", dir);
	auto_free char *moved = xasprintf("%s/helm-0123456789abcdef", folder);
	auto_free char *longer = xasprintf("%s/kubectl-%s", folder, strrchr(path, '-') + 1);

	assert_int_equal(kept("helm"), 0);      /* there is no folder */
	assert_int_equal(opened("helm"), 1);
	assert_int_equal(kept("helm"), 1);
	assert_int_equal(kept("kubectl"), 0);
	assert_int_equal(kept("hel"), 0);
	assert_int_equal(link(path, longer), 0);
	assert_int_equal(kept("helm"), 0);      /* a second name */
	assert_int_equal(unlink(longer), 0);
	assert_int_equal(chmod(path, 0700), 0);
	assert_int_equal(kept("helm"), 0);
	assert_int_equal(chmod(path, 0500), 0);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(kept("helm"), 0);      /* not what its name says */
	assert_int_equal(symlink(moved, path), 0);
	assert_int_equal(kept("helm"), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(moved, path), 0);
	assert_int_equal(kept("helm"), 1);
	assert_int_equal(chmod(folder, 0777), 0);
	assert_err(kept("helm"), e, ERR_UNSAFE);
	assert_int_equal(chmod(folder, 0700), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)
	static const struct CMUnitTest tests[] = {
		CASE(a_tool_is_written_once_and_found_again), CASE(what_the_bundle_has_not_is_looked_for_elsewhere),
		CASE(other_bytes_are_refused), CASE(what_others_may_have_touched_is_refused),
		CASE(a_link_in_its_place_is_not_followed), CASE(a_run_that_was_killed_is_no_obstacle),
		CASE(a_folder_that_others_may_write_to_is_refused),
		CASE(an_earlier_tool_is_found_without_a_bundle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
