/* SPDX-License-Identifier: Apache-2.0 */
/* Which token goes with which request: learnt from challenges, cached by scope, fetched once. */
#include "registry_ask.h"

#include <time.h>

uint64_t registry_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void registry_auth_init(struct registry_auth *a)
{
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
}

void registry_auth_release(struct registry_auth *a)
{
	for (size_t i = 0; i < a->n_tokens; i++) {
		free(a->tokens[i]->scope);
		secret_release(&a->tokens[i]->value);
		free(a->tokens[i]);
	}
	free(a->tokens);
	registry_standings_release(a);
	challenge_release(&a->challenge);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
}

/* ---- scopes ---- */

static void own_scopes(const struct registry_scope *s, struct strv *out)
{
	if (s->repository)
		strv_pushf(out, "repository:%s:pull%s", s->repository, s->push ? ",push" : "");
	if (s->from && !str_eq(s->from, s->repository))
		strv_pushf(out, "repository:%s:pull", s->from);
}

/* Every action of `scope` is among those of a listed scope on the same thing. */
static bool is_covered(const struct strv *list, const char *scope)
{
	const char *colon = strrchr(scope, ':');

	if (!colon)
		return false;
	for (size_t i = 0; i < list->n; i++) {
		size_t n = (size_t)(colon - scope) + 1;
		auto_strv struct strv has = { 0 }, wants = { 0 };
		size_t found = 0;

		if (strncmp(list->items[i], scope, n) != 0 || strchr(list->items[i] + n, ':'))
			continue;
		strv_split(&has, list->items[i] + n, ',');
		strv_split(&wants, colon + 1, ',');
		for (size_t k = 0; k < wants.n; k++)
			found += strv_has(&has, wants.items[k]);
		if (found == wants.n)
			return true;
	}
	return false;
}

/* What the challenge says comes first where we would not have asked for it: some servers read one scope only. */
static void add_challenged(const char *scope, struct strv *list)
{
	auto_strv struct strv said = { 0 }, all = { 0 };

	if (!scope)
		return;
	strv_split(&said, scope, ' ');
	for (size_t i = 0; i < said.n && i < 8; i++)
		if (!is_covered(list, said.items[i]))
			strv_push(&all, said.items[i]);
	for (size_t i = 0; i < list->n; i++)
		strv_push(&all, list->items[i]);
	strv_release(list);
	*list = all;
	all = (struct strv){ 0 };
}

/* ---- under the lock ---- */

static struct token *token_of(struct registry_auth *a, const char *scope)
{
	for (size_t i = 0; i < a->n_tokens; i++)
		if (str_eq(a->tokens[i]->scope, scope))
			return a->tokens[i];

	struct token *t = xcalloc(1, sizeof(*t));

	t->scope = xstrdup(scope);
	GROW(a->tokens, a->n_tokens);
	a->tokens[a->n_tokens++] = t;
	return t;
}

static void challenge_copy(const struct challenge *from, struct challenge *to)
{
	challenge_release(to);
	to->scheme = from->scheme;
	to->realm = from->realm ? xstrdup(from->realm) : NULL;
	to->service = from->service ? xstrdup(from->service) : NULL;
}

/* Learns from a 401; the token that was refused is no longer good. */
static int learn(struct registry *r, const struct http_response *refused, const struct secret *used, const char *key,
		 struct challenge *out, struct err *e)
{
	auto_strv struct strv lines = { 0 };

	http_header_all(refused, "www-authenticate", &lines);
	if (!challenge_pick(&lines, out)) {
		http_status_error(refused, r->host, e);
		return -1;
	}
	challenge_copy(out, &r->auth.challenge);
	if (out->scheme == CHALLENGE_BASIC && used->text && str_starts(used->text, "Basic ")) {
		http_status_error(refused, r->host, e);
		return -1;
	}

	struct token *t = token_of(&r->auth, key);

	if (used->text && t->value.text && str_eq(used->text, t->value.text))
		t->good_until = 0;
	return 0;
}

static int find_credential(struct registry *r, const struct registry_scope *s, struct credential *out, struct err *e)
{
	if (!r->credentials)
		return 0;
	return credential_find(r->credentials, r->host, s->repository ? s->repository : "", out, e);
}

/* May it be shown to the registry, and does the registry take it? A refresh token is for token servers only. */
static int check_for_registry(struct registry *r, const struct credential *c, struct err *e)
{
	if (c->kind == CREDENTIAL_IDENTITY)
		return err_set(e, ERR_AUTH, "%s: wants a user and a password: the identity token from %s is for a token server",
			       r->host, c->origin);
	return registry_prove(r, c, e);
}

/* Called and left with the lock held; gives it up while it asks. */
static int basic(struct registry *r, const struct registry_scope *s, struct secret *value, struct err *e)
{
	auto_credential struct credential c = { 0 };

	pthread_mutex_unlock(&r->auth.lock);

	int found = find_credential(r, s, &c, e), proved = 0;

	if (found == 1)
		proved = check_for_registry(r, &c, e);
	pthread_mutex_lock(&r->auth.lock);
	if (found < 0 || proved < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_AUTH, "%s: wants a user and a password, and none are known for it", r->host);
	credential_header(&c, value);
	return 0;
}

/* ---- tokens ---- */

/* A new token, without the lock. */
static int fetch(struct registry *r, const struct registry_scope *s, const struct challenge *c,
		 const struct strv *scopes, struct secret *value, uint64_t *good_until, struct err *e)
{
	auto_credential struct credential who = { 0 };
	auto_secret struct secret text = { 0 };
	uint64_t seconds = 0;
	int found = find_credential(r, s, &who, e);

	if (found < 0)
		return -1;
	if (found && who.kind == CREDENTIAL_BEARER) {
		if (registry_prove(r, &who, e) < 0)
			return -1;
		credential_header(&who, value);
		*good_until = UINT64_MAX;
		return 0;
	}
	if (registry_token_fetch(r, c, scopes, found ? &who : NULL, &text, &seconds, e) < 0)
		return -1;
	secret_setf(value, "Bearer %s", text.text);
	*good_until = registry_now() + seconds * 900;
	return 0;
}

/* Called and left with the lock held; gives it up while it fetches. */
static int bearer(struct registry *r, const struct registry_scope *s, const struct challenge *said, const char *key,
		  struct strv *scopes, struct secret *value, struct err *e)
{
	struct registry_auth *a = &r->auth;
	struct token *t = token_of(a, key);
	auto_challenge struct challenge c = { 0 };
	auto_secret struct secret fresh = { 0 };
	uint64_t good_until = 0;

	while (t->busy)
		pthread_cond_wait(&a->changed, &a->lock);
	if (t->good_until > registry_now()) {
		secret_set(value, t->value.text);
		return 0;
	}
	challenge_copy(&a->challenge, &c);
	if (said)
		add_challenged(said->scope, scopes);
	t->busy = true;
	pthread_mutex_unlock(&a->lock);

	int rc = fetch(r, s, &c, scopes, &fresh, &good_until, e);

	pthread_mutex_lock(&a->lock);
	t->busy = false;
	if (rc == 0) {
		t->good_until = good_until;
		secret_set(&t->value, fresh.text);
		secret_set(value, fresh.text);
	}
	pthread_cond_broadcast(&a->changed);
	return rc;
}

static int authorize_locked(struct registry *r, const struct registry_scope *s, const struct http_response *refused,
			    struct secret *value, struct err *e)
{
	auto_strv struct strv scopes = { 0 };
	auto_challenge struct challenge said = { 0 };

	own_scopes(s, &scopes);

	auto_free char *key = strv_join(&scopes, " ");

	if (refused && learn(r, refused, value, key, &said, e) < 0)
		return -1;
	switch (r->auth.challenge.scheme) {
	case CHALLENGE_BASIC:
		return basic(r, s, value, e);
	case CHALLENGE_BEARER:
		return bearer(r, s, refused ? &said : NULL, key, &scopes, value, e);
	default:
		secret_release(value);
		return 0;
	}
}

int registry_authorize(struct registry *r, const struct registry_scope *s, const struct http_response *refused,
		       struct secret *value, struct err *e)
{
	pthread_mutex_lock(&r->auth.lock);

	int rc = authorize_locked(r, s, refused, value, e);

	pthread_mutex_unlock(&r->auth.lock);
	return rc;
}
