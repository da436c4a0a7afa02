/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/fs.h>

#include "tarball_pack.h"
#include "tarball_utf8.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>

#define PIECE 65536u

/* libarchive leaks when a callback fails, so ours never does: after a failure it swallows what still comes. */
struct output {
	const struct sink *to;
	struct err *e;
	bool failed;
};

static la_ssize_t write_piece(struct archive *a, void *ctx, const void *p, size_t n)
{
	struct output *out = ctx;

	if (!out->failed && out->to->write(out->to->ctx, p, n, out->e) < 0)
		out->failed = true;
	return (la_ssize_t)n;
}

/* After a call of libarchive: its own failure, or the sink's. Warnings count. */
static int check_write(struct archive *a, bool ok, struct output *out)
{
	const char *why = archive_error_string(a);

	if (!ok && !out->failed) {
		err_set(out->e, ERR_MALFORMED, "cannot write the archive: %s", why ? why : "unknown reason");
		out->failed = true;
	}
	return out->failed ? -1 : 0;
}

static void writer_free(struct archive **a)
{
	archive_write_free(*a);
}
#define auto_writer CLEANUP(writer_free)

static void entry_free(struct archive_entry **entry)
{
	archive_entry_free(*entry);
}

static int write_header(struct archive *a, const struct pack_member *m, struct output *out)
{
	CLEANUP(entry_free) struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, m->name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, m->executable ? 0755 : 0644);
	archive_entry_set_size(entry, (la_int64_t)m->size);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	return check_write(a, archive_write_header(a, entry) == ARCHIVE_OK, out);
}

static int write_bytes(struct archive *a, const void *p, size_t n, struct output *out)
{
	return check_write(a, archive_write_data(a, p, n) == (la_ssize_t)n, out);
}

/* A file's content, which must still have the size it had. */
static int write_file(struct archive *a, const struct pack_member *m, struct output *out)
{
	auto_fd int fd = fs_open(m->path, O_RDONLY | O_NOFOLLOW, 0, out->e);
	auto_free uint8_t *piece = xmalloc(PIECE);
	struct source from = source_fd(&fd);
	uint64_t left = m->size;

	if (fd < 0)
		return -1;
	for (;;) {
		ssize_t n = from.read(from.ctx, piece, PIECE, out->e);

		if (n < 0)
			return err_wrap(out->e, "'%s'", m->path);
		if ((uint64_t)n > left || (n == 0 && left))
			return err_set(out->e, ERR_IO, "'%s': changed while it was read", m->path);
		if (n == 0)
			return 0;
		if (write_bytes(a, piece, (size_t)n, out) < 0)
			return -1;
		left -= (uint64_t)n;
	}
}

static int write_member(struct archive *a, const struct pack_member *m, struct output *out)
{
	if (write_header(a, m, out) < 0)
		return -1;
	if (m->path)
		return write_file(a, m, out);
	return m->size ? write_bytes(a, m->bytes, (size_t)m->size, out) : 0;
}

/* Time and name out of the gzip header; the last block is not filled up with zeros. */
static bool set_form(struct archive *a, int filter)
{
	if (archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK)
		return false;
	return filter != TARBALL_GZIP ||
	       (archive_write_add_filter_gzip(a) == ARCHIVE_OK &&
		archive_write_set_filter_option(a, "gzip", "timestamp", NULL) == ARCHIVE_OK &&
		archive_write_set_filter_option(a, "gzip", "compression-level", "9") == ARCHIVE_OK);
}

int tarball_pack_write(const struct tarball_pack *t, int filter, const struct sink *to, struct err *e)
{
	auto_utf8 struct utf8 utf8 = utf8_begin();
	auto_free const struct pack_member **sorted = NULL;
	size_t n = pack_sorted(t, &sorted);
	struct output out = { .to = to, .e = e };
	auto_writer struct archive *a = archive_write_new();

	if (!a)
		abort();

	bool ready = set_form(a, filter) && archive_write_open(a, &out, NULL, write_piece, NULL) == ARCHIVE_OK;

	if (check_write(a, ready, &out) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (write_member(a, sorted[i], &out) < 0) {
			out.failed = true;
			return -1;
		}
	}
	return check_write(a, archive_write_close(a) == ARCHIVE_OK, &out);
}
