/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/manifest.h>

#define HEAD "apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: demo, version: 1.2.0}\n"
#define PACKAGES "packages:\n- {name: a, url: 'https://x/y', architecture: amd64, "

/* Every key of design §3 that this version takes. */
static const char whole[] =
	"apiVersion: airgap/v1\n"
	"kind: Manifest\n"
	"metadata: {name: demo, version: 1.2.0, stream: example/demo, expires: 180d, audience: [site-a], sequence: 7}\n"
	"platforms: [linux/amd64]\n"
	"kubernetes: {version: \"1.32\", apiVersions: [monitoring.coreos.com/v1]}\n"
	"site: site\n"
	"aliases: {docker.io: 'mirror.example:5000/hub', docker.io/clearml: 'other.example/c'}\n"
	"hosts:\n"
	"  registry.example:5000: {plainHTTP: false, ca: file:ca.pem, username: robot, password: env:REGISTRY_TOKEN}\n"
	"  charts.example: {token: env:HELM_REPO_TOKEN}\n"
	"charts:\n"
	"  - {name: web, version: \"^1.2\", repository: \"https://charts.example/stable\"}\n"
	"  - {name: api, version: 2.0.1, repository: \"oci://registry.example:5000/charts\"}\n"
	"  - {name: tools, path: charts/tools, values: [v.yaml]}\n"
	"  - {name: agent, version: 6.x, sources: [{repository: \"oci://docker.io/clearml\", when: env:CLEARML_DOCKERHUB_TOKEN},\n"
	"      {repository: \"https://h.example\"}]}\n"
	"  - {name: old, version: 7.14.4, path: old.tgz, patch: {kubeVersion: \">=1.21.0-0\"}}\n"
	"images:\n"
	"  - {ref: \"docker.io/library/busybox:1.36\", platforms: [linux/amd64, linux/arm64], tags: [\"1.36-ubi8\"]}\n"
	"  - {ref: \"local/app:1\", layout: images/app}\n"
	"files:\n"
	"  - {name: helm, url: \"https://x.example/helm.tar.gz\",\n"
	"     sha256: \"0123456789012345678901234567890123456789012345678901234567890123\", member: linux-amd64/helm, role: tool,\n"
	"     mode: 755, platform: linux/amd64}\n"
	"  - {name: driver, path: NVIDIA-Linux.run, mode: 755}\n"
	"discover:\n"
	"  sites: [examples/*.yaml]\n"
	"  rules:\n"
	"    - {chart: gpu-operator, kind: ClusterPolicy, path: \"spec.*\", triple: [repository, image, version], enabledBy: enabled}\n"
	"    - {chart: gpu-operator, path: spec.driver, triple: [repository, image, version], tags: [\"{version}-{kernel}-{osTag}\"]}\n"
	"    - {chart: mongodb, env: MDB_COMMUNITY_IMAGE}\n"
	"  waive: [{image: \"example/never:1\", reason: \"only with X\"}]\n";

TEST(reads_every_key_of_the_format)
{
	auto_manifest struct manifest m = { 0 };
	struct err e = { 0 };

	assert_ok(manifest_parse(whole, strlen(whole), "bundle.yaml", &m, &e), e);
	assert_string_equal(m.metadata.stream, "example/demo");
	assert_int_equal(m.metadata.sequence, 7);
	assert_string_equal(m.kubernetes.version, "1.32");
	assert_int_equal(m.n_hosts, 2);
	assert_string_equal(m.hosts[0].host, "registry.example:5000");
	assert_string_equal(m.charts[3].sources[0].when, "env:CLEARML_DOCKERHUB_TOKEN");
	assert_string_equal(manifest_chart(&m, "old")->patch.kube_version, ">=1.21.0-0");
	assert_string_equal(m.images[0].tags.items[0], "1.36-ubi8");
	assert_string_equal(manifest_file(&m, "helm")->mode, "755");
	assert_int_equal(m.discover.n_rules, 3);
	assert_string_equal(m.discover.rules[1].tags.items[0], "{version}-{kernel}-{osTag}");
	assert_string_equal(m.discover.waive[0].reason, "only with X");
	assert_ok(manifest_check(&m, &e), e);
	assert_null(manifest_chart(&m, "none"));
}

TEST(stream_and_platforms_have_defaults)
{
	auto_manifest struct manifest m = { 0 };
	struct err e = { 0 };

	assert_ok(manifest_parse(HEAD, strlen(HEAD), "bundle.yaml", &m, &e), e);
	assert_string_equal(m.metadata.stream, "demo");
	assert_int_equal(m.platforms.n, 1);
	assert_string_equal(m.platforms.items[0], "linux/amd64");
}

static void refuses(const char *text, enum err_code code, const char *why)
{
	auto_manifest struct manifest m = { 0 };
	struct err e = { 0 };

	assert_err(manifest_parse(text, strlen(text), "bundle.yaml", &m, &e), e, code);
	if (!strstr(e.msg, why))
		fail_msg("'%s' does not say '%s'", e.msg, why);
	assert_null(m.kind);
}

TEST(an_unknown_key_names_file_line_and_the_nearest)
{
	auto_manifest struct manifest m = { 0 };
	static const char text[] = HEAD "charts:\n  - {name: a, path: a}\n  - name: b\n    verison: 1.0.0\n    path: b\n";
	struct err e = { 0 };

	assert_err(manifest_parse(text, strlen(text), "bundle.yaml", &m, &e), e, ERR_MALFORMED);
	assert_string_equal(e.msg, "bundle.yaml:7: charts[1]: unknown key 'verison': did you mean 'version'?");
}

TEST(refuses_another_kind_or_version)
{
	refuses("apiVersion: airgap/v2\nkind: Manifest\nmetadata: {name: a, version: '1'}\n", ERR_UNSUPPORTED, "airgap/v2");
	refuses("apiVersion: airgap/v1\nkind: Site\nmetadata: {name: a, version: '1'}\n", ERR_UNSUPPORTED, "Site");
	refuses("", ERR_MALFORMED, "empty");
	refuses("[1]", ERR_MALFORMED, "map");
	refuses("a: &x 1\nb: *x\n", ERR_MALFORMED, "bundle.yaml");
}

TEST(refuses_lines_of_hosts_that_make_no_sense)
{
	static const struct { const char *text; enum err_code code; const char *why; } cases[] = {
		{ HEAD "hosts:\n  x: {rate: 20 MB}\n", ERR_MALFORMED, "hosts.x: rate: '20 MB': write bytes a second" },
		{ HEAD "hosts:\n  x: {rate: 0MiB}\n", ERR_MALFORMED, "rate" },
		{ HEAD "hosts:\n  x: {proxy: 'http://u:p@proxy:3128'}\n", ERR_MALFORMED, "in the open" },
		{ HEAD "hosts:\n  x: {proxy: 'socks5://proxy:1'}\n", ERR_MALFORMED, "http://HOST:PORT" },
		{ HEAD "hosts:\n  x: {proxy: 'http://proxy/x'}\n", ERR_MALFORMED, "http://HOST:PORT" },
		{ HEAD "hosts:\n  x: {cert: c.pem}\n", ERR_MALFORMED, "cert without key" },
		{ HEAD "hosts:\n  x: {key: k.pem}\n", ERR_MALFORMED, "key without cert" },
		{ HEAD "hosts:\n  x: {userAgent: \"a\\nb\"}\n", ERR_MALFORMED, "userAgent" },
		{ HEAD "hosts:\n  '*': {token: env:A}\n", ERR_MALFORMED, "would go to every host" },
		{ HEAD "hosts:\n  '*': {plainHTTP: true}\n", ERR_MALFORMED, "would hold for every host" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refuses(cases[i].text, cases[i].code, cases[i].why);
}

TEST(refuses_git_and_python_that_make_no_sense)
{
	static const struct { const char *text; enum err_code code; const char *why; } cases[] = {
		{ HEAD "charts:\n- {name: a, repository: 'git+ssh://git@x/y', path: z}\n", ERR_UNSUPPORTED, "ssh is not supported" },
		{ HEAD "charts:\n- {name: a, repository: 'git+git@x:y.git', path: z}\n", ERR_UNSUPPORTED, "ssh is not supported" },
		{ HEAD "charts:\n- {name: a, repository: 'git+git://x/y', path: z}\n", ERR_UNSUPPORTED, "over 'git'" },
		{ HEAD "charts:\n- {name: a, repository: 'git+https://u:p@x/y', path: z}\n", ERR_MALFORMED, "git" },
		{ HEAD "charts:\n- {name: a, repository: 'git+x/y', path: z}\n", ERR_MALFORMED, "git+https://HOST/PATH" },
		{ HEAD "charts:\n- {name: a, repository: 'git+https://x/y', path: ../z}\n", ERR_UNSAFE, "no folder inside" },
		{ HEAD "charts:\n- {name: a, repository: 'git+https://x/y', path: /z}\n", ERR_UNSAFE, "no folder inside" },
		{ HEAD "charts:\n- {name: a, repository: 'git+https://x/y', ref: 'a..b'}\n", ERR_MALFORMED, "no branch, tag or commit" },
		{ HEAD "charts:\n- {name: a, repository: 'git+https://x/y', ref: '-x'}\n", ERR_MALFORMED, "no branch, tag or commit" },
		{ HEAD "charts:\n- {name: a, repository: 'git+https://x/y', ref: 'a=b'}\n", ERR_MALFORMED, "no branch, tag or commit" },
		{ HEAD "charts:\n- {name: a, repository: 'git+https://x/y', keyring: k}\n", ERR_MALFORMED, "keyring" },
		{ HEAD "charts:\n- {name: a, repository: 'https://x/y', ref: v1}\n", ERR_MALFORMED, "belong to a git repository" },
		{ HEAD "charts:\n- {name: a, path: x, ref: v1}\n", ERR_MALFORMED, "belong to a git repository" },
		{ HEAD "charts:\n- {name: a, sources: [{repository: 'oci://x/y', path: v1}]}\n", ERR_MALFORMED, "sources[0]: ref and path" },
		{ HEAD "git:\n- {name: a, url: 'ssh://x/y'}\n", ERR_UNSUPPORTED, "bundle.yaml:5: git[0] 'a': url: ssh" },
		{ HEAD "git:\n- {name: a, url: 'https://x/y', refs: ['a b']}\n", ERR_MALFORMED, "refs" },
		{ HEAD "git:\n- {name: a, url: 'https://x/y'}\n- {name: a, url: 'https://x/z'}\n", ERR_MALFORMED, "git[1] 'a': stands there twice" },
		{ HEAD "python:\n- {name: a, requirements: [a], python: '2.7', platform: linux_x86_64}\n", ERR_MALFORMED, "python[0] 'a': python" },
		{ HEAD "python:\n- {name: a, requirements: [a], python: '3.10', platform: linux/amd64}\n", ERR_MALFORMED, "no platform of wheels" },
		{ HEAD "python:\n- {name: a, requirements: [], python: '3.10', platform: linux_x86_64}\n", ERR_MALFORMED, "needs requirements" },
		{ HEAD "python:\n- {name: a, requirements: [a, '-r x'], python: '3.10', platform: linux_x86_64}\n", ERR_MALFORMED,
		  "requirements[1]: '-r x': options are not taken" },
		{ HEAD "python:\n- {name: a, requirements: [a], python: '3.10', platform: linux_x86_64, index: 'ftp://x'}\n", ERR_UNSUPPORTED, "index" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refuses(cases[i].text, cases[i].code, cases[i].why);
}

TEST(refuses_packages_that_make_no_sense)
{
	static const struct { const char *text; enum err_code code; const char *why; } cases[] = {
		{ HEAD PACKAGES "type: zip, trusted: true, install: [b]}\n", ERR_MALFORMED, "neither deb nor rpm" },
		{ HEAD PACKAGES "type: rpm, install: [b]}\n", ERR_MALFORMED, "keyring is missing" },
		{ HEAD PACKAGES "type: rpm, trusted: true, keyring: k, install: [b]}\n", ERR_MALFORMED, "only one of them" },
		{ HEAD PACKAGES "type: rpm, trusted: true}\n", ERR_MALFORMED, "names no packages" },
		{ HEAD PACKAGES "type: rpm, trusted: true, install: [--root]}\n", ERR_MALFORMED, "is no NAME or NAME=VERSION" },
		{ HEAD PACKAGES "type: rpm, trusted: true, suite: s, install: [b]}\n", ERR_MALFORMED, "belong to type: deb" },
		{ HEAD PACKAGES "type: deb, trusted: true, install: [b]}\n", ERR_MALFORMED, "suite: write its name" },
		{ HEAD PACKAGES "type: deb, trusted: true, suite: a/../b, components: [m], install: [b]}\n", ERR_MALFORMED, "suite" },
		{ HEAD PACKAGES "type: deb, trusted: true, suite: s, install: [b]}\n", ERR_MALFORMED, "components" },
		{ HEAD PACKAGES "type: deb, trusted: true, suite: ./, components: [m], install: [b]}\n", ERR_MALFORMED, "has none" },
		{ HEAD PACKAGES "type: rpm, keyring: k, install: [b], more: [{url: 'ftp://x'}]}\n", ERR_UNSUPPORTED, "more[0]" },
		{ HEAD PACKAGES "type: rpm, keyring: k, install: [b], more: [{trusted: true, keyring: k}]}\n", ERR_MALFORMED, "more[0]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refuses(cases[i].text, cases[i].code, cases[i].why);
}

TEST(refuses_what_makes_no_sense_and_says_where)
{
	static const struct { const char *text; enum err_code code; const char *why; } cases[] = {
		{ HEAD "charts:\n- {name: a}\n", ERR_MALFORMED, "bundle.yaml:5: charts[0] 'a': needs repository, path or sources" },
		{ HEAD "charts:\n- {name: a, path: a, repository: 'https://x'}\n", ERR_MALFORMED, "only one of" },
		{ HEAD "charts:\n- {name: a, repository: 'ftp://x'}\n", ERR_MALFORMED, "begins with https://" },
		{ HEAD "charts:\n- {name: a, repository: 'oci://x:y:z'}\n", ERR_MALFORMED, "no address" },
		{ HEAD "charts:\n- {name: a, path: a, version: 'one'}\n", ERR_MALFORMED, "version" },
		{ HEAD "charts:\n- {name: a, path: a, version: 1.10}\n", ERR_MALFORMED, "quotes" },
		{ HEAD "charts:\n- {name: a, path: a}\n- {name: a, path: b}\n", ERR_MALFORMED, "bundle.yaml:6: charts[1] 'a': stands there twice" },
		{ HEAD "charts:\n- {name: A/b, path: a}\n", ERR_UNSAFE, "name" },
		{ HEAD "charts:\n- {name: a, sources: [{repository: 'https://x', when: X}]}\n", ERR_MALFORMED, "env:NAME" },
		{ HEAD "images:\n- {ref: 'a/b'}\n", ERR_MALFORMED, "needs a tag or a digest" },
		{ HEAD "images:\n- {ref: 'A b'}\n", ERR_MALFORMED, "images[0]" },
		{ HEAD "images:\n- {ref: 'a/b:1'}\n- {ref: 'docker.io/a/b:1'}\n", ERR_MALFORMED, "stands there twice" },
		{ HEAD "images:\n- {ref: 'a/b:1', platforms: [amd64]}\n", ERR_MALFORMED, "platform" },
		{ HEAD "images:\n- {ref: 'a/b:1', platforms: [all, linux/amd64]}\n", ERR_MALFORMED, "stands alone" },
		{ HEAD "images:\n- {ref: 'a/b:1', tags: ['a b']}\n", ERR_MALFORMED, "no tag" },
		{ HEAD "images:\n- {ref: 'a/b:1', add: [x]}\n", ERR_MALFORMED, "add: needs base" },
		{ HEAD "images:\n- {ref: 'a/b:1', base: 'c:1'}\n", ERR_MALFORMED, "base: needs add" },
		{ HEAD "images:\n- {ref: 'a/b:1', base: 'c', add: x}\n", ERR_MALFORMED, "base: needs a tag or a digest" },
		{ HEAD "images:\n- {ref: 'a/b:1', base: 'C D', add: x}\n", ERR_MALFORMED, "images[0] 'a/b:1': base" },
		{ HEAD "images:\n- {ref: 'a/b:1', base: 'c:1', layout: l, add: x}\n", ERR_MALFORMED, "only one of layout and base" },
		{ HEAD "files:\n- {name: a, url: 'https://x/y'}\n", ERR_MALFORMED, "sha256 is missing" },
		{ HEAD "files:\n- {name: a}\n", ERR_MALFORMED, "needs url, path or image" },
		{ HEAD "files:\n- {name: a, path: x, image: 'a/b:1', member: m}\n", ERR_MALFORMED, "only one of url, path or image" },
		{ HEAD "files:\n- {name: a, image: 'a/b:1'}\n", ERR_MALFORMED, "image: needs member" },
		{ HEAD "files:\n- {name: a, image: 'a/b', member: m}\n", ERR_MALFORMED, "image: needs a tag or a digest" },
		{ HEAD "files:\n- {name: a, image: 'A b', member: m}\n", ERR_MALFORMED, "files[0] 'a': image" },
		{ HEAD "files:\n- {name: a, path: x, sha256: 12ab}\n", ERR_MALFORMED, "64" },
		{ HEAD "files:\n- {name: a, path: x, role: program}\n", ERR_MALFORMED, "'tool'" },
		{ HEAD "files:\n- {name: a, path: x, mode: 0755}\n", ERR_MALFORMED, "octal" },
		{ HEAD "files:\n- {name: a, path: x}\n- {name: a, path: z}\n", ERR_MALFORMED, "twice" },
		{ HEAD "hosts:\n  x.example: {password: hunter2, username: u}\n", ERR_MALFORMED, "bundle.yaml:5: hosts.x.example: password: a secret in the open" },
		{ HEAD "hosts:\n  x.example: {password: env:X}\n", ERR_MALFORMED, "without username" },
		{ HEAD "hosts:\n  'https://x': {plainHTTP: true}\n", ERR_MALFORMED, "without https://" },
		{ HEAD "hosts:\n  x: {token: env:A, password: env:B, username: u}\n", ERR_MALFORMED, "either" },
		{ HEAD "aliases: {docker.io: 'https://x'}\n", ERR_MALFORMED, "aliases.docker.io" },
		{ HEAD "aliases: {DOCKER.io: 'x.example/a'}\n", ERR_MALFORMED, "written 'docker.io'" },
		{ HEAD "aliases: {docker.io: [x]}\n", ERR_MALFORMED, "string" },
		{ HEAD "kubernetes: {version: latest}\n", ERR_MALFORMED, "kubernetes.version" },
		{ HEAD "discover: {rules: [{kind: X}]}\n", ERR_MALFORMED, "discover.rules[0]" },
		{ HEAD "discover: {rules: [{triple: [a, b], path: x}]}\n", ERR_MALFORMED, "triple" },
		{ HEAD "platforms: [linux]\n", ERR_MALFORMED, "platforms" },
		{ "apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: a, version: '1', expires: soon}\n", ERR_MALFORMED,
		  "bundle.yaml:3: metadata.expires" },
		{ "apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: 'a\"b', version: '1'}\n", ERR_MALFORMED, "metadata.name" },
		{ "apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: My Trial, version: '1'}\n", ERR_MALFORMED,
		  "bundle.yaml:3: metadata.name: 'My Trial': takes letters" },
		{ "apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: a/b, version: '1'}\n", ERR_MALFORMED, "metadata.name" },
		{ "apiVersion: airgap/v1\nkind: Manifest\nmetadata: {name: a-, version: '1'}\n", ERR_MALFORMED, "metadata.name" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refuses(cases[i].text, cases[i].code, cases[i].why);
}

#define DEB(more) HEAD "packages:\n- {name: p, type: deb, url: 'https://x/debian', architecture: amd64, " more "}\n"
#define TRIPLE "path: spec, triple: [a, b, c]"

TEST(takes_what_makes_sense)
{
	static const char *const good[] = {
		HEAD,
		HEAD "charts: [{name: a, repository: 'https://x/y', version: '>=1 <2', keyring: file:k.gpg}]\n",
		HEAD "charts: [{name: a, repository: 'git+https://x/y.git', ref: v1.2, path: charts/a, version: 1.x}]\n",
		HEAD "charts: [{name: a, repository: 'git+file:///srv/y'}]\n",
		HEAD "charts: [{name: a, sources: [{repository: 'oci://x/y', when: env:A}, {repository: 'git+https://x/y', path: c}]}]\n",
		HEAD "images: [{ref: 'local/a:1', base: 'python:3.12', add: [a.zip, sub/b.py]}]\n",
		HEAD "images: [{ref: 'local/a:1', base: 'python@sha256:0123456789012345678901234567890123456789012345678901234567890123', add: a}]\n",
		HEAD "files: [{name: a, image: 'x/y:1', member: usr/bin/a, mode: 755, role: tool}]\n",
		HEAD "files: [{name: a, path: x, platform: linux/amd64}, {name: a, path: z, platform: linux/arm64}]\n",
		DEB("suite: bookworm, components: [main], keyring: file:k.gpg, install: [curl, 'nginx=1.22.1-9', 'linux-headers-{kernel}']"),
		DEB("suite: ./, trusted: true, install: curl, present: [libc6], recommends: true, os: ubuntu 24.04"),
		HEAD "packages: [{name: r, type: rpm, url: 'http://x/el9', architecture: x86_64, keyring: k, install: [gcc-c++]}]\n",
		HEAD "python: [{name: w, requirements: [clearml-agent, 'torch==2.1'], python: '3.10', platform: manylinux_2_28_x86_64}]\n",
		HEAD "git: [{name: g, url: 'https://x/apps.git', refs: [main, v1.0, refs/heads/x]}, {name: h, url: 'file:///srv/h'}]\n",
		HEAD "discover: {osTags: [{chart: c}, {chart: d, versions: '>=26.3.0-0 <26.7.0-0', major: [rocky, 'rhel>=10', ol]}]}\n",
		HEAD "discover: {rules: [{" TRIPLE ", when: [pre, '!crd'], enabledBy: [enabled, '!crd'], tags: ['{version}-{kernel}-{osTag}']}]}\n",
		HEAD "facts: {kubernetes: {version: v1.32.1}, nodes: [{kernel: 6.1.0-22-amd64, os: debian, osVersion: '12', gpu: true}]}\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		auto_manifest struct manifest m = { 0 };
		struct err e = { 0 };

		assert_ok(manifest_parse(good[i], strlen(good[i]), "bundle.yaml", &m, &e), e);
		assert_ok(manifest_check(&m, &e), e);
	}
}

TEST(refuses_rules_and_facts_that_make_no_sense)
{
	static const struct { const char *text; enum err_code code; const char *why; } cases[] = {
		{ HEAD "discover:\n  rules:\n  - {env: A, when: x}\n", ERR_MALFORMED, "bundle.yaml:6: discover.rules[0]: when, nodes, enabledBy and tags belong" },
		{ HEAD "discover: {rules: [{" TRIPLE ", when: '!'}]}\n", ERR_MALFORMED, "when: '!' names no key" },
		{ HEAD "discover: {rules: [{" TRIPLE ", when: ''}]}\n", ERR_MALFORMED, "names no key" },
		{ HEAD "discover: {rules: [{" TRIPLE ", tags: '{version}-{os}'}]}\n", ERR_MALFORMED, "takes {version}, {kernel} and {osTag}" },
		{ HEAD "discover: {rules: [{" TRIPLE ", tags: '{version'}]}\n", ERR_MALFORMED, "takes {version}" },
		{ HEAD "discover: {rules: [{" TRIPLE ", tags: 'x}'}]}\n", ERR_MALFORMED, "takes {version}" },
		{ HEAD "discover: {rules: [{" TRIPLE ", tag: x}]}\n", ERR_MALFORMED, "unknown key 'tag': did you mean 'tags'?" },
		{ HEAD "discover: {rules: [{triple: [a, b, c]}]}\n", ERR_MALFORMED, "path is missing" },
		{ HEAD "discover:\n  osTags:\n  - {chart: c, versions: '>=a'}\n", ERR_MALFORMED, "bundle.yaml:6: discover.osTags[0] 'c': versions" },
		{ HEAD "discover: {osTags: [{versions: '1'}]}\n", ERR_MALFORMED, "'chart' is missing" },
		{ HEAD "discover: {osTags: [{chart: c, major: ['>=9']}]}\n", ERR_MALFORMED, "write an ID of os-release" },
		{ HEAD "discover: {osTags: [{chart: c, major: ['RHEL']}]}\n", ERR_MALFORMED, "write an ID of os-release" },
		{ HEAD "discover: {osTags: [{chart: c, major: ['rhel>=a']}]}\n", ERR_MALFORMED, "major" },
		{ HEAD "discover: {ostags: []}\n", ERR_MALFORMED, "did you mean 'osTags'?" },
		{ HEAD "discover: {waive: [{image: x}]}\n", ERR_MALFORMED, "'reason' is missing" },
		{ HEAD "facts:\n  nodes:\n  - {os: ubuntu}\n", ERR_MALFORMED, "bundle.yaml:6: facts.nodes[0]: 'kernel' is missing" },
		{ HEAD "facts:\n  nodes:\n  - {kernel: k, os: ubuntu}\n", ERR_MALFORMED, "bundle.yaml:6: facts.nodes[0]: os and osVersion belong together" },
		{ HEAD "facts: [x]\n", ERR_MALFORMED, "bundle.yaml:4: facts: must be a map" },
		{ HEAD "facts: {kind: Facts}\n", ERR_MALFORMED, "unknown key 'kind'" },
		{ HEAD "facts: {kubernetes: {version: x}}\n", ERR_MALFORMED, "write a version" },
		{ HEAD "platforms:\n- linux\n", ERR_MALFORMED, "bundle.yaml:4: platforms: " },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refuses(cases[i].text, cases[i].code, cases[i].why);
}

TEST(the_longest_alias_wins_at_a_slash)
{
	static const struct { const char *name, *want; } cases[] = {
		{ "docker.io/library/busybox", "mirror.example:5000/hub/library/busybox" },
		{ "docker.io/clearml/server", "other.example/c/server" },
		{ "docker.io/clearmlx/server", "mirror.example:5000/hub/clearmlx/server" },
		{ "quay.io/a/b", NULL },
		{ "docker.ioo/a", NULL },
	};
	auto_manifest struct manifest m = { 0 };
	struct err e = { 0 };

	assert_ok(manifest_parse(whole, strlen(whole), "bundle.yaml", &m, &e), e);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *got = manifest_fetch_name(&m, cases[i].name);

		if (!str_eq(got, cases[i].want))
			fail_msg("%s leads to %s", cases[i].name, got ? got : "itself");
	}
}

TEST(expiry_is_days_a_date_or_a_time)
{
	static const struct { const char *text, *want; } good[] = {
		{ NULL, "" },
		{ "1d", "2023-11-15T22:13:20Z" },
		{ "180d", "2024-05-12T22:13:20Z" },
		{ "2024-02-29", "2024-02-29T00:00:00Z" },
		{ "2024-02-29T01:02:03Z", "2024-02-29T01:02:03Z" },
	};
	static const char *const bad[] = {
		"", "d", "0d", "-1d", "1.5d", "99999999d", "9999999999999999d", "2023-02-29", "2023-11-14", "2024-13-01", "2024-02-29T01:02:03",
		"2024-02-29 01:02:03Z", "29.2.2024", "2024-2-9", "never", "1w",
	};
	char text[24];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(manifest_expiry(good[i].text, 1700000000, text));
		assert_string_equal(text, good[i].want);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (manifest_expiry(bad[i], 1700000000, text))
			fail_msg("took '%s' as %s", bad[i], text);
	assert_string_equal(manifest_time(0, text), "1970-01-01T00:00:00Z");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_key_of_the_format),
		cmocka_unit_test(stream_and_platforms_have_defaults),
		cmocka_unit_test(an_unknown_key_names_file_line_and_the_nearest),
		cmocka_unit_test(refuses_another_kind_or_version),
		cmocka_unit_test(refuses_packages_that_make_no_sense),
		cmocka_unit_test(refuses_what_makes_no_sense_and_says_where),
		cmocka_unit_test(refuses_lines_of_hosts_that_make_no_sense),
		cmocka_unit_test(refuses_git_and_python_that_make_no_sense),
		cmocka_unit_test(takes_what_makes_sense),
		cmocka_unit_test(refuses_rules_and_facts_that_make_no_sense),
		cmocka_unit_test(the_longest_alias_wins_at_a_slash),
		cmocka_unit_test(expiry_is_days_a_date_or_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
