/*
 * written - sets of blobs that are made as they are needed, and bundles of them: what the tests of the writer share.
 *
 *	set_init(&s, edges, ARRAY_LEN(edges));
 *	write_bundle(&s, "b", seed of the piece sizes, signer or NULL, &id);
 *
 * Each test works in a folder of its own (enter_dir, leave_dir). written_begin() is called first in main.
 */
#pragma once

#include "unit.h"

#include <airgap/bundle_read.h>
#include <airgap/bundle_write.h>
#include <airgap/fs.h>
#include <airgap/pool.h>
#include <airgap/proc.h>

#include <stdatomic.h>
#include <unistd.h>

#define MIB4 4194304u
#define KIB64 65536u

static struct err e;
static char *dir, *checker;

static inline void written_begin(void)
{
	auto_free char *root = getcwd(NULL, 0);

	checker = xasprintf("%s/tests/format1.py", root);
}

static inline int enter_dir(void **state)
{
	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	return chdir(dir);
}

static inline int leave_dir(void **state)
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

static inline uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Odd seeds do not compress, even ones do. */
static inline uint8_t *content_of(uint32_t seed, size_t n)
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

static inline int compare(const void *a, const void *b)
{
	return digest_cmp(&((const struct made *)a)->blob.digest, &((const struct made *)b)->blob.digest);
}

static inline void set_init(struct set *s, const uint64_t *sizes, size_t n)
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

static inline void set_release(struct set *s)
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

static inline int add_blob(struct run *r, size_t blob, bool bad, struct err *err)
{
	const struct bundle_blob *b = &r->set->blobs[blob];
	auto_free uint8_t *p = content_of(r->set->seeds[blob], (size_t)b->size);
	uint32_t seed = r->seed + (uint32_t)blob;
	uint64_t at = 0, end = 0;
	int more;

	if (bad)
		p[b->size - 1] ^= 1;
	while ((more = bundle_writer_gap(r->w, blob, &at, &end, err)) == 1) {
		assert_true(at < end && end <= b->size);    /* frames behind may be there from an earlier run */
		while (at < end) {
			uint64_t most = r->seed ? next_random(&seed) % 200000 + 1 : end;
			size_t n = (size_t)MIN(end - at, most);

			if (r->budget >= 0 && atomic_fetch_add(&r->spent, (long)n) + (long)n > r->budget)
				return err_set(err, ERR_IO, "dead");
			if (bundle_writer_add(r->w, blob, at, p + at, n, err) < 0)
				return -1;
			at += n;
		}
	}
	return more;
}

static inline int work(void *ctx, unsigned worker, size_t item, struct err *err)
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

static inline int write_all(struct run *r)
{
	return pool_each(r->set->in.jobs, r->set->n, work, r, &e);
}

static inline void write_bundle(const struct set *s, const char *path, uint32_t seed, const struct signer *signer, struct digest *id)
{
	auto_bundle_writer struct bundle_writer *w = NULL;

	assert_ok(bundle_writer_open(path, &s->in, &w, &e), e);

	struct run r = { .w = w, .set = s, .seed = seed, .budget = -1, .bad = SIZE_MAX };

	assert_ok(write_all(&r), e);
	assert_ok(bundle_writer_finish(w, signer, id, &e), e);
}

/* ---- looking at it */

static inline void load(const char *path, struct buf *out)
{
	buf_clear(out);
	assert_ok(fs_load(path, out->max, out, &e), e);
}

static inline void assert_same_files(const char *a, const char *b, size_t from)
{
	auto_buf struct buf x = BUF_INIT(256u << 20), y = BUF_INIT(256u << 20);

	load(a, &x);
	load(b, &y);
	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.ptr + from, y.ptr + from, x.len - from);
}

static inline void run_tool(const char *const *argv)
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

static inline void assert_reads(const struct set *s, const char *path, const struct digest *id)
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

static inline void assert_right(const struct set *s, const char *path, const struct digest *id)
{
	assert_reads(s, path, id);
	run_tool((const char *const[]){ "zstd", "-tq", path, NULL });
	run_tool((const char *const[]){ "tar", "--zstd", "-tf", path, NULL });
	run_tool((const char *const[]){ "python3", checker, "check", path, NULL });
}

static inline bool there(const char *path)
{
	return access(path, F_OK) == 0;
}
