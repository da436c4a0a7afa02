/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent of a Call that leaves: as far as its journal is believed, and nothing that a step which stays lives on. */
#include "unit.h"

#include "served.h"

#include <deployer/removal.h>

#include <airgap/fs.h>
#include <airgap/yaml.h>

static struct err e;
static char *dir;
static struct session session;
static struct steps site, past;
static struct secrets *secrets;
static struct journal *journal;
static struct served server;
static char asked[4096], sent[256];

static void answer(const struct asked *a, struct buf *out)
{
	size_t used = strlen(asked);

	snprintf(asked + used, sizeof(asked) - used, "%s;", a->target);
	snprintf(sent, sizeof(sent), "%s", a->body);
	served_text(out, 200, "", "{\"data\": {\"list\": [{\"id\": \"1\", \"name\": \"red\"}]}}");
}

static int enter(void **state)
{
	static const char script[] = "#!/bin/sh\ncase \"$*\" in *apply*) cat >/dev/null ;; esac\n";
	auto_free char *kubectl = NULL;

	err_clear(&e);
	asked[0] = sent[0] = '\0';
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	kubectl = fs_join(dir, "kubectl");
	assert_ok(fs_save(kubectl, script, strlen(script), 0755, &e), e);
	session = (struct session){ .state_dir = dir, .system = json_object() };
	assert_ok(kubectl_open(&session.kubectl, kubectl, NULL, NULL, &e), e);
	assert_ok(journal_open(&session, "example/test", true, &journal, &e), e);
	setenv("TEST_TOKEN", "hunter2hunter2", 1);
	served_start(&server, answer);
	return 0;
}

static int leave(void **state)
{
	served_stop(&server);
	journal_close(TAKE(journal));
	secrets_close(TAKE(secrets));
	kubectl_close(&session.kubectl);
	json_decref(session.system);
	steps_release(&site);
	steps_release(&past);
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	return 0;
}

/* @ is the port of the server. */
static void parse(const char *yaml, struct steps *out)
{
	auto_helm_objects struct helm_objects o = { 0 };
	auto_strv struct strv parts = { 0 };

	strv_split(&parts, yaml, '@');

	auto_free char *port = xasprintf("%u", server.port), *text = strv_join(&parts, port);
	auto_json json_t *docs = ydoc_parse_all(text, strlen(text), &ydoc_rendered, "test", &e);
	size_t i;
	json_t *doc;

	if (!docs)
		fail_msg("%s: %s", text, e.msg);
	json_array_foreach(docs, i, doc) {
		GROW(o.items, o.n);
		o.items[o.n++] = (struct helm_object){ .object = json_incref(doc), .source = xstrdup("site/t.yaml") };
	}
	assert_ok(steps_parse(&o, out, &e), e);
}

/* here: this machine's journal has them. */
static void left(const char *yaml, bool here)
{
	auto_steps struct steps all = { 0 };

	parse(yaml, &all);
	for (size_t i = 0; i < all.n; i++) {
		auto_json json_t *doc = steps_keep(&all, &all.items[i], NULL);
		struct journal_record r = { .step = all.items[i].id, .result = (char *)"started", .made = here ? doc : NULL };

		assert_ok(steps_recall(all.items[i].id, doc, &past, &e), e);
		if (here)
			assert_ok(journal_add(journal, &r, &e), e);
	}
}

static void site_says(const char *yaml)
{
	parse(yaml, &site);
	assert_ok(secrets_open(&session, &site, &secrets, &e), e);
	secrets_recall(secrets, &past);
}

/* "what was asked | what was said" of the removal of the first step that left. */
static char *removed(int want)
{
	struct engine g = { .session = &session, .steps = &site, .secrets = secrets, .journal = journal };
	auto_removal struct removal r = { 0 };
	auto_strv struct strv said = { 0 };

	assert_ok(removal_begin(&r, &g, &past, &said, &e), e);
	assert_int_equal(step_call_remove(&r, &past.items[0], &e), want);

	auto_free char *text = strv_join(&said, ";");

	return xasprintf("%s|%s", asked, text);
}

#define STEP(kind, name, rest) "---\napiVersion: airgap/v1\nkind: " kind "\nmetadata: {name: " name "}\n" rest "\n"
#define OTHER  STEP("Namespace", "in", "namespace: {name: in}")
#define FIND   "save: {id: data.id}, find: {url: /find, items: data.list, where: {name: red}, save: {id: id}}"
#define REVOKE(name) "revoke: {url: /revoke, body: {id: '$(secret:" name "/id)'}}"
#define CALL(name, rest) STEP("Call", name, "call: {url: 'http://127.0.0.1:@/make', retry: {on: [599]}, " rest "}")
#define SECRET(name, value) STEP("Secret", name, "secret: {namespaces: [in], name: " name ", data: {k: '" value "'}}")

TEST(what_only_the_cluster_says_sends_nothing_of_this_machine)
{
	static const struct { const char *what, *past, *site; bool here, sent; } cases[] = {
		{ "what it saved", CALL("red", FIND ", " REVOKE("red")), OTHER, false, true },
		{ "a variable", CALL("red", "auth: {bearer: '$(env:TEST_TOKEN)'}, " FIND ", " REVOKE("red")), OTHER, false, false },
		{ "a file", CALL("red", FIND ", revoke: {url: /revoke, body: {x: '$(file:/etc/hostname)'}}"), OTHER, false, false },
		{ "a Secret of the cluster", CALL("red", "headers: {X-A: '$(kube:a/b/c)'}, " FIND ", " REVOKE("red")), OTHER, false, false },
		{ "a variable by way of a Secret that left", CALL("red", "auth: {bearer: '$(secret:s/k)'}, " FIND ", " REVOKE("red"))
		  SECRET("s", "$(env:TEST_TOKEN)"), OTHER, false, false },
		{ "by way of two", CALL("red", "auth: {bearer: '$(secret:s/k)'}, " FIND ", " REVOKE("red"))
		  SECRET("s", "$(secret:s2/k)") SECRET("s2", "$(env:TEST_TOKEN)"), OTHER, false, false },
		{ "a Secret that the site has", CALL("red", "auth: {bearer: '$(secret:s/k)'}, " FIND ", " REVOKE("red"))
		  SECRET("s", "$(env:TEST_TOKEN)"), OTHER SECRET("s", "$(env:TEST_TOKEN)"), false, true },
		{ "this machine wrote it", CALL("red", "auth: {bearer: '$(env:TEST_TOKEN)'}, " FIND ", " REVOKE("red")), OTHER, true, true },
		{ "and the Secret", CALL("red", "auth: {bearer: '$(secret:s/k)'}, " FIND ", " REVOKE("red")) SECRET("s", "$(env:TEST_TOKEN)"),
		  OTHER, true, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		leave(NULL);
		enter(NULL);
		left(cases[i].past, cases[i].here);
		site_says(cases[i].site);

		auto_free char *have = removed(cases[i].sent);

		if (cases[i].sent ? strcmp(have, "/find;/revoke;|") != 0 : !str_starts(have, "|Call/red: what undoes http://127.0.0.1:"))
			fail_msg("%s: %s", cases[i].what, have);
	}
}

TEST(what_a_step_under_another_name_finds_stays_valid)
{
	static const struct { const char *what, *site, *asked; } cases[] = {
		{ "renamed", CALL("blue", FIND ", headers: {X-U: me}, " REVOKE("blue")), "|" },
		{ "of another user", CALL("blue", FIND ", headers: {X-U: you}, " REVOKE("blue")), "/find;/revoke;|" },
		{ "of another call", STEP("Call", "blue", "call: {url: 'http://127.0.0.1:@/other', headers: {X-U: me}, " FIND "}"), "/find;/revoke;|" },
		{ "none", OTHER, "/find;/revoke;|" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		leave(NULL);
		enter(NULL);
		left(CALL("red", FIND ", headers: {X-U: me}, " REVOKE("red")), true);
		site_says(cases[i].site);

		auto_free char *have = removed(1);

		if (strcmp(have, cases[i].asked) != 0)
			fail_msg("%s: %s", cases[i].what, have);
	}
}

#define MEMBERS(items) "members: {key: emails, items: [" items "], remove: {url: /remove}}"

TEST(members_go_but_for_those_that_another_step_has)
{
	static const struct { const char *site, *asked, *sent; } cases[] = {
		{ OTHER, "/remove;|", "{\"emails\":[\"a\",\"b\"]}" },
		{ CALL("blue", MEMBERS("b, c")), "/remove;|", "{\"emails\":[\"a\"]}" },
		{ CALL("blue", MEMBERS("a, b")), "|", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_json json_t *kept = json_pack("{s:s}", STEP_MEMBERS, "[\"a\",\"b\"]");

		leave(NULL);
		enter(NULL);
		left(CALL("red", MEMBERS("a, b")), true);
		site_says(cases[i].site);
		secrets_keep(secrets, &past.items[0], kept);

		auto_free char *have = removed(1), *after = secrets_kept(secrets, &past.items[0], STEP_MEMBERS);

		assert_string_equal(have, cases[i].asked);
		assert_string_equal(sent, cases[i].sent);
		assert_null(after);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)
	static const struct CMUnitTest tests[] = {
		CASE(what_only_the_cluster_says_sends_nothing_of_this_machine), CASE(what_a_step_under_another_name_finds_stays_valid),
		CASE(members_go_but_for_those_that_another_step_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
