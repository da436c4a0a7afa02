/*
 * gitrepo - git repositories through libgit2: which refs a server has, the objects of a few commits, a tree out of one,
 * a `git bundle` of some refs.
 *
 *	const struct gitrepo_remote from = { .url = "https://git.example/apps.git" };
 *	auto_gitrepo_refs struct gitrepo_refs refs = { 0 };
 *	const struct gitrepo_ref *tag;
 *	if (gitrepo_list(&from, &refs, e) < 0 || !(tag = gitrepo_find(&refs, "v1.2.0", e))) ...
 *	strv_push(&wanted, tag->commit);
 *	if (gitrepo_fetch(&from, "cache/apps", &wanted, e) < 0 ||
 *	    gitrepo_export("cache/apps", tag->commit, "deploy/chart", "private/folder", e) < 0) ...
 *
 * libgit2 has no timeouts and parses what strangers send, so no call of it runs in this process. Each function starts
 * this very program again through proc.h, as `PROGRAM git-worker` with a JSON request on stdin: a fork without exec is
 * not safe beside threads, and what proc_run knows (dies with us, killed at a deadline, stderr kept) need not be written
 * twice. The worker limits its memory, processor time and file sizes before it reads the request, and its own alarm ends
 * it when a server sends nothing for a while. A program that calls these functions therefore begins with
 *
 *	if (gitrepo_is_worker(argc, argv))
 *		return gitrepo_worker();
 *
 * Nothing of the machine's or the user's git configuration is read, no hook, filter or program of a repository runs.
 * A redirect is followed on the same host only and never from https to http; a password is given once. Server
 * certificates are always verified (by Debian's libgit2 against names only: an address must be the common name).
 *
 * Errors: ERR_NETWORK no answer, or not there · ERR_AUTH · ERR_TLS · ERR_REDIRECT · ERR_DEADLINE stall, interrupted ·
 * ERR_LIMIT a ceiling was passed · ERR_MALFORMED what came is no git repository · ERR_UNSAFE links, submodules, names.
 */
#pragma once

#include <airgap/secret.h>
#include <airgap/strv.h>

#define GITREPO_OID         40u                         /* hex digits */
#define GITREPO_BYTES_MAX   (UINT64_C(2) << 30)         /* received in one fetch */
#define GITREPO_OBJECTS_MAX UINT64_C(10000000)          /* of one fetch */
#define GITREPO_REFS_MAX    200000u                     /* of one repository */
#define GITREPO_BUNDLE_MAX  (UINT64_C(16) << 30)        /* bytes of a bundle */

/* All texts borrowed. */
struct gitrepo_remote {
	const char *url;                /* https://, http:// (who allows it has asked the host's settings), or a path */
	const char *username;           /* NULL: nobody */
	const struct secret *password;
	const char *ca_file;            /* PEM, instead of the system's; NULL = the system's */
	const char *proxy;              /* "http://HOST:PORT"; "environment"; NULL = none */
	uint64_t bytes_max;             /* 0 = GITREPO_BYTES_MAX */
	unsigned stall;                 /* seconds of silence that end it; 0 = 60 */
};

struct gitrepo_ref {
	char *name;                     /* "refs/tags/v1" */
	char *oid;                      /* what it names: of an annotated tag the tag itself */
	char *commit;                   /* the commit behind it */
};
struct gitrepo_refs {
	struct gitrepo_ref *items; size_t n;    /* in the server's order */
	char *head;                     /* name of the default branch; NULL = not told */
};
#define auto_gitrepo_refs CLEANUP(gitrepo_refs_release)
void gitrepo_refs_release(struct gitrepo_refs *r);

/* 40 lower-case hex digits. */
bool gitrepo_is_oid(const char *s);

/* Branches and tags of a remote. */
int gitrepo_list(const struct gitrepo_remote *from, struct gitrepo_refs *out, struct err *e) MUST_CHECK;
/* A full name, a branch or a tag; NULL = the default branch. Borrowed from refs; pure. NULL: ERR_USAGE, there is none
 * (the nearest is named), or a branch and a tag have this name. */
const struct gitrepo_ref *gitrepo_find(const struct gitrepo_refs *refs, const char *name, struct err *e) MUST_CHECK;

/* Every object of these commits or tags (oids) into a bare repository of ours at dir, which is made when it is not there
 * and in which nobody else may be at work.
 * What it has already is not asked for. A wanted one that is no longer at the tip of a ref is looked for in the
 * history of all of them. 0: all are there. ERR_NETWORK: the remote has one of them no more, which is named. */
int gitrepo_fetch(const struct gitrepo_remote *from, const char *dir, const struct strv *oids, struct err *e) MUST_CHECK;

/* The folder `path` ("" = all) of a commit in the repository at dir (ours, or a local one) as files below `to`, which is
 * there and is private. No filters, no line ends changed. Links and submodules are ERR_UNSAFE; the limits are a chart's:
 * 20,000 entries, 5 MiB a file, 100 MiB in all, folders 32 deep. ERR_USAGE: no such folder. -1: `to` has a part. */
int gitrepo_export(const char *dir, const char *commit, const char *path, const char *to, struct err *e) MUST_CHECK;

/* A bundle (version 2, as `git clone` takes it) of refs "NAME=OID", in their order, at a new file `to`. All of their
 * history is in it. Same objects, same order, same libgit2: same bytes. -1: `to` has a part. */
int gitrepo_bundle(const char *dir, const struct strv *refs, const char *to, struct err *e) MUST_CHECK;

bool gitrepo_is_worker(int argc, char **argv);
int gitrepo_worker(void);               /* the exit status */
