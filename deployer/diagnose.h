/*
 * diagnose - why a release or a wait did not get ready: the blocking object, its last events, the pod's last log lines.
 */
#pragma once

#include "session.h"

/* Lines for people, most telling first; best effort, never fails. */
void diagnose_namespace(struct session *s, const char *ns, struct strv *out);
