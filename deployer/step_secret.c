/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include "live.h"

static json_t *encoded(const json_t *data)
{
	json_t *out = json_object();
	const char *key;
	json_t *text;

	json_object_foreach((json_t *)data, key, text) {
		const char *value = json_string_value(text);
		auto_free char *b = xmalloc(base64_size(strlen(value)));

		json_object_set_new(out, key, json_string(base64_encode(value, strlen(value), b)));
		wipe(b, strlen(b));
	}
	return out;
}

static int objects_of(struct engine *g, const struct step *s, bool placeholders, json_t **out, struct err *e)
{
	auto_json json_t *data = secrets_resolve(g->secrets, s->id, s->secret.data, placeholders, e);
	auto_json json_t *list = json_array();

	if (!data)
		return -1;
	for (size_t i = 0; i < s->secret.namespaces.n; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:{s:s, s:s}, s:o}", "apiVersion", "v1", "kind", "Secret",
						      "type", s->secret.type ? s->secret.type : "Opaque", "metadata", "name",
						      s->secret.name, "namespace", s->secret.namespaces.items[i], "data",
						      encoded(data)));
	*out = TAKE(list);
	return 0;
}

int step_secret_check(struct engine *g, const struct step *s, enum step_state *out, struct strv *diff, struct err *e)
{
	auto_json json_t *objects = NULL;
	enum live_state live;

	if (objects_of(g, s, true, &objects, e) < 0 || live_compare(g->session, objects, &live, diff, e) < 0)
		return -1;
	*out = live == LIVE_SAME ? STEP_SAME : live == LIVE_ABSENT ? STEP_NEW : STEP_CHANGES;
	return 0;
}

int step_secret_run(struct engine *g, const struct step *s, struct journal_record *record, struct err *e)
{
	auto_json json_t *objects = NULL;

	(void)record;
	/* What was generated is kept before anything uses it. */
	if (objects_of(g, s, false, &objects, e) < 0 || secrets_save(g->secrets, e) < 0)
		return -1;
	return kubectl_apply(&g->session->kubectl, objects, KUBECTL_FORCE, NULL, e);
}
