/* SPDX-License-Identifier: Apache-2.0 */
#include "tarball_utf8.h"

#include <pthread.h>

/* Made once and kept: glibc's own tables of locales are not for several threads at once. */
static pthread_once_t utf8_once = PTHREAD_ONCE_INIT;
static locale_t utf8_locale;

static void utf8_make(void)
{
	utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

struct utf8 utf8_begin(void)
{
	struct utf8 u = { .before = (locale_t)0 };

	pthread_once(&utf8_once, utf8_make);
	if (utf8_locale)
		u.before = uselocale(utf8_locale);
	return u;
}

void utf8_end(struct utf8 *u)
{
	if (u->before)
		uselocale(u->before);
}
