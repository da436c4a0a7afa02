/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_read_part.h"

#include <airgap/frame.h>
#include <airgap/fs.h>
#include <airgap/proc.h>
#include <airgap/trust.h>

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

/* Seven buffers of 4.02 MiB: four for readers, two for compressed bytes on their way through the decoder, one
 * for the last frame of small blobs. Who waits for a scratch buffer may hold one of the others; who holds a
 * scratch buffer waits for nothing. */
#define READ_BUFFERS    4u
#define SCRATCH_BUFFERS 2u
#define MARK_EVERY      64u             /* listed frames between two known offsets */
#define CHECK_PIECE     262144u         /* of a frame that is only hashed: it stays in the cache */

/* ---- open ---- */

int bundle_state_local(void *ctx, const char *stream, struct stream_state *out, struct err *e)
{
	return trust_state_load(ctx, stream, out, e);
}

void bundle_close(struct bundle *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < HEAD_PARTS; i++)
		free(b->member[i]);
	free(b->marks);
	free(b->last);
	free(b->dir);
	buffers_free(b->readers);
	buffers_free(b->scratch);
	pthread_mutex_destroy(&b->lock);
	cleanup_fd(&b->fd);
	free(b);
}

/* Signatures and what the policy says: nothing behind frame 0 is read before. */
static int judge(struct bundle *b, const struct bundle_options *o, struct err *e)
{
	struct verify_trust trust = {
		.policy = o->policy,
		.now = b->clock,
		.allow_unsigned = o->allow_unsigned,
		.no_verdict = o->no_verdict,
	};
	struct verify_fresh fresh = {
		.audience = o->policy ? o->policy->audience : "",
		.now = b->clock,
		.allow_downgrade = o->allow_downgrade,
		.installed = o->installed != NULL,
	};

	if (verify_record(&b->v, &b->src, &trust, e) < 0)
		return -1;
	if (o->installed && !digest_eq(&b->v.id, o->installed))
		return err_set(e, ERR_DIGEST, "another bundle than the one that is installed");
	if (o->no_verdict)
		return 0;
	if (o->state && o->state(o->state_ctx, b->v.statement.stream, &b->known, e) < 0)
		return -1;
	fresh.state = b->known;
	return verify_policy(&b->v, &fresh, e);
}

static void mark_offsets(struct bundle *b)
{
	uint64_t at = b->v.head.bytes;
	struct frame_record f;

	b->marks = xcalloc(b->v.n_listed / MARK_EVERY + 1, sizeof(*b->marks));
	for (uint64_t i = 0; i < b->v.n_listed; i++) {
		if (i % MARK_EVERY == 0)
			b->marks[i / MARK_EVERY] = at;
		verify_frame_record(&b->v, i, &f);
		at += f.bytes;
	}
}

static int check_head_alone(const struct bundle *b, struct err *e)
{
	if (b->src.size > b->v.head.bytes)
		return err_set(e, ERR_MALFORMED, "%" PRIu64 " bytes behind the head", b->src.size - b->v.head.bytes);
	return 0;
}

static int read_head(struct bundle *b, struct err *e)
{
	struct verify_memory m;

	if (b->src.size < b->v.head.bytes)      /* before memory for it is asked for */
		return err_set(e, ERR_TRUNCATED, "cut inside the head");
	for (size_t i = 0; i < HEAD_PARTS; i++)
		m.member[i] = b->member[i] = xmalloc(b->v.head.size[i]);
	m.read = buffers_get(b->readers);
	m.made = buffers_get(b->readers);

	int rc = verify_head(&b->v, &b->src, &m, e);

	buffers_put(b->readers, m.read);
	buffers_put(b->readers, m.made);
	if (rc < 0 || verify_tables(&b->v, e) < 0)
		return -1;
	if (b->blob)
		return check_head_alone(b, e);
	if (verify_end(&b->v, &b->src, e) < 0)
		return -1;
	mark_offsets(b);
	return 0;
}

static struct bundle *open_source(int fd, const struct source_at *src, const struct bundle_options *o, struct err *e)
{
	auto_bundle struct bundle *b = xcalloc(1, sizeof(*b));

	b->fd = fd;
	b->src = *src;
	if (fd >= 0)
		b->src = source_at_fd(&b->fd, src->size);
	b->clock = o->now ? o->now : time(NULL);
	b->blob = o->blob;
	b->blob_ctx = o->blob_ctx;
	b->dir = o->dir ? xstrdup(o->dir) : NULL;
	b->readers = buffers_new(READ_BUFFERS, READ_BUFFER);
	b->scratch = buffers_new(SCRATCH_BUFFERS, READ_BUFFER);
	pthread_mutex_init(&b->lock, NULL);
	if (judge(b, o, e) < 0 || read_head(b, e) < 0)
		return NULL;
	return TAKE(b);
}

struct bundle *bundle_open_at(const struct source_at *src, const struct bundle_options *o, struct err *e)
{
	return open_source(-1, src, o, e);
}

struct bundle *bundle_open(const char *path, const struct bundle_options *o, struct err *e)
{
	/* O_NONBLOCK: a FIFO must not hold us up; it is refused below. */
	auto_fd int fd = fs_open(path, O_RDONLY | O_NONBLOCK, 0, e);
	struct source_at src = { 0 };
	struct stat st;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0) {
		err_sys(e, "cannot stat '%s'", path);
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(e, ERR_UNSAFE, "'%s': not a regular file", path);
		return NULL;
	}
	src.size = (uint64_t)st.st_size;

	int given = fd;

	fd = -1;        /* the bundle closes it, whatever comes */

	struct bundle *b = open_source(given, &src, o, e);

	if (!b)
		err_wrap(e, "%s", path);
	return b;
}

/* ---- what it says ---- */

const struct verify *bundle_verdict(const struct bundle *b)
{
	return &b->v;
}

const struct statement *bundle_statement(const struct bundle *b)
{
	return &b->v.statement;
}

const struct digest *bundle_id(const struct bundle *b)
{
	return &b->v.id;
}

bool bundle_trusted(const struct bundle *b)
{
	return b->v.trusted;
}

const void *bundle_contents_bytes(const struct bundle *b, size_t *out_len)
{
	*out_len = (size_t)b->v.head.size[HEAD_JSON];
	return b->member[HEAD_JSON];
}

uint64_t bundle_size(const struct bundle *b)
{
	return b->src.size;
}

bool bundle_is_head_alone(const struct bundle *b)
{
	return b->blob != NULL;
}

const struct stream_state *bundle_state_known(const struct bundle *b)
{
	return &b->known;
}

struct stream_state bundle_state_next(const struct bundle *b)
{
	return verify_next_state(&b->v, &b->known, b->clock);
}

/* ---- blobs ---- */

uint64_t bundle_blobs(const struct bundle *b)
{
	return b->v.n_blobs;
}

void bundle_blob(const struct bundle *b, uint64_t i, struct blob_record *out)
{
	assert(i < b->v.n_blobs);
	blob_record_get(b->member[HEAD_BLOBS] + i * BLOB_RECORD, out);
}

int bundle_find(const struct bundle *b, const struct digest *d, struct blob_record *out)
{
	const uint8_t *p = bsearch(d, b->member[HEAD_BLOBS], b->v.n_blobs, BLOB_RECORD, digest_cmp);

	if (!p)
		return 0;
	if (out)
		blob_record_get(p, out);
	return 1;
}

bool bundle_has(const struct bundle *b, const struct digest *d)
{
	struct blob_record r;

	return bundle_find(b, d, &r) && !(r.flags & BLOB_EXTERNAL);
}

/* ---- frames ---- */

uint64_t bundle_frames(const struct bundle *b)
{
	return b->v.head.first[HEAD_PARTS] + b->v.n_listed;
}

static uint64_t listed_at(const struct bundle *b, uint64_t i)
{
	uint64_t at = b->marks[i / MARK_EVERY];
	struct frame_record f;

	for (uint64_t k = i - i % MARK_EVERY; k < i; k++) {
		verify_frame_record(&b->v, k, &f);
		at += f.bytes;
	}
	return at;
}

void bundle_frame_place(const struct bundle *b, uint64_t frame, uint64_t *out_at, size_t *out_bytes, size_t *out_decoded)
{
	const struct head *h = &b->v.head;
	uint64_t at = 0;

	assert(frame < bundle_frames(b));
	if (frame >= h->first[HEAD_PARTS]) {
		struct frame_record f;

		verify_frame_record(&b->v, frame - h->first[HEAD_PARTS], &f);
		*out_at = listed_at(b, frame - h->first[HEAD_PARTS]);
		*out_bytes = f.bytes;
		*out_decoded = f.decoded;
		return;
	}
	for (uint64_t f = 0; f < frame; f++) {
		head_frame_sizes(h, f, out_bytes, out_decoded);
		at += *out_bytes;
	}
	head_frame_sizes(h, frame, out_bytes, out_decoded);
	*out_at = at;
}

bool bundle_frame_is_stored(const struct bundle *b, uint64_t number)
{
	return number < b->v.p2_first || number + 1 == bundle_frames(b);
}

/* The frame's bytes as they stand, hashed where they lie. */
static int read_frame(const struct bundle *b, uint64_t number, uint8_t *to, size_t *out_bytes, size_t *out_decoded,
		      struct err *e)
{
	uint64_t at;

	bundle_frame_place(b, number, &at, out_bytes, out_decoded);
	if (b->src.read(b->src.ctx, to, *out_bytes, at, e) < 0)
		return -1;
	return verify_frame(&b->v, number - b->v.head.first[HEAD_PARTS], to, *out_bytes, e);
}

static int read_stored(const struct bundle *b, uint64_t number, uint8_t *to, size_t *out_decoded, struct err *e)
{
	size_t bytes;

	if (read_frame(b, number, to, &bytes, out_decoded, e) < 0)
		return -1;
	if (!stored_check(to, bytes, *out_decoded))
		return err_set(e, ERR_MALFORMED, "frame %" PRIu64 ": not a stored frame of %zu bytes", number, *out_decoded);
	return 0;
}

static int read_packed(const struct bundle *b, uint64_t number, uint8_t *to, size_t *out_decoded, struct err *e)
{
	uint8_t *packed = buffers_get(b->scratch);
	size_t bytes;
	int rc = read_frame(b, number, packed, &bytes, out_decoded, e);

	if (rc == 0 && frame_decode(packed, bytes, to, *out_decoded, e) < 0)
		rc = err_wrap(e, "frame %" PRIu64, number);
	buffers_put(b->scratch, packed);
	return rc;
}

int bundle_frame_read(const struct bundle *b, uint64_t number, uint8_t *to, size_t *out_decoded, struct err *e)
{
	return (bundle_frame_is_stored(b, number) ? read_stored : read_packed)(b, number, to, out_decoded, e);
}

int bundle_frame_load(struct bundle *b, uint64_t number, struct bundle_frame *out, struct err *e)
{
	struct bundle_frame f = { .bundle = b, .number = number, .stored = bundle_frame_is_stored(b, number) };

	assert(number >= b->v.head.first[HEAD_PARTS] && number < bundle_frames(b) && !b->blob);
	f.bytes = buffers_get(b->readers);
	if (bundle_frame_read(b, number, f.bytes, &f.decoded, e) < 0) {
		bundle_frame_release(&f);
		return -1;
	}
	*out = f;
	return 0;
}

size_t bundle_frame_run(const struct bundle_frame *f, size_t at, const uint8_t **p)
{
	if (f->stored)
		return stored_run(f->bytes, f->decoded, at, p);
	if (at >= f->decoded)
		return 0;
	*p = f->bytes + at;
	return f->decoded - at;
}

void bundle_frame_release(struct bundle_frame *f)
{
	if (f->bytes)
		buffers_put(f->bundle->readers, f->bytes);
	f->bytes = NULL;
}

/* ---- everything ---- */

struct check {
	struct bundle *bundle;
	uint8_t *pieces;                /* CHECK_PIECE for each worker */
	struct hash *hashes;
	void (*progress)(uint64_t bytes);
};

static int check_frame(void *ctx, unsigned worker, size_t item, struct err *e)
{
	struct check *c = ctx;
	struct bundle *b = c->bundle;
	uint8_t *piece = c->pieces + (size_t)worker * CHECK_PIECE;
	struct hash *h = &c->hashes[worker];
	uint64_t first = b->v.head.first[HEAD_PARTS], at;
	size_t bytes, decoded;

	if (proc_interrupted)
		return err_set(e, ERR_DEADLINE, "interrupted");
	bundle_frame_place(b, first + item, &at, &bytes, &decoded);
	hash_begin(h);
	for (size_t done = 0, n; done < bytes; done += n) {
		n = MIN(bytes - done, CHECK_PIECE);
		if (b->src.read(b->src.ctx, piece, n, at + done, e) < 0)
			return -1;
		hash_add(h, piece, n);
	}

	struct digest got = hash_end(h);

	if (c->progress)
		c->progress(bytes);
	return verify_frame_digest(&b->v, item, &got, e);
}

int bundle_check_all(struct bundle *b, unsigned jobs, void (*progress)(uint64_t bytes), struct err *e)
{
	jobs = MIN(MAX(jobs, 1u), 64u);

	auto_free uint8_t *pieces = xmalloc((size_t)jobs * CHECK_PIECE);
	auto_free struct hash *hashes = xcalloc(jobs, sizeof(*hashes));
	struct check c = { b, pieces, hashes, progress };

	if (b->blob)
		return 0;
	if (b->fd >= 0)
		posix_fadvise(b->fd, 0, 0, POSIX_FADV_SEQUENTIAL);

	int rc = pool_each(jobs, b->v.n_listed, check_frame, &c, e);

	for (unsigned i = 0; i < jobs; i++)
		hash_release(&hashes[i]);
	return rc;
}
