/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include "dry_run.h"
#include "live.h"

#include <airgap/proc.h>

#include <time.h>

#define GONE_SECONDS 60u
#define LATE_SECONDS 30u        /* for the cluster to tell that the deadline has passed */
#define PULL_SECONDS 60
#define LOG_LINES    200u

static const struct timespec pause_between = { 0, 500000000 };

struct pod_run {
	const struct run_at *at;
	struct kubectl *kubectl;
	const char *name;
	char *job, *files, *selector;
};

static void pod_run_release(struct pod_run *p)
{
	free(p->job);
	free(p->files);
	free(p->selector);
}

static struct pod_run begin(const struct run_at *at)
{
	struct pod_run p = { .at = at, .kubectl = &at->engine->session->kubectl };

	p.name = at->name ? at->name : at->step->metadata.name;
	p.job = steps_job_name(p.name);
	p.files = xasprintf("%s-files", p.job);
	p.selector = xasprintf("airgap/run=%s", p.name);
	return p;
}

/* ---- what it is given ---- */

static json_t *secret_of(const struct pod_run *p, const char *name, json_t *data)
{
	return json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:s, s:s}}, s:o}", "apiVersion", "v1", "kind", "Secret", "metadata", "name", name,
			 "namespace", p->at->ns, "labels", "app.kubernetes.io/managed-by", "airgap-deployer", "airgap/run", p->name,
			 "data", data);
}

static void set_encoded(json_t *data, const char *key, const void *bytes, size_t n)
{
	auto_free char *text = xmalloc(base64_size(n));

	json_object_set_new(data, key, json_string(base64_encode(bytes, n, text)));
	wipe(text, strlen(text));
}

static int env_data(const struct pod_run *p, json_t *data, struct err *e)
{
	auto_json json_t *env = run_env(p->at, e);
	const char *key;
	json_t *value;

	if (!env)
		return -1;
	json_object_foreach(env, key, value)
		set_encoded(data, key, json_string_value(value), strlen(json_string_value(value)));
	return 0;
}

/* In the order of the Job's mounts: "f0" and on. */
static int files_data(const struct pod_run *p, json_t *data, struct err *e)
{
	struct session *s = p->at->engine->session;
	size_t n = 0, total = 0;
	const char *name;
	json_t *path;

	json_object_foreach(p->at->run->files, name, path) {
		const struct content_file *f = contents_file(&s->contents, name, NULL);
		auto_free char *key = xasprintf("f%zu", n++);
		auto_buf struct buf text = BUF_INIT(STEP_FILES_MAX);

		if (!f)
			return err_set(e, ERR_PREFLIGHT, "file '%s': not in the bundle: build it again with this site file", name);
		total += (size_t)MIN(f->size, 2 * STEP_FILES_MAX);
		if (total > STEP_FILES_MAX)
			return err_set(e, ERR_LIMIT, "files: more than 1 MiB with '%s': put them into an image, with base and add in the "
				       "manifest", name);
		if (bundle_blob_load(s->bundle, &f->blob, &text, e) < 0)
			return err_wrap(e, "file '%s'", name);
		set_encoded(data, key, buf_str(&text), text.len);
	}
	return 0;
}

static int give(const struct pod_run *p, struct err *e)
{
	auto_json json_t *list = json_array();
	json_t *env = json_object(), *files = json_object();

	json_array_append_new(list, secret_of(p, p->job, env));
	json_array_append_new(list, secret_of(p, p->files, files));
	if (env_data(p, env, e) < 0 || files_data(p, files, e) < 0)
		return -1;
	return kubectl_apply(p->kubectl, list, KUBECTL_FORCE, NULL, e);
}

static int take_secrets(const struct pod_run *p, struct err *e)
{
	return kubectl_delete(p->kubectl, "secret", p->at->ns, p->job, e) < 0
		       ? -1 : kubectl_delete(p->kubectl, "secret", p->at->ns, p->files, e);
}

/* The Job and, before anything else takes its place, its pod. */
static int take_job(const struct pod_run *p, struct err *e)
{
	time_t end = time(NULL) + GONE_SECONDS;

	if (kubectl_delete(p->kubectl, "job", p->at->ns, p->job, e) < 0)
		return -1;
	for (;;) {
		auto_json json_t *pods = NULL;

		if (kubectl_list(p->kubectl, "pods", p->at->ns, p->selector, &pods, e) < 0)
			return -1;
		if (json_array_size(pods) == 0)
			return 0;
		if (proc_interrupted || time(NULL) >= end)
			return err_set(e, ERR_NOT_READY, "the pod of an earlier run does not go: look at `kubectl -n %s get pods -l %s`",
				       p->at->ns, p->selector);
		nanosleep(&pause_between, NULL);
	}
}

/* ---- running ---- */

/* Why it does not start, for the message; NULL = it does. Owned. */
static char *stuck(const json_t *pod)
{
	const json_t *waiting = jdoc_at(json_array_get(jdoc_at(pod, "status", "containerStatuses", NULL), 0), "state", "waiting", NULL);
	const char *reason = jdoc_text(waiting, "reason", NULL), *message = jdoc_text(waiting, "message", NULL);

	if (!reason || strcmp(reason, "ContainerCreating") == 0 || strcmp(reason, "PodInitializing") == 0)
		return NULL;
	return xasprintf("%s%s%.300s", reason, message ? ": " : "", message ? message : "");
}

/* Nothing will change by waiting; a pull that fails may, for a while. *since: when it first did. */
static bool hopeless(const char *why, time_t *since)
{
	if (!why || !strstr(why, "ImagePull"))
		*since = 0;
	else if (!*since)
		*since = time(NULL);
	if (why && strstr(why, "ImagePull"))
		return time(NULL) - *since >= PULL_SECONDS;
	return why && (str_starts(why, "InvalidImageName") || str_starts(why, "CreateContainerConfigError") ||
		       str_starts(why, "CreateContainerError") || str_starts(why, "RunContainerError"));
}

static int its_pod(const struct pod_run *p, json_t **out, struct err *e)
{
	auto_json json_t *pods = NULL;

	if (kubectl_list(p->kubectl, "pods", p->at->ns, p->selector, &pods, e) < 0)
		return -1;
	*out = json_array_size(pods) ? json_incref(json_array_get(pods, 0)) : NULL;
	return 0;
}

/* Until its container has ended: *out_pod is it. */
static int await_end(const struct pod_run *p, json_t **out_pod, struct err *e)
{
	unsigned seconds = run_seconds(p->at->run);
	time_t begun = time(NULL), end = begun + seconds + LATE_SECONDS, pulling = 0;

	for (;;) {
		auto_json json_t *job = NULL;
		auto_json json_t *pod = NULL;
		int there = kubectl_get(p->kubectl, "job", p->at->ns, p->job, &job, e);

		if (there < 0 || its_pod(p, &pod, e) < 0)
			return -1;

		enum live_ready state = there ? live_is_ready(job, NULL) : LIVE_FAILED;
		auto_free char *why = stuck(pod);

		if (jdoc_at(json_array_get(jdoc_at(pod, "status", "containerStatuses", NULL), 0), "state", "terminated", NULL)) {
			*out_pod = TAKE(pod);
			return 0;
		}
		if (proc_interrupted)
			return err_set(e, ERR_DEADLINE, "interrupted");
		if (state != LIVE_WAITING || hopeless(why, &pulling) || time(NULL) >= end)
			return err_set(e, ERR_NOT_READY, "job '%s' in namespace '%s': not done after %lld s%s%s", p->job, p->at->ns,
				       (long long)(time(NULL) - begun), why ? ": " : "", why ? why : "");
		nanosleep(&pause_between, NULL);
	}
}

static int read_end(const struct pod_run *p, const json_t *pod, struct run_said *said, struct err *e)
{
	const json_t *ended = jdoc_at(json_array_get(jdoc_at(pod, "status", "containerStatuses", NULL), 0), "state", "terminated", NULL);

	const char *message = jdoc_text(ended, "message", NULL);

	said->status = (int)json_integer_value(json_object_get(ended, "exitCode"));
	if (kubectl_logs(p->kubectl, p->at->ns, jdoc_text(pod, "metadata", "name", NULL), "run", LOG_LINES, &said->text, e) == 0 &&
	    said->text.len)
		return 0;
	/* One that could not be started has no log, but a reason. */
	buf_clear(&said->text);
	return message ? buf_add(&said->text, message, strlen(message), e) : 0;
}

/* The API server's verdict on the pod, which else only an event would tell. */
static int judge(const struct pod_run *p, json_t *job, struct err *e)
{
	struct helm_object item = { .object = job, .source = p->at->step->source };
	const struct helm_objects one = { &item, 1 };

	return dry_run_pods(p->at->engine->session, p->at->ns, &one, e);
}

/* Past the scheduler: the node may be tainted or cordoned, and is to be looked at all the same. */
static void put_on(json_t *job, const char *node)
{
	json_t *spec = jdoc_at(job, "spec", "template", "spec", NULL);

	json_object_set_new(spec, "nodeName", json_string(node));
	json_object_set_new(spec, "tolerations", json_pack("[{s:s}]", "operator", "Exists"));
}

static int go(const struct pod_run *p, const struct strv *command, struct run_said *said, struct err *e)
{
	const struct run_at *at = p->at;
	bool fixed = strcmp(at->engine->session->site.profile, "nonroot-arbitrary-uid") != 0;
	auto_json json_t *job = steps_job(p->name, at->ns, at->run, command, fixed, at->pull_secret);
	auto_json json_t *pod = NULL;
	int made;

	if (at->node)
		put_on(job, at->node);
	if (judge(p, job, e) < 0 || (made = kubectl_create(p->kubectl, job, NULL, e)) < 0)
		return -1;
	if (made == 1)
		return err_set(e, ERR_CONFLICT, "job '%s': somebody makes one at the same time", p->job);
	return await_end(p, &pod, e) < 0 ? -1 : read_end(p, pod, said, e);
}

/* What was in its environment goes in any case, the Job only when there is nothing to look at. Probes are several at
 * once: theirs goes with their namespace. */
static int forget(const struct pod_run *p, struct err *e)
{
	int sig = p->at->looking ? 0 : proc_interrupt_take();
	int r = take_secrets(p, e);

	proc_interrupt_give(sig);
	return r;
}

int run_pod(const struct run_at *at, const struct strv *command, struct run_said *said, struct err *e)
{
	CLEANUP(pod_run_release) struct pod_run p = begin(at);
	struct err later = { 0 };

	if (take_job(&p, e) < 0 || give(&p, e) < 0)
		return -1;

	int r = go(&p, command, said, e), taken = forget(&p, &later);

	if (taken == 0 && r == 0 && said->status == 0)
		taken = take_job(&p, &later);
	if (taken < 0 && r == 0)
		*e = later;
	return MIN(r, taken);
}
