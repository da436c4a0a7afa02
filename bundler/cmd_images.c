/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "images.h"
#include "resolve.h"

#include <airgap/bundle_show.h>
#include <airgap/fs.h>
#include <airgap/log.h>

#include <fcntl.h>
#include <stdio.h>

struct images_opts { const char *site, *facts, *trust; struct strv overlays; unsigned jobs; bool json; };

const struct opt images_options[] = {
	OPT_STR(struct images_opts, site, 0, "site", "SITE", "only what this site file needs (a manifest only)"),
	OPT_LIST(struct images_opts, overlays, 0, "overlay", "FILE", "a manifest that wins key by key; may be repeated"),
	OPT_STR(struct images_opts, facts, 0, "facts", "FILE", "what `deployer facts` wrote on site (a manifest only)"),
	OPT_STR(struct images_opts, trust, 't', "trust", "DIR", "the folder with the keys to trust (a bundle only)"),
	OPT_UINT(struct images_opts, jobs, 'j', "jobs", "N", "requests and renders at once"),
	OPT_FLAG(struct images_opts, json, 0, "json", "print JSON"),
	{ 0 }
};
const size_t images_opts_size = sizeof(struct images_opts);

/* ---- where the list comes from */

static int is_bundle(const char *path, struct err *e)
{
	static const uint8_t zstd[4] = { 0x28, 0xb5, 0x2f, 0xfd };
	auto_fd int fd = fs_open(path, O_RDONLY | O_NONBLOCK, 0, e);
	uint8_t magic[4];
	struct err ignored;

	if (fd < 0)
		return -1;
	return fs_read_exact(fd, magic, sizeof(magic), 0, &ignored) == 0 && memcmp(magic, zstd, sizeof(zstd)) == 0;
}

static int from_bundle(const char *path, const struct images_opts *o, struct contents *out, struct err *e)
{
	struct show_options show = { .trust = o->trust, .allow_unsigned = true, .inspect = true };
	auto_policy struct policy policy = { 0 };
	auto_bundle struct bundle *b = bundle_show_open(path, &show, &policy, e);
	size_t n = 0;

	if (!b)
		return -1;

	const void *p = bundle_contents_bytes(b, &n);

	return contents_parse(p, n, path, out, e);
}

static void take_contents(struct lock *l, struct contents *out)
{
	*out = l->contents;
	l->contents = (struct contents){ 0 };
}

static int from_text(const char *path, const struct images_opts *o, struct contents *out, struct err *e)
{
	const struct resolve_opts r = { .site = o->site, .overlays = &o->overlays, .facts = o->facts, .jobs = o->jobs };
	auto_lock struct lock l = { 0 };
	int is_lock = lock_is(path, e);

	if (is_lock == 1 && (o->site || o->facts || o->overlays.n))
		return err_set(e, ERR_USAGE, "'%s' is a lock: --site, --facts and --overlay are for manifests", path);
	if (is_lock < 0 || (is_lock ? lock_load(path, &l, e) : resolve_manifest(path, &r, &l, e)) < 0)
		return -1;
	for (size_t i = 0; i < l.warnings.n; i++)
		log_warn("%s", l.warnings.items[i]);
	take_contents(&l, out);
	return 0;
}

static int load(const char *path, const struct images_opts *o, struct contents *out, struct err *e)
{
	int bundle = is_bundle(path, e);

	if (bundle < 0)
		return -1;
	return bundle ? from_bundle(path, o, out, e) : from_text(path, o, out, e);
}

/* ---- the table */

/* Text of a bundle that somebody may have made to trick a terminal. Owned. */
static char *printable(const char *s)
{
	char *out = xstrdup(s ? s : "");

	for (unsigned char *p = (unsigned char *)out; *p; p++) {
		if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			*p++ = '?';
		else if (*p >= ' ' && *p != 0x7f)
			continue;
		*p = '?';
	}
	return out;
}

static char *platforms_of(const struct content_image *i, const struct contents *c)
{
	auto_strv struct strv names = { 0 };

	for (size_t k = 0; k < i->n_children; k++)
		if (i->children[k].carried && i->children[k].platform)
			strv_push(&names, i->children[k].platform);
	strv_sort(&names);
	strv_uniq(&names);
	/* One manifest: it was checked against what is wanted. */
	return strv_join(i->n_children ? &names : &c->platforms, ",");
}

static char *why(const struct content_image *i)
{
	auto_free char *place = i->n_reasons ? images_place(&i->reasons[0]) : xstrdup("");
	auto_free char *first = printable(place);

	return i->n_reasons > 1 ? xasprintf("%s (+%zu)", first, i->n_reasons - 1) : TAKE(first);
}

static size_t width(const struct contents *c, char *const *platforms, size_t *out_platforms)
{
	size_t w = strlen("IMAGE");

	*out_platforms = strlen("PLATFORMS");
	for (size_t i = 0; i < c->n_images; i++) {
		w = MAX(w, strlen(c->images[i].ref));
		*out_platforms = MAX(*out_platforms, strlen(platforms[i]));
	}
	return w;
}

static void print_more(const struct content_image *i)
{
	size_t k;
	json_t *text;

	for (k = 1; k < i->n_reasons; k++) {
		auto_free char *place = images_place(&i->reasons[k]), *shown = printable(place);

		printf("    %s\n", shown);
	}
	if (i->source) {
		auto_free char *shown = printable(i->source);

		printf("    fetched from %s\n", shown);
	}
	json_array_foreach(i->notes, k, text) {
		auto_free char *shown = printable(json_string_value(text));

		printf("    note: %s\n", shown);
	}
}

static void print_not_carried(const struct contents *c)
{
	size_t i;
	json_t *x;

	if (json_array_size(c->not_carried))
		printf("\nNOT CARRIED\n");
	json_array_foreach(c->not_carried, i, x) {
		auto_free char *image = printable(jdoc_text(x, "image", NULL));
		auto_free char *reason = printable(jdoc_text(x, "reason", NULL));

		printf("%s  %s\n", image, reason);
	}
}

static void print_table(const struct contents *c)
{
	struct strv platforms = { 0 };

	for (size_t i = 0; i < c->n_images; i++)
		strv_push_take(&platforms, platforms_of(&c->images[i], c));

	size_t wide = 0, wi = width(c, platforms.items, &wide);

	printf("%-*s  %10s  %-*s  %s\n", (int)wi, "IMAGE", "SIZE", (int)wide, "PLATFORMS", "WHY");
	for (size_t i = 0; i < c->n_images; i++) {
		auto_free char *reason = why(&c->images[i]);
		char size[16];

		printf("%-*s  %10s  %-*s  %s\n", (int)wi, c->images[i].ref, log_size(size, c->images[i].size), (int)wide,
		       platforms.items[i], reason);
		if (log_wants(LOG_DEBUG))
			print_more(&c->images[i]);
	}
	print_not_carried(c);
	strv_release(&platforms);
}

static int print_json(const struct contents *c, struct err *e)
{
	auto_json json_t *all = encode(&contents_type, c);
	auto_json json_t *some = json_pack("{sO?, sO?}", "images", json_object_get(all, "images"), "notCarried",
					   json_object_get(all, "notCarried"));
	auto_buf struct buf text = BUF_INIT(LOCK_MAX);

	if (jdoc_dump_pretty(some, &text, e) < 0)
		return -1;
	fputs(buf_str(&text), stdout);
	return 0;
}

int images_run(const void *opts, char **args, struct err *e)
{
	const struct images_opts *o = opts;
	auto_contents struct contents c = { 0 };

	if (load(args[0], o, &c, e) < 0)
		return -1;
	if (o->json)
		return print_json(&c, e);
	print_table(&c);
	return 0;
}
