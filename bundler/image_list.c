/* SPDX-License-Identifier: Apache-2.0 */
#include "image_list.h"

#include <airgap/fs.h>

#define LIST_MAX (16u << 20)
#define MARK     "# Images of "         /* how each of our files begins */

static char *file_name(const struct component *c)
{
	auto_free char *name = xasprintf("%s.txt", c->name ? c->name : "manifest");

	for (char *p = name; *p; p++)
		if (*p == '/' || (unsigned char)*p < ' ')
			*p = '_';
	return TAKE(name);
}

static void put_head(const struct subject *s, const char *what, struct buf *out)
{
	buf_putf(out, MARK "%s in %s %s: each with every place that names it.\n", what, s->contents->name, s->contents->version);
	buf_puts(out, "# Written by `bundler images --write`: do not edit, review what changes.\n");
}

static const char *place_of(const struct component *c, const struct content_reason *r, char **owned)
{
	if (!c->name)
		return "listed in the manifest";
	*owned = c->file ? xstrdup(r->path ? r->path : "")
			 : xasprintf("%s: %s: %s", r->file ? r->file : "", r->kind ? r->kind : "", r->path ? r->path : "");
	return *owned;
}

static void put_images(const struct subject *s, const struct component *c, struct buf *out)
{
	for (size_t i = 0; i < s->contents->n_images; i++) {
		const struct content_image *image = &s->contents->images[i];

		for (size_t k = 0; k < image->n_reasons; k++) {
			auto_free char *owned = NULL;

			if (!component_names(c, &image->reasons[k]))
				continue;

			auto_free char *ref = printable(image->ref);
			auto_free char *place = printable(place_of(c, &image->reasons[k], &owned));

			buf_putf(out, "%s  %s\n", ref, place);
		}
	}
}

static int save(const char *dir, const char *name, const struct buf *text, struct strv *written, struct err *e)
{
	auto_free char *path = fs_join(dir, name);

	strv_push(written, name);
	return fs_save(path, buf_str(text), text->len, 0644, e);
}

static int write_component(const struct subject *s, const struct component *c, const char *dir, struct strv *written,
			   struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LIST_MAX);
	auto_free char *title = component_title(c), *shown = printable(title), *name = file_name(c);

	if (!c->images)
		return 0;
	put_head(s, shown, &text);
	put_images(s, c, &text);
	return save(dir, name, &text, written, e);
}

static int write_not_carried(const struct subject *s, const char *dir, struct strv *written, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LIST_MAX);
	size_t i;
	json_t *x;

	if (!json_array_size(s->contents->not_carried))
		return 0;
	put_head(s, "nobody", &text);
	json_array_foreach(s->contents->not_carried, i, x) {
		auto_free char *name = not_carried_name(x), *shown = printable(name);
		auto_free char *why = printable(jdoc_text(x, "reason", NULL));

		buf_putf(&text, "%s  %s\n", shown, why);
	}
	return save(dir, "not-carried.txt", &text, written, e);
}

/* Ours, of a component that is gone. */
static int remove_old(const char *dir, const struct strv *written, struct err *e)
{
	auto_strv struct strv names = { 0 };

	if (fs_list(dir, &names, e) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = fs_join(dir, names.items[i]);
		auto_buf struct buf text = BUF_INIT(LIST_MAX);
		struct err ignored;

		if (!str_ends(names.items[i], ".txt") || strv_has(written, names.items[i]))
			continue;
		if (fs_load(path, text.max, &text, &ignored) == 0 && str_starts(buf_str(&text), MARK) && fs_unlink(path, e) < 0)
			return -1;
	}
	return 0;
}

int image_list_write(const struct subject *s, const struct costs *costs, const char *dir, struct err *e)
{
	auto_strv struct strv written = { 0 };

	if (fs_make_dirs(dir, 0755, e) < 0)
		return -1;
	for (size_t i = 0; i < costs->n_components; i++)
		if (write_component(s, &costs->components[i], dir, &written, e) < 0)
			return -1;
	if (write_not_carried(s, dir, &written, e) < 0)
		return -1;
	return remove_old(dir, &written, e);
}
