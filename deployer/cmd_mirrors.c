/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "mirrors.h"

#include <airgap/fs.h>
#include <airgap/log.h>

#include <stdio.h>

#define CA_MAX (512u << 10)

struct mirrors_opts {
	struct common_opts common;
	const char *output;
	bool kinds[4];          /* by enum mirror_kind */
	bool with_password;
};

const size_t mirrors_opts_size = sizeof(struct mirrors_opts);
const struct opt mirrors_options[] = {
	OPT_FLAG(struct mirrors_opts, kinds[MIRROR_CONTAINERD], 0, "containerd", "hosts.toml for each registry"),
	OPT_FLAG(struct mirrors_opts, kinds[MIRROR_CRIO], 0, "crio", "a file for registries.conf.d"),
	OPT_FLAG(struct mirrors_opts, kinds[MIRROR_K3S], 0, "k3s", "registries.yaml of k3s"),
	OPT_FLAG(struct mirrors_opts, kinds[MIRROR_RKE2], 0, "rke2", "registries.yaml of RKE2"),
	OPT_STR(struct mirrors_opts, output, 'o', "output", "DIR", "write below DIR, as below a node's root (default: print)"),
	OPT_FLAG(struct mirrors_opts, with_password, 0, "with-password", "put the registry's user and password into the files"),
	COMMON_TRUST_OPTIONS(struct mirrors_opts),
	OPT_STR(struct mirrors_opts, common.site, 0, "site", "FILE", "the site file (default: ./site.yaml, /etc/airgap/site.yaml)"),
	{ 0 }
};

static int which(const struct mirrors_opts *o, enum mirror_kind *out, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(o->kinds); i++) {
		if (!o->kinds[i])
			continue;
		*out = (enum mirror_kind)i;
		n++;
	}
	return n == 1 ? 0 : err_set(e, ERR_USAGE, "mirrors: say what the nodes run: one of --containerd, --crio, --k3s and --rke2");
}

static int load_ca(const struct site *site, struct buf *out, struct err *e)
{
	auto_free char *path = site->registry.ca ? fs_join(site->dir, site->registry.ca) : NULL;

	return path ? fs_load(path, CA_MAX, out, e) : 0;
}

static int write_one(const char *dir, const struct mirror_file *f, struct err *e)
{
	auto_free char *path = xasprintf("%s%s", dir, f->path);
	auto_free char *folder = fs_dirname(path);

	if (fs_make_dirs(folder, 0755, e) < 0 || fs_save(path, f->text.ptr, f->text.len, f->secret ? 0600 : 0644, e) < 0)
		return -1;
	puts(path);
	return 0;
}

/* Printed, each has its place in front, which is a comment in all of them. */
static int give(const struct mirrors_opts *o, const struct mirror_files *files, struct err *e)
{
	for (size_t i = 0; i < files->n; i++) {
		const struct mirror_file *f = &files->items[i];

		if (!o->output)
			printf("%s# %s\n%s", i ? "\n" : "", f->path, buf_str(&f->text));
		else if (write_one(o->output, f, e) < 0)
			return -1;
	}
	return 0;
}

int mirrors_run(const void *opts, char **args, struct err *e)
{
	const struct mirrors_opts *o = opts;
	auto_session struct session s = { 0 };
	auto_mirror_files struct mirror_files files = { 0 };
	auto_credential struct credential user = { 0 };
	auto_buf struct buf ca = BUF_INIT(CA_MAX);
	enum mirror_kind kind = MIRROR_CONTAINERD;
	int found;

	if (which(o, &kind, e) < 0 || session_bundle(&s, args[0], &o->common, e) < 0 || session_site(&s, e) < 0 ||
	    load_ca(&s.site, &ca, e) < 0 || session_registry(&s, e) < 0)
		return -1;
	found = credential_find(s.credentials, site_push_host(&s.site), "", &user, e);
	if (found < 0)
		return -1;

	bool basic = found && user.kind == CREDENTIAL_BASIC;
	const struct mirror_want want = {
		.contents = &s.contents, .site = &s.site, .ca = ca.len ? buf_str(&ca) : NULL,
		.user = basic && o->with_password ? &user : NULL, .asks_user = basic,
	};

	if (site_rewrite(&s.site) != SITE_MIRROR)
		log_warn("registry.rewrite is not mirror: nodes will not be asked for upstream names");
	if (mirrors_make(&want, kind, &files, e) < 0)
		return -1;
	return give(o, &files, e);
}
