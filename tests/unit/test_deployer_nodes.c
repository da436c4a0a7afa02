/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../../deployer/nodes.h"

static struct err e;

/* One node with these labels and this nodeInfo, as facts on one line; or the error. */
static char *facts_of(const char *labels, const char *info, const char *capacity)
{
	auto_free char *text = xasprintf("[{metadata: {name: secret-name, labels: {%s}}, status: {nodeInfo: {%s}, capacity: {%s}}}]",
					 labels, info, capacity);
	auto_json json_t *items = ydoc_parse(text, strlen(text), &ydoc_user, "nodes", NULL, &e);
	auto_facts struct facts f = { 0 };
	auto_buf struct buf out = BUF_INIT(FACTS_MAX);

	assert_non_null(items);
	err_clear(&e);
	if (nodes_read(items, &f, &e) < 0)
		return xstrdup(e.msg);
	auto_json json_t *j = facts_encode(&f);

	assert_ok(jdoc_dump(json_array_get(json_object_get(j, "nodes"), 0), &out, &e), e);
	return buf_take(&out);
}

#define NFD "feature.node.kubernetes.io/"
#define INFO "kernelVersion: 5.15.0-1, osImage: Ubuntu 22.04.5 LTS"

TEST(reads_what_a_node_says)
{
	static const struct { const char *labels, *info, *capacity, *wanted; } table[] = {
		{ "", "kernelVersion: 5.15.0-1, osImage: Ubuntu 22.04.5 LTS, architecture: amd64, containerRuntimeVersion: 'containerd://1.7'", "",
		  "{\"architecture\":\"amd64\",\"count\":1,\"kernel\":\"5.15.0-1\",\"os\":\"ubuntu\",\"osImage\":\"Ubuntu 22.04.5 LTS\","
		  "\"osVersion\":\"22.04\",\"runtime\":\"containerd://1.7\"}" },
		{ "", "kernelVersion: 6.6-talos, osImage: Talos (v1.8)", "", "{\"count\":1,\"kernel\":\"6.6-talos\",\"osImage\":\"Talos (v1.8)\"}" },
		{ NFD "system-os_release.ID: rhel, " NFD "system-os_release.VERSION_ID: '9.4'", "kernelVersion: k, osImage: x", "",
		  "{\"count\":1,\"kernel\":\"k\",\"os\":\"rhel\",\"osImage\":\"x\",\"osVersion\":\"9.4\"}" },
		/* half a label is none */
		{ NFD "system-os_release.ID: rhel", INFO, "",
		  "{\"count\":1,\"kernel\":\"5.15.0-1\",\"os\":\"ubuntu\",\"osImage\":\"Ubuntu 22.04.5 LTS\",\"osVersion\":\"22.04\"}" },
		{ NFD "kernel-version.full: other", "kernelVersion: k", "", "{\"count\":1,\"kernel\":\"other\"}" },
		{ NFD "pci-10de.present: 'true'", "kernelVersion: k", "", "{\"count\":1,\"gpu\":true,\"kernel\":\"k\"}" },
		{ NFD "pci-0302_10de.present: 'true'", "kernelVersion: k", "", "{\"count\":1,\"gpu\":true,\"kernel\":\"k\"}" },
		{ NFD "pci-10de.present: 'false', " NFD "pci-8086.present: 'true'", "kernelVersion: k", "", "{\"count\":1,\"kernel\":\"k\"}" },
		{ "nvidia.com/gpu.present: 'true'", "kernelVersion: k", "", "{\"count\":1,\"gpu\":true,\"kernel\":\"k\"}" },
		{ "", "kernelVersion: k", "nvidia.com/gpu: '8'", "{\"count\":1,\"gpu\":true,\"gpus\":8,\"kernel\":\"k\"}" },
		{ "nvidia.com/gpu.count: '2', nvidia.com/gpu.product: A100, nvidia.com/mig.capable: 'true', nvidia.com/cuda.driver.major: '580', "
		  "nvidia.com/cuda.driver.minor: '105', nvidia.com/cuda.driver.rev: '08'", "kernelVersion: k", "nvidia.com/gpu: '16'",
		  "{\"count\":1,\"gpu\":true,\"gpuDriver\":\"580.105.08\",\"gpuProduct\":\"A100\",\"gpus\":2,\"kernel\":\"k\",\"mig\":true}" },
		{ "nvidia.com/gpu.count: many", "kernelVersion: k", "nvidia.com/gpu: x", "{\"count\":1,\"kernel\":\"k\"}" },
		{ "", "kernelVersion: k, osImage: \"a\\nb\"", "", "{\"count\":1,\"kernel\":\"k\"}" },
		{ "", "osImage: x", "", "node 'secret-name': says no kernel: is its kubelet running?" },
		{ "", "kernelVersion: 5", "", "node 'secret-name': says no kernel: is its kubelet running?" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_free char *got = facts_of(table[i].labels, table[i].info, table[i].capacity);

		assert_string_equal(got, table[i].wanted);
	}
}

/* Two that are alike are one; what is read passes as a file. */
TEST(counts_and_writes_them)
{
	static const char nodes[] = "[{status: {nodeInfo: {" INFO "}}}, {status: {nodeInfo: {kernelVersion: a}}},"
				    " {metadata: {name: x}, status: {nodeInfo: {" INFO "}}}]";
	auto_json json_t *items = ydoc_parse(nodes, strlen(nodes), &ydoc_user, "nodes", NULL, &e);
	auto_facts struct facts f = { 0 }, again = { 0 };
	auto_buf struct buf out = BUF_INIT(FACTS_MAX);

	assert_ok(nodes_read(items, &f, &e), e);
	assert_int_equal(f.n_nodes, 2);
	assert_ok(facts_dump(&f, &out, &e), e);
	assert_ok(facts_parse(buf_str(&out), out.len, "facts.json", &again, &e), e);
	assert_int_equal(again.n_nodes, 2);
	assert_int_equal(again.nodes[1].count, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_a_node_says),
		cmocka_unit_test(counts_and_writes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
