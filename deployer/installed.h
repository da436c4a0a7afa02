/*
 * installed - the Helm releases that the cluster has, whoever made them: `airgap.installed` of the site chart.
 *
 *	{"NAMESPACE/NAME": {"chart": "clearml-enterprise", "version": "10.9.0", "revision": 7}}
 *
 * A site chart renders steps for a release that is older than what it brings, so the answer must not change while such an
 * install is under way, or a run after a kill would lack the second half of them. Therefore what was there stands in the
 * cluster before the first change (installed_keep), and is the answer, without what is gone since, until an install has done
 * every step.
 */
#pragma once

#include "journal.h"

/* Asks helm; where releases may not be listed in the whole cluster, in the namespaces of those that the site asks for, with a
 * warning. *out_now = what there is now; *out = what the site chart is told. */
int installed_read(struct session *s, const struct journal *j, json_t **out, json_t **out_now, struct err *e) MUST_CHECK;
/* Before the first change, `now` being what there is. Writes nothing where the last install of this bundle with this site
 * file left just that, or where an earlier run that was not finished did it. */
int installed_keep(struct session *s, struct journal *j, const json_t *now, const char *bundle, struct err *e) MUST_CHECK;
