/*
 * fs - files and folders: openat-style, durable, never half-written.
 *
 * Errors name the path. Names that come from outside go through fs_open_beneath.
 * Every descriptor is close-on-exec.
 */
#pragma once

#include <airgap/buf.h>

#include <sys/types.h>

void cleanup_fd(int *fd);
#define auto_fd CLEANUP(cleanup_fd)     /* declare with -1 or an open call */

int fs_open(const char *path, int flags, mode_t mode, struct err *e) MUST_CHECK;     /* fd or -1 */
/* Opens below dir only: refuses absolute names, "..", and any symbolic link on the way (ERR_UNSAFE).
 * (openat2 RESOLVE_BENEATH|NO_SYMLINKS where the kernel has it, else component by component.) */
int fs_open_beneath(int dir, const char *name, int flags, mode_t mode, struct err *e) MUST_CHECK;

/* Whole files. max is the ceiling of the file's size: ERR_LIMIT beyond it. Regular files only. */
int fs_load(const char *path, size_t max, struct buf *out, struct err *e) MUST_CHECK;
int fs_exists(const char *path, struct err *e) MUST_CHECK;      /* 1, 0, -1 */
/* Durable replace: temporary name beside it, fsync, rename, fsync of the folder.
 * 0: path holds exactly these bytes, on disk. -1: what was there is untouched. */
int fs_save(const char *path, const void *p, size_t n, mode_t mode, struct err *e) MUST_CHECK;

int fs_read_exact(int fd, void *p, size_t n, uint64_t at, struct err *e) MUST_CHECK;   /* short: ERR_TRUNCATED */
int fs_write_all(int fd, const void *p, size_t n, struct err *e) MUST_CHECK;
int fs_write_at(int fd, const void *p, size_t n, uint64_t at, struct err *e) MUST_CHECK;
void fs_write_back(int fd, uint64_t at, uint64_t n);    /* the disk may begin with these bytes; a hint, waits for nothing */
int fs_size(int fd, uint64_t *out, struct err *e) MUST_CHECK;
int fs_sync(int fd, struct err *e) MUST_CHECK;
int fs_sync_parent(const char *path, struct err *e) MUST_CHECK;         /* the folder that holds path */
int fs_rename(const char *from, const char *to, struct err *e) MUST_CHECK;  /* and fsync of the folder */
int fs_unlink(const char *path, struct err *e) MUST_CHECK;              /* absent is fine */

int fs_make_dirs(const char *path, mode_t mode, struct err *e) MUST_CHECK;     /* all of them */
int fs_remove_tree(const char *path, struct err *e) MUST_CHECK;        /* never follows links; absent is fine */
/* A new private folder (0700) "<parent>/<prefix>XXXXXX"; *out is its path. parent NULL = $TMPDIR or /tmp. It is locked
 * as long as this process lives; folders of this prefix that nobody holds are what killed runs left, and go. */
int fs_temp_dir(const char *parent, const char *prefix, char **out, struct err *e) MUST_CHECK;
/* For the path of such a folder: removes it and frees the path. */
void cleanup_temp_dir(char **path);
#define auto_temp_dir CLEANUP(cleanup_temp_dir)

/* A file without a name, for reading and writing; it is gone when it is closed. dir NULL = $TMPDIR or /tmp. fd or -1. */
int fs_temp_file(const char *dir, struct err *e) MUST_CHECK;

/* Sorted names in a folder, without . and .. */
struct strv;
int fs_list(const char *path, struct strv *out, struct err *e) MUST_CHECK;

/* An exclusive lock as long as *fd is open; ERR_LOCKED when another process holds it. */
int fs_lock(const char *path, int *out_fd, struct err *e) MUST_CHECK;

int fs_free_space(const char *path, uint64_t *out, struct err *e) MUST_CHECK;

/* $XDG_CACHE_HOME/airgap or ~/.cache/airgap. */
char *fs_cache_dir(void) MUST_CHECK;
/* /var/lib/airgap for root unless $XDG_STATE_HOME is set, else $XDG_STATE_HOME/airgap or ~/.local/state/airgap. */
char *fs_state_dir(void) MUST_CHECK;
char *fs_join(const char *dir, const char *name) MUST_CHECK;    /* name alone when absolute or dir is NULL/"" */
/* Folder part of a path ("." when there is none). */
char *fs_dirname(const char *path) MUST_CHECK;
/* The way from one folder to another, links followed: "../a", "" = the same. NULL: one of them is not there. */
char *fs_relative(const char *from, const char *to) MUST_CHECK;
