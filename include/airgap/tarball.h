/*
 * tarball - archives read with suspicion and written reproducibly (libarchive).
 *
 * Reading never touches the file system: members come as bytes. A name is relative, its parts are not empty, `.` or
 * `..`, it is valid UTF-8 without control characters, backslashes or drive letters (a leading `./` is dropped), at most
 * 4,096 bytes. Links, devices, pipes, sparse files and names that come twice are ERR_UNSAFE; sizes are counted as they
 * are unpacked, so a bomb ends as ERR_LIMIT at the ceiling; damage is ERR_MALFORMED or ERR_TRUNCATED.
 * What a callback saw counts only when the whole walk returned 0.
 *
 * Writing: members sorted bytewise, regular files only, mtime 0, uid and gid 0, no names of users, mode 0644 or 0755,
 * gzip without time and name: the same members give the same bytes on any machine with the same zlib.
 */
#pragma once

#include <airgap/stream.h>

enum {                          /* what may be opened; a plain tar always */
	TARBALL_GZIP = 1, TARBALL_ZSTD = 2, TARBALL_XZ = 4, TARBALL_BZIP2 = 8,
	TARBALL_ANY = 15,
};

struct tarball_limits {
	uint64_t total;         /* bytes of all members */
	uint64_t file;          /* bytes of one member; it is held in memory */
	size_t members;
	int filters;
};
extern const struct tarball_limits tarball_chart;       /* 100 MiB, 5 MiB a file, 20,000 members, gzip or plain */

struct tarball_member {
	const char *name;       /* clean, borrowed for the call */
	const uint8_t *bytes;   /* borrowed for the call; never NULL */
	size_t size;
	bool executable;
};
typedef int (*tarball_fn)(void *ctx, const struct tarball_member *m, struct err *e);

/* Every regular file of a tar, in its order; folders are passed over. fn returning -1 ends the walk. */
int tarball_each(const struct source *from, const struct tarball_limits *l, tarball_fn fn, void *ctx, struct err *e) MUST_CHECK;

/* Charts. The archive has one top folder, which is cut off the names; a byte order mark is cut off the content. */
int tarball_chart_each(const void *p, size_t n, tarball_fn fn, void *ctx, struct err *e) MUST_CHECK;
/* One file of it, appended to out. 1: there. 0: the chart has none. -1: the archive is bad. */
int tarball_chart_file(const void *p, size_t n, const char *name, struct buf *out, struct err *e) MUST_CHECK;

/* One member out of a tar (any filter) or zip: the whole archive is read, at most `limit` bytes of the member are taken.
 * Other members may be of any kind. fd is read from its current position. -1: `to` may have got a part;
 * ERR_USAGE when there is no such member (the message names the nearest), ERR_UNSAFE when it is a link or comes twice. */
int tarball_member(int fd, const char *name, uint64_t limit, const struct sink *to, struct err *e) MUST_CHECK;

/* Looks through an archive (tar by any filter, or zip) of fd, from its beginning, or of memory when fd is -1. Regular files
 * that are `wanted` by their names are given to fn; links, folders and what has no clean name are passed over, a name may
 * come twice. Unpacked bytes and members that are passed over count too. ERR_MALFORMED when it is no archive. */
typedef bool (*tarball_wanted_fn)(void *ctx, const char *name);
int tarball_search(int fd, const void *p, size_t n, const struct tarball_limits *l, tarball_wanted_fn wanted, tarball_fn fn,
		   void *ctx, struct err *e) MUST_CHECK;

/* One file, compressed with gzip, zstd or xz, or not at all: at most `limit` bytes of what is in it. -1: `to` may have got
 * a part; ERR_LIMIT, ERR_MALFORMED, ERR_TRUNCATED. */
int tarball_unpack(const struct source *from, uint64_t limit, const struct sink *to, struct err *e) MUST_CHECK;

/* ---- archives of any size */

enum tarball_kind { TARBALL_FILE, TARBALL_FOLDER, TARBALL_LINK, TARBALL_OTHER };
struct tarball_entry {
	const char *name;       /* as it stands there, without ./ in front and / behind; borrowed for the call */
	enum tarball_kind kind; /* a sparse file is TARBALL_OTHER */
	bool clean;             /* the name keeps the rules above */
};
/* content is what is in a file, for as long as the call lasts; what is not read is passed over. */
typedef int (*tarball_walk_fn)(void *ctx, const struct tarball_entry *m, const struct source *content, struct err *e);
/* Every member of a tar (any filter) in its order, of every kind and name: the caller judges. fn returning 1 ends the walk,
 * -1 fails it. fd is read from its beginning. ERR_LIMIT past so many members. 0, or what fn returned. */
int tarball_walk(int fd, size_t members, tarball_walk_fn fn, void *ctx, struct err *e) MUST_CHECK;

/*
 *	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();
 *	if (tarball_pack_folder(t, "charts/tools", "tools", TARBALL_HELMIGNORE, e) < 0 ||
 *	    tarball_pack_add(t, "tools/values.yaml", p, n, e) < 0 ||             // replaces the folder's
 *	    tarball_pack_write(t, TARBALL_GZIP, &sink, e) < 0)
 *		return -1;
 */
struct tarball_pack;
enum { TARBALL_HELMIGNORE = 1 };        /* obey .helmignore in that folder, as helm does (with its default templates/.?*) */

struct tarball_pack *tarball_pack_new(void) MUST_CHECK;
void tarball_pack_free(struct tarball_pack *t);
static inline void cleanup_tarball_pack(struct tarball_pack **t) { tarball_pack_free(*t); }
#define auto_tarball_pack CLEANUP(cleanup_tarball_pack)

/* A member from memory (copied); one of the same name is replaced. Mode 0644. */
int tarball_pack_add(struct tarball_pack *t, const char *name, const void *p, size_t n, struct err *e) MUST_CHECK;
/* A member from a file, which is read when the archive is written. 0755 when its owner may execute it. */
int tarball_pack_file(struct tarball_pack *t, const char *name, const char *path, struct err *e) MUST_CHECK;
/* All files below a folder, as PREFIX/their/path. Anything but files and folders is ERR_UNSAFE. */
int tarball_pack_folder(struct tarball_pack *t, const char *dir, const char *prefix, int flags, struct err *e) MUST_CHECK;
/* filter: 0 = plain tar, or TARBALL_GZIP. t may be written again. */
int tarball_pack_write(const struct tarball_pack *t, int filter, const struct sink *to, struct err *e) MUST_CHECK;
