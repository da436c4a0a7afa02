/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include "live.h"

#include <airgap/secret.h>

/* A namespace with its Pod Security labels; the registry's credentials as pull secret, on the named accounts. */

static json_t *namespace_object(const struct step_namespace *n)
{
	json_t *labels = n->labels ? json_deep_copy(n->labels) : json_object();
	const char *level = n->pod_security;

	if (level) {
		json_object_set_new(labels, "pod-security.kubernetes.io/enforce", json_string(level));
		json_object_set_new(labels, "pod-security.kubernetes.io/warn", json_string(level));
	}
	return json_pack("{s:s, s:s, s:{s:s, s:o}}", "apiVersion", "v1", "kind", "Namespace", "metadata", "name", n->name,
			 "labels", labels);
}

static char *base64_of(const char *text)
{
	char *out = xmalloc(base64_size(strlen(text)));

	return base64_encode(text, strlen(text), out);
}

/* {"auths":{HOST:{"username","password","auth"}}}, base64 of it. */
static int docker_config(struct engine *g, char **out, struct err *e)
{
	struct credential c = { 0 };
	const char *host = g->session->site.registry.host;
	int found = credential_find(g->session->credentials, site_push_host(&g->session->site), "", &c, e);

	if (found < 0)
		return -1;
	if (!found || c.kind != CREDENTIAL_BASIC) {
		credential_release(&c);
		return err_set(e, ERR_PREFLIGHT, "registry %s: no user and password for the pull secret: set registry.username and "
			       "registry.password in the site file", host);
	}

	auto_free char *pair = xasprintf("%s:%s", c.username, c.secret.text);
	auto_free char *auth = base64_of(pair);
	auto_json json_t *config = json_pack("{s:{s:{s:s, s:s, s:s}}}", "auths", host, "username", c.username, "password",
					     c.secret.text, "auth", auth);
	CLEANUP(buf_wipe) struct buf text = BUF_INIT(65536);
	int r = jdoc_dump(config, &text, e);

	if (r == 0)
		*out = base64_of(buf_str(&text));
	wipe(pair, strlen(pair));
	wipe(auth, strlen(auth));
	credential_release(&c);
	return r;
}

int step_namespace_objects(struct engine *g, const struct step_namespace *n, json_t **out, struct err *e)
{
	auto_json json_t *list = json_pack("[o]", namespace_object(n));

	if (n->pull_secret.name) {
		auto_free char *config = NULL;

		if (docker_config(g, &config, e) < 0)
			return -1;
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:{s:s, s:s}, s:{s:s}}", "apiVersion", "v1", "kind",
						      "Secret", "type", "kubernetes.io/dockerconfigjson", "metadata", "name",
						      n->pull_secret.name, "namespace", n->name, "data", ".dockerconfigjson",
						      config));
		wipe(config, strlen(config));
	}
	for (size_t i = 0; n->pull_secret.name && i < n->pull_secret.service_accounts.n; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:{s:s, s:s}, s:[{s:s}]}", "apiVersion", "v1", "kind",
						      "ServiceAccount", "metadata", "name",
						      n->pull_secret.service_accounts.items[i], "namespace", n->name,
						      "imagePullSecrets", "name", n->pull_secret.name));
	*out = TAKE(list);
	return 0;
}

int step_namespace_check(struct engine *g, const struct step *s, enum step_state *out, struct strv *diff, struct err *e)
{
	auto_json json_t *objects = NULL;
	enum live_state live;

	if (step_namespace_objects(g, &s->ns, &objects, e) < 0 || live_compare(g->session, objects, &live, diff, e) < 0)
		return -1;
	*out = live == LIVE_SAME ? STEP_SAME : live == LIVE_ABSENT ? STEP_NEW : STEP_CHANGES;
	return 0;
}

int step_namespace_run(struct engine *g, const struct step *s, struct journal_record *record, struct err *e)
{
	auto_json json_t *objects = NULL;

	(void)record;
	if (step_namespace_objects(g, &s->ns, &objects, e) < 0)
		return -1;

	/* The namespace first: what is in it cannot be applied in the same call before it is there. */
	if (kubectl_apply(&g->session->kubectl, json_array_get(objects, 0), KUBECTL_FORCE, NULL, e) < 0)
		return -1;
	json_array_remove(objects, 0);
	return kubectl_apply(&g->session->kubectl, objects, KUBECTL_FORCE, NULL, e);
}
