/* SPDX-License-Identifier: Apache-2.0 */
#include "crew.h"

#include <airgap/log.h>
#include <airgap/proc.h>

#include <pthread.h>

#define LARGE (UINT64_C(64) << 20)      /* from here a blob is fetched in parts */
#define PART  (UINT64_C(32) << 20)      /* whole frames */

/* A blob its owner is at work on. */
struct task {
	size_t blob, way;
	bool open;              /* others may take parts: the source keeps to ranges */
	unsigned helpers;
	char *etag;
	struct err wrong;       /* the verdict, when a helper got it: ERR_DIGEST */
};

struct crew {
	struct bundle_writer *writer;
	struct fetcher *fetcher;
	const struct lock *lock;
	pthread_mutex_t mutex;  /* of all below */
	pthread_cond_t changed;
	struct task **tasks;
	size_t n_tasks;
	unsigned owners;
};

struct crew *crew_new(struct bundle_writer *w, struct fetcher *f, const struct lock *l)
{
	struct crew *c = xcalloc(1, sizeof(*c));

	*c = (struct crew){ .writer = w, .fetcher = f, .lock = l };
	pthread_mutex_init(&c->mutex, NULL);
	pthread_cond_init(&c->changed, NULL);
	return c;
}

void crew_free(struct crew *c)
{
	if (!c)
		return;
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->mutex);
	free(c->tasks);
	free(c);
}

void crew_enter(struct crew *c)
{
	pthread_mutex_lock(&c->mutex);
	c->owners++;
	pthread_mutex_unlock(&c->mutex);
}

void crew_leave(struct crew *c)
{
	pthread_mutex_lock(&c->mutex);
	c->owners--;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
}

/* ---- bytes on their way into parts */

struct part_sink {
	struct crew *crew;
	struct task *task;
	struct bundle_part part;
	uint64_t at;            /* of the content: the next byte that comes */
	bool whole;             /* they come to the end, whatever the part is */
	bool failed;            /* not the source's fault: no other source will do better */
};

/* Where the bytes go on: the next part behind them, if there is one. 1: bytes are wanted here or later. 0: no more. */
static int next_part(struct part_sink *s, struct err *e)
{
	if (s->part.work)
		return 1;
	return s->whole ? bundle_part_take(s->crew->writer, s->task->blob, s->at, UINT64_MAX, &s->part, e) : 0;
}

static int put(struct part_sink *s, const uint8_t *p, size_t n, struct err *e)
{
	struct bundle_writer *w = s->crew->writer;

	while (n) {
		int more = next_part(s, e);
		size_t take = n;

		if (more < 0)
			return -1;
		if (more && s->at < s->part.at) {
			take = (size_t)MIN(n, s->part.at - s->at);
		} else if (more) {
			take = (size_t)MIN(n, s->part.end - s->at);
			if (bundle_part_add(w, &s->part, p, take, e) < 0)
				return -1;
			progress_add(take);
			if (s->part.at == s->part.end)
				bundle_part_end(w, &s->part);
		}
		s->at += take;
		p += take;
		n -= take;
	}
	return 0;
}

static int part_write(void *ctx, const void *p, size_t n, struct err *e)
{
	struct part_sink *s = ctx;

	if (proc_interrupted) {
		s->failed = true;
		return err_set(e, ERR_DEADLINE, "interrupted");
	}
	if (put(s, p, n, e) == 0)
		return 0;
	s->failed = e->code != ERR_DIGEST;
	return -1;
}

/* The owner learns from its own part how the source takes ranges. */
static int part_begin(void *ctx, bool whole, const char *etag, struct err *e)
{
	struct part_sink *s = ctx;
	struct crew *c = s->crew;

	s->whole |= whole;
	pthread_mutex_lock(&c->mutex);
	s->task->open = !s->whole;
	if (s->task->open && !s->task->etag && etag)
		s->task->etag = xstrdup(etag);
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
	return 0;
}

/* ---- the owner */

/* One part, or all that is left of a small blob; the part is taken already. */
static int fetch_own(struct part_sink *s, const char *etag, struct err *e)
{
	const struct lock_blob *b = &s->crew->lock->blobs[s->task->blob];
	const struct sink to = { part_write, s };
	struct http_range range = { .offset = s->part.at };

	s->at = s->part.at;
	if (b->size >= LARGE) {
		range.end = s->part.end;
		range.etag = etag;
		range.begin = part_begin;
		range.ctx = s;
	} else {
		s->whole = true;
	}
	return fetch_range(s->crew->fetcher, b, s->task->way, &range, &to, e);
}

static bool is_wrong(struct crew *c, struct task *t)
{
	pthread_mutex_lock(&c->mutex);

	bool wrong = t->wrong.code != ERR_NONE;

	pthread_mutex_unlock(&c->mutex);
	return wrong;
}

/* Takes parts until none is left. 1: so it is. 0: the source failed. -1: give up. */
static int fetch_parts(struct crew *c, struct task *t, struct err *e)
{
	uint64_t most = c->lock->blobs[t->blob].size >= LARGE ? PART : UINT64_MAX;
	int more, r = 0;

	do {
		struct part_sink s = { .crew = c, .task = t };

		more = is_wrong(c, t) ? 0 : bundle_part_take(c->writer, t->blob, 0, most, &s.part, e);
		if (more > 0)
			r = fetch_own(&s, t->etag, e);
		if (more > 0 && r == 0 && s.part.work)
			r = err_set(e, ERR_DIGEST, "ended at byte %llu of %llu", (unsigned long long)s.at,
				    (unsigned long long)s.part.end);
		bundle_part_end(c->writer, &s.part);
		if (r < 0)
			return s.failed || proc_interrupted ? -1 : 0;
	} while (more > 0);
	return more < 0 ? -1 : 1;
}

static void begin(struct crew *c, struct task *t)
{
	pthread_mutex_lock(&c->mutex);
	GROW(c->tasks, c->n_tasks);
	c->tasks[c->n_tasks++] = t;
	pthread_mutex_unlock(&c->mutex);
}

/* Until nobody has a part of it; what the helpers found wrong comes first. */
static void wait_for_helpers(struct crew *c, struct task *t, struct err *wrong)
{
	pthread_mutex_lock(&c->mutex);
	t->open = false;
	while (t->helpers)
		pthread_cond_wait(&c->changed, &c->mutex);
	*wrong = t->wrong;
	t->wrong.code = ERR_NONE;
	pthread_mutex_unlock(&c->mutex);
}

static void end(struct crew *c, struct task *t)
{
	pthread_mutex_lock(&c->mutex);
	for (size_t i = 0; i < c->n_tasks; i++)
		if (c->tasks[i] == t)
			c->tasks[i] = c->tasks[--c->n_tasks];
	pthread_mutex_unlock(&c->mutex);
	free(t->etag);
}

/* What helpers gave back is left to the owner, so it goes round until all is there. */
int crew_fetch(struct crew *c, size_t blob, size_t way, struct err *e)
{
	struct task t = { .blob = blob, .way = way };
	struct err wrong = { 0 };
	int r = 1;

	begin(c, &t);
	while (r > 0 && wrong.code == ERR_NONE && !bundle_writer_complete(c->writer, blob)) {
		r = fetch_parts(c, &t, e);
		wait_for_helpers(c, &t, &wrong);
	}
	end(c, &t);
	if (r < 0 || bundle_writer_complete(c->writer, blob))
		return r < 0 ? -1 : 1;
	if (wrong.code != ERR_NONE)
		*e = wrong;
	return 0;
}

/* ---- helpers */

/* A part of some open blob, in *s; its task counts us. */
static bool find_part(struct crew *c, struct part_sink *s, char **etag)
{
	struct err ignored;

	for (size_t i = 0; i < c->n_tasks; i++) {
		struct task *t = c->tasks[i];

		if (!t->open || bundle_part_take(c->writer, t->blob, 0, PART, &s->part, &ignored) != 1)
			continue;
		t->helpers++;
		s->task = t;
		*etag = t->etag ? xstrdup(t->etag) : NULL;
		return true;
	}
	return false;
}

/* A failure closes the blob to helpers for now: its owner finds out what to make of the source. */
static void help_once(struct part_sink *s, const char *etag)
{
	struct crew *c = s->crew;
	const struct lock_blob *b = &c->lock->blobs[s->task->blob];
	const struct http_range range = { .offset = s->part.at, .end = s->part.end, .etag = etag };
	const struct sink to = { part_write, s };
	struct err e = { 0 };
	int r;

	s->at = s->part.at;
	r = fetch_range(c->fetcher, b, s->task->way, &range, &to, &e);
	bundle_part_end(c->writer, &s->part);
	if (r < 0)
		log_debug("a part of a blob: %s", e.msg);
	pthread_mutex_lock(&c->mutex);
	if (r < 0)
		s->task->open = false;
	if (r < 0 && e.code == ERR_DIGEST)
		s->task->wrong = e;
	s->task->helpers--;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
}

void crew_help(struct crew *c)
{
	pthread_mutex_lock(&c->mutex);
	while (c->owners && !proc_interrupted) {
		struct part_sink s = { .crew = c };
		auto_free char *etag = NULL;

		if (!find_part(c, &s, &etag)) {
			pthread_cond_wait(&c->changed, &c->mutex);
			continue;
		}
		pthread_mutex_unlock(&c->mutex);
		help_once(&s, etag);
		pthread_mutex_lock(&c->mutex);
	}
	pthread_mutex_unlock(&c->mutex);
}
