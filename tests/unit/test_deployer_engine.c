/* SPDX-License-Identifier: Apache-2.0 */
/* The graph, what is skipped and what is left out, over a kubectl that keeps what it is given. */
#include "made.h"

#include <deployer/engine.h>

#include <airgap/bundle_read.h>
#include <airgap/yaml.h>

#include <unistd.h>

static struct err e;
static char *dir;
static struct made made;
static struct made_keys keys;
static struct source_at source;
static struct session session;
static struct steps steps;
static struct secrets *secrets;
static struct journal *journal;
static struct common_opts opts;

/* Objects live in DIR/live/NAME; `bad` is refused; every real apply is a line in DIR/applied. Secrets are dropped. */
static const char script[] =
	"#!/bin/sh\n"
	"d=$(dirname \"$0\")\n"
	"in=$(cat)\n"
	"name=$(printf '%s' \"$in\" | sed -n 's/.*\"name\":\"\\([a-z0-9-]*\\)\".*/\\1/p')\n"
	"case \"$*\" in\n"
	"*--dry-run=server*) echo \"$in\" ;;\n"
	"get\\ --filename*) [ ! -e \"$d/live/$name\" ] || cat \"$d/live/$name\" ;;\n"
	"apply*) case $name in bad) echo 'admission webhook denied the request: no' >&2; exit 1 ;; airgap-*) exit 0 ;; esac\n"
	"  echo \"$name\" >>\"$d/applied\"; mkdir -p \"$d/live\"; echo \"$in\" >\"$d/live/$name\" ;;\n"
	"get*) name=$3; [ ! -e \"$d/live/$name\" ] || cat \"$d/live/$name\" ;;\n"
	"esac\n";

static int enter(void **state)
{
	auto_free char *kubectl = NULL;
	struct bundle_options o = { .policy = &keys.policy };

	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	kubectl = fs_join(dir, "kubectl");
	assert_ok(fs_save(kubectl, script, strlen(script), 0755, &e), e);
	made_init(&made);
	made_keys_init(&keys, SIGN_ED25519);
	made_build(&made, keys.all, 1);
	source = made_source(&made);
	session = (struct session){ .opts = &opts, .state_dir = xstrdup(dir), .system = json_object() };
	/* {"key":"ab","values":{}}: the same key in each run */
	json_object_set_new(session.system, "airgap-secrets", json_pack("{s:{s:s}}", "data", "document",
								       "eyJrZXkiOiJhYiIsInZhbHVlcyI6e319"));
	session.bundle = bundle_open_at(&source, &o, &e);
	if (!session.bundle)
		fail_msg("%s", e.msg);
	assert_ok(kubectl_open(&session.kubectl, kubectl, NULL, NULL, &e), e);
	return 0;
}

static int leave(void **state)
{
	journal_close(TAKE(journal));
	secrets_close(TAKE(secrets));
	steps_release(&steps);
	session_release(&session);
	made_keys_release(&keys);
	made_release(&made);
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	return 0;
}

/* "NAME NEED,NEED" each an Apply of one ConfigMap. */
static void load(const char *const *names)
{
	auto_helm_objects struct helm_objects o = { 0 };

	journal_close(TAKE(journal));
	secrets_close(TAKE(secrets));
	steps_release(&steps);
	for (; *names; names++) {
		size_t n = strcspn(*names, " ");
		auto_free char *text = xasprintf("{apiVersion: airgap/v1, kind: Apply, metadata: {name: %.*s}, needs: [%s], apply: {namespace: x, "
						 "objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: %.*s}}]}}", (int)n, *names,
						 *names + n, (int)n, *names);
		json_t *doc = ydoc_parse(text, strlen(text), &ydoc_rendered, "test", NULL, &e);

		if (!doc)
			fail_msg("%s", e.msg);
		GROW(o.items, o.n);
		o.items[o.n++] = (struct helm_object){ .object = doc, .source = xstrdup("site/x.yaml") };
	}
	assert_ok(steps_parse(&o, &steps, &e), e);
	assert_ok(secrets_open(&session, &steps, &secrets, &e), e);
	assert_ok(journal_open(&session, "example/test", true, &journal, &e), e);
}

static struct engine engine(void)
{
	return (struct engine){ .session = &session, .steps = &steps, .secrets = secrets, .journal = journal };
}

static int run(struct engine *g, size_t *changed)
{
	*changed = 0;
	if (engine_begin(g, &e) < 0)
		return -1;

	int r = engine_run(g, 4, changed, &e);

	engine_end(g);
	return r;
}

/* What was applied since the last call, in order, with blanks. */
static char *applied(void)
{
	auto_free char *path = fs_join(dir, "applied");
	auto_buf struct buf b = BUF_INIT(1 << 16);
	auto_strv struct strv lines = { 0 };
	struct err ignored;

	if (fs_load(path, 1 << 16, &b, &ignored) < 0)
		return xstrdup("");
	unlink(path);
	strv_split(&lines, buf_str(&b), '\n');
	return strv_join(&lines, " ");
}

static void assert_applied(const char *want)
{
	auto_free char *have = applied();

	assert_string_equal(have, want);
}

static const char *const chain[] = { "c b", "b a", "a", NULL };
static const char *const broken[] = { "a", "bad a", "c bad", "d c", "e a", NULL };

TEST(steps_run_in_the_order_of_their_needs_and_once)
{
	struct engine g;
	size_t changed;

	load(chain);
	g = engine();
	assert_ok(run(&g, &changed), e);
	assert_int_equal(changed, 3);
	assert_applied("a b c");
	g = engine();
	assert_ok(run(&g, &changed), e);
	assert_int_equal(changed, 0);
	assert_applied("");
	load(chain);    /* another run, from the file */
	g = engine();
	assert_ok(run(&g, &changed), e);
	assert_int_equal(changed, 0);
	assert_string_equal(journal_last(journal, "Apply/b")->result, "done");
}

TEST(an_order_that_changes_changes_no_step)
{
	static const char *const turned[] = { "b c", "c a", "a", NULL };
	struct engine g;
	size_t changed;

	load(chain);
	g = engine();
	assert_ok(run(&g, &changed), e);
	load(turned);
	g = engine();
	assert_ok(run(&g, &changed), e);
	assert_int_equal(changed, 0);
}

TEST(what_is_there_but_not_by_us_is_done_once)
{
	struct engine g;
	size_t changed;
	auto_free char *file = fs_join(dir, "live/a");
	auto_free char *folder = fs_join(dir, "live");
	static const char object[] = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\",\"namespace\":\"x\"}}\n";
	static const char *const one[] = { "a", NULL };

	assert_ok(fs_make_dirs(folder, 0700, &e), e);
	assert_ok(fs_save(file, object, strlen(object), 0600, &e), e);
	load(one);
	g = engine();
	assert_ok(run(&g, &changed), e);
	assert_int_equal(changed, 1);
	g = engine();
	assert_ok(run(&g, &changed), e);
	assert_int_equal(changed, 0);
}

TEST(what_others_removed_is_made_again)
{
	struct engine g;
	size_t changed;
	enum step_state is;
	auto_free char *file = fs_join(dir, "live/b");

	load(chain);
	g = engine();
	assert_ok(run(&g, &changed), e);
	free(applied());
	assert_int_equal(unlink(file), 0);
	g = engine();
	assert_ok(engine_begin(&g, &e), e);
	assert_ok(engine_check(&g, steps_find(&steps, "Apply/b"), &is, NULL, &e), e);
	assert_int_equal(is, STEP_NEW);
	assert_ok(engine_check(&g, steps_find(&steps, "a"), &is, NULL, &e), e);
	assert_int_equal(is, STEP_SAME);
	engine_end(&g);
	assert_ok(run(&g, &changed), e);
	assert_applied("b");
}

TEST(a_failure_stops_what_needs_it_and_nothing_else)
{
	struct engine g;
	size_t changed;

	load(broken);
	g = engine();
	assert_err(run(&g, &changed), e, ERR_PROOF);
	assert_string_equal(e.msg, "Apply/bad: kubectl apply: admission webhook denied the request: no");
	assert_int_equal(changed, 2);
	assert_string_equal(journal_last(journal, "Apply/bad")->result, "failed");
	assert_string_equal(journal_last(journal, "Apply/e")->result, "done");
	assert_null(journal_last(journal, "Apply/c"));
	free(applied());
	g = engine();
	assert_err(run(&g, &changed), e, ERR_PROOF);
	assert_int_equal(changed, 0);
}

TEST(steps_can_be_chosen)
{
	struct engine g;
	size_t changed;
	auto_strv struct strv only = { 0 };

	load(chain);
	strv_push(&only, "Apply/c");
	g = engine();
	g.only = &only;
	assert_ok(run(&g, &changed), e);
	assert_applied("c");
	g = engine();
	g.from = "b";
	assert_ok(run(&g, &changed), e);
	assert_applied("b");
	g = engine();
	assert_ok(run(&g, &changed), e);
	assert_applied("a");
	g = engine();
	g.retry = "b";
	assert_ok(run(&g, &changed), e);
	assert_applied("b");
	g = engine();
	g.retry = "Apply/none";
	assert_err(engine_begin(&g, &e), e, ERR_USAGE);
	g = engine();
	g.from = "none";
	assert_err(engine_begin(&g, &e), e, ERR_USAGE);
	strv_push(&only, "none");
	g = engine();
	g.only = &only;
	assert_err(engine_begin(&g, &e), e, ERR_USAGE);
}

TEST(many_steps_at_once_are_all_done)
{
	const char *names[41] = { NULL };
	struct engine g;
	size_t changed;

	for (int i = 0; i < 40; i++)
		names[i] = xasprintf("x-%c%c %s", 'a' + i / 10, 'a' + i % 10, i >= 10 ? (char[]){ 'x', '-', 'a', (char)('a' + i % 10), '\0' } : "");
	load(names);
	g = engine();
	assert_ok(run(&g, &changed), e);
	assert_int_equal(changed, 40);
	assert_int_equal(journal_count(journal), 40);
	for (int i = 0; i < 40; i++)
		free((char *)names[i]);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)
	static const struct CMUnitTest tests[] = {
		CASE(steps_run_in_the_order_of_their_needs_and_once), CASE(an_order_that_changes_changes_no_step),
		CASE(what_is_there_but_not_by_us_is_done_once),
		CASE(what_others_removed_is_made_again), CASE(a_failure_stops_what_needs_it_and_nothing_else),
		CASE(steps_can_be_chosen), CASE(many_steps_at_once_are_all_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
