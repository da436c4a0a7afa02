/*
 * image_children - the entries of an index: what each is, and which of them are wanted.
 */
#pragma once

#include "image_from.h"

/* One entry of an index. */
struct child {
	const struct descriptor *d;
	struct platform platform;
	bool image, index, attestation; /* none of them: something we do not know, never carried */
	bool wanted;
};

/* list has room for every entry of ix. An entry that does not say its platform is looked into. */
int image_children(const struct image_from *f, const struct oci_index *ix, struct child *list, struct err *e) MUST_CHECK;
/* Marks what these platforms ("all": every one) want: of each the best entry, the first among equals. Indexes in indexes
 * are always wanted. A platform that is not there is a note; ERR_UNSUPPORTED when nothing is left. */
int image_choose(const struct strv *platforms, struct child *list, size_t n, json_t **notes, struct err *e) MUST_CHECK;
bool image_wants_all(const struct strv *platforms);

/* The manifest of an entry; ERR_TRUNCATED: it is not there. */
int image_load_child(const struct image_from *f, const struct descriptor *d, struct image_manifest *out, struct err *e) MUST_CHECK;
/* What the config says; os "" for what is no image to run: an artifact, or a config that says nothing of the kind. */
int image_platform(const struct image_from *f, const struct oci_manifest *m, struct platform *out, struct err *e) MUST_CHECK;
/* An image for one of several platforms is fine, with a note; for none of them ERR_UNSUPPORTED. os "" is taken. */
int image_check_platform(const struct strv *platforms, const struct platform *have, json_t **notes, struct err *e) MUST_CHECK;

/* A sentence for people, into an array that is made at first use. */
void image_note(json_t **notes, const char *fmt, ...) PRINTF(2, 3);
