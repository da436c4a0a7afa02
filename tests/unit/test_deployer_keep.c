/* SPDX-License-Identifier: Apache-2.0 */
/* What the registry keeps of a bundle: the head, made again from what was judged, and the manifest that names the rest. */
#include "made.h"
#include "served.h"

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

/* ---- a registry that has what an earlier push left, or not all of it */

static struct keep left = KEEP_INIT;
static _Atomic int head_status, get_status;     /* for the file's blob */

static void answer(const struct asked *a, struct buf *out)
{
	static const char *const texts[] = { "one", "three" };
	char hex[DIGEST_HEX];
	bool head = strcmp(a->method, "HEAD") == 0;
	const void *p = NULL;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct digest d = digest_of(texts[i], strlen(texts[i]));

		if (!strstr(a->target, digest_hex(&d, hex)))
			continue;
		if (i == 1 && (head ? head_status : get_status) != 200) {
			served_text(out, head ? head_status : get_status, "", "");
			return;
		}
		p = texts[i];
		n = strlen(texts[i]);
	}
	if (strstr(a->target, "/manifests/")) {
		p = left.manifest.ptr;
		n = left.manifest.len;
	} else if (strstr(a->target, digest_hex(&left.head.digest, hex))) {
		p = made.file.ptr;
		n = left.head.size;
	}
	if (p && *a->range && !head)
		n = 1;
	buf_putf(out, "HTTP/1.1 %d X\r\n", !p ? 404 : *a->range ? 206 : 200);
	if (strstr(a->target, "/manifests/"))
		buf_putf(out, "Content-Type: " OCI_MANIFEST "\r\n");
	if (p && *a->range)
		buf_putf(out, "Content-Range: bytes 0-0/5\r\n");
	buf_putf(out, "Content-Length: %zu\r\n\r\n", n);
	if (!head && n)
		buf_put(out, p, n);
}

struct remote { struct session s; struct served server; char *host; struct common_opts opts; };

static void remote_open(struct remote *r)
{
	struct http_options h = { .tries = 1 };
	struct registry_options o = { .plain_http = true, .push = true };

	*r = (struct remote){ 0 };
	assert_ok(keep_make(&session, &left, &e), e);
	served_start(&r->server, answer);
	r->host = xasprintf("127.0.0.1:%u", r->server.port);
	r->s.opts = &r->opts;
	r->s.policy = keys.policy;
	r->s.site.registry.host = r->host;
	r->s.contents = session.contents;
	r->s.http = http_new(&h, &e);
	r->s.registry = registry_open(r->s.http, r->host, &o, &e);
	assert_non_null(r->s.registry);
	assert_ok(keep_open(&r->s, bundle_statement(session.bundle)->stream, bundle_id(session.bundle), &e), e);
}

static void remote_close(struct remote *r)
{
	bundle_close(r->s.bundle);
	registry_close(r->s.registry);
	http_free(r->s.http);
	served_stop(&r->server);
	free(r->s.kept_in);
	free(r->host);
	keep_release(&left);
}

TEST(what_the_registry_has_lost_is_found_before_it_is_wanted)
{
	static const struct { int head, get; bool lost; } cases[] = {
		{ 200, 200, false }, { 404, 404, true }, { 405, 200, false }, { 403, 200, false }
	};
	struct remote r;

	remote_open(&r);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		head_status = cases[i].head;
		get_status = cases[i].get;
		if (!cases[i].lost) {
			assert_ok(keep_check(&r.s, 2, &e), e);
			continue;
		}
		assert_err(keep_check(&r.s, 2, &e), e, ERR_PREFLIGHT);
		assert_true(str_starts(e.msg, "1 of 2 charts and files: repository 'bundles/"));
		assert_true(str_ends(e.msg, "the registry has lost it: give the bundle file, whose push brings it back"));
	}
	head_status = 500;
	assert_int_equal(keep_check(&r.s, 2, &e), -1);
	assert_int_not_equal(e.code, ERR_PREFLIGHT);
	remote_close(&r);
}

TEST(who_wants_what_it_has_lost_is_told_what_to_do)
{
	struct digest one = digest_of("one", 3), three = digest_of("three", 5);
	auto_buf struct buf out = BUF_INIT(100);
	struct remote r;

	head_status = get_status = 404;
	remote_open(&r);
	assert_ok(bundle_blob_load(r.s.bundle, &one, &out, &e), e);
	assert_string_equal(buf_str(&out), "one");
	assert_err(bundle_blob_load(r.s.bundle, &three, &out, &e), e, ERR_PREFLIGHT);
	assert_true(str_ends(e.msg, "the registry has lost it: give the bundle file, whose push brings it back"));
	remote_close(&r);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(the_head_is_that_of_the_file),
		CASE(its_manifest_names_each_chart_and_file_once),
		CASE(too_many_for_a_manifest_are_refused),
		CASE(a_long_head_is_read_from_anywhere),
		CASE(what_the_registry_has_lost_is_found_before_it_is_wanted),
		CASE(who_wants_what_it_has_lost_is_told_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
