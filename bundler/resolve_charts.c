/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_charts.h"

#include <airgap/chart_repo.h>
#include <airgap/content.h>
#include <airgap/fs.h>
#include <airgap/oci.h>
#include <airgap/semver.h>

#include <sys/stat.h>

void found_release(struct found *f)
{
	free(f->source.location);
	free(f->source.member);
	free(f->origin);
	buf_release(&f->provenance);
	chart_edit_release(&f->edit);
}

bool found_wants_provenance(const struct found *f)
{
	return f->chart->entry && f->chart->entry->keyring;
}

/* ---- a folder or archive on disk */

static int provenance_beside(const char *archive, struct found *f, struct err *e)
{
	auto_free char *path = xasprintf("%s.prov", archive);
	int there = fs_exists(path, e);

	return there == 1 ? fs_load(path, PROVENANCE_MAX, &f->provenance, e) : there;
}

static int from_path(struct run *r, const char *path, struct found *f, struct err *e)
{
	auto_free char *real = run_path(r, path);
	struct stat st;

	if (stat(real, &st) < 0)
		return err_sys(e, "'%s'", real);
	f->source.kind = S_ISDIR(st.st_mode) ? LOCK_PACK : LOCK_FILE;
	f->source.location = run_lock_path(r, path);
	f->origin = xstrdup(path);
	f->by_place = true;
	if (S_ISDIR(st.st_mode) && found_wants_provenance(f))
		return err_set(e, ERR_USAGE, "keyring: '%s' is a folder, which has no provenance file", path);
	if (S_ISDIR(st.st_mode))
		return chart_pack(real, &f->chart->archive, e);
	if (found_wants_provenance(f) && provenance_beside(real, f, e) < 0)
		return -1;
	return fs_load(real, CHART_MAX, &f->chart->archive, e);
}

/* ---- an OCI registry */

static int keep(const struct buf *b, struct err *e)
{
	return content_save(buf_str(b), b->len, NULL, e);
}

static const struct descriptor *chart_layer(const struct oci_manifest *m)
{
	for (size_t i = 0; i < m->n_layers; i++)
		if (str_eq(m->layers[i].media_type, HELM_CHART) || str_eq(m->layers[i].media_type, HELM_CHART_OLD))
			return &m->layers[i];
	return NULL;
}

static int add_oci_blob(struct run *r, const struct descriptor *d, const struct lock_source *s, struct err *e)
{
	return run_add_blob(r, &d->digest, d->size, d->media_type, oci_encoding_stored(d->media_type), false, s, e);
}

static int oci_provenance(struct registry *reg, const char *repository, const struct oci_manifest *m, struct found *f, struct err *e)
{
	for (size_t i = 0; i < m->n_layers; i++) {
		const struct descriptor *d = &m->layers[i];

		if (!str_eq(d->media_type, HELM_PROVENANCE))
			continue;
		if (d->size > PROVENANCE_MAX)
			return err_set(e, ERR_LIMIT, "its provenance file has more than %u bytes", PROVENANCE_MAX);
		return registry_blob_load(reg, repository, &d->digest, d->size, &f->provenance, e);
	}
	return 0;
}

/* Manifest, config and layers stay as upstream has them: its digest and signatures go on to hold. */
static int take_oci(struct run *r, struct registry *reg, const char *repository, const struct registry_manifest *m,
		    struct found *f, struct err *e)
{
	auto_oci_manifest struct oci_manifest oci = { 0 };
	const struct descriptor *layer;

	if (oci_parse_manifest(buf_str(&m->bytes), m->bytes.len, m->type, &oci, e) < 0)
		return -1;
	layer = chart_layer(&oci);
	if (!str_eq(oci.config.media_type, HELM_CONFIG) || !layer)
		return err_set(e, ERR_UNSUPPORTED, "is no Helm chart (its config is %s)", oci.config.media_type);
	if (layer->size > CHART_MAX)
		return err_set(e, ERR_LIMIT, "its archive has more than %u bytes", CHART_MAX);

	int there = content_load(&layer->digest, &f->chart->archive, e);

	if (there < 0)
		return -1;
	if (!there && registry_blob_load(reg, repository, &layer->digest, layer->size, &f->chart->archive, e) < 0)
		return -1;
	if (found_wants_provenance(f) && oci_provenance(reg, repository, &oci, f, e) < 0)
		return -1;

	int incomplete = f->alone ? 1 : chart_is_incomplete(&f->chart->archive, e);

	if (incomplete)
		return MIN(incomplete, 0);
	if (keep(&m->bytes, e) < 0)
		return -1;
	if (run_add_blob(r, &m->digest, m->bytes.len, m->type, oci_encoding_stored(m->type), true, &f->source, e) < 0 ||
	    add_oci_blob(r, &oci.config, &f->source, e) < 0)
		return -1;
	for (size_t i = 0; i < oci.n_layers; i++)
		if (add_oci_blob(r, &oci.layers[i], &f->source, e) < 0)
			return -1;
	f->oci = m->digest;
	f->has_oci = true;
	return 0;
}

/* An index in front of charts: the first entry that is one. */
static int through_index(struct registry *reg, const char *repository, struct registry_manifest *m, struct err *e)
{
	auto_oci_index struct oci_index ix = { 0 };
	char digest[DIGEST_TEXT];

	if (oci_parse_index(buf_str(&m->bytes), m->bytes.len, m->type, &ix, e) < 0)
		return -1;
	for (size_t i = 0; i < ix.n_manifests; i++) {
		const struct descriptor *d = &ix.manifests[i];

		if (!oci_is_manifest(d->media_type) || oci_is_attestation(d))
			continue;
		registry_manifest_release(m);
		*m = (struct registry_manifest)REGISTRY_MANIFEST_INIT;
		return registry_manifest_get(reg, repository, digest_text(&d->digest, digest), m, e);
	}
	return err_set(e, ERR_UNSUPPORTED, "its index has no chart");
}

static int fetch_oci(struct run *r, struct registry *reg, const char *repository, const char *tag, struct found *f,
		     struct err *e)
{
	CLEANUP(registry_manifest_release) struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	int there = registry_manifest_get(reg, repository, tag, &m, e);

	if (there == 1 && oci_is_index(m.type))
		there = through_index(reg, repository, &m, e);
	if (there < 0)
		return -1;
	if (!there)
		return err_set(e, ERR_NETWORK, "%s:%s is not there any more", repository, tag);
	return take_oci(r, reg, repository, &m, f, e);
}

static int no_version(const char *where, const char *version, const char *near, struct err *e)
{
	if (near)
		return err_set(e, ERR_NETWORK, "'%s' has no version that satisfies '%s': the newest is %s", where,
			       version ? version : "*", near);
	return err_set(e, ERR_NETWORK, "'%s' does not have it", where);
}

/* name: "host/path" of the chart as written; an alias may lead elsewhere. */
static int from_oci(struct run *r, const char *name, const char *version, struct found *f, struct err *e)
{
	auto_free char *fetch = run_fetch_name(r, name), *tag = NULL, *near = NULL;
	auto_ref struct ref at = { 0 };

	if (ref_parse(fetch, &at, e) < 0)
		return -1;

	struct registry *reg = remote_registry(r->remote, at.host, e);
	int found = reg ? chart_oci_find(reg, at.path, version, &tag, &near, e) : -1;

	if (found < 0)
		return -1;
	if (!found)
		return no_version(name, version, near, e);
	f->source.kind = LOCK_REGISTRY;
	f->source.location = TAKE(fetch);
	f->origin = xasprintf("oci://%s", name);
	return fetch_oci(r, reg, at.path, tag, f, e);
}

/* ---- an HTTP repository */

/* "oci://host/path:1.2.3", which the index of a mixed repository may have. */
static int from_oci_entry(struct run *r, const struct chart_entry *en, struct found *f, struct err *e)
{
	auto_ref struct ref ref = { 0 };

	if (ref_parse(en->url + strlen("oci://"), &ref, e) < 0)
		return -1;

	auto_free char *name = ref_name(&ref);

	return from_oci(r, name, en->version, f, e);
}

static char *without_query(const char *url)
{
	return xstrndup(url, strcspn(url, "?"));
}

/* The query of an index may be a signature, which nobody is to read and which does not last: the lock keeps what is
 * before it. One that the user wrote stays. */
static char *lock_address(const char *url, const char *repository)
{
	const char *of_url = strchr(url, '?'), *of_repository = strchr(repository, '?');

	return of_url && str_eq(of_url, of_repository) ? xstrdup(url) : without_query(url);
}

/* Several charts of one repository share its index. */
static const struct chart_index *repository_index(struct run *r, const char *repository, struct err *e)
{
	for (size_t i = 0; i < r->n_indexes; i++)
		if (strcmp(r->indexes[i].repository, repository) == 0)
			return r->indexes[i].index;

	struct chart_index *ix = chart_index_open(remote_http(r->remote), remote_credentials(r->remote), repository, e);

	if (!ix)
		return NULL;
	GROW(r->indexes, r->n_indexes);
	r->indexes[r->n_indexes++] = (struct run_index){ xstrdup(repository), ix };
	return ix;
}

/* An archive whose digest the index tells may be here already. */
static int fetch_archive(struct run *r, const struct chart_entry *en, struct buf *out, struct err *e)
{
	int there = en->has_digest ? content_load(&en->digest, out, e) : 0;

	if (there)
		return MIN(there, 0);
	return chart_repo_fetch(remote_http(r->remote), remote_credentials(r->remote), en, out, e);
}

/* "…/web-1.2.0.tgz.prov", or with the address's own query behind it. Absent: f has none. */
static int fetch_provenance(struct run *r, const struct chart_entry *en, struct found *f, struct err *e)
{
	size_t n = strcspn(en->url, "?");
	struct chart_entry prov = { .url = xasprintf("%.*s.prov%s", (int)n, en->url, en->url + n) };
	int done = chart_repo_fetch(remote_http(r->remote), remote_credentials(r->remote), &prov, &f->provenance, e);

	free(prov.url);
	if (done < 0 && e->code == ERR_NETWORK)
		return err_set(e, ERR_UNSIGNED, "has no provenance file at '%.*s.prov'", (int)n, en->url);
	return done;
}

static int from_http(struct run *r, const char *repository, const char *name, const char *version, struct found *f,
		     struct err *e)
{
	auto_chart_entry struct chart_entry en = { 0 };
	auto_free char *near = NULL, *shown = without_query(repository);
	const struct chart_index *ix = repository_index(r, repository, e);
	int found = ix ? chart_index_pick(ix, name, version, &en, &near, e) : -1;

	if (found < 0)
		return -1;
	if (!found)
		return no_version(shown, version, near, e);
	if (str_starts(en.url, "oci://"))
		return from_oci_entry(r, &en, f, e);
	if (fetch_archive(r, &en, &f->chart->archive, e) < 0)
		return -1;
	if (found_wants_provenance(f) && fetch_provenance(r, &en, f, e) < 0)
		return -1;
	f->source.kind = LOCK_URL;
	f->source.location = lock_address(en.url, repository);
	f->origin = TAKE(shown);
	return 0;
}

int chart_from_repository(struct run *r, const struct manifest_source *s, const char *wanted, const char *version, struct found *f,
			  struct err *e)
{
	const char *repository = s->repository;

	if (git_source_address(repository))
		return chart_from_git(r, s, f, e);
	if (!str_starts(repository, "oci://"))
		return from_http(r, repository, wanted, version, f, e);

	auto_free char *name = xasprintf("%s/%s", repository + strlen("oci://"), wanted);

	return from_oci(r, name, version, f, e);
}

/* The first place whose variable is set. */
static int choose_source(const struct manifest_chart *c, const struct manifest_source **out, struct err *e)
{
	auto_strv struct strv wanted = { 0 };

	for (size_t i = 0; i < c->n_sources; i++) {
		const char *when = c->sources[i].when, *value = when ? getenv(when + strlen("env:")) : "always";

		if (value && *value) {
			*out = &c->sources[i];
			return 0;
		}
		strv_push(&wanted, when + strlen("env:"));
	}

	auto_free char *list = strv_join(&wanted, ", ");

	return err_set(e, ERR_AUTH, "none of its sources can be used: set one of %s", list);
}

static int fetch(struct run *r, const struct manifest_chart *c, struct found *f, struct err *e)
{
	const struct manifest_source own = { .repository = c->repository, .ref = c->ref, .path = c->path }, *from = &own;

	if (c->path && !c->repository)
		return from_path(r, c->path, f, e);
	if (c->n_sources && choose_source(c, &from, e) < 0)
		return -1;
	return chart_from_repository(r, from, c->name, c->version, f, e);
}

/* ---- into the lock */

/* Charts that had no OCI form get one: the same archive always the same. */
static int make_oci(struct run *r, const struct found *f, struct digest *out, struct err *e)
{
	const struct chart *c = &f->chart->meta;
	const struct buf *a = &f->chart->archive;
	auto_buf struct buf config = BUF_INIT(OCI_MANIFEST_MAX), manifest = BUF_INIT(OCI_MANIFEST_MAX);
	struct oci_blob layer = { digest_of(buf_str(a), a->len), a->len }, made = { .size = 0 };

	if (chart_config(c, &config, e) < 0 ||
	    lock_add_made(r->lock, config.ptr, config.len, HELM_CONFIG, false, &made.digest, e) < 0)
		return -1;
	made.size = config.len;
	if (oci_make_chart_manifest(c->name, c->version, &made, &layer, &manifest, e) < 0 ||
	    lock_add_made(r->lock, manifest.ptr, manifest.len, OCI_MANIFEST, true, out, e) < 0)
		return -1;
	return run_add_blob(r, &layer.digest, layer.size, HELM_CHART, oci_encoding_stored(HELM_CHART), false,
			     &f->source, e);
}

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static int add_contents(struct run *r, struct found *f, bool site, struct err *e)
{
	const struct chart *c = &f->chart->meta;
	const struct buf *a = &f->chart->archive;
	struct digest oci = f->oci;

	if (!f->has_oci && make_oci(r, f, &oci, e) < 0)
		return -1;
	if (keep(a, e) < 0)
		return -1;

	struct contents *all = &r->lock->contents;

	GROW(all->charts, all->n_charts);
	all->charts[all->n_charts++] = (struct content_chart){
		.name = xstrdup(c->name), .version = xstrdup(c->version), .app_version = copy(c->app_version),
		.kube_version = copy(c->kube_version), .role = xstrdup(site ? "site" : "chart"),
		.origin = TAKE(f->origin), .digest = oci, .archive = digest_of(buf_str(a), a->len), .size = a->len,
	};
	return 0;
}

static int save_for_helm(const struct run *r, struct run_chart *c, struct err *e)
{
	auto_free char *name = xasprintf("%zu-%s.tgz", r->n_charts, c->meta.name);

	c->path = fs_join(r->work, name);
	return fs_save(c->path, buf_str(&c->archive), c->archive.len, 0600, e);
}

/* What is known once the archive is here. */
static int finish(struct run *r, struct found *f, bool site, struct err *e)
{
	struct run_chart *c = f->chart;

	if (chart_read(buf_str(&c->archive), c->archive.len, &c->meta, e) < 0 || chart_check(&c->meta, r->kube_version, e) < 0)
		return -1;
	if (c->name && strcmp(c->name, c->meta.name) != 0)
		return err_set(e, ERR_USAGE, "calls itself '%s': name it so in the manifest", c->meta.name);
	if (!c->name)
		c->name = xstrdup(c->meta.name);
	if (f->source.kind == LOCK_PACK || f->source.kind == LOCK_GIT) {
		f->edit.base = f->source.member ? TAKE(f->source.member) : xstrdup(c->meta.name);
		f->source.member = chart_edit_format(&f->edit);
	}
	if (add_contents(r, f, site, e) < 0)
		return -1;
	return save_for_helm(r, c, e);
}

static struct run_chart *new_chart(struct run *r, const struct manifest_chart *entry)
{
	struct run_chart *c = xcalloc(1, sizeof(*c));

	*c = (struct run_chart){
		.entry = entry, .name = entry ? xstrdup(entry->name) : NULL, .archive = BUF_INIT(CHART_MAX),
	};
	GROW(r->charts, r->n_charts);
	r->charts[r->n_charts++] = c;
	return c;
}

/* The version asked for has to be the one on disk or in a tree, too. */
static int check_version(const struct manifest_chart *c, const struct run_chart *x, bool is_chosen_by_place, struct err *e)
{
	int fits = is_chosen_by_place && c->version ? semver_matches(c->version, x->meta.version, e) : 1;

	if (fits == 0)
		return err_set(e, ERR_USAGE, "is version %s there, not %s", x->meta.version, c->version);
	return MIN(fits, 0);
}

/* Before the archive is changed: the lock keeps upstream's digest as that of the source. */
static int note_upstream(struct found *f, struct err *e)
{
	const struct buf *archive = &f->chart->archive;

	if (f->source.kind == LOCK_PACK || f->source.kind == LOCK_GIT)
		return 0;
	if (f->source.kind == LOCK_REGISTRY) {
		char *location = xasprintf("oci://%s", f->source.location);

		free(f->source.location);
		f->source.location = location;
	}
	f->source.kind = LOCK_PACK;
	f->source.archive = digest_of(buf_str(archive), archive->len);
	return keep(archive, e);
}

/* Nobody published it as an archive. */
static bool is_folder(const struct found *f)
{
	static const struct digest none;

	return (f->source.kind == LOCK_PACK || f->source.kind == LOCK_GIT) && digest_eq(&f->source.archive, &none);
}

/* The archive again, with another kubeVersion. */
static int patch(struct run *r, const struct manifest_chart *entry, struct found *f, struct err *e)
{
	const struct chart_edit x = { .kube_version = entry->patch.kube_version };
	char digest[DIGEST_TEXT];

	if (!x.kube_version)
		return 0;
	if (is_folder(f))
		return err_set(e, ERR_USAGE, "'%s' is a folder: write kubeVersion into its Chart.yaml instead of patch", f->origin);
	if (note_upstream(f, e) < 0 || chart_edit_apply(&x, NULL, &f->chart->archive, e) < 0)
		return -1;
	f->edit.kube_version = xstrdup(x.kube_version);
	run_warn(r, "chart '%s': packed again with kubeVersion '%s'; upstream's archive is %s", entry->name, x.kube_version,
		 digest_text(&f->source.archive, digest));
	return 0;
}

static int judge_provenance(struct run *r, const struct found *f, struct err *e)
{
	const struct manifest_chart *entry = f->chart->entry;
	const struct buf *archive = &f->chart->archive;
	auto_chart struct chart c = { 0 };

	if (!found_wants_provenance(f))
		return 0;
	if (!f->provenance.len)
		return err_set(e, ERR_UNSIGNED, "has no provenance file, and the manifest names a keyring for it");

	auto_free char *keyring = run_path(r, entry->keyring + (str_starts(entry->keyring, "file:") ? strlen("file:") : 0));

	if (chart_read_open(buf_str(archive), archive->len, &c, e) < 0)
		return -1;

	const struct digest d = digest_of(buf_str(archive), archive->len);

	return provenance_check(keyring, f->provenance.ptr, f->provenance.len, c.name, c.version, &d, e) < 0
		       ? err_wrap(e, "provenance") : 0;
}

static int complete(struct run *r, struct found *f, struct err *e)
{
	int lacking = chart_is_incomplete(&f->chart->archive, e);

	if (lacking <= 0)
		return lacking;
	if (note_upstream(f, e) < 0)
		return -1;
	return chart_complete(r, f, e);
}

static int resolve_entry(struct run *r, const struct manifest_chart *entry, bool site, struct err *e)
{
	CLEANUP(found_release) struct found f = FOUND_INIT(new_chart(r, entry));

	f.alone = entry->patch.kube_version != NULL;
	if (fetch(r, entry, &f, e) < 0 || judge_provenance(r, &f, e) < 0 || complete(r, &f, e) < 0 || patch(r, entry, &f, e) < 0 ||
	    finish(r, &f, site, e) < 0)
		return -1;
	return check_version(entry, f.chart, f.by_place, e);
}

int resolve_chart(struct run *r, const char *name, struct err *e)
{
	const struct manifest_chart *entry = manifest_chart(r->m, name);

	if (run_chart(r, name))
		return 0;
	if (!entry)
		return err_set(e, ERR_USAGE, "chart '%s': is not in the manifest", name);
	return resolve_entry(r, entry, false, e) < 0 ? err_wrap(e, "chart '%s'", name) : 0;
}

/* A path beside the manifest goes first: a chart of that name is asked for only when there is none. */
static int resolve_site_path(struct run *r, struct err *e)
{
	CLEANUP(found_release) struct found f = FOUND_INIT(new_chart(r, NULL));

	if (from_path(r, r->m->site, &f, e) < 0 || complete(r, &f, e) < 0 || finish(r, &f, true, e) < 0)
		return -1;
	return 0;
}

int resolve_site_chart(struct run *r, struct run_chart **out, struct err *e)
{
	*out = NULL;
	if (!r->m->site)
		return 0;

	auto_free char *path = run_path(r, r->m->site);
	const struct manifest_chart *entry = manifest_chart(r->m, r->m->site);
	int there = fs_exists(path, e);

	if (there < 0)
		return -1;
	if (there ? resolve_site_path(r, e) < 0 : entry && resolve_entry(r, entry, true, e) < 0)
		return err_wrap(e, "site chart '%s'", r->m->site);
	if (!there && !entry)
		return err_set(e, ERR_USAGE, "site chart '%s': neither a folder or archive beside the manifest, nor one of its charts",
			       r->m->site);
	*out = r->charts[r->n_charts - 1];
	r->lock->contents.site = xstrdup((*out)->name);
	return 0;
}
