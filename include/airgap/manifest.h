/*
 * manifest - what a user wants carried: `kind: Manifest` into structs (design §3).
 *
 *	auto_manifest struct manifest m = { 0 };
 *	if (manifest_load("bundle.yaml", NULL, &m, e) < 0) ...       // shape and meaning
 *
 * Shape by decode tables: an unknown key names file, line and the nearest right one. Meaning by manifest_check:
 * names legal and unique, exactly one source per entry, hashes where bytes come from a server, references, platforms,
 * constraints and patterns readable. Nothing is looked up: no network, no file beside the manifest itself.
 * `include` is read by manifest_load; manifest_parse, which has no folder to look in, refuses it. How files merge stands
 * in lib/manifest_merge.h; an error names the file and line where the wrong thing was written.
 */
#pragma once

#include <airgap/decode.h>
#include <airgap/scan.h>

struct manifest_metadata {
	char *name, *version, *stream;
	char *expires;                  /* "90d", "2027-01-31" or a whole RFC 3339 time in Z; NULL = never */
	struct strv audience;
	uint64_t sequence;              /* 0 = the lock's time */
};

struct manifest_kubernetes {
	char *version;                  /* "1.32"; NULL = not said */
	struct strv api_versions;
};

/* Secrets are references (secret.h). */
struct manifest_host {
	char *host;
	bool plain_http;
	char *ca;                       /* "file:ca.pem" or a path */
	char *username, *password, *token;
	char *cert, *key;               /* client certificate and its key: "file:P" or paths */
	char *proxy;                    /* "http://HOST:PORT" or "environment"; NULL = none */
	char *rate;                     /* bytes a second at most: "20MiB"; NULL = no limit */
	char *user_agent;
};

/* One of several places of a chart: the first whose variable is set is taken. */
struct manifest_source {
	char *repository;               /* http(s)://, oci:// or git+https://, git+file:// */
	char *ref, *path;               /* of git: tag, branch or commit (NULL = the default branch); folder in the tree */
	char *when;                     /* "env:X"; NULL = always */
};
struct manifest_patch { char *kube_version; };

struct manifest_chart {
	char *name, *version;           /* version: constraint; NULL = the highest release */
	char *repository, *path;        /* one of these or sources; git has both */
	char *ref;                      /* of git */
	char *keyring;                  /* "file:P" or a path: the provenance file must be there and signed by a key in it */
	struct manifest_source *sources; size_t n_sources;
	struct strv values;             /* files, for rendering where no step gives values */
	struct manifest_patch patch;
};

struct manifest_image {
	char *ref;
	char *layout;                   /* OCI layout (folder or archive) or `docker save` archive; NULL = a registry */
	char *base;                     /* reference: ref is made of it and one layer more */
	struct strv add;                /* paths of the files in that layer, which stand in / by their last component */
	struct strv platforms;          /* empty = the manifest's */
	struct strv tags;
};

struct manifest_file {
	char *name;
	char *url, *path, *image;       /* one of them; image: the reference of another image, member a path in it */
	char *sha256;                   /* 64 hex digits: of the bytes at url or path */
	char *member;                   /* within the archive at url or path, or the image */
	char *role, *mode, *platform;
};

/* A further place of packages: a suite of updates, a distribution beneath a vendor's drivers. What it leaves out is as in its
 * entry; keyring and trusted together. */
struct manifest_repository { char *url, *suite; struct strv components; char *keyring; bool trusted; };

/* A repository of OS packages: names in, the dependency closure out. */
struct manifest_packages {
	char *name;
	char *type;                     /* "deb" or "rpm" */
	char *url;
	char *suite;                    /* deb: "bookworm"; "./" = a flat repository */
	struct strv components;         /* deb */
	char *architecture;             /* "amd64", "x86_64" */
	char *keyring;                  /* "file:P" or a path: keys of its metadata's signature; NULL = trusted: true */
	bool trusted;                   /* its metadata need not be signed; said in the lock */
	struct manifest_repository *more; size_t n_more;        /* looked at as well */
	struct strv install;            /* names, or NAME=VERSION; {kernel} = one for each kernel of the facts */
	struct strv present;            /* packages that the nodes have already: not carried */
	bool recommends;                /* deb: what is recommended too */
	char *os;                       /* "ubuntu 24.04": {kernel} of these nodes only; NULL = all of this architecture */
};
struct manifest_python {
	char *name;
	struct strv requirements;
	char *python;                   /* "3.10" */
	char *platform;                 /* "manylinux_2_28_x86_64" */
	char *index;                    /* URL of a simple index; NULL = pip's own */
};
struct manifest_git {
	char *name, *url;
	struct strv refs;               /* branches, tags or full names */
};

struct manifest_waiver { char *image, *reason; };

/* How a chart's operator writes the OS of a node into a tag: {osTag}. */
struct manifest_os_tag {
	char *chart, *versions;         /* a semver range of the chart */
	struct strv major;              /* IDs of distributions whose major version alone is used: "rhel" */
};

struct manifest_discover {
	struct strv sites;              /* patterns, relative to the manifest */
	struct scan_rule *rules; size_t n_rules;
	struct manifest_os_tag *os_tags; size_t n_os_tags;      /* the first that fits */
	struct manifest_waiver *waive; size_t n_waive;
};

struct manifest {
	char *api_version, *kind;
	struct strv include;            /* of the manifest itself; read already */
	struct manifest_metadata metadata;
	struct strv platforms;          /* "linux/amd64"; or "all" alone */
	struct manifest_kubernetes kubernetes;
	char *site;                     /* folder or archive beside the manifest, or a name under charts; NULL = none */
	json_t *aliases;                /* {FROM: TO}: fetch from TO, record as FROM; for manifest_fetch_name; NULL = none */
	struct manifest_host *hosts; size_t n_hosts;
	struct manifest_chart *charts; size_t n_charts;
	struct manifest_image *images; size_t n_images;
	struct manifest_file *files; size_t n_files;
	struct manifest_packages *packages; size_t n_packages;
	struct manifest_python *python; size_t n_python;
	struct manifest_git *git; size_t n_git;
	json_t *facts;                  /* nodes that are known beforehand, as a facts file has them (facts.h); NULL = none */
	struct manifest_discover discover;
};

#define auto_manifest CLEANUP(manifest_release)
void manifest_release(struct manifest *m);

/* subject = file name for messages. -1: out is empty. Both check shape and meaning. */
int manifest_parse(const void *p, size_t n, const char *subject, struct manifest *out, struct err *e) MUST_CHECK;
/* With all that it includes, then each of overlays (NULL = none): later files win key by key. */
int manifest_load(const char *path, const struct strv *overlays, struct manifest *out, struct err *e) MUST_CHECK;

/* Meaning alone; pure. Messages begin with the entry: "charts[1] 'api': …", lines come from manifest_parse. */
int manifest_check(const struct manifest *m, struct err *e) MUST_CHECK;

const struct manifest_chart *manifest_chart(const struct manifest *m, const char *name);       /* borrowed; NULL = none */
/* The entry as if its repository were number i: 0 = its own, else more[i - 1]. All borrowed: not to be released. */
struct manifest_packages manifest_packages_at(const struct manifest_packages *m, size_t i);
/* First of all files with this name (others differ in platform). */
const struct manifest_file *manifest_file(const struct manifest *m, const char *name);

/* Where "host/path" is fetched from: the longest alias that is it, or a part of it up to a slash, replaced. Owned; NULL = no
 * alias says anything. */
char *manifest_fetch_name(const struct manifest *m, const char *name) MUST_CHECK;

/* "180d", a date or a time → RFC 3339 in Z, counted from `from`; NULL text = "". false: it is none of these, or is not
 * later than `from`. */
bool manifest_expiry(const char *text, int64_t from, char out[24]) MUST_CHECK;
/* "2026-01-02T03:04:05Z"; seconds from 0 to the end of 9999. */
char *manifest_time(int64_t seconds, char out[24]);
