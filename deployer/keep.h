/*
 * keep - what the site registry keeps of a bundle beside its content, so that it can be opened when the file is gone.
 *
 * PREFIX/bundles/STREAM:ID (system_stream; 32 hex digits of the bundle's id) is an artifact. Its first layer is frame 0 and
 * the head as they stand in the file; the others are all charts and files of the bundle, which the registry has under names
 * of their own: they are mounted, and named here so that they are kept as long as this is.
 *
 * Opened again, the head is judged as in the file: signatures, trust, audience, sequence, hashes of its members. The rest is
 * found by digest in that one repository. The manifest leads to the head and to nothing else: who alters it is found out.
 */
#pragma once

#include "session.h"

#include <airgap/oci.h>

#define KEEP_TYPE "application/vnd.airgap.bundle.v1"    /* artifactType */

/* Its name on site. */
int keep_target(const struct session *s, const char *stream, const struct digest *id, struct ref *out, struct err *e) MUST_CHECK;

/* ---- for a push: s->bundle is the file ---- */

struct keep {
	const struct verify *verdict;   /* borrowed: the head is made from it, it is not read again */
	struct oci_blob head;
	struct oci_blob *content;       /* charts and files, sorted by digest, none twice */
	size_t n_content;
	struct buf manifest;
	struct digest digest;           /* of the manifest */
};
#define KEEP_INIT { .manifest = BUF_INIT(OCI_MANIFEST_MAX) }
void keep_release(struct keep *k);

/* ERR_LIMIT: more charts and files than a manifest can name. */
int keep_make(const struct session *s, struct keep *out, struct err *e) MUST_CHECK;

/* What the artifact has and the bundle may not have. Zeroed = closed. */
struct keep_reader {
	const struct verify *verdict;   /* NULL = text */
	const char *text;
	uint64_t size, at;
	uint8_t *frame;                 /* of the head: the one from file offset `first` on */
	uint64_t first;
	size_t bytes;
};
/* true: *out reads this blob of the artifact, as long as r lives. */
bool keep_reader_open(struct keep_reader *r, const struct keep *k, const struct digest *d, struct source *out);
void keep_reader_close(struct keep_reader *r);

/* ---- without the file ---- */

/* s->bundle from the registry, which session_registry opened: the one of this stream with this id, which is installed.
 * ERR_PREFLIGHT: not there. ERR_DIGEST: there is another under its name. Else as bundle_open, and as registry.h. */
int keep_open(struct session *s, const char *stream, const struct digest *id, struct err *e) MUST_CHECK;
/* After it, before the first write. 0: the registry has every chart and file. ERR_PREFLIGHT: it has lost some. */
int keep_check(struct session *s, unsigned jobs, struct err *e) MUST_CHECK;
