/*
 * kubectl - the real kubectl program as functions: server-side apply, get as JSON, dry run.
 *
 * Hermetic like helm: KUBECONFIG given, HOME private, LC_ALL=C, objects on stdin, never in argv.
 */
#pragma once

#include <airgap/json.h>
#include <airgap/strv.h>

#include <sys/types.h>

struct kubectl {
	int fd;
	char *path, *kubeconfig, *context, *home;
};
#define auto_kubectl CLEANUP(kubectl_close)

int kubectl_open(struct kubectl *k, const char *path, const char *kubeconfig, const char *context, struct err *e) MUST_CHECK;
int kubectl_open_fd(struct kubectl *k, int fd, const char *kubeconfig, const char *context, struct err *e) MUST_CHECK;
void kubectl_close(struct kubectl *k);

/* {"major":…,"gitVersion":"v1.36.3"} of the server; ERR_CLUSTER when it does not answer in 10 s. */
int kubectl_server_version(struct kubectl *k, char **out, struct err *e) MUST_CHECK;
int kubectl_api_versions(struct kubectl *k, struct strv *out, struct err *e) MUST_CHECK;

/* One object: 1 and *out, 0 not found (or its kind is unknown there), -1. ns NULL = cluster scope. */
int kubectl_get(struct kubectl *k, const char *kind, const char *ns, const char *name, json_t **out, struct err *e) MUST_CHECK;
/* The live state of every object in the array (each with apiVersion, kind, metadata): *out = array of those that exist.
 * Empty when the cluster does not know a kind among them. */
int kubectl_get_all(struct kubectl *k, const json_t *objects, json_t **out, struct err *e) MUST_CHECK;
/* A list: selector may be NULL, ns NULL = all. *out = array of items. */
int kubectl_list(struct kubectl *k, const char *kind, const char *ns, const char *selector, json_t **out, struct err *e) MUST_CHECK;
/* Everything that stands in a namespace, of whatever kind: "deployment.apps/web", appended to out. */
int kubectl_inside(struct kubectl *k, const char *ns, struct strv *out, struct err *e) MUST_CHECK;

enum kubectl_apply_mode { KUBECTL_APPLY, KUBECTL_DRY_RUN, KUBECTL_FORCE };
/* Server-side apply of one or more objects, field manager "airgap-deployer". *out (may be NULL) = array of objects as
 * the server answers. Conflict: ERR_CONFLICT naming manager and field. Denied by admission: ERR_PROOF. Else ERR_CLUSTER. */
int kubectl_apply(struct kubectl *k, const json_t *objects, enum kubectl_apply_mode mode, json_t **out, struct err *e) MUST_CHECK;
/* create / replace (with resourceVersion: optimistic) / delete one object; out (may be NULL): as it is then.
 * create: 0 done, 1 already there. replace: 1 = conflict, read again. */
int kubectl_create(struct kubectl *k, const json_t *object, json_t **out, struct err *e) MUST_CHECK;
int kubectl_replace(struct kubectl *k, const json_t *object, json_t **out, struct err *e) MUST_CHECK;
/* A question to the API server (SelfSubjectAccessReview and its like): *out = the same object with its status. resource: its
 * plural, of authorization.k8s.io/v1. */
int kubectl_review(struct kubectl *k, const char *resource, const json_t *object, json_t **out, struct err *e) MUST_CHECK;
/* JSON merge patch (null removes a key) as field manager "airgap-deployer"; ns NULL = cluster scope. */
int kubectl_patch(struct kubectl *k, const char *kind, const char *ns, const char *name, const json_t *patch, struct err *e) MUST_CHECK;
int kubectl_delete(struct kubectl *k, const char *kind, const char *ns, const char *name, struct err *e) MUST_CHECK;
/* Last lines of a pod's container log, for diagnosis. */
int kubectl_logs(struct kubectl *k, const char *ns, const char *pod, const char *container, unsigned lines, struct buf *out, struct err *e) MUST_CHECK;

/* Runs argv in a container (NULL = the first). *status is the program's own exit status, out (may be NULL) what it said on
 * both outputs. -1: it could not be run there. */
int kubectl_exec(struct kubectl *k, const char *ns, const char *pod, const char *container, const struct strv *argv,
		 unsigned seconds, struct buf *out, int *status, struct err *e) MUST_CHECK;

/* A way to a service's port: 127.0.0.1:port, until it is closed, breaks, or the thread that opened it ends. */
struct kubectl_forward { int fd; pid_t pid; unsigned port; };  /* pid 0 = none */
#define auto_forward CLEANUP(kubectl_forward_close)
/* ERR_NETWORK: no pod takes connections there yet, or there is no such service. */
int kubectl_forward_open(struct kubectl *k, const char *ns, const char *service, unsigned port, struct kubectl_forward *out,
			 struct err *e) MUST_CHECK;
void kubectl_forward_close(struct kubectl_forward *f);
/* It is still there. Also reads what it has said, which would block it one day. */
bool kubectl_forward_alive(struct kubectl_forward *f);
