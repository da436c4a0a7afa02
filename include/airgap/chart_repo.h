/*
 * chart_repo - where charts are published: HTTP repositories with an index, and OCI registries.
 *
 *	auto_chart_index struct chart_index *ix = chart_index_open(http, set, "https://charts.example/stable", e);
 *	auto_chart_entry struct chart_entry en = { 0 };
 *	int found = chart_index_pick(ix, "web", "^1.2", &en, &near, e);         // 1, 0 or -1
 *	if (found == 1 && chart_repo_fetch(http, set, &en, &archive, e) < 0) ...
 *
 * An index may be hundreds of megabytes: it is kept in a file that has no name, and of what is read past only what
 * is said of the one chart wanted is kept. Its scalars are taken as they stand (1.10 is not 1.1), unknown keys are passed over.
 *
 * Credentials are those of the host asked. An archive on another origin than the index gets that origin's own
 * or none, never the index's. A digest in the index is compared with what came.
 */
#pragma once

#include <airgap/http.h>
#include <airgap/registry.h>

#define CHART_INDEX_MAX (256u << 20)    /* bytes of an index */

struct chart_entry {
	char *version;          /* as the index has it */
	char *url;              /* absolute: http, https or oci */
	bool has_digest;
	struct digest digest;
};
#define auto_chart_entry CLEANUP(chart_entry_release)
void chart_entry_release(struct chart_entry *en);

/* From the bytes of an index: the best version for the constraint (NULL = highest release). 1; 0: no such chart, or no
 * such version (*out_near, when not NULL: the newest version there is, owned, or NULL). -1: not an index; one version twice with different
 * digests. Pure. */
int chart_index_find(const void *p, size_t n, const char *repository, const char *name, const char *constraint,
		     struct chart_entry *out, char **out_near, struct err *e) MUST_CHECK;

/* The index of a server, downloaded and kept. set may be NULL. */
struct chart_index;
struct chart_index *chart_index_open(struct http_client *http, struct credential_set *set, const char *repository,
				     struct err *e) MUST_CHECK;
void chart_index_close(struct chart_index *ix);
#define auto_chart_index CLEANUP(cleanup_chart_index)
DEFINE_CLEANUP_PTR(cleanup_chart_index, struct chart_index, chart_index_close)
/* chart_index_find in it. */
int chart_index_pick(const struct chart_index *ix, const char *name, const char *constraint, struct chart_entry *out,
		     char **out_near, struct err *e) MUST_CHECK;
/* The archive, appended to out. ERR_DIGEST: not what the index says. */
int chart_repo_fetch(struct http_client *http, struct credential_set *set, const struct chart_entry *en, struct buf *out,
		     struct err *e) MUST_CHECK;

/* The tag of the best version in a registry ("charts/web" is the repository). An exact version need not be among the tags
 * listed: it is asked for. 1: *out_tag owned. 0: none (*out_near as above). */
int chart_oci_find(struct registry *r, const char *repository, const char *constraint, char **out_tag, char **out_near,
		   struct err *e) MUST_CHECK;
