/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest_merge.h"

#include <airgap/fs.h>

#define API_VERSION "airgap/v1"
#define KIND        "Manifest"
#define DEPTH_MAX   8u
#define TOTAL_MAX   ((size_t)4 << 20)

void manifest_doc_release(struct manifest_doc *d)
{
	json_decref(d->doc);
	ydoc_marks_free(d->marks);
	json_decref(d->kept);
	*d = (struct manifest_doc){ 0 };
}

/* Before the keys: those of another kind would all be wrong. What is missing is for the decoder to say. */
int manifest_doc_check(const json_t *doc, const char *subject, struct err *e)
{
	const char *kind = jdoc_text(doc, "kind", NULL), *api = jdoc_text(doc, "apiVersion", NULL);

	if (json_is_null(doc))
		return err_set(e, ERR_MALFORMED, "%s: is empty", subject);
	if (!json_is_object(doc))
		return err_set(e, ERR_MALFORMED, "%s: must be a map", subject);
	if (kind && strcmp(kind, KIND) != 0)
		return err_set(e, ERR_UNSUPPORTED, "%s: kind is '%s', not " KIND, subject, kind);
	if (api && strcmp(api, API_VERSION) != 0)
		return err_set(e, ERR_UNSUPPORTED, "%s: apiVersion is '%s': this program reads " API_VERSION, subject, api);
	return 0;
}

/* The files on the way to the one that is read, and all bytes so far. */
struct reading {
	struct manifest_doc *d;
	char *real[DEPTH_MAX + 1];
	size_t depth, bytes;
};

static int read_file(struct reading *r, const char *path, json_t **out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(ydoc_user.bytes);
	auto_ydoc_marks struct ydoc_marks *marks = NULL;

	if (fs_load(path, ydoc_user.bytes, &text, e) < 0)
		return -1;
	r->bytes += text.len;
	if (r->bytes > TOTAL_MAX)
		return err_set(e, ERR_LIMIT, "%s: with all that is included more than %zu bytes", path, TOTAL_MAX);

	auto_json json_t *doc = ydoc_parse(buf_str(&text), text.len, &ydoc_user, path, &marks, e);

	if (!doc || manifest_doc_check(doc, path, e) < 0)
		return -1;
	json_array_append(r->d->kept, doc);
	if (r->d->marks)
		ydoc_marks_take(r->d->marks, &marks);
	else
		r->d->marks = TAKE(marks);
	*out = TAKE(doc);
	return 0;
}

static int load(struct reading *r, const char *path, json_t **out, struct err *e);

/* One file of `include`, merged into what was included before. */
static int include(struct reading *r, const char *from, const json_t *list, size_t i, json_t **base, struct err *e)
{
	const char *name = json_string_value(json_is_array(list) ? json_array_get(list, i) : list);
	auto_free char *dir = strchr(from, '/') ? fs_dirname(from) : NULL, *path = name && *name ? fs_join(dir, name) : NULL;
	auto_json json_t *more = NULL;

	if (!path)
		return err_set(e, ERR_MALFORMED, "must be the path of a file");
	if (load(r, path, &more, e) < 0)
		return -1;
	if (*base)
		return manifest_doc_merge(r->d, *base, more, e);
	*base = TAKE(more);
	return 0;
}

static int include_all(struct reading *r, const char *path, const json_t *doc, json_t **base, struct err *e)
{
	const json_t *list = json_object_get(doc, "include");
	size_t n = json_is_array(list) ? json_array_size(list) : list && !json_is_null(list);

	for (size_t i = 0; i < n; i++) {
		if (include(r, path, list, i, base, e) == 0)
			continue;

		auto_free char *where = ydoc_where(r->d->marks, doc, "include", 0, path);

		return err_wrap(e, "%s: include[%zu]", where, i);
	}
	return 0;
}

/* A file with all it includes. Depth is bounded. */
static int load_open(struct reading *r, const char *path, json_t **out, struct err *e)
{
	auto_json json_t *doc = NULL, *base = NULL;

	if (read_file(r, path, &doc, e) < 0 || include_all(r, path, doc, &base, e) < 0)
		return -1;
	if (base && manifest_doc_merge(r->d, base, doc, e) < 0)
		return -1;
	*out = base ? TAKE(base) : TAKE(doc);
	return 0;
}

static int load(struct reading *r, const char *path, json_t **out, struct err *e)
{
	auto_free char *real = realpath(path, NULL);

	for (size_t i = 0; real && i < r->depth; i++)
		if (strcmp(r->real[i], real) == 0)
			return err_set(e, ERR_MALFORMED, "'%s': includes itself", path);
	if (r->depth > DEPTH_MAX)
		return err_set(e, ERR_LIMIT, "'%s': included more than %u deep", path, DEPTH_MAX);
	if (!real)
		return err_sys(e, "'%s'", path);
	r->real[r->depth++] = real;

	int done = load_open(r, path, out, e);

	r->depth--;
	return done;
}

int manifest_doc_load(const char *path, const struct strv *overlays, struct manifest_doc *out, struct err *e)
{
	auto_manifest_doc struct manifest_doc d = { .kept = json_array() };
	struct reading r = { .d = &d };
	auto_free char *dir = fs_dirname(path);

	if (load(&r, path, &d.doc, e) < 0)
		return -1;
	for (size_t i = 0; overlays && i < overlays->n; i++) {
		auto_json json_t *over = NULL;

		if (load(&r, overlays->items[i], &over, e) < 0 || manifest_doc_merge(&d, d.doc, over, e) < 0)
			return err_wrap(e, "--overlay");
	}
	if (manifest_doc_move(dir, &d, e) < 0)
		return -1;
	*out = d;
	d = (struct manifest_doc){ 0 };
	return 0;
}
