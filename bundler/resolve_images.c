/* SPDX-License-Identifier: Apache-2.0 */
#include "image_add.h"
#include "image_referrers.h"
#include "image_report.h"
#include "image_resolve.h"
#include "quota.h"

#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/pool.h>
#include <airgap/proc.h>

#include <pthread.h>
#include <sys/stat.h>

/* One wanted image on its way; owned by one worker, then by the merge. */
struct work {
	struct image *want;
	struct image_result result;
	char *place;                    /* "host/path" it was asked for, or the path of a layout */
	char *host;                     /* asked there; NULL: a layout */
	bool aliased;                   /* place is not what the name says */
	int there;                      /* as image_resolve; -1: why */
	struct err why;
	bool whole_host;                /* why holds for all of the host's images */
	char *hint;
	char *warning;
};

struct works {
	struct run *run;
	struct work *items;
	size_t n;
	pthread_mutex_t lock;           /* over the archives, each opened once */
	struct image_archive **archives; size_t n_archives;
	struct referrers *referrers;    /* NULL: they are not wanted */
};

static void works_release(struct works *w)
{
	for (size_t i = 0; i < w->n; i++) {
		image_result_release(&w->items[i].result);
		free(w->items[i].place);
		free(w->items[i].host);
		free(w->items[i].hint);
		free(w->items[i].warning);
	}
	for (size_t i = 0; i < w->n_archives; i++)
		image_archive_close(w->archives[i]);
	free(w->archives);
	referrers_free(w->referrers);
	free(w->items);
	pthread_mutex_destroy(&w->lock);
}

/* ---- asking */

static const struct strv *platforms_of(const struct run *r, const struct image *i)
{
	return i->platforms.n ? &i->platforms : &r->m->platforms;
}

static struct image_archive *find_or_open(struct works *all, const char *path, struct err *e)
{
	struct image_archive *a;

	for (size_t i = 0; i < all->n_archives; i++)
		if (strcmp(image_archive_path(all->archives[i]), path) == 0)
			return all->archives[i];
	a = image_archive_open(path, e);
	if (!a)
		return NULL;
	GROW(all->archives, all->n_archives);
	all->archives[all->n_archives++] = a;
	return a;
}

/* Several images may be in one: it is read by whoever comes first. */
static struct image_archive *open_archive(struct works *all, const char *path, struct err *e)
{
	pthread_mutex_lock(&all->lock);

	struct image_archive *a = find_or_open(all, path, e);

	pthread_mutex_unlock(&all->lock);
	return a;
}

/* *path is what from points to. */
static int open_layout(struct works *all, struct work *w, const char *layout, char **path, struct image_from *from, struct err *e)
{
	struct stat st;

	*path = run_path(all->run, layout);
	from->layout = *path;
	if (stat(*path, &st) < 0)
		return err_sys(e, "'%s'", *path);
	if (!S_ISDIR(st.st_mode))
		from->archive = open_archive(all, *path, e);
	if (!S_ISDIR(st.st_mode) && !from->archive)
		return -1;
	w->place = run_lock_path(all->run, layout);
	from->source = (struct lock_source){ .kind = from->archive ? LOCK_MEMBER : LOCK_LAYOUT, .location = w->place };
	if (from->archive)
		from->source.archive = image_archive_digest(from->archive);
	return 0;
}

static int ask_layout(struct works *all, struct work *w, struct err *e)
{
	struct image_from from = { 0 };
	auto_free char *path = NULL;

	if (open_layout(all, w, w->want->layout, &path, &from, e) < 0)
		return -1;
	return image_resolve(&from, &w->want->ref, platforms_of(all->run, w->want), &w->result, e);
}

/* A digest that is gone while its tag is there was most likely replaced upstream. */
static char *find_tag(struct registry *reg, const char *repository, const struct ref *r)
{
	auto_registry_manifest struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	char text[DIGEST_TEXT];
	struct err ignored;

	if (!r->has_digest || !r->tag || registry_manifest_head(reg, repository, r->tag, &m, &ignored) != 1)
		return NULL;
	return xasprintf(": its tag '%s' is there and has another digest, %s", r->tag, digest_text(&m.digest, text));
}

/* With tag and digest the digest decides. What the tag names by now is worth a word. */
static char *check_tag(struct registry *reg, const char *repository, const struct ref *r)
{
	auto_registry_manifest struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	char now[DIGEST_TEXT], wanted[DIGEST_TEXT];
	struct err why;
	int there;

	if (!r->has_digest || !r->tag)
		return NULL;
	there = registry_manifest_head(reg, repository, r->tag, &m, &why);
	if (there < 0)
		return xasprintf("its tag '%s' cannot be asked for: %s", r->tag, why.msg);
	if (there == 0)
		return xasprintf("its tag '%s' is not there any more: its digest is taken", r->tag);
	if (digest_eq(&m.digest, &r->digest))
		return NULL;
	return xasprintf("its tag '%s' is %s by now: its digest %s is taken", r->tag, digest_text(&m.digest, now),
			 digest_text(&r->digest, wanted));
}

/* Of an image that the nodes chose: what there is instead. */
static char *find_node_tags(struct run *r, struct registry *reg, const char *repository, const struct image *i)
{
	auto_strv struct strv tags = { 0 };
	struct err ignored;

	if (!node_tags_has(&r->node_tags, i->text) || registry_tags(reg, repository, &tags, &ignored) < 0)
		return NULL;
	return node_tags_hint(&r->node_tags, i->text, &tags);
}

/* What is no answer to this question but the state of the host. */
static bool is_of_host(struct registry *reg, const struct err *why)
{
	return why->code == ERR_NETWORK || why->code == ERR_DEADLINE || why->code == ERR_TLS || why->code == ERR_USAGE ||
	       why->code == ERR_RATE || (why->code == ERR_AUTH && registry_locked_out(reg));
}

/* The registry of a reference, behind its alias: from is filled, place is "host/path" there. */
static int open_registry(struct run *r, struct work *w, const struct ref *ref, struct ref *at, struct image_from *from, struct err *e)
{
	auto_free char *name = ref_name(ref), *fetch = run_fetch_name(r, name);

	if (ref_parse(fetch, at, e) < 0)
		return -1;
	w->host = xstrdup(at->host);
	w->aliased = strcmp(name, fetch) != 0;
	w->place = TAKE(fetch);
	from->registry = remote_registry(r->remote, at->host, e);
	from->repository = at->path;
	from->source = (struct lock_source){ .kind = LOCK_REGISTRY, .location = w->place };
	return from->registry ? 0 : -1;
}

/* What came of it: a digest that is gone may have a tag that says why, a place other than the name's is recorded. */
static int judge(struct work *w, const struct ref *asked, const struct image_from *from, int there, const struct err *e)
{
	if (there < 0)
		w->whole_host = is_of_host(from->registry, e);
	if (there == 0)
		w->hint = find_tag(from->registry, from->repository, asked);
	if (there == 1)
		w->warning = check_tag(from->registry, from->repository, asked);
	if (there == 1 && w->aliased)
		w->result.image.source = xstrdup(w->place);
	return there;
}

static int ask_registry(struct works *all, struct work *w, struct err *e)
{
	struct run *r = all->run;
	const struct ref *ref = &w->want->ref;
	auto_ref struct ref at = { 0 };
	struct image_from from = { 0 };

	if (open_registry(r, w, ref, &at, &from, e) < 0)
		return -1;

	int there = image_resolve(&from, ref, platforms_of(r, w->want), &w->result, e);

	if (there == 1 && all->referrers && image_referrers(all->referrers, &from, &w->result, e) < 0)
		there = -1;
	there = judge(w, ref, &from, there, e);
	if (there == 0 && !w->hint)
		w->hint = find_node_tags(r, from.registry, from.repository, w->want);
	return there;
}

/* The base is an image of the manifest that no registry has; NULL: it is none. */
static const struct image *find_own(const struct works *all, const struct ref *base)
{
	for (size_t i = 0; i < all->n; i++)
		if ((all->items[i].want->layout || all->items[i].want->base) && ref_eq(&all->items[i].want->ref, base))
			return all->items[i].want;
	return NULL;
}

static int make_from_registry(struct run *r, struct work *w, const struct ref *base, const struct image_layer *layer, struct err *e)
{
	auto_ref struct ref at = { 0 };
	struct image_from from = { 0 };

	if (open_registry(r, w, base, &at, &from, e) < 0)
		return -1;
	return judge(w, base, &from, image_make(&from, base, layer, platforms_of(r, w->want), &w->result, e), e);
}

static int make_from_layout(struct works *all, struct work *w, const struct ref *base, const char *layout,
			    const struct image_layer *layer, struct err *e)
{
	struct image_from from = { 0 };
	auto_free char *path = NULL;

	if (open_layout(all, w, layout, &path, &from, e) < 0)
		return -1;
	return image_make(&from, base, layer, platforms_of(all->run, w->want), &w->result, e);
}

static int ask_made(struct works *all, struct work *w, struct err *e)
{
	struct run *r = all->run;
	auto_image_layer struct image_layer layer = { 0 };
	auto_ref struct ref base = { 0 };
	const struct image *own;

	if (ref_parse(w->want->base, &base, e) < 0)
		return -1;
	own = find_own(all, &base);
	if (own && own->base)
		return err_set(e, ERR_UNSUPPORTED, "its base '%s' is made as well: add all files to the base of that one", w->want->base);
	if (image_layer_make(r->dir, *r->prefix ? r->prefix : ".", &w->want->add, &layer, e) < 0)
		return -1;
	return own ? make_from_layout(all, w, &base, own->layout, &layer, e) : make_from_registry(r, w, &base, &layer, e);
}

static int ask_one(struct works *all, struct work *w, struct err *e)
{
	if (w->want->layout)
		return ask_layout(all, w, e);
	return w->want->base ? ask_made(all, w, e) : ask_registry(all, w, e);
}

/* Never fails itself: all images are asked for before any failure is told. */
static int ask(void *ctx, unsigned worker, size_t item, struct err *e)
{
	struct works *all = ctx;
	struct work *w = &all->items[item];

	if (proc_interrupted)
		return err_set(e, ERR_DEADLINE, "interrupted");
	w->there = ask_one(all, w, &w->why);
	if (w->there == 1)
		progress_item("%s", w->want->text);
	return 0;
}

/* ---- what came out */

/* It may have been one after all, misspelt or out of reach: that must be seen here, not on site. */
static const char *hint_of(const struct work *w)
{
	if (w->hint)
		return w->hint;
	return w->want->certain || w->whole_host ? NULL : ": it only looks like an image: if it is none, waive it";
}

static struct image_failure failure_of(const struct work *w)
{
	return (struct image_failure){
		.image = w->want, .host = w->host, .source = w->place, .why = w->there < 0 ? &w->why : NULL,
		.hint = hint_of(w), .whole_host = w->whole_host,
	};
}

/* All are told before the error itself, which counts them. */
static int report_failures(struct works *all, struct err *e)
{
	auto_free struct image_failure *failed = xcalloc(all->n + 1, sizeof(*failed));
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++) {
		struct work *w = &all->items[i];

		if (w->there != 1)
			failed[n++] = failure_of(w);
	}
	image_report(failed, n);
	if (!n)
		return 0;
	return err_set(e, failed[0].why ? failed[0].why->code : ERR_NETWORK,
		       "%zu image%s cannot be resolved: correct the place named, or waive it under discover.waive", n,
		       n == 1 ? "" : "s");
}

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void fill_contents(const struct image *want, struct content_image *out)
{
	out->ref = xstrdup(want->text);
	for (size_t i = 0; i < want->tags.n; i++)
		strv_push(&out->tags, want->tags.items[i]);
	out->reasons = xcalloc(want->n_reasons, sizeof(*out->reasons));
	out->n_reasons = want->n_reasons;
	for (size_t i = 0; i < want->n_reasons; i++)
		out->reasons[i] = (struct content_reason){
			copy(want->reasons[i].chart), copy(want->reasons[i].file),
			copy(want->reasons[i].kind), copy(want->reasons[i].path),
		};
}

static int add_blob(struct run *r, const struct image_blob *b, struct err *e)
{
	struct digest made;

	if (b->made)
		return lock_add_made(r->lock, b->made, (size_t)b->size, b->media_type, b->manifest, &made, e);
	return run_add_blob(r, &b->digest, b->size, b->media_type, oci_encoding_stored(b->media_type), b->manifest,
			    &b->source, e);
}

static int merge(struct run *r, struct work *w, struct err *e)
{
	struct contents *c = &r->lock->contents;

	for (size_t i = 0; i < w->result.n_blobs; i++)
		if (add_blob(r, &w->result.blobs[i], e) < 0)
			return err_wrap(e, "image '%s'", w->want->text);
	if (w->warning)
		run_warn(r, "image '%s': %s", w->want->text, w->warning);
	fill_contents(w->want, &w->result.image);
	GROW(c->images, c->n_images);
	c->images[c->n_images++] = w->result.image;
	w->result.image = (struct content_image){ 0 };
	return 0;
}

int resolve_images(struct run *r, struct err *e)
{
	struct images *s = &r->images;
	CLEANUP(works_release) struct works all = { .run = r, .items = xcalloc(s->n + 1, sizeof(struct work)), .n = s->n };

	for (size_t i = 0; i < s->n; i++)
		all.items[i] = (struct work){ .want = &s->items[i] };
	pthread_mutex_init(&all.lock, NULL);
	all.referrers = r->no_referrers ? NULL : referrers_new();
	if (quota_survey(r, e) < 0)
		return -1;
	progress_begin("images", 0);

	int done = pool_each(r->image_jobs, s->n, ask, &all, e);

	progress_end();
	if (proc_interrupted)
		return err_set(e, ERR_DEADLINE, "interrupted");
	if (done < 0 || report_failures(&all, e) < 0)
		return -1;
	for (size_t i = 0; i < all.n; i++)
		if (all.items[i].there == 1 && merge(r, &all.items[i], e) < 0)
			return -1;
	return 0;
}
