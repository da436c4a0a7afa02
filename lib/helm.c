/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/helm.h>

#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/proc.h>
#include <airgap/yaml.h>

#include "helm_post.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define RENDER_SECONDS  120u
#define QUERY_SECONDS   60u
#define OVERRUN_SECONDS 60u     /* beyond --timeout: helm's own clean-up (standards §4.9) */
#define OUTPUT_MAX      (64u << 20)

/* Argument vectors of helm: "helm COMMAND ...", with the release's namespace. */

static void start_args(const struct helm *h, struct strv *a, const char *command)
{
	strv_push(a, h->path ? h->path : "helm");
	strv_push(a, command);
}

static void cluster_args(const struct helm *h, struct strv *a)
{
	if (h->context)
		strv_pushf(a, "--kube-context=%s", h->context);
}

static void helm_env(const struct helm *h, bool cluster, const char *plugins, struct strv *env)
{
	static const char *const folders[] = { "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME",
					       "HELM_REPOSITORY_CACHE", "TMPDIR", "HOME" };
	static const char *const inside[] = { "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT" };
	const char *path = getenv("PATH");

	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		strv_pushf(env, "%s=%s", folders[i], h->home);
	strv_pushf(env, "HELM_PLUGINS=%s", plugins ? plugins : h->home);
	strv_pushf(env, "HELM_REGISTRY_CONFIG=%s/registry.json", h->home);
	strv_pushf(env, "HELM_REPOSITORY_CONFIG=%s/repositories.yaml", h->home);
	strv_push(env, "HELM_NO_PLUGINS=1");
	strv_push(env, "LC_ALL=C");
	if (path)
		strv_pushf(env, "PATH=%s", path);
	/* A render must not find a cluster by accident. Without a kubeconfig: the cluster we run in. */
	if (!cluster || h->kubeconfig)
		strv_pushf(env, "KUBECONFIG=%s", cluster ? h->kubeconfig : "/dev/null");
	for (size_t i = 0; cluster && !h->kubeconfig && i < ARRAY_LEN(inside); i++)
		if (getenv(inside[i]))
			strv_pushf(env, "%s=%s", inside[i], getenv(inside[i]));
}

struct call {
	const char *plugins;            /* folder; NULL = there is none */
	struct proc proc;
	int status;
};

static int run(struct helm *h, const struct strv *args, bool cluster, unsigned timeout, struct buf *out,
	       struct call *c, struct err *e)
{
	auto_strv struct strv env = { 0 };

	helm_env(h, cluster, c->plugins, &env);
	c->proc = (struct proc){ .argv = args->items, .env = env.items, .exe_fd = h->fd, .timeout = timeout };
	return proc_run(&c->proc, out, &c->status, e);
}

/* Helm prints "Error: …", perhaps on several lines, after its log; the prefix says nothing. One line. */
static const char *reason(struct call *c)
{
	char *last = strrchr(c->proc.tail, '\n');
	char *text = last && last[1] ? last + 1 : c->proc.tail;
	char *error = strstr(c->proc.tail, "Error: ");

	if (error)
		text = error + strlen("Error: ");
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	return *text ? text : "no message";
}

static bool says(const struct call *c, const char *text)
{
	return strcasestr(c->proc.tail, text) != NULL;
}

int helm_open_fd(struct helm *h, int fd, struct err *e)
{
	h->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (h->fd < 0)
		return err_sys(e, "helm");
	return helm_open(h, NULL, e);
}

int helm_open(struct helm *h, const char *path, struct err *e)
{
	auto_strv struct strv a = { 0 };
	auto_buf struct buf out = BUF_INIT(4096);
	struct call c = { 0 };

	if (h->fd <= 0) {
		h->path = proc_which(path ? path : "helm");
		if (!h->path)
			return err_set(e, ERR_PREFLIGHT, "%s: not found: install helm 3 or 4 or put it on PATH",
				       path ? path : "helm");
	}
	if (fs_temp_dir(NULL, "airgap-helm-", &h->home, e) < 0)
		return -1;
	start_args(h, &a, "version");
	strv_push(&a, "--template={{.Version}}");
	if (run(h, &a, false, QUERY_SECONDS, &out, &c, e) < 0)
		return err_wrap(e, "helm version");

	const char *v = buf_str(&out);

	if (c.status != 0 || v[0] != 'v' || (v[1] != '3' && v[1] != '4') || v[2] != '.')
		return err_set(e, ERR_PREFLIGHT, "%s: not helm 3 or 4 (it says '%.40s')", h->path ? h->path : "helm", v);
	h->major = v[1] - '0';
	h->version = buf_take(&out);
	return 0;
}

void helm_close(struct helm *h)
{
	struct err ignored;

	if (h->home && fs_remove_tree(h->home, &ignored) < 0)
		log_debug("%s", ignored.msg);
	if (h->fd > 0)
		close(h->fd);
	free(h->path);
	free(h->version);
	free(h->home);
	free(h->kubeconfig);
	free(h->context);
	*h = (struct helm){ 0 };
}

/* Values files: 0600, in the private folder, gone when the list is. */

static void remove_files(struct strv *files)
{
	for (size_t i = 0; i < files->n; i++)
		unlink(files->items[i]);
	strv_release(files);
}

static int values_file(const struct helm *h, const json_t *values, struct strv *files, struct strv *args, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OUTPUT_MAX);
	auto_free char *path = xasprintf("%s/values-XXXXXX", h->home);
	auto_fd int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "cannot create '%s'", path);
	strv_push(files, path);
	if (jdoc_dump(values, &text, e) < 0 || fs_write_all(fd, text.ptr, text.len, e) < 0)
		return err_wrap(e, "values");
	strv_pushf(args, "--values=%s", path);
	return 0;
}

static int render_args(const struct helm *h, const struct helm_render *r, struct strv *files, struct strv *a,
		       struct err *e)
{
	strv_push(a, r->release);
	strv_push(a, r->chart);
	strv_pushf(a, "--namespace=%s", r->ns);
	for (size_t i = 0; r->base && r->base[i]; i++)
		if (values_file(h, r->base[i], files, a, e) < 0)
			return -1;
	if (r->values && values_file(h, r->values, files, a, e) < 0)
		return -1;
	return 0;
}

/* What `helm template` prints: documents behind "---", each with "# Source: FILE" in front. */

void helm_objects_release(struct helm_objects *o)
{
	for (size_t i = 0; i < o->n; i++) {
		json_decref(o->items[i].object);
		free(o->items[i].source);
	}
	free(o->items);
	*o = (struct helm_objects){ 0 };
}

static void add_object(struct helm_objects *out, json_t *object, const char *source)
{
	const char *hook = jdoc_text(object, "metadata", "annotations", "helm.sh/hook", NULL);
	struct helm_object o = { .object = json_incref(object), .source = xstrdup(source), .hook = hook != NULL };

	o.test = hook && strstr(hook, "test");
	GROW(out->items, out->n);
	out->items[out->n++] = o;
}

static int add_document(struct helm_objects *out, const char *text, size_t n, const char *source, struct err *e)
{
	auto_json json_t *docs = ydoc_parse_all(text, n, &ydoc_rendered, source, e);
	size_t i, k;
	json_t *doc, *item;

	if (!docs)
		return -1;
	json_array_foreach(docs, i, doc) {
		const char *kind = jdoc_text(doc, "kind", NULL);
		json_t *items = json_object_get(doc, "items");

		if (!json_is_object(doc))
			return err_set(e, ERR_MALFORMED, "%s: not a Kubernetes object", source);
		if (kind && strcmp(kind, "List") == 0 && json_is_array(items)) {
			json_array_foreach(items, k, item)
				add_object(out, item, source);
		} else {
			add_object(out, doc, source);
		}
	}
	return 0;
}

static int parse_rendered(const char *text, struct helm_objects *out, struct err *e)
{
	static const char mark[] = "# Source: ";
	auto_free char *source = xstrdup("rendered");

	while (*text) {
		const char *end = str_starts(text, "---") ? strchrnul(text, '\n') : text;
		const char *next = strstr(end, "\n---");
		size_t n = next ? (size_t)(next + 1 - end) : strlen(end);
		const char *body = end + strspn(end, "\n");

		if (str_starts(body, mark)) {
			const char *name = body + strlen(mark);

			free(source);
			source = xstrndup(name, strcspn(name, "\r\n"));
		}
		if (add_document(out, end, n, source, e) < 0)
			return -1;
		text = end + n;
	}
	return 0;
}

int helm_template(struct helm *h, const struct helm_render *r, struct helm_objects *out, struct err *e)
{
	auto_helm_objects struct helm_objects objects = { 0 };
	CLEANUP(remove_files) struct strv files = { 0 };
	auto_buf struct buf text = BUF_INIT(OUTPUT_MAX);
	auto_strv struct strv a = { 0 };
	struct call c = { 0 };

	start_args(h, &a, "template");
	if (render_args(h, r, &files, &a, e) < 0)
		return -1;
	strv_push(&a, "--include-crds");
	if (r->kube_version)
		strv_pushf(&a, "--kube-version=%s", r->kube_version);
	for (size_t i = 0; r->api_versions && i < r->api_versions->n; i++)
		strv_pushf(&a, "--api-versions=%s", r->api_versions->items[i]);
	if (r->is_upgrade)
		strv_push(&a, "--is-upgrade");
	if (run(h, &a, false, RENDER_SECONDS, &text, &c, e) < 0)
		return err_wrap(e, "helm template %s", r->release);
	if (c.status != 0)
		return err_set(e, says(&c, "chart requires kubeVersion") ? ERR_PREFLIGHT : ERR_MALFORMED,
			       "helm template %s: %s", r->release, reason(&c));
	if (parse_rendered(buf_str(&text), &objects, e) < 0)
		return err_wrap(e, "helm template %s", r->release);
	*out = objects;
	objects = (struct helm_objects){ 0 };
	return 0;
}

/* Releases on a cluster. */

void helm_release_free(struct helm_release *r)
{
	free(r->status);
	free(r->chart);
	free(r->app_version);
	free(r->updated);
	*r = (struct helm_release){ 0 };
}

/* Runs a query; 1 = answered, 0 = no such release. */
static int query(struct helm *h, struct strv *a, const char *what, struct buf *out, struct err *e)
{
	struct call c = { 0 };

	cluster_args(h, a);
	if (run(h, a, true, QUERY_SECONDS, out, &c, e) < 0)
		return err_wrap(e, "helm %s", what);
	if (c.status != 0 && says(&c, "release: not found"))
		return 0;
	if (c.status != 0)
		return err_set(e, says(&c, "is forbidden") ? ERR_AUTH : ERR_CLUSTER, "helm %s: %s", what, reason(&c));
	return 1;
}

/* The filter is a regular expression, and a release's name may have dots. */
static void filter_arg(const char *release, struct strv *a)
{
	auto_buf struct buf name = BUF_INIT(4096);

	for (; *release; release++)
		buf_putf(&name, *release == '.' ? "[%c]" : "%c", *release);
	strv_pushf(a, "--filter=^%s$", buf_str(&name));
}

static int read_release(const json_t *first, struct helm_release *out, struct err *e)
{
	const char *revision = jdoc_text(first, "revision", NULL), *status = jdoc_text(first, "status", NULL);
	const char *chart = jdoc_text(first, "chart", NULL), *app = jdoc_text(first, "app_version", NULL);
	const char *updated = jdoc_text(first, "updated", NULL);
	struct helm_release r = { 0 };

	if (!revision || !status || !chart || !u64_parse(revision, &r.revision))
		return err_set(e, ERR_CLUSTER, "helm list: unexpected answer");
	r.status = xstrdup(status);
	r.chart = xstrdup(chart);
	r.app_version = xstrdup(app ? app : "");
	r.updated = xstrdup(updated ? updated : "");
	*out = r;
	return 1;
}

/* `helm list` gives chart and revision without the whole manifest. 1, 0, -1 as query. */
static int list(struct helm *h, struct strv *a, json_t **out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OUTPUT_MAX);

	strv_push(a, "--output=json");
	if (h->major == 3)
		strv_push(a, "--all");  /* helm 4 shows every state anyway and dropped the flag */

	int found = query(h, a, "list", &text, e);

	if (found <= 0)
		return found;
	*out = jdoc_parse(text.ptr, text.len, OUTPUT_MAX, "helm list", e);
	return *out ? 1 : -1;
}

int helm_status(struct helm *h, const char *release, const char *ns, struct helm_release *out, struct err *e)
{
	auto_strv struct strv a = { 0 };
	auto_json json_t *found = NULL;

	start_args(h, &a, "list");
	strv_pushf(&a, "--namespace=%s", ns);
	filter_arg(release, &a);

	int there = list(h, &a, &found, e);

	if (there <= 0)
		return there;
	return json_array_size(found) ? read_release(json_array_get(found, 0), out, e) : 0;
}

int helm_list(struct helm *h, const char *ns, json_t **out, struct err *e)
{
	auto_strv struct strv a = { 0 };
	auto_json json_t *found = NULL;

	start_args(h, &a, "list");
	if (ns)
		strv_pushf(&a, "--namespace=%s", ns);
	else
		strv_push(&a, "--all-namespaces");
	strv_push(&a, "--max=0");       /* else 256 */
	if (list(h, &a, &found, e) < 0)
		return -1;
	if (!json_is_array(found))
		return err_set(e, ERR_CLUSTER, "helm list: unexpected answer");
	*out = TAKE(found);
	return 0;
}

int helm_get_values(struct helm *h, const char *release, const char *ns, json_t **out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OUTPUT_MAX);
	auto_strv struct strv a = { 0 };

	start_args(h, &a, "get");
	strv_push(&a, "values");
	strv_push(&a, release);
	strv_pushf(&a, "--namespace=%s", ns);
	strv_push(&a, "--output=json");

	int found = query(h, &a, "get values", &text, e);

	if (found <= 0)
		return found;

	json_t *values = jdoc_parse(text.ptr, text.len, OUTPUT_MAX, "helm get values", e);

	if (!values)
		return -1;
	*out = values;
	return 1;
}

int helm_get_manifest(struct helm *h, const char *release, const char *ns, struct helm_objects *out, struct err *e)
{
	auto_helm_objects struct helm_objects objects = { 0 };
	auto_buf struct buf text = BUF_INIT(OUTPUT_MAX);
	auto_strv struct strv a = { 0 };

	start_args(h, &a, "get");
	strv_push(&a, "manifest");
	strv_push(&a, release);
	strv_pushf(&a, "--namespace=%s", ns);

	int found = query(h, &a, "get manifest", &text, e);

	if (found <= 0)
		return found;
	if (parse_rendered(buf_str(&text), &objects, e) < 0)
		return err_wrap(e, "helm get manifest %s", release);
	*out = objects;
	objects = (struct helm_objects){ 0 };
	return 1;
}

static enum err_code failure_code(const struct call *c)
{
	static const struct { const char *text; enum err_code code; } rows[] = {
		{ "another operation", ERR_CONFLICT },
		{ "invalid ownership metadata", ERR_CONFLICT },
		{ "conflict", ERR_CONFLICT },
		{ "cluster unreachable", ERR_CLUSTER },
		{ "timed out", ERR_NOT_READY },
		{ "deadline exceeded", ERR_NOT_READY },
		{ "not ready", ERR_NOT_READY },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (says(c, rows[i].text))
			return rows[i].code;
	return ERR_CLUSTER;
}

/* Helm 4 applies on the server and refuses fields that somebody else changed meanwhile; helm 3 takes them back. What
 * the release says holds, with both. A release that helm 3 made is taken over to the server's way. */
static void force_args(const struct helm *h, struct strv *a)
{
	if (h->major >= 4) {
		strv_push(a, "--server-side=true");
		strv_push(a, "--force-conflicts");
	}
}

static int change(struct helm *h, const struct strv *a, const char *what, const char *release, unsigned timeout,
		  const char *plugins, struct err *e)
{
	struct call c = { .plugins = plugins };

	/* helm's --timeout counts anew for hooks before, the wait, and hooks after. */
	if (run(h, a, true, 3 * MIN(timeout, 1u << 28) + OVERRUN_SECONDS, NULL, &c, e) < 0)
		return err_wrap(e, "helm %s %s", what, release);
	if (c.status != 0)
		return err_set(e, failure_code(&c), "helm %s %s: %s", what, release, reason(&c));
	return 0;
}

int helm_upgrade(struct helm *h, const struct helm_install *in, struct err *e)
{
	CLEANUP(helm_post_release) struct helm_post_files post = { 0 };
	CLEANUP(remove_files) struct strv files = { 0 };
	auto_strv struct strv a = { 0 };

	start_args(h, &a, "upgrade");
	strv_push(&a, "--install");
	if (render_args(h, &in->render, &files, &a, e) < 0 || (in->post && helm_post_prepare(h, in->post, &post, &a, e) < 0))
		return -1;
	cluster_args(h, &a);
	force_args(h, &a);
	strv_push(&a, "--history-max=10");
	strv_push(&a, "--wait");
	strv_push(&a, "--wait-for-jobs");
	strv_pushf(&a, "--timeout=%us", in->timeout);
	if (in->take_ownership)
		strv_push(&a, "--take-ownership");
	return change(h, &a, "upgrade", in->render.release, in->timeout, post.dir, e);
}

int helm_rollback(struct helm *h, const char *release, const char *ns, uint64_t revision, unsigned timeout, struct err *e)
{
	auto_strv struct strv a = { 0 };

	start_args(h, &a, "rollback");
	strv_push(&a, release);
	strv_pushf(&a, "%llu", (unsigned long long)revision);
	strv_pushf(&a, "--namespace=%s", ns);
	cluster_args(h, &a);
	force_args(h, &a);
	strv_push(&a, "--wait");
	strv_push(&a, "--wait-for-jobs");
	strv_pushf(&a, "--timeout=%us", timeout);
	return change(h, &a, "rollback", release, timeout, NULL, e);
}

int helm_uninstall(struct helm *h, const char *release, const char *ns, unsigned timeout, struct err *e)
{
	auto_strv struct strv a = { 0 };

	start_args(h, &a, "uninstall");
	strv_push(&a, release);
	strv_pushf(&a, "--namespace=%s", ns);
	cluster_args(h, &a);
	strv_push(&a, "--ignore-not-found");
	strv_push(&a, "--wait");
	strv_pushf(&a, "--timeout=%us", timeout);
	return change(h, &a, "uninstall", release, timeout, NULL, e);
}
