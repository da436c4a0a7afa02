/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/bundle_journal.h>
#include <airgap/fs.h>
#include <airgap/pool.h>

#include <unistd.h>

#define N 100u

static struct err e;
static char *dir, *path;
static struct digest layout;
static struct journal_line lines[N], got[N];

static int enter_dir(void **state)
{
	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	path = fs_join(dir, "j");
	layout = digest_of("layout", 6);
	memset(lines, 0, sizeof(lines));
	memset(got, 0xff, sizeof(got));
	return 0;
}

static int leave_dir(void **state)
{
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	free(TAKE(path));
	return 0;
}

static struct journal_line line_of(uint32_t i)
{
	return (struct journal_line){ 1000 + i, digest_of(&i, sizeof(i)) };
}

static void assert_lines(const struct journal_line *want)
{
	bool ordered = true;

	assert_int_equal(journal_load(path, &layout, got, N, &ordered, &e), 1);
	assert_false(ordered);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(got[i].bytes, want[i].bytes);
		if (want[i].bytes)
			assert_true(digest_eq(&got[i].digest, &want[i].digest));
	}
}

static void create(struct journal *j)
{
	assert_ok(journal_create(j, path, &layout, false, lines, N, &e), e);
}

TEST(remembers_frames_and_forgets_what_was_dropped)
{
	struct journal j;

	lines[3] = line_of(3);
	create(&j);
	lines[7] = line_of(7);
	lines[8] = line_of(8);
	lines[99] = line_of(99);
	assert_ok(journal_add(&j, 7, &lines[7], &e), e);
	assert_ok(journal_add(&j, 8, &lines[7], &e), e);
	assert_ok(journal_add(&j, 8, &lines[8], &e), e);        /* the last line counts */
	assert_ok(journal_add(&j, 99, &lines[99], &e), e);
	assert_lines(lines);
	assert_ok(journal_drop(&j, 6, 3, &e), e);
	memset(&lines[7], 0, 2 * sizeof(lines[7]));
	journal_close(&j);
	assert_lines(lines);
}

TEST(knows_its_layout_and_mode)
{
	struct digest other = digest_of("other", 5);
	struct journal j;
	bool ordered = false;

	assert_int_equal(journal_load(path, &layout, got, N, &ordered, &e), 0);
	assert_ok(journal_create(&j, path, &layout, true, lines, N, &e), e);
	journal_close(&j);
	assert_int_equal(journal_load(path, &other, got, N, &ordered, &e), 0);
	assert_int_equal(journal_load(path, &layout, got, N, &ordered, &e), 1);
	assert_true(ordered);
}

/* Whatever is cut off or altered, no line says something that was never written. */
TEST(damage_takes_lines_and_adds_none)
{
	auto_buf struct buf text = BUF_INIT(1 << 20);
	struct journal j;
	bool ordered;

	for (uint32_t i = 0; i < N; i += 3)
		lines[i] = line_of(i);
	create(&j);
	journal_close(&j);
	assert_ok(fs_load(path, 1 << 20, &text, &e), e);
	for (size_t at = 0; at < text.len; at++) {
		for (int how = 0; how < 2; how++) {
			size_t n = how ? text.len : at;

			text.ptr[at] ^= how ? 1 << at % 8 : 0;
			journal_parse(text.ptr, n, &layout, got, N, &ordered);
			text.ptr[at] ^= how ? 1 << at % 8 : 0;
			for (size_t i = 0; i < N; i++)
				assert_true(got[i].bytes == 0 || memcmp(&got[i], &lines[i], sizeof(got[i])) == 0);
		}
	}
}

TEST(frames_beyond_the_layout_are_left_out)
{
	struct journal j;
	struct journal_line far = line_of(5);

	create(&j);
	assert_ok(journal_add(&j, N, &far, &e), e);
	assert_ok(journal_add(&j, UINT64_MAX, &far, &e), e);
	journal_close(&j);
	assert_lines(lines);
}

static int add_one(void *ctx, unsigned worker, size_t item, struct err *err)
{
	struct journal_line line = line_of((uint32_t)item);

	return journal_add(ctx, item, &line, err);
}

TEST(threads_may_add_at_once)
{
	struct journal j;

	create(&j);
	assert_ok(pool_each(8, N, add_one, &j, &e), e);
	journal_close(&j);
	for (uint32_t i = 0; i < N; i++)
		lines[i] = line_of(i);
	assert_lines(lines);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, enter_dir, leave_dir)
	static const struct CMUnitTest tests[] = {
		T(remembers_frames_and_forgets_what_was_dropped),
		T(knows_its_layout_and_mode),
		T(damage_takes_lines_and_adds_none),
		T(frames_beyond_the_layout_are_left_out),
		T(threads_may_add_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
