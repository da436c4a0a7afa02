/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "preflight.h"
#include "site_run.h"

#include <airgap/fs.h>
#include <airgap/pool.h>
#include <airgap/proc.h>

struct preflight_opts { struct common_opts common; struct strv skip; };

const size_t preflight_opts_size = sizeof(struct preflight_opts);
const struct opt preflight_options[] = {
	COMMON_TRUST_OPTIONS(struct preflight_opts),
	COMMON_SITE_OPTIONS(struct preflight_opts),
	OPT_LIST(struct preflight_opts, skip, 0, "skip", "ID", "leave out a check; may be repeated"),
	OPT_UINT(struct preflight_opts, common.jobs, 'j', "jobs", "N", "charts rendered at once"),
	OPT_FLAG(struct preflight_opts, common.json, 0, "json", "print the checks as JSON"),
	{ 0 }
};

int preflight_run(const void *opts, char **args, struct err *e)
{
	const struct preflight_opts *o = opts;
	auto_site_run struct site_run run = { 0 };
	auto_findings struct findings findings = { 0 };
	unsigned jobs = o->common.jobs ? o->common.jobs : pool_jobs();
	struct err verdict = { 0 };
	auto_fd int lock = -1;

	run.engine.skip = &o->skip;
	if (site_run_open(&run, args[0], &o->common, e) < 0 || site_run_lock(&run, &lock, e) < 0 || site_run_steps(&run, false, e) < 0 ||
	    engine_begin(&run.engine, e) < 0)
		return -1;
	if (preflight_ask(&run.engine, PREFLIGHT_ALL, jobs, &findings, e) < 0) {
		findings_tell(&findings);
		return proc_interrupted ? err_set(e, ERR_DEADLINE, "interrupted: nothing is left of it") : -1;
	}
	findings_print(&findings, o->common.json);

	/* The table has every finding with its own words; what comes out is one answer. */
	return findings_verdict(&findings, &verdict) < 0 ? err_set(e, ERR_PREFLIGHT, "%s", verdict.msg) : 0;
}
