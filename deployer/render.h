/*
 * render - the site chart into steps, a Release step into the objects helm will create.
 */
#pragma once

#include "session.h"

#include <airgap/scan.h>
#include <airgap/steps.h>

/* Values of the site chart on site: the site file plus the reserved key `airgap` (side, kubernetes, installed, bundle). */
int render_steps(struct session *s, const json_t *installed, struct steps *out, struct err *e) MUST_CHECK;

/* helm template of one release with these (resolved or placeholder) values, kube version and API versions of the cluster. */
int render_release(struct session *s, const struct step_release *r, const json_t *values, bool is_upgrade,
		   struct helm_objects *out, struct err *e) MUST_CHECK;
