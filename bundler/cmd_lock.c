/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "quota.h"
#include "resolve.h"

#include <airgap/fs.h>
#include <airgap/log.h>

#include <stdio.h>

struct lock_opts { const char *site, *facts, *output, *quota; struct strv overlays; unsigned jobs; bool no_referrers, env_proxy; };

const struct opt lock_options[] = {
	OPT_STR(struct lock_opts, output, 'o', "output", "LOCK", "write to LOCK, - is stdout (default MANIFEST with .lock.yaml)"),
	OPT_STR(struct lock_opts, site, 0, "site", "SITE", "carry only what this site file needs"),
	OPT_LIST(struct lock_opts, overlays, 0, "overlay", "FILE", "a manifest that wins key by key; may be repeated"),
	OPT_STR(struct lock_opts, facts, 0, "facts", "FILE", "what `deployer facts` wrote on site"),
	OPT_FLAG(struct lock_opts, no_referrers, 0, "no-referrers", "leave signatures and SBOMs of images behind"),
	OPT_UINT(struct lock_opts, jobs, 'j', "jobs", "N", "requests and renders at once"),
	OPT_STR(struct lock_opts, quota, 0, "quota", "wait|stop", "when no counted pull is left: wait for more (default), or stop"),
	OPT_FLAG(struct lock_opts, env_proxy, 0, "env-proxy", "use the proxies of http_proxy, https_proxy and no_proxy"),
	{ 0 }
};
const size_t lock_opts_size = sizeof(struct lock_opts);

/* "a/bundle.yaml" → "a/bundle.lock.yaml". */
static char *default_output(const char *manifest)
{
	size_t n = strlen(manifest);

	if (str_ends(manifest, ".yaml"))
		n -= strlen(".yaml");
	else if (str_ends(manifest, ".yml"))
		n -= strlen(".yml");
	return xasprintf("%.*s.lock.yaml", (int)n, manifest);
}

/* The end of a word: "1 file", "2 files". */
static const char *s(size_t n)
{
	return n == 1 ? "" : "s";
}

static void report(const struct lock *l, const char *output)
{
	const struct contents *c = &l->contents;
	char size[16];

	for (size_t i = 0; i < l->warnings.n; i++)
		log_warn("%s", l->warnings.items[i]);
	auto_free char *sets = c->n_sets ? xasprintf(", %zu set%s of files", c->n_sets, s(c->n_sets)) : xstrdup("");

	log_info("%zu image%s, %zu chart%s, %zu file%s%s: %s in %zu blob%s; %zu not carried", c->n_images, s(c->n_images),
		 c->n_charts, s(c->n_charts), c->n_files, s(c->n_files), sets, log_size(size, lock_size(l)), l->n_blobs,
		 s(l->n_blobs), json_array_size(c->not_carried));
	printf("%s\n", output);
}

int lock_run(const void *opts, char **args, struct err *e)
{
	const struct lock_opts *o = opts;
	auto_free char *output = o->output ? xstrdup(o->output) : default_output(args[0]);
	bool is_stdout = strcmp(output, "-") == 0;
	auto_free char *base = is_stdout ? xstrdup(".") : fs_dirname(output);
	bool stop = false;

	if (quota_choice(o->quota, &stop, e) < 0)
		return -1;

	const struct resolve_opts r = {
		.site = o->site, .overlays = &o->overlays, .facts = o->facts, .base = base,
		.no_referrers = o->no_referrers, .jobs = o->jobs, .env_proxy = o->env_proxy, .quota_stop = stop,
	};
	auto_lock struct lock l = { 0 };
	auto_buf struct buf text = BUF_INIT(LOCK_MAX);

	if (resolve_manifest(args[0], &r, &l, e) < 0 || lock_dump(&l, &text, e) < 0)
		return -1;
	if (is_stdout) {
		fputs(buf_str(&text), stdout);
		return 0;
	}
	if (fs_save(output, buf_str(&text), text.len, 0644, e) < 0)
		return -1;
	report(&l, output);
	return 0;
}
