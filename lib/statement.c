/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/statement.h>

/* ---- text of our own making, into a fixed place ---- */

struct text {
	char *p;
	size_t n, room;
	bool over;                      /* it did not fit, or had a character it may not have */
};

static void text_put(struct text *t, const void *p, size_t n)
{
	if (t->over || n > t->room - t->n) {
		t->over = true;
		return;
	}
	memcpy(t->p + t->n, p, n);
	t->n += n;
}

static void text_puts(struct text *t, const char *s)
{
	text_put(t, s, strlen(s));
}

static void text_number(struct text *t, uint64_t v)
{
	char digits[21], *p = digits + sizeof(digits);

	*--p = '\0';
	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	text_puts(t, p);
}

static void text_base64(struct text *t, const void *p, size_t n)
{
	if (t->over || base64_size(n) > t->room - t->n) {       /* counts the NUL: one byte more than needed */
		t->over = true;
		return;
	}
	base64_encode(p, n, t->p + t->n);
	t->n += base64_size(n) - 1;
}

static bool is_plain(char c)
{
	return c >= 0x20 && c <= 0x7e && c != '"' && c != '\\';
}

static void text_string(struct text *t, const char *s)
{
	for (const char *p = s; *p; p++)
		if (!is_plain(*p))
			t->over = true;
	text_puts(t, s);
}

/* ---- the statement: one template, printed and scanned ---- */

enum piece { PIECE_END, PIECE_STREAM, PIECE_VERSION, PIECE_SEQUENCE, PIECE_CREATED, PIECE_EXPIRES, PIECE_AUDIENCE,
	     PIECE_SIZE, PIECE_HEX };

static const struct template {
	const char *text;               /* literal, then the piece */
	enum piece piece;
	enum head_part part;            /* of SIZE and HEX */
} template[] = {
	{ "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"bundle.json\","
	  "\"digest\":{\"sha256\":\"", PIECE_HEX, HEAD_JSON },
	{ "\"}}],\"predicateType\":\"urn:airgap:bundle:1\",\"predicate\":{\"format\":1,\"stream\":\"", PIECE_STREAM, 0 },
	{ "\",\"version\":\"", PIECE_VERSION, 0 },
	{ "\",\"sequence\":", PIECE_SEQUENCE, 0 },
	{ ",\"created\":\"", PIECE_CREATED, 0 },
	{ "\",\"expires\":\"", PIECE_EXPIRES, 0 },
	{ "\",\"audience\":[", PIECE_AUDIENCE, 0 },
	{ "],\"members\":[{\"name\":\"bundle.json\",\"size\":", PIECE_SIZE, HEAD_JSON },
	{ ",\"sha256\":\"", PIECE_HEX, HEAD_JSON },
	{ "\"},{\"name\":\"bundle.blobs\",\"size\":", PIECE_SIZE, HEAD_BLOBS },
	{ ",\"sha256\":\"", PIECE_HEX, HEAD_BLOBS },
	{ "\"},{\"name\":\"bundle.frames\",\"size\":", PIECE_SIZE, HEAD_FRAMES },
	{ ",\"sha256\":\"", PIECE_HEX, HEAD_FRAMES },
	{ "\"}]}}", PIECE_END, 0 },
};

static void print_audience(struct text *t, const struct statement *s)
{
	for (size_t i = 0; i < s->n_audience; i++) {
		text_puts(t, i ? ",\"" : "\"");
		text_string(t, statement_audience(s, i));
		text_puts(t, "\"");
	}
}

static void print_piece(struct text *t, const struct template *row, const struct statement *s)
{
	char room[DIGEST_HEX];

	_Static_assert(SIGN_TIME <= DIGEST_HEX, "room serves both");
	switch (row->piece) {
	case PIECE_STREAM:
		text_string(t, s->stream);
		break;
	case PIECE_VERSION:
		text_string(t, s->version);
		break;
	case PIECE_SEQUENCE:
		text_number(t, s->sequence);
		break;
	case PIECE_CREATED:
		text_puts(t, sign_time_format(s->created, room));
		break;
	case PIECE_EXPIRES:
		text_puts(t, s->expires == POLICY_NEVER ? "" : sign_time_format(s->expires, room));
		break;
	case PIECE_AUDIENCE:
		print_audience(t, s);
		break;
	case PIECE_SIZE:
		text_number(t, s->member[row->part].size);
		break;
	case PIECE_HEX:
		text_puts(t, digest_hex(&s->member[row->part].digest, room));
		break;
	case PIECE_END:
		break;
	}
}

size_t statement_print(const struct statement *s, char out[SIGN_BODY_MAX])
{
	struct text t = { out, 0, SIGN_BODY_MAX, false };

	for (size_t i = 0; i < ARRAY_LEN(template); i++) {
		text_puts(&t, template[i].text);
		print_piece(&t, &template[i], s);
	}
	return t.over ? 0 : t.n;
}

struct scan { const char *p, *end; };

static bool scan_literal(struct scan *c, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
		return false;
	c->p += n;
	return true;
}

/* What stands before the closing quote; it is shorter than the body, so than every field of a statement. */
static size_t scan_string(struct scan *c, const char **out)
{
	*out = c->p;
	while (c->p < c->end && is_plain(*c->p))
		c->p++;
	return (size_t)(c->p - *out);
}

static bool scan_number(struct scan *c, uint64_t *out)
{
	char digits[21];
	size_t n = 0;

	while (c->p < c->end && n < sizeof(digits) - 1 && *c->p >= '0' && *c->p <= '9')
		digits[n++] = *c->p++;
	digits[n] = '\0';
	return u64_parse(digits, out);
}

static bool scan_time(struct scan *c, int64_t *out, bool may_be_empty)
{
	const char *text;
	size_t n = scan_string(c, &text);

	if (n == 0 && may_be_empty) {
		*out = POLICY_NEVER;
		return true;
	}
	return sign_time_parse(text, n, out);
}

static void scan_text(struct scan *c, char out[SIGN_BODY_MAX])
{
	const char *text;
	size_t n = scan_string(c, &text);

	memcpy(out, text, n);
	out[n] = '\0';
}

static bool scan_audience(struct scan *c, struct statement *s)
{
	char *to = s->audience;

	s->n_audience = 0;
	for (const char *comma = "\""; scan_literal(c, comma); comma = ",\"") {
		const char *text;
		size_t n = scan_string(c, &text);

		memcpy(to, text, n);
		to[n] = '\0';
		to += n + 1;
		s->n_audience++;
		if (!scan_literal(c, "\""))
			return false;
	}
	return true;
}

static bool scan_hex(struct scan *c, struct digest *out)
{
	if (c->end - c->p < 64 || !digest_parse_hex(c->p, 64, out))
		return false;
	c->p += 64;
	return true;
}

static bool scan_piece(struct scan *c, const struct template *row, struct statement *s)
{
	switch (row->piece) {
	case PIECE_STREAM:
		scan_text(c, s->stream);
		return true;
	case PIECE_VERSION:
		scan_text(c, s->version);
		return true;
	case PIECE_SEQUENCE:
		return scan_number(c, &s->sequence);
	case PIECE_CREATED:
		return scan_time(c, &s->created, false);
	case PIECE_EXPIRES:
		return scan_time(c, &s->expires, true);
	case PIECE_AUDIENCE:
		return scan_audience(c, s);
	case PIECE_SIZE:
		return scan_number(c, &s->member[row->part].size);
	case PIECE_HEX:
		return scan_hex(c, &s->member[row->part].digest);
	case PIECE_END:
		break;
	}
	return true;
}

/* Printing it back settles the rest: leading zeros, the subject's digest, anything left over. */
bool statement_scan(const void *p, size_t n, struct statement *out)
{
	char again[SIGN_BODY_MAX];

	if (n > SIGN_BODY_MAX)
		return false;

	struct scan c = { p, (const char *)p + n };

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < ARRAY_LEN(template); i++)
		if (!scan_literal(&c, template[i].text) || !scan_piece(&c, &template[i], out))
			return false;
	return statement_print(out, again) == n && memcmp(again, p, n) == 0;
}

const char *statement_audience(const struct statement *s, size_t i)
{
	const char *p = s->audience;

	while (i--)
		p += strlen(p) + 1;
	return p;
}

bool statement_add_audience(struct statement *s, const char *name)
{
	size_t used = (size_t)(statement_audience(s, s->n_audience) - s->audience), n = strlen(name) + 1;

	if (n > sizeof(s->audience) - used)
		return false;
	memcpy(s->audience + used, name, n);
	s->n_audience++;
	return true;
}

bool statement_has_audience(const struct statement *s, const char *name)
{
	for (size_t i = 0; i < s->n_audience; i++)
		if (str_eq(statement_audience(s, i), name))
			return true;
	return false;
}

struct digest statement_id(const struct statement *s)
{
	uint8_t bytes[HEAD_PARTS * 40];

	for (size_t i = 0; i < HEAD_PARTS; i++) {
		le64_put(bytes + i * 40, s->member[i].size);
		memcpy(bytes + i * 40 + 8, s->member[i].digest.b, 32);
	}
	return digest_of(bytes, sizeof(bytes));
}

/* ---- frame 0 ---- */

#define RECORD_VERSION 1u
#define SIGSTORE_AT    (RECORD_AT + RECORD_SIZE + USTAR_BLOCK)

static const uint8_t record_magic[8] = { 'A', 'I', 'R', 'G', 'A', 'P', 'S', '1' };

static void text_le16(struct text *t, uint16_t v)
{
	uint8_t b[2];

	le16_put(b, v);
	text_put(t, b, sizeof(b));
}

static bool print_record(const struct record *r, uint8_t out[RECORD_SIZE])
{
	struct text t = { (char *)out, 0, RECORD_SIZE, false };
	uint8_t len[4];

	memset(out, 0, RECORD_SIZE);
	le32_put(len, (uint32_t)r->body_len);
	text_put(&t, record_magic, sizeof(record_magic));
	text_le16(&t, RECORD_VERSION);
	text_le16(&t, 0);
	text_put(&t, len, sizeof(len));
	text_put(&t, r->body, r->body_len);
	text_le16(&t, (uint16_t)r->n);
	for (size_t i = 0; i < r->n; i++) {
		text_put(&t, r->entries[i].key.b, 32);
		text_le16(&t, r->entries[i].algorithm);
		text_le16(&t, r->entries[i].len);
		text_put(&t, r->entries[i].sig, r->entries[i].len);
	}
	return !t.over;
}

/* The first signature once more, as public tools want it. */
static bool print_sigstore(const struct record *r, uint8_t out[SIGSTORE_SIZE])
{
	struct text t = { (char *)out, 0, SIGSTORE_SIZE - 1, false };
	const struct record_entry *first = &r->entries[0];

	if (r->n) {
		text_puts(&t, "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\","
			      "\"verificationMaterial\":{\"publicKey\":{\"hint\":\"");
		text_base64(&t, first->key.b, 32);
		text_puts(&t, "\"},\"tlogEntries\":[],\"timestampVerificationData\":{\"rfc3161Timestamps\":[]}},"
			      "\"dsseEnvelope\":{\"payload\":\"");
		text_base64(&t, r->body, r->body_len);
		text_puts(&t, "\",\"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[{\"sig\":\"");
		text_base64(&t, first->sig, first->len);
		text_puts(&t, "\",\"keyid\":\"");
		text_base64(&t, first->key.b, 32);
		text_puts(&t, "\"}]}}");
	}
	memset(out + t.n, ' ', SIGSTORE_SIZE - 1 - t.n);
	out[SIGSTORE_SIZE - 1] = '\n';
	return !t.over;
}

int record_print(const struct record *r, uint8_t frame[RECORD_FRAME], struct err *e)
{
	uint8_t header[USTAR_HEADER_MAX];

	if (r->n > RECORD_SIGNATURES || r->body_len > SIGN_BODY_MAX)
		return err_set(e, ERR_LIMIT, "%zu signatures over %zu bytes: at most %u over %u", r->n, r->body_len,
			       RECORD_SIGNATURES, SIGN_BODY_MAX);
	for (size_t i = 0; i < r->n; i++)
		if (!r->entries[i].algorithm || !r->entries[i].len)
			return err_set(e, ERR_USAGE, "a signature without a key: give its public key");
	stored_frame_headers(frame, FRAME0_DECODED);
	ustar_header(header, "bundle.sig", RECORD_SIZE);
	memcpy(frame + RECORD_AT - USTAR_BLOCK, header, USTAR_BLOCK);
	ustar_header(header, "bundle.sigstore.json", SIGSTORE_SIZE);
	memcpy(frame + SIGSTORE_AT - USTAR_BLOCK, header, USTAR_BLOCK);
	if (!print_record(r, frame + RECORD_AT) || !print_sigstore(r, frame + SIGSTORE_AT))
		return err_set(e, ERR_LIMIT, "the signatures do not fit the record");
	return 0;
}

struct record_entry record_entry_of(const struct signature *s)
{
	return (struct record_entry){ s->key, s->algorithm, s->len, s->bytes };
}

/* Entries from p on, up to end. Returns what follows them, or NULL. */
static const uint8_t *parse_entries(const uint8_t *p, const uint8_t *end, struct record *out)
{
	for (size_t i = 0; i < out->n; i++) {
		struct record_entry *entry = &out->entries[i];

		if ((size_t)(end - p) < RECORD_ENTRY)
			return NULL;
		memcpy(entry->key.b, p, 32);
		entry->algorithm = le16_get(p + 32);
		entry->len = le16_get(p + 34);
		entry->sig = p + RECORD_ENTRY;
		p += RECORD_ENTRY;
		if (!entry->len || (size_t)(end - p) < entry->len)
			return NULL;
		p += entry->len;
		for (size_t k = 0; k < i; k++)
			if (digest_eq(&out->entries[k].key, &entry->key))
				return NULL;
	}
	return p;
}

int record_parse(const uint8_t frame[RECORD_FRAME], struct record *out, struct err *e)
{
	const uint8_t *p = frame + RECORD_AT, *end = p + RECORD_SIZE;
	struct record r = { .body = p + 16 };

	if (memcmp(p, record_magic, sizeof(record_magic)) != 0)
		return err_set(e, ERR_MALFORMED, "not a bundle: no signature record at byte %u", RECORD_AT);
	if (le16_get(p + 8) != RECORD_VERSION)
		return err_set(e, ERR_UNSUPPORTED, "signature record version %u: this program knows %u: use a newer one",
			       le16_get(p + 8), RECORD_VERSION);
	r.body_len = le32_get(p + 12);
	if (le16_get(p + 10) != 0 || r.body_len > SIGN_BODY_MAX)
		return err_set(e, ERR_MALFORMED, "signature record: bad header");
	p = r.body + r.body_len;
	r.n = le16_get(p);
	if (r.n > RECORD_SIGNATURES)
		return err_set(e, ERR_MALFORMED, "signature record: %zu signatures, at most %u", r.n, RECORD_SIGNATURES);
	p = parse_entries(p + 2, end, &r);
	if (!p)
		return err_set(e, ERR_MALFORMED, "signature record: bad entry, or two of one key");
	for (; p < end; p++)
		if (*p)
			return err_set(e, ERR_MALFORMED, "signature record: bytes behind the last entry");
	*out = r;
	return 0;
}
