/*
 * helm_post - the files with which helm runs a post-renderer of ours. Private to lib/helm*.c.
 */
#pragma once

#include <airgap/helm.h>

/* dir: to be HELM_PLUGINS of the call. */
struct helm_post_files { char *dir; };
void helm_post_release(struct helm_post_files *f);      /* removes it */
/* args gets what the command needs. -1: nothing usable; release out all the same. */
int helm_post_prepare(const struct helm *h, const struct helm_post *post, struct helm_post_files *out, struct strv *args,
		      struct err *e) MUST_CHECK;
