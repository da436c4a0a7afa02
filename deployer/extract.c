/* SPDX-License-Identifier: Apache-2.0 */
#include "extract.h"

#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/oci.h>
#include <airgap/proc.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (1u << 20)

int extract_blob(struct bundle *b, const struct digest *d, int fd, struct err *e)
{
	auto_bundle_reader struct bundle_reader r = { 0 };
	auto_hash struct hash h = { 0 };
	const uint8_t *p;
	ssize_t n;

	if (bundle_reader_open(&r, b, d, e) < 0)
		return -1;
	hash_begin(&h);
	while ((n = bundle_reader_run(&r, &p, PIECE, e)) > 0) {
		hash_add(&h, p, (size_t)n);
		if (fs_write_all(fd, p, (size_t)n, e) < 0)
			return -1;
		if (proc_interrupted)
			return err_set(e, ERR_DEADLINE, "interrupted");
	}
	if (n < 0)
		return -1;

	struct digest have = hash_end(&h);

	return digest_eq(&have, d) ? 0 : err_set(e, ERR_DIGEST, "content does not match its hash");
}

/* ---- names */

/* One of both. */
struct thing { const struct content_file *file; const struct content_set *set; };

static const char *thing_place(const struct thing *t)
{
	return t->file ? t->file->file : t->set->name;
}

void extract_names(const struct contents *c, struct strv *out)
{
	for (size_t i = 0; i < c->n_files; i++) {
		auto_free char *name = xasprintf("files/%s", c->files[i].name);

		if (!strv_has(out, name))
			strv_push(out, name);
	}
	for (size_t i = 0; i < c->n_sets; i++)
		strv_pushf(out, "%s/%s", c->sets[i].kind, c->sets[i].name);
}

static int no_such(const struct contents *c, const char *name, struct err *e)
{
	auto_strv struct strv names = { 0 };
	const char *near;

	extract_names(c, &names);
	near = names.n ? strv_nearest((const char *const *)names.items, name) : NULL;
	if (near)
		return err_set(e, ERR_USAGE, "the bundle has no '%s': did you mean '%s'?", name, near);
	return err_set(e, ERR_USAGE, "the bundle has no '%s': --list shows what it has", name);
}

/* The one that fits this platform, or the only one there is. */
static int find_file(const struct extract *x, const char *name, const struct content_file **out, struct err *e)
{
	const struct contents *c = x->contents;
	const struct content_file *only = NULL;
	size_t n = 0;

	*out = contents_file(c, name, x->platform);
	for (size_t i = 0; i < c->n_files && !*out; i++)
		if (strcmp(c->files[i].name, name) == 0) {
			only = &c->files[i];
			n++;
		}
	if (n > 1)
		return err_set(e, ERR_USAGE, "'%s' is there for %zu platforms, but not for %s: use --platform", name, n, x->platform);
	*out = *out ? *out : only;
	return *out != NULL;
}

static int find_thing(const struct extract *x, const char *name, struct thing *out, struct err *e)
{
	const char *slash = strchr(name, '/'), *last = slash ? slash + 1 : name;
	const struct contents *c = x->contents;
	size_t n = 0;

	if (!slash || str_starts(name, "files/")) {
		int there = find_file(x, last, &out->file, e);

		if (there < 0)
			return -1;
		n += (size_t)there;
	}
	for (size_t i = 0; i < c->n_sets; i++) {
		const struct content_set *s = &c->sets[i];

		if (strcmp(s->name, last) != 0 || (slash && strncmp(s->kind, name, (size_t)(slash - name)) != 0) ||
		    (slash && s->kind[slash - name]))
			continue;
		out->set = s;
		n++;
	}
	if (n > 1)
		return err_set(e, ERR_USAGE, "'%s' has several meanings: write files/%s, packages/%s and so on", name, name, name);
	return n ? 0 : no_such(c, name, e);
}

/* ---- onto disk */

static int write_blob(const struct extract *x, const struct oci_blob *b, const char *path, mode_t mode, struct err *e)
{
	auto_fd int fd = fs_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, e);

	if (fd < 0 || extract_blob(x->bundle, &b->digest, fd, e) < 0)
		return -1;
	progress_add(b->size);
	if (fchmod(fd, mode) < 0)
		return err_sys(e, "mode");
	return fs_sync(fd, e);
}

/* title is a clean path below the folder: the manifest may be anybody's, who signed decides who. */
static int write_layer(const struct extract *x, const struct descriptor *layer, const char *folder, struct err *e)
{
	const char *title = descriptor_note(layer, OCI_TITLE);

	if (!title || !oci_title_ok(title))
		return err_set(e, ERR_UNSAFE, "'%s': is no safe file name", title ? title : "");

	const struct oci_blob blob = { layer->digest, layer->size };
	auto_free char *path = fs_join(folder, title), *parent = fs_dirname(path);

	if (fs_make_dirs(parent, 0755, e) < 0 || write_blob(x, &blob, path, 0644, e) < 0)
		return err_wrap(e, "'%s'", title);
	return 0;
}

static int write_set(const struct extract *x, const struct content_set *s, const char *folder, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_MANIFEST_MAX);
	auto_oci_manifest struct oci_manifest m = { 0 };

	if (bundle_blob_load(x->bundle, &s->digest, &text, e) < 0 ||
	    oci_parse_manifest(buf_str(&text), text.len, OCI_MANIFEST, &m, e) < 0 || fs_make_dirs(folder, 0755, e) < 0)
		return -1;
	for (size_t i = 0; i < m.n_layers; i++)
		if (write_layer(x, &m.layers[i], folder, e) < 0)
			return -1;
	return 0;
}

static mode_t mode_of(const struct content_file *f)
{
	mode_t mode = 0;

	for (const char *s = f->mode ? f->mode : "644"; *s; s++)
		mode = mode * 8 + (mode_t)(*s - '0');
	return mode & 0777;
}

static int write_file(const struct extract *x, const struct content_file *f, const char *path, struct err *e)
{
	const struct oci_blob blob = { f->blob, f->size };

	return write_blob(x, &blob, path, mode_of(f), e);
}

/* Into place, unless something is there: also when it came a moment ago. */
static int give_name(const char *from, const char *to, struct err *e)
{
	struct stat st;

	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return fs_sync_parent(to, e);
	if ((errno == EINVAL || errno == ENOSYS) && lstat(to, &st) < 0 && errno == ENOENT)
		return fs_rename(from, to, e);
	return err_sys(e, "'%s'", to);
}

static int extract_one(struct extract *x, const struct thing *t, const char *work, struct err *e)
{
	const char *place = thing_place(t);
	auto_free char *partial = fs_join(work, place), *path = fs_join(x->dir, place);

	if ((t->file ? write_file(x, t->file, partial, e) : write_set(x, t->set, partial, e)) < 0 || give_name(partial, path, e) < 0)
		return -1;
	strv_push(&x->done, path);
	return 0;
}

static int check_place(const struct extract *x, const struct thing *all, size_t i, struct err *e)
{
	auto_free char *path = fs_join(x->dir, thing_place(&all[i]));
	struct stat st;

	for (size_t k = 0; k < i; k++)
		if (strcmp(thing_place(&all[k]), thing_place(&all[i])) == 0)
			return err_set(e, ERR_USAGE, "two of them would become '%s': take one at a time", path);
	if (lstat(path, &st) == 0)
		return err_set(e, ERR_USAGE, "'%s' is there already: remove it, or choose another folder with -o", path);
	return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, "'%s'", path);
}

static void remove_folder(char **dir)
{
	struct err ignored;

	if (*dir && fs_remove_tree(*dir, &ignored) < 0)
		log_debug("%s", ignored.msg);
	free(*dir);
}

int extract_all(struct extract *x, char *const *names, struct err *e)
{
	CLEANUP(remove_folder) char *work = NULL;
	auto_free struct thing *all = NULL;
	uint64_t total = 0;
	size_t n = 0;
	int rc = 0;

	for (; names[n]; n++) {
		GROW(all, n);
		all[n] = (struct thing){ 0 };
		if (find_thing(x, names[n], &all[n], e) < 0 || check_place(x, all, n, e) < 0)
			return -1;
		total += all[n].file ? all[n].file->size : all[n].set->size;
	}
	if (fs_make_dirs(x->dir, 0755, e) < 0 || fs_temp_dir(x->dir, ".airgap-extract-", &work, e) < 0)
		return -1;
	progress_begin("extract", total);
	for (size_t i = 0; i < n && rc == 0; i++)
		if (extract_one(x, &all[i], work, e) < 0)
			rc = err_wrap(e, "%s", names[i]);
	progress_end();
	return rc;
}
