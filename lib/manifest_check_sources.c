/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest_check.h"

#include <airgap/pip.h>
#include <airgap/url.h>

#define REFS_MAX 1000u
#define TEXT_MAX 1024u

/* ---- git */

int manifest_check_git_address(const char *url, struct err *e)
{
	auto_url struct url u = { 0 };
	size_t scheme = strcspn(url, ":");

	if (str_starts(url, "ssh:") || (strchr(url, '@') && !strstr(url, "://")))
		return err_set(e, ERR_UNSUPPORTED, "ssh is not supported: write https and give a token under hosts");
	if (str_starts(url, "file://"))
		return url[strlen("file://")] ? 0 : err_set(e, ERR_MALFORMED, "git+file:// without a path");
	if (strstr(url, "://") && !str_starts(url, "https://") && !str_starts(url, "http://"))
		return err_set(e, ERR_UNSUPPORTED, "git over '%.*s' is not supported: write https", (int)MIN(scheme, 32u), url);
	if (!strstr(url, "://"))
		return err_set(e, ERR_MALFORMED, "'%s' is no address: write git+https://HOST/PATH or git+file://PATH", url);
	return url_parse(url, "git", &u, e);
}

/* What git itself takes as the name of a ref. */
int manifest_check_ref(const char *ref, struct err *e)
{
	bool bad = !*ref || strlen(ref) > TEXT_MAX || strchr("/.-", *ref) || strstr(ref, "..") || strstr(ref, "//") ||
		   strstr(ref, "@{") || str_ends(ref, "/") || str_ends(ref, ".") || str_ends(ref, ".lock");

	for (const char *p = ref; *p; p++)
		bad = bad || (unsigned char)*p <= ' ' || *p == 0x7f || strchr("~^:?*[\\=", *p);
	return bad ? err_set(e, ERR_MALFORMED, "'%.64s' is no branch, tag or commit", ref) : 0;
}

int manifest_check_tree_path(const char *path, struct err *e)
{
	auto_strv struct strv parts = { 0 };
	bool bad = *path == '/' || strlen(path) > TEXT_MAX;

	strv_split(&parts, path, '/');
	for (size_t i = 0; i < parts.n; i++)
		bad = bad || strcmp(parts.items[i], "..") == 0;
	for (const char *p = path; *p; p++)
		bad = bad || (unsigned char)*p < ' ' || *p == 0x7f || *p == '?';
	return bad ? err_set(e, ERR_UNSAFE, "path: '%.64s' is no folder inside the repository", path) : 0;
}

int manifest_check_git(const struct manifest_git *g, struct err *e)
{
	const char *address = str_starts(g->url, "git+") ? g->url + strlen("git+") : g->url;

	if (manifest_check_git_address(address, e) < 0)
		return err_wrap(e, "url");
	if (g->refs.n > REFS_MAX)
		return err_set(e, ERR_LIMIT, "refs: takes at most %u", REFS_MAX);
	for (size_t i = 0; i < g->refs.n; i++)
		if (manifest_check_ref(g->refs.items[i], e) < 0)
			return err_wrap(e, "refs");
	return 0;
}

/* ---- Python */

int manifest_check_python(const struct manifest_python *p, struct err *e)
{
	auto_url struct url u = { 0 };

	if (pip_check_target(p->python, p->platform, e) < 0)
		return -1;
	if (p->index && url_parse(p->index, "index", &u, e) < 0)
		return -1;
	if (u.query)
		return err_set(e, ERR_MALFORMED, "index: takes an address without '?'");
	if (!p->requirements.n)
		return err_set(e, ERR_MALFORMED, "needs requirements");
	if (p->requirements.n > PIP_REQUIREMENTS_MAX)
		return err_set(e, ERR_LIMIT, "requirements: takes at most %u", PIP_REQUIREMENTS_MAX);
	for (size_t i = 0; i < p->requirements.n; i++)
		if (pip_check_requirement(p->requirements.items[i], e) < 0)
			return err_wrap(e, "requirements[%zu]", i);
	return 0;
}
