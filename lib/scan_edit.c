/* SPDX-License-Identifier: Apache-2.0 */
/* The walk of the scanner, in which what is found gets another name. */
#include "scan_walk.h"

#include <airgap/digest.h>
#include <airgap/ref.h>
#include <airgap/yaml.h>

#include <ctype.h>

#define TEXT_MAX (64u << 20)    /* of one leaf: no more than a whole render */

/* n bytes of a text at `at`, and what is to stand there. */
struct spot { size_t at, n; char *text; };

struct scan_edit {
	const struct scan_names *names;
	struct spot *spots; size_t n;           /* of the text that is looked at, and of those around it */
	json_t *words;                          /* {OLD: NEW}: every word that was replaced in this object */
	size_t replaced;                        /* how often, in texts within texts too */
	bool changed;                           /* the object itself */
};

size_t edit_mark(const struct walk *w)
{
	return w->edit ? w->edit->n : 0;
}

void edit_forget(struct walk *w, size_t before)
{
	while (w->edit && w->edit->n > before)
		free(w->edit->spots[--w->edit->n].text);
}

static void add_spot(struct scan_edit *edit, size_t at, size_t n, char *text)
{
	GROW(edit->spots, edit->n);
	edit->spots[edit->n++] = (struct spot){ at, n, text };
}

void edit_found(struct walk *w, const char *image)
{
	char *target = w->span ? w->edit->names->target(w->edit->names->ctx, image) : NULL;

	if (target)
		add_spot(w->edit, w->at, w->span, target);
}

/* ---- texts */

static int compare(const void *a, const void *b)
{
	const struct spot *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static void replaced(struct scan_edit *edit, const char *old, size_t n, const char *new)
{
	auto_free char *word = xstrndup(old, n);

	json_object_set_new(edit->words, word, json_string(new));
	edit->replaced++;
}

/* The text with the spots since `before`, which are done with then. Of two at one place the first holds. */
static char *apply(struct walk *w, const char *text, size_t before)
{
	struct scan_edit *edit = w->edit;
	auto_buf struct buf out = BUF_INIT(2 * (size_t)TEXT_MAX);
	size_t done = 0, len = strlen(text);

	qsort(edit->spots + before, edit->n - before, sizeof(edit->spots[0]), compare);
	for (size_t i = before; i < edit->n; i++) {
		const struct spot *s = &edit->spots[i];

		if (s->at < done || s->n > len - s->at)
			continue;
		buf_put(&out, text + done, s->at - done);
		buf_puts(&out, s->text);
		done = s->at + s->n;
		replaced(edit, text + s->at, s->n, s->text);
	}
	buf_puts(&out, text + done);
	edit_forget(w, before);
	return xstrdup(buf_str(&out));
}

void edit_leaf(struct walk *w, json_t *leaf, size_t before)
{
	if (!w->edit || !json_is_string(leaf) || w->edit->n == before)
		return;

	auto_free char *text = apply(w, json_string_value(leaf), before);

	json_string_set(leaf, text);
	w->edit->changed = w->edit->changed || !w->embedded;
}

void edit_base64(struct walk *w, const char *encoded, const char *text, size_t before)
{
	if (!w->edit || w->edit->n == before)
		return;

	auto_free char *plain = apply(w, text, before);
	size_t n = strlen(plain);

	add_spot(w->edit, 0, strlen(encoded), base64_encode(plain, n, xmalloc(base64_size(n))));
}

/* ---- documents in a text: their leaves say what is wanted, the text around them stays as it is */

size_t edit_words(const struct walk *w)
{
	return w->edit ? w->edit->replaced : 0;
}

static bool in_word(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("._/:@-", c));
}

/* Does this word end here, or begin behind this? "x:1." ends a sentence, docker:// and :- of a shell begin one. */
static bool ends(const char *p)
{
	return !in_word(*p) || (strchr(".:", *p) && !in_word(p[1]));
}

static bool begins(const char *text, const char *p)
{
	size_t n = (size_t)(p - text);

	return n == 0 || !in_word(p[-1]) || (n >= 2 && strncmp(p - 2, ":-", 2) == 0) ||
	       (n >= 9 && strncmp(p - 9, "docker://", 9) == 0) || (n >= 6 && strncmp(p - 6, "oci://", 6) == 0);
}

/* The longest of the words that stands at p; NULL: none. *out: what it becomes. */
static const char *word_at(const struct scan_edit *edit, const char *text, const char *p, const char **out)
{
	const char *old, *best = NULL;
	json_t *new;

	if (!begins(text, p))
		return NULL;
	json_object_foreach(edit->words, old, new) {
		if (*p != *old || !str_starts(p, old) || !ends(p + strlen(old)) || (best && strlen(old) <= strlen(best)))
			continue;
		best = old;
		*out = json_string_value(new);
	}
	return best;
}

static char *replace_words(const struct scan_edit *edit, const char *text)
{
	auto_buf struct buf out = BUF_INIT(2 * (size_t)TEXT_MAX);

	for (const char *p = text; *p;) {
		const char *new, *old = word_at(edit, text, p, &new);

		if (!old) {
			buf_putc(&out, *p++);
			continue;
		}
		buf_puts(&out, new);
		p += strlen(old);
	}
	return xstrdup(buf_str(&out));
}

/* Only when the text then says what the leaves say: a word that is an image here may be a port there. */
void edit_embedded(struct walk *w, const char *text, const json_t *docs, size_t before)
{
	struct err ignored;

	if (!w->edit || w->edit->replaced == before || strlen(text) > TEXT_MAX)
		return;

	auto_free char *new = replace_words(w->edit, text);
	auto_json json_t *again = ydoc_parse_all(new, strlen(new), &ydoc_rendered, "text", &ignored);

	if (again && json_equal(again, docs))
		add_spot(w->edit, 0, strlen(text), TAKE(new));
}

/* ---- several keys */

static void set_text(struct walk *w, json_t *map, const char *key, const char *text)
{
	json_t *leaf = json_object_get(map, key);

	if (!json_is_string(leaf) || strcmp(json_string_value(leaf), text) == 0)
		return;
	replaced(w->edit, json_string_value(leaf), json_string_length(leaf), text);
	json_string_set(leaf, text);
	w->edit->changed = w->edit->changed || !w->embedded;
}

/* false: the image stays. */
static bool target_of(const struct walk *w, const char *image, struct ref *out)
{
	auto_free char *target = w->edit->names->target(w->edit->names->ctx, image);
	struct err ignored;

	return target && ref_parse(target, out, &ignored) == 0;
}

void edit_pair(struct walk *w, json_t *map, const char *registry, const char *name, const char *image)
{
	auto_ref struct ref r = { 0 };

	if (!target_of(w, image, &r))
		return;

	auto_free char *whole = ref_name(&r);

	if (registry)
		set_text(w, map, registry, r.host);
	set_text(w, map, name, registry ? r.path : whole);
}

bool edit_triple(struct walk *w, json_t *map, const char *repository, const char *name, const char *image)
{
	const char *brace = strchr(image, '{'), *colon = brace ? memrchr(image, ':', (size_t)(brace - image)) : NULL;
	/* A tag that only the nodes know is as good as any. */
	auto_free char *known = colon ? xasprintf("%.*s:{}", (int)(colon - image), image) : xstrdup(image);
	auto_free char *target = w->edit->names->target(w->edit->names->ctx, known);
	char *cut = target ? strrchr(target, '@') : NULL;
	auto_free char *end = xasprintf("/%s", name);

	if (!target)
		return false;
	if (cut)
		*cut = '\0';
	cut = strrchr(target, ':');
	if (cut && !strchr(cut, '/'))
		*cut = '\0';
	if (!str_ends(target, end))
		return false;
	target[strlen(target) - strlen(end)] = '\0';
	set_text(w, map, repository, target);
	return true;
}

/* ---- one object */

static void release(struct scan_edit *edit)
{
	for (size_t i = 0; i < edit->n; i++)
		free(edit->spots[i].text);
	free(edit->spots);
	json_decref(edit->words);
}

int scan_rename(json_t *object, const char *chart, const struct scan_rule *rules, size_t n_rules,
		const struct scan_names *names, bool *changed, struct err *e)
{
	CLEANUP(release) struct scan_edit edit = { .names = names, .words = json_object() };
	const char *said = jdoc_text(object, "kind", NULL);
	auto_free char *kind = xstrdup(said ? said : "");       /* its own: what is said is a text like any other */
	struct walk w = { .rules = rules, .n_rules = n_rules, .chart = chart, .file = "", .kind = kind, .root = object,
			  .path = BUF_INIT(SCAN_PATH_MAX), .edit = &edit };
	int r = walk_value(&w, NULL, NULL, object, e);

	rule_forget_envs(&w);
	buf_release(&w.path);
	*changed = edit.changed;
	return r;
}
