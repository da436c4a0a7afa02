/* SPDX-License-Identifier: Apache-2.0 */
#include "carry.h"

#include <airgap/log.h>

/* A list of the manifest: its key, what one entry is called, where a Carry step has it. */
static const struct list { const char *key, *one; size_t offset; } lists[] = {
	[CARRY_FILES] = { "files", "file", offsetof(struct step_carry, files) },
	[CARRY_PACKAGES] = { "packages", "packages", offsetof(struct step_carry, packages) },
	[CARRY_PYTHON] = { "python", "python", offsetof(struct step_carry, python) },
	[CARRY_GIT] = { "git", "git", offsetof(struct step_carry, git) },
};
_Static_assert(ARRAY_LEN(lists) == CARRY_LISTS, "a list has no row");

void carry_release(struct carry *c)
{
	for (size_t i = 0; i < CARRY_LISTS; i++)
		strv_release(&c->names[i]);
	json_decref(c->left_out);
	*c = (struct carry){ 0 };
}

static void names_of(const struct manifest *m, enum carry_list list, struct strv *out)
{
	for (size_t i = 0; list == CARRY_FILES && i < m->n_files; i++)
		strv_push(out, m->files[i].name);
	for (size_t i = 0; list == CARRY_PACKAGES && i < m->n_packages; i++)
		strv_push(out, m->packages[i].name);
	for (size_t i = 0; list == CARRY_PYTHON && i < m->n_python; i++)
		strv_push(out, m->python[i].name);
	for (size_t i = 0; list == CARRY_GIT && i < m->n_git; i++)
		strv_push(out, m->git[i].name);
}

static int name(struct carry *c, const struct manifest *m, enum carry_list list, const char *wanted, struct err *e)
{
	auto_strv struct strv have = { 0 };
	const char *near;

	names_of(m, list, &have);
	if (strv_has(&have, wanted)) {
		strv_push(&c->names[list], wanted);
		return 0;
	}
	near = have.n ? strv_nearest((const char *const *)have.items, wanted) : NULL;
	return err_set(e, ERR_USAGE, "%s '%s': is not in the manifest%s%s%s", lists[list].one, wanted, near ? ": did you mean '" : "",
		       near ? near : "", near ? "'?" : "");
}

static int read_step(struct carry *c, const struct manifest *m, const struct step *t, bool says[CARRY_LISTS], struct err *e)
{
	const json_t *of_run = t->kind == STEP_RUN ? t->run.files : t->kind == STEP_PROBE ? t->probe.run.files : NULL;
	const char *file;
	json_t *path;

	if (t->kind == STEP_APPLY && t->apply.file && name(c, m, CARRY_FILES, t->apply.file, e) < 0)
		return -1;
	json_object_foreach((json_t *)of_run, file, path)
		if (name(c, m, CARRY_FILES, file, e) < 0)
			return -1;
	for (size_t i = 0; t->kind == STEP_CARRY && i < CARRY_LISTS; i++) {
		const struct strv *v = (const void *)((const char *)&t->carry + lists[i].offset);
		const json_t *there = jdoc_at(t->doc, "carry", lists[i].key, NULL);

		says[i] |= there && !json_is_null(there);
		for (size_t k = 0; k < v->n; k++)
			if (name(c, m, (enum carry_list)i, v->items[k], e) < 0)
				return -1;
	}
	return 0;
}

int carry_read(struct carry *c, const struct manifest *m, const struct steps *s, bool given, struct err *e)
{
	bool says[CARRY_LISTS] = { false };

	for (size_t i = 0; i < s->n; i++)
		if (read_step(c, m, &s->items[i], says, e) < 0)
			return err_wrap(e, "%s", s->items[i].id);
	for (size_t i = 0; i < CARRY_LISTS; i++)
		c->all[i] |= !given || !says[i];
	c->known = true;
	return 0;
}

void carry_leave_out(struct carry *c, const char *one, const char *what)
{
	json_t *entry = json_pack("{ss, ss}", one, what, "reason", "no step of the given sites names it");
	size_t i;
	json_t *have;

	if (!c->left_out)
		c->left_out = json_array();
	json_array_foreach(c->left_out, i, have) {
		if (json_equal(have, entry)) {
			json_decref(entry);
			return;
		}
	}
	log_debug("not carried: %s '%s': no step of the given sites names it", one, what);
	json_array_append_new(c->left_out, entry);
}

bool carry_wants(struct carry *c, enum carry_list list, const char *what)
{
	if (!c->known || c->all[list] || strv_has(&c->names[list], what))
		return true;
	carry_leave_out(c, lists[list].one, what);
	return false;
}
