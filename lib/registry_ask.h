/*
 * registry_ask - requests to one registry with the right token; private to lib/registry*.c.
 */
#pragma once

#include <airgap/registry.h>

#include <pthread.h>
#include <stdatomic.h>

/* What a request needs rights for. */
struct registry_scope {
	const char *repository;         /* NULL = the registry itself */
	const char *from;               /* to mount from; NULL */
	bool push;
};

/* A token of one scope. */
struct token {
	char *scope;
	struct secret value;            /* of the Authorization header */
	uint64_t good_until;            /* milliseconds; 0 = not good */
	bool busy;                      /* somebody fetches it */
};

/* What the registry last asked for, and what we got for it. */
struct registry_auth {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct challenge challenge;     /* scheme NONE: nothing asked so far */
	struct token **tokens;
	size_t n_tokens;
	struct standing **standings;    /* registry_standing.c */
	size_t n_standings;
};

enum registry_standing { STANDING_UNKNOWN, STANDING_GOOD, STANDING_REFUSED };

enum registry_referrers_api { REFERRERS_UNKNOWN, REFERRERS_THERE, REFERRERS_ABSENT };

/* registry_quota.c */
struct registry_quota_state {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t limit, left, window;   /* UINT64_MAX = never seen */
	uint64_t reset;                 /* seconds until there is more, as said last; 0 = not said */
	bool looking;                   /* somebody looks whether there is more */
};

struct registry {
	struct http_client *http;
	char *host, *base;              /* as given; "https://host" */
	struct url url;                 /* base, parsed */
	struct credential_set *credentials;
	bool push;
	uint64_t chunk;
	unsigned answer_ms;
	struct registry_auth auth;
	_Atomic uint64_t requests, token_requests, heads, gets, puts, mounts, bytes_in, bytes_out;
	struct registry_quota_state quota;
	bool quota_stop;
	void (*on_quota)(const char *host, const struct registry_quota *q);
	_Atomic int referrers;          /* enum registry_referrers_api */
	pthread_mutex_t referrers_lock; /* held by who asks first */
};

void quota_init(struct registry_quota_state *q);
void quota_release(struct registry_quota_state *q);
void quota_note(struct registry *r, const struct http_response *answer);
bool quota_is_out(struct registry *r);
void quota_take(struct registry *r);            /* a pull goes out */
/* 0: there is something left. -1: ERR_RATE, interrupted, or the registry failed. ref is what would be pulled. */
int quota_wait(struct registry *r, const char *repository, const char *ref, struct err *e) MUST_CHECK;

void registry_auth_init(struct registry_auth *a);
void registry_auth_release(struct registry_auth *a);
/* The Authorization for a request; empty when none is needed. With refused (an answer 401 to *value) the challenge
 * is learnt and a fresh value made. -1: ERR_AUTH, or the token server failed. Any thread. */
int registry_authorize(struct registry *r, const struct registry_scope *s, const struct http_response *refused,
		       struct secret *value, struct err *e) MUST_CHECK;
/* The token server's side (registry_token.c): scopes as a list, first come first. */
int registry_token_fetch(struct registry *r, const struct challenge *c, const struct strv *scopes,
			 const struct credential *who, struct secret *out, uint64_t *seconds, struct err *e) MUST_CHECK;
/* A credential is about to be shown. 1: it was good before. 0: nobody knows: show it, then _end; others wait until then.
 * -1: it was refused before, e says how. Called without the lock. */
int registry_standing_begin(struct registry *r, const struct credential *c, struct err *e) MUST_CHECK;
void registry_standing_end(struct registry *r, const struct credential *c, enum registry_standing is, const struct err *why);
/* -1: the registry refuses these credentials, of whichever repository. Asks it once. */
int registry_prove(struct registry *r, const struct credential *c, struct err *e) MUST_CHECK;
void registry_standings_release(struct registry_auth *a);
/* http's own clock is private to it. */
uint64_t registry_now(void);

struct registry_ask {
	const char *method, *url;
	const char *const *headers;
	const void *body;
	const struct source *source;
	uint64_t body_size;
	struct registry_scope scope;
	struct buf *into;               /* body of a 2xx; cleared before each try */
	bool once;                      /* no second try but after 401 */
	bool pull;                      /* counted, maybe: no second try once nothing is left */
	unsigned answer_ms;
};

/* 0: answer->status says what came of it; a 401 that a new token did not cure is among them. */
int registry_ask(struct registry *r, const struct registry_ask *a, struct http_response *answer, struct err *e) MUST_CHECK;
/* Gives an upload up; what comes of it does not matter. */
void registry_cancel(struct registry *r, const char *url, const char *repository);
/* The error of an unwelcome status. */
int registry_refused(struct registry *r, const struct http_response *answer, const char *subject, struct err *e);
/* ERR_UNSAFE unless the names are legal; ref may be NULL. */
int registry_check_names(const char *repository, const char *ref, struct err *e) MUST_CHECK;
char *registry_subject(const struct registry *r, const char *repository, const char *ref) MUST_CHECK;
/* ERR_DIGEST when the answer names another sha256 than d. */
int registry_check_digest(const struct http_response *answer, const struct digest *d, const char *subject,
			  struct err *e) MUST_CHECK;
