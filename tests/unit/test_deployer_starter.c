/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "deployer/starter.h"

#include <airgap/yaml.h>

static const char schema[] =
	"{\"title\": \"Site file of a test\", \"definitions\": {\"name\": {\"type\": \"string\"}}, \"properties\": {"
	"\"registry\": {\"type\": \"object\", \"properties\": {"
	"  \"host\": {\"type\": \"string\", \"description\": \"Where the nodes pull.\", \"x-ask\": \"Which registry?\"},"
	"  \"prefix\": {\"type\": \"string\"}}},"
	"\"domain\": {\"type\": \"string\", \"x-ask\": \"Which domain?\"},"
	"\"pools\": {\"type\": \"array\", \"x-ask\": \"Which addresses?\"},"
	"\"mode\": {\"enum\": [\"one\", \"two\"], \"x-ask\": \"How?\"},"
	"\"size\": {\"type\": \"integer\"}, \"enabled\": {\"type\": \"boolean\"},"
	"\"release\": {\"$ref\": \"#/definitions/name\"}}}";
static const char values[] = "# a remark\ndomain: \"\"\nsize: 3\n";

static json_t *written(const struct starter *s, const char **text, struct buf *out)
{
	struct err e = { 0 };

	starter_write(s, out);
	*text = buf_str(out);

	json_t *j = ydoc_parse(out->ptr, out->len, &ydoc_user, "site.yaml", NULL, &e);

	assert_non_null(j);
	return j;
}

TEST(answers_become_a_site_file_that_reads_back)
{
	auto_starter struct starter s = { 0 };
	auto_buf struct buf out = BUF_INIT(STARTER_MAX);
	struct err e = { 0 };
	const char *text;

	assert_ok(starter_open(&s, schema, strlen(schema), values, &e), e);
	assert_int_equal(s.n, 4);
	assert_string_equal(s.keys[0].path, "registry.host");
	assert_ok(starter_set(&s, "registry.host=reg.site:5000", &e), e);
	assert_ok(starter_set(&s, "registry.prefix=a: b", &e), e);
	assert_ok(starter_set(&s, "pools=10.0.0.1-10.0.0.9, 10.0.1.0/24", &e), e);
	assert_ok(starter_set(&s, "size=7", &e), e);
	assert_ok(starter_set(&s, "enabled=yes", &e), e);
	assert_ok(starter_set(&s, "release=x", &e), e);

	auto_json json_t *j = written(&s, &text, &out);

	assert_string_equal(jdoc_text(j, "registry", "host", NULL), "reg.site:5000");
	assert_string_equal(jdoc_text(j, "registry", "prefix", NULL), "a: b");
	assert_string_equal(json_string_value(json_array_get(json_object_get(j, "pools"), 1)), "10.0.1.0/24");
	assert_int_equal(json_integer_value(json_object_get(j, "size")), 7);
	assert_true(json_is_true(json_object_get(j, "enabled")));
	assert_string_equal(jdoc_text(j, "domain", NULL), "");
	assert_non_null(strstr(text, "# Site file of a test\n"));
	assert_non_null(strstr(text, "  # Where the nodes pull.\n  host: \"reg.site:5000\"\n"));
	assert_non_null(strstr(text, "domain: \"\"        # fill in"));
	assert_non_null(strstr(text, "# # a remark\n# domain: \"\"\n# size: 3\n"));
}

TEST(refuses_what_the_schema_does_not_know)
{
	static const struct { const char *set, *why; } cases[] = {
		{ "domain", "write KEY=VALUE" },
		{ "domian=x", "domian: a site file has no key 'domian': did you mean domain" },
		{ "registry.hots=x", "registry.hots: a site file has no key 'hots': did you mean host" },
		{ "registry.host.x=y", "no key 'x'" },
		{ "mode=three", "mode: 'three': use one of one, two" },
		{ "size=many", "size: 'many' is no integer" },
		{ "enabled=maybe", "enabled: 'maybe' is no boolean" },
		{ "registry=x", "registry: 'x' is no object" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_starter struct starter s = { 0 };
		struct err e = { 0 };

		assert_ok(starter_open(&s, schema, strlen(schema), values, &e), e);
		assert_err(starter_set(&s, cases[i].set, &e), e, ERR_USAGE);
		if (!strstr(e.msg, cases[i].why))
			fail_msg("%s", e.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_become_a_site_file_that_reads_back),
		cmocka_unit_test(refuses_what_the_schema_does_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
