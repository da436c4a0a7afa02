/* SPDX-License-Identifier: Apache-2.0 */
#include "tools.h"
#include "extract.h"

#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/platform.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define PIECE    131072u
#define KEPT_HEX 16u            /* of a tool's hash in its file name */

static const struct content_file *find_tool(const struct contents *c, const char *name)
{
	struct utsname u;
	struct platform here, want;
	struct err ignored;

	if (uname(&u) < 0 || platform_set("linux", u.machine, NULL, &here, &ignored) < 0)
		return NULL;
	for (size_t i = 0; i < c->n_files; i++) {
		const struct content_file *f = &c->files[i];

		if (!str_eq(f->role, "tool") || strcmp(f->name, name) != 0)
			continue;
		if (!f->platform || (platform_parse(f->platform, &want, &ignored) == 0 && platform_match(&here, &want)))
			return f;
	}
	return NULL;
}

/* Ours alone, not writable, exactly one name: then the hash of its bytes. */
static int hash_own(int fd, const char *path, struct digest *out, struct err *e)
{
	auto_hash struct hash h = { 0 };
	uint8_t piece[PIECE];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot stat '%s'", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 07777) != 0500 || st.st_nlink != 1)
		return err_set(e, ERR_UNSAFE, "'%s': changed by somebody: remove it and run again", path);
	hash_begin(&h);
	for (off_t at = 0; at < st.st_size;) {
		ssize_t n = pread(fd, piece, sizeof(piece), at);

		if (n < 0)
			return err_sys(e, "cannot read '%s'", path);
		if (n == 0)
			break;
		hash_add(&h, piece, (size_t)n);
		at += n;
	}

	*out = hash_end(&h);
	return 0;
}

/* The bytes the bundle was signed with. */
static int check(int fd, const char *path, const struct digest *want, struct err *e)
{
	struct digest have;

	if (hash_own(fd, path, &have, e) < 0)
		return -1;
	if (!digest_eq(&have, want))
		return err_set(e, ERR_DIGEST, "'%s': not the bytes of the bundle: remove it and run again", path);
	return 0;
}

/* Complete under a temporary name, then given its own: a killed run leaves no half file under it. */
int tools_extract(struct bundle *b, const struct content_file *f, const char *path, mode_t mode, struct err *e)
{
	auto_free char *partial = xasprintf("%s.%ld", path, (long)getpid());
	auto_fd int fd = -1;

	unlink(partial);
	fd = fs_open(partial, O_CREAT | O_EXCL | O_WRONLY, mode, e);
	if (fd < 0)
		return -1;
	if (extract_blob(b, &f->blob, fd, e) < 0 || fs_sync(fd, e) < 0 || fs_rename(partial, path, e) < 0) {
		unlink(partial);
		return err_wrap(e, "file '%s'", f->name);
	}
	return 0;
}

/* A folder of ours alone: nobody else can put another file under a name. */
static int check_folder(const char *folder, struct err *e)
{
	struct stat st;

	if (fs_make_dirs(folder, 0700, e) < 0)
		return -1;
	if (lstat(folder, &st) < 0)
		return err_sys(e, "cannot stat '%s'", folder);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0022))
		return err_set(e, ERR_UNSAFE, "'%s': somebody else may write to it: remove it and run again", folder);
	return 0;
}

int tools_open(struct bundle *b, const struct contents *c, const char *dir, const char *name, int *out_fd, struct err *e)
{
	const struct content_file *f = find_tool(c, name);
	auto_free char *folder = fs_join(dir, "tools");
	char hex[DIGEST_HEX];
	auto_fd int fd = -1;

	if (!f)
		return 0;
	if (check_folder(folder, e) < 0)
		return -1;

	auto_free char *path = xasprintf("%s/%s-%.*s", folder, name, (int)KEPT_HEX, digest_hex(&f->blob, hex));
	int there = fs_exists(path, e);

	if (there < 0 || (there == 0 && tools_extract(b, f, path, 0500, e) < 0))
		return -1;
	fd = fs_open(path, O_RDONLY | O_NOFOLLOW, 0, e);
	if (fd < 0 || check(fd, path, &f->blob, e) < 0)
		return -1;
	*out_fd = fd;
	fd = -1;
	return 1;
}

/* "kubectl-<16 hex of its hash>" in the folder. 1: opened, and it is that. 0: another file, or not as it was written. */
static int open_kept(const char *folder, const char *file, const char *name, int *out_fd)
{
	auto_free char *path = fs_join(folder, file);
	size_t n = strlen(name);
	char hex[DIGEST_HEX];
	struct digest have;
	struct err why;

	if (!str_starts(file, name) || file[n] != '-' || strlen(file + n + 1) != KEPT_HEX)
		return 0;

	auto_fd int fd = fs_open(path, O_RDONLY | O_NOFOLLOW, 0, &why);

	if (fd < 0 || hash_own(fd, path, &have, &why) < 0) {
		log_debug("%s", why.msg);
		return 0;
	}
	if (strncmp(digest_hex(&have, hex), file + n + 1, KEPT_HEX) != 0)
		return 0;
	*out_fd = fd;
	fd = -1;
	return 1;
}

int tools_kept(const char *dir, const char *name, int *out_fd, struct err *e)
{
	auto_free char *folder = fs_join(dir, "tools");
	auto_strv struct strv files = { 0 };
	int there = fs_exists(folder, e), found = 0;

	if (there <= 0)
		return there;
	if (check_folder(folder, e) < 0 || fs_list(folder, &files, e) < 0)
		return -1;
	for (size_t i = 0; i < files.n && !found; i++)
		found = open_kept(folder, files.items[i], name, out_fd);
	return found;
}
