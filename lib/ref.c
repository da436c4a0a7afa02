/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/buf.h>
#include <airgap/ref.h>

#include <ctype.h>

#define TEXT_MAX 512            /* a name, a tag and a digest fit */
#define HUB "docker.io"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

void ref_release(struct ref *r)
{
	free(r->host);
	free(r->path);
	free(r->tag);
	*r = (struct ref){ 0 };
}

struct ref ref_copy(const struct ref *r)
{
	struct ref copy = *r;

	copy.host = r->host ? xstrdup(r->host) : NULL;
	copy.path = r->path ? xstrdup(r->path) : NULL;
	copy.tag = r->tag ? xstrdup(r->tag) : NULL;
	return copy;
}

bool ref_eq(const struct ref *a, const struct ref *b)
{
	return str_eq(a->host, b->host) && str_eq(a->path, b->path) && str_eq(a->tag, b->tag) &&
	       a->has_digest == b->has_digest && (!a->has_digest || digest_eq(&a->digest, &b->digest));
}

/* ---- grammar */

/* Past one component [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*, or NULL. */
static const char *skip_component(const char *s)
{
	for (;;) {
		size_t n = strspn(s, LOWER DIGITS);

		if (!n)
			return NULL;
		s += n;
		if (*s == '.')
			s++;
		else if (*s == '_')
			s += s[1] == '_' ? 2 : 1;
		else if (*s == '-')
			s += strspn(s, "-");
		else
			return s;
	}
}

bool ref_path_ok(const char *path)
{
	for (;;) {
		path = skip_component(path);
		if (!path)
			return false;
		if (!*path)
			return true;
		if (*path++ != '/')
			return false;
	}
}

bool ref_tag_ok(const char *tag)
{
	size_t n = strspn(tag, LOWER UPPER DIGITS "_.-");

	return n > 0 && n <= REF_TAG_MAX && !tag[n] && tag[0] != '.' && tag[0] != '-';
}

static bool port_ok(const char *s)
{
	size_t n = strspn(s, DIGITS);

	return n > 0 && n <= 5 && !s[n];
}

/* A name, an IPv4 address or an IPv6 address in brackets; with a port or without. */
static bool host_ok(const char *s)
{
	if (*s == '[') {
		size_t n = strspn(s + 1, DIGITS "abcdefABCDEF:.");

		s += 1 + n;
		return n > 1 && *s == ']' && (!s[1] || (s[1] == ':' && port_ok(s + 2)));
	}
	for (;;) {
		size_t n = strspn(s, LOWER UPPER DIGITS "-");

		if (!n || s[0] == '-' || s[n - 1] == '-')
			return false;
		s += n;
		if (!*s)
			return true;
		if (*s == ':')
			return port_ok(s + 1);
		if (*s++ != '.')
			return false;
	}
}

/* Is the first component of a name a host, or part of a path on Docker Hub? */
static bool reads_as_host(const char *s)
{
	return strpbrk(s, ".:" UPPER) || strcmp(s, "localhost") == 0;
}

static bool is_hex64(const char *s)
{
	return strlen(s) == 64 && strspn(s, DIGITS "abcdef") == 64;
}

/* ---- parsing */

static int parse_digest(const char *text, const char *digest, struct ref *r, struct err *e)
{
	const char *colon = strchr(digest, ':');

	r->has_digest = digest_parse(digest, &r->digest);
	if (r->has_digest)
		return 0;
	if (colon && colon > digest && colon[1] && !str_starts(digest, "sha256:"))
		return err_set(e, ERR_UNSUPPORTED, "'%.256s': only sha256 digests are supported", text);
	return err_set(e, ERR_MALFORMED, "'%.256s': the digest must be sha256: and 64 lower-case hex digits", text);
}

static char *take_host(const char *s, size_t n)
{
	char *host = xstrndup(s, n);
	auto_free char *low = xstrdup(host);

	for (char *c = low; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	/* `Team/app` has a host only because of its capital: it must stay one when it is read again. */
	if (reads_as_host(low)) {
		free(host);
		host = TAKE(low);
	}
	if (strcmp(host, "index.docker.io") == 0) {
		free(host);
		host = xstrdup(HUB);
	}
	return host;
}

/* name is HOST/PATH without tag and digest. */
static int parse_name(const char *text, const char *name, struct ref *r, struct err *e)
{
	const char *slash = strchr(name, '/'), *path = name;
	auto_free char *first = xstrndup(name, slash ? (size_t)(slash - name) : 0);

	if (slash && reads_as_host(first)) {
		if (!host_ok(first))
			return err_set(e, ERR_MALFORMED, "'%.256s': '%.256s' is not a host", text, first);
		r->host = take_host(first, strlen(first));
		path = slash + 1;
	} else {
		r->host = xstrdup(HUB);
	}
	if (!*path)
		return err_set(e, ERR_MALFORMED, "'%.256s': a name is missing", text);
	if (is_hex64(name))
		return err_set(e, ERR_MALFORMED, "'%.256s': 64 hex digits are not a name", text);
	if (!ref_path_ok(path))
		return err_set(e, ERR_MALFORMED, strpbrk(path, UPPER) ? "'%.256s': the name must be in lower case" :
			       "'%.256s' is not an image reference", text);
	if (strcmp(r->host, HUB) == 0 && !strchr(path, '/'))
		r->path = xasprintf("library/%s", path);
	else
		r->path = xstrdup(path);
	if (strlen(r->host) + 1 + strlen(r->path) > REF_NAME_MAX)
		return err_set(e, ERR_MALFORMED, "'%.256s': the name is longer than %d characters", text, REF_NAME_MAX);
	return 0;
}

int ref_parse(const char *text, struct ref *out, struct err *e)
{
	auto_ref struct ref r = { 0 };

	if (strlen(text) > TEXT_MAX)
		return err_set(e, ERR_MALFORMED, "'%.64s...': longer than %d characters", text, TEXT_MAX);

	const char *at = strchr(text, '@');
	auto_free char *name = xstrndup(text, at ? (size_t)(at - text) : strlen(text));
	char *colon = strrchr(name, ':');

	if (at && parse_digest(text, at + 1, &r, e) < 0)
		return -1;
	if (colon && !strchr(colon, '/')) {
		*colon = '\0';
		if (!ref_tag_ok(colon + 1))
			return err_set(e, ERR_MALFORMED, "'%.256s': '%.256s' is not a tag", text, colon + 1);
		r.tag = xstrdup(colon + 1);
	}
	if (parse_name(text, name, &r, e) < 0)
		return -1;
	*out = r;
	r = (struct ref){ 0 };
	return 0;
}

/* ---- printing */

char *ref_name(const struct ref *r)
{
	return r->host ? xasprintf("%s/%s", r->host, r->path) : xstrdup(r->path);
}

char *ref_format(const struct ref *r)
{
	auto_free char *name = ref_name(r);
	char digest[DIGEST_TEXT] = "";

	if (r->has_digest)
		digest_text(&r->digest, digest);
	return xasprintf("%s%s%s%s%s", name, r->tag ? ":" : "", r->tag ? r->tag : "", r->has_digest ? "@" : "", digest);
}

const char *ref_api_host(const struct ref *r)
{
	return str_eq(r->host, HUB) ? "registry-1.docker.io" : r->host;
}

/* ---- recognising */

static bool in_list(const char *const *list, const char *s)
{
	for (; *list; list++)
		if (strcmp(*list, s) == 0)
			return true;
	return false;
}

/* A tag that nobody would write behind a name with a slash unless it is an image. */
static bool telling_tag(const char *tag)
{
	static const char *const words[] = {
		"latest", "stable", "main", "master", "edge", "nightly", "dev", "develop", "release", "alpine", NULL,
	};
	size_t digits = strspn(tag, DIGITS);

	if (!tag[digits])
		return digits > 5 || strtoul(tag, NULL, 10) > 65535;
	return strpbrk(tag, DIGITS) || in_list(words, tag);
}

/* Hosts of labels, taints and API groups, which have no images: kubernetes.io/arch:amd64. */
static bool is_label_domain(const char *host)
{
	return strcmp(host, "kubernetes.io") == 0 || str_ends(host, ".kubernetes.io") ||
	       (str_ends(host, ".k8s.io") && strcmp(host, "registry.k8s.io") != 0 && !str_ends(host, "-registry.k8s.io"));
}

/* A version of an API (`example.com/v1:Thing`), or a number (10.0.0.0/8:443). */
static bool is_version(const char *path)
{
	size_t n = *path == 'v', digits = strspn(path + n, DIGITS);
	const char *rest = path + n + digits;

	return digits && (!*rest || (n && (str_starts(rest, "alpha") || str_starts(rest, "beta"))));
}

bool ref_looks_like(const char *text)
{
	static const char *const effects[] = { "NoSchedule", "PreferNoSchedule", "NoExecute", NULL };
	const char *slash = strchr(text, '/');
	auto_ref struct ref r = { 0 };
	struct err e;

	if (!slash || strlen(text) > TEXT_MAX || ref_parse(text, &r, &e) < 0)
		return false;
	if (r.has_digest)
		return true;
	if (!r.tag || in_list(effects, r.tag) || is_label_domain(r.host) || is_version(r.path))
		return false;

	auto_free char *first = xstrndup(text, (size_t)(slash - text));

	/* A capital alone makes no host here: Deployment/web:v1. */
	if (strpbrk(first, ".:") || strcmp(first, "localhost") == 0)
		return true;
	return !strpbrk(first, UPPER) && telling_tag(r.tag);
}

/* One piece of a text: cut to what may be a reference, and kept if it is one. */
static void consider(const char *text, const char *s, size_t n, ref_seen_fn fn, void *ctx)
{
	/* A path from the root is none: /var/lib/x:rw2. */
	if (*s == '/')
		return;
	while (n && !isalnum((unsigned char)*s)) {
		s++;
		n--;
	}
	while (n && strchr(".:/@-", s[n - 1]))
		n--;
	if (n < 3 || n > TEXT_MAX + 16)
		return;

	auto_free char *piece = xstrndup(s, n);
	const char *fallback = strstr(piece, ":-");     /* of a shell: ${IMAGE:-REF} */
	const char *ref = fallback ? fallback + 2 : piece;

	if (str_starts(ref, "docker://"))
		ref += strlen("docker://");
	else if (str_starts(ref, "oci://"))
		ref += strlen("oci://");
	if (ref_looks_like(ref))
		fn(ctx, ref, (size_t)(s - text) + (size_t)(ref - piece));
}

/* `https://…?x=a/b:c1`: an address, to its end. docker:// and oci:// name images. */
static bool is_url(const char *s, size_t n)
{
	const char *mark = memmem(s, n, "://", 3);

	return mark && mark > s && !(mark >= s + 6 && strncmp(mark - 6, "docker", 6) == 0) &&
	       !(mark >= s + 3 && strncmp(mark - 3, "oci", 3) == 0);
}

void ref_each(const char *text, ref_seen_fn fn, void *ctx)
{
	static const char set[] = LOWER UPPER DIGITS "._/:@-";

	for (const char *p = text; *p;) {
		size_t n = strspn(p, set);

		if (is_url(p, n))
			n = strcspn(p, " \t\r\n\"'<>()[]{},;|");
		else if (n)
			consider(text, p, n, fn, ctx);
		p += n;
		p += strcspn(p, set);
	}
}

static void keep(void *ctx, const char *ref, size_t at)
{
	(void)at;
	strv_push(ctx, ref);
}

void ref_find(const char *text, struct strv *out)
{
	ref_each(text, keep, out);
}

/* ---- names on site */

static int check_target(const struct ref *r, struct err *e)
{
	auto_free char *name = ref_name(r);

	if (!ref_path_ok(r->path))
		return err_set(e, ERR_UNSAFE, "'%.300s': not a repository name%s", r->path,
			       strpbrk(r->path, UPPER) ? ": it must be in lower case" : "");
	if (strlen(name) > REF_NAME_MAX)
		return err_set(e, ERR_UNSAFE, "'%.300s': longer than %d characters: choose a shorter prefix", name,
			       REF_NAME_MAX);
	if (!ref_tag_ok(r->tag))
		return err_set(e, ERR_UNSAFE, "'%.300s': '%.200s' is not a tag", name, r->tag);
	return 0;
}

/* PREFIX/MIDDLE/LAST, of which prefix and middle may be empty. Takes tag. */
static int make_target_take(const struct ref_site *site, const char *middle, const char *last, char *tag, struct ref *out,
			    struct err *e)
{
	const char *prefix = site->prefix ? site->prefix : "";
	auto_ref struct ref r = { .tag = tag };

	r.host = site->host && *site->host ? xstrdup(site->host) : NULL;
	r.path = xasprintf("%s%s%s%s%s", prefix, *prefix ? "/" : "", middle, *middle ? "/" : "", last);
	if (check_target(&r, e) < 0)
		return -1;
	*out = r;
	r = (struct ref){ 0 };
	return 0;
}

static char *short_hex(const char *prefix, const struct digest *d)
{
	char hex[DIGEST_HEX];

	return xasprintf("%s%.32s", prefix, digest_hex(d, hex));
}

static void replace(char *s, char from, char to)
{
	for (; *s; s++)
		if (*s == from)
			*s = to;
}

int ref_target(const struct ref *r, const struct ref_site *site, struct ref *out, struct err *e)
{
	auto_free char *middle = xstrdup(site->keep_host ? r->host : "");
	char *tag = r->tag ? xstrdup(r->tag) : r->has_digest ? short_hex("d-", &r->digest) : xstrdup("latest");

	replace(middle, ':', '_');
	return make_target_take(site, middle, r->path, tag, out, e);
}

int ref_target_chart(const char *name, const char *version, const struct ref_site *site, struct ref *out, struct err *e)
{
	char *tag = xstrdup(version);

	replace(tag, '+', '_');
	return make_target_take(site, "charts", name, tag, out, e);
}

int ref_target_artifact(const char *kind, const char *name, const struct digest *d, const struct ref_site *site,
			struct ref *out, struct err *e)
{
	return make_target_take(site, kind, name, short_hex("", d), out, e);
}
