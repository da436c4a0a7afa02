/* SPDX-License-Identifier: Apache-2.0 */
#include "preflight.h"

#include "push.h"

#include <airgap/fs.h>
#include <airgap/semver.h>

#define FREE_SPACE (256u << 20) /* tools and one chart at a time */

struct asking {
	struct engine *engine;
	struct session *session;
	const struct steps *steps;
	unsigned jobs;
	struct findings *out;
};

/* The registry answers, and lets us push there; an index that it may not take is tried. */
static int check_registry(struct asking *a, struct err *e)
{
	return push_probe(a->session, e);
}

static int check_space(struct asking *a, struct err *e)
{
	uint64_t have;

	if (fs_make_dirs(a->session->state_dir, 0700, e) < 0 || fs_free_space(a->session->state_dir, &have, e) < 0)
		return -1;
	if (have < FREE_SPACE)
		return err_set(e, ERR_SPACE, "'%s': %llu MiB free, %u MiB needed: make room or set XDG_STATE_HOME",
			       a->session->state_dir, (unsigned long long)(have >> 20), FREE_SPACE >> 20);
	return 0;
}

static void missing_files(const struct contents *c, const struct step_run *r, struct strv *missing)
{
	const char *name;
	json_t *path;

	json_object_foreach(r->files, name, path)
		if (!contents_file(c, name, NULL))
			strv_pushf(missing, "file '%s'", name);
}

/* Every chart and file that a step names is carried; images are proved on rendered output. All that is missing is named. */
static int check_contents(struct asking *a, struct err *e)
{
	const struct contents *c = &a->session->contents;
	auto_strv struct strv missing = { 0 };

	for (size_t i = 0; i < a->steps->n; i++) {
		const struct step *s = &a->steps->items[i];

		if (s->kind == STEP_RELEASE && !contents_chart(c, s->release.chart))
			strv_pushf(&missing, "chart '%s'", s->release.chart);
		if (s->kind == STEP_APPLY && s->apply.file && !contents_file(c, s->apply.file, NULL))
			strv_pushf(&missing, "file '%s'", s->apply.file);
		if (s->kind == STEP_RUN || s->kind == STEP_PROBE)
			missing_files(c, s->kind == STEP_RUN ? &s->run : &s->probe.run, &missing);
	}
	if (!missing.n)
		return 0;

	auto_free char *list = strv_join(&missing, ", ");

	return err_set(e, ERR_PREFLIGHT, "bundle '%s': lacks %s: build it again with this site file", c->name, list);
}

/* Every reference of the steps leads somewhere. */
static int check_references(struct asking *a, struct err *e)
{
	auto_strv struct strv missing = { 0 };

	if (secrets_check(a->engine->secrets, &missing, e) < 0)
		return -1;
	if (!missing.n)
		return 0;

	auto_free char *list = strv_join(&missing, "; ");

	return err_set(e, ERR_PREFLIGHT, "%s", list);
}

/* Charts say which Kubernetes they are for. */
static int check_kubernetes(struct asking *a, struct err *e)
{
	const struct contents *c = &a->session->contents;
	auto_strv struct strv wrong = { 0 };

	for (size_t i = 0; i < a->steps->n; i++) {
		const struct step *s = &a->steps->items[i];
		const struct content_chart *chart = s->kind == STEP_RELEASE ? contents_chart(c, s->release.chart) : NULL;
		int fits = chart && chart->kube_version ? semver_matches(chart->kube_version, a->session->cluster_version, e) : 1;

		if (fits < 0)
			return err_wrap(e, "chart '%s'", chart->name);
		if (!fits)
			strv_pushf(&wrong, "chart '%s' %s wants %s", chart->name, chart->version, chart->kube_version);
	}
	if (!wrong.n)
		return 0;
	strv_sort(&wrong);
	strv_uniq(&wrong);

	auto_free char *list = strv_join(&wrong, ", ");

	return err_set(e, ERR_PREFLIGHT, "the cluster is Kubernetes %s: %s: update the cluster, or build with charts that fit",
		       a->session->cluster_version, list);
}

/* ---- the proof, and what it finds out on the way ---- */

static void prove(struct asking *a, struct finding_row *row)
{
	auto_strv struct strv violations = { 0 };
	struct err e = { 0 };

	if (engine_prove(a->engine, a->jobs, &violations, &e) == 0)
		return;
	row->code = e.code;
	for (size_t i = 0; i < violations.n; i++)
		findings_say(row, FOUND_FAIL, "%s", violations.items[i]);
	if (e.code != ERR_PROOF || !violations.n)
		findings_say(row, FOUND_FAIL, "%s", e.msg);
}

/* ---- the table ---- */

struct check {
	const char *id, *title;
	bool vital;     /* nothing can be asked that depends on the bundle and its steps when it fails */
	int (*run)(struct asking *a, struct err *e);    /* NULL: the proof */
};

static const struct check checks[] = {
	{ "registry", "the site registry answers and takes what is pushed", false, check_registry },
	{ "space", "there is room for the deployer's own files", false, check_space },
	{ "contents", "the bundle has what the steps name", true, check_contents },
	{ "references", "what the site file refers to is there", true, check_references },
	{ "kubernetes", "the charts are for this Kubernetes", true, check_kubernetes },
	{ "proof", "what will be installed keeps the profile and the site registry", true, NULL },
};

bool preflight_skips(const struct engine *g, const char *id)
{
	return g->skip && strv_has(g->skip, id);
}

/* The proof is no guess about the site: it is not left out. */
static int refuse_unknown(const struct engine *g, struct err *e)
{
	auto_strv struct strv ids = { 0 };

	for (size_t i = 0; steps_own_checks[i]; i++)
		if (strcmp(steps_own_checks[i], "proof") != 0)
			strv_push(&ids, steps_own_checks[i]);
	for (size_t i = 0; i < g->steps->n; i++)
		if (g->steps->items[i].kind == STEP_PROBE)
			strv_push(&ids, g->steps->items[i].probe.id);
	for (size_t i = 0; g->skip && i < g->skip->n; i++) {
		auto_free char *list = strv_join(&ids, ", ");

		if (!strv_has(&ids, g->skip->items[i]))
			return err_set(e, ERR_USAGE, "--skip %s: no such check: use %s", g->skip->items[i], list);
	}
	return 0;
}

/* The rows that begin with the bundle. out_able: the rest can be asked. */
static void begin(struct asking *a, bool *out_able)
{
	bool able = true;

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		const struct check *c = &checks[i];
		struct finding_row *row = findings_row(a->out, c->id, c->title);
		struct err e = { 0 };

		if (preflight_skips(a->engine, c->id))
			findings_skip(row, "--skip");
		else if (!c->run && !able)
			findings_skip(row, "not asked: a check before it failed");
		else if (!c->run)
			prove(a, row);
		else if (c->run(a, &e) < 0) {
			row->code = e.code;
			findings_say(row, FOUND_FAIL, "%s", e.msg);
		}
		able = able && !(c->vital && row->result == FOUND_FAIL);
	}
	*out_able = able;
}

int preflight_look(struct engine *g, unsigned jobs, struct findings *out, bool *out_pods, struct err *e)
{
	struct asking a = { g, g->session, g->steps, jobs, out };
	auto_wants struct wants wants = WANTS_INIT;
	bool able;

	if (refuse_unknown(g, e) < 0)
		return -1;
	g->wants = &wants;
	begin(&a, &able);
	g->wants = NULL;
	preflight_cluster(g, &wants, able, out);

	/* Their images go to the registry first. */
	*out_pods = able && out->rows[0]->result != FOUND_FAIL;
	return 0;
}

int preflight_ask(struct engine *g, enum preflight_mode mode, unsigned jobs, struct findings *out, struct err *e)
{
	bool pods;

	return preflight_look(g, jobs, out, &pods, e) < 0 ? -1 : preflight_probes(g, mode, pods, out, e);
}
