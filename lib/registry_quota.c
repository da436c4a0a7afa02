/* SPDX-License-Identifier: Apache-2.0 */
/* How many manifests a registry still gives us (Docker Hub): what its answers said last, and waiting for more. */
#include "registry_ask.h"

#include <airgap/proc.h>

#include <time.h>

#define POLL_MS  60000u         /* where nothing is said: a look after that, each later one after twice as long, up to */
#define POLL_MAX 900000u
#define WINDOW   21600u         /* seconds, where the registry names no other */
#define WINDOW_MAX 86400u       /* seconds: what a server says beyond that is not believed */

void quota_init(struct registry_quota_state *q)
{
	*q = (struct registry_quota_state){
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .limit = UINT64_MAX, .left = UINT64_MAX,
	};
}

void quota_release(struct registry_quota_state *q)
{
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
}

void quota_note(struct registry *r, const struct http_response *answer)
{
	const char *limit = http_header(answer, "ratelimit-limit"), *left = http_header(answer, "ratelimit-remaining");
	struct registry_quota_state *q = &r->quota;
	const char *reset = http_header(answer, "ratelimit-reset");
	uint64_t n, m, window, again, seconds = 0;

	if (!limit || !left || !rate_limit_parse(limit, &n, &window) || !rate_limit_parse(left, &m, &again))
		return;
	pthread_mutex_lock(&q->lock);
	q->limit = n;
	q->left = answer->status == 429 ? 0 : m;
	q->window = window ? MIN(window, WINDOW_MAX) : WINDOW;
	q->reset = reset && u64_parse(reset, &seconds) ? MIN(seconds, q->window) : 0;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

int registry_quota(struct registry *r, struct registry_quota *out)
{
	struct registry_quota_state *q = &r->quota;
	int known;

	pthread_mutex_lock(&q->lock);
	known = q->left != UINT64_MAX;
	*out = (struct registry_quota){ q->limit, q->left, q->window };
	pthread_mutex_unlock(&q->lock);
	return known;
}

bool quota_is_out(struct registry *r)
{
	struct registry_quota q;

	return registry_quota(r, &q) == 1 && q.left == 0;
}

static bool pause_ms(uint64_t ms)
{
	const struct timespec t = { .tv_nsec = 50000000 };

	for (uint64_t end = registry_now() + ms; registry_now() < end && !proc_interrupted;)
		nanosleep(&t, NULL);
	return !proc_interrupted;
}

/* Let one pull find out. */
static void quota_try(struct registry *r)
{
	pthread_mutex_lock(&r->quota.lock);
	r->quota.left = MAX(r->quota.left, 1u);
	pthread_mutex_unlock(&r->quota.lock);
}

/* One look: a HEAD costs nothing, and its answer says what is left; one that says nothing of it is of an image that is
 * not limited. */
static int look(struct registry *r, const char *repository, const char *ref, struct err *e)
{
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;
	auto_free char *url = xasprintf("%s/v2/%s/manifests/%s", r->base, repository, ref);
	static const char *const accept[] = { "Accept: application/vnd.oci.image.index.v1+json, "
		"application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
		"application/vnd.docker.distribution.manifest.v2+json", NULL };
	const struct registry_ask a = {
		.method = "HEAD", .url = url, .headers = accept, .scope = { repository, NULL, r->push },
	};

	if (registry_ask(r, &a, &answer, e) < 0)
		return -1;
	if (answer.status == 200 && !http_header(&answer, "ratelimit-remaining"))
		quota_try(r);
	return 0;
}

/* One thread looks, the others wait for what it sees. Called and left with the lock held. */
static int wait_locked(struct registry *r, const char *repository, const char *ref, struct err *e)
{
	struct registry_quota_state *q = &r->quota;
	uint64_t wait = POLL_MS, end = registry_now() + q->window * 1000;
	int rc = 0;

	while (q->looking)
		pthread_cond_wait(&q->changed, &q->lock);
	if (q->left > 0)
		return 0;
	q->looking = true;
	if (r->on_quota)
		r->on_quota(r->host, &(struct registry_quota){ q->limit, q->left, q->window });
	while (rc == 0 && q->left == 0) {
		uint64_t ms = q->reset ? q->reset * 1000 : wait;

		pthread_mutex_unlock(&q->lock);
		if (!pause_ms(ms))
			rc = err_set(e, ERR_DEADLINE, "interrupted");
		else if (registry_now() > end)
			quota_try(r);
		else
			rc = look(r, repository, ref, e);
		pthread_mutex_lock(&q->lock);
		wait = MIN(2 * wait, POLL_MAX);
	}
	q->looking = false;
	pthread_cond_broadcast(&q->changed);
	return rc;
}

int quota_wait(struct registry *r, const char *repository, const char *ref, struct err *e)
{
	struct registry_quota_state *q = &r->quota;
	int rc = 0;

	pthread_mutex_lock(&q->lock);
	if (q->left == 0 && r->quota_stop)
		rc = err_set(e, ERR_RATE, "%s: all %llu pulls of %llu h are used: the same command goes on from here, in %llu h at "
			     "the latest; log in for more, or let it wait (--quota wait)", r->host,
			     (unsigned long long)q->limit, (unsigned long long)(q->window + 3599) / 3600,
			     (unsigned long long)(q->window + 3599) / 3600);
	else if (q->left == 0)
		rc = wait_locked(r, repository, ref, e);
	pthread_mutex_unlock(&q->lock);
	return rc;
}

/* A pull that goes out now; what the answer says is the truth. */
void quota_take(struct registry *r)
{
	pthread_mutex_lock(&r->quota.lock);
	if (r->quota.left != UINT64_MAX && r->quota.left > 0)
		r->quota.left--;
	pthread_mutex_unlock(&r->quota.lock);
}
