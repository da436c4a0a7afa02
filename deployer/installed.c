/* SPDX-License-Identifier: Apache-2.0 */
#include "installed.h"

#include "render.h"

#include <airgap/log.h>
#include <airgap/semver.h>

/* "web-app-1.2.0-3": the version begins behind the first '-' that leaves a whole one. 0: none does. */
static size_t version_at(const char *chart)
{
	for (const char *p = strchr(chart, '-'); p; p = strchr(p + 1, '-')) {
		struct semver ignored;

		if (semver_parse(p + 1 + (p[1] == 'v'), SEMVER_STRICT, &ignored))
			return (size_t)(p + 1 - chart);
	}
	return 0;
}

/* Some entries of what helm says, by namespace and name. What was taken away and only remembered by helm is not there. */
static int releases_of(const json_t *list, json_t *out, struct err *e)
{
	size_t i;
	json_t *r;

	json_array_foreach((json_t *)list, i, r) {
		const char *name = jdoc_text(r, "name", NULL), *ns = jdoc_text(r, "namespace", NULL);
		const char *chart = jdoc_text(r, "chart", NULL), *revision = jdoc_text(r, "revision", NULL);
		uint64_t n;

		if (!name || !ns || !chart || !revision || !u64_parse(revision, &n))
			return err_set(e, ERR_CLUSTER, "helm list: unexpected answer");
		if (str_eq(jdoc_text(r, "status", NULL), "uninstalled"))
			continue;

		size_t at = version_at(chart);
		auto_free char *key = xasprintf("%s/%s", ns, name);
		auto_free char *bare = xstrndup(chart, at ? at - 1 : strlen(chart));

		json_object_set_new(out, key, json_pack("{s:s, s:s, s:I}", "chart", bare, "version", at ? chart + at : "", "revision",
							(json_int_t)n));
	}
	return 0;
}

static const json_t *kept(const struct journal *j)
{
	return json_object_get((json_t *)journal_installed(j), "from");
}

/* Where the site installs when nothing is there yet: it may depend on what is, but seldom in its namespaces. */
static int site_namespaces(struct session *s, struct strv *out, struct err *e)
{
	auto_json json_t *nothing = json_object();
	auto_steps struct steps steps = { 0 };

	if (render_steps(s, nothing, &steps, e) < 0)
		return -1;
	for (size_t i = 0; i < steps.n; i++)
		if (steps.items[i].kind == STEP_RELEASE)
			strv_push(out, steps.items[i].release.ns);
	strv_sort(out);
	strv_uniq(out);
	return 0;
}

/* What may be seen of it. */
static int read_each(struct session *s, json_t *out, struct err *e)
{
	auto_strv struct strv namespaces = { 0 };

	if (site_namespaces(s, &namespaces, e) < 0)
		return -1;
	log_warn("releases: you may not list those of the whole cluster: looking in the namespaces of the site's own alone");
	for (size_t i = 0; i < namespaces.n; i++) {
		auto_json json_t *list = NULL;

		if (helm_list(&s->helm, namespaces.items[i], &list, e) < 0) {
			if (e->code != ERR_AUTH)
				return -1;
			log_warn("releases in namespace '%s': not known: you may not list secrets there: ask for that right", namespaces.items[i]);
		} else if (releases_of(list, out, e) < 0)
			return -1;
	}
	return 0;
}

static int read_now(struct session *s, json_t *out, struct err *e)
{
	auto_json json_t *list = NULL;

	if (helm_list(&s->helm, NULL, &list, e) == 0)
		return releases_of(list, out, e);
	return e->code == ERR_AUTH ? read_each(s, out, e) : -1;
}

int installed_read(struct session *s, const struct journal *j, json_t **out, json_t **out_now, struct err *e)
{
	auto_json json_t *now = json_object();
	auto_json json_t *then = json_object();
	const char *key;
	json_t *value;

	if (read_now(s, now, e) < 0)
		return -1;
	json_object_foreach((json_t *)kept(j), key, value)
		if (json_object_get(now, key))
			json_object_set(then, key, value);
	*out = json_incref(kept(j) ? then : now);
	*out_now = TAKE(now);
	return 0;
}

int installed_keep(struct session *s, struct journal *j, const json_t *now, const char *bundle, struct err *e)
{
	const json_t *last = journal_installed(j);
	auto_json json_t *about = last ? json_copy((json_t *)last) : json_object();

	if (kept(j) || (last && str_eq(jdoc_text(last, "bundle", NULL), bundle) &&
			json_equal(json_object_get(last, "site"), s->site.doc) && json_equal(json_object_get(last, "releases"), now)))
		return 0;
	json_object_set(about, "from", (json_t *)now);
	return journal_set_installed(j, about, e);
}
