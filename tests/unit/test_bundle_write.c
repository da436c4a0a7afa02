/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/bundle_journal.h>
#include <airgap/bundle_read.h>
#include <airgap/bundle_write.h>
#include <airgap/fs.h>
#include <airgap/pool.h>
#include <airgap/proc.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB4 4194304u
#define KIB64 65536u

static struct err e;
static char *dir, *checker;

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

/* ---- content: made, not kept, so that large sets cost nothing */

struct set {
	struct bundle_blob *blobs;
	uint32_t *seeds;
	size_t n;
	struct bundle_input in;
	char index[64], json[64];
};

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Odd seeds do not compress, even ones do. */
static uint8_t *content_of(uint32_t seed, size_t n)
{
	uint8_t *p = xmalloc(MAX(n, 1u));
	uint32_t state = seed * 2654435761u + 1;

	for (size_t i = 0; i < n; i += 4) {
		uint32_t word = seed & 1 ? next_random(&state) : (uint32_t)(i / 64) * 2654435761u + seed;

		memcpy(p + i, &word, MIN(n - i, sizeof(word)));
	}
	return p;
}

struct made { struct bundle_blob blob; uint32_t seed; };

static int compare(const void *a, const void *b)
{
	return digest_cmp(&((const struct made *)a)->blob.digest, &((const struct made *)b)->blob.digest);
}

static void set_init(struct set *s, const uint64_t *sizes, size_t n)
{
	auto_free struct made *made = xcalloc(MAX(n, 1u), sizeof(*made));

	*s = (struct set){ .n = n };
	for (size_t i = 0; i < n; i++) {
		auto_free uint8_t *p = content_of((uint32_t)i + 2, (size_t)sizes[i]);

		made[i].seed = (uint32_t)i + 2;
		made[i].blob = (struct bundle_blob){ digest_of(p, (size_t)sizes[i]), sizes[i], made[i].seed & 1, false };
	}
	qsort(made, n, sizeof(*made), compare);
	s->blobs = xcalloc(MAX(n, 1u), sizeof(*s->blobs));
	s->seeds = xcalloc(MAX(n, 1u), sizeof(*s->seeds));
	for (size_t i = 0; i < n; i++) {
		s->blobs[i] = made[i].blob;
		s->seeds[i] = made[i].seed;
	}
	snprintf(s->index, sizeof(s->index), "{\"manifests\":[],\"schemaVersion\":2}");
	snprintf(s->json, sizeof(s->json), "{\"name\":\"t\",\"version\":\"1\"}");
	s->in = (struct bundle_input){
		.statement = { .stream = "test/x", .version = "1.0.0", .sequence = 7, .created = 1767323045,
			       .expires = POLICY_NEVER },
		.json = s->json, .json_len = strlen(s->json),
		.index_json = s->index, .index_json_len = strlen(s->index),
		.blobs = s->blobs, .n_blobs = n, .jobs = 4,
	};
}

static void set_release(struct set *s)
{
	free(s->blobs);
	free(s->seeds);
}
#define auto_set CLEANUP(set_release)

static const uint64_t edges[] = {
	0, 1, 511, 512, 513, KIB64 - 1, KIB64 - 1, KIB64, KIB64, KIB64 + 1, KIB64 + 1, 131072, 131072 - 512, 131072 - 512,
	MIB4 - 1, MIB4 - 1, MIB4, MIB4, MIB4 + 1, MIB4 + 1, MIB4 - 512, MIB4 - 512, 2 * MIB4, 2 * MIB4, 3 * MIB4 - 7,
	3 * MIB4 + 100, 30000, 60000, 65000, 65001, 200, 201, 202, 203, 1000000, 1000001,
};

/* ---- writing */

struct run {
	struct bundle_writer *w;
	const struct set *set;
	uint32_t seed;          /* of piece sizes */
	long budget;            /* bytes until it "dies"; < 0: never */
	atomic_long spent;
	size_t bad;             /* this blob's first try is altered; SIZE_MAX = none */
	atomic_int bad_seen;
};

static int add_blob(struct run *r, size_t blob, bool bad, struct err *err)
{
	const struct bundle_blob *b = &r->set->blobs[blob];
	auto_free uint8_t *p = content_of(r->set->seeds[blob], (size_t)b->size);
	uint32_t seed = r->seed + (uint32_t)blob;
	uint64_t at = 0, end = 0;
	int more;

	if (bad)
		p[b->size - 1] ^= 1;
	while ((more = bundle_writer_gap(r->w, blob, &at, &end, err)) == 1) {
		assert_int_equal(end, b->size);
		while (at < end) {
			uint64_t most = r->seed ? next_random(&seed) % 200000 + 1 : end;
			size_t n = (size_t)MIN(end - at, most);

			if (r->budget >= 0 && (r->spent += (long)n) > r->budget)
				return err_set(err, ERR_IO, "dead");
			if (bundle_writer_add(r->w, blob, at, p + at, n, err) < 0)
				return -1;
			at += n;
		}
	}
	return more;
}

static int work(void *ctx, unsigned worker, size_t item, struct err *err)
{
	struct run *r = ctx;
	size_t blob = bundle_writer_order(r->w)[item];
	int rc;

	if (blob == r->bad) {
		rc = add_blob(r, blob, true, err);
		assert_err(rc, *err, ERR_DIGEST);
		assert_non_null(strstr(err->msg, "wanted sha256:"));
		r->bad_seen++;
	}
	rc = add_blob(r, blob, false, err);
	if (rc < 0)
		bundle_writer_stop(r->w, err);
	return rc;
}

static int write_all(struct run *r)
{
	return pool_each(r->set->in.jobs, r->set->n, work, r, &e);
}

static void write_bundle(const struct set *s, const char *path, uint32_t seed, const struct signer *signer, struct digest *id)
{
	auto_bundle_writer struct bundle_writer *w = NULL;

	assert_ok(bundle_writer_open(path, &s->in, &w, &e), e);

	struct run r = { .w = w, .set = s, .seed = seed, .budget = -1, .bad = SIZE_MAX };

	assert_ok(write_all(&r), e);
	assert_ok(bundle_writer_finish(w, signer, id, &e), e);
}

/* ---- looking at it */

static void load(const char *path, struct buf *out)
{
	buf_clear(out);
	assert_ok(fs_load(path, out->max, out, &e), e);
}

static void assert_same_files(const char *a, const char *b, size_t from)
{
	auto_buf struct buf x = BUF_INIT(256u << 20), y = BUF_INIT(256u << 20);

	load(a, &x);
	load(b, &y);
	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.ptr + from, y.ptr + from, x.len - from);
}

static void run_tool(const char *const *argv)
{
	struct proc p = { .argv = (char *const *)argv, .timeout = 120 };
	auto_buf struct buf out = BUF_INIT(1 << 20);
	auto_free char *found = proc_which(argv[0]);
	int status = 0;

	if (!found) {
		print_message("# SKIP no %s\n", argv[0]);
		return;
	}
	assert_ok(proc_run(&p, &out, &status, &e), e);
	if (status)
		fail_msg("%s %s: exit %d: %s%s", argv[0], argv[1], status, buf_str(&out), p.tail);
}

static void assert_reads(const struct set *s, const char *path, const struct digest *id)
{
	struct bundle_options o = { .allow_unsigned = true };
	auto_bundle struct bundle *b = bundle_open(path, &o, &e);

	if (!b)
		fail_msg("%s", e.msg);
	assert_ok(bundle_check_all(b, 2, NULL, &e), e);
	assert_int_equal(bundle_blobs(b), s->n);
	assert_true(digest_eq(bundle_id(b), id));
	for (size_t i = 0; i < s->n; i++) {
		auto_buf struct buf have = BUF_INIT(64u << 20);

		assert_ok(bundle_blob_load(b, &s->blobs[i].digest, &have, &e), e);
		assert_int_equal(have.len, s->blobs[i].size);
	}
}

static void assert_right(const struct set *s, const char *path, const struct digest *id)
{
	assert_reads(s, path, id);
	run_tool((const char *const[]){ "zstd", "-tq", path, NULL });
	run_tool((const char *const[]){ "tar", "--zstd", "-tf", path, NULL });
	run_tool((const char *const[]){ "python3", checker, "check", path, NULL });
}

static bool there(const char *path)
{
	return access(path, F_OK) == 0;
}

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

/* ---- going on */

/* A run that ends after so many bytes; true: it had enough for everything. */
static bool write_some(const struct set *s, const char *path, long budget, uint32_t seed, struct digest *id)
{
	auto_bundle_writer struct bundle_writer *w = NULL;

	assert_ok(bundle_writer_open(path, &s->in, &w, &e), e);

	struct run r = { .w = w, .set = s, .seed = seed, .budget = budget, .bad = SIZE_MAX };

	if (write_all(&r) < 0) {
		assert_string_equal(e.msg, "dead");
		return false;
	}
	assert_ok(bundle_writer_finish(w, NULL, id, &e), e);
	return true;
}

TEST(goes_on_after_any_stop)
{
	auto_set struct set s = { 0 };
	uint32_t seed = 4711;
	struct digest id, again;

	set_init(&s, edges, ARRAY_LEN(edges));
	write_bundle(&s, "whole", 0, NULL, &id);
	for (int round = 0; round < 12; round++) {
		s.in.jobs = 1 + round % 4;
		while (!write_some(&s, "b", (long)(next_random(&seed) % (20u << 20)), seed, &again))
			assert_false(there("b"));
		assert_same_files("whole", "b", 0);
		assert_int_equal(unlink("b"), 0);
	}
}

TEST(a_later_run_takes_nothing_twice)
{
	auto_set struct set s = { 0 };
	auto_bundle_writer struct bundle_writer *w = NULL;
	uint64_t at, end;
	struct digest id;

	set_init(&s, edges, ARRAY_LEN(edges));
	assert_ok(bundle_writer_open("b", &s.in, &w, &e), e);
	assert_int_equal(bundle_writer_resumed(w), 0);

	struct run r = { .w = w, .set = &s, .seed = 3, .budget = -1, .bad = SIZE_MAX };

	assert_ok(write_all(&r), e);
	bundle_writer_close(TAKE(w));
	assert_ok(bundle_writer_open("b", &s.in, &w, &e), e);
	assert_int_equal(bundle_writer_resumed(w), bundle_writer_content(w));
	for (size_t i = 0; i < s.n; i++)
		assert_int_equal(bundle_writer_gap(w, i, &at, &end, &e), 0);
	assert_ok(bundle_writer_finish(w, NULL, &id, &e), e);
	assert_right(&s, "b", &id);
}

/* One byte of the unfinished file or of its journal is another: the bundle comes out right all the same. */
TEST(damage_between_runs_does_no_harm)
{
	auto_set struct set s = { 0 };
	uint32_t seed = 99;
	struct digest id, again;

	set_init(&s, edges, ARRAY_LEN(edges));
	write_bundle(&s, "whole", 0, NULL, &id);
	for (int round = 0; round < 24; round++) {
		const char *victim = round % 3 ? "b.partial" : "b.partial.journal";
		bool done = write_some(&s, "b", (long)(next_random(&seed) % (30u << 20)), seed, &again);

		if (!done) {
			auto_fd int fd = open(victim, O_RDWR);
			struct stat st;
			uint8_t byte;

			assert_int_equal(fstat(fd, &st), 0);

			off_t at = (off_t)(next_random(&seed) % (uint32_t)st.st_size);

			assert_int_equal(pread(fd, &byte, 1, at), 1);
			byte ^= 1 << (round & 7);
			assert_int_equal(pwrite(fd, &byte, 1, at), 1);
			assert_true(write_some(&s, "b", -1, seed, &again));
		}
		assert_same_files("whole", "b", 0);
		unlink("b");
	}
}

/* The digest of the layout, out of the journal's first line. */
static struct digest layout_of(const char *journal)
{
	auto_buf struct buf text = BUF_INIT(1 << 20);
	struct digest d;

	load(journal, &text);
	assert_true(digest_parse_hex(text.ptr + strlen("airgap-journal 1 "), 64, &d));
	return d;
}

/* A journal that names frames of zeros, with right sums: content is hashed again, so nothing of it gets in. */
TEST(a_forged_journal_brings_nothing_in)
{
	static const uint64_t sizes[] = { 100, 200, 70000, 70000, MIB4 + 5, MIB4 + 5 };
	auto_set struct set s = { 0 };
	struct digest id, again;
	auto_layout struct layout l = { 0 };

	set_init(&s, sizes, ARRAY_LEN(sizes));
	write_bundle(&s, "whole", 0, NULL, &id);
	write_some(&s, "b", 0, 0, &again);
	assert_ok(layout_make(&l, s.blobs, s.n, s.in.json_len, s.in.index_json_len, &e), e);

	struct digest layout = layout_of("b.partial.journal");
	auto_free struct journal_line *lines = xcalloc(l.n_frames, sizeof(*lines));
	auto_fd int fd = open("b.partial", O_RDWR);

	for (uint64_t f = 0; f < l.p2_frame; f++) {
		size_t n = stored_size(l.frames[f].decoded);
		auto_free uint8_t *frame = xcalloc(n, 1);

		stored_frame_headers(frame, l.frames[f].decoded);
		if (l.frames[f].n == 0) {
			uint8_t header[USTAR_HEADER_MAX];

			stored_put(frame, 0, header, layout_header(&s.blobs[l.frames[f].first], header));
		}
		assert_ok(fs_write_at(fd, frame, n, l.frames[f].at, &e), e);
		lines[f] = (struct journal_line){ (uint32_t)n, digest_of(frame, n) };
	}

	struct journal j;

	assert_ok(journal_create(&j, "b.partial.journal", &layout, false, lines, l.n_frames, &e), e);
	journal_close(&j);
	assert_true(write_some(&s, "b", -1, 0, &again));
	assert_same_files("whole", "b", 0);
}

/* As on a file system without sparse files. */
TEST(in_order_writing_gives_the_same_bytes)
{
	auto_set struct set s = { 0 };
	uint32_t seed = 12;
	struct digest id, again;
	struct journal j;

	set_init(&s, edges, ARRAY_LEN(edges));
	write_bundle(&s, "whole", 0, NULL, &id);
	for (int round = 0; round < 4; round++) {
		s.in.jobs = 1 + (unsigned)round;
		write_some(&s, "b", 0, 0, &again);

		struct digest layout = layout_of("b.partial.journal");

		assert_ok(journal_create(&j, "b.partial.journal", &layout, true, NULL, 0, &e), e);
		journal_close(&j);
		while (!write_some(&s, "b", (long)(next_random(&seed) % (20u << 20)), seed, &again))
			;
		assert_same_files("whole", "b", 0);
		assert_int_equal(unlink("b"), 0);
	}
}

TEST(another_layout_starts_anew)
{
	auto_set struct set s = { 0 }, other = { 0 };
	struct digest id;

	set_init(&s, edges, ARRAY_LEN(edges));
	set_init(&other, edges, ARRAY_LEN(edges) - 1);
	write_bundle(&other, "whole", 0, NULL, &id);
	assert_false(write_some(&s, "b", 25 << 20, 5, &id));
	assert_true(write_some(&other, "b", -1, 5, &id));
	assert_same_files("whole", "b", 0);
}

TEST(a_second_run_is_locked_out)
{
	auto_set struct set s = { 0 };
	auto_bundle_writer struct bundle_writer *w = NULL, *second = NULL;

	set_init(&s, edges, 3);
	assert_ok(bundle_writer_open("b", &s.in, &w, &e), e);
	assert_err(bundle_writer_open("b", &s.in, &second, &e), e, ERR_LOCKED);
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
	auto_free char *root = getcwd(NULL, 0);

	checker = xasprintf("%s/tests/format1.py", root);

#define T(name) cmocka_unit_test_setup_teardown(name, enter_dir, leave_dir)
	static const struct CMUnitTest tests[] = {
		T(writes_what_the_reader_and_others_read),
		T(same_bytes_for_any_jobs_and_pieces),
		T(odd_sets_are_right_too),
		T(an_external_blob_is_listed_and_not_there),
		T(goes_on_after_any_stop),
		T(a_later_run_takes_nothing_twice),
		T(damage_between_runs_does_no_harm),
		T(a_forged_journal_brings_nothing_in),
		T(in_order_writing_gives_the_same_bytes),
		T(another_layout_starts_anew),
		T(a_second_run_is_locked_out),
		T(a_blob_with_wrong_bytes_is_dropped_and_may_come_again),
		T(more_bytes_than_the_size_are_refused),
		T(finish_needs_every_blob),
		T(stop_wakes_who_waits_and_says_why),
		T(signed_bundles_are_right_and_as_equal_as_their_keys_allow),
		T(an_unprintable_statement_is_refused_at_the_end_at_the_latest),
		T(a_hundred_thousand_blobs),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(checker);
	return failed;
}
