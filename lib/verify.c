/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/verify.h>

#include <inttypes.h>

/* ---- signatures ---- */

/* "key 5b34b8b1c7345125..." */
static const char *short_id(const struct digest *d, char out[DIGEST_HEX])
{
	digest_hex(d, out);
	memcpy(out + 16, "...", 4);
	return out;
}

/* Every signature by an unrevoked key must be good. Fills v->signers; -1 where the first is by nobody we trust. */
static int check_signatures(struct verify *v, const struct policy *p, struct err *e)
{
	bool first = false;

	for (size_t i = 0; i < v->record.n; i++) {
		const struct record_entry *entry = &v->record.entries[i];
		int k = policy_find(p, &entry->key);

		if (k < 0 || p->keys[k].revoked)
			continue;

		const struct sign_key *key = &p->keys[k].key;

		if (entry->algorithm != key->algorithm)
			return err_set(e, ERR_SIGNATURE, "signature by '%s': made with algorithm %u, but the key is %s",
				       key->name, entry->algorithm, sign_algorithm_name(key->algorithm));

		int good = sign_check(key, v->record.body, v->record.body_len, entry->sig, entry->len, e);

		if (good < 0)
			return -1;
		if (!good)
			return err_set(e, ERR_SIGNATURE, "signature by '%s' does not match: bundle or signature was altered",
				       key->name);
		v->signers[v->n_signers++] = k;
		first |= i == 0;
	}
	if (first)
		return 0;

	char id[DIGEST_HEX];
	bool revoked = policy_find(p, &v->record.entries[0].key) >= 0;

	return err_set(e, ERR_UNTRUSTED, "signed by key %s, which is %s", short_id(&v->record.entries[0].key, id),
		       revoked ? "revoked" : "not trusted here");
}

static bool key_may_sign(const struct policy_key *k, const char *stream)
{
	for (size_t i = 0; i < k->n_streams; i++)
		if (policy_glob(k->streams[i], stream))
			return true;
	return k->n_streams == 0;
}

/* Drops keys that may not speak for this stream, or no more; then counts. */
static int check_keys(struct verify *v, const struct verify_trust *t, struct err *e)
{
	const struct policy *p = t->policy;
	unsigned threshold = MAX(p->threshold, 1u);
	size_t kept = 0;

	for (size_t i = 0; i < v->n_signers; i++) {
		const struct policy_key *k = &p->keys[v->signers[i]];
		bool late = t->now > k->not_after;

		if (!late && key_may_sign(k, v->statement.stream))
			v->signers[kept++] = v->signers[i];
		else if (i == 0)
			return err_set(e, ERR_UNTRUSTED, "signed by '%s', whose key %s", k->key.name,
				       late ? "is past its notAfter" : "may not sign this stream");
	}
	v->n_signers = kept;
	if (kept < threshold)
		return err_set(e, ERR_UNTRUSTED, "%zu of the %u signatures by trusted keys that the policy asks for", kept,
			       threshold);
	return 0;
}

/* All of frame 0 follows from the record. */
static int check_frame0(const struct verify *v, struct err *e)
{
	uint8_t made[RECORD_FRAME];

	if (record_print(&v->record, made, e) < 0 || memcmp(made, v->frame0, RECORD_FRAME) != 0)
		return err_set(e, ERR_MALFORMED, "signature frame: bytes outside the record were altered");
	return 0;
}

static int check_sizes(const struct statement *s, struct err *e)
{
	static const struct { uint64_t max, record; } rule[HEAD_PARTS] = {
		[HEAD_JSON] = { HEAD_JSON_MAX, 1 },
		[HEAD_BLOBS] = { HEAD_TABLE_MAX, BLOB_RECORD },
		[HEAD_FRAMES] = { HEAD_TABLE_MAX, FRAME_RECORD },
	};

	/* JSON's integers end there, and the site keeps it in JSON. */
	if (s->sequence > INT64_MAX)
		return err_set(e, ERR_LIMIT, "sequence %" PRIu64 ": at most %" PRId64, s->sequence, INT64_MAX);
	for (size_t i = 0; i < HEAD_PARTS; i++) {
		if (s->member[i].size > rule[i].max)
			return err_set(e, ERR_LIMIT, "%s of %" PRIu64 " bytes: at most %" PRIu64, head_names[i],
				       s->member[i].size, rule[i].max);
		if (s->member[i].size % rule[i].record)
			return err_set(e, ERR_MALFORMED, "%s: not a whole number of records", head_names[i]);
	}
	return 0;
}

static int check_unsigned(const struct verify *v, const struct verify_trust *t, struct err *e)
{
	if (check_frame0(v, e) < 0)
		return -1;
	if (!t->allow_unsigned)
		return err_set(e, ERR_UNSIGNED, "not signed");
	if (t->policy && t->policy->present)
		return err_set(e, ERR_UNSIGNED, "not signed: there is a trust folder, so --allow-unsigned does not apply");
	return 0;
}

static int judge_signatures(struct verify *v, const struct verify_trust *t, struct err *e)
{
	if (t->no_verdict)
		return 0;
	if (!v->record.n)
		return check_unsigned(v, t, e);
	if (!t->policy || !t->policy->n_keys)
		return err_set(e, ERR_UNSIGNED, "signed, but there is no key here to check it with: use --trust DIR");
	return check_signatures(v, t->policy, e);
}

int verify_record(struct verify *v, const struct source_at *src, const struct verify_trust *t, struct err *e)
{
	uint64_t size[HEAD_PARTS];

	memset(v, 0, sizeof(*v));
	if (src->size < RECORD_FRAME)
		return err_set(e, ERR_TRUNCATED, "%" PRIu64 " bytes: cut, or not a bundle", src->size);
	if (src->read(src->ctx, v->frame0, RECORD_FRAME, 0, e) < 0 || record_parse(v->frame0, &v->record, e) < 0 ||
	    judge_signatures(v, t, e) < 0)
		return -1;
	if (!statement_scan(v->record.body, v->record.body_len, &v->statement))
		return err_set(e, ERR_MALFORMED, "the signed statement is not in the one spelling of format 1");
	if (v->n_signers && check_keys(v, t, e) < 0)
		return -1;
	if (check_frame0(v, e) < 0 || check_sizes(&v->statement, e) < 0)
		return -1;
	for (size_t i = 0; i < HEAD_PARTS; i++)
		size[i] = v->statement.member[i].size;
	head_layout(&v->head, size);
	v->id = statement_id(&v->statement);
	v->n_blobs = size[HEAD_BLOBS] / BLOB_RECORD;
	v->n_listed = size[HEAD_FRAMES] / FRAME_RECORD;
	v->trusted = v->n_signers > 0;
	return 0;
}

/* ---- freshness and audience ---- */

int verify_policy(const struct verify *v, const struct verify_fresh *f, struct err *e)
{
	const struct statement *s = &v->statement;
	char when[SIGN_TIME];
	int64_t now = f->state.present ? MAX(f->now, f->state.newest_time) : f->now;

	if (now > s->expires && !f->installed)
		return err_set(e, ERR_POLICY, "expired at %s", sign_time_format(s->expires, when));
	if (f->state.present && s->sequence < f->state.sequence && !f->allow_downgrade)
		return err_set(e, ERR_POLICY, "sequence %" PRIu64 " is older than %" PRIu64 ", accepted here before: to go "
			       "back on purpose give --allow-downgrade",
			       s->sequence, f->state.sequence);
	if (f->state.present && s->sequence == f->state.sequence && !digest_eq(&v->id, &f->state.id) &&
	    !f->allow_downgrade)
		return err_set(e, ERR_POLICY, "another bundle with sequence %" PRIu64 " was accepted here before", s->sequence);
	if (v->trusted && s->n_audience && !statement_has_audience(s, f->audience ? f->audience : ""))
		return err_set(e, ERR_POLICY, "meant for '%s'%s, and this site is '%s' (audience in policy.yaml)",
			       statement_audience(s, 0), s->n_audience > 1 ? " and others" : "",
			       f->audience && *f->audience ? f->audience : "(no name)");
	return 0;
}

struct stream_state verify_next_state(const struct verify *v, const struct stream_state *old, int64_t clock)
{
	const struct statement *s = &v->statement;
	struct stream_state next = { true, s->sequence, v->id, MIN(s->created, clock + 86400) };

	if (!old->present)
		return next;
	next.newest_time = MAX(next.newest_time, old->newest_time);
	if (old->sequence > next.sequence) {
		next.sequence = old->sequence;
		next.id = old->id;
	}
	return next;
}

/* ---- head, tables, end ---- */

static int read_member(const struct verify *v, const struct source_at *src, const struct verify_memory *m,
		       size_t part, uint64_t *at, struct err *e)
{
	const struct head *h = &v->head;
	const uint8_t *const content[HEAD_PARTS] = { m->member[0], m->member[1], m->member[2] };
	const struct head_member *want = &v->statement.member[part];

	for (uint64_t f = h->first[part]; f < h->first[part + 1]; f++) {
		size_t bytes, decoded;

		head_frame_sizes(h, f, &bytes, &decoded);
		if (src->read(src->ctx, m->read, bytes, *at, e) < 0)
			return -1;
		head_take(h, f, m->read, m->member);
		head_frame(h, content, f, m->made);
		if (memcmp(m->read, m->made, bytes) != 0)
			return err_set(e, ERR_MALFORMED, "%s: bytes around its content were altered", head_names[part]);
		*at += bytes;
	}

	struct digest got = digest_of(m->member[part], want->size);

	if (!digest_eq(&got, &want->digest))
		return err_set(e, ERR_DIGEST, "%s does not match its signed hash", head_names[part]);
	return 0;
}

int verify_head(struct verify *v, const struct source_at *src, const struct verify_memory *m, struct err *e)
{
	uint64_t at = RECORD_FRAME;

	if (src->size < v->head.bytes)
		return err_set(e, ERR_TRUNCATED, "cut inside the head: %" PRIu64 " of %" PRIu64 " bytes", src->size,
			       v->head.bytes);
	for (size_t i = 0; i < HEAD_PARTS; i++) {
		if (read_member(v, src, m, i, &at, e) < 0)
			return -1;
		v->member[i] = m->member[i];
	}
	return 0;
}

void verify_frame_record(const struct verify *v, uint64_t i, struct frame_record *out)
{
	frame_record_get(v->member[HEAD_FRAMES] + i * FRAME_RECORD, out);
}

static void blob_at(const struct verify *v, uint64_t i, struct blob_record *out)
{
	blob_record_get(v->member[HEAD_BLOBS] + i * BLOB_RECORD, out);
}

static int check_frames(struct verify *v, struct err *e)
{
	uint8_t bytes[END_FRAME];
	struct frame_record f = { 0 };

	for (uint64_t i = 0; i < v->n_listed; i++) {
		verify_frame_record(v, i, &f);
		if (f.bytes > FRAME_BYTES_MAX || f.decoded > FRAME_DECODED_MAX)
			return err_set(e, ERR_LIMIT, "bundle.frames: record %" PRIu64 ": a frame over 4 MiB", i);
		if (!f.bytes || !f.decoded || f.decoded % USTAR_BLOCK)
			return err_set(e, ERR_MALFORMED, "bundle.frames: record %" PRIu64 ": impossible sizes", i);
		v->frames_bytes += f.bytes;
	}
	end_frame(bytes);

	struct digest want = digest_of(bytes, END_FRAME);

	if (f.bytes != END_FRAME || f.decoded != ARCHIVE_END || !digest_eq(&f.digest, &want))
		return err_set(e, ERR_MALFORMED, "bundle.frames: the last record is not the end of the archive");
	return 0;
}

/* What the three parts of a bundle are while the table of blobs is walked. Frames are counted over the file. */
struct places {
	uint64_t stored;                /* P1: where the next blob must begin */
	uint64_t packed, packed_end;    /* P3: the same, and the end frame */
	uint64_t small, small_end;      /* P2: the frame being filled, and the first of P3 */
	uint32_t at;                    /* P2: decoded bytes used in it */
	bool small_seen;
};

static uint32_t decoded_of(const struct verify *v, uint64_t frame)
{
	struct frame_record f;

	verify_frame_record(v, frame - v->head.first[HEAD_PARTS], &f);
	return f.decoded;
}

/* A blob of its own frames, which must begin at *next. */
static bool place_large(const struct verify *v, const struct blob_record *b, uint64_t *next, uint64_t end)
{
	uint64_t n = blob_frames(b->size);
	struct frame_record f;

	if (b->frame != *next || n > end - *next || b->at != ustar_header_size(b->size))
		return false;
	for (uint64_t i = 0; i < n; i++) {
		verify_frame_record(v, *next + i - v->head.first[HEAD_PARTS], &f);
		if (f.decoded != blob_frame_decoded(b->size, i))
			return false;
		if (b->encoding == BLOB_STORED && f.bytes != stored_size(f.decoded))
			return false;
	}
	*next += n;
	return true;
}

/* A blob among others: right behind the one before it, or first in a new frame when this one is full. The
 * first stands behind oci-layout and index.json, whose sizes the tables do not tell. */
static bool place_small(const struct verify *v, const struct blob_record *b, struct places *w)
{
	uint32_t entry = USTAR_BLOCK + (uint32_t)(b->size + ustar_padding(b->size));

	if (!w->small_seen) {
		if (b->frame < w->small || b->frame - w->small > 2 || b->at < USTAR_BLOCK || b->at % USTAR_BLOCK)
			return false;
		w->small = b->frame;
		w->at = b->at - USTAR_BLOCK;
		w->small_seen = true;
	} else if (w->at + entry > FRAME_BLOB_BYTES) {
		if (decoded_of(v, w->small) != w->at)
			return false;
		w->small++;
		w->at = 0;
	}
	if (b->frame != w->small || w->small >= w->small_end || b->at != w->at + USTAR_BLOCK ||
	    w->at + entry > FRAME_BLOB_BYTES)
		return false;
	w->at += entry;
	return true;
}

static int check_blob(const struct verify *v, uint64_t i, struct blob_record *out, struct err *e)
{
	const uint8_t *p = v->member[HEAD_BLOBS] + i * BLOB_RECORD;

	blob_record_get(p, out);
	if (i && memcmp(p - BLOB_RECORD, p, 32) >= 0)
		return err_set(e, ERR_MALFORMED, "bundle.blobs: record %" PRIu64 ": not in order", i);
	if (out->encoding > BLOB_ZSTD || out->flags > BLOB_EXTERNAL)
		return err_set(e, ERR_UNSUPPORTED, "bundle.blobs: record %" PRIu64 ": unknown encoding or flag: use a newer program",
			       i);
	if (le16_get(p + 54) != 0 || (out->flags & BLOB_EXTERNAL && (out->frame || out->at)))
		return err_set(e, ERR_MALFORMED, "bundle.blobs: record %" PRIu64 ": bytes that must be zero", i);
	if (out->size <= SMALL_BLOB_MAX && out->encoding != BLOB_ZSTD)
		return err_set(e, ERR_MALFORMED, "bundle.blobs: record %" PRIu64 ": a small blob stored alone", i);
	return 0;
}

/* P1, and how many frames P3 has: where P2 and P3 lie follows. */
static int check_stored(struct verify *v, struct places *w, struct err *e)
{
	uint64_t packed = 0;

	for (uint64_t i = 0; i < v->n_blobs; i++) {
		struct blob_record b;

		if (check_blob(v, i, &b, e) < 0)
			return -1;
		if (b.flags & BLOB_EXTERNAL || b.size <= SMALL_BLOB_MAX)
			continue;
		if (b.encoding == BLOB_ZSTD && !u64_add(&packed, blob_frames(b.size)))
			return err_set(e, ERR_MALFORMED, "bundle.blobs: sizes that cannot be");
		if (b.encoding == BLOB_STORED && !place_large(v, &b, &w->stored, w->packed_end))
			return err_set(e, ERR_MALFORMED, "bundle.blobs: record %" PRIu64 ": not where it must be", i);
	}
	if (packed >= w->packed_end - w->stored)
		return err_set(e, ERR_MALFORMED, "bundle.blobs: more than bundle.frames lists");
	v->p2_first = w->stored;
	w->small = w->stored;
	w->small_end = w->packed = w->packed_end - packed;
	return 0;
}

int verify_tables(struct verify *v, struct err *e)
{
	struct places w = { .stored = v->head.first[HEAD_PARTS] };

	v->frames_bytes = 0;
	if (check_frames(v, e) < 0)
		return -1;
	w.packed_end = w.stored + v->n_listed - 1;
	if (check_stored(v, &w, e) < 0)
		return -1;
	for (uint64_t i = 0; i < v->n_blobs; i++) {
		struct blob_record b;
		bool good = true;

		blob_at(v, i, &b);
		if (b.flags & BLOB_EXTERNAL)
			continue;
		if (b.size <= SMALL_BLOB_MAX)
			good = place_small(v, &b, &w);
		else if (b.encoding == BLOB_ZSTD)
			good = place_large(v, &b, &w.packed, w.packed_end);
		if (!good)
			return err_set(e, ERR_MALFORMED, "bundle.blobs: record %" PRIu64 ": not where it must be", i);
	}
	if (w.small_seen && (decoded_of(v, w.small) != w.at || w.small + 1 != w.small_end))
		return err_set(e, ERR_MALFORMED, "bundle.frames: more in the small blobs' frames than listed");
	return 0;
}

int verify_end(const struct verify *v, const struct source_at *src, struct err *e)
{
	uint8_t made[16384], got[16384];
	uint64_t table = v->head.bytes + v->frames_bytes;
	uint64_t size = table + seek_table_size(&v->head, v->n_listed);

	if (src->size < size)
		return err_set(e, ERR_TRUNCATED, "cut: %" PRIu64 " of %" PRIu64 " bytes", src->size, size);
	if (src->size > size)
		return err_set(e, ERR_MALFORMED, "%" PRIu64 " bytes behind the end", src->size - size);
	for (uint64_t at = 0; table + at < size;) {
		size_t n = seek_table_piece(&v->head, v->member[HEAD_FRAMES], v->n_listed, at, made, sizeof(made));

		if (src->read(src->ctx, got, n, table + at, e) < 0)
			return -1;
		if (memcmp(made, got, n) != 0)
			return err_set(e, ERR_MALFORMED, "the seek table does not match bundle.frames");
		at += n;
	}
	return 0;
}

int verify_frame_digest(const struct verify *v, uint64_t i, const struct digest *got, struct err *e)
{
	struct frame_record f;

	verify_frame_record(v, i, &f);
	if (!digest_eq(got, &f.digest))
		return err_set(e, ERR_DIGEST, "frame %" PRIu64 " does not match its hash", v->head.first[HEAD_PARTS] + i);
	return 0;
}

int verify_frame(const struct verify *v, uint64_t i, const uint8_t *p, size_t n, struct err *e)
{
	struct digest got = digest_of(p, n);
	struct frame_record f;

	verify_frame_record(v, i, &f);
	if (n != f.bytes)
		return err_set(e, ERR_DIGEST, "frame %" PRIu64 " has another size", v->head.first[HEAD_PARTS] + i);
	return verify_frame_digest(v, i, &got, e);
}
