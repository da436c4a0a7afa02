/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/certificate.h>
#include <airgap/fs.h>
#include <airgap/proc.h>

static struct strv hosts_of(const char *text)
{
	struct strv v = { 0 };

	strv_split(&v, text, ',');
	return v;
}

/* What the openssl program says to these arguments, with the files ca, crt and key in DIR. */
static char *openssl(const struct certificate *c, const char *arguments, int *status)
{
	const struct { const char *name, *text; } files[] = { { "ca", c->ca }, { "crt", c->crt }, { "key", c->key } };
	auto_free char *dir = NULL;
	auto_strv struct strv argv = { 0 };
	auto_buf struct buf out = BUF_INIT(1 << 20);
	struct err e = { 0 };

	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		auto_free char *path = fs_join(dir, files[i].name);

		assert_ok(fs_save(path, files[i].text, strlen(files[i].text), 0600, &e), e);
	}
	strv_push(&argv, "openssl");
	strv_split(&argv, arguments, ' ');

	struct proc p = { .argv = argv.items, .dir = dir };

	assert_ok(proc_run(&p, &out, status, &e), e);
	assert_ok(fs_remove_tree(dir, &e), e);
	return buf_take(&out);
}

TEST(a_certificate_is_what_openssl_takes_for_its_hosts)
{
	auto_strv struct strv hosts = hosts_of("api.ml.example,*.ml.example,10.0.0.7,fd00::1");
	static const char *const good[] = {
		"verify -CAfile ca -purpose sslserver -verify_hostname api.ml.example crt",
		"verify -CAfile ca -verify_hostname files.ml.example -x509_strict crt", "verify -CAfile ca -verify_ip 10.0.0.7 crt",
		"verify -CAfile ca -verify_ip fd00::1 crt", "x509 -in crt -noout -checkend 71193600",       /* 824 days */
		"pkey -in key -noout -check",
	};
	static const char *const bad[] = {
		"verify -CAfile ca -verify_hostname other.example crt", "verify -CAfile ca -verify_ip 10.0.0.8 crt",
		"x509 -in crt -noout -checkend 71366400",                                                       /* 826 days */
		"verify -CAfile crt crt",
	};
	auto_certificate struct certificate c = { 0 };
	struct err e = { 0 };
	int status;

	assert_ok(certificate_make(&hosts, &c, &e), e);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		auto_free char *said = openssl(&c, good[i], &status);

		if (status != 0)
			fail_msg("openssl %s: %s", good[i], said);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		free(openssl(&c, bad[i], &status));
		if (status == 0)
			fail_msg("openssl %s: succeeds", bad[i]);
	}

	auto_free char *of_key = openssl(&c, "pkey -in key -pubout", &status);
	auto_free char *of_crt = openssl(&c, "x509 -in crt -noout -pubkey", &status);

	assert_string_equal(of_key, of_crt);
}

TEST(no_two_are_the_same_but_placeholders)
{
	auto_strv struct strv hosts = hosts_of("a.example");
	auto_certificate struct certificate a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
	struct err e = { 0 };
	int status;

	assert_ok(certificate_make(&hosts, &a, &e), e);
	assert_ok(certificate_make(&hosts, &b, &e), e);
	assert_string_not_equal(a.key, b.key);
	assert_string_not_equal(a.ca, b.ca);
	assert_ok(certificate_placeholder(&hosts, &c, &e), e);
	assert_ok(certificate_placeholder(&hosts, &d, &e), e);
	assert_string_equal(c.crt, d.crt);
	assert_string_equal(c.ca, d.ca);
	assert_string_equal(c.key, d.key);

	auto_free char *said = openssl(&c, "verify -no_check_time -CAfile ca -verify_hostname a.example crt", &status);

	if (status != 0)
		fail_msg("%s", said);
	free(openssl(&c, "verify -CAfile ca crt", &status));
	assert_int_not_equal(status, 0);        /* its time is over */
}

TEST(refuses_what_is_no_host)
{
	static const char *const bad[] = { "", "a b", "-a", ".a", "a.", "a..b", "*", "*.", "a.*.b", "a_b", "a:b", "DNS:x", "a\nb", "a/b" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_strv struct strv hosts = hosts_of(bad[i]);
		auto_certificate struct certificate c = { 0 };
		struct err e = { 0 };

		assert_err(certificate_make(&hosts, &c, &e), e, ERR_MALFORMED);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_is_what_openssl_takes_for_its_hosts),
		cmocka_unit_test(no_two_are_the_same_but_placeholders),
		cmocka_unit_test(refuses_what_is_no_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
