/* SPDX-License-Identifier: Apache-2.0 */
/* A file of the manifest out of an image: `image` and `member`. */
#include "image_children.h"
#include "layer_file.h"
#include "resolve_run.h"

#include <airgap/content.h>
#include <airgap/fs.h>

struct search {
	struct run *run;
	const struct manifest_file *entry;
	struct image_from from;
	struct run_image_file *out;
};

void run_image_file_release(struct run_image_file *f)
{
	free(f->source.location);
	free(f->source.member);
	free(f->origin);
	*f = (struct run_image_file){ 0 };
}

/* Its own platform, else the manifest's only one. */
static const char *platform_of(const struct search *s)
{
	const struct strv *all = &s->run->m->platforms;

	if (s->entry->platform)
		return s->entry->platform;
	return all->n == 1 && strcmp(all->items[0], "all") != 0 ? all->items[0] : NULL;
}

/* The child of an index. */
static int pick(const struct search *s, const struct image_manifest *top, struct image_manifest *out, struct err *e)
{
	auto_oci_index struct oci_index ix = { 0 };
	auto_strv struct strv platforms = { 0 };
	auto_json json_t *notes = NULL;

	if (!platform_of(s))
		return err_set(e, ERR_USAGE, "the image is for several platforms: say which with platform");
	strv_push(&platforms, platform_of(s));
	if (oci_parse_index(buf_str(&top->bytes), top->bytes.len, top->type, &ix, e) < 0)
		return -1;

	auto_free struct child *list = xcalloc(ix.n_manifests + 1, sizeof(*list));

	if (image_children(&s->from, &ix, list, e) < 0 || image_choose(&platforms, list, ix.n_manifests, &notes, e) < 0)
		return -1;
	for (size_t i = 0; i < ix.n_manifests; i++)
		if (list[i].wanted && !list[i].index)
			return image_load_child(&s->from, list[i].d, out, e);
	return err_set(e, ERR_UNSUPPORTED, "the image has indexes in its index: name one of them by its digest");
}

/* 1: found, it is in the content cache. */
static int look(struct search *s, const struct descriptor *layer, struct err *e)
{
	auto_content_new struct content_new n = CONTENT_NEW_INIT;
	const struct sink to = { content_new_write, &n };
	auto_fd int fd = -1;
	int there;

	if (image_from_check_layer(&s->from, layer, e) < 0)
		return -1;
	fd = layer_open(s->from.registry, s->from.repository, &layer->digest, layer->size, e);
	if (fd < 0 || content_new_open(&n, UINT64_MAX, e) < 0)
		return -1;
	there = layer_look(fd, s->entry->member, &to, e);
	if (there != 1)
		return there;
	if (content_new_keep(&n, &s->out->blob.digest, &s->out->blob.size, e) < 0)
		return -1;
	s->out->source = (struct lock_source){
		.kind = LOCK_LAYER, .location = xstrdup(s->from.source.location), .member = xstrdup(s->entry->member),
		.archive = layer->digest,
	};
	return 1;
}

/* The topmost layer that says anything of it is right. */
static int look_through(struct search *s, const struct image_manifest *m, struct err *e)
{
	auto_oci_manifest struct oci_manifest oci = { 0 };

	if (oci_parse_manifest(buf_str(&m->bytes), m->bytes.len, m->type, &oci, e) < 0)
		return -1;
	for (size_t i = oci.n_layers; i-- > 0;) {
		int there = look(s, &oci.layers[i], e);

		if (there == 1 || there < 0)
			return MIN(there, 0);
		if (there == 2)
			return err_set(e, ERR_USAGE, "there is no '%s' in it: a layer took it away", s->entry->member);
	}
	return err_set(e, ERR_USAGE, "there is no '%s' in it", s->entry->member);
}

static int search(struct search *s, const struct ref *r, struct err *e)
{
	auto_image_manifest struct image_manifest top = IMAGE_MANIFEST_INIT, child = IMAGE_MANIFEST_INIT;
	int there = image_from_name(&s->from, r, &top, e);
	char text[DIGEST_TEXT];
	bool index;

	if (there <= 0)
		return there < 0 ? -1 : err_set(e, ERR_NETWORK, "there is no such image at '%s'", s->from.source.location);
	index = oci_is_index(top.type);
	if ((index && pick(s, &top, &child, e) < 0) || look_through(s, index ? &child : &top, e) < 0)
		return -1;

	auto_free char *name = ref_name(r);

	s->out->origin = r->tag ? xasprintf("%s:%s@%s", name, r->tag, digest_text(&top.digest, text))
				: xasprintf("%s@%s", name, digest_text(&top.digest, text));
	return 0;
}

int resolve_image_file(struct run *r, const struct manifest_file *f, struct run_image_file *out, struct err *e)
{
	auto_ref struct ref ref = { 0 }, at = { 0 };
	CLEANUP(run_image_file_release) struct run_image_file found = { 0 };
	struct search s = { .run = r, .entry = f, .out = &found };

	if (!layer_path_ok(f->member))
		return err_set(e, ERR_UNSAFE, "member: '%s': write a path from / on, without the first /: opt/apps.zip", f->member);
	if (ref_parse(f->image, &ref, e) < 0)
		return -1;

	auto_free char *name = ref_name(&ref), *fetch = run_fetch_name(r, name);

	if (ref_parse(fetch, &at, e) < 0)
		return -1;
	s.from = (struct image_from){
		.registry = remote_registry(r->remote, at.host, e), .repository = at.path,
		.source = { .kind = LOCK_REGISTRY, .location = fetch },
	};
	if (!s.from.registry || search(&s, &ref, e) < 0)
		return s.from.registry ? err_wrap(e, "image '%s'", f->image) : -1;
	*out = found;
	found = (struct run_image_file){ 0 };
	return 0;
}
