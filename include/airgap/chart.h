/*
 * chart - a chart archive: read with suspicion, checked, packed from a folder, patched.
 *
 *	auto_chart struct chart c = { 0 };
 *	if (chart_read(p, n, &c, e) < 0 || chart_check(&c, "1.32", e) < 0)
 *		return err_wrap(e, "chart '%s'", name);
 *
 * An archive is a .tgz with one top folder, within the limits of tarball_chart. Nothing is written to disk.
 */
#pragma once

#include <airgap/json.h>
#include <airgap/strv.h>

#define CHART_MAX (64u << 20)           /* bytes of an archive */

struct chart_dependency {
	char *name, *version, *repository;      /* version: a range, or NULL; of a lock: one */
	bool missing;                           /* chart_read_open: charts/ has it not, or not in such a version */
};

struct chart {
	char *api_version;              /* "v1", "v2" */
	char *name, *version;
	char *app_version, *kube_version, *type;        /* may be NULL */
	struct chart_dependency *dependencies; size_t n_dependencies;
	struct chart_dependency *locked; size_t n_locked;       /* of Chart.lock; NULL: it has none */
	json_t *metadata;               /* all of Chart.yaml */
};
#define auto_chart CLEANUP(chart_release)
void chart_release(struct chart *c);

/* Walks the whole archive. ERR_MALFORMED, ERR_UNSAFE, ERR_LIMIT: not a chart; a dependency that is not in its charts/
 * folder, or only in a version that does not satisfy it, is ERR_MALFORMED and named. -1: out is untouched. */
int chart_read(const void *p, size_t n, struct chart *out, struct err *e) MUST_CHECK;
/* The same; dependencies that are not there are marked, and that is all. */
int chart_read_open(const void *p, size_t n, struct chart *out, struct err *e) MUST_CHECK;
/* Is it something to install on this Kubernetes? ERR_USAGE: a library; kubeVersion excludes it. */
int chart_check(const struct chart *c, const char *kube_version, struct err *e) MUST_CHECK;
/* Chart.yaml as canonical JSON: the config of its OCI form. Appended to out. */
int chart_config(const struct chart *c, struct buf *out, struct err *e) MUST_CHECK;

/* The folder's chart as an archive, appended to out: obeys .helmignore; a dependency with a `file://` repository that is
 * not in charts/ yet is put there. The same files give the same bytes. Whether it is complete is for chart_read. */
int chart_pack(const char *dir, struct buf *out, struct err *e) MUST_CHECK;
/* The same archive packed again with further archives in its charts/ folder. ERR_MALFORMED: something is missing still. */
struct chart_file { const char *name; const void *p; size_t n; };       /* "web-1.2.0.tgz" */
int chart_add(const void *p, size_t n, const struct chart_file *files, size_t n_files, struct buf *out, struct err *e) MUST_CHECK;
/* The same archive packed again with another kubeVersion. */
int chart_patch(const void *p, size_t n, const char *kube_version, struct buf *out, struct err *e) MUST_CHECK;
