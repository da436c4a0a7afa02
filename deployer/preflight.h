/*
 * preflight - everything that is missing, found before the first write and told at once (law 5).
 *
 * First what needs the bundle, the site file and the registry alone; then the proof of what will be installed; then
 * what that asks of the cluster, against what is there; last the probes of the stack. A check that could only fail because
 * of another one is not asked, and its row says so.
 */
#pragma once

#include "engine.h"
#include "findings.h"

enum preflight_mode {
	PREFLIGHT_LOOK,         /* plan: makes no pod */
	PREFLIGHT_INSTALL,      /* probes that did not pass before, or changed; the pull where nothing is installed yet */
	PREFLIGHT_ALL,          /* all of them again */
};

/* 0: every check has its row in `out`; findings_verdict says what they come to. -1: it could not be asked, and `out` has what
 * was found until then. g->skip holds ids to leave out. engine_begin was called. Probes in pods take a namespace of their own,
 * airgap-probe, that is gone afterwards, and their images in the registry: only those are pushed. ERR_LOCKED: another run has
 * that namespace. */
int preflight_ask(struct engine *g, enum preflight_mode mode, unsigned jobs, struct findings *out, struct err *e) MUST_CHECK;
/* The first part of it, which writes nothing to the cluster: all but the rows of preflight_probes. *out_pods: a failure, if
 * there is one, does not keep them from being asked. */
int preflight_look(struct engine *g, unsigned jobs, struct findings *out, bool *out_pods, struct err *e) MUST_CHECK;

/* The rows of what the run asks of the cluster. What cannot be known is a warning. */
void preflight_cluster(struct engine *g, struct wants *wants, bool asking, struct findings *out);
/* The rows of the probes and of the pull on every node. asking false: another check says that they cannot be asked.
 * -1: they could not be. */
int preflight_probes(struct engine *g, enum preflight_mode mode, bool asking, struct findings *out, struct err *e) MUST_CHECK;
/* Since when another run has this Namespace for its probes (borrowed); NULL: it may go, since nobody's name is on it, or the
 * holder is known to be dead, or it is too old for one that still asks. now: seconds since 1970. */
const char *preflight_held(const json_t *ns, int64_t now);
bool preflight_skips(const struct engine *g, const char *id);
