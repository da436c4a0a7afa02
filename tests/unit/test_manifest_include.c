/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../../lib/manifest_merge.h"

#include <airgap/fs.h>
#include <airgap/manifest.h>

#include <unistd.h>

#define HEAD "apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: demo, version: 1.0.0}\n"

static struct err e;
static char *dir, *before;

static int enter_dir(void **state)
{
	err_clear(&e);
	before = getcwd(NULL, 0);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	return chdir(dir);
}

static int leave_dir(void **state)
{
	int r = chdir(before);

	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	free(TAKE(before));
	return r;
}

static void write_file(const char *name, const char *text)
{
	auto_free char *parent = fs_dirname(name);

	assert_ok(fs_make_dirs(parent, 0700, &e), e);
	assert_ok(fs_save(name, text, strlen(text), 0600, &e), e);
}

/* The whole of main.yaml with a.yaml, sub/b.yaml and an overlay, as canonical JSON without the head; or the error. */
static char *merged(const char *main, const char *a, const char *b, const char *over)
{
	auto_manifest_doc struct manifest_doc d = { 0 };
	auto_strv struct strv overlays = { 0 };
	auto_buf struct buf out = BUF_INIT(1u << 20);

	write_file("main.yaml", main);
	if (a)
		write_file("a.yaml", a);
	if (b)
		write_file("sub/b.yaml", b);
	if (over) {
		write_file("over/o.yaml", over);
		strv_push(&overlays, "over/o.yaml");
	}
	err_clear(&e);
	if (manifest_doc_load("main.yaml", &overlays, &d, &e) < 0)
		return xstrdup(e.msg);
	json_object_del(d.doc, "include");
	assert_ok(jdoc_dump(d.doc, &out, &e), e);
	return buf_take(&out);
}

/* Entries of a list keep the place they had first; the file that includes wins. */
TEST(merges_key_by_key)
{
	static const struct { const char *main, *a, *b, *over, *wanted; } table[] = {
		{ "site: x", NULL, NULL, NULL, "{\"site\":\"x\"}" },
		{ "include: a.yaml\nsite: x", "site: w\nplatforms: [p]", NULL, NULL, "{\"platforms\":[\"p\"],\"site\":\"x\"}" },
		{ "include: [a.yaml, sub/b.yaml]", "site: w", "site: z", NULL, "{\"site\":\"z\"}" },
		{ "include: [a.yaml]", "include: [sub/b.yaml]\nsite: w", "site: z\nplatforms: [q]", NULL,
		  "{\"platforms\":[\"q\"],\"site\":\"w\"}" },
		{ "site: x", NULL, NULL, "site: o", "{\"site\":\"o\"}" },
		{ "include: a.yaml\nkubernetes: {version: '2'}", "kubernetes: {version: '1', apiVersions: [v1]}", NULL, NULL,
		  "{\"kubernetes\":{\"apiVersions\":[\"v1\"],\"version\":\"2\"}}" },
		{ "include: a.yaml\naliases: {x: z}", "aliases: {x: u, v: w}", NULL, NULL, "{\"aliases\":{\"v\":\"w\",\"x\":\"z\"}}" },
		{ "include: a.yaml\naliases: {x: null}", "aliases: {x: u, v: w}", NULL, NULL, "{\"aliases\":{\"v\":\"w\"}}" },
		{ "include: a.yaml\nhosts: {h: {rate: 1MiB}}", "hosts: {h: {plainHTTP: true}, i: {token: env:T}}", NULL, NULL,
		  "{\"hosts\":{\"h\":{\"plainHTTP\":true,\"rate\":\"1MiB\"},\"i\":{\"token\":\"env:T\"}}}" },
		{ "include: a.yaml\nhosts: null", "hosts: {h: {plainHTTP: true}}", NULL, NULL, "{}" },
		{ "include: a.yaml\ncharts: [{name: b, version: '2'}, {name: c}]",
		  "charts: [{name: a}, {name: b, version: '1', repository: r}]", NULL, NULL,
		  "{\"charts\":[{\"name\":\"a\"},{\"name\":\"b\",\"repository\":\"r\",\"version\":\"2\"},{\"name\":\"c\"}]}" },
		{ "include: a.yaml\ncharts: [{name: a, remove: true}]", "charts: [{name: a}, {name: b}]", NULL, NULL,
		  "{\"charts\":[{\"name\":\"b\"}]}" },
		{ "include: a.yaml\ncharts: [{name: a, repository: null, path: p}]", "charts: [{name: a, repository: r}]", NULL, NULL,
		  "{\"charts\":[{\"name\":\"a\",\"path\":\"p\"}]}" },
		{ "include: a.yaml\ncharts: [{name: a, patch: {kubeVersion: w}, values: [w]}]",
		  "charts: [{name: a, patch: {kubeVersion: x}, values: [u, v]}]", NULL, NULL,
		  "{\"charts\":[{\"name\":\"a\",\"patch\":{\"kubeVersion\":\"w\"},\"values\":[\"w\"]}]}" },
		{ "include: a.yaml\nimages: [{ref: 'r:1', tags: [t]}, {ref: 'r:2'}]", "images: [{ref: 'r:1', platforms: [p]}]", NULL, NULL,
		  "{\"images\":[{\"platforms\":[\"p\"],\"ref\":\"r:1\",\"tags\":[\"t\"]},{\"ref\":\"r:2\"}]}" },
		{ "include: a.yaml\nfiles: [{name: f, platform: q, mode: '1'}, {name: f, mode: '2'}]",
		  "files: [{name: f, platform: p}, {name: f, platform: q}, {name: f}]", NULL, NULL,
		  "{\"files\":[{\"name\":\"f\",\"platform\":\"p\"},{\"mode\":\"1\",\"name\":\"f\",\"platform\":\"q\"},"
		  "{\"mode\":\"2\",\"name\":\"f\"}]}" },
		{ "include: a.yaml\npackages: [{name: p, suite: s}]", "packages: [{name: p, type: deb}]", NULL, NULL,
		  "{\"packages\":[{\"name\":\"p\",\"suite\":\"s\",\"type\":\"deb\"}]}" },
		{ "include: a.yaml\npython: [{name: p, index: i}]\ngit: [{name: g, refs: [b]}]",
		  "python: [{name: p, python: '3'}]\ngit: [{name: g, refs: [a], url: u}]", NULL, NULL,
		  "{\"git\":[{\"name\":\"g\",\"refs\":[\"b\"],\"url\":\"u\"}],\"python\":[{\"index\":\"i\",\"name\":\"p\",\"python\":\"3\"}]}" },
		/* two of one name in one file stay two, for the check to refuse */
		{ "include: a.yaml\ncharts: [{name: m}, {name: m}]", "site: x", NULL, NULL,
		  "{\"charts\":[{\"name\":\"m\"},{\"name\":\"m\"}],\"site\":\"x\"}" },
		{ "include: a.yaml\nplatforms: [b]\nmetadata: {audience: [z]}", "platforms: [a]\nmetadata: {audience: [x, z], name: m}",
		  NULL, NULL, "{\"metadata\":{\"audience\":[\"z\"],\"name\":\"m\"},\"platforms\":[\"b\"]}" },
		{ "include: a.yaml\ndiscover: {rules: [{env: B}, {env: A}], sites: [s]}",
		  "discover: {rules: [{env: A}, {env: C}], sites: [r], waive: [{image: i, reason: r}]}", NULL, NULL,
		  "{\"discover\":{\"rules\":[{\"env\":\"B\"},{\"env\":\"A\"},{\"env\":\"C\"}],\"sites\":[\"s\"],"
		  "\"waive\":[{\"image\":\"i\",\"reason\":\"r\"}]}}" },
		{ "include: a.yaml\ndiscover: {osTags: [{chart: x}], waive: [{image: j}]}",
		  "discover: {osTags: [{chart: z}], waive: [{image: i}, {image: j}]}", NULL, NULL,
		  "{\"discover\":{\"osTags\":[{\"chart\":\"x\"},{\"chart\":\"z\"}],\"waive\":[{\"image\":\"j\"},{\"image\":\"i\"}]}}" },
		/* another kind of value replaces; the decoder says what it should be */
		{ "include: a.yaml\ncharts: {a: b}", "charts: [{name: a}]", NULL, NULL, "{\"charts\":{\"a\":\"b\"}}" },
		{ "include: a.yaml\ncharts: [1, {nome: x}]", "charts: [2]", NULL, NULL, "{\"charts\":[2,1,{\"nome\":\"x\"}]}" },
		{ "include: a.yaml\nsite: null", "platforms: [p]", NULL, NULL, "{\"platforms\":[\"p\"],\"site\":null}" },
		{ "include: a.yaml\ncharts: [{name: a, version: '2'}]", "charts: [{name: a, version: '1'}]", NULL,
		  "charts: [{name: a, version: '3'}, {name: b}]", "{\"charts\":[{\"name\":\"a\",\"version\":\"3\"},{\"name\":\"b\"}]}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_free char *got = merged(table[i].main, table[i].a, table[i].b, table[i].over);

		assert_string_equal(got, table[i].wanted);
	}
}

/* $ is the site, @ the folder. */
static char *filled(const char *text, const char *site, const char *prefix)
{
	struct buf out = BUF_INIT(1u << 16);

	for (; *text; text++)
		if (*text == '@' || *text == '$')
			buf_puts(&out, *text == '@' ? prefix : site);
		else
			buf_putf(&out, "%c", *text);
	return buf_take(&out);
}

/* What stands in a file of another folder is meant from there. */
TEST(paths_are_of_the_folder_of_their_file)
{
	static const char keys[] =
		"site: $\n"
		"hosts: {h: {ca: ca.pem, cert: file:c, key: k, username: u, password: file:pw, token: env:T}}\n"
		"charts: [{name: a, path: charts/a, keyring: file:ring, values: [v, /w, ../x]}, {name: g, repository: 'git+file:///r', path: p}]\n"
		"images: [{ref: 'r:1', layout: l, add: [x, z]}]\n"
		"files: [{name: f, path: p}, {name: u, url: 'https://x'}]\n"
		"packages: [{name: p, keyring: file:k}, {name: q, keyring: k}]\n"
		"discover: {sites: ['examples/*.yaml']}\n";
	static const char wanted[] =
		"{\"charts\":[{\"keyring\":\"file:@ring\",\"name\":\"a\",\"path\":\"@charts/a\",\"values\":[\"@v\",\"/w\",\"@../x\"]},"
		"{\"name\":\"g\",\"path\":\"p\",\"repository\":\"git+file:///r\"}],\"discover\":{\"sites\":[\"@examples/*.yaml\"]},"
		"\"files\":[{\"name\":\"f\",\"path\":\"@p\"},{\"name\":\"u\",\"url\":\"https://x\"}],"
		"\"hosts\":{\"h\":{\"ca\":\"@ca.pem\",\"cert\":\"file:@c\",\"key\":\"@k\",\"password\":\"file:@pw\",\"token\":\"env:T\","
		"\"username\":\"u\"}},\"images\":[{\"add\":[\"@x\",\"@z\"],\"layout\":\"@l\",\"ref\":\"r:1\"}],"
		"\"packages\":[{\"keyring\":\"file:@k\",\"name\":\"p\"},{\"keyring\":\"@k\",\"name\":\"q\"}],\"site\":\"$\"}";
	const struct { const char *main, *b, *over, *site, *prefix; } table[] = {
		{ NULL, "", NULL, "there", "" },
		{ "include: sub/b.yaml", NULL, NULL, "there", "sub/" },
		{ "include: sub/b.yaml", NULL, NULL, "chart-name", "sub/" },
		{ "{}", NULL, "", "there", "over/" },
	};

	assert_ok(fs_make_dirs("sub/there", 0700, &e), e);
	assert_ok(fs_make_dirs("over/there", 0700, &e), e);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		bool is_path = strcmp(table[i].site, "there") == 0;
		auto_free char *file = filled(keys, table[i].site, ""), *got = NULL, *want = NULL;
		auto_free char *site = xasprintf("%s%s", is_path ? table[i].prefix : "", table[i].site);

		got = merged(table[i].main ? table[i].main : file, NULL, file, table[i].over ? file : NULL);
		want = filled(wanted, site, table[i].prefix);
		assert_string_equal(got, want);
	}
}

/* A path of one file in an entry that another file began. */
TEST(each_key_knows_its_own_file)
{
	auto_free char *got = merged("include: sub/b.yaml\ncharts: [{name: a, values: [mine]}]\nimages: [{ref: 'r:1', layout: mine}]",
				     NULL, "charts: [{name: a, path: theirs, values: [theirs]}]\nimages: [{ref: 'r:1', layout: theirs}]", NULL);

	assert_string_equal(got, "{\"charts\":[{\"name\":\"a\",\"path\":\"sub/theirs\",\"values\":[\"mine\"]}],"
			    "\"images\":[{\"layout\":\"mine\",\"ref\":\"r:1\"}]}");
}

/* Every message names the file and the line where the wrong thing stands. */
TEST(errors_name_the_file_of_the_key)
{
	static const struct { const char *main, *b, *over, *words; } table[] = {
		{ HEAD "include: sub/b.yaml\n", "site: x\nchorts: []\n", NULL, "sub/b.yaml:2: unknown key 'chorts': did you mean 'charts'?" },
		{ HEAD "inclide: sub/b.yaml\n", "{}", NULL, "main.yaml:4: unknown key 'inclide': did you mean 'include'?" },
		{ HEAD "include: sub/b.yaml\nsite: x\n", "charts:\n- name: a\n  verison: '1'\n", NULL,
		  "sub/b.yaml:3: charts[0]: unknown key 'verison': did you mean 'version'?" },
		{ HEAD "include: sub/b.yaml\ncharts:\n- name: a\n  verison: '1'\n", "charts: [{name: a, path: p}]\n", NULL,
		  "main.yaml:7: charts[0]: unknown key 'verison'" },
		{ HEAD "include: sub/b.yaml\ncharts:\n- {name: b, path: p}\n", "charts:\n- {name: a, path: p}\n- {name: b, version: 1.10}\n",
		  NULL, "sub/b.yaml:3: charts[1].version: must be a string" },
		{ HEAD "include: sub/b.yaml\ncharts:\n- {name: b, path: p}\n", "charts:\n- {name: a}\n", NULL,
		  "sub/b.yaml:2: charts[0] 'a': needs repository, path or sources" },
		{ HEAD "include: sub/b.yaml\ncharts:\n- {name: b}\n", "charts:\n- {name: a, path: p}\n", NULL,
		  "main.yaml:6: charts[1] 'b': needs repository, path or sources" },
		{ HEAD "include: sub/b.yaml\n", "files:\n- {path: p}\n", NULL, "sub/b.yaml:2: files[0]: 'name' is missing" },
		{ HEAD "include: sub/b.yaml\n", "hosts:\n  'h:5000':\n    password: secret\n", NULL,
		  "sub/b.yaml:2: hosts.h:5000: password: a secret in the open" },
		{ HEAD "include: sub/b.yaml\n", "aliases:\n  docker.io: 'https://x'\n", NULL, "sub/b.yaml:2: aliases.docker.io:" },
		{ HEAD "include: sub/b.yaml\n", "discover:\n  rules:\n  - {env: A, triple: [a, b, c]}\n", NULL, "sub/b.yaml:3: discover.rules[0]" },
		{ HEAD "include: sub/b.yaml\ndiscover: {rules: [{env: A}]}\n", "discover:\n  rules:\n  - {envv: B}\n", NULL,
		  "sub/b.yaml:3: discover.rules[1]: unknown key 'envv': did you mean 'env'?" },
		{ HEAD, NULL, "site: x\nplatforms: {a: b}\n", "over/o.yaml:2: platforms: must be a list" },
		{ HEAD, NULL, "metadata: {expires: soon}\n", "over/o.yaml:1: metadata.expires: 'soon': write 180d" },
		{ HEAD "charts: [{name: a, path: p}]\n", NULL, "\n\ncharts: [{name: a, repository: ftp}]\n", "give only one of" },
		{ HEAD "facts: {nodes: [{kernel: k}]}\n", NULL, "facts:\n  nodes:\n  - {kernal: k}\n",
		  "over/o.yaml:3: facts.nodes[0]: unknown key 'kernal': did you mean 'kernel'?" },
		{ "apiVersion: airgap/v1\nkind: Manifest\ninclude: sub/b.yaml\n", "metadata: {name: m}\n", NULL,
		  "sub/b.yaml:1: metadata: 'version' is missing" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_manifest struct manifest m = { 0 };
		auto_strv struct strv overlays = { 0 };

		write_file("main.yaml", table[i].main);
		write_file("sub/b.yaml", table[i].b ? table[i].b : "{}");
		write_file("over/o.yaml", table[i].over ? table[i].over : "{}");
		strv_push(&overlays, "over/o.yaml");
		err_clear(&e);
		assert_int_equal(manifest_load("main.yaml", &overlays, &m, &e), -1);
		if (!str_starts(e.msg, table[i].words) && !strstr(e.msg, table[i].words))
			fail_msg("%s\nnot: %s", e.msg, table[i].words);
	}
}

TEST(refuses_files_that_cannot_be_included)
{
	static const struct { const char *main, *a, *b, *words; enum err_code code; } table[] = {
		{ "include: a.yaml", "include: sub/b.yaml", "include: ../main.yaml", "'sub/../main.yaml': includes itself", ERR_MALFORMED },
		{ "include: main.yaml", NULL, NULL, "main.yaml:1: include[0]: 'main.yaml': includes itself", ERR_MALFORMED },
		{ "site: x\ninclude: [a.yaml, none.yaml]", "{}", NULL, "main.yaml:2: include[1]: 'none.yaml': No such file", ERR_IO },
		{ "include: [1]", NULL, NULL, "main.yaml:1: include[0]: must be the path of a file", ERR_MALFORMED },
		{ "include: {a: b}", NULL, NULL, "must be the path of a file", ERR_MALFORMED },
		{ "include: ''", NULL, NULL, "must be the path of a file", ERR_MALFORMED },
		{ "include: a.yaml", "[]", NULL, "a.yaml: must be a map", ERR_MALFORMED },
		{ "include: a.yaml", "", NULL, "a.yaml: is empty", ERR_MALFORMED },
		{ "include: a.yaml", "kind: Site", NULL, "a.yaml: kind is 'Site', not Manifest", ERR_UNSUPPORTED },
		{ "include: a.yaml", "a: [", NULL, "a.yaml:", ERR_MALFORMED },
		{ "include: a.yaml", "a: 1\na: 2", NULL, "a.yaml:2: duplicate key 'a'", ERR_MALFORMED },
		{ "include: sub", NULL, "{}", "include[0]: ", ERR_UNSAFE },
		{ "include: a.yaml\ncharts: [{name: x, remove: true}]", "charts: [{name: z}]", NULL,
		  "main.yaml:2: charts[0]: remove: no file before this one has 'x'", ERR_MALFORMED },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_free char *got = merged(table[i].main, table[i].a, table[i].b, NULL);

		if (!strstr(got, table[i].words) || e.code != table[i].code)
			fail_msg("%d %s\nnot: %d %s", (int)e.code, got, (int)table[i].code, table[i].words);
	}
}

TEST(has_ceilings)
{
	auto_manifest_doc struct manifest_doc d = { 0 }, ok = { 0 };
	auto_buf struct buf big = BUF_INIT(1u << 20), list = BUF_INIT(1u << 16);

	for (unsigned i = 0; i <= 9; i++) {
		auto_free char *name = xasprintf("n%u.yaml", i), *text = xasprintf(i < 9 ? "include: n%u.yaml" : "{}", i + 1);

		write_file(name, text);
	}
	assert_ok(manifest_doc_load("n1.yaml", NULL, &ok, &e), e);
	assert_err(manifest_doc_load("n0.yaml", NULL, &d, &e), e, ERR_LIMIT);
	assert_non_null(strstr(e.msg, "more than 8 deep"));

	buf_puts(&big, "site: x #");
	while (big.len < 900000)
		buf_puts(&big, "0123456789");
	for (unsigned i = 0; i < 5; i++) {
		auto_free char *name = xasprintf("big%u.yaml", i);

		write_file(name, buf_str(&big));
		buf_putf(&list, "%s%s", i ? ", " : "include: [", name);
	}
	buf_puts(&list, "]");
	write_file("many.yaml", buf_str(&list));
	assert_err(manifest_doc_load("many.yaml", NULL, &d, &e), e, ERR_LIMIT);
	assert_non_null(strstr(e.msg, "with all that is included"));
}

TEST(a_text_alone_includes_nothing)
{
	static const char text[] = HEAD "include: a.yaml\n";
	auto_manifest struct manifest m = { 0 };

	assert_err(manifest_parse(text, strlen(text), "bundle.yaml", &m, &e), e, ERR_UNSUPPORTED);
	assert_string_equal(e.msg, "bundle.yaml: include: only a file can include others");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(merges_key_by_key, enter_dir, leave_dir),
		cmocka_unit_test_setup_teardown(paths_are_of_the_folder_of_their_file, enter_dir, leave_dir),
		cmocka_unit_test_setup_teardown(each_key_knows_its_own_file, enter_dir, leave_dir),
		cmocka_unit_test_setup_teardown(errors_name_the_file_of_the_key, enter_dir, leave_dir),
		cmocka_unit_test_setup_teardown(refuses_files_that_cannot_be_included, enter_dir, leave_dir),
		cmocka_unit_test_setup_teardown(has_ceilings, enter_dir, leave_dir),
		cmocka_unit_test_setup_teardown(a_text_alone_includes_nothing, enter_dir, leave_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
