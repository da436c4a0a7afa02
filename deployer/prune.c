/* SPDX-License-Identifier: Apache-2.0 */
#include "prune.h"

#include "removal.h"

#include <airgap/log.h>
#include <airgap/proc.h>

void pruned_release(struct pruned *p)
{
	strv_release(&p->said);
}

static int forget(struct engine *g, const struct step *s, struct err *e)
{
	const struct journal_record gone = { .step = s->id, .bundle = g->bundle, .result = (char *)"removed" };

	return journal_add(g->journal, &gone, e);
}

/* 1: gone. 0: it stays, or something of it. */
static int remove_step(struct removal *r, const struct leaving_row *row, struct err *e)
{
	const struct step *s = row->step;
	bool own_reason = row->stays && !row->held;
	int gone;

	if (proc_interrupted)
		return err_set(e, ERR_DEADLINE, "interrupted: run the same command again to go on");
	if (lease_check(r->engine->lease, e) < 0)
		return -1;
	if (own_reason)
		gone = removal_is_gone(r, s, e);
	else
		gone = removals[s->kind] ? removals[s->kind](r, s, e) : 1;
	if (gone <= 0)
		return gone;
	return forget(r->engine, s, e) < 0 ? -1 : 1;
}

/* A step that stays and needs this one. */
static const struct step *needed_by(const struct leaving *l, const struct step *s, const bool *stays)
{
	size_t at = (size_t)(s - l->steps.items);

	for (size_t i = 0; i < l->steps.n; i++)
		for (size_t k = 0; stays[i] && i != at && k < l->steps.items[i].n_needs; k++)
			if (l->steps.items[i].needs[k] == at)
				return &l->steps.items[i];
	return NULL;
}

struct pruning {
	struct removal removal;
	const struct leaving *leaving;
	bool *stays;
	struct pruned *out;
	struct err first;
};

static void pruning_release(struct pruning *p)
{
	removal_end(&p->removal);
	free(p->stays);
}

static void say_stays(struct strv *said, const struct leaving_row *row, const char *why)
{
	if (!step_kind_lasts(row->step->kind))
		return;
	strv_pushf(said, "%s: %s%s%s", row->step->id, why, row->command ? ": " : "", row->command ? row->command : "");
}

static void visit(struct pruning *p, const struct leaving_row *row)
{
	const struct step *needing = needed_by(p->leaving, row->step, p->stays);
	struct err why = { 0 };
	int gone = 0;

	if (needing) {
		auto_free char *text = xasprintf("%s needs it, and stays", needing->id);

		say_stays(&p->out->said, row, text);
	} else {
		gone = remove_step(&p->removal, row, &why);
		if (gone == 0 && row->stays)
			say_stays(&p->out->said, row, row->stays);
	}
	p->stays[row->step - p->leaving->steps.items] = gone <= 0;
	if (gone > 0 && step_kind_lasts(row->step->kind)) {
		p->out->removed++;
		progress_item("%s: removed", row->step->id);
	}
	if (gone >= 0)
		return;
	err_wrap(&why, "%s: not removed", row->step->id);
	if (p->first.code == ERR_NONE)
		p->first = why;
	else
		log_error("%s", why.msg);
}

int prune(struct engine *g, const struct leaving *l, struct pruned *out, struct err *e)
{
	CLEANUP(pruning_release) struct pruning p = { .leaving = l, .out = out };

	if (l->steps.n == 0)
		return 0;
	p.stays = xcalloc(l->steps.n, sizeof(*p.stays));
	secrets_recall(g->secrets, &l->steps);
	if (removal_begin(&p.removal, g, &l->steps, &out->said, e) < 0)
		return -1;
	progress_begin("prune", 0);
	for (size_t i = 0; i < l->steps.n && !proc_interrupted; i++)
		visit(&p, &l->rows[i]);
	progress_end();
	if (proc_interrupted)
		return err_set(e, ERR_DEADLINE, "interrupted");
	if (p.first.code == ERR_NONE)
		return 0;
	*e = p.first;
	return -1;
}
