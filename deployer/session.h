/*
 * session - everything one run of the deployer holds: the judged bundle, what is in it, the site, the tools, the
 * registry. Built in this order and never in another; each command takes as much of it as it needs.
 *
 *	auto_session struct session s = { 0 };
 *	if (session_open(&s, path, common, e) < 0 ||    // verdict on the head, contents parsed
 *	    session_site(&s, e) < 0 ||                  // site file
 *	    session_tools(&s, e) < 0 ||                 // helm and kubectl, from the bundle or PATH
 *	    session_registry(&s, e) < 0) ...            // client for the push address
 */
#pragma once

#include <airgap/bundle_read.h>
#include <airgap/cli.h>
#include <airgap/contents.h>
#include <airgap/helm.h>
#include <airgap/http.h>
#include <airgap/kubectl.h>
#include <airgap/proof.h>
#include <airgap/registry.h>
#include <airgap/rewrite.h>
#include <airgap/scan.h>
#include <airgap/site.h>

/* Options that most commands share; a command's options struct starts with it. */
struct common_opts {
	const char *trust, *site, *profile, *kubeconfig, *stream, *ca, *tools_dir;
	bool yes, plain_http, json, allow_unsigned, allow_downgrade;
	unsigned jobs;
};
/* Rows for them: OPT_… of a struct whose first member is `struct common_opts common`. */
#define COMMON_TRUST_OPTIONS(type)                                                                            \
	OPT_STR(type, common.trust, 't', "trust", "DIR", "keys to trust (default: /etc/airgap/trust.d)"),       \
	OPT_FLAG(type, common.allow_unsigned, 0, "allow-unsigned", "take an unsigned bundle where no trust folder exists"), \
	OPT_FLAG(type, common.allow_downgrade, 0, "allow-downgrade", "take an older sequence than installed (logged)")
#define COMMON_SITE_OPTIONS(type)                                                                             \
	OPT_STR(type, common.site, 0, "site", "FILE", "the site file (default: ./site.yaml, /etc/airgap/site.yaml)"), \
	OPT_STR(type, common.profile, 0, "profile", "NAME", "nonroot, nonroot-arbitrary-uid or standard"),    \
	OPT_STR(type, common.kubeconfig, 0, "kubeconfig", "FILE", "the cluster (default: $KUBECONFIG, ~/.kube/config)"), \
	OPT_STR(type, common.stream, 0, "stream", "NAME", "without BUNDLE: which of those that are installed"), \
	OPT_FLAG(type, common.yes, 'y', "yes", "do not ask")

struct session {
	const struct common_opts *opts;
	struct policy policy;
	struct bundle *bundle;
	struct contents contents;
	struct scan_rules rules;        /* where images hide, as the bundle says */
	struct site site;
	bool foreign;                   /* the site is the cluster's word alone (applied.h): `file:` and `env:` are refused */
	struct rewrite rewrite;         /* names of carried images on site, for post-render; made by render_steps */
	char *state_dir;
	struct helm helm;
	struct kubectl kubectl;
	char *cluster_version;          /* "v1.36.3"; NULL until session_cluster */
	struct strv api_versions;
	struct http_client *http;
	struct credential_set *credentials;
	struct registry *registry;
	char *kept_in;                  /* repository that has the blobs of a bundle whose file is not here (keep.h) */
	char *pull_user;                /* of credentials that the site file does not name; NULL = none */
	json_t *system;                 /* what system_read found; see system.h */
};
#define auto_session CLEANUP(session_release)

/* path NULL: session_installed; else session_bundle. */
int session_open(struct session *s, const char *path, const struct common_opts *opts, struct err *e) MUST_CHECK;
/* From the file. */
int session_bundle(struct session *s, const char *path, const struct common_opts *opts, struct err *e) MUST_CHECK;
/* The one that the cluster has, from what the site registry keeps of it: site file, cluster and registry are asked for that.
 * ERR_USAGE: nothing is installed, or several and no --stream. Else as keep_open. */
int session_installed(struct session *s, const struct common_opts *opts, struct err *e) MUST_CHECK;
/* The site file; else the one last applied, which the cluster keeps; else the one recorded at build. */
int session_site(struct session *s, struct err *e) MUST_CHECK;
/* Tools of the bundle (role: tool, this platform) are written into a 0700 folder of the state directory, hashed while
 * written, and before every exec opened, fstat'ed and hashed through that descriptor (format §4); else PATH. */
int session_tools(struct session *s, struct err *e) MUST_CHECK;
/* Without a bundle: kubectl from an earlier one, or PATH. opts and the site must be there. */
int session_kubectl(struct session *s, struct err *e) MUST_CHECK;
/* Asks the cluster for its version and API versions. ERR_CLUSTER when it does not answer. */
int session_cluster(struct session *s, struct err *e) MUST_CHECK;
int session_registry(struct session *s, struct err *e) MUST_CHECK;
/* For `push BUNDLE REGISTRY`: the address from the command line in place of the site's. */
int session_registry_at(struct session *s, const char *registry, struct err *e) MUST_CHECK;
/* The bundle is taken for good: its sequence is remembered in the state directory (format §6). */
int session_accept(struct session *s, struct err *e) MUST_CHECK;
void session_release(struct session *s);

/* A chart archive of the bundle as a file in a private folder (reused while the session lives). *out owned path. */
int session_chart(struct session *s, const char *name, char **out, struct err *e) MUST_CHECK;
/* One file of it, appended to out: 1, 0 = the chart has none of that name, -1. */
int session_chart_file(struct session *s, const char *chart, const char *file, struct buf *out, struct err *e) MUST_CHECK;
/* What rendered images are held against: this bundle under the names of this site. Borrowed. */
struct proof session_proof(const struct session *s);
/* Full site reference of a carried image: "REGISTRY/PREFIX/PATH:TAG". ERR_PREFLIGHT when it is not carried. */
int session_image_target(const struct session *s, const char *ref, char **out, struct err *e) MUST_CHECK;
/* What pods call it: that, or the upstream name where nodes have mirrors. */
int session_image_name(const struct session *s, const char *ref, char **out, struct err *e) MUST_CHECK;

/* ---- parts of the above, for session_installed ---- */

/* Trust and state folder. */
int session_begin(struct session *s, const struct common_opts *opts, struct err *e) MUST_CHECK;
struct bundle_options session_bundle_options(const struct session *s);
/* s->bundle was opened: its contents. */
int session_contents(struct session *s, const char *subject, struct err *e) MUST_CHECK;
/* The site file where there is one. */
int session_site_file(struct session *s, struct err *e) MUST_CHECK;
/* The one in the cluster's record of what is installed, if it has one. ERR_USAGE: it refers to a machine, and this one did
 * not apply it. */
int session_site_kept(struct session *s, const json_t *installed, struct err *e) MUST_CHECK;
