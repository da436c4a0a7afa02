/* SPDX-License-Identifier: Apache-2.0 */
/* What a Call step makes of answers, the good ones and the hostile ones. */
#include "unit.h"

#include "served.h"

#include <deployer/engine.h>

#include <airgap/fs.h>
#include <airgap/proc.h>

#include <signal.h>

static struct err e;
static char *dir;
static struct session session;
static struct steps steps;
static struct secrets *secrets;
static struct engine engine;
static struct served server;

/* What the server answers, by path; the last whose path begins so counts. NULL text: raw is sent as it is. */
static struct { const char *path; int status; const char *headers, *text, *raw; } answers[4];
static char asked[4096];        /* "GET /find;POST /make;" */
static char sent[256];          /* the last body */

static void answer(const struct asked *a, struct buf *out)
{
	size_t used = strlen(asked);

	snprintf(asked + used, sizeof(asked) - used, "%s %s;", a->method, a->target);
	snprintf(sent, sizeof(sent), "%s", a->body);
	for (size_t i = 0; i < ARRAY_LEN(answers) && answers[i].path; i++) {
		if (!str_starts(a->target, answers[i].path))
			continue;
		if (answers[i].raw)
			buf_puts(out, answers[i].raw);
		else
			served_text(out, answers[i].status, answers[i].headers ? answers[i].headers : "", answers[i].text);
		return;
	}
	served_text(out, 404, "", "{\"meta\": {\"result_msg\": \"no such thing\"}}");
}

static void interrupt(int sig)
{
	proc_interrupted = sig;
}

static int enter(void **state)
{
	static const char script[] = "#!/bin/sh\ncase \"$*\" in *apply*) cat >\"$(dirname \"$0\")/applied\" ;; esac\n";
	auto_free char *kubectl = NULL;

	err_clear(&e);
	memset(answers, 0, sizeof(answers));
	asked[0] = '\0';
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	kubectl = fs_join(dir, "kubectl");
	assert_ok(fs_save(kubectl, script, strlen(script), 0755, &e), e);
	session = (struct session){ .system = json_object() };
	assert_ok(kubectl_open(&session.kubectl, kubectl, NULL, NULL, &e), e);
	setenv("TEST_TOKEN", "hunter2hunter2", 1);
	served_start(&server, answer);
	return 0;
}

static int leave(void **state)
{
	served_stop(&server);
	free(TAKE(engine.past));
	secrets_close(TAKE(secrets));
	kubectl_close(&session.kubectl);
	json_decref(session.system);
	steps_release(&steps);
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	return 0;
}

/* One Call step, "c", of the server here; rest goes on in its block. */
static const struct step *load(const char *rest)
{
	auto_free char *text = xasprintf("{apiVersion: airgap/v1, kind: Call, metadata: {name: c}, call: {url: 'http://127.0.0.1:%u/make', "
					 "auth: {bearer: '$(env:TEST_TOKEN)'}, retry: {on: [599]}, %s}}", server.port, rest);
	auto_helm_objects struct helm_objects o = { 0 };
	json_t *doc = ydoc_parse(text, strlen(text), &ydoc_rendered, "test", NULL, &e);

	if (!doc)
		fail_msg("%s: %s", text, e.msg);
	GROW(o.items, o.n);
	o.items[o.n++] = (struct helm_object){ .object = doc, .source = xstrdup("site/x.yaml") };
	free(TAKE(engine.past));
	secrets_close(TAKE(secrets));
	steps_release(&steps);
	assert_ok(steps_parse(&o, &steps, &e), e);
	assert_ok(secrets_open(&session, &steps, &secrets, &e), e);
	engine = (struct engine){ .session = &session, .steps = &steps, .secrets = secrets, .past = xcalloc(1, sizeof(struct step_past)) };
	return &steps.items[0];
}

static int run(const struct step *s)
{
	struct journal_record record = { 0 };

	return step_call_run(&engine, s, &record, &e);
}

#define FIND "body: {}, save: {id: data.id}, find: {url: /find, items: data.list, where: {name: red}, save: {id: id}}"

TEST(no_answer_is_believed_that_is_none)
{
	static const struct { int status; const char *headers, *text, *raw; enum err_code code; const char *says; } cases[] = {
		{ 302, "Location: http://127.0.0.1:1/steal\r\n", "", NULL, ERR_REDIRECT, "c: find: /find: the server sends us elsewhere (302)" },
		{ 200, NULL, "<html>", NULL, ERR_PROTOCOL, "not JSON" },
		{ 200, NULL, "{\"a\": 1, \"a\": 2}", NULL, ERR_PROTOCOL, "not JSON" },
		{ 200, NULL, "{\"data\": {\"list\": 7}}", NULL, ERR_PROTOCOL, "'data.list' is not a list" },
		{ 200, NULL, "{\"data\": {\"list\": {\"name\": \"red\"}}}", NULL, ERR_PROTOCOL, "'data.list' is not a list" },
		{ 200, NULL, "{\"data\": {\"list\": [{\"name\": \"red\"}]}}", NULL, ERR_PROTOCOL, "id: the found element has no plain value at 'id'" },
		{ 200, NULL, "{\"data\": {\"list\": [{\"name\": \"red\", \"id\": {}}]}}", NULL, ERR_PROTOCOL, "has no plain value" },
		{ 200, NULL, "{\"data\": {\"list\": [{\"name\": \"red\", \"id\": 1}, {\"name\": \"red\", \"id\": 2}]}}", NULL, ERR_CONFLICT, "2 elements fit" },
		{ 200, NULL, "{\"meta\": {\"result_code\": 500, \"result_msg\": \"sorry\\u001b[2J\"}}", NULL, ERR_PROTOCOL, "result 500: sorry [2J" },
		{ 400, NULL, "{\"meta\": {\"result_msg\": \"token hunter2hunter2 is bad\"}}", NULL, ERR_PROTOCOL, "answered 400: token *** is bad" },
		{ 401, NULL, "{\"meta\": {\"result_msg\": \"who are you\"}}", NULL, ERR_AUTH, "401: who are you" },
		{ 503, NULL, "", NULL, ERR_NETWORK, "503" },
		{ 404, NULL, "no hunter2hunter2 here", NULL, ERR_NETWORK, "not there" },
		{ 0, NULL, NULL, "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{", ERR_LIMIT, "find: /find: " },
		{ 0, NULL, NULL, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}", ERR_PROTOCOL, "find: /find: " },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct step *s = load(FIND);

		answers[0].path = "/find";
		answers[0].status = cases[i].status;
		answers[0].headers = cases[i].headers;
		answers[0].text = cases[i].text;
		answers[0].raw = cases[i].raw;
		asked[0] = '\0';
		err_clear(&e);
		if (run(s) == 0 || e.code != cases[i].code || !strstr(e.msg, str_starts(cases[i].says, "c: ") ? cases[i].says + 3 : cases[i].says))
			fail_msg("%zu: %d %s", i, e.code, e.msg);
		if (strstr(e.msg, "hunter2") || strpbrk(e.msg, "\033\n"))
			fail_msg("%zu: %s", i, e.msg);
		if (strstr(asked, "/make"))
			fail_msg("%zu: made all the same", i);
	}
}

/* Each step finds what the one before it left. */
TEST(what_is_there_is_not_made_again)
{
	const struct step *s = load(FIND ", update: {when: {tags: [b, a, '3']}, url: /update, body: {id: '$(secret:c/id)'}}");
	enum step_state is;

	answers[0].path = "/find";
	answers[0].status = answers[1].status = answers[2].status = 200;
	answers[0].text = "{\"data\": {\"list\": [{\"name\": \"blue\"}, 7, null]}}";
	answers[1].path = "/make";
	answers[1].text = "{\"data\": {\"id\": 17}}";
	answers[2].path = "/update";
	answers[2].text = "";
	assert_ok(step_call_check(&engine, s, &is, NULL, &e), e);
	assert_int_equal(is, STEP_NEW);
	assert_string_equal(asked, "GET /find;");
	assert_ok(run(s), e);
	assert_string_equal(asked, "GET /find;GET /find;POST /make;");

	auto_free char *id = secrets_kept(secrets, s, "id");

	assert_string_equal(id, "17");
	asked[0] = '\0';
	answers[0].text = "{\"data\": {\"list\": [{\"name\": \"red\", \"id\": \"17\", \"tags\": [\"a\", \"b\", 3]}]}}";
	assert_ok(step_call_check(&engine, s, &is, NULL, &e), e);
	assert_int_equal(is, STEP_SAME);
	answers[0].text = "{\"data\": {\"list\": [{\"name\": \"red\", \"id\": \"18\", \"tags\": [\"a\", \"b\", 3]}]}}";
	assert_ok(step_call_check(&engine, s, &is, NULL, &e), e);
	assert_int_equal(is, STEP_CHANGES);
	answers[0].text = "{\"data\": {\"list\": [{\"name\": \"red\", \"id\": \"17\", \"tags\": [\"a\"]}]}}";
	assert_ok(run(s), e);
	assert_string_equal(asked, "GET /find;GET /find;GET /find;POST /update;");
}

/* What the server does not tell is told again when the step is run, and only then. */
TEST(an_update_without_when_is_made_when_the_step_is_run)
{
	const struct step *s = load(FIND ", update: {url: /update, body: {users: 20}}");
	enum step_state is;

	answers[0].path = "/find";
	answers[0].status = answers[1].status = 200;
	answers[0].text = "{\"data\": {\"list\": [{\"name\": \"red\", \"id\": \"17\"}]}}";
	answers[1].path = "/update";
	answers[1].text = "";
	assert_ok(run(s), e);
	assert_string_equal(asked, "GET /find;POST /update;");
	assert_string_equal(sent, "{\"users\":20}");
	asked[0] = '\0';
	assert_ok(step_call_check(&engine, s, &is, NULL, &e), e);
	assert_int_equal(is, STEP_SAME);
	assert_string_equal(asked, "GET /find;");
}

#define MEMBERS(list) "body: {admin: false}, members: {key: emails, items: [" list "], remove: {url: /remove}}"

/* load() forgets what was kept: what one step remembers is handed to the next. */
static const struct step *load_after(const struct step *before, const char *rest)
{
	auto_free char *text = secrets_kept(secrets, before, STEP_MEMBERS);
	auto_json json_t *kept = json_pack("{s:s}", STEP_MEMBERS, text);
	const struct step *s = load(rest);

	secrets_keep(secrets, s, kept);
	asked[0] = '\0';
	return s;
}

TEST(only_what_was_added_is_removed)
{
	const struct step *s = load(MEMBERS("ann, bob"));

	answers[0].path = "/make";
	answers[0].status = answers[1].status = 200;
	answers[0].text = answers[1].text = "{}";
	answers[1].path = "/remove";
	assert_ok(run(s), e);
	assert_string_equal(asked, "POST /make;");
	assert_string_equal(sent, "{\"admin\":false,\"emails\":[\"ann\",\"bob\"]}");

	s = load_after(s, MEMBERS("ann, cid"));
	answers[1].status = 500;
	assert_err(run(s), e, ERR_NETWORK);
	assert_string_equal(asked, "POST /remove;");
	assert_string_equal(sent, "{\"emails\":[\"bob\"]}");

	/* cid was not added by the run that failed, but might have been */
	s = load_after(s, MEMBERS("ann"));
	answers[1].status = 200;
	assert_ok(run(s), e);
	assert_string_equal(asked, "POST /remove;POST /make;");
	assert_string_equal(sent, "{\"admin\":false,\"emails\":[\"ann\"]}");

	s = load_after(s, MEMBERS(""));
	assert_ok(run(s), e);
	assert_string_equal(asked, "POST /remove;");
	assert_string_equal(sent, "{\"emails\":[\"ann\"]}");
	s = load_after(s, MEMBERS(""));
	assert_ok(run(s), e);
	assert_string_equal(asked, "");
}

TEST(an_answer_without_what_is_to_be_saved_is_no_success)
{
	static const char *const texts[] = { "", "{}", "[]", "7", "{\"data\": {\"id\": null}}", "{\"data\": {\"id\": [1]}}", "{\"data\": {\"id\": {}}}" };

	answers[0].path = "/find";
	answers[0].status = answers[1].status = 200;
	answers[0].text = "{\"data\": {\"list\": []}}";
	answers[1].path = "/make";
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const struct step *s = load(FIND);

		answers[1].text = texts[i];
		assert_err(run(s), e, ERR_PROTOCOL);
		if (!strstr(e.msg, "save: id: the answer has no plain value at 'data.id'"))
			fail_msg("'%s': %s", texts[i], e.msg);
		assert_null(secrets_kept(secrets, s, "id"));
	}
}

TEST(a_check_that_cannot_answer_makes_no_key)
{
	const struct step *s = load("save: {k: data.k}, unless: {saved: [k], check: {url: /check}}");
	auto_json json_t *kept = json_pack("{s:s}", "k", "old");
	auto_free char *after = NULL;

	secrets_keep(secrets, s, kept);
	answers[0].path = "/check";
	answers[0].status = 500;
	answers[0].text = "";
	answers[1].path = "/make";
	answers[1].status = 200;
	answers[1].text = "{\"data\": {\"k\": \"new\"}}";
	assert_err(run(s), e, ERR_NETWORK);
	assert_string_equal(asked, "GET /check;");
	answers[0].status = 401;
	assert_ok(run(s), e);
	assert_string_equal(asked, "GET /check;GET /check;GET /make;");
	after = secrets_kept(secrets, s, "k");
	assert_string_equal(after, "new");
}

/* The interrupt ends kubectl, which keeps the key; it must not end what revokes the key. */
TEST(an_interrupt_leaves_no_key_behind)
{
	auto_free char *kubectl = fs_join(dir, "kubectl");
	auto_free char *script = xasprintf("#!/bin/sh\ncase \"$*\" in *apply*) if [ -e %s/once ]; then kill -INT $PPID; sleep 9; fi; : >%s/once ;; "
					   "esac\n", dir, dir);
	const struct step *s = load("save: {k: data.k}, unless: {saved: [k]}, revoke: {url: /revoke}");
	struct sigaction ours = { .sa_handler = interrupt }, before;

	kubectl_close(&session.kubectl);
	assert_ok(fs_save(kubectl, script, strlen(script), 0755, &e), e);
	assert_ok(kubectl_open(&session.kubectl, kubectl, NULL, NULL, &e), e);
	answers[0].path = "/make";
	answers[0].status = answers[1].status = 200;
	answers[0].text = "{\"data\": {\"k\": \"new\"}}";
	answers[1].path = "/revoke";
	answers[1].text = "{}";
	sigaction(SIGINT, &ours, &before);
	assert_err(run(s), e, ERR_DEADLINE);
	sigaction(SIGINT, &before, NULL);
	assert_int_equal(proc_interrupted, SIGINT);
	proc_interrupted = 0;
	assert_string_equal(asked, "GET /make;GET /revoke;");
	assert_null(secrets_kept(secrets, s, "k"));
}

/* Half a secret at the end of what is told is one, too. */
TEST(no_half_of_a_secret_is_told)
{
	const struct step *s = load("body: {}");
	auto_free char *text = xasprintf("{\"meta\": {\"result_msg\": \"%0294d hunter2hunter2\"}}", 0);

	answers[0].path = "/make";
	answers[0].status = 400;
	answers[0].text = text;
	assert_err(run(s), e, ERR_PROTOCOL);
	assert_null(strstr(e.msg, "hunt"));
}

/* A line break in a value would be a header of its own. */
TEST(no_value_becomes_a_header)
{
	const struct step *s;

	setenv("TEST_TOKEN", "a\r\nX-Other: b", 1);
	s = load("headers: {X-A: '$(env:TEST_TOKEN)'}");
	assert_err(run(s), e, ERR_MALFORMED);
	assert_non_null(strstr(e.msg, "headers: 'X-A': a line break in it"));
	s = load("body: {}");
	assert_int_equal(run(s), -1);
	assert_string_equal(asked, "");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)
	static const struct CMUnitTest tests[] = {
		CASE(no_answer_is_believed_that_is_none), CASE(what_is_there_is_not_made_again),
		CASE(an_answer_without_what_is_to_be_saved_is_no_success), CASE(a_check_that_cannot_answer_makes_no_key),
		CASE(an_interrupt_leaves_no_key_behind), CASE(no_half_of_a_secret_is_told),
		CASE(an_update_without_when_is_made_when_the_step_is_run), CASE(only_what_was_added_is_removed), CASE(no_value_becomes_a_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
