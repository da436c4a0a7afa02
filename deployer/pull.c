/* SPDX-License-Identifier: Apache-2.0 */
#include "pull.h"

#include <airgap/proc.h>

#include <time.h>

#define AT_ONCE 16      /* one pod a node, which does nothing */
#define SECONDS 90      /* for a batch of them */
#define REFUSED 20      /* a refusal that has lasted so long is one */
#define LABEL   "airgap/pull"
#define NOTHING "/airgap-runs-nothing"  /* there is no such program: the image is pulled, and that is all */

static const struct timespec pause_between = { 0, 500000000 };

void pull_nodes(const json_t *items, struct strv *ready, struct strv *not_ready)
{
	size_t i, k;
	json_t *node, *c;

	json_array_foreach((json_t *)items, i, node) {
		const char *name = jdoc_text(node, "metadata", "name", NULL);
		bool is_ready = false;

		json_array_foreach(jdoc_at(node, "status", "conditions", NULL), k, c)
			if (str_eq(jdoc_text(c, "type", NULL), "Ready"))
				is_ready = str_eq(jdoc_text(c, "status", NULL), "True");
		if (name)
			strv_push(is_ready ? ready : not_ready, name);
	}
	strv_sort(ready);
	strv_sort(not_ready);
}

enum pull_state pull_judge(const json_t *pod, char **why)
{
	const json_t *status = json_array_get(jdoc_at(pod, "status", "containerStatuses", NULL), 0);
	const json_t *waiting = jdoc_at(status, "state", "waiting", NULL);
	const char *reason = jdoc_text(waiting, "reason", NULL), *words = jdoc_text(waiting, "message", NULL);
	const char *id = jdoc_text(status, "imageID", NULL);

	*why = NULL;
	if (jdoc_at(status, "state", "terminated", NULL) || jdoc_at(status, "state", "running", NULL) || (id && *id))
		return PULL_DONE;
	if (str_eq(jdoc_text(pod, "status", "phase", NULL), "Failed")) {
		const char *said = jdoc_text(pod, "status", "message", NULL);

		*why = xasprintf("%.300s", said ? said : "the kubelet refuses the pod");
		return PULL_REFUSED;
	}
	if (!reason || strcmp(reason, "ContainerCreating") == 0 || strcmp(reason, "PodInitializing") == 0)
		return PULL_WAITING;
	/* A container that cannot be made has its image. */
	if (strcmp(reason, "CreateContainerError") == 0 || strcmp(reason, "RunContainerError") == 0 ||
	    strcmp(reason, "CrashLoopBackOff") == 0)
		return PULL_DONE;
	*why = xasprintf("%s%s%.300s", reason, words ? ": " : "", words ? words : "");
	return PULL_REFUSED;
}

static json_t *pod_on(const struct pull *p, const char *node, size_t number)
{
	auto_free char *name = xasprintf("airgap-pull-%zu-%zu", p->number, number), *label = xasprintf("%zu", p->number);
	json_t *container = json_pack("{s:s, s:s, s:s, s:[s], s:{s:b, s:{s:[s]}}}", "name", "pull", "image", p->image, "imagePullPolicy",
				      "Always", "command", NOTHING, "securityContext", "allowPrivilegeEscalation", 0, "capabilities", "drop",
				      "ALL");
	json_t *security = json_pack("{s:b, s:{s:s}}", "runAsNonRoot", 1, "seccompProfile", "type", "RuntimeDefault");
	json_t *spec = json_pack("{s:s, s:s, s:b, s:i, s:[{s:s}], s:o, s:[o]}", "nodeName", node, "restartPolicy", "Never",
				 "automountServiceAccountToken", 0, "terminationGracePeriodSeconds", 0, "tolerations", "operator", "Exists",
				 "securityContext", security, "containers", container);

	if (p->fixed_uid)
		json_object_set_new(security, "runAsUser", json_integer(65532));
	if (p->pull_secret)
		json_object_set_new(spec, "imagePullSecrets", json_pack("[{s:s}]", "name", p->pull_secret));
	return json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:s}}, s:o}", "apiVersion", "v1", "kind", "Pod", "metadata", "name", name,
			 "namespace", p->ns, "labels", LABEL, label, "spec", spec);
}

struct batch {
	const struct pull *pull;
	const struct strv *nodes;
	struct finding_row *row;
	bool *done;             /* one for each node */
	time_t begun;
};

/* What the pods say now. out_open = how many of this batch are still waited for. */
static int look(struct batch *b, size_t from, size_t to, size_t *out_open, struct err *e)
{
	auto_free char *selector = xasprintf(LABEL "=%zu", b->pull->number);
	auto_json json_t *pods = NULL;
	time_t now = time(NULL);
	size_t i;
	json_t *pod;

	if (kubectl_list(b->pull->kubectl, "pods", b->pull->ns, selector, &pods, e) < 0)
		return -1;
	json_array_foreach(pods, i, pod) {
		const char *node = jdoc_text(pod, "spec", "nodeName", NULL);
		auto_free char *why = NULL;
		enum pull_state state = pull_judge(pod, &why);

		for (size_t k = from; k < to; k++) {
			if (b->done[k] || !str_eq(node, b->nodes->items[k]))
				continue;
			if (state == PULL_REFUSED && now - b->begun < REFUSED)
				continue;
			if (state == PULL_WAITING && now - b->begun < SECONDS)
				continue;
			b->done[k] = true;
			if (state != PULL_DONE)
				findings_say(b->row, FOUND_FAIL, "node '%s': cannot pull '%s': %s: %s", node, b->pull->image,
					     why ? why : "no answer in time", b->pull->need);
		}
	}
	*out_open = 0;
	for (size_t k = from; k < to; k++)
		*out_open += !b->done[k];
	return 0;
}

static int pull_batch(struct batch *b, size_t from, size_t to, struct err *e)
{
	auto_json json_t *pods = json_array();
	size_t open = to - from;

	for (size_t i = from; i < to; i++)
		json_array_append_new(pods, pod_on(b->pull, b->nodes->items[i], i));
	if (kubectl_apply(b->pull->kubectl, pods, KUBECTL_FORCE, NULL, e) < 0)
		return -1;
	b->begun = time(NULL);
	for (;;) {
		if (look(b, from, to, &open, e) < 0)
			return -1;
		if (!open)
			return 0;
		if (proc_interrupted)
			return err_set(e, ERR_DEADLINE, "interrupted");
		if (time(NULL) - b->begun > SECONDS + REFUSED)
			return err_set(e, ERR_NOT_READY, "namespace '%s': %zu pods that were made are not there", b->pull->ns, open);
		nanosleep(&pause_between, NULL);
	}
}

int pull_on_nodes(const struct pull *p, const struct strv *nodes, struct finding_row *row, struct err *e)
{
	auto_free bool *done = xcalloc(nodes->n + 1, sizeof(*done));
	struct batch b = { .pull = p, .nodes = nodes, .row = row, .done = done };

	for (size_t i = 0; i < nodes->n; i += AT_ONCE)
		if (pull_batch(&b, i, MIN(i + AT_ONCE, nodes->n), e) < 0)
			return err_wrap(e, "pull");
	return 0;
}
