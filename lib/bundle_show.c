/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/bundle_show.h>

#include <airgap/log.h>
#include <airgap/pool.h>
#include <airgap/trust.h>

#include <inttypes.h>

struct bundle *bundle_show_open(const char *path, const struct show_options *o, struct policy *p, struct err *e)
{
	struct bundle_options open = { .policy = p, .allow_unsigned = o->allow_unsigned, .state = bundle_state_local };

	if (trust_load(o->trust, p, e) < 0)
		return NULL;
	open.no_verdict = o->inspect && !p->present;
	return bundle_open(path, &open, e);
}

/* ---- who vouches for it ---- */

/* Whether record entry i counted; its name in the trust folder. */
static const struct sign_key *signer_of(const struct verify *v, const struct policy *p, size_t i)
{
	for (size_t k = 0; k < v->n_signers; k++)
		if (digest_eq(&p->keys[v->signers[k]].key.id, &v->record.entries[i].key))
			return &p->keys[v->signers[k]].key;
	return NULL;
}

/* Text from outside: control characters, C1 among them, never reach a terminal. */
static void put_safe(struct buf *out, const char *s)
{
	for (; *s; s++) {
		uint8_t c = (uint8_t)*s;

		if (c == 0xc2 && (uint8_t)s[1] >= 0x80 && (uint8_t)s[1] < 0xa0)
			s++;
		else if (c >= 0x20 && c != 0x7f) {
			buf_putc(out, *s);
			continue;
		}
		buf_putc(out, '?');
	}
}

void bundle_show_verdict(const struct bundle *b, const struct policy *p, struct buf *out)
{
	const struct verify *v = bundle_verdict(b);
	char hex[DIGEST_HEX];
	size_t n = 0;

	if (!v->record.n) {
		buf_puts(out, "NOT SIGNED: nobody vouches for it");
		return;
	}
	if (!bundle_trusted(b)) {
		buf_putf(out, "NOT VERIFIED: %zu signature%s, but no trust folder to check with: use --trust DIR", v->record.n,
			 v->record.n == 1 ? "" : "s");
		return;
	}
	buf_puts(out, "signed by ");
	for (size_t i = 0; i < v->record.n; i++) {
		const struct sign_key *k = signer_of(v, p, i);

		if (!k)
			continue;
		buf_puts(out, n++ ? ", " : "");
		put_safe(out, k->name);
		buf_putf(out, " (%s, key %.16s...)", sign_algorithm_name(k->algorithm), digest_hex(&k->id, hex));
	}
}

/* ---- text ---- */

static void put_row(struct buf *out, const char *name, const char *text)
{
	buf_putf(out, "%-10s ", name);
	put_safe(out, text);
	buf_putc(out, '\n');
}

static void put_statement(const struct bundle *b, struct buf *out)
{
	const struct statement *s = bundle_statement(b);
	auto_buf struct buf audience = BUF_INIT(SIGN_BODY_MAX * 2);
	char when[SIGN_TIME];

	put_row(out, "stream", s->stream);
	put_row(out, "version", s->version);
	buf_putf(out, "%-10s %" PRIu64 "\n", "sequence", s->sequence);
	put_row(out, "created", sign_time_format(s->created, when));
	put_row(out, "expires", s->expires == POLICY_NEVER ? "never" : sign_time_format(s->expires, when));
	for (size_t i = 0; i < s->n_audience; i++)
		buf_putf(&audience, "%s%s", i ? ", " : "", statement_audience(s, i));
	put_row(out, "audience", s->n_audience ? buf_str(&audience) : "anybody");
}

static uint64_t count_external(const struct bundle *b)
{
	struct blob_record r;
	uint64_t n = 0;

	for (uint64_t i = 0; i < bundle_blobs(b); i++) {
		bundle_blob(b, i, &r);
		n += (r.flags & BLOB_EXTERNAL) != 0;
	}
	return n;
}

/* bundle.json's lists: which keys of an item make its line. */
static const struct list {
	const char *key, *kind, *name, *version, *digest;
} lists[] = {
	{ "images", NULL, "ref", NULL, "digest" },
	{ "charts", NULL, "name", "version", "digest" },
	{ "files", NULL, "name", "platform", "blob" },
	{ "sets", "kind", "name", "type", "digest" },
};

static void put_item(const struct list *l, const json_t *item, struct buf *out)
{
	const char *name = jdoc_text(item, l->name, NULL), *version = l->version ? jdoc_text(item, l->version, NULL) : NULL;
	const char *digest = jdoc_text(item, l->digest, NULL), *kind = l->kind ? jdoc_text(item, l->kind, NULL) : NULL;
	json_int_t size = json_integer_value(jdoc_at(item, "size", NULL));
	char text[16];

	buf_putf(out, "  %10s  ", size > 0 ? log_size(text, (uint64_t)size) : "");
	if (kind) {
		put_safe(out, kind);
		buf_putc(out, '/');
	}
	put_safe(out, name ? name : "?");
	if (version) {
		buf_putc(out, ' ');
		put_safe(out, version);
	}
	if (digest) {
		buf_puts(out, "  ");
		put_safe(out, digest);
	}
	buf_putc(out, '\n');
}

static json_t *contents_of(const struct bundle *b, struct err *e)
{
	size_t n;
	const void *bytes = bundle_contents_bytes(b, &n);

	return jdoc_parse(bytes, n, HEAD_JSON_MAX, head_names[HEAD_JSON], e);
}

int bundle_show_text(const struct bundle *b, const struct policy *p, struct buf *out, struct err *e)
{
	auto_json json_t *j = contents_of(b, e);
	char text[DIGEST_TEXT], size[16];
	const char *name;

	if (!j)
		return -1;
	name = jdoc_text(j, "name", NULL);
	put_row(out, "bundle", name ? name : "(no name)");
	put_row(out, "id", digest_text(bundle_id(b), text));
	buf_putf(out, "%-10s ", "verdict");
	bundle_show_verdict(b, p, out);
	buf_putc(out, '\n');
	put_statement(b, out);
	buf_putf(out, "%-10s %s, %" PRIu64 " blobs", "size", log_size(size, bundle_size(b)), bundle_blobs(b));
	if (count_external(b))
		buf_putf(out, ", %" PRIu64 " of them elsewhere (a delta)", count_external(b));
	buf_putc(out, '\n');
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const json_t *list = jdoc_at(j, lists[i].key, NULL);

		if (json_array_size(list))
			buf_putf(out, "%s (%zu)\n", lists[i].key, json_array_size(list));
		for (size_t k = 0; k < json_array_size(list); k++)
			put_item(&lists[i], json_array_get(list, k), out);
	}
	return 0;
}

/* ---- JSON ---- */

static json_t *signatures_json(const struct bundle *b, const struct policy *p)
{
	const struct verify *v = bundle_verdict(b);
	json_t *list = json_array();
	char hex[DIGEST_HEX];

	for (size_t i = 0; i < v->record.n; i++) {
		const struct record_entry *entry = &v->record.entries[i];
		const struct sign_key *k = signer_of(v, p, i);

		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s*}", "key", digest_hex(&entry->key, hex), "algorithm",
						      sign_algorithm_name((enum sign_algorithm)entry->algorithm), "trusted",
						      k != NULL, "name", k ? k->name : NULL));
	}
	return list;
}

static json_t *audience_json(const struct statement *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_audience; i++)
		json_array_append_new(list, json_string(statement_audience(s, i)));
	return list;
}

json_t *bundle_show_json(const struct bundle *b, const struct policy *p, struct err *e)
{
	const struct statement *s = bundle_statement(b);
	json_t *contents = contents_of(b, e), *j;
	char text[DIGEST_TEXT], created[SIGN_TIME], expires[SIGN_TIME];

	if (!contents)
		return NULL;
	j = json_pack("{s:s, s:I, s:b, s:o, s:s, s:s, s:I, s:s, s:s*, s:o, s:I, s:I, s:o}", "id",
		      digest_text(bundle_id(b), text), "size", (json_int_t)bundle_size(b), "verified", bundle_trusted(b),
		      "signatures", signatures_json(b, p), "stream", s->stream, "version", s->version, "sequence",
		      (json_int_t)s->sequence, "created", sign_time_format(s->created, created), "expires",
		      s->expires == POLICY_NEVER ? NULL : sign_time_format(s->expires, expires), "audience", audience_json(s),
		      "blobs", (json_int_t)bundle_blobs(b), "external", (json_int_t)count_external(b), "contents", contents);
	if (!j)
		err_set(e, ERR_BUG, "inspect: cannot be put into JSON");
	return j;
}

/* ---- the two commands ---- */

int bundle_show_verify(const char *path, const struct show_options *o, unsigned jobs, struct buf *out, bool *out_trusted,
		       struct err *e)
{
	auto_policy struct policy p = { 0 };
	auto_bundle struct bundle *b = bundle_show_open(path, o, &p, e);
	char id[DIGEST_TEXT];

	if (!b)
		return -1;
	progress_begin("verify", bundle_size(b));

	int rc = bundle_check_all(b, jobs ? jobs : pool_jobs(), progress_add, e);

	progress_end();
	if (rc < 0)
		return err_wrap(e, "%s", path);
	buf_putf(out, "%s\n", digest_text(bundle_id(b), id));
	bundle_show_verdict(b, &p, out);
	buf_putc(out, '\n');
	*out_trusted = bundle_trusted(b);
	return 0;
}

int bundle_show_inspect(const char *path, const struct show_options *o, bool as_json, struct buf *out, struct err *e)
{
	auto_policy struct policy p = { 0 };
	auto_bundle struct bundle *b = bundle_show_open(path, o, &p, e);

	if (!b)
		return -1;

	auto_json json_t *j = as_json ? bundle_show_json(b, &p, e) : NULL;
	int rc = -1;

	if (!as_json)
		rc = bundle_show_text(b, &p, out, e);
	else if (j)
		rc = jdoc_dump_pretty(j, out, e);
	return rc < 0 ? err_wrap(e, "%s", path) : 0;
}
