/*
 * kubectl_call - one run of kubectl: built, run in its hermetic environment, its complaint made an error.
 */
#pragma once

#include <airgap/kubectl.h>
#include <airgap/proc.h>

/* Arguments are added after the global ones. */
struct kubectl_call {
	struct strv args;
	struct proc proc;
	struct buf out;
	unsigned timeout;       /* seconds */
	bool confidential;      /* as in proc.h */
	int status;
};
#define auto_call CLEANUP(kubectl_call_release)

struct kubectl_call kubectl_call_begin(const struct kubectl *k, const char *verb);
void kubectl_call_namespace(struct kubectl_call *c, const char *ns);    /* NULL = none */
void kubectl_call_env(const struct kubectl *k, struct strv *env);
/* 0: ran, see status, out and proc.tail. */
int kubectl_call_run(struct kubectl_call *c, struct kubectl *k, const struct buf *input, struct err *e) MUST_CHECK;
bool kubectl_call_says(const struct kubectl_call *c, const char *text);
/* What kubectl said, as an error with the code that fits. -1. */
int kubectl_call_failed(struct kubectl_call *c, const char *what, struct err *e);
void kubectl_call_release(struct kubectl_call *c);      /* wipes: answers may hold Secrets */
