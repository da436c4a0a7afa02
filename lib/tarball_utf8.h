/*
 * tarball_utf8 - a locale in which libarchive keeps UTF-8 names as they are, for this thread and as long as it is needed.
 *
 *	auto_utf8 struct utf8 utf8 = utf8_begin();
 */
#pragma once

#include <airgap/base.h>

#include <locale.h>

struct utf8 { locale_t before; };
struct utf8 utf8_begin(void);
void utf8_end(struct utf8 *u);
/* Nobody looks at it: it is there for its end. */
#define auto_utf8 CLEANUP(utf8_end) __attribute__((unused))
