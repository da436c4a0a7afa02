/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/decode.h>

struct source_entry { char *repository; bool plain; };
static const struct field source_fields[] = {
	F_STR(struct source_entry, repository, "repository", F_REQUIRED),
	F_BOOL(struct source_entry, plain, "plainHTTP", 0),
	{ 0 }
};
static const struct type source_type = TYPE(struct source_entry, source_fields);

struct host { char *name, *username; };
static const struct field host_fields[] = {
	F_STR(struct host, username, "username", 0),
	{ 0 }
};
static const struct type host_type = TYPE_KEYED(struct host, host_fields, name);

struct about { char *name; uint64_t sequence; };
static const struct field about_fields[] = {
	F_STR(struct about, name, "name", F_REQUIRED),
	F_U64(struct about, sequence, "sequence", 0),
	{ 0 }
};
static const struct type about_type = TYPE(struct about, about_fields);

static const char *const modes[] = { "existing", "serve", "install", NULL };

struct chart { char *name, *version; struct strv values; };
static const struct field chart_fields[] = {
	F_STR(struct chart, name, "name", F_REQUIRED),
	F_STR(struct chart, version, "version", F_ALIAS_SCALAR),
	F_STRV(struct chart, values, "values", F_ALIAS_SCALAR),
	{ 0 }
};
static const struct type chart_type = TYPE(struct chart, chart_fields);

struct doc {
	struct about about;
	struct chart *charts;
	size_t n_charts;
	struct host *hosts;
	size_t n_hosts;
	struct source_entry *sources;
	size_t n_sources;
	struct strv tags;
	struct digest digest;
	bool on;
	int mode;
	json_t *rest;
};
static const struct field doc_fields[] = {
	F_OBJ(struct doc, about, "metadata", about_type, F_REQUIRED),
	F_LIST(struct doc, charts, n_charts, "charts", chart_type, 0),
	F_MAP(struct doc, hosts, n_hosts, "hosts", host_type, 0),
	F_LIST(struct doc, sources, n_sources, "sources", source_type, 0),
	F_STRV(struct doc, tags, "tags", 0),
	F_DIGEST(struct doc, digest, "digest", 0),
	F_BOOL(struct doc, on, "on", 0),
	F_ENUM(struct doc, mode, "mode", modes, 0),
	F_JSON(struct doc, rest, "rest", 0),
	{ 0 }
};
static const struct type doc_type = TYPE(struct doc, doc_fields);
static const struct type open_type = TYPE_FLAGS(struct doc, doc_fields, TYPE_OPEN);

static int decode_text(const struct type *t, const char *text, struct doc *out, struct err *e)
{
	struct ydoc_marks *m = NULL;
	json_t *j = ydoc_parse(text, strlen(text), &ydoc_user, "bundle.yaml", &m, e);

	if (!j)
		fail_msg("%s", e->msg);

	int r = decode(t, j, m, "bundle.yaml", out, e);

	json_decref(j);
	ydoc_marks_free(m);
	return r;
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char whole[] =
	"metadata: {name: demo, sequence: 7}\n"
	"charts:\n"
	"- {name: a, version: \"1.10\", values: [v.yaml, w.yaml]}\n"
	"- {name: b, version: 2, values: v.yaml}\n"
	"hosts:\n"
	"  z.example: {username: u}\n"
	"  a.example:\n"
	"sources: [{repository: r, plainHTTP: yes}]\n"
	"tags: [x]\n"
	"digest: sha256:" HEX "\n"
	"\"on\": true\n"
	"mode: install\n"
	"rest: {any: [1, null]}\n";

TEST(fills_every_kind_of_field)
{
	struct doc d;
	struct err e = { 0 };
	char hex[DIGEST_HEX];

	assert_ok(decode_text(&doc_type, whole, &d, &e), e);
	assert_string_equal(d.about.name, "demo");
	assert_int_equal(d.about.sequence, 7);
	assert_int_equal(d.n_charts, 2);
	assert_string_equal(d.charts[0].version, "1.10");
	assert_string_equal(d.charts[0].values.items[1], "w.yaml");
	assert_string_equal(d.charts[1].version, "2");
	assert_int_equal(d.charts[1].values.n, 1);
	assert_int_equal(d.n_hosts, 2);
	assert_string_equal(d.hosts[0].name, "z.example");
	assert_string_equal(d.hosts[0].username, "u");
	assert_string_equal(d.hosts[1].name, "a.example");
	assert_null(d.hosts[1].username);
	assert_true(d.sources[0].plain);
	assert_string_equal(digest_hex(&d.digest, hex), HEX);
	assert_true(d.on);
	assert_int_equal(d.mode, 2);
	assert_int_equal(json_array_size(jdoc_at(d.rest, "any", NULL)), 2);
	decode_free(&doc_type, &d);
	assert_null(d.charts);
	assert_int_equal(d.n_charts, 0);
	decode_free(&doc_type, &d);
}

TEST(what_is_encoded_decodes_to_the_same)
{
	struct doc d;
	struct err e = { 0 };

	assert_ok(decode_text(&doc_type, whole, &d, &e), e);

	auto_json json_t *j = encode(&doc_type, &d);
	auto_buf struct buf once = BUF_INIT(10000), twice = BUF_INIT(10000);

	decode_free(&doc_type, &d);
	assert_ok(jdoc_dump(j, &once, &e), e);
	assert_ok(decode(&doc_type, j, NULL, "j", &d, &e), e);

	auto_json json_t *again = encode(&doc_type, &d);

	assert_ok(jdoc_dump(again, &twice, &e), e);
	assert_string_equal(buf_str(&once), buf_str(&twice));
	assert_string_equal(buf_str(&once),
		"{\"charts\":[{\"name\":\"a\",\"values\":[\"v.yaml\",\"w.yaml\"],\"version\":\"1.10\"},{\"name\":\"b\",\"values\":"
		"[\"v.yaml\"],\"version\":\"2\"}],\"digest\":\"sha256:" HEX "\",\"hosts\":{\"a.example\":{},\"z.example\":"
		"{\"username\":\"u\"}},\"metadata\":{\"name\":\"demo\",\"sequence\":7},\"mode\":\"install\",\"on\":true,\"rest\":{\"any\":"
		"[1,null]},\"sources\":[{\"plainHTTP\":true,\"repository\":\"r\"}],\"tags\":[\"x\"]}");
	decode_free(&doc_type, &d);
}

TEST(defaults_are_left_out)
{
	struct doc d = { 0 };
	struct err e = { 0 };
	auto_buf struct buf b = BUF_INIT(1000);
	auto_json json_t *j = encode(&doc_type, &d);

	assert_ok(jdoc_dump(j, &b, &e), e);
	assert_string_equal(buf_str(&b), "{\"metadata\":{}}");
}

TEST(errors_name_file_line_path_and_the_nearest_key)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "metadata: {name: x}\ncharts:\n- name: a\n- name: b\n  verison: 1\n",
		  "bundle.yaml:5: charts[1]: unknown key 'verison': did you mean 'version'?" },
		{ "metadata: {name: x}\nchart: []\n", "bundle.yaml:2: unknown key 'chart': did you mean 'charts'?" },
		{ "metadata: {name: x}\nentirely: 1\n", "bundle.yaml:2: unknown key 'entirely'" },
		{ "metadata:\n  sequence: 1\n", "bundle.yaml:1: metadata: 'name' is missing" },
		{ "metadata: {name: }\n", "bundle.yaml:1: metadata: 'name' is missing" },
		{ "\n\"on\": yes\n", "bundle.yaml:2: 'metadata' is missing" },
		{ "metadata: {name: x}\ncharts:\n- version: 1\n", "bundle.yaml:3: charts[0]: 'name' is missing" },
		{ "metadata:\n  name: [1]\n", "bundle.yaml:2: metadata.name: must be a string, not a list" },
		{ "metadata:\n  name: 5\n", "bundle.yaml:2: metadata.name: must be a string, not a number" },
		{ "metadata: {name: x}\ncharts:\n- name: a\n  version: 1.10\n",
		  "bundle.yaml:4: charts[0].version: must be a string: write the number in quotes" },
		{ "metadata: []\n", "bundle.yaml:1: metadata: must be a map, not a list" },
		{ "metadata: {name: x}\ncharts: {}\n", "bundle.yaml:2: charts: must be a list, not a map" },
		{ "metadata: {name: x}\ncharts: [1]\n", "bundle.yaml:2: charts[0]: must be a map, not a number" },
		{ "metadata: {name: x}\ncharts: [~]\n", "bundle.yaml:2: charts[0]: must be a map, not nothing" },
		{ "metadata: {name: x}\nhosts: [a]\n", "bundle.yaml:2: hosts: must be a map, not a list" },
		{ "metadata: {name: x}\nhosts:\n  a.b:\n    user: u\n",
		  "bundle.yaml:4: hosts.a.b: unknown key 'user'" },
		{ "metadata: {name: x}\ntags: x\n", "bundle.yaml:2: tags: must be a list of strings, not a string" },
		{ "metadata: {name: x}\ntags:\n- a\n- 1\n", "bundle.yaml:4: tags[1]: must be a string, not a number" },
		{ "metadata: {name: x}\n\"on\": 1\n", "bundle.yaml:2: on: must be true or false, not a number" },
		{ "metadata: {name: x, sequence: -1}\n", "bundle.yaml:1: metadata.sequence: must not be negative" },
		{ "metadata: {name: x, sequence: 1.5}\n", "bundle.yaml:1: metadata.sequence: must be a whole number, not a number" },
		{ "metadata: {name: x, sequence: 9223372036854775808}\n",
		  "bundle.yaml:1: metadata.sequence: must be a whole number, not a number" },
		{ "metadata: {name: x}\nmode: serv\n", "bundle.yaml:2: mode: 'serv' is none of: existing, serve, install" },
		{ "metadata: {name: x}\nmode: 1\n", "bundle.yaml:2: mode: must be a string, not a number" },
		{ "metadata: {name: x}\ndigest: sha256:ABC\n",
		  "bundle.yaml:2: digest: must be a digest: sha256: and 64 lower-case hex digits" },
		{ "- a\n", "bundle.yaml:1: must be a map, not a list" },
		{ "", "bundle.yaml: must be a map, not nothing" },
		{ "just text", "bundle.yaml:1: must be a map, not a string" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct doc d;
		struct err e = { 0 };

		assert_err(decode_text(&doc_type, cases[i].text, &d, &e), e, ERR_MALFORMED);
		if (strcmp(e.msg, cases[i].want) != 0)
			fail_msg("%s\nsays %s\nnot  %s", cases[i].text, e.msg, cases[i].want);
		assert_null(d.about.name);
		assert_null(d.charts);
	}
}

TEST(an_open_type_passes_over_what_it_does_not_know)
{
	struct doc d;
	struct err e = { 0 };

	assert_ok(decode_text(&open_type, "metadata: {name: x}\nother: {a: [1]}\n", &d, &e), e);
	decode_free(&open_type, &d);
	assert_err(decode_text(&open_type, "metadata: {name: x, other: 1}\n", &d, &e), e, ERR_MALFORMED);
}

TEST(without_marks_there_is_a_path_but_no_line)
{
	struct doc d;
	struct err e = { 0 };
	auto_json json_t *j = jdoc_parse("{\"metadata\":{\"name\":1}}", 23, 100, "j", &e);

	assert_err(decode(&doc_type, j, NULL, "lock.json", &d, &e), e, ERR_MALFORMED);
	assert_string_equal(e.msg, "lock.json: metadata.name: must be a string, not a number");
}

TEST(entries_of_a_map_stay_in_the_order_of_the_text)
{
	struct doc d;
	struct err e = { 0 };
	const char *const want[] = { "m", "c", "x", "a" };

	assert_ok(decode_text(&doc_type, "metadata: {name: x}\nhosts: {m: {}, c: {}, x: {}, a: {}}\n", &d, &e), e);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_string_equal(d.hosts[i].name, want[i]);
	decode_free(&doc_type, &d);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_every_kind_of_field),
		cmocka_unit_test(what_is_encoded_decodes_to_the_same),
		cmocka_unit_test(defaults_are_left_out),
		cmocka_unit_test(errors_name_file_line_path_and_the_nearest_key),
		cmocka_unit_test(an_open_type_passes_over_what_it_does_not_know),
		cmocka_unit_test(without_marks_there_is_a_path_but_no_line),
		cmocka_unit_test(entries_of_a_map_stay_in_the_order_of_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
