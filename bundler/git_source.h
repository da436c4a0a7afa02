/*
 * git_source - a git repository that a manifest or lock names: where it is, who we are there, a folder to read it from.
 *
 *	auto_free char *dir = NULL;
 *	if (git_source_open(remote, "https://git.example/apps.git", &oids, &dir, e) < 0 ||
 *	    git_source_pack(dir, commit, "deploy/chart", &archive, e) < 0) ...
 *
 * A manifest writes git+https://, git+http:// or git+file:// (a path); a lock has the first two without "git+" and the
 * path alone, relative to the remote's base. What comes from a server is kept as a bare repository in
 * $XDG_CACHE_HOME/airgap/git, so that the next fetch takes only what is new; a local one is read where it is.
 */
#pragma once

#include "remote.h"

#include <airgap/gitrepo.h>

/* "git+…": the address as the lock has it, for paths still as written. NULL: it is no git repository. */
const char *git_source_address(const char *repository);
bool git_source_is_path(const char *location);

int git_source_list(struct remote *r, const char *location, struct gitrepo_refs *out, struct err *e) MUST_CHECK;
/* *out_dir (owned) is a repository with these commits and all that belongs to them. ERR_NETWORK: one of them is gone. */
int git_source_open(struct remote *r, const char *location, const struct strv *oids, char **out_dir, struct err *e) MUST_CHECK;
/* The chart in a folder ("" = the root) of a commit as an archive, appended to out: chart_pack of it. A dependency
 * with a file:// repository inside the same tree is put in. ERR_UNSAFE: a link, a submodule, a path out of the tree. */
int git_source_pack(const char *dir, const char *commit, const char *path, struct buf *out, struct err *e) MUST_CHECK;
