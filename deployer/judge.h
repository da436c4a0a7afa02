/*
 * judge - what is asked of a cluster against what is there: a judge for each check, pure, documents in and lines out.
 *
 * `there` is what `kubectl get A,B,C` lists: objects of all those kinds in one array.
 */
#pragma once

#include "findings.h"
#include "wants.h"

#include <airgap/contents.h>
#include <airgap/steps.h>

/* Nodes of an architecture that the bundle has no images for; it may say none. */
void judge_architectures(const json_t *there, const struct strv *platforms, struct finding_row *row);
/* Requests of everything together against what nodes have, and of each pod against the largest node. */
void judge_capacity(const struct wants *w, const json_t *there, struct finding_row *row);
/* Nodes' clocks, by the leases their kubelets renew. now: seconds since 1970. */
void judge_clock(const json_t *there, int64_t now, struct finding_row *row);
/* GPU nodes whose kernel has no image, where images go by kernels. names: what images are called on site, with tags. */
void judge_kernels(const struct wants *w, const struct strv *names, const json_t *there, struct finding_row *row);

/* Storage classes that claims name are there or are made; a default one where a claim names none. */
void judge_storage(const struct wants *w, const json_t *there, struct finding_row *row);
/* Bytes that claims ask for against what the cluster says is free; for the table alone where it says nothing. */
void judge_volumes(const struct wants *w, const json_t *there, struct finding_row *row);

/* Ingress classes are there or made, and are nobody else's. */
void judge_ingress(const struct wants *w, const json_t *there, struct finding_row *row);
/* Somebody gives Services of type LoadBalancer their addresses. */
void judge_addresses(const struct wants *w, const json_t *there, struct finding_row *row);
/* Webhooks of others that judge pods, quotas, and levels that a namespace has already. */
void judge_policies(const struct steps *s, const json_t *there, struct finding_row *row);
/* Network policies of others in the namespaces of the run. */
void judge_networks(const struct wants *w, const struct steps *s, const json_t *there, struct finding_row *row);

/* The Secret of an Ingress's TLS is rendered, or cert-manager makes it: for a Certificate that is rendered, or for the Ingress. */
bool judge_secret_is_made(const struct wants *w, const struct want *ingress, const char *name);
/* A certificate (PEM) for these hosts. subject: "secret 'tls' in namespace 'x'". */
void judge_certificate(const char *subject, const char *pem, const struct strv *hosts, int64_t now, struct finding_row *row);

/* A right that the run needs. */
struct right { char *verb, *group, *resource, *ns, *from; };
struct rights { struct right *items; size_t n; };
#define auto_rights CLEANUP(rights_release)
void rights_release(struct rights *r);
/* Of the kinds in w, and of what steps do by themselves; a namespace that is there need not be made. Sorted, unique. */
void rights_needed(const struct wants *w, const struct steps *s, const json_t *there, struct rights *out);
/* The rules (resourceRules of a SelfSubjectRulesReview) allow it. */
bool rights_allow(const json_t *rules, const struct right *r);
