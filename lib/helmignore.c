/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/helmignore.h>

#include <fnmatch.h>

#define RULES_MAX 1000
#define BLANKS " \t\r\f\v"

struct helmignore_rule {
	char *pattern;
	bool negated, folders, whole;
};

void helmignore_release(struct helmignore *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->items[i].pattern);
	free(h->items);
	*h = (struct helmignore){ 0 };
}

/* One line, without the blanks around it. */
static int add_rule(struct helmignore *h, const char *line, struct err *e)
{
	struct helmignore_rule r = { 0 };

	if (!*line || *line == '#')
		return 0;
	if (h->n >= RULES_MAX)
		return err_set(e, ERR_LIMIT, ".helmignore: more than %d rules", RULES_MAX);
	if (strstr(line, "**"))
		return err_set(e, ERR_UNSUPPORTED, ".helmignore: '%.200s': helm has no '**'", line);
	r.negated = *line == '!';
	line += r.negated;
	r.folders = str_ends(line, "/");

	size_t n = strlen(line) - r.folders;

	r.whole = memchr(line, '/', n) != NULL;
	if (n && *line == '/') {
		line++;
		n--;
	}
	r.pattern = xstrndup(line, n);
	GROW(h->items, h->n);
	h->items[h->n++] = r;
	return 0;
}

int helmignore_parse(const char *text, struct helmignore *out, struct err *e)
{
	auto_helmignore struct helmignore h = { 0 };

	if (text && str_starts(text, "\xef\xbb\xbf"))
		text += 3;
	while (text && *text) {
		size_t n = strcspn(text, "\n"), skip = MIN(strspn(text, BLANKS), n), end = n;

		while (end > skip && strchr(BLANKS, text[end - 1]))
			end--;

		auto_free char *line = xstrndup(text + skip, end - skip);

		if (add_rule(&h, line, e) < 0)
			return -1;
		text += n + (text[n] == '\n');
	}
	if (add_rule(&h, "templates/.?*", e) < 0)
		return -1;
	*out = h;
	h = (struct helmignore){ 0 };
	return 0;
}

bool helmignore_match(const struct helmignore *h, const char *path, bool folder)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;

	for (size_t i = 0; i < h->n; i++) {
		const struct helmignore_rule *r = &h->items[i];
		bool matches = fnmatch(r->pattern, r->whole ? path : last, FNM_PATHNAME) == 0;

		if (r->negated && ((r->folders && !folder) || !matches))
			return true;
		if (!r->negated && matches && (folder || !r->folders))
			return true;
	}
	return false;
}
