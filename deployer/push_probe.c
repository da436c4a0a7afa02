/* SPDX-License-Identifier: Apache-2.0 */
#include "push.h"

#include <airgap/oci.h>
#include <airgap/pool.h>

#include <stdio.h>

void push_sparse_advice(struct err *e)
{
	char words[300];

	snprintf(words, sizeof(words), "%.299s", e->msg);
	err_set(e, ERR_REGISTRY, "the registry takes no index with platforms left out (%s): carry all platforms of this image, or "
		"set validation.manifests.indexes.platforms: none at the registry", words);
}

int push_check_image(struct session *s, const struct content_image *i, struct err *e)
{
	struct ref_site names = site_names(&s->site);
	auto_ref struct ref r = { 0 }, target = { 0 };
	auto_registry_manifest struct registry_manifest m = REGISTRY_MANIFEST_INIT;

	if (ref_parse(i->ref, &r, e) < 0 || ref_target(&r, &names, &target, e) < 0)
		return -1;

	int there = registry_manifest_head(s->registry, target.path, target.tag, &m, e);

	return there == 1 ? digest_eq(&m.digest, &i->target) : there;
}

struct checking { struct session *session; bool *missing; };

static int check_item(void *ctx, unsigned worker, size_t i, struct err *e)
{
	struct checking *c = ctx;
	int there = push_check_image(c->session, &c->session->contents.images[i], e);

	(void)worker;
	c->missing[i] = there == 0;
	return there < 0 ? err_wrap(e, "image '%s'", c->session->contents.images[i].ref) : 0;
}

int push_check(struct session *s, unsigned jobs, const char *otherwise, struct err *e)
{
	auto_free bool *missing = xcalloc(s->contents.n_images + 1, sizeof(*missing));
	auto_strv struct strv names = { 0 };
	struct checking c = { s, missing };

	if (pool_each(jobs, s->contents.n_images, check_item, &c, e) < 0)
		return -1;
	for (size_t i = 0; i < s->contents.n_images; i++)
		if (missing[i])
			strv_push(&names, s->contents.images[i].ref);
	if (!names.n)
		return 0;

	auto_free char *list = strv_join(&names, ", ");

	return err_set(e, ERR_PROOF, "%zu of %zu images are not in the site registry: %s: %s", names.n, s->contents.n_images,
		       otherwise, list);
}

/* An index of the children that stay behind, under its digest alone. */
static int try_sparse(struct session *s, const struct content_image *i, const char *path, struct err *e)
{
	struct descriptor *entries = xcalloc(i->n_children, sizeof(*entries));
	auto_buf struct buf bytes = BUF_INIT(OCI_MANIFEST_MAX);
	char text[DIGEST_TEXT];
	size_t n = 0;
	int r = 0;

	for (size_t k = 0; k < i->n_children && r == 0; k++) {
		if (i->children[k].carried)
			continue;
		entries[n].media_type = (char *)(oci_is_docker(i->media_type) ? DOCKER_MANIFEST : OCI_MANIFEST);
		entries[n].digest = i->children[k].digest;
		entries[n].size = 1;
		r = platform_parse(i->children[k].platform, &entries[n++].platform, e);
	}
	if (r == 0)
		r = oci_make_index(entries, n, &bytes, e);
	free(entries);
	if (r < 0)
		return -1;

	struct digest d = digest_of(bytes.ptr, bytes.len);

	if (registry_manifest_put(s->registry, path, digest_text(&d, text), OCI_INDEX, bytes.ptr, bytes.len, e) == 0)
		return 0;
	if (e->code == ERR_REGISTRY)
		push_sparse_advice(e);
	return err_wrap(e, "image '%s'", i->ref);
}

static bool is_sparse(const struct content_image *i)
{
	bool all = true;

	for (size_t k = 0; k < i->n_children; k++)
		all = all && i->children[k].carried;
	return !all && digest_eq(&i->digest, &i->target);
}

int push_probe(struct session *s, struct err *e)
{
	struct ref_site names = site_names(&s->site);
	bool tried = false;     /* an upload begun for nothing: not when there is nothing to upload */

	if (registry_ping(s->registry, NULL, e) < 0)
		return -1;
	if (bundle_is_head_alone(s->bundle))    /* there is nothing to push from */
		return 0;
	for (size_t i = 0; i < s->contents.n_images; i++) {
		const struct content_image *image = &s->contents.images[i];
		auto_ref struct ref r = { 0 }, target = { 0 };
		bool sparse = is_sparse(image);
		int there = sparse || !tried ? push_check_image(s, image, e) : 1;

		if (there < 0 || ref_parse(image->ref, &r, e) < 0 || ref_target(&r, &names, &target, e) < 0)
			return -1;
		if (there)
			continue;
		if (!tried && registry_ping(s->registry, target.path, e) < 0)
			return -1;
		tried = true;
		if (sparse && try_sparse(s, image, target.path, e) < 0)
			return -1;
	}
	return 0;
}
