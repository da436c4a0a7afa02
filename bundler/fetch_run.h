/*
 * fetch_run - what the files of the fetcher share. Private to bundler/fetch*.c.
 */
#pragma once

#include "fetch.h"

#include <pthread.h>
#include <sys/stat.h>

/* An archive that was compared with its digest, as the file system knows it. */
struct fetch_archive {
	struct digest digest;
	struct stat st;
};

struct fetcher {
	const struct lock *lock;
	char *dir;
	struct remote *remote;
	pthread_mutex_t archives;       /* one is downloaded and compared at a time, so that none is twice */
	struct fetch_archive *compared; size_t n_compared;
};

/* What makes the whole blob again, while only its end is wanted: a sink that drops the first `skip` bytes. */
struct tail {
	uint64_t skip;
	const struct sink *to;
};
int tail_write(void *tail, const void *p, size_t n, struct err *e);

/* The body at an address, or a part of it; size UINT64_MAX: at most max. */
int fetch_url(struct fetcher *f, const char *address, uint64_t size, uint64_t max, const struct http_range *range,
	      const struct sink *to, struct err *e) MUST_CHECK;

/* fetch_pack.c: a chart made again: a folder on disk or in git, or an archive, with its edits (chart_edit.h). */
int fetch_pack(struct fetcher *f, const struct lock_source *s, uint64_t at, const struct sink *to, struct err *e) MUST_CHECK;
/* fetch_git.c: a git bundle, or a chart's folder, made again. */
int fetch_git(struct fetcher *f, const struct lock_source *s, uint64_t at, const struct sink *to, struct err *e) MUST_CHECK;
/* fetch_layer.c: a file out of a layer of another image. */
int fetch_layer(struct fetcher *f, const struct lock_blob *b, const struct lock_source *s, uint64_t at, const struct sink *to,
		struct err *e) MUST_CHECK;
/* fetch_add.c: files as a layer. */
int fetch_add(struct fetcher *f, const struct lock_source *s, uint64_t at, const struct sink *to, struct err *e) MUST_CHECK;
