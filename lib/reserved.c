/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/reserved.h>

/* {url, digest} of what lies in the registry as an artifact. */
static int add_artifact(const struct reserved *r, const char *kind, const char *name, const struct digest *artifact,
			const struct digest *told, json_t *into, struct err *e)
{
	auto_ref struct ref target = { 0 };
	char digest[DIGEST_TEXT];

	if (ref_target_artifact(kind, name, artifact, &r->names, &target, e) < 0)
		return err_wrap(e, "%s '%s'", kind, name);

	auto_free char *url = ref_format(&target);

	json_object_set_new(into, name, json_pack("{s:s, s:s}", "url", url, "digest", digest_text(told, digest)));
	return 0;
}

static int add_image(const struct reserved *r, const struct content_image *i, json_t *images, struct err *e)
{
	auto_ref struct ref from = { 0 }, to = { 0 };
	char digest[DIGEST_TEXT];

	if (ref_parse(i->ref, &from, e) < 0 || ref_target(&from, &r->names, &to, e) < 0)
		return err_wrap(e, "image '%s'", i->ref);

	auto_free char *target = ref_format(&to);

	json_object_set_new(images, i->ref, json_pack("{s:s, s:s}", "target", target, "digest", digest_text(&i->target, digest)));
	return 0;
}

static json_t *charts_of(const struct contents *c)
{
	json_t *charts = json_object();

	for (size_t i = 0; i < c->n_charts; i++) {
		char digest[DIGEST_TEXT];

		json_object_set_new(charts, c->charts[i].name, json_pack("{s:s, s:s}", "version", c->charts[i].version,
			"digest", digest_text(&c->charts[i].archive, digest)));
	}
	return charts;
}

static json_t *bundle_of(const struct reserved *r, struct err *e)
{
	const struct contents *c = r->contents;
	auto_json json_t *b = json_pack("{s:s, s:s, s:o, s:{}, s:{}, s:{}, s:{}, s:{}}", "name", c->name, "version", c->version,
					"charts", charts_of(c), "images", "files", "packages", "python", "git");

	for (size_t i = 0; i < c->n_images; i++)
		if (add_image(r, &c->images[i], json_object_get(b, "images"), e) < 0)
			return NULL;
	for (size_t i = 0; i < c->n_files; i++)
		if (add_artifact(r, "files", c->files[i].name, &c->files[i].digest, &c->files[i].blob, json_object_get(b, "files"), e) < 0)
			return NULL;
	for (size_t i = 0; i < c->n_sets; i++)
		if (add_artifact(r, c->sets[i].kind, c->sets[i].name, &c->sets[i].digest, &c->sets[i].digest,
				 json_object_get(b, c->sets[i].kind), e) < 0)
			return NULL;
	return TAKE(b);
}

json_t *reserved_on_site(const struct reserved *r, struct err *e)
{
	json_t *bundle = bundle_of(r, e);

	if (!bundle)
		return NULL;
	return json_pack("{s:s, s:o, s:{s:s}, s:o, s:o}", "side", "site",
			 "facts", r->contents->facts ? json_incref(r->contents->facts) : json_object(),
			 "kubernetes", "version", r->kube_version ? r->kube_version : "",
			 "installed", r->installed ? json_deep_copy(r->installed) : json_object(), "bundle", bundle);
}
