/*
 * steps - what a site chart renders: the documents that say what to do, checked and ordered (design §3).
 *
 * Both programs read them: the bundler to know which charts are installed with which values, the
 * deployer to do them. A kind is one row of step_kinds here and one file in deployer/.
 *
 *	struct steps s;
 *	if (steps_parse(objects, &s, e) < 0) ...        // from helm_template of the site chart
 *	for (size_t i = 0; i < s.n; i++) ... s.items[i] ...
 *
 * Identity is KIND/NAME. A bare name in `needs` must be unique. Needs are also inferred: a step that lands in a
 * namespace needs its Namespace step, an object or release that names a Secret of a Secret step needs that, an
 * object of a kind defined by an applied CRD needs that Apply. Cycles, unknown keys, unknown needs, two Releases
 * with one (namespace, name): ERR_MALFORMED with the template file and the step's identity.
 */
#pragma once

#include <airgap/decode.h>
#include <airgap/helm.h>

enum step_kind { STEP_CARRY, STEP_NAMESPACE, STEP_SECRET, STEP_RELEASE, STEP_APPLY, STEP_WAIT, STEP_LABEL, STEP_CALL, STEP_RUN, STEP_PROBE, STEP_KINDS };
extern const char *const step_kind_names[STEP_KINDS + 1];

/* tags: {IMAGE: [TAG]}, what site has the image under besides; IMAGE is one of images, as it stands there. */
struct step_carry { struct strv charts, images, files, packages, python, git; json_t *tags, *waive; };

struct step_pull_secret { char *name; struct strv service_accounts; };
struct step_namespace {
	char *name;
	json_t *labels;
	char *pod_security;             /* restricted | baseline | privileged */
	struct step_pull_secret pull_secret;    /* name NULL = none */
	bool user_images;
};

struct step_secret { struct strv namespaces; char *name, *type; json_t *data; /* KEY: TEXT with references */ };

struct step_base { char *chart_file; bool optional; };
struct step_late { struct strv needs; json_t *values; };
struct step_release {
	char *chart, *name, *ns;
	char *timeout;                  /* Go duration, "10m" */
	struct step_base *base; size_t n_base;
	json_t *values;
	struct step_late *late; size_t n_late;
	bool take_ownership, tests;
	char *rollback;                 /* auto | stop; NULL = auto, but stop where it has volumes and its appVersion changes */
	struct strv before;             /* needs that are done with it also where it is asked for alone (--only, --from) */
};

struct step_apply { char *ns; json_t *objects; char *file; };

struct step_object { char *api_version, *kind, *ns, *name; };
struct step_wait {
	struct step_object object;
	char *until;                    /* Ready | Established | Exists | Gone | Endpoints | "jsonpath=value" */
	char *fail, *timeout;
};

/* Labels of nodes. An item of `nodes` that is no node's name is a label selector ("nvidia.com/gpu.present=true"); each item
 * has to find a node within `timeout`. A label of null is taken off. Labels that are not named stay as they are. */
struct step_label { struct strv nodes; json_t *labels; char *timeout; };

/*
 * A call of an API inside the stack: look, then act.
 *
 *	call:
 *	  via: {service: api, namespace: ml, port: 8008}        # kubectl port-forward; then every url is a path
 *	  url: /auth.create_credentials                         # the call itself: what makes the thing
 *	  auth: {basic: "$(secret:server/key):$(secret:server/secret)"}         # or {bearer: TOKEN}
 *	  headers: {X-Impersonate: "$(secret:tenant-red/user)"}
 *	  body: {label: agent}                                  # JSON; with a body the method is POST, else GET
 *	  save: {access: data.credentials.access_key, secret: data.credentials.secret_key}
 *	  unless: {saved: [access, secret], check: {url: /users.get_me, auth: {basic: "$(secret:red/access):$(secret:red/secret)"}}}
 *	  find: {url: /auth.get_credentials, body: {}, items: data.credentials, where: {label: agent}, save: {access: access_key}}
 *	  update: {when: {comment: x}, url: /auth.edit_credentials, body: {access_key: "$(secret:red/access)", comment: x}}
 *	                                                        # without `when`: whenever something in the step changed
 *	  revoke: {url: /auth.revoke_credentials, body: {access_key: "$(secret:red/access)"}}
 *	  retry: {for: 5m, on: [network, 503]}
 *
 * Without `via`, url is a whole http or https address and `ca` may hold a CA in PEM ("$(file:ca.pem)"); the urls of the
 * other requests are paths on the same server, whose auth and headers they share unless they have their own. Redirects
 * are not followed. An answer is good when its status is 2xx, its meta.result_code, if there is one, 200, and every
 * condition of `expect` ("path=value", as Wait has it) holds. Paths are those of Wait.
 *
 *  1. `unless`: the keys are saved and `check`, if given, succeeds: nothing to do. 401 or 403: they are no longer worth
 *     anything. Any other failure of the check is an error: no key is made because a server is out of order.
 *  2. `find`: the element of the list `items` in which every path of `where` has that value. One is found, and every key
 *     of `save` is known, saved earlier or by find's own `save`: `update` is called if a path of `when` differs (the
 *     order of a list of plain values says nothing) or, without `when`, if something in the step changed: for what the
 *     server takes and does not tell. That is all. Two are ERR_CONFLICT.
 *  3. Found, but a key of `save` was never kept (a run was killed before it could) or is worth nothing now: every element
 *     found is given to `revoke`, then the call is made.
 *  4. Not found, or no `find`: the call is made, and `save` taken from its answer. A Call with neither `unless` nor
 *     `find` is made once, and again when something in it changes: it has to bear repetition.
 *
 * A Call that adds to a list of the server, in which others may have entries too, says so:
 *
 *	  url: /login.add_whitelist_entries
 *	  members: {key: emails, items: [a@red.example], remove: {url: /login.remove_whitelist_entries}}
 *
 * `items` go into the body of the call under `key`. What an earlier run put there and is no longer among them goes into
 * that of `remove` first; entries of others stay. An empty list is not sent. Both calls have to bear repetition.
 *
 * Saved values stand in the cluster (Secret airgap-system/airgap-secrets) before the step counts as done; if they cannot
 * be put there, `revoke` is called. Other steps, and the later requests of this one, use them as $(secret:STEP/KEY) where
 * no Secret step is called so; that is a need. `retry` goes through all of it again, looking first.
 */
struct step_via { char *service, *ns; uint64_t port; };         /* service NULL = none */
struct step_auth { char *basic, *bearer; };
struct step_request { char *url, *method; struct step_auth auth; json_t *headers, *body; struct strv expect; };
struct step_unless { struct strv saved; struct step_request check; };   /* check.url NULL = none */
struct step_find { struct step_request request; char *items; json_t *where, *save; };   /* request.url NULL = no find */
struct step_update { json_t *when; struct step_request request; };      /* request.url NULL = none; when NULL = always */
struct step_members { char *key; struct strv items; struct step_request remove; };      /* key NULL = none */
#define STEP_MEMBERS "members"          /* what a Call keeps them under, beside what it saves */
struct step_retry { char *duration; struct strv on, bare_on; }; /* NULL = 30 s; empty = network, 502, 503, 504 */
struct step_call {
	struct step_request request;
	struct step_via via;
	char *ca;
	struct step_unless unless;
	struct step_find find;
	struct step_update update;
	struct step_request revoke;     /* url NULL = none */
	struct step_members members;
	json_t *save;                   /* KEY: path; NULL = nothing */
	struct step_retry retry;
};

/*
 * A command, run once and again when something in it changes: its text, what its references stand for, the image, the
 * files. Status 0 is success; else the last thing it said is the error. argv is a list, there is no shell.
 *
 *	where: pod      in a Job of ours, airgap-run-STEP in `namespace`, from an image of the bundle. Restricted unless
 *	                securityContext (keys of the container's, fsGroup and its like of the pod's) and volumes (as in a pod,
 *	                each with its mountPath) say otherwise. The Job goes when it succeeded; a failed one stays for a look
 *	                until the next run.
 *	where: host     on the machine of the deployer, in a folder of its own, with PATH, KUBECONFIG and nothing else.
 *	where: exec     in a container of the pods that `exec.selector` means, on `exec.node` if it is given: in all of them with
 *	                each: node, else in the first that is Ready.
 *
 * `env` may have references: for a pod they stand in a Secret for as long as it runs. `command` and `unless` may not, since
 * everybody on the machine can read them; "$$(NAME)" in a pod's command is Kubernetes' own $(NAME). `files`, {NAME: PATH}, are
 * files of the bundle: in a pod mounted at the absolute PATH, 1 MiB together (more belongs into an image, with base
 * and add); on the host below its folder, of any size.
 * `unless` is a command run in the same way: status 0 means there is nothing to do. For host and exec it is also the look
 * at what there is, in `plan` and `status`; no pod is started only to look.
 * `scaleDown` names Deployments and StatefulSets that must not run meanwhile. How many pods they had stands in their
 * annotation airgap/replicas until they are back, so that a run which was killed in between brings them back the
 * next time. What is not there is left out. With `stayDown: true` it stays down when the command succeeded, for a Release
 * that comes after and brings it up as another.
 * `podSecurity` is the level that the namespace has to have for the pod: it is lowered to that for the time of the command,
 * and what it was stands in its annotation airgap/pod-security meanwhile.
 */
struct step_exec { char *selector, *container, *node, *each; };  /* node: those on this one alone; NULL = wherever */
struct step_scale { char *kind, *ns, *name; bool stay_down; };  /* ns NULL = the run's */
struct step_run {
	char *where;                    /* pod | host | exec; NULL = pod */
	char *ns, *image;
	struct strv command, unless;
	json_t *env;                    /* NAME: TEXT with references */
	char *service_account;          /* NULL = none of the cluster's API is for it */
	char *pod_security;             /* baseline | privileged; NULL = the namespace stays as it is */
	json_t *security_context, *volumes, *files;
	struct step_exec exec;
	struct step_scale *scale_down; size_t n_scale_down;
	char *timeout;                  /* NULL = 10m */
};
#define STEP_FILES_MAX (1u << 20)       /* bytes of a pod's files together */

/* A check before the first write: a run, in a pod of the namespace airgap-probe, made for it, or on the host. Status
 * 0: all is well; else "ID: TITLE: what it said last: NEED" is a finding: `fail` stops the run, `warn` is shown and does
 * not, `info` is to be known. --skip ID leaves it out. It comes before everything, so it has no `needs` and no references to
 * what is made. With `each: node` it runs on every node, a few at a time, and what it finds names the node. */
struct step_probe {
	char *id, *title, *need;
	char *level;                    /* fail | warn | info; NULL = fail */
	char *each;                     /* node; NULL = wherever the cluster puts it */
	struct step_run run;
};

/* What the deployer checks by itself; no probe has one of these for its id. NULL-ended. */
extern const char *const steps_own_checks[];

struct step_metadata { char *name; };

struct step {
	/* As written. */
	char *api_version, *kind_name;
	struct step_metadata metadata;
	struct strv stated;             /* `needs` */
	bool protect;                   /* beside `needs`: never removed by install --prune; for volumes, tenants, keys */
	/* Made of it. */
	enum step_kind kind;
	char *id;                       /* "Release/server" */
	char *source;                   /* template file */
	size_t *needs; size_t n_needs;  /* indices into steps.items, stated and inferred; sorted */
	json_t *doc;                    /* the whole document */
	union {
		struct step_carry carry;
		struct step_namespace ns;
		struct step_secret secret;
		struct step_release release;
		struct step_apply apply;
		struct step_wait wait;
		struct step_label label;
		struct step_call call;
		struct step_run run;
		struct step_probe probe;
	};
};

struct steps { struct step *items; size_t n; };
#define auto_steps CLEANUP(steps_release)

int steps_parse(const struct helm_objects *objects, struct steps *out, struct err *e) MUST_CHECK;
void steps_release(struct steps *s);
/* "KIND/NAME" or a unique bare name; NULL when absent or ambiguous. */
const struct step *steps_find(const struct steps *s, const char *id);
/* The level that the Namespace step of this name declares; NULL = none does. */
const char *steps_pod_security(const struct steps *s, const char *ns);
/*
 * A step as it is kept once it was begun, so that it can be removed when no site says it any more: its document without what
 * need not be known for that, references as they were written. A value of a Secret that is not one reference and nothing else
 * becomes $(kube:…), where the step put it; of a Call the body it was made with is not kept. `needs` are all of them, as KIND/NAME. What has to be done
 * to undo a Wait, Run or Probe is nothing, so nothing but the envelope is kept of it.
 * objects: what an Apply applies, as it stands or as its file holds it; NULL for any other kind.
 */
json_t *steps_keep(const struct steps *all, const struct step *s, const json_t *objects) MUST_CHECK;
/* Adds a kept step to `all`, which was not parsed. doc NULL or not understood: `doc` of the step is NULL, what it made is not
 * known. -1: id is not KIND/NAME of a step, `all` is unchanged. */
int steps_recall(const char *id, json_t *doc, struct steps *all, struct err *e) MUST_CHECK;
/* Fills needs of recalled steps, after the last one. Those that are not among them are left out. Cycles are possible: the
 * steps were not all kept by the same run. */
void steps_recall_needs(struct steps *all);
/* There is something to undo. */
bool step_kind_lasts(enum step_kind kind);
/* Go duration ("1h2m3s", "90s", "500ms" rounds up) in seconds; false when it is none. NULL text = fallback. */
bool steps_duration(const char *text, unsigned fallback, unsigned *out) MUST_CHECK;
/* What is no node's name is a label selector. */
bool steps_is_node_name(const char *item);
/* The call keeps a value under this name, from its own answer or from what it found. */
bool step_call_saves(const struct step_call *c, const char *key);
/* `$(secret:NAME/KEY)`: the Secret step with that key that makes Secret NAME, else the one that is called so, else the Call
 * step NAME that saves KEY; or NULL. */
const struct step *steps_secret(const struct steps *s, const char *name, const char *key);

enum step_where { STEP_IN_POD, STEP_ON_HOST, STEP_BY_EXEC };
enum step_where steps_where(const struct step_run *r);
/* "airgap-run-NAME": its Job, the Secret of its env; the Secret of its files is that and "-files". */
char *steps_job_name(const char *name) MUST_CHECK;
/* The Job of a pod, as it is applied, for discovery and proofs too. fixed_uid false: the cluster gives the uid. pull_secret NULL =
 * none. command may be another than the run's own. */
json_t *steps_job(const char *name, const char *ns, const struct step_run *r, const struct strv *command, bool fixed_uid,
		  const char *pull_secret) MUST_CHECK;
/* A command as it is run: "$$(" is "$(". */
void steps_argv(const struct strv *command, struct strv *out);
