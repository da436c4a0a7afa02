/* SPDX-License-Identifier: Apache-2.0 */
#include "pip_part.h"

#include <airgap/json.h>
#include <airgap/url.h>

#include <ctype.h>
#include <stdio.h>

#define REPORT_MAX (256u << 20)
#define NAME_LENGTH  128u         /* of a package and of a version */
#define LINE_LENGTH  512u         /* of a requirement */
#define NAMED_MAX  400          /* bytes of pip's words that are told */

void pip_wheels_release(struct pip_wheels *w)
{
	for (size_t i = 0; i < w->n; i++) {
		free(w->items[i].name);
		free(w->items[i].version);
		free(w->items[i].file);
		free(w->items[i].url);
	}
	free(w->items);
	*w = (struct pip_wheels){ 0 };
}

/* ---- requirements */

/* Letters and digits, with '.', '_' and '-' between them. */
static size_t name_length(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || (n && strchr("._-", s[n]) && s[n]))
		n++;
	while (n && !isalnum((unsigned char)s[n - 1]))
		n--;
	return n;
}

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* "[a, b]"; NULL: it is not closed, or holds something else. */
static const char *skip_extras(const char *s)
{
	if (*s != '[')
		return s;
	for (s = skip_blanks(s + 1); *s != ']'; s = skip_blanks(s)) {
		size_t n = name_length(s);

		if (!n)
			return NULL;
		s = skip_blanks(s + n);
		if (*s == ',')
			s++;
		else if (*s != ']')
			return NULL;
	}
	return s + 1;
}

/* ">=1.2, !=1.5, ==2.*", perhaps in brackets. NULL: it is none. */
static const char *skip_versions(const char *s)
{
	bool closed = *s != '(', more = false;

	s = skip_blanks(closed ? s : s + 1);
	while (more || (*s && strchr("<>=!~", *s))) {
		size_t n = strspn(s, "<>=!~");

		if (!n || n > 3)
			return NULL;
		s = skip_blanks(s + n);
		n = 0;
		while (isalnum((unsigned char)s[n]) || (s[n] && strchr(".*+!_-", s[n])))
			n++;
		if (!n)
			return NULL;
		s = skip_blanks(s + n);
		more = *s == ',';
		s = skip_blanks(s + more);
	}
	if (!closed && *s++ != ')')
		return NULL;
	return skip_blanks(s);
}

int pip_check_requirement(const char *text, struct err *e)
{
	size_t n = name_length(text);
	const char *rest;

	if (strlen(text) > LINE_LENGTH)
		return err_set(e, ERR_LIMIT, "has more than %u characters", LINE_LENGTH);
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~' || *p == '\\' || *p == '#' || *p == '$')
			return err_set(e, ERR_MALFORMED, "'%.64s': takes one line of plain text", text);
	if (*text == '-')
		return err_set(e, ERR_MALFORMED, "'%.64s': options are not taken: write a package's name", text);
	if (!n || n > NAME_LENGTH)
		return err_set(e, ERR_MALFORMED, "'%.64s': does not begin with a package's name", text);
	rest = skip_extras(skip_blanks(text + n));
	rest = rest ? skip_blanks(rest) : NULL;
	if (rest && (*rest == '@' || strstr(rest, "://") || *rest == '/' || *rest == ':'))
		return err_set(e, ERR_MALFORMED, "'%.64s': addresses and paths are not taken: put a wheel under files", text);
	rest = rest ? skip_versions(rest) : NULL;
	/* A marker is pip's to read: it is no option and no address whatever stands there. */
	if (!rest || (*rest && *rest != ';') || strstr(rest, " --"))
		return err_set(e, ERR_MALFORMED, "'%.64s': is no requirement: write NAME, NAME>=1.2,<2 or NAME==1.5; MARKER", text);
	return 0;
}

char *pip_normal_name(const char *name)
{
	struct buf out = BUF_INIT(1u << 16);

	for (const char *p = name; *p && out.len < LINE_LENGTH; p++) {
		bool joint = strchr("._-", *p) != NULL;

		if (joint && out.len && out.ptr[out.len - 1] == '-')
			continue;
		buf_putc(&out, joint ? '-' : (char)tolower((unsigned char)*p));
	}
	return buf_take(&out);
}

/* ---- the report */

/* "a/b/psutil-7.2.2-cp36-abi3-linux_x86_64.whl?x" → the last part, decoded ("%2B" is '+'). NULL: it is no wheel's. */
static char *file_of(const char *url)
{
	auto_free char *path = xstrndup(url, strcspn(url, "?#"));
	const char *slash = strrchr(path, '/');
	auto_buf struct buf name = BUF_INIT(URL_MAX);

	for (const char *p = slash ? slash + 1 : path; *p; p++) {
		unsigned byte;

		if (*p == '%' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2]) && sscanf(p + 1, "%2x", &byte) == 1) {
			buf_putc(&name, (char)byte);
			p += 2;
		} else {
			buf_putc(&name, *p);
		}
	}
	for (size_t i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.ptr[i]) && !strchr("._-+!", name.ptr[i] ? name.ptr[i] : '/'))
			return NULL;
	if (name.len < 8 || name.len > 255 || !str_ends(buf_str(&name), ".whl") || !isalnum((unsigned char)*name.ptr))
		return NULL;
	return buf_take(&name);
}

static bool sha256_of(const json_t *archive, struct digest *out)
{
	const char *hex = jdoc_text(archive, "hashes", "sha256", NULL), *old = jdoc_text(archive, "hash", NULL);

	if (!hex && old && str_starts(old, "sha256="))
		hex = old + strlen("sha256=");
	return hex && digest_parse_hex(hex, strlen(hex), out);
}

static int take_wheel(const json_t *item, struct pip_wheels *w, struct err *e)
{
	const char *url = jdoc_text(item, "download_info", "url", NULL), *name = jdoc_text(item, "metadata", "name", NULL);
	const char *version = jdoc_text(item, "metadata", "version", NULL);
	auto_url struct url u = { 0 };
	struct digest digest;

	if (!url || !name || !version || name_length(name) != strlen(name) || !*name || strlen(name) > NAME_LENGTH ||
	    strlen(version) > NAME_LENGTH)
		return err_set(e, ERR_MALFORMED, "a wheel without address, name or version");
	for (const char *p = version; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(".+!-_", *p))
			return err_set(e, ERR_MALFORMED, "'%s': its version is none", name);
	if (url_parse(url, name, &u, e) < 0)
		return -1;

	auto_free char *file = file_of(u.path);

	if (!file)
		return err_set(e, ERR_UNSAFE, "'%s': its address does not end in the name of a wheel", name);
	if (!sha256_of(jdoc_at(item, "download_info", "archive_info", NULL), &digest))
		return err_set(e, ERR_MALFORMED, "'%s': its index tells no sha256", name);
	if (w->n == PIP_WHEELS_MAX)
		return err_set(e, ERR_LIMIT, "more than %u wheels", PIP_WHEELS_MAX);
	GROW(w->items, w->n);
	w->items[w->n++] = (struct pip_wheel){ xstrdup(name), xstrdup(version), TAKE(file), url_text(&u), digest };
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct pip_wheel *)a)->file, ((const struct pip_wheel *)b)->file);
}

int pip_report_parse(const char *p, size_t n, struct pip_wheels *out, struct err *e)
{
	auto_json json_t *doc = jdoc_parse(p, n, REPORT_MAX, "report of pip", e);
	const json_t *list = json_object_get(doc, "install"), *item;
	auto_pip_wheels struct pip_wheels w = { 0 };
	size_t i;

	if (!doc)
		return -1;
	if (!json_is_array(list))
		return err_set(e, ERR_MALFORMED, "report of pip: has no list 'install'");
	json_array_foreach(list, i, item)
		if (take_wheel(item, &w, e) < 0)
			return err_wrap(e, "report of pip");
	if (w.n)
		qsort(w.items, w.n, sizeof(w.items[0]), compare);
	for (i = 1; i < w.n; i++)
		if (strcmp(w.items[i - 1].file, w.items[i].file) == 0)
			return err_set(e, ERR_MALFORMED, "report of pip: '%s' twice", w.items[i].file);
	*out = w;
	w = (struct pip_wheels){ 0 };
	return 0;
}

/* ---- its words */

/* The line that has this text, from there on. */
static char *line_with(const char *tail, const char *text)
{
	const char *at = strstr(tail, text);

	return at ? xstrndup(at, MIN(strcspn(at, "\n"), (size_t)NAMED_MAX)) : NULL;
}

int pip_explain(const char *tail, int status, const struct pip_target *t, char **out_missing, struct err *e)
{
	static const char unmet[] = "Could not find a version that satisfies the requirement ";
	auto_free char *none = line_with(tail, unmet), *clash = line_with(tail, "Cannot install ");
	auto_free char *last = line_with(tail, "ERROR: ");

	if (strstr(tail, "there is no pip"))
		return err_set(e, ERR_PREFLIGHT, "python3 has no pip, or none that is known: install python3-pip");
	if (strstr(tail, "CERTIFICATE_VERIFY_FAILED"))
		return err_set(e, ERR_TLS, "the certificate of the index is not trusted: name its ca under hosts");
	if (none) {
		const char *what = none + strlen(unmet);

		if (strstr(what, "(from versions: none)"))
			*out_missing = xstrndup(what, name_length(what));
		return err_set(e, ERR_USAGE, "%s: no wheel for Python %s on %s", what, t->python, t->platform);
	}
	if (clash)
		return err_set(e, ERR_USAGE, "requirements contradict each other: %s", clash);
	return err_set(e, ERR_USAGE, "pip ended with %d: %s", status, last ? last + strlen("ERROR: ") : tail);
}

/* ---- the page of a project */

/* What one link leads to, by the end of its address. */
static bool is_archive(const char *p, size_t n)
{
	return (n > 7 && memcmp(p + n - 7, ".tar.gz", 7) == 0) || (n > 4 && memcmp(p + n - 4, ".zip", 4) == 0);
}

int pip_explain_page(const char *html, size_t n, const char *project, const struct pip_target *t, struct err *e)
{
	static const char mark[] = "href=\"";
	auto_free char *text = xstrndup(html, n), *last = NULL;
	size_t wheels = 0, archives = 0;

	for (const char *p = strstr(text, mark); p; p = strstr(p, mark)) {
		p += strlen(mark);

		size_t len = strcspn(p, "\"#?\n");
		auto_free char *url = xstrndup(p, len), *file = file_of(url);

		archives += is_archive(p, len);
		if (!file)
			continue;
		wheels++;
		free(last);
		last = TAKE(file);
	}
	if (wheels)
		return err_set(e, ERR_USAGE, "'%s' has %zu wheels and none for Python %s on %s: the last of them is %.160s", project, wheels,
			       t->python, t->platform, last);
	if (archives)
		return err_set(e, ERR_USAGE, "'%s' has %zu source archives and no wheel: build one and put it under files, or into an index",
			       project, archives);
	return err_set(e, ERR_USAGE, "'%s' has no files in this index", project);
}

/* ---- the index */

static void put_head(struct buf *out, const char *title)
{
	buf_putf(out, "<!DOCTYPE html>\n<html>\n<head><meta name=\"pypi:repository-version\" content=\"1.0\"><title>%s</title></head>\n<body>\n",
		 title);
}

/* A '+' or '!' of a version is no safe character of an address. */
static void put_link(struct buf *out, const struct pip_wheel *w)
{
	char hex[DIGEST_HEX];

	buf_puts(out, "<a href=\"../../");
	url_escape(out, w->file, "");
	buf_putf(out, "#sha256=%s\">%s</a><br>\n", digest_hex(&w->digest, hex), w->file);
}

void pip_page(const struct pip_wheels *w, const char *project, struct buf *out)
{
	auto_strv struct strv names = { 0 };

	put_head(out, project ? project : "simple");
	for (size_t i = 0; i < w->n; i++) {
		auto_free char *name = pip_normal_name(w->items[i].name);

		if (!project)
			strv_push(&names, name);
		else if (strcmp(name, project) == 0)
			put_link(out, &w->items[i]);
	}
	strv_sort(&names);
	strv_uniq(&names);
	for (size_t i = 0; i < names.n; i++)
		buf_putf(out, "<a href=\"%s/\">%s</a><br>\n", names.items[i], names.items[i]);
	buf_puts(out, "</body>\n</html>\n");
}
