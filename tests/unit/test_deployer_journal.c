/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <deployer/journal.h>
#include <deployer/system.h>

#include <airgap/fs.h>

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static struct err e;
static char *dir;
static struct session session;

/* A kubectl that takes what it is given: what it was given last stands in DIR/applied, how often in DIR/calls. */
static int enter(void **state)
{
	auto_free char *kubectl = NULL;
	auto_free char *script = NULL;

	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	kubectl = fs_join(dir, "kubectl");
	script = xasprintf("#!/bin/sh\ncat >%s/applied\necho call >>%s/calls\n", dir, dir);
	assert_ok(fs_save(kubectl, script, strlen(script), 0755, &e), e);
	session = (struct session){ .state_dir = dir, .system = json_object() };
	assert_ok(kubectl_open(&session.kubectl, kubectl, NULL, NULL, &e), e);
	return 0;
}

static int leave(void **state)
{
	kubectl_close(&session.kubectl);
	json_decref(session.system);
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	return 0;
}

static struct journal *opened(bool writing)
{
	struct journal *j = NULL;

	assert_ok(journal_open(&session, "example/test", writing, &j, &e), e);
	return j;
}

static void add(struct journal *j, const char *step, const char *result, uint64_t revision)
{
	struct journal_record r = { .step = (char *)step, .result = (char *)result, .revision = revision,
				    .digest = digest_of(step, strlen(step)), .note = (char *)"note" };

	assert_ok(journal_add(j, &r, &e), e);
}

static char *file_path(void)
{
	char name[SYSTEM_STREAM];

	return xasprintf("%s/journal-%s", dir, system_stream("example/test", name));
}

static void load(struct buf *out)
{
	auto_free char *path = file_path();

	assert_ok(fs_load(path, 1 << 20, out, &e), e);
}

static void save(const char *p, size_t n)
{
	auto_free char *path = file_path();

	assert_ok(fs_save(path, p, n, 0600, &e), e);
}

static size_t calls(void)
{
	auto_free char *path = fs_join(dir, "calls");
	auto_buf struct buf b = BUF_INIT(1 << 16);

	if (fs_load(path, 1 << 16, &b, &e) < 0)
		return 0;
	return b.len / 5;
}

/* What the deployer would read from the cluster now: what it applied last. */
static void cluster_as_applied(void)
{
	auto_free char *path = fs_join(dir, "applied");
	auto_buf struct buf b = BUF_INIT(1 << 20);

	assert_ok(fs_load(path, 1 << 20, &b, &e), e);

	auto_json json_t *secret = jdoc_parse(b.ptr, b.len, 1 << 20, "applied", &e);

	json_object_set(session.system, jdoc_text(secret, "metadata", "name", NULL), secret);
}

TEST(the_last_record_of_each_step_is_kept)
{
	struct journal *j = opened(true);

	assert_int_equal(journal_count(j), 0);
	assert_null(journal_last(j, "Release/a"));
	add(j, "Release/a", "started", 0);
	add(j, "Release/a", "done", 3);
	add(j, "Release/b", "failed", 0);
	journal_close(j);
	j = opened(true);
	assert_int_equal(journal_count(j), 2);
	assert_string_equal(journal_last(j, "Release/a")->result, "done");
	assert_int_equal(journal_last(j, "Release/a")->revision, 3);
	assert_string_equal(journal_at(j, 1)->step, "Release/b");
	assert_string_equal(journal_at(j, 1)->note, "note");
	journal_close(j);
}

TEST(what_is_begun_is_told_to_the_file_alone)
{
	struct journal *j = opened(true);

	add(j, "Release/a", "started", 0);
	assert_int_equal(calls(), 0);
	add(j, "Release/a", "done", 1);
	assert_int_equal(calls(), 1);
	assert_false(journal_begun(j, "Release/a"));
	add(j, "Release/b", "started", 0);
	assert_int_equal(calls(), 1);
	journal_close(j);
	j = opened(true);
	assert_true(journal_begun(j, "Release/b"));
	assert_false(journal_begun(j, "Release/a"));
	assert_false(journal_begun(j, "Release/none"));

	/* Not even along with others. */
	auto_free char *path = file_path();

	add(j, "Release/c", "done", 1);
	cluster_as_applied();
	journal_close(j);
	assert_ok(fs_unlink(path, &e), e);
	j = opened(true);
	assert_int_equal(journal_count(j), 2);
	assert_false(journal_begun(j, "Release/b"));
	journal_close(j);
}

TEST(a_torn_last_line_is_dropped_and_cut_off)
{
	struct journal *j = opened(true);
	auto_buf struct buf whole = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
	size_t first;

	add(j, "Release/a", "done", 1);
	load(&whole);
	first = whole.len;
	buf_clear(&whole);
	add(j, "Release/b", "done", 1);
	journal_close(j);
	load(&whole);
	for (size_t n = first; n < whole.len; n++) {
		save(whole.ptr, n);
		j = opened(false);
		assert_int_equal(journal_count(j), 1);
		journal_close(j);
		j = opened(true);
		assert_int_equal(journal_count(j), 1);
		add(j, "Release/c", "done", 1);
		journal_close(j);
		j = opened(true);
		assert_int_equal(journal_count(j), 2);
		journal_close(j);
	}
	save(whole.ptr, whole.len - 1);
	journal_close(opened(false));
	load(&after);
	assert_int_equal(after.len, whole.len - 1);
}

TEST(a_flipped_byte_is_found)
{
	struct journal *j = opened(true);
	auto_buf struct buf whole = BUF_INIT(1 << 20);
	size_t first;

	add(j, "Release/a", "done", 1);
	load(&whole);
	first = whole.len;
	buf_clear(&whole);
	add(j, "Release/b", "done", 1);
	journal_close(j);
	load(&whole);
	for (size_t i = 0; i < first - 1; i++) {
		auto_free char *bad = xmemdup(whole.ptr, whole.len);

		bad[i] ^= 1;
		save(bad, whole.len);
		assert_err(journal_open(&session, "example/test", true, &j, &e), e, ERR_IO);
		assert_non_null(strstr(e.msg, "damaged at byte 0: move it away; the cluster has a copy"));
	}
	/* In the last line it is as if that had never been written. */
	whole.ptr[whole.len - 3] ^= 1;
	save(whole.ptr, whole.len);
	j = opened(true);
	assert_int_equal(journal_count(j), 1);
	journal_close(j);
}

TEST(another_machine_knows_what_the_cluster_was_told)
{
	struct journal *j = opened(true);
	auto_free char *path = file_path();

	add(j, "Release/a", "done", 7);
	cluster_as_applied();
	journal_close(j);
	assert_ok(fs_unlink(path, &e), e);
	j = opened(false);
	assert_int_equal(journal_last(j, "Release/a")->revision, 7);
	journal_close(j);
	assert_int_equal(fs_exists(path, &e), 0);
}

TEST(the_later_record_wins_wherever_it_stands)
{
	struct journal *j = opened(true);
	auto_buf struct buf old = BUF_INIT(1 << 20);

	add(j, "Release/a", "done", 1);
	load(&old);
	add(j, "Release/a", "failed", 2);
	cluster_as_applied();
	journal_close(j);

	/* The cluster is ahead: another machine went on. */
	save(old.ptr, old.len);
	j = opened(true);
	assert_string_equal(journal_last(j, "Release/a")->result, "failed");
	assert_ok(journal_sync(j, &e), e);
	assert_int_equal(calls(), 2);

	/* The file is ahead: what the cluster missed it gets once. */
	add(j, "Release/a", "started", 0);
	assert_true(journal_begun(j, "Release/a"));
	add(j, "Release/b", "done", 1);
	assert_int_equal(calls(), 3);
	journal_close(j);
	j = opened(true);
	assert_ok(journal_sync(j, &e), e);
	assert_int_equal(calls(), 4);
	cluster_as_applied();
	journal_close(j);
	j = opened(true);
	assert_ok(journal_sync(j, &e), e);
	assert_int_equal(calls(), 4);
	journal_close(j);
}

TEST(a_damaged_copy_in_the_cluster_is_an_error)
{
	static const char *const documents[] = { "", "e30=", "IQ==", "eyJyZWNvcmRzIjogW3t9XX0=" };
	char name[SYSTEM_STREAM];
	auto_free char *secret = xasprintf("airgap-journal-%s-0", system_stream("example/test", name));
	struct journal *j = NULL;

	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		json_object_set_new(session.system, secret, json_pack("{s:{s:s}}", "data", "document", documents[i]));
		if (i == 1)     /* {}: no records */
			journal_close(opened(false));
		else
			assert_err(journal_open(&session, "example/test", false, &j, &e), e, ERR_IO);
	}
}

struct adding { struct journal *j; int number; };

static void *add_many(void *arg)
{
	struct adding *a = arg;
	struct err mine = { 0 };

	for (int i = 0; i < 8; i++) {
		auto_free char *step = xasprintf("Step/%d-%d", a->number, i);
		struct journal_record r = { .step = step, .result = (char *)"done" };

		if (journal_add(a->j, &r, &mine) < 0)
			abort();
	}
	return NULL;
}

TEST(steps_of_several_threads_are_recorded)
{
	struct adding a[4];
	pthread_t t[4];
	struct journal *j = opened(true);

	for (int i = 0; i < 4; i++) {
		a[i] = (struct adding){ j, i };
		assert_int_equal(pthread_create(&t[i], NULL, add_many, &a[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	journal_close(j);
	j = opened(true);
	assert_int_equal(journal_count(j), 32);
	journal_close(j);
}

TEST(what_is_installed_is_written_when_it_changed)
{
	struct journal *j = opened(true);
	auto_json json_t *about = json_pack("{s:s}", "name", "demo");

	assert_null(journal_installed(j));
	assert_ok(journal_set_installed(j, about, &e), e);
	assert_ok(journal_set_installed(j, about, &e), e);
	assert_int_equal(calls(), 1);
	assert_string_equal(jdoc_text(journal_installed(j), "name", NULL), "demo");
	journal_close(j);
}

/* A Secret that is full takes no more; what grows out of one is not lost; all is found again. */
TEST(large_records_are_split_over_several_secrets)
{
	auto_free char *large = xmalloc((100u << 10) + 1), *path = file_path();
	struct journal *j = opened(true);

	memset(large, 'x', 100u << 10);
	large[100u << 10] = '\0';
	for (int i = 0; i < 7; i++) {
		auto_free char *step = xasprintf("Apply/%d", i);
		auto_json json_t *made = json_pack("{s:s}", "text", i == 2 ? "small" : large);
		struct journal_record r = { .step = step, .result = (char *)"done", .made = made };

		assert_ok(journal_add(j, &r, &e), e);
		cluster_as_applied();
		if (i != 5)
			continue;
		/* It was small, and stands in a Secret that is full otherwise. */
		json_object_set_new(made, "text", json_string(large));
		r = (struct journal_record){ .step = (char *)"Apply/2", .result = (char *)"done", .made = made };
		assert_ok(journal_add(j, &r, &e), e);
		cluster_as_applied();
	}
	journal_close(j);
	assert_ok(fs_unlink(path, &e), e);
	assert_true(json_object_size(session.system) >= 4);
	j = opened(false);
	assert_int_equal(journal_count(j), 7);
	for (int i = 0; i < 7; i++) {
		auto_free char *step = xasprintf("Apply/%d", i);

		assert_string_equal(jdoc_text(journal_last(j, step)->made, "text", NULL), large);
	}
	journal_close(j);
}

TEST(what_a_step_made_is_known_until_it_is_removed)
{
	auto_json json_t *made = json_pack("{s:s}", "kind", "Apply");
	struct journal_record r = { .step = (char *)"Apply/a", .result = (char *)"started", .made = made };
	struct journal *j = opened(true);

	assert_ok(journal_add(j, &r, &e), e);
	add(j, "Apply/a", "failed", 0);
	add(j, "Apply/a", "started", 0);
	add(j, "Apply/a", "done", 0);
	assert_string_equal(jdoc_text(journal_last(j, "Apply/a")->made, "kind", NULL), "Apply");
	journal_close(j);
	j = opened(true);
	assert_string_equal(jdoc_text(journal_last(j, "Apply/a")->made, "kind", NULL), "Apply");
	add(j, "Apply/a", "removed", 0);
	assert_null(journal_last(j, "Apply/a")->made);
	journal_close(j);
	j = opened(true);
	assert_null(journal_last(j, "Apply/a")->made);
	journal_close(j);
}

TEST(what_is_too_large_is_not_taken_for_what_was_before)
{
	auto_free char *much = xcalloc(1, 600 << 10);
	auto_json json_t *small = json_pack("{s:s, s:b}", "kind", "Apply", "protect", true);
	auto_json json_t *want = json_pack("{s:b}", "protect", true);
	auto_journal struct journal *j = opened(true);
	struct journal_record r = { .step = (char *)"Apply/a", .result = (char *)"done", .made = small };

	assert_ok(journal_add(j, &r, &e), e);
	memset(much, 'x', (600 << 10) - 1);

	auto_json json_t *large = json_pack("{s:s, s:b}", "kind", much, "protect", true);

	r.made = large;
	assert_ok(journal_add(j, &r, &e), e);
	assert_true(json_equal(journal_last(j, "Apply/a")->made, want));
}

static void add_made(const char *state_dir, const char *made)
{
	auto_json json_t *doc = json_pack("{s:s}", "kind", made);
	struct journal_record r = { .step = (char *)"Call/a", .result = (char *)"done", .made = doc };

	session.state_dir = (char *)state_dir;

	auto_journal struct journal *j = opened(true);

	assert_ok(journal_add(j, &r, &e), e);
	assert_true(journal_made_here(j, "Call/a"));
	cluster_as_applied();
}

static bool made_here(const char *state_dir)
{
	session.state_dir = (char *)state_dir;

	auto_journal struct journal *j = opened(false);

	assert_non_null(journal_last(j, "Call/a")->made);
	return journal_made_here(j, "Call/a");
}

TEST(what_this_machine_did_not_write_is_told_apart)
{
	auto_free char *elsewhere = fs_join(dir, "elsewhere"), *nowhere = fs_join(dir, "nowhere");

	add_made(dir, "x");
	assert_true(made_here(dir));
	assert_false(made_here(nowhere));
	add_made(elsewhere, "x");
	assert_true(made_here(dir));
	add_made(elsewhere, "y");
	assert_false(made_here(dir));
	assert_true(made_here(elsewhere));
	session.state_dir = dir;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_last_record_of_each_step_is_kept, enter, leave),
		cmocka_unit_test_setup_teardown(what_is_begun_is_told_to_the_file_alone, enter, leave),
		cmocka_unit_test_setup_teardown(a_torn_last_line_is_dropped_and_cut_off, enter, leave),
		cmocka_unit_test_setup_teardown(a_flipped_byte_is_found, enter, leave),
		cmocka_unit_test_setup_teardown(another_machine_knows_what_the_cluster_was_told, enter, leave),
		cmocka_unit_test_setup_teardown(the_later_record_wins_wherever_it_stands, enter, leave),
		cmocka_unit_test_setup_teardown(a_damaged_copy_in_the_cluster_is_an_error, enter, leave),
		cmocka_unit_test_setup_teardown(steps_of_several_threads_are_recorded, enter, leave),
		cmocka_unit_test_setup_teardown(large_records_are_split_over_several_secrets, enter, leave),
		cmocka_unit_test_setup_teardown(what_a_step_made_is_known_until_it_is_removed, enter, leave),
		cmocka_unit_test_setup_teardown(what_is_installed_is_written_when_it_changed, enter, leave),
		cmocka_unit_test_setup_teardown(what_is_too_large_is_not_taken_for_what_was_before, enter, leave),
		cmocka_unit_test_setup_teardown(what_this_machine_did_not_write_is_told_apart, enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
