/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_packages.h"

#include <airgap/content.h>
#include <airgap/deb.h>
#include <airgap/fs.h>
#include <airgap/tarball.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define INDEX_PACKED_MAX (64u << 20)
#define INDEX_MAX        (512u << 20)
#define TEXT_MAX         (4u << 20)     /* lock_add_made's own */

/* ---- from the server */

static char *address(const struct package_source *s, const char *path)
{
	struct buf url = BUF_INIT(URL_MAX);

	buf_puts(&url, s->url);
	buf_putc(&url, '/');
	url_escape(&url, path, "/~+:");
	return buf_take(&url);
}

int package_source_get(const struct package_source *s, const char *path, struct buf *out, struct err *e)
{
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;
	auto_secret struct secret who = { 0 };
	auto_free char *url = address(s, path);
	struct http_client *http = remote_http(s->run->remote);
	const struct sink to = { buf_sink_write, out };
	struct http_tries t = { 0 };
	struct http_request q = { .url = url, .max_body = out->max, .keep_encoding = true };
	int rc;

	if (remote_authorize(s->run->remote, url, &who, e) < 0)
		return -1;
	q.authorization = who.text ? &who : NULL;
	do {
		buf_clear(out);
		rc = http_do(http, &q, &to, &answer, e);
	} while (http_again(http, &t, rc, &answer, e));
	if (rc < 0)
		return err_wrap(e, "'%s'", url);
	if (answer.status == 404 || answer.status == 410)
		return 0;
	return answer.status == 200 ? 1 : http_status_error(&answer, url, e);
}

/* From the content cache, or the server; compared where something vouches for it. */
static int load_packed(const struct package_source *s, const char *path, const struct digest *want, uint64_t size,
		       struct buf *out, struct err *e)
{
	char text[DIGEST_TEXT], got[DIGEST_TEXT];
	int there = want ? content_load(want, out, e) : 0;

	if (there)
		return there;
	if (size != UINT64_MAX && size > INDEX_PACKED_MAX)
		return err_set(e, ERR_LIMIT, "'%s': has %ju bytes, %u are taken", path, (uintmax_t)size, INDEX_PACKED_MAX);
	there = package_source_get(s, path, out, e);
	if (there <= 0 || !want)
		return there;

	struct digest have = digest_of(buf_str(out), out->len);

	if (!digest_eq(want, &have))
		return err_set(e, ERR_DIGEST, "'%s': is %s, the signed text says %s: the mirror is between two versions, or it was "
			       "altered", path, digest_text(&have, got), digest_text(want, text));
	return content_save(buf_str(out), out->len, NULL, e) < 0 ? -1 : 1;
}

static int map_file(int fd, struct package_index *out, struct err *e)
{
	uint64_t size;

	if (fs_size(fd, &size, e) < 0)
		return -1;
	if (size == 0)
		return 0;

	void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED)
		return err_sys(e, "index");
	*out = (struct package_index){ p, (size_t)size };
	return 0;
}

/* Into the work folder: half a gigabyte stands better on disk than in memory. */
static int unpack(struct package_source *s, const struct buf *packed, struct err *e)
{
	auto_free char *path = fs_join(s->run->work, "index");
	auto_fd int fd = fs_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, e);
	struct mem_source mem = { buf_str(packed), packed->len, 0 };
	struct source from = source_mem(&mem);
	const struct sink to = { fd_sink_write, &fd };

	if (fd < 0 || tarball_unpack(&from, INDEX_MAX, &to, e) < 0 || fs_unlink(path, e) < 0)
		return -1;
	GROW(s->indexes, s->n);
	s->indexes[s->n++] = (struct package_index){ 0 };
	return map_file(fd, &s->indexes[s->n - 1], e);
}

int package_source_index(struct package_source *s, const char *path, const struct digest *want, uint64_t size, struct err *e)
{
	auto_buf struct buf packed = BUF_INIT(INDEX_PACKED_MAX);
	int there = load_packed(s, path, want, size, &packed, e);

	if (there <= 0)
		return there;
	return unpack(s, &packed, e) < 0 ? err_wrap(e, "'%s'", path) : 1;
}

char *package_source_keyring(const struct package_source *s)
{
	const char *k = s->at.keyring;

	if (!k)
		return NULL;
	return run_path(s->run, k + (str_starts(k, "file:") ? strlen("file:") : 0));
}

/* ---- what both kinds do */

static int solve(struct package_repo *repo, struct err *e)
{
	const struct manifest_packages *m = repo->entry;
	auto_depsolver struct depsolver *d = depsolver_new(str_eq(m->type, "deb") ? DEPSOLVER_DEB : DEPSOLVER_RPM, m->architecture);

	for (size_t i = 0; i < repo->n_sources; i++)
		for (size_t k = 0; k < repo->sources[i].n; k++)
			if (depsolver_add(d, repo->sources[i].indexes[k].p, repo->sources[i].indexes[k].n, e) < 0)
				return -1;
	for (size_t i = 0; i < m->present.n; i++)
		depsolver_add_present(d, m->present.items[i]);
	if (depsolver_solve(d, &repo->names, m->recommends, &repo->picks, e) < 0)
		return -1;
	repo->found = xcalloc(repo->picks.n + 1, sizeof(*repo->found));
	return 0;
}

int package_repo_take(struct package_repo *repo, const struct package_source *from, const struct depsolver_pick *package,
		      const char *path, const struct oci_blob *blob, char **out_title, struct err *e)
{
	const struct depsolver_pick *pick = depsolver_picks_find(&repo->picks, package);
	const char *slash = strrchr(path, '/');
	struct set_file *f;

	if (!pick || repo->found[pick - repo->picks.items])
		return 0;
	repo->found[pick - repo->picks.items] = true;
	f = set_files_add(&repo->files, slash ? slash + 1 : path);
	f->blob = *blob;
	f->source.kind = LOCK_URL;
	f->source.location = address(from, path);
	strv_pushf(&repo->notes, "%s %s", pick->name, pick->version);
	*out_title = xstrdup(f->title);
	if (!oci_title_ok(*out_title))
		return err_set(e, ERR_UNSAFE, "'%.200s': is no safe file name", *out_title);
	return 1;
}

int package_repo_add_text(struct package_repo *repo, const char *title, const struct buf *text, struct err *e)
{
	struct set_file *f = set_files_add(&repo->files, title);

	f->blob.size = text->len;
	f->source.kind = LOCK_MADE;
	if (text->len > TEXT_MAX)
		return err_set(e, ERR_LIMIT, "%s: %zu bytes about %zu packages, %u are taken: divide them", title, text->len,
			       repo->picks.n, TEXT_MAX);
	return lock_add_made(repo->run->lock, buf_str(text), text->len, "application/octet-stream", false, &f->blob.digest, e);
}

/* A pick that no index names would be missing on site: the two readers of the text do not agree. */
static int check_found(const struct package_repo *repo, struct err *e)
{
	for (size_t i = 0; i < repo->picks.n; i++)
		if (!repo->found[i])
			return err_set(e, ERR_MALFORMED, "'%s' %s: its entry in the index cannot be read",
				       repo->picks.items[i].name, repo->picks.items[i].version);
	return 0;
}

/* ---- names */

static void add_name(struct package_repo *repo, const char *name)
{
	if (!strv_has(&repo->names, name))
		strv_push(&repo->names, name);
}

/* As everybody else but the distribution writes it. */
static bool platform_of(const char *architecture, struct platform *out)
{
	static const char *const names[][2] = { { "i686", "386" }, { "ppc64el", "ppc64le" } };
	struct err ignored;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(architecture, names[i][0]) == 0)
			architecture = names[i][1];
	return platform_set("linux", architecture, NULL, out, &ignored) == 0;
}

/* os: "ubuntu 24.04", or "rhel 8" for all of 8.x; NULL: any. */
static bool node_fits(const struct facts_node *n, const struct manifest_packages *m)
{
	auto_free char *have = xasprintf("%s %s", n->os ? n->os : "", n->os_version ? n->os_version : "");
	size_t len = m->os ? strlen(m->os) : 0;
	struct platform wanted, given;

	if (!n->architecture || !platform_of(n->architecture, &given) || !platform_of(m->architecture, &wanted) ||
	    !platform_eq(&given, &wanted))
		return false;
	return !m->os || (strncmp(have, m->os, len) == 0 && strchr(". ", have[len]));
}

/* The entry's nodes' kernels in the place of {kernel}. */
static void add_kernels(struct package_repo *repo, const char *name)
{
	const struct facts *f = &repo->run->facts;
	const char *at = strstr(name, "{kernel}");
	bool some = false;

	for (size_t i = 0; i < f->n_nodes; i++) {
		if (!node_fits(&f->nodes[i], repo->entry))
			continue;

		auto_free char *full = xasprintf("%.*s%s%s", (int)(at - name), name, f->nodes[i].kernel, at + strlen("{kernel}"));

		add_name(repo, full);
		some = true;
	}
	if (!some)
		run_warn(repo->run, "packages '%s': %s: no node of the facts is %s%s%s: not carried", repo->entry->name, name,
			 repo->entry->architecture, repo->entry->os ? " with " : "", repo->entry->os ? repo->entry->os : "");
}

static int fill_names(struct package_repo *repo, struct err *e)
{
	const struct strv *v = &repo->entry->install;

	for (size_t i = 0; i < v->n; i++) {
		if (!strstr(v->items[i], "{kernel}")) {
			add_name(repo, v->items[i]);
			continue;
		}
		if (!repo->run->facts.n_nodes)
			return err_set(e, ERR_USAGE, "%s: no kernel is known: give --facts FILE, or nodes under `facts`",
				       v->items[i]);
		add_kernels(repo, v->items[i]);
	}
	return 0;
}

/* ---- one entry */

static void source_release(struct package_source *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->indexes[i].p)
			munmap(s->indexes[i].p, s->indexes[i].n);
	free(s->indexes);
	free(s->url);
	free(s->folder);
	free(s->said);
}

static void repo_release(struct package_repo *repo)
{
	for (size_t i = 0; i < repo->n_sources; i++)
		source_release(&repo->sources[i]);
	free(repo->sources);
	free(repo->found);
	strv_release(&repo->names);
	strv_release(&repo->notes);
	depsolver_picks_release(&repo->picks);
	set_files_release(&repo->files);
}

static char *without_slashes(const char *url)
{
	size_t n = strcspn(url, "?");

	while (n && url[n - 1] == '/')
		n--;
	return xstrndup(url, n);
}

static int read_sources(struct package_repo *repo, struct err *e)
{
	bool deb = str_eq(repo->entry->type, "deb");

	repo->sources = xcalloc(repo->entry->n_more + 1, sizeof(*repo->sources));
	for (; repo->n_sources <= repo->entry->n_more; repo->n_sources++) {
		struct package_source *s = &repo->sources[repo->n_sources];
		int rc;

		*s = (struct package_source){ .run = repo->run, .at = manifest_packages_at(repo->entry, repo->n_sources) };
		s->url = without_slashes(s->at.url);
		if (!s->at.keyring)
			run_warn(repo->run, "packages '%s': nothing vouches for what '%s' says: it is not checked by a signature "
				 "(trusted: true)", repo->entry->name, s->url);
		rc = deb ? package_source_read_deb(s, e) : package_source_read_rpm(s, e);
		if (rc < 0) {
			repo->n_sources++;
			return repo->entry->n_more ? err_wrap(e, "'%s'", s->url) : -1;
		}
	}
	return 0;
}

static json_t *notes_of(struct package_repo *repo)
{
	json_t *list = json_array();

	strv_sort(&repo->notes);
	for (size_t i = 0; i < repo->notes.n; i++)
		json_array_append_new(list, json_string(repo->notes.items[i]));
	return list;
}

static char *platform_text(const char *architecture)
{
	struct platform p;
	char out[PLATFORM_TEXT];

	return platform_of(architecture, &p) ? xstrdup(platform_format(&p, out)) : NULL;
}

static int resolve_entry(struct run *r, const struct manifest_packages *m, struct err *e)
{
	CLEANUP(repo_release) struct package_repo repo = { .run = r, .entry = m };

	if (fill_names(&repo, e) < 0)
		return -1;
	if (!repo.names.n)
		return 0;
	if (read_sources(&repo, e) < 0 || solve(&repo, e) < 0 ||
	    (str_eq(m->type, "deb") ? package_repo_fill_deb(&repo, e) : package_repo_fill_rpm(&repo, e)) < 0 ||
	    check_found(&repo, e) < 0)
		return -1;

	struct content_set set = {
		.kind = xstrdup("packages"), .name = xstrdup(m->name), .type = xstrdup(m->type),
		.platform = platform_text(m->architecture), .origin = xstrdup(repo.sources[0].url), .notes = notes_of(&repo),
	};
	int rc = run_add_set_take(r, &set, &repo.files, e);

	content_set_release(&set);
	return rc;
}

int resolve_packages(struct run *r, struct err *e)
{
	for (size_t i = 0; i < r->m->n_packages; i++)
		if (carry_wants(&r->carry, CARRY_PACKAGES, r->m->packages[i].name) && resolve_entry(r, &r->m->packages[i], e) < 0)
			return err_wrap(e, "packages '%s'", r->m->packages[i].name);
	return 0;
}
