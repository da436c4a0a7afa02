/*
 * nodes - the nodes of a cluster as facts: what kubelets say of themselves, and Node Feature Discovery's labels where it runs.
 */
#pragma once

#include <airgap/facts.h>
#include <airgap/kubectl.h>

/* items: nodes as the API has them. Names are left out, alike nodes counted. ERR_CLUSTER: a node says no kernel. */
int nodes_read(const json_t *items, struct facts *out, struct err *e) MUST_CHECK;
/* All of a cluster, with its version and API versions. */
int nodes_ask(struct kubectl *k, struct facts *out, struct err *e) MUST_CHECK;
