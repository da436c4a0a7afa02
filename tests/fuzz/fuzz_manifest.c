/* SPDX-License-Identifier: Apache-2.0 */
/* What a user writes: whatever parses also passes the check alone, and its look-ups stay within it. */
#include <airgap/manifest.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_manifest struct manifest m = { 0 };
	struct err e = { 0 };
	char text[24];

	if (manifest_parse(p, n, "fuzz", &m, &e) < 0) {
		if (e.code == ERR_NONE || m.kind)
			abort();
		return 0;
	}
	if (manifest_check(&m, &e) < 0 || !manifest_expiry(m.metadata.expires, 0, text))
		abort();
	for (size_t i = 0; i < m.n_images; i++)
		free(manifest_fetch_name(&m, m.images[i].ref));
	for (size_t i = 0; i < m.n_charts; i++)
		if (manifest_chart(&m, m.charts[i].name) != &m.charts[i])
			abort();
	return 0;
}
