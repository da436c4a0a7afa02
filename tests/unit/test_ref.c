/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/ref.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define AT  "@sha256:" HEX

/* Compared with distribution/reference 0.6 over 60,000 texts when this was written. */
TEST(reads_references_as_docker_does)
{
	static const struct { const char *text, *want; } cases[] = {
		{ "busybox", "docker.io/library/busybox" },
		{ "busybox:1.36", "docker.io/library/busybox:1.36" },
		{ "foo:5000", "docker.io/library/foo:5000" },
		{ "org/app", "docker.io/org/app" },
		{ "docker.io/busybox", "docker.io/library/busybox" },
		{ "index.docker.io/busybox:1", "docker.io/library/busybox:1" },
		{ "docker.io/org/app:1", "docker.io/org/app:1" },
		{ "localhost/app:1", "localhost/app:1" },
		{ "localhost:5000/app:1", "localhost:5000/app:1" },
		{ "registry.example:5000/team/app:1.0", "registry.example:5000/team/app:1.0" },
		{ "Registry.Example/app", "registry.example/app" },
		{ "[::1]:5000/app:1", "[::1]:5000/app:1" },
		{ "10.0.0.1/a/b/c/d:x", "10.0.0.1/a/b/c/d:x" },
		{ "quay.io/org/app" AT, "quay.io/org/app" AT },
		{ "quay.io/org/app:1" AT, "quay.io/org/app:1" AT },
		{ "app" AT, "docker.io/library/app" AT },
		{ "a.b/x__y/z-w--q.v_u", "a.b/x__y/z-w--q.v_u" },
		{ "a.b/" HEX, "a.b/" HEX },
		{ "x:_A.b-C", "docker.io/library/x:_A.b-C" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_ref struct ref r = { 0 }, again = { 0 };
		struct err e = { 0 };

		assert_ok(ref_parse(cases[i].text, &r, &e), e);

		auto_free char *text = ref_format(&r);

		assert_string_equal(text, cases[i].want);
		assert_ok(ref_parse(text, &again, &e), e);
		assert_true(ref_eq(&r, &again));
	}
}

TEST(a_capital_makes_a_host_and_stays_one)
{
	auto_ref struct ref r = { 0 }, again = { 0 };
	struct err e = { 0 };

	assert_ok(ref_parse("Team/app", &r, &e), e);
	assert_string_equal(r.host, "Team");

	auto_free char *text = ref_format(&r);

	assert_ok(ref_parse(text, &again, &e), e);
	assert_true(ref_eq(&r, &again));
}

TEST(refuses_what_is_no_reference)
{
	static const char *const cases[] = {
		"", ":", "@", "/", "a/", "/a", "a//b", "a:", "a:b:c", "a@", "a@sha256", "a@sha256:", "a@sha256:" "ABC", "A", "app/Name",
		"library/App", "a b", " a", "a ", "a\n", "-a", "a-", ".a", "a.", "_a", "a___b", "a..b/c:", "a._b", "\xc3\xa4", "a:\xc3\xa4",
		"a.b:/x", "a.b:x/y", "a.b:123456/x", "-a.b/x", "a.b-/x", "a..b/x", "a_b.c/x", "[::1/x", "[]/x", "[g]:5000/x", "::1/x",
		"a:.x", "a:-x", "a:+", "https://a.b/c", "oci://a.b/c", "a@sha256:" HEX "0", "a" AT AT, HEX, HEX ":1",
		"a@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "../../etc/passwd", "a/../b", "a/./b",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_ref struct ref r = { 0 };
		struct err e = { 0 };

		if (ref_parse(cases[i], &r, &e) == 0)
			fail_msg("took '%s'", cases[i]);
		assert_int_equal(e.code, ERR_MALFORMED);
		assert_null(r.path);
	}
}

TEST(only_sha256_is_supported)
{
	auto_ref struct ref r = { 0 };
	struct err e = { 0 };

	assert_err(ref_parse("a@sha512:" HEX HEX, &r, &e), e, ERR_UNSUPPORTED);
	assert_err(ref_parse("a@md5:00", &r, &e), e, ERR_UNSUPPORTED);
}

TEST(lengths_are_bounded)
{
	char text[700];
	auto_ref struct ref r = { 0 };
	struct err e = { 0 };

	memset(text, 'a', sizeof(text));
	memcpy(text, "h.x/", 4);
	text[255] = '\0';
	assert_ok(ref_parse(text, &r, &e), e);
	ref_release(&r);
	text[255] = 'a';
	text[256] = '\0';
	assert_err(ref_parse(text, &r, &e), e, ERR_MALFORMED);
	text[256] = 'a';
	text[699] = '\0';
	assert_err(ref_parse(text, &r, &e), e, ERR_MALFORMED);
	assert_true(strlen(e.msg) < 200);
	memcpy(text, "h.x/a:", 6);
	text[6 + 129] = '\0';
	assert_err(ref_parse(text, &r, &e), e, ERR_MALFORMED);
	text[6 + 128] = '\0';
	assert_ok(ref_parse(text, &r, &e), e);
}

TEST(copies_compare_and_speak_to_the_right_host)
{
	auto_ref struct ref r = { 0 }, other = { 0 };
	struct err e = { 0 };

	assert_ok(ref_parse("busybox:1" AT, &r, &e), e);

	auto_ref struct ref copy = ref_copy(&r);

	assert_true(ref_eq(&r, &copy));
	copy.digest.b[0] ^= 1;
	assert_false(ref_eq(&r, &copy));
	assert_ok(ref_parse("busybox:1", &other, &e), e);
	assert_false(ref_eq(&r, &other));
	assert_string_equal(ref_api_host(&r), "registry-1.docker.io");
	ref_release(&other);
	assert_ok(ref_parse("a.b:5000/x", &other, &e), e);
	assert_string_equal(ref_api_host(&other), "a.b:5000");
}

TEST(recognises_images_where_nothing_says_so)
{
	static const struct { const char *text; bool want; } cases[] = {
		{ "quay.io/org/app:1.0", true },       { "docker.io/busybox:x", true },       { "org/app:1.2-3", true },
		{ "org/app:latest", true },            { "localhost:5000/app:dev", true },    { "app" AT, false },
		{ "org/app" AT, true },                { "quay.io/org/app" AT, true },        { "org/app:20240101", true },
		{ "registry.k8s.io/pause:3.9", true }, { "10.0.0.1:5000/a:b", true },         { "org/app:v1", true },
		{ "redis:7", false },                  { "quay.io/org/app", false },          { "org/app", false },
		{ "default/service:9000", false },     { "kube-system/dns:53", false },       { "org/app:prod", false },
		{ "nvidia.com/gpu:NoSchedule", false },                                       { "apps/v1", false },
		{ "app.kubernetes.io/name", false },   { "https://a.b/c:1", false },          { "/var/lib/x:1", false },
		{ "10.0.0.0/8", false },               { "a/b c:1", false },                  { "", false },
		{ "http://x.y:80/z", false },          { "text/plain;charset=utf-8", false }, { "{{ .Values.image }}:1", false },
		{ "$(secret:N/KEY)", false },          { "2024/01/02:03", false },            { "nvcr.io/nvidia/driver:550-ubuntu22.04", true },
		{ "Kind/name:1", false },              { "a/b:c", false },                    { "example.com/x:8080", true },
		{ "kubernetes.io/arch:amd64", false }, { "batch.k8s.io/v1:Job", false },      { "example.com/v1beta1:Thing", false },
		{ "10.0.0.0/8:443", false },           { "registry.example/v1tool:2", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (ref_looks_like(cases[i].text) != cases[i].want)
			fail_msg("%s", cases[i].text);
}

TEST(finds_images_inside_text)
{
	static const char text[] =
		"--image=quay.io/a/b:1, \"ghcr.io/c/d:v2\"; see https://github.com/x/y:1 and docker://e.f/g:3.\n"
		"image { name = ${?X}\"h/i:latest\" }\n- redis:7\n(j.k/l@sha256:" HEX ")\ntcp://a.b:80/ port default/x:80\n"
		"${IMG:-quay.io/m/n:4} oci://o.p/q:5 quay.io/a/b:1";
	static const char *const want[] = {
		"quay.io/a/b:1", "ghcr.io/c/d:v2", "e.f/g:3", "h/i:latest", ("j.k/l" AT), "quay.io/m/n:4", "o.p/q:5",
		"quay.io/a/b:1",
	};
	auto_strv struct strv found = { 0 };

	ref_find(text, &found);
	for (size_t i = 0; i < MIN(found.n, ARRAY_LEN(want)); i++)
		assert_string_equal(found.items[i], want[i]);
	assert_int_equal(found.n, ARRAY_LEN(want));
}

TEST(finding_is_linear)
{
	size_t n = 4 << 20;
	auto_free char *text = xmalloc(n + 1);
	auto_strv struct strv found = { 0 };

	for (size_t i = 0; i < n; i++)
		text[i] = "a/:@-."[i % 6];
	text[n] = '\0';
	ref_find(text, &found);
	assert_int_equal(found.n, 0);
	ref_find("see https://a.b:80/c:1?x=d/e:f1&y=(g/h:i2 and /etc/j/k:l3", &found);
	assert_int_equal(found.n, 1);   /* behind the address */
}

static char *target(const char *text, const struct ref_site *site, struct err *e)
{
	auto_ref struct ref r = { 0 }, t = { 0 };

	assert_ok(ref_parse(text, &r, e), *e);
	if (ref_target(&r, site, &t, e) < 0)
		return NULL;
	return ref_format(&t);
}

TEST(names_on_site_follow_the_rules)
{
	static const struct { const char *text, *host, *prefix; bool keep; const char *want; } cases[] = {
		{ "quay.io/org/app:1", "reg:5000", "airgap", false, "reg:5000/airgap/org/app:1" },
		{ "quay.io/org/app:1", "reg:5000", "airgap", true, "reg:5000/airgap/quay.io/org/app:1" },
		{ "busybox:1.36", "reg", "a/b", false, "reg/a/b/library/busybox:1.36" },
		{ "busybox:1.36", "reg", "", true, "reg/docker.io/library/busybox:1.36" },
		{ "registry.example:5000/x:1", "reg", NULL, true, "reg/registry.example_5000/x:1" },
		{ "a.b/x" AT, "reg", NULL, false, "reg/x:d-0123456789abcdef0123456789abcdef" },
		{ "a.b/x:7" AT, "reg", NULL, false, "reg/x:7" },
		{ "busybox", "reg", NULL, false, "reg/library/busybox:latest" },
		{ "a.b/x:1", NULL, "p", false, "p/x:1" },
		{ "a.b/x:1", "", "p", false, "p/x:1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ref_site site = { cases[i].host, cases[i].prefix, cases[i].keep };
		struct err e = { 0 };
		auto_free char *text = target(cases[i].text, &site, &e);

		if (!text)
			fail_msg("%s: %s", cases[i].text, e.msg);
		assert_string_equal(text, cases[i].want);
	}
}

TEST(names_no_registry_takes_are_unsafe)
{
	static const struct { const char *text, *prefix; bool keep; } cases[] = {
		{ "a.b/x:1", "UPPER", false }, { "a.b/x:1", "/a", false },  { "a.b/x:1", "a/", false },     { "a.b/x:1", "a//b", false },
		{ "a.b/x:1", "../a", false },  { "[::1]/x:1", "a", true },  { "Team/x:1", "a", true },
	};
	char prefix[260];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ref_site site = { "reg", cases[i].prefix, cases[i].keep };
		struct err e = { 0 };

		assert_null(target(cases[i].text, &site, &e));
		assert_int_equal(e.code, ERR_UNSAFE);
	}
	memset(prefix, 'p', sizeof(prefix));
	prefix[255 - strlen("reg/") - strlen("/x")] = '\0';

	struct ref_site site = { "reg", prefix, false };
	struct err e = { 0 };
	auto_free char *fits = target("a.b/x:1", &site, &e);

	assert_non_null(fits);
	site.host = "reg:5";
	assert_null(target("a.b/x:1", &site, &e));
	assert_int_equal(e.code, ERR_UNSAFE);
}

TEST(charts_and_files_have_names_of_their_own)
{
	struct ref_site site = { "reg", "air/gap", true };
	struct digest d;
	struct err e = { 0 };
	auto_ref struct ref chart = { 0 }, file = { 0 }, bad = { 0 };

	assert_true(digest_parse("sha256:" HEX, &d));
	assert_ok(ref_target_chart("gpu-operator", "v25.3.0+up1", &site, &chart, &e), e);
	assert_ok(ref_target_artifact("files", "helm", &d, &site, &file, &e), e);

	auto_free char *chart_text = ref_format(&chart), *file_text = ref_format(&file);

	assert_string_equal(chart_text, "reg/air/gap/charts/gpu-operator:v25.3.0_up1");
	assert_string_equal(file_text, "reg/air/gap/files/helm:0123456789abcdef0123456789abcdef");
	assert_err(ref_target_chart("Upper", "1.0.0", &site, &bad, &e), e, ERR_UNSAFE);
	assert_err(ref_target_chart("a", "1 0", &site, &bad, &e), e, ERR_UNSAFE);
	assert_err(ref_target_chart("a/../b", "1.0.0", &site, &bad, &e), e, ERR_UNSAFE);
	assert_err(ref_target_artifact("files", "", &d, &site, &bad, &e), e, ERR_UNSAFE);
	assert_null(bad.path);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_references_as_docker_does),
		cmocka_unit_test(a_capital_makes_a_host_and_stays_one),
		cmocka_unit_test(refuses_what_is_no_reference),
		cmocka_unit_test(only_sha256_is_supported),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(copies_compare_and_speak_to_the_right_host),
		cmocka_unit_test(recognises_images_where_nothing_says_so),
		cmocka_unit_test(finds_images_inside_text),
		cmocka_unit_test(finding_is_linear),
		cmocka_unit_test(names_on_site_follow_the_rules),
		cmocka_unit_test(names_no_registry_takes_are_unsafe),
		cmocka_unit_test(charts_and_files_have_names_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
