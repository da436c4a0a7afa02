/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "push.h"

#include <airgap/log.h>

#include <stdio.h>

struct push_opts { struct common_opts common; };

const size_t push_opts_size = sizeof(struct push_opts);
const struct opt push_options[] = {
	COMMON_TRUST_OPTIONS(struct push_opts),
	OPT_STR(struct push_opts, common.site, 0, "site", "FILE", "the site file: its registry is taken where none is named"),
	OPT_STR(struct push_opts, common.ca, 0, "ca", "FILE", "trust this CA for the registry"),
	OPT_FLAG(struct push_opts, common.plain_http, 0, "plain-http", "speak plain http with the registry"),
	OPT_UINT(struct push_opts, common.jobs, 'j', "jobs", "N", "uploads at once"),
	OPT_FLAG(struct push_opts, common.json, 0, "json", "print the result as JSON"),
	{ 0 }
};

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void print(const struct push_report *r, const char *host, bool json)
{
	char size[16];

	if (json) {
		printf("{\"blobs\":%ju,\"bytes\":%ju,\"charts\":%ju,\"files\":%ju,\"images\":%ju,\"mounted\":%ju,"
		       "\"present\":%ju,\"referrers\":%ju,\"registry\":\"%s\",\"sets\":%ju,\"uploaded\":%ju}\n", (uintmax_t)r->blobs,
		       (uintmax_t)r->bytes, (uintmax_t)r->charts, (uintmax_t)r->files, (uintmax_t)r->images, (uintmax_t)r->mounted,
		       (uintmax_t)r->present, (uintmax_t)r->referrers, host, (uintmax_t)r->sets, (uintmax_t)r->uploaded);
		return;
	}

	auto_free char *sets = r->sets ? xasprintf(", %ju set%s of files", (uintmax_t)r->sets, plural(r->sets)) : xstrdup("");

	printf("%s: %ju image%s, %ju chart%s, %ju file%s%s: %ju blobs uploaded (%s), %ju mounted, %ju already there\n", host,
	       (uintmax_t)r->images, plural(r->images), (uintmax_t)r->charts, plural(r->charts), (uintmax_t)r->files,
	       plural(r->files), sets, (uintmax_t)r->uploaded, log_size(size, r->bytes), (uintmax_t)r->mounted,
	       (uintmax_t)r->present);
}

int push_run(const void *opts, char **args, struct err *e)
{
	const struct push_opts *o = opts;
	auto_session struct session s = { 0 };
	struct push_report report;

	if (session_bundle(&s, args[0], &o->common, e) < 0)
		return -1;
	if (args[1] ? session_registry_at(&s, args[1], e) < 0 : session_site(&s, e) < 0 || session_registry(&s, e) < 0)
		return -1;

	/* The state moves forward even where nothing is installed: an older bundle must not follow. */
	if (session_accept(&s, e) < 0 || push_all(&s, NULL, &report, e) < 0)
		return -1;
	print(&report, registry_host(s.registry), o->common.json);
	return 0;
}
