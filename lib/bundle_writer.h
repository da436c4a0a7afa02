/*
 * bundle_writer - what the files of bundle_write share (bundle_write.c, bundle_order.c, bundle_resume.c,
 * bundle_part.c, bundle_finish.c); nobody else includes it.
 */
#pragma once

#include <airgap/bundle_journal.h>
#include <airgap/bundle_write.h>
#include <airgap/frame.h>
#include <airgap/pool.h>

#include <stdatomic.h>

/* Frames that may be open or waiting at once, the oldest unwritten one included. */
#define WINDOW 8u

/* A frame of the in-order part: filled with content first, the finished frame in the end. */
struct slot {
	uint8_t *bytes;                 /* of w->buffers */
	size_t missing;                 /* P2: entries still to come */
	bool finished;
	struct journal_line line;       /* once finished */
};

/* A blob somebody works on in order. */
struct active {
	struct hash blob, frame;
	uint8_t *buffer;                /* its open frame; P1: as stored, P3: decoded; P2: NULL */
	size_t hashed;                  /* P1: bytes of buffer that are in `frame` */
};

/* A large blob whose frames have their places: filled in any order, hashed in order. Under the writer's lock. */
enum { SPREAD_FREE, SPREAD_TAKEN, SPREAD_DONE };
struct spread {
	uint64_t n_frames;
	uint8_t *frames;
	struct hash hash;               /* of the first `hashed` bytes, which are whole frames */
	uint64_t hashed;
	bool hashing;                   /* somebody carries the hash on */
};

struct blob_state {
	uint64_t at;                    /* bytes taken, all hashed; not with spread */
	bool complete;
	struct active *active;
	struct spread *spread;          /* P1 with a place of its own; else NULL */
	struct bundle_part own;         /* of bundle_writer_gap; work NULL = none */
};

struct bundle_writer {
	const struct bundle_input *in;
	struct layout layout;
	struct digest layout_hash;
	char *path, *partial, *journal_path;
	int fd;                         /* path.partial, locked */
	struct journal journal;
	struct journal_line *lines;     /* finished frames; bytes 0 = not yet */
	struct blob_state *blobs;
	struct buffers *buffers;        /* frame_bound(FRAME_DECODED_MAX) bytes each */
	uint64_t resumed;
	size_t n_free;                  /* leading entries of layout.order that need not be started in order */
	bool ordered;                   /* no sparse files: P1 is written in order too */

	pthread_mutex_t lock;           /* of everything below */
	pthread_cond_t changed;
	uint64_t next, tail;            /* the oldest unwritten frame in order, and where it goes */
	struct slot **slots;            /* n_frames; NULL where there is none */
	bool writing;                   /* somebody writes frame `next` */
	struct err why;                 /* when stopped */
	atomic_bool stopped;
	struct frame_encoder **encoders;        /* free ones */
	size_t n_encoders, most_encoders, made_encoders;
};

/* The first frame that is written in order. */
static inline uint64_t writer_first_ordered(const struct bundle_writer *w)
{
	return w->ordered ? 0 : w->layout.p2_frame;
}

/* ---- bundle_write.c */
struct active *writer_active(struct bundle_writer *w, size_t blob);     /* made at need */
void writer_active_free(struct bundle_writer *w, size_t blob);
/* Writes a finished frame at `at`, then its line. */
int writer_commit(struct bundle_writer *w, uint64_t frame, const uint8_t *p, const struct journal_line *line,
		  uint64_t at, struct err *e) MUST_CHECK;

int writer_stopped(const struct bundle_writer *w, struct err *e);      /* -1 */

/* ---- bundle_part.c */
void spread_make(struct bundle_writer *w, size_t blob);
void spread_free(struct bundle_writer *w, size_t blob);
uint64_t spread_done(const struct bundle_writer *w, size_t blob);      /* bytes of finished frames */
struct hash *spread_hash(struct spread *s);
int spread_drop(struct bundle_writer *w, size_t blob, struct err *e) MUST_CHECK;       /* all its frames are void */
int spread_gap(struct bundle_writer *w, size_t blob, uint64_t *at, uint64_t *end, struct err *e) MUST_CHECK;
int spread_add(struct bundle_writer *w, size_t blob, uint64_t at, const void *p, size_t n, struct err *e) MUST_CHECK;

/* ---- bundle_order.c */
int order_wait(struct bundle_writer *w, uint64_t frame, struct err *e) MUST_CHECK;      /* until it is in the window */
/* The open frame of P2, made at need. */
struct slot *order_slot(struct bundle_writer *w, uint64_t frame);
/* One entry of the P2 frame is complete; the last one has it compressed and written. */
int order_entry_done(struct bundle_writer *w, uint64_t frame, struct err *e) MUST_CHECK;
/* A frame of P1 (stored = true, line filled) or P3 (content, to be compressed) is full; takes the buffer. */
int order_frame_take(struct bundle_writer *w, uint64_t frame, uint8_t *buffer, bool stored,
		     const struct journal_line *line, struct err *e) MUST_CHECK;
/* Forgets frames [first, end), written ones too; nothing behind them may have been written. */
int order_drop(struct bundle_writer *w, uint64_t first, uint64_t end, struct err *e) MUST_CHECK;
/* Frames of P2 that hold no blob. */
int order_start(struct bundle_writer *w, struct err *e) MUST_CHECK;
void order_release(struct bundle_writer *w);

/* ---- bundle_resume.c */
/* Reads back what w->lines say, keeps in them what is true, sets blobs, next, tail and resumed. */
int writer_resume(struct bundle_writer *w, struct err *e) MUST_CHECK;
