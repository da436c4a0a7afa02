/* SPDX-License-Identifier: Apache-2.0 */
/* A namespace that takes for one command what it refuses else. */
#include "run.h"

#include <airgap/proc.h>

#include <pthread.h>

#define ANNOTATION "airgap/pod-security"
#define LABEL      "pod-security.kubernetes.io/enforce"

/* Two at once would take each other's level away. */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static int set(struct engine *g, const char *ns, const char *level, const char *remember, struct err *e)
{
	auto_json json_t *patch = json_pack("{s:{s:{s:s}, s:{s:s?}}}", "metadata", "labels", LABEL, level, "annotations", ANNOTATION,
					    remember);

	return kubectl_patch(&g->session->kubectl, "namespace", NULL, ns, patch, e);
}

static unsigned rank(const char *level)
{
	return strcmp(level, "restricted") == 0 ? 2 : strcmp(level, "baseline") == 0 ? 1 : 0;
}

static int lower(struct engine *g, const struct step_run *r, struct err *e)
{
	auto_json json_t *o = NULL;
	int there = kubectl_get(&g->session->kubectl, "namespace", NULL, r->ns, &o, e);

	if (there <= 0)
		return there;

	const char *now = jdoc_text(o, "metadata", "labels", LABEL, NULL);
	/* Remembered: by a run that ended too early; what stood there before it is what counts. */
	const char *before = jdoc_text(o, "metadata", "annotations", ANNOTATION, NULL);

	if (!now || rank(now) <= rank(r->pod_security))
		return 0;
	return set(g, r->ns, r->pod_security, before ? before : now, e);
}

int level_lower(struct engine *g, const struct step_run *r, struct err *e)
{
	if (!r->pod_security)
		return 0;
	pthread_mutex_lock(&one_at_a_time);
	return lower(g, r, e);
}

static int restore(struct engine *g, const struct step_run *r, struct err *e)
{
	auto_json json_t *o = NULL;
	int there = kubectl_get(&g->session->kubectl, "namespace", NULL, r->ns, &o, e);
	const char *before = there > 0 ? jdoc_text(o, "metadata", "annotations", ANNOTATION, NULL) : NULL;

	return before ? set(g, r->ns, before, NULL, e) : MIN(there, 0);
}

/* An interrupted run leaves no namespace open. */
int level_restore(struct engine *g, const struct step_run *r, struct err *e)
{
	int sig, done;

	if (!r->pod_security)
		return 0;
	sig = proc_interrupt_take();
	done = restore(g, r, e);
	proc_interrupt_give(sig);
	pthread_mutex_unlock(&one_at_a_time);
	return done;
}
