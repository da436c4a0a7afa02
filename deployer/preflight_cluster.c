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

	if (kubectl_create(k, review, &answer, e) < 0)
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

	rights_needed(a->wants, a->engine->steps, &needed);
	if (kubectl_create(k, review, &answer, e) < 0)
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

static bool is_rendered(const struct wants *w, const char *ns, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (str_eq(jdoc_text(w->items[i].object, "kind", NULL), "Secret") && strcmp(w->items[i].ns, ns) == 0 &&
		    str_eq(jdoc_text(w->items[i].object, "metadata", "name", NULL), name))
			return true;
	return false;
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
	else if (!is_rendered(a->wants, w->ns, name))
		findings_say(row, FOUND_FAIL, "%s: is not there and no step makes it: Ingress '%s' wants it for TLS", subject,
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

static const struct cluster_check {
	const char *id, *title;
	void (*judge)(const struct asking *a, struct finding_row *row);
	int (*ask)(const struct asking *a, struct finding_row *row, struct err *e);     /* what has to ask more than `there` */
} checks[] = {
	{ "rights", "you may make what will be installed", NULL, ask_rights },
	{ "architectures", "the bundle is for the nodes' machines", architectures, NULL },
	{ "capacity", "the nodes have the cpu and memory that pods ask for", capacity, NULL },
	{ "storage", "the storage classes are there", storage, NULL },
	{ "volumes", "there is room for the volumes", volumes, NULL },
	{ "ingress", "the ingress classes are there", ingress, NULL },
	{ "addresses", "somebody gives Services their addresses", addresses, NULL },
	{ "certificates", "certificates are for the names they are used for", NULL, ask_certificates },
	{ "kernels", "there is an image for each GPU node's kernel", kernels, NULL },
	{ "clock", "the clocks agree", clocks, NULL },
	{ "policies", "nobody else's rules stand in the way of pods", policies, NULL },
	{ "networks", "nobody else's rules stand in the way of connections", networks, NULL },
};

/* Each is one request; all of them in one call of kubectl. */
static const char *const kinds[] = {
	"nodes", "namespaces", "storageclasses.storage.k8s.io", "persistentvolumeclaims", "csistoragecapacities.storage.k8s.io",
	"ingressclasses.networking.k8s.io", "services", "clusterroles.rbac.authorization.k8s.io", "resourcequotas",
	"networkpolicies.networking.k8s.io", "validatingwebhookconfigurations.admissionregistration.k8s.io",
	"mutatingwebhookconfigurations.admissionregistration.k8s.io",
};

static int read_all(struct kubectl *k, json_t **out, struct err *e)
{
	auto_strv struct strv all = { 0 };
	auto_json json_t *there = NULL;
	auto_json json_t *leases = NULL;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		strv_push(&all, kinds[i]);

	auto_free char *list = strv_join(&all, ",");

	if (kubectl_list(k, list, NULL, NULL, &there, e) < 0 ||
	    kubectl_list(k, "leases.coordination.k8s.io", "kube-node-lease", NULL, &leases, e) < 0)
		return -1;
	json_array_extend(there, leases);
	*out = TAKE(there);
	return 0;
}

static void ask(const struct asking *a, const struct cluster_check *c, bool asking, const char *why, struct finding_row *row)
{
	struct err e = { 0 };

	if (preflight_skips(a->engine, c->id))
		findings_skip(row, "--skip");
	else if (!asking)
		findings_skip(row, "not asked: a check before it failed");
	else if (c->judge && !a->there)
		findings_say(row, FOUND_WARN, "not known: %s", why);
	else if (c->judge)
		c->judge(a, row);
	else if (c->ask(a, row, &e) < 0)
		findings_say(row, FOUND_WARN, "not known: %s", e.msg);
}

void preflight_cluster(struct engine *g, struct wants *wants, bool asking, struct findings *out)
{
	auto_json json_t *there = NULL;
	struct err why = { 0 };

	/* Whoever may not look at all of it may still install: a row that cannot be judged is a warning. */
	if (asking && read_all(&g->session->kubectl, &there, &why) < 0)
		there = NULL;

	const struct asking a = { g, wants, there, out };

	wants_sort(wants);
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		ask(&a, &checks[i], asking, why.msg, findings_row(out, checks[i].id, checks[i].title));
}
