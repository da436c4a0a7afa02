/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/strv.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

DEFINE_CLEANUP_PTR(cleanup_dir, DIR, closedir)
#define auto_dir CLEANUP(cleanup_dir)

/* Not retried on EINTR: Linux has let go of the descriptor by then. errno stays for the error under way. */
void cleanup_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static int open_retry(int dir, const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = openat(dir, path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int fs_open(const char *path, int flags, mode_t mode, struct err *e)
{
	int fd = open_retry(AT_FDCWD, path, flags, mode);

	if (fd < 0)
		return err_sys(e, "cannot open '%s'", path);
	return fd;
}

/* ---- below a folder */

static bool name_is_beneath(const char *name)
{
	if (!*name || *name == '/')
		return false;
	for (const char *part = name; *part;) {
		const char *end = strchrnul(part, '/');

		if (end - part == 2 && memcmp(part, "..", 2) == 0)
			return false;
		part = *end ? end + 1 : end;
	}
	return true;
}

/* -1 with errno ENOSYS or EPERM where the kernel (or a container's filter) does not have the call. */
static int open_beneath_kernel(int dir, const char *name, int flags, mode_t mode)
{
	bool makes = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = makes ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd;
	int tries = 0;

	/* EAGAIN: something was renamed meanwhile, and the kernel could not be sure. */
	do
		fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || (errno == EAGAIN && tries++ < 100)));
	return (int)fd;
}

/* ENOTDIR may mean a link that O_NOFOLLOW stopped at; those are told apart as ELOOP. */
static void name_link_error(int dir, const char *part)
{
	int saved = errno;
	struct stat st;

	if (saved == ENOTDIR && fstatat(dir, part, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
		saved = ELOOP;
	errno = saved;
}

static int open_beneath_steps(int dir, const char *name, int flags, mode_t mode)
{
	auto_fd int at = open_retry(dir, ".", O_PATH | O_DIRECTORY, 0);
	auto_free char *copy = xstrdup(name);
	char *part = copy, *slash;

	while (at >= 0 && (slash = strchr(part, '/'))) {
		*slash = '\0';
		if (*part) {
			int next = open_retry(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);

			if (next < 0)
				name_link_error(at, part);
			cleanup_fd(&at);
			at = next;
		}
		part = slash + 1;
	}
	if (at < 0)
		return -1;

	int fd = open_retry(at, *part ? part : ".", flags | O_NOFOLLOW, mode);

	if (fd < 0)
		name_link_error(at, part);
	return fd;
}

int fs_open_beneath(int dir, const char *name, int flags, mode_t mode, struct err *e)
{
	if (!name_is_beneath(name))
		return err_set(e, ERR_UNSAFE, "unsafe name '%s'", name);

	int fd = open_beneath_kernel(dir, name, flags, mode);

	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = open_beneath_steps(dir, name, flags, mode);
	if (fd < 0 && (errno == ELOOP || errno == EXDEV))
		return err_set(e, ERR_UNSAFE, "unsafe name '%s': a symbolic link stands in its way", name);
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", name);
	return fd;
}

/* ---- whole files */

int fs_load(const char *path, size_t max, struct buf *out, struct err *e)
{
	struct stat st;
	/* O_NONBLOCK: a FIFO of that name must not hold us up. */
	auto_fd int fd = fs_open(path, O_RDONLY | O_NONBLOCK, 0, e);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot read '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_UNSAFE, "'%s': not a regular file", path);

	size_t before = out->len, ceiling = out->max;

	out->max = MIN(max, ceiling - before) + before;

	int r = buf_read_fd(out, fd, e);

	out->max = ceiling;
	if (r < 0) {
		out->len = before;
		if (out->ptr)
			out->ptr[before] = '\0';
		return err_wrap(e, "'%s'", path);
	}
	return 0;
}

int fs_exists(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return 1;
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return err_sys(e, "cannot look at '%s'", path);
}

static int fill_file(int fd, const void *p, size_t n, mode_t mode, struct err *e)
{
	if (fs_write_all(fd, p, n, e) < 0)
		return -1;
	if (fchmod(fd, mode) < 0)
		return err_sys(e, "cannot set the mode");
	return fs_sync(fd, e);
}

int fs_save(const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
	auto_free char *dir = fs_dirname(path);
	const char *slash = strrchr(path, '/');
	auto_free char *hidden = xasprintf(".%s.XXXXXX", slash ? slash + 1 : path);
	auto_free char *name = fs_join(dir, hidden);
	auto_fd int fd = mkostemp(name, O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "cannot write '%s'", path);
	if (fill_file(fd, p, n, mode, e) < 0 || fs_rename(name, path, e) < 0) {
		unlink(name);
		return err_wrap(e, "cannot write '%s'", path);
	}
	return 0;
}

/* ---- descriptors: their callers know the path and wrap */

int fs_read_exact(int fd, void *p, size_t n, uint64_t at, struct err *e)
{
	uint8_t *to = p;

	while (n) {
		ssize_t got = pread(fd, to, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "cannot read at %llu", (unsigned long long)at);
		if (got == 0)
			return err_set(e, ERR_TRUNCATED, "ends at %llu: %zu more bytes expected",
				       (unsigned long long)at, n);
		to += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

int fs_write_all(int fd, const void *p, size_t n, struct err *e)
{
	const uint8_t *from = p;

	while (n) {
		ssize_t put = write(fd, from, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_sys(e, "cannot write");
		from += put;
		n -= (size_t)put;
	}
	return 0;
}

int fs_write_at(int fd, const void *p, size_t n, uint64_t at, struct err *e)
{
	const uint8_t *from = p;

	while (n) {
		ssize_t put = pwrite(fd, from, n, (off_t)at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_sys(e, "cannot write at %llu", (unsigned long long)at);
		from += put;
		at += (uint64_t)put;
		n -= (size_t)put;
	}
	return 0;
}

void fs_write_back(int fd, uint64_t at, uint64_t n)
{
	if (sync_file_range(fd, (off_t)at, (off_t)n, SYNC_FILE_RANGE_WRITE) < 0)
		return;         /* a hint: fsync tells what went wrong */
}

int fs_size(int fd, uint64_t *out, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot learn the size");
	if (S_ISREG(st.st_mode)) {
		*out = (uint64_t)st.st_size;
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return err_set(e, ERR_UNSAFE, "neither a regular file nor a block device");

	off_t end = lseek(fd, 0, SEEK_END);

	if (end < 0)
		return err_sys(e, "cannot learn the size");
	*out = (uint64_t)end;
	return 0;
}

int fs_sync(int fd, struct err *e)
{
	/* EINVAL: a pipe or a device, which has nothing to flush. */
	if (fsync(fd) < 0 && errno != EINVAL)
		return err_sys(e, "cannot flush to disk");
	return 0;
}

/* ---- names */

int fs_sync_parent(const char *path, struct err *e)
{
	auto_free char *dir = fs_dirname(path);
	auto_fd int fd = fs_open(dir, O_RDONLY | O_DIRECTORY, 0, e);

	if (fd < 0)
		return -1;
	if (fs_sync(fd, e) < 0)
		return err_wrap(e, "'%s'", dir);
	return 0;
}

int fs_rename(const char *from, const char *to, struct err *e)
{
	if (rename(from, to) < 0)
		return err_sys(e, "cannot rename '%s' to '%s'", from, to);
	return fs_sync_parent(to, e);
}

int fs_unlink(const char *path, struct err *e)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove '%s'", path);
	return 0;
}

/* ---- folders */

int fs_make_dirs(const char *path, mode_t mode, struct err *e)
{
	auto_free char *copy = xstrdup(path);
	struct stat st;

	for (char *at = copy + strspn(copy, "/"); *at;) {
		char *end = strchrnul(at, '/');
		char kept = *end;

		*end = '\0';
		/* An existing folder may answer EROFS or EACCES before EEXIST: the last word is stat's. */
		if (mkdir(copy, mode) < 0 && errno != EEXIST && stat(copy, &st) < 0)
			return err_sys(e, "cannot make folder '%s'", copy);
		*end = kept;
		at = end + strspn(end, "/");
	}
	if (stat(path, &st) < 0)
		return err_sys(e, "cannot make folder '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_IO, "cannot make folder '%s': a file of that name is in its place", path);
	return 0;
}

static bool is_dot(const char *name)
{
	return str_eq(name, ".") || str_eq(name, "..");
}

/* Removes one name of a folder, whatever it is. -1: errno. */
static int remove_at(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;

	int fd = open_retry(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!d) {
		cleanup_fd(&fd);
		return -1;
	}
	while ((entry = readdir(d)))
		if (!is_dot(entry->d_name) && remove_at(fd, entry->d_name) < 0)
			return -1;
	return unlinkat(dir, name, AT_REMOVEDIR);
}

int fs_remove_tree(const char *path, struct err *e)
{
	if (remove_at(AT_FDCWD, path) < 0)
		return err_sys(e, "cannot remove '%s'", path);
	return 0;
}

/* A folder that a killed run left: ours, and nobody holds its lock. */
static void sweep(const char *parent, const char *prefix)
{
	auto_strv struct strv names = { 0 };
	struct err ignored;
	struct stat st;

	if (fs_list(parent, &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = fs_join(parent, names.items[i]);
		auto_fd int fd = -1;

		if (!str_starts(names.items[i], prefix) || strlen(names.items[i]) != strlen(prefix) + 6)
			continue;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || flock(fd, LOCK_EX | LOCK_NB) < 0)
			continue;
		if (fs_remove_tree(path, &ignored) < 0)
			return;
	}
}

static const char *temp_parent(const char *parent)
{
	const char *tmp = getenv("TMPDIR");

	return parent ? parent : tmp && *tmp ? tmp : "/tmp";
}

int fs_temp_file(const char *dir, struct err *e)
{
	auto_free char *name = fs_join(temp_parent(dir), ".airgap-XXXXXX");
	int fd = open(temp_parent(dir), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	fd = mkostemp(name, O_CLOEXEC);         /* a filesystem that has no such files */
	if (fd < 0 || unlink(name) < 0) {
		cleanup_fd(&fd);
		return err_sys(e, "cannot make a file in '%s'", temp_parent(dir));
	}
	return fd;
}

int fs_temp_dir(const char *parent, const char *prefix, char **out, struct err *e)
{
	struct stat st;

	parent = temp_parent(parent);
	sweep(parent, prefix);
	for (;;) {
		auto_free char *name = xasprintf("%sXXXXXX", prefix);
		auto_free char *path = fs_join(parent, name);

		if (!mkdtemp(path))
			return err_sys(e, "cannot make a folder in '%s'", parent);

		/* Kept open, and so locked, until this process ends: that is what tells it from a left one. */
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0 && errno != ENOENT)
			return err_sys(e, "cannot open '%s'", path);
		if (fd < 0)
			continue;       /* another run swept it before it was locked */
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0) {
			*out = TAKE(path);
			return 0;
		}
		close(fd);
	}
}

void cleanup_temp_dir(char **path)
{
	struct err e;

	if (*path && fs_remove_tree(*path, &e) < 0)
		log_debug("%s", e.msg);
	free(*path);
}

int fs_list(const char *path, struct strv *out, struct err *e)
{
	auto_dir DIR *d = opendir(path);
	auto_strv struct strv names = { 0 };
	struct dirent *entry;

	if (!d)
		return err_sys(e, "cannot list '%s'", path);
	while (errno = 0, (entry = readdir(d)))
		if (!is_dot(entry->d_name))
			strv_push(&names, entry->d_name);
	if (errno)
		return err_sys(e, "cannot list '%s'", path);
	strv_sort(&names);
	strv_release(out);
	*out = names;
	names = (struct strv){ 0 };
	return 0;
}

int fs_lock(const char *path, int *out_fd, struct err *e)
{
	auto_fd int fd = fs_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, e);

	if (fd < 0)
		return -1;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(e, ERR_LOCKED, "'%s': another run holds this lock: wait for it to end", path);
		if (errno != EINTR)
			return err_sys(e, "cannot lock '%s'", path);
	}
	*out_fd = fd;
	fd = -1;
	return 0;
}

int fs_free_space(const char *path, uint64_t *out, struct err *e)
{
	struct statvfs v;

	if (statvfs(path, &v) < 0)
		return err_sys(e, "cannot learn the free space of '%s'", path);
	if (__builtin_mul_overflow((uint64_t)v.f_bavail, (uint64_t)v.f_frsize, out))
		*out = UINT64_MAX;
	return 0;
}

/* ---- places */

/* $variable/airgap where it is set and absolute (the XDG rule), else ~/fallback/airgap. */
static char *user_dir(const char *variable, const char *fallback)
{
	const char *set = getenv(variable), *home = getenv("HOME");

	if (set && *set == '/')
		return fs_join(set, "airgap");
	if (!home || *home != '/') {
		struct passwd pw, *found = NULL;
		char room[4096];

		if (getpwuid_r(getuid(), &pw, room, sizeof(room), &found) == 0 && found)
			return xasprintf("%s/%s/airgap", pw.pw_dir, fallback);
		home = "/";
	}

	auto_free char *base = fs_join(home, fallback);

	return fs_join(base, "airgap");
}

char *fs_cache_dir(void)
{
	return user_dir("XDG_CACHE_HOME", ".cache");
}

char *fs_state_dir(void)
{
	const char *set = getenv("XDG_STATE_HOME");

	if (geteuid() == 0 && !(set && *set == '/'))
		return xstrdup("/var/lib/airgap");
	return user_dir("XDG_STATE_HOME", ".local/state");
}

char *fs_join(const char *dir, const char *name)
{
	if (!dir || !*dir || *name == '/')
		return xstrdup(name);
	return xasprintf("%s%s%s", dir, str_ends(dir, "/") ? "" : "/", name);
}

char *fs_dirname(const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n && path[n - 1] != '/')
		n--;
	if (n == 0)
		return xstrdup(".");
	while (n > 1 && path[n - 1] == '/')
		n--;
	return xstrndup(path, n);
}

char *fs_relative(const char *from, const char *to)
{
	auto_free char *real_from = realpath(from, NULL), *real_to = realpath(to, NULL);
	auto_strv struct strv a = { 0 }, b = { 0 };
	struct buf out = BUF_INIT(1u << 20);
	size_t same = 0;

	if (!real_from || !real_to)
		return NULL;
	strv_split(&a, real_from, '/');
	strv_split(&b, real_to, '/');
	while (same < a.n && same < b.n && strcmp(a.items[same], b.items[same]) == 0)
		same++;
	for (size_t i = same; i < a.n; i++)
		buf_putf(&out, "%s..", out.len ? "/" : "");
	for (size_t i = same; i < b.n; i++)
		buf_putf(&out, "%s%s", out.len ? "/" : "", b.items[i]);
	return buf_take(&out);
}
