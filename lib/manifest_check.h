/*
 * manifest_check - whether a manifest that has the right shape makes sense. The second half of manifest_parse.
 */
#pragma once

#include <airgap/manifest.h>

/* Where entries stood, so that a message can name a line; all NULL when that is not known. */
struct manifest_place {
	const json_t *doc;
	const struct ydoc_marks *marks;
	const char *subject;
};

int manifest_check_at(const struct manifest *m, const struct manifest_place *place, struct err *e) MUST_CHECK;

/* manifest_check_sources.c: git and Python. Pure. */
int manifest_check_git_address(const char *url, struct err *e) MUST_CHECK;      /* without "git+" */
int manifest_check_ref(const char *ref, struct err *e) MUST_CHECK;
int manifest_check_tree_path(const char *path, struct err *e) MUST_CHECK;
int manifest_check_git(const struct manifest_git *g, struct err *e) MUST_CHECK;
int manifest_check_python(const struct manifest_python *p, struct err *e) MUST_CHECK;
/* manifest_check_hosts.c. Pure. */
int manifest_check_host(const struct manifest_host *h, struct err *e) MUST_CHECK;
/* manifest_check_packages.c: one entry and all of its repositories. Pure. */
int manifest_check_package(const struct manifest_packages *x, struct err *e) MUST_CHECK;
