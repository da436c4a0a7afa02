/*
 * engine - does the steps: a graph, a table of kinds, a journal; skipped when done and still true.
 *
 * A step is skipped only when the journal says done with the same digest and its live check passes. A failed step
 * stops its dependants only and is diagnosed before anything is undone. `late` values of a Release are a second node
 * of the graph: the release is upgraded once more when what they need is done.
 */
#pragma once

#include "journal.h"
#include "lease.h"
#include "render.h"
#include "secrets.h"
#include "wants.h"

#include <stdatomic.h>

/* What the journal said of a step when the run began. */
struct step_past {
	bool done, started;     /* started = a run on this machine was killed in the middle of it */
	struct digest digest;
	uint64_t revision;
};

struct engine {
	struct session *session;
	const struct steps *steps;
	struct secrets *secrets;
	struct journal *journal;
	const struct lease *lease;      /* NULL while nothing is written */
	const char *from, *retry;       /* --from, --retry */
	const struct strv *only;        /* --only */
	const struct strv *skip;        /* --skip: checks, and probes that are not to count as passed */
	bool take_ownership;
	struct step_past *past;         /* one per step; made by engine_begin, the step's own node brings it up to date */
	atomic_bool *done;              /* one per step: by an earlier run, or by now */
	char bundle[DIGEST_HEX];        /* bundle id */
	struct wants *wants;            /* engine_prove adds what is rendered; NULL = nobody asks */
};

/* Fills past and bundle. -1: --only, --from or --retry names no step. */
int engine_begin(struct engine *g, struct err *e) MUST_CHECK;
void engine_end(struct engine *g);
/* All of these steps (KIND/NAME or a name) are done. */
bool engine_all_done(const struct engine *g, const struct strv *ids);
const struct step_past *engine_past(const struct engine *g, const struct step *s);

enum step_state {
	STEP_NEW,               /* nothing of it is there */
	STEP_CHANGES,           /* there, but not as it should be because the step or bundle changed */
	STEP_DRIFTED,           /* there, changed by somebody else */
	STEP_SAME,
	STEP_FAILING,           /* as it should be, but not ready */
	STEP_LEAVING,           /* there, and not among the steps of the site; never the answer of a check */
};

/* One kind of step: one row of step_actions, one file step_KIND.c. */
struct step_action {
	/* Live state, read-only. diff (may be NULL) gets lines for people ("+ …", "- …"), secrets masked. */
	int (*check)(struct engine *g, const struct step *s, enum step_state *out, struct strv *diff, struct err *e);
	/* Makes it so, and waits until it is. Idempotent. record's note and revision may be set. */
	int (*run)(struct engine *g, const struct step *s, struct journal_record *record, struct err *e);
};
extern const struct step_action step_actions[STEP_KINDS];

/* The actions, each in its own file. */
int step_namespace_check(struct engine *, const struct step *, enum step_state *, struct strv *, struct err *);
int step_namespace_run(struct engine *, const struct step *, struct journal_record *, struct err *);
/* The namespace and what is in it, as applied: the Namespace alone, then the pull secret and the accounts. */
int step_namespace_objects(struct engine *, const struct step_namespace *, json_t **out, struct err *);
int step_secret_check(struct engine *, const struct step *, enum step_state *, struct strv *, struct err *);
int step_secret_run(struct engine *, const struct step *, struct journal_record *, struct err *);
int step_release_check(struct engine *, const struct step *, enum step_state *, struct strv *, struct err *);
int step_release_run(struct engine *, const struct step *, struct journal_record *, struct err *);
/* What an Apply step applies, references resolved, namespaces filled in. */
int step_apply_objects(struct engine *, const struct step *, bool placeholders, json_t **out, struct err *);
int step_apply_check(struct engine *, const struct step *, enum step_state *, struct strv *, struct err *);
int step_apply_run(struct engine *, const struct step *, struct journal_record *, struct err *);
int step_wait_check(struct engine *, const struct step *, enum step_state *, struct strv *, struct err *);
int step_wait_run(struct engine *, const struct step *, struct journal_record *, struct err *);
int step_label_check(struct engine *, const struct step *, enum step_state *, struct strv *, struct err *);
int step_label_run(struct engine *, const struct step *, struct journal_record *, struct err *);
int step_call_check(struct engine *, const struct step *, enum step_state *, struct strv *, struct err *);
int step_call_run(struct engine *, const struct step *, struct journal_record *, struct err *);
int step_run_check(struct engine *, const struct step *, enum step_state *, struct strv *, struct err *);
int step_run_run(struct engine *, const struct step *, struct journal_record *, struct err *);
/* The preflight asks a probe, before the first write; the step records that it passed. */
int step_probe_check(struct engine *, const struct step *, enum step_state *, struct strv *, struct err *);
int step_probe_run(struct engine *, const struct step *, struct journal_record *, struct err *);

/* The values of a release: `base` files of its chart, `values`, and the `late` ones whose needs are done (or all). */
int step_release_values(struct engine *g, const struct step *s, bool placeholders, bool all_late, json_t **out,
			struct err *e) MUST_CHECK;

/* What helm keeps of values against what it was given: numbers by value, null as absent. */
bool step_release_same_values(const json_t *a, const json_t *b);
/* It has volumes and its appVersion changes: the default is not to roll back. */
bool step_release_migrates(const char *before, const char *after, const struct helm_objects *objects);

/* Of the rendered step and of every value its references stand for. */
int engine_step_digest(struct engine *g, const struct step *s, struct digest *out, struct err *e) MUST_CHECK;
/* The state of a step: its live check and, where that says same, the journal's word that nothing in it changed. */
int engine_check(struct engine *g, const struct step *s, enum step_state *out, struct strv *diff, struct err *e) MUST_CHECK;
extern const char *const step_state_names[];

/* Before anything is installed: every Release rendered, its images, profile and ConfigMaps proved, and the ConfigMaps of
 * Apply steps. All violations in `out`. */
int engine_prove(struct engine *g, unsigned jobs, struct strv *out, struct err *e) MUST_CHECK;

/* Why what the step touches is not ready, on stderr; quiet when interrupted. */
void engine_diagnose(struct engine *g, const struct step *s);
/* Runs the graph; *out_changed = steps that were run. -1: the first failure; the others and every diagnosis were logged. */
int engine_run(struct engine *g, unsigned jobs, size_t *out_changed, struct err *e) MUST_CHECK;
