/* SPDX-License-Identifier: Apache-2.0 */
#include "hostile.h"

#include <airgap/fs.h>
#include <airgap/strv.h>
#include <airgap/tarball.h>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define ROOM (256u << 20)

/* ---- archives by hand: one header, every field ours */

static void tar_header(struct buf *b, const char *name, char type, const char *link, unsigned size)
{
	char h[512] = { 0 };
	unsigned sum = 0;

	memcpy(h, name, MIN(strlen(name), 100u));
	memcpy(h + 100, "0000644", 7);
	memcpy(h + 108, "0000000", 7);
	memcpy(h + 116, "0000000", 7);
	snprintf(h + 124, 12, "%011o", size);
	memcpy(h + 136, "00000000000", 11);
	memset(h + 148, ' ', 8);
	h[156] = type;
	memcpy(h + 157, link, MIN(strlen(link), 100u));
	memcpy(h + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	buf_put(b, h, sizeof(h));
}

static void tar_add(struct buf *b, const char *name, char type, const char *link, const char *content)
{
	static const char zeros[512];
	size_t n = strlen(content);

	tar_header(b, name, type, link, (unsigned)n);
	buf_puts(b, content);
	buf_put(b, zeros, (512 - n % 512) % 512);
}

static void tar_end(struct buf *b)
{
	static const char zeros[1024];

	buf_put(b, zeros, sizeof(zeros));
}

/* Compresses with libarchive's "raw" format: gzip, zstd, xz. */
static void compress(const struct buf *plain, int (*filter)(struct archive *), struct buf *out)
{
	size_t used = 0, room = plain->len + 65536;
	auto_free char *to = xmalloc(room);
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();

	archive_write_set_format_raw(a);
	filter(a);
	archive_write_set_bytes_in_last_block(a, 1);
	archive_write_open_memory(a, to, room, &used);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_pathname(entry, "x");
	archive_write_header(a, entry);
	archive_write_data(a, plain->ptr, plain->len);
	archive_write_close(a);
	archive_entry_free(entry);
	archive_write_free(a);
	buf_put(out, to, used);
}

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

/* ---- reading */

TEST(gives_files_in_order_and_passes_over_folders)
{
	auto_buf struct buf tar = BUF_INIT(ROOM), seen = BUF_INIT(ROOM);
	struct err e = { 0 };

	tar_add(&tar, "./", '5', "", "");
	tar_add(&tar, "b/", '5', "", "");
	tar_add(&tar, "b/x", '0', "", "one");
	tar_add(&tar, "./a", '0', "", "");
	tar_add(&tar, "b/\xc3\xa4", '0', "", "two");
	tar_end(&tar);
	assert_ok(each(&tar, &any, &seen, &e), e);
	assert_string_equal(buf_str(&seen), "b/x=one;a=;b/\xc3\xa4=two;");
}

TEST(every_filter_is_read_where_it_is_allowed)
{
	static const struct { int (*filter)(struct archive *); int flag; } cases[] = {
		{ archive_write_add_filter_gzip, TARBALL_GZIP }, { archive_write_add_filter_zstd, TARBALL_ZSTD },
		{ archive_write_add_filter_xz, TARBALL_XZ },     { archive_write_add_filter_bzip2, TARBALL_BZIP2 },
		{ archive_write_add_filter_none, 0 },
	};
	auto_buf struct buf tar = BUF_INIT(ROOM);

	tar_add(&tar, "a", '0', "", "text");
	tar_end(&tar);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_buf struct buf packed = BUF_INIT(ROOM), seen = BUF_INIT(ROOM);
		struct tarball_limits l = any;
		struct err e = { 0 };

		compress(&tar, cases[i].filter, &packed);
		l.filters = cases[i].flag;
		assert_ok(each(&packed, &l, &seen, &e), e);
		assert_string_equal(buf_str(&seen), "a=text;");
		l.filters = TARBALL_ANY & ~cases[i].flag;
		if (cases[i].flag)
			assert_err(each(&packed, &l, &seen, &e), e, ERR_MALFORMED);
	}
}

TEST(refuses_unsafe_members)
{
	static const struct { const char *name; char type; const char *link; } cases[] = {
		{ "../a", '0', "" },       { "a/../b", '0', "" },     { "a/..", '0', "" },        { "/etc/passwd", '0', "" },
		{ "a/./b", '0', "" },      { "a//b", '0', "" },       { "..", '0', "" },          { "./../a", '0', "" },
		{ "a\\b", '0', "" },       { "..\\b", '0', "" },      { "C:/x", '0', "" },        { "c:x", '0', "" },
		{ "a\nb", '0', "" },       { "a\x1b[2J", '0', "" },   { "a\x7f", '0', "" },       { "a\xff", '0', "" },
		{ "a\xc0\xaf", '0', "" },  { "a", '2', "b" },         { "a", '2', "../../etc" },  { "a", '1', "b" },
		{ "a", '3', "" },          { "a", '4', "" },          { "a", '6', "" },
		{ "", '0', "" },           { "a/../../b/", '5', "" }, { "/", '5', "" },           { "../", '5', "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_buf struct buf tar = BUF_INIT(ROOM), seen = BUF_INIT(ROOM);
		struct err e = { 0 };

		tar_add(&tar, cases[i].name, cases[i].type, cases[i].link, "");
		tar_end(&tar);
		if (each(&tar, &any, &seen, &e) == 0)
			fail_msg("took case %zu: '%s'", i, cases[i].name);
		if (e.code != ERR_UNSAFE)
			fail_msg("case %zu '%s': %d %s", i, cases[i].name, e.code, e.msg);
		assert_int_equal(seen.len, 0);
	}
}

/* A pax record that gives the next member another name, link or size. */
static void tar_pax(struct buf *b, const char *record)
{
	auto_free char *line = xasprintf("%zu %s\n", strlen(record) + 4, record);

	tar_add(b, "PaxHeaders/x", 'x', "", line);
}

TEST(extended_headers_are_judged_by_what_they_say)
{
	static const struct { const char *record; enum err_code code; } cases[] = {
		{ "path=../evil", ERR_UNSAFE },        { "path=/abs/name", ERR_UNSAFE },       { "path=a\\b/name", ERR_UNSAFE },
		{ "linkpath=../target", ERR_UNSAFE },  { "size=99999999999", ERR_LIMIT },      { "path=good/name", ERR_NONE },
		{ "GNU.sparse.major=1", ERR_UNSAFE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_buf struct buf tar = BUF_INIT(ROOM), seen = BUF_INIT(ROOM);
		struct err e = { 0 };

		tar_pax(&tar, cases[i].record);
		if (strstr(cases[i].record, "sparse"))
			tar_pax(&tar, "GNU.sparse.minor=0");
		tar_add(&tar, "harmless", strstr(cases[i].record, "linkpath") ? '2' : '0', "", "1\n0\n512\n");
		tar_end(&tar);

		int r = each(&tar, &any, &seen, &e);

		if ((r < 0 ? e.code : ERR_NONE) != cases[i].code && cases[i].code != ERR_UNSAFE)
			fail_msg("%s: %d %s", cases[i].record, e.code, e.msg);
		assert_int_equal(r < 0, cases[i].code != ERR_NONE);
	}
}

TEST(a_name_that_comes_twice_is_refused)
{
	auto_buf struct buf tar = BUF_INIT(ROOM), seen = BUF_INIT(ROOM);
	struct err e = { 0 };

	tar_add(&tar, "a", '0', "", "1");
	tar_add(&tar, "b", '0', "", "2");
	tar_add(&tar, "./a", '0', "", "3");
	tar_end(&tar);
	assert_err(each(&tar, &any, &seen, &e), e, ERR_UNSAFE);
	assert_string_equal(e.msg, "'a': there twice");
}

TEST(ceilings_are_exact)
{
	auto_buf struct buf tar = BUF_INIT(ROOM), seen = BUF_INIT(ROOM);
	struct tarball_limits l = { .total = 8, .file = 5, .members = 2 };
	struct err e = { 0 };

	tar_add(&tar, "a", '0', "", "12345");
	tar_add(&tar, "b", '0', "", "123");
	tar_end(&tar);
	assert_ok(each(&tar, &l, &seen, &e), e);
	l.total = 7;
	assert_err(each(&tar, &l, &seen, &e), e, ERR_LIMIT);
	l.total = 8;
	l.file = 4;
	assert_err(each(&tar, &l, &seen, &e), e, ERR_LIMIT);
	l.file = 5;
	l.members = 1;
	assert_err(each(&tar, &l, &seen, &e), e, ERR_LIMIT);
}

TEST(cut_short_at_any_place_is_an_error_or_the_same)
{
	auto_buf struct buf tar = BUF_INIT(ROOM), whole = BUF_INIT(ROOM), packed = BUF_INIT(ROOM);
	struct err e = { 0 };

	tar_add(&tar, "a/b", '0', "", "some text that is not empty");
	tar_add(&tar, "a/c", '0', "", "more");
	compress(&tar, archive_write_add_filter_gzip, &packed);
	tar_end(&tar);
	assert_ok(each(&tar, &any, &whole, &e), e);
	for (size_t n = 0; n < tar.len; n += 7) {
		struct buf cut = { tar.ptr, n, 0, ROOM };
		auto_buf struct buf seen = BUF_INIT(ROOM);

		if (each(&cut, &any, &seen, &e) == 0)
			assert_true(n == 0 || n >= 2048 || n == 1024);
		else
			assert_true(e.code == ERR_TRUNCATED || e.code == ERR_MALFORMED);
	}
	for (size_t n = 1; n < packed.len - 9; n++) {
		struct buf cut = { packed.ptr, n, 0, ROOM };
		auto_buf struct buf seen = BUF_INIT(ROOM);

		assert_int_equal(each(&cut, &any, &seen, &e), -1);
	}
}

TEST(what_is_no_archive_is_malformed)
{
	static const char *const cases[] = { "PK\x03\x04", "hello", "\x1f\x8b\x08", "<html>", "!<arch>\n" };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text = { (char *)cases[i], strlen(cases[i]), 0, ROOM };
		auto_buf struct buf seen = BUF_INIT(ROOM);
		struct err e = { 0 };

		assert_int_equal(each(&text, &any, &seen, &e), -1);
		assert_true(e.code == ERR_MALFORMED || e.code == ERR_TRUNCATED);
	}
}

static ssize_t failing_read(void *ctx, void *p, size_t n, struct err *e)
{
	return err_set(e, ERR_DIGEST, "the frame is not what its hash says");
}

static int failing_fn(void *ctx, const struct tarball_member *m, struct err *e)
{
	return err_set(e, ERR_BUG, "enough");
}

TEST(the_reason_of_a_source_or_callback_is_kept)
{
	struct source from = { failing_read, NULL, NULL };
	auto_buf struct buf tar = BUF_INIT(ROOM);
	struct err e = { 0 };

	assert_err(tarball_each(&from, &any, list, NULL, &e), e, ERR_DIGEST);
	tar_add(&tar, "a", '0', "", "1");
	tar_end(&tar);

	struct mem_source mem = { tar.ptr, tar.len, 0 };

	from = source_mem(&mem);
	assert_err(tarball_each(&from, &any, failing_fn, NULL, &e), e, ERR_BUG);
}

/* ---- charts */

TEST(a_chart_has_one_top_folder_which_is_cut_off)
{
	auto_buf struct buf tar = BUF_INIT(ROOM), tgz = BUF_INIT(ROOM), seen = BUF_INIT(ROOM), file = BUF_INIT(ROOM);
	struct err e = { 0 };

	tar_add(&tar, "web/Chart.yaml", '0', "", "\xef\xbb\xbfname: web\n");
	tar_add(&tar, "web/templates/a.yaml", '0', "", "x");
	tar_add(&tar, "web/charts/sub/Chart.yaml", '0', "", "name: sub\n");
	tar_end(&tar);
	compress(&tar, archive_write_add_filter_gzip, &tgz);
	assert_ok(tarball_chart_each(tgz.ptr, tgz.len, list, &seen, &e), e);
	assert_string_equal(buf_str(&seen), "Chart.yaml=name: web\n;templates/a.yaml=x;charts/sub/Chart.yaml=name: sub\n;");
	assert_int_equal(tarball_chart_file(tgz.ptr, tgz.len, "Chart.yaml", &file, &e), 1);
	assert_string_equal(buf_str(&file), "name: web\n");
	assert_int_equal(tarball_chart_file(tgz.ptr, tgz.len, "values.yaml", &file, &e), 0);
	assert_int_equal(tarball_chart_file(tar.ptr, tar.len, "templates/a.yaml", &file, &e), 1);
	assert_string_equal(buf_str(&file), "name: web\nx");
}

TEST(what_stands_outside_the_charts_folder_is_unsafe)
{
	static const char *const cases[] = { "Chart.yaml", "webb/x", "we/x", "other/x" };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_buf struct buf tar = BUF_INIT(ROOM), seen = BUF_INIT(ROOM);
		struct err e = { 0 };

		tar_add(&tar, "web/values.yaml", '0', "", "x");
		tar_add(&tar, cases[i], '0', "", "x");
		tar_end(&tar);
		assert_err(tarball_chart_each(tar.ptr, tar.len, list, &seen, &e), e, ERR_UNSAFE);
		assert_int_equal(tarball_chart_file(tar.ptr, tar.len, "values.yaml", &seen, &e), -1);
	}
}

/* ---- bombs */

/* n zeros as one member: 1000 to 1 in gzip. */
static void zeros_tgz(uint64_t n, struct buf *out)
{
	size_t used = 0, room = 8 << 20;
	auto_free char *to = xmalloc(room), *zeros = xcalloc(1, 1 << 20);
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();

	archive_write_set_format_ustar(a);
	archive_write_add_filter_gzip(a);
	archive_write_set_filter_option(a, "gzip", "compression-level", "1");
	archive_write_open_memory(a, to, room, &used);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_pathname(entry, "c/zeros");
	archive_entry_set_size(entry, (int64_t)n);
	archive_write_header(a, entry);
	for (; n; n -= MIN(n, (uint64_t)1 << 20))
		archive_write_data(a, zeros, (size_t)MIN(n, (uint64_t)1 << 20));
	archive_write_close(a);
	archive_entry_free(entry);
	archive_write_free(a);
	buf_put(out, to, used);
}

static int read_chart(void *arg, struct err *e)
{
	const struct buf *tgz = arg;
	auto_buf struct buf out = BUF_INIT(1000);

	return tarball_chart_file(tgz->ptr, tgz->len, "x", &out, e);
}

TEST(gzip_bombs_end_at_the_ceiling)
{
	auto_buf struct buf one = BUF_INIT(ROOM), many = BUF_INIT(ROOM), tgz = BUF_INIT(ROOM), twice = BUF_INIT(ROOM);
	auto_free char *four = repeated("0", 4 << 20);

	zeros_tgz(200 << 20, &one);
	assert_refused(read_chart, &one, ERR_LIMIT);
	buf_clear(&one);
	zeros_tgz(5 << 20, &one);
	assert_refused(read_chart, &one, ERR_NONE);

	for (int i = 0; i < 30; i++) {
		char name[32];

		snprintf(name, sizeof(name), "c/%d", i);
		tar_add(&many, name, '0', "", four);
	}
	tar_end(&many);
	compress(&many, archive_write_add_filter_gzip, &tgz);
	buf_release(&many);
	assert_refused(read_chart, &tgz, ERR_LIMIT);
	compress(&tgz, archive_write_add_filter_gzip, &twice);
	assert_refused(read_chart, &twice, ERR_UNSAFE);
}

TEST(floods_of_members_and_headers_end_early)
{
	auto_buf struct buf tar = BUF_INIT(ROOM), tgz = BUF_INIT(ROOM);

	for (int i = 0; i < 30000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "c/%d", i);
		tar_header(&tar, name, '0', "", 0);
	}
	tar_end(&tar);
	compress(&tar, archive_write_add_filter_gzip, &tgz);
	assert_refused(read_chart, &tgz, ERR_LIMIT);

	buf_clear(&tar);
	buf_clear(&tgz);
	for (int i = 0; i < 20000; i++)
		tar_pax(&tar, "path=c/name");
	tar_end(&tar);
	compress(&tar, archive_write_add_filter_gzip, &tgz);
	assert_refused(read_chart, &tgz, ERR_MALFORMED);

	buf_clear(&tar);
	buf_clear(&tgz);
	tar_header(&tar, "long", 'L', "", 60 << 20);
	for (int i = 0; i < 60; i++) {
		auto_free char *a = repeated("a", 1 << 20);

		buf_puts(&tar, a);
	}
	compress(&tar, archive_write_add_filter_gzip, &tgz);
	buf_release(&tar);
	assert_refused(read_chart, &tgz, ERR_MALFORMED);
}

/* ---- one member */

/* A file without a name that holds these bytes. */
static int file_of(const void *p, size_t n)
{
	struct err e = { 0 };
	int fd = fs_open("/tmp", O_TMPFILE | O_RDWR, 0600, &e);

	assert_ok(fd, e);
	assert_ok(fs_write_all(fd, p, n, &e), e);
	return fd;
}

static int member_of(const struct buf *archive, const char *name, uint64_t limit, struct buf *out, struct err *e)
{
	auto_fd int fd = file_of(archive->ptr, archive->len);
	struct sink to = { buf_sink_write, out };

	return tarball_member(fd, name, limit, &to, e);
}

static void make_zip(struct buf *out)
{
	size_t used = 0, room = 1 << 20;
	auto_free char *to = xmalloc(room);
	struct archive *a = archive_write_new();

	archive_write_set_format_zip(a);
	archive_write_set_bytes_in_last_block(a, 1);
	archive_write_open_memory(a, to, room, &used);
	for (int i = 0; i < 3; i++) {
		struct archive_entry *entry = archive_entry_new();
		char name[] = "dir/0";

		name[4] = (char)('0' + i);
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		archive_entry_set_pathname(entry, name);
		archive_entry_set_size(entry, 5);
		archive_write_header(a, entry);
		archive_write_data(a, name, 5);
		archive_entry_free(entry);
	}
	archive_write_close(a);
	archive_write_free(a);
	buf_put(out, to, used);
}

TEST(takes_one_member_out_of_tar_and_zip)
{
	auto_buf struct buf tar = BUF_INIT(ROOM), tgz = BUF_INIT(ROOM), zip = BUF_INIT(ROOM), out = BUF_INIT(ROOM);
	struct err e = { 0 };

	tar_add(&tar, "link", '2', "../anywhere", "");
	tar_add(&tar, "./linux-amd64/helm", '0', "", "the program");
	tar_add(&tar, "dev", '3', "", "");
	tar_end(&tar);
	compress(&tar, archive_write_add_filter_xz, &tgz);
	assert_ok(member_of(&tgz, "linux-amd64/helm", 11, &out, &e), e);
	assert_string_equal(buf_str(&out), "the program");
	assert_err(member_of(&tgz, "linux-amd64/helm", 10, &out, &e), e, ERR_LIMIT);
	make_zip(&zip);
	buf_clear(&out);
	assert_ok(member_of(&zip, "dir/1", 100, &out, &e), e);
	assert_string_equal(buf_str(&out), "dir/1");
}

TEST(a_wanted_member_must_be_a_file_and_there_once)
{
	auto_buf struct buf tar = BUF_INIT(ROOM), out = BUF_INIT(ROOM);
	struct err e = { 0 };

	tar_add(&tar, "folder/", '5', "", "");
	tar_add(&tar, "link", '2', "linux-amd64/helm", "");
	tar_add(&tar, "hard", '1', "linux-amd64/helm", "");
	tar_add(&tar, "linux-amd64/helm", '0', "", "x");
	tar_add(&tar, "twice", '0', "", "x");
	tar_add(&tar, "twice", '0', "", "y");
	tar_end(&tar);
	assert_err(member_of(&tar, "link", 100, &out, &e), e, ERR_UNSAFE);
	assert_err(member_of(&tar, "hard", 100, &out, &e), e, ERR_UNSAFE);
	assert_err(member_of(&tar, "twice", 100, &out, &e), e, ERR_UNSAFE);
	assert_err(member_of(&tar, "../x", 100, &out, &e), e, ERR_UNSAFE);
	assert_err(member_of(&tar, "helm", 100, &out, &e), e, ERR_USAGE);
	assert_string_equal(e.msg, "there is no member 'helm': did you mean 'linux-amd64/helm'?");
	assert_err(member_of(&tar, "tvice", 100, &out, &e), e, ERR_USAGE);
	assert_string_equal(e.msg, "there is no member 'tvice': did you mean 'twice'?");
	assert_err(member_of(&tar, "nothing at all", 100, &out, &e), e, ERR_USAGE);
	assert_string_equal(e.msg, "there is no member 'nothing at all'");
}

static int take_member(void *arg, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(1 << 20);

	return member_of(arg, "c/zeros", 1 << 20, &out, e);
}

TEST(a_member_that_grows_ends_at_its_ceiling)
{
	auto_buf struct buf tgz = BUF_INIT(ROOM);

	zeros_tgz(400 << 20, &tgz);
	assert_refused(take_member, &tgz, ERR_LIMIT);
}

static int unpack(const struct buf *packed, uint64_t limit, struct buf *out, struct err *e)
{
	struct mem_source mem = { buf_str(packed), packed->len, 0 };
	struct source from = source_mem(&mem);
	const struct sink to = { buf_sink_write, out };

	return tarball_unpack(&from, limit, &to, e);
}

TEST(unpacks_what_is_compressed_and_no_archive)
{
	static int (*const filters[])(struct archive *) = { archive_write_add_filter_gzip, archive_write_add_filter_zstd,
							     archive_write_add_filter_xz };
	auto_buf struct buf plain = BUF_INIT(ROOM);
	struct err e = { 0 };

	for (unsigned i = 0; i < 30000; i++)
		buf_putf(&plain, "Package: p%u\n", i);
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		auto_buf struct buf packed = BUF_INIT(ROOM), twice = BUF_INIT(ROOM), out = BUF_INIT(ROOM), less = BUF_INIT(ROOM);

		compress(&plain, filters[i], &packed);
		assert_ok(unpack(&packed, plain.len, &out, &e), e);
		assert_int_equal(out.len, plain.len);
		assert_memory_equal(out.ptr, plain.ptr, plain.len);
		assert_err(unpack(&packed, plain.len - 1, &less, &e), e, ERR_LIMIT);
		compress(&packed, filters[i], &twice);
		assert_err(unpack(&twice, plain.len, &less, &e), e, ERR_UNSAFE);
		packed.len -= 20;
		assert_int_equal(unpack(&packed, plain.len, &less, &e), -1);
	}

	auto_buf struct buf out = BUF_INIT(ROOM), none = BUF_INIT(ROOM), nothing = BUF_INIT(1);

	assert_ok(unpack(&plain, plain.len, &out, &e), e);
	assert_int_equal(out.len, plain.len);
	assert_ok(unpack(&nothing, 1, &none, &e), e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_files_in_order_and_passes_over_folders),
		cmocka_unit_test(every_filter_is_read_where_it_is_allowed),
		cmocka_unit_test(refuses_unsafe_members),
		cmocka_unit_test(extended_headers_are_judged_by_what_they_say),
		cmocka_unit_test(a_name_that_comes_twice_is_refused),
		cmocka_unit_test(ceilings_are_exact),
		cmocka_unit_test(cut_short_at_any_place_is_an_error_or_the_same),
		cmocka_unit_test(what_is_no_archive_is_malformed),
		cmocka_unit_test(the_reason_of_a_source_or_callback_is_kept),
		cmocka_unit_test(a_chart_has_one_top_folder_which_is_cut_off),
		cmocka_unit_test(what_stands_outside_the_charts_folder_is_unsafe),
		cmocka_unit_test(gzip_bombs_end_at_the_ceiling),
		cmocka_unit_test(floods_of_members_and_headers_end_early),
		cmocka_unit_test(takes_one_member_out_of_tar_and_zip),
		cmocka_unit_test(a_wanted_member_must_be_a_file_and_there_once),
		cmocka_unit_test(a_member_that_grows_ends_at_its_ceiling),
		cmocka_unit_test(unpacks_what_is_compressed_and_no_archive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
