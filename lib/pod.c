/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/pod.h>

#include <airgap/buf.h>
#include <airgap/yaml.h>

#define PATH_TEXT 4096u
#define EMBEDDED_DEPTH 2u       /* a text in a ConfigMap's text is the last that is looked into */

void pod_templates_release(struct pod_templates *t)
{
	for (size_t i = 0; i < t->n; i++) {
		json_decref(t->items[i].spec);
		json_decref(t->items[i].metadata);
		free(t->items[i].source);
		free(t->items[i].kind);
		free(t->items[i].path);
	}
	free(t->items);
	*t = (struct pod_templates){ 0 };
}

/* ---- finding ---- */

struct walk {
	const struct helm_object *object;
	const char *kind;
	struct buf path;
	unsigned embedded;
	struct pod_templates *out;
};

/* The kinds whose pods the API server makes itself; others hold templates for somebody else. */
static bool workload(const char *kind)
{
	static const char *const kinds[] = { "Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet",
					     "ReplicationController", "Job", "CronJob" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

/* A list of maps that each have a name: containers, not some other thing of that name. In a template for an agent the names
 * may be the agent's. */
static bool is_pod_spec(const struct walk *w, const char *key, const json_t *map)
{
	const json_t *list = json_object_get(map, "containers");
	bool named = w->embedded == 0 || !key || strcmp(key, "spec") != 0;
	size_t i;
	json_t *c;

	if (!json_is_array(list) || json_array_size(list) == 0)
		return false;
	json_array_foreach(list, i, c)
		if (!json_is_object(c) || (named && !json_is_string(json_object_get(c, "name"))))
			return false;
	return true;
}

static void add(struct walk *w, json_t *spec, json_t *metadata)
{
	struct pod_template t = { .spec = json_incref(spec), .metadata = json_incref(metadata), .source = xstrdup(w->object->source),
				  .kind = xstrdup(w->kind), .path = xstrdup(buf_str(&w->path)) };

	t.embedded = w->embedded > 0 || !workload(w->kind);
	GROW(w->out->items, w->out->n);
	w->out->items[w->out->n++] = t;
}

static int walk_value(struct walk *w, const char *key, json_t *parent, json_t *v, struct err *e);

static int walk_child(struct walk *w, const char *key, size_t index, json_t *parent, json_t *v, struct err *e)
{
	size_t len = w->path.len;
	auto_free char *step = key ? xasprintf("%s%s", len ? "." : "", key) : xasprintf("[%zu]", index);

	if (buf_add(&w->path, step, strlen(step), e) < 0)
		return -1;

	int r = walk_value(w, key, parent, v, e);

	w->path.len = len;
	w->path.ptr[len] = '\0';
	return r;
}

/* Text of a ConfigMap that is YAML with a pod in it. Text that is not YAML is no template. */
static int walk_text(struct walk *w, const char *text, struct err *e)
{
	struct err ignored;

	if (w->embedded >= EMBEDDED_DEPTH || !strstr(text, "containers"))
		return 0;

	auto_json json_t *docs = ydoc_parse_all(text, strlen(text), &ydoc_rendered, "text", &ignored);

	if (!docs)
		return 0;
	w->embedded++;

	int r = walk_value(w, NULL, NULL, docs, e);

	w->embedded--;
	return r;
}

static int walk_value(struct walk *w, const char *key, json_t *parent, json_t *v, struct err *e)
{
	const char *name;
	json_t *child;
	size_t i;

	if (json_is_string(v))
		return strcmp(w->kind, "ConfigMap") == 0 ? walk_text(w, json_string_value(v), e) : 0;
	if (json_is_object(v) && is_pod_spec(w, key, v))
		add(w, v, json_object_get(parent, "metadata"));
	json_object_foreach(v, name, child)
		if (walk_child(w, name, 0, v, child, e) < 0)
			return -1;
	json_array_foreach(v, i, child)
		if (walk_child(w, NULL, i, v, child, e) < 0)
			return -1;
	return 0;
}

int pod_find_templates(const struct helm_objects *o, struct pod_templates *out, struct err *e)
{
	for (size_t i = 0; i < o->n; i++) {
		const char *kind = jdoc_text(o->items[i].object, "kind", NULL);
		struct walk w = { &o->items[i], kind ? kind : "", BUF_INIT(PATH_TEXT), 0, out };

		/* A CRD describes containers, it has none. */
		if (o->items[i].test || strcmp(w.kind, "CustomResourceDefinition") == 0)
			continue;

		int r = walk_value(&w, NULL, NULL, o->items[i].object, e);

		buf_release(&w.path);
		if (r < 0)
			return err_wrap(e, "%s", o->items[i].source);
	}
	return 0;
}
