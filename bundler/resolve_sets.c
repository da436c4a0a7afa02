/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_sets.h"

void set_files_release(struct set_files *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->items[i].title);
		free(v->items[i].source.location);
		free(v->items[i].source.member);
	}
	free(v->items);
	*v = (struct set_files){ 0 };
}

struct set_file *set_files_add(struct set_files *v, const char *title)
{
	GROW(v->items, v->n);
	v->items[v->n] = (struct set_file){ .title = xstrdup(title) };
	return &v->items[v->n++];
}

static int compare_titles(const void *a, const void *b)
{
	const struct set_file *x = a, *y = b;

	return strcmp(x->title, y->title);
}

/* A path below the folder: it is written to disk under this name. */
static int check_titles(const struct set_files *v, struct err *e)
{
	for (size_t i = 0; i < v->n; i++) {
		if (!oci_title_ok(v->items[i].title))
			return err_set(e, ERR_UNSAFE, "'%s': is no safe file name", v->items[i].title);
		if (i && strcmp(v->items[i - 1].title, v->items[i].title) == 0)
			return err_set(e, ERR_MALFORMED, "'%s': two files have this name", v->items[i].title);
	}
	return v->n ? 0 : err_set(e, ERR_MALFORMED, "has no files");
}

static int add_files(struct run *r, const struct set_files *v, struct err *e)
{
	static const char type[] = "application/octet-stream";

	for (size_t i = 0; i < v->n; i++) {
		const struct set_file *f = &v->items[i];

		if (run_add_blob(r, &f->blob.digest, f->blob.size, type, oci_encoding_stored(f->title), false, &f->source, e) < 0)
			return err_wrap(e, "'%s'", f->title);
	}
	return 0;
}

static void set_release(struct content_set *set)
{
	free(set->kind);
	free(set->name);
	free(set->type);
	free(set->platform);
	free(set->origin);
	json_decref(set->notes);
	*set = (struct content_set){ 0 };
}

static int add_set(struct run *r, struct content_set *set, struct set_files *files, struct err *e)
{
	struct contents *c = &r->lock->contents;
	auto_buf struct buf manifest = BUF_INIT(OCI_MANIFEST_MAX);
	struct digest empty;
	uint64_t size = 0;

	if (files->n)
		qsort(files->items, files->n, sizeof(files->items[0]), compare_titles);
	if (check_titles(files, e) < 0 || add_files(r, files, e) < 0)
		return -1;

	auto_free struct oci_file *layers = xcalloc(files->n, sizeof(*layers));

	for (size_t i = 0; i < files->n; i++) {
		layers[i] = (struct oci_file){ files->items[i].title, files->items[i].blob };
		size += files->items[i].blob.size;
	}
	if (oci_make_artifact_manifest(AIRGAP_SET, layers, files->n, &manifest, e) < 0 ||
	    lock_add_made(r->lock, OCI_EMPTY_TEXT, strlen(OCI_EMPTY_TEXT), OCI_EMPTY, false, &empty, e) < 0 ||
	    lock_add_made(r->lock, manifest.ptr, manifest.len, OCI_MANIFEST, true, &set->digest, e) < 0)
		return -1;
	set->files = files->n;
	set->size = size;
	GROW(c->sets, c->n_sets);
	c->sets[c->n_sets++] = *set;
	*set = (struct content_set){ 0 };
	return 0;
}

int run_add_set_take(struct run *r, struct content_set *set, struct set_files *files, struct err *e)
{
	int done = add_set(r, set, files, e);

	set_release(set);
	return done;
}
