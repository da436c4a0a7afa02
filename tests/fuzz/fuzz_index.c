/* SPDX-License-Identifier: Apache-2.0 */
/* The index of a chart repository: an entry that is taken is whole, and its address is one. */
#include <airgap/chart_repo.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_chart_entry struct chart_entry en = { 0 };
	auto_free char *near = NULL;
	auto_url struct url u = { 0 };
	struct err e = { 0 };
	int found = chart_index_find(p, n, "https://charts.example/stable", "web", ">0.0.0-0", &en, &near, &e);

	if ((found < 0) != (e.code != ERR_NONE) || (found == 1) != (en.url != NULL) || (found != 0 && near))
		abort();
	if (found == 1 && !str_starts(en.url, "oci://") && url_parse(en.url, "entry", &u, &e) < 0)
		abort();
	return 0;
}
