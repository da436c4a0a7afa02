/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that leave: how they are kept, which go, in what order, why one stays, and the command that removes it. */
#include "unit.h"

#include <deployer/leaving.h>
#include <deployer/system.h>

#include <airgap/fs.h>
#include <airgap/yaml.h>

static struct err e;

#define STEP(kind, name, rest) "---\napiVersion: airgap/v1\nkind: " kind "\nmetadata: {name: " name "}\n" rest "\n"
#define MAP(name, needs)       STEP("Apply", name, "needs: [" needs "]\napply: {objects: [{apiVersion: v1, kind: ConfigMap, " \
				    "metadata: {name: " name ", namespace: in}}]}")

static void parse(const char *yaml, struct steps *out)
{
	auto_helm_objects struct helm_objects o = { 0 };
	auto_json json_t *docs = ydoc_parse_all(yaml, strlen(yaml), &ydoc_rendered, "test", &e);
	size_t i;
	json_t *doc;

	if (!docs)
		fail_msg("%s", e.msg);
	json_array_foreach(docs, i, doc) {
		GROW(o.items, o.n);
		o.items[o.n++] = (struct helm_object){ .object = json_incref(doc), .source = xstrdup("site/t.yaml") };
	}
	assert_ok(steps_parse(&o, out, &e), e);
}

static json_t *kept(const struct steps *all, size_t i)
{
	const struct step *s = &all->items[i];

	return steps_keep(all, s, s->kind == STEP_APPLY ? s->apply.objects : NULL);
}

/* As if all steps but the first `without` had gone, the journal having them in the order of the text. */
static void leave_all(const char *yaml, size_t without, struct leaving *out)
{
	auto_steps struct steps all = { 0 };

	parse(yaml, &all);
	for (size_t i = without; i < all.n; i++) {
		auto_json json_t *doc = kept(&all, i);

		assert_ok(steps_recall(all.items[i].id, doc, &out->steps, &e), e);
	}
	steps_recall_needs(&out->steps);
	leaving_order(out);
}

TEST(they_go_before_what_they_need)
{
	static const struct { const char *what, *yaml; size_t without; const char *want; } cases[] = {
		{ "a chain", MAP("a", "") MAP("b", "Apply/a") MAP("c", "Apply/b"), 0, "c b a" },
		{ "a chain, written the other way", MAP("c", "Apply/b") MAP("b", "Apply/a") MAP("a", ""), 0, "c b a" },
		{ "a fork", MAP("a", "") MAP("b", "Apply/a") MAP("c", "Apply/a"), 0, "c b a" },
		{ "the last one done first", MAP("a", "") MAP("b", "") MAP("c", ""), 0, "c b a" },
		{ "what stays in the site is no need any more", MAP("a", "") MAP("b", "Apply/a"), 1, "b" },
		{ "an inferred need", STEP("Namespace", "in", "namespace: {name: in}") MAP("a", ""), 0, "a in" },
		{ "protected ones stay", MAP("a", "") STEP("Apply", "b", "protect: true\napply: {objects: []}"), 0, "b(protected) a" },
		{ "and keep what they need",
		  MAP("a", "") MAP("b", "Apply/a") STEP("Apply", "c", "protect: true\nneeds: [b]\napply: {objects: []}") MAP("d", "Apply/a"), 0,
		  "d c(protected) b(Apply/c needs it, and stays) a(Apply/b needs it, and stays)" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_leaving struct leaving l = { 0 };
		auto_strv struct strv order = { 0 };

		leave_all(cases[i].yaml, cases[i].without, &l);
		for (size_t k = 0; k < l.steps.n; k++)
			strv_pushf(&order, l.rows[k].stays ? "%s(%s)" : "%s%s", l.rows[k].step->metadata.name,
				   l.rows[k].stays ? l.rows[k].stays : "");

		auto_free char *got = strv_join(&order, " ");

		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%s: '%s', not '%s'", cases[i].what, got, cases[i].want);
	}
}

TEST(needs_that_lead_in_a_circle_end)
{
	auto_leaving struct leaving l = { 0 };
	auto_json json_t *a = json_pack("{s:[s]}", "needs", "Wait/b"), *b = json_pack("{s:[s]}", "needs", "Wait/a");

	/* Not all of them were kept by the same run. */
	assert_ok(steps_recall("Wait/a", a, &l.steps, &e), e);
	assert_ok(steps_recall("Wait/b", b, &l.steps, &e), e);
	steps_recall_needs(&l.steps);
	leaving_order(&l);
	assert_string_equal(l.rows[0].step->id, "Wait/b");
	assert_string_equal(l.rows[1].step->id, "Wait/a");
}

TEST(the_command_by_hand_is_exact)
{
	static const struct { const char *yaml, *command, *made; } cases[] = {
		{ STEP("Release", "web", "release: {chart: web, name: www, namespace: shop, values: {a: b}}"),
		  "helm uninstall www --namespace shop", "- release www in namespace shop" },
		{ STEP("Namespace", "space", "namespace: {name: shop, pullSecret: {name: pull, serviceAccounts: [default]}}"),
		  "kubectl delete namespace/shop",
		  "- namespace/shop;- secret/pull in namespace shop;- serviceaccount/default in namespace shop" },
		{ STEP("Secret", "s", "secret: {namespaces: [a, b], name: key, data: {k: v}}"),
		  "kubectl delete secret/key --namespace b && kubectl delete secret/key --namespace a",
		  "- secret/key in namespace a;- secret/key in namespace b" },
		{ STEP("Apply", "a", "apply: {objects: [{apiVersion: apps/v1, kind: Deployment, metadata: {name: w, namespace: in}, spec: {x: y}},\n"
		       "  {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: \"it's\"}}]}"),
		  "kubectl delete 'clusterrole.rbac.authorization.k8s.io/it'\\''s' && kubectl delete deployment.apps/w --namespace in",
		  "- deployment.apps/w in namespace in;- clusterrole.rbac.authorization.k8s.io/it's" },
		{ STEP("Label", "l", "label: {nodes: [n1, 'a in (b)'], labels: {x/y: z, gone: null}}"),
		  "kubectl label node n1 x/y- && kubectl label nodes --selector 'a in (b)' x/y-",
		  "- label x/y of nodes 'n1';- label x/y of nodes 'a in (b)'" },
		{ STEP("Wait", "w", "wait: {until: Exists, object: {apiVersion: v1, kind: Pod, namespace: in, name: p}}"), NULL, "" },
		{ STEP("Call", "c", "call: {url: 'http://a/x'}"), NULL, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_leaving struct leaving l = { 0 };
		auto_strv struct strv made = { 0 };

		leave_all(cases[i].yaml, 0, &l);
		leaving_made(l.rows[0].step, &made);

		auto_free char *list = strv_join(&made, ";");

		assert_string_equal(list, cases[i].made);
		if (!cases[i].command)
			assert_null(l.rows[0].command);
		else
			assert_string_equal(l.rows[0].command, cases[i].command);
	}
}

/* Values and the content of objects are not for it, and references stay what they are. */
TEST(a_kept_step_tells_what_it_takes_to_remove_it_and_no_more)
{
	auto_steps struct steps all = { 0 };
	auto_json json_t *release = NULL;
	auto_json json_t *apply = NULL;
	auto_json json_t *wait = NULL;
	auto_buf struct buf text = BUF_INIT(1 << 16);

	parse(STEP("Release", "web", "protect: true\nrelease: {chart: web, name: www, namespace: shop, timeout: 5m, values: {password: '$(env:P)'}}")
	      STEP("Apply", "a", "needs: [web]\napply: {objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: m, namespace: in}, data: {a: b}}]}")
	      STEP("Wait", "w", "needs: [Apply/a]\nwait: {until: Exists, object: {apiVersion: v1, kind: Pod, namespace: in, name: p}}"), &all);
	release = kept(&all, 0);
	apply = kept(&all, 1);
	wait = kept(&all, 2);
	assert_ok(jdoc_dump(release, &text, &e), e);
	assert_ok(jdoc_dump(apply, &text, &e), e);
	assert_ok(jdoc_dump(wait, &text, &e), e);
	assert_string_equal(buf_str(&text),
		"{\"apiVersion\":\"airgap/v1\",\"kind\":\"Release\",\"metadata\":{\"name\":\"web\"},\"protect\":true,\"release\":"
		"{\"chart\":\"web\",\"name\":\"www\",\"namespace\":\"shop\",\"timeout\":\"5m\"}}"
		"{\"apiVersion\":\"airgap/v1\",\"apply\":{\"objects\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":"
		"{\"name\":\"m\",\"namespace\":\"in\"}}]},\"kind\":\"Apply\",\"metadata\":{\"name\":\"a\"},\"needs\":[\"Release/web\"]}"
		"{\"apiVersion\":\"airgap/v1\",\"kind\":\"Wait\",\"metadata\":{\"name\":\"w\"},\"needs\":[\"Apply/a\"]}");
}

TEST(values_that_are_written_out_are_not_kept)
{
	auto_steps struct steps all = { 0 }, again = { 0 };
	auto_json json_t *secret = NULL;
	auto_json json_t *call = NULL;
	auto_buf struct buf text = BUF_INIT(1 << 16);

	parse(STEP("Namespace", "in", "namespace: {name: in}")
	      STEP("Secret", "s", "secret: {namespaces: [in], name: s, data: {a: hunter2, b: '$(generate:hex:16)', c: 'hunter2:$(env:P)', d: '$(env:P)hunter2', "
		   "e: '$(env:P)$(env:Q)'}}")
	      STEP("Call", "c", "call: {url: 'http://h/make', body: {password: hunter2}, expect: 'a=hunter2', retry: {for: 1m}, save: {id: data.id}, "
		   "unless: {saved: [id], check: {url: /look, body: {password: hunter2}}}, "
		   "find: {url: /find, body: {}, items: list, where: {name: red}, save: {id: id}}, "
		   "update: {when: {password: hunter2}, url: /update, body: {password: hunter2}}, "
		   "revoke: {url: /revoke, body: {id: '$(secret:c/id)'}}}"), &all);
	secret = kept(&all, 1);
	call = kept(&all, 2);
	assert_ok(jdoc_dump(json_object_get(secret, "secret"), &text, &e), e);
	assert_ok(jdoc_dump(json_object_get(call, "call"), &text, &e), e);
	assert_string_equal(buf_str(&text), "{\"data\":{\"a\":\"$(kube:in/s/a)\",\"b\":\"$(generate:hex:16)\","
		"\"c\":\"$(kube:in/s/c)\",\"d\":\"$(kube:in/s/d)\",\"e\":\"$(kube:in/s/e)\"},\"name\":\"s\",\"namespaces\":[\"in\"]}"
		"{\"find\":{\"body\":{},\"items\":\"list\",\"save\":{\"id\":\"id\"},\"url\":\"/find\",\"where\":{\"name\":\"red\"}},"
		"\"revoke\":{\"body\":{\"id\":\"$(secret:c/id)\"},\"url\":\"/revoke\"},\"save\":{\"id\":\"data.id\"},\"url\":\"http://h/make\"}");
	assert_ok(steps_recall("Secret/s", secret, &again, &e), e);
	assert_ok(steps_recall("Call/c", call, &again, &e), e);
	assert_non_null(again.items[0].doc);
	assert_non_null(again.items[1].doc);
}

TEST(what_is_not_known_is_left_alone)
{
	static const struct { const char *id, *doc; } cases[] = {
		{ "Release/a", NULL },
		{ "Release/a", "{}" },
		{ "Apply/a", "{\"apiVersion\":\"airgap/v1\",\"kind\":\"Apply\",\"metadata\":{\"name\":\"a\"},\"apply\":{\"later\":1}}" },
		{ "Apply/a", "{\"apiVersion\":\"airgap/v1\",\"kind\":\"Apply\",\"metadata\":{\"name\":\"b\"},\"apply\":{\"objects\":[]}}" },
	};
	auto_steps struct steps none = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_leaving struct leaving l = { 0 };
		auto_json json_t *doc = cases[i].doc ? jdoc_parse(cases[i].doc, strlen(cases[i].doc), 4096, "test", &e) : NULL;

		assert_ok(steps_recall(cases[i].id, doc, &l.steps, &e), e);
		leaving_order(&l);
		assert_string_equal(l.rows[0].stays, "what it made was not recorded: remove it by hand");
		assert_null(l.rows[0].command);
	}
	assert_err(steps_recall("Later/a", NULL, &none, &e), e, ERR_MALFORMED);
	assert_err(steps_recall("Apply/", NULL, &none, &e), e, ERR_MALFORMED);
	assert_int_equal(none.n, 0);
}

/* ---- over the journal ---- */

TEST(a_step_leaves_until_it_is_removed)
{
	auto_free char *dir = NULL, *kubectl = NULL;
	auto_steps struct steps all = { 0 }, now = { 0 };
	auto_journal struct journal *j = NULL;
	struct session session = { 0 };

	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	kubectl = fs_join(dir, "kubectl");
	assert_ok(fs_save(kubectl, "#!/bin/sh\ncat >/dev/null\n", 24, 0755, &e), e);
	session = (struct session){ .state_dir = dir, .system = json_object() };
	assert_ok(kubectl_open(&session.kubectl, kubectl, NULL, NULL, &e), e);
	parse(MAP("a", "") MAP("b", "Apply/a") MAP("c", "Apply/b"), &all);
	parse(MAP("a", ""), &now);
	for (int turn = 0; turn < 3; turn++) {
		auto_leaving struct leaving l = { 0 };

		assert_ok(journal_open(&session, "example/test", true, &j, &e), e);
		for (size_t i = 0; turn == 0 && i < all.n; i++) {
			auto_json json_t *doc = kept(&all, i);
			struct journal_record r = { .step = all.items[i].id, .result = (char *)"started", .made = doc };

			assert_ok(journal_add(j, &r, &e), e);
			r = (struct journal_record){ .step = all.items[i].id, .result = (char *)(i == 2 ? "failed" : "done") };
			assert_ok(journal_add(j, &r, &e), e);
		}
		leaving_find(j, &now, &l);
		assert_int_equal(l.steps.n, 2 - turn);
		for (size_t i = 0; i < l.steps.n; i++)
			assert_string_equal(l.rows[i].command, i == 0 && turn == 0 ? "kubectl delete configmap/c --namespace in"
										   : "kubectl delete configmap/b --namespace in");

		struct journal_record gone = { .step = (char *)(turn == 0 ? "Apply/c" : "Apply/b"), .result = (char *)"removed" };

		assert_ok(journal_add(j, &gone, &e), e);
		journal_close(TAKE(j));
	}
	kubectl_close(&session.kubectl);
	json_decref(session.system);
	assert_ok(fs_remove_tree(dir, &e), e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_go_before_what_they_need),
		cmocka_unit_test(needs_that_lead_in_a_circle_end),
		cmocka_unit_test(the_command_by_hand_is_exact),
		cmocka_unit_test(a_kept_step_tells_what_it_takes_to_remove_it_and_no_more),
		cmocka_unit_test(values_that_are_written_out_are_not_kept),
		cmocka_unit_test(what_is_not_known_is_left_alone),
		cmocka_unit_test(a_step_leaves_until_it_is_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
