/*
 * applied - which site file this machine itself applied last, remembered in its state directory.
 *
 * The cluster keeps the site file last applied to it, and whoever may write there can alter it. What that says with references
 * into the machine that runs the deployer is obeyed only where this machine applied the very same; then its relative paths
 * are those of the folder that the file was in.
 */
#pragma once

#include "session.h"

/* s->site is what the cluster is told from now on; its folder is that of the file, or the current one. Nothing is kept of a
 * site that is the cluster's word alone. */
int applied_save(const struct session *s, const char *stream, struct err *e) MUST_CHECK;
/* 1: this machine applied exactly this site, *out_folder (owned) is its folder. 0: not, or nothing is known of it. */
int applied_find(const struct session *s, const char *stream, const json_t *site, char **out_folder, struct err *e) MUST_CHECK;
/* It names files or variables of the machine that applies it, a context of its kubeconfig, or what is asked at its terminal; or
 * has passwords of that machine sent in the open. */
bool applied_refers(const json_t *site);
