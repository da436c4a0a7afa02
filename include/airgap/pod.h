/*
 * pod - pod templates inside rendered objects, and Kubernetes' restricted level judged on them (standards §8.1).
 *
 * Found in every kind: any map with a `containers` list counts, wherever it stands (Deployment, Job, CronJob, a custom
 * resource), and in ConfigMap texts that parse as YAML (templates an agent will start later).
 */
#pragma once

#include <airgap/helm.h>

struct pod_template {
	json_t *spec;           /* owned */
	char *source, *kind;    /* template file, kind of the object */
	char *path;             /* "spec.template.spec" */
	bool embedded;          /* in a ConfigMap's text or a custom resource: the API server does not judge it */
};
struct pod_templates { struct pod_template *items; size_t n; };
#define auto_pods CLEANUP(pod_templates_release)
void pod_templates_release(struct pod_templates *t);

/* helm tests are left out. */
int pod_find_templates(const struct helm_objects *o, struct pod_templates *out, struct err *e) MUST_CHECK;

/* Calls report for every violation; path is within the object, what says what is wrong and what to do.
 * fixed_uid false (profile nonroot-arbitrary-uid): the cluster gives the uid, so none may be set. */
typedef void (*pod_report)(void *ctx, const struct pod_template *t, const char *path, const char *what);
void pod_check_restricted(const struct pod_template *t, bool fixed_uid, pod_report report, void *ctx);
