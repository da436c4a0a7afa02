/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_walk.h"

#include <airgap/ref.h>

#include <ctype.h>

#define PAIR_LINES 6u           /* keys between a repository and its tag at most */
#define VALUE_MAX  1024u        /* bytes of a value */

/* ---- what a string is */

bool scan_parses(const char *text)
{
	auto_ref struct ref r = { 0 };
	struct err ignored;

	return ref_parse(text, &r, &ignored) == 0;
}

bool scan_tagged(const char *text)
{
	auto_ref struct ref r = { 0 };
	struct err ignored;

	return strpbrk(text, ":@") && ref_parse(text, &r, &ignored) == 0 && (r.tag || r.has_digest);
}

bool scan_with_host(const char *text)
{
	size_t n = strcspn(text, "/");

	return text[n] && (memchr(text, '.', n) || memchr(text, ':', n) || (n == 9 && strncmp(text, "localhost", n) == 0));
}

static bool ends_with(const char *key, size_t n, const char *word)
{
	size_t len = strlen(word);

	return n >= len && strncasecmp(key + n - len, word, len) == 0;
}

/* image, sidecarImage, SIDE_IMAGE, default-image, imageName, image_ref, RELATED_IMAGE_X. */
static bool names_image(const char *key, size_t n)
{
	static const char *const ends[] = {
		"image", "imagename", "image_name", "image-name", "imageref", "image_ref", "image-ref", "imageuri", "image_uri",
		"imagereference",
	};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (ends_with(key, n, ends[i]))
			return true;
	return n > 14 && strncmp(key, "RELATED_IMAGE_", 14) == 0;
}

bool scan_image_key(const char *key)
{
	return key && names_image(key, strlen(key));
}

/* ---- keys and values in any notation: `image: x`, `image = "x"`, IMAGE=x, "image":"x", --image=x */

static bool key_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

/* The word that ends before `at`, blanks and a quote between; *out_n 0: none, or the rest of a path. */
static const char *key_before(const char *text, const char *at, size_t *out_n)
{
	const char *end;

	*out_n = 0;
	while (at > text && (at[-1] == ' ' || at[-1] == '\t'))
		at--;
	if (at > text && (at[-1] == '"' || at[-1] == '\''))
		at--;
	for (end = at; at > text && key_char(at[-1]) && end - at < (ptrdiff_t)VALUE_MAX;)
		at--;
	if (at > text && (at[-1] == '/' || at[-1] == ':' || at[-1] == '@'))
		return at;
	*out_n = (size_t)(end - at);
	return at;
}

/* Bytes up to one of `stop`, at most VALUE_MAX: what is longer is no name, and each key of a long line has its own rest. */
static size_t span(const char *s, const char *stop)
{
	size_t n = 0;

	while (n < VALUE_MAX && s[n] && !strchr(stop, s[n]))
		n++;
	return n;
}

/* Owned; "" when there is none. *at: where it stands. */
static char *value_after(const char **at)
{
	*at += strspn(*at, " \t");
	if (**at == '"' || **at == '\'') {
		const char quote[2] = { **at, '\0' };

		++*at;
		return xstrndup(*at, span(*at, quote));
	}
	return xstrndup(*at, span(*at, "\"' \t\r\n,;}])"));
}

/* What was said a few keys ago, and waits for its tag. */
struct waiting { char *registry, *repository; size_t since; };

static void waiting_release(struct waiting *p)
{
	free(p->registry);
	free(p->repository);
	*p = (struct waiting){ 0 };
}

static void wait_for_tag(struct waiting *p, char *repository)
{
	free(p->repository);
	p->repository = repository;
	p->since = 0;
}

static int add_waiting(struct walk *w, struct waiting *p, const char *tag, struct err *e)
{
	bool with = p->registry && !scan_with_host(p->repository);
	auto_free char *image = xasprintf("%s%s%s:%s", with ? p->registry : "", with ? "/" : "", p->repository, tag);

	w->span = 0;    /* in pieces */

	int r = scan_parses(image) ? walk_add_keyed(w, image, e) : 0;

	waiting_release(p);
	return r;
}

static bool is_telling(const char *key, size_t n)
{
	return names_image(key, n) || ends_with(key, n, "registry") || ends_with(key, n, "repository") || ends_with(key, n, "tag");
}

/* One key with its value. */
static int take_pair(struct walk *w, struct waiting *p, const char *key, size_t n, const char *value, struct err *e)
{
	if (!*value || strstr(value, "://"))
		return 0;
	if (names_image(key, n) && scan_tagged(value))
		return walk_add_keyed(w, value, e);
	if (ends_with(key, n, "registry") && scan_parses(value) && !strchr(value, '/')) {
		waiting_release(p);
		p->registry = xstrdup(value);
	} else if ((ends_with(key, n, "repository") || (names_image(key, n) && strchr(value, '/'))) && scan_parses(value)) {
		wait_for_tag(p, xstrdup(value));
	} else if (p->repository && ends_with(key, n, "tag") && ref_tag_ok(value)) {
		return add_waiting(w, p, value, e);
	}
	return 0;
}

static int scan_keys(struct walk *w, const char *text, struct err *e)
{
	CLEANUP(waiting_release) struct waiting p = { 0 };

	for (const char *at = strpbrk(text, ":="); at; at = strpbrk(at + 1, ":=")) {
		size_t n;
		const char *key = key_before(text, at, &n);

		if (!n)
			continue;
		if (++p.since > PAIR_LINES)
			waiting_release(&p);
		if (!is_telling(key, n))
			continue;

		const char *from = at + 1;
		auto_free char *value = value_after(&from);

		w->at = (size_t)(from - text);
		w->span = strlen(value);
		if (take_pair(w, &p, key, n, value, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- command lines */

/* `--image busybox:1.36`, `docker pull redis:7`: the word behind. */
static int scan_words_behind(struct walk *w, const char *text, struct err *e)
{
	const char *word = text;
	bool wanted = false;

	while (*word) {
		size_t n = strcspn(word, " \t\r\n\"'");
		auto_free char *one = xstrndup(word, n);

		w->at = (size_t)(word - text);
		w->span = n;
		if (wanted && n && scan_tagged(one) && walk_add_keyed(w, one, e) < 0)
			return -1;
		if (n)
			wanted = (*one == '-' && names_image(one, n)) || strcmp(one, "pull") == 0;
		word += n + strspn(word + n, " \t\r\n\"'");
	}
	return 0;
}

/* ---- all of it */

/* Escapes of a string within a string would stick to the names beside them: `\n` is two blanks, `\/` a slash. */
static char *without_escapes(const char *text)
{
	char *out = xstrdup(text), *to = out;

	for (const char *p = out; *p; p++) {
		if (*p == '\\' && p[1] == '/')
			continue;
		if (*p == '\\' && p[1] && strchr("nrt", p[1])) {
			*to++ = ' ';
			*to++ = ' ';
			p++;
			continue;
		}
		*to++ = *p;
	}
	*to = '\0';
	return out;
}

struct words { struct walk *walk; struct err *e; int result; };

/* What a key has named already stands there once in the end. */
static void add_word(void *ctx, const char *ref, size_t at)
{
	struct words *x = ctx;

	x->walk->at = at;
	x->walk->span = strlen(ref);
	if (x->result == 0)
		x->result = walk_add(x->walk, ref, false, false, x->e);
}

int scan_words(struct walk *w, const char *text, struct err *e)
{
	auto_free char *plain = without_escapes(text);
	struct words x = { w, e, 0 };
	size_t before = edit_mark(w);

	if (strpbrk(plain, ":=") && scan_keys(w, plain, e) < 0)
		return -1;
	if (strpbrk(plain, " \n") && scan_words_behind(w, plain, e) < 0)
		return -1;
	ref_each(plain, add_word, &x);
	if (strlen(plain) != strlen(text))      /* the places are others */
		edit_forget(w, before);
	return x.result;
}
