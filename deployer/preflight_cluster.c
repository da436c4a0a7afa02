/* SPDX-License-Identifier: Apache-2.0 */
/* What the run asks of the cluster, against what is there. The judges are pure; this reads what they judge. */
#include "preflight.h"

#include "judge.h"

#include <airgap/ref.h>

#include <time.h>

struct asking {
	struct engine *engine;
	struct wants *wants;
	json_t *there;
	struct findings *out;
};

static void architectures(const struct asking *a, struct finding_row *row)
{
	judge_architectures(a->there, &a->engine->session->contents.platforms, row);
}

static void capacity(const struct asking *a, struct finding_row *row)
{
	judge_capacity(a->wants, a->there, row);
}

static void storage(const struct asking *a, struct finding_row *row)
{
	judge_storage(a->wants, a->there, row);
}

static void volumes(const struct asking *a, struct finding_row *row)
{
	judge_volumes(a->wants, a->there, row);
}

static void ingress(const struct asking *a, struct finding_row *row)
{
	judge_ingress(a->wants, a->there, row);
}

static void addresses(const struct asking *a, struct finding_row *row)
{
	judge_addresses(a->wants, a->there, row);
}

static void clocks(const struct asking *a, struct finding_row *row)
{
	judge_clock(a->there, (int64_t)time(NULL), row);
}

static void policies(const struct asking *a, struct finding_row *row)
{
	judge_policies(a->engine->steps, a->there, row);
}

static void networks(const struct asking *a, struct finding_row *row)
{
	judge_networks(a->wants, a->engine->steps, a->there, row);
}

static void kernels(const struct asking *a, struct finding_row *row)
{
	struct session *s = a->engine->session;
	auto_strv struct strv names = { 0 };

	for (size_t i = 0; i < s->contents.n_images; i++) {
		auto_free char *target = NULL;
		struct err ignored;

		if (session_image_target(s, s->contents.images[i].ref, &target, &ignored) == 0)
			strv_push_take(&names, TAKE(target));
	}
	judge_kernels(a->wants, &names, a->there, row);
}

/* ---- rights ---- */

static int may(struct kubectl *k, const struct right *r, struct err *e)
{
	const char *slash = strchr(r->resource, '/');
	auto_free char *resource = slash ? xstrndup(r->resource, (size_t)(slash - r->resource)) : xstrdup(r->resource);
	auto_json json_t *review = json_pack("{s:s, s:s, s:{s:{s:s, s:s, s:s, s:s, s:s*}}}", "apiVersion", "authorization.k8s.io/v1", "kind",
					     "SelfSubjectAccessReview", "spec", "resourceAttributes", "verb", r->verb, "group", r->group,
					     "resource", resource, "namespace", r->ns, "subresource", slash ? slash + 1 : NULL);
	auto_json json_t *answer = NULL;

	if (kubectl_review(k, "selfsubjectaccessreviews", review, &answer, e) < 0)
		return -1;
	return json_is_true(jdoc_at(answer, "status", "allowed", NULL));
}

/* One question for all that holds in the whole cluster, and one for each right that does not follow from it. */
static int ask_rights(const struct asking *a, struct finding_row *row, struct err *e)
{
	struct kubectl *k = &a->engine->session->kubectl;
	auto_json json_t *review = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "authorization.k8s.io/v1", "kind", "SelfSubjectRulesReview",
					     "spec", "namespace", "airgap-probe");
	auto_rights struct rights needed = { 0 };
	auto_json json_t *answer = NULL;

	rights_needed(a->wants, a->engine->steps, a->there, &needed);
	if (kubectl_review(k, "selfsubjectrulesreviews", review, &answer, e) < 0)
		return -1;
	for (size_t i = 0; i < needed.n; i++) {
		const struct right *r = &needed.items[i];
		int allowed = rights_allow(jdoc_at(answer, "status", "resourceRules", NULL), r) ? 1 : may(k, r, e);

		if (allowed < 0)
			return -1;
		if (!allowed)
			findings_say(row, FOUND_FAIL, "%s: you may not %s %s%s%s%s%s: ask for that right, or take another kubeconfig", r->from,
				     r->verb, r->resource, *r->group ? "." : "", r->group, *r->ns ? " in namespace " : "", r->ns);
	}
	return 0;
}

/* ---- certificates ---- */

/* Of a Secret step: 1, 0 = none of that name, or its text is made only later. */
static int from_step(const struct asking *a, const char *ns, const char *name, bool *made, char **out, struct err *e)
{
	const struct engine *g = a->engine;

	for (size_t i = 0; i < g->steps->n; i++) {
		const struct step *s = &g->steps->items[i];
		bool known = true;

		if (s->kind != STEP_SECRET || strcmp(s->secret.name, name) != 0 || !strv_has(&s->secret.namespaces, ns))
			continue;
		*made = true;

		auto_json json_t *crt = json_pack("{s:O*}", "crt", json_object_get(s->secret.data, "tls.crt"));
		auto_json json_t *resolved = secrets_resolve_known(g->secrets, s->id, crt, &known, e);
		const char *text = jdoc_text(resolved, "crt", NULL);

		if (!resolved)
			return -1;
		if (!known || !text)
			return 0;
		*out = xstrdup(text);
		return 1;
	}
	return 0;
}

static int from_cluster(const struct asking *a, const char *ns, const char *name, char **out, struct err *e)
{
	auto_json json_t *secret = NULL;
	int there = kubectl_get(&a->engine->session->kubectl, "secret", ns, name, &secret, e);
	const char *encoded = jdoc_text(secret, "data", "tls.crt", NULL);

	if (there <= 0 || !encoded)
		return MIN(there, 0);

	size_t n = strlen(encoded);
	auto_free char *text = xmalloc(n + 1);
	size_t len = 0;

	if (!base64_decode(encoded, n, (uint8_t *)text, &len))
		return 0;
	text[len] = '\0';
	*out = TAKE(text);
	return 1;
}

/* The hosts that one entry of an Ingress's tls speaks for: its own, else those of the rules. */
static void hosts_of(const json_t *ingress, const json_t *tls, struct strv *out)
{
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(tls, "hosts"), i, v)
		if (json_is_string(v))
			strv_push(out, json_string_value(v));
	if (out->n)
		return;
	json_array_foreach(jdoc_at(ingress, "spec", "rules", NULL), i, v)
		if (jdoc_text(v, "host", NULL))
			strv_push(out, jdoc_text(v, "host", NULL));
}

static int ask_certificate(const struct asking *a, const struct want *w, const json_t *tls, struct finding_row *row, struct err *e)
{
	const char *name = jdoc_text(tls, "secretName", NULL);
	auto_strv struct strv hosts = { 0 };
	auto_free char *subject = NULL, *pem = NULL;
	bool made = false;
	int there = name ? from_step(a, w->ns, name, &made, &pem, e) : 0;

	if (there < 0 || !name || made ? there < 0 : (there = from_cluster(a, w->ns, name, &pem, e)) < 0)
		return -1;
	if (!name || (made && !there))
		return 0;
	hosts_of(w->object, tls, &hosts);
	subject = xasprintf("%s: secret '%s' in namespace '%s'", w->from, name, w->ns);
	if (there)
		judge_certificate(subject, pem, &hosts, (int64_t)time(NULL), row);
	else if (!judge_secret_is_made(a->wants, w, name))
		findings_say(row, FOUND_WARN, "%s: is not there and no step makes it: Ingress '%s' wants it for TLS: make it", subject,
			     jdoc_text(w->object, "metadata", "name", NULL));
	return 0;
}

static int ask_certificates(const struct asking *a, struct finding_row *row, struct err *e)
{
	for (size_t i = 0; i < a->wants->n; i++) {
		const struct want *w = &a->wants->items[i];
		size_t k;
		json_t *tls;

		if (!str_eq(jdoc_text(w->object, "kind", NULL), "Ingress"))
			continue;
		json_array_foreach(jdoc_at(w->object, "spec", "tls", NULL), k, tls)
			if (ask_certificate(a, w, tls, row, e) < 0)
				return -1;
	}
	return 0;
}

/* ---- the table ---- */

/* What is read, and which rows need it. */
enum { ARCHITECTURES = 1, CAPACITY = 2, STORAGE = 4, VOLUMES = 8, INGRESS = 16, ADDRESSES = 32, KERNELS = 64, CLOCK = 128, POLICIES = 256, NETWORKS = 512 };

static const struct { const char *kind, *ns; unsigned rows; } kinds[] = {
	{ "nodes", NULL, ARCHITECTURES | CAPACITY | ADDRESSES | KERNELS },
	{ "namespaces", NULL, POLICIES },
	{ "storageclasses.storage.k8s.io", NULL, STORAGE | VOLUMES },
	{ "persistentvolumeclaims", NULL, VOLUMES },
	{ "csistoragecapacities.storage.k8s.io", NULL, VOLUMES },
	{ "ingressclasses.networking.k8s.io", NULL, INGRESS },
	{ "services", NULL, ADDRESSES },
	{ "clusterroles.rbac.authorization.k8s.io", NULL, ADDRESSES },
	{ "resourcequotas", NULL, POLICIES },
	{ "networkpolicies.networking.k8s.io", NULL, NETWORKS },
	{ "validatingwebhookconfigurations.admissionregistration.k8s.io", NULL, POLICIES },
	{ "mutatingwebhookconfigurations.admissionregistration.k8s.io", NULL, POLICIES },
	{ "leases.coordination.k8s.io", "kube-node-lease", CLOCK },
};

static const struct cluster_check {
	const char *id, *title;
	unsigned row;
	void (*judge)(const struct asking *a, struct finding_row *row);
	int (*ask)(const struct asking *a, struct finding_row *row, struct err *e);     /* what has to ask more than `there` */
} checks[] = {
	{ "rights", "you may make what will be installed", 0, NULL, ask_rights },
	{ "architectures", "the bundle is for the nodes' machines", ARCHITECTURES, architectures, NULL },
	{ "capacity", "the nodes have the cpu and memory that pods ask for", CAPACITY, capacity, NULL },
	{ "storage", "the storage classes are there", STORAGE, storage, NULL },
	{ "volumes", "there is room for the volumes", VOLUMES, volumes, NULL },
	{ "ingress", "the ingress classes are there", INGRESS, ingress, NULL },
	{ "addresses", "somebody gives Services their addresses", ADDRESSES, addresses, NULL },
	{ "certificates", "certificates are for the names they are used for", 0, NULL, ask_certificates },
	{ "kernels", "there is an image for each GPU node's kernel", KERNELS, kernels, NULL },
	{ "clock", "the clocks agree", CLOCK, clocks, NULL },
	{ "policies", "nobody else's rules stand in the way of pods", POLICIES, policies, NULL },
	{ "networks", "nobody else's rules stand in the way of connections", NETWORKS, networks, NULL },
};

/* One call for nearly all of it. */
static int read_together(struct kubectl *k, json_t **out, struct err *e)
{
	auto_strv struct strv all = { 0 };
	auto_json json_t *there = NULL;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!kinds[i].ns)
			strv_push(&all, kinds[i].kind);

	auto_free char *list = strv_join(&all, ",");

	if (kubectl_list(k, list, NULL, NULL, &there, e) < 0)
		return -1;
	*out = TAKE(there);
	return 0;
}

/* What cannot be read, each by itself, is told in the rows that need it: whoever may not look at everything may still
 * install. */
static json_t *read_all(struct kubectl *k, bool *refused)
{
	json_t *there = NULL;
	struct err ignored;
	bool together = read_together(k, &there, &ignored) == 0;

	if (!together)
		there = json_array();
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		auto_json json_t *some = NULL;

		if (together && !kinds[i].ns)
			continue;
		if (kubectl_list(k, kinds[i].kind, kinds[i].ns, NULL, &some, &ignored) < 0)
			refused[i] = true;
		else
			json_array_extend(there, some);
	}
	return there;
}

/* "nodes, services" of what this row needs and cannot have; NULL = it has all. Owned. */
static char *lacks(const struct cluster_check *c, const bool *refused)
{
	auto_strv struct strv names = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (refused[i] && (kinds[i].rows & c->row))
			strv_push(&names, kinds[i].kind);
	return names.n ? strv_join(&names, ", ") : NULL;
}

static void ask(const struct asking *a, const struct cluster_check *c, const bool *refused, struct finding_row *row)
{
	auto_free char *missing = lacks(c, refused);
	struct err e = { 0 };

	if (preflight_skips(a->engine, c->id))
		findings_skip(row, "--skip");
	else if (!a->there)
		findings_skip(row, "not asked: a check before it failed");
	else if (missing)
		findings_say(row, FOUND_WARN, "not known: you may not list %s: ask for that right, or look yourself", missing);
	else if (c->judge)
		c->judge(a, row);
	else if (c->ask(a, row, &e) < 0)
		findings_say(row, FOUND_WARN, "not known: %s", e.msg);
}

void preflight_cluster(struct engine *g, struct wants *wants, bool asking, struct findings *out)
{
	bool refused[ARRAY_LEN(kinds)] = { 0 };
	auto_json json_t *there = asking ? read_all(&g->session->kubectl, refused) : NULL;
	const struct asking a = { g, wants, there, out };

	wants_sort(wants);
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		ask(&a, &checks[i], refused, findings_row(out, checks[i].id, checks[i].title));
}
