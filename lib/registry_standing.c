/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry thinks of our credentials. Until that is known one thread at a time shows them: a wrong password that
 * many threads try may lock an account. */
#include "registry_ask.h"

struct standing {
	char *who;
	enum registry_standing is;
	bool busy;
	struct err why;                 /* when refused */
};

void registry_standings_release(struct registry_auth *a)
{
	for (size_t i = 0; i < a->n_standings; i++) {
		free(a->standings[i]->who);
		free(a->standings[i]);
	}
	free(a->standings);
}

static struct standing *standing_of(struct registry_auth *a, const struct credential *c)
{
	auto_free char *who = xasprintf("%s\n%s", c->origin, c->username ? c->username : "");

	for (size_t i = 0; i < a->n_standings; i++)
		if (str_eq(a->standings[i]->who, who))
			return a->standings[i];

	struct standing *s = xcalloc(1, sizeof(*s));

	s->who = TAKE(who);
	GROW(a->standings, a->n_standings);
	a->standings[a->n_standings++] = s;
	return s;
}

int registry_standing_begin(struct registry *r, const struct credential *c, struct err *e)
{
	struct registry_auth *a = &r->auth;
	int known = 1;

	pthread_mutex_lock(&a->lock);

	struct standing *s = standing_of(a, c);

	while (s->busy)
		pthread_cond_wait(&a->changed, &a->lock);
	if (s->is == STANDING_REFUSED) {
		*e = s->why;
		known = -1;
	} else if (s->is == STANDING_UNKNOWN) {
		s->busy = true;
		known = 0;
	}
	pthread_mutex_unlock(&a->lock);
	return known;
}

void registry_standing_end(struct registry *r, const struct credential *c, enum registry_standing is, const struct err *why)
{
	struct registry_auth *a = &r->auth;

	pthread_mutex_lock(&a->lock);

	struct standing *s = standing_of(a, c);

	s->busy = false;
	s->is = is;
	if (is == STANDING_REFUSED)
		s->why = *why;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

bool registry_locked_out(struct registry *r)
{
	bool found = false;

	pthread_mutex_lock(&r->auth.lock);
	for (size_t i = 0; i < r->auth.n_standings; i++)
		found |= r->auth.standings[i]->is == STANDING_REFUSED;
	pthread_mutex_unlock(&r->auth.lock);
	return found;
}

/* 0: not refused here; whether it opens a repository is another question. */
static int try_header(struct registry *r, const struct credential *c, enum registry_standing *is, struct err *e)
{
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;
	auto_buf struct buf body = BUF_INIT(HTTP_TEXT_MAX);
	auto_free char *url = xasprintf("%s/v2/", r->base);
	auto_free char *subject = xasprintf("%s: credentials from %s", r->host, c->origin);
	auto_secret struct secret header = { 0 };
	const struct sink to = { buf_sink_write, &body };
	const struct http_request q = { .url = url, .authorization = &header, .stay = true };
	struct err ignored = { 0 };

	credential_header(c, &header);
	r->requests++;
	if (http_do(r->http, &q, &to, &answer, &ignored) < 0)
		return 0;       /* the request it is wanted for will tell */
	if (answer.status == 200)
		*is = STANDING_GOOD;
	if (answer.status != 401)
		return 0;
	*is = STANDING_REFUSED;
	return http_status_error(&answer, subject, e);
}

int registry_prove(struct registry *r, const struct credential *c, struct err *e)
{
	enum registry_standing is = STANDING_UNKNOWN;
	int known = registry_standing_begin(r, c, e);

	if (known != 0)
		return MIN(known, 0);

	int rc = try_header(r, c, &is, e);

	registry_standing_end(r, c, is, e);
	return rc;
}
