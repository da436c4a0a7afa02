/*
 * discover_step - what a step brings to a cluster: a chart with its values, or objects. Private to discover*.c.
 */
#pragma once

#include "discover_render.h"

#include <airgap/steps.h>

/* A Release: late = false: as it starts, true: as it is once all it waits for is there. References have placeholders. ERR_USAGE:
 * its chart is not there. */
int discover_step_render(struct run *r, const char *kube_version, const struct step_release *s, bool late, struct render *out,
			 struct err *e) MUST_CHECK;
/* An Apply step's own objects and those of its file; the Job of a Run or Probe in a pod; else none. fixed_uid as steps_job has it. */
int discover_step_objects(struct run *r, const struct step *t, bool fixed_uid, struct helm_objects *out, struct err *e) MUST_CHECK;
