/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/manifest.h>

#include "manifest_check.h"
#include "manifest_merge.h"

#include <stdio.h>
#include <time.h>

#define TIME_MAX    INT64_C(253402300799)       /* end of the year 9999 */

static const struct field metadata_fields[] = {
	F_STR(struct manifest_metadata, name, "name", F_REQUIRED),
	F_STR(struct manifest_metadata, version, "version", F_REQUIRED | F_ALIAS_SCALAR),
	F_STR(struct manifest_metadata, stream, "stream", 0),
	F_STR(struct manifest_metadata, expires, "expires", 0),
	F_STRV(struct manifest_metadata, audience, "audience", F_ALIAS_SCALAR),
	F_U64(struct manifest_metadata, sequence, "sequence", 0),
	{ 0 }
};
static const struct type metadata_type = TYPE(struct manifest_metadata, metadata_fields);

static const struct field kubernetes_fields[] = {
	F_STR(struct manifest_kubernetes, version, "version", 0),
	F_STRV(struct manifest_kubernetes, api_versions, "apiVersions", 0),
	{ 0 }
};
static const struct type kubernetes_type = TYPE(struct manifest_kubernetes, kubernetes_fields);

static const struct field host_fields[] = {
	F_BOOL(struct manifest_host, plain_http, "plainHTTP", 0),
	F_STR(struct manifest_host, ca, "ca", 0),
	F_STR(struct manifest_host, username, "username", 0),
	F_STR(struct manifest_host, password, "password", 0),
	F_STR(struct manifest_host, token, "token", 0),
	F_STR(struct manifest_host, cert, "cert", 0),
	F_STR(struct manifest_host, key, "key", 0),
	F_STR(struct manifest_host, proxy, "proxy", 0),
	F_STR(struct manifest_host, rate, "rate", 0),
	F_STR(struct manifest_host, user_agent, "userAgent", 0),
	{ 0 }
};
static const struct type host_type = TYPE_KEYED(struct manifest_host, host_fields, host);

static const struct field source_fields[] = {
	F_STR(struct manifest_source, repository, "repository", F_REQUIRED),
	F_STR(struct manifest_source, ref, "ref", F_ALIAS_SCALAR),
	F_STR(struct manifest_source, path, "path", 0),
	F_STR(struct manifest_source, when, "when", 0),
	{ 0 }
};
static const struct type source_type = TYPE(struct manifest_source, source_fields);

static const struct field patch_fields[] = {
	F_STR(struct manifest_patch, kube_version, "kubeVersion", F_REQUIRED),
	{ 0 }
};
static const struct type patch_type = TYPE(struct manifest_patch, patch_fields);

static const struct field chart_fields[] = {
	F_STR(struct manifest_chart, name, "name", F_REQUIRED),
	F_STR(struct manifest_chart, version, "version", F_ALIAS_SCALAR),
	F_STR(struct manifest_chart, repository, "repository", 0),
	F_STR(struct manifest_chart, path, "path", 0),
	F_STR(struct manifest_chart, ref, "ref", F_ALIAS_SCALAR),
	F_STR(struct manifest_chart, keyring, "keyring", 0),
	F_LIST(struct manifest_chart, sources, n_sources, "sources", source_type, 0),
	F_STRV(struct manifest_chart, values, "values", F_ALIAS_SCALAR),
	F_OBJ(struct manifest_chart, patch, "patch", patch_type, 0),
	{ 0 }
};
static const struct type chart_type = TYPE(struct manifest_chart, chart_fields);

static const struct field image_fields[] = {
	F_STR(struct manifest_image, ref, "ref", F_REQUIRED),
	F_STR(struct manifest_image, layout, "layout", 0),
	F_STR(struct manifest_image, base, "base", 0),
	F_STRV(struct manifest_image, add, "add", F_ALIAS_SCALAR),
	F_STRV(struct manifest_image, platforms, "platforms", F_ALIAS_SCALAR),
	F_STRV(struct manifest_image, tags, "tags", F_ALIAS_SCALAR),
	{ 0 }
};
static const struct type image_type = TYPE(struct manifest_image, image_fields);

static const struct field file_fields[] = {
	F_STR(struct manifest_file, name, "name", F_REQUIRED),
	F_STR(struct manifest_file, url, "url", 0),
	F_STR(struct manifest_file, path, "path", 0),
	F_STR(struct manifest_file, image, "image", 0),
	F_STR(struct manifest_file, sha256, "sha256", 0),
	F_STR(struct manifest_file, member, "member", 0),
	F_STR(struct manifest_file, role, "role", 0),
	F_STR(struct manifest_file, mode, "mode", F_ALIAS_SCALAR),
	F_STR(struct manifest_file, platform, "platform", 0),
	{ 0 }
};
static const struct type file_type = TYPE(struct manifest_file, file_fields);

static const struct field repository_fields[] = {
	F_STR(struct manifest_repository, url, "url", 0),
	F_STR(struct manifest_repository, suite, "suite", F_ALIAS_SCALAR),
	F_STRV(struct manifest_repository, components, "components", F_ALIAS_SCALAR),
	F_STR(struct manifest_repository, keyring, "keyring", 0),
	F_BOOL(struct manifest_repository, trusted, "trusted", 0),
	{ 0 }
};
static const struct type repository_type = TYPE(struct manifest_repository, repository_fields);

static const struct field packages_fields[] = {
	F_STR(struct manifest_packages, name, "name", F_REQUIRED),
	F_STR(struct manifest_packages, type, "type", F_REQUIRED),
	F_STR(struct manifest_packages, url, "url", F_REQUIRED),
	F_STR(struct manifest_packages, suite, "suite", F_ALIAS_SCALAR),
	F_STRV(struct manifest_packages, components, "components", F_ALIAS_SCALAR),
	F_STR(struct manifest_packages, architecture, "architecture", F_REQUIRED),
	F_STR(struct manifest_packages, keyring, "keyring", 0),
	F_BOOL(struct manifest_packages, trusted, "trusted", 0),
	F_LIST(struct manifest_packages, more, n_more, "more", repository_type, 0),
	F_STRV(struct manifest_packages, install, "install", F_ALIAS_SCALAR),
	F_STRV(struct manifest_packages, present, "present", F_ALIAS_SCALAR),
	F_BOOL(struct manifest_packages, recommends, "recommends", 0),
	F_STR(struct manifest_packages, os, "os", 0),
	{ 0 }
};
static const struct type packages_type = TYPE(struct manifest_packages, packages_fields);

static const struct field python_fields[] = {
	F_STR(struct manifest_python, name, "name", F_REQUIRED),
	F_STRV(struct manifest_python, requirements, "requirements", F_ALIAS_SCALAR),
	F_STR(struct manifest_python, python, "python", F_REQUIRED | F_ALIAS_SCALAR),
	F_STR(struct manifest_python, platform, "platform", F_REQUIRED),
	F_STR(struct manifest_python, index, "index", 0),
	{ 0 }
};
static const struct type python_type = TYPE(struct manifest_python, python_fields);

static const struct field git_fields[] = {
	F_STR(struct manifest_git, name, "name", F_REQUIRED),
	F_STR(struct manifest_git, url, "url", F_REQUIRED),
	F_STRV(struct manifest_git, refs, "refs", F_ALIAS_SCALAR),
	{ 0 }
};
static const struct type git_type = TYPE(struct manifest_git, git_fields);

static const struct field os_tag_fields[] = {
	F_STR(struct manifest_os_tag, chart, "chart", F_REQUIRED),
	F_STR(struct manifest_os_tag, versions, "versions", F_ALIAS_SCALAR),
	F_STRV(struct manifest_os_tag, major, "major", F_ALIAS_SCALAR),
	{ 0 }
};
static const struct type os_tag_type = TYPE(struct manifest_os_tag, os_tag_fields);

static const struct field waiver_fields[] = {
	F_STR(struct manifest_waiver, image, "image", F_REQUIRED),
	F_STR(struct manifest_waiver, reason, "reason", F_REQUIRED),
	{ 0 }
};
static const struct type waiver_type = TYPE(struct manifest_waiver, waiver_fields);

static const struct field discover_fields[] = {
	F_STRV(struct manifest_discover, sites, "sites", F_ALIAS_SCALAR),
	F_LIST(struct manifest_discover, rules, n_rules, "rules", scan_rule_type, 0),
	F_LIST(struct manifest_discover, os_tags, n_os_tags, "osTags", os_tag_type, 0),
	F_LIST(struct manifest_discover, waive, n_waive, "waive", waiver_type, 0),
	{ 0 }
};
static const struct type discover_type = TYPE(struct manifest_discover, discover_fields);

static const struct field manifest_fields[] = {
	F_STR(struct manifest, api_version, "apiVersion", F_REQUIRED),
	F_STR(struct manifest, kind, "kind", F_REQUIRED),
	F_STRV(struct manifest, include, "include", F_ALIAS_SCALAR),
	F_OBJ(struct manifest, metadata, "metadata", metadata_type, F_REQUIRED),
	F_STRV(struct manifest, platforms, "platforms", F_ALIAS_SCALAR),
	F_OBJ(struct manifest, kubernetes, "kubernetes", kubernetes_type, 0),
	F_STR(struct manifest, site, "site", 0),
	F_JSON(struct manifest, aliases, "aliases", 0),
	F_MAP(struct manifest, hosts, n_hosts, "hosts", host_type, 0),
	F_LIST(struct manifest, charts, n_charts, "charts", chart_type, 0),
	F_LIST(struct manifest, images, n_images, "images", image_type, 0),
	F_LIST(struct manifest, files, n_files, "files", file_type, 0),
	F_LIST(struct manifest, packages, n_packages, "packages", packages_type, 0),
	F_LIST(struct manifest, python, n_python, "python", python_type, 0),
	F_LIST(struct manifest, git, n_git, "git", git_type, 0),
	F_JSON(struct manifest, facts, "facts", 0),
	F_OBJ(struct manifest, discover, "discover", discover_type, 0),
	{ 0 }
};
static const struct type manifest_type = TYPE(struct manifest, manifest_fields);

void manifest_release(struct manifest *m)
{
	decode_free(&manifest_type, m);
}

/* ---- reading */

static int read_doc(const struct manifest_doc *d, const char *subject, struct manifest *out, struct err *e)
{
	const struct manifest_place place = { .doc = d->doc, .marks = d->marks, .subject = subject };
	auto_manifest struct manifest m = { 0 };

	if (decode(&manifest_type, d->doc, d->marks, subject, &m, e) < 0 || manifest_check_at(&m, &place, e) < 0)
		return -1;
	if (!m.metadata.stream)
		m.metadata.stream = xstrdup(m.metadata.name);
	if (!m.platforms.n)
		strv_push(&m.platforms, "linux/amd64");
	*out = m;
	m = (struct manifest){ 0 };
	return 0;
}

int manifest_parse(const void *p, size_t n, const char *subject, struct manifest *out, struct err *e)
{
	auto_manifest_doc struct manifest_doc d = { 0 };

	d.doc = ydoc_parse(p, n, &ydoc_user, subject, &d.marks, e);
	if (!d.doc || manifest_doc_check(d.doc, subject, e) < 0)
		return -1;
	if (json_object_get(d.doc, "include"))
		return err_set(e, ERR_UNSUPPORTED, "%s: include: only a file can include others", subject);
	return read_doc(&d, subject, out, e);
}

int manifest_load(const char *path, const struct strv *overlays, struct manifest *out, struct err *e)
{
	auto_manifest_doc struct manifest_doc d = { 0 };

	if (manifest_doc_load(path, overlays, &d, e) < 0)
		return -1;
	return read_doc(&d, path, out, e);
}

/* ---- look-ups */

const struct manifest_chart *manifest_chart(const struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->n_charts; i++)
		if (str_eq(m->charts[i].name, name))
			return &m->charts[i];
	return NULL;
}

struct manifest_packages manifest_packages_at(const struct manifest_packages *m, size_t i)
{
	struct manifest_packages at = *m;
	const struct manifest_repository *r = i ? &m->more[i - 1] : NULL;

	if (!r)
		return at;
	at.url = r->url ? r->url : at.url;
	at.suite = r->suite ? r->suite : at.suite;
	/* A flat repository has none to take over. */
	if (r->components.n || (r->suite && str_ends(r->suite, "/")))
		at.components = r->components;
	if (r->keyring || r->trusted) {
		at.keyring = r->keyring;
		at.trusted = r->trusted;
	}
	return at;
}

const struct manifest_file *manifest_file(const struct manifest *m, const char *name)
{
	for (size_t i = 0; i < m->n_files; i++)
		if (str_eq(m->files[i].name, name))
			return &m->files[i];
	return NULL;
}

char *manifest_fetch_name(const struct manifest *m, const char *name)
{
	const char *from, *best = NULL;
	json_t *to;

	if (!m->aliases)
		return NULL;
	json_object_foreach(m->aliases, from, to) {
		size_t n = strlen(from);

		if (str_starts(name, from) && (name[n] == '/' || !name[n]) && (!best || n > strlen(best)))
			best = from;
	}
	if (!best)
		return NULL;
	return xasprintf("%s%s", json_string_value(json_object_get(m->aliases, best)), name + strlen(best));
}

/* ---- times */

char *manifest_time(int64_t seconds, char out[24])
{
	time_t t = (time_t)MAX(INT64_C(0), MIN(seconds, TIME_MAX));
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

/* "2027-01-31" or "2027-01-31T00:00:00Z", a day of the calendar. */
static bool parse_time(const char *text, int64_t *out)
{
	char back[24];
	struct tm tm = { 0 };
	bool whole = strchr(text, 'T') != NULL;
	const char *end = strptime(text, whole ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%d", &tm);

	if (!end || *end)
		return false;
	*out = timegm(&tm);
	manifest_time(*out, back);
	return strncmp(back, text, strlen(text)) == 0;
}

bool manifest_expiry(const char *text, int64_t from, char out[24])
{
	size_t n = text ? strlen(text) : 0;
	int64_t at;
	uint64_t days;

	*out = '\0';
	if (!text)
		return true;
	if (n > 1 && n < 8 && text[n - 1] == 'd') {
		auto_free char *number = xstrndup(text, n - 1);

		if (!u64_parse(number, &days))
			return false;
		at = from + (int64_t)days * 86400;
	} else if (!parse_time(text, &at)) {
		return false;
	}
	if (at <= from || at > TIME_MAX)
		return false;
	manifest_time(at, out);
	return true;
}
