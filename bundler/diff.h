/*
 * diff - what changed from one lock or bundle to another, as a document (`bundler diff --json`) and as text.
 *
 *	{old, new: {path, name, version},
 *	 charts: [{name, change, old, new, values: [{file, key, old, new}], valuesUnknown}],
 *	 images: [{ref, change, old, new, was}], files: [{name, platform, change, old, new}],
 *	 sets: [{kind, name, change, entered: [note], left: [note]}], notCarried: [{image | chart | …, change, reason}],
 *	 bytes: {old, new, newBlobs, newBytes, goneBlobs, goneBytes}}
 *
 * change is "entered", "left" or "changed". old and new are versions of a chart, digests of anything else. `was`: the image
 * took the place of this one, of the same name. A list that has no change is left out.
 */
#pragma once

#include "subject.h"

json_t *diff_make(struct subject *from, struct subject *to, struct err *e) MUST_CHECK;
bool diff_is_empty(const json_t *diff);
void diff_text(const json_t *diff, struct buf *out);

/* diff_values.c: adds [{file, key, old, new}] of two charts' default values to `out`. 1: done. 0: one of the archives cannot
 * be had here. */
int diff_values(struct subject *from, const struct content_chart *a, struct subject *to, const struct content_chart *b,
		json_t *out, struct err *e) MUST_CHECK;
