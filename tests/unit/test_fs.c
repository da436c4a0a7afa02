/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/fs.h>
#include <airgap/strv.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *dir;               /* a new folder for each test; also the working directory */
static struct err e;

static int enter_dir(void **state)
{
	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	return chdir(dir);
}

static int leave_dir(void **state)
{
	if (chdir("/") < 0 || fs_remove_tree(dir, &e) < 0)
		fail_msg("%s", e.msg);
	free(TAKE(dir));
	return 0;
}

static void make_file(const char *name, const char *text)
{
	assert_ok(fs_save(name, text, strlen(text), 0644, &e), e);
}

static void assert_content(const char *name, const char *want)
{
	auto_buf struct buf b = BUF_INIT(1000);

	assert_ok(fs_load(name, 1000, &b, &e), e);
	assert_string_equal(buf_str(&b), want);
}

TEST(saves_and_loads)
{
	struct stat st;

	make_file("a", "one");
	make_file("a", "two");
	assert_content("a", "two");
	assert_ok(fs_save("key", "", 0, 0600, &e), e);
	assert_int_equal(stat("key", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 0);
}

TEST(a_failed_save_leaves_neither_change_nor_litter)
{
	auto_strv struct strv names = { 0 };

	assert_int_equal(mkdir("taken", 0700), 0);
	assert_err(fs_save("taken", "x", 1, 0644, &e), e, ERR_IO);
	assert_true(str_starts(e.msg, "cannot write 'taken': "));
	assert_err(fs_save("no/such/folder", "x", 1, 0644, &e), e, ERR_IO);
	assert_ok(fs_list(".", &names, &e), e);
	assert_int_equal(names.n, 1);
}

TEST(load_has_a_ceiling_and_keeps_the_buffer)
{
	auto_buf struct buf b = BUF_INIT(8), big = BUF_INIT(SIZE_MAX / 2);

	make_file("five", "12345");
	buf_puts(&b, "ab");
	assert_ok(fs_load("five", 5, &b, &e), e);
	assert_string_equal(buf_str(&b), "ab12345");
	assert_err(fs_load("five", 5, &b, &e), e, ERR_LIMIT);
	assert_string_equal(buf_str(&b), "ab12345");
	assert_err(fs_load("five", 4, &big, &e), e, ERR_LIMIT);
	assert_true(str_starts(e.msg, "'five': "));
	assert_int_equal(big.len, 0);
	assert_ok(fs_load("five", SIZE_MAX, &big, &e), e);
	assert_string_equal(buf_str(&big), "12345");
}

TEST(load_takes_regular_files_only)
{
	auto_buf struct buf b = BUF_INIT(10);

	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_err(fs_load("fifo", 10, &b, &e), e, ERR_UNSAFE);
	assert_err(fs_load(".", 10, &b, &e), e, ERR_UNSAFE);
	assert_err(fs_load("absent", 10, &b, &e), e, ERR_IO);
	assert_int_equal(e.sys, ENOENT);
}

TEST(tells_what_exists)
{
	make_file("a", "");
	assert_int_equal(symlink("nowhere", "link"), 0);
	assert_int_equal(fs_exists("a", &e), 1);
	assert_int_equal(fs_exists("b", &e), 0);
	assert_int_equal(fs_exists("a/b", &e), 0);
	assert_int_equal(fs_exists("link", &e), 0);
}

static const struct { const char *name; enum err_code want; } beneath_cases[] = {
	{ "in/file", ERR_NONE }, { "in//file", ERR_NONE }, { "./in/./file", ERR_NONE }, { "in/deep/file", ERR_NONE },
	{ "in/absent", ERR_IO }, { "in/file/more", ERR_IO },
	{ "", ERR_UNSAFE }, { "/etc/passwd", ERR_UNSAFE }, { "..", ERR_UNSAFE }, { "../x", ERR_UNSAFE },
	{ "in/../in/file", ERR_UNSAFE }, { "in/..", ERR_UNSAFE },
	{ "in/link", ERR_UNSAFE }, { "linked/file", ERR_UNSAFE }, { "in/out/passwd", ERR_UNSAFE }, { "root", ERR_UNSAFE },
};

static void make_beneath(void)
{
	assert_ok(fs_make_dirs("base/in/deep", 0755, &e), e);
	make_file("base/in/file", "x");
	make_file("base/in/deep/file", "x");
	assert_int_equal(symlink("file", "base/in/link"), 0);
	assert_int_equal(symlink("in", "base/linked"), 0);
	assert_int_equal(symlink("/etc", "base/in/out"), 0);
	assert_int_equal(symlink("/", "base/root"), 0);
}

/* The index of the first case that went wrong, or -1. */
static int try_beneath(void)
{
	auto_fd int base = open("base", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < ARRAY_LEN(beneath_cases); i++) {
		err_clear(&e);

		auto_fd int fd = fs_open_beneath(base, beneath_cases[i].name, O_RDONLY, 0, &e);

		if (e.code != beneath_cases[i].want || (fd >= 0) != (e.code == ERR_NONE))
			return (int)i;
	}
	auto_fd int made = fs_open_beneath(base, "in/new", O_WRONLY | O_CREAT | O_EXCL, 0600, &e);
	auto_fd int bad = fs_open_beneath(base, "linked/new", O_WRONLY | O_CREAT, 0600, &e);
	auto_fd int over = fs_open_beneath(base, "in/link", O_WRONLY | O_CREAT, 0600, &e);
	struct stat st;

	if (made < 0 || bad >= 0 || over >= 0 || fstat(made, &st) < 0 || (st.st_mode & 0777) != 0600 ||
	    !(fcntl(made, F_GETFD) & FD_CLOEXEC))
		return 100;
	return -1;
}

TEST(opens_beneath_and_nowhere_else)
{
	make_beneath();

	int wrong = try_beneath();

	if (wrong >= 0)
		fail_msg("'%s': %s", wrong < 100 ? beneath_cases[wrong].name : "creating", e.msg);
}

/* Makes openat2 answer ENOSYS in this process, as kernels before 5.6 do. */
static int forbid_openat2(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_LEN(rules), rules };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

TEST(opens_beneath_without_openat2)
{
	int status = 0;

	make_beneath();

	pid_t pid = fork();

	if (pid == 0)
		_exit(forbid_openat2() < 0 ? 200 : try_beneath() + 1);
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 200)
		skip();
	if (status != 0)
		fail_msg("case %d (status %d)", WEXITSTATUS(status) - 1, status);
}

TEST(reads_and_writes_at_places)
{
	auto_fd int fd = fs_open("f", O_RDWR | O_CREAT, 0600, &e);
	char text[8] = { 0 };
	uint64_t size;

	assert_ok(fs_write_all(fd, "hello", 5, &e), e);
	assert_ok(fs_write_at(fd, "J", 1, 0, &e), e);
	assert_ok(fs_write_at(fd, "y", 1, UINT64_C(5) << 30, &e), e);
	assert_ok(fs_read_exact(fd, text, 5, 0, &e), e);
	assert_string_equal(text, "Jello");
	assert_ok(fs_size(fd, &size, &e), e);
	assert_true(size == (UINT64_C(5) << 30) + 1);
	assert_err(fs_read_exact(fd, text, 2, size - 1, &e), e, ERR_TRUNCATED);
	assert_err(fs_read_exact(fd, text, 1, size + 100, &e), e, ERR_TRUNCATED);
	assert_ok(fs_read_exact(fd, text, 0, size + 100, &e), e);
	assert_ok(fs_sync(fd, &e), e);
	assert_err(fs_write_all(-1, "x", 1, &e), e, ERR_IO);
	assert_err(fs_size(-1, &size, &e), e, ERR_IO);
}

TEST(full_disk_is_its_own_error)
{
	auto_fd int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		skip();
	assert_err(fs_write_all(fd, "x", 1, &e), e, ERR_SPACE);
}

TEST(size_of_a_pipe_is_refused)
{
	int ends[2];
	uint64_t size;

	assert_int_equal(pipe(ends), 0);
	assert_err(fs_size(ends[0], &size, &e), e, ERR_UNSAFE);
	assert_ok(fs_sync(ends[1], &e), e);
	close(ends[0]);
	close(ends[1]);
}

TEST(makes_and_removes_trees_without_following_links)
{
	auto_strv struct strv names = { 0 };

	assert_ok(fs_make_dirs("t/a/b/c", 0755, &e), e);
	assert_ok(fs_make_dirs("t//a/b/", 0755, &e), e);
	assert_ok(fs_make_dirs(dir, 0755, &e), e);
	make_file("t/a/file", "x");
	make_file("kept", "x");
	assert_int_equal(mkdir("outside", 0700), 0);
	make_file("outside/kept", "x");
	assert_int_equal(symlink("../outside", "t/link"), 0);
	assert_int_equal(symlink("nowhere", "t/dangling"), 0);
	assert_err(fs_make_dirs("t/a/file/d", 0755, &e), e, ERR_IO);
	assert_err(fs_make_dirs("t/a/file", 0755, &e), e, ERR_IO);
	assert_ok(fs_remove_tree("t", &e), e);
	assert_ok(fs_remove_tree("t", &e), e);
	assert_ok(fs_remove_tree("kept", &e), e);
	assert_content("outside/kept", "x");
	assert_ok(fs_list(".", &names, &e), e);
	assert_int_equal(names.n, 1);
}

TEST(lists_sorted_names)
{
	auto_strv struct strv names = { 0 };

	make_file("b", "");
	make_file("a", "");
	make_file(".c", "");
	assert_ok(fs_list(".", &names, &e), e);

	auto_free char *joined = strv_join(&names, " ");

	assert_string_equal(joined, ".c a b");
	assert_err(fs_list("absent", &names, &e), e, ERR_IO);
	assert_int_equal(names.n, 3);
}

TEST(renames_and_unlinks)
{
	make_file("a", "x");
	assert_ok(fs_rename("a", "b", &e), e);
	assert_content("b", "x");
	assert_ok(fs_unlink("b", &e), e);
	assert_ok(fs_unlink("b", &e), e);
	assert_err(fs_rename("a", "b", &e), e, ERR_IO);
	assert_err(fs_unlink(".", &e), e, ERR_IO);
}

TEST(a_lock_keeps_others_out_until_it_is_closed)
{
	int fd = -1, other = -1;

	assert_ok(fs_lock("lock", &fd, &e), e);
	assert_err(fs_lock("lock", &other, &e), e, ERR_LOCKED);
	assert_int_equal(other, -1);
	close(fd);
	assert_ok(fs_lock("lock", &other, &e), e);
	close(other);
}

TEST(knows_free_space)
{
	uint64_t space = 0;

	assert_ok(fs_free_space(".", &space, &e), e);
	assert_true(space > 0);
	assert_err(fs_free_space("absent", &space, &e), e, ERR_IO);
}

TEST(temporary_folders_are_private)
{
	auto_free char *path = NULL;
	struct stat st;

	assert_ok(fs_temp_dir(".", "x-", &path, &e), e);
	assert_true(str_starts(path, "./x-"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_err(fs_temp_dir("absent", "x-", &path, &e), e, ERR_IO);
}

TEST(sweeps_folders_of_killed_runs_and_no_others)
{
	auto_free char *mine = NULL, *again = NULL;

	assert_int_equal(mkdir("left-abcdef", 0700), 0);
	make_file("left-abcdef/values", "secret");
	assert_int_equal(mkdir("left-abcdef-not", 0700), 0);
	assert_ok(fs_temp_dir(".", "left-", &mine, &e), e);
	assert_int_equal(fs_exists("left-abcdef", &e), 0);
	assert_int_equal(fs_exists("left-abcdef-not", &e), 1);
	assert_ok(fs_temp_dir(".", "left-", &again, &e), e);
	assert_int_equal(fs_exists(mine, &e), 1);
}

TEST(joins_and_splits_paths)
{
	static const struct { const char *dir, *name, *want; } joins[] = {
		{ "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "/", "b", "/b" }, { "a", "/b", "/b" }, { "", "b", "b" },
		{ NULL, "b", "b" },
	};
	static const struct { const char *path, *want; } dirs[] = {
		{ "a/b", "a" }, { "a", "." }, { "/a", "/" }, { "/", "/" }, { "//a", "/" }, { "a//b", "a" }, { "a/b/", "a" },
		{ "", "." }, { "a/", "." }, { "/a/b/c", "/a/b" },
	};

	for (size_t i = 0; i < ARRAY_LEN(joins); i++) {
		auto_free char *s = fs_join(joins[i].dir, joins[i].name);

		assert_string_equal(s, joins[i].want);
	}
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		auto_free char *s = fs_dirname(dirs[i].path);

		assert_string_equal(s, dirs[i].want);
	}
}

TEST(finds_the_folders_of_the_user)
{
	setenv("XDG_CACHE_HOME", "/x/cache", 1);
	setenv("XDG_STATE_HOME", "/x/state", 1);
	setenv("HOME", "/home/me", 1);

	auto_free char *cache = fs_cache_dir(), *state_dir = fs_state_dir();

	assert_string_equal(cache, "/x/cache/airgap");
	assert_string_equal(state_dir, "/x/state/airgap");
	setenv("XDG_CACHE_HOME", "relative", 1);
	unsetenv("XDG_STATE_HOME");

	auto_free char *home_cache = fs_cache_dir(), *plain = fs_state_dir();

	assert_string_equal(home_cache, "/home/me/.cache/airgap");
	assert_string_equal(plain, geteuid() == 0 ? "/var/lib/airgap" : "/home/me/.local/state/airgap");
	unsetenv("HOME");

	auto_free char *from_passwd = fs_cache_dir();

	assert_true(*from_passwd == '/' && str_ends(from_passwd, "/.cache/airgap"));
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, enter_dir, leave_dir)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_DIR(saves_and_loads),
		IN_DIR(a_failed_save_leaves_neither_change_nor_litter),
		IN_DIR(load_has_a_ceiling_and_keeps_the_buffer),
		IN_DIR(load_takes_regular_files_only),
		IN_DIR(tells_what_exists),
		IN_DIR(opens_beneath_and_nowhere_else),
		IN_DIR(opens_beneath_without_openat2),
		IN_DIR(reads_and_writes_at_places),
		IN_DIR(full_disk_is_its_own_error),
		IN_DIR(size_of_a_pipe_is_refused),
		IN_DIR(makes_and_removes_trees_without_following_links),
		IN_DIR(lists_sorted_names),
		IN_DIR(renames_and_unlinks),
		IN_DIR(a_lock_keeps_others_out_until_it_is_closed),
		IN_DIR(knows_free_space),
		IN_DIR(temporary_folders_are_private),
		IN_DIR(sweeps_folders_of_killed_runs_and_no_others),
		IN_DIR(joins_and_splits_paths),
		IN_DIR(finds_the_folders_of_the_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
