/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/provenance.h>

#define SHA  "sha256:0f0f071f516c26df04e84e664d4f4dd95c6be26b85b5c64fb75122266abb0e77"
#define HEAD "apiVersion: v2\nname: web\nversion: 1.10\n"
#define FILES "files:\n  web-1.10.tgz: " SHA "\n"

static struct err e;

TEST(reads_what_helm_writes)
{
	static const char *const texts[] = { HEAD "\n...\n" FILES, HEAD "description: '...'\n...\n" FILES,
					     "name: web\nversion: 1.10\n...\nfiles: {web-1.10.tgz: " SHA "}\nimages: {}\n" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		auto_provenance struct provenance p = { 0 };
		char digest[DIGEST_TEXT];

		assert_ok(provenance_parse(texts[i], strlen(texts[i]), &p, &e), e);
		assert_string_equal(p.name, "web");
		assert_string_equal(p.version, "1.10");
		assert_string_equal(p.file, "web-1.10.tgz");
		assert_string_equal(digest_text(&p.archive, digest), SHA);
	}
}

TEST(refuses_what_is_none)
{
	static const char *const texts[] = {
		"", "...", "...\n", HEAD, HEAD "...", HEAD FILES, "...\n" FILES, HEAD "...\n", HEAD "...\nfiles: {}\n", HEAD "...\nfiles: []\n",
		HEAD "...\nfiles: x\n", HEAD "...\nfiles: {a.tgz: 1}\n", HEAD "...\nfiles: {a.tgz: sha256:00}\n",
		HEAD "...\nfiles: {a.tgz: {b: " SHA "}}\n", HEAD "...\n" FILES "  other.tgz: " SHA "\n", "name: web\n...\n" FILES, "version: 1\n...\n" FILES,
		"name: [web]\nversion: 1\n...\n" FILES, "- a\n...\n" FILES, HEAD "...\n- a\n", "\t\n...\n" FILES, HEAD "...\n{\n",
		HEAD "...\nfiles: {web-1.10.tgz: md5:0f0f071f516c26df04e84e664d4f4dd9}\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		auto_provenance struct provenance p = { 0 };

		if (provenance_parse(texts[i], strlen(texts[i]), &p, &e) == 0)
			fail_msg("'%s' was taken", texts[i]);
		assert_true(e.code == ERR_MALFORMED || e.code == ERR_LIMIT);
		assert_null(p.name);
	}
}

TEST(refuses_a_flood)
{
	size_t n = PROVENANCE_MAX + 100;
	auto_free char *text = xmalloc(n);
	auto_provenance struct provenance p = { 0 };

	memset(text, '#', n);
	memcpy(text + n - 4, "\n...\n" FILES, 4);
	assert_err(provenance_parse(text, n, &p, &e), e, ERR_MALFORMED);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_helm_writes),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(refuses_a_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
