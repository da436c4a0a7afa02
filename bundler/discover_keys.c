/* SPDX-License-Identifier: Apache-2.0 */
#include "discover_render.h"

#include <airgap/chart_values.h>
#include <airgap/tarball.h>

#include <ctype.h>

/* ---- where a site chart says a key */

struct place {
	const char *word;
	char *found;                    /* "data/charts.yaml:12" */
};

static bool in_path(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

static const char *find_word(const char *text, size_t n, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = memmem(text, n, word, len); p; p = memmem(p + 1, n - (size_t)(p + 1 - text), word, len))
		if ((p == text || !in_path(p[-1])) && (p + len == text + n || !in_path(p[len])))
			return p;
	return NULL;
}

static int look_into(void *ctx, const struct tarball_member *m, struct err *e)
{
	struct place *p = ctx;
	const char *text = (const char *)m->bytes, *at;
	size_t line = 1;

	(void)e;
	if (p->found || str_starts(m->name, "charts/") || (!str_ends(m->name, ".yaml") && !str_ends(m->name, ".tpl")))
		return 0;
	at = find_word(text, m->size, p->word);
	for (const char *c = text; at && c < at; c++)
		line += *c == '\n';
	if (at)
		p->found = xasprintf("%s:%zu", m->name, line);
	return 0;
}

/* As a path in one of its files, else as a key of a map; NULL: a site file says it, or it is put together. */
static char *place_of(const struct run_chart *site, const char *path, const char *leaf)
{
	const char *dot = strrchr(path, '.');
	auto_free char *key = xasprintf("%s:", dot ? dot + 1 : path);
	const char *const words[] = { leaf, dot ? path : leaf, key };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct place p = { words[i], NULL };
		struct err ignored;

		if (tarball_chart_each(site->archive.ptr, site->archive.len, look_into, &p, &ignored) == 0 && p.found)
			return p.found;
		free(p.found);
	}
	return NULL;
}

/* ---- what a chart does not know */

struct checking {
	struct run *run;
	const struct run_chart *site, *chart;
};

static void told(void *ctx, const char *path, const char *leaf, const char *nearest)
{
	const struct checking *c = ctx;
	auto_free char *place = place_of(c->site, path, leaf);
	auto_free char *where = place ? xasprintf(" (%s/%s)", c->site->name, place) : xstrdup("");

	if (nearest)
		run_warn(c->run, "chart '%s': its values.yaml has no %s: write %s%s", c->chart->name, leaf, nearest, where);
	else
		run_warn(c->run, "chart '%s': its values.yaml has no %s: correct or remove what sets it%s", c->chart->name, leaf, where);
}

static int check_chart(struct checking *c, const struct renders *v, struct err *e)
{
	auto_chart_values struct chart_values known = { 0 };

	if (chart_values_read(c->chart->archive.ptr, c->chart->archive.len, &known, e) < 0)
		return err_wrap(e, "chart '%s'", c->chart->name);
	for (size_t i = 0; i < v->n; i++)
		if (v->items[i].chart == c->chart)
			chart_values_unknown(&known, v->items[i].values, told, c);
	return 0;
}

int renders_check_keys(const struct renders *v, struct run *r, const struct run_chart *site, struct err *e)
{
	for (size_t i = 0; i < r->n_charts; i++) {
		struct checking c = { r, site, r->charts[i] };

		if (c.chart->released && check_chart(&c, v, e) < 0)
			return -1;
	}
	return 0;
}
