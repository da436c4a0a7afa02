/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that were slow, or gave no answer at all. */
#include "http_wire.h"

struct http_trouble {
	char *host;
	bool told, down;
	uint64_t silent_at;             /* when a silence ended, with no answer since; 0 = none */
	struct err why;                 /* when down */
};

void troubles_init(struct http_troubles *t)
{
	*t = (struct http_troubles){ .lock = PTHREAD_MUTEX_INITIALIZER };
}

void troubles_release(struct http_troubles *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->items[i].host);
	free(t->items);
	pthread_mutex_destroy(&t->lock);
}

static struct http_trouble *of_host(struct http_troubles *t, const struct url *u)
{
	auto_free char *host = url_host(u);

	for (size_t i = 0; i < t->n; i++)
		if (str_eq(t->items[i].host, host))
			return &t->items[i];
	GROW(t->items, t->n);
	t->items[t->n] = (struct http_trouble){ .host = TAKE(host) };
	return &t->items[t->n++];
}

int troubles_check(struct http_troubles *t, const struct url *u, struct err *e)
{
	pthread_mutex_lock(&t->lock);

	struct http_trouble *x = of_host(t, u);
	bool down = x->down;

	if (down)
		*e = x->why;
	pthread_mutex_unlock(&t->lock);
	return down ? -1 : 0;
}

void troubles_add(struct http_troubles *t, const struct url *u, const struct err *why)
{
	pthread_mutex_lock(&t->lock);

	struct http_trouble *x = of_host(t, u);

	if (!x->down)
		x->why = *why;
	x->down = true;
	pthread_mutex_unlock(&t->lock);
}

bool troubles_silent(struct http_troubles *t, const struct url *u, uint64_t stall_ms)
{
	uint64_t now = wire_now();

	pthread_mutex_lock(&t->lock);

	struct http_trouble *x = of_host(t, u);
	bool again = x->silent_at && now - stall_ms / 2 >= x->silent_at;

	if (!x->silent_at)
		x->silent_at = now;
	pthread_mutex_unlock(&t->lock);
	return again;
}

void troubles_answered(struct http_troubles *t, const struct url *u)
{
	pthread_mutex_lock(&t->lock);
	of_host(t, u)->silent_at = 0;
	pthread_mutex_unlock(&t->lock);
}

bool troubles_tell(struct http_troubles *t, const struct url *u)
{
	pthread_mutex_lock(&t->lock);

	struct http_trouble *x = of_host(t, u);
	bool told = x->told;

	x->told = true;
	pthread_mutex_unlock(&t->lock);
	return !told;
}
