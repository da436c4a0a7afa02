/* SPDX-License-Identifier: Apache-2.0 */
/* What the registry keeps of a bundle: the head, made again from what was judged, and the manifest that names the rest. */
#include "made.h"

#include <deployer/keep.h>

#include <airgap/bundle_read.h>

static struct err e;
static struct made made;
static struct made_keys keys;
static struct session session;

static int enter(void **state)
{
	struct bundle_options o = { .policy = &keys.policy };
	struct contents *c = &session.contents;

	(void)state;
	made_init(&made);
	made_add(&made, "one", 3, BLOB_ZSTD, 0);
	made_add(&made, "three", 5, BLOB_ZSTD, 0);
	made_keys_init(&keys, SIGN_ED25519);
	made_build(&made, keys.all, 1);

	struct source_at source = made_source(&made);

	session.bundle = bundle_open_at(&source, &o, &e);
	if (!session.bundle)
		fail_msg("%s", e.msg);
	c->charts = xcalloc(2, sizeof(*c->charts));
	c->files = xcalloc(2, sizeof(*c->files));
	c->n_charts = 1;
	c->charts[0] = (struct content_chart){ .name = xstrdup("web"), .archive = digest_of("one", 3), .size = 3 };
	c->n_files = 2;
	c->files[0] = (struct content_file){ .name = xstrdup("a"), .blob = digest_of("three", 5), .size = 5 };
	c->files[1] = (struct content_file){ .name = xstrdup("b"), .blob = digest_of("three", 5), .size = 5 };
	return 0;
}

static int leave(void **state)
{
	(void)state;
	bundle_close(TAKE(session.bundle));
	contents_release(&session.contents);
	made_keys_release(&keys);
	made_release(&made);
	return 0;
}

static void read_all(const struct source *from, struct buf *out, size_t piece)
{
	auto_free char *p = xmalloc(piece);
	ssize_t n;

	while ((n = from->read(from->ctx, p, piece, &e)) > 0)
		buf_put(out, p, (size_t)n);
	assert_ok(n, e);
}

TEST(the_head_is_that_of_the_file)
{
	CLEANUP(keep_release) struct keep k = KEEP_INIT;
	CLEANUP(keep_reader_close) struct keep_reader r = { 0 };
	auto_buf struct buf head = BUF_INIT(1 << 20);
	struct source from;

	assert_ok(keep_make(&session, &k, &e), e);
	assert_int_equal(k.head.size, made.head.bytes);
	assert_true(keep_reader_open(&r, &k, &k.head.digest, &from));
	read_all(&from, &head, 777);
	assert_int_equal(head.len, made.head.bytes);
	assert_memory_equal(head.ptr, made.file.ptr, head.len);

	struct digest d = digest_of(head.ptr, head.len);

	assert_true(digest_eq(&d, &k.head.digest));
}

TEST(its_manifest_names_each_chart_and_file_once)
{
	CLEANUP(keep_release) struct keep k = KEEP_INIT, again = KEEP_INIT;
	CLEANUP(keep_reader_close) struct keep_reader r = { 0 };
	auto_oci_manifest struct oci_manifest m = { 0 };
	auto_buf struct buf text = BUF_INIT(100);
	struct source from;

	assert_ok(keep_make(&session, &k, &e), e);
	assert_ok(keep_make(&session, &again, &e), e);
	assert_true(digest_eq(&k.digest, &again.digest));
	assert_ok(oci_parse_manifest(k.manifest.ptr, k.manifest.len, OCI_MANIFEST, &m, &e), e);
	assert_string_equal(m.artifact_type, KEEP_TYPE);
	assert_int_equal(m.n_layers, 3);
	assert_true(digest_eq(&m.layers[0].digest, &k.head.digest));
	assert_int_equal(m.layers[1].size + m.layers[2].size, 8);
	assert_true(keep_reader_open(&r, &k, &m.config.digest, &from));
	read_all(&from, &text, 1);
	assert_string_equal(buf_str(&text), OCI_EMPTY_TEXT);
	keep_reader_close(&r);
	assert_false(keep_reader_open(&r, &k, &m.layers[1].digest, &from));
}

TEST(too_many_for_a_manifest_are_refused)
{
	CLEANUP(keep_release) struct keep k = KEEP_INIT;
	struct contents *c = &session.contents;

	for (c->n_files = 2; c->n_files < OCI_LAYERS_MAX; c->n_files++) {
		struct content_file f = { .name = xasprintf("%zu", c->n_files) };

		f.blob = digest_of(f.name, strlen(f.name));
		c->files = xrealloc(c->files, (c->n_files + 1) * sizeof(*c->files));
		c->files[c->n_files] = f;
	}
	assert_err(keep_make(&session, &k, &e), e, ERR_LIMIT);
}

/* A head of several frames for each table. */
TEST(a_long_head_is_read_from_anywhere)
{
	static const uint64_t size[HEAD_PARTS] = { 5000, 80000 * BLOB_RECORD, 250000 * FRAME_RECORD };
	static struct verify v;
	auto_free uint8_t *noise = made_noise(size[HEAD_FRAMES], 5), *frame = xmalloc(FRAME_STORED_MAX);
	auto_buf struct buf want = BUF_INIT(32 << 20), got = BUF_INIT(32 << 20);
	struct keep k = { .verdict = &v, .manifest = BUF_INIT(1) };
	CLEANUP(keep_reader_close) struct keep_reader r = { 0 };
	struct source from;

	head_layout(&v.head, size);
	for (size_t i = 0; i < HEAD_PARTS; i++)
		v.member[i] = noise;
	memset(v.frame0, 3, sizeof(v.frame0));
	buf_put(&want, v.frame0, sizeof(v.frame0));
	for (uint64_t f = 1; f < v.head.first[HEAD_PARTS]; f++)
		buf_put(&want, frame, head_frame(&v.head, v.member, f, frame));
	assert_int_equal(want.len, v.head.bytes);
	k.head = (struct oci_blob){ digest_of(want.ptr, want.len), want.len };
	assert_true(keep_reader_open(&r, &k, &k.head.digest, &from));
	read_all(&from, &got, 100000);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.ptr, want.ptr, want.len);
	for (uint64_t at = want.len - 1; at > 700000; at -= 700000) {
		char byte;

		assert_ok(from.seek(from.ctx, at, &e), e);
		assert_int_equal(from.read(from.ctx, &byte, 1, &e), 1);
		assert_int_equal(byte, want.ptr[at]);
	}
	assert_err(from.seek(from.ctx, want.len + 1, &e), e, ERR_BUG);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(the_head_is_that_of_the_file),
		CASE(its_manifest_names_each_chart_and_file_once),
		CASE(too_many_for_a_manifest_are_refused),
		CASE(a_long_head_is_read_from_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
