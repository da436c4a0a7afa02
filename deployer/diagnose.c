/* SPDX-License-Identifier: Apache-2.0 */
#include "diagnose.h"

#include "live.h"

#define PODS_MAX   3u
#define EVENTS_MAX 5u
#define LOG_LINES  8u
#define LOG_MAX    16384u

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static void events_of(const json_t *events, const char *pod, struct strv *out)
{
	size_t n = json_array_size(events), told = 0;

	for (size_t i = n; i > 0 && told < EVENTS_MAX; i--) {
		const json_t *v = json_array_get(events, i - 1);

		if (!str_eq(jdoc_text(v, "involvedObject", "name", NULL), pod) ||
		    !str_eq(jdoc_text(v, "type", NULL), "Warning"))
			continue;
		strv_pushf(out, "  event %s: %.300s", or_empty(jdoc_text(v, "reason", NULL)), or_empty(jdoc_text(v, "message", NULL)));
		told++;
	}
}

/* Why a container waits or how it ended, and what it said last. */
static void containers_of(struct session *s, const json_t *pod, const char *list, struct strv *out)
{
	size_t i;
	json_t *c;

	json_array_foreach(jdoc_at(pod, "status", list, NULL), i, c) {
		const char *name = or_empty(jdoc_text(c, "name", NULL));
		const char *reason = jdoc_text(c, "state", "waiting", "reason", NULL);
		auto_buf struct buf log = BUF_INIT(LOG_MAX);
		auto_strv struct strv lines = { 0 };
		struct err ignored;

		if (!reason)
			reason = jdoc_text(c, "state", "terminated", "reason", NULL);
		if (json_is_true(json_object_get(c, "ready")) || !reason || strcmp(reason, "Completed") == 0)
			continue;
		strv_pushf(out, "  container %s: %s %.300s", name, reason,
			   or_empty(jdoc_text(c, "state", "waiting", "message", NULL)));
		if (kubectl_logs(&s->kubectl, jdoc_text(pod, "metadata", "namespace", NULL),
				 jdoc_text(pod, "metadata", "name", NULL), name, LOG_LINES, &log, &ignored) == 0)
			strv_split(&lines, buf_str(&log), '\n');
		for (size_t k = 0; k < lines.n; k++)
			strv_pushf(out, "    | %.300s", lines.items[k]);
	}
}

void diagnose_namespace(struct session *s, const char *ns, struct strv *out)
{
	auto_json json_t *pods = NULL;
	auto_json json_t *events = NULL;
	struct err ignored;
	unsigned told = 0;
	size_t i;
	json_t *pod;

	if (kubectl_list(&s->kubectl, "pods", ns, NULL, &pods, &ignored) < 0)
		return;
	if (kubectl_list(&s->kubectl, "events", ns, NULL, &events, &ignored) < 0)
		events = NULL;
	json_array_foreach(pods, i, pod) {
		const char *name = or_empty(jdoc_text(pod, "metadata", "name", NULL));
		auto_free char *why = NULL;

		if (live_is_ready(pod, &why) == LIVE_READY || told == PODS_MAX)
			continue;
		told++;
		strv_pushf(out, "pod %s/%s: %s", ns, name, or_empty(why));
		containers_of(s, pod, "initContainerStatuses", out);
		containers_of(s, pod, "containerStatuses", out);
		events_of(events, name, out);
	}
}
