/*
 * stream - where bytes come from and where they go, as one function each.
 */
#pragma once

#include <airgap/buf.h>
#include <airgap/digest.h>

#include <sys/types.h>

/* Takes all n bytes or fails. */
struct sink {
	int (*write)(void *ctx, const void *p, size_t n, struct err *e);
	void *ctx;
};

/* Up to n bytes; 0 = end; -1 = failed. rewind (may be NULL) starts again at byte `at`. */
struct source {
	ssize_t (*read)(void *ctx, void *p, size_t n, struct err *e);
	int (*seek)(void *ctx, uint64_t at, struct err *e);
	void *ctx;
};

/* Random access, for the verifier and its tests (format: a read hook). */
struct source_at {
	int (*read)(void *ctx, void *p, size_t n, uint64_t at, struct err *e); /* all n bytes or -1 */
	void *ctx;
	uint64_t size;
};

/* Passes bytes on and hashes and counts them; more than `limit` bytes is ERR_LIMIT. */
struct hash_sink { struct hash hash; struct sink to; uint64_t count, limit; };
int hash_sink_write(void *hash_sink, const void *p, size_t n, struct err *e);

/* Sinks on what we have. buf_sink's ctx is a struct buf, fd_sink's an int*. */
int buf_sink_write(void *buf, const void *p, size_t n, struct err *e);
int fd_sink_write(void *fd, const void *p, size_t n, struct err *e);

struct source_at source_at_fd(int *fd, uint64_t size);  /* the int must outlive it */

/* Sources on what we have; the argument must outlive them. */
struct mem_source { const void *p; size_t n, at; };
struct source source_mem(struct mem_source *m);
struct source_at source_at_mem(struct mem_source *m);   /* m->at does not matter */
struct source source_fd(int *fd);                       /* seeks only where the descriptor can */
