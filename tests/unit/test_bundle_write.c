/* SPDX-License-Identifier: Apache-2.0 */
#include "written.h"

#include <pthread.h>
#include <sys/stat.h>

TEST(writes_what_the_reader_and_others_read)
{
	auto_set struct set s = { 0 };
	struct digest id;
	struct stat st;

	set_init(&s, edges, ARRAY_LEN(edges));
	write_bundle(&s, "b", 1, NULL, &id);
	assert_right(&s, "b", &id);
	assert_false(there("b.partial"));
	assert_false(there("b.partial.journal"));
	assert_int_equal(stat("b", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
}

TEST(same_bytes_for_any_jobs_and_pieces)
{
	auto_set struct set s = { 0 };
	struct digest id, again;

	set_init(&s, edges, ARRAY_LEN(edges));
	s.in.jobs = 1;
	write_bundle(&s, "one", 0, NULL, &id);
	for (unsigned jobs = 2; jobs <= 8; jobs += 3) {
		s.in.jobs = jobs;
		write_bundle(&s, "more", 7 * jobs, NULL, &again);
		assert_same_files("one", "more", 0);
		assert_true(digest_eq(&id, &again));
	}
}

TEST(odd_sets_are_right_too)
{
	static const struct { size_t n; uint64_t sizes[4]; } cases[] = {
		{ 0, { 0 } }, { 1, { 0 } }, { 1, { 5 } }, { 1, { 2 * MIB4 } }, { 2, { 100000, 100000 } }, { 2, { 0, MIB4 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_set struct set s = { 0 };
		struct digest id;

		set_init(&s, cases[i].sizes, cases[i].n);
		write_bundle(&s, "b", 0, NULL, &id);
		assert_right(&s, "b", &id);
	}
}

TEST(an_external_blob_is_listed_and_not_there)
{
	static const uint64_t sizes[] = { 100000, 5, 7 };
	auto_set struct set s = { 0 };
	struct bundle_options o = { .allow_unsigned = true };
	struct digest id;

	set_init(&s, sizes, 3);
	s.blobs[1].external = true;
	write_bundle(&s, "b", 0, NULL, &id);

	auto_bundle struct bundle *b = bundle_open("b", &o, &e);

	if (!b)
		fail_msg("%s", e.msg);
	assert_ok(bundle_check_all(b, 2, NULL, &e), e);
	assert_int_equal(bundle_find(b, &s.blobs[1].digest, NULL), 1);
	assert_false(bundle_has(b, &s.blobs[1].digest));
	assert_true(bundle_has(b, &s.blobs[0].digest));
}

/* ---- wrong bytes */

TEST(a_blob_with_wrong_bytes_is_dropped_and_may_come_again)
{
	auto_set struct set s = { 0 };
	struct digest id;

	set_init(&s, edges, ARRAY_LEN(edges));
	write_bundle(&s, "whole", 0, NULL, &id);
	for (size_t bad = 0; bad < s.n; bad++) {
		auto_bundle_writer struct bundle_writer *w = NULL;

		if (s.blobs[bad].size == 0)
			continue;
		assert_ok(bundle_writer_open("b", &s.in, &w, &e), e);

		struct run r = { .w = w, .set = &s, .seed = (uint32_t)bad + 1, .budget = -1, .bad = bad };

		assert_ok(write_all(&r), e);
		assert_int_equal(r.bad_seen, 1);
		assert_ok(bundle_writer_finish(w, NULL, &id, &e), e);
		assert_same_files("whole", "b", 0);
	}
}

TEST(more_bytes_than_the_size_are_refused)
{
	static const uint64_t sizes[] = { 10, 70000, 70001 };
	auto_set struct set s = { 0 };
	auto_bundle_writer struct bundle_writer *w = NULL;
	auto_free uint8_t *p = xcalloc(80000, 1);
	uint64_t at, end;

	set_init(&s, sizes, 3);
	s.in.jobs = 1;
	assert_ok(bundle_writer_open("b", &s.in, &w, &e), e);
	for (size_t i = 0; i < 3; i++) {
		size_t blob = bundle_writer_order(w)[i];

		assert_int_equal(bundle_writer_gap(w, blob, &at, &end, &e), 1);
		assert_ok(bundle_writer_add(w, blob, 0, p, 5, &e), e);
		assert_err(bundle_writer_add(w, blob, 6, p, 1, &e), e, ERR_BUG);
		assert_err(bundle_writer_add(w, blob, 5, p, (size_t)s.blobs[blob].size - 4, &e), e, ERR_DIGEST);
		assert_int_equal(bundle_writer_gap(w, blob, &at, &end, &e), 1);
		assert_int_equal(at, 0);

		struct run r = { .w = w, .set = &s, .budget = -1, .bad = SIZE_MAX };

		assert_ok(add_blob(&r, blob, false, &e), e);
	}
}

TEST(finish_needs_every_blob)
{
	auto_set struct set s = { 0 };
	auto_bundle_writer struct bundle_writer *w = NULL;
	struct digest id;

	set_init(&s, edges, 3);
	assert_ok(bundle_writer_open("b", &s.in, &w, &e), e);
	assert_err(bundle_writer_finish(w, NULL, &id, &e), e, ERR_BUG);
	assert_false(there("b"));
}

/* ---- waiting */

static void *stop_soon(void *w)
{
	struct err why;

	usleep(50000);
	err_set(&why, ERR_NETWORK, "the line is down");
	bundle_writer_stop(w, &why);
	return NULL;
}

TEST(stop_wakes_who_waits_and_says_why)
{
	uint64_t sizes[40], at, end;
	auto_set struct set s = { 0 };
	auto_bundle_writer struct bundle_writer *w = NULL;
	pthread_t thread;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		sizes[i] = i % 2 ? 10 : MIB4 + i;       /* seeds are i + 2: even ones are compressed */
	set_init(&s, sizes, ARRAY_LEN(sizes));
	assert_ok(bundle_writer_open("b", &s.in, &w, &e), e);
	assert_int_equal(pthread_create(&thread, NULL, stop_soon, w), 0);
	assert_err(bundle_writer_gap(w, bundle_writer_order(w)[39], &at, &end, &e), e, ERR_NETWORK);
	assert_string_equal(e.msg, "the line is down");
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_err(bundle_writer_gap(w, 0, &at, &end, &e), e, ERR_NETWORK);
}

/* ---- signatures */

static void make_key(const char *path, enum sign_algorithm a, struct signer *out)
{
	auto_buf struct buf priv = BUF_INIT(65536), pub = BUF_INIT(65536);
	auto_free char *pub_path = xasprintf("%s.pub", path);
	struct digest id;

	assert_ok(sign_generate(a, NULL, &priv, &pub, &id, &e), e);
	assert_ok(fs_save(path, priv.ptr, priv.len, 0600, &e), e);
	assert_ok(fs_save(pub_path, pub.ptr, pub.len, 0644, &e), e);
	assert_ok(signer_load(out, path, NULL, &e), e);
}

TEST(signed_bundles_are_right_and_as_equal_as_their_keys_allow)
{
	static const enum sign_algorithm algorithms[] = { SIGN_ED25519, SIGN_P256, SIGN_P384 };
	auto_set struct set s = { 0 };
	struct digest id;

	set_init(&s, edges, 12);
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		auto_signer struct signer signer = { 0 };

		make_key("key", algorithms[i], &signer);
		write_bundle(&s, "a", 1, &signer, &id);
		write_bundle(&s, "b", 2, &signer, &id);
		run_tool((const char *const[]){ "python3", checker, "check", "a", "--key", "key.pub", NULL });
		assert_same_files("a", "b", algorithms[i] == SIGN_ED25519 ? 0 : RECORD_FRAME);
	}
}

TEST(an_unprintable_statement_is_refused_at_the_end_at_the_latest)
{
	auto_set struct set s = { 0 };
	auto_bundle_writer struct bundle_writer *w = NULL;
	struct digest id;

	set_init(&s, NULL, 0);
	s.in.statement.stream[0] = '"';
	assert_ok(bundle_writer_open("b", &s.in, &w, &e), e);
	assert_err(bundle_writer_finish(w, NULL, &id, &e), e, ERR_LIMIT);
	assert_false(there("b"));
}

/* ---- many */

TEST(a_hundred_thousand_blobs)
{
	size_t n = getenv("SANITIZE") && *getenv("SANITIZE") ? 6000 : 100000;
	auto_free uint64_t *sizes = xcalloc(n, sizeof(*sizes));
	auto_set struct set s = { 0 };
	struct bundle_options o = { .allow_unsigned = true };
	struct digest id;

	for (size_t i = 0; i < n; i++)
		sizes[i] = i % 1000 == 0 ? 70000 : 20 + i % 400;
	set_init(&s, sizes, n);
	write_bundle(&s, "b", 0, NULL, &id);

	auto_bundle struct bundle *b = bundle_open("b", &o, &e);

	if (!b)
		fail_msg("%s", e.msg);
	assert_ok(bundle_check_all(b, 2, NULL, &e), e);
	assert_int_equal(bundle_blobs(b), n);
	run_tool((const char *const[]){ "zstd", "-tq", "b", NULL });
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, enter_dir, leave_dir)
	static const struct CMUnitTest tests[] = {
		T(writes_what_the_reader_and_others_read),
		T(same_bytes_for_any_jobs_and_pieces),
		T(odd_sets_are_right_too),
		T(an_external_blob_is_listed_and_not_there),
		T(a_blob_with_wrong_bytes_is_dropped_and_may_come_again),
		T(more_bytes_than_the_size_are_refused),
		T(finish_needs_every_blob),
		T(stop_wakes_who_waits_and_says_why),
		T(signed_bundles_are_right_and_as_equal_as_their_keys_allow),
		T(an_unprintable_statement_is_refused_at_the_end_at_the_latest),
		T(a_hundred_thousand_blobs),
	};

	written_begin();

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(checker);
	return failed;
}
