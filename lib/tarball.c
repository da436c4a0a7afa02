/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/fs.h>
#include <airgap/strv.h>
#include <airgap/tarball.h>

#include "tarball_pack.h"
#include "tarball_utf8.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PIECE 65536u
#define NAMES_MAX_BYTES (8u << 20)      /* of one archive together */

/* ---- names */

static const char *skip_dot(const char *name)
{
	while (name && name[0] == '.' && name[1] == '/')
		for (name += 2; *name == '/';)
			name++;
	return name;
}

/* ---- reading */

struct input {
	const struct source *from;
	struct err *e;
	bool failed;            /* e says why: the source's reason, not libarchive's */
	uint8_t piece[PIECE];
};

static la_ssize_t read_piece(struct archive *a, void *ctx, const void **out)
{
	struct input *in = ctx;
	ssize_t n = in->from->read(in->from->ctx, in->piece, sizeof(in->piece), in->e);

	*out = in->piece;
	if (n < 0) {
		in->failed = true;
		archive_set_error(a, EIO, "cannot read");
		return ARCHIVE_FATAL;
	}
	return n;
}

static void reader_free(struct archive **a)
{
	archive_read_free(*a);
}
#define auto_reader CLEANUP(reader_free)

/* What libarchive says, in our terms. */
static int reader_failed(struct archive *a, struct err *e)
{
	const char *why = archive_error_string(a);

	if (!why)
		why = "not an archive";
	return err_set(e, strcasestr(why, "truncated") ? ERR_TRUNCATED : ERR_MALFORMED, "%s", why);
}

static struct archive *reader_begin(int filters)
{
	struct archive *a = archive_read_new();

	if (!a)
		abort();
	if (filters & TARBALL_GZIP)
		archive_read_support_filter_gzip(a);
	if (filters & TARBALL_ZSTD)
		archive_read_support_filter_zstd(a);
	if (filters & TARBALL_XZ)
		archive_read_support_filter_xz(a);
	if (filters & TARBALL_BZIP2)
		archive_read_support_filter_bzip2(a);
	return a;
}

static struct archive *reader_new(int filters)
{
	struct archive *a = reader_begin(filters);

	archive_read_support_format_tar(a);
	return a;
}

/* A compressed archive compressed again is nothing anybody has, but a bomb. */
static int check_filters(struct archive *a, struct err *e)
{
	if (archive_filter_count(a) > 2)
		return err_set(e, ERR_UNSAFE, "compressed more than once");
	return 0;
}

struct walk {
	struct archive *a;
	const struct tarball_limits *l;
	uint64_t left;
	size_t members, name_bytes;
	struct strv names;
};

static void walk_release(struct walk *w)
{
	archive_read_free(w->a);
	strv_release(&w->names);
}

/* 1: a file to look at. 0: a folder. -1: neither. */
static int check_entry(struct archive_entry *entry, const char *name, struct err *e)
{
	if (archive_entry_hardlink(entry) || archive_entry_symlink(entry))
		return err_set(e, ERR_UNSAFE, "'%.300s': a link", name);
	if (archive_entry_filetype(entry) == AE_IFDIR)
		return 0;
	if (archive_entry_filetype(entry) != AE_IFREG)
		return err_set(e, ERR_UNSAFE, "'%.300s': neither a file nor a folder", name);
	if (archive_entry_sparse_count(entry) > 0)
		return err_set(e, ERR_UNSAFE, "'%.300s': a sparse file", name);
	return 1;
}

/* The clean name: checked, without ./ in front and, of folders, / behind. NULL: refused; "": the top itself. */
static char *clean_name(struct archive_entry *entry, struct err *e)
{
	const char *raw = archive_entry_pathname(entry);
	auto_free char *name = xstrdup(raw ? skip_dot(raw) : "");
	size_t n = strlen(name);

	if (raw && archive_entry_filetype(entry) == AE_IFDIR) {
		if (n > 1 && name[n - 1] == '/')
			name[n - 1] = '\0';
		if (!*name || strcmp(name, ".") == 0)
			return xstrdup("");
	}
	return tarball_check_name(name, e) < 0 ? NULL : TAKE(name);
}

static int count_member(struct walk *w, const char *name, struct err *e)
{
	w->name_bytes += strlen(name);
	if (++w->members > w->l->members)
		return err_set(e, ERR_LIMIT, "more than %zu members", w->l->members);
	if (w->name_bytes > NAMES_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "names of more than %u bytes", NAMES_MAX_BYTES);
	return 0;
}

/* The content of the entry under way, all of it; NULL: refused. */
static uint8_t *read_content(struct walk *w, struct archive_entry *entry, const char *name, size_t *out_n, struct err *e)
{
	int64_t size = archive_entry_size(entry);

	if (size < 0 || (uint64_t)size > w->l->file || (uint64_t)size > w->left) {
		err_set(e, ERR_LIMIT, "'%.300s': more than %ju bytes%s", name,
			(uintmax_t)((uint64_t)size > w->l->file ? w->l->file : w->l->total),
			(uint64_t)size > w->l->file ? "" : " in all");
		return NULL;
	}
	w->left -= (uint64_t)size;

	auto_free uint8_t *bytes = xmalloc((size_t)size + 1);

	for (size_t at = 0; at < (size_t)size;) {
		la_ssize_t n = archive_read_data(w->a, bytes + at, (size_t)size - at);

		if (n < 0) {
			reader_failed(w->a, e);
			err_wrap(e, "'%.300s'", name);
			return NULL;
		}
		if (n == 0) {
			err_set(e, ERR_TRUNCATED, "'%.300s': cut short", name);
			return NULL;
		}
		at += (size_t)n;
	}
	*out_n = (size_t)size;
	return TAKE(bytes);
}

static int visit(struct walk *w, struct archive_entry *entry, tarball_fn fn, void *ctx, struct err *e)
{
	auto_free char *name = clean_name(entry, e);

	if (!name)
		return -1;

	int kind = check_entry(entry, name, e);

	if (kind < 0 || count_member(w, name, e) < 0)
		return -1;
	if (kind == 0)
		return 0;

	struct tarball_member m = { .name = name, .executable = (archive_entry_perm(entry) & 0100) != 0 };
	auto_free uint8_t *bytes = read_content(w, entry, name, &m.size, e);

	m.bytes = bytes;
	if (!bytes || fn(ctx, &m, e) < 0)
		return -1;
	strv_push_take(&w->names, TAKE(name));
	return 0;
}

static int check_duplicates(struct strv *names, struct err *e)
{
	strv_sort(names);
	for (size_t i = 1; i < names->n; i++)
		if (strcmp(names->items[i - 1], names->items[i]) == 0)
			return err_set(e, ERR_UNSAFE, "'%.300s': there twice", names->items[i]);
	return 0;
}

static int walk_archive(struct walk *w, tarball_fn fn, void *ctx, struct err *e)
{
	struct archive_entry *entry;

	for (;;) {
		int r = archive_read_next_header(w->a, &entry);

		if (r == ARCHIVE_EOF)
			return check_duplicates(&w->names, e);
		if (r != ARCHIVE_OK)
			return reader_failed(w->a, e);
		if (visit(w, entry, fn, ctx, e) < 0)
			return -1;
	}
}

int tarball_each(const struct source *from, const struct tarball_limits *l, tarball_fn fn, void *ctx, struct err *e)
{
	auto_utf8 struct utf8 utf8 = utf8_begin();
	struct err cause = { 0 };
	auto_free struct input *in = xcalloc(1, sizeof(*in));
	CLEANUP(walk_release) struct walk w = { .a = reader_new(l->filters), .l = l, .left = l->total };

	in->from = from;
	in->e = &cause;

	int r = archive_read_open(w.a, in, NULL, read_piece, NULL);

	if (r != ARCHIVE_OK)
		r = reader_failed(w.a, e);
	else
		r = check_filters(w.a, e) < 0 ? -1 : walk_archive(&w, fn, ctx, e);
	if (r < 0 && in->failed)
		*e = cause;
	return r;
}

/* ---- one member of anything */

static int copy_content(struct archive *a, const char *name, uint64_t limit, const struct sink *to, struct err *e)
{
	auto_free uint8_t *piece = xmalloc(PIECE);
	uint64_t left = limit;

	for (;;) {
		la_ssize_t n = archive_read_data(a, piece, PIECE);

		if (n == 0)
			return 0;
		if (n < 0) {
			reader_failed(a, e);
			return err_wrap(e, "'%.300s'", name);
		}
		if ((uint64_t)n > left)
			return err_set(e, ERR_LIMIT, "'%.300s': more than %ju bytes", name, (uintmax_t)limit);
		left -= (uint64_t)n;
		if (to->write(to->ctx, piece, (size_t)n, e) < 0)
			return -1;
	}
}

/* The wanted name was not there: name one that ends alike, or is spelled alike. */
static int no_member(const char *name, const struct strv *names, struct err *e)
{
	const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name, *near = NULL;

	for (size_t i = 0; i < names->n && !near; i++) {
		const char *s = strrchr(names->items[i], '/');

		if (strcmp(s ? s + 1 : names->items[i], last) == 0)
			near = names->items[i];
	}
	if (!near && names->n)
		near = strv_nearest((const char *const *)names->items, name);
	if (near)
		return err_set(e, ERR_USAGE, "there is no member '%.300s': did you mean '%.300s'?", name, near);
	return err_set(e, ERR_USAGE, "there is no member '%.300s'", name);
}

static int find_member(struct archive *a, const char *name, uint64_t limit, const struct sink *to, struct err *e)
{
	auto_strv struct strv names = { 0 };
	struct archive_entry *entry;
	bool found = false;

	for (;;) {
		int r = archive_read_next_header(a, &entry);

		if (r == ARCHIVE_EOF)
			return found ? 0 : no_member(name, &names, e);
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return reader_failed(a, e);

		const char *path = skip_dot(archive_entry_pathname(entry));

		if (!path || strcmp(path, name) != 0) {
			if (path && names.n < 1000 && strlen(path) < TARBALL_NAME_MAX)
				strv_push(&names, path);
			continue;
		}
		if (found)
			return err_set(e, ERR_UNSAFE, "'%.300s': there twice", name);
		found = true;
		r = check_entry(entry, name, e);
		if (r == 0)
			return err_set(e, ERR_UNSAFE, "'%.300s': a folder", name);
		if (r < 0 || copy_content(a, name, limit, to, e) < 0)
			return -1;
	}
}

int tarball_member(int fd, const char *name, uint64_t limit, const struct sink *to, struct err *e)
{
	auto_utf8 struct utf8 utf8 = utf8_begin();
	auto_reader struct archive *a = reader_new(TARBALL_ANY);

	archive_read_support_format_zip(a);
	if (tarball_check_name(name, e) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "cannot seek");
	if (archive_read_open_fd(a, fd, PIECE) != ARCHIVE_OK)
		return reader_failed(a, e);
	if (check_filters(a, e) < 0)
		return -1;
	return find_member(a, name, limit, to, e);
}

/* ---- looking through anything */

static int open_any(struct archive *a, int fd, const void *p, size_t n, struct err *e)
{
	archive_read_support_format_zip(a);
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "cannot seek");
	if ((fd >= 0 ? archive_read_open_fd(a, fd, PIECE) : archive_read_open_memory(a, p, n)) != ARCHIVE_OK)
		return reader_failed(a, e);
	return check_filters(a, e);
}

/* One entry; what is not wanted is passed over. */
static int look_at(struct walk *w, struct archive_entry *entry, tarball_wanted_fn wanted, tarball_fn fn, void *ctx,
		   struct err *e)
{
	struct err ignored;
	auto_free char *name = clean_name(entry, &ignored);

	if (++w->members > w->l->members)
		return err_set(e, ERR_LIMIT, "more than %zu members", w->l->members);
	if (archive_filter_bytes(w->a, 0) > (la_int64_t)MIN(w->l->total, (uint64_t)INT64_MAX))
		return err_set(e, ERR_LIMIT, "more than %ju bytes in all", (uintmax_t)w->l->total);
	if (!name || !*name || check_entry(entry, name, &ignored) != 1 || !wanted(ctx, name))
		return 0;

	struct tarball_member m = { .name = name, .executable = (archive_entry_perm(entry) & 0100) != 0 };
	auto_free uint8_t *bytes = read_content(w, entry, name, &m.size, e);

	m.bytes = bytes;
	return bytes ? fn(ctx, &m, e) : -1;
}

int tarball_search(int fd, const void *p, size_t n, const struct tarball_limits *l, tarball_wanted_fn wanted, tarball_fn fn,
		   void *ctx, struct err *e)
{
	auto_utf8 struct utf8 utf8 = utf8_begin();
	CLEANUP(walk_release) struct walk w = { .a = reader_new(l->filters), .l = l, .left = l->total };
	struct archive_entry *entry;

	if (open_any(w.a, fd, p, n, e) < 0)
		return -1;
	for (;;) {
		int r = archive_read_next_header(w.a, &entry);

		if (r == ARCHIVE_EOF)
			return 0;
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return reader_failed(w.a, e);
		if (look_at(&w, entry, wanted, fn, ctx, e) < 0)
			return -1;
	}
}

/* ---- compressed, but no archive */

int tarball_unpack(const struct source *from, uint64_t limit, const struct sink *to, struct err *e)
{
	struct err cause = { 0 };
	auto_free struct input *in = xcalloc(1, sizeof(*in));
	auto_reader struct archive *a = reader_begin(TARBALL_GZIP | TARBALL_ZSTD | TARBALL_XZ);
	struct archive_entry *entry;

	in->from = from;
	in->e = &cause;
	archive_read_support_format_raw(a);
	archive_read_support_format_empty(a);

	int r = archive_read_open(a, in, NULL, read_piece, NULL);

	if (r == ARCHIVE_OK)
		r = archive_read_next_header(a, &entry);
	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK)
		r = reader_failed(a, e);
	else
		r = check_filters(a, e) < 0 ? -1 : copy_content(a, "content", limit, to, e);
	if (r < 0 && in->failed)
		*e = cause;
	return r;
}

/* ---- archives of any size */

static enum tarball_kind kind_of(struct archive_entry *entry)
{
	if (archive_entry_hardlink(entry) || archive_entry_symlink(entry))
		return TARBALL_LINK;
	if (archive_entry_filetype(entry) == AE_IFDIR)
		return TARBALL_FOLDER;
	return archive_entry_filetype(entry) == AE_IFREG && archive_entry_sparse_count(entry) == 0 ? TARBALL_FILE : TARBALL_OTHER;
}

static ssize_t entry_read(void *ctx, void *p, size_t n, struct err *e)
{
	struct archive *a = ctx;
	la_ssize_t got = archive_read_data(a, p, n);

	return got < 0 ? reader_failed(a, e) : got;
}

static int walk_entry(struct archive *a, struct archive_entry *entry, tarball_walk_fn fn, void *ctx, struct err *e)
{
	const char *raw = archive_entry_pathname(entry);
	auto_free char *name = xstrdup(raw ? skip_dot(raw) : "");
	struct tarball_entry m = { .name = name, .kind = kind_of(entry) };
	const struct source content = { entry_read, NULL, a };
	struct err ignored;
	size_t n = strlen(name);

	if (m.kind == TARBALL_FOLDER && n > 1 && name[n - 1] == '/')
		name[n - 1] = '\0';
	m.clean = tarball_check_name(name, &ignored) == 0;
	return fn(ctx, &m, &content, e);
}

int tarball_walk(int fd, size_t members, tarball_walk_fn fn, void *ctx, struct err *e)
{
	auto_utf8 struct utf8 utf8 = utf8_begin();
	auto_reader struct archive *a = reader_new(TARBALL_ANY);
	struct archive_entry *entry;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "cannot seek");
	if (archive_read_open_fd(a, fd, PIECE) != ARCHIVE_OK)
		return reader_failed(a, e);
	if (check_filters(a, e) < 0)
		return -1;
	for (size_t n = 0;; n++) {
		int r = archive_read_next_header(a, &entry);

		if (r == ARCHIVE_EOF)
			return 0;
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return reader_failed(a, e);
		if (n == members)
			return err_set(e, ERR_LIMIT, "more than %zu members", members);
		r = walk_entry(a, entry, fn, ctx, e);
		if (r)
			return r;
	}
}
