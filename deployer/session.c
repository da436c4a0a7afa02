/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include "applied.h"
#include "system.h"
#include "tools.h"

#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/tarball.h>
#include <airgap/trust.h>

#define CHART_MAX (100u << 20)

int session_begin(struct session *s, const struct common_opts *opts, struct err *e)
{
	s->opts = opts;
	s->state_dir = fs_state_dir();
	return trust_load(opts->trust, &s->policy, e);
}

struct bundle_options session_bundle_options(const struct session *s)
{
	return (struct bundle_options){
		.policy = &s->policy,
		.allow_unsigned = s->opts->allow_unsigned,
		.allow_downgrade = s->opts->allow_downgrade,
		.state = bundle_state_local,
	};
}

int session_contents(struct session *s, const char *subject, struct err *e)
{
	const void *bytes;
	size_t n;

	if (!bundle_trusted(s->bundle))
		log_warn("%s: not signed: taken because of --allow-unsigned", subject);
	if (s->opts->allow_downgrade)
		log_warn("%s: an older sequence is allowed by --allow-downgrade", subject);
	bytes = bundle_contents_bytes(s->bundle, &n);
	if (contents_parse(bytes, n, "bundle.json", &s->contents, e) < 0 || contents_check(&s->contents, e) < 0 ||
	    scan_rules_decode(s->contents.rules, "bundle.json: rules", &s->rules, e) < 0)
		return err_wrap(e, "%s", subject);
	return 0;
}

int session_bundle(struct session *s, const char *path, const struct common_opts *opts, struct err *e)
{
	struct bundle_options o;

	if (session_begin(s, opts, e) < 0)
		return -1;
	o = session_bundle_options(s);
	s->bundle = bundle_open(path, &o, e);
	return s->bundle ? session_contents(s, path, e) : -1;
}

int session_open(struct session *s, const char *path, const struct common_opts *opts, struct err *e)
{
	if (!path)
		return session_installed(s, opts, e);
	if (opts->stream)
		return err_set(e, ERR_USAGE, "--stream %s: chooses among the installed bundles: leave out %s", opts->stream, path);
	return session_bundle(s, path, opts, e);
}

/* --kubeconfig, the site file's, $KUBECONFIG, ~/.kube/config; NULL = none of them. */
static char *kubeconfig(const struct session *s)
{
	const char *env = getenv("KUBECONFIG"), *home = getenv("HOME");
	struct err ignored;

	if (s->opts->kubeconfig)
		return xstrdup(s->opts->kubeconfig);
	if (s->site.kubeconfig)
		return fs_join(s->site.dir, s->site.kubeconfig);
	if (env && *env)
		return xstrdup(env);

	auto_free char *usual = home ? xasprintf("%s/.kube/config", home) : NULL;

	return usual && fs_exists(usual, &ignored) == 1 ? TAKE(usual) : NULL;
}

static int open_helm(struct session *s, const char *config, struct err *e)
{
	auto_fd int fd = -1;
	int found = tools_open(s->bundle, &s->contents, s->state_dir, "helm", &fd, e);

	if (found < 0 || (found ? helm_open_fd(&s->helm, fd, e) : helm_open(&s->helm, NULL, e)) < 0)
		return -1;
	s->helm.kubeconfig = config ? xstrdup(config) : NULL;
	s->helm.context = s->site.context ? xstrdup(s->site.context) : NULL;
	return 0;
}

static int open_kubectl(struct session *s, const char *config, struct err *e)
{
	auto_fd int fd = -1;
	int found = s->bundle ? tools_open(s->bundle, &s->contents, s->state_dir, "kubectl", &fd, e)
			      : tools_kept(s->state_dir, "kubectl", &fd, e);

	if (found < 0)
		return -1;
	kubectl_close(&s->kubectl);     /* that the cluster may have been asked with */
	return found ? kubectl_open_fd(&s->kubectl, fd, config, s->site.context, e)
		     : kubectl_open(&s->kubectl, NULL, config, s->site.context, e);
}

/* kubectl takes a file that is not there for an empty one, and then asks localhost. */
static int check_kubeconfig(const char *config, struct err *e)
{
	auto_strv struct strv files = { 0 };    /* $KUBECONFIG may name several */

	strv_split(&files, config, ':');
	for (size_t i = 0; i < files.n; i++) {
		int there = fs_exists(files.items[i], e);

		if (there)
			return MIN(there, 0);
	}
	return err_set(e, ERR_CLUSTER, "kubeconfig '%s': no such file: give --kubeconfig FILE, set KUBECONFIG, or correct "
		       "kubernetes.kubeconfig in the site file", config);
}

/* *out NULL: none is needed. */
static int find_kubeconfig(const struct session *s, char **out, struct err *e)
{
	auto_free char *config = kubeconfig(s);

	if (!config && !getenv("KUBERNETES_SERVICE_HOST"))
		return err_set(e, ERR_CLUSTER, "cluster: no kubeconfig: give --kubeconfig FILE or set KUBECONFIG");
	if (config && check_kubeconfig(config, e) < 0)
		return -1;
	*out = TAKE(config);
	return 0;
}

int session_kubectl(struct session *s, struct err *e)
{
	auto_free char *config = NULL;

	return find_kubeconfig(s, &config, e) < 0 ? -1 : open_kubectl(s, config, e);
}

int session_tools(struct session *s, struct err *e)
{
	auto_free char *config = NULL;

	if (find_kubeconfig(s, &config, e) < 0 || open_helm(s, config, e) < 0 || open_kubectl(s, config, e) < 0)
		return -1;
	log_debug("helm %s, kubectl %s", s->helm.version, s->kubectl.path ? s->kubectl.path : "from the bundle");
	return 0;
}

/* ---- the site file ---- */

int session_site_file(struct session *s, struct err *e)
{
	return site_load(s->opts->site, &s->site, e);
}

int session_site_kept(struct session *s, const json_t *installed, struct err *e)
{
	const json_t *site = json_object_get((json_t *)installed, "site");
	const char *stream = jdoc_text(installed, "stream", NULL);
	auto_free char *folder = NULL;
	int ours = site ? applied_find(s, stream ? stream : "", site, &folder, e) : 0;

	if (!site || ours < 0)
		return ours;
	if (!ours && applied_refers(site))
		return err_set(e, ERR_USAGE, "site kept in the cluster: it refers to files or variables of the machine that applied "
			       "it: give --site FILE");
	log_info("site file: the one last applied to this cluster");
	if (site_from_json(site, "the site file kept in the cluster", &s->site, e) < 0)
		return -1;
	s->site.dir = TAKE(folder);
	s->foreign = !ours;
	return 0;
}

/* What the last install was told, from the cluster. Best effort: a cluster that cannot be asked is looked at later. */
static int site_from_cluster(struct session *s, struct err *e)
{
	auto_free char *config = kubeconfig(s);
	char name[SYSTEM_STREAM];
	auto_free char *about = xasprintf("airgap-installed-%s", system_stream(bundle_statement(s->bundle)->stream, name));
	auto_json json_t *installed = NULL;
	struct err why = { 0 };

	if (!config && !getenv("KUBERNETES_SERVICE_HOST"))
		return 0;
	if (open_kubectl(s, config, &why) < 0 || system_read(s, &why) < 0 || system_load(s, about, &installed, &why) < 0) {
		log_debug("site file: not from the cluster: %s", why.msg);
		return 0;
	}
	return session_site_kept(s, installed, e);
}

/* What the site chart takes where the site file says nothing: what is proved must be what is rendered. */
static int default_profile(struct session *s, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(ydoc_user.bytes);
	auto_json json_t *values = NULL;
	const char *profile;
	int there = s->contents.site ? session_chart_file(s, s->contents.site, "values.yaml", &text, e) : 0;

	if (there <= 0)
		return there;
	values = ydoc_parse(buf_str(&text), text.len, &ydoc_rendered, "values.yaml", NULL, e);
	if (!values)
		return err_wrap(e, "chart '%s'", s->contents.site);
	profile = jdoc_text(values, "profile", NULL);
	if (!profile || !*profile)
		return 0;
	if (!site_profile_ok(profile))
		return err_set(e, ERR_MALFORMED, "chart '%s': values.yaml: profile '%s': use nonroot, nonroot-arbitrary-uid or "
			       "standard", s->contents.site, profile);
	free(s->site.profile);
	s->site.profile = xstrdup(profile);
	return 0;
}

static int choose_profile(struct session *s, struct err *e)
{
	const char *profile = s->opts->profile;

	if (!profile && !jdoc_text(s->site.doc, "profile", NULL))
		return default_profile(s, e);

	if (!profile)
		return 0;
	if (!site_profile_ok(profile))
		return err_set(e, ERR_USAGE, "--profile %s: use nonroot, nonroot-arbitrary-uid or standard", profile);
	free(s->site.profile);
	s->site.profile = xstrdup(profile);
	json_object_set_new(s->site.doc, "profile", json_string(profile));
	return 0;
}

static int check_host(const struct session *s, struct err *e)
{
	if (!s->site.doc)
		return err_set(e, ERR_USAGE, "site file: there is none: write ./site.yaml or give --site FILE");
	if (!s->site.registry.host)
		return err_set(e, ERR_MALFORMED, "%s: registry.host: not set: write the registry that the nodes pull from",
			       s->site.path ? s->site.path : "site");
	return 0;
}

int session_site(struct session *s, struct err *e)
{
	if (!s->site.doc && (session_site_file(s, e) < 0 || (!s->site.doc && site_from_cluster(s, e) < 0)))
		return -1;
	if (!s->site.doc && s->contents.site_values &&
	    site_from_json(s->contents.site_values, "the site recorded at build", &s->site, e) < 0)
		return -1;
	if (s->site.doc && choose_profile(s, e) < 0)
		return -1;
	return check_host(s, e);
}

int session_cluster(struct session *s, struct err *e)
{
	if (kubectl_server_version(&s->kubectl, &s->cluster_version, e) < 0)
		return err_wrap(e, "cluster");
	return kubectl_api_versions(&s->kubectl, &s->api_versions, e);
}

static int open_registry(struct session *s, const char *host, bool plain, const char *ca, struct err *e)
{
	struct http_options ho = { 0 };
	struct registry_options ro = { .credentials = s->credentials, .plain_http = plain, .ca_file = ca, .push = true };

	s->http = http_new(&ho, e);
	if (!s->http)
		return -1;
	s->registry = registry_open(s->http, host, &ro, e);
	return s->registry ? 0 : err_wrap(e, "registry %s", host);
}

/* Pods need a pull secret also where the credentials are not in the site file. */
static int find_pull_user(struct session *s, struct err *e)
{
	auto_credential struct credential c = { 0 };
	int found = credential_find(s->credentials, site_push_host(&s->site), "", &c, e);

	if (found == 1 && c.kind == CREDENTIAL_BASIC) {
		s->pull_user = xstrdup(c.username);
		log_debug("registry %s: credentials from %s", site_push_host(&s->site), c.origin);
	}
	return MIN(found, 0);
}

int session_registry(struct session *s, struct err *e)
{
	const struct site_registry *r = &s->site.registry;
	const char *host = site_push_host(&s->site);
	auto_free char *ca = r->ca ? fs_join(s->site.dir, r->ca) : NULL;
	struct credential_host c = { .host = host, .username = r->username, .password = r->password };

	if (s->registry)        /* the bundle came from there */
		return 0;
	if (check_host(s, e) < 0)
		return -1;
	s->credentials = credential_set_new(&c, r->username ? 1 : 0, s->site.dir, false, e);
	if (!s->credentials || find_pull_user(s, e) < 0)
		return -1;
	return open_registry(s, host, r->plain_http || s->opts->plain_http, s->opts->ca ? s->opts->ca : ca, e);
}

int session_registry_at(struct session *s, const char *registry, struct err *e)
{
	const char *slash = strchr(registry, '/');

	free(s->site.registry.host);
	free(s->site.registry.push);
	free(s->site.registry.prefix);
	s->site.registry.host = slash ? xstrndup(registry, (size_t)(slash - registry)) : xstrdup(registry);
	s->site.registry.push = NULL;
	s->site.registry.prefix = slash && slash[1] ? xstrdup(slash + 1) : NULL;
	if (s->site.registry.prefix && str_ends(s->site.registry.prefix, "/"))
		s->site.registry.prefix[strlen(s->site.registry.prefix) - 1] = '\0';
	s->credentials = credential_set_new(NULL, 0, NULL, false, e);
	return s->credentials ? open_registry(s, s->site.registry.host, s->opts->plain_http, s->opts->ca, e) : -1;
}

int session_accept(struct session *s, struct err *e)
{
	struct stream_state next = bundle_state_next(s->bundle);

	/* Nothing to remember of a bundle that nobody vouches for. */
	if (!bundle_trusted(s->bundle))
		return 0;
	return trust_state_save(NULL, bundle_statement(s->bundle)->stream, &next, e);
}

void session_release(struct session *s)
{
	if (s->registry)
		registry_close(s->registry);
	if (s->http)
		http_free(s->http);
	if (s->credentials)
		credential_set_free(s->credentials);
	helm_close(&s->helm);
	kubectl_close(&s->kubectl);
	site_release(&s->site);
	rewrite_release(&s->rewrite);
	scan_rules_release(&s->rules);
	contents_release(&s->contents);
	if (s->bundle)
		bundle_close(s->bundle);
	policy_release(&s->policy);
	free(s->state_dir);
	free(s->cluster_version);
	strv_release(&s->api_versions);
	free(s->kept_in);
	free(s->pull_user);
	json_decref(s->system);
	*s = (struct session){ 0 };
}

static int find_chart(struct session *s, const char *name, const struct content_chart **out, struct err *e)
{
	*out = contents_chart(&s->contents, name);
	return *out ? 0 : err_set(e, ERR_PREFLIGHT, "chart '%s': not in the bundle: build it again with this site file", name);
}

int session_chart_file(struct session *s, const char *chart, const char *file, struct buf *out, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(CHART_MAX);
	const struct content_chart *c;

	if (find_chart(s, chart, &c, e) < 0)
		return -1;
	if (bundle_blob_load(s->bundle, &c->archive, &bytes, e) < 0)
		return err_wrap(e, "chart '%s'", chart);

	int there = tarball_chart_file(bytes.ptr, bytes.len, file, out, e);

	return there < 0 ? err_wrap(e, "chart '%s': %s", chart, file) : there;
}

int session_chart(struct session *s, const char *name, char **out, struct err *e)
{
	const struct content_chart *c;
	char hex[DIGEST_HEX];

	if (find_chart(s, name, &c, e) < 0)
		return -1;

	auto_free char *path = xasprintf("%s/%s-%.16s.tgz", s->helm.home, name, digest_hex(&c->archive, hex));
	auto_buf struct buf bytes = BUF_INIT(CHART_MAX);
	int there = fs_exists(path, e);

	if (there < 0)
		return -1;
	if (there == 0 && (bundle_blob_load(s->bundle, &c->archive, &bytes, e) < 0 ||
			   fs_save(path, bytes.ptr, bytes.len, 0400, e) < 0))
		return err_wrap(e, "chart '%s'", name);
	*out = TAKE(path);
	return 0;
}

struct proof session_proof(const struct session *s)
{
	return (struct proof){ .contents = &s->contents, .rules = &s->rules, .names = site_names(&s->site),
			       .upstream = site_rewrite(&s->site) == SITE_MIRROR,
			       .renamed = site_rewrite(&s->site) == SITE_POST_RENDER };
}

int session_image_target(const struct session *s, const char *ref, char **out, struct err *e)
{
	const struct content_image *i = contents_image(&s->contents, ref);
	struct ref_site names = site_names(&s->site);
	auto_ref struct ref r = { 0 }, target = { 0 };

	if (!i)
		return err_set(e, ERR_PREFLIGHT, "image '%s': not in the bundle: build it again with this site file", ref);
	if (ref_parse(ref, &r, e) < 0 || ref_target(&r, &names, &target, e) < 0)
		return err_wrap(e, "image '%s'", ref);
	*out = ref_format(&target);
	return 0;
}

int session_image_name(const struct session *s, const char *ref, char **out, struct err *e)
{
	if (session_image_target(s, ref, out, e) < 0)
		return -1;
	if (site_rewrite(&s->site) == SITE_MIRROR) {
		free(*out);
		*out = xstrdup(ref);
	}
	return 0;
}
