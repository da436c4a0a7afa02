/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include "live.h"

#include <airgap/yaml.h>

#define FILE_MAX (16u << 20)

/* Objects written in the step, or a YAML file of the bundle. */
static int load_file(struct engine *g, const char *name, json_t **out, struct err *e)
{
	const struct content_file *f = contents_file(&g->session->contents, name, NULL);
	auto_buf struct buf text = BUF_INIT(FILE_MAX);

	if (!f)
		return err_set(e, ERR_PREFLIGHT, "file '%s': not in the bundle: build it again with this site file", name);
	if (bundle_blob_load(g->session->bundle, &f->blob, &text, e) < 0)
		return err_wrap(e, "file '%s'", name);
	*out = ydoc_parse_all(buf_str(&text), text.len, &ydoc_rendered, name, e);
	return *out ? 0 : -1;
}

static int rename_all(struct engine *g, const struct step *s, json_t *objects, struct err *e)
{
	for (size_t i = 0; i < json_array_size(objects); i++) {
		auto_json json_t *object = json_incref(json_array_get(objects, i));
		bool ignored;

		if (render_rename(g->session, s->id, &object, &ignored, e) < 0)
			return -1;
		json_array_set(objects, i, object);
	}
	return 0;
}

int step_apply_objects(struct engine *g, const struct step *s, bool placeholders, json_t **out, struct err *e)
{
	auto_json json_t *objects = NULL;

	if (s->apply.file ? load_file(g, s->apply.file, &objects, e) < 0
			  : !(objects = secrets_resolve(g->secrets, s->id, s->apply.objects, placeholders, e)))
		return -1;
	if (site_rewrite(&g->session->site) == SITE_POST_RENDER && rename_all(g, s, objects, e) < 0)
		return -1;
	live_set_namespace(objects, s->apply.ns);
	*out = TAKE(objects);
	return 0;
}

int step_apply_check(struct engine *g, const struct step *s, enum step_state *out, struct strv *diff, struct err *e)
{
	auto_json json_t *objects = NULL;
	enum live_state live;

	if (step_apply_objects(g, s, true, &objects, e) < 0 || live_compare(g->session, objects, &live, diff, e) < 0)
		return -1;
	*out = live == LIVE_SAME ? STEP_SAME : live == LIVE_ABSENT ? STEP_NEW : STEP_CHANGES;
	return 0;
}

int step_apply_run(struct engine *g, const struct step *s, struct journal_record *record, struct err *e)
{
	auto_json json_t *objects = NULL;
	/* What was ours before is taken back; what was never ours only when told so. */
	enum kubectl_apply_mode mode = g->take_ownership || engine_past(g, s)->done ? KUBECTL_FORCE : KUBECTL_APPLY;

	(void)record;
	if (step_apply_objects(g, s, false, &objects, e) < 0 || secrets_save(g->secrets, e) < 0)
		return -1;
	return kubectl_apply(&g->session->kubectl, objects, mode, NULL, e);
}
