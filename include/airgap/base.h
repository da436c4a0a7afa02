/*
 * base - what every file needs: attributes, cleanup, ownership, growth, memory.
 *
 * Memory for small metadata is never checked by callers: the x-functions end the
 * program when there is none. A size that comes from outside is bounded before it
 * reaches them.
 *
 *	auto_free char *name = xasprintf("%s.partial", path);
 *	*out = TAKE(name);            // given away: the cleanup finds NULL
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MUST_CHECK      __attribute__((warn_unused_result))
#define PRINTF(fmt, va) __attribute__((format(printf, fmt, va)))
#define NORETURN        __attribute__((noreturn))
#define CLEANUP(fn)     __attribute__((cleanup(fn)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)    ((a) < (b) ? (a) : (b))
#define MAX(a, b)    ((a) > (b) ? (a) : (b))

/* Gives a pointer away: its value, and NULL stays behind. */
#define TAKE(p)                                 \
	__extension__({                         \
		__typeof__(p) take_ = (p);      \
		(p) = NULL;                     \
		take_;                          \
	})

/* Room for one more in `items`, `n` of them used: n grows past powers of two. */
#define GROW(items, n) ((items) = grow_items((items), (n), sizeof(*(items))))

/* Defines auto_NAME cleanup for a type with a release function that takes T*. */
#define DEFINE_CLEANUP_PTR(name, type, fn)           \
	static inline void name(type **p)            \
	{                                            \
		if (*p)                              \
			fn(*p);                      \
	}

void cleanup_free(void *p);     /* p is the address of a pointer from malloc */
#define auto_free CLEANUP(cleanup_free)

void *xmalloc(size_t n) MUST_CHECK;
void *xcalloc(size_t n, size_t size) MUST_CHECK;
void *xrealloc(void *p, size_t n) MUST_CHECK;
void *xmemdup(const void *p, size_t n) MUST_CHECK;
char *xstrdup(const char *s) MUST_CHECK;
char *xstrndup(const char *s, size_t n) MUST_CHECK;
char *xasprintf(const char *fmt, ...) PRINTF(1, 2) MUST_CHECK;
char *xvasprintf(const char *fmt, va_list ap) PRINTF(1, 0) MUST_CHECK;
void *grow_items(void *items, size_t n, size_t size) MUST_CHECK;

/* Zeroes memory that held a secret; the compiler may not leave it out. */
void wipe(void *p, size_t n);

bool str_eq(const char *a, const char *b);             /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Little-endian fields of the bundle format; p needs no alignment. */
uint16_t le16_get(const uint8_t *p);
uint32_t le32_get(const uint8_t *p);
uint64_t le64_get(const uint8_t *p);
void le16_put(uint8_t *p, uint16_t v);
void le32_put(uint8_t *p, uint32_t v);
void le64_put(uint8_t *p, uint64_t v);

/* false when the sum does not fit; *sum is then unchanged. */
bool u64_add(uint64_t *sum, uint64_t more) MUST_CHECK;
/* Decimal digits only, no sign, no blanks; false when it is not that or too big. */
bool u64_parse(const char *s, uint64_t *out) MUST_CHECK;
