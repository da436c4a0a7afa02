/*
 * credential - who we are to a host: asked by host and repository, answered from the first place that knows.
 *
 *   1. explicit settings of the host (manifest `hosts`, site `registry`)
 *   2. variables: CLEARML_DOCKERHUB_TOKEN (docker.io/clearml and /allegroai; user $CLEARML_DOCKERHUB_USERNAME or
 *      allegroaienterprise), HELM_REPO_TOKEN (raw.githubusercontent.com/clearml and /allegroai; user and password),
 *      NGC_API_KEY (nvcr.io, helm.ngc.nvidia.com; user $oauthtoken)
 *   3. $REGISTRY_AUTH_FILE, $DOCKER_CONFIG/config.json, $XDG_RUNTIME_DIR/containers/auth.json,
 *      ${XDG_CONFIG_HOME:-~/.config}/containers/auth.json, ~/.docker/config.json (when DOCKER_CONFIG is not set),
 *      ${HELM_REGISTRY_CONFIG:-~/.config/helm/registry/config.json}; with credHelpers and credsStore
 *   4. nobody: anonymous
 *
 * Explicit settings that name a user or a token, or say anonymous, end the search. $REGISTRY_AUTH_FILE must exist, the
 * other files may be absent; a malformed one is an error that names it.
 * Everything is read at first use and kept; secrets are wiped with the set. A set may be used from any thread.
 */
#pragma once

#include <airgap/secret.h>
#include <airgap/strv.h>

enum credential_kind {
	CREDENTIAL_BASIC,       /* username and password */
	CREDENTIAL_BEARER,      /* the secret is the token, sent as it is */
	CREDENTIAL_IDENTITY,    /* a refresh token: for the token server only */
};

struct credential {
	enum credential_kind kind;
	char *username;
	struct secret secret;
	char *origin;           /* for messages: "variable NGC_API_KEY", "file '/root/.docker/config.json'" */
};
#define auto_credential CLEANUP(credential_release)
void credential_release(struct credential *c);

/* Values are references (secret.h); username is text or a reference. Token: bearer for http, identity for nobody. */
struct credential_host {
	const char *host;               /* "host" or "host:port"; may go on with a path: "host/ns" (longest wins) */
	const char *username, *password;
	const char *token;
	bool anonymous;                 /* ask nobody else */
};

struct credential_set;
/* hosts are copied; references are resolved at first use, `file:` relative to base (NULL = here).
 * explicit_only leaves out the places 2 and 3. */
struct credential_set *credential_set_new(const struct credential_host *hosts, size_t n, const char *base,
					  bool explicit_only, struct err *e) MUST_CHECK;
void credential_set_free(struct credential_set *s);
/* Resolves the references of all hosts now, so that what is missing shows before the work. A variable of `optional` (NULL =
 * none) that is not set is an error only of who asks its host. Errors as credential_find. */
int credential_set_resolve(struct credential_set *s, const struct strv *optional, struct err *e) MUST_CHECK;
#define auto_credential_set CLEANUP(cleanup_credential_set)
DEFINE_CLEANUP_PTR(cleanup_credential_set, struct credential_set, credential_set_free)

/* host as url_host spells it ("docker.io" for Docker Hub), repository or path ("" = any). 1: *out is filled.
 * 0: anonymous. -1: a reference, a file or a helper failed, or gave what no header can hold (ERR_AUTH, ERR_USAGE,
 * ERR_MALFORMED). */
int credential_find(struct credential_set *s, const char *host, const char *repository, struct credential *out,
		    struct err *e) MUST_CHECK;

/* The value of an Authorization header: "Basic …" or "Bearer …" (kind BASIC or BEARER). */
void credential_header(const struct credential *c, struct secret *out);
