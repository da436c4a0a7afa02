/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <deployer/secrets.h>
#include <deployer/system.h>

#include <airgap/fs.h>
#include <airgap/yaml.h>

#include <pthread.h>

static struct err e;
static char *dir;
static struct session session;
static struct steps steps;

static json_t *parse(const char *text)
{
	json_t *j = ydoc_parse(text, strlen(text), &ydoc_rendered, "test", NULL, &e);

	if (!j)
		fail_msg("%s: %s", text, e.msg);
	return j;
}

#define STEP "apiVersion: airgap/v1, "

static void make_steps(void)
{
	static const char *const docs[] = {
		"{" STEP "kind: Namespace, metadata: {name: a}, namespace: {name: a}}",
		"{" STEP "kind: Secret, metadata: {name: made}, secret: {namespaces: [a], name: made, data: "
		"{token: '$(generate:alnum:24)', hex: '$(generate:hex:16)', both: 'u:$(secret:made/token)@$(env:TEST_HOST)', "
		"loop: '$(secret:made/loop)', tls.key: '$(generate:uuid)', crt: '$(generate:tls:crt:a.example)', key: '$(generate:tls:key:a.example)', "
		"ca: '$(generate:tls:ca:a.example)', hash: 'admin:$(secret:made/token|bcrypt)'}}}",
		"{" STEP "kind: Call, metadata: {name: red}, call: {url: 'http://h/', save: {id: data.id, secret: data.key}}}",
	};
	auto_helm_objects struct helm_objects o = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(docs); i++) {
		GROW(o.items, o.n);
		o.items[o.n++] = (struct helm_object){ .object = parse(docs[i]), .source = xstrdup("site/x.yaml") };
	}
	assert_ok(steps_parse(&o, &steps, &e), e);
}

/* A kubectl whose cluster has one Secret, b/there. */
static int enter(void **state)
{
	static const char script[] =
		"#!/bin/sh\ncase \"$*\" in *'get secret there'*--namespace=b*) echo '{\"data\":{\"key\":\"dmFsdWU=\",\"odd\":\"!\"}}' ;; "
		"*apply*) cat >\"$(dirname \"$0\")/applied\" ;; esac\n";
	auto_free char *kubectl = NULL;

	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	kubectl = fs_join(dir, "kubectl");
	assert_ok(fs_save(kubectl, script, strlen(script), 0755, &e), e);
	session = (struct session){ .system = json_object() };
	session.site.dir = xstrdup(dir);
	assert_ok(kubectl_open(&session.kubectl, kubectl, NULL, NULL, &e), e);
	setenv("TEST_HOST", "host", 1);
	unsetenv("TEST_ABSENT");
	make_steps();
	return 0;
}

static int leave(void **state)
{
	kubectl_close(&session.kubectl);
	json_decref(session.system);
	site_release(&session.site);
	steps_release(&steps);
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	return 0;
}

static struct secrets *opened(void)
{
	struct secrets *x = NULL;

	assert_ok(secrets_open(&session, &steps, &x, &e), e);
	return x;
}

static void put(const char *name, const char *text)
{
	auto_free char *path = fs_join(dir, name);

	assert_ok(fs_save(path, text, strlen(text), 0600, &e), e);
}

static void cluster_as_applied(void)
{
	auto_free char *path = fs_join(dir, "applied");
	auto_buf struct buf b = BUF_INIT(1 << 20);

	assert_ok(fs_load(path, 1 << 20, &b, &e), e);

	auto_json json_t *secret = jdoc_parse(b.ptr, b.len, 1 << 20, "applied", &e);

	json_object_set(session.system, jdoc_text(secret, "metadata", "name", NULL), secret);
}

static char *resolved(struct secrets *x, const char *owner, const char *text, bool placeholders)
{
	auto_json json_t *j = json_pack("{s:s}", "v", text);
	auto_json json_t *r = secrets_resolve(x, owner, j, placeholders, &e);

	return r ? xstrdup(jdoc_text(r, "v", NULL)) : NULL;
}

TEST(references_are_replaced_by_what_they_stand_for)
{
	struct secrets *x = opened();

	put("p.txt", "from a file");
	put("line.txt", "of one line\n");
	put("dos.txt", "of one line\r\n");
	put("lines.txt", "two\nlines\n");
	put("empty.txt", "");
	put("break.txt", "\n");
	static const struct { const char *text, *value; } cases[] = {
		{ "plain", "plain" }, { "$$(env:X)", "$(env:X)" }, { "a$(env:TEST_HOST)b", "ahostb" },
		{ "$(file:line.txt)", "of one line" }, { "$(file:dos.txt)", "of one line" }, { "$(file:lines.txt)", "two\nlines\n" },
		{ "$(file:empty.txt)", "" }, { "$(file:break.txt)", "" },
		{ "$(file:p.txt)", "from a file" }, { "$(kube:b/there/key)", "value" }, { "$(kube:b/there/key|base64)", "dmFsdWU=" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *value = resolved(x, "Apply/x", cases[i].text, false);

		if (!value)
			fail_msg("%s", e.msg);
		assert_string_equal(value, cases[i].value);
	}
	secrets_close(x);
}

TEST(what_cannot_be_resolved_names_its_step)
{
	static const struct { const char *text; enum err_code code; const char *says; } cases[] = {
		{ "$(env:TEST_ABSENT)", ERR_PREFLIGHT, "Apply/x: v: $(env:TEST_ABSENT): the variable is not set" },
		{ "$(file:absent)", ERR_PREFLIGHT, "Apply/x: v: $(file:absent): " },
		{ "$(kube:b/absent/key)", ERR_PREFLIGHT, "has no such Secret or key" },
		{ "$(kube:b/there/none)", ERR_PREFLIGHT, "has no such Secret or key" },
		{ "$(kube:b/there/odd)", ERR_CLUSTER, "not base64" },
		{ "$(kube:b/there)", ERR_MALFORMED, "write $(kube:NAMESPACE/NAME/KEY)" },
		{ "$(secret:made/none)", ERR_MALFORMED, "no Secret step makes this key" },
		{ "$(secret:made)", ERR_MALFORMED, "write $(secret:NAME/KEY)" },
		{ "$(secret:made/loop)", ERR_LIMIT, "leads back to itself" },
		{ "$(what:x)", ERR_MALFORMED, "unknown reference" },
	};
	struct secrets *x = opened();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *value = resolved(x, "Apply/x", cases[i].text, false);

		if (value || e.code != cases[i].code || !strstr(e.msg, cases[i].says))
			fail_msg("%s: %d %s", cases[i].text, e.code, value ? value : e.msg);
	}
	secrets_close(x);
}

TEST(what_the_cluster_alone_says_reads_nothing_of_this_machine)
{
	static const char *const texts[] = { "$(env:TEST_HOST)", "$(file:line.txt)" };
	struct secrets *x = opened();

	session.foreign = true;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		auto_free char *value = resolved(x, "Apply/x", texts[i], false);

		assert_null(value);
		assert_err(-1, e, ERR_PREFLIGHT);
		assert_non_null(strstr(e.msg, "not with the site kept in the cluster, which this machine did not apply: give --site FILE"));
	}
	session.foreign = false;
	secrets_close(x);
}

TEST(a_generated_value_stays_what_it_was)
{
	struct secrets *x = opened();
	auto_json json_t *data = secrets_resolve(x, steps.items[1].id, json_object_get(json_object_get(steps.items[1].doc, "secret"), "name"), false, &e);
	auto_free char *a = resolved(x, "Release/x", "$(secret:made/token)", false);
	auto_free char *b = resolved(x, "Release/x", "$(secret:made/token)", true);
	auto_free char *both = resolved(x, "Release/x", "$(secret:made/both)", false);
	auto_free char *want = xasprintf("u:%s@host", a);

	assert_non_null(data);
	assert_int_equal(strlen(a), 24);
	assert_string_equal(a, b);
	assert_string_equal(both, want);
	assert_ok(secrets_save(x, &e), e);
	secrets_close(x);
	cluster_as_applied();
	x = opened();

	auto_free char *later = resolved(x, "Release/y", "$(secret:made/token)", true);

	assert_string_equal(later, a);
	secrets_close(x);
}

TEST(a_placeholder_has_the_right_shape_and_tells_nothing)
{
	struct secrets *x = opened();
	auto_free char *token = resolved(x, "Release/x", "$(secret:made/token)", true);
	auto_free char *again = resolved(x, "Release/x", "$(secret:made/token)", true);
	auto_free char *hex = resolved(x, "Release/x", "$(secret:made/hex)", true);
	auto_free char *uuid = resolved(x, "Release/x", "$(secret:made/tls.key)", true);
	auto_free char *absent = resolved(x, "Release/x", "$(env:TEST_ABSENT)", true);
	auto_free char *real = resolved(x, "Release/x", "$(secret:made/token)", false);

	assert_string_equal(token, again);
	assert_int_equal(strlen(token), 24);
	assert_int_equal(strspn(hex, "0123456789abcdef"), 32);
	assert_int_equal(strlen(uuid), 36);
	assert_int_equal(uuid[14], '4');
	assert_true(str_starts(absent, "placeholder"));
	assert_string_not_equal(token, real);
	assert_string_not_equal(token, hex);
	secrets_close(x);
}

TEST(parts_of_a_certificate_belong_together_and_hashes_stay)
{
	struct secrets *x = opened();
	auto_free char *shape = resolved(x, "Release/x", "$(secret:made/crt)", true);
	auto_free char *crt = resolved(x, "Release/x", "$(secret:made/crt)", false);
	auto_free char *again = resolved(x, "Apply/y", "$(secret:made/crt)", true);
	auto_free char *ca = resolved(x, "Release/x", "$(secret:made/ca)", false);
	auto_free char *key = resolved(x, "Release/x", "$(secret:made/key)", true);        /* known by now */
	auto_free char *hash = resolved(x, "Release/x", "$(secret:made/hash)", false);
	auto_free char *same = resolved(x, "Release/x", "$(secret:made/hash)", false);
	auto_json json_t *o = json_pack("{s:s, s:{s:s}}", "kind", "ConfigMap", "data", "a", ca);
	struct helm_object one = { .object = o, .source = (char *)"s" };
	struct helm_objects all = { &one, 1 };

	assert_true(str_starts(shape, "-----BEGIN CERTIFICATE-----"));
	assert_string_not_equal(crt, shape);
	assert_string_equal(crt, again);
	assert_true(str_starts(key, "-----BEGIN PRIVATE KEY-----"));
	assert_true(str_starts(hash, "admin:$2b$10$"));
	assert_string_equal(hash, same);
	assert_ok(secrets_check_objects(x, "web", &all, &e), e);        /* a CA is no secret */
	json_object_set_new(json_object_get(o, "data"), "b", json_string(key));
	assert_err(secrets_check_objects(x, "web", &all, &e), e, ERR_PROOF);
	secrets_close(x);
}

TEST(what_a_call_saves_is_known_until_it_is_forgotten)
{
	const struct step *red = steps_find(&steps, "Call/red");
	struct secrets *x = opened();
	auto_json json_t *values = json_pack("{s:s, s:s}", "id", "company-17", "secret", "hunter2hunter2");
	auto_json json_t *body = json_pack("{s:s}", "v", "$(secret:red/secret)");
	char said[] = "no: hunter2hunter2, hunter2hunter2!";
	bool known = true;
	json_t *r = secrets_resolve_known(x, "Apply/x", body, &known, &e);

	assert_non_null(r);
	assert_false(known);
	json_decref(r);
	assert_null(resolved(x, "Apply/x", "$(secret:red/id)", false));
	assert_int_equal(e.code, ERR_PREFLIGHT);
	assert_non_null(strstr(e.msg, "$(secret:red/id): not known before Call/red is done"));
	secrets_keep(x, red, values);
	assert_ok(secrets_save(x, &e), e);
	secrets_close(x);
	cluster_as_applied();
	x = opened();
	r = secrets_resolve_known(x, "Apply/x", body, &known, &e);
	assert_true(known);
	assert_string_equal(jdoc_text(r, "v", NULL), "hunter2hunter2");
	json_decref(r);
	secrets_mask(x, said);
	assert_string_equal(said, "no: ***, ***!");

	auto_free char *kept = secrets_kept(x, red, "id");

	assert_string_equal(kept, "company-17");
	secrets_forget(x, red, "id");
	assert_null(secrets_kept(x, red, "id"));
	secrets_close(x);
}

TEST(a_secret_is_masked_as_programs_tell_it)
{
	struct secrets *x = opened();
	char said[] = "password 'hunter2hunter2', then hunter2hunter2-more.";

	setenv("TEST_LINE", "hunter2hunter2\n", 1);
	setenv("TEST_MORE", "hunter2hunter2-more", 1);
	for (size_t i = 0; i < 2; i++) {
		auto_free char *value = resolved(x, "Apply/x", i ? "$(env:TEST_MORE)" : "$(env:TEST_LINE)", false);

		assert_non_null(value);
	}
	secrets_mask(x, said);
	assert_string_equal(said, "password '***', then ***.");
	secrets_close(x);
}

TEST(a_config_map_that_is_written_out_may_not_hold_a_secret)
{
	static const struct { const char *object; bool good; } cases[] = {
		{ "[{kind: ConfigMap, metadata: {name: c}, data: {a: '$(secret:made/token)'}}]", false },
		{ "[{kind: ConfigMap, metadata: {name: c}, data: {a: '$(env:TEST_HOST)'}}]", false },
		{ "[{kind: ConfigMap, metadata: {name: c}, data: {a: '$(generate:hex:16)'}}]", false },
		{ "[{kind: ConfigMap, metadata: {name: c}, data: {a: '$$(env:TEST_HOST)', b: '$(file:ca.pem)'}}]", true },
		{ "[{kind: ConfigMap, metadata: {name: c}, data: {a: '$(generate:tls:ca:a.example)'}}]", true },
		{ "[{kind: ConfigMap, metadata: {name: c}, data: {a: '$(generate:tls:key:a.example)'}}]", false },
		{ "[{kind: Secret, metadata: {name: c}, stringData: {a: '$(secret:made/token)'}}]", true },
		{ "{deep: {items: [{kind: ConfigMap, data: {a: '$(secret:made/token)'}}]}}", false },
	};
	struct secrets *x = opened();

	put("ca.pem", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *j = parse(cases[i].object);
		auto_json json_t *r = secrets_resolve(x, "Apply/x", j, false, &e);

		if (!r != !cases[i].good)
			fail_msg("%s: %s", cases[i].object, r ? "taken" : e.msg);
		if (!r && (e.code != ERR_PROOF || !strstr(e.msg, "would stand there in the open: use a Secret")))
			fail_msg("%s", e.msg);
	}
	secrets_close(x);
}

static int check(struct secrets *x, const char *object)
{
	struct helm_object o = { .object = parse(object), .source = (char *)"web/templates/x.yaml" };
	struct helm_objects all = { &o, 1 };
	int r = secrets_check_objects(x, "web", &all, &e);

	json_decref(o.object);
	return r;
}

TEST(a_chart_may_not_put_a_secret_into_a_config_map)
{
	struct secrets *x = opened();

	for (int placeholders = 0; placeholders < 2; placeholders++) {
		auto_free char *token = resolved(x, "Release/x", "$(secret:made/token)", placeholders);
		auto_free char *leak = xasprintf("{kind: ConfigMap, data: {conf: 'password = \"%s\"'}}", token);
		auto_free char *fine = xasprintf("{kind: Secret, stringData: {conf: 'password = \"%s\"'}}", token);

		assert_err(check(x, leak), e, ERR_PROOF);
		assert_string_equal(e.msg, "chart 'web': web/templates/x.yaml: ConfigMap: data.conf: holds a secret in the open: use the "
					   "chart's key for an existing Secret");
		assert_null(strstr(e.msg, token));
		assert_ok(check(x, fine), e);
	}
	assert_ok(check(x, "{kind: ConfigMap, data: {a: placeholder, b: '00000000000000000000000000000000', c: AAAAAAAAAAAAAAAAAAAAAAAA}}"), e);
	secrets_close(x);
}

TEST(a_certificate_is_no_secret_but_a_key_is)
{
	static const struct { const char *content; bool good; } cases[] = {
		{ "-----BEGIN CERTIFICATE-----\nabcdefgh\n-----END CERTIFICATE-----", true },
		{ "-----BEGIN CERTIFICATE-----\nabcdefgh\n-----BEGIN PRIVATE KEY-----", false },
		{ "correct horse battery", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct secrets *x = opened();
		auto_json json_t *o = json_pack("{s:s, s:{s:s}}", "kind", "ConfigMap", "data", "a", cases[i].content);
		struct helm_object one = { .object = o, .source = (char *)"s" };
		struct helm_objects all = { &one, 1 };
		auto_free char *value = NULL;

		put("f", cases[i].content);
		value = resolved(x, "Apply/x", "$(file:f)", false);
		assert_string_equal(value, cases[i].content);
		assert_int_equal(secrets_check_objects(x, "web", &all, &e), cases[i].good ? 0 : -1);
		secrets_close(x);
	}
}

TEST(all_that_is_missing_is_told_at_once)
{
	struct secrets *x = opened();
	auto_strv struct strv missing = { 0 };

	unsetenv("TEST_HOST");
	json_object_set_new(json_object_get(steps.items[0].doc, "namespace"), "extra", json_string("$(file:none) $(env:TEST_ABSENT)"));
	assert_ok(secrets_check(x, &missing, &e), e);
	assert_int_equal(missing.n, 3);
	assert_non_null(strstr(missing.items[0], "Namespace/a: namespace.extra: $(file:none): "));
	assert_non_null(strstr(missing.items[1], "Namespace/a: namespace.extra: $(env:TEST_ABSENT): the variable is not set"));
	assert_non_null(strstr(missing.items[2], "Secret/made: secret.data.both: $(env:TEST_HOST): the variable is not set"));
	secrets_close(x);
}

TEST(a_fingerprint_needs_the_key)
{
	struct secrets *x = opened(), *y = opened();
	auto_json json_t *a = parse("{a: b, c: 1}");
	auto_json json_t *same = parse("{c: 1, a: b}");
	auto_json json_t *other = parse("{a: b, c: 2}");
	struct digest d = secrets_fingerprint(x, a), s = secrets_fingerprint(x, same), o = secrets_fingerprint(x, other);
	struct digest elsewhere = secrets_fingerprint(y, a);

	assert_true(digest_eq(&d, &s));
	assert_false(digest_eq(&d, &o));
	assert_false(digest_eq(&d, &elsewhere));
	secrets_close(x);
	secrets_close(y);
}

static void *resolve_many(void *arg)
{
	struct err mine = { 0 };

	for (int i = 0; i < 50; i++) {
		json_t *r = secrets_resolve(arg, steps.items[1].id, json_object_get(steps.items[0].doc, "namespace"), i & 1, &mine);

		if (!r)
			abort();
		json_decref(r);
	}
	return NULL;
}

TEST(several_threads_resolve_the_same_document)
{
	struct secrets *x = opened();
	pthread_t t[4];

	json_object_set_new(json_object_get(steps.items[0].doc, "namespace"), "extra", json_string("$(secret:made/token)"));
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, resolve_many, x), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	secrets_close(x);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)
	static const struct CMUnitTest tests[] = {
		CASE(references_are_replaced_by_what_they_stand_for), CASE(what_cannot_be_resolved_names_its_step),
		CASE(what_the_cluster_alone_says_reads_nothing_of_this_machine), CASE(a_generated_value_stays_what_it_was),
		CASE(a_placeholder_has_the_right_shape_and_tells_nothing),
		CASE(a_config_map_that_is_written_out_may_not_hold_a_secret), CASE(a_chart_may_not_put_a_secret_into_a_config_map),
		CASE(a_certificate_is_no_secret_but_a_key_is), CASE(all_that_is_missing_is_told_at_once),
		CASE(parts_of_a_certificate_belong_together_and_hashes_stay), CASE(what_a_call_saves_is_known_until_it_is_forgotten),
		CASE(a_secret_is_masked_as_programs_tell_it), CASE(a_fingerprint_needs_the_key), CASE(several_threads_resolve_the_same_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
