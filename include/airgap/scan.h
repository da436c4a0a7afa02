/*
 * scan - finds image references in rendered objects, each with the place where it stands (design §3).
 *
 * The bundler discovers with it, the deployer proves with it: one scanner, so what one finds the other checks.
 * Every string leaf of every document is looked at, and keys that are references: containers, init and ephemeral containers, image volumes, hooks,
 * custom resources, env, args, ConfigMaps (YAML and JSON within, to two levels; HOCON, properties, shell lines), Secrets
 * and binaryData (out of their base64), archives within those, plus triples and rules from the manifest. Objects of
 * `helm test` hooks are left out unless `tests`.
 *
 * `repository` and `tag` side by side, with or without `registry` and `digest`, are a maybe; so are `image` and `tag`.
 * Descriptions and examples in the schema of a CustomResourceDefinition are not looked at.
 *
 * Certain: `image` of a container, the variable of a rule, a triple, a join. Maybe: whatever else reads as a reference.
 * The bundler asks the registry for it, the deployer looks whether the bundle has it.
 *
 * Rules say where images hide that no reader can guess. Each has one of these:
 *
 *	{kind: ClusterPolicy, path: "spec.*", triple: [repository, image, version], enabledBy: [enabled, spec.x.enabled]}
 *	{kind: MongoDB, path: spec, triple: ["=quay.io/mongodb", "=server", version], tags: ["{version}-ubi8"]}
 *	{env: WORKER}                                           the value of a variable
 *	{kind: MongoDB, join: "{env:REPO_URL}/{env:NAME}:{spec.version}-ubi8"}
 *	{file: apps, member: "*.conf"}                          texts in an archive that the bundle carries as a file,
 *	                                                        or that an image adds, by its name there
 *
 * `chart` and `kind` narrow a rule. A `*` of a path is one key. In a triple `=TEXT` is that text. enabledBy: false at any
 * of these places disables a triple, true where it begins with '!'; a place is a key beside the triple, a path from there,
 * or a path from the object's root. `when` narrows a rule to triples beside which each of these keys is true, or is not
 * where it begins with '!'. Tags with {kernel} and {osTag} stay patterns: only the nodes know them; `nodes` is the key
 * beside the triple that says which. A join without kind
 * is made of variables alone; one with kind is made for each such object, and a variable that nobody sets is then
 * ERR_MALFORMED; variables are those of the whole render, and where there are several values each is taken.
 */
#pragma once

#include <airgap/decode.h>
#include <airgap/helm.h>

struct scan_rule {
	char *chart, *kind, *path;
	struct strv triple;
	struct strv when;
	char *nodes;                    /* the key beside the triple with the labels of its nodes: "nodeSelector" */
	struct strv enabled_by;         /* empty = "enabled" */
	struct strv tags;
	char *env;
	char *join;
	char *file, *member;            /* member: a pattern for its path or last component; NULL = every text */
};

extern const struct type scan_rule_type;        /* as a manifest's discover.rules has it */
struct scan_rules { struct scan_rule *items; size_t n; };
#define auto_scan_rules CLEANUP(scan_rules_release)
void scan_rules_release(struct scan_rules *r);
/* A list of rules as the bundle carries them (contents.h). NULL = none. */
int scan_rules_decode(const json_t *list, const char *subject, struct scan_rules *out, struct err *e) MUST_CHECK;
json_t *scan_rules_encode(const struct scan_rule *rules, size_t n) MUST_CHECK;
/* Exactly one form, with what belongs to it. ERR_MALFORMED. */
int scan_rule_check(const struct scan_rule *r, struct err *e) MUST_CHECK;

struct scan_find {
	char *image;            /* text as found, or joined; a pattern where {kernel} or {osTag} is in it */
	char *file, *kind;      /* template file, kind of object; never an object's name */
	char *path;             /* "spec.template.spec.containers[].image" */
	char *nodes;            /* of a pattern: labels of its nodes, as JSON; NULL = any */
	bool certain;
	bool disabled;          /* a triple whose enabledBy is false: listed, not carried, exempt from the proof */
};
struct scan_finds { struct scan_find *items; size_t n; };
#define auto_scan CLEANUP(scan_release)
void scan_release(struct scan_finds *f);

/* Adds what is in the objects. Finds are sorted and unique by (image, file, kind, path) afterwards. */
int scan_objects(const struct helm_objects *objects, const char *chart, const struct scan_rule *rules, size_t n_rules,
		 bool tests, struct scan_finds *out, struct err *e) MUST_CHECK;

/* What the image at a find is to be called: owned, NULL = as it is. A tag that only nodes know is given as "NAME:{}", and
 * answered with any tag. */
struct scan_names { char *(*target)(void *ctx, const char *image); void *ctx; };

/* Every image that scan_objects would find in this one object, in its own place, is renamed there. The object is changed and
 * must share no part with another. Texts keep every other byte; a document in a text is changed only if it then says
 * nothing else that is new. Of images said by several keys the registry and the repository are set. Keys, joins, archives,
 * names in pieces and escaped ones stay: a proof finds those. */
int scan_rename(json_t *object, const char *chart, const struct scan_rule *rules, size_t n_rules,
		const struct scan_names *names, bool *changed, struct err *e) MUST_CHECK;

/* The images that a chart's author lists: `artifacthub.io/images` in the Chart.yaml of the archive. Maybes, with the
 * kind "Chart". Damage of that list is passed over: nobody but people reads it. */
int scan_chart_annotations(const void *archive, size_t n, const char *chart, struct scan_finds *out, struct err *e) MUST_CHECK;

/* An archive (tar by any filter, zip), archives within it too, three deep. `name` is the finds' file, "File" their kind,
 * "app.zip/app.conf" their path; under a key that says image they are certain. fd is read from its beginning. Ceilings:
 * 4 GiB unpacked in all, 64 MiB for an archive within it, 8 MiB for a text, 100,000 members: ERR_LIMIT past them. */
int scan_archive(int fd, const char *name, const char *member, struct scan_finds *out, struct err *e) MUST_CHECK;

/* Two renders of one chart: what differs is random. Words that only one of two strings has are taken out of both, keys
 * that only one of two maps has too, and their places are added to `random` ("web/templates/secret.yaml: Secret:
 * data.token"), but for objects of `helm test` hooks. What a Secret's base64 says is compared, not its spelling.
 * ERR_MALFORMED: the renders differ in the number of objects. */
struct strv;
int scan_mask_random(struct helm_objects *a, struct helm_objects *b, struct strv *random, struct err *e) MUST_CHECK;
