/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/fs.h>
#include <airgap/scan.h>
#include <airgap/strv.h>
#include <airgap/yaml.h>

#include <fcntl.h>

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
	assert_scan("kind: X\nspec: {container: {image: busybox}, script: {image: busybox}}", "busybox:latest maybe spec.container.image");
	assert_scan("kind: X\nspec: {note: 'redis:7', port: 'default/service:9000', effect: 'nvidia.com/gpu:NoSchedule'}", "");
}

TEST(finds_images_in_texts_within_config_maps)
{
	assert_scan("kind: ConfigMap\ndata:\n  a.yaml: |\n    pod:\n      image: busybox:1.36\n      args: [x]\n",
		    "busybox:1.36 maybe data.a.yaml.pod.image");
	assert_scan("kind: ConfigMap\ndata:\n  a.conf: |\n    k8s { image = \"quay.io/a/b:1\", init-image = \"alpine:3.19\" }\n",
		    "alpine:3.19 maybe data.a.conf; quay.io/a/b:1 maybe data.a.conf");
	assert_scan("kind: ConfigMap\ndata:\n  j: '{\"image\":\"redis:7\",\"imagePullPolicy\":\"Always\"}'\n", "redis:7 maybe data.j.image");
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
	static char *keys[] = { (char *)"repo", (char *)"name", (char *)"ver", NULL }, *use[] = { (char *)"use", NULL };
	const struct scan_rule rule = { .kind = (char *)"Policy", .path = (char *)"spec.*", .triple = { keys, 3 },
					.enabled_by = { use, 1 } };
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
				 "nvcr.io/nvidia/driver:570-{kernel} certain spec.driver");
}

/* Which template a tag follows is said beside the triple. */
TEST(a_rule_holds_when_the_keys_beside_say_so)
{
	static char *keys[] = { (char *)"repository", (char *)"image", (char *)"version", NULL };
	static char *whole[] = { (char *)"{version}-{osTag}", NULL }, *made[] = { (char *)"{version}-{kernel}-{osTag}", NULL };
	static char *on[] = { (char *)"pre", NULL }, *off[] = { (char *)"enabled", (char *)"!other", NULL };
	static char *both[] = { (char *)"pre", (char *)"!old", NULL }, *plain[] = { (char *)"{version}", NULL };
	const struct scan_rule rules[] = {
		{ .path = (char *)"spec.*", .triple = { keys, 3 } },
		{ .path = (char *)"spec.d", .triple = { keys, 3 }, .tags = { whole, 1 }, .enabled_by = { off, 2 } },
		{ .path = (char *)"spec.d", .triple = { keys, 3 }, .tags = { plain, 1 }, .when = { on, 1 }, .enabled_by = { off, 2 } },
		{ .path = (char *)"spec.d", .triple = { keys, 3 }, .tags = { made, 1 }, .when = { both, 2 }, .enabled_by = { off, 2 } },
	};
	static const struct { const char *more, *wanted; } table[] = {
		{ "", "r/n/d:5-{osTag} certain spec.d" },
		{ ", pre: false", "r/n/d:5-{osTag} certain spec.d" },
		{ ", pre: true", "r/n/d:5-{kernel}-{osTag} certain spec.d" },
		{ ", pre: 'true'", "r/n/d:5-{kernel}-{osTag} certain spec.d" },
		{ ", pre: true, old: false", "r/n/d:5-{kernel}-{osTag} certain spec.d" },
		{ ", pre: true, old: true", "r/n/d:5 certain spec.d" },
		{ ", old: true", "r/n/d:5-{osTag} certain spec.d" },
		{ ", enabled: false", "r/n/d:5-{osTag} disabled spec.d" },
		{ ", enabled: true, other: false", "r/n/d:5-{osTag} certain spec.d" },
		{ ", other: true", "r/n/d:5-{osTag} disabled spec.d" },
		{ ", other: true, pre: true", "r/n/d:5-{kernel}-{osTag} disabled spec.d" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_free char *text = xasprintf("kind: P\nspec: {d: {repository: r/n, image: d, version: '5'%s}}", table[i].more);
		auto_free char *got = scanned(text, rules, ARRAY_LEN(rules), false);

		assert_string_equal(got, table[i].wanted);
	}
}

TEST(an_image_in_keys_of_its_own_is_a_guess)
{
	assert_scan("kind: X\nspec: {a: {registry: quay.io, image: a/b, tag: v1}}", "quay.io/a/b:v1 maybe spec.a");
	assert_scan("kind: X\nspec: {a: {registry: quay.io, name: a/b, tag: 7}}", "quay.io/a/b:7 maybe spec.a");
	assert_scan("kind: X\nspec: {a: {image: a/b, imageTag: '7.17'}, image: quay.io/c/d}",
		    "a/b:7.17 maybe spec.a; quay.io/c/d:latest maybe spec.image");
	assert_scan("kind: X\nspec: {a: {repository: quay.io/a/b, tag: v1, enabled: false}}", "quay.io/a/b:v1 disabled spec.a");
	assert_scan("kind: X\nspec: {a: {repository: a/b, tag: v1, sha: '"
		    "0123456789012345678901234567890123456789012345678901234567890123'}}",
		    "a/b:v1@sha256:0123456789012345678901234567890123456789012345678901234567890123 maybe spec.a");
	assert_scan("kind: X\nspec: {imageName: 'redis:7', imageRef: 'a:1'}", "a:1 maybe spec.imageRef; redis:7 maybe spec.imageName");
	assert_scan("kind: X\nspec: {a: {name: thing, tag: v1}, b: {image: logo.png, title: x}}", "");
}

TEST(image_volumes_and_options_are_seen)
{
	assert_scan("kind: Pod\nspec: {volumes: [{name: v, image: {reference: 'a/data:1'}}]}",
		    "a/data:1 certain spec.volumes[].image.reference");
	assert_scan("kind: X\nargs: ['--worker-image', 'busybox:1.35', --level, 'x:1']", "busybox:1.35 maybe args[]");
	assert_scan("kind: X\ncommand: [sh, -c, 'docker pull redis:7 && kubectl run --image busybox:1.34 x']",
		    "busybox:1.34 maybe command[]; redis:7 maybe command[]");
	assert_scan("kind: X\nenv: [{name: RELATED_IMAGE_A, value: 'redis:6'}]", "redis:6 maybe env[].value");
}

TEST(keys_and_values_of_any_notation)
{
	assert_scan("kind: ConfigMap\ndata:\n  a.properties: |\n    a.image.registry=quay.io\n    a.image.repository=x/y\n"
		    "    a.image.tag=v3\n", "quay.io/x/y:v3 maybe data.a.properties");
	assert_scan("kind: ConfigMap\ndata:\n  a.conf: |\n    k { repository = \"quay.io/x/y\", tag = \"v3\" }\n",
		    "quay.io/x/y:v3 maybe data.a.conf");
	assert_scan("kind: ConfigMap\ndata:\n  a.sh: |\n    IMAGE=redis:7\n    run $IMAGE path/image:latest\n",
		    "path/image:latest maybe data.a.sh; redis:7 maybe data.a.sh");
	assert_scan("kind: ConfigMap\ndata: {j: 'x {\"a\":\"b\\nquay.io\\/x\\/y:v1\\n\"}'}", "quay.io/x/y:v1 maybe data.j");
}

TEST(what_only_looks_alike_is_none)
{
	assert_scan("kind: X\nspec: {a: 'https://a.example:8443/b:c1', b: /var/lib/x:rw2, c: 'svc.ns:8080/metrics', d: v1.2.3,\n"
		    "  e: application/vnd.oci.image.manifest.v1+json, f: 'networking.k8s.io/v1:Ingress', g: '10.0.0.0/8:443',\n"
		    "  h: 'kubernetes.io/arch:amd64', i: 'see /etc/x/y:z1 and text/html;q=0.9', j: 'git@github.com:a/b.git',\n"
		    "  k: 'arn:aws:iam::123:role/x', l: 'a/b:http', m: 'image: {', n: 'imagePullPolicy: Always'}", "");
}

TEST(a_place_elsewhere_may_disable_a_triple)
{
	static char *keys[] = { (char *)"repository", (char *)"image", (char *)"version", NULL };
	static char *by[] = { (char *)"enabled", (char *)"spec.sandbox.enabled", (char *)"deep.use", NULL };
	const struct scan_rule rule = { .path = (char *)"spec.*", .triple = { keys, 3 }, .enabled_by = { by, 3 } };
	auto_free char *off = scanned("kind: P\nspec: {sandbox: {enabled: false}, a: {repository: r, image: a, version: v1, enabled: true}}",
				      &rule, 1, false);
	auto_free char *on = scanned("kind: P\nspec: {sandbox: {enabled: true}, a: {repository: r, image: a, version: v1}}", &rule, 1,
				     false);
	auto_free char *deep = scanned("kind: P\nspec: {a: {repository: r, image: a, version: v1, deep: {use: false}}}", &rule, 1, false);

	assert_string_equal(off, "r/a:v1 disabled spec.a");
	assert_string_equal(on, "r/a:v1 certain spec.a");
	assert_string_equal(deep, "r/a:v1 disabled spec.a");
}

TEST(a_triple_may_have_texts_of_its_own)
{
	static char *keys[] = { (char *)"=quay.io/mongodb", (char *)"=server", (char *)"version", NULL };
	static char *tags[] = { (char *)"{version}-ubi8", NULL };
	const struct scan_rule rule = { .kind = (char *)"M", .path = (char *)"spec", .triple = { keys, 3 }, .tags = { tags, 1 } };
	auto_free char *got = scanned("kind: M\nspec: {version: 8.0.1}\n---\nkind: N\nspec: {version: '1'}", &rule, 1, false);

	assert_string_equal(got, "quay.io/mongodb/server:8.0.1-ubi8 certain spec");
}

TEST(joins_variables_and_objects)
{
	const struct scan_rule rules[] = {
		{ .kind = (char *)"M", .join = (char *)"{env:REPO}/{env:NAME}:{spec.version}-ubi8" },
		{ .join = (char *)"{env:REPO}/{env:AGENT}" },
		{ .join = (char *)"{env:NOT}/x:1" },
	};
	auto_free char *got = scanned("kind: D\nenv: [{name: REPO, value: quay.io/m}, {name: NAME, value: s}, {name: AGENT, value: 'a:2'}]\n"
				      "---\nkind: M\nspec: {version: 8.0.1}\n---\nkind: M\nspec: {version: 7.0.1}", rules, 3, false);

	assert_string_equal(got, "quay.io/m/a:2 certain env[].value; quay.io/m/s:7.0.1-ubi8 certain env[].value; "
				 "quay.io/m/s:8.0.1-ubi8 certain env[].value");
}

TEST(refuses_rules_of_no_form_or_two)
{
	static char *two[] = { (char *)"a", (char *)"b", NULL }, *three[] = { (char *)"=a", (char *)"=b", (char *)"=c", NULL };
	const struct scan_rule rules[] = {
		{ 0 },
		{ .env = (char *)"A", .join = (char *)"{env:A}" },
		{ .triple = { two, 2 }, .path = (char *)"x" },
		{ .triple = { three, 3 } },
		{ .triple = { three, 3 }, .path = (char *)"x" },
		{ .env = (char *)"A", .tags = { two, 2 } },
		{ .env = (char *)"A", .member = (char *)"x" },
		{ .file = (char *)"a", .chart = (char *)"x" },
		{ .join = (char *)"{spec.version}" },
		{ .join = (char *)"{env:}" },
		{ .join = (char *)"{env:A" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct err e = { 0 };

		assert_err(scan_rule_check(&rules[i], &e), e, ERR_MALFORMED);
	}
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

TEST(compares_what_base64_says)
{
	/* "image: quay.io/a/b:1 key: abc", and xyz for abc */
	mask("{kind: Secret, data: {c: aW1hZ2U6IHF1YXkuaW8vYS9iOjEga2V5OiBhYmM=}}",
	     "{kind: Secret, data: {c: aW1hZ2U6IHF1YXkuaW8vYS9iOjEga2V5OiB4eXo=}}",
	     "{\"data\":{\"c\":\"aW1hZ2U6IHF1YXkuaW8vYS9iOjEga2V5OiA=\"},\"kind\":\"Secret\"}", "t.yaml: Secret: data.c");
}

TEST(random_marks_leave_other_lines_alone)
{
	mask("{kind: C, a: \"k: 'a!b'\\nimage: x:1\\nend\"}", "{kind: C, a: \"k: '!#'\\nimage: x:1\\nend\"}",
	     "{\"a\":\"k: \\nimage: x:1\\nend\",\"kind\":\"C\"}", "t.yaml: C: a");
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

/* 2 MiB in which each key's value is the rest of the line: with a glance at each rest this would take minutes. */
TEST(bears_long_lines)
{
	static const char *const pieces[] = { "image:", "a:", "::", "'", "x=", "quay.io/a" };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		auto_buf struct buf text = BUF_INIT(4 << 20);
		auto_scan struct scan_finds f = { 0 };
		struct err e = { 0 };

		while (text.len < 2 << 20)
			buf_puts(&text, pieces[i]);

		struct helm_object one = { json_pack("{ss, s{ss}}", "kind", "C", "data", "k", buf_str(&text)), (char *)"t", false, false };
		struct helm_objects all = { &one, 1 };

		assert_ok(scan_objects(&all, "web", NULL, 0, false, &f, &e), e);
		assert_int_equal(f.n, 0);
		json_decref(one.object);
	}
}

/* Archives of the fuzzer's corpus. */
TEST(looks_through_archives_within_archives)
{
	static const struct { const char *name, *member, *want; enum err_code code; } cases[] = {
		{ "apps.zip", "*.conf", "apps/hpo:1.1 certain b/loose.conf; apps/hpo:1.1 certain hpo.zip/hpo.app.conf", ERR_NONE },
		{ "apps.zip", "hpo.zip/*", "", ERR_NONE },
		{ "apps.zip", NULL, "a/b:1 certain hpo.zip/assets/x.md; apps/hpo:1.1 certain b/loose.conf; "
				    "apps/hpo:1.1 certain hpo.zip/hpo.app.conf", ERR_NONE },
		{ "chart.tgz", "values.yaml", "a/b:1 certain x/charts/y.tgz/y/values.yaml.image; "
					      "up/x:1 certain x/values.yaml.image", ERR_NONE },
		{ "deep.zip", "*.conf", "", ERR_NONE },
		{ "lies.zip", NULL, "a/b:1 certain not.zip; apps/hpo:1.1 certain twice.conf", ERR_NONE },
		{ "binary.zip", NULL, "", ERR_NONE },
		{ "bomb.zip", NULL, NULL, ERR_LIMIT },
		{ "locked.zip", NULL, NULL, ERR_MALFORMED },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *path = xasprintf("tests/fuzz/corpus/scan_archive/%s", cases[i].name);
		auto_scan struct scan_finds f = { 0 };
		auto_strv struct strv lines = { 0 };
		struct err e = { 0 };
		auto_fd int fd = fs_open(path, O_RDONLY, 0, &e);

		if (cases[i].code) {
			assert_err(scan_archive(fd, "apps", cases[i].member, &f, &e), e, cases[i].code);
			continue;
		}
		assert_ok(scan_archive(fd, "apps", cases[i].member, &f, &e), e);
		for (size_t k = 0; k < f.n; k++)
			strv_pushf(&lines, "%s %s %s", f.items[k].image, f.items[k].certain ? "certain" : "maybe", f.items[k].path);

		auto_free char *got = strv_join(&lines, "; ");

		assert_string_equal(got, cases[i].want);
	}
}

TEST(a_join_whose_variable_nobody_sets_is_an_error)
{
	const struct scan_rule rule = { .kind = (char *)"M", .join = (char *)"{env:NOT}/x:{spec.version}" };
	auto_helm_objects struct helm_objects o = objects_of("kind: M\nspec: {version: 1.0.0}"), none = objects_of("kind: N");
	auto_scan struct scan_finds f = { 0 };
	struct err e = { 0 };

	assert_err(scan_objects(&o, "web", &rule, 1, false, &f, &e), e, ERR_MALFORMED);
	assert_ok(scan_objects(&none, "web", &rule, 1, false, &f, &e), e);
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
		cmocka_unit_test(a_rule_holds_when_the_keys_beside_say_so),
		cmocka_unit_test(an_image_in_keys_of_its_own_is_a_guess),
		cmocka_unit_test(image_volumes_and_options_are_seen),
		cmocka_unit_test(keys_and_values_of_any_notation),
		cmocka_unit_test(what_only_looks_alike_is_none),
		cmocka_unit_test(a_place_elsewhere_may_disable_a_triple),
		cmocka_unit_test(a_triple_may_have_texts_of_its_own),
		cmocka_unit_test(joins_variables_and_objects),
		cmocka_unit_test(refuses_rules_of_no_form_or_two),
		cmocka_unit_test(a_rule_makes_a_variable_certain),
		cmocka_unit_test(leaves_test_hooks_out_unless_asked),
		cmocka_unit_test(takes_defaults_of_a_schema_but_no_examples),
		cmocka_unit_test(takes_out_random_words_and_keeps_their_neighbours),
		cmocka_unit_test(compares_what_base64_says),
		cmocka_unit_test(random_marks_leave_other_lines_alone),
		cmocka_unit_test(does_not_tell_of_random_words_in_tests),
		cmocka_unit_test(takes_out_random_keys),
		cmocka_unit_test(bears_a_random_word_that_reads_as_a_number),
		cmocka_unit_test(refuses_a_random_number_of_objects),
		cmocka_unit_test(bears_long_lines),
		cmocka_unit_test(looks_through_archives_within_archives),
		cmocka_unit_test(a_join_whose_variable_nobody_sets_is_an_error),
		cmocka_unit_test(finds_are_sorted_and_each_is_there_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
