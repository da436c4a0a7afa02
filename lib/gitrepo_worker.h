/*
 * gitrepo_worker - what the two halves of gitrepo share. Only gitrepo_worker.c knows libgit2.
 */
#pragma once

#include <airgap/json.h>

#define GITREPO_WORKER      "git-worker"
#define GITREPO_REQUEST_MAX (4u << 20)
#define GITREPO_ANSWER_MAX  (64u << 20)
#define GITREPO_CPU_SECONDS 7200u
#define GITREPO_MEMORY_MAX  (UINT64_C(4) << 30) /* of addresses: packs are mapped piece by piece */

/* In the worker: does what is asked; what is to be told goes into answer. */
int gitrepo_serve(const json_t *request, json_t *answer, struct err *e) MUST_CHECK;
