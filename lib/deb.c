/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/deb.h>

#include <stdio.h>
#include <strings.h>
#include <time.h>

/* ---- stanzas and fields */

static size_t line_length(const char *p, size_t n)
{
	const char *newline = memchr(p, '\n', n);

	return newline ? (size_t)(newline - p) + 1 : n;
}

static bool blank(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strchr(" \t\r\n", p[i]) || !p[i])
			return false;
	return true;
}

static void cut(struct deb_text *t, size_t n)
{
	t->p += n;
	t->n -= n;
}

bool deb_next(struct deb_text *rest, struct deb_text *out)
{
	size_t n;

	while (rest->n && blank(rest->p, n = line_length(rest->p, rest->n)))
		cut(rest, n);
	if (!rest->n)
		return false;
	*out = (struct deb_text){ rest->p, 0 };
	while (rest->n && !blank(rest->p, n = line_length(rest->p, rest->n))) {
		cut(rest, n);
		out->n += n;
	}
	return true;
}

/* Bytes of the field that begins at p: its line and those that continue it. */
static size_t field_length(const char *p, size_t n)
{
	size_t at = line_length(p, n);

	while (at < n && (p[at] == ' ' || p[at] == '\t'))
		at += line_length(p + at, n - at);
	return at;
}

static bool field_is(const char *p, size_t n, const char *name)
{
	size_t len = strlen(name);

	return n > len && p[len] == ':' && strncasecmp(p, name, len) == 0;
}

static struct deb_text trimmed(const char *p, size_t n)
{
	while (n && blank(p, 1)) {
		p++;
		n--;
	}
	while (n && blank(p + n - 1, 1))
		n--;
	return (struct deb_text){ p, n };
}

bool deb_field(const struct deb_text *stanza, const char *name, struct deb_text *out)
{
	for (size_t at = 0; at < stanza->n;) {
		const char *p = stanza->p + at;
		size_t n = field_length(p, stanza->n - at), skip = strlen(name) + 1;

		if (field_is(p, n, name)) {
			*out = trimmed(p + skip, n - skip);
			return true;
		}
		at += n;
	}
	return false;
}

int deb_put(struct buf *out, const struct deb_text *stanza, const char *name, const char *value, struct err *e)
{
	auto_free char *line = *value ? xasprintf("%s: %s\n", name, value) : xstrdup("");
	bool done = false;
	size_t n;

	for (size_t at = 0; at < stanza->n; at += n) {
		const char *p = stanza->p + at;
		bool ours;

		n = field_length(p, stanza->n - at);
		ours = field_is(p, n, name);
		if (ours && !done && buf_add(out, line, strlen(line), e) < 0)
			return -1;
		done |= ours;
		if (!ours && (buf_add(out, p, n, e) < 0 || (p[n - 1] != '\n' && buf_add(out, "\n", 1, e) < 0)))
			return -1;
	}
	return done ? 0 : buf_add(out, line, strlen(line), e);
}

/* A short field as text. NULL with e untouched: there is none. */
static int copy_field(const struct deb_text *stanza, const char *name, bool required, char **out, struct err *e)
{
	struct deb_text value;

	if (!deb_field(stanza, name, &value) || !value.n)
		return required ? err_set(e, ERR_MALFORMED, "%s is missing", name) : 0;
	if (value.n > DEB_FIELD_MAX)
		return err_set(e, ERR_LIMIT, "%s: more than %u bytes", name, DEB_FIELD_MAX);
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f)
			return err_set(e, ERR_MALFORMED, "%s: a control character", name);
	*out = xstrndup(value.p, value.n);
	return 0;
}

/* ---- Release */

void deb_release_release(struct deb_release *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->items[i].path);
	free(r->items);
	free(r->suite);
	free(r->codename);
	free(r->date);
	*r = (struct deb_release){ 0 };
}

bool deb_time(const char *text, int64_t *out)
{
	struct tm t = { 0 };
	const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S", &t);

	if (!end || (strcmp(end, " UTC") != 0 && strcmp(end, " GMT") != 0 && strcmp(end, " +0000") != 0))
		return false;
	*out = (int64_t)timegm(&t);
	return *out > 0;
}

/* " HEX SIZE PATH" */
static int parse_index(const char *line, size_t n, struct deb_index *out, struct err *e)
{
	struct deb_text t = trimmed(line, n);
	auto_free char *text = xstrndup(t.p, t.n);
	char size[24] = "";
	char *at = text, *path;

	if (t.n > DEB_FIELD_MAX || strlen(text) != t.n)
		return err_set(e, ERR_MALFORMED, "SHA256: a line that is too long or has a NUL in it");
	at += strcspn(at, " \t");
	if (!digest_parse_hex(text, (size_t)(at - text), &out->sha256))
		return err_set(e, ERR_MALFORMED, "SHA256: '%.80s' does not begin with a hash", text);
	at += strspn(at, " \t");
	snprintf(size, sizeof(size), "%.*s", (int)MIN(strcspn(at, " \t"), sizeof(size)), at);
	path = at + strcspn(at, " \t");
	path += strspn(path, " \t");
	if (!u64_parse(size, &out->size) || !*path)
		return err_set(e, ERR_MALFORMED, "SHA256: '%.80s' has no size or no name", text);
	out->path = xstrdup(path);
	return 0;
}

static int compare_indexes(const void *a, const void *b)
{
	const struct deb_index *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int parse_indexes(const struct deb_text *value, struct deb_release *r, struct err *e)
{
	struct deb_text rest = *value;

	while (rest.n) {
		size_t n = line_length(rest.p, rest.n);

		if (!blank(rest.p, n)) {
			struct deb_index ix = { 0 };

			if (r->n == DEB_INDEXES_MAX)
				return err_set(e, ERR_LIMIT, "SHA256: more than %u files", DEB_INDEXES_MAX);
			if (parse_index(rest.p, n, &ix, e) < 0)
				return -1;
			GROW(r->items, r->n);
			r->items[r->n++] = ix;
		}
		cut(&rest, n);
	}
	if (r->n)
		qsort(r->items, r->n, sizeof(r->items[0]), compare_indexes);
	for (size_t i = 1; i < r->n; i++)
		if (strcmp(r->items[i - 1].path, r->items[i].path) == 0 &&
		    !digest_eq(&r->items[i - 1].sha256, &r->items[i].sha256))
			return err_set(e, ERR_MALFORMED, "SHA256: '%.200s' stands there twice", r->items[i].path);
	return 0;
}

int deb_release_parse(const char *p, size_t n, struct deb_release *out, struct err *e)
{
	auto_deb_release struct deb_release r = { 0 };
	struct deb_text rest = { p, n }, stanza, list, second;
	auto_free char *until = NULL;

	if (n > DEB_RELEASE_MAX)
		return err_set(e, ERR_LIMIT, "more than %u bytes", DEB_RELEASE_MAX);
	if (!deb_next(&rest, &stanza) || deb_next(&rest, &second))
		return err_set(e, ERR_MALFORMED, "takes one stanza");
	if (copy_field(&stanza, "Suite", false, &r.suite, e) < 0 || copy_field(&stanza, "Codename", false, &r.codename, e) < 0 ||
	    copy_field(&stanza, "Date", false, &r.date, e) < 0 || copy_field(&stanza, "Valid-Until", false, &until, e) < 0)
		return -1;
	if (until && !deb_time(until, &r.valid_until))
		return err_set(e, ERR_MALFORMED, "Valid-Until: '%.80s' is no time", until);
	if (!deb_field(&stanza, "SHA256", &list))
		return err_set(e, ERR_UNSUPPORTED, "lists no SHA256: weaker hashes are not taken");
	if (parse_indexes(&list, &r, e) < 0)
		return -1;
	*out = r;
	r = (struct deb_release){ 0 };
	return 0;
}

const struct deb_index *deb_release_find(const struct deb_release *r, const char *path)
{
	const struct deb_index key = { .path = (char *)path };

	return r->n ? bsearch(&key, r->items, r->n, sizeof(key), compare_indexes) : NULL;
}

/* ---- Packages */

void deb_package_release(struct deb_package *p)
{
	free(p->name);
	free(p->version);
	free(p->architecture);
	free(p->path);
	*p = (struct deb_package){ 0 };
}

bool deb_path_ok(const char *path)
{
	if (strlen(path) > 512 || !*path)
		return false;
	for (const char *s = path; *s; s++)
		if (*s <= ' ' || *s > '~' || *s == '\\')
			return false;
	for (const char *s = path;; s++) {
		size_t n = strcspn(s, "/");

		if (n == 0 || (n == 1 && *s == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		s += n;
		if (!*s)
			return true;
	}
}

int deb_package_parse(const struct deb_text *stanza, struct deb_package *out, struct err *e)
{
	auto_deb_package struct deb_package p = { 0 };
	auto_free char *hash = NULL, *size = NULL, *path = NULL;

	if (copy_field(stanza, "Package", true, &p.name, e) < 0)
		return -1;
	if (copy_field(stanza, "Version", true, &p.version, e) < 0 ||
	    copy_field(stanza, "Architecture", true, &p.architecture, e) < 0 ||
	    copy_field(stanza, "Filename", true, &path, e) < 0 || copy_field(stanza, "Size", true, &size, e) < 0 ||
	    copy_field(stanza, "SHA256", true, &hash, e) < 0)
		return err_wrap(e, "'%.200s'", p.name);
	p.path = xstrdup(path + (str_starts(path, "./") ? 2 : 0));
	if (!deb_path_ok(p.path))
		return err_set(e, ERR_UNSAFE, "'%.200s': Filename: '%.300s' is no path below the repository", p.name, path);
	if (!u64_parse(size, &p.size) || !digest_parse_hex(hash, strlen(hash), &p.sha256))
		return err_set(e, ERR_MALFORMED, "'%.200s': its Size or SHA256 is none", p.name);
	*out = p;
	p = (struct deb_package){ 0 };
	return 0;
}
