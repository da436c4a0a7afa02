/*
 * pods - pods that break a rule, of the table tests/data/pods/rules.txt, read by the unit tests and by tests/stand/pods.c.
 */
#pragma once

#include <airgap/pod.h>
#include <airgap/fs.h>
#include <airgap/yaml.h>

#include <stdio.h>

#define PODS_TABLE "tests/data/pods/rules.txt"

struct pods_row { char *level, *where, *patch, *says; };
struct pods_rows { struct pods_row items[128]; size_t n; struct buf text; };

/* The table's text is cut up and stays in rows->text. */
static inline int pods_read(const char *path, struct pods_rows *rows, struct err *e)
{
	rows->text = (struct buf)BUF_INIT(1u << 20);
	rows->n = 0;
	if (fs_load(path, 1u << 20, &rows->text, e) < 0)
		return -1;
	for (char *line = rows->text.ptr, *next; line && *line; line = next) {
		char *cells[4] = { line, NULL, NULL, NULL };

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (*line == '#')
			continue;
		for (size_t i = 1; i < ARRAY_LEN(cells); i++) {
			cells[i] = strchr(cells[i - 1], '\t');
			if (!cells[i])
				return err_set(e, ERR_MALFORMED, "%s: a line without four cells: %s", path, line);
			*cells[i]++ = '\0';
		}
		if (rows->n == ARRAY_LEN(rows->items))
			return err_set(e, ERR_LIMIT, "%s: too many lines", path);
		rows->items[rows->n++] = (struct pods_row){ cells[0], cells[1], cells[2], cells[3] };
	}
	return 0;
}

static inline json_t *pods_parse(const char *text, struct err *e)
{
	return ydoc_parse(text, strlen(text), &ydoc_rendered, "pods", NULL, e);
}

/* As a JSON merge patch: null removes. */
static inline void pods_patch(json_t *into, const json_t *over)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)over, key, v) {
		json_t *old = json_object_get(into, key);

		if (json_is_object(v) && json_is_array(old))
			old = json_array_get(old, 0);
		if (json_is_null(v))
			json_object_del(into, key);
		else if (json_is_object(v) && json_is_object(old))
			pods_patch(old, v);
		else
			json_object_set(into, key, v);
	}
}

/* {metadata, spec} of a pod that keeps every rule, with the row's patch; a container's patch goes into list. */
static inline json_t *pods_made(const struct pods_row *row, const char *list, struct err *e)
{
	static const char good[] =
		"{metadata: {name: p}, spec: {restartPolicy: Never, automountServiceAccountToken: false, "
		"securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}, "
		"containers: [{name: main, image: \"x.example/y:1\", securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}}";
	static const char further[] =
		"{name: other, image: \"x.example/y:1\", restartPolicy: Always, securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}, "
		"allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}";
	auto_json json_t *pod = pods_parse(good, e);
	auto_json json_t *patch = pod ? pods_parse(row->patch, e) : NULL;
	json_t *spec = json_object_get(pod, "spec");

	if (!patch)
		return NULL;
	if (strcmp(row->where, "metadata") == 0) {
		pods_patch(json_object_get(pod, "metadata"), patch);
	} else if (strcmp(row->where, "pod") == 0) {
		pods_patch(spec, patch);
	} else {
		if (strcmp(list, "containers") != 0)
			json_object_set_new(spec, list, json_pack("[o]", pods_parse(further, e)));
		pods_patch(json_array_get(json_object_get(spec, list), 0), patch);
	}
	return TAKE(pod);
}
