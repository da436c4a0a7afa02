/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/fs.h>
#include <airgap/lock.h>
#include <airgap/oci.h>

#include <time.h>

static struct err e;

static struct lock_source from(enum lock_source_kind kind, const char *location)
{
	return (struct lock_source){ .kind = kind, .location = (char *)location };
}

/* A lock with one image, one chart, one file; their manifests are made. */
static void make(struct lock *l)
{
	const struct lock_source reg = from(LOCK_REGISTRY, "mirror.example/web"), file = from(LOCK_FILE, "f.run");
	struct digest layer = digest_of("layer", 5), manifest, empty;
	struct contents *c = &l->contents;

	assert_ok(lock_add_blob(l, &layer, 5, OCI_LAYER_GZIP, true, false, &reg, &e), e);
	assert_ok(lock_add_blob(l, &layer, 5, OCI_LAYER_GZIP, true, false, &file, &e), e);
	assert_ok(lock_add_made(l, "{}", 2, OCI_EMPTY, false, &empty, &e), e);
	assert_ok(lock_add_made(l, "{\"a\":1}", 7, OCI_MANIFEST, true, &manifest, &e), e);
	l->stream = xstrdup("example/demo");
	l->created = xstrdup("2026-01-02T03:04:05Z");
	l->sequence = 1767323045;
	strv_push(&l->audience, "site-a");
	l->hosts = xcalloc(1, sizeof(*l->hosts));
	l->hosts[l->n_hosts++] = (struct lock_host){
		.host = xstrdup("mirror.example"), .plain_http = true, .username = xstrdup("robot"),
		.password = xstrdup("env:TOKEN"),
	};
	c->name = xstrdup("demo");
	c->version = xstrdup("1.2.0");
	c->images = xcalloc(1, sizeof(*c->images));
	c->images[c->n_images++] = (struct content_image){
		.ref = xstrdup("docker.io/library/web:1"), .media_type = xstrdup(OCI_MANIFEST), .digest = manifest,
		.target = manifest, .size = 14,
	};
	c->charts = xcalloc(1, sizeof(*c->charts));
	c->charts[c->n_charts++] = (struct content_chart){
		.name = xstrdup("web"), .version = xstrdup("1.0.0+b1"), .role = xstrdup("chart"), .digest = manifest,
		.archive = layer, .size = 5,
	};
	c->files = xcalloc(1, sizeof(*c->files));
	c->files[c->n_files++] = (struct content_file){
		.name = xstrdup("driver"), .file = xstrdup("f.run"), .digest = manifest, .blob = layer, .size = 5,
	};
	strv_push(&l->warnings, "two sources");
	lock_finish(l);
}

TEST(comes_back_as_it_was_written)
{
	auto_lock struct lock l = { 0 }, again = { 0 };
	auto_buf struct buf text = BUF_INIT(LOCK_MAX), second = BUF_INIT(LOCK_MAX);

	make(&l);
	assert_ok(lock_dump(&l, &text, &e), e);
	assert_ok(lock_parse(buf_str(&text), text.len, "l", &again, &e), e);
	assert_ok(lock_dump(&again, &second, &e), e);
	assert_string_equal(buf_str(&text), buf_str(&second));
	assert_int_equal(again.n_blobs, 3);
	assert_int_equal(lock_size(&again), 14);
	assert_string_equal(again.hosts[0].password, "env:TOKEN");
	assert_true(again.hosts[0].plain_http);
	assert_int_equal(again.sequence, 1767323045);
}

TEST(a_blob_keeps_its_sources_in_order_and_once)
{
	auto_lock struct lock l = { 0 };
	struct digest layer = digest_of("layer", 5);
	const struct lock_source reg = from(LOCK_REGISTRY, "mirror.example/web");

	make(&l);
	assert_ok(lock_add_blob(&l, &layer, 5, "x/y", false, true, &reg, &e), e);

	const struct lock_blob *b = lock_find(&l, &layer);

	assert_int_equal(b->n_sources, 2);
	assert_int_equal(b->sources[0].kind, LOCK_REGISTRY);
	assert_int_equal(b->sources[1].kind, LOCK_FILE);
	assert_string_equal(b->media_type, OCI_LAYER_GZIP);
	assert_true(b->stored);
	assert_true(b->manifest);
	assert_err(lock_add_blob(&l, &layer, 6, "x/y", false, false, &reg, &e), e, ERR_MALFORMED);
	assert_non_null(strstr(e.msg, "two sizes, 5 and 6"));
}

TEST(made_text_is_kept_once)
{
	auto_lock struct lock l = { 0 };
	struct digest d, again;

	assert_ok(lock_add_made(&l, "{}", 2, OCI_EMPTY, false, &d, &e), e);
	assert_ok(lock_add_made(&l, "{}", 2, OCI_EMPTY, false, &again, &e), e);
	lock_finish(&l);
	assert_true(digest_eq(&d, &again));
	assert_int_equal(l.n_made, 1);
	assert_string_equal(lock_find_made(&l, &d)->text, "{}");
	assert_err(lock_add_made(&l, "a\0b", 3, OCI_EMPTY, false, &d, &e), e, ERR_LIMIT);
}

TEST(index_names_images_charts_and_files)
{
	auto_lock struct lock l = { 0 };
	auto_buf struct buf text = BUF_INIT(1 << 20);
	auto_oci_index struct oci_index ix = { 0 };

	make(&l);
	assert_ok(lock_index_json(&l, &text, &e), e);
	assert_ok(oci_parse_index(buf_str(&text), text.len, OCI_INDEX, &ix, &e), e);
	assert_int_equal(ix.n_manifests, 3);
	assert_string_equal(descriptor_note(&ix.manifests[0], OCI_REF_NAME), "docker.io/library/web:1");
	assert_string_equal(descriptor_note(&ix.manifests[0], CONTAINERD_NAME), "docker.io/library/web:1");
	assert_string_equal(descriptor_note(&ix.manifests[1], OCI_REF_NAME), "charts/web:1.0.0_b1");
	assert_true(str_starts(descriptor_note(&ix.manifests[2], OCI_REF_NAME), "files/driver:"));
	assert_string_equal(ix.manifests[0].media_type, OCI_MANIFEST);
	assert_int_equal(ix.manifests[0].size, 7);
}

/* Two images of one repository share what belongs to them: it is there once by its digest, once by its tag. */
TEST(what_belongs_to_an_image_has_a_name_in_the_layout)
{
	auto_lock struct lock l = { 0 };
	auto_buf struct buf text = BUF_INIT(1 << 20);
	auto_oci_index struct oci_index ix = { 0 };
	struct digest manifest = digest_of("{\"a\":1}", 7);
	char digest[DIGEST_TEXT];

	make(&l);
	for (int i = 0; i < 2; i++) {
		struct contents *c = &l.contents;

		if (i) {
			GROW(c->images, c->n_images);
			c->images[c->n_images++] = (struct content_image){
				.ref = xstrdup("docker.io/library/web:2"), .media_type = xstrdup(OCI_MANIFEST), .digest = manifest,
				.target = manifest,
			};
		}
		c->images[i].referrers = xcalloc(2, sizeof(struct content_referrer));
		c->images[i].n_referrers = 2;
		for (int k = 0; k < 2; k++)
			c->images[i].referrers[k] = (struct content_referrer){
				.digest = manifest, .media_type = xstrdup(OCI_MANIFEST), .tag = k ? NULL : xstrdup("sha256-1.sig"),
			};
	}
	lock_finish(&l);
	assert_ok(lock_check(&l, &e), e);
	assert_ok(lock_index_json(&l, &text, &e), e);
	assert_ok(oci_parse_index(buf_str(&text), text.len, OCI_INDEX, &ix, &e), e);

	auto_free char *name = xasprintf("docker.io/library/web@%s", digest_text(&manifest, digest));

	assert_int_equal(ix.n_manifests, 6);
	assert_string_equal(descriptor_note(&ix.manifests[4], OCI_REF_NAME), name);
	assert_string_equal(descriptor_note(&ix.manifests[5], OCI_REF_NAME), "docker.io/library/web:sha256-1.sig");
}

/* Every way a lock can be wrong that a change of one place makes. */
TEST(refuses_what_is_wrong)
{
	static const struct { const char *what, *from, *to; enum err_code code; } cases[] = {
		{ "kind", "\"Lock\"", "\"Bundle\"", ERR_UNSUPPORTED },
		{ "version", "\"airgap/v1\"", "\"airgap/v2\"", ERR_UNSUPPORTED },
		{ "unknown key", "\"sequence\"", "\"sequenze\"", ERR_MALFORMED },
		{ "time", "2026-01-02T03:04:05Z", "2026-01-02 03:04:05", ERR_MALFORMED },
		{ "stream", "example/demo", "example\\\"demo", ERR_MALFORMED },
		{ "audience", "site-a", "site\\u00e9a", ERR_MALFORMED },
		{ "made text", "{}", "[]", ERR_DIGEST },
		{ "size", "\"size\": 7", "\"size\": 8", ERR_DIGEST },
		{ "source kind", "\"registry\"", "\"regestry\"", ERR_MALFORMED },
		{ "source place", "\"mirror.example/web\"", "\"mirror.example/web:1\"", ERR_MALFORMED },
		{ "source place", "\"mirror.example/web\"", "\"\"", ERR_MALFORMED },
		{ "image", "library/web:1", "library/web", ERR_MALFORMED },
		{ "manifest mark", "\"manifest\": true", "\"manifest\": false", ERR_MALFORMED },
		{ "name", "\"driver\"", "\"Driver\"", ERR_UNSAFE },
	};
	auto_lock struct lock l = { 0 };
	auto_buf struct buf text = BUF_INIT(LOCK_MAX);

	make(&l);
	assert_ok(lock_dump(&l, &text, &e), e);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *at = strstr(buf_str(&text), cases[i].from);
		struct lock out = { 0 };

		assert_non_null(at);

		auto_free char *wrong = xasprintf("%.*s%s%s", (int)(at - buf_str(&text)), buf_str(&text), cases[i].to,
						  at + strlen(cases[i].from));

		if (lock_parse(wrong, strlen(wrong), "l", &out, &e) == 0)
			fail_msg("%s is taken", cases[i].what);
		if (e.code != cases[i].code)
			fail_msg("%s: %d, not %d: %s", cases[i].what, (int)e.code, (int)cases[i].code, e.msg);
		assert_null(out.blobs);
	}
}

TEST(a_check_needs_sorted_blobs_with_sources_that_are_there)
{
	struct digest none = digest_of("none", 4);
	auto_lock struct lock l = { 0 };

	make(&l);
	assert_ok(lock_check(&l, &e), e);

	struct lock_blob first = l.blobs[0];

	l.blobs[0] = l.blobs[1];
	l.blobs[1] = first;
	assert_err(lock_check(&l, &e), e, ERR_MALFORMED);
	lock_finish(&l);
	assert_ok(lock_check(&l, &e), e);

	struct digest target = l.contents.images[0].target;

	l.contents.images[0].target = l.contents.images[0].digest = none;
	assert_err(lock_check(&l, &e), e, ERR_MALFORMED);
	assert_non_null(strstr(e.msg, "image 'docker.io/library/web:1'"));
	l.contents.images[0].target = l.contents.images[0].digest = target;
	l.blobs[0].size = UINT64_MAX;
	assert_int_equal(lock_check(&l, &e), -1);
}

TEST(tells_a_lock_from_a_manifest)
{
	static const struct { const char *text; int is; } cases[] = {
		{ "{\"kind\": \"Lock\"}", 1 }, { " \n {\"a\": {\"kind\": \"Manifest\"}, \"kind\" :\n\"Lock\"}", 1 },
		{ "{\"a\": [{\"kind\": \"Lock\"}], \"kind\": \"Manifest\"}", 0 }, { "{\"a\": \"\\\"kind\\\": Lock\"}", 0 },
		{ "{\"a\": \"kind\", \"kind\": \"Locker\"}", 0 }, { "{\"kind", 0 }, { "{\"kind\":", 0 }, { "", 0 },
		{ "# x\napiVersion: airgap/v1\nkind: Lock\n", 1 }, { "kind: \"Lock\" # really\n", 1 }, { "kind: 'Lock'", 1 },
		{ "kind: Manifest\nmetadata:\n  kind: Lock\n", 0 }, { "kind: Locked\n", 0 }, { "kind:", 0 }, { "a: kind: Lock", 0 },
	};
	auto_free char *dir = NULL;

	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);

	auto_free char *path = fs_join(dir, "f");

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_ok(fs_save(path, cases[i].text, strlen(cases[i].text), 0600, &e), e);
		if (lock_is(path, &e) != cases[i].is)
			fail_msg("'%s'", cases[i].text);
	}
	assert_ok(fs_unlink(path, &e), e);
	assert_int_equal(lock_is(path, &e), -1);
	assert_ok(fs_remove_tree(dir, &e), e);
}

TEST(yaml_that_says_the_same_is_read)
{
	static const char text[] =
		"# by hand\napiVersion: airgap/v1\nkind: Lock\nstream: a/b\ncreated: \"2026-01-02T03:04:05Z\"\n"
		"contents: {name: a, version: \"1\"}\nmade:\n- {digest: \"sha256:"
		"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\", text: \"{}\"}\nblobs:\n- digest: sha256:"
		"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n  size: 2\n  mediaType: a/b\n"
		"  sources: [{kind: made}]\n";
	auto_lock struct lock l = { 0 };

	assert_ok(lock_parse(text, strlen(text), "l", &l, &e), e);
	assert_int_equal(l.n_blobs, 1);
	assert_int_equal(l.blobs[0].sources[0].kind, LOCK_MADE);
}

/* Before and after lock_finish, with as many blobs as a large site has, in no time. */
TEST(finds_among_a_hundred_thousand)
{
	const struct lock_source reg = from(LOCK_REGISTRY, "r.example/a");
	auto_lock struct lock l = { 0 };
	time_t start = time(NULL);

	for (uint32_t i = 0; i < 100000; i++) {
		struct digest d = digest_of(&i, sizeof(i));

		assert_ok(lock_add_blob(&l, &d, i, "a/b", false, false, &reg, &e), e);
	}
	for (int finished = 0; finished < 2; finished++) {
		for (uint32_t i = 0; i < 100000; i++) {
			struct digest d = digest_of(&i, sizeof(i));

			assert_int_equal(lock_find(&l, &d)->size, i);
		}
		lock_finish(&l);
	}
	assert_int_equal(l.n_blobs, 100000);
	assert_true(time(NULL) - start < 30);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_was_written),
		cmocka_unit_test(a_blob_keeps_its_sources_in_order_and_once),
		cmocka_unit_test(made_text_is_kept_once),
		cmocka_unit_test(index_names_images_charts_and_files),
		cmocka_unit_test(what_belongs_to_an_image_has_a_name_in_the_layout),
		cmocka_unit_test(refuses_what_is_wrong),
		cmocka_unit_test(a_check_needs_sorted_blobs_with_sources_that_are_there),
		cmocka_unit_test(tells_a_lock_from_a_manifest),
		cmocka_unit_test(yaml_that_says_the_same_is_read),
		cmocka_unit_test(finds_among_a_hundred_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
