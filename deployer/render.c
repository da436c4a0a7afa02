/* SPDX-License-Identifier: Apache-2.0 */
#include "render.h"

#include "post_render.h"

#include <airgap/reserved.h>
#include <airgap/schema_hint.h>

#include <unistd.h>

/* "v1.36.3" as the cluster says it, else what the site file or the build named. */
static const char *kube_version(const struct session *s)
{
	if (s->cluster_version)
		return s->cluster_version;
	return s->site.kube_version ? s->site.kube_version : s->contents.kube_version;
}

/* What the site chart is rendered with: the site file, the reserved key, and the registry's user wherever it is known
 * from. No password: the file has none, only where one is. */
static json_t *site_values(struct session *s, const json_t *installed, struct err *e)
{
	const struct reserved r = { &s->contents, site_names(&s->site), kube_version(s), installed };
	json_t *airgap = reserved_on_site(&r, e);
	json_t *values;

	if (!airgap)
		return NULL;
	values = json_deep_copy(s->site.doc);
	json_object_set_new(values, "airgap", airgap);
	if (s->pull_user && !s->site.registry.username)
		json_object_set_new(json_object_get(values, "registry"), "username", json_string(s->pull_user));
	return values;
}

/* Helm's words about the site file, in terms of the site file. */
static int explain(struct session *s, struct err *e)
{
	const char *file = s->site.path ? s->site.path : "site";
	auto_buf struct buf bytes = BUF_INIT(1u << 20);
	auto_json json_t *schema = NULL;
	struct err ignored;

	if (session_chart_file(s, s->contents.site, "values.schema.json", &bytes, &ignored) == 1)
		schema = jdoc_parse(bytes.ptr, bytes.len, bytes.max, "schema", &ignored);

	auto_free char *hint = schema_hint(file, s->site.doc, s->site.marks, schema, e->msg);

	/* Of several complaints the hint has the first: helm's own words follow. What a template says is said whole. */
	if (!hint || !strstr(e->msg, "execution error at ("))
		return err_wrap(e, "%s", hint ? hint : s->site.path ? s->site.path : "site chart");
	/* These two are about the bundle and the cluster, not about what the file says. */
	if (strstr(hint, ": not in the bundle") || strstr(hint, " needs a migration: "))
		return err_set(e, ERR_PREFLIGHT, "%s", hint);
	return err_set(e, ERR_MALFORMED, "%s", hint);
}

int render_steps(struct session *s, const json_t *installed, struct steps *out, struct err *e)
{
	auto_json json_t *values = NULL;
	auto_helm_objects struct helm_objects objects = { 0 };
	const struct ref_site names = site_names(&s->site);
	auto_free char *chart = NULL;

	if (!s->contents.site)
		return err_set(e, ERR_PREFLIGHT, "bundle '%s': carries no site chart: name one with `site:` in its manifest",
			       s->contents.name);
	rewrite_release(&s->rewrite);
	if (rewrite_names(&s->rewrite, &s->contents, &names, e) < 0)
		return -1;
	values = site_values(s, installed, e);
	if (!values || session_chart(s, s->contents.site, &chart, e) < 0)
		return -1;

	struct helm_render r = { .chart = chart, .release = "site", .ns = "default", .values = values,
				 .kube_version = kube_version(s), .api_versions = &s->api_versions };

	if (helm_template(&s->helm, &r, &objects, e) < 0)
		return explain(s, e);
	return steps_parse(&objects, out, e);
}

/* ---- releases */

int render_rename(struct session *s, const char *chart, json_t **object, bool *changed, struct err *e)
{
	json_t *own = json_deep_copy(*object);

	json_decref(*object);
	*object = own;
	return rewrite_object(&s->rewrite, chart, &s->rules, own, changed, e);
}

static int rename_release(struct session *s, const char *chart, struct helm_objects *o, struct err *e)
{
	const struct helm_object *hook;

	if (rewrite_rendered(&s->rewrite, chart, &s->rules, o, &hook, e) < 0)
		return -1;
	if (!hook || s->helm.major != 3)
		return 0;
	return err_set(e, ERR_PREFLIGHT, "chart '%s': %s: the hook %s/%s names images upstream, and helm 3 does not post-render hooks: "
		       "use helm 4, or set the image keys of the hook in the site chart", chart, hook->source,
		       jdoc_text(hook->object, "kind", NULL), jdoc_text(hook->object, "metadata", "name", NULL));
}

int render_release(struct session *s, const struct step_release *r, const json_t *values, bool is_upgrade,
		   struct helm_objects *out, struct err *e)
{
	auto_free char *chart = NULL;

	if (session_chart(s, r->chart, &chart, e) < 0)
		return -1;

	struct helm_render render = { .chart = chart, .release = r->name, .ns = r->ns, .values = values,
				      .kube_version = kube_version(s), .api_versions = &s->api_versions,
				      .is_upgrade = is_upgrade };

	if (helm_template(&s->helm, &render, out, e) < 0)
		return -1;
	return site_rewrite(&s->site) == SITE_POST_RENDER ? rename_release(s, r->chart, out, e) : 0;
}

/* ---- the post-renderer: this program again */

int render_post_begin(struct session *s, const char *chart, struct render_post *out, struct err *e)
{
	*out = (struct render_post){ .names = BUF_INIT(REWRITE_MAX) };
	if (site_rewrite(&s->site) != SITE_POST_RENDER)
		return 0;
	if (rewrite_dump(&s->rewrite, chart, &s->rules, &out->names, e) < 0)
		return err_wrap(e, "chart '%s': post-render", chart);
	/* Not by its path: another version may stand there by now. */
	out->program = xasprintf("/proc/%ld/exe", (long)getpid());
	out->post = (struct helm_post){ out->program, POST_RENDER, out->names.ptr, out->names.len };
	return 0;
}

void render_post_release(struct render_post *p)
{
	free(p->program);
	buf_release(&p->names);
	*p = (struct render_post){ 0 };
}
