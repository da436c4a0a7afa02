/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a provenance file: taken with all it must have, or refused. */
#include <airgap/provenance.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_provenance struct provenance v = { 0 };
	struct err e;

	if (provenance_parse((const char *)p, n, &v, &e) < 0) {
		if (v.name || v.version || v.file)
			abort();
	} else if (!v.name || !v.version || !v.file) {
		abort();
	}
	return 0;
}
