/*
 * render - the site chart into steps, a Release step into the objects helm will create.
 */
#pragma once

#include "session.h"

#include <airgap/scan.h>
#include <airgap/steps.h>

/* Values of the site chart on site: the site file plus the reserved key `airgap` (side, kubernetes, installed, bundle). */
int render_steps(struct session *s, const json_t *installed, struct steps *out, struct err *e) MUST_CHECK;

/* helm template of one release with these (resolved or placeholder) values, kube version and API versions of the cluster;
 * with post-render as it is installed, renamed. ERR_PREFLIGHT: a hook would have to be, and helm 3 does not show it to us. */
int render_release(struct session *s, const struct step_release *r, const json_t *values, bool is_upgrade,
		   struct helm_objects *out, struct err *e) MUST_CHECK;

/* Where the site wants post-render: an object of a step's own is renamed as a chart's are. In place. */
int render_rename(struct session *s, const char *chart, json_t **object, bool *changed, struct err *e) MUST_CHECK;
/* What helm needs for the same when it installs; names stays with post. post->program NULL: nothing is to be done. */
struct render_post { char *program; struct buf names; struct helm_post post; };
#define auto_render_post CLEANUP(render_post_release)
int render_post_begin(struct session *s, const char *chart, struct render_post *out, struct err *e) MUST_CHECK;
void render_post_release(struct render_post *p);
