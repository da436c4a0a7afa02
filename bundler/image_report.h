/*
 * image_report - what is said about images that could not be resolved: one line for each, or one for all of a host that
 * has the same to say to each of them.
 */
#pragma once

#include "images.h"

struct image_failure {
	const struct image *image;      /* borrowed, as all here */
	const char *host;               /* it was asked for there; NULL: no server */
	const char *source;             /* "host/path" */
	const struct err *why;          /* NULL: it is not there */
	const char *hint;               /* what else is known, or NULL */
	bool whole_host;                /* why would be the same for any image of that host */
};

/* Logs errors. */
void image_report(const struct image_failure *v, size_t n);

/* "chart 'web': … and 3 more". Owned. */
char *image_places(const struct image *i) MUST_CHECK;
