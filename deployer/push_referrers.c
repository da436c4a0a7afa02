/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to an image, pushed after it. */
#include "push_plan.h"

#include <airgap/log.h>
#include <airgap/pool.h>

#define TRIES 3         /* to add to an index that others may add to as well */

void push_referrer_release(struct push_referrer *r)
{
	free(r->type);
	descriptor_release(&r->entry);
}

/* ---- gathering ---- */

static bool is_gathered(const struct push_plan *p, const struct digest *d, size_t repository)
{
	for (size_t i = 0; i < p->n_referrers; i++)
		if (p->referrers[i].repository == repository && digest_eq(&p->referrers[i].entry.digest, d))
			return true;
	return false;
}

/* As a registry would list it. */
static void add_entry(struct push_plan *p, const struct content_referrer *c, struct oci_manifest *m, uint64_t size, size_t repository)
{
	GROW(p->referrers, p->n_referrers);
	p->referrers[p->n_referrers++] = (struct push_referrer){
		.repository = repository, .subject = m->subject.digest, .type = xstrdup(c->media_type),
		.entry = {
			.media_type = xstrdup(c->media_type), .digest = c->digest, .size = size,
			.artifact_type = xstrdup(m->artifact_type ? m->artifact_type : m->config.media_type),
			.annotations = TAKE(m->annotations),
		},
	};
}

int push_gather_referrer(struct push_plan *p, const struct content_referrer *c, size_t repository, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	auto_oci_manifest struct oci_manifest m = { 0 };

	if (push_load_document(p, &c->digest, &bytes, e) < 0 ||
	    oci_parse_manifest(buf_str(&bytes), bytes.len, c->media_type, &m, e) < 0)
		return -1;
	if (m.has_subject && !is_gathered(p, &c->digest, repository))
		add_entry(p, c, &m, bytes.len, repository);
	return 0;
}

static bool is_subject_gathered(const struct push_plan *p, const struct push_referrer *r)
{
	return is_gathered(p, &r->subject, r->repository);
}

static int compare(const void *a, const void *b)
{
	const struct push_referrer *x = a, *y = b;
	int c = (x->late > y->late) - (x->late < y->late);

	c = c ? c : (x->repository > y->repository) - (x->repository < y->repository);
	c = c ? c : digest_cmp(&x->subject, &y->subject);
	return c ? c : digest_cmp(&x->entry.digest, &y->entry.digest);
}

/* Those of one subject stand together; what belongs to another referrer comes behind it. */
void push_sort_referrers(struct push_plan *p)
{
	for (size_t i = 0; i < p->n_referrers; i++)
		p->referrers[i].late = is_subject_gathered(p, &p->referrers[i]);
	if (p->n_referrers)
		qsort(p->referrers, p->n_referrers, sizeof(p->referrers[0]), compare);
}

/* ---- asking ---- */

static int check_one(void *ctx, unsigned worker, size_t i, struct err *e)
{
	struct push_plan *p = ctx;
	struct push_referrer *r = &p->referrers[i];
	auto_registry_manifest struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	char text[DIGEST_TEXT];
	int there = registry_manifest_head(p->session->registry, p->repositories.items[r->repository],
					   digest_text(&r->entry.digest, text), &m, e);

	(void)worker;
	r->there = there == 1;
	return MIN(there, 0);
}

int push_check_referrers(struct push_plan *p, unsigned jobs, struct err *e)
{
	return pool_each(jobs, p->n_referrers, check_one, p, e);
}

/* ---- sending ---- */

/* The referrers of one subject in one repository. */
struct group {
	struct push_plan *plan;
	struct push_referrer *first;
	size_t n;
	const char *repository;
};

static int send_missing(const struct group *g, struct err *e)
{
	for (size_t i = 0; i < g->n; i++) {
		struct push_referrer *r = &g->first[i];
		auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
		bool linked;

		if (r->there)
			continue;
		if (push_load_document(g->plan, &r->entry.digest, &bytes, e) < 0 ||
		    registry_referrer_put(g->plan->session->registry, g->repository, &r->subject, r->type, bytes.ptr, bytes.len,
					  &linked, e) < 0)
			return -1;
		log_debug("%s: referrer %s", g->repository, linked ? "listed by the registry" : "to be listed by us");
	}
	return 0;
}

static bool lists_all(const struct group *g, const struct oci_index *ix)
{
	for (size_t i = 0; i < g->n; i++) {
		bool found = false;

		for (size_t k = 0; k < ix->n_manifests && !found; k++)
			found = digest_eq(&ix->manifests[k].digest, &g->first[i].entry.digest);
		if (!found)
			return false;
	}
	return true;
}

/* The index under the fallback tag with ours in it. 1: put. 0: it had them. */
static int add_to_index(const struct group *g, const char *tag, struct err *e)
{
	struct registry *reg = g->plan->session->registry;
	auto_registry_manifest struct registry_manifest have = REGISTRY_MANIFEST_INIT;
	auto_buf struct buf empty = BUF_INIT(4096), bytes = BUF_INIT(OCI_MANIFEST_MAX);
	auto_free struct descriptor *entries = xcalloc(g->n, sizeof(*entries));
	int there = registry_manifest_get(reg, g->repository, tag, &have, e), added;

	if (there < 0 || oci_make_index(NULL, 0, &empty, e) < 0)
		return -1;
	if (there && !str_eq(have.type, OCI_INDEX))
		return err_set(e, ERR_REGISTRY, "'%s:%s' is no list of what belongs to an image: remove that tag and push again",
			       g->repository, tag);
	for (size_t i = 0; i < g->n; i++)
		entries[i] = g->first[i].entry;
	added = oci_index_add(there ? buf_str(&have.bytes) : buf_str(&empty), there ? have.bytes.len : empty.len, entries, g->n,
			      &bytes, e);
	if (added <= 0)
		return added;
	return registry_manifest_put(reg, g->repository, tag, OCI_INDEX, bytes.ptr, bytes.len, e) < 0 ? -1 : 1;
}

/* Somebody else may write it at the same time: it is read back until it has ours. */
static int keep_index(const struct group *g, struct err *e)
{
	auto_free char *tag = registry_referrers_tag(&g->first->subject);

	for (int i = 0; i < TRIES; i++) {
		int put = add_to_index(g, tag, e);

		if (put <= 0)
			return put;
	}
	if (add_to_index(g, tag, e) == 0)
		return 0;
	return err_set(e, ERR_REGISTRY, "'%s:%s' does not keep what it is given: push again when nobody else does", g->repository, tag);
}

static int send_group(const struct group *g, struct err *e)
{
	auto_oci_index struct oci_index ix = { 0 };
	char text[DIGEST_TEXT];
	int there = send_missing(g, e) < 0 ? -1 : registry_referrers(g->plan->session->registry, g->repository, &g->first->subject, &ix, e);

	if (there == 0)
		there = keep_index(g, e);
	else if (there == 1 && !lists_all(g, &ix))
		there = err_set(e, ERR_REGISTRY, "the registry does not list what it was given: look at its log and push again");
	return there < 0 ? err_wrap(e, "'%s': what belongs to %s", g->repository, digest_text(&g->first->subject, text)) : 0;
}

struct groups { struct group *items; size_t n; };

static int send_item(void *ctx, unsigned worker, size_t i, struct err *e)
{
	const struct groups *all = ctx;

	(void)worker;
	return send_group(&all->items[i], e);
}

static bool is_same_group(const struct push_referrer *a, const struct push_referrer *b)
{
	return a->late == b->late && a->repository == b->repository && digest_eq(&a->subject, &b->subject);
}

/* A subject is the work of one. */
int push_send_referrers(struct push_plan *p, unsigned jobs, struct err *e)
{
	auto_free struct group *list = xcalloc(p->n_referrers + 1, sizeof(*list));
	struct groups all = { list, 0 };
	size_t early = 0;

	for (size_t i = 0; i < p->n_referrers; i++) {
		struct push_referrer *r = &p->referrers[i];

		if (!i || !is_same_group(r - 1, r))
			list[all.n++] = (struct group){ .plan = p, .first = r, .repository = p->repositories.items[r->repository] };
		list[all.n - 1].n++;
		early = r->late ? early : all.n;
	}

	struct groups late = { list + early, all.n - early };

	all.n = early;
	return pool_each(jobs, all.n, send_item, &all, e) < 0 ? -1 : pool_each(jobs, late.n, send_item, &late, e);
}
