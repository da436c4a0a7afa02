/*
 * site - the file that describes the destination; the few keys the programs read themselves (design §3).
 *
 * Found: --site, ./site.yaml, /etc/airgap/site.yaml, the one last applied (cluster), the one recorded at build
 * (references only). The whole document goes to the site chart as its values.
 */
#pragma once

#include <airgap/credential.h>
#include <airgap/ref.h>
#include <airgap/yaml.h>

enum site_mode { SITE_EXISTING, SITE_SERVE, SITE_INSTALL };
/* How the names of images become the site registry's. */
enum site_rewrite {
	SITE_VALUES,            /* values+verify: by the charts' values; what is left is refused */
	SITE_POST_RENDER,       /* post-render: what has no value is renamed in the rendered output */
	SITE_MIRROR             /* mirror: they stay, the nodes' runtimes ask the site registry for them */
};

struct site_registry {
	char *host;             /* nodes pull from here: "registry.site:5000" */
	char *push;             /* the deployer pushes here; NULL = host */
	char *prefix;
	bool keep_host, plain_http;
	char *ca;               /* file, relative to the site file */
	char *username, *password;      /* password: a reference as secret.h has it; `$(env:X)` and `$(file:P)` in the file are the same */
	int mode;               /* enum site_mode */
	char *rewrite;          /* values+verify (default) | post-render | mirror */
};

struct site {
	char *path;             /* NULL: not from a file */
	char *dir;              /* what paths in it are relative to; NULL = the current folder */
	json_t *doc;            /* whole, as written */
	struct ydoc_marks *marks;       /* lines, for helm's schema messages */
	struct site_registry registry;
	char *kubeconfig, *context, *kube_version;
	json_t *releases;       /* {COMPONENT: {name, namespace}} or NULL */
	char *profile;          /* nonroot (default) | nonroot-arbitrary-uid | standard */
};
#define auto_site CLEANUP(site_release)

/* path NULL: the first that exists of ./site.yaml and /etc/airgap/site.yaml; none: out stays empty and 0 is returned
 * with out->doc NULL. ERR_MALFORMED names file, line and nearest key. */
int site_load(const char *path, struct site *out, struct err *e) MUST_CHECK;
int site_from_json(const json_t *doc, const char *subject, struct site *out, struct err *e) MUST_CHECK;
/* The same judgement, nothing kept: what a bundler must not let pass. marks may be NULL. */
int site_check(json_t *doc, const struct ydoc_marks *marks, const char *subject, struct err *e) MUST_CHECK;
void site_release(struct site *s);
bool site_profile_ok(const char *profile);

enum site_rewrite site_rewrite(const struct site *s);
struct ref_site site_names(const struct site *s);       /* for ref_target; borrowed */
const char *site_push_host(const struct site *s);
