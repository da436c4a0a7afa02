/*
 * carry - which files, packages, wheels and repositories of a manifest a bundle takes.
 *
 * All of them, until sites are given (--site, discover.sites) and the Carry steps of every one of them have the list: then
 * those that some Carry names, the files that Apply, Run and Probe steps name, and tools. `packages: []` says none. What no step names
 * is told, never lost silently.
 */
#pragma once

#include <airgap/manifest.h>
#include <airgap/steps.h>

enum carry_list { CARRY_FILES, CARRY_PACKAGES, CARRY_PYTHON, CARRY_GIT, CARRY_LISTS };

struct carry {
	bool known;                     /* some site was read; false: all is carried */
	bool all[CARRY_LISTS];
	struct strv names[CARRY_LISTS];
	json_t *left_out;               /* [{file | packages | python | git | chart: NAME, reason}] */
};
void carry_release(struct carry *c);

/* The steps of one site; given = false: they are those of the site chart's defaults. ERR_USAGE: a step names what the
 * manifest does not have. */
int carry_read(struct carry *c, const struct manifest *m, const struct steps *s, bool given, struct err *e) MUST_CHECK;
/* Whether the entry of this name is carried; what is not is remembered in left_out. */
bool carry_wants(struct carry *c, enum carry_list list, const char *what);
void carry_leave_out(struct carry *c, const char *one, const char *what);
