/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/pod.h>

#include <airgap/buf.h>
#include <airgap/yaml.h>

#define PATH_TEXT 4096u
#define EMBEDDED_DEPTH 1        /* a ConfigMap in a ConfigMap's text is not looked into */

void pod_templates_release(struct pod_templates *t)
{
	for (size_t i = 0; i < t->n; i++) {
		json_decref(t->items[i].spec);
		free(t->items[i].source);
		free(t->items[i].kind);
		free(t->items[i].path);
	}
	free(t->items);
	*t = (struct pod_templates){ 0 };
}

/* ---- finding ---- */

struct walk {
	const struct helm_object *object;
	const char *kind;
	struct buf path;
	unsigned embedded;
	struct pod_templates *out;
};

/* The kinds whose pods the API server makes itself; others hold templates for somebody else. */
static bool workload(const char *kind)
{
	static const char *const kinds[] = { "Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet",
					     "ReplicationController", "Job", "CronJob" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

/* A list of maps that each have a name: containers, not some other thing of that name. */
static bool is_pod_spec(const json_t *map)
{
	const json_t *list = json_object_get(map, "containers");
	size_t i;
	json_t *c;

	if (!json_is_array(list) || json_array_size(list) == 0)
		return false;
	json_array_foreach(list, i, c)
		if (!json_is_string(json_object_get(c, "name")))
			return false;
	return true;
}

static void add(struct walk *w, json_t *spec)
{
	struct pod_template t = { .spec = json_incref(spec), .source = xstrdup(w->object->source),
				  .kind = xstrdup(w->kind), .path = xstrdup(buf_str(&w->path)) };

	t.embedded = w->embedded > 0 || !workload(w->kind);
	GROW(w->out->items, w->out->n);
	w->out->items[w->out->n++] = t;
}

static int walk_value(struct walk *w, json_t *v, struct err *e);

static int walk_child(struct walk *w, const char *key, size_t index, json_t *v, struct err *e)
{
	size_t len = w->path.len;
	auto_free char *step = key ? xasprintf("%s%s", len ? "." : "", key) : xasprintf("[%zu]", index);

	if (buf_add(&w->path, step, strlen(step), e) < 0)
		return -1;

	int r = walk_value(w, v, e);

	w->path.len = len;
	w->path.ptr[len] = '\0';
	return r;
}

/* Text of a ConfigMap that is YAML with a pod in it. Text that is not YAML is no template. */
static int walk_text(struct walk *w, const char *text, struct err *e)
{
	struct err ignored;

	if (w->embedded >= EMBEDDED_DEPTH || !strstr(text, "containers"))
		return 0;

	auto_json json_t *docs = ydoc_parse_all(text, strlen(text), &ydoc_rendered, "text", &ignored);

	if (!docs)
		return 0;
	w->embedded++;

	int r = walk_value(w, docs, e);

	w->embedded--;
	return r;
}

static int walk_value(struct walk *w, json_t *v, struct err *e)
{
	const char *key;
	json_t *child;
	size_t i;

	if (json_is_string(v))
		return strcmp(w->kind, "ConfigMap") == 0 ? walk_text(w, json_string_value(v), e) : 0;
	if (json_is_object(v) && is_pod_spec(v))
		add(w, v);
	json_object_foreach(v, key, child)
		if (walk_child(w, key, 0, child, e) < 0)
			return -1;
	json_array_foreach(v, i, child)
		if (walk_child(w, NULL, i, child, e) < 0)
			return -1;
	return 0;
}

int pod_find_templates(const struct helm_objects *o, struct pod_templates *out, struct err *e)
{
	for (size_t i = 0; i < o->n; i++) {
		const char *kind = jdoc_text(o->items[i].object, "kind", NULL);
		struct walk w = { &o->items[i], kind ? kind : "", BUF_INIT(PATH_TEXT), 0, out };

		/* A CRD describes containers, it has none. */
		if (o->items[i].test || strcmp(w.kind, "CustomResourceDefinition") == 0)
			continue;

		int r = walk_value(&w, o->items[i].object, e);

		buf_release(&w.path);
		if (r < 0)
			return err_wrap(e, "%s", o->items[i].source);
	}
	return 0;
}

/* ---- judging ---- */

struct judge {
	const struct pod_template *pod;
	bool fixed_uid;
	pod_report report;
	void *ctx;
};

static void say(struct judge *j, const char *where, const char *what)
{
	auto_free char *path = xasprintf("%s%s%s", j->pod->path, *where ? "." : "", where);

	j->report(j->ctx, j->pod, path, what);
}

static bool is_true(const json_t *map, const char *key)
{
	return json_is_true(json_object_get(map, key));
}

static bool seccomp_ok(const json_t *context)
{
	const char *type = jdoc_text(context, "seccompProfile", "type", NULL);

	return type && (strcmp(type, "RuntimeDefault") == 0 || strcmp(type, "Localhost") == 0);
}

static void check_uid(struct judge *j, const json_t *context, const char *where)
{
	static const char *const keys[] = { "runAsUser", "runAsGroup", "fsGroup" };
	const json_t *uid = json_object_get(context, "runAsUser");

	if (json_is_integer(uid) && json_integer_value(uid) == 0)
		say(j, where, "runAsUser is 0: set another uid");
	for (size_t i = 0; i < ARRAY_LEN(keys) && !j->fixed_uid; i++)
		if (json_is_integer(json_object_get(context, keys[i])))
			say(j, where, "a fixed uid or group: the profile nonroot-arbitrary-uid leaves it to the cluster");
}

static void check_capabilities(struct judge *j, const json_t *context, const char *where)
{
	bool drops_all = false;
	size_t i;
	json_t *c;

	json_array_foreach(jdoc_at(context, "capabilities", "drop", NULL), i, c)
		drops_all = drops_all || str_eq(json_string_value(c), "ALL");
	if (!drops_all)
		say(j, where, "capabilities: add drop: [ALL]");
	json_array_foreach(jdoc_at(context, "capabilities", "add", NULL), i, c)
		if (!str_eq(json_string_value(c), "NET_BIND_SERVICE"))
			say(j, where, "capabilities: add may hold NET_BIND_SERVICE alone");
}

/* Of a pod's or a container's security context: what the baseline level forbids besides. */
static void check_kernel(struct judge *j, const json_t *context, const char *where)
{
	static const char *const types[] = { "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t" };
	const char *armor = jdoc_text(context, "appArmorProfile", "type", NULL);
	const char *selinux = jdoc_text(context, "seLinuxOptions", "type", NULL);
	const char *user = jdoc_text(context, "seLinuxOptions", "user", NULL), *role = jdoc_text(context, "seLinuxOptions", "role", NULL);
	bool known = !selinux;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		known = known || strcmp(selinux, types[i]) == 0;
	if (!known || (user && *user) || (role && *role))
		say(j, where, "seLinuxOptions: only the types of containers, no user and no role");
	if (armor && strcmp(armor, "RuntimeDefault") != 0 && strcmp(armor, "Localhost") != 0)
		say(j, where, "appArmorProfile: use RuntimeDefault");
	if (json_is_true(jdoc_at(context, "windowsOptions", "hostProcess", NULL)))
		say(j, where, "windowsOptions.hostProcess: not allowed: remove it");
	if (jdoc_at(context, "seccompProfile", NULL) && !seccomp_ok(context))
		say(j, where, "seccompProfile: set type RuntimeDefault");
}

static bool has_host(const json_t *action)
{
	const char *http = jdoc_text(action, "httpGet", "host", NULL), *tcp = jdoc_text(action, "tcpSocket", "host", NULL);

	return (http && *http) || (tcp && *tcp);
}

static void check_hosts(struct judge *j, const json_t *container, const char *where)
{
	static const char *const probes[] = { "livenessProbe", "readinessProbe", "startupProbe" };
	bool bad = has_host(jdoc_at(container, "lifecycle", "postStart", NULL)) ||
		   has_host(jdoc_at(container, "lifecycle", "preStop", NULL));

	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		bad = bad || has_host(json_object_get(container, probes[i]));
	if (bad)
		say(j, where, "a probe or hook with a host: remove the host");
}

static void check_container(struct judge *j, const json_t *container, const json_t *pod_context, const char *where)
{
	const json_t *context = json_object_get(container, "securityContext");
	const char *mount = jdoc_text(context, "procMount", NULL);
	size_t i;
	json_t *port;

	if (is_true(context, "privileged"))
		say(j, where, "privileged: set it to false");
	if (!json_is_false(json_object_get(context, "allowPrivilegeEscalation")))
		say(j, where, "allowPrivilegeEscalation: set it to false");
	if (json_is_false(json_object_get(context, "runAsNonRoot")) ||
	    (!is_true(context, "runAsNonRoot") && !is_true(pod_context, "runAsNonRoot")))
		say(j, where, "runAsNonRoot: set it to true");
	if (!jdoc_at(context, "seccompProfile", NULL) && !seccomp_ok(pod_context))
		say(j, where, "seccompProfile: set type RuntimeDefault");
	if (mount && strcmp(mount, "Default") != 0)
		say(j, where, "procMount: use Default");
	check_uid(j, context, where);
	check_kernel(j, context, where);
	check_hosts(j, container, where);
	check_capabilities(j, context, where);
	json_array_foreach(json_object_get(container, "ports"), i, port)
		if (json_integer_value(json_object_get(port, "hostPort")) != 0)
			say(j, where, "hostPort: not allowed: use a Service");
}

static void check_volumes(struct judge *j)
{
	static const char *const allowed[] = { "name", "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image",
					       "persistentVolumeClaim", "projected", "secret" };
	const json_t *volumes = json_object_get(j->pod->spec, "volumes");
	const char *key;
	json_t *v, *ignored;
	size_t i;

	json_array_foreach(volumes, i, v) {
		json_object_foreach(v, key, ignored) {
			bool ok = false;

			for (size_t k = 0; k < ARRAY_LEN(allowed); k++)
				ok = ok || strcmp(key, allowed[k]) == 0;
			if (!ok) {
				auto_free char *what = xasprintf("%s: a kind of volume that is not allowed", key);

				say(j, "volumes", what);
			}
		}
	}
}

static void check_sysctls(struct judge *j, const json_t *context)
{
	static const char *const safe[] = { "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range",
					    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
					    "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
					    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
					    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes" };
	size_t i;
	json_t *one;

	json_array_foreach(json_object_get(context, "sysctls"), i, one) {
		bool ok = false;

		for (size_t k = 0; k < ARRAY_LEN(safe); k++)
			ok = ok || str_eq(jdoc_text(one, "name", NULL), safe[k]);
		if (!ok)
			say(j, "securityContext", "sysctls: one that is not safe: remove it");
	}
}

void pod_check_restricted(const struct pod_template *t, bool fixed_uid, pod_report report, void *ctx)
{
	static const char *const shared[] = { "hostNetwork", "hostPID", "hostIPC" };
	static const char *const lists[] = { "initContainers", "containers", "ephemeralContainers" };
	const json_t *context = json_object_get(t->spec, "securityContext");
	struct judge j = { t, fixed_uid, report, ctx };
	size_t i;
	json_t *c;

	for (size_t k = 0; k < ARRAY_LEN(shared); k++)
		if (is_true(t->spec, shared[k]))
			say(&j, shared[k], "not allowed: remove it");
	check_uid(&j, context, "securityContext");
	check_kernel(&j, context, "securityContext");
	check_sysctls(&j, context);
	check_volumes(&j);
	for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
		json_array_foreach(json_object_get(t->spec, lists[k]), i, c) {
			auto_free char *where = xasprintf("%s[%s]", lists[k], jdoc_text(c, "name", NULL) ? jdoc_text(c, "name", NULL) : "");

			check_container(&j, c, context, where);
		}
	}
}
