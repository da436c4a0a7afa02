/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/rewrite.h>

#include <airgap/buf.h>
#include <airgap/digest.h>
#include <airgap/strv.h>
#include <airgap/yaml.h>

#define HEX  "0123456789012345678901234567890123456789012345678901234567890123"
#define SITE "r.site:5000/p/"

static struct rewrite names;

static int enter(void **state)
{
	static char *further[] = { (char *)"2.0-ubi8", NULL };
	static struct content_image images[] = {
		{ .ref = (char *)"docker.io/library/busybox:1.36" }, { .ref = (char *)"docker.io/library/busybox:latest" },
		{ .ref = (char *)"docker.io/library/redis:6379" }, { .ref = (char *)"quay.io/org/app:2.0", .tags = { further, 1 } },
		{ .ref = (char *)"quay.io/org/app@sha256:" HEX }, { .ref = (char *)"quay.io/org/app:3@sha256:" HEX },
		{ .ref = (char *)"nvcr.io/nvidia/driver:580-6.1-ubuntu22.04" },
	};
	const struct contents carried = { .images = images, .n_images = ARRAY_LEN(images) };
	const struct ref_site site = { "r.site:5000", "p", false };
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(images); i++)
		assert_true(digest_parse("sha256:" HEX, &images[i].target));
	assert_ok(rewrite_names(&names, &carried, &site, &e), e);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	rewrite_release(&names);
	return 0;
}

/* What comes out; NULL and e: refused. */
static char *pipe_through(const char *text, const struct scan_rule *rules, size_t n, struct err *e)
{
	auto_buf struct buf file = BUF_INIT(REWRITE_MAX), out = BUF_INIT(64u << 20);
	const struct scan_rules list = { (struct scan_rule *)rules, n };

	assert_ok(rewrite_dump(&names, "web", &list, &file, e), *e);
	return rewrite_manifests(file.ptr, file.len, text, strlen(text), &out, e) < 0 ? NULL : xstrdup(buf_str(&out));
}

/* The documents that come out are those of `want`, as helm reads them. */
static void assert_rewrite(const char *in, const char *want, const struct scan_rule *rules, size_t n)
{
	struct err e = { 0 };
	auto_free char *out = pipe_through(in, rules, n, &e);
	auto_json json_t *a = NULL, *b = ydoc_parse_all(want, strlen(want), &ydoc_rendered, "want", &e);

	if (!out || !b || !(a = ydoc_parse_all(out, strlen(out), &ydoc_rendered, "out", &e)))
		fail_msg("%s: %s", in, e.msg);
	if (!json_equal(a, b))
		fail_msg("%s\nbecame\n%s\nnot\n%s", in, out, want);
}

TEST(renames_what_discovery_finds)
{
	static const struct { const char *in, *want; } cases[] = {
		/* containers, short and long, tagged and not */
		{ "kind: Pod\nspec: {containers: [{image: busybox}, {image: 'busybox:1.36'}], initContainers: [{image: quay.io/org/app:2.0}]}",
		  "kind: Pod\nspec: {containers: [{image: '" SITE "library/busybox:latest'}, {image: '" SITE "library/busybox:1.36'}],"
		  " initContainers: [{image: '" SITE "org/app:2.0'}]}" },
		/* a further tag, a digest alone, both */
		{ "a: {image: 'quay.io/org/app:2.0-ubi8'}", "a: {image: '" SITE "org/app:2.0-ubi8'}" },
		{ "a: {image: 'quay.io/org/app@sha256:" HEX "'}",
		  "a: {image: '" SITE "org/app:d-01234567890123456789012345678901@sha256:" HEX "'}" },
		{ "a: {image: 'quay.io/org/app:3@sha256:" HEX "'}", "a: {image: '" SITE "org/app:3@sha256:" HEX "'}" },
		/* variables and arguments */
		{ "env: [{name: WORKER_IMAGE, value: 'busybox:1.36'}, {name: A, value: 'quay.io/org/app:2.0'}]",
		  "env: [{name: WORKER_IMAGE, value: '" SITE "library/busybox:1.36'}, {name: A, value: '" SITE "org/app:2.0'}]" },
		{ "args: ['--image=quay.io/org/app:2.0', '--image', 'busybox:1.36', 'docker pull busybox:1.36 && x']",
		  "args: ['--image=" SITE "org/app:2.0', '--image', '" SITE "library/busybox:1.36', 'docker pull " SITE
		  "library/busybox:1.36 && x']" },
		{ "a: 'docker://quay.io/org/app:2.0, ${I:-quay.io/org/app:2.0}.'", "a: 'docker://" SITE "org/app:2.0, ${I:-" SITE "org/app:2.0}.'" },
		/* HOCON and properties */
		{ "kind: ConfigMap\ndata: {a.conf: \"x { image = \\\"busybox:1.36\\\" # quay\\n y = 1 }\"}",
		  "kind: ConfigMap\ndata: {a.conf: \"x { image = \\\"" SITE "library/busybox:1.36\\\" # quay\\n y = 1 }\"}" },
		/* YAML in YAML keeps its comments and its spelling */
		{ "kind: ConfigMap\ndata:\n  t.yaml: |\n    # pods\n    spec:\n      containers:\n        - {image: busybox:1.36, x: 010}   # here\n",
		  "kind: ConfigMap\ndata:\n  t.yaml: |\n    # pods\n    spec:\n      containers:\n        - {image: " SITE
		  "library/busybox:1.36, x: 010}   # here\n" },
		/* … twice */
		{ "kind: ConfigMap\ndata:\n  t.yaml: |\n    data:\n      in.yaml: |\n        image: busybox:1.36\n        n: 1\n",
		  "kind: ConfigMap\ndata:\n  t.yaml: |\n    data:\n      in.yaml: |\n        image: " SITE "library/busybox:1.36\n        n: 1\n" },
		/* out of the base64 of a Secret, and back */
		{ "kind: Secret\ndata: {a: aW1hZ2U6IHF1YXkuaW8vb3JnL2FwcDoyLjAK}",
		  "kind: Secret\ndata: {a: aW1hZ2U6IHIuc2l0ZTo1MDAwL3Avb3JnL2FwcDoyLjAK}" },
		/* several keys */
		{ "a: {registry: quay.io, repository: org/app, tag: '2.0'}", "a: {registry: 'r.site:5000', repository: p/org/app, tag: '2.0'}" },
		{ "a: {repository: busybox, tag: 1.36}", "a: {repository: '" SITE "library/busybox', tag: 1.36}" },
		{ "a: {repository: quay.io/org, image: app, version: '2.0'}", "a: {repository: 'r.site:5000/p/org', image: app, version: '2.0'}" },
		/* a list of objects */
		{ "kind: List\nitems: [{kind: Pod, spec: {containers: [{image: busybox}]}}]",
		  "kind: List\nitems: [{kind: Pod, spec: {containers: [{image: '" SITE "library/busybox:latest'}]}}]" },
		/* what aliases share is renamed where it is an image */
		{ "a: {image: &i busybox:1.36}\nb: {image: *i}\nname: *i", "a: {image: '" SITE "library/busybox:1.36'}\nb: {image: '" SITE
		  "library/busybox:1.36'}\nname: busybox:1.36" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_rewrite(cases[i].in, cases[i].want, NULL, 0);
}

/* Not carried, no image, or where nobody can be sure: byte for byte as it was. */
TEST(leaves_the_rest_as_it_is)
{
	static const char *const cases[] = {
		"",
		"# nothing\n",
		"---\n# Source: web/a.yaml\nkind: Pod   # a comment\nspec: {containers: [{image: 'quay.io/other/x:1'}]}\n",
		"a: redis:6379\n",                                      /* a port */
		"a: https://quay.io/org/app:2.0\n",                     /* an address */
		"a: quay.io/org/app:2.0-alpine\nb: xquay.io/org/app:2.0\nc: /quay.io/org/app:2.0\n",
		"n: 1.0\nbig: 123456789012345678901234567890\no: 0o17\nb: yes\ns: 'yes'\nz: ~\nt: 2001-01-01\n",
		"kind: CustomResourceDefinition\nspec: {description: 'such as quay.io/org/app:2.0'}\n",
		/* here the same word is an image and a service: it stays for the proof to refuse */
		"kind: ConfigMap\ndata:\n  a.yaml: |\n    image: redis:6379\n    address: redis:6379\n",
		/* in pieces */
		"kind: ConfigMap\ndata:\n  a.conf: \"repository = quay.io/org/app\\ntag = 2.0\"\n",
		"a: {data: 'H4sIAAAAAAAAA3N0cgYAkSIFywMAAAA='}\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		auto_free char *out = pipe_through(cases[i], NULL, 0, &e);

		if (!out)
			fail_msg("%s: %s", cases[i], e.msg);
		assert_string_equal(out, cases[i]);
	}
}

/* In a document that changes nothing else does: helm reads the same types, numbers and texts as before. */
TEST(keeps_every_type_and_every_character)
{
	static const char rest[] = "\nn: 1.0\ne: 1e3\nbig: 123456789012345678901234567890\nint: 9223372036854775807\no: 0o17\nh: 0x1f\n"
				   "b: yes\ns: 'yes'\nt: 'true'\nz: ~\ny: null\ni: '010'\nd: 2001-01-01\nempty: ''\nmap: {}\nlist: []\n"
				   "text: |\n  a\n\n   b  \n  \tc\nfold: >-\n  a\n  b\nu: \"\\u2028 \\x7f \\x85 \\ufeff \\uffff \\x9f \\U0001F600 \\\\ \\t\"\n"
				   "1: one\n'true': x\n? 'a\n\n  b'\n: c\n";
	auto_free char *in = xasprintf("image: busybox:1.36%s", rest);
	auto_free char *want = xasprintf("image: '" SITE "library/busybox:1.36'%s", rest);

	assert_rewrite(in, want, NULL, 0);
}

TEST(changes_only_the_documents_it_must)
{
	struct err e = { 0 };
	auto_free char *out = pipe_through("---\n# Source: web/a.yaml\na: b # as it was\n---\n# Source: web/b.yaml\n\n# why\n"
					   "image: busybox:1.36\n---\nb: |\n  ---x\n  c\n--- {image: 'busybox:1.36'}\n--- # end\nz: 1", NULL, 0, &e);

	assert_non_null(out);
	assert_string_equal(out, "---\n# Source: web/a.yaml\na: b # as it was\n---\n# Source: web/b.yaml\n\n# why\n"
				 "{\n  \"image\": \"" SITE "library/busybox:1.36\"\n}\n---\nb: |\n  ---x\n  c\n---\n{\n  \"image\": \"" SITE
				 "library/busybox:1.36\"\n}\n--- # end\nz: 1");
}

TEST(follows_the_rules_of_the_bundle)
{
	static char *triple[] = { (char *)"repository", (char *)"image", (char *)"version", NULL };
	static char *fixed[] = { (char *)"=quay.io/org", (char *)"=app", (char *)"version", NULL };
	static char *tags[] = { (char *)"{version}-{kernel}-{osTag}", NULL };
	const struct scan_rule rules[] = {
		{ .kind = (char *)"ClusterPolicy", .path = (char *)"spec.driver", .triple = { triple, 3 }, .tags = { tags, 1 } },
		{ .kind = (char *)"Db", .path = (char *)"spec", .triple = { fixed, 3 } },
		{ .chart = (char *)"web", .env = (char *)"WORKER" },
		{ .chart = (char *)"other", .env = (char *)"ELSE" },
	};

	/* the tag is the node's own: the repository is all that can be said */
	assert_rewrite("kind: ClusterPolicy\nspec: {driver: {repository: nvcr.io/nvidia, image: driver, version: '580'}}",
		       "kind: ClusterPolicy\nspec: {driver: {repository: '" "r.site:5000/p/nvidia', image: driver, version: '580'}}", rules, 4);
	assert_rewrite("kind: Db\nspec: {version: '2.0'}", "kind: Db\nspec: {version: '2.0'}", rules, 4);
	assert_rewrite("env: [{name: WORKER, value: busybox}, {name: ELSE, value: busybox}]",
		       "env: [{name: WORKER, value: '" SITE "library/busybox:latest'}, {name: ELSE, value: busybox}]", rules, 4);
}

/* CRDs of crds/ go past helm's post-renderer, wherever in the chart they are; what stands in templates/ does not. */
TEST(renames_what_helm_shows_its_post_renderer)
{
	static const struct { const char *source; bool hook, test, changes; } cases[] = {
		{ "web/templates/a.yaml", false, false, true }, { "web/templates/crds/a.yaml", false, false, true },
		{ "web/templates/hook.yaml", true, false, true }, { "web/templates/test.yaml", true, true, false },
		{ "web/crds/a.yaml", false, false, false }, { "web/charts/db/crds/a.yaml", false, false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct helm_object one = { json_pack("{s{ss}}", "a", "image", "busybox:1.36"), (char *)cases[i].source, cases[i].hook,
					   cases[i].test };
		struct helm_objects o = { &one, 1 };
		const struct scan_rules none = { 0 };
		const struct helm_object *hook;
		struct err e = { 0 };

		assert_ok(rewrite_rendered(&names, "web", &none, &o, &hook, &e), e);
		assert_string_equal(jdoc_text(one.object, "a", "image", NULL), cases[i].changes ? SITE "library/busybox:1.36" : "busybox:1.36");
		assert_ptr_equal(hook, cases[i].changes && cases[i].hook ? &one : NULL);
		json_decref(one.object);
	}
}

TEST(does_nothing_the_second_time)
{
	struct err e = { 0 };
	auto_free char *once = pipe_through("kind: Pod\nspec: {containers: [{image: busybox, args: ['-i', 'quay.io/org/app:2.0']}]}\n", NULL, 0, &e);
	auto_free char *twice = once ? pipe_through(once, NULL, 0, &e) : NULL;

	assert_non_null(twice);
	assert_string_equal(once, twice);
}

static char *repeat(const char *front, const char *piece, size_t n, const char *back)
{
	auto_buf struct buf b = BUF_INIT(64u << 20);

	buf_puts(&b, front);
	for (size_t i = 0; i < n; i++)
		buf_puts(&b, piece);
	buf_puts(&b, back);
	return xstrdup(buf_str(&b));
}

TEST(refuses_what_is_no_manifest)
{
	auto_free char *deep = repeat("a: ", "[", 200, "");
	auto_free char *bomb = repeat("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
				      "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n", "f: [*e,*e,*e,*e]\n", 9, "");
	auto_free char *key = repeat("image: busybox:1.36\n? \"", "kkkkkkkkkk", 200, "\"\n: v\n");
	const struct { const char *in; enum err_code code; } cases[] = {
		{ "a: [", ERR_MALFORMED }, { "a: b\n  c: d\n", ERR_MALFORMED }, { "a: \"\x01\"", ERR_MALFORMED },
		{ "a: \xff\xfe", ERR_MALFORMED }, { "a: !!binary aGk=", ERR_MALFORMED }, { deep, ERR_LIMIT }, { bomb, ERR_LIMIT },
		{ key, ERR_MALFORMED },         /* it could be read, and not be written */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		auto_free char *out = pipe_through(cases[i].in, NULL, 0, &e);

		if (out || e.code != cases[i].code)
			fail_msg("case %zu: %d %s: %.200s", i, (int)e.code, e.msg, out ? out : "");
	}
}

TEST(refuses_names_that_are_none)
{
	static const char *const files[] = { "", "{}", "[]", "{\"chart\":\"c\",\"images\":[],\"names\":{}}", "{\"chart\":\"c\",\"images\":{}}",
					     "{\"chart\":\"c\",\"images\":{},\"names\":{},\"rules\":[{\"x\":1}]}" };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		auto_buf struct buf out = BUF_INIT(4096);
		struct err e = { 0 };

		assert_err(rewrite_manifests(files[i], strlen(files[i]), "a: b", 4, &out, &e), e, ERR_MALFORMED);
	}
}

TEST(is_quick_with_much)
{
	auto_free char *many = repeat("kind: List\nitems:\n", "- {kind: Pod, spec: {containers: [{image: 'busybox:1.36'}]}}\n", 10000, "");
	auto_free char *words = repeat("kind: ConfigMap\ndata:\n  a.yaml: |\n    image: busybox:1.36\n    x: \"", "quay.io/org/app:2.0 ", 100000, "\"\n");
	struct err e = { 0 };
	auto_free char *a = pipe_through(many, NULL, 0, &e), *b = pipe_through(words, NULL, 0, &e);

	assert_non_null(a);
	assert_null(strstr(a, "\"busybox"));
	assert_non_null(b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(renames_what_discovery_finds),
		cmocka_unit_test(leaves_the_rest_as_it_is),
		cmocka_unit_test(keeps_every_type_and_every_character),
		cmocka_unit_test(changes_only_the_documents_it_must),
		cmocka_unit_test(follows_the_rules_of_the_bundle),
		cmocka_unit_test(renames_what_helm_shows_its_post_renderer),
		cmocka_unit_test(does_nothing_the_second_time),
		cmocka_unit_test(refuses_what_is_no_manifest),
		cmocka_unit_test(refuses_names_that_are_none),
		cmocka_unit_test(is_quick_with_much),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
