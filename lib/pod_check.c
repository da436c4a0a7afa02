/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/pod.h>

enum pod_level pod_level(const char *name)
{
	return str_eq(name, "privileged") ? POD_PRIVILEGED : str_eq(name, "baseline") ? POD_BASELINE : POD_RESTRICTED;
}

struct judge {
	const struct pod_template *pod;
	enum pod_level level;
	bool windows;                   /* what Linux alone has is not asked of it */
	pod_report report;
	void *ctx;
};

/* where: "containers[web].", field: "securityContext.privileged". */
static void say(struct judge *j, const char *where, const char *field, const char *what)
{
	auto_free char *path = xasprintf("%s%s%s%s", j->pod->path, *j->pod->path ? "." : "", where, field);

	j->report(j->ctx, j->pod, path, what);
}

static void say_value(struct judge *j, const char *where, const char *field, const char *value, const char *advice)
{
	auto_free char *what = xasprintf("%s: %s", value, advice);

	say(j, where, field, what);
}

static bool one_of(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}
#define ONE_OF(word, list) one_of(word, list, ARRAY_LEN(list))

static bool is_set(const json_t *v)
{
	return v && !json_is_null(v);
}

/* A profile by its type: RuntimeDefault or one of the node's. */
static bool is_confined(const char *type)
{
	static const char *const good[] = { "RuntimeDefault", "Localhost" };

	return type && ONE_OF(type, good);
}

/* ---- of a security context, the pod's and each container's ---- */

static void check_selinux(struct judge *j, const json_t *context, const char *where)
{
	static const char *const types[] = { "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t" };
	static const char *const never[] = { "user", "role" };
	const json_t *options = json_object_get(context, "seLinuxOptions");
	const char *type = jdoc_text(options, "type", NULL);

	if (type && !ONE_OF(type, types))
		say_value(j, where, "securityContext.seLinuxOptions.type", type, "leave it out or use container_t");
	for (size_t i = 0; i < ARRAY_LEN(never); i++) {
		const char *value = jdoc_text(options, never[i], NULL);
		auto_free char *field = xasprintf("securityContext.seLinuxOptions.%s", never[i]);

		if (value && *value)
			say_value(j, where, field, value, "leave it out");
	}
}

static void check_context(struct judge *j, const json_t *context, const char *where)
{
	const char *armor = jdoc_text(context, "appArmorProfile", "type", NULL);
	const char *seccomp = jdoc_text(context, "seccompProfile", "type", NULL);
	const json_t *uid = json_object_get(context, "runAsUser");

	check_selinux(j, context, where);
	if (armor && !is_confined(armor))
		say_value(j, where, "securityContext.appArmorProfile.type", armor, "use RuntimeDefault");
	if (json_is_true(jdoc_at(context, "windowsOptions", "hostProcess", NULL)))
		say(j, where, "securityContext.windowsOptions.hostProcess", "true: set it to false");
	if (is_set(json_object_get(context, "seccompProfile")) && !is_confined(seccomp))
		say_value(j, where, "securityContext.seccompProfile.type", seccomp ? seccomp : "not set", "use RuntimeDefault");
	if (j->level < POD_RESTRICTED)
		return;
	if (json_is_integer(uid) && json_integer_value(uid) == 0)
		say(j, where, "securityContext.runAsUser", "0: set another uid");
	if (json_is_false(json_object_get(context, "runAsNonRoot")))
		say(j, where, "securityContext.runAsNonRoot", "false: set it to true");
}

/* ---- containers ---- */

static void check_capabilities(struct judge *j, const json_t *context, const char *where)
{
	static const char *const baseline[] = { "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
						"NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT" };
	static const char *const restricted[] = { "NET_BIND_SERVICE" };
	bool strict = j->level == POD_RESTRICTED && !j->windows, drops_all = false;
	size_t i;
	json_t *c;

	json_array_foreach(jdoc_at(context, "capabilities", "drop", NULL), i, c)
		drops_all = drops_all || str_eq(json_string_value(c), "ALL");
	if (strict && !drops_all)
		say(j, where, "securityContext.capabilities.drop", "lacks ALL: write [ALL]");
	json_array_foreach(jdoc_at(context, "capabilities", "add", NULL), i, c) {
		const char *name = json_is_string(c) ? json_string_value(c) : "";

		if (strict ? !ONE_OF(name, restricted) : !ONE_OF(name, baseline))
			say_value(j, where, "securityContext.capabilities.add", name,
				  strict ? "remove it: only NET_BIND_SERVICE may be added" : "remove it: the level baseline does not have it");
	}
}

static void check_host_of(struct judge *j, const json_t *action, const char *where, const char *which)
{
	static const char *const ways[] = { "httpGet", "tcpSocket" };

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		const char *host = jdoc_text(action, ways[i], "host", NULL);
		auto_free char *field = xasprintf("%s.%s.host", which, ways[i]);

		if (host && *host)
			say_value(j, where, field, host, "leave it out: the pod's own address is asked");
	}
}

static void check_hosts(struct judge *j, const json_t *container, const char *where)
{
	static const char *const probes[] = { "livenessProbe", "readinessProbe", "startupProbe" };
	size_t i;
	json_t *port;

	for (i = 0; i < ARRAY_LEN(probes); i++)
		check_host_of(j, json_object_get(container, probes[i]), where, probes[i]);
	check_host_of(j, jdoc_at(container, "lifecycle", "postStart", NULL), where, "lifecycle.postStart");
	check_host_of(j, jdoc_at(container, "lifecycle", "preStop", NULL), where, "lifecycle.preStop");
	json_array_foreach(json_object_get(container, "ports"), i, port) {
		json_int_t number = json_integer_value(json_object_get(port, "hostPort"));
		auto_free char *text = xasprintf("%lld", (long long)number);

		if (number != 0)
			say_value(j, where, "ports.hostPort", text, "leave it out: use a Service");
	}
}

/* What the pod says holds where the container says nothing; whether that is right was judged there. */
static void check_restricted(struct judge *j, const json_t *context, const json_t *pod, const char *where)
{
	if (!j->windows && !json_is_false(json_object_get(context, "allowPrivilegeEscalation")))
		say(j, where, "securityContext.allowPrivilegeEscalation", "set it to false");
	if (!is_set(json_object_get(context, "runAsNonRoot")) && !is_set(json_object_get(pod, "runAsNonRoot")))
		say(j, where, "securityContext.runAsNonRoot", "set it to true, here or for the pod");
	if (!j->windows && !is_set(json_object_get(context, "seccompProfile")) && !is_set(json_object_get(pod, "seccompProfile")))
		say(j, where, "securityContext.seccompProfile.type", "use RuntimeDefault, here or for the pod");
}

static void check_container(struct judge *j, const json_t *container, const json_t *pod, const char *where)
{
	const json_t *context = json_object_get(container, "securityContext");
	const char *mount = jdoc_text(context, "procMount", NULL);

	if (json_is_true(json_object_get(context, "privileged")))
		say(j, where, "securityContext.privileged", "true: set it to false");
	if (mount && strcmp(mount, "Default") != 0)
		say_value(j, where, "securityContext.procMount", mount, "use Default");
	check_context(j, context, where);
	check_capabilities(j, context, where);
	check_hosts(j, container, where);
	if (j->level == POD_RESTRICTED)
		check_restricted(j, context, pod, where);
}

/* ---- the pod ---- */

static void check_volumes(struct judge *j)
{
	static const char *const allowed[] = { "name", "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image",
					       "persistentVolumeClaim", "projected", "secret" };
	const char *key;
	json_t *v, *source;
	size_t i;

	json_array_foreach(json_object_get(j->pod->spec, "volumes"), i, v) {
		const char *name = jdoc_text(v, "name", NULL);

		json_object_foreach(v, key, source) {
			bool bad = j->level == POD_RESTRICTED ? !ONE_OF(key, allowed) : strcmp(key, "hostPath") == 0;
			auto_free char *field = xasprintf("volumes[%s].%s", name ? name : "", key);

			if (bad && is_set(source))
				say(j, "", field, strcmp(key, "hostPath") == 0 ? "a path of the node: use a persistentVolumeClaim or an emptyDir"
									       : "not for a pod to say: use a persistentVolumeClaim");
		}
	}
}

static void check_sysctls(struct judge *j)
{
	static const char *const safe[] = { "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range",
					    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
					    "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
					    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
					    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes",
					    "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem" };
	size_t i;
	json_t *one;

	json_array_foreach(jdoc_at(j->pod->spec, "securityContext", "sysctls", NULL), i, one) {
		const char *name = jdoc_text(one, "name", NULL);

		if (!name || !ONE_OF(name, safe))
			say_value(j, "", "securityContext.sysctls", name ? name : "", "remove it: it is not one of the safe ones");
	}
}

/* AppArmor as it was said before Kubernetes 1.30; the API server looks at it still. */
static void check_annotations(struct judge *j)
{
	static const char prefix[] = "container.apparmor.security.beta.kubernetes.io/";
	const char *key;
	json_t *v;

	json_object_foreach(jdoc_at(j->pod->metadata, "annotations", NULL), key, v) {
		const char *profile = json_string_value(v);

		if (!str_starts(key, prefix) || !profile || !*profile || strcmp(profile, "runtime/default") == 0 ||
		    str_starts(profile, "localhost/"))
			continue;

		auto_free char *what = xasprintf("%s: %s: remove it", key, profile);

		j->report(j->ctx, j->pod, "metadata.annotations", what);
	}
}

static const char *const lists[] = { "initContainers", "containers", "ephemeralContainers" };

void pod_check(const struct pod_template *t, enum pod_level level, pod_report report, void *ctx)
{
	static const char *const shared[] = { "hostNetwork", "hostPID", "hostIPC" };
	const json_t *context = json_object_get(t->spec, "securityContext");
	struct judge j = { t, level, str_eq(jdoc_text(t->spec, "os", "name", NULL), "windows"), report, ctx };
	size_t i;
	json_t *c;

	if (level == POD_PRIVILEGED)
		return;
	for (size_t k = 0; k < ARRAY_LEN(shared); k++)
		if (json_is_true(json_object_get(t->spec, shared[k])))
			say(&j, "", shared[k], "true: remove it");
	check_annotations(&j);
	check_context(&j, context, "");
	check_sysctls(&j);
	check_volumes(&j);
	for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
		json_array_foreach(json_object_get(t->spec, lists[k]), i, c) {
			const char *name = jdoc_text(c, "name", NULL);
			auto_free char *where = name ? xasprintf("%s[%s].", lists[k], name) : xasprintf("%s[%zu].", lists[k], i);

			check_container(&j, c, context, where);
		}
	}
}

/* ---- a uid that the cluster gives ---- */

static void check_no_uid(struct judge *j, const json_t *context, const char *where)
{
	static const char *const keys[] = { "runAsUser", "runAsGroup", "fsGroup" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const json_t *v = json_object_get(context, keys[i]);
		auto_free char *field = xasprintf("securityContext.%s", keys[i]), *id = xasprintf("%lld", (long long)json_integer_value(v));

		if (json_is_integer(v))
			say_value(j, where, field, id, "set it to null: the profile nonroot-arbitrary-uid leaves users and groups to the cluster");
	}
}

void pod_check_no_uid(const struct pod_template *t, pod_report report, void *ctx)
{
	struct judge j = { .pod = t, .report = report, .ctx = ctx };
	size_t i;
	json_t *c;

	check_no_uid(&j, json_object_get(t->spec, "securityContext"), "");
	for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
		json_array_foreach(json_object_get(t->spec, lists[k]), i, c) {
			const char *name = jdoc_text(c, "name", NULL);
			auto_free char *where = name ? xasprintf("%s[%s].", lists[k], name) : xasprintf("%s[%zu].", lists[k], i);

			check_no_uid(&j, json_object_get(c, "securityContext"), where);
		}
	}
}
