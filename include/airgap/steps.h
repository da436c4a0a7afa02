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

enum step_kind { STEP_CARRY, STEP_NAMESPACE, STEP_SECRET, STEP_RELEASE, STEP_APPLY, STEP_WAIT, STEP_KINDS };
extern const char *const step_kind_names[STEP_KINDS + 1];

struct step_carry { struct strv charts, images, files, packages, python; json_t *waive; };

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
	char *rollback;                 /* auto | stop */
	struct strv before;
};

struct step_apply { char *ns; json_t *objects; char *file; };

struct step_object { char *api_version, *kind, *ns, *name; };
struct step_wait {
	struct step_object object;
	char *until;                    /* Ready | Established | Exists | Gone | Endpoints | "jsonpath=value" */
	char *fail, *timeout;
};

struct step_metadata { char *name; };

struct step {
	/* As written. */
	char *api_version, *kind_name;
	struct step_metadata metadata;
	struct strv stated;             /* `needs` */
	bool protect;
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
	};
};

struct steps { struct step *items; size_t n; };
#define auto_steps CLEANUP(steps_release)

int steps_parse(const struct helm_objects *objects, struct steps *out, struct err *e) MUST_CHECK;
void steps_release(struct steps *s);
/* "KIND/NAME" or a unique bare name; NULL when absent or ambiguous. */
const struct step *steps_find(const struct steps *s, const char *id);
/* Go duration ("1h2m3s", "90s", "500ms" rounds up) in seconds; false when it is none. NULL text = fallback. */
bool steps_duration(const char *text, unsigned fallback, unsigned *out) MUST_CHECK;
