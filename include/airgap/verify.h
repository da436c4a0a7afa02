/*
 * verify - the verifier core: the verdict on a bundle of format 1 by the trust rules (format §6).
 *
 * No heap of ours, no recursion, no parser: memory is the caller's, bytes come through a read hook, each is
 * read once. Whatever is neither a signature nor the content of a head member is made again (statement.h,
 * head.h, stored.h: the writer's own functions) and compared.
 *
 *	struct verify v;                                        // 45 KiB
 *	verify_record(&v, &src, &trust, e)      frame 0: 10, 11, 12, 18, 19     then v.statement, v.id, v.head
 *	verify_policy(&v, &fresh, e)            expiry, sequence, audience: 13
 *	verify_head(&v, &src, &memory, e)       the three members: 14, 15, 18
 *	verify_tables(&v, e)                    bundle.blobs and bundle.frames fit each other: 16, 18, 19
 *	verify_end(&v, &src, e)                 seek table and size: 15, 18
 *	verify_frame(&v, i, bytes, n, e)        one listed frame as read: 14
 *
 * bundle_open (bundle_read.h) does all of it.
 */
#pragma once

#include <airgap/statement.h>
#include <airgap/stream.h>

struct verify_trust {
	const struct policy *policy;
	int64_t now;                    /* Unix seconds: max(clock, newest time known) where the caller knows it */
	bool allow_unsigned;            /* takes a record without signatures, if the policy is not present */
	bool no_verdict;                /* inspect, sign: look at structure and hashes, judge no signature */
};

struct verify_fresh {
	const char *audience;           /* our name; "" = none */
	struct stream_state state;
	int64_t now;                    /* the clock */
	bool allow_downgrade;
	bool installed;                 /* it runs here already: when it expires does not matter any more */
};

struct verify_memory {
	uint8_t *member[HEAD_PARTS];    /* v.head.size[i] bytes each; kept in use by v afterwards */
	uint8_t *read, *made;           /* FRAME_STORED_MAX bytes each, for the call only */
};

struct verify {
	uint8_t frame0[RECORD_FRAME];
	struct record record;           /* points into frame0: do not copy the struct */
	struct statement statement;
	struct digest id;
	struct head head;
	bool trusted;                   /* signatures reached the threshold */
	size_t n_signers;
	int signers[RECORD_SIGNATURES]; /* indices into the policy's keys: valid signatures, first one first */
	const uint8_t *member[HEAD_PARTS];
	uint64_t n_blobs, n_listed;     /* records in bundle.blobs, bundle.frames */
	uint64_t frames_bytes;          /* bytes of all listed frames */
	uint64_t p2_first;              /* file-wide number of P2's first frame; those before it, and the last, are stored */
};

/* 0: frame 0 is in its one spelling and its signatures reach the policy's threshold (or one of the two
 * exceptions was asked for; v->trusted tells). -1: v is meaningless. */
int verify_record(struct verify *v, const struct source_at *src, const struct verify_trust *t, struct err *e) MUST_CHECK;
int verify_policy(const struct verify *v, const struct verify_fresh *f, struct err *e) MUST_CHECK;
int verify_head(struct verify *v, const struct source_at *src, const struct verify_memory *m, struct err *e) MUST_CHECK;
int verify_tables(struct verify *v, struct err *e) MUST_CHECK;
int verify_end(const struct verify *v, const struct source_at *src, struct err *e) MUST_CHECK;

/* The i-th listed frame (0 = the first behind the head). */
void verify_frame_record(const struct verify *v, uint64_t i, struct frame_record *out);
int verify_frame(const struct verify *v, uint64_t i, const uint8_t *p, size_t n, struct err *e) MUST_CHECK;
/* The same for a frame of the right length that was hashed in pieces. */
int verify_frame_digest(const struct verify *v, uint64_t i, const struct digest *got, struct err *e) MUST_CHECK;
/* The state after accepting this bundle; the higher of old and new wins. */
struct stream_state verify_next_state(const struct verify *v, const struct stream_state *old, int64_t clock);
