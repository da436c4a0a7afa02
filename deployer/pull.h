/*
 * pull - can every node pull an image? A pod on each, a few at a time, is looked at until its image is there or is refused.
 *
 *	const struct pull p = { .kubectl = &s->kubectl, .ns = ns, .image = "registry.site/x/app:1", .need = "open its port" };
 *	if (pull_on_nodes(&p, &nodes, row, e) < 0) ...
 *
 * The image may be any that has the nodes' architecture: nothing of it is run. The name is asked for as it stands, so an
 * upstream name proves the nodes' mirrors. What a node has already is asked for again all the same.
 */
#pragma once

#include "findings.h"

#include <airgap/kubectl.h>

struct pull {
	struct kubectl *kubectl;
	const char *ns;                 /* is there; the pods keep the restricted level */
	const char *image;
	const char *pull_secret;        /* in ns; NULL = none */
	bool fixed_uid;                 /* false: the cluster gives the uid */
	size_t number;                  /* of this pull among those of the namespace */
	const char *need;               /* what to do where it fails */
};

/* 0: row has a failure for each node that cannot, with the runtime's words. -1: it could not be asked. The pods are gone when
 * all is well; the caller removes the namespace. */
int pull_on_nodes(const struct pull *p, const struct strv *nodes, struct finding_row *row, struct err *e) MUST_CHECK;

/* Names of the nodes that are Ready, and of those that are not, out of `kubectl get nodes`. Sorted. */
void pull_nodes(const json_t *items, struct strv *ready, struct strv *not_ready);

/* What a pod says of its image. why: the kubelet's words, of PULL_REFUSED; owned. */
enum pull_state { PULL_WAITING, PULL_DONE, PULL_REFUSED };
enum pull_state pull_judge(const json_t *pod, char **why);
