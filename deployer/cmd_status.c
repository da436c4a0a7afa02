/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "report.h"
#include "site_run.h"

#include <airgap/pool.h>

#include <stdio.h>

struct status_opts { struct common_opts common; };

const size_t status_opts_size = sizeof(struct status_opts);
const struct opt status_options[] = {
	COMMON_TRUST_OPTIONS(struct status_opts),
	COMMON_SITE_OPTIONS(struct status_opts),
	OPT_UINT(struct status_opts, common.jobs, 'j', "jobs", "N", "steps looked at at once"),
	OPT_FLAG(struct status_opts, common.json, 0, "json", "print the states as JSON"),
	{ 0 }
};

struct looking { struct site_run *run; struct step_line *lines; };

static int look(void *ctx, unsigned worker, size_t i, struct err *e)
{
	struct looking *l = ctx;
	const struct step *s = &l->run->steps.items[i];
	const struct journal_record *r = journal_last(l->run->journal, s->id);

	(void)worker;
	l->lines[i].id = s->id;
	l->lines[i].note = r ? r->note : NULL;
	return engine_check(&l->run->engine, s, &l->lines[i].state, &l->lines[i].diff, e);
}

/* The worst that was found decides: nothing there, changed by others, or as installed. What leaves is no drift. */
static int verdict(const struct site_run *run, const struct step_line *lines, size_t n, bool json, struct err *e)
{
	size_t missing = 0, drifted = 0, waiting = 0;

	for (size_t i = 0; i < n; i++) {
		missing += lines[i].state == STEP_NEW;
		drifted += lines[i].state == STEP_DRIFTED || lines[i].state == STEP_CHANGES;
		waiting += lines[i].state == STEP_FAILING;
	}
	if (missing + drifted + waiting == 0) {
		if (!json)
			printf("%s %s: installed\n", run->session.contents.name, run->session.contents.version);
		if (!json)
			report_left(&run->leaving, false);
		return 0;
	}
	return err_set(e, ERR_DRIFT, "%s %s: of %zu steps %zu missing, %zu changed, %zu not ready: `deployer plan` shows what "
		       "`deployer install` would do", run->session.contents.name, run->session.contents.version, n, missing,
		       drifted, waiting);
}

/* What cannot be resolved cannot be compared: it would look like a change. */
static int check_references(const struct site_run *run, struct err *e)
{
	auto_strv struct strv missing = { 0 };

	if (secrets_check(run->secrets, &missing, e) < 0)
		return -1;
	return missing.n ? err_set(e, ERR_PREFLIGHT, "%s", missing.items[0]) : 0;
}

int status_run(const void *opts, char **args, struct err *e)
{
	const struct status_opts *o = opts;
	auto_site_run struct site_run run = { 0 };
	unsigned jobs = o->common.jobs ? o->common.jobs : pool_jobs();

	if (site_run_open(&run, args[0], &o->common, e) < 0 || site_run_steps(&run, false, e) < 0 ||
	    check_references(&run, e) < 0 || engine_begin(&run.engine, e) < 0)
		return -1;

	size_t all = run.steps.n + run.leaving.told;
	struct step_line *lines = xcalloc(all, sizeof(*lines));
	struct looking l = { &run, lines };
	int r = pool_each(jobs, run.steps.n, look, &l, e);

	if (r == 0) {
		report_leaving(&run.leaving, lines + run.steps.n);
		report_steps(lines, all, o->common.json);
		r = verdict(&run, lines, run.steps.n, o->common.json, e);
	}
	report_lines_release(lines, all);
	return r;
}
