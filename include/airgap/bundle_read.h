/*
 * bundle_read - an opened bundle: judged, then read by digest over verified frames.
 *
 *	struct bundle_options o = { .policy = &p };
 *	auto_bundle struct bundle *b = bundle_open(path, &o, e);        // the verdict on the head; no parser ran
 *	bundle_check_all(b, jobs, progress_add, e)                      // every frame against its hash
 *
 *	struct blob_record rec;
 *	bundle_find(b, &digest, &rec)                                   // 1, or 0: not listed
 *	auto_bundle_reader struct bundle_reader rd = { 0 };
 *	bundle_reader_open(&rd, b, &digest, e); struct source s = bundle_reader_source(&rd);
 *
 * Every frame is read whole with one pread into a buffer of a fixed pool, hashed there, compared, and only
 * then used: stored ones in place, zstd ones decoded into a second buffer. Small blobs share frames: the last
 * such frame stays decoded. One descriptor, never reopened.
 * All functions but open and close may be called from several threads; one reader belongs to one thread.
 * A reader of a large blob holds a pool buffer between calls, and a call waits when all are held (there are
 * four): a thread parks or closes its reader before it reads from another one. bundle_blob_load may be called
 * at any time.
 * Memory: the two tables, bundle.json and 29 MiB of buffers, touched only as used.
 *
 * The file may be gone: its head alone, kept anywhere, is judged in the same way and opens the same bundle. Blobs then
 * come whole from a hook and are compared with their digests before the first byte is handed on; there are no frames.
 */
#pragma once

#include <airgap/verify.h>

/* All bytes of the blob into the sink. Called from several threads; what it sends is hashed and compared behind it. */
typedef int bundle_blob_hook(void *ctx, const struct digest *d, uint64_t size, const struct sink *to, struct err *e);

struct bundle_options {
	const struct policy *policy;    /* NULL = no trust folder */
	bool allow_unsigned;            /* see verify.h */
	bool no_verdict;                /* inspect only: structure and hashes; bundle_trusted() is false then */
	bool allow_downgrade;
	int64_t now;                    /* 0 = the clock */
	/* What is remembered of the bundle's stream; NULL = nothing. bundle_state_local reads the state folder. */
	int (*state)(void *ctx, const char *stream, struct stream_state *out, struct err *e);
	void *state_ctx;
	/* This bundle runs here already: any other is ERR_DIGEST, and expiry is not judged any more. NULL = none does. */
	const struct digest *installed;
	/* For bundle_open_at where the frames are elsewhere: the source ends with the head and may go once it is opened, blobs
	 * come from the hook. NULL = from the frames. dir: for large blobs while they are read, in files without a name; NULL =
	 * $TMPDIR. */
	bundle_blob_hook *blob;
	void *blob_ctx;
	const char *dir;
};
/* ctx: the state folder, NULL = fs_state_dir(). */
int bundle_state_local(void *ctx, const char *stream, struct stream_state *out, struct err *e);

struct bundle;
/* A regular file. NULL: refused; the codes of format §6. */
struct bundle *bundle_open(const char *path, const struct bundle_options *o, struct err *e) MUST_CHECK;
/* The same from a hook (volumes, tests): src's read must be safe from several threads; ctx must outlive b. */
struct bundle *bundle_open_at(const struct source_at *src, const struct bundle_options *o, struct err *e) MUST_CHECK;
void bundle_close(struct bundle *b);
DEFINE_CLEANUP_PTR(cleanup_bundle, struct bundle, bundle_close)
#define auto_bundle CLEANUP(cleanup_bundle)

const struct verify *bundle_verdict(const struct bundle *b);            /* record, head, who signed */
const struct statement *bundle_statement(const struct bundle *b);
const struct digest *bundle_id(const struct bundle *b);
bool bundle_trusted(const struct bundle *b);
const void *bundle_contents_bytes(const struct bundle *b, size_t *out_len);     /* bundle.json */
uint64_t bundle_size(const struct bundle *b);                           /* of the whole file, or of the head alone */
bool bundle_is_head_alone(const struct bundle *b);                      /* opened with a hook for blobs */
/* What was remembered of the stream, and the state to save once the bundle is accepted for good. */
const struct stream_state *bundle_state_known(const struct bundle *b);
struct stream_state bundle_state_next(const struct bundle *b);

/* ---- blobs ---- */

uint64_t bundle_blobs(const struct bundle *b);
void bundle_blob(const struct bundle *b, uint64_t i, struct blob_record *out);  /* sorted by digest */
/* 1: listed (out may be NULL; look at BLOB_EXTERNAL). 0: not. */
int bundle_find(const struct bundle *b, const struct digest *d, struct blob_record *out);
/* Listed and in this file. */
bool bundle_has(const struct bundle *b, const struct digest *d);

/* ---- frames ---- */

uint64_t bundle_frames(const struct bundle *b);         /* of the file: frame 0, head, listed ones */
/* File offset and sizes of frame number `frame`. */
void bundle_frame_place(const struct bundle *b, uint64_t frame, uint64_t *out_at, size_t *out_bytes, size_t *out_decoded);

/* A verified frame in a pool buffer. Content is read through bundle_frame_run. */
struct bundle_frame {
	struct bundle *bundle;
	uint64_t number;
	uint8_t *bytes;                 /* pool buffer: the stored frame, or decoded content */
	size_t decoded;
	bool stored;
};
/* number >= the first listed one; never with a hook for blobs. -1: ERR_DIGEST, ERR_TRUNCATED, ERR_MALFORMED, ERR_IO. */
int bundle_frame_load(struct bundle *b, uint64_t number, struct bundle_frame *out, struct err *e) MUST_CHECK;
/* The longest contiguous piece from content byte `at`; 0 at the end. */
size_t bundle_frame_run(const struct bundle_frame *f, size_t at, const uint8_t **p);
void bundle_frame_release(struct bundle_frame *f);
#define auto_bundle_frame CLEANUP(bundle_frame_release)

/* ---- one blob as a stream ---- */

struct bundle_reader {
	struct bundle *bundle;
	struct blob_record blob;
	uint64_t at;                    /* next byte of the blob */
	struct bundle_frame frame;      /* held, or bytes NULL */
	uint8_t *small;                 /* a small blob, whole */
	struct bundle_away *away;       /* a large one that came from the hook */
};

/* -1: not listed or external (ERR_TRUNCATED). */
int bundle_reader_open(struct bundle_reader *r, struct bundle *b, const struct digest *d, struct err *e) MUST_CHECK;
void bundle_reader_close(struct bundle_reader *r);
#define auto_bundle_reader CLEANUP(bundle_reader_close)
/* Gives the buffer back, keeps the place: for a reader that waits (a slow peer, a retry). */
void bundle_reader_park(struct bundle_reader *r);
/* The next bytes in place, at most max, valid until the next call on r. Their number, 0 at the end, -1. */
ssize_t bundle_reader_run(struct bundle_reader *r, const uint8_t **p, size_t max, struct err *e) MUST_CHECK;
/* at <= size of the blob. */
int bundle_reader_seek(struct bundle_reader *r, uint64_t at, struct err *e) MUST_CHECK;
/* read and seek over r, which must outlive it. Frame hashes are compared; the blob's own digest is the
 * receiver's to compare (a registry does). */
struct source bundle_reader_source(struct bundle_reader *r);

/* A whole blob, added to out (whose ceiling it must fit), its own digest compared. -1: out has what it had. */
int bundle_blob_load(struct bundle *b, const struct digest *d, struct buf *out, struct err *e) MUST_CHECK;

/* Reads every listed frame, jobs at once; none with a hook for blobs. progress (may be NULL) gets bytes as they are done. */
int bundle_check_all(struct bundle *b, unsigned jobs, void (*progress)(uint64_t bytes), struct err *e) MUST_CHECK;
