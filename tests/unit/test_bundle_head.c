/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle opened from its head alone: the same judgement, blobs from a hook that may lie. */
#include "made.h"

#include <airgap/bundle_read.h>
#include <airgap/pool.h>

#define NOW INT64_C(1770000000)         /* 2026-02-02 */

static struct made_keys keys;
static struct made full;

/* ---- the head, and blobs from elsewhere ---- */

static struct source_at head_source(void)
{
	static struct made head;

	head.file = full.file;
	head.file.len = full.head.bytes;
	return made_source(&head);
}

enum lie { HONEST, FIRST_BYTE, LAST_BYTE, SHORT, LONG, NOTHING, BROKEN, LIES };

struct elsewhere {
	enum lie lie;
	_Atomic unsigned calls;
};

static int send(const struct elsewhere *w, const struct made_blob *b, const struct sink *to, struct err *e)
{
	auto_free uint8_t *bytes = xmalloc(b->r.size + 1);
	size_t n = b->r.size;

	memcpy(bytes, b->p, n);
	bytes[n] = 0;
	if (w->lie == FIRST_BYTE || w->lie == LAST_BYTE)
		bytes[w->lie == FIRST_BYTE ? 0 : n - 1] ^= 1;
	n = w->lie == NOTHING ? 0 : w->lie == SHORT ? n - 1 : w->lie == LONG ? n + 1 : w->lie == BROKEN ? n / 2 : n;
	for (size_t at = 0; at < n; at += MIN(n - at, 30000u))
		if (to->write(to->ctx, bytes + at, MIN(n - at, 30000u), e) < 0)
			return -1;
	return w->lie == BROKEN ? err_set(e, ERR_NETWORK, "the line broke") : 0;
}

static int elsewhere_blob(void *ctx, const struct digest *d, uint64_t size, const struct sink *to, struct err *e)
{
	struct elsewhere *w = ctx;

	w->calls++;
	for (size_t i = 0; i < full.n_blobs; i++)
		if (digest_eq(&full.blobs[i].r.digest, d)) {
			assert_int_equal(full.blobs[i].r.size, size);
			return send(w, &full.blobs[i], to, e);
		}
	return err_set(e, ERR_NETWORK, "there is no such blob");
}

static struct bundle_options options(struct elsewhere *w)
{
	return (struct bundle_options){ .policy = &keys.policy, .now = NOW, .blob = elsewhere_blob, .blob_ctx = w };
}

static struct bundle *open_head(struct elsewhere *w, struct err *e)
{
	struct bundle_options o = options(w);
	struct source_at src = head_source();

	return bundle_open_at(&src, &o, e);
}

static void assert_reads(struct bundle_reader *r, const struct made_blob *want, uint64_t at, size_t n)
{
	struct source s = bundle_reader_source(r);
	auto_free uint8_t *piece = xmalloc(n);
	struct err e;
	ssize_t got;

	assert_ok(s.seek(s.ctx, at, &e), e);
	while ((got = s.read(s.ctx, piece, n, &e)) > 0) {
		assert_true(memcmp(piece, want->p + at, (size_t)got) == 0);
		at += (uint64_t)got;
	}
	assert_ok(got, e);
	assert_int_equal(at, want->r.size);
}

/* ---- the same bundle ---- */

TEST(the_head_alone_opens_the_same_bundle)
{
	struct elsewhere w = { HONEST, 0 };
	struct source_at whole = made_source(&full);
	struct bundle_options o = { .policy = &keys.policy, .now = NOW };
	struct err e;
	auto_bundle struct bundle *a = bundle_open_at(&whole, &o, &e);
	auto_bundle struct bundle *b = open_head(&w, &e);

	assert_ok(a && b ? 0 : -1, e);
	assert_true(bundle_trusted(b));
	assert_true(digest_eq(bundle_id(a), bundle_id(b)));
	assert_int_equal(bundle_blobs(b), full.n_blobs);
	assert_int_equal(bundle_verdict(a)->head.bytes, full.head.bytes);
	assert_false(bundle_is_head_alone(a));
	assert_true(bundle_is_head_alone(b));
	assert_ok(bundle_check_all(b, 2, NULL, &e), e);
	assert_int_equal(w.calls, 0);
}

TEST(every_blob_comes_from_the_hook)
{
	struct elsewhere w = { HONEST, 0 };
	struct err e;
	auto_bundle struct bundle *b = open_head(&w, &e);

	assert_ok(b ? 0 : -1, e);
	for (size_t i = 0; i < full.n_blobs; i++) {
		const struct made_blob *want = &full.blobs[i];
		auto_bundle_reader struct bundle_reader r = { 0 };
		auto_buf struct buf all = BUF_INIT(16 << 20), little = BUF_INIT(10);

		if (want->r.flags) {
			assert_err(bundle_reader_open(&r, b, &want->r.digest, &e), e, ERR_TRUNCATED);
			continue;
		}
		assert_ok(bundle_reader_open(&r, b, &want->r.digest, &e), e);
		assert_reads(&r, want, 0, 65536);
		assert_reads(&r, want, want->r.size / 2, 300000);
		bundle_reader_park(&r);
		assert_reads(&r, want, want->r.size - MIN(want->r.size, 5000u), 77);
		assert_ok(bundle_blob_load(b, &want->r.digest, &all, &e), e);
		assert_int_equal(all.len, want->r.size);
		assert_true(!all.len || memcmp(all.ptr, want->p, all.len) == 0);
		if (want->r.size > 10)
			assert_err(bundle_blob_load(b, &want->r.digest, &little, &e), e, ERR_LIMIT);
	}
}

TEST(a_large_blob_is_fetched_once_for_a_reader)
{
	struct elsewhere w = { HONEST, 0 };
	struct err e;
	auto_bundle struct bundle *b = open_head(&w, &e);

	for (size_t i = 0; i < full.n_blobs; i++) {
		const struct made_blob *want = &full.blobs[i];
		auto_bundle_reader struct bundle_reader r = { 0 };

		if (want->r.flags || want->r.size <= SMALL_BLOB_MAX)
			continue;
		w.calls = 0;
		assert_ok(bundle_reader_open(&r, b, &want->r.digest, &e), e);
		assert_int_equal(w.calls, 0);
		assert_reads(&r, want, 0, 65536);
		bundle_reader_park(&r);
		assert_reads(&r, want, 3, 4096);
		assert_int_equal(w.calls, 1);
	}
}

static int read_one(void *bundle, unsigned worker, size_t i, struct err *e)
{
	const struct made_blob *want = &full.blobs[i % full.n_blobs];
	auto_bundle_reader struct bundle_reader r = { 0 };
	auto_buf struct buf all = BUF_INIT(16 << 20);

	(void)worker;
	if (want->r.flags)
		return 0;
	if (bundle_reader_open(&r, bundle, &want->r.digest, e) < 0 || bundle_blob_load(bundle, &want->r.digest, &all, e) < 0)
		return -1;
	assert_reads(&r, want, 0, 50000);
	return 0;
}

TEST(many_threads_may_read)
{
	struct elsewhere w = { HONEST, 0 };
	struct err e;
	auto_bundle struct bundle *b = open_head(&w, &e);

	assert_ok(pool_each(8, full.n_blobs * 4, read_one, b, &e), e);
}

/* ---- lies ---- */

TEST(no_byte_of_a_lie_is_handed_on)
{
	for (int lie = HONEST + 1; lie < LIES; lie++) {
		struct elsewhere w = { (enum lie)lie, 0 };
		enum err_code want = lie == LONG ? ERR_LIMIT : lie == BROKEN ? ERR_NETWORK : ERR_DIGEST;
		struct err e;
		auto_bundle struct bundle *b = open_head(&w, &e);

		for (size_t i = 0; i < full.n_blobs; i++) {
			const struct made_blob *blob = &full.blobs[i];
			auto_bundle_reader struct bundle_reader r = { 0 };
			auto_buf struct buf out = BUF_INIT(16 << 20);
			const uint8_t *p = NULL;

			if (blob->r.flags || !blob->r.size)
				continue;
			buf_puts(&out, "before");
			assert_err(bundle_blob_load(b, &blob->r.digest, &out, &e), e, want);
			assert_int_equal(out.len, 6);
			assert_ok(bundle_reader_open(&r, b, &blob->r.digest, &e), e);
			assert_err((int)bundle_reader_run(&r, &p, 1, &e), e, want);
			assert_null(p);
			assert_int_equal(r.at, 0);
		}
	}
}

TEST(a_reader_may_try_again)
{
	struct elsewhere w = { BROKEN, 0 };
	struct err e;
	auto_bundle struct bundle *b = open_head(&w, &e);

	for (size_t i = 0; i < full.n_blobs; i++) {
		auto_bundle_reader struct bundle_reader r = { 0 };
		const uint8_t *p;

		if (full.blobs[i].r.flags || !full.blobs[i].r.size)
			continue;
		w.lie = BROKEN;
		assert_ok(bundle_reader_open(&r, b, &full.blobs[i].r.digest, &e), e);
		assert_err((int)bundle_reader_run(&r, &p, 1, &e), e, ERR_NETWORK);
		w.lie = HONEST;
		assert_reads(&r, &full.blobs[i], 0, 4096);
	}
}

/* ---- the judgement ---- */

TEST(the_source_is_the_head_and_nothing_else)
{
	struct elsewhere w = { HONEST, 0 };
	struct bundle_options o = options(&w);
	struct source_at src = head_source();
	struct err e;

	src.size--;
	assert_err(bundle_open_at(&src, &o, &e) ? 0 : -1, e, ERR_TRUNCATED);
	src = made_source(&full);
	assert_err(bundle_open_at(&src, &o, &e) ? 0 : -1, e, ERR_MALFORMED);
}

TEST(a_flipped_bit_anywhere_in_the_head_is_refused)
{
	struct elsewhere w = { HONEST, 0 };

	for (size_t at = 0; at < full.head.bytes; at += at < 1000 ? 1 : 37) {
		struct err e;

		full.file.ptr[at] ^= 4;

		struct bundle *b = open_head(&w, &e);

		full.file.ptr[at] ^= 4;
		if (b)
			fail_msg("byte %zu", at);
	}
}

TEST(another_bundle_than_the_installed_one_is_refused)
{
	struct elsewhere w = { HONEST, 0 };
	struct bundle_options o = options(&w);
	struct source_at src = head_source();
	struct digest id = statement_id(&full.st), other = digest_of("x", 1);
	struct err e;

	o.installed = &id;

	auto_bundle struct bundle *b = bundle_open_at(&src, &o, &e);

	assert_ok(b ? 0 : -1, e);
	o.installed = &other;
	assert_err(bundle_open_at(&src, &o, &e) ? 0 : -1, e, ERR_DIGEST);
}

TEST(what_is_installed_may_have_expired)
{
	struct elsewhere w = { HONEST, 0 };
	struct bundle_options o = options(&w);
	struct source_at src = head_source();
	struct digest id = statement_id(&full.st);
	struct err e;

	full.st.expires = NOW - 1;
	made_sign(&full, keys.all, 1);
	assert_err(bundle_open_at(&src, &o, &e) ? 0 : -1, e, ERR_POLICY);
	o.installed = &id;

	auto_bundle struct bundle *b = bundle_open_at(&src, &o, &e);

	full.st.expires = POLICY_NEVER;
	made_sign(&full, keys.all, 1);
	assert_ok(b ? 0 : -1, e);
	o.policy = NULL;
	assert_err(bundle_open_at(&src, &o, &e) ? 0 : -1, e, ERR_UNSIGNED);
}

static int setup(void **state)
{
	auto_free uint8_t *noise = made_noise(6 << 20, 7);

	(void)state;
	made_keys_init(&keys, SIGN_ED25519);
	made_init(&full);
	made_add(&full, noise, 70000, BLOB_STORED, 0);
	made_add(&full, noise, FRAME_BLOB_BYTES + 4097, BLOB_STORED, 0);
	made_add(&full, noise, 5 << 20, BLOB_ZSTD, 0);
	made_add(&full, noise, SMALL_BLOB_MAX + 1, BLOB_ZSTD, 0);
	made_add(&full, noise, 3 << 20, BLOB_STORED, BLOB_EXTERNAL);
	made_add(&full, noise, SMALL_BLOB_MAX, BLOB_ZSTD, 0);
	made_add(&full, noise, 1, BLOB_ZSTD, 0);
	made_add(&full, "", 0, BLOB_ZSTD, 0);
	made_build(&full, keys.all, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	made_keys_release(&keys);
	made_release(&full);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_head_alone_opens_the_same_bundle),
		cmocka_unit_test(every_blob_comes_from_the_hook),
		cmocka_unit_test(a_large_blob_is_fetched_once_for_a_reader),
		cmocka_unit_test(many_threads_may_read),
		cmocka_unit_test(no_byte_of_a_lie_is_handed_on),
		cmocka_unit_test(a_reader_may_try_again),
		cmocka_unit_test(the_source_is_the_head_and_nothing_else),
		cmocka_unit_test(a_flipped_bit_anywhere_in_the_head_is_refused),
		cmocka_unit_test(another_bundle_than_the_installed_one_is_refused),
		cmocka_unit_test(what_is_installed_may_have_expired),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
