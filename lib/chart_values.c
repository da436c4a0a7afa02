/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/chart_values.h>

#include <airgap/ref.h>
#include <airgap/tarball.h>
#include <airgap/yaml.h>

#define TEMPLATES_MAX (100u << 20)      /* as much as an archive may unpack to */
#define NESTED        8u                /* sub-charts within sub-charts */

void chart_values_release(struct chart_values *v)
{
	json_decref(v->defaults);
	json_decref(v->schema);
	strv_release(&v->parts);
	buf_release(&v->templates);
	*v = (struct chart_values){ 0 };
}

/* ---- reading */

struct reader {
	json_t *files;                  /* {"charts/a/": {chart, values}}, "" is the chart itself */
	char *base;                     /* in front of the names of the archive that is read now */
	unsigned nested;
	struct chart_values *out;
};

static int read_archive(struct reader *r, const char *base, const void *p, size_t n, struct err *e);

/* Length of the chart's folder in front of a name: all of its "charts/NAME/". */
static size_t folder_of(const char *name)
{
	const char *p = name;

	while (str_starts(p, "charts/")) {
		const char *end = strchr(p + strlen("charts/"), '/');

		if (!end)
			break;
		p = end + 1;
	}
	return (size_t)(p - name);
}

static json_t *parse(const struct tarball_member *m)
{
	struct err ignored;
	json_t *doc = ydoc_parse(m->bytes, m->size, &ydoc_rendered, m->name, NULL, &ignored);

	if (json_is_object(doc))
		return doc;
	json_decref(doc);
	return json_object();
}

static void keep(struct reader *r, const char *folder, const char *what, json_t *doc)
{
	json_t *of = json_object_get(r->files, folder);

	if (!of) {
		of = json_object();
		json_object_set_new(r->files, folder, of);
	}
	json_object_set_new(of, what, doc);
}

static int read_member(void *ctx, const struct tarball_member *m, struct err *e)
{
	struct reader *r = ctx;
	auto_free char *name = xasprintf("%s%s", r->base, m->name);
	size_t cut = folder_of(name);
	auto_free char *folder = xstrndup(name, cut);
	const char *rest = name + cut;

	if (strcmp(rest, "Chart.yaml") == 0)
		keep(r, folder, "chart", parse(m));
	else if (strcmp(rest, "values.yaml") == 0)
		keep(r, folder, "values", parse(m));
	else if (strcmp(name, "values.schema.json") == 0)
		r->out->schema = parse(m);
	else if (str_starts(rest, "templates/"))
		return buf_add(&r->out->templates, m->bytes, m->size, e) < 0 || buf_add(&r->out->templates, "\n", 1, e) < 0 ? -1 : 0;
	else if (str_starts(rest, "charts/") && str_ends(rest, ".tgz") && r->nested < NESTED)
		return read_archive(r, name, m->bytes, m->size, e);
	return 0;
}

/* base: the archive's own name in front of what is in it, so that it reads as a folder. */
static int read_archive(struct reader *r, const char *base, const void *p, size_t n, struct err *e)
{
	char *before = r->base;
	auto_free char *base_of_this = xasprintf("%s%s", base, *base ? "/" : "");

	r->base = base_of_this;
	r->nested++;

	int rc = tarball_chart_each(p, n, read_member, r, e);

	r->nested--;
	r->base = before;
	return rc;
}

/* ---- a chart and its sub-charts as one tree */

static bool is_child(const char *parent, const char *folder)
{
	const char *rest = str_starts(folder, parent) ? folder + strlen(parent) : "";

	return str_starts(rest, "charts/") && folder_of(rest) == strlen(rest) && !strstr(rest + strlen("charts/"), "/charts/");
}

static void add_part(struct chart_values *v, json_t *all, const char *name, json_t *values)
{
	json_object_set(all, name, values);
	if (!strv_has(&v->parts, name))
		strv_push(&v->parts, name);
}

/* Under its name, or under each alias that the chart above gives it. Its globals are everybody's. */
static void add_child(struct chart_values *v, json_t *all, const json_t *above, const char *name, json_t *values)
{
	json_t *globals = json_object_get(values, "global"), *one;
	bool added = false;
	size_t i;

	json_array_foreach(json_object_get(above, "dependencies"), i, one) {
		const char *alias = jdoc_text(one, "alias", NULL);

		if (!str_eq(jdoc_text(one, "name", NULL), name))
			continue;
		add_part(v, all, alias ? alias : name, values);
		added = true;
	}
	if (!added)
		add_part(v, all, name, values);
	if (!json_is_object(globals))
		return;
	if (!json_object_get(all, "global"))
		json_object_set_new(all, "global", json_object());
	jdoc_merge(json_object_get(all, "global"), globals);
}

static json_t *tree(struct chart_values *v, json_t *files, const char *folder, unsigned depth)
{
	const json_t *own = json_object_get(files, folder);
	const json_t *values = json_object_get(own, "values");
	json_t *all = json_object(), *child;
	const char *key;

	json_object_foreach(files, key, child) {
		const char *name = jdoc_text(child, "chart", "name", NULL);

		if (depth < NESTED && name && is_child(folder, key)) {
			auto_json json_t *below = tree(v, files, key, depth + 1);

			add_child(v, all, json_object_get(own, "chart"), name, below);
		}
	}
	if (json_is_object(values))
		jdoc_merge(all, values);
	return all;
}

int chart_values_read(const void *p, size_t n, struct chart_values *out, struct err *e)
{
	auto_chart_values struct chart_values v = { .templates = BUF_INIT(TEMPLATES_MAX) };
	auto_json json_t *files = json_object();
	struct reader r = { .files = files, .base = (char *)"", .out = &v };

	if (read_archive(&r, "", p, n, e) < 0)
		return -1;
	v.defaults = tree(&v, files, "", 0);
	*out = v;
	v = (struct chart_values){ 0 };
	return 0;
}

/* ---- the key of an image */

enum rank { RANK_NONE, RANK_WHOLE, RANK_REPOSITORY, RANK_REGISTRY };

struct search {
	const struct ref *image;
	const char *registry, *registry_key;    /* of all: global.imageRegistry or the like; NULL = none */
	enum rank rank;
	char *found;
};

/* "docker.io" "/" "demo/web" is the image's name? Either may be NULL. */
static bool makes(const struct search *s, const char *front, const char *back)
{
	auto_free char *text = front && *front ? xasprintf("%s/%s", front, back ? back : "") : xstrdup(back ? back : "");
	auto_ref struct ref r = { 0 };
	struct err ignored;

	return back && *back && ref_parse(text, &r, &ignored) == 0 && strcmp(r.host, s->image->host) == 0 &&
	       strcmp(r.path, s->image->path) == 0;
}

static void take(struct search *s, enum rank rank, const char *path, const char *key)
{
	if (rank <= s->rank)
		return;
	s->rank = rank;
	free(s->found);
	s->found = xasprintf("%s%s%s", path, *path ? "." : "", key);
}

static void look_at(struct search *s, const char *path, const json_t *map)
{
	const char *registry = jdoc_text(map, "registry", NULL), *repository = jdoc_text(map, "repository", NULL);
	const char *image = jdoc_text(map, "image", NULL), *name = repository ? repository : image;

	if (registry && *registry && makes(s, registry, name))
		take(s, RANK_REGISTRY, path, "registry");
	if (repository && image && makes(s, repository, image))
		take(s, RANK_REPOSITORY, path, "repository");
	if (makes(s, NULL, repository))
		take(s, RANK_REPOSITORY, path, "repository");
	if (s->registry && !strchr(name ? name : "", ':') && makes(s, s->registry, name))
		take(s, RANK_REGISTRY, "", s->registry_key);
}

static void search(struct search *s, const char *path, const json_t *v)
{
	const char *key;
	json_t *child;

	if (!json_is_object(v))
		return;
	look_at(s, path, v);
	json_object_foreach((json_t *)v, key, child) {
		auto_free char *below = xasprintf("%s%s%s", path, *path ? "." : "", key);

		if (json_is_string(child) && makes(s, NULL, json_string_value(child)))
			take(s, RANK_WHOLE, path, key);
		search(s, below, child);
	}
}

char *chart_values_of_image(const struct chart_values *v, const char *image)
{
	const char *shared = jdoc_text(v->defaults, "global", "imageRegistry", NULL);
	/* of "x/driver:580-{kernel}" the name is one */
	const char *open = strchr(image, '{'), *colon = open ? memrchr(image, ':', (size_t)(open - image)) : NULL;
	auto_free char *name = xstrndup(image, colon ? (size_t)(colon - image) : strlen(image));
	auto_ref struct ref r = { 0 };
	struct search s = { .image = &r, .registry = shared, .registry_key = "global.imageRegistry" };
	struct err ignored;

	if (ref_parse(name, &r, &ignored) < 0)
		return NULL;
	if (!shared || !*shared) {
		s.registry = jdoc_text(v->defaults, "global", "image", "registry", NULL);
		s.registry_key = "global.image.registry";
	}
	search(&s, "", v->defaults);
	return s.found;
}
