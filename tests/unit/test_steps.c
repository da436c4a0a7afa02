/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/steps.h>

static struct helm_objects objects_of(const char *yaml)
{
	struct helm_objects o = { 0 };
	struct err e = { 0 };
	auto_json json_t *docs = ydoc_parse_all(yaml, strlen(yaml), &ydoc_rendered, "test", &e);
	size_t i;
	json_t *doc;

	if (!docs)
		fail_msg("%s", e.msg);
	json_array_foreach(docs, i, doc) {
		GROW(o.items, o.n);
		o.items[o.n++] = (struct helm_object){ .object = json_incref(doc), .source = xstrdup("site/t.yaml") };
	}
	return o;
}

#define STEP(kind, name, rest) "---\napiVersion: airgap/v1\nkind: " kind "\nmetadata: {name: " name "}\n" rest "\n"
#define NAMESPACE(name)        STEP("Namespace", name, "namespace: {name: " name "}")
#define RELEASE(name, ns, rest) \
	STEP("Release", name, "release: {chart: web, name: " name ", namespace: " ns rest "}")

/* "Release/a<-Namespace/x,Secret/s; …" in the order of the steps. */
static char *needs_of(const char *yaml)
{
	auto_helm_objects struct helm_objects o = objects_of(yaml);
	auto_steps struct steps s = { 0 };
	auto_strv struct strv all = { 0 };
	struct err e = { 0 };

	assert_ok(steps_parse(&o, &s, &e), e);
	for (size_t i = 0; i < s.n; i++) {
		auto_strv struct strv needs = { 0 };

		for (size_t k = 0; k < s.items[i].n_needs; k++)
			strv_push(&needs, s.items[s.items[i].needs[k]].id);

		auto_free char *list = strv_join(&needs, ",");

		strv_pushf(&all, "%s<-%s", s.items[i].id, list);
	}
	return strv_join(&all, "; ");
}

#define assert_needs(yaml, want)                        \
	do {                                            \
		auto_free char *got_ = needs_of(yaml);  \
		assert_string_equal(got_, want);        \
	} while (0)

static void refuses(const char *yaml, const char *why)
{
	auto_helm_objects struct helm_objects o = objects_of(yaml);
	auto_steps struct steps s = { 0 };
	struct err e = { 0 };

	assert_err(steps_parse(&o, &s, &e), e, ERR_MALFORMED);
	if (!strstr(e.msg, why))
		fail_msg("'%s' does not say '%s'", e.msg, why);
	if (!strstr(e.msg, "site/t.yaml"))
		fail_msg("'%s' does not name the file", e.msg);
	assert_int_equal(s.n, 0);
}

TEST(reads_every_key_of_every_block)
{
	auto_helm_objects struct helm_objects o = objects_of(
		STEP("Carry", "c", "carry: {charts: [a], images: [b], files: [f], packages: [p], python: [w], git: [g], tags: {b: [c]}, waive: [{image: x, reason: r}]}")
		STEP("Namespace", "in", "namespace: {name: in, labels: {a: b}, podSecurity: restricted, userImages: true,\n"
		     "  pullSecret: {name: s, serviceAccounts: [default]}}")
		STEP("Secret", "s", "protect: true\nsecret: {namespaces: [in], name: s, type: Opaque, data: {k: '$(generate:uuid)'}}")
		STEP("Release", "r", "release: {chart: web, name: r, namespace: in, timeout: 5m, base: [{chartFile: v.yaml, optional: true}],\n"
		     "  values: {a: 1}, late: [{needs: [c], values: {b: 2}}], takeOwnership: true, tests: true, rollback: stop, before: [c]}")
		STEP("Apply", "a", "apply: {namespace: in, objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}]}")
		STEP("Apply", "b", "apply: {file: crds}")
		STEP("Wait", "w", "needs: [Release/r]\nwait: {object: {apiVersion: v1, kind: Pod, namespace: in, name: x}, until: Ready,\n"
		     "  fail: '{.status.phase}=Failed', timeout: 90s}")
		STEP("Label", "l", "label: {nodes: [n, a=b], labels: {x: a, z: null}, timeout: 9s}")
		STEP("Call", "k", "call: {url: /u, via: {service: s, namespace: in, port: 80}, method: PUT, auth: {basic: 'a:b'}, headers: {X-A: b},\n"
		     "  body: {a: 1}, expect: [a=b], save: {k: data.k}, unless: {saved: [k], check: {url: /c, auth: {bearer: '$(secret:k/k)'}}},\n"
		     "  find: {url: /f, body: {}, items: l, where: {n: 1}, save: {i: id}}, update: {when: {x: a}, url: /p, body: []},\n"
		     "  revoke: {url: /r}, retry: {for: 5m, on: [503, network]}}")
		STEP("Run", "p", "run: {where: pod, namespace: in, image: 'i:1', command: [a, '$$(X)'], env: {X: '$(secret:s/k)'}, serviceAccount: sa,\n"
		     "  securityContext: {runAsUser: 0}, volumes: [{name: v, mountPath: /v, emptyDir: {}}], files: {f: /in/f},\n"
		     "  scaleDown: [{kind: Deployment, namespace: in, name: d}], unless: [b], timeout: 5m}")
		STEP("Run", "x", "run: {where: exec, namespace: in, command: [a], exec: {selector: a=b, container: c, node: n1, each: node}}")
		STEP("Probe", "q", "probe: {id: P17, title: t, need: none, run: {where: host, command: [a], files: {f: d/f}}}"));
	auto_steps struct steps s = { 0 };
	struct err e = { 0 };

	assert_ok(steps_parse(&o, &s, &e), e);
	assert_int_equal(s.n, 12);

	const struct step *r = steps_find(&s, "Release/r"), *n = steps_find(&s, "Namespace/in"), *w = steps_find(&s, "w");

	assert_string_equal(r->release.base[0].chart_file, "v.yaml");
	assert_true(r->release.base[0].optional && r->release.take_ownership && r->release.tests);
	assert_string_equal(n->ns.pull_secret.service_accounts.items[0], "default");
	assert_true(n->ns.user_images && steps_find(&s, "Secret/s")->protect);
	assert_string_equal(w->wait.object.kind, "Pod");
	assert_null(steps_find(&s, "nothing"));

	const struct step_call *c = &steps_find(&s, "Call/k")->call;

	assert_string_equal(c->unless.check.auth.bearer, "$(secret:k/k)");
	assert_string_equal(c->retry.on.items[0], "503");      /* a bare `on` */
	assert_true(json_is_array(c->update.request.body) && c->via.port == 80);
	assert_ptr_equal(steps_secret(&s, "k", "i"), steps_find(&s, "Call/k"));
	assert_ptr_equal(steps_secret(&s, "s", "k"), steps_find(&s, "Secret/s"));
	assert_null(steps_secret(&s, "s", "none"));
}

TEST(a_bare_name_must_be_unique)
{
	assert_needs(NAMESPACE("x") STEP("Carry", "c", "needs: [x]\ncarry: {}"), "Namespace/x<-; Carry/c<-Namespace/x");
	refuses(NAMESPACE("x") STEP("Carry", "x", "carry: {}") STEP("Carry", "c", "needs: [x]\ncarry: {}"), "'x'");
}

TEST(what_lands_in_a_namespace_needs_its_step)
{
	assert_needs(RELEASE("a", "x", "") NAMESPACE("x") NAMESPACE("z")
		     STEP("Secret", "s", "secret: {namespaces: [x, z], name: s, data: {}}")
		     STEP("Apply", "p", "apply: {objects: [{apiVersion: v1, kind: C, metadata: {name: c, namespace: z}}]}"),
		     "Release/a<-Namespace/x; Namespace/x<-; Namespace/z<-; Secret/s<-Namespace/x,Namespace/z; Apply/p<-Namespace/z");
}

TEST(what_names_a_secret_needs_its_step)
{
	static const char secret[] = STEP("Secret", "s", "secret: {namespaces: [x], name: page, data: {k: v}}");
	auto_free char *by_name = xasprintf("%s%s", secret, RELEASE("a", "x", ", values: {auth: {existing: page}}"));
	auto_free char *by_reference = xasprintf("%s%s", secret, RELEASE("a", "x", ", values: {p: '$(secret:page/k)'}"));
	auto_free char *by_nobody = xasprintf("%s%s", secret, RELEASE("a", "x", ", values: {p: pages}"));

	assert_needs(by_name, "Secret/s<-; Release/a<-Secret/s");
	assert_needs(by_reference, "Secret/s<-; Release/a<-Secret/s");
	assert_needs(by_nobody, "Secret/s<-; Release/a<-");
}

#define CALL(name, rest) STEP("Call", name, "call: {url: 'http://h/a'" rest "}")
#define CALL_MAKES(name) CALL(name, ", save: {k: data.k}")

TEST(what_a_call_saves_is_a_need_of_what_uses_it)
{
	assert_needs(CALL("b", ", body: {id: '$(secret:a/k)'}") CALL_MAKES("a"), "Call/b<-Call/a; Call/a<-");
	assert_needs(CALL("a", ", save: {k: data.k}, find: {url: /f, items: x, where: {k: '$(secret:a/k)'}, save: {k: k}}"), "Call/a<-");
	assert_needs(STEP("Secret", "s", "secret: {namespaces: [x], name: s, data: {k: '$(secret:a/k)'}}") CALL_MAKES("a"),
		     "Secret/s<-Call/a; Call/a<-");
	/* The Secret goes first where both have the name. */
	assert_needs(CALL_MAKES("a") STEP("Secret", "s", "secret: {namespaces: [x], name: a, data: {k: v}}")
		     RELEASE("r", "x", ", values: {p: '$(secret:a/k)'}"), "Call/a<-; Secret/s<-; Release/r<-Secret/s");
	/* A Secret is known by its step's name too. */
	assert_needs(STEP("Secret", "s", "secret: {namespaces: [x], name: a, data: {k: v}}")
		     RELEASE("r", "x", ", values: {p: '$(secret:s/k)'}"), "Secret/s<-; Release/r<-Secret/s");
	assert_needs(STEP("Call", "v", "call: {url: /, via: {service: s, namespace: x, port: 1}}") NAMESPACE("x"),
		     "Call/v<-Namespace/x; Namespace/x<-");
}

TEST(refuses_calls_that_make_no_sense)
{
	static const struct { const char *block, *why; } cases[] = {
		{ "{url: /a}", "url: '/a': write http://" },
		{ "{url: 'ftp://h/a'}", "write http://" },
		{ "{url: 'http://h/a', ca: x}", "ca: needs an https url" },
		{ "{url: 'http://h/', via: {service: s, namespace: x, port: 80}}", "write a path" },
		{ "{url: //h/, via: {service: s, namespace: x, port: 80}}", "write a path" },
		{ "{url: /, via: {service: s, namespace: x, port: 0}}", "via.port" },
		{ "{url: /, via: {service: s, namespace: x, port: 65536}}", "via.port" },
		{ "{url: /, via: {service: --all, namespace: x, port: 80}}", "not the names" },
		{ "{url: /, ca: x, via: {service: s, namespace: x, port: 80}}", "plain http" },
		{ "{url: 'http://h/', method: HEAD}", "method: 'HEAD'" },
		{ "{url: 'http://h/', auth: {basic: a, bearer: b}}", "basic or bearer" },
		{ "{url: 'http://h/', headers: {authorization: x}}", "use auth" },
		{ "{url: 'http://h/', headers: {Host: x}}", "not yours" },
		{ "{url: 'http://h/', headers: {'A: b': x}}", "not a name" },
		{ "{url: 'http://h/', headers: {A: 1}}", "put it in quotes" },
		{ "{url: 'http://h/', headers: [a]}", "not a map" },
		{ "{url: 'http://h/', expect: [a]}", "path=value" },
		{ "{url: 'http://h/', save: {k: 1}}", "save.k" },
		{ "{url: 'http://h/', save: {'a/b': x}}", "'a/b'" },
		{ "{url: 'http://h/', unless: {saved: [k]}}", "unless.saved: 'k'" },
		{ "{url: 'http://h/', save: {k: k}, unless: {saved: [k], check: {url: x}}}", "unless.check: url" },
		{ "{url: 'http://h/', update: {when: {a: b}, url: /u}}", "update: needs find" },
		{ "{url: 'http://h/', find: {url: /f, items: x, where: {}}}", "find.where" },
		{ "{url: 'http://h/', find: {url: 'http://other/', items: x, where: {a: b}}}", "find: url" },
		{ "{url: 'http://h/', save: {k: k}, find: {url: /f, items: x, where: {a: b}}}", "let find.save tell it, or give revoke" },
		{ "{url: 'http://h/', find: {url: /f, items: x, where: {a: b}}, update: {when: [], url: /u}}", "update.when" },
		{ "{url: 'http://h/', members: {key: k, items: [a], remove: {url: /r}}, find: {url: /f, items: x, where: {a: b}}}", "members: not with find" },
		{ "{url: 'http://h/', body: {k: 1}, members: {key: k, items: [a], remove: {url: /r}}}", "members.key: 'k' is in the body already" },
		{ "{url: 'http://h/', members: {key: k, items: [a], remove: {url: /r, body: []}}}", "members.key: 'k' is in the body already, or that is no map" },
		{ "{url: 'http://h/', members: {key: k, items: [a], remove: {url: 'http://other/'}}}", "members.remove: url" },
		{ "{url: 'http://h/', members: {key: k, items: [a]}}", "remove" },
		{ "{url: 'http://h/', retry: {for: soon}}", "retry.for" },
		{ "{url: 'http://h/', retry: {on: [always]}}", "retry.on" },
		{ "{url: 'http://h/', retry: {on: [50]}}", "retry.on" },
		{ "{url: 'http://h/', body: '$(secret:no/thing)'}", "$(secret:no/thing): no Secret step makes this key" },
		{ "{url: 'http://h/', boddy: 1}", "did you mean 'body'" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *yaml = xasprintf("---\napiVersion: airgap/v1\nkind: Call\nmetadata: {name: c}\ncall: %s\n", cases[i].block);

		refuses(yaml, cases[i].why);
	}
}

TEST(refuses_runs_that_make_no_sense)
{
#define POD "namespace: x, image: 'i:1'"
	static const struct { const char *block, *why; } cases[] = {
		{ "{where: cloud, command: [a]}", "where: 'cloud'" },
		{ "{command: [a]}", "namespace: missing, with where: pod" },
		{ "{namespace: x, command: [a]}", "image: missing" },
		{ "{where: host}", "command: missing, with where: host" },
		{ "{where: host, command: [a], image: 'i:1'}", "image: has no meaning with where: host" },
		{ "{where: exec, namespace: x, command: [a]}", "exec: missing" },
		{ "{where: exec, namespace: x, command: [a], exec: {selector: a}, env: {A: b}}", "env: has no meaning" },
		{ "{where: exec, namespace: x, command: [a], exec: {selector: a, each: pod}}", "exec.each" },
		{ "{where: exec, namespace: x, command: [a], exec: {selector: a, node: --all}}", "exec.node" },
		{ "{" POD ", exec: {selector: a}}", "exec: has no meaning" },
		{ "{" POD ", command: ['$(env:TOKEN)']}", "command: $(env:TOKEN) would stand where all can read it" },
		{ "{" POD ", unless: ['a $(secret:s/k)']}", "unless: $(secret:s/k)" },
		{ "{" POD ", env: {1A: b}}", "'1A' is not the name of a variable" },
		{ "{" POD ", env: {A: 1}}", "env.A" },
		{ "{" POD ", files: {f: in/f}}", "files.f: not an absolute path" },
		{ "{" POD ", files: {f: /in/../etc}}", "files.f" },
		{ "{where: host, command: [a], files: {f: ../f}}", "files.f: not a relative path" },
		{ "{where: host, command: [a], files: {f: /etc/f}}", "files.f: not a relative path" },
		{ "{" POD ", volumes: [{name: v}]}", "volumes[0]" },
		{ "{" POD ", volumes: [{name: airgap-files, mountPath: /v}]}", "ours" },
		{ "{" POD ", securityContext: [a]}", "securityContext" },
		{ "{" POD ", scaleDown: [{kind: DaemonSet, name: d}]}", "scaleDown[0]: kind" },
		{ "{where: host, command: [a], scaleDown: [{kind: Deployment, name: d}]}", "scaleDown[0]: needs a namespace" },
		{ "{" POD ", podSecurity: restricted}", "podSecurity: 'restricted': use baseline or privileged" },
		{ "{where: host, command: [a], podSecurity: baseline}", "podSecurity: has no meaning" },
		{ "{" POD ", timeout: 0s}", "timeout" },
		{ "{" POD ", comand: [a]}", "did you mean 'command'" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_free char *yaml = xasprintf("---\napiVersion: airgap/v1\nkind: Run\nmetadata: {name: r}\nrun: %s\n", cases[i].block);

		refuses(yaml, cases[i].why);
	}
	refuses(STEP("Run", "a-name-that-is-longer-than-what-a-job-may-be-called", "run: {" POD "}"), "metadata.name");
}

TEST(refuses_probes_that_make_no_sense)
{
#define PROBE(name, rest) STEP("Probe", name, "probe: {title: t, need: none, " rest "}")
	refuses(PROBE("p", "id: 'P 1', run: {where: host, command: [a]}"), "id: 'P 1'");
	refuses(PROBE("p", "id: space, run: {where: host, command: [a]}"), "of the deployer's own");
	refuses(PROBE("p", "id: pull, run: {where: host, command: [a]}"), "of the deployer's own");
	refuses(PROBE("p", "id: P1, level: bad, run: {where: host, command: [a]}"), "level: 'bad': use fail, warn or info");
	refuses(PROBE("p", "id: P1, each: pod, run: {image: i, command: [a]}"), "each: 'pod': use node");
	refuses(PROBE("p", "id: P1, each: node, run: {where: host, command: [a]}"), "each: node has no meaning with where: host");
	refuses(PROBE("a-name-that-is-as-long-as-forty-and-one-xx", "id: P1, each: node, run: {image: i, command: [a]}"), "more than 40");
	refuses(PROBE("p", "id: P1, run: {where: exec, command: [a]}"), "nothing runs yet");
	refuses(PROBE("p", "id: P1, run: {namespace: x, image: i, command: [a]}"), "a probe has no namespace");
	refuses(PROBE("p", "id: P1, run: {image: i, unless: [a]}"), "unless");
	refuses(PROBE("p", "id: P1, run: {command: [a]}"), "run: image: missing");
	refuses(PROBE("p", "id: P1, run: {where: host, command: [a], env: {A: '$(generate:uuid)'}}"), "before it is made");
	refuses(STEP("Probe", "p", "needs: [p]\nprobe: {id: P1, title: t, need: none, run: {where: host, command: [a]}}"), "needs");
	refuses(PROBE("p", "id: P1, run: {where: host, command: [a]}") PROBE("q", "id: P1, run: {where: host, command: [a]}"),
		"both the id 'P1'");
}

/* As restricted as can be, until the step says otherwise. */
TEST(a_job_is_restricted_unless_it_is_told)
{
	auto_helm_objects struct helm_objects o = objects_of(
		STEP("Run", "a", "run: {" POD ", command: [p, '$$(X)'], env: {X: z}, files: {f: /in/f, g: /in/g}}")
		STEP("Run", "b", "run: {" POD ", serviceAccount: sa, securityContext: {runAsUser: 0, runAsNonRoot: false, fsGroup: 5},\n"
		     "  volumes: [{name: v, mountPath: /v, readOnly: true, persistentVolumeClaim: {claimName: c}}]}"));
	auto_steps struct steps s = { 0 };
	struct err e = { 0 };

	assert_ok(steps_parse(&o, &s, &e), e);

	const struct step_run *a = &s.items[0].run, *b = &s.items[1].run;
	auto_json json_t *plain = steps_job("a", "x", a, &a->command, true, "pull");
	auto_json json_t *told = steps_job("b", "x", b, &b->command, false, NULL);
	const json_t *p = jdoc_at(plain, "spec", "template", "spec", NULL), *t = jdoc_at(told, "spec", "template", "spec", NULL);
	auto_free char *c = json_dumps(json_array_get(json_object_get(p, "containers"), 0), JSON_SORT_KEYS | JSON_COMPACT);
	auto_free char *d = json_dumps(t, JSON_SORT_KEYS | JSON_COMPACT);

	assert_string_equal(jdoc_text(plain, "metadata", "name", NULL), "airgap-run-a");
	assert_int_equal(json_integer_value(jdoc_at(p, "securityContext", "runAsUser", NULL)), 65532);
	assert_true(json_is_true(jdoc_at(p, "securityContext", "runAsNonRoot", NULL)));
	assert_string_equal(jdoc_text(json_array_get(json_object_get(p, "imagePullSecrets"), 0), "name", NULL), "pull");
	assert_string_equal(c, "{\"command\":[\"p\",\"$(X)\"],\"envFrom\":[{\"secretRef\":{\"name\":\"airgap-run-a\"}}],\"image\":\"i:1\","
			       "\"name\":\"run\",\"securityContext\":{\"allowPrivilegeEscalation\":false,\"capabilities\":{\"drop\":[\"ALL\"]}},"
			       "\"terminationMessagePolicy\":\"FallbackToLogsOnError\",\"volumeMounts\":["
			       "{\"mountPath\":\"/in/f\",\"name\":\"airgap-files\",\"readOnly\":true,\"subPath\":\"f0\"},"
			       "{\"mountPath\":\"/in/g\",\"name\":\"airgap-files\",\"readOnly\":true,\"subPath\":\"f1\"}]}");
	assert_string_equal(d, "{\"automountServiceAccountToken\":true,\"containers\":[{\"command\":[],\"image\":\"i:1\",\"name\":\"run\","
			       "\"securityContext\":{\"allowPrivilegeEscalation\":false,\"capabilities\":{\"drop\":[\"ALL\"]},"
			       "\"runAsNonRoot\":false,\"runAsUser\":0},\"terminationMessagePolicy\":\"FallbackToLogsOnError\",\"volumeMounts\":["
			       "{\"mountPath\":\"/v\",\"name\":\"v\",\"readOnly\":true}]}],\"restartPolicy\":\"Never\",\"securityContext\":{\"fsGroup\":5,"
			       "\"seccompProfile\":{\"type\":\"RuntimeDefault\"}},\"serviceAccountName\":\"sa\",\"terminationGracePeriodSeconds\":10,"
			       "\"volumes\":[{\"name\":\"v\",\"persistentVolumeClaim\":{\"claimName\":\"c\"}}]}");
}

TEST(refuses_labels_that_make_no_sense)
{
	refuses(STEP("Label", "l", "label: {nodes: [], labels: {a: b}}"), "nodes: none");
	refuses(STEP("Label", "l", "label: {nodes: ['--all'], labels: {a: b}}"), "'--all'");
	refuses(STEP("Label", "l", "label: {nodes: n, labels: {}}"), "labels: not a map");
	refuses(STEP("Label", "l", "label: {nodes: n, labels: {a: true}}"), "labels.a");
	refuses(STEP("Label", "l", "label: {nodes: n, labels: {a: b}, timeout: x}"), "timeout");
}

TEST(an_object_needs_the_apply_of_its_definition)
{
	assert_needs(STEP("Apply", "cr", "apply: {objects: [{apiVersion: ex.io/v1, kind: Foo, metadata: {name: f}}]}")
		     STEP("Apply", "crd", "apply: {objects: [{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition,\n"
			  "  metadata: {name: foos.ex.io}, spec: {group: ex.io, names: {kind: Foo}}}]}"),
		     "Apply/cr<-Apply/crd; Apply/crd<-");
}

TEST(refuses_unknown_kinds_keys_and_needs_with_the_nearest)
{
	refuses(STEP("Relase", "a", "x: 1"), "did you mean Release");
	refuses(RELEASE("a", "x", ", chrat: b"), "did you mean 'chart'");
	refuses(STEP("Carry", "c", "needs: [Release/none]\ncarry: {}"), "'Release/none'");
	refuses(STEP("Carry", "c", "needs: [Carry/c]\ncarry: {}"), "itself");
	refuses(RELEASE("a", "x", ", late: [{needs: [none], values: {}}]"), "late[0]: needs 'none'");
	refuses(RELEASE("a", "x", ", late: [{needs: [a], values: 1}]"), "not a map");
	refuses("---\napiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", "airgap/v1");
	refuses(STEP("Carry", "c", ""), "'carry' is missing");
}

TEST(refuses_two_of_one_name_and_two_releases_in_one_place)
{
	refuses(NAMESPACE("x") NAMESPACE("x"), "Namespace/x");
	refuses(STEP("Release", "a", "release: {chart: w, name: r, namespace: x}")
		STEP("Release", "b", "release: {chart: w, name: r, namespace: x}"), "both release 'r'");
}

TEST(refuses_cycles)
{
	refuses(STEP("Carry", "a", "needs: [b]\ncarry: {}") STEP("Carry", "b", "needs: [c]\ncarry: {}")
		STEP("Carry", "c", "needs: [a]\ncarry: {}"), "lead back");
}

TEST(refuses_what_makes_no_sense)
{
	refuses(RELEASE("--help", "x", ""), "not a");
	refuses(RELEASE("a", "X", ""), "namespace");
	refuses(RELEASE("a", "x", ", timeout: soon"), "duration");
	refuses(RELEASE("a", "x", ", rollback: never"), "auto or stop");
	refuses(RELEASE("a", "x", ", values: [1]"), "not a map");
	refuses(STEP("Apply", "a", "apply: {}"), "either objects or file");
	refuses(STEP("Apply", "a", "apply: {objects: [{kind: x}]}"), "objects[0]");
	refuses(STEP("Wait", "w", "wait: {object: {apiVersion: v1, kind: P, name: x}, until: Later}"), "until");
	refuses(STEP("Namespace", "in", "namespace: {name: in, podSecurity: none}"), "podSecurity");
	refuses(STEP("Secret", "s", "secret: {namespaces: [in], name: s, data: {k: 1}}"), "data.k");
}

TEST(reads_go_durations)
{
	static const struct { const char *text; unsigned want; } good[] = {
		{ NULL, 7 }, { "90s", 90 }, { "10m", 600 }, { "1h2m3s", 3723 }, { "500ms", 1 }, { "1500ms", 2 },
	};
	static const char *const bad[] = { "", "5", "m", "-5m", "5 m", "0s", "5x", "99999h", "99999999999999999999s", "1h m" };
	unsigned got;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(steps_duration(good[i].text, 7, &got));
		assert_int_equal(got, good[i].want);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (steps_duration(bad[i], 7, &got))
			fail_msg("took '%s'", bad[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_key_of_every_block),
		cmocka_unit_test(a_bare_name_must_be_unique),
		cmocka_unit_test(what_lands_in_a_namespace_needs_its_step),
		cmocka_unit_test(what_names_a_secret_needs_its_step),
		cmocka_unit_test(what_a_call_saves_is_a_need_of_what_uses_it),
		cmocka_unit_test(refuses_calls_that_make_no_sense),
		cmocka_unit_test(refuses_labels_that_make_no_sense),
		cmocka_unit_test(refuses_runs_that_make_no_sense),
		cmocka_unit_test(refuses_probes_that_make_no_sense),
		cmocka_unit_test(a_job_is_restricted_unless_it_is_told),
		cmocka_unit_test(an_object_needs_the_apply_of_its_definition),
		cmocka_unit_test(refuses_unknown_kinds_keys_and_needs_with_the_nearest),
		cmocka_unit_test(refuses_two_of_one_name_and_two_releases_in_one_place),
		cmocka_unit_test(refuses_cycles),
		cmocka_unit_test(refuses_what_makes_no_sense),
		cmocka_unit_test(reads_go_durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
