/* SPDX-License-Identifier: Apache-2.0 */
/* Large blobs that several workers fill at once. */
#include "written.h"

static const uint64_t sizes[] = { 70000, 12 * (uint64_t)MIB4 + 5, 100, 3 * (uint64_t)MIB4, 70001, MIB4 };

struct crowd {
	struct bundle_writer *w;
	const struct set *set;
	size_t blob;
	const uint8_t *content;
	atomic_int give_up;             /* so many parts are given up half way */
	atomic_int bad;                 /* so many parts get a wrong byte */
	atomic_int verdicts;
};

static int fill_part(struct crowd *c, struct bundle_part *p, uint32_t *seed, struct err *err)
{
	bool spoil = atomic_fetch_sub(&c->bad, 1) > 0, stop = atomic_fetch_sub(&c->give_up, 1) > 0;
	uint64_t end = stop ? p->at + (p->end - p->at) / 2 : p->end;

	while (p->at < end) {
		uint64_t most = next_random(seed) % 300000 + 1;
		size_t n = (size_t)MIN(end - p->at, most);
		auto_free uint8_t *bytes = xmemdup(c->content + p->at, n);

		bytes[0] ^= spoil;
		if (bundle_part_add(c->w, p, bytes, n, err) < 0)
			return -1;
	}
	return 0;
}

/* A worker: takes parts until there are none, and sees the verdict when it is its to see. */
static int fill(void *ctx, unsigned worker, size_t item, struct err *err)
{
	struct crowd *c = ctx;
	uint32_t seed = 77 + (uint32_t)item;
	struct bundle_part p = { 0 };
	int more;

	while ((more = bundle_part_take(c->w, c->blob, 0, MIB4 * (1 + next_random(&seed) % 3), &p, err)) == 1) {
		int r = fill_part(c, &p, &seed, err);

		bundle_part_end(c->w, &p);
		if (r < 0 && err->code != ERR_DIGEST)
			return -1;
		c->verdicts += r < 0;
	}
	return more;
}

static void fill_blob(struct crowd *c, size_t blob)
{
	auto_free uint8_t *content = content_of(c->set->seeds[blob], (size_t)c->set->blobs[blob].size);
	unsigned jobs = c->set->in.jobs;

	c->blob = blob;
	c->content = content;
	/* Rounds: a part that was given up may come back when the others have gone. */
	for (int round = 0; round < 5 && !bundle_writer_complete(c->w, blob); round++)
		assert_ok(pool_each(jobs, jobs, fill, c, &e), e);
	assert_true(bundle_writer_complete(c->w, blob));
}

static void fill_all(struct crowd *c)
{
	struct run rest = { .w = c->w, .set = c->set, .budget = -1, .bad = SIZE_MAX };
	size_t n_free = bundle_writer_free(c->w);

	for (size_t i = 0; i < c->set->n; i++) {
		size_t blob = bundle_writer_order(c->w)[i];

		if (i < n_free)
			fill_blob(c, blob);
		else
			assert_ok(add_blob(&rest, blob, false, &e), e);
	}
}

static void write_with(const struct set *s, int give_up, int bad, int verdicts)
{
	auto_bundle_writer struct bundle_writer *w = NULL;
	struct crowd c = { .set = s, .give_up = give_up, .bad = bad };
	struct digest id;

	assert_ok(bundle_writer_open("b", &s->in, &w, &e), e);
	c.w = w;
	fill_all(&c);
	assert_int_equal(c.verdicts, verdicts);
	assert_ok(bundle_writer_finish(w, NULL, &id, &e), e);
	assert_right(s, "b", &id);
	assert_same_files("whole", "b", 0);
	assert_int_equal(unlink("b"), 0);
}

/* All large blobs have places: every seed odd. */
static void make_set(struct set *s)
{
	set_init(s, sizes, ARRAY_LEN(sizes));
	for (size_t i = 0; i < s->n; i++)
		s->blobs[i].stored = true;
}

TEST(any_number_of_workers_gives_the_same_bytes)
{
	auto_set struct set s = { 0 };
	struct digest id;

	make_set(&s);
	write_bundle(&s, "whole", 0, NULL, &id);
	for (unsigned jobs = 1; jobs <= 9; jobs += 4) {
		s.in.jobs = jobs;
		write_with(&s, 0, 0, 0);
	}
}

TEST(a_part_that_is_given_up_is_taken_by_another)
{
	auto_set struct set s = { 0 };
	struct digest id;

	make_set(&s);
	write_bundle(&s, "whole", 0, NULL, &id);
	write_with(&s, 5, 0, 0);
}

TEST(a_wrong_byte_brings_one_verdict_and_the_blob_comes_again)
{
	auto_set struct set s = { 0 };
	struct digest id;

	make_set(&s);
	write_bundle(&s, "whole", 0, NULL, &id);
	write_with(&s, 0, 1, 1);
}

/* Frames ahead of a gap count in the next run, and are not taken again. */
TEST(frames_behind_a_gap_are_kept)
{
	auto_set struct set s = { 0 };
	auto_bundle_writer struct bundle_writer *w = NULL;
	struct crowd c = { .set = &s };
	struct bundle_part first, second, third;
	struct digest id;

	make_set(&s);
	write_bundle(&s, "whole", 0, NULL, &id);
	assert_ok(bundle_writer_open("b", &s.in, &w, &e), e);

	size_t blob = bundle_writer_order(w)[0];
	auto_free uint8_t *content = content_of(s.seeds[blob], (size_t)s.blobs[blob].size);

	assert_int_equal(s.blobs[blob].size, sizes[1]);
	assert_int_equal(bundle_part_take(w, blob, 0, MIB4, &first, &e), 1);
	assert_int_equal(bundle_part_take(w, blob, 0, 2 * MIB4, &second, &e), 1);
	assert_int_equal(second.at, MIB4);
	assert_int_equal(second.end, 3 * MIB4);
	assert_ok(bundle_part_add(w, &second, content + MIB4, 2 * MIB4, &e), e);
	assert_ok(bundle_part_add(w, &first, content, MIB4 - 1, &e), e);
	bundle_part_end(w, &first);
	bundle_part_end(w, &second);
	bundle_writer_close(TAKE(w));

	assert_ok(bundle_writer_open("b", &s.in, &w, &e), e);
	assert_int_equal(bundle_writer_resumed(w), 2 * MIB4);
	assert_int_equal(bundle_part_take(w, blob, 0, UINT64_MAX, &third, &e), 1);
	assert_int_equal(third.at, 0);
	assert_int_equal(third.end, MIB4);
	bundle_part_end(w, &third);
	c.w = w;
	fill_all(&c);
	assert_ok(bundle_writer_finish(w, NULL, &id, &e), e);
	assert_same_files("whole", "b", 0);
}

/* Bytes that go by are not those of a frame whose beginning has gone by. */
TEST(a_part_never_begins_before_what_is_asked_for)
{
	auto_bundle_writer struct bundle_writer *w = NULL;
	auto_set struct set s = { 0 };
	struct bundle_part first = { 0 }, next = { 0 };

	make_set(&s);
	assert_ok(bundle_writer_open("b", &s.in, &w, &e), e);

	size_t blob = bundle_writer_order(w)[0];

	assert_int_equal(bundle_part_take(w, blob, 0, MIB4, &first, &e), 1);
	bundle_part_end(w, &first);
	assert_int_equal(bundle_part_take(w, blob, 1, MIB4, &next, &e), 1);
	assert_int_equal(next.at, MIB4);
	bundle_part_end(w, &next);
	assert_int_equal(bundle_part_take(w, blob, s.blobs[blob].size - 1, MIB4, &next, &e), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, enter_dir, leave_dir)
	static const struct CMUnitTest tests[] = {
		T(any_number_of_workers_gives_the_same_bytes),
		T(a_part_that_is_given_up_is_taken_by_another),
		T(a_wrong_byte_brings_one_verdict_and_the_blob_comes_again),
		T(frames_behind_a_gap_are_kept),
		T(a_part_never_begins_before_what_is_asked_for),
	};

	written_begin();

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(checker);
	return failed;
}
