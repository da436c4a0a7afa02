/*
 * site_run - the common beginning of plan, install and status: session, steps, secrets, journal, engine.
 */
#pragma once

#include "engine.h"
#include "leaving.h"

struct site_run {
	struct session session;
	json_t *releases;       /* the cluster's, before anything is done: see installed.h */
	struct steps steps;
	struct secrets *secrets;
	struct journal *journal;
	struct leaving leaving;         /* what an earlier install did and the site does not say any more */
	struct engine engine;
};
#define auto_site_run CLEANUP(site_run_release)

/* Bundle (NULL = the installed one), site, tools, cluster, registry client. Reads only. */
int site_run_open(struct site_run *r, const char *bundle, const struct common_opts *o, struct err *e) MUST_CHECK;
/* One run at a time with this state folder: ERR_LOCKED. Held until *out_fd is closed. After site_run_open. */
int site_run_lock(const struct site_run *r, int *out_fd, struct err *e) MUST_CHECK;
/* Steps from the site chart, secrets and journal from the cluster. Reads only; writing = the journal will be written. */
int site_run_steps(struct site_run *r, bool writing, struct err *e) MUST_CHECK;
void site_run_release(struct site_run *r);
