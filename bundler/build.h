/*
 * build - from a lock to a bundle. `build` on a manifest makes the lock first (resolve.h).
 */
#pragma once

#include <airgap/cli.h>
#include <airgap/lock.h>

struct build_opts {
	const char *output;             /* NULL = bundle.tar.zst */
	const char *key, *passphrase_file;      /* a private key; or */
	const char *signer, *public;    /* a program that signs, and the public half of its key; neither: unsigned */
	const char *site, *facts;       /* for a manifest */
	struct strv overlays;
	bool no_referrers;              /* for a manifest */
	unsigned jobs;                  /* downloads at once, and of one host at most; 0 = 16 */
	const char *quota;              /* quota.h */
	bool dry_run, json;             /* say what would be fetched, and fetch nothing */
	bool env_proxy;                 /* the environment's proxies, where a host's settings name none */
	unsigned level;                 /* of zstd; 0 = 3 */
};

/* 0: the bundle is at o->output, on disk; one line on stdout: its id and the path. -1: output is what it was, and what
 * was done is kept beside it for the next run. lock_dir: the folder the lock's paths are relative to. */
int build_bundle(const struct lock *l, const char *lock_dir, const struct build_opts *o, struct err *e) MUST_CHECK;

/* The row of the command table. */
extern const struct opt build_options[];
int build_run(const void *opts, char **args, struct err *e);
