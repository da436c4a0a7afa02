/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/fs.h>
#include <airgap/lock.h>
#include <airgap/oci.h>

#include <ctype.h>

const char *const lock_source_kinds[] = {
	[LOCK_REGISTRY] = "registry",
	[LOCK_URL] = "url",
	[LOCK_FILE] = "file",
	[LOCK_LAYOUT] = "layout",
	[LOCK_PACK] = "pack",
	[LOCK_MEMBER] = "member",
	[LOCK_GIT] = "git",
	[LOCK_LAYER] = "layer",
	[LOCK_ADD] = "add",
	[LOCK_MADE] = "made",
	NULL,
};

static const struct field source_fields[] = {
	F_ENUM(struct lock_source, kind, "kind", lock_source_kinds, F_REQUIRED),
	F_STR(struct lock_source, location, "location", 0),
	F_STR(struct lock_source, member, "member", 0),
	F_DIGEST(struct lock_source, archive, "archive", 0),
	{ 0 }
};
static const struct type source_type = TYPE(struct lock_source, source_fields);

static const struct field blob_fields[] = {
	F_DIGEST(struct lock_blob, digest, "digest", F_REQUIRED),
	F_U64(struct lock_blob, size, "size", 0),
	F_STR(struct lock_blob, media_type, "mediaType", F_REQUIRED),
	F_BOOL(struct lock_blob, stored, "stored", 0),
	F_BOOL(struct lock_blob, manifest, "manifest", 0),
	F_LIST(struct lock_blob, sources, n_sources, "sources", source_type, F_REQUIRED),
	{ 0 }
};
static const struct type blob_type = TYPE(struct lock_blob, blob_fields);

static const struct field made_fields[] = {
	F_DIGEST(struct lock_made, digest, "digest", F_REQUIRED),
	F_STR(struct lock_made, text, "text", F_REQUIRED),
	{ 0 }
};
static const struct type made_type = TYPE(struct lock_made, made_fields);

static const struct field host_fields[] = {
	F_BOOL(struct lock_host, plain_http, "plainHTTP", 0),
	F_STR(struct lock_host, ca, "ca", 0),
	F_STR(struct lock_host, username, "username", 0),
	F_STR(struct lock_host, password, "password", 0),
	F_STR(struct lock_host, token, "token", 0),
	F_STR(struct lock_host, cert, "cert", 0),
	F_STR(struct lock_host, key, "key", 0),
	F_STR(struct lock_host, proxy, "proxy", 0),
	F_STR(struct lock_host, rate, "rate", 0),
	F_STR(struct lock_host, user_agent, "userAgent", 0),
	{ 0 }
};
static const struct type host_type = TYPE_KEYED(struct lock_host, host_fields, host);

/* The text is a lock with two lines on top. */
struct document {
	char *api_version, *kind;
	struct lock lock;
};

#define API_VERSION "airgap/v1"
#define KIND        "Lock"

static const struct field document_fields[] = {
	F_STR(struct document, api_version, "apiVersion", F_REQUIRED),
	F_STR(struct document, kind, "kind", F_REQUIRED),
	F_STR(struct document, lock.stream, "stream", F_REQUIRED),
	F_STR(struct document, lock.created, "created", F_REQUIRED),
	F_STR(struct document, lock.expires, "expires", 0),
	F_U64(struct document, lock.sequence, "sequence", 0),
	F_STRV(struct document, lock.audience, "audience", 0),
	F_OBJ(struct document, lock.contents, "contents", contents_type, F_REQUIRED),
	F_MAP(struct document, lock.hosts, lock.n_hosts, "hosts", host_type, 0),
	F_LIST(struct document, lock.blobs, lock.n_blobs, "blobs", blob_type, 0),
	F_LIST(struct document, lock.made, lock.n_made, "made", made_type, 0),
	F_STRV(struct document, lock.warnings, "warnings", 0),
	{ 0 }
};
static const struct type document_type = TYPE(struct document, document_fields);

static void document_release(struct document *d)
{
	free(d->lock.index);
	decode_free(&document_type, d);
}

void lock_release(struct lock *l)
{
	struct document d = { .lock = *l };

	document_release(&d);
	memset(l, 0, sizeof(*l));
}

/* ---- text */

/* Our own text is JSON; what somebody saved as YAML is read too, under the same ceiling. */
static json_t *parse_text(const char *p, size_t n, const char *subject, struct err *e)
{
	static const struct ydoc_limits limits = { .bytes = LOCK_MAX, .depth = 64, .nodes = 16u << 20, .documents = 1 };
	size_t at = 0;

	while (at < n && isspace((unsigned char)p[at]))
		at++;
	if (at < n && p[at] == '{')
		return jdoc_parse(p, n, LOCK_MAX, subject, e);
	return ydoc_parse(p, n, &limits, subject, NULL, e);
}

int lock_parse(const void *p, size_t n, const char *subject, struct lock *out, struct err *e)
{
	auto_json json_t *j = parse_text(p, n, subject, e);
	CLEANUP(document_release) struct document d = { 0 };

	if (!j || decode(&document_type, j, NULL, subject, &d, e) < 0)
		return -1;
	if (!str_eq(d.api_version, API_VERSION) || !str_eq(d.kind, KIND))
		return err_set(e, ERR_UNSUPPORTED, "%s: is %s, %s: this program reads " API_VERSION ", " KIND,
			       subject, d.api_version, d.kind);
	if (lock_check(&d.lock, e) < 0)
		return err_wrap(e, "%s", subject);
	*out = d.lock;
	memset(&d.lock, 0, sizeof(d.lock));
	return 0;
}

int lock_load(const char *path, struct lock *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LOCK_MAX);

	if (fs_load(path, LOCK_MAX, &text, e) < 0)
		return -1;
	return lock_parse(buf_str(&text), text.len, path, out, e);
}

int lock_dump(const struct lock *l, struct buf *out, struct err *e)
{
	const struct document d = { .api_version = (char *)API_VERSION, .kind = (char *)KIND, .lock = *l };

	if (lock_check(l, e) < 0)
		return err_wrap(e, "lock");

	auto_json json_t *j = encode(&document_type, &d);

	return jdoc_dump_pretty(j, out, e);
}

/* ---- what sort of file is it */

/* Behind the string that opens at p; end when it is not closed. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : end;
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && isspace((unsigned char)*p))
		p++;
	return p;
}

static bool text_at(const char *p, const char *end, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(end - p) >= n && memcmp(p, text, n) == 0;
}

/* JSON: the value of the key "kind" of the outermost object. Only finds it: lock_parse judges the text. */
static bool kind_of_json(const char *p, const char *end)
{
	unsigned depth = 0;

	for (; p < end; p++) {
		if (*p == '{' || *p == '[')
			depth++;
		if (*p == '}' || *p == ']')
			depth--;
		if (*p != '"')
			continue;

		const char *after = skip_string(p, end), *value = skip_blanks(after, end);

		if (depth == 1 && text_at(p, end, "\"kind\"") && value < end && *value == ':')
			return text_at(skip_blanks(value + 1, end), end, "\"" KIND "\"");
		p = after - 1;
	}
	return false;
}

/* YAML: a line that begins with "kind:". */
static bool kind_of_yaml(const char *p, const char *end)
{
	while (p < end) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));

		eol = eol ? eol : end;
		if (text_at(p, eol, "kind:")) {
			p = skip_blanks(p + strlen("kind:"), eol);
			p += p < eol && (*p == '"' || *p == '\'');
			return text_at(p, eol, KIND) &&
			       (p + strlen(KIND) == eol || !isalnum((unsigned char)p[strlen(KIND)]));
		}
		p = eol + 1;
	}
	return false;
}

int lock_is(const char *path, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LOCK_MAX);

	if (fs_load(path, LOCK_MAX, &text, e) < 0)
		return -1;

	const char *end = buf_str(&text) + text.len, *p = skip_blanks(buf_str(&text), end);

	return p < end && *p == '{' ? kind_of_json(p, end) : kind_of_yaml(p, end);
}

/* ---- making one */

#define NOT_THERE SIZE_MAX

/* Where d is, or should be, in the index: open addressing, twice as large as full; 0 = free, else blob + 1. */
static size_t *index_slot(const struct lock *l, const struct digest *d)
{
	size_t at = (size_t)le64_get(d->b) & (l->index_cap - 1);

	while (l->index[at] && !digest_eq(&l->blobs[l->index[at] - 1].digest, d))
		at = (at + 1) & (l->index_cap - 1);
	return &l->index[at];
}

static void index_rebuild(struct lock *l)
{
	size_t cap = 64;

	while (cap < 4 * (l->n_blobs + 1))
		cap *= 2;
	free(l->index);
	l->index = xcalloc(cap, sizeof(l->index[0]));
	l->index_cap = cap;
	for (size_t i = 0; i < l->n_blobs; i++)
		*index_slot(l, &l->blobs[i].digest) = i + 1;
}

static int compare_blobs(const void *a, const void *b)
{
	const struct lock_blob *x = a, *y = b;

	return digest_cmp(&x->digest, &y->digest);
}

static int compare_made(const void *a, const void *b)
{
	const struct lock_made *x = a, *y = b;

	return digest_cmp(&x->digest, &y->digest);
}

static size_t find_blob(const struct lock *l, const struct digest *d)
{
	struct lock_blob key = { .digest = *d };

	if (l->index) {
		size_t found = *index_slot(l, d);

		return found ? found - 1 : NOT_THERE;
	}
	if (l->n_blobs == 0)
		return NOT_THERE;

	const struct lock_blob *b = bsearch(&key, l->blobs, l->n_blobs, sizeof(key), compare_blobs);

	return b ? (size_t)(b - l->blobs) : NOT_THERE;
}

const struct lock_blob *lock_find(const struct lock *l, const struct digest *d)
{
	size_t at = find_blob(l, d);

	return at == NOT_THERE ? NULL : &l->blobs[at];
}

const struct lock_made *lock_find_made(const struct lock *l, const struct digest *d)
{
	struct lock_made key = { .digest = *d };

	return l->n_made ? bsearch(&key, l->made, l->n_made, sizeof(key), compare_made) : NULL;
}

static void add_source(struct lock_blob *b, const struct lock_source *s)
{
	for (size_t i = 0; i < b->n_sources; i++) {
		const struct lock_source *have = &b->sources[i];

		if (have->kind == s->kind && str_eq(have->location, s->location) && str_eq(have->member, s->member))
			return;
	}
	GROW(b->sources, b->n_sources);
	b->sources[b->n_sources++] = (struct lock_source){
		.kind = s->kind,
		.location = s->location ? xstrdup(s->location) : NULL,
		.member = s->member ? xstrdup(s->member) : NULL,
		.archive = s->archive,
	};
}

int lock_add_blob(struct lock *l, const struct digest *d, uint64_t size, const char *media_type, bool stored,
		  bool manifest, const struct lock_source *source, struct err *e)
{
	char text[DIGEST_TEXT];

	if (!l->index || 2 * (l->n_blobs + 1) > l->index_cap)
		index_rebuild(l);

	size_t *slot = index_slot(l, d);

	if (!*slot) {
		GROW(l->blobs, l->n_blobs);
		l->blobs[l->n_blobs++] = (struct lock_blob){
			.digest = *d, .size = size, .media_type = xstrdup(media_type), .stored = stored,
		};
		*slot = l->n_blobs;
	}

	struct lock_blob *b = &l->blobs[*slot - 1];

	if (b->size != size)
		return err_set(e, ERR_MALFORMED, "%s: has two sizes, %llu and %llu", digest_text(d, text),
			       (unsigned long long)b->size, (unsigned long long)size);
	b->manifest |= manifest;
	add_source(b, source);
	return 0;
}

int lock_add_made(struct lock *l, const void *p, size_t n, const char *media_type, bool manifest,
		  struct digest *out, struct err *e)
{
	static const struct lock_source made = { .kind = LOCK_MADE };
	struct digest d = digest_of(p, n);

	if (n > OCI_MANIFEST_MAX || memchr(p, '\0', n))
		return err_set(e, ERR_LIMIT, "what a lock makes is text of at most %u bytes", OCI_MANIFEST_MAX);

	bool known = find_blob(l, &d) != NOT_THERE;

	if (lock_add_blob(l, &d, n, media_type, oci_encoding_stored(media_type), manifest, &made, e) < 0)
		return -1;
	for (size_t i = 0; known && i < l->n_made; i++)
		if (digest_eq(&l->made[i].digest, &d)) {
			*out = d;
			return 0;
		}
	GROW(l->made, l->n_made);
	l->made[l->n_made++] = (struct lock_made){ .digest = d, .text = xstrndup(p, n) };
	*out = d;
	return 0;
}

static int compare_hosts(const void *a, const void *b)
{
	const struct lock_host *x = a, *y = b;

	return strcmp(x->host, y->host);
}

void lock_finish(struct lock *l)
{
	if (l->n_blobs)
		qsort(l->blobs, l->n_blobs, sizeof(l->blobs[0]), compare_blobs);
	if (l->n_made)
		qsort(l->made, l->n_made, sizeof(l->made[0]), compare_made);
	if (l->n_hosts)
		qsort(l->hosts, l->n_hosts, sizeof(l->hosts[0]), compare_hosts);
	contents_sort(&l->contents);
	free(TAKE(l->index));
	l->index_cap = 0;
}
