/* SPDX-License-Identifier: Apache-2.0 */
#include "push_plan.h"

#include <airgap/log.h>
#include <airgap/pool.h>

#include <stdatomic.h>

/*
 * The plan: every tag with its tree of manifests, every blob once with all the repositories that need it. Blobs
 * first (one HEAD each in its first repository, mounted into the others), then manifests children before
 * parents, tags, and what belongs to images last. Requests: one HEAD per (blob, repository) and per tag when nothing changed.
 */

/* Shows the bytes as they go, each once however often they are sent. */
struct counted { struct source from; uint64_t at, told; };

static ssize_t counted_read(void *ctx, void *p, size_t n, struct err *e)
{
	struct counted *c = ctx;
	ssize_t r = c->from.read(c->from.ctx, p, n, e);

	c->at += r > 0 ? (uint64_t)r : 0;
	if (c->at > c->told) {
		progress_add(c->at - c->told);
		c->told = c->at;
	}
	return r;
}

static int counted_seek(void *ctx, uint64_t at, struct err *e)
{
	struct counted *c = ctx;

	c->at = at;
	return c->from.seek(c->from.ctx, at, e);
}

/* One blob: into its first repository from the file, into the others by mount. A reader is open only while it sends. */
/* 1: it was there. 0: it is now. */
static int send_place(struct push_plan *p, const struct push_place *at, const char *from, uint64_t *told, struct err *e)
{
	const char *repository = p->repositories.items[at->repository];
	struct registry_blob blob = { .repository = repository, .digest = at->digest, .size = at->size, .from = from };
	struct push_content content = { 0 };
	struct source from_bundle;
	enum registry_how how = REGISTRY_UPLOADED;
	uint64_t size;
	int there = registry_blob_head(p->session->registry, repository, &at->digest, &size, e);

	if (there < 0)
		return -1;
	if (there && (size == at->size || size == UINT64_MAX)) {
		atomic_fetch_add(&p->present, 1);
		return 1;
	}
	if (push_content_open(p, &at->digest, &content, &from_bundle, e) < 0)
		return -1;

	struct counted counted = { from_bundle, 0, *told };
	struct source source = { counted_read, counted_seek, &counted };
	int r = registry_blob_put(p->session->registry, &blob, &source, &how, e);

	push_content_close(&content);
	*told = counted.told;
	if (r < 0)
		return -1;
	atomic_fetch_add(how == REGISTRY_MOUNTED ? &p->mounted : &p->uploaded, 1);
	if (how == REGISTRY_UPLOADED)
		atomic_fetch_add(&p->bytes, at->size);
	return 0;
}

static int send_blob(void *ctx, unsigned worker, size_t group, struct err *e)
{
	struct push_plan *p = ctx;
	size_t first = p->groups[group];
	size_t end = group + 1 < p->n_groups ? p->groups[group + 1] : p->n_places;
	char text[DIGEST_TEXT];
	uint64_t told = 0;
	int there = 0;

	(void)worker;
	for (size_t i = first; i < end; i++) {
		const char *from = i > first ? p->repositories.items[p->places[first].repository] : NULL;

		/* A registry that has the blob, and took a manifest that names it in this repository: one question was enough. */
		if (i > first && there && p->settled[p->places[i].repository]) {
			atomic_fetch_add(&p->present, 1);
			continue;
		}

		int r = send_place(p, &p->places[i], from, &told, e);

		if (r < 0)
			return err_wrap(e, "blob %s", digest_text(&p->places[first].digest, text));
		if (i == first)
			there = r;
	}
	progress_add(p->places[first].size - MIN(told, p->places[first].size));
	return 0;
}

static int send_document(struct push_plan *p, const struct push_document *d, const char *reference, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	const char *repository = p->repositories.items[d->repository];

	if (push_load_document(p, &d->digest, &bytes, e) < 0)
		return -1;
	if (registry_manifest_put(p->session->registry, repository, reference, d->type, bytes.ptr, bytes.len, e) == 0)
		return 0;
	if (d->height && e->code == ERR_REGISTRY && strstr(e->msg, "MANIFEST_BLOB_UNKNOWN"))
		push_sparse_advice(e);
	return err_wrap(e, "'%s%s%s'", repository, strchr(reference, ':') ? "@" : ":", reference);
}

struct layer { struct push_plan *plan; size_t first; };

static int send_layer_item(void *ctx, unsigned worker, size_t i, struct err *e)
{
	struct layer *l = ctx;
	const struct push_document *d = &l->plan->documents[l->first + i];
	char text[DIGEST_TEXT];

	(void)worker;
	return send_document(l->plan, d, digest_text(&d->digest, text), e);
}

/* Heights one after the other: a parent is accepted only when its children are there. */
static int send_documents(struct push_plan *p, unsigned jobs, struct err *e)
{
	for (size_t i = 0; i < p->n_documents;) {
		struct layer l = { p, i };
		size_t end = i;

		while (end < p->n_documents && p->documents[end].height == p->documents[i].height)
			end++;
		if (pool_each(jobs, end - i, send_layer_item, &l, e) < 0)
			return -1;
		i = end;
	}
	return 0;
}

/* 1: the tag names this digest, as the registry itself says. */
static int tag_is(struct push_plan *p, const struct push_tag *t, struct err *e)
{
	struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	int r = registry_manifest_head(p->session->registry, p->repositories.items[t->repository], t->text, &m, e);

	if (r == 1)
		r = digest_eq(&m.digest, &t->digest);
	registry_manifest_release(&m);
	return r;
}

static int check_tag(void *ctx, unsigned worker, size_t i, struct err *e)
{
	struct push_plan *p = ctx;
	int r = tag_is(p, &p->tags[i], e);

	(void)worker;
	if (r < 0)
		return -1;
	p->tags[i].right = r;
	return 0;
}

static int send_tag(void *ctx, unsigned worker, size_t i, struct err *e)
{
	struct push_plan *p = ctx;
	const struct push_tag *t = &p->tags[i];
	struct push_document d = { t->digest, t->type, t->repository, oci_is_index(t->type) };
	char text[DIGEST_TEXT];

	(void)worker;
	if (t->right)
		return 0;
	if (send_document(p, &d, t->text, e) < 0)
		return -1;

	int r = tag_is(p, t, e);

	if (r == 0)
		return err_set(e, ERR_REGISTRY, "'%s:%s': the registry does not give back %s: look at its log and push again",
			       p->repositories.items[t->repository], t->text, digest_text(&t->digest, text));
	if (r == 1)
		progress_item("%s:%s", p->repositories.items[t->repository], t->text);
	return MIN(r, 0);
}

static uint64_t plan_bytes(const struct push_plan *p)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->n_groups; i++)
		sum += p->places[p->groups[i]].size;
	return sum;
}

static int send_all(struct push_plan *p, unsigned jobs, struct err *e)
{
	bool all = true;

	if (pool_each(jobs, p->n_tags, check_tag, p, e) < 0 || push_check_referrers(p, jobs, e) < 0)
		return -1;
	p->settled = xcalloc(p->repositories.n, sizeof(*p->settled));
	for (size_t i = 0; i < p->n_tags; i++)
		p->settled[p->tags[i].repository] = true;
	for (size_t i = 0; i < p->n_tags; i++) {
		all = all && p->tags[i].right;
		p->settled[p->tags[i].repository] &= p->tags[i].right;
	}
	for (size_t i = 0; i < p->n_referrers; i++)
		p->settled[p->referrers[i].repository] &= p->referrers[i].there;

	/* A tag is put last and read back, so a right tag proves what hangs on it, but a registry may have lost blobs
	 * since: they are asked for in every case. */
	progress_begin("push", plan_bytes(p));

	int r = pool_each(jobs, p->n_groups, send_blob, p, e);

	if (r == 0 && (!all || atomic_load(&p->uploaded) || atomic_load(&p->mounted)))
		r = send_documents(p, jobs, e);
	if (r == 0)
		r = pool_each(jobs, p->n_tags, send_tag, p, e);
	if (r == 0)
		r = push_send_referrers(p, jobs, e);
	progress_end();
	return r;
}

int push_all(struct session *s, const struct strv *wanted, struct push_report *out, struct err *e)
{
	CLEANUP(push_plan_release) struct push_plan p = { .session = s, .keep = KEEP_INIT, .report = out };
	unsigned jobs = s->opts->jobs ? s->opts->jobs : pool_jobs();

	*out = (struct push_report){ 0 };
	if (push_gather(&p, wanted, e) < 0)
		return -1;
	out->blobs = p.n_groups;
	if (send_all(&p, jobs, e) < 0)
		return err_wrap(e, "push to %s", registry_host(s->registry));
	out->uploaded = atomic_load(&p.uploaded);
	out->mounted = atomic_load(&p.mounted);
	out->present = atomic_load(&p.present);
	out->bytes = atomic_load(&p.bytes);
	return 0;
}
