/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/pool.h>

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

/* What all workers of one call share; everything below `lock` belongs to it. */
struct pool {
	pool_fn fn;
	void *ctx;
	struct pool_node *nodes;        /* NULL: plain items in order */
	size_t n;
	struct err *e;
	pthread_mutex_t lock;
	pthread_cond_t changed;         /* a node has ended */
	size_t next;                    /* plain: the next item */
	size_t running;                 /* graph: nodes under way */
	size_t failed;                  /* the lowest failed item, SIZE_MAX = none */
};

struct worker {
	struct pool *pool;
	unsigned number;
	pthread_t thread;
};

/* ---- which item is next; called with the lock held, false = nothing is left for this worker */

static bool next_plain(struct pool *p, size_t *item)
{
	if (p->failed != SIZE_MAX || p->next == p->n)
		return false;
	*item = p->next++;
	return true;
}

static enum pool_state needs_state(const struct pool *p, const struct pool_node *node)
{
	enum pool_state state = POOL_DONE;

	for (size_t i = 0; i < node->n_needs; i++) {
		enum pool_state need = p->nodes[node->needs[i]].state;

		if (need == POOL_FAILED || need == POOL_SKIPPED)
			return POOL_SKIPPED;
		if (need != POOL_DONE)
			state = POOL_WAITING;
	}
	return state;
}

/* The first node whose needs are done; nodes that can never start are marked on the way.
 * A mark may concern a node already passed, so the scan repeats until nothing changes. */
static bool find_ready(struct pool *p, size_t *item)
{
	bool marked;

	do {
		marked = false;
		for (size_t i = 0; i < p->n; i++) {
			if (p->nodes[i].state != POOL_WAITING)
				continue;

			enum pool_state state = needs_state(p, &p->nodes[i]);

			if (state == POOL_DONE) {
				*item = i;
				return true;
			}
			if (state == POOL_SKIPPED) {
				p->nodes[i].state = POOL_SKIPPED;
				marked = true;
			}
		}
	} while (marked);
	return false;
}

static bool next_node(struct pool *p, size_t *item)
{
	while (!find_ready(p, item)) {
		/* Nothing is ready and nothing runs: what waits was skipped, since there is no cycle. */
		if (!p->running)
			return false;
		pthread_cond_wait(&p->changed, &p->lock);
	}
	p->nodes[*item].state = POOL_RUNNING;
	p->running++;
	return true;
}

/* ---- workers */

static void note_end(struct pool *p, size_t item, int r, const struct err *e)
{
	if (r < 0 && item < p->failed) {
		p->failed = item;
		*p->e = *e;
	}
	if (p->nodes) {
		p->nodes[item].state = r < 0 ? POOL_FAILED : POOL_DONE;
		p->running--;
		pthread_cond_broadcast(&p->changed);
	}
}

static void *worker_run(void *arg)
{
	const struct worker *w = arg;
	struct pool *p = w->pool;
	size_t item;

	pthread_mutex_lock(&p->lock);
	while (p->nodes ? next_node(p, &item) : next_plain(p, &item)) {
		struct err e = { 0 };

		pthread_mutex_unlock(&p->lock);

		int r = p->fn(p->ctx, w->number, item, &e);

		pthread_mutex_lock(&p->lock);
		note_end(p, item, r, &e);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Threads take no signals: those of the terminal are for the calling thread. */
static unsigned start_threads(struct pool *p, struct worker *workers, unsigned jobs)
{
	sigset_t all, before;
	unsigned n = 1;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (; n < jobs; n++) {
		workers[n] = (struct worker){ .pool = p, .number = n };
		if (pthread_create(&workers[n].thread, NULL, worker_run, &workers[n]) != 0)
			break;  /* fewer will do it too */
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return n;
}

static int pool_run(struct pool *p, unsigned jobs)
{
	jobs = (unsigned)MIN((size_t)MAX(jobs, 1u), MAX(p->n, 1u));

	auto_free struct worker *workers = xcalloc(jobs, sizeof(*workers));

	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	workers[0].pool = p;

	unsigned n = start_threads(p, workers, jobs);

	worker_run(&workers[0]);
	for (unsigned i = 1; i < n; i++)
		pthread_join(workers[i].thread, NULL);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	return p->failed == SIZE_MAX ? 0 : -1;
}

int pool_each(unsigned jobs, size_t n, pool_fn fn, void *ctx, struct err *e)
{
	struct pool p = { .fn = fn, .ctx = ctx, .n = n, .e = e, .failed = SIZE_MAX };

	return pool_run(&p, jobs);
}

static size_t waiting_need(const struct pool *p, size_t item)
{
	for (size_t i = 0; i < p->nodes[item].n_needs; i++)
		if (p->nodes[p->nodes[item].needs[i]].state == POOL_WAITING)
			return p->nodes[item].needs[i];
	return SIZE_MAX;
}

/* Every node that is left waits for another that is left: n steps along such needs end on a cycle. */
static int name_cycle(struct pool *p, size_t item, struct err *e)
{
	for (size_t i = 0; i < p->n; i++)
		item = waiting_need(p, item);
	for (size_t next; (next = waiting_need(p, item)) != SIZE_MAX; item = next)
		p->nodes[item].state = POOL_FAILED;
	p->nodes[item].state = POOL_FAILED;
	return err_set(e, ERR_MALFORMED, "item %zu waits for itself: its needs form a cycle", item);
}

/* Marks done whatever can be done; what is left over stands on a cycle or behind one. */
static int check_no_cycle(struct pool *p, struct err *e)
{
	size_t item;

	for (size_t i = 0; i < p->n; i++) {
		p->nodes[i].state = POOL_WAITING;
		for (size_t j = 0; j < p->nodes[i].n_needs; j++)
			if (p->nodes[i].needs[j] >= p->n)
				return err_set(e, ERR_BUG, "item %zu needs an item that is not there", i);
	}
	while (find_ready(p, &item))
		p->nodes[item].state = POOL_DONE;
	for (size_t i = 0; i < p->n; i++)
		if (p->nodes[i].state == POOL_WAITING)
			return name_cycle(p, i, e);
	for (size_t i = 0; i < p->n; i++)
		p->nodes[i].state = POOL_WAITING;
	return 0;
}

int pool_graph(unsigned jobs, struct pool_node *nodes, size_t n, pool_fn fn, void *ctx, struct err *e)
{
	struct pool p = { .fn = fn, .ctx = ctx, .nodes = nodes, .n = n, .e = e, .failed = SIZE_MAX };

	if (n == 0)
		return 0;
	if (check_no_cycle(&p, e) < 0)
		return -1;
	return pool_run(&p, jobs);
}

unsigned pool_jobs(void)
{
	cpu_set_t set;
	unsigned n = 2;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = (unsigned)CPU_COUNT(&set);
	return MIN(MAX(n, 2u), 8u);
}

/* ---- buffers: a stack of free ones, so that the memory touched last is used first */

struct buffers {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	size_t count, size;
	size_t made, n_free;            /* made <= count: allocated so far */
	uint8_t **free;                 /* n_free of them */
};

struct buffers *buffers_new(size_t count, size_t size)
{
	struct buffers *b = xcalloc(1, sizeof(*b));

	assert(count > 0);
	b->count = count;
	b->size = size;
	b->free = xcalloc(count, sizeof(*b->free));
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->freed, NULL);
	return b;
}

uint8_t *buffers_get(struct buffers *b)
{
	uint8_t *p;

	pthread_mutex_lock(&b->lock);
	while (!b->n_free && b->made == b->count)
		pthread_cond_wait(&b->freed, &b->lock);
	if (b->n_free) {
		p = b->free[--b->n_free];
	} else {
		p = xmalloc(b->size);
		b->made++;
	}
	pthread_mutex_unlock(&b->lock);
	return p;
}

void buffers_put(struct buffers *b, uint8_t *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&b->lock);
	assert(b->n_free < b->made);
	b->free[b->n_free++] = p;
	pthread_cond_signal(&b->freed);
	pthread_mutex_unlock(&b->lock);
}

void buffers_free(struct buffers *b)
{
	if (!b)
		return;
	assert(b->n_free == b->made);
	for (size_t i = 0; i < b->n_free; i++)
		free(b->free[i]);
	free(b->free);
	pthread_cond_destroy(&b->freed);
	pthread_mutex_destroy(&b->lock);
	free(b);
}
