/*
 * bundle_read_part - the opened bundle as lib/bundle_read*.c see it.
 */
#pragma once

#include <airgap/bundle_read.h>

#include <airgap/pool.h>

#include <pthread.h>

#define READ_BUFFER ((FRAME_BYTES_MAX + 4095u) & ~4095u)

struct bundle {
	int fd;                         /* -1 for a hook */
	struct source_at src;
	bundle_blob_hook *blob;         /* NULL = blobs are in the frames of src */
	void *blob_ctx;
	char *dir;                      /* for what comes from there; NULL = $TMPDIR */
	struct verify v;
	struct stream_state known;
	int64_t clock;
	uint8_t *member[HEAD_PARTS];
	uint64_t *marks;                /* file offset of every MARK_EVERY-th listed frame */
	struct buffers *readers, *scratch;
	pthread_mutex_t lock;           /* of the two below */
	uint8_t *last;                  /* decoded content of frame number last_number */
	uint64_t last_number;           /* 0 = none */
	size_t last_decoded;
};

bool bundle_frame_is_stored(const struct bundle *b, uint64_t number);
/* A frame into READ_BUFFER bytes: hashed and compared, then as it stands if it is stored, else decoded. */
int bundle_frame_read(const struct bundle *b, uint64_t number, uint8_t *to, size_t *out_decoded, struct err *e) MUST_CHECK;
