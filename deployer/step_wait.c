/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include "live.h"
#include "path.h"

#include <airgap/proc.h>

#include <time.h>

#define WAIT_SECONDS 300u

static int has_endpoints(struct engine *g, const struct step_object *o, struct err *e)
{
	auto_free char *selector = xasprintf("kubernetes.io/service-name=%s", o->name);
	auto_json json_t *slices = NULL;
	size_t i, k;
	json_t *slice, *endpoint;

	if (kubectl_list(&g->session->kubectl, "endpointslices.discovery.k8s.io", o->ns, selector, &slices, e) < 0)
		return -1;
	json_array_foreach(slices, i, slice)
		json_array_foreach(json_object_get(slice, "endpoints"), k, endpoint)
			if (!json_is_false(jdoc_at(endpoint, "conditions", "ready", NULL)))
				return 1;
	return 0;
}

/* "apps/v1", "Deployment" as kubectl names it: deployment.v1.apps */
static char *kind_name(const struct step_object *o)
{
	const char *slash = strchr(o->api_version, '/');

	if (!slash)
		return xstrdup(o->kind);
	return xasprintf("%s.%s.%.*s", o->kind, slash + 1, (int)(slash - o->api_version), o->api_version);
}

/* 1 = as wanted, 0 = not yet, -1 = failed for good. */
static int look(struct engine *g, const struct step_wait *w, char **why, struct err *e)
{
	auto_free char *kind = kind_name(&w->object);
	auto_json json_t *o = NULL;
	int there = kubectl_get(&g->session->kubectl, kind, w->object.ns, w->object.name, &o, e);

	if (there < 0)
		return -1;
	if (strcmp(w->until, "Gone") == 0)
		return !there;
	if (!there) {
		*why = xstrdup("it is not there");
		return 0;
	}
	if (w->fail && path_holds(o, w->fail))
		return err_set(e, ERR_NOT_READY, "%s '%s': %s", w->object.kind, w->object.name, w->fail);
	if (strcmp(w->until, "Exists") == 0)
		return 1;
	if (strcmp(w->until, "Endpoints") == 0)
		return has_endpoints(g, &w->object, e);
	if (strchr(w->until, '='))
		return path_holds(o, w->until);

	enum live_ready ready = live_is_ready(o, why);

	if (ready == LIVE_FAILED)
		return err_set(e, ERR_NOT_READY, "%s '%s': %s", w->object.kind, w->object.name, *why);
	return ready == LIVE_READY;
}

int step_wait_check(struct engine *g, const struct step *s, enum step_state *out, struct strv *diff, struct err *e)
{
	auto_free char *why = NULL;
	int r = look(g, &s->wait, &why, e);

	if (r < 0 && e->code != ERR_NOT_READY)
		return -1;
	if (r != 1 && diff)
		strv_pushf(diff, "%s '%s': %s", s->wait.object.kind, s->wait.object.name, why ? why : s->wait.until);
	*out = r == 1 ? STEP_SAME : STEP_FAILING;
	return 0;
}

int step_wait_run(struct engine *g, const struct step *s, struct journal_record *record, struct err *e)
{
	static const struct timespec pause = { 1, 0 };
	const struct step_wait *w = &s->wait;
	unsigned seconds = WAIT_SECONDS;
	time_t end;

	(void)record;
	if (!steps_duration(w->timeout, WAIT_SECONDS, &seconds))
		return err_set(e, ERR_MALFORMED, "timeout '%s'", w->timeout);
	end = time(NULL) + seconds;
	for (;;) {
		auto_free char *why = NULL;
		int r = look(g, w, &why, e);

		if (r)
			return r == 1 ? 0 : -1;
		if (proc_interrupted)
			return err_set(e, ERR_DEADLINE, "interrupted");
		if (time(NULL) >= end)
			return err_set(e, ERR_NOT_READY, "%s '%s': not %s after %u s%s%s", w->object.kind, w->object.name, w->until,
				       seconds, why ? ": " : "", why ? why : "");
		nanosleep(&pause, NULL);
	}
}
