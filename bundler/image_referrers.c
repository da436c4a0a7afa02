/* SPDX-License-Identifier: Apache-2.0 */
#include "image_referrers.h"
#include "image_children.h"

#include <airgap/log.h>

#include <pthread.h>

#define REFERRERS_MAX 64u
#define SIZE_MAX_EACH (UINT64_C(32) << 20)
#define DEPTH_MAX     2u        /* of an image, and of what belongs to it */
#define PAGES_MAX     5u        /* of a list of tags: beyond it single questions are cheaper */

static const char *const suffixes[] = { ".sig", ".att", ".sbom" };

/* The tags of one repository that begin with "sha256-"; each is filled by one, others wait. */
struct listing {
	char *place;
	pthread_mutex_t lock;
	bool asked, complete;   /* not complete: tags have to be asked for */
	struct strv tags;
};

struct referrers {
	pthread_mutex_t lock;   /* over the list */
	struct listing **items;
	size_t n;
};

struct referrers *referrers_new(void)
{
	struct referrers *r = xcalloc(1, sizeof(*r));

	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void referrers_free(struct referrers *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		pthread_mutex_destroy(&r->items[i]->lock);
		strv_release(&r->items[i]->tags);
		free(r->items[i]->place);
		free(r->items[i]);
	}
	free(r->items);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* ---- tags */

static struct listing *find_listing(struct referrers *r, const char *place)
{
	struct listing *l;

	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->items[i]->place, place) == 0)
			return r->items[i];
	l = xcalloc(1, sizeof(*l));
	l->place = xstrdup(place);
	pthread_mutex_init(&l->lock, NULL);
	GROW(r->items, r->n);
	r->items[r->n++] = l;
	return l;
}

static int ask_list(struct listing *l, const struct image_from *f, struct err *e)
{
	int there = registry_tags_prefix(f->registry, f->repository, "sha256-", PAGES_MAX, &l->tags, e);

	/* Some hosts give images to everybody and lists to nobody. */
	if (there < 0 && e->code != ERR_AUTH && e->code != ERR_PROTOCOL && e->code != ERR_UNSUPPORTED)
		return -1;
	l->complete = there == 0 || there == 1;
	l->asked = true;
	return 0;
}

/* Borrowed for good. NULL: the registry failed. */
static const struct listing *list_tags(struct referrers *r, const struct image_from *f, struct err *e)
{
	int done = 0;

	pthread_mutex_lock(&r->lock);
	struct listing *l = find_listing(r, f->source.location);
	pthread_mutex_unlock(&r->lock);
	pthread_mutex_lock(&l->lock);
	if (!l->asked)
		done = ask_list(l, f, e);
	pthread_mutex_unlock(&l->lock);
	return done < 0 ? NULL : l;
}

/* ---- one referrer */

struct search {
	const struct image_from *from;
	const struct listing *tags;
	struct image_result *out;
	bool full;
};

static bool is_known(const struct search *s, const struct digest *d, const char *tag)
{
	const struct content_image *i = &s->out->image;

	for (size_t k = 0; k < i->n_referrers; k++)
		if (digest_eq(&i->referrers[k].digest, d) && (!tag || str_eq(i->referrers[k].tag, tag)))
			return true;
	return false;
}

static bool is_small(const struct image_manifest *m, const struct oci_manifest *oci)
{
	uint64_t sum = m->bytes.len;
	bool fits = u64_add(&sum, oci->config.size);

	for (size_t i = 0; i < oci->n_layers && fits; i++)
		fits = u64_add(&sum, oci->layers[i].size);
	return fits && sum <= SIZE_MAX_EACH;
}

static int add_blobs(struct search *s, const struct image_manifest *m, const struct oci_manifest *oci, struct err *e)
{
	if (image_result_add_from(s->out, s->from, &m->digest, m->bytes.len, m->type, true, e) < 0 ||
	    image_result_add_from(s->out, s->from, &oci->config.digest, oci->config.size, oci->config.media_type, false, e) < 0)
		return -1;
	for (size_t i = 0; i < oci->n_layers; i++)
		if (image_result_add_from(s->out, s->from, &oci->layers[i].digest, oci->layers[i].size, oci->layers[i].media_type,
					  false, e) < 0)
			return -1;
	return 0;
}

/* What it is: its own word, else its config's type. */
static char *kind_of(const struct oci_manifest *oci)
{
	if (oci->artifact_type)
		return xstrdup(oci->artifact_type);
	return str_eq(oci->config.media_type, OCI_EMPTY) ? NULL : xstrdup(oci->config.media_type);
}

static int record(struct search *s, const struct image_manifest *m, const char *tag, const struct oci_manifest *oci, struct err *e)
{
	struct content_image *i = &s->out->image;

	if (i->n_referrers == REFERRERS_MAX) {
		if (!s->full)
			image_note(&i->notes, "more than %u signatures and the like belong to it: the rest stays behind", REFERRERS_MAX);
		s->full = true;
		return 0;
	}
	if (add_blobs(s, m, oci, e) < 0)
		return -1;
	GROW(i->referrers, i->n_referrers);
	i->referrers[i->n_referrers++] = (struct content_referrer){
		.digest = m->digest, .media_type = xstrdup(m->type), .artifact_type = kind_of(oci), .tag = tag ? xstrdup(tag) : NULL,
	};
	return 1;
}

/* 1: it was added. 0: it is none, or stays behind. By its tag it may say no subject; else it must say this one. */
static int take(struct search *s, const struct image_manifest *m, const struct digest *subject, const char *tag, struct err *e)
{
	auto_oci_manifest struct oci_manifest oci = { 0 };
	json_t **notes = &s->out->image.notes;
	char text[DIGEST_TEXT];

	if (!oci_is_manifest(m->type)) {
		image_note(notes, "what belongs to it as %s is an index: it stays behind", digest_text(&m->digest, text));
		return 0;
	}
	if (oci_parse_manifest(buf_str(&m->bytes), m->bytes.len, m->type, &oci, e) < 0)
		return -1;
	if (!tag && (!oci.has_subject || !digest_eq(&oci.subject.digest, subject)))
		return 0;
	if (!is_small(m, &oci)) {
		image_note(notes, "what belongs to it as %s has more than %u MiB: it stays behind", digest_text(&m->digest, text),
			   (unsigned)(SIZE_MAX_EACH >> 20));
		return 0;
	}
	return record(s, m, tag, &oci, e);
}

static int search(struct search *s, const struct digest *subject, unsigned depth, struct err *e);

static int take_and_go_on(struct search *s, const struct image_manifest *m, const struct digest *subject, const char *tag,
			  unsigned depth, struct err *e)
{
	int taken = is_known(s, &m->digest, tag) ? 0 : take(s, m, subject, tag, e);
	char text[DIGEST_TEXT];

	if (taken < 0)
		return err_wrap(e, "referrer %s", digest_text(&m->digest, text));
	return taken && depth < DEPTH_MAX ? search(s, &m->digest, depth + 1, e) : 0;
}

/* ---- by subject */

static int compare_entries(const void *a, const void *b)
{
	return digest_cmp(&((const struct descriptor *)a)->digest, &((const struct descriptor *)b)->digest);
}

static int take_entries(struct search *s, struct oci_index *ix, const struct digest *subject, unsigned depth, struct err *e)
{
	if (ix->n_manifests)
		qsort(ix->manifests, ix->n_manifests, sizeof(ix->manifests[0]), compare_entries);
	for (size_t i = 0; i < ix->n_manifests && !s->full; i++) {
		auto_image_manifest struct image_manifest m = IMAGE_MANIFEST_INIT;
		const struct descriptor *d = &ix->manifests[i];
		int there = oci_is_manifest(d->media_type) || oci_is_index(d->media_type) ? image_from_child(s->from, d, &m, e) : 0;

		if (there < 0 || (there && take_and_go_on(s, &m, subject, NULL, depth, e) < 0))
			return -1;
	}
	return 0;
}

static bool has_tag(const struct search *s, const char *tag)
{
	return !s->tags->complete || strv_has(&s->tags->tags, tag);
}

/* 1: *out is the manifest of a tag. 0: there is no such tag, or, where it is a guess, no access: some hosts say so of what
 * does not exist. */
static int load_tag(const struct search *s, const char *tag, struct image_manifest *out, struct err *e)
{
	const struct ref r = { .tag = (char *)tag };
	int there = has_tag(s, tag) ? image_from_name(s->from, &r, out, e) : 0;

	return there < 0 && e->code == ERR_AUTH && !s->tags->complete ? 0 : there;
}

/* Where there is no API clients keep an index under a tag; anything else there is not for us. */
static int by_index(struct search *s, const struct digest *subject, unsigned depth, struct err *e)
{
	auto_image_manifest struct image_manifest m = IMAGE_MANIFEST_INIT;
	auto_oci_index struct oci_index ix = { 0 };
	auto_free char *tag = registry_referrers_tag(subject);
	int there = load_tag(s, tag, &m, e);

	if (there <= 0 || !str_eq(m.type, OCI_INDEX))
		return MIN(there, 0);
	if (oci_parse_index(buf_str(&m.bytes), m.bytes.len, m.type, &ix, e) < 0)
		return err_wrap(e, "tag '%s'", tag);
	return take_entries(s, &ix, subject, depth, e);
}

static int by_subject(struct search *s, const struct digest *subject, unsigned depth, struct err *e)
{
	auto_oci_index struct oci_index ix = { 0 };
	int there = registry_referrers(s->from->registry, s->from->repository, subject, &ix, e);

	if (there < 0)
		return -1;
	return there ? take_entries(s, &ix, subject, depth, e) : by_index(s, subject, depth, e);
}

/* ---- by tag */

static int by_tags(struct search *s, const struct digest *subject, unsigned depth, struct err *e)
{
	auto_free char *base = registry_referrers_tag(subject);

	for (size_t i = 0; i < ARRAY_LEN(suffixes) && !s->full; i++) {
		auto_image_manifest struct image_manifest m = IMAGE_MANIFEST_INIT;
		auto_free char *tag = xasprintf("%s%s", base, suffixes[i]);
		int there = load_tag(s, tag, &m, e);

		if (there < 0 || (there && take_and_go_on(s, &m, subject, tag, depth, e) < 0))
			return err_wrap(e, "tag '%s'", tag);
	}
	return 0;
}

/* Tags first: what has one is not taken a second time without. */
static int search(struct search *s, const struct digest *subject, unsigned depth, struct err *e)
{
	return by_tags(s, subject, depth, e) < 0 ? -1 : by_subject(s, subject, depth, e);
}

/* ---- of an image */

int image_referrers(struct referrers *known, const struct image_from *from, struct image_result *r, struct err *e)
{
	struct search s = { .from = from, .out = r, .tags = list_tags(known, from, e) };
	bool whole = digest_eq(&r->image.digest, &r->image.target);

	if (!s.tags || search(&s, &r->image.target, 1, e) < 0)
		return err_wrap(e, "what belongs to it (--no-referrers leaves it out)");
	for (size_t i = 0; i < r->image.n_children && whole; i++) {
		const struct content_child *c = &r->image.children[i];

		if (c->carried && c->platform && search(&s, &c->digest, 1, e) < 0)
			return err_wrap(e, "what belongs to it (--no-referrers leaves it out)");
	}
	return 0;
}
