/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/scan.h>

#include <airgap/buf.h>
#include <airgap/digest.h>
#include <airgap/strv.h>

#define PATH_BYTES 4096u
#define TEXT_BYTES (64u << 20)  /* of one leaf: no more than a whole render */

/* Two objects of two renders, side by side. */
struct pair {
	const struct helm_object *object;
	struct buf path;
	struct strv *random;
};

static void report(struct pair *p)
{
	const char *kind = jdoc_text(p->object->object, "kind", NULL);

	/* Charts give their tests random names; nobody installs them. */
	if (p->object->test)
		return;
	strv_pushf(p->random, "%s: %s: %s", p->object->source, kind ? kind : "", buf_str(&p->path));
}

/* ---- texts: a random word in a longer one must not hide the images beside it */

static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/:@-+=%";

static void split_words(const char *text, struct strv *out)
{
	while (*text) {
		size_t n = strspn(text, word);

		if (n)
			strv_push_take(out, xstrndup(text, n));
		text += n;
		text += strcspn(text, word);
	}
	strv_sort(out);
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Next line of a text, without its end. */
static char *take_line(const char **text)
{
	size_t n = strcspn(*text, "\n");
	char *line = xstrndup(*text, n);

	*text += n + ((*text)[n] == '\n');
	return line;
}

static bool has_word(const struct strv *known, const char *one)
{
	return known->n && bsearch(&one, known->items, known->n, sizeof(one), compare_words);
}

/* What stands between the words: the same in both, or it is random too. */
static bool same_marks(const char *a, const char *b)
{
	for (;;) {
		a += strspn(a, word);
		b += strspn(b, word);
		if (*a != *b)
			return false;
		if (!*a)
			return true;
		a++;
		b++;
	}
}

/* a without the words that b does not have; where the marks differ, its words alone. */
static void put_common(struct buf *out, const char *a, const char *b)
{
	auto_strv struct strv known = { 0 };
	bool marks = same_marks(a, b);

	split_words(b, &known);
	while (*a) {
		size_t n = strspn(a, word), blank = strcspn(a + n, word);
		auto_free char *one = xstrndup(a, n);
		bool kept = n && has_word(&known, one);

		if (kept)
			buf_put(out, a, n);
		if (marks)
			buf_put(out, a + n, blank);
		else if (kept)
			buf_putc(out, ' ');
		a += n + blank;
	}
}

static size_t count_lines(const char *s)
{
	size_t n = 1;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

/* Line by line where both have as many, so that nothing random decides what becomes of another line. */
static char *common_text(const char *a, const char *b)
{
	auto_buf struct buf out = BUF_INIT(TEXT_BYTES);

	if (count_lines(a) != count_lines(b)) {
		put_common(&out, a, b);
		return buf_take(&out);
	}
	while (*a || *b) {
		auto_free char *x = take_line(&a), *y = take_line(&b);

		if (out.len)
			buf_putc(&out, '\n');
		if (strcmp(x, y) == 0)
			buf_puts(&out, x);
		else
			put_common(&out, x, y);
	}
	return buf_take(&out);
}

/* ---- Secrets: what their base64 says is compared, not its spelling */

static char *decoded(const char *text)
{
	size_t n = strlen(text), len;
	auto_free char *out = xmalloc(n / 4 * 3 + 1);

	if (!base64_decode(text, n, (uint8_t *)out, &len) || memchr(out, '\0', len))
		return NULL;
	out[len] = '\0';
	return TAKE(out);
}

static char *common_base64(const char *a, const char *b)
{
	auto_free char *x = decoded(a), *y = decoded(b);

	if (!x || !y)
		return common_text(a, b);

	auto_free char *same = common_text(x, y);
	size_t n = strlen(same);
	char *out = xmalloc(base64_size(n));

	return base64_encode(same, n, out);
}

/* ---- values */

static int mask_value(struct pair *p, json_t *a, json_t *b, struct err *e);

/* The walk goes on one step deeper: key NULL is a list. */
static int enter(struct pair *p, const char *key, struct err *e)
{
	if (key && p->path.len && buf_add(&p->path, ".", 1, e) < 0)
		return -1;
	return buf_add(&p->path, key ? key : "[]", key ? strlen(key) : 2, e);
}

static void leave(struct pair *p, size_t len)
{
	p->path.len = len;
	if (p->path.ptr)
		p->path.ptr[len] = '\0';
}

static int mask_child(struct pair *p, const char *key, json_t *a, json_t *b, struct err *e)
{
	size_t len = p->path.len;

	if (enter(p, key, e) < 0 || mask_value(p, a, b, e) < 0)
		return -1;
	leave(p, len);
	return 0;
}

/* Keys that only one has are random themselves: their place is named by the map, they go. */
static bool drop_foreign_keys(json_t *a, const json_t *b)
{
	const char *key;
	json_t *v;
	void *next;
	bool dropped = false;

	json_object_foreach_safe(a, next, key, v) {
		if (json_object_get(b, key))
			continue;
		json_object_del(a, key);
		dropped = true;
	}
	return dropped;
}

static int mask_object(struct pair *p, json_t *a, json_t *b, struct err *e)
{
	bool dropped = drop_foreign_keys(a, b);
	const char *key;
	json_t *v;

	if (drop_foreign_keys(b, a) || dropped)
		report(p);
	json_object_foreach(a, key, v)
		if (mask_child(p, key, v, json_object_get(b, key), e) < 0)
			return -1;
	return 0;
}

static int mask_array(struct pair *p, json_t *a, json_t *b, struct err *e)
{
	size_t i;
	json_t *v;

	if (json_array_size(a) != json_array_size(b))
		report(p);
	json_array_foreach(a, i, v)
		if (i < json_array_size(b) && mask_child(p, NULL, v, json_array_get(b, i), e) < 0)
			return -1;
	return 0;
}

static char *common_value(const struct pair *p, const json_t *a, const json_t *b)
{
	const char *kind = jdoc_text(p->object->object, "kind", NULL);

	if (!json_is_string(a) || !json_is_string(b))
		return xstrdup("");
	if (str_eq(kind, "Secret") && str_starts(buf_str(&p->path), "data."))
		return common_base64(json_string_value(a), json_string_value(b));
	return common_text(json_string_value(a), json_string_value(b));
}

static int mask_value(struct pair *p, json_t *a, json_t *b, struct err *e)
{
	if (json_is_object(a) && json_is_object(b))
		return mask_object(p, a, b, e);
	if (json_is_array(a) && json_is_array(b))
		return mask_array(p, a, b, e);
	if (json_equal(a, b))
		return 0;
	report(p);

	/* `{{ randAlphaNum 3 }}` without quotes is a number now and then. */
	auto_free char *same = common_value(p, a, b);

	if (json_is_string(a) && json_string_set(a, same) < 0)
		return err_set(e, ERR_MALFORMED, "not UTF-8 text");
	if (json_is_string(b) && json_string_set(b, same) < 0)
		return err_set(e, ERR_MALFORMED, "not UTF-8 text");
	return 0;
}

int scan_mask_random(struct helm_objects *a, struct helm_objects *b, struct strv *random, struct err *e)
{
	if (a->n != b->n)
		return err_set(e, ERR_MALFORMED, "the chart renders %zu objects once and %zu the next time", a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		auto_buf struct buf path = BUF_INIT(PATH_BYTES);
		struct pair p = { &a->items[i], path, random };
		int r = mask_value(&p, a->items[i].object, b->items[i].object, e);

		path = p.path;
		if (r < 0)
			return err_wrap(e, "%s", a->items[i].source);
	}
	strv_sort(random);
	strv_uniq(random);
	return 0;
}
