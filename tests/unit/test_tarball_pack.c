/* SPDX-License-Identifier: Apache-2.0 */
#include "hostile.h"

#include <airgap/fs.h>
#include <airgap/pool.h>
#include <airgap/strv.h>
#include <airgap/tarball.h>

#include <stdlib.h>
#include <sys/stat.h>

#define ROOM (256u << 20)

static int list(void *ctx, const struct tarball_member *m, struct err *e)
{
	buf_putf(ctx, "%s=%.*s%s;", m->name, (int)m->size, (const char *)m->bytes, m->executable ? "*" : "");
	return 0;
}

static int each(const struct buf *tar, const struct tarball_limits *l, struct buf *seen, struct err *e)
{
	struct mem_source mem = { buf_str(tar), tar->len, 0 };
	struct source from = source_mem(&mem);

	return tarball_each(&from, l, list, seen, e);
}

static const struct tarball_limits any = { 1 << 20, 1 << 16, 100, TARBALL_ANY };

static void write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
	auto_free char *path = fs_join(dir, name);
	auto_free char *parent = fs_dirname(path);
	struct err e = { 0 };

	assert_ok(fs_make_dirs(parent, 0755, &e), e);
	assert_ok(fs_save(path, text, strlen(text), mode, &e), e);
}

static void pack(const struct tarball_pack *t, int filter, struct buf *out)
{
	struct sink to = { buf_sink_write, out };
	struct err e = { 0 };

	assert_ok(tarball_pack_write(t, filter, &to, &e), e);
}

static char *temp_dir(void)
{
	char *dir = NULL;
	struct err e = { 0 };

	assert_ok(fs_temp_dir(NULL, "test_tarball.", &dir, &e), e);
	return dir;
}

static void remove_dir(const char *dir)
{
	struct err e = { 0 };

	assert_ok(fs_remove_tree(dir, &e), e);
}

TEST(the_same_members_give_the_same_bytes)
{
	auto_buf struct buf first = BUF_INIT(ROOM), second = BUF_INIT(ROOM), seen = BUF_INIT(ROOM);
	auto_free char *a = temp_dir(), *b = temp_dir(), *long_name = repeated("n", 200);
	struct err e = { 0 };

	auto_tarball_pack struct tarball_pack *t = tarball_pack_new(), *u = tarball_pack_new();

	write_file(a, "z.txt", "z", 0600);
	write_file(a, "sub/run.sh", "#!", 0755);
	write_file(a, "\xc3\xa4", "umlaut", 0644);
	write_file(b, "\xc3\xa4", "umlaut", 0444);
	write_file(b, "sub/run.sh", "#!", 0700);
	write_file(b, "z.txt", "old", 0644);
	assert_ok(tarball_pack_folder(t, a, "top", 0, &e), e);
	assert_ok(tarball_pack_add(t, "top/a", "", 0, &e), e);
	assert_ok(tarball_pack_add(t, long_name, "L", 1, &e), e);
	assert_ok(tarball_pack_add(u, long_name, "L", 1, &e), e);
	assert_ok(tarball_pack_add(u, "top/a", "", 0, &e), e);
	assert_ok(tarball_pack_folder(u, b, "top", 0, &e), e);
	assert_ok(tarball_pack_add(u, "top/z.txt", "z", 1, &e), e);
	pack(t, TARBALL_GZIP, &first);
	sleep(1);
	pack(u, TARBALL_GZIP, &second);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.ptr, second.ptr, first.len);
	assert_ok(each(&first, &any, &seen, &e), e);

	auto_free char *want = xasprintf("%s=L;top/a=;top/sub/run.sh=#!*;top/z.txt=z;top/\xc3\xa4=umlaut;", long_name);

	assert_string_equal(buf_str(&seen), want);
	remove_dir(a);
	remove_dir(b);
}

/* If this changes, every chart packed from a folder gets another digest: that is a change of format. */
TEST(the_bytes_of_a_plain_tar_and_of_the_gzip_header_are_known)
{
	auto_buf struct buf tar = BUF_INIT(ROOM), tgz = BUF_INIT(ROOM), want = BUF_INIT(ROOM);
	struct err e = { 0 };

	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();

	assert_ok(tarball_pack_add(t, "a/b", "text", 4, &e), e);
	pack(t, 0, &tar);
	assert_int_equal(tar.len, 512 + 512 + 1024);
	assert_memory_equal(tar.ptr, "a/b\0", 4);
	assert_memory_equal(tar.ptr + 100, "000644 \0" "000000 \0" "000000 \0" "00000000004 " "00000000000 ", 48);
	assert_memory_equal(tar.ptr + 257, "ustar\00000", 8);
	pack(t, TARBALL_GZIP, &tgz);
	assert_memory_equal(tgz.ptr, "\x1f\x8b\x08\0\0\0\0\0", 8);
	pack(t, 0, &want);
	assert_memory_equal(want.ptr, tar.ptr, tar.len);
}

TEST(an_empty_pack_is_an_empty_archive)
{
	auto_buf struct buf tar = BUF_INIT(ROOM), seen = BUF_INIT(ROOM);
	struct err e = { 0 };

	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();

	pack(t, 0, &tar);
	assert_int_equal(tar.len, 1024);
	assert_ok(each(&tar, &any, &seen, &e), e);
	assert_int_equal(seen.len, 0);
}

TEST(helmignore_is_obeyed)
{
	auto_buf struct buf tar = BUF_INIT(ROOM), seen = BUF_INIT(ROOM);
	auto_free char *dir = temp_dir();
	struct err e = { 0 };

	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();

	write_file(dir, ".helmignore", "# no\n*.bak\n/ci/\n.git/\n", 0644);
	write_file(dir, "Chart.yaml", "c", 0644);
	write_file(dir, "x.bak", "b", 0644);
	write_file(dir, "ci/values.yaml", "v", 0644);
	write_file(dir, "sub/ci/values.yaml", "kept", 0644);
	write_file(dir, ".git/config", "g", 0644);
	write_file(dir, "templates/.swp", "s", 0644);
	write_file(dir, "templates/a.yaml", "a", 0644);
	assert_ok(tarball_pack_folder(t, dir, "c", TARBALL_HELMIGNORE, &e), e);
	pack(t, 0, &tar);
	assert_ok(each(&tar, &any, &seen, &e), e);
	assert_string_equal(buf_str(&seen), "c/.helmignore=# no\n*.bak\n/ci/\n.git/\n;c/Chart.yaml=c;c/sub/ci/values.yaml=kept;"
			    "c/templates/a.yaml=a;");
	remove_dir(dir);
}

TEST(links_and_special_files_are_not_packed)
{
	auto_free char *dir = temp_dir();
	auto_free char *link = fs_join(dir, "link"), *fifo = fs_join(dir, "fifo");
	struct err e = { 0 };

	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();

	assert_int_equal(symlink("/etc/passwd", link), 0);
	assert_err(tarball_pack_folder(t, dir, "c", 0, &e), e, ERR_UNSAFE);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("/etc", link), 0);
	assert_err(tarball_pack_folder(t, dir, "c", 0, &e), e, ERR_UNSAFE);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_err(tarball_pack_folder(t, dir, "c", 0, &e), e, ERR_UNSAFE);
	assert_err(tarball_pack_file(t, "c/x", "/nonexistent", &e), e, ERR_IO);
	remove_dir(dir);
}

TEST(unsafe_names_are_not_packed)
{
	static const char *const cases[] = { "", "/a", "../a", "a/../b", "a//b", "a/", "a\\b", "a\nb", "\xff", "c:/x" };

	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };

		assert_err(tarball_pack_add(t, cases[i], "x", 1, &e), e, ERR_UNSAFE);
	}
}

TEST(a_file_that_changes_meanwhile_is_noticed)
{
	auto_free char *dir = temp_dir();
	auto_free char *path = fs_join(dir, "f");
	struct err e = { 0 };

	for (int i = 0; i < 2; i++) {
		auto_buf struct buf out = BUF_INIT(ROOM);
		struct sink to = { buf_sink_write, &out };

		auto_tarball_pack struct tarball_pack *t = tarball_pack_new();

		write_file(dir, "f", "12345", 0644);
		assert_ok(tarball_pack_file(t, "f", path, &e), e);
		write_file(dir, "f", i ? "123" : "1234567", 0644);
		assert_err(tarball_pack_write(t, TARBALL_GZIP, &to, &e), e, ERR_IO);
	}
	remove_dir(dir);
}

TEST(a_full_sink_keeps_its_reason)
{
	auto_buf struct buf out = BUF_INIT(600);
	struct sink to = { buf_sink_write, &out };
	auto_free char *text = repeated("x", 100000);
	struct err e = { 0 };

	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();

	assert_ok(tarball_pack_add(t, "a", text, 100000, &e), e);
	assert_err(tarball_pack_write(t, 0, &to, &e), e, ERR_LIMIT);
}

/* Names in UTF-8 need a locale, and threads have one each. */
struct many { struct buf tar; const char *want; };

static int read_one(void *ctx, unsigned worker, size_t item, struct err *e)
{
	const struct many *m = ctx;
	auto_buf struct buf seen = BUF_INIT(ROOM);

	if (each(&m->tar, &any, &seen, e) < 0)
		return -1;
	return strcmp(buf_str(&seen), m->want) == 0 ? 0 : err_set(e, ERR_BUG, "'%s'", buf_str(&seen));
}

TEST(many_threads_read_names_in_utf8)
{
	struct many m = { BUF_INIT(ROOM), "top/\xc3\xa4=x;" };
	struct err e = { 0 };

	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();

	assert_ok(tarball_pack_add(t, "top/\xc3\xa4", "x", 1, &e), e);
	pack(t, TARBALL_GZIP, &m.tar);
	assert_ok(pool_each(8, 200, read_one, &m, &e), e);
	buf_release(&m.tar);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_members_give_the_same_bytes),
		cmocka_unit_test(the_bytes_of_a_plain_tar_and_of_the_gzip_header_are_known),
		cmocka_unit_test(an_empty_pack_is_an_empty_archive),
		cmocka_unit_test(helmignore_is_obeyed),
		cmocka_unit_test(links_and_special_files_are_not_packed),
		cmocka_unit_test(unsafe_names_are_not_packed),
		cmocka_unit_test(a_file_that_changes_meanwhile_is_noticed),
		cmocka_unit_test(a_full_sink_keeps_its_reason),
		cmocka_unit_test(many_threads_read_names_in_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
