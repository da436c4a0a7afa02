/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/content.h>
#include <airgap/fs.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char *content_dir(void)
{
	auto_free char *cache = fs_cache_dir();

	return fs_join(cache, "content/sha256");
}

static char *content_path(const struct digest *d)
{
	auto_free char *dir = content_dir();
	char hex[DIGEST_HEX];

	return fs_join(dir, digest_hex(d, hex));
}

int content_has(const struct digest *d, struct err *e)
{
	auto_free char *path = content_path(d);

	return fs_exists(path, e);
}

int content_drop(const struct digest *d, struct err *e)
{
	auto_free char *path = content_path(d);

	return fs_unlink(path, e);
}

/* 1: *out_fd and *out_size. 0: not there. */
static int open_file(const struct digest *d, int *out_fd, uint64_t *out_size, struct err *e)
{
	auto_free char *path = content_path(d);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_UNSAFE, "'%s' is no regular file", path);
	*out_size = (uint64_t)st.st_size;
	*out_fd = fd;
	fd = -1;
	return 1;
}

int content_open(const struct digest *d, uint64_t size, int *out_fd, struct err *e)
{
	auto_fd int fd = -1;
	uint64_t have = 0;
	int there = open_file(d, &fd, &have, e);

	if (there <= 0)
		return there;
	if (size != UINT64_MAX && have != size)
		return content_drop(d, e);
	*out_fd = fd;
	fd = -1;
	return 1;
}

int content_load(const struct digest *d, struct buf *out, struct err *e)
{
	auto_fd int fd = -1;
	uint64_t size = 0;
	int there = open_file(d, &fd, &size, e);
	size_t before = out->len;

	if (there <= 0)
		return there;
	if (buf_read_fd(out, fd, e) < 0)
		return err_wrap(e, "cached content");

	struct digest have = digest_of(buf_str(out) + before, out->len - before);

	if (digest_eq(&have, d))
		return 1;
	out->len = before;
	if (out->ptr)
		out->ptr[before] = '\0';
	return content_drop(d, e);
}

/* ---- saving */

int content_new_open(struct content_new *n, uint64_t limit, struct err *e)
{
	auto_free char *dir = content_dir();

	if (fs_make_dirs(dir, 0700, e) < 0)
		return -1;
	n->fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (n->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)) {
		n->name = fs_join(dir, ".new-XXXXXX");
		n->fd = mkostemp(n->name, O_CLOEXEC);
	}
	if (n->fd < 0)
		return err_sys(e, "cannot make a file in '%s'", dir);
	n->limit = limit;
	n->size = 0;
	hash_begin(&n->hash);
	return 0;
}

int content_new_write(void *content_new, const void *p, size_t len, struct err *e)
{
	struct content_new *n = content_new;

	if (len > n->limit - n->size)
		return err_set(e, ERR_LIMIT, "more than %llu bytes", (unsigned long long)n->limit);
	if (fs_write_all(n->fd, p, len, e) < 0)
		return -1;
	hash_add(&n->hash, p, len);
	n->size += len;
	return 0;
}

/* Gives the file its name. One that is there already has the same content. */
static int link_as(const struct content_new *n, const char *path, struct err *e)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", n->fd);
	if (linkat(AT_FDCWD, n->name ? n->name : self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
		return err_sys(e, "cannot make '%s'", path);
	return 0;
}

int content_new_keep(struct content_new *n, struct digest *out, uint64_t *out_size, struct err *e)
{
	struct digest d = hash_end(&n->hash);
	auto_free char *path = content_path(&d);

	if (link_as(n, path, e) < 0)
		return -1;
	if (out)
		*out = d;
	if (out_size)
		*out_size = n->size;
	return 0;
}

void content_new_release(struct content_new *n)
{
	if (n->name)
		unlink(n->name);
	free(TAKE(n->name));
	cleanup_fd(&n->fd);
	n->fd = -1;
	hash_release(&n->hash);
}

int content_save(const void *p, size_t n, struct digest *out, struct err *e)
{
	auto_content_new struct content_new c = CONTENT_NEW_INIT;

	if (content_new_open(&c, n, e) < 0 || content_new_write(&c, p, n, e) < 0)
		return -1;
	return content_new_keep(&c, out, NULL, e);
}
