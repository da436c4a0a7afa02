/*
 * secrets - the values behind references: generated once, kept in one Kubernetes Secret, never printed (design §3).
 *
 *	secrets_open        from Secret airgap-system/airgap-secrets as system_read found it (absent: empty)
 *	secrets_check       can every reference be resolved? Before the first write
 *	secrets_resolve     replaces the references of a document; new generated values are remembered
 *	secrets_save        writes the Secret if anything new was made; before the first use of such a value
 *
 * `$(generate:…)` in Secret step N key K is kept under "N/K" and is what `$(secret:N/K)` gives. What a Call step saves is
 * kept beside it.
 * May be used from several threads.
 */
#pragma once

#include "session.h"

#include <airgap/reference.h>
#include <airgap/steps.h>

struct secrets;
int secrets_open(struct session *s, const struct steps *steps, struct secrets **out, struct err *e) MUST_CHECK;
void secrets_close(struct secrets *x);          /* wipes */
DEFINE_CLEANUP_PTR(cleanup_secrets, struct secrets, secrets_close)
#define auto_secrets CLEANUP(cleanup_secrets)

/* Steps of an earlier install, lent: what no step of the site makes is looked for there. */
void secrets_recall(struct secrets *x, const struct steps *past);
/* Every variable is set, every file can be read: else all that is missing in `out`, "STEP: PATH: …". */
int secrets_check(struct secrets *x, struct strv *out, struct err *e) MUST_CHECK;
/* A copy of j with all references resolved. owner names the step ("Secret/server") for generated values. With
 * `placeholders` nothing is generated: what is not known yet gets a value of the right shape, the same each time and like
 * nothing else, so that it can be found again in what a chart makes of it. A secret in a ConfigMap is ERR_PROOF. */
json_t *secrets_resolve(struct secrets *x, const char *owner, const json_t *j, bool placeholders, struct err *e) MUST_CHECK;
/* The same without placeholders and without generating: *known is false, and the answer not to be used, when something in
 * it is not known yet. For a look at what there is. */
json_t *secrets_resolve_known(struct secrets *x, const char *owner, const json_t *j, bool *known, struct err *e) MUST_CHECK;
int secrets_save(struct secrets *x, struct err *e) MUST_CHECK;

/* What a Call step saves, {KEY: TEXT}: known to references at once, in the cluster with the next secrets_save. */
void secrets_keep(struct secrets *x, const struct step *s, const json_t *values);
void secrets_forget(struct secrets *x, const struct step *s, const char *key);  /* the same way */
char *secrets_kept(struct secrets *x, const struct step *s, const char *key) MUST_CHECK;       /* owned; NULL = not */
/* Replaces what is a secret in text by ***, in place. */
void secrets_mask(struct secrets *x, char *text);
/* Keyed hash of a resolved document: part of a step's digest; tells nothing of a secret in it. */
struct digest secrets_fingerprint(struct secrets *x, const json_t *resolved);
/* No ConfigMap of these objects holds a resolved secret: else ERR_PROOF naming chart, file and key. A certificate from a
 * file is none. */
struct helm_objects;
int secrets_check_objects(struct secrets *x, const char *chart, const struct helm_objects *o, struct err *e) MUST_CHECK;
