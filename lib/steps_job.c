/* SPDX-License-Identifier: Apache-2.0 */
/* The Job of a Run or Probe step that takes place in a pod. */
#include <airgap/steps.h>

#include <airgap/reference.h>

#define USER            65532
#define LEFTOVER_TTL    86400   /* seconds a failed one stays for a look */
#define GRACE           10

char *steps_job_name(const char *name)
{
	return xasprintf("airgap-run-%s", name);
}

void steps_argv(const struct strv *command, struct strv *out)
{
	for (size_t i = 0; i < command->n; i++) {
		char *text = NULL;
		struct err e = { 0 };

		/* No references are in it: that was judged when it was read. */
		if (reference_text(command->items[i], "command", reference_placeholder, NULL, &text, &e) < 0)
			text = xstrdup(command->items[i]);
		strv_push_take(out, text);
	}
}

static json_t *texts(const struct strv *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(list, json_string(v->items[i]));
	return list;
}

/* What the block says of security goes over what `restricted` wants, each key where Kubernetes has it. */
static void security(const struct step_run *r, bool fixed_uid, json_t **out_pod, json_t **out_container)
{
	static const char *const of_pod[] = { "fsGroup", "fsGroupChangePolicy", "supplementalGroups", "sysctls" };
	json_t *pod = json_pack("{s:b, s:{s:s}}", "runAsNonRoot", 1, "seccompProfile", "type", "RuntimeDefault");
	json_t *container = json_pack("{s:b, s:{s:[s]}}", "allowPrivilegeEscalation", 0, "capabilities", "drop", "ALL");
	const char *key;
	json_t *value;

	if (fixed_uid)
		json_object_set_new(pod, "runAsUser", json_integer(USER));
	json_object_foreach(r->security_context, key, value) {
		bool pods = false;

		for (size_t i = 0; i < ARRAY_LEN(of_pod); i++)
			pods = pods || strcmp(key, of_pod[i]) == 0;
		json_object_set(pods ? pod : container, key, value);
	}
	/* Where the container is to be root, the pod's word against it would only be in the way. */
	if (json_is_false(json_object_get(container, "runAsNonRoot")))
		json_object_del(pod, "runAsNonRoot");
	if (json_is_true(json_object_get(container, "privileged")))
		json_object_del(container, "allowPrivilegeEscalation");
	*out_pod = pod;
	*out_container = container;
}

/* Volumes of the block: a pod's volume and, beside it, where it is mounted. */
static void mounts_of(const struct step_run *r, json_t *volumes, json_t *mounts)
{
	static const char *const of_mount[] = { "mountPath", "subPath", "readOnly", "mountPropagation" };
	size_t i;
	json_t *v;

	json_array_foreach(r->volumes, i, v) {
		json_t *volume = json_deep_copy(v);
		json_t *mount = json_object();

		json_object_set(mount, "name", json_object_get(v, "name"));
		for (size_t k = 0; k < ARRAY_LEN(of_mount); k++) {
			json_t *value = json_object_get(v, of_mount[k]);

			if (value)
				json_object_set(mount, of_mount[k], value);
			json_object_del(volume, of_mount[k]);
		}
		json_array_append_new(volumes, volume);
		json_array_append_new(mounts, mount);
	}
}

/* Each file of the bundle is a key of a Secret, "f0" and on, and is mounted alone. */
static void files_of(const char *job, const struct step_run *r, json_t *volumes, json_t *mounts)
{
	auto_free char *secret = xasprintf("%s-files", job);
	const char *name;
	json_t *path;
	size_t n = 0;

	if (json_object_size(r->files) == 0)
		return;
	json_array_append_new(volumes, json_pack("{s:s, s:{s:s, s:i}}", "name", "airgap-files", "secret", "secretName", secret,
						 "defaultMode", 0555));
	json_object_foreach(r->files, name, path) {
		auto_free char *key = xasprintf("f%zu", n++);

		json_array_append_new(mounts, json_pack("{s:s, s:O, s:s, s:b}", "name", "airgap-files", "mountPath", path, "subPath", key,
							"readOnly", 1));
	}
}

json_t *steps_job(const char *name, const char *ns, const struct step_run *r, const struct strv *command, bool fixed_uid,
		  const char *pull_secret)
{
	auto_free char *job = steps_job_name(name);
	auto_strv struct strv argv = { 0 };
	json_t *volumes = json_array(), *mounts = json_array(), *pod, *container, *spec, *one;
	unsigned seconds = 600;

	if (!steps_duration(r->timeout, 600, &seconds))
		seconds = 600;
	steps_argv(command, &argv);
	mounts_of(r, volumes, mounts);
	files_of(job, r, volumes, mounts);
	security(r, fixed_uid, &pod, &container);
	one = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "name", "run", "image", r->image, "terminationMessagePolicy",
			"FallbackToLogsOnError", "securityContext", container, "command", texts(&argv), "volumeMounts", mounts);
	if (json_object_size(r->env))
		json_object_set_new(one, "envFrom", json_pack("[{s:{s:s}}]", "secretRef", "name", job));
	spec = json_pack("{s:s, s:b, s:i, s:o, s:[o], s:o}", "restartPolicy", "Never", "automountServiceAccountToken",
			 r->service_account != NULL, "terminationGracePeriodSeconds", GRACE, "securityContext", pod, "containers", one,
			 "volumes", volumes);
	if (r->service_account)
		json_object_set_new(spec, "serviceAccountName", json_string(r->service_account));
	if (pull_secret)
		json_object_set_new(spec, "imagePullSecrets", json_pack("[{s:s}]", "name", pull_secret));
	return json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:s, s:s}}, s:{s:i, s:i, s:i, s:{s:{s:{s:s, s:s}}, s:o}}}", "apiVersion",
			 "batch/v1", "kind", "Job", "metadata", "name", job, "namespace", ns, "labels",
			 "app.kubernetes.io/managed-by", "airgap-deployer", "airgap/run", name, "spec", "backoffLimit", 0,
			 "activeDeadlineSeconds", (int)seconds, "ttlSecondsAfterFinished", LEFTOVER_TTL, "template", "metadata", "labels",
			 "app.kubernetes.io/managed-by", "airgap-deployer", "airgap/run", name, "spec", spec);
}
