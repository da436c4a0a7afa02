/*
 * wants - what rendered output asks of a cluster: claims, classes, addresses, requests, kinds that must be made.
 *
 * The engine adds to it while it proves, since it renders everything then; the checks of the preflight hold it against what
 * is there. Only the few kinds they look at are kept, so that it stays small beside what was rendered.
 */
#pragma once

#include <airgap/helm.h>

#include <pthread.h>

struct want {
	char *from;             /* "Release/server" */
	char *ns;               /* the object's, else the release's */
	json_t *object;
};

/* A kind that must be made: "create" it. group "" = core. */
struct want_kind { char *from, *ns, *group, *kind; };

struct wants {
	struct want *items; size_t n;
	struct want_kind *kinds; size_t n_kinds;        /* unique by (ns, group, kind) */
	struct strv patterns;           /* images whose tag is each node's own: "registry.site/x/driver:580-{kernel}" */
	pthread_mutex_t lock;
};
#define WANTS_INIT { .lock = PTHREAD_MUTEX_INITIALIZER }
#define auto_wants CLEANUP(wants_release)
void wants_release(struct wants *w);

/* Test objects are left out. Threads may add at the same time. */
void wants_add(struct wants *w, const char *from, const char *ns, const struct helm_objects *o);
void wants_add_pattern(struct wants *w, const char *image);
void wants_sort(struct wants *w);       /* by step, kind and name: what is said is the same each time */

/* A claim on storage, of its own or as a template of a set, in custom resources too. */
struct want_claim {
	const struct want *want;        /* borrowed */
	char *name;                     /* of the claim, or of the template */
	const json_t *spec;             /* borrowed */
	uint64_t count;                 /* one for each replica */
	bool template;
};
struct want_claims { struct want_claim *items; size_t n; };
#define auto_want_claims CLEANUP(want_claims_release)
void want_claims_release(struct want_claims *c);
void want_claims_find(const struct wants *w, struct want_claims *out);

/* "500m", "1.5", "2Gi", "1e3", or a number: in units; false when it is none. Kubernetes' quantities. */
bool quantity_parse(const json_t *j, double *out) MUST_CHECK;
/* "2.5Gi" for people; bytes. */
char *quantity_bytes(double n) MUST_CHECK;
