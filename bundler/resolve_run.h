/*
 * resolve_run - one run of resolve_manifest: what its files share. Private to bundler/resolve*.c and discover.c.
 */
#pragma once

#include "carry.h"
#include "images.h"
#include "node_tags.h"
#include "remote.h"

#include <airgap/chart.h>
#include <airgap/facts.h>
#include <airgap/helm.h>
#include <airgap/manifest.h>
#include <airgap/oci.h>

/* A chart as it will be carried. */
struct run_chart {
	const struct manifest_chart *entry;     /* NULL: the site chart beside the manifest */
	char *name;
	struct chart meta;
	struct buf archive;                     /* the .tgz */
	char *path;                             /* the same as a file in run.work, for helm */
	bool released;                          /* a Release of some site renders it */
};

struct run_index { char *repository; struct chart_index *index; };

struct run {
	const struct manifest *m;
	struct lock *lock;
	const char *helm_path;
	char *dir;                      /* folder of the manifest: its paths are relative to it */
	char *prefix;                   /* from the lock's folder to it; "" = the same */
	char *work;                     /* private folder, removed at the end */
	unsigned jobs;                  /* renders at once: work for processors */
	unsigned image_jobs;            /* images at once: mostly waiting for servers */
	struct remote *remote;
	struct helm helm;               /* opened at first use: helm.version is set then */
	struct facts facts;             /* of --facts and of the manifest; n_nodes 0 = no node is known */
	char *kube_version;
	const struct strv *api_versions;        /* for rendering: of the facts, else the manifest's; borrowed */
	struct run_index *indexes; size_t n_indexes;    /* of repositories, each read once */
	struct run_chart **charts; size_t n_charts;     /* the site chart too; each stays where it is */
	struct carry carry;
	struct images images;
	struct node_tags node_tags;     /* images that were chosen by a node */
	bool no_referrers;              /* signatures and the like of images stay behind */
	bool has_clash;                 /* two sizes for one digest: a sha256 of the manifest may be wrong */
	struct digest clash;
};
#define auto_run CLEANUP(run_release)
void run_release(struct run *r);

char *run_path(const struct run *r, const char *path) MUST_CHECK;       /* to open it */
char *run_lock_path(const struct run *r, const char *path) MUST_CHECK;  /* as the lock spells it */
struct helm *run_helm(struct run *r, struct err *e) MUST_CHECK;
void run_warn(struct run *r, const char *fmt, ...) PRINTF(2, 3);        /* into lock.warnings, once */
struct run_chart *run_chart(const struct run *r, const char *name);     /* borrowed; NULL = not resolved */
/* lock_add_blob, which remembers a clash. */
int run_add_blob(struct run *r, const struct digest *d, uint64_t size, const char *type, bool stored, bool manifest,
		 const struct lock_source *source, struct err *e) MUST_CHECK;
/* Where "host/path" is fetched from: an alias or itself. Owned, canonical. */
char *run_fetch_name(const struct run *r, const char *name) MUST_CHECK;

/* resolve_charts.c: the manifest's chart with this name, once. Adds blobs and contents. */
int resolve_chart(struct run *r, const char *name, struct err *e) MUST_CHECK;
/* The site chart: a folder or archive beside the manifest, or a chart by name. *out borrowed; NULL: there is none. */
int resolve_site_chart(struct run *r, struct run_chart **out, struct err *e) MUST_CHECK;

/* resolve_images.c: asks for every wanted image and fills the lock. */
int resolve_images(struct run *r, struct err *e) MUST_CHECK;

/* resolve_targets.c: names on site: legal, and no two images with one. After lock_finish. */
int resolve_targets(struct run *r, struct err *e) MUST_CHECK;

/* resolve_files.c: the files of the manifest that are carried. */
int resolve_files(struct run *r, struct err *e) MUST_CHECK;
/* After a clash: reads the files that claim this digest. The error names the one that lies, else stays. */
int resolve_files_blame(struct run *r, const struct digest *d, struct err *e) MUST_CHECK;
/* One of them to be read, compared with its digest; it is fetched if need be. */
int resolve_file_open(struct run *r, const char *name, int *out_fd, struct err *e) MUST_CHECK;
/* resolve_file_image.c: a file out of an image; its bytes are in the content cache then. */
struct run_image_file {
	struct oci_blob blob;
	struct lock_source source;      /* texts owned */
	char *origin;                   /* "docker.io/a/b:1@sha256:…" */
};
void run_image_file_release(struct run_image_file *f);
int resolve_image_file(struct run *r, const struct manifest_file *f, struct run_image_file *out, struct err *e) MUST_CHECK;
/* The bytes of a small one (an Apply step's file), appended to out. */
int resolve_file_load(struct run *r, const char *name, struct buf *out, struct err *e) MUST_CHECK;

/* Bytes of what stands at an address, as its server says; UINT64_MAX: it does not. */
int run_ask_size(struct run *r, const char *url, uint64_t *out, struct err *e) MUST_CHECK;

/* The descriptor of a regular file on disk, at its beginning; *out is its digest and size. */
int run_open_file(const char *path, struct oci_blob *out, struct err *e) MUST_CHECK;

/* discover.c: all finds in what one chart renders; tags that only nodes know are filled in from the facts. */
int run_add_finds(struct run *r, const struct run_chart *c, struct scan_finds *finds, struct err *e) MUST_CHECK;
/* discover_files.c: images in the archives that rules name. */
int discover_files(struct run *r, struct err *e) MUST_CHECK;
