/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../../deployer/mirrors.h"

static struct content_image images[] = {
	{ .ref = (char *)"docker.io/library/busybox:1.36" },
	{ .ref = (char *)"docker.io/demo/app:1" },
	{ .ref = (char *)"registry.lab:8443/x/y:2" },
};
static const struct contents contents = { .name = (char *)"b", .images = images, .n_images = ARRAY_LEN(images) };
static char password[] = "p\"w", basic[] = "robot";
static const struct credential robot = { .kind = CREDENTIAL_BASIC, .username = basic, .secret = { password } };

/* All files, each behind its place. */
static char *made(enum mirror_kind kind, const char *prefix, bool keep_host, const char *ca, bool asks, const struct credential *user)
{
	const struct site site = { .registry = { .host = (char *)"r.site:5000", .prefix = (char *)prefix, .keep_host = keep_host } };
	const struct mirror_want want = { &contents, &site, ca, user, asks };
	auto_mirror_files struct mirror_files files = { 0 };
	auto_buf struct buf all = BUF_INIT(65536);
	struct err e = { 0 };

	assert_ok(mirrors_make(&want, kind, &files, &e), e);
	for (size_t i = 0; i < files.n; i++)
		buf_putf(&all, "%s%s\n%s", files.items[i].path, files.items[i].secret ? " secret" : "", buf_str(&files.items[i].text));
	return xstrdup(buf_str(&all));
}

#define assert_made(want, ...)                                  \
	do {                                                    \
		auto_free char *made_ = made(__VA_ARGS__);      \
		assert_string_equal(made_, want);               \
	} while (0)

#define PART(ca) "capabilities = [\"pull\", \"resolve\"]\noverride_path = true\n" ca
#define HOSTS(url, ca) "server = \"" url "\"\n" PART(ca) "[host.\"" url "\"]\n" PART(ca)

TEST(containerd_has_a_file_for_each_registry)
{
	assert_made("/etc/containerd/certs.d/docker.io/hosts.toml\n" HOSTS("https://r.site:5000/v2", "")
		    "/etc/containerd/certs.d/registry.lab:8443/hosts.toml\n" HOSTS("https://r.site:5000/v2", ""),
		    MIRROR_CONTAINERD, NULL, false, NULL, false, NULL);
#define CA "ca = \"/etc/containerd/certs.d/r.site:5000/ca.crt\"\n"
	assert_made("/etc/containerd/certs.d/docker.io/hosts.toml\n" HOSTS("https://r.site:5000/v2/p/docker.io", CA)
		    "/etc/containerd/certs.d/registry.lab:8443/hosts.toml\n" HOSTS("https://r.site:5000/v2/p/registry.lab_8443", CA)
		    "/etc/containerd/certs.d/r.site:5000/ca.crt\nPEM\n",
		    MIRROR_CONTAINERD, "p", true, "PEM\n", false, NULL);
}

TEST(a_password_is_there_only_when_it_was_asked_for)
{
	auto_free char *with = made(MIRROR_CONTAINERD, NULL, false, NULL, true, &robot);
	auto_free char *without = made(MIRROR_CONTAINERD, NULL, false, NULL, true, NULL);
	auto_free char *rke2 = made(MIRROR_RKE2, NULL, false, NULL, true, &robot);

	assert_non_null(strstr(with, "[header]\nAuthorization = \"Basic cm9ib3Q6cCJ3\"\n[host."));
	assert_non_null(strstr(with, "[host.\"https://r.site:5000/v2\".header]\nAuthorization = \"Basic cm9ib3Q6cCJ3\"\n"));
	assert_non_null(strstr(with, "docker.io/hosts.toml secret\n"));
	assert_null(strstr(without, "cm9ib3Q6cCJ3"));
	assert_non_null(strstr(without, "# The registry asks for a user."));
	assert_non_null(strstr(rke2, "    auth: {username: \"robot\", password: \"p\\\"w\"}\n"));
	assert_non_null(strstr(rke2, "/etc/rancher/rke2/registries.yaml secret\n"));
}

TEST(crio_has_one_file)
{
	assert_made("/etc/containers/registries.conf.d/50-airgap.conf\n"
		    "[[registry]]\nprefix = \"docker.io\"\nlocation = \"r.site:5000/p\"\ninsecure = false\n\n"
		    "[[registry]]\nprefix = \"registry.lab:8443\"\nlocation = \"r.site:5000/p\"\ninsecure = false\n"
		    "/etc/containers/certs.d/r.site:5000/ca.crt\nPEM\n",
		    MIRROR_CRIO, "p", false, "PEM\n", false, NULL);
}

#define RANCHER(name) \
	"/etc/rancher/" name "/registries.yaml\n# Upstream is tried last, unless /etc/rancher/" name "/config.yaml has: " \
	"disable-default-registry-endpoint: true\nmirrors:\n"

TEST(k3s_and_rke2_have_one_file)
{
	assert_made(RANCHER("k3s")
		    "  \"docker.io\":\n    endpoint: [\"https://r.site:5000\"]\n    rewrite: {\"^(.*)$\": \"docker.io/$1\"}\n"
		    "  \"registry.lab:8443\":\n    endpoint: [\"https://r.site:5000\"]\n    rewrite: {\"^(.*)$\": \"registry.lab_8443/$1\"}\n"
		    "configs:\n  \"r.site:5000\":\n    tls: {ca_file: \"/etc/rancher/k3s/certs.d/r.site:5000/ca.crt\"}\n"
		    "/etc/rancher/k3s/certs.d/r.site:5000/ca.crt\nPEM\n",
		    MIRROR_K3S, NULL, true, "PEM\n", false, NULL);
	assert_made(RANCHER("rke2") "  \"docker.io\":\n    endpoint: [\"https://r.site:5000\"]\n"
		    "  \"registry.lab:8443\":\n    endpoint: [\"https://r.site:5000\"]\n",
		    MIRROR_RKE2, NULL, false, NULL, false, NULL);
}

TEST(a_node_says_what_it_runs)
{
	static const struct { const char *runtime, *kubelet; enum mirror_kind kind; } cases[] = {
		{ "containerd://1.6.20", "v1.36.3", MIRROR_CONTAINERD },
		{ "cri-o://1.30.1", "v1.30.2", MIRROR_CRIO },
		{ "containerd://1.7.11-k3s2", "v1.29.1+k3s2", MIRROR_K3S },
		{ "containerd://1.7.11-k3s2", "v1.29.1+rke2r1", MIRROR_RKE2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *node = json_pack("{s{s{ss, ss}}}", "status", "nodeInfo", "containerRuntimeVersion", cases[i].runtime,
						   "kubeletVersion", cases[i].kubelet);

		assert_int_equal(mirror_kind_of(node), cases[i].kind);
	}
	assert_int_equal(mirror_kind_of(NULL), MIRROR_CONTAINERD);
}

TEST(a_bundle_without_images_has_nothing_to_mirror)
{
	static const struct contents none = { .name = (char *)"b" };
	const struct site site = { .registry = { .host = (char *)"r" } };
	const struct mirror_want want = { .contents = &none, .site = &site };
	auto_mirror_files struct mirror_files files = { 0 };
	struct err e = { 0 };

	assert_err(mirrors_make(&want, MIRROR_K3S, &files, &e), e, ERR_PREFLIGHT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(containerd_has_a_file_for_each_registry),
		cmocka_unit_test(a_password_is_there_only_when_it_was_asked_for),
		cmocka_unit_test(crio_has_one_file),
		cmocka_unit_test(k3s_and_rke2_have_one_file),
		cmocka_unit_test(a_node_says_what_it_runs),
		cmocka_unit_test(a_bundle_without_images_has_nothing_to_mirror),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
