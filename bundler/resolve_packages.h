/*
 * resolve_packages - OS packages of one entry of the manifest: what its two kinds of repositories share.
 * Private to bundler/resolve_packages*.c.
 *
 * The chain: a signature by a key of the entry's keyring over Release or repomd.xml, in it the hash of the index, in that
 * the hash of each package. What is carried is the packages as they are, and an index of ours over them alone.
 */
#pragma once

#include "resolve_sets.h"

#include <airgap/depsolver.h>

/* An index as a file of the run's work folder, mapped. */
struct package_index { char *p; size_t n; };

/* One repository of the entry. */
struct package_source {
	struct run *run;
	struct manifest_packages at;    /* the entry with this repository; borrowed */
	char *url;                      /* without a final '/' */
	char *folder;                   /* deb: of Release, below url; "" = the top */
	char *said;                     /* its own date or revision; NULL = not said */
	struct package_index *indexes; size_t n;
};

struct package_repo {
	struct run *run;
	const struct manifest_packages *entry;
	struct package_source *sources; size_t n_sources;
	struct strv names;              /* what to install, kernels filled in */
	struct depsolver_picks picks;
	bool *found;                    /* of each pick: it stood in an index */
	struct set_files files;
	struct strv notes;
};

/* PATH below the repository (its parts escaped), at most out's ceiling. 1: there. 0: not (404, 410). */
int package_source_get(const struct package_source *s, const char *path, struct buf *out, struct err *e) MUST_CHECK;
/* The same for an index, unpacked, one more in s->indexes. want NULL: nothing vouches for it; size UINT64_MAX: any. */
int package_source_index(struct package_source *s, const char *path, const struct digest *want, uint64_t size,
			 struct err *e) MUST_CHECK;
/* The keyring as a path; NULL: the repository is trusted as it is. Owned. */
char *package_source_keyring(const struct package_source *s) MUST_CHECK;

/* 1: a pick's package, not seen before: *out_title is its file's name on site, and the file is among repo->files. 0: no
 * pick. path is below the source. */
int package_repo_take(struct package_repo *repo, const struct package_source *from, const struct depsolver_pick *package,
		      const char *path, const struct oci_blob *blob, char **out_title, struct err *e) MUST_CHECK;
/* An index of ours, as a file of the set. */
int package_repo_add_text(struct package_repo *repo, const char *title, const struct buf *text, struct err *e) MUST_CHECK;

/* The two kinds: reading a repository's indexes, and, when all are read and solved, filling repo->files. */
int package_source_read_deb(struct package_source *s, struct err *e) MUST_CHECK;
int package_source_read_rpm(struct package_source *s, struct err *e) MUST_CHECK;
int package_repo_fill_deb(struct package_repo *repo, struct err *e) MUST_CHECK;
int package_repo_fill_rpm(struct package_repo *repo, struct err *e) MUST_CHECK;
