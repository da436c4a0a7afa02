/*
 * pool - threads: do n things, a few at once; a graph of things; a fixed set of big buffers.
 *
 * Work items own their data. The calling thread takes part, so jobs = 1 starts no thread.
 */
#pragma once

#include <airgap/err.h>

/* item 0..n-1 in order of start; worker 0..jobs-1 names the thread. */
typedef int (*pool_fn)(void *ctx, unsigned worker, size_t item, struct err *e);

/* 0: all done. -1: the error of the failed item with the lowest number; items not yet started are left out;
 * those under way are finished first. */
int pool_each(unsigned jobs, size_t n, pool_fn fn, void *ctx, struct err *e) MUST_CHECK;

/* A graph: item i starts when all items in needs[i] are done. A failed item stops only those that
 * need it. state[i] out: POOL_DONE, POOL_FAILED or POOL_SKIPPED (a need failed). Returns -1 with the
 * error of the lowest failed item. A cycle is ERR_MALFORMED before anything starts; the items on it
 * (and no others) then are POOL_FAILED, so that the caller can name them. */
enum pool_state { POOL_WAITING, POOL_RUNNING, POOL_DONE, POOL_FAILED, POOL_SKIPPED };
struct pool_node { const size_t *needs; size_t n_needs; enum pool_state state; };
int pool_graph(unsigned jobs, struct pool_node *nodes, size_t n, pool_fn fn, void *ctx, struct err *e) MUST_CHECK;

/* The default of --jobs: processors we may run on, 2 to 8. */
unsigned pool_jobs(void);

/* count buffers of size bytes each; get waits for a free one. Memory is touched only as it is used. */
struct buffers;
struct buffers *buffers_new(size_t count, size_t size);
uint8_t *buffers_get(struct buffers *b);
void buffers_put(struct buffers *b, uint8_t *p);        /* NULL is fine */
void buffers_free(struct buffers *b);                   /* all must be back */
