/* SPDX-License-Identifier: Apache-2.0 */
/* The meaning of a `run` block, and of the `probe` around one. */
#include "steps_part.h"

#include <airgap/reference.h>

#define NAME_MAX_JOB  46        /* "airgap-run-" and "-files" around it make 63 */
#define NAME_MAX_EACH 40        /* and "-n" with the number of a node behind it */

const char *const steps_own_checks[] = {
	"registry", "space", "contents", "references", "kubernetes", "proof", "rights", "architectures", "capacity", "storage",
	"volumes", "ingress", "addresses", "certificates", "kernels", "clock", "policies", "networks", "pull", NULL
};

enum step_where steps_where(const struct step_run *r)
{
	if (!r->where || strcmp(r->where, "pod") == 0)
		return STEP_IN_POD;
	return strcmp(r->where, "host") == 0 ? STEP_ON_HOST : STEP_BY_EXEC;
}

/* What everybody on a machine can read must not hold a secret. */
static int check_command(const struct strv *command, const char *what, struct err *e)
{
	auto_strv struct strv found = { 0 };
	auto_json json_t *list = json_array();

	for (size_t i = 0; i < command->n; i++)
		json_array_append_new(list, json_string(command->items[i]));
	if (reference_collect(list, &found, e) < 0)
		return err_wrap(e, "%s", what);
	if (found.n)
		return err_set(e, ERR_MALFORMED, "%s: $(%s) would stand where all can read it: give it by env", what, found.items[0]);
	return 0;
}

static bool variable_name(const char *s)
{
	static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	return *s && strspn(s, legal) == strlen(s) && !strchr("0123456789", *s);
}

static int check_env(const json_t *env, struct err *e)
{
	const char *key;
	json_t *value;

	if (env && !json_is_object(env))
		return err_set(e, ERR_MALFORMED, "env: not a map of texts");
	json_object_foreach((json_t *)env, key, value) {
		if (!variable_name(key))
			return err_set(e, ERR_MALFORMED, "env: '%s' is not the name of a variable", key);
		if (!json_is_string(value))
			return err_set(e, ERR_MALFORMED, "env.%s: not a text: put it in quotes", key);
	}
	return 0;
}

/* No step up, no empty step; `absolute` as a mount path, else below a folder. */
static bool path_ok(const char *path, bool absolute)
{
	auto_free char *framed = xasprintf("%s%s/", absolute ? "" : "/", path);

	return *path && (*path == '/') == absolute && !strstr(framed, "//") && !strstr(framed, "/../") && !strstr(framed, "/./") &&
	       !str_ends(path, "/");
}

static int check_files(const struct step_run *r, struct err *e)
{
	const char *name;
	json_t *path;

	if (r->files && !json_is_object(r->files))
		return err_set(e, ERR_MALFORMED, "files: not a map of a file's name and its path");
	json_object_foreach(r->files, name, path)
		if (!json_is_string(path) || !path_ok(json_string_value(path), steps_where(r) == STEP_IN_POD))
			return err_set(e, ERR_MALFORMED, "files.%s: not %s path", name,
				       steps_where(r) == STEP_IN_POD ? "an absolute" : "a relative");
	return 0;
}

static int check_volumes(const json_t *volumes, struct err *e)
{
	size_t i;
	json_t *v;

	if (volumes && !json_is_array(volumes))
		return err_set(e, ERR_MALFORMED, "volumes: not a list");
	json_array_foreach(volumes, i, v) {
		const char *mount = jdoc_text(v, "mountPath", NULL), *name = jdoc_text(v, "name", NULL);

		if (!name || !step_name_ok(name, 63) || !mount || !path_ok(mount, true))
			return err_set(e, ERR_MALFORMED, "volumes[%zu]: needs a name and an absolute mountPath", i);
		if (str_starts(name, "airgap-"))
			return err_set(e, ERR_MALFORMED, "volumes[%zu]: names that begin with airgap- are ours", i);
	}
	return 0;
}

/* What the place has no use for would be forgotten silently. */
static int check_place(const struct step_run *r, struct err *e)
{
	enum { POD = 1 << STEP_IN_POD, HOST = 1 << STEP_ON_HOST, EXEC = 1 << STEP_BY_EXEC };
	enum step_where at = steps_where(r);
	const struct { const char *key; bool there; int may, must; } keys[] = {
		{ "namespace", r->ns != NULL, POD | EXEC | HOST, POD | EXEC },
		{ "image", r->image != NULL, POD, POD },
		{ "command", r->command.n > 0, POD | HOST | EXEC, HOST | EXEC },
		{ "env", r->env != NULL, POD | HOST, 0 },
		{ "serviceAccount", r->service_account != NULL, POD, 0 },
		{ "podSecurity", r->pod_security != NULL, POD, 0 },
		{ "securityContext", r->security_context != NULL, POD, 0 },
		{ "volumes", r->volumes != NULL, POD, 0 },
		{ "files", r->files != NULL, POD | HOST, 0 },
		{ "exec", r->exec.selector != NULL, EXEC, EXEC },
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (keys[i].there && !(keys[i].may & 1 << at))
			return err_set(e, ERR_MALFORMED, "%s: has no meaning with where: %s", keys[i].key, r->where ? r->where : "pod");
		if (!keys[i].there && (keys[i].must & 1 << at))
			return err_set(e, ERR_MALFORMED, "%s: missing, with where: %s", keys[i].key, r->where ? r->where : "pod");
	}
	return 0;
}

static int check_scale(const struct step_run *r, struct err *e)
{
	for (size_t i = 0; i < r->n_scale_down; i++) {
		const struct step_scale *s = &r->scale_down[i];

		if (strcmp(s->kind, "Deployment") != 0 && strcmp(s->kind, "StatefulSet") != 0)
			return err_set(e, ERR_MALFORMED, "scaleDown[%zu]: kind '%s': use Deployment or StatefulSet", i, s->kind);
		if (!step_name_ok(s->name, 253) || (s->ns && !step_name_ok(s->ns, 63)))
			return err_set(e, ERR_MALFORMED, "scaleDown[%zu]: '%s' is not a Kubernetes name", i, s->name);
		if (!s->ns && !r->ns)
			return err_set(e, ERR_MALFORMED, "scaleDown[%zu]: needs a namespace", i);
	}
	return 0;
}

int step_check_run(const char *name, const struct step_run *r, struct err *e)
{
	unsigned ignored;

	if (r->where && strcmp(r->where, "pod") != 0 && strcmp(r->where, "host") != 0 && strcmp(r->where, "exec") != 0)
		return err_set(e, ERR_MALFORMED, "where: '%s': use pod, host or exec", r->where);
	if (check_place(r, e) < 0)
		return -1;
	if (steps_where(r) == STEP_IN_POD && strlen(name) > NAME_MAX_JOB)
		return err_set(e, ERR_MALFORMED, "metadata.name: more than %d characters: a Job is named after it", NAME_MAX_JOB);
	if ((r->ns && !step_name_ok(r->ns, 63)) || (r->service_account && !step_name_ok(r->service_account, 253)))
		return err_set(e, ERR_MALFORMED, "namespace or serviceAccount: not a Kubernetes name");
	if (r->exec.node && !steps_is_node_name(r->exec.node))
		return err_set(e, ERR_MALFORMED, "exec.node: '%s' is not a node's name", r->exec.node);
	if (r->exec.each && strcmp(r->exec.each, "node") != 0)
		return err_set(e, ERR_MALFORMED, "exec.each: '%s': use node, or leave it out", r->exec.each);
	if (r->pod_security && strcmp(r->pod_security, "baseline") != 0 && strcmp(r->pod_security, "privileged") != 0)
		return err_set(e, ERR_MALFORMED, "podSecurity: '%s': use baseline or privileged, or leave it out", r->pod_security);
	if (r->security_context && !json_is_object(r->security_context))
		return err_set(e, ERR_MALFORMED, "securityContext: not a map");
	if (!steps_duration(r->timeout, 1, &ignored))
		return err_set(e, ERR_MALFORMED, "timeout: '%s' is not a duration: write '90s' or '10m'", r->timeout);
	if (check_command(&r->command, "command", e) < 0 || check_command(&r->unless, "unless", e) < 0 || check_env(r->env, e) < 0)
		return -1;
	return check_files(r, e) < 0 || check_volumes(r->volumes, e) < 0 ? -1 : check_scale(r, e);
}

/* Nothing is there yet that it could wait for, and nothing may be made for it. */
static int check_early(const struct step *s, struct err *e)
{
	auto_strv struct strv found = { 0 };

	if (s->stated.n)
		return err_set(e, ERR_MALFORMED, "needs: a probe comes before everything");
	if (reference_collect(s->doc, &found, e) < 0)
		return -1;
	for (size_t i = 0; i < found.n; i++)
		if (str_starts(found.items[i], "secret:") || str_starts(found.items[i], "generate:"))
			return err_set(e, ERR_MALFORMED, "$(%s): a probe comes before it is made", found.items[i]);
	return 0;
}

/* Its own words, without the run. */
static int check_probe_keys(const char *name, const struct step_probe *p, struct err *e)
{
	static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";

	if (!*p->id || strspn(p->id, legal) != strlen(p->id))
		return err_set(e, ERR_MALFORMED, "id: '%s': use letters, digits and -", p->id);
	for (size_t i = 0; steps_own_checks[i]; i++)
		if (strcmp(p->id, steps_own_checks[i]) == 0)
			return err_set(e, ERR_MALFORMED, "id: '%s' is a check of the deployer's own", p->id);
	if (p->level && strcmp(p->level, "fail") != 0 && strcmp(p->level, "warn") != 0 && strcmp(p->level, "info") != 0)
		return err_set(e, ERR_MALFORMED, "level: '%s': use fail, warn or info", p->level);
	if (!p->each)
		return 0;
	if (strcmp(p->each, "node") != 0)
		return err_set(e, ERR_MALFORMED, "each: '%s': use node, or leave it out", p->each);
	if (steps_where(&p->run) != STEP_IN_POD)
		return err_set(e, ERR_MALFORMED, "each: node has no meaning with where: %s", p->run.where);
	if (strlen(name) > NAME_MAX_EACH)
		return err_set(e, ERR_MALFORMED, "metadata.name: more than %d characters: Jobs are named after it", NAME_MAX_EACH);
	return 0;
}

int step_check_probe(const struct step *s, struct err *e)
{
	const struct step_probe *p = &s->probe;
	struct step_run r = p->run;

	if (check_probe_keys(s->metadata.name, p, e) < 0)
		return -1;
	if (steps_where(&r) == STEP_BY_EXEC)
		return err_set(e, ERR_MALFORMED, "run.where: exec: nothing runs yet: use pod or host");
	if (r.ns || r.service_account || r.pod_security || r.n_scale_down || r.unless.n)
		return err_set(e, ERR_MALFORMED, "run: a probe has no namespace, serviceAccount, podSecurity, scaleDown or unless");
	if (steps_where(&r) == STEP_IN_POD)
		r.ns = (char *)"airgap-probe";
	if (step_check_run(s->metadata.name, &r, e) < 0)
		return err_wrap(e, "run");
	return check_early(s, e);
}
