/*
 * buf - the one byte buffer: always NUL-ended, never without a ceiling.
 *
 *	auto_buf struct buf b = BUF_INIT(4 << 20);
 *	if (buf_read_fd(&b, fd, e) < 0)
 *		return -1;
 *
 * Passing the ceiling is ERR_LIMIT and names it; the buffer keeps what it had.
 * buf_put* are for text of our own making whose size is known to be bounded:
 * there passing the ceiling is a bug and aborts.
 */
#pragma once

#include <airgap/err.h>

struct buf {
	char *ptr;              /* NULL until the first byte; use buf_str for text */
	size_t len, cap, max;
};

#define BUF_INIT(ceiling) { NULL, 0, 0, (ceiling) }
#define auto_buf CLEANUP(buf_release)

void buf_release(struct buf *b);        /* frees; usable again with the same ceiling */
void buf_wipe(struct buf *b);           /* the same for content that was secret */
void buf_clear(struct buf *b);          /* len = 0, memory kept */
const char *buf_str(const struct buf *b);       /* "" when empty; borrowed until the next change */

int buf_add(struct buf *b, const void *p, size_t n, struct err *e) MUST_CHECK;
int buf_read_fd(struct buf *b, int fd, struct err *e) MUST_CHECK;       /* to end of file */

void buf_put(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_putf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);

/* Room for n more bytes at ptr + len, for a caller that fills them and raises len. */
int buf_reserve(struct buf *b, size_t n, struct err *e) MUST_CHECK;

/* Gives the memory away as text (never NULL); the buffer is empty afterwards. */
char *buf_take(struct buf *b);
