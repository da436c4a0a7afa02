/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/schema_hint.h>

static const char site[] =
	"apiVersion: airgap/v1\n"
	"registry:\n"
	"  hots: x\n"
	"profile: nonrot\n"
	"releases:\n"
	"  web: {nam: a}\n"
	"list:\n"
	"  - a: 1\n"
	"profiles: x\n";

static const char schema_text[] =
	"{\"properties\": {\"registry\": {\"properties\": {\"host\": {}, \"push\": {}}}, \"profile\": {}, \"releases\":"
	" {\"properties\": {\"web\": {\"$ref\": \"#/definitions/release\"}}}},"
	" \"definitions\": {\"release\": {\"properties\": {\"name\": {}, \"namespace\": {}}}}}";

#define HEAD "helm template site: values don't meet the specifications of the schema(s) in the following chart(s): demo: "

TEST(says_it_in_terms_of_the_file)
{
	static const struct { const char *message, *want; } cases[] = {
		{ HEAD "- at '/registry': additional properties 'hots' not allowed",
		  "site.yaml:3: registry: unknown key 'hots': did you mean 'host'?" },
		{ HEAD "- at '': additional properties 'profiles', 'x' not allowed",
		  "site.yaml:9: unknown key 'profiles': did you mean 'profile'?" },
		{ HEAD "- at '/profile': value must be one of 'a', 'b' - at '/registry': additional properties 'hots' not allowed",
		  "site.yaml:4: profile: value must be one of 'a', 'b'" },
		{ HEAD "- at '/releases/web': additional properties 'nam' not allowed",
		  "site.yaml:6: releases.web: unknown key 'nam': did you mean 'name'?" },
		{ HEAD "- at '/list/0/a': got number, want string", "site.yaml:8: list.0.a: got number, want string" },
		{ HEAD "- (root): Additional property profiles is not allowed",
		  "site.yaml:9: unknown key 'profiles': did you mean 'profile'?" },
		{ HEAD "- registry: Additional property hots is not allowed - profile: must be one of",
		  "site.yaml:3: registry: unknown key 'hots': did you mean 'host'?" },
		{ HEAD "- at '/nothing': got number, want string", NULL },
		{ HEAD "- at '/registry': additional properties 'none' not allowed", NULL },
		{ HEAD, NULL },
		{ "helm template site: execution error at (s/templates/a.yaml:1:2): registry.ca: missing: write it  Use --debug flag to x",
		  "site.yaml:2: registry.ca: missing: write it" },
		{ "execution error at (a): list: is empty", "site.yaml:7: list: is empty" },
		{ "execution error at (a): nothing.of.it: is there\n", "site.yaml: nothing.of.it: is there" },
		{ "execution error at (a) and no more", NULL },
		{ "", NULL },
	};
	auto_ydoc_marks struct ydoc_marks *marks = NULL;
	struct err e = { 0 };
	auto_json json_t *doc = ydoc_parse(site, strlen(site), &ydoc_user, "site.yaml", &marks, &e);
	auto_json json_t *schema = jdoc_parse(schema_text, strlen(schema_text), 4096, "schema", &e);

	assert_non_null(doc);
	assert_non_null(schema);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *got = schema_hint("site.yaml", doc, marks, schema, cases[i].message);

		if (!str_eq(got, cases[i].want))
			fail_msg("'%s', not '%s'", got ? got : "nothing", cases[i].want ? cases[i].want : "nothing");
	}
}

TEST(needs_no_schema)
{
	auto_ydoc_marks struct ydoc_marks *marks = NULL;
	struct err e = { 0 };
	auto_json json_t *doc = ydoc_parse(site, strlen(site), &ydoc_user, "site.yaml", &marks, &e);
	auto_free char *got = schema_hint("s", doc, marks, NULL, HEAD "- at '/registry': additional properties 'hots' not allowed");

	assert_string_equal(got, "s:3: registry: unknown key 'hots'");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_it_in_terms_of_the_file),
		cmocka_unit_test(needs_no_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
