/*
 * mirrors - the files with which the nodes' runtimes ask the site registry for images under their upstream names.
 *
 * For exactly the registries of the bundle's images. What is pushed to REGISTRY/PREFIX[/HOST]/PATH is asked for there, with
 * the path in front, so the layout of the registry is the same as with every other rewrite. With the files of containerd and
 * CRI-O upstream is never tried. k3s and RKE2 try it last, unless their own config.yaml says otherwise: registries.yaml has no
 * word for that, so the file says in a comment what belongs there.
 */
#pragma once

#include <airgap/contents.h>
#include <airgap/credential.h>
#include <airgap/site.h>

enum mirror_kind { MIRROR_CONTAINERD, MIRROR_CRIO, MIRROR_K3S, MIRROR_RKE2 };

struct mirror_want {
	const struct contents *contents;
	const struct site *site;
	const char *ca;                         /* text of the registry's certificate authority; NULL = the system's will do */
	const struct credential *user;          /* written into the files, in the open; NULL = not */
	bool asks_user;                         /* the registry wants one: where it is to be written is said instead */
};

struct mirror_file { char *path; struct buf text; bool secret; };       /* path from the node's root */
struct mirror_files { struct mirror_file *items; size_t n; };
#define auto_mirror_files CLEANUP(mirror_files_release)
void mirror_files_release(struct mirror_files *f);

int mirrors_make(const struct mirror_want *want, enum mirror_kind kind, struct mirror_files *out, struct err *e) MUST_CHECK;

/* Registries of the images, sorted. */
void mirror_hosts(const struct contents *c, struct strv *out);
/* What a node runs, out of `kubectl get nodes`; and the file on it that leads to the site registry for this host. */
enum mirror_kind mirror_kind_of(const json_t *node);
char *mirror_path(enum mirror_kind kind, const char *host) MUST_CHECK;
const char *mirror_option(enum mirror_kind kind);       /* "containerd" */
