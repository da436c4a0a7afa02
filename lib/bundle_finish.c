/* SPDX-License-Identifier: Apache-2.0 */
/* All blobs are there: the tables, the seek table, the head, the signature record, the name. */
#include "bundle_writer.h"

#include <airgap/fs.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM (1u << 16)         /* of the seek table at a time */

static int check_complete(const struct bundle_writer *w, struct err *e)
{
	char text[DIGEST_TEXT];

	for (size_t i = 0; i < w->in->n_blobs; i++)
		if (!w->blobs[i].complete)
			return err_set(e, ERR_BUG, "blob %s was never written",
				       digest_text(&w->in->blobs[i].digest, text));
	if (w->next != w->layout.n_frames - 1)
		return err_set(e, ERR_BUG, "frame %llu was never written", (unsigned long long)w->next);
	return 0;
}

/* The zero blocks go behind the last frame; *at moves behind them. */
static int write_end(struct bundle_writer *w, uint64_t *at, struct err *e)
{
	uint8_t frame[END_FRAME];

	end_frame(frame);
	w->lines[w->layout.n_frames - 1] = (struct journal_line){ END_FRAME, digest_of(frame, END_FRAME) };
	if (fs_write_at(w->fd, frame, END_FRAME, *at, e) < 0)
		return -1;
	*at += END_FRAME;
	return 0;
}

static void make_frame_table(const struct bundle_writer *w, uint8_t *out)
{
	for (uint64_t f = 0; f < w->layout.n_frames; f++, out += FRAME_RECORD) {
		const struct journal_line *line = &w->lines[f];
		struct frame_record r = { line->bytes, w->layout.frames[f].decoded, line->digest };

		frame_record_put(out, &r);
	}
}

static int write_seek_table(struct bundle_writer *w, const uint8_t *frames, uint64_t *at, struct err *e)
{
	auto_free uint8_t *piece = xmalloc(ROOM);
	uint64_t done = 0;
	size_t n;

	while ((n = seek_table_piece(&w->layout.head, frames, w->layout.n_frames, done, piece, ROOM)) > 0) {
		if (fs_write_at(w->fd, piece, n, *at, e) < 0)
			return -1;
		done += n;
		*at += n;
	}
	return 0;
}

static int write_head(struct bundle_writer *w, const uint8_t *const content[HEAD_PARTS], struct err *e)
{
	auto_free uint8_t *frame = xmalloc(FRAME_STORED_MAX);
	uint64_t at = RECORD_FRAME;

	for (uint64_t f = 1; f < w->layout.head.first[HEAD_PARTS]; f++) {
		size_t n = head_frame(&w->layout.head, content, f, frame);

		if (fs_write_at(w->fd, frame, n, at, e) < 0)
			return -1;
		at += n;
	}
	return at == w->layout.head.bytes ? 0 : err_set(e, ERR_BUG, "the head has another size than its layout");
}

static int write_record(struct bundle_writer *w, const struct statement *s, const struct signer *signer, struct err *e)
{
	uint8_t frame[RECORD_FRAME];
	char body[SIGN_BODY_MAX];
	struct record r = { .body = (const uint8_t *)body };
	struct signature sig;

	r.body_len = statement_print(s, body);
	if (r.body_len == 0)
		return err_set(e, ERR_LIMIT, "stream, version and audience do not fit the signed statement");
	if (signer) {
		if (signer_sign(signer, body, r.body_len, &sig, e) < 0)
			return err_wrap(e, "cannot sign");
		r.entries[r.n++] = record_entry_of(&sig);
	}
	if (record_print(&r, frame, e) < 0)
		return -1;
	return fs_write_at(w->fd, frame, sizeof(frame), 0, e);
}

/* Everything is written up to `end`: durable, then under its name. */
static int publish(struct bundle_writer *w, uint64_t end, struct err *e)
{
	if (ftruncate(w->fd, (off_t)end) < 0 || fchmod(w->fd, 0644) < 0)
		return err_sys(e, "'%s'", w->partial);
	if (fs_sync(w->fd, e) < 0 || fs_rename(w->partial, w->path, e) < 0)
		return -1;
	return fs_unlink(w->journal_path, e);
}

static struct head_member member_of(const void *p, size_t n)
{
	return (struct head_member){ n, digest_of(p, n) };
}

int bundle_writer_finish(struct bundle_writer *w, const struct signer *signer, struct digest *out_id, struct err *e)
{
	const struct head *h = &w->layout.head;
	auto_free struct statement *s = xmemdup(&w->in->statement, sizeof(*s));
	auto_free uint8_t *blobs = xmalloc(MAX((size_t)h->size[HEAD_BLOBS], 1u));
	auto_free uint8_t *frames = xmalloc((size_t)h->size[HEAD_FRAMES]);
	const uint8_t *const content[HEAD_PARTS] = { w->in->json, blobs, frames };
	uint64_t at = w->tail;

	if (check_complete(w, e) < 0)
		return -1;
	if (write_end(w, &at, e) < 0)
		return err_wrap(e, "'%s'", w->partial);
	layout_blob_table(&w->layout, blobs);
	make_frame_table(w, frames);
	for (int i = 0; i < HEAD_PARTS; i++)
		s->member[i] = member_of(content[i], (size_t)h->size[i]);
	if (write_seek_table(w, frames, &at, e) < 0 || write_head(w, content, e) < 0)
		return err_wrap(e, "'%s'", w->partial);
	if (write_record(w, s, signer, e) < 0 || publish(w, at, e) < 0)
		return -1;
	*out_id = statement_id(s);
	return 0;
}
