/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest_merge.h"

#include <airgap/fs.h>

struct folders { const char *main; const struct manifest_doc *d; };

/* A path as its file says it, seen from the manifest's folder. NULL: it is as it should be. */
static char *moved(const struct folders *f, const json_t *container, const char *key, size_t i, const char *path)
{
	const char *file = ydoc_file(f->d->marks, container, key, i);
	auto_free char *dir = file ? fs_dirname(file) : NULL;

	if (!dir || !*path || *path == '/' || strcmp(dir, f->main) == 0)
		return NULL;

	auto_free char *from = fs_relative(f->main, dir);

	return from && *from ? fs_join(from, path) : NULL;
}

static void move_text(const struct folders *f, const json_t *container, const char *key, size_t i, json_t *value)
{
	static const char scheme[] = "file:";
	const char *text = json_string_value(value);
	bool reference = text && str_starts(text, scheme);
	auto_free char *to = text ? moved(f, container, key, i, reference ? text + strlen(scheme) : text) : NULL;
	auto_free char *whole = to ? xasprintf("%s%s", reference ? scheme : "", to) : NULL;

	if (whole)
		json_string_set(value, whole);
}

/* One path, or a list of them. */
static void move_key(const struct folders *f, const json_t *map, const char *key)
{
	json_t *value = json_object_get(map, key), *one;
	size_t i;

	move_text(f, map, key, 0, value);
	json_array_foreach(value, i, one)
		move_text(f, value, NULL, i, one);
}

/* Only where it is said to be a file: "env:X" is none. */
static void move_reference(const struct folders *f, const json_t *map, const char *key)
{
	const char *text = jdoc_text(map, key, NULL);

	if (text && str_starts(text, "file:"))
		move_key(f, map, key);
}

/* In a git repository it is a path of the tree. */
static bool in_tree(const json_t *chart)
{
	const char *repository = jdoc_text(chart, "repository", NULL);

	return repository && str_starts(repository, "git+");
}

static void move_hosts(const struct folders *f, json_t *hosts)
{
	static const char *const files[] = { "ca", "cert", "key" }, *const references[] = { "username", "password", "token" };
	const char *name;
	json_t *host;

	json_object_foreach(hosts, name, host) {
		for (size_t i = 0; i < ARRAY_LEN(files); i++)
			move_key(f, host, files[i]);
		for (size_t i = 0; i < ARRAY_LEN(references); i++)
			move_reference(f, host, references[i]);
	}
}

static void move_packages(const struct folders *f, json_t *packages)
{
	json_t *entry, *repository;
	size_t i, k;

	json_array_foreach(packages, i, entry)
		json_array_foreach(json_object_get(entry, "more"), k, repository)
			move_key(f, repository, "keyring");
}

/* A name under charts stays one: only what is there as a file is a path. */
static int move_site(const struct folders *f, json_t *doc, struct err *e)
{
	const char *text = jdoc_text(doc, "site", NULL), *file = ydoc_file(f->d->marks, doc, "site", 0);
	auto_free char *dir = file ? fs_dirname(file) : NULL, *path = text ? fs_join(dir, text) : NULL;
	int there = path ? fs_exists(path, e) : 0;

	if (there == 1)
		move_key(f, doc, "site");
	return MIN(there, 0);
}

int manifest_doc_move(const char *main, struct manifest_doc *d, struct err *e)
{
	static const struct { const char *list, *keys[3]; } lists[] = {
		{ "charts", { "path", "keyring", "values" } },
		{ "images", { "layout", "add" } },
		{ "files", { "path" } },
		{ "packages", { "keyring" } },
	};
	const struct folders f = { main, d };
	json_t *entry;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		json_array_foreach(json_object_get(d->doc, lists[i].list), n, entry)
			for (size_t k = 0; k < ARRAY_LEN(lists[i].keys) && lists[i].keys[k]; k++)
				if (strcmp(lists[i].keys[k], "path") != 0 || !in_tree(entry))
					move_key(&f, entry, lists[i].keys[k]);
	move_packages(&f, json_object_get(d->doc, "packages"));
	move_hosts(&f, json_object_get(d->doc, "hosts"));
	if (json_is_object(json_object_get(d->doc, "discover")))
		move_key(&f, json_object_get(d->doc, "discover"), "sites");
	return move_site(&f, d->doc, e);
}
