/* SPDX-License-Identifier: Apache-2.0 */
#include "chart_edit.h"
#include "fetch_run.h"
#include "git_source.h"

#include <airgap/chart.h>
#include <airgap/content.h>
#include <airgap/fs.h>
#include <airgap/ref.h>

static int load_from(struct fetcher *f, const struct digest *d, const char *location, struct buf *out, struct err *e)
{
	const struct sink to = { buf_sink_write, out };
	const struct http_range all = { 0 };
	auto_ref struct ref r = { 0 };

	if (str_starts(location, "http://") || str_starts(location, "https://"))
		return fetch_url(f, location, UINT64_MAX, CHART_MAX, &all, &to, e);
	if (!str_starts(location, "oci://")) {
		auto_free char *path = fs_join(f->dir, location);

		return fs_load(path, CHART_MAX, out, e);
	}
	if (ref_parse(location + strlen("oci://"), &r, e) < 0)
		return -1;

	struct registry *reg = remote_registry(f->remote, r.host, e);

	return reg ? registry_blob_get(reg, r.path, d, UINT64_MAX, 0, &to, e) : -1;
}

/* The archive with this digest, from the content cache or where it was. */
static int load_archive(struct fetcher *f, const struct digest *d, const char *location, struct buf *out, struct err *e)
{
	int there = content_load(d, out, e);
	char want[DIGEST_TEXT], got[DIGEST_TEXT];

	if (there)
		return MIN(there, 0);
	if (load_from(f, d, location, out, e) < 0)
		return err_wrap(e, "'%.*s'", (int)strcspn(location, "?"), location);

	struct digest have = digest_of(buf_str(out), out->len);

	if (digest_eq(&have, d))
		return 0;
	return err_set(e, ERR_DIGEST, "'%.*s': wanted %s, got %s", (int)strcspn(location, "?"), location, digest_text(d, want),
		       digest_text(&have, got));
}

static void release_parts(struct buf **parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_release(&(*parts)[i]);
	free(*parts);
}

static int apply(struct fetcher *f, const struct chart_edit *x, struct buf *archive, struct err *e)
{
	struct buf *parts = xcalloc(x->n_parts + 1, sizeof(*parts));
	int done = 0;

	for (size_t i = 0; i < x->n_parts && done == 0; i++) {
		parts[i] = (struct buf)BUF_INIT(CHART_MAX);
		done = load_archive(f, &x->parts[i].digest, x->parts[i].location, &parts[i], e);
	}
	if (done == 0)
		done = chart_edit_apply(x, parts, archive, e);
	release_parts(&parts, x->n_parts);
	return done;
}

/* base: "COMMIT:PATH" */
static int pack_git(struct fetcher *f, const struct lock_source *s, const char *base, struct buf *out, struct err *e)
{
	auto_free char *commit = xstrndup(base, GITREPO_OID), *dir = NULL;
	auto_strv struct strv oids = { 0 };

	strv_push(&oids, commit);
	if (git_source_open(f->remote, s->location, &oids, &dir, e) < 0)
		return -1;
	return git_source_pack(dir, commit, base + GITREPO_OID + 1, out, e);
}

int fetch_pack(struct fetcher *f, const struct lock_source *s, uint64_t at, const struct sink *to, struct err *e)
{
	static const struct digest none;
	auto_chart_edit struct chart_edit x = { 0 };
	auto_buf struct buf archive = BUF_INIT(CHART_MAX);
	auto_free char *folder = fs_join(f->dir, s->location);
	struct tail tail = { at, to };
	int done;

	if (chart_edit_parse(s->member, &x, e) < 0)
		return -1;
	if (s->kind == LOCK_GIT)
		done = pack_git(f, s, x.base, &archive, e);
	else if (digest_eq(&s->archive, &none))
		done = chart_pack(folder, &archive, e);
	else
		done = load_archive(f, &s->archive, s->location, &archive, e);
	if (done < 0 || apply(f, &x, &archive, e) < 0)
		return -1;
	return tail_write(&tail, archive.ptr, archive.len, e);
}
