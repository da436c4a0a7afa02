/* SPDX-License-Identifier: Apache-2.0 */
#include "git_source.h"
#include "resolve_sets.h"

#include <airgap/content.h>
#include <airgap/fs.h>

#include <fcntl.h>
#include <unistd.h>

#define PIECE (1u << 17)

struct mirror {
	struct strv refs;               /* "NAME=OID" in the bundle's order: HEAD goes first, for `git clone` */
	struct strv oids;
	json_t *notes;
};

static void mirror_release(struct mirror *m)
{
	strv_release(&m->refs);
	strv_release(&m->oids);
	json_decref(m->notes);
}

static void add_ref(struct mirror *m, const char *name, const char *oid)
{
	auto_free char *text = xasprintf("%s=%s", name, oid);

	if (strv_has(&m->refs, text))
		return;
	strv_push(&m->refs, text);
	if (!strv_has(&m->oids, oid))
		strv_push(&m->oids, oid);
}

/* The default branch, when it is among those wanted, else the first of them: what a clone checks out. */
static const struct gitrepo_ref *choose_head(const struct manifest_git *g, const struct gitrepo_refs *refs, struct err *e)
{
	const struct gitrepo_ref *first = gitrepo_find(refs, g->refs.n ? g->refs.items[0] : NULL, e);

	for (size_t i = 0; first && i < g->refs.n; i++) {
		const struct gitrepo_ref *ref = gitrepo_find(refs, g->refs.items[i], e);

		if (!ref)
			return NULL;
		if (str_eq(ref->name, refs->head))
			return ref;
	}
	return first;
}

static int choose_refs(struct run *r, const struct manifest_git *g, const char *location, struct mirror *m, struct err *e)
{
	auto_gitrepo_refs struct gitrepo_refs refs = { 0 };
	const struct gitrepo_ref *head, *ref;

	if (git_source_list(r->remote, location, &refs, e) < 0)
		return -1;
	head = choose_head(g, &refs, e);
	if (!head)
		return err_wrap(e, "'%s'", location);
	add_ref(m, "HEAD", head->commit);
	for (size_t i = 0; i < MAX(g->refs.n, (size_t)1); i++) {
		ref = g->refs.n ? gitrepo_find(&refs, g->refs.items[i], e) : head;
		if (!ref)
			return err_wrap(e, "'%s'", location);
		add_ref(m, ref->name, ref->oid);

		auto_free char *note = xasprintf("%s %s", ref->name, ref->commit);

		json_array_append_new(m->notes, json_string(note));
	}
	return 0;
}

static int keep(const char *path, struct oci_blob *out, struct err *e)
{
	auto_content_new struct content_new n = CONTENT_NEW_INIT;
	auto_fd int fd = fs_open(path, O_RDONLY, 0, e);
	auto_free uint8_t *piece = xmalloc(PIECE);
	struct source s = source_fd(&fd);
	ssize_t got;

	if (fd < 0 || content_new_open(&n, GITREPO_BUNDLE_MAX, e) < 0)
		return -1;
	while ((got = s.read(s.ctx, piece, PIECE, e)) > 0)
		if (content_new_write(&n, piece, (size_t)got, e) < 0)
			return -1;
	return got < 0 ? -1 : content_new_keep(&n, &out->digest, &out->size, e);
}

static int make_bundle(struct run *r, const char *location, const struct mirror *m, struct oci_blob *out, struct err *e)
{
	auto_temp_dir char *work = NULL;
	auto_free char *dir = NULL, *cache = fs_cache_dir();

	if (git_source_open(r->remote, location, &m->oids, &dir, e) < 0 || fs_make_dirs(cache, 0700, e) < 0 ||
	    fs_temp_dir(cache, "bundle-", &work, e) < 0)
		return -1;

	auto_free char *file = fs_join(work, "bundle");

	return gitrepo_bundle(dir, &m->refs, file, e) < 0 ? -1 : keep(file, out, e);
}

static int resolve_mirror(struct run *r, const struct manifest_git *g, struct err *e)
{
	CLEANUP(mirror_release) struct mirror m = { .notes = json_array() };
	auto_set_files struct set_files files = { 0 };
	auto_free char *url = xasprintf("%s%s", str_starts(g->url, "git+") ? "" : "git+", g->url);
	const char *address = git_source_address(url);
	auto_free char *location = git_source_is_path(address) ? run_lock_path(r, address) : xstrdup(address);
	auto_free char *title = xasprintf("%s.bundle", g->name);
	struct oci_blob bundle;

	if (choose_refs(r, g, location, &m, e) < 0 || make_bundle(r, location, &m, &bundle, e) < 0)
		return -1;

	struct set_file *f = set_files_add(&files, title);

	f->blob = bundle;
	f->source = (struct lock_source){ .kind = LOCK_GIT, .location = TAKE(location), .member = strv_join(&m.refs, " ") };

	struct content_set set = {
		.kind = xstrdup("git"), .name = xstrdup(g->name), .type = xstrdup("bundle"), .origin = xstrdup(g->url),
		.notes = TAKE(m.notes),
	};

	return run_add_set_take(r, &set, &files, e);
}

int resolve_git(struct run *r, struct err *e)
{
	for (size_t i = 0; i < r->m->n_git; i++)
		if (carry_wants(&r->carry, CARRY_GIT, r->m->git[i].name) && resolve_mirror(r, &r->m->git[i], e) < 0)
			return err_wrap(e, "git '%s'", r->m->git[i].name);
	return 0;
}
