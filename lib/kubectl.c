/* SPDX-License-Identifier: Apache-2.0 */
#include "kubectl_call.h"

#include <airgap/fs.h>
#include <airgap/log.h>

#include <fcntl.h>
#include <unistd.h>

#define CALL_SECONDS  120u
#define PING_SECONDS  15u
#define OUTPUT_MAX    (64u << 20)
#define FIELD_MANAGER "--field-manager=airgap-deployer"

static int start(struct kubectl *k, const char *kubeconfig, const char *context, struct err *e)
{
	if (fs_temp_dir(NULL, "airgap-kubectl-", &k->home, e) < 0)
		return -1;
	k->kubeconfig = kubeconfig ? xstrdup(kubeconfig) : NULL;
	k->context = context ? xstrdup(context) : NULL;
	return 0;
}

int kubectl_open(struct kubectl *k, const char *path, const char *kubeconfig, const char *context, struct err *e)
{
	k->path = proc_which(path ? path : "kubectl");
	if (!k->path)
		return err_set(e, ERR_PREFLIGHT, "%s: not found: install kubectl or put it on PATH",
			       path ? path : "kubectl");
	return start(k, kubeconfig, context, e);
}

int kubectl_open_fd(struct kubectl *k, int fd, const char *kubeconfig, const char *context, struct err *e)
{
	k->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (k->fd < 0)
		return err_sys(e, "kubectl");
	return start(k, kubeconfig, context, e);
}

void kubectl_close(struct kubectl *k)
{
	struct err ignored;

	if (k->home && fs_remove_tree(k->home, &ignored) < 0)
		log_debug("%s", ignored.msg);
	if (k->fd > 0)
		close(k->fd);
	free(k->path);
	free(k->kubeconfig);
	free(k->context);
	free(k->home);
	*k = (struct kubectl){ 0 };
}

void kubectl_call_release(struct kubectl_call *c)
{
	strv_release(&c->args);
	buf_wipe(&c->out);      /* answers may hold Secrets */
}

struct kubectl_call kubectl_call_begin(const struct kubectl *k, const char *verb)
{
	struct kubectl_call c = { .out = BUF_INIT(OUTPUT_MAX), .timeout = CALL_SECONDS };

	strv_push(&c.args, k->path ? k->path : "kubectl");
	if (k->context)
		strv_pushf(&c.args, "--context=%s", k->context);
	strv_push(&c.args, verb);
	return c;
}

void kubectl_call_namespace(struct kubectl_call *c, const char *ns)
{
	if (ns)
		strv_pushf(&c->args, "--namespace=%s", ns);
}

/* Without a kubeconfig: the cluster we run in, or none. */
static void cluster_env(const char *kubeconfig, struct strv *env)
{
	static const char *const inside[] = { "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT" };

	if (kubeconfig)
		strv_pushf(env, "KUBECONFIG=%s", kubeconfig);
	for (size_t i = 0; !kubeconfig && i < ARRAY_LEN(inside); i++)
		if (getenv(inside[i]))
			strv_pushf(env, "%s=%s", inside[i], getenv(inside[i]));
}

void kubectl_call_env(const struct kubectl *k, struct strv *env)
{
	const char *path = getenv("PATH");      /* credential plugins of a kubeconfig */

	strv_pushf(env, "HOME=%s", k->home);
	strv_pushf(env, "KUBECACHEDIR=%s/cache", k->home);
	strv_push(env, "LC_ALL=C");
	if (path)
		strv_pushf(env, "PATH=%s", path);
	cluster_env(k->kubeconfig, env);
}

int kubectl_call_run(struct kubectl_call *c, struct kubectl *k, const struct buf *input, struct err *e)
{
	auto_strv struct strv env = { 0 };

	kubectl_call_env(k, &env);
	c->proc = (struct proc){ .argv = c->args.items, .env = env.items, .exe_fd = k->fd, .timeout = c->timeout,
				.confidential = c->confidential };
	if (input) {
		c->proc.input = input->ptr;
		c->proc.input_len = input->len;
	}
	return proc_run(&c->proc, &c->out, &c->status, e);
}

bool kubectl_call_says(const struct kubectl_call *c, const char *text)
{
	return strcasestr(c->proc.tail, text) != NULL;
}

/* One line, without kubectl's own "error: " and its advice on --force-conflicts. */
static const char *reason(struct kubectl_call *c)
{
	char *text = c->proc.tail, *advice = strstr(text, "\nPlease review the fields above");

	if (advice)
		*advice = '\0';

	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	if (str_starts(text, "error: "))
		text += strlen("error: ");
	return *text ? text : "no message";
}

int kubectl_call_failed(struct kubectl_call *c, const char *what, struct err *e)
{
	static const struct { const char *text; enum err_code code; } rows[] = {
		{ "violates PodSecurity", ERR_PROOF },
		{ "denied the request", ERR_PROOF },
		{ "exceeded quota", ERR_PREFLIGHT },
		{ "conflict", ERR_CONFLICT },
		{ "is forbidden", ERR_AUTH },
		{ "unauthorized", ERR_AUTH },
		{ "must be logged in", ERR_AUTH },
	};
	enum err_code code = ERR_CLUSTER;

	for (size_t i = 0; i < ARRAY_LEN(rows) && code == ERR_CLUSTER; i++)
		if (kubectl_call_says(c, rows[i].text))
			code = rows[i].code;
	return err_set(e, code, "kubectl %s: %s", what, reason(c));
}

static int answer(struct kubectl_call *c, const char *what, json_t **out, struct err *e)
{
	json_t *j = jdoc_parse(c->out.ptr, c->out.len, OUTPUT_MAX, what, e);

	if (!j)
		return -1;
	*out = j;
	return 0;
}

int kubectl_server_version(struct kubectl *k, char **out, struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, "version");
	auto_json json_t *j = NULL;

	strv_push(&c.args, "--output=json");
	strv_push(&c.args, "--request-timeout=10s");
	c.timeout = PING_SECONDS;
	if (kubectl_call_run(&c, k, NULL, e) < 0)
		return err_wrap(e, "kubectl version");
	if (c.status != 0)
		return kubectl_call_failed(&c, "version", e);
	if (answer(&c, "kubectl version", &j, e) < 0)
		return -1;

	const char *version = jdoc_text(j, "serverVersion", "gitVersion", NULL);

	if (!version)
		return err_set(e, ERR_CLUSTER, "kubectl version: the server does not tell its version");
	*out = xstrdup(version);
	return 0;
}

int kubectl_api_versions(struct kubectl *k, struct strv *out, struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, "api-versions");

	if (kubectl_call_run(&c, k, NULL, e) < 0)
		return err_wrap(e, "kubectl api-versions");
	if (c.status != 0)
		return kubectl_call_failed(&c, "api-versions", e);
	strv_split(out, buf_str(&c.out), '\n');
	strv_sort(out);
	return 0;
}

int kubectl_get(struct kubectl *k, const char *kind, const char *ns, const char *name, json_t **out, struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, "get");

	strv_push(&c.args, kind);
	strv_push(&c.args, name);
	strv_push(&c.args, "--output=json");
	strv_push(&c.args, "--ignore-not-found");
	kubectl_call_namespace(&c, ns);
	if (kubectl_call_run(&c, k, NULL, e) < 0)
		return err_wrap(e, "kubectl get %s %s", kind, name);
	if (c.status != 0 && (kubectl_call_says(&c, "the server doesn't have a resource type") || kubectl_call_says(&c, "no matches for kind")))
		return 0;
	if (c.status != 0)
		return kubectl_call_failed(&c, "get", e);
	if (c.out.len == 0)
		return 0;
	return answer(&c, "kubectl get", out, e) < 0 ? -1 : 1;
}

/* Objects travel on stdin, one behind the other. Not as a List: the items of one kubectl checks by itself, instead of
 * the server, and takes a required field for missing that has a default. */
static int input_of(const json_t *objects, struct buf *input, struct err *e)
{
	size_t i;
	json_t *o;

	if (!json_is_array(objects))
		return jdoc_dump(objects, input, e);
	json_array_foreach((json_t *)objects, i, o) {
		if (jdoc_dump(o, input, e) < 0)
			return -1;
		buf_putc(input, '\n');
	}
	return 0;
}

static int as_array(json_t *answered, json_t **out)
{
	json_t *items = json_object_get(answered, "items");

	*out = items ? json_incref(items) : json_pack("[O]", answered);
	return 0;
}

int kubectl_get_all(struct kubectl *k, const json_t *objects, json_t **out, struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, "get");
	CLEANUP(buf_wipe) struct buf input = BUF_INIT(OUTPUT_MAX);
	auto_json json_t *answered = NULL;
	bool unknown;

	strv_push(&c.args, "--filename=-");
	strv_push(&c.args, "--output=json");
	strv_push(&c.args, "--ignore-not-found");
	if (input_of(objects, &input, e) < 0 || kubectl_call_run(&c, k, &input, e) < 0)
		return err_wrap(e, "kubectl get");
	unknown = c.status != 0 && kubectl_call_says(&c, "no matches for kind");
	if (c.status != 0 && !unknown)
		return kubectl_call_failed(&c, "get", e);
	if (c.out.len == 0 || unknown) {
		*out = json_array();
		return 0;
	}
	if (answer(&c, "kubectl get", &answered, e) < 0)
		return -1;
	return as_array(answered, out);
}

int kubectl_list(struct kubectl *k, const char *kind, const char *ns, const char *selector, json_t **out, struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, "get");
	auto_json json_t *list = NULL;

	strv_push(&c.args, kind);
	strv_push(&c.args, "--output=json");
	if (selector)
		strv_pushf(&c.args, "--selector=%s", selector);
	if (ns)
		kubectl_call_namespace(&c, ns);
	else
		strv_push(&c.args, "--all-namespaces");
	if (kubectl_call_run(&c, k, NULL, e) < 0)
		return err_wrap(e, "kubectl get %s", kind);
	if (c.status != 0)
		return kubectl_call_failed(&c, "get", e);
	if (answer(&c, "kubectl get", &list, e) < 0)
		return -1;

	json_t *items = json_object_get(list, "items");

	if (!json_is_array(items))
		return err_set(e, ERR_CLUSTER, "kubectl get %s: not a list", kind);
	*out = json_incref(items);
	return 0;
}

int kubectl_apply(struct kubectl *k, const json_t *objects, enum kubectl_apply_mode mode, json_t **out, struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, "apply");
	CLEANUP(buf_wipe) struct buf input = BUF_INIT(OUTPUT_MAX);
	auto_json json_t *answered = NULL;

	if (json_is_array(objects) && json_array_size(objects) == 0)
		return out ? (*out = json_array(), 0) : 0;
	strv_push(&c.args, "--server-side");
	strv_push(&c.args, FIELD_MANAGER);
	strv_push(&c.args, "--filename=-");
	strv_push(&c.args, "--output=json");
	if (mode == KUBECTL_DRY_RUN)
		strv_push(&c.args, "--dry-run=server");
	if (mode != KUBECTL_APPLY)
		strv_push(&c.args, "--force-conflicts");
	if (input_of(objects, &input, e) < 0)
		return -1;
	if (kubectl_call_run(&c, k, &input, e) < 0)
		return err_wrap(e, "kubectl apply");
	if (c.status != 0)
		return kubectl_call_failed(&c, "apply", e);
	if (!out)
		return 0;
	if (answer(&c, "kubectl apply", &answered, e) < 0)
		return -1;
	return as_array(answered, out);
}

/* create and replace: the object on stdin, its new state in out (may be NULL). */
static int put(struct kubectl *k, const char *verb, const json_t *object, const char *meanwhile, json_t **out,
	       struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, verb);
	CLEANUP(buf_wipe) struct buf input = BUF_INIT(OUTPUT_MAX);

	strv_push(&c.args, "--filename=-");
	strv_push(&c.args, "--output=json");
	strv_push(&c.args, FIELD_MANAGER);
	if (input_of(object, &input, e) < 0)
		return -1;
	if (kubectl_call_run(&c, k, &input, e) < 0)
		return err_wrap(e, "kubectl %s", verb);
	if (c.status != 0 && kubectl_call_says(&c, meanwhile))
		return 1;
	if (c.status != 0)
		return kubectl_call_failed(&c, verb, e);
	return out ? answer(&c, verb, out, e) : 0;
}

int kubectl_create(struct kubectl *k, const json_t *object, json_t **out, struct err *e)
{
	return put(k, "create", object, "(AlreadyExists)", out, e);
}

int kubectl_replace(struct kubectl *k, const json_t *object, json_t **out, struct err *e)
{
	return put(k, "replace", object, "(Conflict)", out, e);
}

/* As a bare request: kubectl's own look at an object first reads what not everybody may. */
int kubectl_review(struct kubectl *k, const char *resource, const json_t *object, json_t **out, struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, "create");
	auto_buf struct buf input = BUF_INIT(OUTPUT_MAX);

	strv_pushf(&c.args, "--raw=/apis/authorization.k8s.io/v1/%s", resource);
	strv_push(&c.args, "--filename=-");
	if (jdoc_dump(object, &input, e) < 0)
		return -1;
	if (kubectl_call_run(&c, k, &input, e) < 0)
		return err_wrap(e, "kubectl create");
	return c.status != 0 ? kubectl_call_failed(&c, "create", e) : answer(&c, "kubectl create", out, e);
}

int kubectl_patch(struct kubectl *k, const char *kind, const char *ns, const char *name, const json_t *patch, struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, "patch");
	auto_buf struct buf input = BUF_INIT(OUTPUT_MAX);

	strv_push(&c.args, kind);
	strv_push(&c.args, name);
	strv_push(&c.args, "--type=merge");
	strv_push(&c.args, "--patch-file=/dev/stdin");
	strv_push(&c.args, FIELD_MANAGER);
	kubectl_call_namespace(&c, ns);
	if (jdoc_dump(patch, &input, e) < 0 || kubectl_call_run(&c, k, &input, e) < 0)
		return err_wrap(e, "kubectl patch %s %s", kind, name);
	return c.status != 0 ? kubectl_call_failed(&c, "patch", e) : 0;
}

int kubectl_delete(struct kubectl *k, const char *kind, const char *ns, const char *name, struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, "delete");

	strv_push(&c.args, kind);
	strv_push(&c.args, name);
	strv_push(&c.args, "--ignore-not-found");
	kubectl_call_namespace(&c, ns);
	if (kubectl_call_run(&c, k, NULL, e) < 0)
		return err_wrap(e, "kubectl delete %s %s", kind, name);
	return c.status != 0 ? kubectl_call_failed(&c, "delete", e) : 0;
}

int kubectl_logs(struct kubectl *k, const char *ns, const char *pod, const char *container, unsigned lines,
		 struct buf *out, struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, "logs");

	strv_push(&c.args, pod);
	strv_pushf(&c.args, "--tail=%u", lines);
	if (container)
		strv_pushf(&c.args, "--container=%s", container);
	kubectl_call_namespace(&c, ns);
	if (kubectl_call_run(&c, k, NULL, e) < 0)
		return err_wrap(e, "kubectl logs %s", pod);
	if (c.status != 0)
		return kubectl_call_failed(&c, "logs", e);
	return buf_add(out, c.out.ptr, c.out.len, e);
}
