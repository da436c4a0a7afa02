/*
 * bundle_write - one pass into the final place: layout, frames, journal, head, rename (format §1).
 *
 *	bundle_writer_open(path, &input, &w, e)         layout from sizes; OUT.partial; resumes what a journal proves
 *	for every blob of bundle_writer_order, by any worker:
 *		while (bundle_writer_gap(w, blob, &at, &end, e) == 1)
 *			bundle_writer_add(w, blob, at, p, n, e)         in order within the gap
 *	bundle_writer_finish(w, signer, &id, e)         tables, head, frame 0, fsync, rename
 *
 * Blobs over 64 KiB that are stored go by pwrite into places known from the start, by several workers at once.
 * Small and compressed blobs pass one in-order writer, and a worker whose turn has not come waits: at most seven
 * finished frames (28 MiB) wait for an older one. Workers must start blobs in the given order, or they may wait for
 * one another for ever. A blob counts when size and digest matched; a mismatch drops all its frames (ERR_DIGEST)
 * and it may be fetched once more.
 *
 * Killed at any point: OUT is untouched, OUT.partial and OUT.partial.journal let the next run go on; every frame
 * in the journal is read back, compared, and its content hashed again before it counts.
 * The same input gives the same bytes for any number of jobs and interruptions (but for ECDSA's random nonces).
 * Memory: one frame buffer of 4.2 MB per worker, another one while it compresses, and the window above.
 */
#pragma once

#include <airgap/bundle_layout.h>
#include <airgap/statement.h>

struct bundle_input {                           /* what it points to must outlive the writer */
	struct statement statement;             /* stream to audience; members are filled by the writer */
	const void *json; size_t json_len;      /* bundle.json */
	const void *index_json; size_t index_json_len;
	const struct bundle_blob *blobs; size_t n_blobs;        /* sorted by digest; without oci-layout and index.json */
	int level;                              /* of zstd, 1 to 19; 0 = 3 */
	unsigned jobs;                          /* workers that will call; 0 = 1 */
};

struct bundle_writer;

/* 0: *out open, path.partial locked against a second run (ERR_LOCKED). Shows progress while it reads back.
 * ERR_SPACE when the folder has less room than what is sure to be needed. */
int bundle_writer_open(const char *path, const struct bundle_input *in, struct bundle_writer **out, struct err *e) MUST_CHECK;
/* Keeps .partial and journal unless finished. No call may be under way. NULL is fine. */
void bundle_writer_close(struct bundle_writer *w);
DEFINE_CLEANUP_PTR(cleanup_bundle_writer, struct bundle_writer, bundle_writer_close)
#define auto_bundle_writer CLEANUP(cleanup_bundle_writer)

/* Size of the finished file: an upper bound where parts are compressed. */
uint64_t bundle_writer_size(const struct bundle_writer *w);
uint64_t bundle_writer_content(const struct bundle_writer *w);  /* bytes of all blobs in this bundle */
uint64_t bundle_writer_resumed(const struct bundle_writer *w);  /* of them, those that need no fetching */
/* In what order blobs must be started: n_blobs indices into in->blobs. The first bundle_writer_free of them never wait
 * (their place is known) and may be started at any time, the largest first; among the others the order holds. */
const size_t *bundle_writer_order(const struct bundle_writer *w);
size_t bundle_writer_free(const struct bundle_writer *w);

/* Different blobs may be worked on at once; with these two, one blob by one worker only. */

/* 1: bytes [*at, *end) of the blob are wanted next (it may wait for its turn first). 0: complete and right. */
int bundle_writer_gap(struct bundle_writer *w, size_t blob, uint64_t *at, uint64_t *end, struct err *e) MUST_CHECK;
/* Bytes at `at`, which must go on from the last call for this blob (or start the gap). The call that
 * completes the blob checks its digest; more bytes than its size are ERR_DIGEST too, the blob starts again. */
int bundle_writer_add(struct bundle_writer *w, size_t blob, uint64_t at, const void *p, size_t n, struct err *e) MUST_CHECK;

/*
 * The first bundle_writer_free blobs of the order may be filled by several workers at once, each with parts of its own:
 *
 *	while ((r = bundle_part_take(w, blob, 0, 32 << 20, &part, e)) == 1) {
 *		… bundle_part_add(w, &part, p, n, e) …          bytes from part.at on
 *		bundle_part_end(w, &part);
 *	}
 *
 * r == 0: nothing is left to take; whether the blob is complete shows once nobody has a part of it any more. The blob's
 * hash follows the frames in order; frames ahead of it are read back from the output when it gets there. The
 * worker whose frame brings it to the end gets the verdict: ERR_DIGEST, all frames are dropped and may be taken again.
 */
struct bundle_part {
	size_t blob;
	uint64_t at, end;               /* bytes [at, end) are still to come */
	struct part_work *work;         /* the writer's own; NULL = no part */
};

/* 1: *out is the first bytes at or behind `from` that nobody has: whole frames, at most `most` bytes (at least a frame). */
int bundle_part_take(struct bundle_writer *w, size_t blob, uint64_t from, uint64_t most, struct bundle_part *out,
		     struct err *e) MUST_CHECK;
int bundle_part_add(struct bundle_writer *w, struct bundle_part *p, const void *bytes, size_t n, struct err *e) MUST_CHECK;
/* Done with it, or given up: a frame that is not full is lost, the rest may be taken by others. No part is fine. */
void bundle_part_end(struct bundle_writer *w, struct bundle_part *p);
bool bundle_writer_complete(struct bundle_writer *w, size_t blob);

/* Whether a worker that failed gave up for all: everybody's next call, and those that wait, fail with `why`. */
void bundle_writer_stop(struct bundle_writer *w, const struct err *why);

/* All blobs complete: head, signature record (signer NULL = unsigned), fsync, rename to path, mode 0644.
 * *out_id is the bundle's id. -1: path is what it was; the unfinished file stays for another run. */
int bundle_writer_finish(struct bundle_writer *w, const struct signer *signer, struct digest *out_id, struct err *e) MUST_CHECK;
