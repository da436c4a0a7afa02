/*
 * chart_edit - how the archive of a chart is changed on its way, as the lock has it: dependencies put in, another kubeVersion.
 *
 *	web?kubeVersion=>=1.21.0-0                      the member of a LOCK_PACK or LOCK_GIT source: what the archive is made of,
 *	lib-1.2.0.tgz sha256:… https://h/lib.tgz        then a line for each archive that goes into its charts/ folder
 *	api-2.0.0.tgz sha256:… oci://host/charts/api
 *
 * The same edits of the same archives give the same bytes.
 */
#pragma once

#include <airgap/buf.h>
#include <airgap/digest.h>

struct chart_part {
	char *file;             /* "lib-1.2.0.tgz" */
	struct digest digest;
	char *location;         /* http(s) URL, or oci://HOST/PATH: the blob by its digest */
};

struct chart_edit {
	char *base;             /* the chart's name, or "COMMIT:PATH" */
	char *kube_version;     /* NULL = as it is */
	struct chart_part *parts; size_t n_parts;
};
#define auto_chart_edit CLEANUP(chart_edit_release)
void chart_edit_release(struct chart_edit *x);

void chart_edit_add(struct chart_edit *x, const char *file, const struct digest *d, const char *location);
/* ERR_MALFORMED: it is none. -1: out is unchanged. */
int chart_edit_parse(const char *member, struct chart_edit *out, struct err *e) MUST_CHECK;
char *chart_edit_format(const struct chart_edit *x) MUST_CHECK;
/* Changes the archive, with the bytes of the parts in their order. */
int chart_edit_apply(const struct chart_edit *x, const struct buf *parts, struct buf *archive, struct err *e) MUST_CHECK;
