/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/reference.h>

#include <airgap/bcrypt.h>
#include <airgap/certificate.h>
#include <airgap/digest.h>
#include <airgap/strv.h>

#define VALUE_MAX (1u << 20)    /* of one resolved string: a Kubernetes Secret holds no more */
#define BYTES_MAX 4096u         /* of one generated value */

static const char *const kinds[] = {
	[REFERENCE_SECRET] = "secret", [REFERENCE_ENV] = "env", [REFERENCE_FILE] = "file",
	[REFERENCE_KUBE] = "kube", [REFERENCE_GENERATE] = "generate", NULL
};

/* Filters: text in, text out. */

static int filter_base64(struct buf *value, struct err *e)
{
	size_t room = base64_size(value->len);
	auto_free char *text = xmalloc(room);

	base64_encode(value->ptr, value->len, text);
	buf_wipe(value);

	int r = buf_add(value, text, strlen(text), e);

	wipe(text, room);
	return r;
}

static int filter_json(struct buf *value, struct err *e)
{
	auto_json json_t *j = json_stringn(buf_str(value), value->len);
	auto_free char *text = j ? json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	if (!text)
		return err_set(e, ERR_MALFORMED, "not UTF-8 text");
	buf_wipe(value);

	int r = buf_add(value, text, strlen(text), e);

	wipe(text, strlen(text));
	return r;
}

/* Who gives values, and for which leaf. */
struct giver {
	reference_fn fn;
	void *ctx;
	const char *path;
};

static int filter_bcrypt(const struct giver *g, struct buf *value, struct err *e)
{
	static const struct reference salt = { .kind = REFERENCE_GENERATE, .body = (char *)"alnum:22" };
	CLEANUP(buf_wipe) struct buf text = BUF_INIT(64);
	auto_free char *path = xasprintf("%s|bcrypt", g->path);
	auto_free char *hash = NULL;

	if (g->fn(g->ctx, &salt, path, &text, e) < 0)
		return -1;
	if (text.len == 0)
		return 0;               /* nobody gives values: references are only counted */
	if (bcrypt_hash(buf_str(value), buf_str(&text), &hash, e) < 0)
		return -1;
	buf_wipe(value);
	return buf_add(value, hash, strlen(hash), e);
}

static int apply_filter(const char *name, const struct giver *g, struct buf *value, struct err *e)
{
	if (strcmp(name, "base64") == 0)
		return filter_base64(value, e);
	if (strcmp(name, "json") == 0)
		return filter_json(value, e);
	if (strcmp(name, "bcrypt") == 0)
		return filter_bcrypt(g, value, e);
	if (strcmp(name, "public") == 0)
		return 0;
	return err_set(e, ERR_MALFORMED, "unknown filter '%s': use base64, json, bcrypt or public", name);
}

/* "secret:N/KEY|base64" split at the bars. */
static int parse_one(const char *text, size_t n, struct strv *parts, struct reference *r, struct err *e)
{
	auto_free char *inside = xstrndup(text, n);

	strv_split(parts, inside, '|');
	if (parts->n == 0)
		return err_set(e, ERR_MALFORMED, "empty reference '$()'");
	for (size_t i = 0; kinds[i]; i++) {
		size_t len = strlen(kinds[i]);

		if (str_starts(parts->items[0], kinds[i]) && parts->items[0][len] == ':' &&
		    parts->items[0][len + 1]) {
			r->kind = (enum reference_kind)i;
			r->body = parts->items[0] + len + 1;
			r->is_public = strv_has(parts, "public");
			return 0;
		}
	}
	return err_set(e, ERR_MALFORMED, "unknown reference '$(%s)': use secret: env: file: kube: or generate:",
		       parts->items[0]);
}

static int resolve_one(const char *text, size_t n, const char *path, reference_fn fn, void *ctx, struct buf *out,
		       struct err *e)
{
	auto_strv struct strv parts = { 0 };
	CLEANUP(buf_wipe) struct buf value = BUF_INIT(VALUE_MAX);
	const struct giver giver = { fn, ctx, path };
	struct reference r;

	if (parse_one(text, n, &parts, &r, e) < 0 || fn(ctx, &r, path, &value, e) < 0)
		return -1;
	for (size_t i = 1; i < parts.n; i++)
		if (apply_filter(parts.items[i], &giver, &value, e) < 0)
			return -1;
	return buf_add(out, value.ptr, value.len, e);
}

/* Everything up to the next reference, then the reference. */
static int resolve_text(const char *text, const char *path, reference_fn fn, void *ctx, struct buf *out, struct err *e)
{
	while (*text) {
		const char *open = strstr(text, "$(");

		if (!open)
			return buf_add(out, text, strlen(text), e);
		if (open > text && open[-1] == '$') {
			if (buf_add(out, text, (size_t)(open - 1 - text), e) < 0 || buf_add(out, "$(", 2, e) < 0)
				return -1;
			text = open + 2;
			continue;
		}

		const char *close = strchr(open, ')');

		if (!close)
			return err_set(e, ERR_MALFORMED, "'$(' without ')': write '$$(' for a literal one");
		if (buf_add(out, text, (size_t)(open - text), e) < 0 ||
		    resolve_one(open + 2, (size_t)(close - open - 2), path, fn, ctx, out, e) < 0)
			return -1;
		text = close + 1;
	}
	return 0;
}

int reference_text(const char *text, const char *path, reference_fn fn, void *ctx, char **out, struct err *e)
{
	CLEANUP(buf_wipe) struct buf value = BUF_INIT(VALUE_MAX);

	if (resolve_text(text, path, fn, ctx, &value, e) < 0)
		return err_wrap(e, "%s", path);
	*out = buf_take(&value);
	return 0;
}

struct walk {
	reference_fn fn;
	void *ctx;
};

static int resolve_leaf(void *ctx, const char *path, const char *key, json_t *leaf, struct err *e)
{
	struct walk *w = ctx;
	auto_free char *value = NULL;

	(void)key;
	if (!strstr(json_string_value(leaf), "$("))
		return 0;
	if (reference_text(json_string_value(leaf), path, w->fn, w->ctx, &value, e) < 0)
		return -1;

	int bad = json_string_set(leaf, value);

	wipe(value, strlen(value));
	return bad ? err_set(e, ERR_MALFORMED, "%s: the value is not UTF-8 text", path) : 0;
}

int reference_resolve(json_t *j, reference_fn fn, void *ctx, struct err *e)
{
	struct walk w = { fn, ctx };

	return jdoc_strings(j, resolve_leaf, &w, e);
}

static int collect_one(void *ctx, const struct reference *r, const char *path, struct buf *out, struct err *e)
{
	struct strv *bodies = ctx;

	(void)path;
	(void)out;
	(void)e;
	strv_pushf(bodies, "%s:%s", kinds[r->kind], r->body);
	return 0;
}

int reference_collect(const json_t *j, struct strv *out, struct err *e)
{
	auto_json json_t *copy = json_deep_copy(j);

	if (reference_resolve(copy, collect_one, out, e) < 0)
		return -1;
	strv_sort(out);
	strv_uniq(out);
	return 0;
}

/* Generated values. Each maker appends text of a known length, from random bytes or, for a placeholder, zeroes. */

static void make_hex(size_t n, const uint8_t *bytes, struct buf *out)
{
	for (size_t i = 0; i < n; i++)
		buf_putf(out, "%02x", bytes[i]);
}

/* 62 of 64 values: the two that are left out are drawn anew by the caller's surplus. */
static void make_alnum(size_t n, const uint8_t *bytes, struct buf *out)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	for (size_t i = 0; n > 0; i++) {
		uint8_t v = bytes[i] & 63;

		if (v < 62) {
			buf_putc(out, letters[v]);
			n--;
		}
	}
}

static void make_uuid(size_t n, const uint8_t *bytes, struct buf *out)
{
	(void)n;
	for (size_t i = 0; i < 16; i++) {
		uint8_t v = bytes[i];

		if (i == 6)
			v = (uint8_t)(0x40 | (v & 0x0f));       /* version 4 */
		if (i == 8)
			v = (uint8_t)(0x80 | (v & 0x3f));       /* variant 1 */
		buf_putf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", v);
	}
}

static const struct generator {
	const char *name;
	uint64_t fixed;         /* bytes; 0 = told after a colon */
	void (*make)(size_t n, const uint8_t *bytes, struct buf *out);
} generators[] = {
	{ "hex", 0, make_hex },         /* N bytes as 2 N digits, as `openssl rand -hex N` */
	{ "alnum", 0, make_alnum },     /* N characters */
	{ "uuid", 16, make_uuid },
};

static const struct generator *find_generator(const char *body, uint64_t *n, struct err *e)
{
	const char *colon = strchrnul(body, ':');

	for (size_t i = 0; i < ARRAY_LEN(generators); i++) {
		const struct generator *g = &generators[i];

		if (strlen(g->name) != (size_t)(colon - body) || strncmp(body, g->name, (size_t)(colon - body)) != 0)
			continue;
		*n = g->fixed;
		if (g->fixed ? *colon != '\0' : !*colon || !u64_parse(colon + 1, n) || *n == 0 || *n > BYTES_MAX)
			break;
		return g;
	}
	err_set(e, ERR_MALFORMED, "unknown generator '%s': use hex:N alnum:N (1 to %u), uuid or tls:PART:HOSTS", body, BYTES_MAX);
	return NULL;
}

int reference_generate(const char *body, struct buf *out, struct err *e)
{
	/* alnum drops one value in 32: eight times the need is short once in 2^-thousands. */
	uint8_t bytes[8 * BYTES_MAX];
	uint64_t n = 0;
	const struct generator *g = find_generator(body, &n, e);

	if (!g)
		return -1;
	random_bytes(bytes, sizeof(bytes));
	g->make((size_t)n, bytes, out);
	wipe(bytes, sizeof(bytes));
	return 0;
}

int reference_tls(const char *body, char **out_part, struct strv *out_hosts, struct err *e)
{
	static const char *const parts[] = { "crt", "key", "ca" };
	const char *part = str_starts(body, "tls:") ? body + strlen("tls:") : NULL, *colon = part ? strchr(part, ':') : NULL;
	auto_free char *name = colon ? xstrndup(part, (size_t)(colon - part)) : NULL;
	bool known = false;

	if (!part)
		return 0;
	for (size_t i = 0; name && i < ARRAY_LEN(parts); i++)
		known = known || strcmp(name, parts[i]) == 0;
	if (!known)
		return err_set(e, ERR_MALFORMED, "generator '%s': write tls:crt:HOST, tls:key:HOST or tls:ca:HOST", body);
	strv_split(out_hosts, colon + 1, ',');
	if (certificate_check_hosts(out_hosts, e) < 0)
		return -1;
	*out_part = TAKE(name);
	return 1;
}

/* 1: it was one of tls. */
static int tls_placeholder(const char *body, struct buf *out, struct err *e)
{
	auto_strv struct strv hosts = { 0 };
	auto_free char *part = NULL;
	auto_certificate struct certificate c = { 0 };
	int tls = reference_tls(body, &part, &hosts, e);

	if (tls <= 0 || certificate_placeholder(&hosts, &c, e) < 0)
		return tls ? -1 : 0;

	const char *text = strcmp(part, "crt") == 0 ? c.crt : strcmp(part, "key") == 0 ? c.key : c.ca;

	return buf_add(out, text, strlen(text), e) < 0 ? -1 : 1;
}

int reference_placeholder(void *ctx, const struct reference *r, const char *path, struct buf *out, struct err *e)
{
	static const uint8_t zero[8 * BYTES_MAX];
	uint64_t n = 0;

	(void)ctx;
	(void)path;
	if (r->kind != REFERENCE_GENERATE) {
		buf_puts(out, "placeholder");
		return 0;
	}

	int tls = tls_placeholder(r->body, out, e);

	if (tls)
		return MIN(tls, 0);

	const struct generator *g = find_generator(r->body, &n, e);

	if (!g)
		return -1;
	g->make((size_t)n, zero, out);
	return 0;
}
