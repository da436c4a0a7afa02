/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml_marks.h"

#include <airgap/strv.h>

struct mark {
	const json_t *container;
	char *key;              /* NULL in arrays */
	size_t index;
	unsigned line;
	size_t file;            /* in files */
};

struct ydoc_marks {
	struct mark *items;
	size_t n;
	struct strv files;      /* the subjects of all documents */
};

struct ydoc_marks *marks_new(const char *subject)
{
	struct ydoc_marks *m = xcalloc(1, sizeof(*m));

	strv_push(&m->files, subject);
	return m;
}

void ydoc_marks_free(struct ydoc_marks *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		free(m->items[i].key);
	free(m->items);
	strv_release(&m->files);
	free(m);
}

static struct mark *find(const struct ydoc_marks *m, const json_t *container, const char *key, size_t index)
{
	for (size_t i = 0; m && i < m->n; i++) {
		struct mark *k = &m->items[i];

		if (k->container == container && str_eq(k->key, key) && (key || k->index == index))
			return k;
	}
	return NULL;
}

unsigned ydoc_line(const struct ydoc_marks *m, const json_t *container, const char *key, size_t index)
{
	const struct mark *k = find(m, container, key, index);

	return k ? k->line : 0;
}

const char *ydoc_file(const struct ydoc_marks *m, const json_t *container, const char *key, size_t index)
{
	const struct mark *k = find(m, container, key, index);

	return k ? m->files.items[k->file] : NULL;
}

char *ydoc_where(const struct ydoc_marks *m, const json_t *container, const char *key, size_t index, const char *subject)
{
	const struct mark *k = find(m, container, key, index);

	return k ? xasprintf("%s:%u", m->files.items[k->file], k->line) : xstrdup(subject ? subject : "");
}

void marks_add(struct ydoc_marks *m, const json_t *container, const char *key, size_t index, unsigned line)
{
	if (!m)
		return;
	GROW(m->items, m->n);
	m->items[m->n++] = (struct mark){ container, key ? xstrdup(key) : NULL, index, line, 0 };
}

/* ---- of several documents */

void ydoc_marks_take(struct ydoc_marks *m, struct ydoc_marks **more)
{
	struct ydoc_marks *from = TAKE(*more);

	for (size_t i = 0; from && i < from->n; i++) {
		GROW(m->items, m->n);
		m->items[m->n] = from->items[i];
		m->items[m->n].key = TAKE(from->items[i].key);
		m->items[m->n++].file += m->files.n;
	}
	for (size_t i = 0; from && i < from->files.n; i++)
		strv_push(&m->files, from->files.items[i]);
	ydoc_marks_free(from);
}

void ydoc_mark_copy(struct ydoc_marks *m, const json_t *to, const char *to_key, size_t to_index, const json_t *from,
		    const char *from_key, size_t from_index)
{
	const struct mark *place = find(m, from, from_key, from_index);
	struct mark *have = find(m, to, to_key, to_index);

	if (!place)
		return;
	if (have) {
		have->line = place->line;
		have->file = place->file;
		return;
	}

	struct mark copy = { to, to_key ? xstrdup(to_key) : NULL, to_index, place->line, place->file };

	GROW(m->items, m->n);
	m->items[m->n++] = copy;
}
