/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/scan.h>
#include <airgap/strv.h>
#include <airgap/yaml.h>

/* Documents of YAML as helm_template gives them, all of one file. */
static struct helm_objects objects_of(const char *yaml)
{
	struct helm_objects o = { 0 };
	struct err e = { 0 };
	auto_json json_t *docs = ydoc_parse_all(yaml, strlen(yaml), &ydoc_rendered, "test", &e);
	size_t i;
	json_t *doc;

	if (!docs)
		fail_msg("%s", e.msg);
	json_array_foreach(docs, i, doc) {
		const char *hook = jdoc_text(doc, "metadata", "annotations", "helm.sh/hook", NULL);

		GROW(o.items, o.n);
		o.items[o.n++] = (struct helm_object){ .object = json_incref(doc), .source = xstrdup("t.yaml"), .hook = hook,
						       .test = hook && strstr(hook, "test") };
	}
	return o;
}

/* "IMAGE certain|maybe|disabled PATH", joined by "; ". */
static char *scanned(const char *yaml, const struct scan_rule *rules, size_t n, bool tests)
{
	auto_helm_objects struct helm_objects o = objects_of(yaml);
	auto_scan struct scan_finds f = { 0 };
	auto_strv struct strv lines = { 0 };
	struct err e = { 0 };

	assert_ok(scan_objects(&o, "web", rules, n, tests, &f, &e), e);
	for (size_t i = 0; i < f.n; i++) {
		const struct scan_find *x = &f.items[i];

		assert_string_equal(x->file, "t.yaml");
		strv_pushf(&lines, "%s %s %s", x->image, x->disabled ? "disabled" : x->certain ? "certain" : "maybe", x->path);
	}
	return strv_join(&lines, "; ");
}

#define assert_scan(yaml, want)                                         \
	do {                                                            \
		auto_free char *got_ = scanned(yaml, NULL, 0, false);   \
		assert_string_equal(got_, want);                        \
	} while (0)

TEST(finds_every_container_of_every_kind)
{
	assert_scan("kind: Pod\nspec: {containers: [{image: busybox}], initContainers: [{image: 'a/b:1'}],\n"
		    "  ephemeralContainers: [{image: 'quay.io/x/y@sha256:"
		    "0123456789012345678901234567890123456789012345678901234567890123'}]}",
		    "a/b:1 certain spec.initContainers[].image; busybox certain spec.containers[].image; "
		    "quay.io/x/y@sha256:0123456789012345678901234567890123456789012345678901234567890123 certain "
		    "spec.ephemeralContainers[].image");
	assert_scan("kind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{image: 'x:1'}]}}}}}",
		    "x:1 certain spec.jobTemplate.spec.template.spec.containers[].image");
}

TEST(finds_full_references_wherever_they_stand)
{
	assert_scan("kind: Deployment\nspec: {env: [{name: HELPER, value: 'quay.io/a/b:2'}], args: ['--with=ghcr.io/c/d:v3,x']}",
		    "ghcr.io/c/d:v3 maybe spec.args[]; quay.io/a/b:2 maybe spec.env[].value");
	assert_scan("kind: Prometheus\nspec: {image: 'quay.io/prometheus/prometheus:v2.1.0'}",
		    "quay.io/prometheus/prometheus:v2.1.0 maybe spec.image");
}

TEST(finds_short_names_under_telling_keys)
{
	assert_scan("kind: X\nspec: {sidecarImage: 'redis:7', image: 'busybox'}", "redis:7 maybe spec.sidecarImage");
	assert_scan("kind: X\nspec: {env: [{name: MY_IMAGE, value: 'redis:7'}]}", "redis:7 maybe spec.env[].value");
	assert_scan("kind: X\nspec: {note: 'redis:7', port: 'default/service:9000', effect: 'nvidia.com/gpu:NoSchedule'}", "");
}

TEST(finds_images_in_texts_within_config_maps)
{
	assert_scan("kind: ConfigMap\ndata:\n  a.yaml: |\n    pod:\n      image: busybox:1.36\n      args: [x]\n",
		    "busybox:1.36 maybe data.a.yaml");
	assert_scan("kind: ConfigMap\ndata:\n  a.conf: |\n    k8s { image = \"quay.io/a/b:1\", init-image = \"alpine:3.19\" }\n",
		    "alpine:3.19 maybe data.a.conf; quay.io/a/b:1 maybe data.a.conf");
	assert_scan("kind: ConfigMap\ndata:\n  j: '{\"image\":\"redis:7\",\"imagePullPolicy\":\"Always\"}'\n", "redis:7 maybe data.j");
}

TEST(finds_containers_of_pods_within_texts)
{
	assert_scan("kind: ConfigMap\ndata:\n  pod.yaml: |\n    # image: old:1\n    spec:\n      containers: [{name: a, image: alpine}]\n"
		    "      initContainers: [{name: b, image: '$(IMAGE)'}, {name: c, image: 'busybox:1.35'}]\n",
		    "alpine:latest maybe data.pod.yaml.spec.containers[].image; "
		    "busybox:1.35 maybe data.pod.yaml.spec.initContainers[].image");
	assert_scan("kind: ConfigMap\ndata:\n  pod.tpl: |\n    {{ if x }}\n    containers:\n    - image: busybox:1.35\n    {{ end }}\n",
		    "busybox:1.35 maybe data.pod.tpl");
}

TEST(reads_secrets_out_of_their_base64)
{
	/* agent { default_docker: { image: "python:3.12-slim" } } */
	assert_scan("kind: Secret\ndata: {a.conf: YWdlbnQgeyBkZWZhdWx0X2RvY2tlcjogeyBpbWFnZTogInB5dGhvbjozLjEyLXNsaW0iIH0gfQo=}",
		    "python:3.12-slim maybe data.a.conf");
	assert_scan("kind: ConfigMap\ndata: {a.conf: YWdlbnQgeyBkZWZhdWx0X2RvY2tlcjogeyBpbWFnZTogInB5dGhvbjozLjEyLXNsaW0iIH0gfQo=}", "");
	assert_scan("kind: Secret\ndata: {zero: AGltYWdlOiBhOjEK, none: '***', empty: ''}", "");
}

TEST(takes_repository_and_tag_for_a_guess)
{
	assert_scan("kind: X\nspec: {proxy: {registry: quay.io, repository: a/b, tag: v1}}", "quay.io/a/b:v1 maybe spec.proxy");
	assert_scan("kind: X\nspec: {proxy: {repository: quay.io/a/b, tag: v1}}", "quay.io/a/b:v1 maybe spec.proxy");
	assert_scan("kind: X\nspec: {chart: {repository: 'https://charts.example', tag: v1}}", "");
}

TEST(joins_triples_by_rule_and_by_their_usual_names)
{
	static char *keys[] = { (char *)"repo", (char *)"name", (char *)"ver", NULL };
	const struct scan_rule rule = { .kind = (char *)"Policy", .path = (char *)"spec.*", .triple = { keys, 3 },
					.enabled_by = (char *)"use" };
	auto_free char *got = scanned("kind: Policy\nspec:\n  a: {repo: nvcr.io/x, name: a, ver: v1}\n"
				      "  b: {repo: nvcr.io/x, name: b, ver: v1, use: false}\n"
				      "  c: {deep: {repo: nvcr.io/x, name: c, ver: sha256:00}}\n",
				      &rule, 1, false);

	assert_string_equal(got, "nvcr.io/x/a:v1 certain spec.a; nvcr.io/x/b:v1 disabled spec.b");
	assert_scan("kind: X\nspec: {a: {repository: nvcr.io/x, image: a, version: v1, enabled: false}}",
		    "nvcr.io/x/a:v1 disabled spec.a");
	assert_scan("kind: X\nspec: {a: {repository: 'https://x/y', image: a, version: v1}}", "");
}

TEST(the_most_definite_rule_decides_and_its_tags_are_filled)
{
	static char *keys[] = { (char *)"repository", (char *)"image", (char *)"version", NULL };
	static char *tags[] = { (char *)"{version}-ubi9", (char *)"{version}-{kernel}", NULL };
	const struct scan_rule rules[] = {
		{ .path = (char *)"spec.*", .triple = { keys, 3 } },
		{ .path = (char *)"spec.driver", .triple = { keys, 3 }, .tags = { tags, 2 } },
	};
	auto_free char *got = scanned("kind: P\nspec: {driver: {repository: nvcr.io/nvidia, image: driver, version: '570'}}", rules,
				      2, false);

	assert_string_equal(got, "nvcr.io/nvidia/driver:570-ubi9 certain spec.driver; "
				 "nvcr.io/nvidia/driver:570-{kernel} disabled spec.driver");
}

TEST(a_rule_makes_a_variable_certain)
{
	const struct scan_rule rule = { .chart = (char *)"web", .env = (char *)"REPO" };
	static const char yaml[] = "kind: X\nspec: {env: [{name: REPO, value: mongodb-server}, {name: OTHER, value: mongodb}]}";
	auto_free char *got = scanned(yaml, &rule, 1, false);

	assert_string_equal(got, "mongodb-server certain spec.env[].value");
}

TEST(leaves_test_hooks_out_unless_asked)
{
	static const char yaml[] = "kind: Pod\nmetadata: {annotations: {helm.sh/hook: test}}\nspec: {containers: [{image: 't:1'}]}";
	auto_free char *without = scanned(yaml, NULL, 0, false), *with = scanned(yaml, NULL, 0, true);

	assert_string_equal(without, "");
	assert_string_equal(with, "t:1 certain spec.containers[].image");
}

TEST(takes_defaults_of_a_schema_but_no_examples)
{
	assert_scan("kind: CustomResourceDefinition\nspec: {description: 'such as quay.io/a/b:1', default: 'quay.io/c/d:2'}",
		    "quay.io/c/d:2 maybe spec.default");
}

/* What is left of `once` after a second render, with the places that differ. */
static void mask(const char *once, const char *twice, const char *want, const char *places)
{
	auto_helm_objects struct helm_objects a = objects_of(once), b = objects_of(twice);
	auto_strv struct strv random = { 0 };
	auto_buf struct buf text = BUF_INIT(65536);
	struct err e = { 0 };

	assert_ok(scan_mask_random(&a, &b, &random, &e), e);
	for (size_t i = 0; i < a.n; i++)
		assert_ok(jdoc_dump(a.items[i].object, &text, &e), e);

	auto_free char *list = strv_join(&random, "; ");

	assert_string_equal(buf_str(&text), want);
	assert_string_equal(list, places);
	assert_true(json_equal(a.items[0].object, b.items[0].object));
}

TEST(takes_out_random_words_and_keeps_their_neighbours)
{
	mask("{kind: S, data: {t: abc}}", "{kind: S, data: {t: xyz}}", "{\"data\":{\"t\":\"\"},\"kind\":\"S\"}", "t.yaml: S: data.t");
	mask("{kind: C, a: 'image: quay.io/a/b:1 key: k3j4'}", "{kind: C, a: 'image: quay.io/a/b:1 key: 9zzz'}",
	     "{\"a\":\"image: quay.io/a/b:1 key: \",\"kind\":\"C\"}", "t.yaml: C: a");
	mask("{kind: C, a: same}", "{kind: C, a: same}", "{\"a\":\"same\",\"kind\":\"C\"}", "");
}

TEST(does_not_tell_of_random_words_in_tests)
{
	mask("{kind: Pod, metadata: {annotations: {helm.sh/hook: test}}, a: abc}",
	     "{kind: Pod, metadata: {annotations: {helm.sh/hook: test}}, a: xyz}",
	     "{\"a\":\"\",\"kind\":\"Pod\",\"metadata\":{\"annotations\":{\"helm.sh/hook\":\"test\"}}}", "");
}

TEST(takes_out_random_keys)
{
	mask("{kind: C, d: {x1: 'quay.io/a/b:1', k: z}}", "{kind: C, d: {x2: 'quay.io/a/b:1', k: z}}",
	     "{\"d\":{\"k\":\"z\"},\"kind\":\"C\"}", "t.yaml: C: d");
}

TEST(bears_a_random_word_that_reads_as_a_number)
{
	auto_helm_objects struct helm_objects a = objects_of("{kind: C, p: a12}"), b = objects_of("{kind: C, p: 912}");
	auto_strv struct strv random = { 0 };
	struct err e = { 0 };

	assert_ok(scan_mask_random(&a, &b, &random, &e), e);
	assert_string_equal(jdoc_text(a.items[0].object, "p", NULL), "");
	assert_int_equal(random.n, 1);
}

TEST(refuses_a_random_number_of_objects)
{
	auto_helm_objects struct helm_objects a = objects_of("kind: A\n---\nkind: B\n"), b = objects_of("kind: A\n");
	auto_strv struct strv random = { 0 };
	struct err e = { 0 };

	assert_err(scan_mask_random(&a, &b, &random, &e), e, ERR_MALFORMED);
}

TEST(finds_are_sorted_and_each_is_there_once)
{
	assert_scan("kind: X\nspec: {containers: [{image: 'b:1'}, {image: 'a:1'}, {image: 'b:1'}]}",
		    "a:1 certain spec.containers[].image; b:1 certain spec.containers[].image");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_container_of_every_kind),
		cmocka_unit_test(finds_full_references_wherever_they_stand),
		cmocka_unit_test(finds_short_names_under_telling_keys),
		cmocka_unit_test(finds_images_in_texts_within_config_maps),
		cmocka_unit_test(finds_containers_of_pods_within_texts),
		cmocka_unit_test(reads_secrets_out_of_their_base64),
		cmocka_unit_test(takes_repository_and_tag_for_a_guess),
		cmocka_unit_test(joins_triples_by_rule_and_by_their_usual_names),
		cmocka_unit_test(the_most_definite_rule_decides_and_its_tags_are_filled),
		cmocka_unit_test(a_rule_makes_a_variable_certain),
		cmocka_unit_test(leaves_test_hooks_out_unless_asked),
		cmocka_unit_test(takes_defaults_of_a_schema_but_no_examples),
		cmocka_unit_test(takes_out_random_words_and_keeps_their_neighbours),
		cmocka_unit_test(does_not_tell_of_random_words_in_tests),
		cmocka_unit_test(takes_out_random_keys),
		cmocka_unit_test(bears_a_random_word_that_reads_as_a_number),
		cmocka_unit_test(refuses_a_random_number_of_objects),
		cmocka_unit_test(finds_are_sorted_and_each_is_there_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
