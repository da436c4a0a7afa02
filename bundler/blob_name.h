/*
 * blob_name - what a blob of a lock belongs to, for people: "file 'driver'", "chart 'web'", "image 'x:1'".
 */
#pragma once

#include <airgap/lock.h>

/* "blob sha256:…" when nothing better is known. Owned. */
char *blob_name(const struct lock *l, const struct digest *d) MUST_CHECK;
