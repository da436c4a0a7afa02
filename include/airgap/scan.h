/*
 * scan - finds image references in rendered objects, each with the place where it stands (design §3).
 *
 * The bundler discovers with it, the deployer proves with it: one scanner, so what one finds the other checks.
 * Every string leaf of every document is looked at: containers, init and ephemeral containers, hooks, custom
 * resources, env, args, ConfigMaps (YAML in YAML), Secrets (out of their base64), plus triples and rules from the
 * manifest. Objects of `helm test` hooks are left out unless `tests`.
 *
 * A triple whose tags need what only the site knows ({kernel}) counts as disabled. `repository` and `tag` side by side
 * are a maybe. Descriptions in the schema of a CustomResourceDefinition are not looked at.
 *
 * Certain: `image` of a container, the variable of a rule, a triple. Maybe: whatever else reads as a reference. The
 * bundler asks the registry for it, the deployer looks whether the bundle has it.
 */
#pragma once

#include <airgap/decode.h>
#include <airgap/helm.h>

struct scan_rule {
	char *chart, *kind, *path;      /* "spec.*" */
	struct strv triple;             /* [repository, image, version] */
	char *enabled_by;               /* key beside the triple; false = not carried */
	struct strv tags;               /* "{version}-{kernel}-{osTag}" */
	char *env;
};

extern const struct type scan_rule_type;        /* as a manifest's discover.rules has it */
struct scan_rules { struct scan_rule *items; size_t n; };
#define auto_scan_rules CLEANUP(scan_rules_release)
void scan_rules_release(struct scan_rules *r);
/* A list of rules as the bundle carries them (contents.h). NULL = none. */
int scan_rules_decode(const json_t *list, const char *subject, struct scan_rules *out, struct err *e) MUST_CHECK;
json_t *scan_rules_encode(const struct scan_rule *rules, size_t n) MUST_CHECK;

struct scan_find {
	char *image;            /* text as found, or joined from a triple */
	char *file, *kind;      /* template file, kind of object; never an object's name */
	char *path;             /* "spec.template.spec.containers[].image" */
	bool certain;
	bool disabled;          /* a triple whose enabledBy is false: listed, not carried, exempt from the proof */
};
struct scan_finds { struct scan_find *items; size_t n; };
#define auto_scan CLEANUP(scan_release)
void scan_release(struct scan_finds *f);

/* Adds what is in the objects. Finds are sorted and unique by (image, file, kind, path) afterwards. */
int scan_objects(const struct helm_objects *objects, const char *chart, const struct scan_rule *rules, size_t n_rules,
		 bool tests, struct scan_finds *out, struct err *e) MUST_CHECK;

/* Two renders of one chart: what differs is random. Words that only one of two strings has are taken out of both, keys
 * that only one of two maps has too, and their places are added to `random` ("web/templates/secret.yaml: Secret:
 * data.token"), but for objects of `helm test` hooks. ERR_MALFORMED: the renders differ in the number of objects. */
struct strv;
int scan_mask_random(struct helm_objects *a, struct helm_objects *b, struct strv *random, struct err *e) MUST_CHECK;
