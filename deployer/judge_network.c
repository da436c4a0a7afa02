/* SPDX-License-Identifier: Apache-2.0 */
/* Ways in, and what stands in them: ingress classes, addresses, certificates, policies. */
#include "judge.h"

#include <airgap/certificate.h>

#include <time.h>

#define DEFAULT_CLASS "ingressclass.kubernetes.io/is-default-class"
#define ENFORCE       "pod-security.kubernetes.io/enforce"
#define SOON          (30 * 86400)

static bool is_kind(const json_t *o, const char *kind)
{
	return str_eq(jdoc_text(o, "kind", NULL), kind);
}

static const char *name_of(const json_t *o)
{
	const char *name = jdoc_text(o, "metadata", "name", NULL);

	return name ? name : "";
}

static bool list_has(const json_t *list, const char *text)
{
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)list, i, v)
		if (str_eq(json_string_value(v), text))
			return true;
	return false;
}

/* ---- ingress classes ---- */

static const json_t *find(const json_t *there, const char *kind, const char *name)
{
	size_t i;
	json_t *o;

	json_array_foreach((json_t *)there, i, o)
		if (is_kind(o, kind) && strcmp(name_of(o), name) == 0)
			return o;
	return NULL;
}

static const json_t *find_made(const struct wants *w, const char *kind, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (is_kind(w->items[i].object, kind) && strcmp(name_of(w->items[i].object), name) == 0)
			return w->items[i].object;
	return NULL;
}

static bool has_default(const struct wants *w, const json_t *there)
{
	size_t i;
	json_t *o;

	for (size_t k = 0; k < w->n; k++)
		if (is_kind(w->items[k].object, "IngressClass") &&
		    str_eq(jdoc_text(w->items[k].object, "metadata", "annotations", DEFAULT_CLASS, NULL), "true"))
			return true;
	json_array_foreach((json_t *)there, i, o)
		if (is_kind(o, "IngressClass") && str_eq(jdoc_text(o, "metadata", "annotations", DEFAULT_CLASS, NULL), "true"))
			return true;
	return false;
}

static void judge_one_ingress(const struct wants *w, const struct want *want, const json_t *there, struct finding_row *row)
{
	const char *class = jdoc_text(want->object, "spec", "ingressClassName", NULL);

	if (!class)
		class = jdoc_text(want->object, "metadata", "annotations", "kubernetes.io/ingress.class", NULL);
	if (!class && !has_default(w, there))
		findings_say(row, FOUND_FAIL, "%s: Ingress '%s' names no class, and none is the default: name one in the site file",
			     want->from, name_of(want->object));
	if (class && !find_made(w, "IngressClass", class) && !find(there, "IngressClass", class))
		findings_say(row, FOUND_FAIL, "%s: Ingress '%s' wants the class '%s', which is not there and no step makes: install its "
			     "controller, or name another class", want->from, name_of(want->object), class);
}

void judge_ingress(const struct wants *w, const json_t *there, struct finding_row *row)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct want *want = &w->items[i];
		const json_t *old = is_kind(want->object, "IngressClass") ? find(there, "IngressClass", name_of(want->object)) : NULL;
		const char *mine = jdoc_text(want->object, "spec", "controller", NULL), *theirs = jdoc_text(old, "spec", "controller", NULL);

		if (old && !str_eq(mine, theirs))
			findings_say(row, FOUND_FAIL, "ingress class '%s': belongs to the controller '%s', %s would make it for '%s': give "
				     "the class another name", name_of(want->object), theirs ? theirs : "", want->from, mine ? mine : "");
		if (is_kind(want->object, "Ingress"))
			judge_one_ingress(w, want, there, row);
	}
}

/* ---- addresses ---- */

/* Whoever gives addresses must be allowed to write a Service's status. Wildcards say nothing, nor do the roles that every
 * API server makes for itself; their names do not tell them, since others take `system:` names, too. */
static bool gives_addresses(const json_t *role)
{
	size_t i;
	json_t *rule;

	if (!is_kind(role, "ClusterRole") || jdoc_at(role, "metadata", "labels", "kubernetes.io/bootstrapping", NULL))
		return false;
	json_array_foreach(json_object_get(role, "rules"), i, rule) {
		const json_t *verbs = json_object_get(rule, "verbs");

		if (list_has(json_object_get(rule, "resources"), "services/status") &&
		    (list_has(verbs, "update") || list_has(verbs, "patch") || list_has(verbs, "*")))
			return true;
	}
	return false;
}

static bool has_provider(const struct wants *w, const json_t *there)
{
	size_t i;
	json_t *o;

	for (size_t k = 0; k < w->n; k++)
		if (gives_addresses(w->items[k].object))
			return true;
	json_array_foreach((json_t *)there, i, o) {
		const char *cloud = is_kind(o, "Node") ? jdoc_text(o, "spec", "providerID", NULL) : NULL;

		if ((cloud && *cloud) || gives_addresses(o))
			return true;
		if (is_kind(o, "Service") && json_array_size(jdoc_at(o, "status", "loadBalancer", "ingress", NULL)))
			return true;
	}
	return false;
}

void judge_addresses(const struct wants *w, const json_t *there, struct finding_row *row)
{
	if (has_provider(w, there))
		return;
	for (size_t i = 0; i < w->n; i++)
		if (is_kind(w->items[i].object, "Service"))
			findings_say(row, FOUND_WARN, "%s: Service '%s' wants an address (LoadBalancer), and nobody is known here who gives "
				     "one: install a provider, or use NodePort, unless the network gives it one",
				     w->items[i].from, name_of(w->items[i].object));
}

/* ---- certificates ---- */

/* cert-manager makes one for an Ingress that names an issuer. */
static bool is_annotated(const json_t *ingress)
{
	const char *key;
	json_t *v;

	json_object_foreach(jdoc_at(ingress, "metadata", "annotations", NULL), key, v)
		if (str_starts(key, "cert-manager.io/"))
			return true;
	return false;
}

bool judge_secret_is_made(const struct wants *w, const struct want *ingress, const char *name)
{
	for (size_t i = 0; i < w->n; i++) {
		const json_t *o = w->items[i].object;
		const char *makes = is_kind(o, "Secret") ? name_of(o) : is_kind(o, "Certificate") ? jdoc_text(o, "spec", "secretName", NULL) : NULL;

		if (str_eq(makes, name) && strcmp(w->items[i].ns, ingress->ns) == 0)
			return true;
	}
	return is_annotated(ingress->object);
}

void judge_certificate(const char *subject, const char *pem, const struct strv *hosts, int64_t now, struct finding_row *row)
{
	struct certificate_about about = { 0 };
	struct err e = { 0 };

	if (certificate_read(pem, &about, &e) < 0) {
		findings_say(row, FOUND_FAIL, "%s: %s", subject, e.msg);
		return;
	}

	auto_free char *names = strv_join(&about.names, ", ");

	for (size_t i = 0; i < hosts->n; i++)
		if (!certificate_covers(&about, hosts->items[i]))
			findings_say(row, FOUND_FAIL, "%s: '%s' is not among its names (%s): make one for it", subject, hosts->items[i],
				     names);
	if (about.until < now)
		findings_say(row, FOUND_FAIL, "%s: its time is over: renew it", subject);
	else if (about.until - now < SOON)
		findings_say(row, FOUND_WARN, "%s: ends in %lld days: renew it", subject, (long long)(about.until - now) / 86400);
	if (about.from > now)
		findings_say(row, FOUND_FAIL, "%s: is not valid yet: look at the clocks", subject);
	certificate_about_release(&about);
}

/* ---- policies ---- */

static const struct step *namespace_step(const struct steps *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].kind == STEP_NAMESPACE && strcmp(s->items[i].ns.name, name) == 0)
			return &s->items[i];
	return NULL;
}

/* Pods among what it is asked about. */
static bool judges_pods(const json_t *webhook)
{
	size_t i;
	json_t *rule;

	json_array_foreach(json_object_get(webhook, "rules"), i, rule) {
		const json_t *resources = json_object_get(rule, "resources"), *groups = json_object_get(rule, "apiGroups");

		if ((list_has(resources, "pods") || list_has(resources, "*") || list_has(resources, "*/*")) &&
		    (list_has(groups, "") || list_has(groups, "*")))
			return true;
	}
	return false;
}

/* It asks for a label that a namespace must have: those of the run have none but ours, so it is opt-in. */
static bool asks_for_a_label(const json_t *webhook)
{
	size_t i;
	json_t *x;

	if (json_object_size(jdoc_at(webhook, "namespaceSelector", "matchLabels", NULL)) ||
	    json_object_size(jdoc_at(webhook, "objectSelector", "matchLabels", NULL)))
		return true;
	json_array_foreach(jdoc_at(webhook, "namespaceSelector", "matchExpressions", NULL), i, x)
		if (str_eq(jdoc_text(x, "operator", NULL), "In") || str_eq(jdoc_text(x, "operator", NULL), "Exists"))
			return true;
	return false;
}

static void judge_webhooks(const json_t *o, struct finding_row *row)
{
	const char *does = is_kind(o, "MutatingWebhookConfiguration") ? "changes" : "may refuse";
	size_t i;
	json_t *w;

	if (!is_kind(o, "MutatingWebhookConfiguration") && !is_kind(o, "ValidatingWebhookConfiguration"))
		return;
	json_array_foreach(json_object_get(o, "webhooks"), i, w)
		if (judges_pods(w) && !asks_for_a_label(w)) {
			findings_say(row, FOUND_WARN, "webhook '%s': %s pods in all namespaces: exempt those of this install, or see that its "
				     "rules let them pass", name_of(o), does);
			return;
		}
}

static void judge_namespace(const struct steps *s, const json_t *o, struct finding_row *row)
{
	const struct step *step = is_kind(o, "Namespace") ? namespace_step(s, name_of(o)) : NULL;
	const char *has = jdoc_text(o, "metadata", "labels", ENFORCE, NULL), *ours = step ? step->ns.pod_security : NULL;

	if (has && ours && strcmp(has, ours) != 0)
		findings_say(row, FOUND_WARN, "namespace '%s': has the Pod Security level %s, and will get %s: see that nobody sets it back",
			     name_of(o), has, ours);
}

void judge_policies(const struct steps *s, const json_t *there, struct finding_row *row)
{
	size_t i;
	json_t *o;

	json_array_foreach((json_t *)there, i, o) {
		const char *ns = jdoc_text(o, "metadata", "namespace", NULL);

		judge_webhooks(o, row);
		judge_namespace(s, o, row);
		if (is_kind(o, "ResourceQuota") && ns && namespace_step(s, ns))
			findings_say(row, FOUND_WARN, "namespace '%s': has the quota '%s': see that it has room for what will be installed", ns,
				     name_of(o));
	}
}

void judge_networks(const struct wants *w, const struct steps *s, const json_t *there, struct finding_row *row)
{
	size_t i;
	json_t *o;

	json_array_foreach((json_t *)there, i, o) {
		const char *ns = is_kind(o, "NetworkPolicy") ? jdoc_text(o, "metadata", "namespace", NULL) : NULL;

		if (ns && namespace_step(s, ns) && !find_made(w, "NetworkPolicy", name_of(o)))
			findings_say(row, FOUND_WARN, "namespace '%s': the network policy '%s' is not of this install: see that it lets its pods "
				     "talk to each other, to the API server and to the DNS", ns, name_of(o));
	}
}
