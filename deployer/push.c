/* SPDX-License-Identifier: Apache-2.0 */
#include "push.h"

#include <airgap/log.h>
#include <airgap/oci.h>
#include <airgap/pool.h>

#include <stdatomic.h>

/*
 * The plan: every tag with its tree of manifests, every blob once with all the repositories that need it. Blobs
 * first (one HEAD each in its first repository, mounted into the others), then manifests children before
 * parents, tags last. Requests: one HEAD per (blob, repository) and per tag when nothing changed.
 */

struct place {                  /* a blob in one repository */
	struct digest digest;
	uint64_t size;
	size_t repository;
};

struct document {               /* a manifest or index in one repository */
	struct digest digest;
	char *type;
	size_t repository;
	unsigned height;        /* 0 = no manifests below; pushed in rising order */
};

struct tag { char *text; size_t repository; struct digest digest; char *type; bool right; };

struct plan {
	struct session *session;
	struct strv repositories;
	struct place *places; size_t n_places;
	struct document *documents; size_t n_documents;
	struct tag *tags; size_t n_tags;
	bool *settled;          /* repositories whose tags all name what they should: the registry has checked what hangs on them */
	size_t *groups; size_t n_groups;        /* first place of each blob; places are sorted by digest */
	struct push_report *report;
	_Atomic uint64_t uploaded, mounted, present, bytes;
};

static void plan_release(struct plan *p)
{
	strv_release(&p->repositories);
	free(p->places);
	for (size_t i = 0; i < p->n_documents; i++)
		free(p->documents[i].type);
	free(p->documents);
	for (size_t i = 0; i < p->n_tags; i++) {
		free(p->tags[i].text);
		free(p->tags[i].type);
	}
	free(p->tags);
	free(p->groups);
	free(p->settled);
}

/* ---- gathering ---- */

static size_t repository_of(struct plan *p, const char *path)
{
	for (size_t i = 0; i < p->repositories.n; i++)
		if (strcmp(p->repositories.items[i], path) == 0)
			return i;
	strv_push(&p->repositories, path);
	return p->repositories.n - 1;
}

static int add_blob(struct plan *p, const struct descriptor *d, size_t repository, struct err *e)
{
	struct blob_record rec;
	struct place place = { d->digest, d->size, repository };
	char text[DIGEST_TEXT];

	if (!bundle_find(p->session->bundle, &d->digest, &rec)) {
		/* Bytes that are at foreign addresses only are no part of what a registry must hold. */
		if (oci_is_foreign_layer(d->media_type))
			return 0;
		return err_set(e, ERR_TRUNCATED, "blob %s: not in the bundle", digest_text(&d->digest, text));
	}
	if (rec.size != d->size)
		return err_set(e, ERR_MALFORMED, "blob %s: two sizes", digest_text(&d->digest, text));
	GROW(p->places, p->n_places);
	p->places[p->n_places++] = place;
	return 0;
}

static void add_document(struct plan *p, const struct digest *d, const char *type, size_t repository, unsigned height)
{
	struct document doc = { *d, xstrdup(type), repository, height };

	GROW(p->documents, p->n_documents);
	p->documents[p->n_documents++] = doc;
}

static int load_document(struct plan *p, const struct digest *d, struct buf *out, struct err *e)
{
	char text[DIGEST_TEXT];

	if (bundle_blob_load(p->session->bundle, d, out, e) < 0)
		return err_wrap(e, "manifest %s", digest_text(d, text));
	return 0;
}

static int add_manifest(struct plan *p, const struct digest *d, const char *type, size_t repository, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	auto_oci_manifest struct oci_manifest m = { 0 };

	if (load_document(p, d, &bytes, e) < 0 || oci_parse_manifest(bytes.ptr, bytes.len, type, &m, e) < 0 ||
	    add_blob(p, &m.config, repository, e) < 0)
		return -1;
	for (size_t i = 0; i < m.n_layers; i++)
		if (add_blob(p, &m.layers[i], repository, e) < 0)
			return -1;
	add_document(p, d, m.media_type ? m.media_type : type, repository, 0);
	return 0;
}

/* Indexes hold manifests and, rarely, indexes. What the bundle does not carry is left out: a sparse index. */
static int add_tree(struct plan *p, const struct digest *d, const char *type, size_t repository, unsigned depth,
		    unsigned *height, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	auto_oci_index struct oci_index ix = { 0 };
	unsigned tallest = 0;

	*height = 0;
	if (!oci_is_index(type))
		return add_manifest(p, d, type, repository, e);
	if (depth > OCI_NESTING_MAX)
		return err_set(e, ERR_LIMIT, "index: nested more than %d deep", OCI_NESTING_MAX);
	if (load_document(p, d, &bytes, e) < 0 || oci_parse_index(bytes.ptr, bytes.len, type, &ix, e) < 0)
		return -1;
	for (size_t i = 0; i < ix.n_manifests; i++) {
		const struct descriptor *m = &ix.manifests[i];
		unsigned below;

		if (!bundle_has(p->session->bundle, &m->digest))
			continue;
		if (add_tree(p, &m->digest, m->media_type, repository, depth + 1, &below, e) < 0)
			return -1;
		tallest = MAX(tallest, below);
	}
	*height = tallest + 1;
	add_document(p, d, ix.media_type ? ix.media_type : type, repository, *height);
	return 0;
}

static void add_tag(struct plan *p, const char *text, size_t repository, const struct digest *d, const char *type)
{
	struct tag t = { xstrdup(text), repository, *d, xstrdup(type), false };

	GROW(p->tags, p->n_tags);
	p->tags[p->n_tags++] = t;
}

static int add_target(struct plan *p, const struct ref *target, const struct digest *d, const char *type, struct err *e)
{
	size_t repository = repository_of(p, target->path);
	unsigned height;

	if (add_tree(p, d, type, repository, 0, &height, e) < 0)
		return err_wrap(e, "'%s:%s'", target->path, target->tag);
	add_tag(p, target->tag, repository, d, type);
	return 0;
}

/* The type of what the site tag names: the index's own, or the chosen child's. */
static int target_type(struct plan *p, const struct content_image *i, char **out, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	auto_oci_index struct oci_index ix = { 0 };

	*out = NULL;
	if (digest_eq(&i->digest, &i->target)) {
		*out = xstrdup(i->media_type);
		return 0;
	}
	if (load_document(p, &i->digest, &bytes, e) < 0 ||
	    oci_parse_index(bytes.ptr, bytes.len, i->media_type, &ix, e) < 0)
		return -1;
	for (size_t k = 0; k < ix.n_manifests && !*out; k++)
		if (digest_eq(&ix.manifests[k].digest, &i->target))
			*out = xstrdup(ix.manifests[k].media_type);
	return *out ? 0 : err_set(e, ERR_MALFORMED, "its target is not in its index");
}

static int add_image(struct plan *p, const struct content_image *i, struct err *e)
{
	struct ref_site names = site_names(&p->session->site);
	auto_ref struct ref r = { 0 }, target = { 0 };
	auto_free char *type = NULL;

	if (ref_parse(i->ref, &r, e) < 0 || ref_target(&r, &names, &target, e) < 0 || target_type(p, i, &type, e) < 0 ||
	    add_target(p, &target, &i->target, type, e) < 0)
		return err_wrap(e, "image '%s'", i->ref);
	for (size_t k = 0; k < i->tags.n; k++)
		add_tag(p, i->tags.items[k], repository_of(p, target.path), &i->target, type);
	p->report->images++;
	return 0;
}

static int add_charts(struct plan *p, const struct strv *wanted, struct err *e)
{
	const struct contents *c = &p->session->contents;
	struct ref_site names = site_names(&p->session->site);

	for (size_t i = 0; i < c->n_charts; i++) {
		auto_ref struct ref target = { 0 };

		if (wanted && !strv_has(wanted, c->charts[i].name))
			continue;
		if (ref_target_chart(c->charts[i].name, c->charts[i].version, &names, &target, e) < 0 ||
		    add_target(p, &target, &c->charts[i].digest, OCI_MANIFEST, e) < 0)
			return err_wrap(e, "chart '%s'", c->charts[i].name);
		p->report->charts++;
	}
	return 0;
}

static int add_files(struct plan *p, const struct strv *wanted, struct err *e)
{
	const struct contents *c = &p->session->contents;
	struct ref_site names = site_names(&p->session->site);

	for (size_t i = 0; i < c->n_files; i++) {
		auto_ref struct ref target = { 0 };

		if (wanted && !strv_has(wanted, c->files[i].name))
			continue;
		if (ref_target_artifact("files", c->files[i].name, &c->files[i].digest, &names, &target, e) < 0 ||
		    add_target(p, &target, &c->files[i].digest, OCI_MANIFEST, e) < 0)
			return err_wrap(e, "file '%s'", c->files[i].name);
		p->report->files++;
	}
	return 0;
}

static int add_sets(struct plan *p, struct err *e)
{
	const struct contents *c = &p->session->contents;
	struct ref_site names = site_names(&p->session->site);

	for (size_t i = 0; i < c->n_sets; i++) {
		const struct content_set *s = &c->sets[i];
		auto_ref struct ref target = { 0 };

		if (ref_target_artifact(s->kind, s->name, &s->digest, &names, &target, e) < 0 ||
		    add_target(p, &target, &s->digest, OCI_MANIFEST, e) < 0)
			return err_wrap(e, "%s '%s'", s->kind, s->name);
		p->report->files++;
	}
	return 0;
}

static int compare_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int c = digest_cmp(&x->digest, &y->digest);

	return c ? c : (x->repository > y->repository) - (x->repository < y->repository);
}

static int compare_document(const void *a, const void *b)
{
	const struct document *x = a, *y = b;
	int c = (x->height > y->height) - (x->height < y->height);

	c = c ? c : digest_cmp(&x->digest, &y->digest);
	return c ? c : (x->repository > y->repository) - (x->repository < y->repository);
}

static int compare_tag(const void *a, const void *b)
{
	const struct tag *x = a, *y = b;
	int c = (x->repository > y->repository) - (x->repository < y->repository);

	return c ? c : strcmp(x->text, y->text);
}

/* Two sources with one target would overwrite each other's tag. */
static int check_tags(struct plan *p, struct err *e)
{
	qsort(p->tags, p->n_tags, sizeof(p->tags[0]), compare_tag);
	for (size_t i = 1; i < p->n_tags; i++)
		if (compare_tag(&p->tags[i - 1], &p->tags[i]) == 0 && !digest_eq(&p->tags[i - 1].digest, &p->tags[i].digest))
			return err_set(e, ERR_PREFLIGHT, "'%s:%s': two different images have this name on site: set registry.keepHost: true in the "
				       "site file and push with --site",
				       p->repositories.items[p->tags[i].repository], p->tags[i].text);
	return 0;
}

static void sort_places(struct plan *p)
{
	size_t kept = 0;

	if (p->n_places)
		qsort(p->places, p->n_places, sizeof(p->places[0]), compare_place);
	for (size_t i = 0; i < p->n_places; i++)
		if (!kept || compare_place(&p->places[kept - 1], &p->places[i]) != 0)
			p->places[kept++] = p->places[i];
	p->n_places = kept;
	for (size_t i = 0; i < p->n_places; i++) {
		if (i && digest_eq(&p->places[i - 1].digest, &p->places[i].digest))
			continue;
		GROW(p->groups, p->n_groups);
		p->groups[p->n_groups++] = i;
	}
}

static void sort_documents(struct plan *p)
{
	size_t kept = 0;

	if (p->n_documents)
		qsort(p->documents, p->n_documents, sizeof(p->documents[0]), compare_document);
	for (size_t i = 0; i < p->n_documents; i++) {
		if (kept && compare_document(&p->documents[kept - 1], &p->documents[i]) == 0)
			free(p->documents[i].type);
		else
			p->documents[kept++] = p->documents[i];
	}
	p->n_documents = kept;
}

static int gather(struct plan *p, const struct strv *wanted, struct err *e)
{
	const struct contents *c = &p->session->contents;

	for (size_t i = 0; i < c->n_images; i++)
		if ((!wanted || strv_has(wanted, c->images[i].ref)) && add_image(p, &c->images[i], e) < 0)
			return -1;
	if (add_charts(p, wanted, e) < 0 || add_files(p, wanted, e) < 0 || add_sets(p, e) < 0)
		return -1;
	sort_places(p);
	sort_documents(p);
	return check_tags(p, e);
}

/* ---- sending ---- */

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
static int send_place(struct plan *p, const struct place *at, const char *from, uint64_t *told, struct err *e)
{
	const char *repository = p->repositories.items[at->repository];
	struct registry_blob blob = { .repository = repository, .digest = at->digest, .size = at->size, .from = from };
	struct bundle_reader reader = { 0 };
	enum registry_how how = REGISTRY_UPLOADED;
	uint64_t size;
	int there = registry_blob_head(p->session->registry, repository, &at->digest, &size, e);

	if (there < 0)
		return -1;
	if (there && (size == at->size || size == UINT64_MAX)) {
		atomic_fetch_add(&p->present, 1);
		return 1;
	}
	if (bundle_reader_open(&reader, p->session->bundle, &at->digest, e) < 0)
		return -1;

	struct counted counted = { bundle_reader_source(&reader), 0, *told };
	struct source source = { counted_read, counted_seek, &counted };
	int r = registry_blob_put(p->session->registry, &blob, &source, &how, e);

	bundle_reader_close(&reader);
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
	struct plan *p = ctx;
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

static int send_document(struct plan *p, const struct document *d, const char *reference, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	const char *repository = p->repositories.items[d->repository];

	if (load_document(p, &d->digest, &bytes, e) < 0)
		return -1;
	if (registry_manifest_put(p->session->registry, repository, reference, d->type, bytes.ptr, bytes.len, e) == 0)
		return 0;
	if (d->height && e->code == ERR_REGISTRY && strstr(e->msg, "MANIFEST_BLOB_UNKNOWN"))
		push_sparse_advice(e);
	return err_wrap(e, "'%s%s%s'", repository, strchr(reference, ':') ? "@" : ":", reference);
}

struct layer { struct plan *plan; size_t first; };

static int send_layer_item(void *ctx, unsigned worker, size_t i, struct err *e)
{
	struct layer *l = ctx;
	const struct document *d = &l->plan->documents[l->first + i];
	char text[DIGEST_TEXT];

	(void)worker;
	return send_document(l->plan, d, digest_text(&d->digest, text), e);
}

/* Heights one after the other: a parent is accepted only when its children are there. */
static int send_documents(struct plan *p, unsigned jobs, struct err *e)
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
static int tag_is(struct plan *p, const struct tag *t, struct err *e)
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
	struct plan *p = ctx;
	int r = tag_is(p, &p->tags[i], e);

	(void)worker;
	if (r < 0)
		return -1;
	p->tags[i].right = r;
	return 0;
}

static int send_tag(void *ctx, unsigned worker, size_t i, struct err *e)
{
	struct plan *p = ctx;
	const struct tag *t = &p->tags[i];
	struct document d = { t->digest, t->type, t->repository, oci_is_index(t->type) };
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

static uint64_t plan_bytes(const struct plan *p)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->n_groups; i++)
		sum += p->places[p->groups[i]].size;
	return sum;
}

static int send_all(struct plan *p, unsigned jobs, struct err *e)
{
	bool all = true;

	if (pool_each(jobs, p->n_tags, check_tag, p, e) < 0)
		return -1;
	p->settled = xcalloc(p->repositories.n, sizeof(*p->settled));
	for (size_t i = 0; i < p->n_tags; i++)
		p->settled[p->tags[i].repository] = true;
	for (size_t i = 0; i < p->n_tags; i++) {
		all = all && p->tags[i].right;
		p->settled[p->tags[i].repository] &= p->tags[i].right;
	}

	/* A tag is put last and read back, so a right tag proves what hangs on it, but a registry may have lost blobs
	 * since: they are asked for in every case. */
	progress_begin("push", plan_bytes(p));

	int r = pool_each(jobs, p->n_groups, send_blob, p, e);

	if (r == 0 && (!all || atomic_load(&p->uploaded) || atomic_load(&p->mounted)))
		r = send_documents(p, jobs, e);
	if (r == 0)
		r = pool_each(jobs, p->n_tags, send_tag, p, e);
	progress_end();
	return r;
}

int push_all(struct session *s, const struct strv *wanted, struct push_report *out, struct err *e)
{
	CLEANUP(plan_release) struct plan p = { .session = s, .report = out };
	unsigned jobs = s->opts->jobs ? s->opts->jobs : pool_jobs();

	*out = (struct push_report){ 0 };
	if (gather(&p, wanted, e) < 0)
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
