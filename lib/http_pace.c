/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much a host is asked at once, and how fast: an exchange enters before it begins and leaves when it ended.
 *
 * At first START exchanges run at once. While more wait and the host gets faster with more, the limit is doubled, after the
 * first trouble raised by one; trouble (429, 503, silence, no connection) halves it, once for all that ran
 * together. What a host gives is counted in bytes, and an exchange as EXCHANGE bytes more: of small things it is their
 * number that matters. An exchange whose sink blocks is not the host's: it may wait for one that waits to enter.
 */
#include "http_wire.h"

#include <airgap/proc.h>

#include <time.h>

#define START       4u
#define EPOCH_MS    250u
#define EXCHANGE    65536u
#define SINK_MS     250u        /* blocked so long, a sink does not count */
#define LOOK_MS     50u         /* waiters look up that often: for interrupts, holds and blocked sinks */

struct http_pace {
	char *host;
	unsigned limit;
	struct pace_slot *slots;        /* of exchanges under way */
	uint64_t hold_until;            /* nobody enters before */
	uint64_t halved_at;             /* the last trouble; 0 = none yet */
	uint64_t epoch_at, work;        /* since when, and what came since */
	double best;                    /* work in a millisecond at the last limit */
	bool wanted;                    /* somebody waited in this epoch */
	uint64_t rate_at;               /* microseconds: when the next byte may come */
};

void paces_init(struct http_paces *p, unsigned most)
{
	*p = (struct http_paces){ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .most = most };
}

void paces_release(struct http_paces *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->items[i]->host);
		free(p->items[i]);
	}
	free(p->items);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
}

static struct http_pace *of_host(struct http_paces *p, const struct url *u)
{
	auto_free char *host = url_host(u);

	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->items[i]->host, host))
			return p->items[i];

	struct http_pace *fresh = xcalloc(1, sizeof(*fresh));

	fresh->host = TAKE(host);
	fresh->limit = p->most ? MIN(START, p->most) : UINT32_MAX;
	fresh->epoch_at = wire_now();
	GROW(p->items, p->n);
	p->items[p->n++] = fresh;
	return fresh;
}

static unsigned count_busy(const struct http_pace *x, uint64_t now)
{
	unsigned n = 0;

	for (const struct pace_slot *s = x->slots; s; s = s->next) {
		uint64_t since = s->sink_since;

		n += !since || now < since + SINK_MS;
	}
	return n;
}

/* With the lock held, for a moment. */
static void look_away(struct http_paces *p)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += LOOK_MS * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&p->changed, &p->lock, &t);
}

/* Waits for its turn, with the lock held. */
static int wait_turn(struct http_paces *p, struct http_pace *x, uint64_t deadline_at, struct err *e)
{
	for (;;) {
		uint64_t now = wire_now();

		if (proc_interrupted)
			return err_set(e, ERR_DEADLINE, "interrupted");
		if (deadline_at && now > deadline_at)
			return err_set(e, ERR_DEADLINE, "'%s': the time for this is up", x->host);
		if (now >= x->hold_until && count_busy(x, now) < x->limit)
			return 0;
		x->wanted |= now >= x->hold_until;
		look_away(p);
	}
}

int pace_enter(struct http_paces *p, const struct url *u, struct pace_slot *slot, uint64_t deadline_at, struct err *e)
{
	pthread_mutex_lock(&p->lock);

	struct http_pace *x = of_host(p, u);
	int r = wait_turn(p, x, deadline_at, e);

	*slot = (struct pace_slot){ .pace = x, .began = wire_now(), .next = x->slots };
	if (r == 0)
		x->slots = slot;
	pthread_mutex_unlock(&p->lock);
	return r;
}

/* At the end of an epoch in which somebody waited: did the last step bring anything? Else the mark is lowered by and
 * by, so that it is tried again. */
static void consider(struct http_paces *p, struct http_pace *x, uint64_t now)
{
	uint64_t ms = now - x->epoch_at;
	double speed;

	if (ms < EPOCH_MS)
		return;
	speed = (double)x->work / (double)ms;
	if (x->wanted && x->limit < p->most) {
		if (speed > 1.1 * x->best) {
			x->limit = MIN(x->halved_at ? x->limit + 1 : 2 * x->limit, p->most);
			x->best = speed;
		} else {
			x->best -= x->best / 32;
		}
	}
	x->epoch_at = now;
	x->work = 0;
	x->wanted = false;
}

void pace_leave(struct http_paces *p, struct pace_slot *slot, bool trouble)
{
	uint64_t now = wire_now();
	struct http_pace *x = slot->pace;

	pthread_mutex_lock(&p->lock);
	for (struct pace_slot **s = &x->slots; *s; s = &(*s)->next)
		if (*s == slot) {
			*s = slot->next;
			break;
		}
	x->work += EXCHANGE;
	if (trouble && p->most && slot->began >= x->halved_at) {
		x->limit = MAX(x->limit / 2, 1u);
		x->halved_at = now;
	} else if (!trouble) {
		consider(p, x, now);
	}
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* Bytes that came, before they go on: waits as long as the rate demands. */
int pace_bytes(struct http_paces *p, struct pace_slot *slot, size_t n, uint64_t rate, struct err *e)
{
	struct http_pace *x = slot->pace;
	uint64_t now = wire_now() * 1000, at;

	pthread_mutex_lock(&p->lock);
	x->work += n;
	consider(p, x, now / 1000);
	at = MAX(x->rate_at, now);
	if (rate)
		x->rate_at = at + n * 1000000 / rate;
	pthread_mutex_unlock(&p->lock);
	while (rate && at > now) {
		struct timespec t = { .tv_nsec = (long)MIN(at - now, 50000u) * 1000 };

		if (proc_interrupted)
			return err_set(e, ERR_DEADLINE, "interrupted");
		nanosleep(&t, NULL);
		now = wire_now() * 1000;
	}
	return 0;
}

void pace_hold(struct http_paces *p, const struct url *u, uint64_t ms)
{
	pthread_mutex_lock(&p->lock);

	struct http_pace *x = of_host(p, u);

	x->hold_until = MAX(x->hold_until, wire_now() + ms);
	pthread_mutex_unlock(&p->lock);
}

bool pace_room(struct http_paces *p, const struct url *u)
{
	pthread_mutex_lock(&p->lock);

	struct http_pace *x = of_host(p, u);
	uint64_t now = wire_now();
	bool room = now >= x->hold_until && count_busy(x, now) < x->limit;

	pthread_mutex_unlock(&p->lock);
	return room;
}
