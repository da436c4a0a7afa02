/*
 * made - a bundle in memory for tests: blobs in, every byte of the file out, through the library's own
 * generators but with a layout of its own (bundle_layout is tested elsewhere).
 *
 *	struct made m;                          // made_init, made_add..., made_build, made_release
 *	struct made_keys k;                     // a policy of fresh keys and their signers
 */
#pragma once

#include "unit.h"

#include <airgap/frame.h>
#include <airgap/fs.h>
#include <airgap/verify.h>

#define MADE_BLOBS 64
#define MADE_KEYS  4

struct made_blob {
	struct blob_record r;
	uint8_t *p;
};

struct made {
	struct statement st;
	struct made_blob blobs[MADE_BLOBS];
	size_t n_blobs;
	const char *json;               /* content of bundle.json */
	struct buf listed;              /* the frames behind the head */
	struct buf table;               /* bundle.frames */
	struct buf blob_table;          /* bundle.blobs */
	struct head head;
	struct buf file;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MADE_STRIDE 16
#else
#define MADE_STRIDE 1
#endif

/* Exhaustive tests take every n-th case: $AIRGAP_STRIDE, else 1, 16 under a sanitizer. */
static inline size_t made_stride(void)
{
	const char *s = getenv("AIRGAP_STRIDE");
	uint64_t n;

	return s && u64_parse(s, &n) && n ? (size_t)n : MADE_STRIDE;
}

/* n bytes that do not compress, the same every time. */
static inline uint8_t *made_noise(size_t n, uint32_t seed)
{
	uint8_t *p = xmalloc(n);

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = (uint8_t)(seed >> 24);
	}
	return p;
}

static inline void made_init(struct made *m)
{
	memset(m, 0, sizeof(*m));
	m->json = "{\"name\":\"made\"}";
	m->listed.max = m->table.max = m->blob_table.max = m->file.max = 64 << 20;
	memcpy(m->st.stream, "test/made", 10);
	memcpy(m->st.version, "1.0.0", 6);
	m->st.sequence = 7;
	m->st.created = 1767322800;     /* 2026-01-02T03:00:00Z */
	m->st.expires = POLICY_NEVER;
}

static inline void made_add(struct made *m, const void *p, size_t n, enum blob_encoding encoding, int flags)
{
	struct made_blob *b = &m->blobs[m->n_blobs++];

	assert_true(m->n_blobs <= MADE_BLOBS);
	b->p = xmemdup(p, n);
	b->r = (struct blob_record){ .digest = digest_of(p, n), .size = n, .encoding = (uint8_t)encoding, .flags = (uint8_t)flags };
	if (n <= SMALL_BLOB_MAX)
		b->r.encoding = BLOB_ZSTD;
}

/* Appends a listed frame; returns its number among them. */
static inline uint64_t made_frame(struct made *m, const void *p, size_t n, size_t decoded)
{
	struct frame_record f = { (uint32_t)n, (uint32_t)decoded, digest_of(p, n) };
	uint8_t rec[FRAME_RECORD];

	buf_put(&m->listed, p, n);
	frame_record_put(rec, &f);
	buf_put(&m->table, rec, sizeof(rec));
	return m->table.len / FRAME_RECORD - 1;
}

/* One frame of `plain`, stored or compressed; its number among the listed ones. */
static inline uint64_t made_emit(struct made *m, const struct buf *plain, bool stored)
{
	auto_free uint8_t *bytes = xmalloc(frame_bound(plain->len) + stored_size(plain->len));
	size_t n = stored_size(plain->len);
	struct err e;

	if (stored) {
		stored_frame_headers(bytes, plain->len);
		stored_put(bytes, 0, plain->ptr, plain->len);
	} else {
		auto_frame_encoder struct frame_encoder *enc = frame_encoder_new(FRAME_LEVEL);

		assert_ok(frame_encode(enc, plain->ptr, plain->len, bytes, frame_bound(plain->len), &n, &e), e);
	}

	return made_frame(m, bytes, n, plain->len);
}

static inline void made_entry(struct buf *out, const char *name, const void *p, size_t n)
{
	static const char zero[USTAR_BLOCK];
	uint8_t header[USTAR_HEADER_MAX];

	buf_put(out, header, ustar_header(header, name, n));
	buf_put(out, p, n);
	buf_put(out, zero, ustar_padding(n));
}

static inline void made_large(struct made *m, struct made_blob *b)
{
	char name[BLOB_PATH];
	auto_buf struct buf all = BUF_INIT(64 << 20);

	made_entry(&all, blob_path(&b->r.digest, name), b->p, b->r.size);
	b->r.at = (uint32_t)ustar_header_size(b->r.size);
	for (size_t at = 0, i = 0; at < all.len; i++) {
		struct buf piece = { all.ptr + at, blob_frame_decoded(b->r.size, i), 0, 0 };
		uint64_t frame = made_emit(m, &piece, b->r.encoding == BLOB_STORED);

		if (i == 0)
			b->r.frame = frame;
		at += piece.len;
	}
}

static inline void made_small(struct made *m)
{
	auto_buf struct buf plain = BUF_INIT(8 << 20);
	char name[BLOB_PATH];
	uint64_t frame = m->table.len / FRAME_RECORD;

	made_entry(&plain, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
	made_entry(&plain, "index.json", "{\"schemaVersion\":2,\"manifests\":[]}", 34);
	for (size_t i = 0; i < m->n_blobs; i++) {
		struct made_blob *b = &m->blobs[i];

		if (b->r.flags || b->r.size > SMALL_BLOB_MAX)
			continue;
		if (plain.len + 512 + b->r.size + ustar_padding(b->r.size) > FRAME_BLOB_BYTES) {
			frame = made_emit(m, &plain, false) + 1;
			buf_clear(&plain);
		}
		b->r.frame = frame;
		b->r.at = (uint32_t)plain.len + 512;
		made_entry(&plain, blob_path(&b->r.digest, name), b->p, b->r.size);
	}
	made_emit(m, &plain, false);
}

static inline int made_order(const void *a, const void *b)
{
	return digest_cmp(&((const struct made_blob *)a)->r.digest, &((const struct made_blob *)b)->r.digest);
}

static inline void made_layout(struct made *m)
{
	uint8_t end[END_FRAME], rec[BLOB_RECORD];

	qsort(m->blobs, m->n_blobs, sizeof(m->blobs[0]), made_order);
	for (int part = 0; part < 3; part++) {
		if (part == 1)
			made_small(m);
		for (size_t i = 0; part != 1 && i < m->n_blobs; i++) {
			struct made_blob *b = &m->blobs[i];

			if (!b->r.flags && b->r.size > SMALL_BLOB_MAX &&
			    b->r.encoding == (part ? BLOB_ZSTD : BLOB_STORED))
				made_large(m, b);
		}
	}
	end_frame(end);
	made_frame(m, end, END_FRAME, ARCHIVE_END);

	uint64_t size[HEAD_PARTS] = { strlen(m->json), m->n_blobs * BLOB_RECORD, m->table.len };

	head_layout(&m->head, size);
	for (size_t i = 0; i < m->n_blobs; i++) {
		struct blob_record r = m->blobs[i].r;

		if (!r.flags)
			r.frame += m->head.first[HEAD_PARTS];
		blob_record_put(rec, &r);
		buf_put(&m->blob_table, rec, sizeof(rec));
	}
}

/* Frame 0 anew, over a changed statement or with other signers. */
static inline void made_sign(struct made *m, const struct signer *const *signers, size_t n)
{
	char body[SIGN_BODY_MAX];
	struct signature sigs[RECORD_SIGNATURES];
	struct record r = { (const uint8_t *)body, statement_print(&m->st, body), n, { { { { 0 } }, 0, 0, NULL } } };
	struct err e;

	assert_true(r.body_len > 0);
	for (size_t i = 0; i < n; i++) {
		assert_ok(signer_sign(signers[i], body, r.body_len, &sigs[i], &e), e);
		r.entries[i] = record_entry_of(&sigs[i]);
	}
	assert_ok(record_print(&r, (uint8_t *)m->file.ptr, &e), e);
}

/* Head, frames, seek table from what stands in json, blob_table, table and listed; then made_sign. */
static inline void made_assemble(struct made *m, const struct signer *const *signers, size_t n)
{
	const uint8_t *content[HEAD_PARTS] = { (const uint8_t *)m->json, (const uint8_t *)buf_str(&m->blob_table),
					       (const uint8_t *)buf_str(&m->table) };
	uint64_t size[HEAD_PARTS] = { strlen(m->json), m->blob_table.len, m->table.len }, at = 0;
	auto_free uint8_t *frame = xcalloc(1, FRAME_STORED_MAX);
	size_t len;

	head_layout(&m->head, size);
	for (size_t i = 0; i < HEAD_PARTS; i++)
		m->st.member[i] = (struct head_member){ size[i], digest_of(content[i], size[i]) };
	buf_clear(&m->file);
	buf_put(&m->file, frame, RECORD_FRAME);
	for (uint64_t f = 1; f < m->head.first[HEAD_PARTS]; f++) {
		len = head_frame(&m->head, content, f, frame);
		buf_put(&m->file, frame, len);
	}
	buf_put(&m->file, buf_str(&m->listed), m->listed.len);
	while ((len = seek_table_piece(&m->head, content[HEAD_FRAMES], m->table.len / FRAME_RECORD, at, frame, 24)) > 0) {
		buf_put(&m->file, frame, len);
		at += len;
	}
	made_sign(m, signers, n);
}

static inline void made_build(struct made *m, const struct signer *const *signers, size_t n)
{
	made_layout(m);
	made_assemble(m, signers, n);
}

static inline void made_release(struct made *m)
{
	for (size_t i = 0; i < m->n_blobs; i++)
		free(m->blobs[i].p);
	buf_release(&m->listed);
	buf_release(&m->table);
	buf_release(&m->blob_table);
	buf_release(&m->file);
}

/* ---- a read hook on memory ---- */

static inline int made_read(void *made, void *p, size_t n, uint64_t at, struct err *e)
{
	const struct made *m = made;

	if (at > m->file.len || n > m->file.len - at)
		return err_set(e, ERR_TRUNCATED, "read behind the end");
	memcpy(p, m->file.ptr + at, n);
	return 0;
}

static inline struct source_at made_source(struct made *m)
{
	return (struct source_at){ made_read, m, m->file.len };
}

/* ---- keys ---- */

struct made_keys {
	char *dir;
	struct signer signers[MADE_KEYS];
	const struct signer *all[MADE_KEYS];
	struct policy policy;
};

static inline void made_keys_init(struct made_keys *k, enum sign_algorithm first)
{
	struct err e;

	memset(k, 0, sizeof(*k));
	assert_ok(fs_temp_dir(NULL, "airgap-keys-", &k->dir, &e), e);
	for (size_t i = 0; i < MADE_KEYS; i++) {
		auto_buf struct buf priv = BUF_INIT(8192), pub = BUF_INIT(8192);
		auto_free char *path = xasprintf("%s/k%zu.key", k->dir, i);
		struct policy_key *p = &k->policy.keys[i];
		struct digest id;

		assert_ok(sign_generate(i ? SIGN_ED25519 : first, NULL, &priv, &pub, &id, &e), e);
		assert_ok(fs_save(path, buf_str(&priv), priv.len, 0600, &e), e);
		assert_ok(signer_load(&k->signers[i], path, NULL, &e), e);
		sign_key_copy(&p->key, &k->signers[i].key);
		p->not_after = POLICY_NEVER;
		k->all[i] = &k->signers[i];
	}
	k->policy.present = true;
	k->policy.n_keys = MADE_KEYS;
}

static inline void made_keys_release(struct made_keys *k)
{
	struct err e;

	for (size_t i = 0; i < MADE_KEYS; i++)
		signer_release(&k->signers[i]);
	policy_release(&k->policy);
	assert_ok(fs_remove_tree(k->dir, &e), e);
	free(k->dir);
}
