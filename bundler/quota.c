/* SPDX-License-Identifier: Apache-2.0 */
#include "quota.h"

#include <airgap/content.h>
#include <airgap/log.h>
#include <airgap/pool.h>
#include <airgap/proc.h>

#include <pthread.h>
#include <stdatomic.h>

/* One registry that counts, and what will be pulled from it. */
struct counted {
	struct registry *registry;
	_Atomic uint64_t need;
};

struct survey {
	struct run *run;
	pthread_mutex_t lock;
	struct counted **items;         /* each stays where it is */
	size_t n;
};

int quota_choice(const char *text, bool *stop, struct err *e)
{
	*stop = text && strcmp(text, "stop") == 0;
	if (!text || *stop || strcmp(text, "wait") == 0)
		return 0;
	return err_set(e, ERR_USAGE, "--quota takes wait or stop");
}

static struct counted *counted_of(struct survey *s, struct registry *registry)
{
	struct counted *found = NULL;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n && !found; i++)
		if (s->items[i]->registry == registry)
			found = s->items[i];
	if (!found) {
		found = xcalloc(1, sizeof(*found));
		found->registry = registry;
		GROW(s->items, s->n);
		s->items[s->n++] = found;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* Manifests that will be pulled: an index, and one for each platform. */
static uint64_t pulls_of(const struct run *r, const struct image *i, const struct registry_manifest *m)
{
	const struct strv *platforms = i->platforms.n ? &i->platforms : &r->m->platforms;
	struct err ignored;

	if (content_has(&m->digest, &ignored) == 1)
		return 0;
	return m->type && oci_is_index(m->type) ? 1 + MAX(platforms->n, 1u) : 1;
}

static int look_at(void *ctx, unsigned worker, size_t item, struct err *e)
{
	struct survey *s = ctx;
	const struct image *i = &s->run->images.items[item];
	auto_free char *name = ref_name(&i->ref), *fetch = run_fetch_name(s->run, name);
	auto_registry_manifest struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	auto_ref struct ref at = { 0 };
	char digest[DIGEST_TEXT];
	struct err ignored;

	if (proc_interrupted)
		return err_set(e, ERR_DEADLINE, "interrupted");
	if (i->layout || i->base || ref_parse(fetch, &at, &ignored) < 0)
		return 0;

	struct registry *registry = remote_registry(s->run->remote, at.host, &ignored);
	const char *ref = i->ref.has_digest ? digest_text(&i->ref.digest, digest) : i->ref.tag;

	if (!registry || !registry_counts_pulls(registry) ||
	    registry_manifest_head(registry, at.path, ref, &m, &ignored) != 1)
		return 0;
	counted_of(s, registry)->need += pulls_of(s->run, i, &m);
	return 0;
}

static const char *name_of(const char *host)
{
	return strcmp(host, "docker.io") == 0 ? "Docker Hub" : host;
}

static void tell(const struct counted *c)
{
	unsigned long long need = c->need, left, limit, hours;
	const char *name = name_of(registry_host(c->registry));
	struct registry_quota q;

	if (registry_quota(c->registry, &q) == 0 || !need)
		return;
	left = q.left;
	limit = q.limit;
	hours = (q.window + 3599) / 3600;
	if (need <= left)
		log_info("%s: %llu of %llu pulls left in %llu h, %llu needed", name, left, limit, hours, need);
	else
		log_warn("%s: %llu of %llu pulls left in %llu h, %llu needed: will wait about %llu h; log in for more", name,
			 left, limit, hours, need, (need - left + MAX(limit, 1u) - 1) / MAX(limit, 1u) * hours);
}

int quota_survey(struct run *r, struct err *e)
{
	struct survey s = { .run = r, .lock = PTHREAD_MUTEX_INITIALIZER };
	int rc = pool_each(r->image_jobs, r->images.n, look_at, &s, e);

	for (size_t i = 0; i < s.n; i++) {
		if (rc == 0)
			tell(s.items[i]);
		free(s.items[i]);
	}
	free(s.items);
	pthread_mutex_destroy(&s.lock);
	return rc;
}
