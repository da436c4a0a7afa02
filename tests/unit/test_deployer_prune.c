/* SPDX-License-Identifier: Apache-2.0 */
/* What is removed and what stays, over stand-ins for kubectl and helm that keep objects as files; the real ones are met in tests/cli/steps.sh. */
#include "unit.h"

#include <deployer/live.h>
#include <deployer/prune.h>
#include <deployer/system.h>

#include <airgap/fs.h>
#include <airgap/yaml.h>

#include <unistd.h>

static struct err e;
static char *dir;
static struct session session;
static struct steps site;
static struct secrets *secrets;
static struct journal *journal;

/* Objects are DIR/live/KIND/NAME; what stands in a namespace is a line each in DIR/inside; DIR/refuse names what cannot go. */
static const char script[] =
	"#!/bin/sh\n"
	"d=$(dirname \"$0\")\n"
	"case \"$1 $2 $3\" in\n"
	"apply*) cat >\"$d/applied\" ;;\n"
	"api-resources*) echo pods ;;\n"
	"get*--filename*) ;;\n"
	"get*--output=name) cat \"$d/inside\" 2>/dev/null || : ;;\n"
	"get*--output=json) printf '{\"items\":['; cat \"$d/items\" 2>/dev/null; echo ']}' ;;\n"
	"get*) cat \"$d/live/$2/$3\" 2>/dev/null || : ;;\n"
	"delete*) if grep -qx \"$3\" \"$d/refuse\" 2>/dev/null; then echo 'error: timed out' >&2; exit 1; fi\n"
	"  rm -f \"$d/live/$2/$3\"; echo \"$3\" >>\"$d/deleted\" ;;\n"
	"esac\n";

/* One release, whose manifest is DIR/manifest. */
static const char helm_script[] =
	"#!/bin/sh\n"
	"d=$(dirname \"$0\")\n"
	"case \"$1\" in\n"
	"version) echo v3.15.0 ;;\n"
	"list) if [ -e \"$d/manifest\" ]; then echo '[{\"revision\":\"1\",\"status\":\"deployed\",\"chart\":\"c-1\"}]'; else echo '[]'; fi ;;\n"
	"get) cat \"$d/manifest\" ;;\n"
	"uninstall) rm \"$d/manifest\"; echo \"uninstalled\" >>\"$d/deleted\" ;;\n"
	"esac\n";

static int enter(void **state)
{
	auto_free char *kubectl = NULL, *helm = NULL;

	err_clear(&e);
	assert_ok(fs_temp_dir(NULL, "airgap-test-", &dir, &e), e);
	kubectl = fs_join(dir, "kubectl");
	assert_ok(fs_save(kubectl, script, strlen(script), 0755, &e), e);
	session = (struct session){ .state_dir = xstrdup(dir), .system = json_object() };
	assert_ok(kubectl_open(&session.kubectl, kubectl, NULL, NULL, &e), e);
	helm = fs_join(dir, "helm");
	assert_ok(fs_save(helm, helm_script, strlen(helm_script), 0755, &e), e);
	assert_ok(helm_open(&session.helm, helm, &e), e);
	assert_ok(journal_open(&session, "example/test", true, &journal, &e), e);
	return 0;
}

static int leave(void **state)
{
	journal_close(TAKE(journal));
	secrets_close(TAKE(secrets));
	steps_release(&site);
	session_release(&session);
	assert_ok(fs_remove_tree(dir, &e), e);
	free(TAKE(dir));
	return 0;
}

static void file(const char *name, const char *text)
{
	auto_free char *path = fs_join(dir, name), *folder = fs_dirname(path);

	assert_ok(fs_make_dirs(folder, 0700, &e), e);
	assert_ok(fs_save(path, text, strlen(text), 0600, &e), e);
}

static bool is_there(const char *name)
{
	auto_free char *path = fs_join(dir, name);

	return access(path, F_OK) == 0;
}

#define STEP(kind, name, rest) "---\napiVersion: airgap/v1\nkind: " kind "\nmetadata: {name: " name "}\n" rest "\n"
#define OBJECT(kind, name)     "{apiVersion: v1, kind: " kind ", metadata: {name: " name "}}"
#define MAP(name, needs)       STEP("Apply", name, "needs: [" needs "]\napply: {namespace: in, objects: [" OBJECT("ConfigMap", name) "]}")

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

static void keep_object(const json_t *o)
{
	auto_free char *kind = leaving_kind(o), *name = xasprintf("live/%s/%s", kind, jdoc_text(o, "metadata", "name", NULL));
	auto_buf struct buf text = BUF_INIT(1 << 16);

	assert_ok(jdoc_dump(o, &text, &e), e);
	file(name, buf_str(&text));
}

/* Steps that were done once: in the journal, their objects there. */
static void done_in(struct journal *into, const char *yaml)
{
	auto_steps struct steps all = { 0 };

	parse(yaml, &all);
	for (size_t i = 0; i < all.n; i++) {
		auto_json json_t *objects = leaving_objects(&all.items[i]);
		auto_json json_t *doc = NULL;
		struct journal_record r = { .step = all.items[i].id, .result = (char *)"started" };
		size_t k;
		json_t *o;

		if (all.items[i].kind == STEP_APPLY)
			live_set_namespace(objects, all.items[i].apply.ns);
		r.made = doc = steps_keep(&all, &all.items[i], objects);
		assert_ok(journal_add(into, &r, &e), e);
		r = (struct journal_record){ .step = all.items[i].id, .result = (char *)"done" };
		assert_ok(journal_add(into, &r, &e), e);
		json_array_foreach(objects, k, o)
			keep_object(o);
	}
}

static void done_before(const char *yaml)
{
	done_in(journal, yaml);
}

/* What was applied last is what the cluster has of it. */
static void done_by_another_bundle(const char *yaml)
{
	auto_journal struct journal *its = NULL;
	auto_free char *path = fs_join(dir, "applied");
	auto_buf struct buf text = BUF_INIT(1 << 20);

	assert_ok(journal_open(&session, "example/other", true, &its, &e), e);
	done_in(its, yaml);
	assert_ok(fs_load(path, 1 << 20, &text, &e), e);

	auto_json json_t *secret = jdoc_parse(text.ptr, text.len, 1 << 20, "applied", &e);

	json_object_set(session.system, jdoc_text(secret, "metadata", "name", NULL), secret);
}

static void site_says(const char *yaml)
{
	parse(yaml, &site);
	assert_ok(secrets_open(&session, &site, &secrets, &e), e);
}

/* "a b | what was said; …": what was deleted, in order. */
static int prune_now(char **out)
{
	struct engine g = { .session = &session, .steps = &site, .secrets = secrets, .journal = journal };
	auto_leaving struct leaving l = { 0 };
	auto_pruned struct pruned p = { 0 };
	auto_strv struct strv names = { 0 };
	auto_buf struct buf deleted = BUF_INIT(1 << 16);
	auto_free char *path = fs_join(dir, "deleted");
	struct err ignored;

	leaving_find(journal, &site, &l);

	int r = prune(&g, &l, &p, &e);

	if (fs_load(path, 1 << 16, &deleted, &ignored) == 0) {
		strv_split(&names, buf_str(&deleted), '\n');
		unlink(path);
	}

	auto_free char *gone = strv_join(&names, " "), *said = strv_join(&p.said, "; ");

	*out = xasprintf("%s |%zu| %s", gone, p.removed, said);
	return r;
}

static void assert_pruned(const char *want)
{
	auto_free char *have = NULL;

	assert_ok(prune_now(&have), e);
	assert_string_equal(have, want);
}

TEST(steps_go_in_reverse_and_once)
{
	done_before(MAP("a", "") MAP("b", "Apply/a") MAP("c", "Apply/b") MAP("d", ""));
	site_says(MAP("a", ""));
	assert_pruned("d c b |3| ");
	assert_pruned(" |0| ");
	assert_true(is_there("live/configmap/a"));
	assert_string_equal(journal_last(journal, "Apply/b")->result, "removed");
	assert_string_equal(journal_last(journal, "Apply/a")->result, "done");
}

TEST(what_another_step_makes_by_now_stays)
{
	done_before(STEP("Apply", "a", "apply: {namespace: in, objects: [" OBJECT("ConfigMap", "m") "," OBJECT("ConfigMap", "k") "]}"));
	site_says(STEP("Apply", "b", "apply: {namespace: in, objects: [" OBJECT("ConfigMap", "m") "]}"));
	assert_pruned("k |1| ");
	assert_true(is_there("live/configmap/m"));
}

TEST(the_same_name_elsewhere_is_another_object)
{
	done_before(STEP("Apply", "a", "apply: {namespace: in, objects: [" OBJECT("ConfigMap", "m") "]}"));
	site_says(STEP("Apply", "b", "apply: {namespace: out, objects: [" OBJECT("ConfigMap", "m") "," OBJECT("Secret", "m") "]}"));
	assert_pruned("m |1| ");
}

TEST(what_a_release_took_over_stays)
{
	done_before(MAP("a", ""));
	file("live/configmap/a", "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\",\"namespace\":\"in\",\"annotations\":"
	     "{\"meta.helm.sh/release-name\":\"r\",\"meta.helm.sh/release-namespace\":\"in\"}}}");
	site_says(MAP("x", ""));
	assert_pruned(" |1| ");
	assert_true(is_there("live/configmap/a"));
}

TEST(volumes_and_definitions_in_use_stay)
{
	done_before(STEP("Apply", "a", "apply: {namespace: in, objects: [" OBJECT("PersistentVolumeClaim", "data") "," OBJECT("ConfigMap", "m") "]}")
		    STEP("Apply", "b", "apply: {objects: [{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, "
			 "metadata: {name: things.example.com}}]}"));
	file("live/customresourcedefinition.apiextensions.k8s.io/things.example.com",
	     "{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\",\"metadata\":{\"name\":\"things.example.com\"},"
	     "\"spec\":{\"group\":\"example.com\",\"names\":{\"plural\":\"things\"}}}");
	file("items", "{\"kind\":\"Thing\"}");
	site_says(MAP("x", ""));
	assert_pruned("m |0| customresourcedefinition.apiextensions.k8s.io/things.example.com still has objects, which would go with it: "
		      "kubectl delete customresourcedefinition.apiextensions.k8s.io/things.example.com; "
		      "persistentvolumeclaim/data holds data: kubectl delete persistentvolumeclaim/data --namespace in");
	file("items", "");
	assert_pruned("things.example.com |1| persistentvolumeclaim/data holds data: kubectl delete persistentvolumeclaim/data --namespace in");
}

TEST(a_namespace_goes_when_it_holds_nothing_of_others)
{
	static const char in[] = "configmap/kube-root-ca.crt\nserviceaccount/default\nserviceaccount/mine\nsecret/pull\nevent/x\n";
	auto_free char *full = xasprintf("%ssecret/default-db\ndeployment.apps/d\n", in);

	done_before(STEP("Namespace", "in", "namespace: {name: in, pullSecret: {name: pull, serviceAccounts: [mine]}}"));
	site_says(MAP("x", ""));
	file("inside", full);
	assert_pruned(" |0| namespace 'in' still holds secret/default-db, deployment.apps/d: when they may go, too: kubectl delete namespace/in");
	file("inside", in);
	assert_pruned("in |1| ");
}

TEST(a_failure_keeps_what_is_needed_and_nothing_else)
{
	auto_free char *have = NULL;

	done_before(MAP("a", "") MAP("b", "Apply/a") MAP("c", ""));
	site_says(MAP("x", ""));
	file("refuse", "b\n");
	assert_err(prune_now(&have), e, ERR_CLUSTER);
	assert_string_equal(have, "c |1| Apply/a: Apply/b needs it, and stays: kubectl delete configmap/a --namespace in");
	assert_non_null(strstr(e.msg, "Apply/b: not removed: kubectl delete: timed out"));
	file("refuse", "");
	assert_pruned("b a |2| ");
}

TEST(what_is_protected_is_forgotten_when_it_was_removed_by_hand)
{
	auto_free char *path = fs_join(dir, "live/configmap/b");

	done_before(MAP("a", "") STEP("Apply", "b", "protect: true\nneeds: [Apply/a]\napply: {namespace: in, objects: [" OBJECT("ConfigMap", "b") "]}"));
	site_says(MAP("x", ""));
	assert_pruned(" |0| Apply/b: protected: kubectl delete configmap/b --namespace in; "
		      "Apply/a: Apply/b needs it, and stays: kubectl delete configmap/a --namespace in");
	assert_ok(fs_unlink(path, &e), e);
	assert_pruned("a |2| ");
}

#define RELEASE(name) STEP("Release", name, "release: {chart: c, name: r, namespace: in}")
#define LIVE(api, kind, name, rest) \
	"{\"apiVersion\":\"" api "\",\"kind\":\"" kind "\",\"metadata\":{\"name\":\"" name "\"}," rest "}"

TEST(a_release_stays_when_helm_would_take_more_than_it_made)
{
	static const char definition[] = LIVE("apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.example.com",
					      "\"spec\":{\"group\":\"example.com\",\"names\":{\"plural\":\"things\"}}");
	static const char templates[] = "\"volumeClaimTemplates\":[{\"metadata\":{\"name\":\"data\"}}]";
	auto_free char *losing = xasprintf(LIVE("apps/v1", "StatefulSet", "db", "\"spec\":{%s,\"persistentVolumeClaimRetentionPolicy\":"
					   "{\"whenDeleted\":\"%s\"}}"), templates, "Delete");
	auto_free char *keeping = xasprintf(LIVE("apps/v1", "StatefulSet", "db", "\"spec\":{%s,\"persistentVolumeClaimRetentionPolicy\":"
					    "{\"whenDeleted\":\"%s\"}}"), templates, "Retain");
	static const char space[] = LIVE("v1", "Namespace", "extra", "\"spec\":{}"), volume[] = LIVE("v1", "PersistentVolume", "disk", "\"spec\":{}");
	const struct { const char *kind, *live, *items, *inside, *said; } cases[] = {
		{ "customresourcedefinition.apiextensions.k8s.io/things.example.com", definition, "{\"kind\":\"Thing\"}", "",
		  "still has objects, which would go with it" },
		{ "customresourcedefinition.apiextensions.k8s.io/things.example.com", definition, "", "", NULL },
		{ "namespace/extra", space, "", "configmap/kube-root-ca.crt\nconfigmap/foreign\n", "still holds configmap/foreign" },
		{ "namespace/extra", space, "", "configmap/kube-root-ca.crt\n", NULL },
		{ "persistentvolume/disk", volume, "", "", "holds data" },
		{ "statefulset.apps/db", losing, "", "", "takes its volume claims along" },
		{ "statefulset.apps/db", keeping, "", "", NULL },
	};

	done_before(RELEASE("r"));
	site_says(MAP("x", ""));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *name = xasprintf("live/%s", cases[i].kind);
		auto_free char *want = cases[i].said ? xasprintf(" |0| release 'r': %s in it %s: helm uninstall r --namespace in", cases[i].kind,
								 cases[i].said) : xstrdup("uninstalled |1| ");
		struct journal_record again = { .step = (char *)"Release/r", .result = (char *)"done" };

		if (i && !cases[i - 1].said)
			done_before(RELEASE("r"));
		assert_ok(journal_add(journal, &again, &e), e);
		file("manifest", cases[i].live);
		file(name, cases[i].live);
		file("items", cases[i].items);
		file("inside", cases[i].inside);
		assert_pruned(want);
		assert_int_equal(is_there("manifest"), cases[i].said != NULL);
	}
}

/* Helm goes by its own record. */
TEST(what_helm_keeps_is_no_reason_and_a_note_on_the_object_alone_keeps_nothing)
{
	static const char note[] = "{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"name\":\"data\",\"annotations\":"
				   "{\"helm.sh/resource-policy\":\"keep\"}}}";

	done_before(RELEASE("r"));
	site_says(MAP("x", ""));
	file("live/persistentvolumeclaim/data", note);
	file("manifest", LIVE("v1", "PersistentVolumeClaim", "data", "\"spec\":{}"));
	assert_pruned(" |0| release 'r': persistentvolumeclaim/data in it holds data: helm uninstall r --namespace in");
	file("manifest", note);
	assert_pruned("uninstalled |1| release 'r': its chart keeps this: kubectl delete persistentvolumeclaim/data --namespace in");
}

TEST(an_applied_set_that_takes_its_claims_along_stays)
{
	done_before(STEP("Apply", "a", "apply: {namespace: in, objects: [{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db}, spec: {"
		    "volumeClaimTemplates: [{metadata: {name: d}}], persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}}}]}"));
	site_says(MAP("x", ""));
	assert_pruned(" |0| statefulset.apps/db takes its volume claims along: kubectl delete statefulset.apps/db --namespace in");
}

TEST(what_another_bundle_made_stays)
{
	done_before(MAP("a", "") MAP("b", "") STEP("Namespace", "in", "namespace: {name: in}") RELEASE("r"));
	done_by_another_bundle(STEP("Namespace", "theirs", "namespace: {name: in}") RELEASE("s") MAP("a", ""));
	site_says(MAP("x", ""));
	file("manifest", LIVE("v1", "ConfigMap", "c", "\"data\":{}"));
	assert_pruned("b |4| ");
	assert_true(is_there("manifest"));
	assert_true(is_there("live/configmap/a"));
	assert_true(is_there("live/namespace/in"));
}

#define WAIT(name, needs) \
	STEP("Wait", name, "needs: [" needs "]\nwait: {until: Exists, object: {apiVersion: v1, kind: Pod, namespace: in, name: p}}")

TEST(a_step_that_made_nothing_is_forgotten_in_silence)
{
	auto_leaving struct leaving l = { 0 };

	done_before(MAP("a", "") WAIT("w", "Apply/a") STEP("Apply", "b", "protect: true\nneeds: [w]\napply: {namespace: in, objects: [" OBJECT("ConfigMap", "b") "]}")
		    WAIT("v", ""));
	site_says(MAP("x", ""));
	leaving_find(journal, &site, &l);
	assert_int_equal(l.steps.n, 4);
	assert_int_equal(l.told, 2);
	assert_pruned(" |0| Apply/b: protected: kubectl delete configmap/b --namespace in; "
		      "Apply/a: Wait/w needs it, and stays: kubectl delete configmap/a --namespace in");
	assert_string_equal(journal_last(journal, "Wait/v")->result, "removed");
	assert_string_equal(journal_last(journal, "Wait/w")->result, "done");
}

TEST(what_another_bundle_cannot_tell_stops_it)
{
	auto_free char *ignored = NULL;
	char stream[SYSTEM_STREAM];
	auto_free char *name = xasprintf("airgap-journal-%s-0", system_stream("example/other", stream));

	done_before(MAP("a", ""));
	site_says(MAP("x", ""));
	json_object_set_new(session.system, name, json_object());
	assert_err(prune_now(&ignored), e, ERR_IO);
	assert_true(is_there("live/configmap/a"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)
	static const struct CMUnitTest tests[] = {
		CASE(steps_go_in_reverse_and_once), CASE(what_another_step_makes_by_now_stays),
		CASE(the_same_name_elsewhere_is_another_object), CASE(what_a_release_took_over_stays),
		CASE(volumes_and_definitions_in_use_stay), CASE(a_namespace_goes_when_it_holds_nothing_of_others),
		CASE(a_failure_keeps_what_is_needed_and_nothing_else), CASE(what_is_protected_is_forgotten_when_it_was_removed_by_hand),
		CASE(a_release_stays_when_helm_would_take_more_than_it_made),
		CASE(what_helm_keeps_is_no_reason_and_a_note_on_the_object_alone_keeps_nothing),
		CASE(an_applied_set_that_takes_its_claims_along_stays), CASE(what_another_bundle_made_stays),
		CASE(what_another_bundle_cannot_tell_stops_it), CASE(a_step_that_made_nothing_is_forgotten_in_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
