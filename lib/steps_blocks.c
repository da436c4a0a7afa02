/* SPDX-License-Identifier: Apache-2.0 */
/* What a step may say: one table per block; the envelope around it is the same for all kinds. */
#include "steps_part.h"

const char *const step_kind_names[STEP_KINDS + 1] = {
	"Carry", "Namespace", "Secret", "Release", "Apply", "Wait", "Label", "Call", "Run", "Probe", NULL
};

static const struct field carry_fields[] = {
	F_STRV(struct step_carry, charts, "charts", 0),
	F_STRV(struct step_carry, images, "images", 0),
	F_STRV(struct step_carry, files, "files", 0),
	F_STRV(struct step_carry, packages, "packages", 0),
	F_STRV(struct step_carry, python, "python", 0),
	F_STRV(struct step_carry, git, "git", 0),
	F_JSON(struct step_carry, tags, "tags", 0),
	F_JSON(struct step_carry, waive, "waive", 0),
	{ 0 }
};
static const struct type carry_block = TYPE(struct step_carry, carry_fields);

static const struct field pull_secret_fields[] = {
	F_STR(struct step_pull_secret, name, "name", F_REQUIRED),
	F_STRV(struct step_pull_secret, service_accounts, "serviceAccounts", 0),
	{ 0 }
};
static const struct type pull_secret_type = TYPE(struct step_pull_secret, pull_secret_fields);
static const struct field namespace_fields[] = {
	F_STR(struct step_namespace, name, "name", F_REQUIRED),
	F_JSON(struct step_namespace, labels, "labels", 0),
	F_STR(struct step_namespace, pod_security, "podSecurity", 0),
	F_OBJ(struct step_namespace, pull_secret, "pullSecret", pull_secret_type, 0),
	F_BOOL(struct step_namespace, user_images, "userImages", 0),
	{ 0 }
};
static const struct type namespace_block = TYPE(struct step_namespace, namespace_fields);

static const struct field secret_fields[] = {
	F_STRV(struct step_secret, namespaces, "namespaces", F_REQUIRED),
	F_STR(struct step_secret, name, "name", F_REQUIRED),
	F_STR(struct step_secret, type, "type", 0),
	F_JSON(struct step_secret, data, "data", F_REQUIRED),
	{ 0 }
};
static const struct type secret_block = TYPE(struct step_secret, secret_fields);

static const struct field base_fields[] = {
	F_STR(struct step_base, chart_file, "chartFile", F_REQUIRED),
	F_BOOL(struct step_base, optional, "optional", 0),
	{ 0 }
};
static const struct type base_type = TYPE(struct step_base, base_fields);
static const struct field late_fields[] = {
	F_STRV(struct step_late, needs, "needs", F_REQUIRED),
	F_JSON(struct step_late, values, "values", F_REQUIRED),
	{ 0 }
};
static const struct type late_type = TYPE(struct step_late, late_fields);
static const struct field release_fields[] = {
	F_STR(struct step_release, chart, "chart", F_REQUIRED),
	F_STR(struct step_release, name, "name", F_REQUIRED),
	F_STR(struct step_release, ns, "namespace", F_REQUIRED),
	F_STR(struct step_release, timeout, "timeout", 0),
	F_LIST(struct step_release, base, n_base, "base", base_type, 0),
	F_JSON(struct step_release, values, "values", 0),
	F_LIST(struct step_release, late, n_late, "late", late_type, 0),
	F_BOOL(struct step_release, take_ownership, "takeOwnership", 0),
	F_BOOL(struct step_release, tests, "tests", 0),
	F_STR(struct step_release, rollback, "rollback", 0),
	F_STRV(struct step_release, before, "before", 0),
	{ 0 }
};
static const struct type release_block = TYPE(struct step_release, release_fields);

static const struct field apply_fields[] = {
	F_STR(struct step_apply, ns, "namespace", 0),
	F_JSON(struct step_apply, objects, "objects", 0),
	F_STR(struct step_apply, file, "file", 0),
	{ 0 }
};
static const struct type apply_block = TYPE(struct step_apply, apply_fields);

static const struct field object_fields[] = {
	F_STR(struct step_object, api_version, "apiVersion", F_REQUIRED),
	F_STR(struct step_object, kind, "kind", F_REQUIRED),
	F_STR(struct step_object, ns, "namespace", 0),
	F_STR(struct step_object, name, "name", F_REQUIRED),
	{ 0 }
};
static const struct type object_type = TYPE(struct step_object, object_fields);
static const struct field wait_fields[] = {
	F_OBJ(struct step_wait, object, "object", object_type, F_REQUIRED),
	F_STR(struct step_wait, until, "until", F_REQUIRED),
	F_STR(struct step_wait, fail, "fail", 0),
	F_STR(struct step_wait, timeout, "timeout", 0),
	{ 0 }
};
static const struct type wait_block = TYPE(struct step_wait, wait_fields);

static const struct field label_fields[] = {
	F_STRV(struct step_label, nodes, "nodes", F_REQUIRED | F_ALIAS_SCALAR),
	F_JSON(struct step_label, labels, "labels", F_REQUIRED),
	F_STR(struct step_label, timeout, "timeout", 0),
	{ 0 }
};
static const struct type label_block = TYPE(struct step_label, label_fields);

static const struct field via_fields[] = {
	F_STR(struct step_via, service, "service", F_REQUIRED),
	F_STR(struct step_via, ns, "namespace", F_REQUIRED),
	F_U64(struct step_via, port, "port", F_REQUIRED),
	{ 0 }
};
static const struct type via_type = TYPE(struct step_via, via_fields);
static const struct field auth_fields[] = {
	F_STR(struct step_auth, basic, "basic", 0),
	F_STR(struct step_auth, bearer, "bearer", 0),
	{ 0 }
};
static const struct type auth_type = TYPE(struct step_auth, auth_fields);

/* One request, in whatever struct it stands. */
#define REQUEST(t, m)                                   \
	F_STR(t, m url, "url", F_REQUIRED),             \
	F_STR(t, m method, "method", 0),                \
	F_OBJ(t, m auth, "auth", auth_type, 0),         \
	F_JSON(t, m headers, "headers", 0),             \
	F_JSON(t, m body, "body", 0),                   \
	F_STRV(t, m expect, "expect", F_ALIAS_SCALAR)

static const struct field request_fields[] = { REQUEST(struct step_request, ), { 0 } };
static const struct type request_type = TYPE(struct step_request, request_fields);
static const struct field unless_fields[] = {
	F_STRV(struct step_unless, saved, "saved", F_REQUIRED),
	F_OBJ(struct step_unless, check, "check", request_type, 0),
	{ 0 }
};
static const struct type unless_type = TYPE(struct step_unless, unless_fields);
static const struct field find_fields[] = {
	REQUEST(struct step_find, request.),
	F_STR(struct step_find, items, "items", F_REQUIRED),
	F_JSON(struct step_find, where, "where", F_REQUIRED),
	F_JSON(struct step_find, save, "save", 0),
	{ 0 }
};
static const struct type find_type = TYPE(struct step_find, find_fields);
static const struct field update_fields[] = {
	F_JSON(struct step_update, when, "when", 0),
	REQUEST(struct step_update, request.),
	{ 0 }
};
static const struct type update_type = TYPE(struct step_update, update_fields);
static const struct field members_fields[] = {
	F_STR(struct step_members, key, "key", F_REQUIRED),
	F_STRV(struct step_members, items, "items", F_REQUIRED),
	F_OBJ(struct step_members, remove, "remove", request_type, F_REQUIRED),
	{ 0 }
};
static const struct type members_type = TYPE(struct step_members, members_fields);
static const struct field retry_fields[] = {
	F_STR(struct step_retry, duration, "for", 0),
	F_STRV(struct step_retry, on, "on", F_ALIAS_SCALAR),
	F_STRV(struct step_retry, bare_on, "true", F_ALIAS_SCALAR),     /* `on` without quotes, as YAML 1.1 reads it */
	{ 0 }
};
static const struct type retry_type = TYPE(struct step_retry, retry_fields);
static const struct field call_fields[] = {
	REQUEST(struct step_call, request.),
	F_OBJ(struct step_call, via, "via", via_type, 0),
	F_STR(struct step_call, ca, "ca", 0),
	F_OBJ(struct step_call, unless, "unless", unless_type, 0),
	F_OBJ(struct step_call, find, "find", find_type, 0),
	F_OBJ(struct step_call, update, "update", update_type, 0),
	F_OBJ(struct step_call, revoke, "revoke", request_type, 0),
	F_OBJ(struct step_call, members, "members", members_type, 0),
	F_JSON(struct step_call, save, "save", 0),
	F_OBJ(struct step_call, retry, "retry", retry_type, 0),
	{ 0 }
};
static const struct type call_block = TYPE(struct step_call, call_fields);

static const struct field exec_fields[] = {
	F_STR(struct step_exec, selector, "selector", F_REQUIRED),
	F_STR(struct step_exec, container, "container", 0),
	F_STR(struct step_exec, node, "node", 0),
	F_STR(struct step_exec, each, "each", 0),
	{ 0 }
};
static const struct type exec_type = TYPE(struct step_exec, exec_fields);
static const struct field scale_fields[] = {
	F_STR(struct step_scale, kind, "kind", F_REQUIRED),
	F_STR(struct step_scale, ns, "namespace", 0),
	F_STR(struct step_scale, name, "name", F_REQUIRED),
	F_BOOL(struct step_scale, stay_down, "stayDown", 0),
	{ 0 }
};
static const struct type scale_type = TYPE(struct step_scale, scale_fields);
static const struct field run_fields[] = {
	F_STR(struct step_run, where, "where", 0),
	F_STR(struct step_run, ns, "namespace", 0),
	F_STR(struct step_run, image, "image", 0),
	F_STRV(struct step_run, command, "command", 0),
	F_JSON(struct step_run, env, "env", 0),
	F_STR(struct step_run, service_account, "serviceAccount", 0),
	F_STR(struct step_run, pod_security, "podSecurity", 0),
	F_JSON(struct step_run, security_context, "securityContext", 0),
	F_JSON(struct step_run, volumes, "volumes", 0),
	F_JSON(struct step_run, files, "files", 0),
	F_OBJ(struct step_run, exec, "exec", exec_type, 0),
	F_LIST(struct step_run, scale_down, n_scale_down, "scaleDown", scale_type, 0),
	F_STRV(struct step_run, unless, "unless", 0),
	F_STR(struct step_run, timeout, "timeout", 0),
	{ 0 }
};
static const struct type run_block = TYPE(struct step_run, run_fields);

static const struct field probe_fields[] = {
	F_STR(struct step_probe, id, "id", F_REQUIRED),
	F_STR(struct step_probe, title, "title", F_REQUIRED),
	F_STR(struct step_probe, need, "need", F_REQUIRED),
	F_STR(struct step_probe, level, "level", 0),
	F_STR(struct step_probe, each, "each", 0),
	F_OBJ(struct step_probe, run, "run", run_block, F_REQUIRED),
	{ 0 }
};
static const struct type probe_block = TYPE(struct step_probe, probe_fields);

static const struct field metadata_fields[] = {
	F_STR(struct step_metadata, name, "name", F_REQUIRED),
	{ 0 }
};
static const struct type metadata_type = TYPE(struct step_metadata, metadata_fields);

#define STEP_DOCUMENT(block, member, key)                                        \
	{                                                                        \
		F_STR(struct step, api_version, "apiVersion", F_REQUIRED),       \
		F_STR(struct step, kind_name, "kind", F_REQUIRED),               \
		F_OBJ(struct step, metadata, "metadata", metadata_type, F_REQUIRED), \
		F_STRV(struct step, stated, "needs", 0),                         \
		F_BOOL(struct step, protect, "protect", 0),                      \
		F_OBJ(struct step, member, key, block, F_REQUIRED),              \
		{ 0 }                                                            \
	}

static const struct field carry_document[] = STEP_DOCUMENT(carry_block, carry, "carry");
static const struct field namespace_document[] = STEP_DOCUMENT(namespace_block, ns, "namespace");
static const struct field secret_document[] = STEP_DOCUMENT(secret_block, secret, "secret");
static const struct field release_document[] = STEP_DOCUMENT(release_block, release, "release");
static const struct field apply_document[] = STEP_DOCUMENT(apply_block, apply, "apply");
static const struct field wait_document[] = STEP_DOCUMENT(wait_block, wait, "wait");
static const struct field label_document[] = STEP_DOCUMENT(label_block, label, "label");
static const struct field call_document[] = STEP_DOCUMENT(call_block, call, "call");
static const struct field run_document[] = STEP_DOCUMENT(run_block, run, "run");
static const struct field probe_document[] = STEP_DOCUMENT(probe_block, probe, "probe");

const struct type step_types[STEP_KINDS] = {
	[STEP_CARRY] = TYPE(struct step, carry_document),
	[STEP_NAMESPACE] = TYPE(struct step, namespace_document),
	[STEP_SECRET] = TYPE(struct step, secret_document),
	[STEP_RELEASE] = TYPE(struct step, release_document),
	[STEP_APPLY] = TYPE(struct step, apply_document),
	[STEP_WAIT] = TYPE(struct step, wait_document),
	[STEP_LABEL] = TYPE(struct step, label_document),
	[STEP_CALL] = TYPE(struct step, call_document),
	[STEP_RUN] = TYPE(struct step, run_document),
	[STEP_PROBE] = TYPE(struct step, probe_document),
};
