/*
 * fetch - the bytes of a lock's blobs, from wherever the lock says they can be had.
 *
 *	auto_fetcher struct fetcher *f = fetcher_new(&lock, dir, NULL, e);
 *	for (size_t i = 0; i < fetch_ways(b); i++)
 *		if (fetch_blob(f, b, i, at, &sink, e) == 0) ...
 *
 * Way 0 is the content cache, the others are the blob's sources in their order. Nothing is hashed here but archives,
 * before a member is taken out: the sink compares (the bundle writer does). Retries and Range resume are http's.
 * All functions but new and free may be called from several threads.
 */
#pragma once

#include "remote.h"

struct fetcher;
/* lock is borrowed; dir is the folder its paths are relative to; o as in remote.h. */
struct fetcher *fetcher_new(const struct lock *l, const char *dir, const struct remote_opts *o, struct err *e) MUST_CHECK;
void fetcher_free(struct fetcher *f);
#define auto_fetcher CLEANUP(cleanup_fetcher)
DEFINE_CLEANUP_PTR(cleanup_fetcher, struct fetcher, fetcher_free)

size_t fetch_ways(const struct lock_blob *b);
/* Bytes from `at` to the blob's end into the sink, once and in order. -1: the sink had a part of them; ERR_DIGEST
 * when the source is there and has another size. ERR_NONE in e: the cache has nothing, which is no failure. */
int fetch_blob(struct fetcher *f, const struct lock_blob *b, size_t way, uint64_t at, const struct sink *to,
	       struct err *e) MUST_CHECK;
/* The same for a range. Files and servers keep to it, where the server does; what is made again comes to the end. */
int fetch_range(struct fetcher *f, const struct lock_blob *b, size_t way, const struct http_range *range, const struct sink *to,
		struct err *e) MUST_CHECK;
/* The server of its first source, if it has one, would be asked at once. */
bool fetch_room(struct fetcher *f, const struct lock_blob *b);
/* "content cache", "registry 'docker.io/library/busybox'": for messages. Owned. */
char *fetch_way_name(const struct lock_blob *b, size_t way) MUST_CHECK;
