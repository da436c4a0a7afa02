/*
 * helm - the real helm program as functions: hermetic, argv only, no orphan, versions 3 and 4.
 *
 *	auto_helm struct helm h = { 0 };
 *	if (helm_open(&h, NULL, e) < 0) ...             // from PATH, or a path or checked descriptor
 *
 * Every call runs with private HELM_* folders, no plugins but ours, KUBECONFIG only where a cluster is meant,
 * LC_ALL=C, values in a 0600 file of the private folder (removed after the call) and never in argv.
 */
#pragma once

#include <airgap/json.h>
#include <airgap/strv.h>

struct helm {
	int fd;                 /* > 0: run this checked descriptor; else path */
	char *path;
	char *version;          /* "v3.22.0" */
	int major;              /* 3 or 4 */
	char *home;             /* private folder, removed by helm_close */
	char *kubeconfig;       /* may be NULL; set by the caller with xstrdup */
	char *context;
};
#define auto_helm CLEANUP(helm_close)

/* path NULL = "helm" from PATH. ERR_PREFLIGHT when there is none or it is neither 3 nor 4. */
int helm_open(struct helm *h, const char *path, struct err *e) MUST_CHECK;
int helm_open_fd(struct helm *h, int fd, struct err *e) MUST_CHECK;     /* takes a duplicate */
void helm_close(struct helm *h);

struct helm_render {
	const char *chart;              /* path of a .tgz */
	const char *release, *ns;
	const json_t *values;           /* may be NULL */
	const json_t *const *base;      /* values documents under `values`, NULL-ended; may be NULL */
	const char *kube_version;       /* always given; "1.32" */
	const struct strv *api_versions;
	bool is_upgrade;
};

/* A rendered manifest: a document and the template file it came from ("web/templates/deploy.yaml"). */
struct helm_object { json_t *object; char *source; bool hook, test; };
struct helm_objects { struct helm_object *items; size_t n; };
#define auto_helm_objects CLEANUP(helm_objects_release)
void helm_objects_release(struct helm_objects *o);

/* `helm template --include-crds --kube-version … --api-versions …`, parsed. code ERR_MALFORMED with helm's last line
 * on failure (a chart that does not render), ERR_PREFLIGHT when the chart's kubeVersion excludes this one. */
int helm_template(struct helm *h, const struct helm_render *r, struct helm_objects *out, struct err *e) MUST_CHECK;

struct helm_release { char *status; uint64_t revision; char *chart, *app_version; char *updated; };
void helm_release_free(struct helm_release *r);         /* content only */
/* 1: exists, 0: no such release, -1. */
int helm_status(struct helm *h, const char *release, const char *ns, struct helm_release *out, struct err *e) MUST_CHECK;
/* Every release of a namespace (NULL = of the cluster), in whatever state: [{name, namespace, revision, status, chart:
 * "web-1.2.0", …}], as helm says it. ERR_AUTH: they may not be listed. */
int helm_list(struct helm *h, const char *ns, json_t **out, struct err *e) MUST_CHECK;
/* Values the user gave (`helm get values -o json`; null when none); what it made, without hooks (`helm get manifest`).
 * 1, 0: no such release, -1. */
int helm_get_values(struct helm *h, const char *release, const char *ns, json_t **out, struct err *e) MUST_CHECK;
int helm_get_manifest(struct helm *h, const char *release, const char *ns, struct helm_objects *out, struct err *e) MUST_CHECK;

/* What is rendered goes through `PROGRAM COMMAND FILE` before it is installed, from its stdin to its stdout. FILE, 0600 in
 * a private folder and gone after the call, holds the bytes. Helm 4 runs it as a plugin of its own and shows it hooks, too;
 * helm 3 does not. CRDs of a chart's crds/ go past it with both. */
struct helm_post { const char *program, *command; const void *bytes; size_t n; };

struct helm_install {
	struct helm_render render;
	const struct helm_post *post;   /* NULL = installed as rendered */
	unsigned timeout;               /* seconds */
	bool take_ownership;
};
/* upgrade --install --wait --wait-for-jobs. What was changed by others meanwhile is taken back. A failure leaves what
 * there is as it is, for a diagnosis; undoing it is the caller's. ERR_NOT_READY past the timeout, ERR_CONFLICT for a
 * pending release or foreign ownership, else ERR_CLUSTER. */
int helm_upgrade(struct helm *h, const struct helm_install *i, struct err *e) MUST_CHECK;
/* Back to a revision, and waits for it. */
int helm_rollback(struct helm *h, const char *release, const char *ns, uint64_t revision, unsigned timeout, struct err *e) MUST_CHECK;
/* Absent is fine. */
int helm_uninstall(struct helm *h, const char *release, const char *ns, unsigned timeout, struct err *e) MUST_CHECK;
