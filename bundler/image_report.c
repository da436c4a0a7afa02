/* SPDX-License-Identifier: Apache-2.0 */
#include "image_report.h"

#include <airgap/log.h>

#define NAMED 3u        /* images named in the line of a host */

char *image_places(const struct image *i)
{
	auto_free char *place = images_place(&i->reasons[0]);

	return i->n_reasons > 1 ? xasprintf("%s and %zu more", place, i->n_reasons - 1) : TAKE(place);
}

/* The message behind its subject, when that is `name`, perhaps with a tag or digest: the line has named it already. */
static const char *after_reference(const char *msg, const char *name)
{
	size_t n = strlen(name);
	const char *end;

	if (strncmp(msg, name, n) != 0 || !strchr(":@", msg[n]))
		return msg;
	end = strstr(msg + n, ": ");
	return end && !memchr(msg, ' ', (size_t)(end - msg)) ? end + 2 : msg;
}

/* The same for "'host': …", "'host' …" and "host: …". */
static const char *after_host(const char *msg, const char *host)
{
	size_t n = strlen(host);
	const char *p = msg + (*msg == '\'');

	if (strncmp(p, host, n) != 0)
		return msg;
	p += n;
	p += p[0] == '\'' && *msg == '\'';
	if (str_starts(p, ": "))
		return p + 2;
	return *p == ' ' ? p + 1 : msg;
}

static const char *reason(const struct image_failure *f)
{
	return after_reference(f->why->msg, f->source ? f->source : "");
}

static void report_one(const struct image_failure *f)
{
	auto_free char *place = image_places(f->image), *name = ref_name(&f->image->ref);
	const char *hint = f->hint ? f->hint : "";

	if (!f->why)
		log_error("image '%s' (%s): is not in '%s'%s", f->image->text, place, f->source, hint);
	else    /* where it is fetched from elsewhere, that is news */
		log_error("image '%s' (%s): %s%s", f->image->text, place, after_reference(f->why->msg, name), hint);
}

static bool same_cause(const struct image_failure *a, const struct image_failure *b)
{
	return a->whole_host && b->whole_host && strcmp(a->host, b->host) == 0 && strcmp(reason(a), reason(b)) == 0;
}

static void report_host(const struct image_failure *v, size_t n, size_t first, size_t count)
{
	auto_strv struct strv names = { 0 };

	for (size_t i = first; i < n && names.n < NAMED; i++)
		if (same_cause(&v[first], &v[i]))
			strv_push(&names, v[i].image->text);

	auto_free char *list = strv_join(&names, ", ");

	log_error("host '%s': %s: %zu images are to come from there: %s%s", v[first].host,
		  after_host(reason(&v[first]), v[first].host), count, list, count > names.n ? ", …" : "");
}

void image_report(const struct image_failure *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t before = 0, count = 1;

		for (size_t k = 0; k < n; k++)
			if (k != i && same_cause(&v[i], &v[k])) {
				before += k < i;
				count++;
			}
		if (before)
			continue;
		if (count > 1)
			report_host(v, n, i, count);
		else
			report_one(&v[i]);
	}
}
