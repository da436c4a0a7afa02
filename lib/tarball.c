/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/fs.h>
#include <airgap/strv.h>
#include <airgap/tarball.h>

#include "tarball_pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <unistd.h>

#define PIECE 65536u
#define NAMES_MAX_BYTES (8u << 20)      /* of one archive together */

/* ---- a locale in which libarchive keeps UTF-8 names as they are, for this thread and as long as it is needed */

/* Made once and kept: glibc's own tables of locales are not for several threads at once. */
static pthread_once_t utf8_once = PTHREAD_ONCE_INIT;
static locale_t utf8_locale;

static void utf8_make(void)
{
	utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

struct utf8 { locale_t before; };

static struct utf8 utf8_begin(void)
{
	struct utf8 u = { .before = (locale_t)0 };

	pthread_once(&utf8_once, utf8_make);
	if (utf8_locale)
		u.before = uselocale(utf8_locale);
	return u;
}

static void utf8_end(struct utf8 *u)
{
	if (u->before)
		uselocale(u->before);
}

/* Nobody looks at it: it is there for its end. */
#define auto_utf8 CLEANUP(utf8_end) __attribute__((unused))

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

static struct archive *reader_new(int filters)
{
	struct archive *a = archive_read_new();

	if (!a)
		abort();
	archive_read_support_format_tar(a);
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

/* ---- writing */

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
