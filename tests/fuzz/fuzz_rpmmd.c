/* SPDX-License-Identifier: Apache-2.0 */
/* repomd.xml and primary.xml: taken or refused; what a package points at lies in the text, and its path below. */
#include <airgap/rpmmd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct text { const char *p; size_t n; };

static int on_package(void *ctx, const struct rpm_package *p, struct err *e)
{
	const struct text *t = ctx;

	if (p->at > t->n || p->length > t->n - p->at || p->location_at < p->at ||
	    p->location_at + p->location_length > p->at + p->length || memcmp(t->p + p->at, "<package", 8) != 0 ||
	    memcmp(t->p + p->location_at, "<location", 9) != 0)
		abort();
	if (*p->path == '/' || strncmp(p->path, "../", 3) == 0 || strstr(p->path, "/../"))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_rpmmd struct rpmmd md = { 0 };
	struct text text = { (const char *)p, n };
	struct err e = { 0 };

	if (rpmmd_parse(text.p, n, &md, &e) == 0 && (!md.primary || *md.primary == '/'))
		abort();
	(void)!rpmmd_each(text.p, n, on_package, &text, &e);
	return 0;
}
