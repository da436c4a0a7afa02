/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests, indexes and configs, as OCI's and as Docker's.
 */
#include <airgap/oci.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void try_index(const uint8_t *p, size_t n, const char *media_type)
{
	auto_oci_index struct oci_index ix = { 0 };
	struct platform want = { "linux", "amd64", "" };
	struct err e = { 0 };

	if (oci_parse_index(p, n, media_type, &ix, &e) < 0)
		return;

	const struct descriptor *d = oci_index_pick(&ix, &want);

	if (d && oci_is_attestation(d))
		abort();

	auto_buf struct buf made = BUF_INIT(64 << 20);
	auto_oci_index struct oci_index again = { 0 };

	if (oci_make_index(ix.manifests, ix.n_manifests, &made, &e) < 0)
		abort();
	if (made.len <= OCI_MANIFEST_MAX &&
	    (oci_parse_index(buf_str(&made), made.len, OCI_INDEX, &again, &e) < 0 || again.n_manifests != ix.n_manifests))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_oci_manifest struct oci_manifest m = { 0 }, docker = { 0 };
	struct platform platform;
	struct err e = { 0 };
	size_t layers;

	if (oci_parse_manifest(p, n, OCI_MANIFEST, &m, &e) == 0 && (m.n_layers > OCI_LAYERS_MAX || !m.config.media_type))
		abort();
	if (oci_parse_manifest(p, n, DOCKER_MANIFEST, &docker, &e) == 0 && !docker.media_type)
		abort();
	try_index(p, n, OCI_INDEX);
	try_index(p, n, DOCKER_LIST);
	if (oci_parse_config(p, n, &platform, &layers, &e) == 0 && !platform.os[0])
		abort();
	return 0;
}
