/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_charts.h"

/* A commit stands for itself; a branch or tag is what the remote says now. */
static int find_commit(struct run *r, const char *location, const char *ref, char **out, struct err *e)
{
	auto_gitrepo_refs struct gitrepo_refs refs = { 0 };
	const struct gitrepo_ref *found;

	if (ref && gitrepo_is_oid(ref)) {
		*out = xstrdup(ref);
		return 0;
	}
	if (git_source_list(r->remote, location, &refs, e) < 0)
		return -1;
	found = gitrepo_find(&refs, ref, e);
	if (!found)
		return err_wrap(e, "'%s'", location);
	*out = xstrdup(found->commit);
	return 0;
}

int chart_from_git(struct run *r, const struct manifest_source *s, struct found *f, struct err *e)
{
	const char *address = git_source_address(s->repository), *path = s->path ? s->path : "";
	auto_free char *location = git_source_is_path(address) ? run_lock_path(r, address) : xstrdup(address);
	auto_free char *commit = NULL, *dir = NULL;
	auto_strv struct strv oids = { 0 };

	if (find_commit(r, location, s->ref, &commit, e) < 0)
		return -1;
	strv_push(&oids, commit);
	if (git_source_open(r->remote, location, &oids, &dir, e) < 0)
		return -1;
	if (git_source_pack(dir, commit, path, &f->chart->archive, e) < 0)
		return err_wrap(e, "'%s' at %s", location, commit);
	f->source.kind = LOCK_GIT;
	f->source.member = xasprintf("%s:%s", commit, path);
	f->source.location = TAKE(location);
	f->origin = xasprintf("%s at %s%s%s:%s", s->repository, s->ref ? s->ref : "", s->ref ? " = " : "", commit, path);
	f->by_place = true;
	return 0;
}
