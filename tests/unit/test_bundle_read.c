/* SPDX-License-Identifier: Apache-2.0 */
#include "made.h"

#include <airgap/bundle_read.h>
#include <airgap/pool.h>
#include <airgap/proc.h>

#include <sys/stat.h>
#include <unistd.h>

#define NOW INT64_C(1770000000)         /* 2026-02-02 */

static struct made_keys keys;
static struct made full;
static char *dir;

/* ---- vectors: written by another program from the same text ---- */

static void load_vector(const char *name, struct buf *out, struct policy *p)
{
	auto_free char *path = xasprintf("tests/data/vectors/%s.tar.zst", name);
	auto_free char *pub = xasprintf("tests/data/vectors/%s.pub", name);
	struct err e;

	memset(p, 0, sizeof(*p));
	assert_ok(fs_load(path, 1 << 20, out, &e), e);
	assert_ok(sign_key_load(&p->keys[0].key, pub, &e), e);
	p->keys[0].not_after = POLICY_NEVER;
	p->n_keys = 1;
	p->present = true;
}

static void assert_same(const char *what, const void *got, const void *want, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((const uint8_t *)got)[i] != ((const uint8_t *)want)[i])
			fail_msg("%s: byte %zu", what, i);
}

/* Everything that follows from sizes and content, made by our generators, against the bytes in the file. */
static void remake(const struct buf *file, const struct bundle *b)
{
	const struct verify *v = bundle_verdict(b);
	const uint8_t *bytes = (const uint8_t *)file->ptr;
	auto_free uint8_t *made = xmalloc(FRAME_STORED_MAX);
	struct err e;
	char body[SIGN_BODY_MAX];
	size_t n = statement_print(&v->statement, body), len, decoded;
	uint64_t at;

	assert_int_equal(n, v->record.body_len);
	assert_same("statement", body, bytes + RECORD_AT + 16, n);
	assert_ok(record_print(&v->record, made, &e), e);
	assert_same("frame 0", made, bytes, RECORD_FRAME);
	for (uint64_t f = 1; f < v->head.first[HEAD_PARTS]; f++) {
		bundle_frame_place(b, f, &at, &len, &decoded);
		assert_int_equal(head_frame(&v->head, v->member, f, made), len);
		assert_same("head", made, bytes + at, len);
	}
	bundle_frame_place(b, bundle_frames(b) - 1, &at, &len, &decoded);
	end_frame(made);
	assert_same("end", made, bytes + at, END_FRAME);
	at += END_FRAME;
	for (uint64_t k = 0; (len = seek_table_piece(&v->head, v->member[HEAD_FRAMES], v->n_listed, k, made, 64)) > 0; k += len)
		assert_same("seek table", made, bytes + at + k, len);
	assert_int_equal(at + seek_table_size(&v->head, v->n_listed), file->len);
}

/* Tar headers and stored frames of the blobs, made again from their content. */
static void remake_blobs(const struct buf *file, struct bundle *b)
{
	for (uint64_t i = 0; i < bundle_blobs(b); i++) {
		auto_buf struct buf content = BUF_INIT(8 << 20), entry = BUF_INIT(8 << 20);
		auto_bundle_frame struct bundle_frame f = { 0 };
		struct blob_record r;
		char path[BLOB_PATH];
		const uint8_t *run;
		uint64_t at;
		size_t len, decoded;
		struct err e;

		bundle_blob(b, i, &r);
		assert_ok(bundle_blob_load(b, &r.digest, &content, &e), e);
		made_entry(&entry, blob_path(&r.digest, path), content.ptr, content.len);
		assert_ok(bundle_frame_load(b, r.frame, &f, &e), e);
		assert_true(bundle_frame_run(&f, r.at - USTAR_BLOCK, &run) >= USTAR_BLOCK);
		assert_same("tar header", run, entry.ptr, USTAR_BLOCK);
		if (r.encoding != BLOB_STORED)
			continue;

		auto_free uint8_t *made = xmalloc(FRAME_STORED_MAX);

		stored_frame_headers(made, entry.len);
		stored_put(made, 0, entry.ptr, entry.len);
		bundle_frame_place(b, r.frame, &at, &len, &decoded);
		assert_int_equal(len, stored_size(entry.len));
		assert_same("stored frame", made, file->ptr + at, len);
	}
}

TEST(takes_the_vectors_and_makes_the_same_bytes)
{
	static const char *const names[] = { "p256", "ed25519" };
	static struct policy p;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct bundle_options o = { .policy = &p, .now = NOW };
		auto_free char *path = xasprintf("tests/data/vectors/%s.tar.zst", names[i]);
		auto_buf struct buf file = BUF_INIT(1 << 20);
		struct err e;

		load_vector(names[i], &file, &p);
		auto_bundle struct bundle *b = bundle_open(path, &o, &e);

		assert_ok(b ? 0 : -1, e);
		assert_true(bundle_trusted(b));
		assert_ok(bundle_check_all(b, 2, NULL, &e), e);
		remake(&file, b);
		remake_blobs(&file, b);
		policy_release(&p);
	}
}

TEST(a_vector_under_another_key_is_refused)
{
	struct bundle_options o = { .policy = &keys.policy, .now = NOW };
	struct err e;

	assert_null(bundle_open("tests/data/vectors/p256.tar.zst", &o, &e));
	assert_int_equal(e.code, ERR_UNTRUSTED);
	o.policy = NULL;
	assert_null(bundle_open("tests/data/vectors/p256.tar.zst", &o, &e));
	assert_int_equal(e.code, ERR_UNSIGNED);
	o.no_verdict = true;

	auto_bundle struct bundle *b = bundle_open("tests/data/vectors/p256.tar.zst", &o, &e);

	assert_ok(b ? 0 : -1, e);
	assert_false(bundle_trusted(b));
}

/* ---- a bundle with every sort of place ---- */

static void make_full(struct made *m)
{
	auto_free uint8_t *noise = made_noise(12 << 20, 99);

	made_init(m);
	made_add(m, noise, 70000, BLOB_STORED, 0);
	made_add(m, noise, FRAME_BLOB_BYTES, BLOB_STORED, 0);
	made_add(m, noise, 2 * FRAME_BLOB_BYTES + 4096 + 1, BLOB_STORED, 0);
	memset(noise + 4096, 7, 5 << 20);
	made_add(m, noise, 5 << 20, BLOB_ZSTD, 0);
	made_add(m, noise, SMALL_BLOB_MAX + 1, BLOB_ZSTD, 0);
	made_add(m, noise, 3 << 20, BLOB_STORED, BLOB_EXTERNAL);
	made_add(m, "", 0, BLOB_ZSTD, 0);
	for (uint8_t i = 0; i < 50; i++) {      /* they pass one shared frame, then another */
		auto_free uint8_t *p = xcalloc(1, SMALL_BLOB_MAX);

		p[0] = i;
		made_add(m, p, SMALL_BLOB_MAX - i * 7u, BLOB_ZSTD, 0);
	}
	for (uint8_t i = 0; i < 7; i++) {
		noise[0] = i;
		made_add(m, noise, SMALL_BLOB_MAX, BLOB_ZSTD, 0);
	}
	made_build(m, keys.all, 1);
}

static struct bundle *open_full(struct err *e)
{
	struct source_at src = made_source(&full);
	struct bundle_options o = { .policy = &keys.policy, .now = NOW };

	return bundle_open_at(&src, &o, e);
}

static const struct made_blob *made_of(const struct digest *d)
{
	for (size_t i = 0; i < full.n_blobs; i++)
		if (digest_eq(&full.blobs[i].r.digest, d))
			return &full.blobs[i];
	return NULL;
}

/* Reads from `at` to the end in pieces of n. */
static void assert_reads(struct bundle_reader *r, uint64_t at, size_t n)
{
	const struct made_blob *want = made_of(&r->blob.digest);
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

TEST(finds_and_reads_every_blob_from_everywhere)
{
	struct err e;
	auto_bundle struct bundle *b = open_full(&e);
	struct digest none = digest_of("none", 4);

	assert_ok(b ? 0 : -1, e);
	assert_int_equal(bundle_blobs(b), full.n_blobs);
	for (size_t i = 0; i < full.n_blobs; i++) {
		const struct made_blob *want = &full.blobs[i];
		auto_bundle_reader struct bundle_reader r = { 0 };
		auto_buf struct buf whole = BUF_INIT(16 << 20);
		struct blob_record rec;

		assert_int_equal(bundle_find(b, &want->r.digest, &rec), 1);
		assert_int_equal(rec.size, want->r.size);
		assert_int_equal(bundle_has(b, &want->r.digest), !want->r.flags);
		if (want->r.flags) {
			assert_err(bundle_reader_open(&r, b, &want->r.digest, &e), e, ERR_TRUNCATED);
			assert_err(bundle_blob_load(b, &want->r.digest, &whole, &e), e, ERR_TRUNCATED);
			continue;
		}
		assert_ok(bundle_reader_open(&r, b, &want->r.digest, &e), e);
		assert_reads(&r, 0, 65536);
		assert_reads(&r, want->r.size / 2, 100003);
		bundle_reader_park(&r);
		assert_reads(&r, want->r.size - MIN(want->r.size, 5000u), 77);
		assert_err(bundle_reader_seek(&r, want->r.size + 1, &e), e, ERR_BUG);
		assert_ok(bundle_blob_load(b, &want->r.digest, &whole, &e), e);
		assert_int_equal(whole.len, want->r.size);
		assert_true(!whole.len || memcmp(whole.ptr, want->p, whole.len) == 0);
	}
	assert_int_equal(bundle_find(b, &none, NULL), 0);
	assert_false(bundle_has(b, &none));
}

TEST(a_blob_over_the_buffers_ceiling_is_refused)
{
	struct err e;
	auto_bundle struct bundle *b = open_full(&e);
	auto_buf struct buf small = BUF_INIT(1000);

	for (size_t i = 0; i < full.n_blobs; i++)
		if (full.blobs[i].r.size > 1000 && !full.blobs[i].r.flags)
			assert_err(bundle_blob_load(b, &full.blobs[i].r.digest, &small, &e), e, ERR_LIMIT);
	assert_int_equal(small.len, 0);
}

/* ---- several threads ---- */

static int read_some(void *bundle, unsigned worker, size_t item, struct err *e)
{
	const struct made_blob *want = &full.blobs[item % full.n_blobs];
	auto_bundle_reader struct bundle_reader r = { 0 };
	auto_buf struct buf other = BUF_INIT(16 << 20);
	struct hash h = { 0 };
	const uint8_t *p;
	ssize_t n;

	(void)worker;
	if (want->r.flags)
		return 0;
	if (bundle_reader_open(&r, bundle, &want->r.digest, e) < 0)
		return -1;
	hash_begin(&h);
	while ((n = bundle_reader_run(&r, &p, 50000, e)) > 0) {
		hash_add(&h, p, (size_t)n);
		/* a whole blob while this reader holds a buffer */
		if (r.at > 60000 && !other.len &&
		    bundle_blob_load(bundle, &full.blobs[(item * 7) % 5].r.digest, &other, e) < 0 && e->code != ERR_TRUNCATED)
			n = -1;
		if (n < 0)
			break;
	}

	struct digest got = hash_end(&h);

	hash_release(&h);
	if (n < 0)
		return -1;
	return digest_eq(&got, &want->r.digest) ? 0 : err_set(e, ERR_DIGEST, "blob %zu", item);
}

TEST(sixteen_readers_at_once_share_four_buffers)
{
	struct err e;
	auto_bundle struct bundle *b = open_full(&e);

	assert_ok(b ? 0 : -1, e);
	assert_ok(pool_each(16, full.n_blobs * 2, read_some, b, &e), e);
}

/* ---- damage behind the head ---- */

TEST(no_damaged_frame_is_ever_handed_out)
{
	struct err e;
	auto_bundle struct bundle *b = open_full(&e);
	uint64_t first = bundle_verdict(b)->head.first[HEAD_PARTS];

	assert_ok(bundle_check_all(b, 2, NULL, &e), e);
	for (uint64_t f = first; f < bundle_frames(b); f++) {
		struct bundle_frame frame;
		size_t bytes, decoded;
		uint64_t at;

		bundle_frame_place(b, f, &at, &bytes, &decoded);
		for (int k = 0; k < 3; k++) {
			size_t byte = at + (k == 0 ? 0 : k == 1 ? bytes / 2 : bytes - 1);

			full.file.ptr[byte] ^= 0x10;
			assert_err(bundle_frame_load(b, f, &frame, &e), e, ERR_DIGEST);
			if (k == 1)
				assert_err(bundle_check_all(b, 2, NULL, &e), e, ERR_DIGEST);
			full.file.ptr[byte] ^= 0x10;
		}
	}
	for (size_t i = 0; i < full.n_blobs; i++) {     /* and by blob, after the head was accepted */
		auto_bundle_reader struct bundle_reader r = { 0 };
		auto_buf struct buf whole = BUF_INIT(16 << 20);
		const struct made_blob *blob = &full.blobs[i];
		const uint8_t *p;
		struct blob_record rec;
		size_t bytes, decoded;
		uint64_t at;

		if (blob->r.flags || !blob->r.size)
			continue;
		bundle_find(b, &blob->r.digest, &rec);
		bundle_frame_place(b, rec.frame, &at, &bytes, &decoded);
		full.file.ptr[at + 20] ^= 1;

		auto_bundle struct bundle *fresh = open_full(&e);

		assert_ok(bundle_reader_open(&r, fresh, &blob->r.digest, &e), e);
		assert_err((int)bundle_reader_run(&r, &p, 1, &e), e, ERR_DIGEST);
		assert_err(bundle_blob_load(fresh, &blob->r.digest, &whole, &e), e, ERR_DIGEST);
		bundle_reader_close(&r);
		full.file.ptr[at + 20] ^= 1;
	}
}

/* Frames whose hash is right but whose bytes are no frame of ours: a signer's mistake. */
TEST(a_signed_frame_that_is_none_is_malformed)
{
	for (int part = 0; part < 2; part++) {
		auto_free uint8_t *noise = made_noise(80000, 5);
		struct bundle_options o = { .policy = &keys.policy, .now = NOW };
		struct frame_record f;
		struct made m;
		struct err e;

		made_init(&m);
		made_add(&m, noise, 80000, part ? BLOB_ZSTD : BLOB_STORED, 0);
		made_layout(&m);

		size_t i = part ? 1 : 0, at = 0;
		uint8_t *rec = (uint8_t *)m.table.ptr + i * FRAME_RECORD;

		if (part)
			at = le32_get((uint8_t *)m.table.ptr);
		frame_record_get(rec, &f);
		m.listed.ptr[at + 4] ^= 0x04;   /* the checksum bit of the frame header */
		f.digest = digest_of(m.listed.ptr + at, f.bytes);
		frame_record_put(rec, &f);
		made_assemble(&m, keys.all, 1);

		struct source_at src = made_source(&m);
		auto_bundle struct bundle *b = bundle_open_at(&src, &o, &e);
		auto_buf struct buf whole = BUF_INIT(1 << 20);

		assert_ok(b ? 0 : -1, e);
		assert_ok(bundle_check_all(b, 1, NULL, &e), e);
		assert_err(bundle_blob_load(b, &m.blobs[0].r.digest, &whole, &e), e, ERR_MALFORMED);
		made_release(&m);
	}
}

/* A blob whose content is not what its digest says, under good frame hashes. */
TEST(a_whole_blob_is_hashed_again)
{
	struct bundle_options o = { .policy = &keys.policy, .now = NOW };
	struct made m;
	struct err e;

	made_init(&m);
	made_add(&m, "right", 5, BLOB_ZSTD, 0);
	m.blobs[0].p[0] = 'w';
	made_build(&m, keys.all, 1);

	struct source_at src = made_source(&m);
	auto_bundle struct bundle *b = bundle_open_at(&src, &o, &e);
	auto_buf struct buf whole = BUF_INIT(100);

	assert_ok(b ? 0 : -1, e);
	assert_err(bundle_blob_load(b, &m.blobs[0].r.digest, &whole, &e), e, ERR_DIGEST);
	assert_int_equal(whole.len, 0);
	made_release(&m);
}

/* ---- files, state ---- */

static struct stream_state remembered;

static int state_hook(void *ctx, const char *stream, struct stream_state *out, struct err *e)
{
	assert_string_equal(stream, "test/made");
	*out = remembered;
	return ctx ? err_set(e, ERR_IO, "unreadable") : 0;
}

TEST(state_decides_and_is_not_written)
{
	struct source_at src = made_source(&full);
	struct bundle_options o = { .policy = &keys.policy, .now = NOW, .state = state_hook };
	struct err e;

	{
		auto_bundle struct bundle *b = bundle_open_at(&src, &o, &e);

		assert_ok(b ? 0 : -1, e);
		remembered = bundle_state_next(b);
	}
	assert_true(remembered.present && remembered.sequence == 7);
	{
		auto_bundle struct bundle *b = bundle_open_at(&src, &o, &e);

		assert_ok(b ? 0 : -1, e);
	}
	remembered.sequence = 8;
	assert_null(bundle_open_at(&src, &o, &e));
	assert_int_equal(e.code, ERR_POLICY);
	o.state_ctx = &o;
	assert_null(bundle_open_at(&src, &o, &e));
	assert_int_equal(e.code, ERR_IO);
	memset(&remembered, 0, sizeof(remembered));
}

TEST(only_regular_files_are_opened)
{
	auto_free char *fifo = fs_join(dir, "fifo");
	struct bundle_options o = { .policy = &keys.policy };
	struct err e;

	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_null(bundle_open(fifo, &o, &e));
	assert_int_equal(e.code, ERR_UNSAFE);
	assert_null(bundle_open(dir, &o, &e));
	assert_int_equal(e.code, ERR_UNSAFE);
	assert_null(bundle_open("/dev/zero", &o, &e));
	assert_int_equal(e.code, ERR_UNSAFE);
	assert_null(bundle_open("/nonexistent", &o, &e));
	assert_int_equal(e.code, ERR_IO);
}

TEST(a_file_that_shrinks_under_us_is_truncated)
{
	auto_free char *path = fs_join(dir, "shrinks");
	struct bundle_options o = { .policy = &keys.policy, .now = NOW };
	struct err e;

	assert_ok(fs_save(path, full.file.ptr, full.file.len, 0600, &e), e);

	auto_bundle struct bundle *b = bundle_open(path, &o, &e);

	assert_ok(b ? 0 : -1, e);
	assert_ok(bundle_check_all(b, 2, NULL, &e), e);
	assert_int_equal(truncate(path, (off_t)full.file.len / 2), 0);
	assert_err(bundle_check_all(b, 2, NULL, &e), e, ERR_TRUNCATED);
}

static _Atomic uint64_t checked;

static void count(uint64_t bytes)
{
	checked += bytes;
}

TEST(progress_adds_up_to_all_listed_frames)
{
	struct err e;
	auto_bundle struct bundle *b = open_full(&e);

	checked = 0;
	assert_ok(bundle_check_all(b, 3, count, &e), e);
	assert_int_equal(checked, full.listed.len);
}

/* ---- a second opinion ---- */

static void write_key(const char *path)
{
	auto_free char *key = xasprintf("%s/k0.key", keys.dir);
	const char *const argv[] = { "openssl", "pkey", "-in", key, "-pubout", "-out", path, NULL };
	struct proc p = { .argv = (char *const *)argv };
	struct err e;

	assert_ok(proc_check(&p, NULL, ERR_IO, &e), e);
}

TEST(the_independent_checker_takes_ours)
{
	auto_free char *path = fs_join(dir, "ours"), *pub = fs_join(dir, "ours.pub");
	const char *const argv[] = { "python3", "tests/format1.py", "check", path, "--key", pub, NULL };
	struct proc p = { .argv = (char *const *)argv };
	auto_buf struct buf said = BUF_INIT(1 << 20);
	struct err e;

	assert_ok(fs_save(path, full.file.ptr, full.file.len, 0600, &e), e);
	write_key(pub);
	if (proc_check(&p, &said, ERR_MALFORMED, &e) < 0)
		fail_msg("%s: %s", e.msg, buf_str(&said));
}

static int setup(void **state)
{
	struct err e;

	(void)state;
	made_keys_init(&keys, SIGN_P256);
	make_full(&full);
	assert_ok(fs_temp_dir(NULL, "airgap-read-", &dir, &e), e);
	return 0;
}

static int teardown(void **state)
{
	struct err e;

	(void)state;
	made_keys_release(&keys);
	made_release(&full);
	assert_ok(fs_remove_tree(dir, &e), e);
	free(dir);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_vectors_and_makes_the_same_bytes),
		cmocka_unit_test(a_vector_under_another_key_is_refused),
		cmocka_unit_test(finds_and_reads_every_blob_from_everywhere),
		cmocka_unit_test(a_blob_over_the_buffers_ceiling_is_refused),
		cmocka_unit_test(sixteen_readers_at_once_share_four_buffers),
		cmocka_unit_test(no_damaged_frame_is_ever_handed_out),
		cmocka_unit_test(a_signed_frame_that_is_none_is_malformed),
		cmocka_unit_test(a_whole_blob_is_hashed_again),
		cmocka_unit_test(state_decides_and_is_not_written),
		cmocka_unit_test(only_regular_files_are_opened),
		cmocka_unit_test(a_file_that_shrinks_under_us_is_truncated),
		cmocka_unit_test(the_independent_checker_takes_ours),
		cmocka_unit_test(progress_adds_up_to_all_listed_frames),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
