/*
 * pod - pod templates inside rendered objects, and Kubernetes' Pod Security Standards judged on them (standards §8.1).
 *
 * Found in every kind: any map with a `containers` list counts, wherever it stands (Deployment, Job, CronJob, a custom
 * resource), and in ConfigMap texts that parse as YAML, two texts deep (templates an agent will start later). What such an agent fills
 * in may be absent there: containers need no names below `spec` of a text.
 */
#pragma once

#include <airgap/helm.h>

struct pod_template {
	json_t *spec;           /* owned */
	json_t *metadata;       /* beside it; owned, may be NULL */
	char *source, *kind;    /* template file, kind of the object */
	char *path;             /* "spec.template.spec" */
	bool embedded;          /* in a ConfigMap's text or a custom resource: the API server does not judge it */
};
struct pod_templates { struct pod_template *items; size_t n; };
#define auto_pods CLEANUP(pod_templates_release)
void pod_templates_release(struct pod_templates *t);

/* helm tests are left out. */
int pod_find_templates(const struct helm_objects *o, struct pod_templates *out, struct err *e) MUST_CHECK;

enum pod_level { POD_PRIVILEGED, POD_BASELINE, POD_RESTRICTED };
/* NULL or another word: restricted. */
enum pod_level pod_level(const char *name);

/* Calls report for every violation; path is that of the field within the object ("spec.containers[web].securityContext.privileged"),
 * what says what is wrong and what to do. */
typedef void (*pod_report)(void *ctx, const struct pod_template *t, const char *path, const char *what);
/* The rules of a level as Kubernetes 1.36 has them, for every container, init container and ephemeral container. A user namespace
 * (hostUsers: false) relaxes nothing here: clusters before 1.35 judge as if it were not there. */
void pod_check(const struct pod_template *t, enum pod_level level, pod_report report, void *ctx);
/* Where the cluster gives the uid, none may be set. */
void pod_check_no_uid(const struct pod_template *t, pod_report report, void *ctx);
