/* SPDX-License-Identifier: Apache-2.0 */
/* Image configs: what an archive of `docker save` is compared with, and what one layer more changes. */
#include <airgap/decode.h>
#include <airgap/oci.h>

static int take_diff_id(const json_t *j, struct digest *out, struct err *e)
{
	const char *text = json_string_value(j);

	if (text && digest_parse(text, out))
		return 0;
	return err_set(e, ERR_MALFORMED, "config: rootfs.diff_ids: '%.100s' is no sha256 digest", text ? text : "");
}

int oci_parse_diff_ids(const void *p, size_t n, struct digest **out, size_t *out_n, struct err *e)
{
	auto_json json_t *j = jdoc_parse(p, n, OCI_CONFIG_MAX, "config", e);
	const json_t *ids = jdoc_at(j, "rootfs", "diff_ids", NULL);
	size_t count = json_array_size(ids);

	if (!j)
		return -1;
	if (ids && !json_is_array(ids))
		return err_set(e, ERR_MALFORMED, "config: rootfs.diff_ids must be a list");
	if (count > OCI_LAYERS_MAX)
		return err_set(e, ERR_LIMIT, "config: more than %d layers", OCI_LAYERS_MAX);

	auto_free struct digest *list = xcalloc(count + 1, sizeof(*list));

	for (size_t i = 0; i < count; i++)
		if (take_diff_id(json_array_get(ids, i), &list[i], e) < 0)
			return -1;
	*out = TAKE(list);
	*out_n = count;
	return 0;
}

/* A history that is there has an entry for each layer; one that is not is none of our making. */
static int add_history(json_t *config, const char *created_by, struct err *e)
{
	json_t *history = json_object_get(config, "history");

	if (!history || json_is_null(history))
		return 0;
	if (!json_is_array(history))
		return err_set(e, ERR_MALFORMED, "config: history must be a list");
	json_array_append_new(history, json_pack("{ss}", "created_by", created_by));
	return 0;
}

int oci_config_add(const void *p, size_t n, const struct digest *diff_id, const char *created_by, struct buf *out,
		   struct err *e)
{
	auto_json json_t *j = jdoc_parse(p, n, OCI_CONFIG_MAX, "config", e);
	json_t *ids = jdoc_at(j, "rootfs", "diff_ids", NULL);
	char text[DIGEST_TEXT];

	if (!j)
		return -1;
	if (!json_is_array(ids))
		return err_set(e, ERR_MALFORMED, "config: rootfs.diff_ids is missing: this is no image that files can be added to");
	json_array_append_new(ids, json_string(digest_text(diff_id, text)));
	return add_history(j, created_by, e) < 0 ? -1 : jdoc_dump(j, out, e);
}

/* ---- manifest.json of `docker save` */

static const struct field docker_fields[] = {
	F_STR(struct docker_image, config, "Config", F_REQUIRED),
	F_STRV(struct docker_image, tags, "RepoTags", 0),
	F_STRV(struct docker_image, layers, "Layers", 0),
	{ 0 }
};
static const struct type docker_type = TYPE_FLAGS(struct docker_image, docker_fields, TYPE_OPEN);

void docker_images_release(struct docker_images *v)
{
	for (size_t i = 0; i < v->n; i++)
		decode_free(&docker_type, &v->items[i]);
	free(v->items);
	*v = (struct docker_images){ 0 };
}

static int take_docker_image(const json_t *entry, struct docker_image *out, struct err *e)
{
	if (decode(&docker_type, entry, NULL, "manifest.json", out, e) < 0)
		return -1;
	if (out->layers.n > OCI_LAYERS_MAX)
		return err_set(e, ERR_LIMIT, "manifest.json: more than %d layers", OCI_LAYERS_MAX);
	return 0;
}

int oci_parse_docker_archive(const void *p, size_t n, struct docker_images *out, struct err *e)
{
	auto_json json_t *j = jdoc_parse(p, n, OCI_MANIFEST_MAX, "manifest.json", e);
	auto_docker_images struct docker_images v = { 0 };

	if (!j)
		return -1;
	if (!json_is_array(j))
		return err_set(e, ERR_MALFORMED, "manifest.json: must be a list");
	if (json_array_size(j) > OCI_ENTRIES_MAX)
		return err_set(e, ERR_LIMIT, "manifest.json: more than %d images", OCI_ENTRIES_MAX);
	v.items = xcalloc(json_array_size(j) + 1, sizeof(*v.items));
	for (size_t i = 0; i < json_array_size(j); i++)
		if (take_docker_image(json_array_get(j, i), &v.items[v.n++], e) < 0)
			return -1;
	*out = v;
	v = (struct docker_images){ 0 };
	return 0;
}
