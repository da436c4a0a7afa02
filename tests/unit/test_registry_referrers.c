/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "served.h"

#include <airgap/oci.h>
#include <airgap/pool.h>
#include <airgap/registry.h>

#define D(c) "sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define ENTRY(c) "{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"" D(c) "\",\"size\":5,\"artifactType\":\"a/" c "\"}"
#define PAGE(entries) "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\",\"manifests\":[" entries "]}"
#define EMPTY "Docker-Content-Digest: sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\r\n"
#define TYPE "Content-Type: " OCI_INDEX "; charset=utf-8\r\n"

static struct err e;
static struct served server;
static struct http_client *http;
static struct registry *registry;
static _Atomic unsigned asked_api, asked_tags;
static const char *mode;                /* what the server is like */

static void answer_pages(const struct asked *a, struct buf *out)
{
	if (!strstr(a->target, "?page=2"))
		served_text(out, 200, TYPE "Link: </v2/a/referrers/x?page=2>; rel=\"next\"\r\n", PAGE(ENTRY("1") "," ENTRY("2")));
	else
		served_text(out, 200, TYPE, PAGE(ENTRY("3")));
}

static void answer_referrers(const struct asked *a, struct buf *out)
{
	asked_api++;
	if (str_eq(mode, "pages"))
		answer_pages(a, out);
	else if (str_eq(mode, "endless"))
		served_text(out, 200, TYPE "Link: <?again=1>; rel=\"next\"\r\n", PAGE(""));
	else if (str_eq(mode, "elsewhere"))
		served_text(out, 200, TYPE "Link: <http://127.0.0.1:9/x>; rel=\"next\"\r\n", PAGE(ENTRY("1")));
	else if (str_eq(mode, "html"))
		served_text(out, 200, "Content-Type: text/html\r\n", "<html>hello</html>");
	else if (str_eq(mode, "broken"))
		served_text(out, 200, TYPE, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":1}]}");
	else
		served_text(out, atoi(mode), "", "no");
}

/* Three pages of two; the tags that are looked for are on the second. */
static void answer_tags(const struct asked *a, struct buf *out)
{
	asked_tags++;
	if (str_eq(mode, "unsorted"))
		served_text(out, 200, strstr(a->target, "p=2") ? "" : "Link: </v2/a/tags/list?p=2>; rel=\"next\"\r\n",
			    strstr(a->target, "p=2") ? "{\"tags\":[\"sha256-1.sig\",\"a\"]}" : "{\"tags\":[\"z\",\"b\"]}");
	else if (strstr(a->target, "p=3"))
		served_text(out, 200, "", "{\"tags\":[\"v1\",\"v2\"]}");
	else if (strstr(a->target, "p=2"))
		served_text(out, 200, "Link: </v2/a/tags/list?p=3>; rel=\"next\"\r\n", "{\"tags\":[\"sha256-1.sig\",\"stable\"]}");
	else
		served_text(out, 200, "Link: </v2/a/tags/list?p=2>; rel=\"next\"\r\n", "{\"tags\":[\"1.0\",\"latest\"]}");
}

static void answer(const struct asked *a, struct buf *out)
{
	if (strstr(a->target, "/referrers/"))
		answer_referrers(a, out);
	else if (strstr(a->target, "/tags/list"))
		answer_tags(a, out);
	else
		served_text(out, 201, str_eq(mode, "pages") ? EMPTY "OCI-Subject: " D("7") "\r\n" : EMPTY "OCI-Subject: " D("8") "\r\n", "");
}

static int set_up(void **state)
{
	struct http_options h = { .tries = 2, .backoff_ms = 5 };
	struct registry_options o = { .plain_http = true };

	err_clear(&e);
	asked_api = asked_tags = 0;
	mode = "pages";
	served_start(&server, answer);

	auto_free char *host = xasprintf("127.0.0.1:%u", server.port);

	http = http_new(&h, &e);
	registry = registry_open(http, host, &o, &e);
	return registry ? 0 : -1;
}

static int tear_down(void **state)
{
	registry_close(registry);
	http_free(http);
	served_stop(&server);
	return 0;
}

static struct digest digest(const char *text)
{
	struct digest d;

	assert_true(digest_parse(text, &d));
	return d;
}

TEST(all_pages_are_read)
{
	auto_oci_index struct oci_index ix = { 0 };
	struct digest d = digest(D("7"));

	assert_int_equal(registry_referrers(registry, "a", &d, &ix, &e), 1);
	assert_int_equal(ix.n_manifests, 3);
	assert_string_equal(ix.manifests[2].artifact_type, "a/3");
	assert_int_equal(asked_api, 2);
}

static int ask(void *ctx, unsigned worker, size_t i, struct err *why)
{
	auto_oci_index struct oci_index ix = { 0 };
	struct digest d = digest(D("7"));

	return registry_referrers(registry, "a", &d, &ix, why) == *(int *)ctx ? 0 : err_set(why, ERR_BUG, "another answer");
}

TEST(a_registry_without_it_is_asked_once)
{
	static const char *const modes[] = { "404", "405", "403", "400", "501", "html" };
	int there = 0;

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		mode = modes[i];
		assert_ok(pool_each(8, 32, ask, &there, &e), e);
		if (asked_api != 1)
			fail_msg("%s: asked %u times", mode, asked_api);
		tear_down(state);
		assert_int_equal(set_up(state), 0);
	}
}

TEST(one_with_it_is_asked_by_all)
{
	int there = 1;

	assert_ok(pool_each(8, 32, ask, &there, &e), e);
	assert_int_equal(asked_api, 64);
}

TEST(trouble_is_no_answer)
{
	static const struct { const char *mode; enum err_code code; } cases[] = {
		{ "500", ERR_NETWORK }, { "429", ERR_RATE }, { "broken", ERR_MALFORMED }, { "elsewhere", ERR_REDIRECT }, { "endless", ERR_PROTOCOL },
	};
	struct digest d = digest(D("7"));

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct oci_index ix = { 0 };

		mode = cases[i].mode;
		if (registry_referrers(registry, "a", &d, &ix, &e) != -1 || e.code != cases[i].code || ix.manifests)
			fail_msg("%s: %d %s", mode, e.code, e.msg);
	}
	mode = "pages";
	assert_err(registry_referrers(registry, "A b", &d, &(struct oci_index){ 0 }, &e), e, ERR_UNSAFE);
}

TEST(the_registry_says_whether_it_lists_what_it_took)
{
	struct digest d = digest(D("7"));
	bool linked = false;

	assert_ok(registry_referrer_put(registry, "a", &d, OCI_MANIFEST, "{}", 2, &linked, &e), e);
	assert_true(linked);
	mode = "404";
	assert_ok(registry_referrer_put(registry, "a", &d, OCI_MANIFEST, "{}", 2, &linked, &e), e);
	assert_false(linked);
}

TEST(tags_are_read_as_far_as_they_matter)
{
	auto_strv struct strv some = { 0 }, cut = { 0 }, unsorted = { 0 };

	assert_int_equal(registry_tags_prefix(registry, "a", "sha256-", 5, &some, &e), 1);
	assert_int_equal(some.n, 1);
	assert_string_equal(some.items[0], "sha256-1.sig");
	assert_int_equal(asked_tags, 2);
	assert_int_equal(registry_tags_prefix(registry, "a", "sha256-", 1, &cut, &e), 2);
	assert_int_equal(cut.n, 0);
	mode = "unsorted";
	assert_int_equal(registry_tags_prefix(registry, "a", "sha256-", 5, &unsorted, &e), 1);
	assert_int_equal(unsorted.n, 1);
}

TEST(the_fallback_tag_is_the_digest)
{
	struct digest d = digest(D("7"));
	auto_free char *tag = registry_referrers_tag(&d);

	assert_int_equal(strlen(tag), 71);
	assert_true(str_starts(tag, "sha256-777"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_pages_are_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_registry_without_it_is_asked_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_with_it_is_asked_by_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(trouble_is_no_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_registry_says_whether_it_lists_what_it_took, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tags_are_read_as_far_as_they_matter, set_up, tear_down),
		cmocka_unit_test(the_fallback_tag_is_the_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
