/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../../bundler/carry.h"

static struct err e;

static const char manifest[] =
	"apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: m, version: '1'}\n"
	"files: [{name: one, path: a}, {name: two, path: b}]\n"
	"git: [{name: apps, url: 'https://h.example/a.git', refs: [main]}, {name: docs, url: 'https://h.example/d.git', refs: [main]}]\n";

/* One site's steps: documents of one line each. */
static void read_steps(const char *text, struct steps *out)
{
	auto_helm_objects struct helm_objects objects = { 0 };
	auto_json json_t *docs = ydoc_parse_all(text, strlen(text), &ydoc_rendered, "steps", &e);
	size_t i;
	json_t *o;

	assert_non_null(docs);
	json_array_foreach(docs, i, o) {
		GROW(objects.items, objects.n);
		objects.items[objects.n++] = (struct helm_object){ .object = json_incref(o), .source = xstrdup("t.yaml") };
	}
	assert_ok(steps_parse(&objects, out, &e), e);
}

#define CARRY(block) "{apiVersion: airgap/v1, kind: Carry, metadata: {name: c}, carry: {" block "}}\n"
#define MORE(block)  "---\n{apiVersion: airgap/v1, kind: Carry, metadata: {name: d}, carry: {" block "}}\n"
#define APPLY(file)  "---\n{apiVersion: airgap/v1, kind: Apply, metadata: {name: a}, apply: {file: " file "}}\n"

#define RUN(file) \
	"---\n{apiVersion: airgap/v1, kind: Run, metadata: {name: r}, run: {where: host, command: [a], files: {" file ": f}}}\n"

/* What is carried of the manifest, "|", what is told to be left out; or the error. */
static char *carried(const struct manifest *m, const char *first, const char *second, bool given)
{
	CLEANUP(carry_release) struct carry c = { 0 };
	const char *sites[] = { first, second };
	auto_strv struct strv out = { 0 };

	err_clear(&e);
	for (size_t i = 0; i < 2 && sites[i]; i++) {
		auto_steps struct steps s = { 0 };

		read_steps(sites[i], &s);
		if (carry_read(&c, m, &s, given, &e) < 0)
			return xstrdup(e.msg);
	}
	for (size_t i = 0; i < m->n_files; i++)
		if (carry_wants(&c, CARRY_FILES, m->files[i].name))
			strv_push(&out, m->files[i].name);
	for (size_t i = 0; i < m->n_git; i++)
		if (carry_wants(&c, CARRY_GIT, m->git[i].name))
			strv_push(&out, m->git[i].name);
	strv_push(&out, "|");
	for (size_t i = 0; i < json_array_size(c.left_out); i++) {
		json_t *x = json_array_get(c.left_out, i);
		const char *file = jdoc_text(x, "file", NULL), *git = jdoc_text(x, "git", NULL);

		strv_pushf(&out, "%s", file ? file : git);
	}
	return strv_join(&out, " ");
}

/* Nothing is lost that some site may need, and what is left out is told. */
TEST(takes_what_steps_name)
{
	static const struct { const char *first, *second; bool given; const char *wanted; } table[] = {
		{ NULL, NULL, false, "one two apps docs |" },
		{ CARRY("files: [one]"), NULL, true, "one apps docs | two" },
		{ CARRY("files: [one]"), NULL, false, "one two apps docs |" },
		{ CARRY("files: []"), NULL, true, "apps docs | one two" },
		{ CARRY("files: null"), NULL, true, "one two apps docs |" },
		{ CARRY("charts: [x]"), NULL, true, "one two apps docs |" },
		{ CARRY("files: [one], git: [docs]"), NULL, true, "one docs | two apps" },
		{ CARRY("files: [one]") MORE("files: [two]"), NULL, true, "one two apps docs |" },
		{ CARRY("files: []") APPLY("two"), NULL, true, "two apps docs | one" },
		{ APPLY("two"), NULL, true, "one two apps docs |" },
		{ CARRY("files: []") RUN("two"), NULL, true, "two apps docs | one" },
		/* two sites: the union; one that says nothing of a list needs all of it */
		{ CARRY("files: [one]"), CARRY("files: [two], git: []"), true, "one two apps docs |" },
		{ CARRY("files: [one], git: [apps]"), CARRY("files: [], git: []"), true, "one apps | two docs" },
		{ CARRY("files: [one]"), APPLY("two"), true, "one two apps docs |" },
		{ CARRY("files: [ome]"), NULL, true, "Carry/c: file 'ome': is not in the manifest: did you mean 'one'?" },
		{ CARRY("git: [zzzzzz]"), NULL, false, "Carry/c: git 'zzzzzz': is not in the manifest" },
		{ CARRY("packages: [x]"), NULL, true, "Carry/c: packages 'x': is not in the manifest" },
		{ APPLY("three"), NULL, true, "Apply/a: file 'three': is not in the manifest" },
	};
	auto_manifest struct manifest m = { 0 };

	assert_ok(manifest_parse(manifest, strlen(manifest), "m.yaml", &m, &e), e);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_free char *got = carried(&m, table[i].first, table[i].second, table[i].given);

		assert_string_equal(got, table[i].wanted);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_steps_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
