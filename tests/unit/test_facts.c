/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/facts.h>

#define HEAD "apiVersion: airgap/v1\nkind: Facts\n"
#define NODE(more) HEAD "nodes:\n- {kernel: 5.15.0-1, " more "}\n"

static int parse(const char *text, struct facts *out, struct err *e)
{
	return facts_parse(text, strlen(text), "facts.json", out, e);
}

TEST(reads_every_key_and_writes_it_back)
{
	static const char text[] = HEAD
		"created: \"2026-11-24T22:00:00Z\"\n"
		"kubernetes: {version: v1.32.4+k3s1, apiVersions: [v1, apps/v1]}\n"
		"nodes:\n"
		"- {count: 2, os: ubuntu, osVersion: \"22.04\", osImage: Ubuntu 22.04.5 LTS, kernel: 5.15.0-1071-nvidia, architecture: amd64,\n"
		"   runtime: \"containerd://1.7.27\", gpu: true, gpuProduct: NVIDIA-A100-SXM4-80GB, gpuDriver: 580.126.20, gpus: 8, mig: true}\n"
		"- {osImage: Debian GNU/Linux 12 (bookworm), kernel: 6.1.0-22-amd64, architecture: arm64}\n";
	auto_facts struct facts f = { 0 }, again = { 0 };
	auto_buf struct buf out = BUF_INIT(FACTS_MAX), second = BUF_INIT(FACTS_MAX);
	struct err e = { 0 };

	assert_ok(parse(text, &f, &e), e);
	assert_string_equal(f.kube_version, "v1.32.4+k3s1");
	assert_int_equal(f.api_versions.n, 2);
	assert_int_equal(f.n_nodes, 2);
	assert_string_equal(f.nodes[0].os, "debian");
	assert_string_equal(f.nodes[0].os_version, "12");
	assert_false(f.nodes[0].gpu);
	assert_int_equal(f.nodes[1].count, 2);
	assert_int_equal(f.nodes[1].gpus, 8);
	assert_true(f.nodes[1].gpu && f.nodes[1].mig);
	assert_string_equal(f.nodes[1].gpu_driver, "580.126.20");
	assert_ok(facts_dump(&f, &out, &e), e);
	assert_ok(parse(buf_str(&out), &again, &e), e);
	assert_ok(facts_dump(&again, &second, &e), e);
	assert_string_equal(buf_str(&out), buf_str(&second));
}

/* What is refused, and the words. */
TEST(refuses_what_is_not_facts)
{
	static const struct { const char *text, *words; enum err_code code; } bad[] = {
		{ "", "facts.json: is empty", ERR_MALFORMED },
		{ "a: [", "facts.json:", ERR_MALFORMED },
		{ "apiVersion: airgap/v1\nkind: Site\n", "kind is 'Site', not Facts", ERR_UNSUPPORTED },
		{ "apiVersion: airgap/v2\nkind: Facts\n", "apiVersion is 'airgap/v2'", ERR_UNSUPPORTED },
		{ "kind: Facts\n", "'apiVersion' is missing", ERR_MALFORMED },
		{ "[]", "must be a map", ERR_MALFORMED },
		{ HEAD "node: []\n", "facts.json:3: unknown key 'node': did you mean 'nodes'?", ERR_MALFORMED },
		{ HEAD "nodes: {}\n", "facts.json:3: nodes: must be a list", ERR_MALFORMED },
		{ HEAD "nodes:\n- {os: ubuntu}\n", "facts.json:4: nodes[0]: 'kernel' is missing", ERR_MALFORMED },
		{ NODE("osverson: \"22.04\""), "did you mean 'osVersion'?", ERR_MALFORMED },
		{ NODE("os: ubuntu, osVersion: 22.04"), "must be a string: write the number in quotes", ERR_MALFORMED },
		{ NODE("os: ubuntu"), "facts.json:4: nodes[0]: os and osVersion belong together", ERR_MALFORMED },
		{ NODE("osImage: \"\""), "nodes[0]: osImage: takes 1 to 256", ERR_MALFORMED },
		{ NODE("osImage: \"a\\nb\""), "printable ASCII", ERR_MALFORMED },
		{ NODE("gpuProduct: \"\\e[31m\""), "gpuProduct: takes", ERR_MALFORMED },
		{ NODE("gpus: -1"), "must not be negative", ERR_MALFORMED },
		{ NODE("gpu: maybe"), "must be true or false", ERR_MALFORMED },
		{ HEAD "kubernetes: {version: new}\n", "kubernetes.version: 'new': write a version", ERR_MALFORMED },
		{ HEAD "kubernetes: {apiVersions: v1}\n", "must be a list", ERR_MALFORMED },
		{ HEAD "created: \"\\t\"\n", "created: is no time", ERR_MALFORMED },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_facts struct facts f = { 0 };
		struct err e = { 0 };

		assert_err(parse(bad[i].text, &f, &e), e, bad[i].code);
		if (!strstr(e.msg, bad[i].words))
			fail_msg("%s: not '%s'", e.msg, bad[i].words);
		assert_int_equal(f.n_nodes, 0);
	}
}

TEST(refuses_more_nodes_than_a_site_has)
{
	auto_buf struct buf text = BUF_INIT(FACTS_MAX);
	auto_facts struct facts f = { 0 };
	struct err e = { 0 };

	buf_puts(&text, HEAD "nodes:\n");
	for (unsigned i = 0; i <= FACTS_NODES_MAX; i++)
		buf_putf(&text, "- {kernel: k%u}\n", i);
	assert_err(parse(buf_str(&text), &f, &e), e, ERR_LIMIT);
}

TEST(knows_a_system_by_what_kubelets_call_it)
{
	static const struct { const char *image, *os, *version; } table[] = {
		{ "Ubuntu 22.04.5 LTS", "ubuntu", "22.04" },
		{ "Ubuntu 24.04 LTS", "ubuntu", "24.04" },
		{ "Ubuntu 26.04.1 LTS", "ubuntu", "26.04" },
		{ "Ubuntu Noble Numbat (development branch)", NULL, NULL },
		{ "Red Hat Enterprise Linux 9.4 (Plow)", "rhel", "9.4" },
		{ "Red Hat Enterprise Linux 10.0 (Coughlan)", "rhel", "10.0" },
		{ "Red Hat Enterprise Linux 8.10 (Ootpa)", "rhel", "8.10" },
		{ "Red Hat Enterprise Linux CoreOS 417.94.202411201839-0", "rhcos", "4.17" },
		{ "Red Hat Enterprise Linux CoreOS 48.84.202109210859-0", "rhcos", "4.8" },
		{ "Red Hat Enterprise Linux CoreOS 4.18", "rhcos", "4.18" },
		{ "Red Hat Enterprise Linux CoreOS 9.6.20250701-0 (Plow)", NULL, NULL },
		{ "Rocky Linux 9.4 (Blue Onyx)", "rocky", "9.4" },
		{ "Rocky Linux 10.0 (Red Quartz)", "rocky", "10.0" },
		{ "AlmaLinux 9.5 (Teal Serval)", "almalinux", "9.5" },
		{ "Oracle Linux Server 9.4", "ol", "9.4" },
		{ "SUSE Linux Enterprise Server 15 SP6", "sles", "15.6" },
		{ "SUSE Linux Enterprise Server 15", "sles", "15" },
		{ "Debian GNU/Linux 12 (bookworm)", "debian", "12" },
		{ "Debian GNU/Linux trixie/sid", NULL, NULL },
		{ "CentOS Stream 9", "centos", "9" },
		{ "Fedora Linux 40 (Container Image)", "fedora", "40" },
		{ "Talos (v1.8.3)", NULL, NULL },
		{ "", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		char *os = NULL, *version = NULL;

		assert_int_equal(facts_os_of_image(table[i].image, &os, &version), table[i].os != NULL);
		if (table[i].os) {
			assert_string_equal(os, table[i].os);
			assert_string_equal(version, table[i].version);
		}
		free(os);
		free(version);
	}
}

static void add(struct facts *f, uint64_t count, const char *kernel, bool gpu)
{
	struct facts_node n = { .count = count, .kernel = xstrdup(kernel), .gpu = gpu };

	facts_add_take(f, &n);
	assert_null(n.kernel);
}

TEST(counts_nodes_that_are_alike)
{
	auto_facts struct facts f = { 0 };

	add(&f, 0, "b", false);
	add(&f, 3, "a", true);
	add(&f, 2, "b", false);
	add(&f, 1, "b", true);
	facts_sort(&f);
	assert_int_equal(f.n_nodes, 3);
	assert_string_equal(f.nodes[0].kernel, "a");
	assert_int_equal(f.nodes[1].count, 3);
	assert_false(f.nodes[1].gpu);
	assert_int_equal(f.nodes[2].count, 1);

	add(&f, UINT64_MAX, "b", true);
	assert_true(f.nodes[2].count > 1u << 31 && f.nodes[2].count < INT64_MAX);
}

/* The file goes before the manifest; nodes are those of both. */
TEST(merges_the_file_and_the_manifest)
{
	static const char file[] = HEAD "kubernetes: {version: v1.33.1}\nnodes: [{kernel: one}, {kernel: two, count: 4}]\n";
	auto_json json_t *j = json_pack("{s:{s:s, s:[s]}, s:[{s:s}, {s:s}]}", "kubernetes", "version", "v1.30.0", "apiVersions",
					"apps/v1", "nodes", "kernel", "two", "kernel", "three");
	auto_facts struct facts f = { 0 }, known = { 0 };
	struct err e = { 0 };

	assert_ok(parse(file, &f, &e), e);
	assert_ok(facts_decode(j, NULL, "bundle.yaml", &known, &e), e);
	facts_merge_take(&f, &known);
	assert_int_equal(known.n_nodes, 0);
	assert_string_equal(f.kube_version, "v1.33.1");
	assert_string_equal(f.api_versions.items[0], "apps/v1");
	assert_int_equal(f.n_nodes, 3);
	assert_string_equal(f.nodes[2].kernel, "two");
	assert_int_equal(f.nodes[2].count, 5);
}

/* Without the two lines on top; messages name the key it stands under, and the manifest's line. */
TEST(reads_the_facts_of_a_manifest)
{
	static const char text[] = "kind: Manifest\nfacts:\n  nodes:\n  - {kernel: one}\n  - {kernal: two}\n";
	auto_ydoc_marks struct ydoc_marks *marks = NULL;
	auto_facts struct facts f = { 0 };
	struct err e = { 0 };
	auto_json json_t *doc = ydoc_parse(text, strlen(text), &ydoc_user, "bundle.yaml", &marks, &e);

	assert_err(facts_decode(json_object_get(doc, "facts"), marks, "bundle.yaml", &f, &e), e, ERR_MALFORMED);
	assert_string_equal(e.msg, "bundle.yaml:5: facts.nodes[1]: unknown key 'kernal': did you mean 'kernel'?");
	assert_null(facts_encode(&f));
}

TEST(says_what_a_node_is)
{
	static const struct { struct facts_node node; const char *words; } table[] = {
		{ { .count = 2, .os = (char *)"ubuntu", .os_version = (char *)"22.04", .kernel = (char *)"5.15.0-1071-nvidia" },
		  "2 nodes ubuntu 22.04, kernel 5.15.0-1071-nvidia" },
		{ { .os_image = (char *)"Talos (v1.8.3)", .kernel = (char *)"6.6.60-talos" }, "1 node Talos (v1.8.3), kernel 6.6.60-talos" },
		{ { .count = 1, .kernel = (char *)"6.1" }, "1 node of an unknown system, kernel 6.1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_free char *text = facts_node_text(&table[i].node);

		assert_string_equal(text, table[i].words);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_key_and_writes_it_back),
		cmocka_unit_test(refuses_what_is_not_facts),
		cmocka_unit_test(refuses_more_nodes_than_a_site_has),
		cmocka_unit_test(knows_a_system_by_what_kubelets_call_it),
		cmocka_unit_test(counts_nodes_that_are_alike),
		cmocka_unit_test(merges_the_file_and_the_manifest),
		cmocka_unit_test(reads_the_facts_of_a_manifest),
		cmocka_unit_test(says_what_a_node_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
