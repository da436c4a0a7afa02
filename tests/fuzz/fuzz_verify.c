/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier core on hostile bytes, signatures left out so that what lies behind them is reached:
 * a bundle (zstd magic), a statement ("{"), or the two tables (u16 number of blobs, records, frame records).
 */
#include <airgap/verify.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define ROOM (1u << 20)

static struct verify v;
static uint8_t member[HEAD_PARTS][ROOM], read_buf[FRAME_STORED_MAX], made[FRAME_STORED_MAX];

struct input { const uint8_t *p; size_t n; };

static int input_read(void *input, void *to, size_t n, uint64_t at, struct err *e)
{
	const struct input *in = input;

	if (at > in->n || n > in->n - at)
		return err_set(e, ERR_TRUNCATED, "short");
	memcpy(to, in->p + at, n);
	return 0;
}

static void fuzz_bundle(const uint8_t *p, size_t n)
{
	struct input in = { p, n };
	struct source_at src = { input_read, &in, n };
	struct verify_trust t = { .no_verdict = true };
	struct verify_memory m = { { member[0], member[1], member[2] }, read_buf, made };
	struct err e;

	if (verify_record(&v, &src, &t, &e) < 0)
		return;
	for (size_t i = 0; i < HEAD_PARTS; i++)
		if (v.head.size[i] > ROOM)
			return;
	if (verify_head(&v, &src, &m, &e) == 0 && verify_tables(&v, &e) == 0)
		(void)!verify_end(&v, &src, &e);
}

static void fuzz_statement(const uint8_t *p, size_t n)
{
	static struct statement s;
	char again[SIGN_BODY_MAX];

	if (!statement_scan(p, n, &s))
		return;
	if (statement_print(&s, again) != n || memcmp(again, p, n) != 0)
		abort();
	for (size_t i = 0; i < s.n_audience; i++)
		if (!statement_has_audience(&s, statement_audience(&s, i)))
			abort();
}

/* What the tables promise once they are accepted: every blob lies inside its frames. */
static void check_blobs(void)
{
	uint64_t first = v.head.first[HEAD_PARTS];

	for (uint64_t i = 0; i < v.n_blobs; i++) {
		struct blob_record b;
		struct frame_record f;
		uint64_t left;

		blob_record_get(v.member[HEAD_BLOBS] + i * BLOB_RECORD, &b);
		if (b.flags & BLOB_EXTERNAL)
			continue;
		left = b.size;
		for (uint64_t k = 0; left || k == 0; k++) {
			uint64_t part = MIN(left, FRAME_BLOB_BYTES), at = k ? 0 : b.at;

			if (b.frame + k < first || b.frame + k - first >= v.n_listed)
				abort();
			verify_frame_record(&v, b.frame + k - first, &f);
			if (f.decoded > FRAME_DECODED_MAX || f.bytes > FRAME_BYTES_MAX || at + part > f.decoded)
				abort();
			left -= part;
		}
	}
}

static void fuzz_tables(const uint8_t *p, size_t n)
{
	uint64_t size[HEAD_PARTS];
	struct err e;

	if (n < 2 || n > ROOM)
		return;
	memset(&v, 0, sizeof(v));
	v.n_blobs = MIN(le16_get(p), (n - 2) / BLOB_RECORD);
	v.n_listed = (n - 2 - v.n_blobs * BLOB_RECORD) / FRAME_RECORD;
	size[HEAD_JSON] = 2;
	size[HEAD_BLOBS] = v.n_blobs * BLOB_RECORD;
	size[HEAD_FRAMES] = v.n_listed * FRAME_RECORD;
	head_layout(&v.head, size);
	v.member[HEAD_BLOBS] = p + 2;
	v.member[HEAD_FRAMES] = p + 2 + size[HEAD_BLOBS];
	if (verify_tables(&v, &e) == 0)
		check_blobs();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n >= 4 && le32_get(p) == 0xfd2fb528u)
		fuzz_bundle(p, n);
	else if (n && *p == '{')
		fuzz_statement(p, n);
	else
		fuzz_tables(p, n);
	return 0;
}
