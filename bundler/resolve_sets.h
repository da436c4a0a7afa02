/*
 * resolve_sets - several files that become one artifact: a package repository, a Python index, a git bundle.
 *
 *	auto_set_files struct set_files files = { 0 };
 *	struct set_file *f = set_files_add(&files, "pool/nginx_1.22.1-9_amd64.deb");
 *	f->blob = …; f->source = …;                             // texts owned by it
 *	run_add_set_take(r, &(struct content_set){ .kind = xstrdup("packages"), … }, &files, e)
 *
 * A title is the path of the file in the folder that a site gets; the same files give the same artifact, in whatever
 * order they were added.
 */
#pragma once

#include "resolve_run.h"

struct set_file {
	char *title;
	struct oci_blob blob;
	struct lock_source source;      /* texts owned */
};
struct set_files { struct set_file *items; size_t n; };
#define auto_set_files CLEANUP(set_files_release)
void set_files_release(struct set_files *v);
/* Borrowed until the next one. */
struct set_file *set_files_add(struct set_files *v, const char *title);

/* Into the lock: blobs, manifest, contents. set's texts and notes are taken whatever comes, its digest, files and size
 * are set here. ERR_UNSAFE, ERR_MALFORMED: titles that no folder can have, none at all. */
int run_add_set_take(struct run *r, struct content_set *set, struct set_files *files, struct err *e) MUST_CHECK;

/* resolve_packages.c, resolve_python.c, resolve_git.c: the entries of the manifest that carry_wants. */
int resolve_packages(struct run *r, struct err *e) MUST_CHECK;
int resolve_python(struct run *r, struct err *e) MUST_CHECK;
int resolve_git(struct run *r, struct err *e) MUST_CHECK;
