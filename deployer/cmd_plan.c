/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "preflight.h"
#include "report.h"
#include "site_run.h"

#include <airgap/log.h>
#include <airgap/pool.h>

#include <stdio.h>

struct plan_opts { struct common_opts common; struct strv skip; };

const size_t plan_opts_size = sizeof(struct plan_opts);
const struct opt plan_options[] = {
	COMMON_TRUST_OPTIONS(struct plan_opts),
	COMMON_SITE_OPTIONS(struct plan_opts),
	OPT_LIST(struct plan_opts, skip, 0, "skip", "ID", "leave out a preflight check; may be repeated"),
	OPT_UINT(struct plan_opts, common.jobs, 'j', "jobs", "N", "steps looked at at once"),
	OPT_FLAG(struct plan_opts, common.json, 0, "json", "print the plan as JSON"),
	{ 0 }
};

struct looking { struct site_run *run; struct step_line *lines; };

static int look(void *ctx, unsigned worker, size_t i, struct err *e)
{
	struct looking *l = ctx;
	const struct step *s = &l->run->steps.items[i];

	(void)worker;
	l->lines[i].id = s->id;
	return engine_check(&l->run->engine, s, &l->lines[i].state, &l->lines[i].diff, e);
}

static void summarize(const struct site_run *run, const struct step_line *lines)
{
	size_t enter = 0, change = 0, leave = run->leaving.told;

	for (size_t i = 0; i < run->steps.n; i++) {
		enter += lines[i].state == STEP_NEW;
		change += lines[i].state != STEP_NEW && lines[i].state != STEP_SAME;
	}
	printf("%zu enter%s (+), %zu change%s (~), %zu leave%s (-)%s\n", enter, enter == 1 ? "s" : "", change, change == 1 ? "s" : "",
	       leave, leave == 1 ? "s" : "", leave ? ": `deployer install` keeps what leaves unless --prune is given" : "");
}

/* The steps of the site as they are, then those that leave. */
static int report(struct site_run *run, unsigned jobs, bool json, struct err *e)
{
	size_t n = run->steps.n + run->leaving.told;
	struct step_line *lines = xcalloc(n, sizeof(*lines));
	struct looking l = { run, lines };
	int r = pool_each(jobs, run->steps.n, look, &l, e);

	if (r == 0) {
		report_leaving(&run->leaving, lines + run->steps.n);
		report_steps(lines, n, json);
		if (!json)
			summarize(run, lines);
	}
	report_lines_release(lines, n);
	return r;
}

int plan_run(const void *opts, char **args, struct err *e)
{
	const struct plan_opts *o = opts;
	auto_site_run struct site_run run = { 0 };
	auto_findings struct findings findings = { 0 };
	unsigned jobs = o->common.jobs ? o->common.jobs : pool_jobs();

	run.engine.skip = &o->skip;
	if (site_run_open(&run, args[0], &o->common, e) < 0 || site_run_steps(&run, false, e) < 0 || engine_begin(&run.engine, e) < 0)
		return -1;

	int r = preflight_ask(&run.engine, PREFLIGHT_LOOK, jobs, &findings, e);

	findings_tell(&findings);
	if (r < 0 || findings_verdict(&findings, e) < 0)
		return -1;
	return report(&run, jobs, o->common.json, e);
}
