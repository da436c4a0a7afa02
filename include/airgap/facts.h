/*
 * facts - what a site's nodes are: kernels, distributions, GPUs (`kind: Facts`, written by `deployer facts`).
 *
 *	auto_facts struct facts f = { 0 };
 *	if (facts_load("facts.json", &f, e) < 0) ...
 *
 * It travels from the site to the connected side and decides which driver images and OS packages are carried. JSON or
 * YAML; it may be written by hand, and a manifest's `facts` has the same keys. Nothing in it is secret: node names are
 * left out.
 */
#pragma once

#include <airgap/decode.h>

#define FACTS_MAX       (1u << 20)      /* bytes of the file */
#define FACTS_NODES_MAX 10000u

/* Nodes that are alike in all of this stand there once. */
struct facts_node {
	uint64_t count;                 /* 0 counts as 1 */
	char *os, *os_version;          /* ID and VERSION_ID of os-release: "ubuntu", "22.04" */
	char *os_image;                 /* as the node says it: "Ubuntu 22.04.5 LTS"; os and osVersion come from it when absent */
	char *kernel;                   /* "5.15.0-1071-nvidia" */
	char *architecture;             /* "amd64" */
	char *runtime;                  /* "containerd://1.7.27" */
	bool gpu;                       /* has an NVIDIA GPU */
	char *gpu_product, *gpu_driver; /* by labels, where they are; NULL = not known */
	uint64_t gpus;
	bool mig;
};

struct facts {
	char *api_version, *kind;       /* "airgap/v1", "Facts" */
	char *created;
	char *kube_version;             /* "v1.32.4" */
	struct strv api_versions;       /* "monitoring.coreos.com/v1", for rendering */
	struct facts_node *nodes; size_t n_nodes;       /* sorted */
};
#define auto_facts CLEANUP(facts_release)
void facts_release(struct facts *f);

int facts_load(const char *path, struct facts *out, struct err *e) MUST_CHECK;
int facts_parse(const void *p, size_t n, const char *subject, struct facts *out, struct err *e) MUST_CHECK;
/* As a manifest's `facts` has it: without the two lines on top. */
int facts_decode(const json_t *j, const char *subject, struct facts *out, struct err *e) MUST_CHECK;
int facts_dump(const struct facts *f, struct buf *out, struct err *e) MUST_CHECK;      /* canonical, with a final newline */
/* Adds a node, or counts one that is like it. The node's texts are taken. */
void facts_add_take(struct facts *f, struct facts_node *node);
void facts_sort(struct facts *f);

/* "Ubuntu 22.04.5 LTS" and the like, as kubelets report them, to ID and VERSION_ID; false: not known. Texts are set. */
bool facts_os_of_image(const char *image, char **os, char **version) MUST_CHECK;
