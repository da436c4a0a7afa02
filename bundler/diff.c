/* SPDX-License-Identifier: Apache-2.0 */
#include "diff.h"

#include <airgap/ref.h>

static const char *const lists[] = { "charts", "images", "files", "sets", "notCarried" };

/* One line: name_key says what `name` is; old NULL: entered, new NULL: left. */
static json_t *change_of(const char *name_key, const char *name, const char *old, const char *new)
{
	return json_pack("{ss, ss, ss*, ss*}", name_key, name, "change", !old ? "entered" : !new ? "left" : "changed", "old", old,
			 "new", new);
}

static json_t *digest_change(const char *name_key, const char *name, const struct digest *old, const struct digest *new)
{
	char a[DIGEST_TEXT], b[DIGEST_TEXT];

	return change_of(name_key, name, old ? digest_text(old, a) : NULL, new ? digest_text(new, b) : NULL);
}

/* ---- charts */

static int changed_chart(struct subject *from, const struct content_chart *a, struct subject *to,
			 const struct content_chart *b, json_t *out, struct err *e)
{
	json_t *change = change_of("name", b->name, a->version, b->version);
	json_t *values = json_array();

	json_array_append_new(out, change);
	json_object_set_new(change, "values", values);

	int there = diff_values(from, a, to, b, values, e);

	if (there < 0)
		return err_wrap(e, "chart '%s'", b->name);
	if (!there)
		json_object_set_new(change, "valuesUnknown", json_true());
	if (!json_array_size(values))
		json_object_del(change, "values");
	return 0;
}

static int diff_charts(struct subject *from, struct subject *to, json_t *out, struct err *e)
{
	for (size_t i = 0; i < from->contents->n_charts; i++) {
		const struct content_chart *a = &from->contents->charts[i], *b = contents_chart(to->contents, a->name);

		if (!b)
			json_array_append_new(out, change_of("name", a->name, a->version, NULL));
		else if (!digest_eq(&a->archive, &b->archive) && changed_chart(from, a, to, b, out, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < to->contents->n_charts; i++)
		if (!contents_chart(from->contents, to->contents->charts[i].name))
			json_array_append_new(out, change_of("name", to->contents->charts[i].name, NULL, to->contents->charts[i].version));
	return 0;
}

/* ---- images */

static bool same_name(const char *a, const char *b)
{
	auto_ref struct ref x = { 0 }, y = { 0 };
	struct err ignored;

	return ref_parse(a, &x, &ignored) == 0 && ref_parse(b, &y, &ignored) == 0 && strcmp(x.host, y.host) == 0 &&
	       strcmp(x.path, y.path) == 0;
}

/* The only one of `s` that has this name and is not in `other`; NULL: none, or several. */
static const struct content_image *only_of_name(const struct contents *s, const struct contents *other, const char *ref)
{
	const struct content_image *only = NULL;

	for (size_t i = 0; i < s->n_images; i++) {
		const struct content_image *x = &s->images[i];

		if (!same_name(x->ref, ref) || contents_image(other, x->ref))
			continue;
		if (only)
			return NULL;
		only = x;
	}
	return only;
}

/* One that left and one that entered, of one name: another tag. */
static const struct content_image *took_its_place(const struct contents *from, const struct contents *to, const char *ref)
{
	const struct content_image *old = only_of_name(from, to, ref);

	return old && only_of_name(to, from, ref) ? old : NULL;
}

static void diff_images(const struct contents *from, const struct contents *to, json_t *out)
{
	for (size_t i = 0; i < to->n_images; i++) {
		const struct content_image *b = &to->images[i], *a = contents_image(from, b->ref);
		const struct content_image *was = a ? NULL : took_its_place(from, to, b->ref);
		json_t *change;

		if (a && digest_eq(&a->digest, &b->digest) && digest_eq(&a->target, &b->target))
			continue;
		change = digest_change("ref", b->ref, a ? &a->target : was ? &was->target : NULL, &b->target);
		if (was)
			json_object_set_new(change, "was", json_string(was->ref));
		json_array_append_new(out, change);
	}
	for (size_t i = 0; i < from->n_images; i++) {
		const struct content_image *a = &from->images[i];

		if (!contents_image(to, a->ref) && !took_its_place(from, to, a->ref))
			json_array_append_new(out, digest_change("ref", a->ref, &a->target, NULL));
	}
}

/* ---- files and sets */

static const struct content_file *same_file(const struct contents *c, const struct content_file *f)
{
	for (size_t i = 0; i < c->n_files; i++)
		if (strcmp(c->files[i].name, f->name) == 0 && str_eq(c->files[i].platform, f->platform))
			return &c->files[i];
	return NULL;
}

static void add_file(json_t *out, const struct content_file *f, const struct digest *old, const struct digest *new)
{
	json_t *change = digest_change("name", f->name, old, new);

	if (f->platform)
		json_object_set_new(change, "platform", json_string(f->platform));
	json_array_append_new(out, change);
}

static void diff_files(const struct contents *from, const struct contents *to, json_t *out)
{
	for (size_t i = 0; i < to->n_files; i++) {
		const struct content_file *b = &to->files[i], *a = same_file(from, b);

		if (!a || !digest_eq(&a->blob, &b->blob))
			add_file(out, b, a ? &a->blob : NULL, &b->blob);
	}
	for (size_t i = 0; i < from->n_files; i++)
		if (!same_file(to, &from->files[i]))
			add_file(out, &from->files[i], &from->files[i].blob, NULL);
}

static bool has(const json_t *list, const json_t *value)
{
	size_t i;
	json_t *x;

	json_array_foreach((json_t *)list, i, x)
		if (json_equal(x, value))
			return true;
	return false;
}

/* What `a` says and `b` does not, under `key`. */
static void add_notes(json_t *change, const char *key, const json_t *a, const json_t *b)
{
	json_t *out = json_array(), *text;
	size_t i;

	json_array_foreach((json_t *)a, i, text)
		if (!has(b, text))
			json_array_append(out, text);
	if (json_array_size(out))
		json_object_set(change, key, out);
	json_decref(out);
}

static void add_set(json_t *out, const struct content_set *a, const struct content_set *b)
{
	const struct content_set *any = b ? b : a;
	json_t *change = digest_change("name", any->name, a ? &a->digest : NULL, b ? &b->digest : NULL);

	json_object_set_new(change, "kind", json_string(any->kind));
	add_notes(change, "entered", b ? b->notes : NULL, a ? a->notes : NULL);
	add_notes(change, "left", a ? a->notes : NULL, b ? b->notes : NULL);
	json_array_append_new(out, change);
}

static void diff_sets(const struct contents *from, const struct contents *to, json_t *out)
{
	for (size_t i = 0; i < to->n_sets; i++) {
		const struct content_set *b = &to->sets[i], *a = contents_set(from, b->kind, b->name);

		if (!a || !digest_eq(&a->digest, &b->digest))
			add_set(out, a, b);
	}
	for (size_t i = 0; i < from->n_sets; i++)
		if (!contents_set(to, from->sets[i].kind, from->sets[i].name))
			add_set(out, &from->sets[i], NULL);
}

/* ---- what is not carried */

static void add_not_carried(json_t *out, const json_t *a, const json_t *b, const char *change)
{
	size_t i;
	json_t *x;

	json_array_foreach((json_t *)a, i, x) {
		json_t *entry = has(b, x) ? NULL : json_copy(x);

		if (!entry)
			continue;
		json_object_set_new(entry, "change", json_string(change));
		json_array_append_new(out, entry);
	}
}

/* ---- bytes */

static json_t *diff_bytes(const struct subject *from, const struct subject *to)
{
	uint64_t new_bytes = 0, gone_bytes = 0;
	size_t n_new = 0, n_gone = 0;

	for (size_t i = 0; i < to->n_blobs; i++)
		if (!subject_find(from, &to->blobs[i].digest)) {
			n_new++;
			new_bytes += to->blobs[i].size;
		}
	for (size_t i = 0; i < from->n_blobs; i++)
		if (!subject_find(to, &from->blobs[i].digest)) {
			n_gone++;
			gone_bytes += from->blobs[i].size;
		}
	return json_pack("{sI, sI, sI, sI, sI, sI}", "old", (json_int_t)subject_size(from), "new", (json_int_t)subject_size(to),
			 "newBlobs", (json_int_t)n_new, "newBytes", (json_int_t)new_bytes, "goneBlobs", (json_int_t)n_gone,
			 "goneBytes", (json_int_t)gone_bytes);
}

static json_t *name_of(const struct subject *s)
{
	return json_pack("{ss, ss, ss}", "path", s->path, "name", s->contents->name, "version", s->contents->version);
}

json_t *diff_make(struct subject *from, struct subject *to, struct err *e)
{
	const struct contents *a = from->contents, *b = to->contents;
	auto_json json_t *out = json_pack("{so, so, so}", "old", name_of(from), "new", name_of(to), "bytes", diff_bytes(from, to));

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		json_object_set_new(out, lists[i], json_array());
	if (diff_charts(from, to, json_object_get(out, "charts"), e) < 0)
		return NULL;
	diff_images(a, b, json_object_get(out, "images"));
	diff_files(a, b, json_object_get(out, "files"));
	diff_sets(a, b, json_object_get(out, "sets"));
	add_not_carried(json_object_get(out, "notCarried"), b->not_carried, a->not_carried, "entered");
	add_not_carried(json_object_get(out, "notCarried"), a->not_carried, b->not_carried, "left");
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (!json_array_size(json_object_get(out, lists[i])))
			json_object_del(out, lists[i]);
	return json_incref(out);
}

bool diff_is_empty(const json_t *diff)
{
	const json_t *bytes = json_object_get(diff, "bytes");

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (json_object_get(diff, lists[i]))
			return false;
	return !json_integer_value(json_object_get(bytes, "newBlobs")) && !json_integer_value(json_object_get(bytes, "goneBlobs"));
}
