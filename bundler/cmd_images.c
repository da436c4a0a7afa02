/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "image_costs.h"
#include "image_list.h"
#include "images.h"

#include <airgap/log.h>

#include <stdio.h>

struct images_opts {
	const char *site, *facts, *trust, *write;
	struct strv overlays;
	unsigned jobs;
	bool no_referrers, json, env_proxy;
};

const struct opt images_options[] = {
	OPT_STR(struct images_opts, site, 0, "site", "SITE", "only what this site file needs (a manifest only)"),
	OPT_LIST(struct images_opts, overlays, 0, "overlay", "FILE", "a manifest that wins key by key; may be repeated"),
	OPT_STR(struct images_opts, facts, 0, "facts", "FILE", "what `deployer facts` wrote on site (a manifest only)"),
	OPT_STR(struct images_opts, trust, 't', "trust", "DIR", "the folder with the keys to trust (a bundle only)"),
	OPT_STR(struct images_opts, write, 'w', "write", "DIR", "write a list for each component, to be reviewed"),
	OPT_FLAG(struct images_opts, no_referrers, 0, "no-referrers", "leave signatures and SBOMs of images behind (a manifest only)"),
	OPT_UINT(struct images_opts, jobs, 'j', "jobs", "N", "requests and renders at once"),
	OPT_FLAG(struct images_opts, env_proxy, 0, "env-proxy", "use the proxies of http_proxy, https_proxy and no_proxy"),
	OPT_FLAG(struct images_opts, json, 0, "json", "print JSON"),
	{ 0 }
};
const size_t images_opts_size = sizeof(struct images_opts);

/* ---- the table */

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
	for (k = 0; k < i->n_referrers; k++) {
		const struct content_referrer *r = &i->referrers[k];
		auto_free char *shown = printable(r->artifact_type ? r->artifact_type : r->media_type);
		char digest[DIGEST_TEXT];

		printf("    with %s, %s\n", shown, digest_text(&r->digest, digest));
	}
	json_array_foreach(i->notes, k, text) {
		auto_free char *shown = printable(json_string_value(text));

		printf("    note: %s\n", shown);
	}
}

static const char *known_size(char out[16], bool known, uint64_t size)
{
	return known ? log_size(out, size) : "-";
}

static void print_images(const struct contents *c, const struct costs *costs)
{
	auto_strv struct strv platforms = { 0 };
	size_t wide = 0, wi;

	for (size_t i = 0; i < c->n_images; i++)
		strv_push_take(&platforms, platforms_of(&c->images[i], c));
	wi = width(c, platforms.items, &wide);
	printf("%-*s  %10s  %10s  %10s  %-*s  %s\n", (int)wi, "IMAGE", "SIZE", "OWN", "SHARED", (int)wide, "PLATFORMS", "WHY");
	for (size_t i = 0; i < c->n_images; i++) {
		const struct image_cost *cost = &costs->images[i];
		auto_free char *reason = why(&c->images[i]);
		char size[16], own[16], shared[16];

		printf("%-*s  %10s  %10s  %10s  %-*s  %s\n", (int)wi, c->images[i].ref, log_size(size, c->images[i].size),
		       known_size(own, cost->known, cost->own), known_size(shared, cost->known, cost->shared), (int)wide,
		       platforms.items[i], reason);
		if (log_wants(LOG_DEBUG))
			print_more(&c->images[i]);
	}
}

static void print_components(const struct costs *costs)
{
	auto_strv struct strv titles = { 0 };
	size_t wide = strlen("COMPONENT");

	for (size_t i = 0; i < costs->n_components; i++) {
		auto_free char *title = component_title(&costs->components[i]);

		strv_push_take(&titles, printable(title));
		wide = MAX(wide, strlen(titles.items[i]));
	}
	printf("\n%-*s  %6s  %10s  %s\n", (int)wide, "COMPONENT", "IMAGES", "SIZE", "SAVED WITHOUT IT");
	for (size_t i = 0; i < costs->n_components; i++) {
		const struct component *c = &costs->components[i];
		char size[16], saved[16];

		printf("%-*s  %6zu  %10s  %16s\n", (int)wide, titles.items[i], c->images, known_size(size, costs->known, c->size),
		       known_size(saved, costs->known, c->saved));
	}
}

static void print_not_carried(const struct contents *c)
{
	size_t i;
	json_t *x;

	if (json_array_size(c->not_carried))
		printf("\nNOT CARRIED\n");
	json_array_foreach(c->not_carried, i, x) {
		auto_free char *name = not_carried_name(x), *shown = printable(name);
		auto_free char *reason = printable(jdoc_text(x, "reason", NULL));

		printf("%s  %s\n", shown, reason);
	}
}

static void print_total(const struct subject *s, const struct costs *costs)
{
	char images[16], all[16];

	printf("\n%zu image%s, %s; with charts, files and sets %s in %zu blobs, each once\n", s->contents->n_images,
	       s->contents->n_images == 1 ? "" : "s", known_size(images, costs->known, costs->images_size),
	       log_size(all, subject_size(s)), s->n_blobs);
}

/* ---- JSON */

static json_t *image_json(const json_t *image, const struct image_cost *cost)
{
	json_t *out = json_copy((json_t *)image);

	if (cost->known) {
		json_object_set_new(out, "own", json_integer((json_int_t)cost->own));
		json_object_set_new(out, "shared", json_integer((json_int_t)cost->shared));
	}
	return out;
}

static json_t *component_json(const struct component *c, bool known)
{
	json_t *out = json_pack("{ss, sI}", "kind", !c->name ? "manifest" : c->file ? "file" : "chart", "images",
				(json_int_t)c->images);

	if (c->name)
		json_object_set_new(out, "name", json_string(c->name));
	if (c->version)
		json_object_set_new(out, "version", json_string(c->version));
	if (known) {
		json_object_set_new(out, "size", json_integer((json_int_t)c->size));
		json_object_set_new(out, "saved", json_integer((json_int_t)c->saved));
	}
	return out;
}

static int print_json(const struct subject *s, const struct costs *costs, struct err *e)
{
	auto_json json_t *all = encode(&contents_type, s->contents);
	auto_json json_t *images = json_array(), *components = json_array();
	auto_buf struct buf text = BUF_INIT(LOCK_MAX);

	for (size_t i = 0; i < s->contents->n_images; i++)
		json_array_append_new(images, image_json(json_array_get(json_object_get(all, "images"), i), &costs->images[i]));
	for (size_t i = 0; i < costs->n_components; i++)
		json_array_append_new(components, component_json(&costs->components[i], costs->known));

	auto_json json_t *some = json_pack("{sO, sO, sI, sO?}", "images", images, "components", components, "size",
					   (json_int_t)subject_size(s), "notCarried", json_object_get(all, "notCarried"));

	if (jdoc_dump_pretty(some, &text, e) < 0)
		return -1;
	fputs(buf_str(&text), stdout);
	return 0;
}

/* ---- */

int images_run(const void *opts, char **args, struct err *e)
{
	const struct images_opts *o = opts;
	const struct subject_options from = {
		.site = o->site, .facts = o->facts, .overlays = &o->overlays, .no_referrers = o->no_referrers,
		.trust = o->trust, .jobs = o->jobs, .env_proxy = o->env_proxy,
	};
	auto_subject struct subject s = { 0 };
	auto_costs struct costs costs = { 0 };

	if (subject_open(&s, args[0], &from, e) < 0 || costs_count(&s, &costs, e) < 0)
		return -1;
	if (!costs.known)
		log_warn("'%s': not all manifests are in the content cache: lock it again to see what is shared", args[0]);
	if (o->write)
		return image_list_write(&s, &costs, o->write, e);
	if (o->json)
		return print_json(&s, &costs, e);
	print_images(s.contents, &costs);
	print_components(&costs);
	print_not_carried(s.contents);
	print_total(&s, &costs);
	return 0;
}
