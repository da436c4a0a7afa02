/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/pool.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define JOBS 4u

struct counts {
	atomic_uint started[200];
	atomic_uint worker_most;
	atomic_int fail_from;           /* items from here on fail; -1 none */
};

static int count_item(void *ctx, unsigned worker, size_t item, struct err *e)
{
	struct counts *c = ctx;
	unsigned most = atomic_load(&c->worker_most);

	while (worker > most && !atomic_compare_exchange_weak(&c->worker_most, &most, worker))
		;
	atomic_fetch_add(&c->started[item], 1);
	if (c->fail_from >= 0 && item >= (size_t)c->fail_from)
		return err_set(e, ERR_NETWORK, "item %zu", item);
	return 0;
}

TEST(every_item_is_done_once)
{
	for (unsigned jobs = 0; jobs <= 8; jobs++) {
		struct counts c = { .fail_from = -1 };
		struct err e = { 0 };

		assert_ok(pool_each(jobs, ARRAY_LEN(c.started), count_item, &c, &e), e);
		for (size_t i = 0; i < ARRAY_LEN(c.started); i++)
			assert_int_equal(c.started[i], 1);
		assert_true(c.worker_most < MAX(jobs, 1u));
	}
}

TEST(nothing_to_do_is_done)
{
	struct err e = { 0 };

	assert_ok(pool_each(JOBS, 0, count_item, NULL, &e), e);
	assert_ok(pool_graph(JOBS, NULL, 0, count_item, NULL, &e), e);
}

TEST(the_lowest_failure_is_reported_and_later_items_are_left_out)
{
	for (unsigned jobs = 1; jobs <= 8; jobs++) {
		struct counts c = { .fail_from = 20 };
		struct err e = { 0 };
		unsigned started = 0;

		assert_err(pool_each(jobs, ARRAY_LEN(c.started), count_item, &c, &e), e, ERR_NETWORK);
		assert_string_equal(e.msg, "item 20");
		for (size_t i = 0; i < ARRAY_LEN(c.started); i++)
			started += c.started[i];
		assert_true(started >= 21 && started <= 20 + jobs);
	}
}

TEST(one_job_stays_in_the_calling_thread)
{
	struct counts c = { .fail_from = -1 };
	struct err e = { 0 };

	assert_ok(pool_each(1, 10, count_item, &c, &e), e);
	assert_int_equal(c.worker_most, 0);
}

static int raise_signal(void *ctx, unsigned worker, size_t item, struct err *e)
{
	sigset_t set;

	if (worker == 0)
		return 0;
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	return sigismember(&set, SIGINT) ? 0 : err_set(e, ERR_BUG, "a worker would take signals");
}

TEST(workers_take_no_signals)
{
	struct err e = { 0 };

	assert_ok(pool_each(JOBS, 100, raise_signal, NULL, &e), e);
}

/* ---- graphs */

struct graph_log {
	pthread_mutex_t lock;
	const struct pool_node *nodes;
	bool done[64];
	size_t n_done, fails;           /* the item that fails; SIZE_MAX = none */
};

static int run_node(void *ctx, unsigned worker, size_t item, struct err *e)
{
	struct graph_log *g = ctx;
	int r = 0;

	pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < g->nodes[item].n_needs; i++)
		if (!g->done[g->nodes[item].needs[i]])
			r = err_set(e, ERR_BUG, "item %zu came too early", item);
	if (r == 0 && item == g->fails)
		r = err_set(e, ERR_NOT_READY, "item %zu", item);
	if (r == 0) {
		g->done[item] = true;
		g->n_done++;
	}
	pthread_mutex_unlock(&g->lock);
	return r;
}

/*   0   1      5 stands alone
 *   | \ |
 *   2   3
 *    \ /
 *     4          */
static const size_t needs2[] = { 0 }, needs3[] = { 0, 1 }, needs4[] = { 2, 3 };
static const struct pool_node diamond[] = {
	{ NULL, 0, 0 }, { NULL, 0, 0 }, { needs2, 1, 0 }, { needs3, 2, 0 }, { needs4, 2, 0 }, { NULL, 0, 0 },
};

static int run_diamond(unsigned jobs, struct pool_node nodes[ARRAY_LEN(diamond)], struct graph_log *g, struct err *e)
{
	memcpy(nodes, diamond, sizeof(diamond));
	g->nodes = nodes;
	pthread_mutex_init(&g->lock, NULL);
	return pool_graph(jobs, nodes, ARRAY_LEN(diamond), run_node, g, e);
}

TEST(a_graph_runs_in_the_order_of_its_needs)
{
	for (unsigned jobs = 1; jobs <= 8; jobs++) {
		struct pool_node nodes[ARRAY_LEN(diamond)];
		struct graph_log g = { .fails = SIZE_MAX };
		struct err e = { 0 };

		assert_ok(run_diamond(jobs, nodes, &g, &e), e);
		assert_int_equal(g.n_done, ARRAY_LEN(diamond));
		for (size_t i = 0; i < ARRAY_LEN(diamond); i++)
			assert_int_equal(nodes[i].state, POOL_DONE);
	}
}

TEST(a_failure_stops_only_what_needs_it)
{
	static const enum pool_state want[] = {
		POOL_DONE, POOL_FAILED, POOL_DONE, POOL_SKIPPED, POOL_SKIPPED, POOL_DONE,
	};

	for (unsigned jobs = 1; jobs <= 8; jobs++) {
		struct pool_node nodes[ARRAY_LEN(diamond)];
		struct graph_log g = { .fails = 1 };
		struct err e = { 0 };

		assert_err(run_diamond(jobs, nodes, &g, &e), e, ERR_NOT_READY);
		assert_string_equal(e.msg, "item 1");
		for (size_t i = 0; i < ARRAY_LEN(diamond); i++)
			assert_int_equal(nodes[i].state, want[i]);
	}
}

TEST(needs_may_point_forward)
{
	static const size_t next[] = { 1, 2, 3 };
	struct pool_node nodes[] = { { &next[0], 1, 0 }, { &next[1], 1, 0 }, { &next[2], 1, 0 }, { NULL, 0, 0 } };
	struct graph_log g = { .nodes = nodes, .fails = 3, .lock = PTHREAD_MUTEX_INITIALIZER };
	struct err e = { 0 };

	assert_err(pool_graph(2, nodes, 4, run_node, &g, &e), e, ERR_NOT_READY);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(nodes[i].state, POOL_SKIPPED);
	g.fails = SIZE_MAX;
	assert_ok(pool_graph(2, nodes, 4, run_node, &g, &e), e);
	assert_int_equal(g.n_done, 4);
}

TEST(a_cycle_is_refused_before_anything_starts_and_named)
{
	/* 0 free; 1 -> 2 -> 3 -> 2; 4 -> 1 */
	static const size_t to1[] = { 1 }, to2[] = { 0, 2 }, to3[] = { 3 };
	struct pool_node nodes[] = { { NULL, 0, 0 }, { to2, 2, 0 }, { to3, 1, 0 }, { to2, 2, 0 }, { to1, 1, 0 } };
	static const enum pool_state want[] = { POOL_DONE, POOL_WAITING, POOL_FAILED, POOL_FAILED, POOL_WAITING };
	struct graph_log g = { .nodes = nodes, .fails = SIZE_MAX, .lock = PTHREAD_MUTEX_INITIALIZER };
	struct err e = { 0 };

	assert_err(pool_graph(JOBS, nodes, ARRAY_LEN(nodes), run_node, &g, &e), e, ERR_MALFORMED);
	assert_int_equal(g.n_done, 0);
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
		if (nodes[i].state != want[i])
			fail_msg("node %zu: %d", i, (int)nodes[i].state);
}

TEST(a_node_that_needs_itself_is_a_cycle)
{
	static const size_t self[] = { 0 }, absent[] = { 7 };
	struct pool_node node = { self, 1, 0 }, lost = { absent, 1, 0 };
	struct err e = { 0 };

	assert_err(pool_graph(JOBS, &node, 1, run_node, NULL, &e), e, ERR_MALFORMED);
	assert_err(pool_graph(JOBS, &lost, 1, run_node, NULL, &e), e, ERR_BUG);
}

/* ---- buffers */

struct buffer_use {
	struct buffers *buffers;
	atomic_int held, most;
};

static int use_buffer(void *ctx, unsigned worker, size_t item, struct err *e)
{
	struct buffer_use *u = ctx;
	uint8_t *p = buffers_get(u->buffers);
	int held = atomic_fetch_add(&u->held, 1) + 1, most = u->most;

	while (held > most && !atomic_compare_exchange_weak(&u->most, &most, held))
		;
	memset(p, (int)item, 4096);
	nanosleep(&(struct timespec){ 0, 100000 }, NULL);
	for (size_t i = 0; i < 4096; i++)
		if (p[i] != (uint8_t)item)
			return err_set(e, ERR_BUG, "a buffer had two owners");
	atomic_fetch_sub(&u->held, 1);
	buffers_put(u->buffers, p);
	return 0;
}

TEST(buffers_have_one_owner_and_a_number)
{
	struct buffer_use u = { .buffers = buffers_new(2, 4096) };
	struct err e = { 0 };

	assert_ok(pool_each(6, 200, use_buffer, &u, &e), e);
	assert_true(u.most >= 1 && u.most <= 2);
	buffers_put(u.buffers, NULL);
	buffers_free(u.buffers);
	buffers_free(NULL);
}

TEST(the_default_number_of_jobs_is_small)
{
	assert_in_range(pool_jobs(), 2, 8);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_item_is_done_once),
		cmocka_unit_test(nothing_to_do_is_done),
		cmocka_unit_test(the_lowest_failure_is_reported_and_later_items_are_left_out),
		cmocka_unit_test(one_job_stays_in_the_calling_thread),
		cmocka_unit_test(workers_take_no_signals),
		cmocka_unit_test(a_graph_runs_in_the_order_of_its_needs),
		cmocka_unit_test(a_failure_stops_only_what_needs_it),
		cmocka_unit_test(needs_may_point_forward),
		cmocka_unit_test(a_cycle_is_refused_before_anything_starts_and_named),
		cmocka_unit_test(a_node_that_needs_itself_is_a_cycle),
		cmocka_unit_test(buffers_have_one_owner_and_a_number),
		cmocka_unit_test(the_default_number_of_jobs_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
