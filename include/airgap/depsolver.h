/*
 * depsolver - which OS packages: names in, all that they need out (libsolv).
 *
 *	auto_depsolver struct depsolver *s = depsolver_new(DEPSOLVER_DEB, "amd64");
 *	if (depsolver_add(s, packages, n, e) < 0 || depsolver_add_present(s, "libc6", e) < 0 ||
 *	    depsolver_solve(s, &names, false, &picks, e) < 0) ...
 *
 * Dependencies of all strengths that must hold, alternatives, virtual packages and conflicts are the distribution's own,
 * for machines on which nothing is installed but what was said to be present. Of several versions the highest is taken, of
 * alternatives the first, as apt does, unless something else is chosen already.
 * The texts must come from where they are trusted: their parser is libsolv's, and complains of little.
 */
#pragma once

#include <airgap/strv.h>
#include <airgap/err.h>

#define DEPSOLVER_PICKS_MAX 1000u          /* packages in one answer */

enum depsolver_kind { DEPSOLVER_DEB, DEPSOLVER_RPM };

struct depsolver_pick { char *name, *version, *architecture; };
struct depsolver_picks { struct depsolver_pick *items; size_t n; };   /* sorted by name */
#define auto_picks CLEANUP(depsolver_picks_release)
void depsolver_picks_release(struct depsolver_picks *v);
/* NULL: it is none of them. */
const struct depsolver_pick *depsolver_picks_find(const struct depsolver_picks *v, const struct depsolver_pick *package);
bool depsolver_picks_named(const struct depsolver_picks *v, const char *name);  /* some version of it is among them */

struct depsolver;
/* architecture: "amd64", "x86_64"; packages of others are not looked at, those for all are. */
struct depsolver *depsolver_new(enum depsolver_kind kind, const char *architecture) MUST_CHECK;
void depsolver_free(struct depsolver *s);
DEFINE_CLEANUP_PTR(cleanup_depsolver, struct depsolver, depsolver_free)
#define auto_depsolver CLEANUP(cleanup_depsolver)

/* The text of Packages or primary.xml; more than once for more than one. -1: ERR_MALFORMED. */
int depsolver_add(struct depsolver *s, const void *p, size_t n, struct err *e) MUST_CHECK;
/* After all texts: machines have NAME, or NAME=VERSION, already. One that no text names is taken at its word; without a
 * version it satisfies no dependency that asks for one. */
void depsolver_add_present(struct depsolver *s, const char *name);

/* Once. names: NAME, NAME=VERSION, or what a package provides. ERR_USAGE: not there (near ones are named), or no way to
 * have them together, which is told with who wants what; ERR_LIMIT over DEPSOLVER_PICKS_MAX. */
int depsolver_solve(struct depsolver *s, const struct strv *names, bool recommends, struct depsolver_picks *out, struct err *e) MUST_CHECK;
