/* SPDX-License-Identifier: Apache-2.0 */
#include "made.h"

#include <airgap/bundle_read.h>

#define NOW INT64_C(1770000000)         /* 2026-02-02 */

static struct made_keys keys;
static uint8_t *read_buf, *made_buf, *member[HEAD_PARTS];
static size_t stride;

/* ---- a whole verdict, frames too ---- */

static int judge_rest(struct verify *v, const struct source_at *src, struct err *e)
{
	struct verify_memory m = { { member[0], member[1], member[2] }, read_buf, made_buf };
	uint64_t at = v->head.bytes;

	if (verify_head(v, src, &m, e) < 0 || verify_tables(v, e) < 0 || verify_end(v, src, e) < 0)
		return -1;
	for (uint64_t i = 0; i < v->n_listed; i++) {
		struct frame_record f;

		verify_frame_record(v, i, &f);
		if (src->read(src->ctx, read_buf, f.bytes, at, e) < 0 || verify_frame(v, i, read_buf, f.bytes, e) < 0)
			return -1;
		at += f.bytes;
	}
	return 0;
}

static int judge(const struct source_at *src, const struct policy *p, const struct verify_fresh *fresh, struct err *e)
{
	static struct verify v;
	struct verify_trust t = { .policy = p, .now = NOW };
	struct verify_fresh f = { .audience = p->audience, .now = NOW };

	if (verify_record(&v, src, &t, e) < 0 || verify_policy(&v, fresh ? fresh : &f, e) < 0)
		return -1;
	return judge_rest(&v, src, e);
}

static int judge_made(struct made *m, const struct policy *p, struct err *e)
{
	struct source_at src = made_source(m);

	return judge(&src, p, NULL, e);
}

/* 64 KiB: small blobs and a stored one. */
static void make_small_bundle(struct made *m, const struct signer *const *signers, size_t n)
{
	made_init(m);
	for (uint32_t i = 0; i < 8; i++) {
		auto_free uint8_t *p = made_noise(5000, i + 1);

		made_add(m, p, 5000, BLOB_ZSTD, 0);
	}
	made_add(m, "", 0, BLOB_ZSTD, 0);
	made_build(m, signers, n);
}

/* Every part of the layout: P1 of two frames, P2 of two frames, P3 of two frames, an external blob. */
static void make_full_bundle(struct made *m, const struct signer *const *signers, size_t n)
{
	auto_free uint8_t *noise = made_noise(6 << 20, 99);

	made_init(m);
	made_add(m, noise, 70000, BLOB_STORED, 0);
	made_add(m, noise, FRAME_BLOB_BYTES, BLOB_STORED, 0);
	made_add(m, noise, FRAME_BLOB_BYTES + 1, BLOB_STORED, 0);
	memset(noise + 4096, 7, 5 << 20);
	made_add(m, noise, 5 << 20, BLOB_ZSTD, 0);
	made_add(m, noise, SMALL_BLOB_MAX + 1, BLOB_ZSTD, 0);
	made_add(m, noise, 3 << 20, BLOB_STORED, BLOB_EXTERNAL);
	for (size_t i = 0; i < 50; i++)         /* zeros, then a number: 80 KB more than fit one frame go to the next */
		made_add(m, &(char[SMALL_BLOB_MAX]){ [0] = (char)i }, SMALL_BLOB_MAX - i * 7, BLOB_ZSTD, 0);
	made_build(m, signers, n);
}

TEST(accepts_what_the_generator_makes)
{
	struct made m;
	struct err e;

	make_small_bundle(&m, keys.all, 1);
	assert_ok(judge_made(&m, &keys.policy, &e), e);
	made_release(&m);
	make_full_bundle(&m, keys.all, 4);
	assert_ok(judge_made(&m, &keys.policy, &e), e);
	made_release(&m);
	made_init(&m);
	made_build(&m, keys.all, 2);    /* no blobs at all */
	assert_ok(judge_made(&m, &keys.policy, &e), e);
	made_release(&m);
}

/* ---- every bit ---- */

struct region { uint64_t end; enum err_code code, or_code; };

/* What each byte of frame 0 is, and so what its change must be called. */
static size_t frame0_regions(struct region r[16], const struct record *rec)
{
	uint64_t body = RECORD_AT + 16, count = body + rec->body_len, sig = count + 2 + RECORD_ENTRY;
	const struct region all[] = {
		{ RECORD_AT + 8, ERR_MALFORMED, 0 },
		{ RECORD_AT + 10, ERR_UNSUPPORTED, 0 },
		{ RECORD_AT + 12, ERR_MALFORMED, 0 },
		{ body, ERR_MALFORMED, ERR_SIGNATURE },         /* length: another body, or nonsense behind it */
		{ count, ERR_SIGNATURE, 0 },
		{ count + 2, ERR_MALFORMED, 0 },
		{ count + 34, ERR_UNTRUSTED, 0 },
		{ count + 36, ERR_SIGNATURE, 0 },               /* algorithm */
		{ sig, ERR_SIGNATURE, ERR_MALFORMED },          /* length */
		{ sig + rec->entries[0].len, ERR_SIGNATURE, 0 },
		{ RECORD_FRAME, ERR_MALFORMED, 0 },
	};

	memcpy(r, all, sizeof(all));
	return ARRAY_LEN(all);
}

static void assert_refused(int rc, const struct err *e, uint64_t byte, enum err_code code, enum err_code or_code)
{
	if (rc == 0)
		fail_msg("byte %ju: accepted", (uintmax_t)byte);
	if (e->code != code && (!or_code || e->code != or_code))
		fail_msg("byte %ju: %d (%s), not %d", (uintmax_t)byte, e->code, e->msg, code);
}

TEST(refuses_every_flipped_bit_of_frame_0_with_its_code)
{
	static struct verify v;
	struct verify_trust t = { .policy = &keys.policy, .now = NOW };
	struct region regions[16], *r = regions;
	struct made m;
	struct err e;

	make_small_bundle(&m, keys.all, 1);

	struct source_at src = made_source(&m);

	assert_ok(verify_record(&v, &src, &t, &e), e);
	frame0_regions(regions, &v.record);
	for (uint64_t byte = 0; byte < RECORD_FRAME; byte++) {
		r += byte >= r->end;
		for (unsigned bit = (unsigned)(byte % stride); bit < 8; bit += (unsigned)stride) {
			m.file.ptr[byte] ^= (char)(1u << bit);
			assert_refused(verify_record(&v, &src, &t, &e), &e, byte, r->code, r->or_code);
			m.file.ptr[byte] ^= (char)(1u << bit);
		}
	}
	made_release(&m);
}

/* What a byte behind frame 0 is: 14 in the content of a member or in a listed frame, else 18. */
static enum err_code code_of(const struct made *m, uint64_t byte)
{
	uint64_t at = RECORD_FRAME;

	for (uint64_t f = 1; f < m->head.first[HEAD_PARTS]; f++) {
		size_t bytes, decoded;

		head_frame_sizes(&m->head, f, &bytes, &decoded);
		if (byte < at + bytes) {
			size_t part = f - 1;    /* each member has one frame here */
			uint64_t in = byte - at;

			return in >= 12 + 512 && in < 12 + 512 + m->head.size[part] ? ERR_DIGEST : ERR_MALFORMED;
		}
		at += bytes;
	}
	return byte < at + m->listed.len ? ERR_DIGEST : ERR_MALFORMED;
}

TEST(refuses_every_flipped_bit_behind_frame_0_with_its_code)
{
	static struct verify v;
	struct verify_trust t = { .policy = &keys.policy, .now = NOW };
	struct made m;
	struct err e;

	make_small_bundle(&m, keys.all, 1);

	struct source_at src = made_source(&m);

	assert_ok(verify_record(&v, &src, &t, &e), e);
	assert_ok(judge_rest(&v, &src, &e), e);
	for (uint64_t byte = RECORD_FRAME; byte < m.file.len; byte++) {
		enum err_code want = code_of(&m, byte);

		for (unsigned bit = (unsigned)(byte % stride); bit < 8; bit += (unsigned)stride) {
			m.file.ptr[byte] ^= (char)(1u << bit);
			assert_refused(judge_rest(&v, &src, &e), &e, byte, want, 0);
			m.file.ptr[byte] ^= (char)(1u << bit);
		}
	}
	assert_ok(judge_rest(&v, &src, &e), e);
	made_release(&m);
}

TEST(refuses_every_truncation_and_anything_appended)
{
	struct made m;
	struct err e;

	make_small_bundle(&m, keys.all, 1);

	struct source_at src = made_source(&m);
	uint64_t full = src.size;

	for (src.size = 0; src.size < full; src.size += stride)
		assert_refused(judge(&src, &keys.policy, NULL, &e), &e, src.size, ERR_TRUNCATED, 0);
	for (src.size = full + 1; src.size < full + 4096; src.size += 97)
		assert_refused(judge(&src, &keys.policy, NULL, &e), &e, src.size, ERR_MALFORMED, 0);
	made_release(&m);
}

/* ---- the tables: signed, and still not believed ---- */

struct table_case {
	const char *name;
	enum err_code code;
	int table;              /* 0 = bundle.blobs, 1 = bundle.frames */
	int record;             /* from the start, or from the end when negative */
	size_t at;              /* byte within the record */
	uint8_t xor;
};

static const struct table_case table_cases[] = {
	{ "two blobs out of order", ERR_MALFORMED, 0, 1, 0, 0xff },
	{ "unknown encoding", ERR_UNSUPPORTED, 0, 0, 52, 2 },
	{ "unknown flag", ERR_UNSUPPORTED, 0, 0, 53, 2 },
	{ "a byte that must be zero", ERR_MALFORMED, 0, 0, 54, 1 },
	{ "external with a place", ERR_MALFORMED, 0, 0, 53, 1 },
	{ "small blob stored", ERR_MALFORMED, 0, 0, 52, 1 },
	{ "another frame", ERR_MALFORMED, 0, 3, 40, 1 },
	{ "a frame that is not there", ERR_MALFORMED, 0, 3, 46, 1 },
	{ "another offset", ERR_MALFORMED, 0, 3, 49, 2 },
	{ "another size", ERR_MALFORMED, 0, 3, 33, 0x20 },
	{ "an impossible size", ERR_MALFORMED, 0, 3, 39, 0x80 },
	{ "frame over 4 MiB", ERR_LIMIT, 1, 0, 3, 0x10 },
	{ "decoded over 4 MiB", ERR_LIMIT, 1, 0, 7, 0x10 },
	{ "decoded not in blocks", ERR_MALFORMED, 1, 0, 4, 1 },
	{ "decoded another size", ERR_MALFORMED, 1, 0, 5, 2 },
	{ "end frame another hash", ERR_MALFORMED, 1, -1, 8, 1 },
	{ "end frame another size", ERR_MALFORMED, 1, -1, 0, 1 },
};

TEST(refuses_signed_tables_that_do_not_fit)
{
	for (size_t i = 0; i < ARRAY_LEN(table_cases); i++) {
		const struct table_case *c = &table_cases[i];
		struct made m;
		struct err e;

		make_small_bundle(&m, keys.all, 1);

		struct buf *t = c->table ? &m.table : &m.blob_table;
		size_t size = c->table ? FRAME_RECORD : BLOB_RECORD;
		size_t at = c->record < 0 ? t->len - size : (size_t)c->record * size;

		t->ptr[at + c->at] ^= (char)c->xor;
		made_assemble(&m, keys.all, 1);

		int rc = judge_made(&m, &keys.policy, &e);

		if (rc == 0 || e.code != c->code)
			fail_msg("%s: %d (%s), not %d", c->name, rc ? (int)e.code : 0, rc ? e.msg : "accepted", c->code);
		made_release(&m);
	}
}

TEST(refuses_every_other_order_of_large_blobs)
{
	struct made m;
	struct err e;

	make_full_bundle(&m, keys.all, 1);
	for (size_t i = 0; i < m.n_blobs; i++) {
		uint8_t *p = (uint8_t *)m.blob_table.ptr + i * BLOB_RECORD + 40;

		le64_put(p, le64_get(p) + 1);
		made_assemble(&m, keys.all, 1);
		assert_err(judge_made(&m, &keys.policy, &e), e, ERR_MALFORMED);
		le64_put(p, le64_get(p) - 1);
	}
	made_assemble(&m, keys.all, 1);
	assert_ok(judge_made(&m, &keys.policy, &e), e);
	buf_release(&m.table);          /* no frame listed at all */
	made_assemble(&m, keys.all, 1);
	assert_err(judge_made(&m, &keys.policy, &e), e, ERR_MALFORMED);
	made_release(&m);
}

static int setup(void **state)
{
	(void)state;
	stride = made_stride();
	made_keys_init(&keys, SIGN_ED25519);
	read_buf = xmalloc(FRAME_BYTES_MAX);
	made_buf = xmalloc(FRAME_BYTES_MAX);
	for (size_t i = 0; i < HEAD_PARTS; i++)
		member[i] = xmalloc(1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	made_keys_release(&keys);
	free(read_buf);
	free(made_buf);
	for (size_t i = 0; i < HEAD_PARTS; i++)
		free(member[i]);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_the_generator_makes),
		cmocka_unit_test(refuses_signed_tables_that_do_not_fit),
		cmocka_unit_test(refuses_every_other_order_of_large_blobs),
		cmocka_unit_test(refuses_every_truncation_and_anything_appended),
		cmocka_unit_test(refuses_every_flipped_bit_of_frame_0_with_its_code),
		cmocka_unit_test(refuses_every_flipped_bit_behind_frame_0_with_its_code),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
