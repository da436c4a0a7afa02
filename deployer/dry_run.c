/* SPDX-License-Identifier: Apache-2.0 */
#include "dry_run.h"

#include <airgap/pod.h>

#include <time.h>

#define TRIES 20        /* while the new namespace gets its default service account */

static bool has_volume(const json_t *volumes, const char *name)
{
	size_t i;
	json_t *v;

	json_array_foreach(volumes, i, v)
		if (str_eq(jdoc_text(v, "name", NULL), name))
			return true;
	return false;
}

/* Volumes that a StatefulSet's claims would bring: a pod alone must have them itself. */
static void add_claimed_volumes(json_t *spec, const char *containers)
{
	json_t *volumes = json_object_get(spec, "volumes"), *c, *mount;
	size_t i, k;

	json_array_foreach(json_object_get(spec, containers), i, c) {
		json_array_foreach(json_object_get(c, "volumeMounts"), k, mount) {
			const char *name = jdoc_text(mount, "name", NULL);

			if (!name || has_volume(volumes, name))
				continue;
			if (!json_is_array(volumes))
				json_object_set_new(spec, "volumes", volumes = json_array());
			json_array_append_new(volumes, json_pack("{s:s, s:{}}", "name", name, "emptyDir"));
		}
	}
}

static json_t *as_pod(const struct pod_template *t, const char *ns, size_t number)
{
	auto_free char *name = xasprintf("airgap-proof-%zu", number);
	json_t *spec = json_deep_copy(t->spec);

	/* The account may be made by the chart itself; the name of the scheduler, node and so on say nothing here. */
	json_object_del(spec, "serviceAccountName");
	json_object_del(spec, "serviceAccount");
	json_object_del(spec, "priorityClassName");
	json_object_del(spec, "runtimeClassName");
	json_object_del(spec, "ephemeralContainers");   /* none may be there at creation */
	add_claimed_volumes(spec, "initContainers");
	add_claimed_volumes(spec, "containers");
	return json_pack("{s:s, s:s, s:{s:s, s:s}, s:o}", "apiVersion", "v1", "kind", "Pod", "metadata", "name", name,
			 "namespace", ns, "spec", spec);
}

int dry_run_pods(struct session *s, const char *ns, const struct helm_objects *o, struct err *e)
{
	auto_pods struct pod_templates pods = { 0 };
	auto_json json_t *list = json_array();

	if (pod_find_templates(o, &pods, e) < 0)
		return -1;
	for (size_t i = 0; i < pods.n; i++)
		if (!pods.items[i].embedded)
			json_array_append_new(list, as_pod(&pods.items[i], ns, i));
	for (unsigned n = 0;; n++) {
		static const struct timespec pause = { 0, 500000000 };

		if (kubectl_apply(&s->kubectl, list, KUBECTL_DRY_RUN, NULL, e) == 0)
			return 0;
		if (n == TRIES || !strstr(e->msg, "serviceaccount \"default\" not found"))
			return err_wrap(e, "namespace '%s': dry run of the pods", ns);
		nanosleep(&pause, NULL);
	}
}
