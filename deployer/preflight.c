/* SPDX-License-Identifier: Apache-2.0 */
#include "preflight.h"

#include "push.h"

#include <airgap/fs.h>

#define FREE_SPACE (256u << 20) /* tools and one chart at a time */

struct found {
	struct session *session;
	const struct steps *steps;
	struct secrets *secrets;
	struct strv *out;
	enum err_code code;     /* of the first */
};

static void add(struct found *f, const char *id, const struct err *e)
{
	strv_pushf(f->out, "%s: %s", id, e->msg);
	if (f->code == ERR_NONE)
		f->code = e->code;
}

/* The registry answers, and lets us push there; an index that it may not take is tried. */
static int check_registry(struct found *f, struct err *e)
{
	return push_probe(f->session, e);
}

static int check_space(struct found *f, struct err *e)
{
	uint64_t have;

	if (fs_make_dirs(f->session->state_dir, 0700, e) < 0 || fs_free_space(f->session->state_dir, &have, e) < 0)
		return -1;
	if (have < FREE_SPACE)
		return err_set(e, ERR_SPACE, "'%s': %llu MiB free, %u MiB needed: make room or set XDG_STATE_HOME",
			       f->session->state_dir, (unsigned long long)(have >> 20), FREE_SPACE >> 20);
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
static int check_contents(struct found *f, struct err *e)
{
	const struct contents *c = &f->session->contents;
	auto_strv struct strv missing = { 0 };

	for (size_t i = 0; i < f->steps->n; i++) {
		const struct step *s = &f->steps->items[i];

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
static int check_references(struct found *f, struct err *e)
{
	auto_strv struct strv missing = { 0 };

	if (secrets_check(f->secrets, &missing, e) < 0)
		return -1;
	if (!missing.n)
		return 0;

	auto_free char *list = strv_join(&missing, "; ");

	return err_set(e, ERR_PREFLIGHT, "%s", list);
}

static const struct { const char *id; int (*check)(struct found *f, struct err *e); } checks[] = {
	{ "registry", check_registry },
	{ "space", check_space },
	{ "contents", check_contents },
	{ "references", check_references },
};

static bool known_check(const struct steps *steps, const char *id)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		if (strcmp(checks[i].id, id) == 0)
			return true;
	for (size_t i = 0; i < steps->n; i++)
		if (steps->items[i].kind == STEP_PROBE && strcmp(steps->items[i].probe.id, id) == 0)
			return true;
	return false;
}

static int refuse_unknown(const struct engine *g, struct err *e)
{
	auto_strv struct strv ids = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		strv_push(&ids, checks[i].id);
	for (size_t i = 0; i < g->steps->n; i++)
		if (g->steps->items[i].kind == STEP_PROBE)
			strv_push(&ids, g->steps->items[i].probe.id);
	for (size_t i = 0; g->skip && i < g->skip->n; i++) {
		auto_free char *list = strv_join(&ids, ", ");

		if (!known_check(g->steps, g->skip->items[i]))
			return err_set(e, ERR_USAGE, "--skip %s: no such check: use %s", g->skip->items[i], list);
	}
	return 0;
}

int preflight_run(struct engine *g, bool pods, struct strv *out, struct err *e)
{
	struct found f = { g->session, g->steps, g->secrets, out, ERR_NONE };

	if (refuse_unknown(g, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		struct err one = { 0 };

		if ((!g->skip || !strv_has(g->skip, checks[i].id)) && checks[i].check(&f, &one) < 0)
			add(&f, checks[i].id, &one);
	}
	if (!out->n) {
		if (preflight_probes(g, pods, out, e) < 0)
			return err_wrap(e, "probes");
		f.code = ERR_PREFLIGHT;
	}
	if (!out->n)
		return 0;
	if (out->n == 1)
		return err_set(e, f.code, "%s", out->items[0]);
	return err_set(e, ERR_PREFLIGHT, "%zu things missing before the first write: %s", out->n, out->items[0]);
}
