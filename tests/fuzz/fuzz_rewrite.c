/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests through the post-renderer: what comes out is read again, has as many documents and the same shape, differs from
 * what went in by names alone, and goes through a second time unchanged.
 */
#include <airgap/buf.h>
#include <airgap/rewrite.h>
#include <airgap/yaml.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const char names[] = "{\"chart\":\"c\",\"images\":{\"docker.io/library/busybox:1.36\":\"r.site/p/library/busybox:1.36\","
			    "\"docker.io/library/busybox:latest\":\"r.site/p/library/busybox:latest\","
			    "\"quay.io/org/app:2\":\"r.site/p/org/app:2\"},\"names\":{\"quay.io/org/app\":\"r.site/p/org/app\"},"
			    "\"rules\":[{\"path\":\"spec.*\",\"triple\":[\"repository\",\"image\",\"version\"],\"tags\":[\"{version}-{kernel}\"]}]}";

/* Same containers, keys and types; texts may differ. */
static bool same_shape(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *child;
	size_t i;

	if (json_is_string(a))
		return json_is_string(b);
	if (json_is_array(a) && json_is_array(b) && json_array_size(a) == json_array_size(b)) {
		json_array_foreach((json_t *)a, i, child)
			if (!same_shape(child, json_array_get(b, i)))
				return false;
		return true;
	}
	if (!json_is_object(a) || !json_is_object(b) || json_object_size(a) != json_object_size(b))
		return json_equal(a, b);
	json_object_foreach((json_t *)a, key, child)
		if (!json_object_get(b, key) || !same_shape(child, json_object_get(b, key)))
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_buf struct buf once = BUF_INIT(1u << 24), twice = BUF_INIT(1u << 24);
	auto_free char *text = xstrndup((const char *)p, n);
	struct err e = { 0 };

	if (n > 1 << 16 || rewrite_manifests(names, sizeof(names) - 1, text, strlen(text), &once, &e) < 0)
		return 0;

	auto_json json_t *in = ydoc_parse_all(text, strlen(text), &ydoc_rendered, "in", &e);
	auto_json json_t *out = ydoc_parse_all(buf_str(&once), once.len, &ydoc_rendered, "out", &e);

	/* Documents are parsed one by one: what one of them says of anchors and directives may not hold for all. */
	if (in && (!out || !same_shape(in, out)))
		abort();
	if (rewrite_manifests(names, sizeof(names) - 1, buf_str(&once), once.len, &twice, &e) < 0 ||
	    strcmp(buf_str(&once), buf_str(&twice)) != 0)
		abort();
	return 0;
}
