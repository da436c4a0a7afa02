/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/fs.h>
#include <airgap/helmignore.h>
#include <airgap/strv.h>

#include "tarball_pack.h"

#include <sys/stat.h>

#define FOLDER_DEPTH 64
#define MEMBERS_MAX 100000
#define IGNORE_MAX (1u << 20)

struct tarball_pack {
	struct pack_member *items;
	size_t n;
};

struct tarball_pack *tarball_pack_new(void)
{
	return xcalloc(1, sizeof(struct tarball_pack));
}

void tarball_pack_free(struct tarball_pack *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++) {
		free(t->items[i].name);
		free(t->items[i].bytes);
		free(t->items[i].path);
	}
	free(t->items);
	free(t);
}

/* ---- names */

/* The length of the UTF-8 character at s, 0 when it is none: no overlong forms, no surrogates, nothing over U+10FFFF. */
static size_t utf8_char(const unsigned char *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
	uint32_t v = n == 1 ? s[0] : s[0] & (0x7fu >> n);

	for (size_t i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		v = v << 6 | (s[i] & 63u);
	}
	return n && v >= least[n] && v <= 0x10ffff && (v < 0xd800 || v > 0xdfff) ? n : 0;
}

static int check_characters(const char *name, struct err *e)
{
	for (const unsigned char *c = (const unsigned char *)name; *c;) {
		size_t n = utf8_char(c);

		if (!n)
			return err_set(e, ERR_UNSAFE, "a name that is not UTF-8");
		if (*c < 0x20 || *c == 0x7f || *c == '\\')
			return err_set(e, ERR_UNSAFE, "'%.300s': a control character or backslash in a name", name);
		c += n;
	}
	return 0;
}

int tarball_check_name(const char *name, struct err *e)
{
	if (!*name)
		return err_set(e, ERR_UNSAFE, "a member without a name");
	if (strlen(name) > TARBALL_NAME_MAX)
		return err_set(e, ERR_UNSAFE, "'%.100s...': a name longer than %u bytes", name, TARBALL_NAME_MAX);
	if (check_characters(name, e) < 0)
		return -1;
	if (*name == '/' || (((name[0] | 32) >= 'a' && (name[0] | 32) <= 'z') && name[1] == ':'))
		return err_set(e, ERR_UNSAFE, "'%.300s': an absolute name", name);
	for (const char *part = name; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
		size_t n = strcspn(part, "/");

		if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
			return err_set(e, ERR_UNSAFE, "'%.300s': an empty part, '.' or '..' in a name", name);
	}
	return 0;
}

/* ---- gathering */

/* A new member under a checked name. */
static int add(struct tarball_pack *t, const char *name, struct pack_member **out, struct err *e)
{
	if (tarball_check_name(name, e) < 0)
		return -1;
	if (t->n >= MEMBERS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d files", MEMBERS_MAX);
	GROW(t->items, t->n);
	*out = &t->items[t->n++];
	**out = (struct pack_member){ .name = xstrdup(name) };
	return 0;
}

int tarball_pack_add(struct tarball_pack *t, const char *name, const void *p, size_t n, struct err *e)
{
	struct pack_member *m;

	if (add(t, name, &m, e) < 0)
		return -1;
	m->bytes = xmemdup(p, n);
	m->size = n;
	return 0;
}

int tarball_pack_file(struct tarball_pack *t, const char *name, const char *path, struct err *e)
{
	struct pack_member *m;
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_sys(e, "cannot read '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_UNSAFE, "'%s': %s", path, S_ISLNK(st.st_mode) ? "a symbolic link: put the file there" :
			       "not a regular file");
	if (add(t, name, &m, e) < 0)
		return -1;
	m->path = xstrdup(path);
	m->size = (uint64_t)st.st_size;
	m->executable = (st.st_mode & 0100) != 0;
	return 0;
}

struct folder_walk {
	struct tarball_pack *t;
	const char *dir, *prefix;
	const struct helmignore *ignore;        /* NULL = none */
};

/* rel is the folder below dir, "" for dir itself. */
static int add_folder(const struct folder_walk *w, const char *rel, unsigned depth, struct err *e);

static int add_below(const struct folder_walk *w, const char *rel, unsigned depth, struct err *e)
{
	auto_free char *path = fs_join(w->dir, rel);
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_sys(e, "cannot read '%s'", path);
	if (w->ignore && helmignore_match(w->ignore, rel, S_ISDIR(st.st_mode)))
		return 0;
	if (S_ISDIR(st.st_mode))
		return add_folder(w, rel, depth + 1, e);

	auto_free char *name = *w->prefix ? xasprintf("%s/%s", w->prefix, rel) : xstrdup(rel);

	return tarball_pack_file(w->t, name, path, e);
}

static int add_folder(const struct folder_walk *w, const char *rel, unsigned depth, struct err *e)
{
	auto_free char *path = *rel ? fs_join(w->dir, rel) : xstrdup(w->dir);
	auto_strv struct strv names = { 0 };

	if (depth > FOLDER_DEPTH)
		return err_set(e, ERR_LIMIT, "'%s': folders deeper than %d", path, FOLDER_DEPTH);
	if (fs_list(path, &names, e) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *below = *rel ? xasprintf("%s/%s", rel, names.items[i]) : xstrdup(names.items[i]);

		if (add_below(w, below, depth, e) < 0)
			return -1;
	}
	return 0;
}

static int load_ignore(const char *dir, struct helmignore *out, struct err *e)
{
	auto_free char *path = fs_join(dir, ".helmignore");
	auto_buf struct buf text = BUF_INIT(IGNORE_MAX);
	int there = fs_exists(path, e);

	if (there < 0 || (there && fs_load(path, IGNORE_MAX, &text, e) < 0))
		return -1;
	return helmignore_parse(buf_str(&text), out, e) < 0 ? err_wrap(e, "'%s'", dir) : 0;
}

int tarball_pack_folder(struct tarball_pack *t, const char *dir, const char *prefix, int flags, struct err *e)
{
	auto_helmignore struct helmignore ignore = { 0 };
	struct folder_walk w = { t, dir, prefix, NULL };

	if (flags & TARBALL_HELMIGNORE) {
		if (load_ignore(dir, &ignore, e) < 0)
			return -1;
		w.ignore = &ignore;
	}
	return add_folder(&w, "", 0, e);
}

/* ---- order */

/* Members stand in one array, so the later address is the later addition. */
static int compare(const void *a, const void *b)
{
	const struct pack_member *x = *(const struct pack_member *const *)a, *y = *(const struct pack_member *const *)b;
	int c = strcmp(x->name, y->name);

	return c ? c : x < y ? -1 : x > y;
}

size_t pack_sorted(const struct tarball_pack *t, const struct pack_member ***out)
{
	const struct pack_member **all = xcalloc(t->n, sizeof(*all));
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++)
		all[i] = &t->items[i];
	if (t->n)
		qsort(all, t->n, sizeof(*all), compare);
	for (size_t i = 0; i < t->n; i++) {
		if (i + 1 < t->n && strcmp(all[i]->name, all[i + 1]->name) == 0)
			continue;
		all[kept++] = all[i];
	}
	*out = all;
	return kept;
}
