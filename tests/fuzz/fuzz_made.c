/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What images of our making begin with: manifest.json of `docker save`, configs that get a layer more, indexes of referrers
 * that get an entry more. What comes out reads back.
 */
#include <airgap/oci.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void try_docker(const uint8_t *p, size_t n)
{
	auto_docker_images struct docker_images v = { 0 };
	struct err e = { 0 };

	if (oci_parse_docker_archive(p, n, &v, &e) < 0)
		return;
	for (size_t i = 0; i < v.n; i++)
		if (!v.items[i].config || v.items[i].layers.n > OCI_LAYERS_MAX)
			abort();
}

static void try_config(const uint8_t *p, size_t n)
{
	auto_buf struct buf out = BUF_INIT(64 << 20);
	auto_free struct digest *before = NULL, *after = NULL;
	struct digest added = digest_of("x", 1);
	size_t n_before, n_after;
	struct err e = { 0 };

	if (oci_parse_diff_ids(p, n, &before, &n_before, &e) < 0 || n_before >= OCI_LAYERS_MAX ||
	    oci_config_add(p, n, &added, "bundler add x", &out, &e) < 0 || out.len > OCI_CONFIG_MAX)
		return;
	if (oci_parse_diff_ids(out.ptr, out.len, &after, &n_after, &e) < 0 || n_after != n_before + 1 ||
	    !digest_eq(&after[n_before], &added))
		abort();
}

static void try_index(const uint8_t *p, size_t n)
{
	const struct descriptor d = { .media_type = (char *)OCI_MANIFEST, .digest = digest_of("x", 1), .size = 1 };
	auto_buf struct buf out = BUF_INIT(64 << 20), twice = BUF_INIT(64 << 20);
	auto_oci_index struct oci_index before = { 0 }, after = { 0 };
	struct err e = { 0 };
	int added = oci_index_add(p, n, &d, 1, &out, &e);

	if (added < 0 || out.len > OCI_MANIFEST_MAX)
		return;
	if (oci_parse_index(p, n, OCI_INDEX, &before, &e) < 0)
		abort();
	if (!added)
		return;
	/* An entry with this digest and another size makes it unreadable: what was there was so already, or lies. */
	if (oci_parse_index(out.ptr, out.len, OCI_INDEX, &after, &e) < 0 || after.n_manifests != before.n_manifests + 1 ||
	    oci_index_add(out.ptr, out.len, &d, 1, &twice, &e) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	try_docker(p, n);
	try_config(p, n);
	try_index(p, n);
	return 0;
}
