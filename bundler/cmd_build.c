/* SPDX-License-Identifier: Apache-2.0 */
#include "build.h"
#include "quota.h"
#include "resolve.h"

#include <airgap/cli.h>
#include <airgap/fs.h>

const struct opt build_options[] = {
	OPT_STR(struct build_opts, output, 'o', "output", "FILE", "write the bundle to FILE (default bundle.tar.zst)"),
	OPT_STR(struct build_opts, key, 'k', "key", "KEY", "sign with this private key"),
	OPT_STR(struct build_opts, passphrase_file, 0, "passphrase-file", "FILE", "its first line opens KEY"),
	OPT_STR(struct build_opts, signer, 0, "signer", "COMMAND", "sign with a program: it reads what is to be signed"),
	OPT_STR(struct build_opts, public, 0, "public", "KEY.pub", "the public key that COMMAND signs with"),
	OPT_STR(struct build_opts, site, 0, "site", "SITE", "carry what this site file needs (a manifest only)"),
	OPT_LIST(struct build_opts, overlays, 0, "overlay", "FILE", "a manifest that wins key by key; may be repeated"),
	OPT_STR(struct build_opts, facts, 0, "facts", "FILE", "what `deployer facts` wrote on site (a manifest only)"),
	OPT_FLAG(struct build_opts, no_referrers, 0, "no-referrers", "leave signatures and SBOMs of images behind (a manifest only)"),
	OPT_UINT(struct build_opts, jobs, 'j', "jobs", "N", "downloads at once (default 16)"),
	OPT_STR(struct build_opts, quota, 0, "quota", "wait|stop", "when no counted pull is left: wait for more (default), or stop"),
	OPT_FLAG(struct build_opts, dry_run, 'n', "dry-run", "say what would be fetched from where, and fetch nothing"),
	OPT_FLAG(struct build_opts, json, 0, "json", "with --dry-run: as JSON"),
	OPT_FLAG(struct build_opts, env_proxy, 0, "env-proxy", "use the proxies of http_proxy, https_proxy and no_proxy"),
	OPT_UINT(struct build_opts, level, 0, "level", "N", "zstd level 1 to 19 of what is compressed (default 3)"),
	{ 0 }
};

static int build_lock(const char *path, const struct build_opts *o, struct err *e)
{
	auto_lock struct lock l = { 0 };
	auto_free char *dir = fs_dirname(path);

	if (o->site || o->facts || o->overlays.n)
		return err_set(e, ERR_USAGE, "'%s' is a lock: --site, --facts and --overlay are for manifests", path);
	if (lock_load(path, &l, e) < 0)
		return -1;
	return build_bundle(&l, dir, o, e);
}

static int build_manifest(const char *path, const struct build_opts *o, struct err *e)
{
	bool stop = false;

	if (quota_choice(o->quota, &stop, e) < 0)
		return -1;

	const struct resolve_opts r = {
		.site = o->site, .overlays = &o->overlays, .facts = o->facts,
		.no_referrers = o->no_referrers, .jobs = o->jobs, .env_proxy = o->env_proxy, .quota_stop = stop,
	};
	auto_lock struct lock l = { 0 };
	auto_free char *dir = fs_dirname(path);

	if (resolve_manifest(path, &r, &l, e) < 0)
		return -1;
	return build_bundle(&l, dir, o, e);
}

int build_run(const void *opts, char **args, struct err *e)
{
	int is_lock = lock_is(args[0], e);

	if (is_lock < 0)
		return -1;
	return is_lock ? build_lock(args[0], opts, e) : build_manifest(args[0], opts, e);
}
