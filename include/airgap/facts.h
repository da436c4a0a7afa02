/*
 * facts - what a site's nodes are: kernels, distributions, GPUs (`kind: Facts`, written by `deployer facts`).
 *
 *	auto_facts struct facts f = { 0 };
 *	if (facts_load("facts.json", &f, e) < 0) ...
 *
 * It travels from the site to the connected side and decides which driver images and OS packages are carried. JSON or
 * YAML; it may be written by hand, and a manifest's `facts` has the same keys. Nothing in it is secret: node names are
 * left out.
 *
 * Errors: ERR_MALFORMED with file, line and nearest key; ERR_LIMIT past FACTS_MAX and FACTS_NODES_MAX. What was read is
 * sorted, alike nodes are one, and os and osVersion come from osImage where they are not said.
 */
#pragma once

#include <airgap/decode.h>

#define FACTS_MAX       (1u << 20)      /* bytes of the file */
#define FACTS_NODES_MAX 10000u          /* kinds of nodes */
#define FACTS_TEXT_MAX  256u            /* of one text: printable ASCII */

/* Nodes that are alike in all of this stand there once. */
struct facts_node {
	uint64_t count;                 /* 0 counts as 1 */
	char *os, *os_version;          /* ID and VERSION_ID of os-release: "ubuntu", "22.04" */
	char *os_image;                 /* as the node says it: "Ubuntu 22.04.5 LTS"; os and osVersion come from it when absent */
	char *kernel;                   /* "5.15.0-1071-nvidia"; never NULL */
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
/* As a manifest's `facts` has it: without the two lines on top. marks may be NULL. */
int facts_decode(const json_t *j, const struct ydoc_marks *marks, const char *subject, struct facts *out,
		 struct err *e) MUST_CHECK;
/* The other way; NULL when there is nothing to say. */
json_t *facts_encode(const struct facts *f) MUST_CHECK;
int facts_dump(const struct facts *f, struct buf *out, struct err *e) MUST_CHECK;      /* a file: pretty JSON */
void facts_node_release(struct facts_node *node);
/* Adds a node, or counts one that is like it. The node's texts are taken. */
void facts_add_take(struct facts *f, struct facts_node *node);
/* Adds the nodes of `from`, and its versions where `to` has none. `from` is empty then. */
void facts_merge_take(struct facts *to, struct facts *from);
void facts_sort(struct facts *f);

/* "Ubuntu 22.04.5 LTS" and the like, as kubelets report them, to ID and VERSION_ID; false: not known. Texts are set. */
bool facts_os_of_image(const char *image, char **os, char **version) MUST_CHECK;
/* "2 nodes ubuntu 22.04, kernel 5.15.0-1071-nvidia"; kernel may be NULL here. Owned. */
char *facts_node_text(const struct facts_node *node) MUST_CHECK;
