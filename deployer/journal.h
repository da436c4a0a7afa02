/*
 * journal - which steps are done: a local file, appended and fsync'ed after each, and Kubernetes Secrets in
 * airgap-system (split under 1 MiB), so that another machine can go on and status works without the file.
 *
 * A record counts only when its line is whole (its hash is right). `done` and `failed` are written after the step.
 * `started` is written before it and to the local file alone: it says no more than that a pending Helm release is our
 * own leftover, which may be cleared away without asking. On another machine such a release is an error that says what
 * to do. The later record of a step wins, wherever it stands; what the cluster missed it gets at the next install.
 *
 * `made` is the step as steps_keep has it, given with `started`: what has to be known to remove it when no site says it any
 * more. A later record without one keeps it, but for `removed`, which ends the step. References in it are not resolved.
 * More than 512 KiB is not kept: then no more than `needs` and `protect` is, and what the step made is not known.
 */
#pragma once

#include "session.h"

#include <airgap/steps.h>

struct journal_record {
	char *step;             /* "Release/server" */
	struct digest digest;   /* of the rendered step and its resolved references */
	char *bundle;           /* bundle id, hex */
	char *when;             /* RFC 3339 */
	uint64_t revision;      /* of a helm release, 0 = none */
	char *result;           /* started | done | failed | removed */
	char *note;             /* chart version, or why it failed */
	json_t *made;           /* NULL = as the record before has it */
};

struct journal;
/* stream names the file and the Secrets (system_read was called). Not writing: nothing is changed, no file is made. */
int journal_open(struct session *s, const char *stream, bool writing, struct journal **out, struct err *e) MUST_CHECK;
void journal_close(struct journal *j);
DEFINE_CLEANUP_PTR(cleanup_journal, struct journal, journal_close)
#define auto_journal CLEANUP(cleanup_journal)

const struct journal_record *journal_last(const struct journal *j, const char *step);  /* NULL = never. Not while steps run: borrowed until the next add */
/* A run on this machine began the step and was killed in it. What other machines failed at since does not matter, what
 * they did does. */
bool journal_begun(const struct journal *j, const char *step);
/* This machine's file has the same `made`. What the cluster alone has may be of anybody who writes Secrets in airgap-system. */
bool journal_made_here(const struct journal *j, const char *step);
/* The steps of other streams that the cluster has, as steps_recall gives them, appended to out. */
int journal_others(const struct journal *j, struct steps *out, struct err *e) MUST_CHECK;
size_t journal_count(const struct journal *j);
const struct journal_record *journal_at(const struct journal *j, size_t i);    /* last record of each step */
/* Thread-safe. 0: on disk and, unless it is `started` or the run is interrupted, in the cluster. */
int journal_add(struct journal *j, const struct journal_record *r, struct err *e) MUST_CHECK;
/* Records that only the local file has, into the cluster; writes nothing when there are none. */
int journal_sync(struct journal *j, struct err *e) MUST_CHECK;
/* What was installed: the site file as applied, bundle name, version, id; in the cluster's record, written when changed. */
int journal_set_installed(struct journal *j, const json_t *about, struct err *e) MUST_CHECK;
const json_t *journal_installed(const struct journal *j);
