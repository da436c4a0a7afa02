/*
 * log - the one owner of stderr: messages and progress.
 *
 * stdout is results only. Commands log; the library logs nothing above debug.
 * All functions may be called from any thread. Text from outside may be passed:
 * control characters are escaped before they reach a terminal.
 *
 * Text:  `warning: chart 'web': …` (no prefix at info, `error:`, `debug:` else)
 * JSON:  {"time":"…Z","level":"warning","message":"…"} one object a line
 *
 * Progress on a terminal is one line, redrawn at most ten times a second, after one
 * second; a message erases and redraws it. Elsewhere each finished item is one line.
 * In JSON: {"time":…,"event":"progress","what":…,"done":…,"total":…,"rate":…} at most once a second (bytes, and
 * bytes a second),
 * {"time":…,"event":"item","what":…,"item":…} for each finished item.
 */
#pragma once

#include <airgap/base.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

void log_setup(enum log_level level, enum log_format format, bool progress);
bool log_wants(enum log_level level);

void log_error(const char *fmt, ...) PRINTF(1, 2);
void log_warn(const char *fmt, ...) PRINTF(1, 2);
void log_info(const char *fmt, ...) PRINTF(1, 2);
void log_debug(const char *fmt, ...) PRINTF(1, 2);

/* One progress at a time; total 0 = unknown. Bytes may be added beyond the total. */
void progress_begin(const char *what, uint64_t total_bytes);
void progress_add(uint64_t bytes);
/* What is being worked on now: the terminal's line names the oldest of them. start is undone by stop or progress_end. */
void progress_start(const char *item);
void progress_stop(const char *item);
void progress_item(const char *fmt, ...) PRINTF(1, 2);  /* one finished thing */
void progress_end(void);        /* erases the line; safe without a begin */

/* "4.2 GiB"; out holds at least 16 bytes and is returned. */
char *log_size(char out[16], uint64_t bytes);
