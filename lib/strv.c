/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/strv.h>

void strv_release(struct strv *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->items[i]);
	free(v->items);
	v->items = NULL;
	v->n = 0;
}

void strv_push_take(struct strv *v, char *s)
{
	/* n strings and the NULL: room is needed for one more of n + 1. */
	if (!v->items)
		GROW(v->items, 0);
	GROW(v->items, v->n + 1);
	v->items[v->n++] = s;
	v->items[v->n] = NULL;
}

void strv_push(struct strv *v, const char *s)
{
	strv_push_take(v, xstrdup(s));
}

void strv_pushf(struct strv *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strv_push_take(v, xvasprintf(fmt, ap));
	va_end(ap);
}

void strv_split(struct strv *v, const char *s, char separator)
{
	while (*s) {
		const char *end = strchrnul(s, separator);

		if (end > s)
			strv_push_take(v, xstrndup(s, (size_t)(end - s)));
		s = *end ? end + 1 : end;
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *v)
{
	if (v->n > 1)
		qsort(v->items, v->n, sizeof(v->items[0]), compare);
}

void strv_uniq(struct strv *v)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->n; i++) {
		if (kept && strcmp(v->items[kept - 1], v->items[i]) == 0)
			free(v->items[i]);
		else
			v->items[kept++] = v->items[i];
	}
	v->n = kept;
	if (v->items)
		v->items[kept] = NULL;
}

bool strv_has(const struct strv *v, const char *s)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->items[i], s) == 0)
			return true;
	return false;
}

char *strv_join(const struct strv *v, const char *separator)
{
	size_t len = 1, gap = strlen(separator);

	for (size_t i = 0; i < v->n; i++)
		len += strlen(v->items[i]) + gap;

	char *s = xmalloc(len), *end = s;

	for (size_t i = 0; i < v->n; i++) {
		if (i)
			end = stpcpy(end, separator);
		end = stpcpy(end, v->items[i]);
	}
	*end = '\0';
	return s;
}

/* Levenshtein distance, one row at a time; words longer than the row are "far". */
static size_t distance(const char *a, const char *b)
{
	size_t row[65], n = strlen(b);

	if (n >= ARRAY_LEN(row))
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; *a; a++, i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t up = row[j];
			size_t swap = corner + (*a != b[j - 1]);

			row[j] = MIN(swap, MIN(up, row[j - 1]) + 1);
			corner = up;
		}
	}
	return row[n];
}

const char *strv_nearest(const char *const *items, const char *s)
{
	const char *best = NULL;
	size_t least = MIN(3u, strlen(s) / 2) + 1;

	for (; *items; items++) {
		size_t d = distance(s, *items);

		if (d < least) {
			least = d;
			best = *items;
		}
	}
	return best;
}
