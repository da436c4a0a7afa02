/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of manifests/clearml/gpu-operator.yaml against facts of nodes: which images the operator will ask for. */
#include "unit.h"

#include "../../bundler/node_tags.h"

#include <airgap/fs.h>
#include <airgap/helm.h>

static struct err e;
static struct manifest m;

static int load_rules(void **state)
{
	auto_free char *data = realpath("manifests/clearml/gpu-operator.yaml", NULL), *dir = NULL, *path = NULL;
	auto_free char *text = xasprintf("metadata: {name: t, version: '1'}\ninclude: %s\n", data);

	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	path = fs_join(dir, "t.yaml");
	assert_ok(fs_save(path, text, strlen(text), 0600, &e), e);
	assert_ok(manifest_load(path, NULL, &m, &e), e);
	return fs_remove_tree(dir, &e);
}

static int release_rules(void **state)
{
	manifest_release(&m);
	return 0;
}

/* "gpu ID VERSION KERNEL; …"; gpu or - */
static void read_facts(const char *text, struct facts *out)
{
	auto_strv struct strv nodes = { 0 };

	strv_split(&nodes, text, ';');
	for (size_t i = 0; i < nodes.n; i++) {
		auto_strv struct strv w = { 0 };

		strv_split(&w, nodes.items[i], ' ');
		assert_int_equal(w.n, 4);

		struct facts_node n = { .gpu = strcmp(w.items[0], "gpu") == 0, .os = xstrdup(w.items[1]),
					.os_version = xstrdup(w.items[2]), .kernel = xstrdup(w.items[3]) };

		facts_add_take(out, &n);
	}
	facts_sort(out);
}

static void read_objects(const char *text, struct helm_objects *out)
{
	auto_json json_t *docs = ydoc_parse_all(text, strlen(text), &ydoc_rendered, "objects", &e);
	size_t i;
	json_t *o;

	assert_non_null(docs);
	json_array_foreach(docs, i, o) {
		GROW(out->items, out->n);
		out->items[out->n++] = (struct helm_object){ .object = json_incref(o), .source = xstrdup("t.yaml") };
	}
}

/* Behind "nvcr.io/nvidia/", joined by blanks; "off:" before what is not carried. Or the error. */
static char *chosen(const char *version, const char *spec, const char *nodes)
{
	auto_helm_objects struct helm_objects objects = { 0 };
	auto_scan struct scan_finds finds = { 0 };
	auto_node_tags struct node_tags known = { 0 };
	auto_facts struct facts f = { 0 };
	auto_strv struct strv out = { 0 };
	const struct node_tags_chart chart = { "gpu-operator", version };
	const struct node_tags_how how = { &m.discover, &chart, 1 };

	read_objects(spec, &objects);
	read_facts(nodes, &f);
	err_clear(&e);
	assert_ok(scan_objects(&objects, "gpu-operator", m.discover.rules, m.discover.n_rules, false, &finds, &e), e);
	if (node_tags_replace(&finds, &f, &how, &known, &e) < 0)
		return xstrdup(e.msg);
	for (size_t i = 0; i < finds.n; i++) {
		const char *image = finds.items[i].image, *slash = strrchr(image, '/');

		strv_pushf(&out, "%s%s", finds.items[i].disabled ? "off:" : "", slash + 1);
	}
	return strv_join(&out, " ");
}

#define POLICY(more) "kind: ClusterPolicy\nspec: {sandboxWorkloads: {enabled: false}, " more "}"
#define DRIVER(v, more) "driver: {enabled: true, repository: nvcr.io/nvidia, image: driver, version: \"" v "\"" more "}"
#define FULL  POLICY(DRIVER("580.105.08", ", usePrecompiled: false"))
#define PRE   POLICY(DRIVER("580", ", usePrecompiled: true"))
#define CRD(v, more) "kind: NVIDIADriver\nspec: {repository: nvcr.io/nvidia, image: driver, version: \"" v "\"" more "}"
#define POOL(label) "nodeSelector: {nvidia.com/gpu.present: 'true', feature.node.kubernetes.io/system-os_release." label "}"
#define PART(key, image, v, on) key ": {enabled: " on ", repository: nvcr.io/nvidia, image: " image ", version: \"" v "\"}"

#define JAMMY "gpu ubuntu 22.04 5.15.0-1071-nvidia"
#define NOBLE "gpu ubuntu 24.04 6.8.0-60-generic"
#define NEXT  "gpu ubuntu 26.04 7.0.0-12-generic"
#define RHEL9 "gpu rhel 9.4 5.14.0-427.13.1.el9_4.x86_64"
#define RHEL10 "gpu rhel 10.0 6.12.0-55.9.1.el10_0.x86_64"
#define ROCKY9 "gpu rocky 9.4 5.14.0-427.13.1.el9_4.x86_64"
#define ROCKY10 "gpu rocky 10.0 6.12.0-55.9.1.el10_0.x86_64"
#define SLES  "gpu sles 15.6 6.4.0-150600.23.47-default"
#define ORACLE "gpu ol 9.4 5.15.0-206.153.7.el9uek.x86_64"

static const struct { const char *version, *spec, *nodes, *wanted; } table[] = {
	/* built on the node */
	{ "v25.3.1", FULL, JAMMY, "driver:580.105.08-ubuntu22.04" },
	{ "v25.3.1", FULL, NOBLE, "driver:580.105.08-ubuntu24.04" },
	{ "v25.3.1", FULL, RHEL9, "driver:580.105.08-rhel9.4" },
	{ "v25.3.1", FULL, RHEL10, "driver:580.105.08-rhel10.0" },
	{ "v25.3.1", FULL, ROCKY9, "driver:580.105.08-rocky9.4" },
	{ "v25.3.1", FULL, ROCKY10, "driver:580.105.08-rocky10.0" },
	{ "v25.3.1", FULL, SLES, "driver:580.105.08-sles15.6" },
	{ "v25.3.1", FULL, ORACLE, "driver:580.105.08-ol9.4" },
	{ "v25.10.1", FULL, JAMMY, "driver:580.105.08-ubuntu22.04" },
	{ "v25.10.1", FULL, RHEL9, "driver:580.105.08-rhel9.4" },
	{ "v25.10.1", FULL, RHEL10, "driver:580.105.08-rhel10.0" },
	{ "v25.10.1", FULL, ROCKY9, "driver:580.105.08-rocky9.4" },
	{ "v25.10.1", FULL, ORACLE, "driver:580.105.08-ol9.4" },
	{ "v26.3.3", FULL, NOBLE, "driver:580.105.08-ubuntu24.04" },
	{ "v26.3.3", FULL, RHEL9, "driver:580.105.08-rhel9.4" },
	{ "v26.3.3", FULL, RHEL10, "driver:580.105.08-rhel10" },
	{ "v26.3.3", FULL, ROCKY9, "driver:580.105.08-rocky9" },
	{ "v26.3.3", FULL, ROCKY10, "driver:580.105.08-rocky10" },
	{ "v26.3.3", FULL, SLES, "driver:580.105.08-sles15.6" },
	{ "v26.3.3", FULL, ORACLE, "driver:580.105.08-ol9.4" },
	{ "v26.7.0", FULL, NEXT, "driver:580.105.08-ubuntu26.04" },
	{ "v26.7.0", FULL, RHEL9, "driver:580.105.08-rhel9" },
	{ "v26.7.0", FULL, RHEL10, "driver:580.105.08-rhel10" },
	{ "v26.7.0", FULL, ROCKY9, "driver:580.105.08-rocky9" },
	{ "v26.7.0", FULL, ROCKY10, "driver:580.105.08-rocky10" },
	{ "v26.7.0", FULL, SLES, "driver:580.105.08-sles15.6" },
	{ "v26.7.0", FULL, ORACLE, "driver:580.105.08-ol9" },
	{ "v26.7.0-rc.1", FULL, RHEL9, "driver:580.105.08-rhel9" },
	{ "26.7.1", FULL, RHEL9, "driver:580.105.08-rhel9" },

	/* one image for a kernel */
	{ "v25.3.1", PRE, JAMMY, "driver:580-5.15.0-1071-nvidia-ubuntu22.04" },
	{ "v25.10.1", PRE, NOBLE, "driver:580-6.8.0-60-generic-ubuntu24.04" },
	{ "v25.10.1", PRE, RHEL9, "driver:580-5.14.0-427.13.1.el9_4.x86_64-rhel9.4" },
	{ "v26.3.3", PRE, RHEL9, "driver:580-5.14.0-427.13.1.el9_4.x86_64-rhel9.4" },
	{ "v26.3.3", PRE, RHEL10, "driver:580-6.12.0-55.9.1.el10_0.x86_64-rhel10" },
	{ "v26.7.0", PRE, RHEL9, "driver:580-5.14.0-427.13.1.el9_4.x86_64-rhel9" },
	{ "v26.7.0", PRE, NEXT, "driver:580-7.0.0-12-generic-ubuntu26.04" },

	/* several sorts of nodes: each image once; nodes without a GPU do not count while others have one */
	{ "v26.7.0", PRE, JAMMY ";" NOBLE,
	  "driver:580-5.15.0-1071-nvidia-ubuntu22.04 driver:580-6.8.0-60-generic-ubuntu24.04" },
	{ "v26.7.0", FULL, JAMMY ";gpu ubuntu 22.04 5.15.0-1072-nvidia", "driver:580.105.08-ubuntu22.04" },
	{ "v26.7.0", FULL, "gpu rhel 9.4 k1;gpu rhel 9.6 k2", "driver:580.105.08-rhel9" },
	{ "v26.3.3", FULL, "gpu rhel 9.4 k1;gpu rhel 9.6 k2", "driver:580.105.08-rhel9.4 driver:580.105.08-rhel9.6" },
	{ "v26.7.0", PRE, JAMMY ";- ubuntu 24.04 6.8.0-60-generic", "driver:580-5.15.0-1071-nvidia-ubuntu22.04" },
	{ "v26.7.0", PRE, "- ubuntu 22.04 5.15.0-1;- ubuntu 22.04 5.15.0-2",
	  "driver:580-5.15.0-1-ubuntu22.04 driver:580-5.15.0-2-ubuntu22.04" },

	/* pools of nodes */
	{ "v25.3.1", CRD("580.105.08", ""), RHEL9, "driver:580.105.08-rhel9.4" },
	{ "v26.7.0", CRD("580.105.08", ", usePrecompiled: false"), RHEL9, "driver:580.105.08-rhel9" },
	{ "v26.3.3", CRD("580", ", usePrecompiled: true"), JAMMY, "driver:580-5.15.0-1071-nvidia-ubuntu22.04" },
	{ "v26.7.0", CRD("550.90", ", driverType: vgpu"), ROCKY9, "driver:550.90-rocky9" },
	{ "v26.7.0", CRD("580", ", usePrecompiled: true, " PART("gds", "nvidia-fs", "2.29.4", "true") ", " PART("gdrcopy", "gdrdrv", "v2.6", "false")),
	  JAMMY, "driver:580-5.15.0-1071-nvidia-ubuntu22.04 off:gdrdrv:v2.6-{osTag} nvidia-fs:2.29.4-ubuntu22.04" },
	{ "v26.7.0", POLICY(DRIVER("580", ", usePrecompiled: true, useNvidiaDriverCRD: true")), JAMMY, "off:driver:580-{kernel}-{osTag}" },

	{ "v26.7.0", CRD("580", ", usePrecompiled: true, " POOL("ID: ubuntu")), JAMMY ";" RHEL9, "driver:580-5.15.0-1071-nvidia-ubuntu22.04" },
	{ "v26.7.0", CRD("580", ", usePrecompiled: true, " POOL("VERSION_ID: '24.04'")), JAMMY ";" NOBLE, "driver:580-6.8.0-60-generic-ubuntu24.04" },
	{ "v26.7.0", CRD("580", ", usePrecompiled: true, nodeSelector: {team: red, kubernetes.io/arch: amd64}"), JAMMY,
	  "driver:580-5.15.0-1071-nvidia-ubuntu22.04" },
	{ "v26.7.0", CRD("580", ", usePrecompiled: true, " POOL("ID: sles")), JAMMY, "off:driver:580-{kernel}-{osTag}" },
	{ "v26.7.0", CRD("580", ", usePrecompiled: true, " POOL("ID: ubuntu")) "\n---\n" CRD("580.1", ", " POOL("ID: rhel")), JAMMY ";" RHEL9,
	  "driver:580-5.15.0-1071-nvidia-ubuntu22.04 driver:580.1-rhel9" },
	{ "v26.7.0", CRD("580.1", ", " POOL("ID: ubuntu")) "\n---\n" CRD("580.1", ", " POOL("ID: rhel")), JAMMY ";" RHEL9,
	  "driver:580.1-rhel9 driver:580.1-ubuntu22.04" },

	/* what else follows the distribution, or is off */
	{ "v25.10.1", POLICY(PART("gds", "nvidia-fs", "2.26.6", "true")), NOBLE, "nvidia-fs:2.26.6-ubuntu24.04" },
	{ "v26.7.0", POLICY(PART("gdrcopy", "gdrdrv", "v2.6", "true")), RHEL9, "gdrdrv:v2.6-rhel9" },
	{ "v26.7.0", POLICY(PART("vgpuManager", "vgpu-manager", "550.90", "true")), RHEL9, "off:vgpu-manager:550.90-{osTag}" },
	{ "v26.7.0", "kind: ClusterPolicy\nspec: {sandboxWorkloads: {enabled: true}, " PART("vgpuManager", "vgpu-manager", "550.90", "true") "}",
	  NOBLE, "vgpu-manager:550.90-ubuntu24.04" },
	{ "v26.7.0", POLICY("driver: {enabled: false, repository: nvcr.io/nvidia, image: driver, version: '580', usePrecompiled: true, manager: "
			    "{repository: nvcr.io/nvidia, image: mgr, version: v1}}"), JAMMY, "off:driver:580-{kernel}-{osTag} off:mgr:v1" },
	{ "v26.7.0", POLICY(PART("vfioManager", "vfio", "v1", "true") ", " PART("toolkit", "toolkit", "v2", "true")), JAMMY,
	  "toolkit:v2 off:vfio:v1" },
	{ "v26.7.0", POLICY(DRIVER("sha256:0123", "")), JAMMY, "driver@sha256:0123" },

	/* nothing is guessed */
	{ "v26.7.0", PRE, "gpu ubuntu 22.04 5.15+x", "image 'nvcr.io/nvidia/driver:580-{kernel}-{osTag}' (t.yaml: ClusterPolicy: "
	  "spec.driver): facts: 1 node ubuntu 22.04, kernel 5.15+x: '580-5.15+x-ubuntu22.04' can be no tag" },
	{ "v26.7.0", PRE, "", "driver:580-{kernel}-{osTag}" },
};

TEST(asks_for_what_the_operator_will_ask_for)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_free char *got = chosen(table[i].version, table[i].spec, table[i].nodes);

		if (strcmp(got, table[i].wanted) != 0)
			fail_msg("%zu: %s, %s\n got  %s\n not  %s", i, table[i].version, table[i].nodes, got, table[i].wanted);
	}
}

/* Nodes whose system nobody knows do not pass as anything. */
TEST(a_system_that_is_not_known_is_said)
{
	static const struct node_tags_chart chart = { "gpu-operator", "v26.7.0" };
	const struct node_tags_how how = { &m.discover, &chart, 1 };
	auto_node_tags struct node_tags out = { 0 };
	auto_facts struct facts f = { 0 };
	struct facts_node n = { .os_image = xstrdup("Talos (v1.8.3)"), .kernel = xstrdup("6.6.60-talos") };

	facts_add_take(&f, &n);
	assert_err(node_tags_fill("r/d:5-{kernel}-{osTag}", NULL, &f, &how, &out, &e), e, ERR_USAGE);
	assert_string_equal(e.msg, "facts: 1 node Talos (v1.8.3), kernel 6.6.60-talos: its distribution is not known: write os and "
				   "osVersion there");
	assert_ok(node_tags_fill("r/d:5-{kernel}", NULL, &f, &how, &out, &e), e);
	assert_string_equal(out.items[0].image, "docker.io/r/d:5-6.6.60-talos");
}

/* Reasons and hints name the nodes; the nearest kernel first. */
TEST(says_what_there_is_instead)
{
	static const struct { const char *pattern, *nodes, *tags, *wanted; } cases[] = {
		{ "h.example/d:580-{kernel}-{osTag}", JAMMY,
		  "580-5.15.0-1065-nvidia-ubuntu22.04 580-5.15.0-1070-nvidia-ubuntu22.04 580-5.15.0-1074-nvidia-ubuntu22.04 "
		  "580-5.15.0-1071-aws-ubuntu22.04 580-6.8.0-60-generic-ubuntu24.04 595-5.15.0-1071-nvidia-ubuntu22.04 "
		  "580-6.8.0-1-nvidia-ubuntu22.04 580-5.15.0-999-nvidia-ubuntu22.04 x",
		  ": it has 580-5.15.0-1071-aws-ubuntu22.04, 580-5.15.0-1070-nvidia-ubuntu22.04, 580-5.15.0-1074-nvidia-ubuntu22.04, "
		  "580-5.15.0-1065-nvidia-ubuntu22.04, 580-5.15.0-999-nvidia-ubuntu22.04 and 1 more like it: take a kernel or a version "
		  "that is there" },
		{ "h.example/d:580-{kernel}-{osTag}", JAMMY, "580-6.8.0-60-generic-ubuntu24.04 x",
		  ": it has 580-6.8.0-60-generic-ubuntu24.04: take a kernel or a version that is there" },
		{ "h.example/d:580-{kernel}-{osTag}", JAMMY, "595-5.15.0-1071-nvidia-ubuntu22.04 x",
		  ": it has 595-5.15.0-1071-nvidia-ubuntu22.04: take a kernel or a version that is there" },
		{ "h.example/d:580-{kernel}-{osTag}", JAMMY, "latest", ": it has no tag like it: take another version" },
		{ "h.example/d:580.1-{osTag}", RHEL9, "580.1-rhel8 580.1-rhel10 580.2-rhel9",
		  ": it has 580.1-rhel10, 580.1-rhel8: take a kernel or a version that is there" },
		{ "h.example/d:580.1-{osTag}", RHEL9, "580.2-rhel9 570.1-rhel9 580.2-rhel8",
		  ": it has 580.2-rhel9, 570.1-rhel9: take a kernel or a version that is there" },
	};
	static const struct node_tags_chart chart = { "gpu-operator", "v26.7.0" };
	const struct node_tags_how how = { &m.discover, &chart, 1 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_node_tags struct node_tags known = { 0 };
		auto_strv struct strv tags = { 0 };
		auto_facts struct facts f = { 0 };
		auto_free char *hint = NULL;

		read_facts(cases[i].nodes, &f);
		strv_split(&tags, cases[i].tags, ' ');
		assert_ok(node_tags_fill(cases[i].pattern, NULL, &f, &how, &known, &e), e);
		assert_int_equal(known.n, 1);
		assert_true(node_tags_has(&known, known.items[0].image));
		hint = node_tags_hint(&known, known.items[0].image, &tags);
		assert_string_equal(hint, cases[i].wanted);
		assert_null(node_tags_hint(&known, "h.example/other:1", &tags));
	}
}

/* What a site chart applies follows the operator among all charts. */
TEST(the_operator_is_found_among_the_charts)
{
	static const struct node_tags_chart charts[] = { { "web", "1.0.0" }, { "gpu-operator", "v26.7.0" } };
	const struct node_tags_how all = { &m.discover, charts, 2 }, other = { &m.discover, charts, 1 };
	auto_node_tags struct node_tags out = { 0 };
	auto_facts struct facts f = { 0 };

	read_facts(RHEL9 ";gpu rhel 9.6 k", &f);
	assert_ok(node_tags_fill("h.example/d:5-{osTag}", NULL, &f, &all, &out, &e), e);
	assert_int_equal(out.n, 1);
	assert_string_equal(out.items[0].image, "h.example/d:5-rhel9");
	assert_string_equal(out.items[0].nodes, "1 node rhel 9.4; 1 node rhel 9.6");
	assert_ok(node_tags_fill("h.example/d:6-{osTag}", NULL, &f, &other, &out, &e), e);
	assert_string_equal(out.items[1].image, "h.example/d:6-rhel9.4");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_for_what_the_operator_will_ask_for),
		cmocka_unit_test(a_system_that_is_not_known_is_said),
		cmocka_unit_test(says_what_there_is_instead),
		cmocka_unit_test(the_operator_is_found_among_the_charts),
	};

	return cmocka_run_group_tests(tests, load_rules, release_rules);
}
