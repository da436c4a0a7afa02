/* SPDX-License-Identifier: Apache-2.0 */
#include "diff.h"

#include <airgap/log.h>

#define VALUE_SHOWN 60u         /* characters of a value */

static void put(struct buf *out, const char *text)
{
	auto_free char *shown = printable(text);

	buf_puts(out, shown);
}

static const char *text_of(const json_t *change, const char *key)
{
	const char *text = jdoc_text(change, key, NULL);

	return text ? text : "";
}

/* "+" entered, "-" left, "~" changed. */
static void put_mark(struct buf *out, const json_t *change)
{
	const char *what = text_of(change, "change");

	buf_putf(out, "  %c ", *what == 'e' ? '+' : *what == 'l' ? '-' : '~');
}

/* A value as it would stand in YAML, cut short. */
static void put_value(struct buf *out, const json_t *v)
{
	auto_buf struct buf text = BUF_INIT(64u << 20);
	auto_json json_t *wrapped = json_pack("[O?]", v);
	struct err ignored;

	if (!v) {
		buf_puts(out, "(none)");
		return;
	}
	if (jdoc_dump(wrapped, &text, &ignored) < 0)
		return;

	auto_free char *one = xstrndup(buf_str(&text) + 1, text.len > 2 ? text.len - 2 : 0);
	size_t n = strlen(one), keep = VALUE_SHOWN;

	/* not within a character of UTF-8 */
	while (n > VALUE_SHOWN && keep && ((unsigned char)one[keep] & 0xc0) == 0x80)
		keep--;
	if (n > VALUE_SHOWN)
		one[keep] = '\0';
	put(out, one);
	if (n > VALUE_SHOWN)
		buf_puts(out, "…");
}

static void put_from_to(struct buf *out, const char *old, const char *new)
{
	put(out, *old ? old : new);
	if (*old && *new) {
		buf_puts(out, " -> ");
		put(out, new);
	}
}

static void put_chart(struct buf *out, const json_t *change)
{
	const char *old = text_of(change, "old"), *new = text_of(change, "new");
	size_t i;
	json_t *v;

	put(out, text_of(change, "name"));
	buf_putc(out, ' ');
	if (*old && strcmp(old, new) == 0)
		buf_putf(out, "%s, another archive", old);
	else
		put_from_to(out, old, new);
	buf_putc(out, '\n');
	if (json_is_true(json_object_get(change, "valuesUnknown")))
		buf_puts(out, "      its default values cannot be compared: an archive is not in the content cache\n");
	json_array_foreach(json_object_get(change, "values"), i, v) {
		buf_puts(out, "      ");
		put(out, text_of(v, "file"));
		buf_puts(out, ": ");
		put(out, text_of(v, "key"));
		buf_puts(out, ": ");
		put_value(out, json_object_get(v, "old"));
		buf_puts(out, " -> ");
		put_value(out, json_object_get(v, "new"));
		buf_putc(out, '\n');
	}
}

/* "sha256:" and 12 digits are enough for an eye. */
static void put_digests(struct buf *out, const json_t *change)
{
	const char *old = text_of(change, "old"), *new = text_of(change, "new");

	if (*old && *new)
		buf_putf(out, "  %.19s -> %.19s", old, new);
}

static void put_image(struct buf *out, const json_t *change)
{
	const char *was = text_of(change, "was");

	if (*was) {
		put(out, was);
		buf_puts(out, " -> ");
	}
	put(out, text_of(change, "ref"));
	put_digests(out, change);
	buf_putc(out, '\n');
}

static void put_file(struct buf *out, const json_t *change)
{
	const char *platform = text_of(change, "platform");

	put(out, text_of(change, "name"));
	if (*platform) {
		buf_putc(out, ' ');
		put(out, platform);
	}
	put_digests(out, change);
	buf_putc(out, '\n');
}

static void put_notes(struct buf *out, const json_t *list, char mark)
{
	size_t i;
	json_t *text;

	json_array_foreach((json_t *)list, i, text) {
		buf_putf(out, "      %c ", mark);
		put(out, json_string_value(text));
		buf_putc(out, '\n');
	}
}

static void put_set(struct buf *out, const json_t *change)
{
	put(out, text_of(change, "kind"));
	buf_putc(out, ' ');
	put_file(out, change);
	put_notes(out, json_object_get(change, "entered"), '+');
	put_notes(out, json_object_get(change, "left"), '-');
}

static void put_not_carried(struct buf *out, const json_t *change)
{
	auto_free char *name = not_carried_name(change);

	put(out, name);
	buf_puts(out, "  ");
	put(out, text_of(change, "reason"));
	buf_putc(out, '\n');
}

static uint64_t number(const json_t *bytes, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(bytes, key));
}

static void put_bytes(struct buf *out, const json_t *bytes)
{
	char old[16], new[16], more[16], gone[16];

	buf_putf(out, "\nto carry: %s -> %s; new: %ju blobs, %s; gone: %ju blobs, %s\n", log_size(old, number(bytes, "old")),
		 log_size(new, number(bytes, "new")), (uintmax_t)number(bytes, "newBlobs"),
		 log_size(more, number(bytes, "newBytes")), (uintmax_t)number(bytes, "goneBlobs"),
		 log_size(gone, number(bytes, "goneBytes")));
}

static void put_side(struct buf *out, const json_t *side)
{
	put(out, text_of(side, "name"));
	buf_putc(out, ' ');
	put(out, text_of(side, "version"));
}

void diff_text(const json_t *diff, struct buf *out)
{
	static const struct { const char *list, *title; void (*put)(struct buf *out, const json_t *change); } parts[] = {
		{ "charts", "CHARTS", put_chart }, { "images", "IMAGES", put_image }, { "files", "FILES", put_file },
		{ "sets", "SETS", put_set }, { "notCarried", "NOT CARRIED", put_not_carried },
	};
	size_t k;
	json_t *change;

	put_side(out, json_object_get(diff, "old"));
	buf_puts(out, " -> ");
	put_side(out, json_object_get(diff, "new"));
	buf_putc(out, '\n');
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const json_t *list = json_object_get(diff, parts[i].list);

		if (list)
			buf_putf(out, "\n%s\n", parts[i].title);
		json_array_foreach((json_t *)list, k, change) {
			put_mark(out, change);
			parts[i].put(out, change);
		}
	}
	if (diff_is_empty(diff))
		buf_puts(out, "\nboth carry the same\n");
	else
		put_bytes(out, json_object_get(diff, "bytes"));
}
