/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes.h"

#define FEATURE "feature.node.kubernetes.io/"
#define NVIDIA  "10de"          /* its PCI vendor */

/* A text that facts may hold; NULL = none. */
static char *take(const char *text)
{
	size_t n = text ? strlen(text) : 0;

	if (!n || n > FACTS_TEXT_MAX)
		return NULL;
	for (const char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			return NULL;
	return xstrdup(text);
}

static const char *label(const json_t *node, const char *name)
{
	return jdoc_text(node, "metadata", "labels", name, NULL);
}

static bool is_true(const json_t *node, const char *name)
{
	return str_eq(label(node, name), "true");
}

/* pci-10de.present, or with the class of the device: pci-0302_10de.present */
static bool has_device(const json_t *node)
{
	const char *name;
	json_t *value;

	json_object_foreach(jdoc_at(node, "metadata", "labels", NULL), name, value)
		if (str_starts(name, FEATURE "pci-") && str_ends(name, NVIDIA ".present") && str_eq(json_string_value(value), "true"))
			return true;
	return false;
}

static uint64_t gpus(const json_t *node)
{
	const char *said = label(node, "nvidia.com/gpu.count"), *capacity = jdoc_text(node, "status", "capacity", "nvidia.com/gpu", NULL);
	uint64_t n = 0;

	if (said && u64_parse(said, &n))
		return n;
	return capacity && u64_parse(capacity, &n) ? n : 0;
}

/* In one label, or in three. */
static char *driver(const json_t *node)
{
	const char *whole = label(node, "nvidia.com/cuda.driver-version.full"), *major = label(node, "nvidia.com/cuda.driver.major");
	const char *minor = label(node, "nvidia.com/cuda.driver.minor"), *rev = label(node, "nvidia.com/cuda.driver.rev");

	if (whole || !major || !minor)
		return take(whole);

	auto_free char *joined = xasprintf("%s.%s%s%s", major, minor, rev && *rev ? "." : "", rev ? rev : "");

	return take(joined);
}

static int read_node(const json_t *node, struct facts *out, struct err *e)
{
	const json_t *info = jdoc_at(node, "status", "nodeInfo", NULL);
	const char *kernel = label(node, FEATURE "kernel-version.full"), *name = jdoc_text(node, "metadata", "name", NULL);
	struct facts_node n = {
		.count = 1, .os_image = take(jdoc_text(info, "osImage", NULL)),
		.kernel = take(kernel ? kernel : jdoc_text(info, "kernelVersion", NULL)),
		.architecture = take(jdoc_text(info, "architecture", NULL)),
		.runtime = take(jdoc_text(info, "containerRuntimeVersion", NULL)),
		.os = take(label(node, FEATURE "system-os_release.ID")),
		.os_version = take(label(node, FEATURE "system-os_release.VERSION_ID")),
		.gpus = gpus(node), .gpu_product = take(label(node, "nvidia.com/gpu.product")), .gpu_driver = driver(node),
		.mig = is_true(node, "nvidia.com/mig.capable"),
	};

	n.gpu = n.gpus || is_true(node, "nvidia.com/gpu.present") || has_device(node);
	if (!n.os || !n.os_version) {
		free(TAKE(n.os));
		free(TAKE(n.os_version));
		if (n.os_image && !facts_os_of_image(n.os_image, &n.os, &n.os_version))
			n.os = n.os_version = NULL;
	}
	if (!n.kernel) {
		facts_node_release(&n);
		return err_set(e, ERR_CLUSTER, "node '%s': says no kernel: is its kubelet running?", name ? name : "");
	}
	facts_add_take(out, &n);
	return 0;
}

int nodes_read(const json_t *items, struct facts *out, struct err *e)
{
	size_t i;
	json_t *node;

	json_array_foreach((json_t *)items, i, node)
		if (read_node(node, out, e) < 0)
			return -1;
	facts_sort(out);
	return 0;
}

int nodes_ask(struct kubectl *k, struct facts *out, struct err *e)
{
	auto_facts struct facts f = { 0 };
	auto_json json_t *items = NULL;

	if (kubectl_server_version(k, &f.kube_version, e) < 0 || kubectl_api_versions(k, &f.api_versions, e) < 0 ||
	    kubectl_list(k, "nodes", NULL, NULL, &items, e) < 0)
		return err_wrap(e, "cluster");
	if (nodes_read(items, &f, e) < 0)
		return -1;
	*out = f;
	f = (struct facts){ 0 };
	return 0;
}
