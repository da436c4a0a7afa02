/* SPDX-License-Identifier: Apache-2.0 */
/* Charts: archives with one top folder. */
#include <airgap/tarball.h>

const struct tarball_limits tarball_chart = {
	.total = 100 << 20, .file = 5 << 20, .members = 20000, .filters = TARBALL_GZIP,
};

struct chart_walk {
	tarball_fn fn;
	void *ctx;
	char *top;
};

static void chart_walk_release(struct chart_walk *c)
{
	free(c->top);
}

static int chart_member(void *ctx, const struct tarball_member *m, struct err *e)
{
	struct chart_walk *c = ctx;
	const char *slash = strchr(m->name, '/');
	struct tarball_member inner = *m;

	if (!slash)
		return err_set(e, ERR_UNSAFE, "'%.300s': outside the chart's folder", m->name);
	if (!c->top)
		c->top = xstrndup(m->name, (size_t)(slash - m->name));
	if (strlen(c->top) != (size_t)(slash - m->name) || !str_starts(m->name, c->top))
		return err_set(e, ERR_UNSAFE, "'%.300s': outside the chart's folder '%.100s'", m->name, c->top);
	inner.name = slash + 1;
	if (m->size >= 3 && memcmp(m->bytes, "\xef\xbb\xbf", 3) == 0) {
		inner.bytes += 3;
		inner.size -= 3;
	}
	return c->fn(c->ctx, &inner, e);
}

int tarball_chart_each(const void *p, size_t n, tarball_fn fn, void *ctx, struct err *e)
{
	struct mem_source mem = { p, n, 0 };
	struct source from = source_mem(&mem);
	CLEANUP(chart_walk_release) struct chart_walk c = { fn, ctx, NULL };

	return tarball_each(&from, &tarball_chart, chart_member, &c, e);
}

struct one_file {
	const char *name;
	struct buf content;
	bool found;
};

static int keep_file(void *ctx, const struct tarball_member *m, struct err *e)
{
	struct one_file *o = ctx;

	if (strcmp(m->name, o->name) != 0)
		return 0;
	o->found = true;
	return buf_add(&o->content, m->bytes, m->size, e);
}

int tarball_chart_file(const void *p, size_t n, const char *name, struct buf *out, struct err *e)
{
	struct one_file o = { name, BUF_INIT(tarball_chart.total), false };
	int r = tarball_chart_each(p, n, keep_file, &o, e);

	if (r == 0 && o.found)
		r = buf_add(out, buf_str(&o.content), o.content.len, e) < 0 ? -1 : 1;
	buf_release(&o.content);
	return r;
}
