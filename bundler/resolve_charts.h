/*
 * resolve_charts - what the files that resolve a chart share. Private to bundler/resolve_charts*.c.
 */
#pragma once

#include "chart_edit.h"
#include "git_source.h"
#include "resolve_run.h"

#include <airgap/provenance.h>

/* A chart on its way: where it came from, and its OCI form where it already had one. */
struct found {
	struct run_chart *chart;
	struct lock_source source;      /* of the archive; texts owned */
	char *origin;                   /* for people */
	struct digest oci;              /* upstream's manifest; has_oci */
	bool has_oci;
	bool alone;                     /* the archive is all that is wanted: an OCI form, if any, is not carried */
	bool by_place;                  /* a path or a commit chose it, not its version */
	struct buf provenance;          /* the .prov beside it, where the entry has a keyring */
	struct chart_edit edit;         /* how the archive was changed */
};
#define FOUND_INIT(c) { .chart = (c), .provenance = BUF_INIT(PROVENANCE_MAX) }
void found_release(struct found *f);
bool found_wants_provenance(const struct found *f);

/* A chart of an http(s), oci:// or git+ repository, as the entry asks for it. */
int chart_from_repository(struct run *r, const struct manifest_source *s, const char *name, const char *version, struct found *f,
			  struct err *e) MUST_CHECK;

/* resolve_charts_git.c: a folder of a git repository at s->ref. */
int chart_from_git(struct run *r, const struct manifest_source *s, struct found *f, struct err *e) MUST_CHECK;

/* resolve_charts_parts.c: dependencies that its charts/ folder lacks are fetched and put into the archive. */
int chart_complete(struct run *r, struct found *f, struct err *e) MUST_CHECK;
/* Is one of them missing? 1, 0, -1. */
int chart_is_incomplete(const struct buf *archive, struct err *e) MUST_CHECK;
