/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/gitrepo.h>

#include <airgap/fs.h>
#include <airgap/proc.h>

#include "gitrepo_worker.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#define STALL_SECONDS 60u
#define TOTAL_SECONDS (6u * 3600u)      /* of one call, whatever it does */

void gitrepo_refs_release(struct gitrepo_refs *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->items[i].name);
		free(r->items[i].oid);
		free(r->items[i].commit);
	}
	free(r->items);
	free(r->head);
	*r = (struct gitrepo_refs){ 0 };
}

bool gitrepo_is_oid(const char *s)
{
	return strlen(s) == GITREPO_OID && strspn(s, "0123456789abcdef") == GITREPO_OID;
}

bool gitrepo_is_worker(int argc, char **argv)
{
	return argc == 2 && strcmp(argv[1], GITREPO_WORKER) == 0;
}

/* ---- asking the worker */

static void set_text(json_t *j, const char *key, const char *value)
{
	if (value)
		json_object_set_new(j, key, json_string(value));
}

static json_t *remote_request(const char *op, const struct gitrepo_remote *from)
{
	json_t *j = json_object();

	set_text(j, "op", op);
	set_text(j, "url", from->url);
	set_text(j, "username", from->username);
	set_text(j, "password", from->password ? from->password->text : NULL);
	set_text(j, "ca", from->ca_file);
	set_text(j, "proxy", from->proxy);
	json_object_set_new(j, "bytes", json_integer((json_int_t)(from->bytes_max ? from->bytes_max : GITREPO_BYTES_MAX)));
	json_object_set_new(j, "stall", json_integer(from->stall ? from->stall : STALL_SECONDS));
	return j;
}

static json_t *local_request(const char *op, const char *dir)
{
	json_t *j = json_object();

	set_text(j, "op", op);
	set_text(j, "dir", dir);
	return j;
}

static void set_list(json_t *j, const char *key, const struct strv *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(list, json_string(v->items[i]));
	json_object_set_new(j, key, list);
}

/* How a worker ends that could not say why. */
static int explain_end(int status, unsigned stall, struct err *e)
{
	switch (status - 128) {
	case SIGALRM:
		return err_set(e, ERR_DEADLINE, "the server sent nothing for %u seconds", stall);
	case SIGXCPU:
		return err_set(e, ERR_LIMIT, "takes more than %u s of processor time", GITREPO_CPU_SECONDS);
	case SIGXFSZ:
		return err_set(e, ERR_LIMIT, "a file of it has more than %llu bytes", (unsigned long long)GITREPO_BUNDLE_MAX);
	case SIGABRT:
		return err_set(e, ERR_LIMIT, "takes more than %llu bytes of memory", (unsigned long long)GITREPO_MEMORY_MAX);
	}
	if (status > 128)
		return err_set(e, ERR_MALFORMED, "libgit2 could not bear it: killed by signal %d", status - 128);
	return err_set(e, ERR_BUG, "git worker: ended with %d and said nothing", status);
}

static int run_worker(const struct buf *request, struct buf *out, int *status, struct err *e)
{
	static const char *const kept[] = { "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
					    "SSL_CERT_FILE", "SSL_CERT_DIR", "ASAN_OPTIONS", "TSAN_OPTIONS" };
	auto_fd int exe = fs_open("/proc/self/exe", O_RDONLY, 0, e);
	auto_strv struct strv env = { 0 }, argv = { 0 };

	if (exe < 0)
		return -1;
	strv_push(&argv, "bundler");
	strv_push(&argv, GITREPO_WORKER);
	strv_push(&env, "LC_ALL=C");
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (getenv(kept[i]))
			strv_pushf(&env, "%s=%s", kept[i], getenv(kept[i]));

	struct proc p = {
		.argv = argv.items, .env = env.items, .exe_fd = exe, .input = request->ptr,
		.input_len = request->len, .timeout = TOTAL_SECONDS,
	};

	return proc_run(&p, out, status, e);
}

/* The worker's answer; NULL: failed. Takes the request, in which may be a password. */
static json_t *ask(json_t *request, unsigned stall, struct err *e)
{
	auto_json json_t *asked = request, *answer = NULL;
	struct buf text = BUF_INIT(GITREPO_REQUEST_MAX);
	auto_buf struct buf out = BUF_INIT(GITREPO_ANSWER_MAX);
	int status = 0, done = jdoc_dump(asked, &text, e);

	if (done == 0)
		done = run_worker(&text, &out, &status, e);
	buf_wipe(&text);
	if (done < 0)
		return NULL;
	if (!out.len) {
		explain_end(status, stall, e);
		return NULL;
	}
	answer = jdoc_parse(out.ptr, out.len, GITREPO_ANSWER_MAX, "git worker", e);
	if (!answer)
		return NULL;
	if (!jdoc_text(answer, "message", NULL))
		return TAKE(answer);
	err_set(e, (enum err_code)json_integer_value(json_object_get(answer, "code")), "%s", jdoc_text(answer, "message", NULL));
	return NULL;
}

/* For operations that answer nothing but failure. */
static int ask_done(json_t *request, unsigned stall, struct err *e)
{
	auto_json json_t *answer = ask(request, stall, e);

	return answer ? 0 : -1;
}

/* ---- refs */

static struct gitrepo_ref *by_name(const struct gitrepo_refs *refs, const char *name)
{
	for (size_t i = 0; i < refs->n; i++)
		if (strcmp(refs->items[i].name, name) == 0)
			return &refs->items[i];
	return NULL;
}

static void take_ref(struct gitrepo_refs *out, const char *name, const char *oid)
{
	static const char peeled[] = "^{}";

	/* The line behind an annotated tag says what it is a tag of. */
	if (str_ends(name, peeled)) {
		if (out->n && strncmp(out->items[out->n - 1].name, name, strlen(name) - strlen(peeled)) == 0) {
			free(out->items[out->n - 1].commit);
			out->items[out->n - 1].commit = xstrdup(oid);
		}
		return;
	}
	GROW(out->items, out->n);
	out->items[out->n++] = (struct gitrepo_ref){ xstrdup(name), xstrdup(oid), xstrdup(oid) };
}

int gitrepo_list(const struct gitrepo_remote *from, struct gitrepo_refs *out, struct err *e)
{
	auto_json json_t *answer = ask(remote_request("list", from), from->stall ? from->stall : STALL_SECONDS, e);
	auto_gitrepo_refs struct gitrepo_refs refs = { 0 };
	const json_t *item;
	size_t i;

	if (!answer)
		return -1;
	json_array_foreach(json_object_get(answer, "refs"), i, item) {
		const char *name = jdoc_text(item, "name", NULL), *oid = jdoc_text(item, "oid", NULL);

		if (name && oid && (str_starts(name, "refs/heads/") || str_starts(name, "refs/tags/")))
			take_ref(&refs, name, oid);
	}

	const char *head = jdoc_text(answer, "head", NULL);

	refs.head = head && by_name(&refs, head) ? xstrdup(head) : NULL;
	*out = refs;
	refs = (struct gitrepo_refs){ 0 };
	return 0;
}

static const struct gitrepo_ref *default_branch(const struct gitrepo_refs *refs, struct err *e)
{
	if (refs->head)
		return by_name(refs, refs->head);
	err_set(e, ERR_USAGE, "has no default branch: name a ref");
	return NULL;
}

static const char *short_name(const char *name)
{
	return name + strlen(str_starts(name, "refs/tags/") ? "refs/tags/" : "refs/heads/");
}

static void no_ref(const struct gitrepo_refs *refs, const char *name, struct err *e)
{
	auto_free const char **names = xcalloc(refs->n + 1, sizeof(*names));

	for (size_t i = 0; i < refs->n; i++)
		names[i] = short_name(refs->items[i].name);

	const char *near = strv_nearest(names, name);

	err_set(e, ERR_USAGE, "has no branch and no tag '%s'%s%s%s", name, near ? ": did you mean '" : "", near ? near : "",
		near ? "'?" : "");
}

const struct gitrepo_ref *gitrepo_find(const struct gitrepo_refs *refs, const char *name, struct err *e)
{
	if (!name)
		return default_branch(refs, e);

	auto_free char *branch_name = xasprintf("refs/heads/%s", name), *tag_name = xasprintf("refs/tags/%s", name);
	const struct gitrepo_ref *full = by_name(refs, name), *branch = by_name(refs, branch_name);
	const struct gitrepo_ref *tag = by_name(refs, tag_name);

	if (full)
		return full;
	if (branch && tag && strcmp(branch->commit, tag->commit) != 0) {
		err_set(e, ERR_USAGE, "'%s' is a branch and a tag: write %s or %s", name, branch_name, tag_name);
		return NULL;
	}
	if (!branch && !tag)
		no_ref(refs, name, e);
	return tag ? tag : branch;
}

/* ---- objects */

int gitrepo_fetch(const struct gitrepo_remote *from, const char *dir, const struct strv *oids, struct err *e)
{
	json_t *request = remote_request("fetch", from);

	set_text(request, "dir", dir);
	set_list(request, "oids", oids);
	return ask_done(request, from->stall ? from->stall : STALL_SECONDS, e);
}

int gitrepo_export(const char *dir, const char *commit, const char *path, const char *to, struct err *e)
{
	json_t *request = local_request("export", dir);

	set_text(request, "commit", commit);
	set_text(request, "path", path);
	set_text(request, "to", to);
	return ask_done(request, 0, e);
}

int gitrepo_bundle(const char *dir, const struct strv *refs, const char *to, struct err *e)
{
	json_t *request = local_request("bundle", dir);

	set_list(request, "refs", refs);
	set_text(request, "to", to);
	return ask_done(request, 0, e);
}

/* ---- the worker: a process of its own */

/* Addresses are not limited under a sanitizer, whose shadow takes terabytes of them. */
static int limit_self(struct err *e)
{
	const struct { int what; rlim_t value; } limits[] = {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		{ RLIMIT_AS, GITREPO_MEMORY_MAX },
#endif
		{ RLIMIT_CPU, GITREPO_CPU_SECONDS }, { RLIMIT_FSIZE, GITREPO_BUNDLE_MAX }, { RLIMIT_CORE, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct rlimit l;

		if (getrlimit((__rlimit_resource_t)limits[i].what, &l) < 0)
			return err_sys(e, "cannot limit itself");
		l.rlim_cur = l.rlim_max = MIN(l.rlim_max, limits[i].value);
		if (setrlimit((__rlimit_resource_t)limits[i].what, &l) < 0)
			return err_sys(e, "cannot limit itself");
	}
	return 0;
}

static int serve(json_t *answer, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(GITREPO_REQUEST_MAX);
	auto_json json_t *request = NULL;

	if (limit_self(e) < 0 || buf_read_fd(&text, 0, e) < 0)
		return -1;
	request = jdoc_parse(buf_str(&text), text.len, GITREPO_REQUEST_MAX, "request", e);
	return request ? gitrepo_serve(request, answer, e) : -1;
}

int gitrepo_worker(void)
{
	struct err e = { 0 }, ignored;
	auto_json json_t *answer = json_object();
	auto_buf struct buf out = BUF_INIT(GITREPO_ANSWER_MAX);

	if (serve(answer, &e) < 0) {
		json_object_clear(answer);
		json_object_set_new(answer, "code", json_integer(e.code));
		json_object_set_new(answer, "message", json_string(e.msg));
		/* A name out of a repository need not be text. */
		if (!json_object_get(answer, "message"))
			json_object_set_new(answer, "message", json_string("an error whose text is no UTF-8"));
	}
	alarm(0);
	return jdoc_dump(answer, &out, &ignored) < 0 || fs_write_all(1, out.ptr, out.len, &ignored) < 0;
}
