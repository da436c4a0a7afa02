/*
 * resolve_charts - what the files that resolve a chart share. Private to bundler/resolve_charts*.c.
 */
#pragma once

#include "git_source.h"
#include "resolve_run.h"

/* A chart on its way: where it came from, and its OCI form where it already had one. */
struct found {
	struct run_chart *chart;
	struct lock_source source;      /* of the archive; texts owned */
	char *origin;                   /* for people */
	struct digest oci;              /* upstream's manifest; has_oci */
	bool has_oci;
	bool patched;                   /* upstream's OCI form, if any, is not carried */
	bool by_place;                  /* a path or a commit chose it, not its version */
};

/* resolve_charts_git.c: a folder of a git repository at s->ref. */
int chart_from_git(struct run *r, const struct manifest_source *s, struct found *f, struct err *e) MUST_CHECK;
