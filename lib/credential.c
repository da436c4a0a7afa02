/* SPDX-License-Identifier: Apache-2.0 */
#include "credential_file.h"

#include <airgap/digest.h>
#include <airgap/url.h>

#include <pthread.h>

/* Explicit settings of one host, or of a path on it. */
struct rule {
	char *host, *path;              /* path "" = all of the host */
	char *username, *password, *token;
	bool anonymous, resolved;
	struct credential found;
};

struct credential_set {
	pthread_mutex_t lock;
	struct rule *rules;
	size_t n_rules;
	char *base;
	bool explicit_only;
	struct auth_files *files;
};

/* Variables that belong to known hosts. user_is_token: the token is sent as the user, too. */
static const struct known {
	const char *variable, *host, *path, *user_variable, *user;
	bool user_is_token;
} known[] = {
	{ "CLEARML_DOCKERHUB_TOKEN", "docker.io", "clearml", "CLEARML_DOCKERHUB_USERNAME", "allegroaienterprise", false },
	{ "CLEARML_DOCKERHUB_TOKEN", "docker.io", "allegroai", "CLEARML_DOCKERHUB_USERNAME", "allegroaienterprise", false },
	{ "HELM_REPO_TOKEN", "raw.githubusercontent.com", "clearml", NULL, NULL, true },
	{ "HELM_REPO_TOKEN", "raw.githubusercontent.com", "allegroai", NULL, NULL, true },
	{ "NGC_API_KEY", "nvcr.io", "", NULL, "$oauthtoken", false },
	{ "NGC_API_KEY", "helm.ngc.nvidia.com", "", NULL, "$oauthtoken", false },
};

void credential_release(struct credential *c)
{
	free(c->username);
	secret_release(&c->secret);
	free(c->origin);
	*c = (struct credential){ 0 };
}

static void credential_copy(const struct credential *from, struct credential *to)
{
	to->kind = from->kind;
	to->username = from->username ? xstrdup(from->username) : NULL;
	to->origin = xstrdup(from->origin);
	secret_set(&to->secret, from->secret.text);
}

void credential_header(const struct credential *c, struct secret *out)
{
	auto_secret struct secret pair = { 0 }, text = { 0 };

	if (c->kind != CREDENTIAL_BASIC) {
		secret_setf(out, "Bearer %s", c->secret.text);
		return;
	}
	secret_setf(&pair, "%s:%s", c->username ? c->username : "", c->secret.text);

	size_t n = strlen(pair.text);

	secret_set_take(&text, base64_encode(pair.text, n, xmalloc(base64_size(n) + 1)));
	secret_setf(out, "Basic %s", text.text);
}

static char *copy_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static int rule_set(struct rule *r, const struct credential_host *h, struct err *e)
{
	size_t n = strcspn(h->host, "/");
	auto_free char *host = xstrndup(h->host, n);

	r->host = url_host_normal(host, true);
	if (!r->host)
		return err_set(e, ERR_USAGE, "hosts: '%s' is not a host name with an optional port", h->host);
	if (!h->password != !h->username)
		return err_set(e, ERR_USAGE, "hosts: '%s': username and password belong together", h->host);
	if (h->token && h->username)
		return err_set(e, ERR_USAGE, "hosts: '%s': either a token or a username and a password", h->host);
	r->path = xstrdup(h->host[n] ? h->host + n + 1 : "");
	r->username = copy_or_null(h->username);
	r->password = copy_or_null(h->password);
	r->token = copy_or_null(h->token);
	r->anonymous = h->anonymous;
	return 0;
}

static void rule_release(struct rule *r)
{
	free(r->host);
	free(r->path);
	free(r->username);
	free(r->password);
	free(r->token);
	credential_release(&r->found);
}

struct credential_set *credential_set_new(const struct credential_host *hosts, size_t n, const char *base,
					  bool explicit_only, struct err *e)
{
	auto_credential_set struct credential_set *s = xcalloc(1, sizeof(*s));

	pthread_mutex_init(&s->lock, NULL);
	s->base = copy_or_null(base);
	s->explicit_only = explicit_only;
	s->rules = xcalloc(n, sizeof(*s->rules));
	for (; s->n_rules < n; s->n_rules++)
		if (rule_set(&s->rules[s->n_rules], &hosts[s->n_rules], e) < 0) {
			rule_release(&s->rules[s->n_rules]);
			return NULL;
		}
	return TAKE(s);
}

void credential_set_free(struct credential_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_rules; i++)
		rule_release(&s->rules[i]);
	free(s->rules);
	free(s->base);
	auth_files_free(s->files);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* path is a prefix of repository, by whole components. */
static bool covers(const char *path, const char *repository)
{
	size_t n = strlen(path);

	return !n || (strncmp(repository, path, n) == 0 && (repository[n] == '\0' || repository[n] == '/'));
}

static struct rule *rule_find(struct credential_set *s, const char *host, const char *repository)
{
	struct rule *best = NULL;
	bool hub = credential_is_hub(host);

	for (size_t i = 0; i < s->n_rules; i++) {
		struct rule *r = &s->rules[i];

		if (!str_eq(r->host, host) && !(hub && credential_is_hub(r->host)))
			continue;
		if (!r->username && !r->token && !r->anonymous)
			continue;
		if (covers(r->path, repository) && (!best || strlen(r->path) > strlen(best->path)))
			best = r;
	}
	return best;
}

static bool is_reference(const char *s)
{
	return str_starts(s, "env:") || str_starts(s, "file:");
}

/* What goes into a header as it stands must not end it. Basic is base64, but its first colon ends the user. */
static int check_sendable(const struct credential *c, struct err *e)
{
	if (c->kind == CREDENTIAL_BASIC && c->username && strchr(c->username, ':'))
		return err_set(e, ERR_AUTH, "%s: a username with a ':' cannot be sent", c->origin);
	if (c->kind != CREDENTIAL_BEARER)
		return 0;
	for (const char *p = c->secret.text; *p; p++)
		if (*p <= ' ' || *p > '~')
			return err_set(e, ERR_AUTH, "%s: the token has a blank, a line break or another character that no token has: "
				       "is it cut or pasted wrongly?", c->origin);
	return 0;
}

/* Asked once: a prompt must not come twice. */
static int rule_resolve(struct credential_set *s, struct rule *r, struct err *e)
{
	auto_secret struct secret user = { 0 };
	auto_free char *what = xasprintf("%s of '%s'", r->token ? "token" : "password", r->host);
	auto_free char *who = xasprintf("username of '%s'", r->host);

	if (r->resolved)
		return 0;
	if (r->username && is_reference(r->username)) {
		if (secret_resolve(r->username, s->base, who, &user, e) < 0)
			return -1;
	} else if (r->username) {
		secret_set(&user, r->username);
	}
	if (secret_resolve(r->token ? r->token : r->password, s->base, what, &r->found.secret, e) < 0)
		return -1;
	r->found.kind = r->token ? CREDENTIAL_BEARER : CREDENTIAL_BASIC;
	r->found.username = copy_or_null(user.text);
	r->found.origin = xasprintf("settings of '%s%s%s'", r->host, *r->path ? "/" : "", r->path);
	if (check_sendable(&r->found, e) < 0) {
		credential_release(&r->found);
		return -1;
	}
	r->resolved = true;
	return 0;
}

/* One of the variables that may be missing is. */
static bool is_missing(const char *reference, const struct strv *optional)
{
	const char *name = reference && str_starts(reference, "env:") ? reference + strlen("env:") : NULL;
	const char *value = name ? getenv(name) : NULL;

	return name && optional && strv_has(optional, name) && (!value || !*value);
}

static bool is_due(const struct rule *r, const struct strv *optional)
{
	return (r->username || r->token) && !is_missing(r->username, optional) && !is_missing(r->password, optional) &&
	       !is_missing(r->token, optional);
}

int credential_set_resolve(struct credential_set *s, const struct strv *optional, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_rules && rc == 0; i++)
		if (is_due(&s->rules[i], optional))
			rc = rule_resolve(s, &s->rules[i], e);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int from_rule(struct credential_set *s, struct rule *r, struct credential *out, struct err *e)
{
	if (r->anonymous)
		return 0;
	if (rule_resolve(s, r, e) < 0)
		return -1;
	credential_copy(&r->found, out);
	return 1;
}

static bool from_variable(const char *host, const char *repository, struct credential *out)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		const struct known *k = &known[i];
		const char *value = getenv(k->variable);
		const char *user = k->user_variable ? getenv(k->user_variable) : NULL;

		if (!value || !*value || !str_eq(host, k->host) || !covers(k->path, repository))
			continue;
		if (!user || !*user)
			user = k->user_is_token ? value : k->user;
		out->kind = CREDENTIAL_BASIC;
		out->username = xstrdup(user);
		out->origin = xasprintf("variable %s", k->variable);
		secret_set(&out->secret, value);
		return true;
	}
	return false;
}

static int find_locked(struct credential_set *s, const char *host, const char *repository, struct credential *out,
		       struct err *e)
{
	struct rule *r = rule_find(s, host, repository);

	if (r)
		return from_rule(s, r, out, e);
	if (s->explicit_only)
		return 0;
	if (from_variable(host, repository, out))
		return 1;
	if (!s->files)
		s->files = auth_files_new();
	return auth_files_find(s->files, host, repository, out, e);
}

int credential_find(struct credential_set *s, const char *host, const char *repository, struct credential *out,
		    struct err *e)
{
	const char *name = credential_is_hub(host) ? "docker.io" : host;

	pthread_mutex_lock(&s->lock);

	int rc = find_locked(s, name, repository, out, e);

	pthread_mutex_unlock(&s->lock);
	return rc > 0 && check_sendable(out, e) < 0 ? -1 : rc;
}
