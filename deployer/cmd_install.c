/* SPDX-License-Identifier: Apache-2.0 */
#include "applied.h"
#include "commands.h"
#include "installed.h"
#include "keep.h"
#include "lease.h"
#include "preflight.h"
#include "prune.h"
#include "push.h"
#include "report.h"
#include "site_run.h"
#include "system.h"

#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/pool.h>
#include <airgap/proc.h>
#include <airgap/trust.h>

#include <stdio.h>

struct install_opts {
	struct common_opts common;
	struct strv only, skip;
	const char *from, *retry;
	bool take_ownership, no_push, prune;
};

const size_t install_opts_size = sizeof(struct install_opts);
const struct opt install_options[] = {
	COMMON_TRUST_OPTIONS(struct install_opts),
	COMMON_SITE_OPTIONS(struct install_opts),
	OPT_LIST(struct install_opts, only, 0, "only", "STEP", "do this step alone; may be repeated"),
	OPT_STR(struct install_opts, from, 0, "from", "STEP", "do this step and what needs it"),
	OPT_STR(struct install_opts, retry, 0, "retry", "STEP", "do this step even if nothing in it changed"),
	OPT_LIST(struct install_opts, skip, 0, "skip", "ID", "leave out a preflight check; may be repeated"),
	OPT_FLAG(struct install_opts, no_push, 0, "no-push", "the registry has everything already"),
	OPT_FLAG(struct install_opts, take_ownership, 0, "take-ownership", "take over objects that others made"),
	OPT_FLAG(struct install_opts, prune, 0, "prune", "remove what an earlier install did and the site does not say any more"),
	OPT_UINT(struct install_opts, common.jobs, 'j', "jobs", "N", "uploads and steps at once"),
	{ 0 }
};

/* The cluster's memory of the stream against ours: the higher wins, an older bundle is refused (format §6). */
static int check_cluster_state(struct site_run *run, struct err *e)
{
	const struct statement *st = bundle_statement(run->session.bundle);
	const json_t *kept = json_object_get((json_t *)journal_installed(run->journal), "state");
	struct stream_state known = { 0 };

	if (!kept || run->session.opts->allow_downgrade || !bundle_trusted(run->session.bundle))
		return 0;
	if (trust_state_decode(kept, st->stream, &known, e) < 0)
		return -1;
	if (known.sequence > st->sequence)
		return err_set(e, ERR_POLICY, "stream '%s': the cluster has sequence %llu, this bundle is older (%llu): give "
			       "--allow-downgrade to install it all the same", st->stream, (unsigned long long)known.sequence,
			       (unsigned long long)st->sequence);
	if (known.sequence == st->sequence && !digest_eq(&known.id, bundle_id(run->session.bundle)))
		return err_set(e, ERR_POLICY, "stream '%s': the cluster has another bundle with sequence %llu", st->stream,
			       (unsigned long long)st->sequence);
	return 0;
}

/* What is installed from now on, for a later run on any machine. The site file holds references, no secrets. After
 * some steps alone, what there was before the first of them is remembered, too. */
static int remember(struct site_run *run, struct err *e)
{
	const json_t *from = json_object_get((json_t *)journal_installed(run->journal), "from");
	auto_json json_t *told = NULL;
	auto_json json_t *now = NULL;

	if (installed_read(&run->session, run->journal, &told, &now, e) < 0)
		return -1;

	const struct statement *st = bundle_statement(run->session.bundle);
	struct stream_state next = bundle_state_next(run->session.bundle);
	auto_json json_t *about = json_pack("{s:s, s:s, s:s, s:s, s:O, s:O}", "name", run->session.contents.name, "version",
					    run->session.contents.version, "bundle", run->engine.bundle, "stream", st->stream,
					    "site", run->session.site.doc, "releases", now);

	if (from && (run->engine.only->n || run->engine.from))
		json_object_set(about, "from", (json_t *)from);
	if (bundle_trusted(run->session.bundle))
		json_object_set_new(about, "state", trust_state_encode(st->stream, &next));
	return applied_save(&run->session, st->stream, e) < 0 ? -1 : journal_set_installed(run->journal, about, e);
}

static int check_frames(struct session *s, unsigned jobs, struct err *e)
{
	progress_begin("verify", bundle_size(s->bundle));

	int r = bundle_check_all(s->bundle, jobs, progress_add, e);

	progress_end();
	return r;
}

/* Nothing is written before all content is known to be good: where the file is, or, without it, where it went. */
static int check_content(struct session *s, const struct install_opts *o, unsigned jobs, struct err *e)
{
	bool gone = bundle_is_head_alone(s->bundle);

	if (!gone && check_frames(s, jobs, e) < 0)
		return -1;
	if (!gone && !o->no_push)
		return 0;
	if (gone && keep_check(s, jobs, e) < 0)
		return -1;
	return push_check(s, jobs, gone ? "give the bundle file" : "leave out --no-push", e);
}

static int ask(struct site_run *run, const struct install_opts *o, unsigned jobs, struct findings *out, struct err *e)
{
	bool pods;

	if (preflight_look(&run->engine, jobs, out, &pods, e) < 0)
		return -1;
	/* Pods are the first that is written. Without them something has failed already, and nothing will be. */
	if (pods && check_content(&run->session, o, jobs, e) < 0)
		return -1;
	return preflight_probes(&run->engine, PREFLIGHT_INSTALL, pods, out, e);
}

/* Everything that can be found wrong before an install begins. */
static int before(struct site_run *run, const struct install_opts *o, unsigned jobs, struct err *e)
{
	auto_findings struct findings findings = { 0 };
	int r = ask(run, o, jobs, &findings, e);

	findings_tell(&findings);
	return r < 0 ? -1 : findings_verdict(&findings, e);
}

static int push(struct site_run *run, const struct install_opts *o, struct push_report *report, struct err *e)
{
	*report = (struct push_report){ 0 };
	return o->no_push || bundle_is_head_alone(run->session.bundle) ? 0 : push_all(&run->session, NULL, report, e);
}

struct outcome { struct push_report push; size_t changed; struct pruned pruned; };

static void outcome_release(struct outcome *o)
{
	pruned_release(&o->pruned);
}

static void tell(const struct site_run *run, const struct outcome *o)
{
	const char *name = run->session.contents.name, *version = run->session.contents.version;
	auto_free char *removed = o->pruned.removed ? xasprintf(", %zu removed", o->pruned.removed) : xstrdup("");
	char size[16];

	if (o->changed + o->push.uploaded + o->pruned.removed == 0)
		printf("%s %s: nothing changed\n", name, version);
	else
		printf("%s %s: installed: %zu step%s done%s, %llu blobs uploaded (%s)\n", name, version, o->changed,
		       o->changed == 1 ? "" : "s", removed, (unsigned long long)o->push.uploaded, log_size(size, o->push.bytes));
}

/* What stays of the steps that leave. */
static void tell_kept(const struct site_run *run, const struct install_opts *o, const struct pruned *p)
{
	if (!o->prune)
		report_left(&run->leaving, true);
	for (size_t i = 0; i < p->said.n; i++)
		printf("kept: %s\n", p->said.items[i]);
}

/* Ours alone from here on: what was read before still holds, what the last run could not tell the cluster is told. */
static int begin_writing(struct site_run *run, struct lease **lease, struct err *e)
{
	struct session *s = &run->session;

	if (system_ensure(s, e) < 0 || lease_take(s, lease, e) < 0)
		return -1;
	run->engine.lease = *lease;
	if (system_unchanged(s, e) < 0 || secrets_save(run->secrets, e) < 0 || journal_sync(run->journal, e) < 0 ||
	    installed_keep(s, run->journal, run->releases, run->engine.bundle, e) < 0)
		return -1;
	return session_accept(s, e);
}

static int write_phase(struct site_run *run, const struct install_opts *o, unsigned jobs, struct err *e)
{
	auto_lease struct lease *lease = NULL;
	CLEANUP(outcome_release) struct outcome done = { 0 };
	int r;

	if (begin_writing(run, &lease, e) < 0 || push(run, o, &done.push, e) < 0 ||
	    engine_run(&run->engine, jobs, &done.changed, e) < 0 || remember(run, e) < 0)
		return -1;
	r = o->prune ? prune(&run->engine, &run->leaving, &done.pruned, e) : 0;
	if (r == 0)
		tell(run, &done);
	tell_kept(run, o, &done.pruned);
	return r;
}

static int install(struct site_run *run, const struct install_opts *o, const char *bundle, struct err *e)
{
	unsigned jobs = o->common.jobs ? o->common.jobs : pool_jobs();
	auto_fd int lock = -1;

	if (o->prune && (o->only.n || o->from))
		return err_set(e, ERR_USAGE, "--prune: comes after all steps are done: leave out --only and --from");
	if (site_run_open(run, bundle, &o->common, e) < 0 || site_run_lock(run, &lock, e) < 0 || site_run_steps(run, true, e) < 0 ||
	    check_cluster_state(run, e) < 0)
		return -1;
	run->engine.only = &o->only;
	run->engine.skip = &o->skip;
	run->engine.from = o->from;
	run->engine.retry = o->retry;
	run->engine.take_ownership = o->take_ownership;
	if (engine_begin(&run->engine, e) < 0 || before(run, o, jobs, e) < 0)
		return -1;
	return write_phase(run, o, jobs, e);
}

int install_run(const void *opts, char **args, struct err *e)
{
	const struct install_opts *o = opts;
	auto_site_run struct site_run run = { 0 };
	int r = install(&run, o, args[0], e);

	if (r < 0 && proc_interrupted)
		err_set(e, ERR_DEADLINE, "interrupted: run the same command again, it goes on where it stopped");
	return r;
}
