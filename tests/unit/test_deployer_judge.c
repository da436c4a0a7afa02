/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../../deployer/judge.h"

#include <airgap/certificate.h>
#include <airgap/yaml.h>

#include <time.h>

static struct err e;

static json_t *yaml(const char *text)
{
	json_t *j = ydoc_parse(text, strlen(text), &ydoc_user, "t", NULL, &e);

	if (!j)
		fail_msg("%s", e.msg);
	return j;
}

/* Rendered documents of one step, Release/r in namespace n. */
static void add(struct wants *w, const char *list)
{
	auto_json json_t *docs = yaml(list);
	struct helm_object items[8] = { 0 };
	struct helm_objects o = { items, json_array_size(docs) };

	assert_true(o.n <= ARRAY_LEN(items));
	for (size_t i = 0; i < o.n; i++)
		items[i].object = json_array_get(docs, i);
	wants_add(w, "Release/r", "ns1", &o);
	wants_sort(w);
}

struct judged { const char *wanted, *there, *said; };

/* "result: line; line" */
static char *text_of(const struct finding_row *row)
{
	auto_free char *lines = row->lines.n ? strv_join(&row->lines, "; ") : xstrdup("");

	return xasprintf("%s: %s", findings_result(row), lines);
}

static void run(void (*judge)(const struct wants *, const json_t *, struct finding_row *), const struct judged *table, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		auto_findings struct findings f = { 0 };
		struct finding_row *row = findings_row(&f, "id", "title");
		auto_wants struct wants w = WANTS_INIT;
		auto_json json_t *there = yaml(table[i].there);

		add(&w, table[i].wanted);
		judge(&w, there, row);

		auto_free char *said = text_of(row);

		assert_string_equal(said, table[i].said);
	}
}

TEST(reads_quantities)
{
	static const struct { const char *text; double n; } good[] = {
		{ "0", 0 }, { "500m", 0.5 }, { "1.5", 1.5 }, { "2Gi", 2147483648. }, { "10k", 10000 }, { "1e3", 1000 }, { "1Ki", 1024 },
		{ "128974848", 128974848 }, { "3M", 3e6 },
	};
	static const char *const bad[] = { "", "x", "0x10", "-1", "nan", "inf", "1 Gi", "1Gib", "1ee3", " 1", "1Gi " };
	double n;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		auto_json json_t *j = json_string(good[i].text);

		assert_true(quantity_parse(j, &n));
		assert_true(n > good[i].n - 1e-6 && n < good[i].n + 1e-6);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_json json_t *j = json_string(bad[i]);

		if (quantity_parse(j, &n))
			fail_msg("'%s' is %g", bad[i], n);
	}
	assert_false(quantity_parse(NULL, &n));
}

#define CLASS(name, is_default) \
	"{kind: StorageClass, metadata: {name: " name ", annotations: {storageclass.kubernetes.io/is-default-class: '" is_default "'}}}"
#define CLAIM(name, rest) "{kind: PersistentVolumeClaim, apiVersion: v1, metadata: {name: " name "}, spec: {" rest "}}"

TEST(storage_classes)
{
	static const struct judged table[] = {
		{ "[]", "[]", "ok: " },
		{ "[" CLAIM("a", "storageClassName: fast") "]", "[" CLASS("fast", "false") "]", "ok: " },
		{ "[" CLAIM("a", "storageClassName: fast") "]", "[" CLASS("slow", "true") "," CLASS("big", "false") "]",
		  "fail: Release/r: claim 'a' wants the storage class 'fast', which is not there and no step makes: make it, or name one that is "
		  "there (big, slow)" },
		{ "[" CLAIM("a", "storageClassName: fast") "," CLASS("fast", "false") "]", "[]", "ok: " },
		{ "[" CLAIM("a", "storageClassName: ''") "]", "[]", "ok: " },
		{ "[" CLAIM("a", "accessModes: [ReadWriteOnce]") "]", "[]",
		  "fail: Release/r: claim 'a' names no storage class, and none is the default: name one of those there (none), or make one the "
		  "default" },
		{ "[" CLAIM("a", "accessModes: [ReadWriteOnce]") "]", "[" CLASS("x", "true") "," CLASS("z", "true") "]",
		  "warn: several storage classes are the default: x, z: leave one" },
		{ "[{kind: StatefulSet, metadata: {name: s}, spec: {volumeClaimTemplates: [" CLAIM("data", "storageClassName: none-such") "]}}]", "[]",
		  "fail: Release/r: claim 'data' wants the storage class 'none-such', which is not there and no step makes: make it, or name one that is "
		  "there (none)" },
		/* an operator's */
		{ "[{kind: Database, metadata: {name: d}, spec: {statefulSet: {spec: {volumeClaimTemplates: [" CLAIM("data", "storageClassName: none-such")
		  "]}}}}]", "[]",
		  "fail: Release/r: claim 'data' wants the storage class 'none-such', which is not there and no step makes: make it, or name one that is "
		  "there (none)" },
	};

	run(judge_storage, table, ARRAY_LEN(table));
}

#define SIZED(name, class, size) CLAIM(name, "storageClassName: " class ", resources: {requests: {storage: " size "}}")
#define ROOM(class, size) "{kind: CSIStorageCapacity, storageClassName: " class ", capacity: " size "}"

TEST(room_for_volumes)
{
	static const struct judged table[] = {
		{ "[" SIZED("a", "fast", "50Gi") "," SIZED("b", "fast", "5Gi") "]", "[" ROOM("fast", "20Gi") "," ROOM("fast", "20Gi") "]",
		  "warn: storage class 'fast': new claims ask for 55Gi, 40Gi is free: add storage, or ask for less" },
		{ "[" SIZED("a", "fast", "50Gi") "]", "[" ROOM("fast", "60Gi") "]", "ok: storage class 'fast': new claims ask for 50Gi of 60Gi" },
		{ "[" SIZED("a", "fast", "50Gi") "]", "[" ROOM("slow", "1Gi") "]",
		  "ok: storage class 'fast': new claims ask for 50Gi: the cluster does not say what is free" },
		{ "[" SIZED("a", "fast", "50Gi") "]", "[{kind: PersistentVolumeClaim, metadata: {name: a, namespace: ns1}}," ROOM("fast", "1Gi") "]",
		  "ok: " },
		{ "[{kind: StatefulSet, metadata: {name: s}, spec: {replicas: 3, volumeClaimTemplates: [" SIZED("d", "fast", "1Gi") "]}}]",
		  "[" ROOM("fast", "2Gi") "]", "warn: storage class 'fast': new claims ask for 3Gi, 2Gi is free: add storage, or ask for less" },
	};

	run(judge_volumes, table, ARRAY_LEN(table));
}

#define NODE(name, cpu, memory) \
	"{kind: Node, metadata: {name: " name "}, status: {allocatable: {cpu: '" cpu "', memory: " memory "}, nodeInfo: {architecture: amd64}}}"
#define WORK(kind, n, cpu, memory) \
	"{kind: " kind ", metadata: {name: w}, spec: {replicas: " n ", template: {spec: {containers: [{name: c, resources: {requests: {cpu: " cpu \
	", memory: " memory "}}}]}}}}"

TEST(requests_fit)
{
	static const struct judged table[] = {
		{ "[" WORK("Deployment", "2", "500m", "1Gi") "]", "[" NODE("a", "2", "4Gi") "," NODE("b", "2", "4Gi") "]",
		  "ok: cpu: pods ask for 1, the nodes have 4; memory: pods ask for 2Gi, the nodes have 8Gi" },
		{ "[" WORK("Deployment", "9", "500m", "1Gi") "]", "[" NODE("a", "2", "16Gi") "," NODE("b", "2", "16Gi") "]",
		  "fail: cpu: pods ask for 4.5 in all, the nodes have 4: add nodes, or lower the requests; memory: pods ask for 9Gi, the nodes have "
		  "32Gi" },
		{ "[" WORK("Deployment", "7", "500m", "1Mi") "]", "[" NODE("a", "4", "16Gi") "]",
		  "warn: cpu: pods ask for 3.5 in all, the nodes have 4: little is left for anything else; memory: pods ask for 7Mi, the nodes have "
		  "16Gi" },
		{ "[" WORK("StatefulSet", "1", "3", "6Gi") "]", "[" NODE("a", "2", "4Gi") "," NODE("b", "2", "4Gi") "]",
		  "fail: Release/r: StatefulSet 'w' asks for 3 cpu in one pod, the largest node has 2: lower the request, or add a larger node; "
		  "Release/r: StatefulSet 'w' asks for 6Gi of memory in one pod, the largest node has 4Gi: lower the request, or add a larger node; "
		  "cpu: pods ask for 3, the nodes have 4; memory: pods ask for 6Gi, the nodes have 8Gi" },
		{ "[" WORK("DaemonSet", "1", "1", "1Gi") "]", "[" NODE("a", "2", "4Gi") "," NODE("b", "2", "4Gi") "]",
		  "ok: cpu: pods ask for 2, the nodes have 4; memory: pods ask for 2Gi, the nodes have 8Gi" },
		{ "[" WORK("Deployment", "0", "9", "1Gi") "]", "[" NODE("a", "2", "4Gi") "]",
		  "ok: cpu: pods ask for 0, the nodes have 2; memory: pods ask for 0, the nodes have 4Gi" },
		{ "[]", "[]", "ok: " },
	};

	run(judge_capacity, table, ARRAY_LEN(table));
}

#define INGRESS(rest) "{kind: Ingress, metadata: {name: i}, spec: {" rest "}}"
#define INGRESS_CLASS(name, controller) "{kind: IngressClass, metadata: {name: " name "}, spec: {controller: " controller "}}"

TEST(ingress_classes)
{
	static const struct judged table[] = {
		{ "[" INGRESS("ingressClassName: nginx") "]", "[" INGRESS_CLASS("nginx", "x") "]", "ok: " },
		{ "[" INGRESS("ingressClassName: nginx") "," INGRESS_CLASS("nginx", "x") "]", "[]", "ok: " },
		{ "[" INGRESS("ingressClassName: nginx") "]", "[]",
		  "fail: Release/r: Ingress 'i' wants the class 'nginx', which is not there and no step makes: install its controller, or name "
		  "another class" },
		{ "[" INGRESS("rules: []") "]", "[]",
		  "fail: Release/r: Ingress 'i' names no class, and none is the default: name one in the site file" },
		{ "[" INGRESS("rules: []") "]",
		  "[{kind: IngressClass, metadata: {name: a, annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}}}]", "ok: " },
		{ "[" INGRESS_CLASS("nginx", "mine") "]", "[" INGRESS_CLASS("nginx", "theirs") "]",
		  "fail: ingress class 'nginx': belongs to the controller 'theirs', Release/r would make it for 'mine': give the class another name" },
	};

	run(judge_ingress, table, ARRAY_LEN(table));
}

#define BALANCED "{kind: Service, metadata: {name: s}, spec: {type: LoadBalancer}}"
#define ROLE_OF(meta, resource, verb) "{kind: ClusterRole, metadata: {" meta "}, rules: [{resources: [" resource "], verbs: [" verb "]}]}"
#define ROLE(name, resource, verb) ROLE_OF("name: '" name "'", resource, verb)

TEST(addresses_of_services)
{
	static const char *const known[] = {
		"[{kind: Service, metadata: {name: x}, status: {loadBalancer: {ingress: [{ip: 10.0.0.1}]}}}]",
		"[{kind: Node, metadata: {name: x}, spec: {providerID: 'cloud://1'}}]", "[" ROLE("lb", "services/status", "patch") "]",
		"[" ROLE("system:kube-vip-role", "services, services/status", "list, update") "]",
	};
	static const char *const unknown[] = {
		"[]", "[" ROLE("view", "services/status", "get") "]",
		"[" ROLE_OF("name: a, labels: {kubernetes.io/bootstrapping: rbac-defaults}", "services/status", "update") "]",
		"[" ROLE("admin", "'*'", "'*'") "]", "[{kind: Service, metadata: {name: x}, status: {loadBalancer: {}}}]",
	};
	const struct judged made = { "[" BALANCED "," ROLE("lb", "services/status", "update") "]", "[]", "ok: " };
	const struct judged none = { "[{kind: Service, metadata: {name: s}, spec: {type: ClusterIP}}]", "[]", "ok: " };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		run(judge_addresses, &(struct judged){ "[" BALANCED "]", known[i], "ok: " }, 1);
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		run(judge_addresses, &(struct judged){ "[" BALANCED "]", unknown[i],
			"warn: Release/r: Service 's' wants an address (LoadBalancer), and nobody is known here who gives one: install a provider, or use "
			"NodePort, unless the network gives it one" }, 1);
	run(judge_addresses, &made, 1);
	run(judge_addresses, &none, 1);
}

TEST(architectures_of_nodes)
{
	static const struct { const char *arch, *said; } table[] = {
		{ "amd64", "ok: " },
		{ "arm64", "ok: " },
		{ "arm", "fail: node 'a': linux/arm: the bundle is for linux/amd64, linux/arm64/v8: build it with `platforms: [linux/arm]` too, or keep "
			 "pods away from this node" },
	};
	auto_strv struct strv platforms = { 0 };

	auto_findings struct findings none = { 0 };
	auto_json json_t *any = yaml("[{kind: Node, metadata: {name: a}, status: {nodeInfo: {architecture: arm}}}]");

	judge_architectures(any, &platforms, findings_row(&none, "id", "t"));
	assert_int_equal(none.rows[0]->lines.n, 0);
	strv_push(&platforms, "linux/amd64");
	strv_push(&platforms, "linux/arm64/v8");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_findings struct findings f = { 0 };
		struct finding_row *row = findings_row(&f, "id", "t");
		auto_free char *nodes = xasprintf("[{kind: Node, metadata: {name: a}, status: {nodeInfo: {architecture: %s}}}]", table[i].arch);
		auto_json json_t *there = yaml(nodes);

		judge_architectures(there, &platforms, row);

		auto_free char *said = text_of(row);

		assert_string_equal(said, table[i].said);
	}
}

#define GPU(kernel) \
	"[{kind: Node, metadata: {name: g, labels: {nvidia.com/gpu.present: 'true'}}, status: {nodeInfo: {kernelVersion: " kernel "}}}," \
	"{kind: Node, metadata: {name: plain}, status: {nodeInfo: {kernelVersion: other}}}]"

TEST(kernels_of_gpu_nodes)
{
	static const struct { const char *pattern, *there, *said; } table[] = {
		{ "r/d:580-{kernel}-{osTag}", GPU("5.15.0-1"), "ok: " },
		{ "r/d:580-{kernel}-{osTag}", GPU("5.15.0"),
		  "ok: " },
		{ "r/d:580-{kernel}-{osTag}", GPU("5.15.0-10"),
		  "fail: node 'g': kernel 5.15.0-10: the bundle has no image 'r/d:580-{kernel}-{osTag}' for it, but for 5.15.0-1-ubuntu22.04, "
		  "6.8.0-ubuntu24.04: build it again with `--facts` of this site" },
		{ "r/other:{kernel}", GPU("k1"),
		  "fail: node 'g': kernel k1: the bundle has no image 'r/other:{kernel}' for it, but for none: build it again with `--facts` of this "
		  "site" },
		{ "r/d:580-{osTag}", GPU("5.15.0-10"), "ok: " },
	};
	auto_strv struct strv names = { 0 };

	strv_push(&names, "r/d:580-6.8.0-ubuntu24.04");
	strv_push(&names, "r/d:580-5.15.0-1-ubuntu22.04");
	strv_push(&names, "r/app:1");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_findings struct findings f = { 0 };
		struct finding_row *row = findings_row(&f, "id", "t");
		auto_wants struct wants w = WANTS_INIT;
		auto_json json_t *there = yaml(table[i].there);

		wants_add_pattern(&w, table[i].pattern);
		judge_kernels(&w, &names, there, row);

		auto_free char *said = text_of(row);

		assert_string_equal(said, table[i].said);
	}
}

TEST(clocks_of_nodes)
{
#define LEASE(ns, at) "[{kind: Lease, metadata: {name: a, namespace: " ns "}, spec: {renewTime: '" at "'}}]"
	static const struct { const char *there, *said; } table[] = {
		{ LEASE("kube-node-lease", "2000-01-01T00:00:00.000000Z"), "ok: " },
		{ LEASE("kube-node-lease", "1999-12-31T23:59:20.000000Z"), "ok: " },
		{ LEASE("kube-node-lease", "2000-01-01T00:01:00.000000Z"),
		  "warn: node 'a': its clock and this machine's are 60 s apart, or its kubelet is away: set both by the same time server" },
		{ LEASE("kube-node-lease", "1999-12-31T23:50:00Z"),
		  "warn: node 'a': its clock and this machine's are 600 s apart, or its kubelet is away: set both by the same time server" },
		{ LEASE("kube-node-lease", "1990-01-01T00:00:00Z"), "ok: " },
		{ LEASE("kube-node-lease", "soon"), "ok: " },
		{ LEASE("other", "2000-01-01T00:10:00Z"), "ok: " },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_findings struct findings f = { 0 };
		struct finding_row *row = findings_row(&f, "id", "t");
		auto_json json_t *there = yaml(table[i].there);

		judge_clock(there, 946684800, row);

		auto_free char *said = text_of(row);

		assert_string_equal(said, table[i].said);
	}
}

/* ---- what stands in the way */

static char *with_steps(void (*judge)(const struct steps *, const json_t *, struct finding_row *), const char *there)
{
	struct step items[] = { { .kind = STEP_NAMESPACE, .ns = { .name = (char *)"ns1", .pod_security = (char *)"restricted" } } };
	const struct steps s = { items, 1 };
	auto_findings struct findings f = { 0 };
	struct finding_row *row = findings_row(&f, "id", "t");
	auto_json json_t *docs = yaml(there);

	judge(&s, docs, row);
	return text_of(row);
}

static void networks(const struct steps *s, const json_t *there, struct finding_row *row)
{
	auto_wants struct wants w = WANTS_INIT;

	add(&w, "[{kind: NetworkPolicy, apiVersion: networking.k8s.io/v1, metadata: {name: ours}}]");
	judge_networks(&w, s, there, row);
}

#define PODS "rules: [{apiGroups: [''], resources: [pods]}]"

TEST(policies_of_others)
{
	static const struct { const char *there, *said; } table[] = {
		{ "[{kind: ValidatingWebhookConfiguration, metadata: {name: g}, webhooks: [{" PODS "}]}]",
		  "warn: webhook 'g': may refuse pods in all namespaces: exempt those of this install, or see that its rules let them pass" },
		{ "[{kind: MutatingWebhookConfiguration, metadata: {name: m}, webhooks: [{rules: [{apiGroups: ['*'], resources: ['*/*']}]}]}]",
		  "warn: webhook 'm': changes pods in all namespaces: exempt those of this install, or see that its rules let them pass" },
		{ "[{kind: MutatingWebhookConfiguration, metadata: {name: m}, webhooks: [{" PODS ", namespaceSelector: {matchLabels: {inject: 'yes'}}}]}]",
		  "ok: " },
		{ "[{kind: MutatingWebhookConfiguration, metadata: {name: m}, webhooks: [{" PODS ", namespaceSelector: {matchExpressions: "
		  "[{key: a, operator: NotIn, values: [b]}]}}]}]",
		  "warn: webhook 'm': changes pods in all namespaces: exempt those of this install, or see that its rules let them pass" },
		{ "[{kind: ValidatingWebhookConfiguration, metadata: {name: g}, webhooks: [{rules: [{apiGroups: [apps], resources: ['*']}]}]}]", "ok: " },
		{ "[{kind: Namespace, metadata: {name: ns1, labels: {pod-security.kubernetes.io/enforce: baseline}}}]",
		  "warn: namespace 'ns1': has the Pod Security level baseline, and will get restricted: see that nobody sets it back" },
		{ "[{kind: Namespace, metadata: {name: ns1, labels: {pod-security.kubernetes.io/enforce: restricted}}}]", "ok: " },
		{ "[{kind: Namespace, metadata: {name: o, labels: {pod-security.kubernetes.io/enforce: baseline}}}]", "ok: " },
		{ "[{kind: ResourceQuota, metadata: {name: q, namespace: ns1}}, {kind: ResourceQuota, metadata: {name: q, namespace: o}}]",
		  "warn: namespace 'ns1': has the quota 'q': see that it has room for what will be installed" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_free char *said = with_steps(judge_policies, table[i].there);

		assert_string_equal(said, table[i].said);
	}

	auto_free char *said = with_steps(networks, "[{kind: NetworkPolicy, metadata: {name: deny, namespace: ns1}},"
					  "{kind: NetworkPolicy, metadata: {name: ours, namespace: ns1}}, {kind: NetworkPolicy, metadata: {name: x, namespace: o}}]");

	assert_string_equal(said, "warn: namespace 'ns1': the network policy 'deny' is not of this install: see that it lets its pods talk to each "
			    "other, to the API server and to the DNS");
}

/* ---- certificates */

TEST(certificates_for_their_names)
{
	auto_strv struct strv of = { 0 }, hosts = { 0 };
	auto_certificate struct certificate c = { 0 };
	auto_findings struct findings f = { 0 };
	int64_t now = (int64_t)time(NULL);
	static const struct { const char *host; int64_t later; const char *said; } table[] = {
		{ "api.ml.example", 0, "ok: " },
		{ "API.ml.example", 0, "ok: " },
		{ "10.0.0.1", 0, "ok: " },
		{ "a.b.ml.example", 0, "fail: s: 'a.b.ml.example' is not among its names (*.ml.example, 10.0.0.1): make one for it" },
		{ "ml.example", 0, "fail: s: 'ml.example' is not among its names (*.ml.example, 10.0.0.1): make one for it" },
		{ "api.ml.example", 800LL * 86400, "warn: s: ends in 24 days: renew it" },
		{ "api.ml.example", 900LL * 86400, "fail: s: its time is over: renew it" },
		{ "api.ml.example", -86400, "fail: s: is not valid yet: look at the clocks" },
	};

	strv_push(&of, "*.ml.example");
	strv_push(&of, "10.0.0.1");
	assert_ok(certificate_make(&of, &c, &e), e);
	strv_push(&hosts, "");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct finding_row *row = findings_row(&f, "id", "t");

		free(hosts.items[0]);
		hosts.items[0] = xstrdup(table[i].host);
		judge_certificate("s", c.crt, &hosts, now + table[i].later, row);

		auto_free char *said = text_of(row);

		assert_string_equal(said, table[i].said);
	}

	struct finding_row *row = findings_row(&f, "id", "t");

	judge_certificate("s", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &hosts, now, row);
	assert_string_equal(row->lines.items[0], "s: certificate: not one in PEM");
}

TEST(secrets_that_somebody_makes)
{
#define TLS(annotations) "{kind: Ingress, metadata: {name: i, annotations: {" annotations "}}}"
	static const struct { const char *rendered; bool made; } table[] = {
		{ "[" TLS("") "]", false },
		{ "[" TLS("nginx.ingress.kubernetes.io/x: y") "]", false },
		{ "[" TLS("cert-manager.io/cluster-issuer: site") "]", true },
		{ "[" TLS("") ", {kind: Certificate, metadata: {name: c}, spec: {secretName: tls}}]", true },
		{ "[" TLS("") ", {kind: Certificate, metadata: {name: tls}, spec: {secretName: other}}]", false },
		{ "[" TLS("") ", {kind: Certificate, metadata: {name: c, namespace: other}, spec: {secretName: tls}}]", false },
		{ "[" TLS("") ", {kind: Secret, metadata: {name: tls}}]", true },
		{ "[" TLS("") ", {kind: Secret, metadata: {name: other}}]", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_wants struct wants w = WANTS_INIT;
		const struct want *ingress = NULL;

		add(&w, table[i].rendered);
		for (size_t k = 0; k < w.n; k++)
			if (str_eq(jdoc_text(w.items[k].object, "kind", NULL), "Ingress"))
				ingress = &w.items[k];
		assert_non_null(ingress);
		assert_int_equal(judge_secret_is_made(&w, ingress, "tls"), table[i].made);
	}
}

/* ---- rights */

TEST(rights_of_kinds)
{
	auto_wants struct wants w = WANTS_INIT;
	struct step items[] = {
		{ .kind = STEP_LABEL, .id = (char *)"Label/l" },
		{ .kind = STEP_NAMESPACE, .id = (char *)"Namespace/old", .ns = { .name = (char *)"old" } },
	};
	const struct steps s = { items, 2 };
	auto_json json_t *there = yaml("[{kind: Namespace, metadata: {name: old}}]");
	auto_rights struct rights r = { 0 };
	auto_buf struct buf text = BUF_INIT(4096);

	add(&w, "[{kind: Ingress, apiVersion: networking.k8s.io/v1}, {kind: NetworkPolicy, apiVersion: networking.k8s.io/v1},"
		" {kind: StorageClass, apiVersion: storage.k8s.io/v1}, {kind: Service, apiVersion: v1}, {kind: Service, apiVersion: v1},"
		" {kind: Gateway, apiVersion: g/v1}]");
	rights_needed(&w, &s, there, &r);
	for (size_t i = 0; i < r.n; i++) {
		auto_free char *one = xasprintf("%s %s/%s %s; ", r.items[i].verb, r.items[i].group, r.items[i].resource, r.items[i].ns);

		assert_ok(buf_add(&text, one, strlen(one), &e), e);
	}
	assert_string_equal(buf_str(&text), "patch /namespaces ; patch /nodes ; create /services ns1; create g/gateways ns1; create networking.k8s.io/ingresses ns1; "
			    "create networking.k8s.io/networkpolicies ns1; create storage.k8s.io/storageclasses ns1; ");

	auto_json json_t *all = yaml("[{verbs: ['*'], apiGroups: ['*'], resources: ['*']}]");
	auto_json json_t *some = yaml("[{verbs: [create], apiGroups: [''], resources: [services]}, {verbs: [patch], apiGroups: [''],"
				      " resources: [nodes], resourceNames: [a]}]");

	assert_true(rights_allow(all, &r.items[0]));
	assert_false(rights_allow(some, &r.items[1]));
	assert_true(rights_allow(some, &r.items[2]));
	assert_false(rights_allow(some, &r.items[3]));
	assert_false(rights_allow(NULL, &r.items[2]));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_quantities),
		cmocka_unit_test(storage_classes),
		cmocka_unit_test(room_for_volumes),
		cmocka_unit_test(requests_fit),
		cmocka_unit_test(ingress_classes),
		cmocka_unit_test(addresses_of_services),
		cmocka_unit_test(architectures_of_nodes),
		cmocka_unit_test(kernels_of_gpu_nodes),
		cmocka_unit_test(clocks_of_nodes),
		cmocka_unit_test(policies_of_others),
		cmocka_unit_test(certificates_for_their_names),
		cmocka_unit_test(secrets_that_somebody_makes),
		cmocka_unit_test(rights_of_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
