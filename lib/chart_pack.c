/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/chart.h>

#include <airgap/fs.h>
#include <airgap/tarball.h>
#include <airgap/yaml.h>

#define NESTING_MAX 8           /* charts in charts, through file:// dependencies */

static json_t *load_yaml(const char *dir, const char *name, struct err *e)
{
	auto_free char *path = fs_join(dir, name);
	auto_buf struct buf text = BUF_INIT(ydoc_rendered.bytes);

	if (fs_load(path, ydoc_rendered.bytes, &text, e) < 0)
		return NULL;
	return ydoc_parse(buf_str(&text), text.len, &ydoc_rendered, path, NULL, e);
}

/* 1: charts/NAME or charts/NAME-VERSION.tgz is in the folder already. */
static int is_vendored(const char *dir, const char *name, struct err *e)
{
	auto_free char *charts = fs_join(dir, "charts");
	auto_strv struct strv names = { 0 };
	size_t len = strlen(name);
	int there = fs_exists(charts, e);

	if (there <= 0)
		return there;
	if (fs_list(charts, &names, e) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		const char *s = names.items[i];

		if (strcmp(s, name) == 0)
			return 1;
		/* "web-1.2.0.tgz" is web, "web-api-1.2.0.tgz" is not. */
		if (str_starts(s, name) && s[len] == '-' && (s[len + 1] == 'v' || (s[len + 1] >= '0' && s[len + 1] <= '9')) &&
		    str_ends(s, ".tgz"))
			return 1;
	}
	return 0;
}

static int pack_tree(struct tarball_pack *t, const char *dir, const char *prefix, unsigned depth, struct err *e);

static int pack_dependencies(struct tarball_pack *t, const char *dir, const char *prefix, const json_t *list,
			     unsigned depth, struct err *e)
{
	size_t i;
	json_t *d;

	json_array_foreach(list, i, d) {
		const char *name = jdoc_text(d, "name", NULL), *repository = jdoc_text(d, "repository", NULL);
		int there;

		if (!name || !*name || strchr(name, '/') || *name == '.')
			return err_set(e, ERR_MALFORMED, "'%s': dependencies[%zu]: has no name", dir, i);
		if (!repository || !str_starts(repository, "file://"))
			continue;
		there = is_vendored(dir, name, e);
		if (there < 0)
			return -1;
		if (there)
			continue;

		auto_free char *from = fs_join(dir, repository + strlen("file://"));
		auto_free char *to = xasprintf("%s/charts/%s", prefix, name);

		if (pack_tree(t, from, to, depth + 1, e) < 0)
			return err_wrap(e, "dependency '%s'", name);
	}
	return 0;
}

static int pack_tree(struct tarball_pack *t, const char *dir, const char *prefix, unsigned depth, struct err *e)
{
	auto_json json_t *meta = load_yaml(dir, "Chart.yaml", e);
	auto_free char *requirements = fs_join(dir, "requirements.yaml");
	auto_json json_t *old = NULL;
	int there;

	if (depth > NESTING_MAX)
		return err_set(e, ERR_LIMIT, "'%s': its dependencies go deeper than %u charts", dir, NESTING_MAX);
	if (!meta || tarball_pack_folder(t, dir, prefix, TARBALL_HELMIGNORE, e) < 0 ||
	    pack_dependencies(t, dir, prefix, json_object_get(meta, "dependencies"), depth, e) < 0)
		return -1;
	there = fs_exists(requirements, e);
	if (there <= 0)
		return there;
	old = load_yaml(dir, "requirements.yaml", e);
	return old ? pack_dependencies(t, dir, prefix, json_object_get(old, "dependencies"), depth, e) : -1;
}

int chart_pack(const char *dir, struct buf *out, struct err *e)
{
	auto_json json_t *meta = load_yaml(dir, "Chart.yaml", e);
	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();
	const char *name = jdoc_text(meta, "name", NULL);
	struct sink to = { buf_sink_write, out };

	if (!meta)
		return -1;
	if (!name || !*name || strchr(name, '/') || *name == '.')
		return err_set(e, ERR_MALFORMED, "'%s': its Chart.yaml has no name", dir);
	if (pack_tree(t, dir, name, 1, e) < 0)
		return -1;
	return tarball_pack_write(t, TARBALL_GZIP, &to, e);
}

/* ---- patching: the same members, another kubeVersion */

struct patch {
	struct tarball_pack *pack;
	const char *top, *kube_version;
};

/* The line is exchanged, not the document rewritten: comments and order stay. */
static int patch_metadata(const struct patch *p, const struct tarball_member *m, struct buf *out, struct err *e)
{
	static const char key[] = "kubeVersion:";
	auto_free char *text = xstrndup((const char *)m->bytes, m->size);
	bool done = false;

	for (const char *line = text; *line;) {
		size_t n = strcspn(line, "\n");

		n += line[n] == '\n';
		if (str_starts(line, key)) {
			done = true;
			buf_putf(out, "kubeVersion: '%s'\n", p->kube_version);
		} else if (buf_add(out, line, n, e) < 0) {
			return -1;
		}
		line += n;
	}
	if (!done)
		buf_putf(out, "%skubeVersion: '%s'\n", out->len && out->ptr[out->len - 1] != '\n' ? "\n" : "", p->kube_version);
	return 0;
}

static int patch_member(void *ctx, const struct tarball_member *m, struct err *e)
{
	const struct patch *p = ctx;
	auto_free char *name = xasprintf("%s/%s", p->top, m->name);
	auto_buf struct buf text = BUF_INIT(CHART_MAX);

	if (strcmp(m->name, "Chart.yaml") != 0)
		return tarball_pack_add(p->pack, name, m->bytes, m->size, e);
	if (patch_metadata(p, m, &text, e) < 0)
		return -1;
	return tarball_pack_add(p->pack, name, buf_str(&text), text.len, e);
}

int chart_patch(const void *p, size_t n, const char *kube_version, struct buf *out, struct err *e)
{
	auto_chart struct chart before = { 0 }, after = { 0 };
	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();
	struct sink to = { buf_sink_write, out };

	if (chart_read(p, n, &before, e) < 0)
		return -1;

	struct patch patch = { t, before.name, kube_version };
	size_t at = out->len;

	if (tarball_chart_each(p, n, patch_member, &patch, e) < 0 || tarball_pack_write(t, TARBALL_GZIP, &to, e) < 0 ||
	    chart_read(out->ptr + at, out->len - at, &after, e) < 0)
		return err_wrap(e, "patch");
	if (!str_eq(after.kube_version, kube_version))
		return err_set(e, ERR_MALFORMED, "patch: its Chart.yaml does not take '%s' as kubeVersion", kube_version);
	return 0;
}

/* ---- adding: the same members, and more in charts/ */

static int copy_member(void *ctx, const struct tarball_member *m, struct err *e)
{
	const struct patch *p = ctx;
	auto_free char *name = xasprintf("%s/%s", p->top, m->name);

	return tarball_pack_add(p->pack, name, m->bytes, m->size, e);
}

int chart_add(const void *p, size_t n, const struct chart_file *files, size_t n_files, struct buf *out, struct err *e)
{
	auto_chart struct chart before = { 0 }, after = { 0 };
	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();
	struct sink to = { buf_sink_write, out };
	size_t at = out->len;

	if (chart_read_open(p, n, &before, e) < 0)
		return -1;

	struct patch copy = { t, before.name, NULL };

	if (tarball_chart_each(p, n, copy_member, &copy, e) < 0)
		return -1;
	for (size_t i = 0; i < n_files; i++) {
		auto_free char *name = xasprintf("%s/charts/%s", before.name, files[i].name);

		if (tarball_pack_add(t, name, files[i].p, files[i].n, e) < 0)
			return -1;
	}
	if (tarball_pack_write(t, TARBALL_GZIP, &to, e) < 0)
		return -1;
	return chart_read(out->ptr + at, out->len - at, &after, e);
}
