/* SPDX-License-Identifier: Apache-2.0 */
#include "credential_file.h"

#include <airgap/digest.h>
#include <airgap/fs.h>
#include <airgap/json.h>
#include <airgap/proc.h>

#define FILE_MAX    (1u << 20)
#define HELPER_MAX  65536u
#define HELPER_TIME 30u

struct auth_file {
	char *path;
	bool must_exist;
	json_t *doc;            /* NULL: absent */
};

/* An answer of a helper: asked once per server. */
struct helped {
	char *helper, *server;
	bool found;
	struct credential answer;
};

struct auth_files {
	struct auth_file *files;
	size_t n_files;
	bool loaded;
	struct helped *helped;
	size_t n_helped;
};

bool credential_is_hub(const char *host)
{
	return str_eq(host, "docker.io") || str_eq(host, "index.docker.io") || str_eq(host, "registry-1.docker.io");
}

void credential_keys(const char *host, const char *repository, struct strv *out)
{
	auto_free char *path = xstrdup(repository);

	while (*path) {
		strv_pushf(out, "%s/%s", host, path);

		char *slash = strrchr(path, '/');

		*(slash ? slash : path) = '\0';
	}
	strv_push(out, host);
	if (credential_is_hub(host)) {
		strv_push(out, "https://index.docker.io/v1/");
		strv_push(out, "index.docker.io");
		strv_push(out, "registry-1.docker.io");
	}
	strv_pushf(out, "https://%s", host);
	strv_pushf(out, "https://%s/", host);
	strv_pushf(out, "https://%s/v1/", host);
	strv_pushf(out, "https://%s/v2/", host);
	strv_pushf(out, "http://%s", host);
}

/* ---- the files ---- */

static void add_file(struct auth_files *f, const char *dir, const char *name, bool must_exist)
{
	if (!dir || !*dir)
		return;
	GROW(f->files, f->n_files);
	f->files[f->n_files++] = (struct auth_file){
		.path = name ? fs_join(dir, name) : xstrdup(dir),
		.must_exist = must_exist,
	};
}

static void add_home_file(struct auth_files *f, const char *name)
{
	add_file(f, getenv("HOME"), name, false);
}

struct auth_files *auth_files_new(void)
{
	struct auth_files *f = xcalloc(1, sizeof(*f));
	const char *config = getenv("XDG_CONFIG_HOME"), *docker = getenv("DOCKER_CONFIG");
	const char *helm = getenv("HELM_REGISTRY_CONFIG");

	add_file(f, getenv("REGISTRY_AUTH_FILE"), NULL, true);
	add_file(f, docker, "config.json", false);
	add_file(f, getenv("XDG_RUNTIME_DIR"), "containers/auth.json", false);
	if (config && *config)
		add_file(f, config, "containers/auth.json", false);
	else
		add_home_file(f, ".config/containers/auth.json");
	if (!docker || !*docker)
		add_home_file(f, ".docker/config.json");
	if (helm && *helm)
		add_file(f, helm, NULL, false);
	else if (config && *config)
		add_file(f, config, "helm/registry/config.json", false);
	else
		add_home_file(f, ".config/helm/registry/config.json");
	return f;
}

void auth_files_free(struct auth_files *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_files; i++) {
		free(f->files[i].path);
		json_decref(f->files[i].doc);
	}
	for (size_t i = 0; i < f->n_helped; i++) {
		free(f->helped[i].helper);
		free(f->helped[i].server);
		credential_release(&f->helped[i].answer);
	}
	free(f->files);
	free(f->helped);
	free(f);
}

static int load_file(struct auth_file *f, struct err *e)
{
	CLEANUP(buf_wipe) struct buf b = BUF_INIT(FILE_MAX);
	int there = fs_exists(f->path, e);

	if (there < 0)
		return -1;
	if (!there && !f->must_exist)
		return 0;
	if (!there)
		return err_set(e, ERR_USAGE, "REGISTRY_AUTH_FILE names '%s', which is not there", f->path);
	if (fs_load(f->path, FILE_MAX, &b, e) < 0)
		return -1;
	f->doc = jdoc_parse(b.ptr, b.len, FILE_MAX, f->path, e);
	if (!f->doc)
		return -1;
	if (!json_is_object(f->doc))
		return err_set(e, ERR_MALFORMED, "%s: not an object", f->path);
	return 0;
}

static int load_all(struct auth_files *f, struct err *e)
{
	if (f->loaded)
		return 0;
	for (size_t i = 0; i < f->n_files; i++)
		if (!f->files[i].doc && load_file(&f->files[i], e) < 0)
			return -1;
	f->loaded = true;
	return 0;
}

/* ---- one entry ---- */

/* "user:password" out of base64. */
static int split_auth(const char *text, const struct auth_file *f, struct credential *out, struct err *e)
{
	size_t n = strlen(text), len = 0;
	CLEANUP(buf_wipe) struct buf b = BUF_INIT(HELPER_MAX);

	if (n > HELPER_MAX / 2 || buf_reserve(&b, n + 4, e) < 0 ||
	    !base64_decode(text, n, (uint8_t *)b.ptr, &len) || memchr(b.ptr, '\0', len))
		return err_set(e, ERR_MALFORMED, "%s: an 'auth' is not base64 of user:password", f->path);
	b.len = len;
	b.ptr[len] = '\0';

	char *colon = strchr(b.ptr, ':');

	if (!colon)
		return err_set(e, ERR_MALFORMED, "%s: an 'auth' is not base64 of user:password", f->path);
	*colon = '\0';
	out->username = xstrdup(b.ptr);
	secret_set(&out->secret, colon + 1);
	return 1;
}

static int from_entry(const json_t *entry, const struct auth_file *f, struct credential *out, struct err *e)
{
	const char *auth = jdoc_text(entry, "auth", NULL), *user = jdoc_text(entry, "username", NULL);
	const char *password = jdoc_text(entry, "password", NULL);
	const char *identity = jdoc_text(entry, "identitytoken", NULL);
	const char *bearer = jdoc_text(entry, "registrytoken", NULL);
	int rc = 0;

	if ((identity && *identity) || (bearer && *bearer)) {
		bool is_identity = identity && *identity;

		out->kind = is_identity ? CREDENTIAL_IDENTITY : CREDENTIAL_BEARER;
		secret_set(&out->secret, is_identity ? identity : bearer);
		rc = 1;
	} else if (auth && *auth) {
		rc = split_auth(auth, f, out, e);
	} else if (user && *user && password) {
		out->username = xstrdup(user);
		secret_set(&out->secret, password);
		rc = 1;
	}
	if (rc > 0)
		out->origin = xasprintf("file '%s'", f->path);
	return rc;
}

/* ---- helpers ---- */

static bool suffix_ok(const char *s)
{
	size_t n = strlen(s);

	return n && n < 100 &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

static int read_answer(const struct buf *out, const char *program, struct credential *c, struct err *e)
{
	auto_json json_t *j = jdoc_parse(out->ptr, out->len, HELPER_MAX, program, e);
	const char *user = jdoc_text(j, "Username", NULL), *secret = jdoc_text(j, "Secret", NULL);

	if (!j)
		return -1;
	if (!user || !secret)
		return err_set(e, ERR_MALFORMED, "%s: the answer has no Username and Secret", program);
	c->kind = str_eq(user, "<token>") ? CREDENTIAL_IDENTITY : CREDENTIAL_BASIC;
	c->username = xstrdup(user);
	c->origin = xasprintf("program %s", program);
	secret_set(&c->secret, secret);
	return *secret ? 1 : 0;
}

static int run_helper(const char *suffix, const char *server, struct credential *c, struct err *e)
{
	auto_free char *program = xasprintf("docker-credential-%s", suffix);
	auto_free char *input = xasprintf("%s\n", server);
	CLEANUP(buf_wipe) struct buf out = BUF_INIT(HELPER_MAX);
	char *argv[] = { program, (char[]){ "get" }, NULL };
	struct proc p = { .argv = argv, .input = input, .input_len = strlen(input), .timeout = HELPER_TIME };
	int status = 0;

	if (buf_reserve(&out, HELPER_MAX, e) < 0)       /* no copies left behind by growth */
		return -1;
	if (proc_run(&p, &out, &status, e) < 0) {
		if (e->code == ERR_PREFLIGHT)
			e->code = ERR_AUTH;
		return err_wrap(e, "credentials of '%s'", server);
	}
	if (status == 0)
		return read_answer(&out, program, c, e);
	if (strstr(buf_str(&out), "credentials not found"))
		return 0;
	return err_set(e, ERR_AUTH, "credentials of '%s': %s exited with %d: %s", server, program, status, p.tail);
}

static int from_helper(struct auth_files *f, const struct auth_file *file, const char *suffix, const char *server,
		       struct credential *out, struct err *e)
{
	struct helped *h = NULL;

	if (!suffix_ok(suffix))
		return err_set(e, ERR_UNSAFE, "%s: '%s' is no name of a credential helper", file->path, suffix);
	for (size_t i = 0; i < f->n_helped && !h; i++)
		if (str_eq(f->helped[i].helper, suffix) && str_eq(f->helped[i].server, server))
			h = &f->helped[i];
	if (!h) {
		CLEANUP(credential_release) struct credential c = { 0 };
		int rc = run_helper(suffix, server, &c, e);

		if (rc < 0)
			return -1;
		GROW(f->helped, f->n_helped);
		h = &f->helped[f->n_helped++];
		*h = (struct helped){ xstrdup(suffix), xstrdup(server), rc > 0, c };
		c = (struct credential){ 0 };
	}
	if (!h->found)
		return 0;
	out->kind = h->answer.kind;
	out->username = xstrdup(h->answer.username);
	out->origin = xstrdup(h->answer.origin);
	secret_set(&out->secret, h->answer.secret.text);
	return 1;
}

static int find_in(struct auth_files *f, const struct auth_file *file, const char *host, const struct strv *keys,
		   struct credential *out, struct err *e)
{
	const char *server = credential_is_hub(host) ? "https://index.docker.io/v1/" : host;
	const json_t *auths = json_object_get(file->doc, "auths");
	const char *helper = NULL, *store = jdoc_text(file->doc, "credsStore", NULL);

	for (size_t i = 0; i < keys->n && !helper; i++)
		helper = jdoc_text(file->doc, "credHelpers", keys->items[i], NULL);
	if (helper)
		return from_helper(f, file, helper, server, out, e);
	for (size_t i = 0; i < keys->n; i++) {
		int rc = from_entry(json_object_get(auths, keys->items[i]), file, out, e);

		if (rc)
			return rc;
	}
	return store && *store ? from_helper(f, file, store, server, out, e) : 0;
}

int auth_files_find(struct auth_files *f, const char *host, const char *repository, struct credential *out,
		    struct err *e)
{
	auto_strv struct strv keys = { 0 };

	if (load_all(f, e) < 0)
		return -1;
	credential_keys(host, repository, &keys);
	for (size_t i = 0; i < f->n_files; i++) {
		int rc = f->files[i].doc ? find_in(f, &f->files[i], host, &keys, out, e) : 0;

		if (rc)
			return rc;
	}
	return 0;
}
