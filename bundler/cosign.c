/* SPDX-License-Identifier: Apache-2.0 */
#include "cosign.h"

#include <airgap/fs.h>
#include <airgap/verify.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

void cosign_release(struct cosign *c)
{
	cleanup_fd(&c->fd);
	free(c->path);
	free(c->side);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

/* Frame 0 in the one spelling of its record; looks at nothing else. */
static int parse_frame0(const uint8_t frame[RECORD_FRAME], struct record *out, struct err *e)
{
	uint8_t made[RECORD_FRAME];
	static struct statement s;

	if (record_parse(frame, out, e) < 0)
		return -1;
	if (!statement_scan(out->body, out->body_len, &s))
		return err_set(e, ERR_MALFORMED, "the statement is not in the one spelling of format 1");
	if (record_print(out, made, e) < 0 || memcmp(made, frame, RECORD_FRAME) != 0)
		return err_set(e, ERR_MALFORMED, "signature frame: bytes outside the record were altered");
	return 0;
}

/* ---- completing an earlier run ---- */

struct overlay { const uint8_t *frame0; int fd; };

static int overlay_read(void *overlay, void *p, size_t n, uint64_t at, struct err *e)
{
	const struct overlay *o = overlay;

	if (at)
		return fs_read_exact(o->fd, p, n, at, e);
	memcpy(p, o->frame0, RECORD_FRAME);
	return n == RECORD_FRAME ? 0 : err_set(e, ERR_BUG, "odd read of frame 0");
}

/* Whether the head in the file is the one that this frame 0 speaks of. */
static int check_head(const struct cosign *c, const uint8_t frame0[RECORD_FRAME], struct err *e)
{
	static struct verify v;
	struct overlay o = { frame0, c->fd };
	struct source_at src = { .read = overlay_read, .ctx = &o };
	struct verify_trust t = { .no_verdict = true };

	if (fs_size(c->fd, &src.size, e) < 0 || verify_record(&v, &src, &t, e) < 0)
		return -1;

	auto_free uint8_t *read = xmalloc(FRAME_STORED_MAX), *made = xmalloc(FRAME_STORED_MAX);
	auto_free uint8_t *json = xmalloc(v.head.size[HEAD_JSON]), *blobs = xmalloc(v.head.size[HEAD_BLOBS]);
	auto_free uint8_t *frames = xmalloc(v.head.size[HEAD_FRAMES]);
	struct verify_memory m = { { json, blobs, frames }, read, made };

	return verify_head(&v, &src, &m, e);
}

static int write_frame0(const struct cosign *c, const uint8_t frame[RECORD_FRAME], struct err *e)
{
	if (fs_write_at(c->fd, frame, RECORD_FRAME, 0, e) < 0 || fs_sync(c->fd, e) < 0)
		return err_wrap(e, "'%s': run again to complete it from '%s'", c->path, c->side);
	return fs_unlink(c->side, e);
}

static struct record_entry *entry_of(struct record *r, const struct digest *key)
{
	for (size_t i = 0; i < r->n; i++)
		if (digest_eq(&r->entries[i].key, key))
			return &r->entries[i];
	return NULL;
}

/* The same statement, and no signer of `old` is missing in `new`. */
static bool goes_on(const struct record *old, struct record *new)
{
	if (old->body_len != new->body_len || memcmp(old->body, new->body, old->body_len) != 0)
		return false;
	for (size_t i = 0; i < old->n; i++)
		if (!entry_of(new, &old->entries[i].key))
			return false;
	return true;
}

/* PATH.sig-new is complete when it exists. It must go on from what is in frame 0, or, where a crash tore that,
 * speak of the head in the file. */
static int resume(struct cosign *c, struct err *e)
{
	auto_buf struct buf side = BUF_INIT(RECORD_FRAME);
	struct record left, now;
	struct err torn;

	if (fs_load(c->side, RECORD_FRAME, &side, e) < 0)
		return -1;
	if (side.len != RECORD_FRAME || parse_frame0((const uint8_t *)side.ptr, &left, e) < 0)
		return err_set(e, ERR_MALFORMED, "'%s': left by something else: remove it", c->side);

	bool intact = parse_frame0(c->frame0, &now, &torn) == 0;

	if (intact && !goes_on(&now, &left))
		return err_set(e, ERR_MALFORMED, "'%s': belongs to another copy: remove it", c->side);
	if (!intact && check_head(c, (const uint8_t *)side.ptr, e) < 0)
		return err_wrap(e, "'%s': does not belong to this bundle", c->side);
	memcpy(c->frame0, side.ptr, RECORD_FRAME);
	c->resumed = true;
	return write_frame0(c, c->frame0, e);
}

/* ---- open, add ---- */

static int open_locked(struct cosign *c, struct err *e)
{
	struct stat st;

	c->fd = fs_open(c->path, O_RDWR | O_NONBLOCK, 0, e);
	if (c->fd < 0)
		return -1;
	if (fstat(c->fd, &st) < 0)
		return err_sys(e, "cannot stat '%s'", c->path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_UNSAFE, "'%s': not a regular file", c->path);
	if (flock(c->fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? err_set(e, ERR_LOCKED, "'%s' is being signed by another run", c->path)
					    : err_sys(e, "cannot lock '%s'", c->path);
	if (st.st_size < (off_t)RECORD_FRAME)
		return err_set(e, ERR_TRUNCATED, "'%s': cut, or not a bundle", c->path);
	return fs_read_exact(c->fd, c->frame0, RECORD_FRAME, 0, e);
}

int cosign_open(struct cosign *c, const char *path, struct err *e)
{
	c->path = xstrdup(path);
	c->side = xasprintf("%s.sig-new", path);
	if (open_locked(c, e) < 0)
		return -1;

	int left = fs_exists(c->side, e);

	if (left < 0 || (left && resume(c, e) < 0))
		return -1;
	if (parse_frame0(c->frame0, &c->record, e) < 0)
		return err_wrap(e, "%s", path);
	return 0;
}

int cosign_has(const struct cosign *c, const struct sign_key *key, struct err *e)
{
	struct record r = c->record;
	const struct record_entry *entry = entry_of(&r, &key->id);

	if (!entry || entry->algorithm != key->algorithm)
		return 0;
	return sign_check(key, r.body, r.body_len, entry->sig, entry->len, e);
}

int cosign_add(struct cosign *c, const struct signature *sig, struct err *e)
{
	uint8_t frame[RECORD_FRAME];
	struct record r = c->record;
	struct record_entry *entry = entry_of(&r, &sig->key);

	if (!entry && r.n == RECORD_SIGNATURES)
		return err_set(e, ERR_LIMIT, "'%s' has %u signatures already", c->path, RECORD_SIGNATURES);
	if (!entry)
		entry = &r.entries[r.n++];
	*entry = record_entry_of(sig);
	if (record_print(&r, frame, e) < 0 || fs_save(c->side, frame, RECORD_FRAME, 0600, e) < 0)
		return -1;
	if (write_frame0(c, frame, e) < 0)
		return -1;
	memcpy(c->frame0, frame, RECORD_FRAME);
	return parse_frame0(c->frame0, &c->record, e);
}
