/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve.h"

#include "discover.h"

#include <airgap/chart_repo.h>
#include <airgap/cli.h>
#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/platform.h>
#include <airgap/pool.h>

#include <time.h>

#define DEFAULT_KUBERNETES "1.32"
#define IMAGE_JOBS         32u          /* mostly waiting for servers; each is asked as much at once as it takes */

static void chart_free(struct run_chart *c)
{
	chart_release(&c->meta);
	buf_release(&c->archive);
	free(c->name);
	free(c->path);
	free(c);
}

void run_release(struct run *r)
{
	struct err ignored;

	for (size_t i = 0; i < r->n_charts; i++)
		chart_free(r->charts[i]);
	free(r->charts);
	for (size_t i = 0; i < r->n_indexes; i++) {
		free(r->indexes[i].repository);
		chart_index_close(r->indexes[i].index);
	}
	free(r->indexes);
	carry_release(&r->carry);
	images_release(&r->images);
	node_tags_release(&r->node_tags);
	helm_close(&r->helm);
	remote_free(r->remote);
	if (r->work && fs_remove_tree(r->work, &ignored) < 0)
		log_debug("%s", ignored.msg);
	free(r->work);
	free(r->dir);
	free(r->prefix);
	free(r->kube_version);
	facts_release(&r->facts);
	*r = (struct run){ 0 };
}

char *run_path(const struct run *r, const char *path)
{
	return fs_join(r->dir, path);
}

char *run_lock_path(const struct run *r, const char *path)
{
	return fs_join(r->prefix, path);
}

struct helm *run_helm(struct run *r, struct err *e)
{
	if (!r->helm.version && helm_open(&r->helm, r->helm_path, e) < 0)
		return NULL;
	return &r->helm;
}

void run_warn(struct run *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	auto_free char *text = xvasprintf(fmt, ap);
	va_end(ap);
	if (!strv_has(&r->lock->warnings, text))
		strv_push(&r->lock->warnings, text);
}

int run_add_blob(struct run *r, const struct digest *d, uint64_t size, const char *type, bool stored, bool manifest,
		 const struct lock_source *source, struct err *e)
{
	const struct lock_blob *have = lock_find(r->lock, d);

	if (have && have->size != size) {
		r->has_clash = true;
		r->clash = *d;
	}
	return lock_add_blob(r->lock, d, size, type, stored, manifest, source, e);
}

struct run_chart *run_chart(const struct run *r, const char *name)
{
	for (size_t i = 0; i < r->n_charts; i++)
		if (str_eq(r->charts[i]->name, name))
			return r->charts[i];
	return NULL;
}

char *run_fetch_name(const struct run *r, const char *name)
{
	auto_free char *alias = manifest_fetch_name(r->m, name);
	auto_ref struct ref at = { 0 };
	struct err ignored;

	/* An alias to Docker Hub may need its `library/`. */
	if (!alias || ref_parse(alias, &at, &ignored) < 0)
		return xstrdup(alias ? alias : name);
	return ref_name(&at);
}

/* ---- the head of the lock */

static int lock_time(const struct resolve_opts *o, int64_t *out, struct err *e)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	uint64_t v;

	*out = o->now ? o->now : (int64_t)time(NULL);
	if (o->now || !epoch || !*epoch)
		return 0;
	if (!u64_parse(epoch, &v) || v > INT64_C(253402300799))
		return err_set(e, ERR_USAGE, "SOURCE_DATE_EPOCH: '%s' is no time in seconds", epoch);
	*out = (int64_t)v;
	return 0;
}

static int fill_times(struct lock *l, const struct manifest *m, int64_t now, struct err *e)
{
	char text[24];

	l->created = xstrdup(manifest_time(now, text));
	if (!manifest_expiry(m->metadata.expires, now, text))
		return err_set(e, ERR_USAGE, "metadata.expires: '%s' is not after %s", m->metadata.expires, l->created);
	l->expires = *text ? xstrdup(text) : NULL;
	l->sequence = m->metadata.sequence ? m->metadata.sequence : (uint64_t)now;
	return 0;
}

static void copy_list(struct strv *to, const struct strv *from)
{
	for (size_t i = 0; i < from->n; i++)
		strv_push(to, from->items[i]);
}

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

/* A reference to a file is relative to the manifest; in the lock, to the lock. */
static char *move_reference(const struct run *r, const char *reference)
{
	if (!reference || !str_starts(reference, "file:"))
		return copy(reference);

	auto_free char *path = run_lock_path(r, reference + strlen("file:"));

	return xasprintf("file:%s", path);
}

static char *move_ca(const struct run *r, const char *ca)
{
	if (!ca || str_starts(ca, "file:"))
		return move_reference(r, ca);
	return run_lock_path(r, ca);
}

static void fill_hosts(const struct run *r, struct lock *l)
{
	l->hosts = xcalloc(r->m->n_hosts + 1, sizeof(*l->hosts));
	l->n_hosts = r->m->n_hosts;
	for (size_t i = 0; i < l->n_hosts; i++) {
		const struct manifest_host *h = &r->m->hosts[i];

		l->hosts[i] = (struct lock_host){
			.host = xstrdup(h->host), .plain_http = h->plain_http, .ca = move_ca(r, h->ca),
			.username = move_reference(r, h->username), .password = move_reference(r, h->password),
			.token = move_reference(r, h->token), .cert = move_ca(r, h->cert), .key = move_ca(r, h->key),
			.proxy = copy(h->proxy), .rate = copy(h->rate), .user_agent = copy(h->user_agent),
		};
	}
}

static void fill_platforms(struct contents *c, const struct strv *platforms)
{
	struct platform p;
	struct err ignored;
	char text[PLATFORM_TEXT];

	/* "all" is no platform: nothing is said then. */
	for (size_t i = 0; i < platforms->n; i++)
		if (platform_parse(platforms->items[i], &p, &ignored) == 0)
			strv_push(&c->platforms, platform_format(&p, text));
}

static int fill_head(struct run *r, const struct resolve_opts *o, struct err *e)
{
	const struct manifest *m = r->m;
	struct lock *l = r->lock;
	int64_t now;

	if (lock_time(o, &now, e) < 0 || fill_times(l, m, now, e) < 0)
		return -1;
	l->stream = xstrdup(m->metadata.stream);
	copy_list(&l->audience, &m->metadata.audience);
	l->contents.name = xstrdup(m->metadata.name);
	l->contents.version = xstrdup(m->metadata.version);
	l->contents.builder = xstrdup("bundler " AIRGAP_VERSION);
	fill_platforms(&l->contents, &m->platforms);
	l->contents.kube_version = xstrdup(r->kube_version);
	copy_list(&l->contents.api_versions, r->api_versions);
	l->contents.facts = facts_encode(&r->facts);
	fill_hosts(r, l);
	return 0;
}

/* ---- where things are */

static int find_prefix(struct run *r, const char *base, struct err *e)
{
	r->prefix = fs_relative(base ? base : r->dir, r->dir);
	return r->prefix ? 0 : err_sys(e, "'%s'", base ? base : r->dir);
}

/* The file goes before the manifest; nodes are those of both. */
static int load_facts(struct run *r, const char *path, struct err *e)
{
	auto_facts struct facts known = { 0 };

	if (path && facts_load(path, &r->facts, e) < 0)
		return -1;
	if (!r->m->facts)
		return 0;
	if (facts_decode(r->m->facts, NULL, "the manifest", &known, e) < 0)
		return -1;
	facts_merge_take(&r->facts, &known);
	return 0;
}

static bool has_architecture(const struct strv *platforms, const char *architecture)
{
	struct platform p, have;
	struct err ignored;

	if (platform_set("linux", architecture, NULL, &have, &ignored) < 0)
		return false;
	for (size_t i = 0; i < platforms->n; i++)
		if (strcmp(platforms->items[i], "all") == 0 ||
		    (platform_parse(platforms->items[i], &p, &ignored) == 0 && strcmp(p.arch, have.arch) == 0))
			return true;
	return false;
}

/* Their pods would find images that they cannot run. */
static void warn_architectures(struct run *r)
{
	for (size_t i = 0; i < r->facts.n_nodes; i++) {
		const struct facts_node *n = &r->facts.nodes[i];
		auto_free char *text = facts_node_text(n);

		if (n->architecture && !has_architecture(&r->m->platforms, n->architecture))
			run_warn(r, "facts: %s: architecture %s is not among platforms", text, n->architecture);
	}
}

/* The site's version of Kubernetes goes before the facts', that before the manifest's. */
static int find_kubernetes(struct run *r, const char *site_path, struct err *e)
{
	const char *version = r->facts.kube_version ? r->facts.kube_version : r->m->kubernetes.version;
	auto_buf struct buf text = BUF_INIT(ydoc_user.bytes);
	auto_json json_t *site = NULL;

	if (site_path) {
		if (fs_load(site_path, ydoc_user.bytes, &text, e) < 0)
			return -1;
		site = ydoc_parse(buf_str(&text), text.len, &ydoc_user, site_path, NULL, e);
		if (!site)
			return -1;
	}

	const char *of_site = jdoc_text(site, "kubernetes", "version", NULL);

	version = of_site && *of_site ? of_site : version;
	if (!version)
		run_warn(r, "kubernetes.version is not set: charts are rendered for " DEFAULT_KUBERNETES);
	r->kube_version = xstrdup(version ? version : DEFAULT_KUBERNETES);
	warn_architectures(r);
	r->api_versions = r->facts.api_versions.n ? &r->facts.api_versions : &r->m->kubernetes.api_versions;
	return 0;
}

/* Variables by which the manifest chooses a source: not everybody has each of them. */
static void optional_variables(const struct manifest *m, struct strv *out)
{
	for (size_t i = 0; i < m->n_charts; i++)
		for (size_t k = 0; k < m->charts[i].n_sources; k++)
			if (m->charts[i].sources[k].when)
				strv_push(out, m->charts[i].sources[k].when + strlen("env:"));
}

static int open_run(struct run *r, const char *path, const struct resolve_opts *o, struct err *e)
{
	r->dir = fs_dirname(path);
	r->jobs = o->jobs ? o->jobs : pool_jobs();
	r->image_jobs = o->jobs ? o->jobs : IMAGE_JOBS;
	r->helm_path = o->helm;
	r->no_referrers = o->no_referrers;
	if (find_prefix(r, o->base, e) < 0 || load_facts(r, o->facts, e) < 0 || find_kubernetes(r, o->site, e) < 0 ||
	    fill_head(r, o, e) < 0)
		return -1;
	/* The lock's hosts speak of paths as the lock sees them: the same files. */
	auto_free char *base = o->base ? xstrdup(o->base) : xstrdup(r->dir);
	auto_strv struct strv optional = { 0 };

	optional_variables(r->m, &optional);

	const struct remote_opts remote = {
		.resolver = true, .optional = &optional, .env_proxy = o->env_proxy, .quota_stop = o->quota_stop,
		.jobs = r->image_jobs,
	};

	r->remote = remote_new(r->lock->hosts, r->lock->n_hosts, base, &remote, e);
	if (!r->remote)
		return -1;
	return fs_temp_dir(NULL, "airgap-resolve-", &r->work, e);
}

/* ---- all of it */

static int compare_entries(const void *a, const void *b)
{
	auto_free char *x = json_dumps(*(json_t *const *)a, JSON_SORT_KEYS), *y = json_dumps(*(json_t *const *)b, JSON_SORT_KEYS);

	return strcmp(x, y);
}

/* Images, then entries of the manifest. */
static json_t *not_carried(struct run *r)
{
	json_t *all = r->images.not_carried ? TAKE(r->images.not_carried) : json_array();
	size_t n = json_array_size(r->carry.left_out);
	auto_free json_t **list = xcalloc(n + 1, sizeof(*list));

	for (size_t i = 0; i < n; i++)
		list[i] = json_array_get(r->carry.left_out, i);
	if (n)
		qsort(list, n, sizeof(list[0]), compare_entries);
	for (size_t i = 0; i < n; i++)
		json_array_append(all, list[i]);
	if (json_array_size(all))
		return all;
	json_decref(all);
	return NULL;
}

static int finish(struct run *r, struct err *e)
{
	struct lock *l = r->lock;

	images_finish(&r->images);
	l->contents.not_carried = not_carried(r);
	for (size_t i = 0; i < r->images.warnings.n; i++)
		run_warn(r, "%s", r->images.warnings.items[i]);
	lock_finish(l);
	if (resolve_targets(r, e) < 0)
		return -1;
	strv_sort(&l->warnings);
	return lock_check(l, e);
}

static int resolve_all(struct run *r, const struct resolve_opts *o, struct err *e)
{
	CLEANUP(destinations_release) struct destinations sites = { 0 };

	if (discover(r, o->site, &sites, e) == 0 && resolve_images(r, e) == 0)
		return finish(r, e) < 0 ? -1 : discover_prove(r, &sites, e);
	return r->has_clash ? resolve_files_blame(r, &r->clash, e) : -1;
}

int resolve_manifest(const char *path, const struct resolve_opts *o, struct lock *out, struct err *e)
{
	auto_manifest struct manifest m = { 0 };
	auto_lock struct lock l = { 0 };
	auto_run struct run r = { .m = &m, .lock = &l };

	if (manifest_load(path, o->overlays, &m, e) < 0)
		return -1;
	if (open_run(&r, path, o, e) < 0 || resolve_all(&r, o, e) < 0)
		return -1;
	*out = l;
	l = (struct lock){ 0 };
	return 0;
}
