/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_charts.h"

#include <airgap/content.h>
#include <airgap/semver.h>

#define PARTS_MAX 100u

int chart_is_incomplete(const struct buf *archive, struct err *e)
{
	auto_chart struct chart c = { 0 };

	if (chart_read_open(buf_str(archive), archive->len, &c, e) < 0)
		return -1;
	for (size_t i = 0; i < c.n_dependencies; i++)
		if (c.dependencies[i].missing)
			return 1;
	return 0;
}

/* Its Chart.lock decides, as for `helm dependency build`; without one, the range does. */
static int choose_version(const struct chart *c, const struct chart_dependency *d, const char **out, struct err *e)
{
	const char *range = d->version ? d->version : "";

	*out = d->version;
	if (!c->n_locked)
		return 0;
	for (size_t i = 0; i < c->n_locked; i++) {
		const struct chart_dependency *l = &c->locked[i];
		int fits = strcmp(l->name, d->name) == 0 && l->version ? semver_matches(range, l->version, e) : 0;

		if (fits < 0)
			return -1;
		if (!fits || !str_eq(l->repository, d->repository))
			continue;
		*out = l->version;
		return 0;
	}
	return err_set(e, ERR_MALFORMED, "Chart.lock is out of step with Chart.yaml: run 'helm dependency update' on the chart");
}

static int check_repository(const struct chart_dependency *d, struct err *e)
{
	const char *from = d->repository;

	if (!from || !*from)
		return err_set(e, ERR_MALFORMED, "it names no repository to get it from");
	if (*from == '@' || str_starts(from, "alias:"))
		return err_set(e, ERR_UNSUPPORTED, "'%s' is a name of somebody's helm configuration: the chart has to be packed with it in charts/",
			       from);
	if (str_starts(from, "file://"))
		return err_set(e, ERR_MALFORMED, "'%s' is not there: the chart has to be packed beside it", from);
	if (!str_starts(from, "https://") && !str_starts(from, "http://") && !str_starts(from, "oci://"))
		return err_set(e, ERR_UNSUPPORTED, "'%s': its repository is neither http, https nor oci", from);
	return 0;
}

/* Something of that name and version, which is whole itself. */
static int check_part(const struct buf *archive, const struct chart_dependency *d, struct chart *out, struct err *e)
{
	int fits;

	if (chart_read(buf_str(archive), archive->len, out, e) < 0)
		return -1;
	if (strcmp(out->name, d->name) != 0)
		return err_set(e, ERR_MALFORMED, "calls itself '%s'", out->name);
	fits = semver_matches(d->version ? d->version : "", out->version, e);
	if (fits == 0)
		return err_set(e, ERR_MALFORMED, "is version %s, not %s", out->version, d->version);
	return MIN(fits, 0);
}

static bool has_part(const struct chart_edit *x, const char *file)
{
	for (size_t i = 0; i < x->n_parts; i++)
		if (strcmp(x->parts[i].file, file) == 0)
			return true;
	return false;
}

/* One dependency: its archive into the cache, and a part of the edit. */
static int add_part(struct run *r, const struct chart *c, const struct chart_dependency *d, struct found *f, struct err *e)
{
	struct run_chart at = { .archive = BUF_INIT(CHART_MAX) };
	CLEANUP(found_release) struct found part = FOUND_INIT(&at);
	auto_buf struct buf archive = BUF_INIT(CHART_MAX);
	auto_chart struct chart meta = { 0 };
	const struct manifest_source from = { .repository = d->repository };
	const char *version;
	struct digest digest;
	int done;

	part.alone = true;
	if (check_repository(d, e) < 0 || choose_version(c, d, &version, e) < 0)
		return -1;
	done = chart_from_repository(r, &from, d->name, version, &part, e);
	archive = at.archive;
	if (done < 0 || check_part(&archive, d, &meta, e) < 0 || content_save(archive.ptr, archive.len, &digest, e) < 0)
		return -1;

	auto_free char *file = xasprintf("%s-%s.tgz", meta.name, meta.version);
	auto_free char *location = xasprintf("%s%s", part.source.kind == LOCK_REGISTRY ? "oci://" : "", part.source.location);

	if (strpbrk(file, "/ \n") || strpbrk(location, " \n"))
		return err_set(e, ERR_UNSAFE, "'%s': its name or place has a blank in it", file);
	if (!has_part(&f->edit, file))
		chart_edit_add(&f->edit, file, &digest, location);
	return 0;
}

static int load_parts(const struct chart_edit *x, struct buf *parts, struct err *e)
{
	for (size_t i = 0; i < x->n_parts; i++) {
		parts[i] = (struct buf)BUF_INIT(CHART_MAX);

		int there = content_load(&x->parts[i].digest, &parts[i], e);

		if (there <= 0)
			return there < 0 ? -1 : err_set(e, ERR_IO, "the content cache lost it");
	}
	return 0;
}

static int apply(struct found *f, struct err *e)
{
	auto_free struct buf *parts = xcalloc(f->edit.n_parts + 1, sizeof(*parts));
	int done = load_parts(&f->edit, parts, e);

	if (done == 0)
		done = chart_edit_apply(&f->edit, parts, &f->chart->archive, e);
	for (size_t i = 0; i < f->edit.n_parts; i++)
		buf_release(&parts[i]);
	return done;
}

int chart_complete(struct run *r, struct found *f, struct err *e)
{
	static const struct digest none;
	auto_chart struct chart c = { 0 };
	auto_strv struct strv names = { 0 };
	char digest[DIGEST_TEXT];

	if (chart_read_open(buf_str(&f->chart->archive), f->chart->archive.len, &c, e) < 0)
		return -1;
	if (c.n_dependencies > PARTS_MAX)
		return err_set(e, ERR_LIMIT, "has more than %u dependencies", PARTS_MAX);
	for (size_t i = 0; i < c.n_dependencies; i++)
		if (c.dependencies[i].missing && add_part(r, &c, &c.dependencies[i], f, e) < 0)
			return err_wrap(e, "its charts/ folder lacks %s %s", c.dependencies[i].name,
					c.dependencies[i].version ? c.dependencies[i].version : "*");
	if (apply(f, e) < 0)
		return -1;
	for (size_t i = 0; i < f->edit.n_parts; i++)
		strv_push(&names, f->edit.parts[i].file);

	auto_free char *list = strv_join(&names, ", ");

	if (digest_eq(&f->source.archive, &none))
		run_warn(r, "chart '%s': packed with %s in its charts/ folder", c.name, list);
	else
		run_warn(r, "chart '%s': packed again with %s in its charts/ folder; upstream's archive is %s", c.name, list,
			 digest_text(&f->source.archive, digest));
	return 0;
}
