/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/lock.h>
#include <airgap/oci.h>
#include <airgap/ref.h>

#define TEXT_MAX     128u       /* of stream and audience */
#define AUDIENCE_MAX 16u

/* Texts of the signed statement (format §2): printable ASCII without quote and backslash. */
static int check_text(const char *what, const char *s, struct err *e)
{
	size_t n = s ? strlen(s) : 0;

	if (n == 0 || n > TEXT_MAX)
		return err_set(e, ERR_MALFORMED, "%s: takes 1 to %u characters, has %zu", what, TEXT_MAX, n);
	for (; *s; s++)
		if (*s < ' ' || *s > '~' || *s == '"' || *s == '\\')
			return err_set(e, ERR_MALFORMED, "%s: takes printable ASCII without '\"' and '\\'", what);
	return 0;
}

/* "2026-01-02T03:04:05Z"; whether it is a day of the calendar is for who compares it. */
static int check_time(const char *what, const char *s, struct err *e)
{
	static const char pattern[] = "0000-00-00T00:00:00Z";
	size_t n = s ? strlen(s) : 0;

	if (n != strlen(pattern))
		return err_set(e, ERR_MALFORMED, "%s: takes a time such as 2026-01-02T03:04:05Z", what);
	for (size_t i = 0; i < n; i++)
		if (pattern[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != pattern[i])
			return err_set(e, ERR_MALFORMED, "%s: takes a time such as 2026-01-02T03:04:05Z", what);
	return 0;
}

static int check_statement(const struct lock *l, struct err *e)
{
	if (check_text("stream", l->stream, e) < 0 || check_time("created", l->created, e) < 0)
		return -1;
	if (l->expires && *l->expires && check_time("expires", l->expires, e) < 0)
		return -1;
	if (l->audience.n > AUDIENCE_MAX)
		return err_set(e, ERR_LIMIT, "audience: takes at most %u names", AUDIENCE_MAX);
	for (size_t i = 0; i < l->audience.n; i++)
		if (check_text("audience", l->audience.items[i], e) < 0)
			return -1;
	return 0;
}

/* ---- blobs */

static bool is_url(const char *s)
{
	return str_starts(s, "https://") || str_starts(s, "http://");
}

static bool has_member(int kind)
{
	return kind == LOCK_MEMBER || kind == LOCK_PACK || kind == LOCK_GIT || kind == LOCK_LAYER || kind == LOCK_ADD;
}

static int check_source(const struct lock *l, const struct lock_blob *b, const struct lock_source *s, struct err *e)
{
	static const struct digest none;
	const char *kind = lock_source_kinds[s->kind];

	if (s->kind == LOCK_MADE)
		return lock_find_made(l, &b->digest) ? 0 : err_set(e, ERR_MALFORMED, "its bytes are not under 'made'");
	if (!s->location || !*s->location)
		return err_set(e, ERR_MALFORMED, "source of kind '%s' without a location", kind);
	if (s->kind == LOCK_URL && !is_url(s->location))
		return err_set(e, ERR_MALFORMED, "source of kind 'url': '%s' is no http or https address", s->location);
	if (has_member(s->kind) && !s->member)
		return err_set(e, ERR_MALFORMED, "source of kind '%s' without a member", kind);
	if ((s->kind == LOCK_MEMBER || s->kind == LOCK_LAYER) && digest_eq(&s->archive, &none))
		return err_set(e, ERR_MALFORMED, "source of kind '%s' without the digest of its archive", kind);
	if (s->kind != LOCK_REGISTRY && s->kind != LOCK_LAYER)
		return 0;

	auto_ref struct ref r = { 0 };

	if (ref_parse(s->location, &r, e) < 0)
		return -1;
	if (r.tag || r.has_digest)
		return err_set(e, ERR_MALFORMED, "source of kind '%s': '%s' has a tag or digest", kind, s->location);
	return 0;
}

static int check_blob(const struct lock *l, const struct lock_blob *b, struct err *e)
{
	if (b->n_sources == 0)
		return err_set(e, ERR_MALFORMED, "has no source");
	if (!b->media_type || !*b->media_type)
		return err_set(e, ERR_MALFORMED, "has no media type");
	if (b->size > INT64_MAX)
		return err_set(e, ERR_LIMIT, "size %llu is no file's size", (unsigned long long)b->size);
	for (size_t i = 0; i < b->n_sources; i++)
		if (check_source(l, b, &b->sources[i], e) < 0)
			return -1;
	return 0;
}

static int check_blobs(const struct lock *l, struct err *e)
{
	char text[DIGEST_TEXT];
	uint64_t sum = 0;

	for (size_t i = 0; i < l->n_blobs; i++) {
		const struct lock_blob *b = &l->blobs[i];
		int order = i ? digest_cmp(&l->blobs[i - 1].digest, &b->digest) : -1;

		if (order >= 0)
			return err_set(e, ERR_MALFORMED, "blob %s %s", digest_text(&b->digest, text),
				       order ? "is out of order" : "is there twice");
		if (check_blob(l, b, e) < 0)
			return err_wrap(e, "blob %s", digest_text(&b->digest, text));
		if (!u64_add(&sum, b->size) || sum > INT64_MAX)
			return err_set(e, ERR_LIMIT, "all blobs together are larger than any file");
	}
	return 0;
}

static int check_made(const struct lock *l, struct err *e)
{
	char text[DIGEST_TEXT];

	for (size_t i = 0; i < l->n_made; i++) {
		const struct lock_made *m = &l->made[i];
		const struct lock_blob *b = lock_find(l, &m->digest);
		size_t n = strlen(m->text);
		struct digest d = digest_of(m->text, n);

		if (i && digest_cmp(&l->made[i - 1].digest, &m->digest) >= 0)
			return err_set(e, ERR_MALFORMED, "made %s: twice, or out of order", digest_text(&m->digest, text));
		if (!b || b->size != n || !digest_eq(&d, &m->digest))
			return err_set(e, ERR_DIGEST, "made %s: its bytes are not what the digest says, or no blob",
				       digest_text(&m->digest, text));
	}
	return 0;
}

/* ---- what the contents name must be there */

static int check_there(const struct lock *l, const struct digest *d, bool manifest, struct err *e)
{
	const struct lock_blob *b = lock_find(l, d);
	char text[DIGEST_TEXT];

	if (!b)
		return err_set(e, ERR_MALFORMED, "%s is not among the blobs", digest_text(d, text));
	if (manifest && !b->manifest)
		return err_set(e, ERR_MALFORMED, "%s is not marked as a manifest", digest_text(d, text));
	return 0;
}

static int check_image(const struct lock *l, const struct content_image *i, struct err *e)
{
	if (check_there(l, &i->target, true, e) < 0)
		return -1;
	for (size_t k = 0; k < i->n_children; k++)
		if (i->children[k].carried && check_there(l, &i->children[k].digest, true, e) < 0)
			return -1;
	for (size_t k = 0; k < i->n_referrers; k++)
		if (check_there(l, &i->referrers[k].digest, true, e) < 0)
			return -1;
	return 0;
}

static int check_contents(const struct lock *l, struct err *e)
{
	const struct contents *c = &l->contents;

	for (size_t i = 0; i < c->n_images; i++)
		if (check_image(l, &c->images[i], e) < 0)
			return err_wrap(e, "image '%s'", c->images[i].ref);
	for (size_t i = 0; i < c->n_charts; i++)
		if (check_there(l, &c->charts[i].digest, true, e) < 0 ||
		    check_there(l, &c->charts[i].archive, false, e) < 0)
			return err_wrap(e, "chart '%s'", c->charts[i].name);
	for (size_t i = 0; i < c->n_files; i++)
		if (check_there(l, &c->files[i].digest, true, e) < 0 ||
		    check_there(l, &c->files[i].blob, false, e) < 0)
			return err_wrap(e, "file '%s'", c->files[i].name);
	for (size_t i = 0; i < c->n_sets; i++)
		if (check_there(l, &c->sets[i].digest, true, e) < 0)
			return err_wrap(e, "%s '%s'", c->sets[i].kind, c->sets[i].name);
	return 0;
}

int lock_check(const struct lock *l, struct err *e)
{
	if (check_statement(l, e) < 0 || contents_check(&l->contents, e) < 0)
		return -1;
	if (check_blobs(l, e) < 0 || check_made(l, e) < 0)
		return -1;
	return check_contents(l, e);
}

uint64_t lock_size(const struct lock *l)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < l->n_blobs; i++)
		sum += l->blobs[i].size;
	return sum;
}

/* ---- index.json */

struct entries {
	struct descriptor *items;
	size_t n;
};

static void entries_release(struct entries *v)
{
	for (size_t i = 0; i < v->n; i++)
		descriptor_release(&v->items[i]);
	free(v->items);
}

static int add_entry(const struct lock *l, struct entries *v, const struct digest *d, const char *name, struct err *e)
{
	if (check_there(l, d, true, e) < 0)
		return -1;

	const struct lock_blob *b = lock_find(l, d);

	GROW(v->items, v->n);
	v->items[v->n++] = (struct descriptor){
		.media_type = xstrdup(b->media_type), .digest = *d, .size = b->size,
		.annotations = json_pack("{ss, ss}", OCI_REF_NAME, name, CONTAINERD_NAME, name),
	};
	return 0;
}

/* Names as on a site that is not known yet: no host, no prefix. */
static int add_artifact(const struct lock *l, struct entries *v, const char *kind, const char *name,
			const struct digest *d, struct err *e)
{
	static const struct ref_site site;
	auto_ref struct ref r = { 0 };

	if (ref_target_artifact(kind, name, d, &site, &r, e) < 0)
		return -1;

	auto_free char *target = ref_format(&r);

	return add_entry(l, v, d, target, e);
}

static int add_charts_and_files(const struct lock *l, struct entries *v, struct err *e)
{
	const struct contents *c = &l->contents;
	static const struct ref_site site;

	for (size_t i = 0; i < c->n_charts; i++) {
		auto_ref struct ref r = { 0 };

		if (ref_target_chart(c->charts[i].name, c->charts[i].version, &site, &r, e) < 0)
			return -1;

		auto_free char *name = ref_format(&r);

		if (add_entry(l, v, &c->charts[i].digest, name, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < c->n_files; i++)
		if (add_artifact(l, v, "files", c->files[i].name, &c->files[i].digest, e) < 0)
			return -1;
	for (size_t i = 0; i < c->n_sets; i++)
		if (add_artifact(l, v, c->sets[i].kind, c->sets[i].name, &c->sets[i].digest, e) < 0)
			return -1;
	return 0;
}

/* Images of one repository may have the same ones: each stands there once. */
static bool has_entry(const struct entries *v, size_t from, const struct digest *d, const char *name)
{
	for (size_t i = from; i < v->n; i++)
		if (digest_eq(&v->items[i].digest, d) && str_eq(descriptor_note(&v->items[i], OCI_REF_NAME), name))
			return true;
	return false;
}

static int add_referrers(const struct lock *l, struct entries *v, size_t from, const struct content_image *i, struct err *e)
{
	auto_ref struct ref r = { 0 };

	if (i->n_referrers && ref_parse(i->ref, &r, e) < 0)
		return -1;
	for (size_t k = 0; k < i->n_referrers; k++) {
		const struct content_referrer *c = &i->referrers[k];
		const struct ref one = { .host = r.host, .path = r.path, .tag = c->tag, .has_digest = !c->tag, .digest = c->digest };
		auto_free char *name = ref_format(&one);

		if (!has_entry(v, from, &c->digest, name) && add_entry(l, v, &c->digest, name, e) < 0)
			return -1;
	}
	return 0;
}

int lock_index_json(const struct lock *l, struct buf *out, struct err *e)
{
	CLEANUP(entries_release) struct entries v = { 0 };

	for (size_t i = 0; i < l->contents.n_images; i++)
		if (add_entry(l, &v, &l->contents.images[i].target, l->contents.images[i].ref, e) < 0)
			return -1;
	if (add_charts_and_files(l, &v, e) < 0)
		return -1;

	size_t from = v.n;

	for (size_t i = 0; i < l->contents.n_images; i++)
		if (add_referrers(l, &v, from, &l->contents.images[i], e) < 0)
			return -1;
	return oci_make_index(v.items, v.n, out, e);
}
