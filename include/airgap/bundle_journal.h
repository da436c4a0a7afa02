/*
 * bundle_journal - what an interrupted build has done: a line per frame, beside the unfinished file.
 *
 *	airgap-journal 1 <sha256 of the layout> sparse CRC
 *	<frame> <bytes> <sha256> CRC                    one finished frame; the last line about a frame counts
 *	<frame> 0 <sha256> CRC                          dropped again
 *
 * CRC is CRC-32 of the line before it, in 8 hex digits. A line that is cut or damaged says nothing. The journal
 * is a hint: whoever goes on with it reads each frame back and compares.
 * journal_add and journal_drop may be called from any thread.
 */
#pragma once

#include <airgap/digest.h>

#include <pthread.h>

struct journal_line {
	uint32_t bytes;                 /* of the frame as it stands in the file; 0 = not done */
	struct digest digest;
};

/* Pure: lines[n_frames] is zeroed and filled. true: a journal of this layout. *ordered as it was made with. */
bool journal_parse(const char *text, size_t len, const struct digest *layout, struct journal_line *lines,
		   uint64_t n_frames, bool *ordered);
/* 1: loaded. 0: there is none, or it is of another layout: lines are zero. */
int journal_load(const char *path, const struct digest *layout, struct journal_line *lines, uint64_t n_frames,
		 bool *ordered, struct err *e) MUST_CHECK;

struct journal {
	int fd;                         /* -1 = closed */
	pthread_mutex_t lock;
};

/* A new journal with these lines replaces what was at path; 0: durable, and open for more. */
int journal_create(struct journal *j, const char *path, const struct digest *layout, bool ordered,
		   const struct journal_line *lines, uint64_t n_frames, struct err *e) MUST_CHECK;
int journal_add(struct journal *j, uint64_t frame, const struct journal_line *line, struct err *e) MUST_CHECK;
int journal_drop(struct journal *j, uint64_t first, uint64_t n, struct err *e) MUST_CHECK;
void journal_close(struct journal *j);  /* the file stays */
