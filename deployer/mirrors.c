/* SPDX-License-Identifier: Apache-2.0 */
#include "mirrors.h"

#include <airgap/buf.h>
#include <airgap/ref.h>

#define TEXT_MAX (1u << 20)

static const struct { const char *option, *ca_folder; } kinds[] = {
	[MIRROR_CONTAINERD] = { "containerd", "/etc/containerd/certs.d" },
	[MIRROR_CRIO] = { "crio", "/etc/containers/certs.d" },
	[MIRROR_K3S] = { "k3s", "/etc/rancher/k3s/certs.d" },
	[MIRROR_RKE2] = { "rke2", "/etc/rancher/rke2/certs.d" },
};

void mirror_files_release(struct mirror_files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->items[i].path);
		buf_wipe(&f->items[i].text);
	}
	free(f->items);
	*f = (struct mirror_files){ 0 };
}

static struct buf *add_file(struct mirror_files *out, char *path, bool secret)
{
	GROW(out->items, out->n);
	out->items[out->n] = (struct mirror_file){ path, BUF_INIT(TEXT_MAX), secret };
	return &out->items[out->n++].text;
}

void mirror_hosts(const struct contents *c, struct strv *out)
{
	for (size_t i = 0; i < c->n_images; i++) {
		auto_ref struct ref r = { 0 };
		struct err ignored;

		if (ref_parse(c->images[i].ref, &r, &ignored) == 0)
			strv_push(out, r.host);
	}
	strv_sort(out);
	strv_uniq(out);
}

const char *mirror_option(enum mirror_kind kind)
{
	return kinds[kind].option;
}

char *mirror_path(enum mirror_kind kind, const char *host)
{
	if (kind == MIRROR_CONTAINERD)
		return xasprintf("/etc/containerd/certs.d/%s/hosts.toml", host);
	if (kind == MIRROR_CRIO)
		return xstrdup("/etc/containers/registries.conf.d/50-airgap.conf");
	return xasprintf("/etc/rancher/%s/registries.yaml", kinds[kind].option);
}

enum mirror_kind mirror_kind_of(const json_t *node)
{
	const char *runtime = jdoc_text(node, "status", "nodeInfo", "containerRuntimeVersion", NULL);
	const char *kubelet = jdoc_text(node, "status", "nodeInfo", "kubeletVersion", NULL);

	if (runtime && str_starts(runtime, "cri-o:"))
		return MIRROR_CRIO;
	if (kubelet && strstr(kubelet, "+k3s"))
		return MIRROR_K3S;
	return kubelet && strstr(kubelet, "+rke2") ? MIRROR_RKE2 : MIRROR_CONTAINERD;
}

/* "PREFIX/HOST", "PREFIX" or "": what stands before an image's path. */
static int path_before(const struct site *site, const char *host, char **out, struct err *e)
{
	const struct ref any = { .host = (char *)host, .path = (char *)"x", .tag = (char *)"x" };
	struct ref_site names = site_names(site);
	auto_ref struct ref to = { 0 };

	if (ref_target(&any, &names, &to, e) < 0)
		return err_wrap(e, "registry '%s'", host);
	*out = xstrndup(to.path, strlen(to.path) - MIN(strlen(to.path), strlen("/x")));
	return 0;
}

/* A text within quotes, for YAML and TOML alike. */
static void put_quoted(struct buf *b, const char *text)
{
	auto_json json_t *s = json_string(text);
	char *quoted = s ? json_dumps(s, JSON_ENCODE_ANY) : NULL;

	buf_puts(b, quoted ? quoted : "\"\"");
	if (quoted)
		wipe(quoted, strlen(quoted));
	free(quoted);
}

static char *ca_path(const struct mirror_want *w, enum mirror_kind kind)
{
	return xasprintf("%s/%s/ca.crt", kinds[kind].ca_folder, w->site->registry.host);
}

static const char *scheme(const struct mirror_want *w)
{
	return w->site->registry.plain_http ? "http" : "https";
}

/* ---- containerd: a folder for each registry, read anew at each pull */

struct containerd { const char *url, *ca; struct secret header; };

static void containerd_release(struct containerd *c)
{
	secret_release(&c->header);
}

/* front: of a table of a host, or "" for the server. */
static void put_server(const struct containerd *c, const char *front, struct buf *b)
{
	buf_puts(b, "capabilities = [\"pull\", \"resolve\"]\noverride_path = true\n");
	if (c->ca)
		buf_putf(b, "ca = \"%s\"\n", c->ca);
	if (c->header.text) {
		buf_putf(b, "[%sheader]\nAuthorization = ", front);
		put_quoted(b, c->header.text);
		buf_puts(b, "\n");
	}
}

/* `server` is what containerd tries last, and without a host it takes nothing: both are the site registry. */
static void put_hosts_toml(const struct mirror_want *w, const struct containerd *c, struct buf *b)
{
	auto_free char *front = xasprintf("host.\"%s\".", c->url);

	if (w->asks_user && !w->user)
		buf_puts(b, "# The registry asks for a user. Its name and password, as base64 of USER:PASSWORD, below both parts:\n"
			    "# [header] and [host.\"...\".header], each with Authorization = \"Basic ...\"\n");
	buf_putf(b, "server = \"%s\"\n", c->url);
	put_server(c, "", b);
	buf_putf(b, "[host.\"%s\"]\n", c->url);
	put_server(c, front, b);
}

static int make_containerd(const struct mirror_want *w, const struct strv *hosts, struct mirror_files *out, struct err *e)
{
	CLEANUP(containerd_release) struct containerd c = { 0 };
	auto_free char *ca = w->ca ? ca_path(w, MIRROR_CONTAINERD) : NULL;

	if (w->user)
		credential_header(w->user, &c.header);
	c.ca = ca;
	for (size_t i = 0; i < hosts->n; i++) {
		auto_free char *before = NULL;

		if (path_before(w->site, hosts->items[i], &before, e) < 0)
			return -1;

		auto_free char *url = xasprintf("%s://%s/v2%s%s", scheme(w), w->site->registry.host, *before ? "/" : "", before);

		c.url = url;
		put_hosts_toml(w, &c, add_file(out, mirror_path(MIRROR_CONTAINERD, hosts->items[i]), w->user != NULL));
	}
	return 0;
}

/* ---- CRI-O: one file for all of them */

/* `location` is what is tried after all mirrors: it is the site registry, and then there is nothing for a mirror to do. */
static int make_crio(const struct mirror_want *w, const struct strv *hosts, struct mirror_files *out, struct err *e)
{
	struct buf *b = add_file(out, mirror_path(MIRROR_CRIO, NULL), false);

	if (w->asks_user)
		buf_puts(b, "# The registry asks for a user: CRI-O takes it from its global_auth_file. Pull secrets are not sent to a host\n"
			    "# that the image's name does not have.\n");
	for (size_t i = 0; i < hosts->n; i++) {
		auto_free char *before = NULL;

		if (path_before(w->site, hosts->items[i], &before, e) < 0)
			return -1;
		buf_putf(b, "%s[[registry]]\nprefix = \"%s\"\nlocation = \"%s%s%s\"\ninsecure = %s\n", i ? "\n" : "", hosts->items[i],
			 w->site->registry.host, *before ? "/" : "", before, w->site->registry.plain_http ? "true" : "false");
	}
	return 0;
}

/* ---- k3s and RKE2: one file, read when they start */

static int make_rancher(const struct mirror_want *w, enum mirror_kind kind, const struct strv *hosts, struct mirror_files *out,
			struct err *e)
{
	const char *registry = w->site->registry.host;
	struct buf *b = add_file(out, mirror_path(kind, NULL), w->user != NULL);
	auto_free char *ca = ca_path(w, kind);

	buf_putf(b, "# Upstream is tried last, unless /etc/rancher/%s/config.yaml has: disable-default-registry-endpoint: true\nmirrors:\n",
		 kinds[kind].option);
	for (size_t i = 0; i < hosts->n; i++) {
		auto_free char *before = NULL;

		if (path_before(w->site, hosts->items[i], &before, e) < 0)
			return -1;
		buf_putf(b, "  \"%s\":\n    endpoint: [\"%s://%s\"]\n", hosts->items[i], scheme(w), registry);
		if (*before)
			buf_putf(b, "    rewrite: {\"^(.*)$\": \"%s/$1\"}\n", before);
	}
	if (w->ca || w->user || w->asks_user)
		buf_putf(b, "configs:\n  \"%s\":\n", registry);
	if (w->ca)
		buf_putf(b, "    tls: {ca_file: \"%s\"}\n", ca);
	if (w->user) {
		buf_puts(b, "    auth: {username: ");
		put_quoted(b, w->user->username);
		buf_puts(b, ", password: ");
		put_quoted(b, w->user->secret.text);
		buf_puts(b, "}\n");
	} else if (w->asks_user) {
		buf_puts(b, "    # The registry asks for a user:\n    # auth: {username: ..., password: ...}\n");
	}
	return 0;
}

int mirrors_make(const struct mirror_want *want, enum mirror_kind kind, struct mirror_files *out, struct err *e)
{
	auto_strv struct strv hosts = { 0 };
	int r;

	mirror_hosts(want->contents, &hosts);
	if (!hosts.n)
		return err_set(e, ERR_PREFLIGHT, "bundle '%s': carries no image: there is nothing to mirror", want->contents->name);
	if (kind == MIRROR_CONTAINERD)
		r = make_containerd(want, &hosts, out, e);
	else
		r = kind == MIRROR_CRIO ? make_crio(want, &hosts, out, e) : make_rancher(want, kind, &hosts, out, e);
	if (r == 0 && want->ca)
		buf_puts(add_file(out, ca_path(want, kind), false), want->ca);
	return r;
}
