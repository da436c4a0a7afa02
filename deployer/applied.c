/* SPDX-License-Identifier: Apache-2.0 */
#include "applied.h"

#include "system.h"

#include <airgap/fs.h>
#include <airgap/log.h>

#include <stdlib.h>

/* STATE/site-STREAM: {"folder": "/home/ops/site", "site": "sha256:..."}, of the canonical JSON of the site file. */
#define SITE_MAX   (8u << 20)
#define RECORD_MAX (64u << 10)

static char *path_of(const struct session *s, const char *stream)
{
	char name[SYSTEM_STREAM];
	auto_free char *file = xasprintf("site-%s", system_stream(stream, name));

	return fs_join(s->state_dir, file);
}

static int fingerprint(const json_t *site, char out[DIGEST_TEXT], struct err *e)
{
	auto_buf struct buf text = BUF_INIT(SITE_MAX);

	if (jdoc_dump(site, &text, e) < 0)
		return -1;

	struct digest d = digest_of(text.ptr, text.len);

	digest_text(&d, out);
	return 0;
}

int applied_save(const struct session *s, const char *stream, struct err *e)
{
	const char *dir = s->site.dir ? s->site.dir : ".";
	auto_free char *path = path_of(s, stream);
	auto_free char *folder = realpath(dir, NULL);
	auto_buf struct buf text = BUF_INIT(RECORD_MAX);
	char digest[DIGEST_TEXT];

	if (s->foreign)
		return 0;
	if (!folder)
		return err_sys(e, "cannot find the folder '%s'", dir);
	if (fingerprint(s->site.doc, digest, e) < 0)
		return -1;

	auto_json json_t *record = json_pack("{s:s, s:s}", "folder", folder, "site", digest);

	if (!record)
		return err_set(e, ERR_MALFORMED, "the folder of the site file: its name is not UTF-8: use another one");
	if (jdoc_dump(record, &text, e) < 0 || fs_make_dirs(s->state_dir, 0700, e) < 0)
		return -1;
	return fs_save(path, text.ptr, text.len, 0600, e);
}

int applied_find(const struct session *s, const char *stream, const json_t *site, char **out_folder, struct err *e)
{
	auto_free char *path = path_of(s, stream);
	auto_buf struct buf text = BUF_INIT(RECORD_MAX);
	auto_json json_t *record = NULL;
	char digest[DIGEST_TEXT];
	struct err why = { 0 };
	int there = fs_exists(path, e);

	if (there <= 0)
		return there;
	if (fs_load(path, RECORD_MAX, &text, &why) == 0)
		record = jdoc_parse(text.ptr, text.len, RECORD_MAX, path, &why);
	if (!record) {          /* as good as none: --site says it again */
		log_debug("%s", why.msg);
		return 0;
	}
	if (fingerprint(site, digest, e) < 0)
		return -1;

	const char *folder = jdoc_text(record, "folder", NULL);

	if (!folder || !str_eq(jdoc_text(record, "site", NULL), digest))
		return 0;
	*out_folder = xstrdup(folder);
	return 1;
}

static bool has_reference(const json_t *j)
{
	const char *text = json_string_value(j), *key;
	json_t *value;
	size_t i;

	if (text)
		return strstr(text, "$(file:") || strstr(text, "$(env:");
	json_object_foreach((json_t *)j, key, value)
		if (has_reference(value))
			return true;
	json_array_foreach((json_t *)j, i, value)
		if (has_reference(value))
			return true;
	return false;
}

bool applied_refers(const json_t *site)
{
	static const char *const keys[][2] = {
		{ "registry", "ca" }, { "registry", "password" }, { "kubernetes", "kubeconfig" }, { "kubernetes", "context" }
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *text = jdoc_text(site, keys[i][0], keys[i][1], NULL);

		if (text && *text)
			return true;
	}
	/* In the open, what this machine knows of a registry would go to whoever is in between. */
	return json_is_true(json_object_get(json_object_get(site, "registry"), "plainHTTP")) || has_reference(site);
}
