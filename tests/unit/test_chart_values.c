/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/chart_values.h>
#include <airgap/strv.h>
#include <airgap/tarball.h>
#include <airgap/yaml.h>

static struct err e;

/* A chart of these files: {name, text}, NULL-ended; "a.tgz" with text "=N" is the archive of the N-th list. */
struct file { const char *name, *text; };

static void pack(const struct file *files, struct buf *out)
{
	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();
	const struct sink sink = { buf_sink_write, out };

	for (; files->name; files++) {
		auto_free char *name = xasprintf("top/%s", files->name);

		assert_ok(tarball_pack_add(t, name, files->text, strlen(files->text), &e), e);
	}
	assert_ok(tarball_pack_write(t, TARBALL_GZIP, &sink, &e), e);
}

static const struct file web[] = {
	{ "Chart.yaml", "name: web\nversion: 1.0.0\ndependencies: [{name: db, alias: store}, {name: plain}]\n" },
	{ "values.yaml",
	  "global: {storageClass: \"\"}\n"
	  "image: {registry: docker.io, repository: demo/web, tag: 1}\n"
	  "side: {image: quay.io/demo/side:2}\n"
	  "operator: {repository: nvcr.io/nvidia, image: gpu-operator, version: v1}\n"
	  "helper: {repository: docker.io/library/busybox}\n"
	  "whole: registry.example/a/b:3\n"
	  "resources: {limits: {cpu: 1}}\npodLabels: {a: b}\nannotations: {}\nextra: {one: 1}\nblock: {one: 1}\nstore: {size: 5Gi}\n"
	  "nothing: null\n" },
	{ "values.schema.json", "{\"properties\": {\"image\": {\"properties\": {\"pullPolicy\": {}}}, \"ports\": {\"properties\": {\"http\": {}}}}}" },
	{ "templates/a.yaml",
	  "{{ .Values.image.undocumented }} {{ index .Values \"dashed-name\" }}\n{{- toYaml .Values.extra | nindent 2 }}\n"
	  "{{- with .Values.block }}\n{{ .inside }}\n{{- end }}\n{{ .Values.image }}\n" },
	{ "charts/db/Chart.yaml", "name: db\nversion: 1.0.0\n" },
	{ "charts/db/values.yaml", "global: {imageRegistry: \"\"}\nimage: {repository: demo/db, tag: 1}\nsize: 1Gi\n" },
	{ "charts/plain/Chart.yaml", "name: plain\nversion: 1.0.0\n" },
	{ "charts/plain/values.yaml", "port: 80\n" },
	{ "charts/plain/templates/b.yaml", "{{ .Values.hidden }}\n" },
	{ NULL, NULL }
};

static struct chart_values read_chart(const struct file *files)
{
	auto_buf struct buf archive = BUF_INIT(1u << 20);
	struct chart_values v = { 0 };

	pack(files, &archive);
	assert_ok(chart_values_read(archive.ptr, archive.len, &v, &e), e);
	return v;
}

static void hear(void *ctx, const char *path, const char *leaf, const char *nearest)
{
	strv_pushf(ctx, "%s|%s|%s", path, leaf, nearest ? nearest : "");
}

TEST(keys_that_a_chart_does_not_have_are_told)
{
	static const struct { const char *values, *says; } cases[] = {
		/* what it has */
		{ "{image: {repository: x, tag: 2}, resources: {requests: {cpu: 1}}, nothing: {a: 1}}", "" },
		{ "{store: {size: 1Gi, image: {repository: x}}, plain: {port: 1}}", "" },
		{ "{global: {storageClass: x, imageRegistry: r}}", "" },
		{ "{image: {pullPolicy: Always}, ports: {http: 1}}", "" },              /* of the schema alone */
		{ "{image: {undocumented: x}, dashed-name: 1, hidden: 1, plain: {hidden: 1}}", "" },        /* of a template alone */
		{ "{extra: {two: 2}, block: {inside: 1}, podLabels: {c: d}, annotations: {x: y}}", "" },        /* written out as it is */
		{ "{image: {repositry: null}, imag: null}", "" },                       /* takes away what is not there */
		/* what it has not */
		{ "{image: {repositry: x}}", "image.repositry|image.repositry|image.repository" },
		{ "{imagee: {repository: x}}", "imagee|imagee.repository|image" },
		{ "{mck: {registry: {agent: x, operator: y}}}", "mck|mck.registry.agent|" },
		{ "{store: {image: {repo: x}}}", "store.image.repo|store.image.repo|" },
		{ "{db: {size: 1Gi}}", "db|db.size|" },                                 /* has another name here */
		{ "{image: {hidden: 1}}", "image.hidden|image.hidden|" },
		{ "{plain: {prot: 1}}", "plain.prot|plain.prot|plain.port" },
		{ "{global: {imageRegistri: r}}", "global.imageRegistri|global.imageRegistri|global.imageRegistry" },
		{ "{image: {registri: x}, whol: y}", "image.registri|image.registri|image.registry\nwhol|whol|whole" },
		{ "{ports: {htp: 1}}", "ports.htp|ports.htp|ports.http" },
		{ "{block: {outside: 1}}", "block.outside|block.outside|" },
	};
	auto_chart_values struct chart_values v = read_chart(web);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *values = ydoc_parse(cases[i].values, strlen(cases[i].values), &ydoc_rendered, "test", NULL, &e);
		auto_strv struct strv said = { 0 };

		chart_values_unknown(&v, values, hear, &said);

		auto_free char *all = strv_join(&said, "\n");

		if (strcmp(all, cases[i].says) != 0)
			fail_msg("%s: says '%s', not '%s'", cases[i].values, all, cases[i].says);
	}
}

TEST(a_chart_without_values_knows_all)
{
	static const struct file bare[] = { { "Chart.yaml", "name: x\nversion: 1.0.0\n" }, { NULL, NULL } };
	static const struct file odd[] = { { "Chart.yaml", "name: x\nversion: 1.0.0\n" }, { "values.yaml", "a: [\n" }, { NULL, NULL } };
	const struct file *const charts[] = { bare, odd };
	auto_json json_t *values = json_pack("{s:s}", "a", "b");

	for (size_t i = 0; i < ARRAY_LEN(charts); i++) {
		auto_chart_values struct chart_values v = read_chart(charts[i]);
		auto_strv struct strv said = { 0 };

		chart_values_unknown(&v, values, hear, &said);
		assert_int_equal(said.n, 0);
	}
}

TEST(the_key_of_an_image_is_found)
{
	static const struct { const char *image, *key; } cases[] = {
		{ "docker.io/demo/web:1", "image.registry" }, { "demo/web:9", "image.registry" },
		{ "quay.io/demo/side:2", "side.image" }, { "nvcr.io/nvidia/gpu-operator:v1", "operator.repository" },
		{ "nvcr.io/nvidia/gpu-operator:v1-{osTag}", "operator.repository" },
		{ "busybox:1.36", "helper.repository" }, { "registry.example/a/b:3", "whole" },
		{ "docker.io/demo/db:1", "store.image.repository" }, { "docker.io/demo/none:1", NULL }, { "Not An Image", NULL },
	};
	auto_chart_values struct chart_values v = read_chart(web);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *key = chart_values_of_image(&v, cases[i].image);

		if (!str_eq(key, cases[i].key))
			fail_msg("%s: %s", cases[i].image, key ? key : "nothing");
	}
}

TEST(the_registry_of_all_goes_first)
{
	static const struct file files[] = {
		{ "Chart.yaml", "name: x\nversion: 1.0.0\n" },
		{ "values.yaml", "global: {image: {registry: registry.k8s.io}}\ncontroller: {image: {image: ingress-nginx/controller}}\n" },
		{ NULL, NULL }
	};
	auto_chart_values struct chart_values v = read_chart(files);
	auto_free char *key = chart_values_of_image(&v, "registry.k8s.io/ingress-nginx/controller:v1");

	assert_string_equal(key, "global.image.registry");
}

/* A sub-chart may lie in charts/ as an archive. */
TEST(archives_in_a_chart_are_read)
{
	static const struct file inner[] = {
		{ "Chart.yaml", "name: inner\nversion: 1.0.0\n" }, { "values.yaml", "image: {repository: demo/inner}\n" }, { NULL, NULL }
	};
	auto_buf struct buf below = BUF_INIT(1u << 20), archive = BUF_INIT(1u << 20);
	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();
	const struct sink sink = { buf_sink_write, &archive };
	auto_chart_values struct chart_values v = { 0 };

	pack(inner, &below);
	assert_ok(tarball_pack_add(t, "top/Chart.yaml", "name: outer\n", 12, &e), e);
	assert_ok(tarball_pack_add(t, "top/charts/inner-1.0.0.tgz", below.ptr, below.len, &e), e);
	assert_ok(tarball_pack_write(t, TARBALL_GZIP, &sink, &e), e);
	assert_ok(chart_values_read(archive.ptr, archive.len, &v, &e), e);
	assert_string_equal(jdoc_text(v.defaults, "inner", "image", "repository", NULL), "demo/inner");
}

TEST(what_is_no_archive_is_refused)
{
	struct chart_values v = { 0 };

	assert_int_equal(chart_values_read("nothing", 7, &v, &e), -1);
	assert_null(v.defaults);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_that_a_chart_does_not_have_are_told), cmocka_unit_test(a_chart_without_values_knows_all),
		cmocka_unit_test(the_key_of_an_image_is_found), cmocka_unit_test(the_registry_of_all_goes_first),
		cmocka_unit_test(archives_in_a_chart_are_read), cmocka_unit_test(what_is_no_archive_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
