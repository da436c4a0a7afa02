/*
 * image_list - reviewed lists: a file for each component, a line for each image and reason.
 */
#pragma once

#include "image_costs.h"

/* DIR/CHART.txt, DIR/FILE.txt, DIR/manifest.txt, and not-carried.txt when there is something; DIR is made. Lists of an
 * earlier run whose component is gone are removed; other files stay. The same contents give the same bytes. */
int image_list_write(const struct subject *s, const struct costs *costs, const char *dir, struct err *e) MUST_CHECK;
