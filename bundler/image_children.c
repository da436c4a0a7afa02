/* SPDX-License-Identifier: Apache-2.0 */
#include "image_children.h"

void image_note(json_t **notes, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	auto_free char *text = xvasprintf(fmt, ap);
	va_end(ap);
	if (!*notes)
		*notes = json_array();
	json_array_append_new(*notes, json_string(text));
}

bool image_wants_all(const struct strv *platforms)
{
	return platforms->n == 1 && strcmp(platforms->items[0], "all") == 0;
}

/* ---- what they are */

static bool has_platform(const struct oci_manifest *m)
{
	return str_eq(m->config.media_type, OCI_CONFIG) || str_eq(m->config.media_type, DOCKER_CONFIG);
}

int image_platform(const struct image_from *f, const struct oci_manifest *m, struct platform *out, struct err *e)
{
	auto_buf struct buf config = BUF_INIT(OCI_CONFIG_MAX);
	struct err ignored;
	size_t layers;

	*out = (struct platform){ 0 };
	if (!has_platform(m))
		return 0;
	if (image_from_blob(f, &m->config, &config, e) < 0)
		return -1;
	if (oci_parse_config(buf_str(&config), config.len, out, &layers, &ignored) < 0)
		*out = (struct platform){ 0 };
	return 0;
}

int image_load_child(const struct image_from *f, const struct descriptor *d, struct image_manifest *out, struct err *e)
{
	char digest[DIGEST_TEXT];
	int there = image_from_child(f, d, out, e);

	if (there == 0)
		return err_set(e, ERR_TRUNCATED, "its manifest %s is not there", digest_text(&d->digest, digest));
	if (there > 0 && out->bytes.len != d->size)
		return err_set(e, ERR_MALFORMED, "its manifest %s has another size than the index says",
			       digest_text(&d->digest, digest));
	return MIN(there, 0);
}

/* An entry that does not say its platform is looked into. */
static int learn_platform(const struct image_from *f, struct child *c, struct err *e)
{
	auto_image_manifest struct image_manifest m = IMAGE_MANIFEST_INIT;
	auto_oci_manifest struct oci_manifest oci = { 0 };

	c->platform = c->d->platform;
	if (!c->image || *c->platform.os)
		return 0;
	if (image_load_child(f, c->d, &m, e) < 0 || oci_parse_manifest(buf_str(&m.bytes), m.bytes.len, m.type, &oci, e) < 0)
		return -1;
	return image_platform(f, &oci, &c->platform, e);
}

int image_children(const struct image_from *f, const struct oci_index *ix, struct child *list, struct err *e)
{
	for (size_t i = 0; i < ix->n_manifests; i++) {
		struct child *c = &list[i];

		c->d = &ix->manifests[i];
		c->attestation = oci_is_attestation(c->d) && oci_is_manifest(c->d->media_type);
		c->index = oci_is_index(c->d->media_type);
		c->image = oci_is_manifest(c->d->media_type) && !oci_is_attestation(c->d);
		if (learn_platform(f, c, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- which are wanted */

static bool want_platform(struct child *list, size_t n, const struct platform *want)
{
	struct child *best = NULL;
	unsigned how = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned match = list[i].image ? platform_match(want, &list[i].platform) : 0;

		if (match > how) {
			how = match;
			best = &list[i];
		}
	}
	if (best)
		best->wanted = true;
	return best != NULL;
}

static char *platforms_of(const struct child *list, size_t n)
{
	auto_strv struct strv names = { 0 };
	char text[PLATFORM_TEXT];

	for (size_t i = 0; i < n; i++)
		if (list[i].image)
			strv_push(&names, platform_format(&list[i].platform, text));
	return strv_join(&names, ", ");
}

int image_choose(const struct strv *platforms, struct child *list, size_t n, json_t **notes, struct err *e)
{
	bool all = image_wants_all(platforms);

	for (size_t i = 0; i < n; i++)
		if (list[i].index || (list[i].image && all))
			list[i].wanted = true;
	for (size_t i = 0; i < platforms->n && !all; i++) {
		struct platform want;

		if (platform_parse(platforms->items[i], &want, e) < 0)
			return -1;
		if (!want_platform(list, n, &want))
			image_note(notes, "there is none for %s", platforms->items[i]);
	}
	for (size_t i = 0; i < n; i++)
		if (list[i].wanted)
			return 0;

	auto_free char *have = platforms_of(list, n), *wanted = strv_join(platforms, ", ");

	return err_set(e, ERR_UNSUPPORTED, "there is none for %s: it has %s", wanted, *have ? have : "nothing");
}

int image_check_platform(const struct strv *platforms, const struct platform *have, json_t **notes, struct err *e)
{
	auto_strv struct strv missing = { 0 };
	char text[PLATFORM_TEXT];

	if (!*have->os || image_wants_all(platforms))
		return 0;
	for (size_t i = 0; i < platforms->n; i++) {
		struct platform want;

		if (platform_parse(platforms->items[i], &want, e) < 0)
			return -1;
		if (!platform_match(&want, have))
			strv_push(&missing, platforms->items[i]);
	}

	auto_free char *list = missing.n ? strv_join(&missing, ", ") : NULL;

	if (missing.n == platforms->n)
		return err_set(e, ERR_UNSUPPORTED, "it is for %s, not for %s", platform_format(have, text), list);
	if (missing.n)
		image_note(notes, "there is none for %s", list);
	return 0;
}
