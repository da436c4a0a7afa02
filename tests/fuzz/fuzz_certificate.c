/* SPDX-License-Identifier: Apache-2.0 */
/* What a site takes for its certificate. */
#include <airgap/certificate.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_free char *text = xstrndup((const char *)p, n);
	struct certificate_about about = { 0 };
	struct err e;

	if (certificate_read(text, &about, &e) < 0) {
		check(about.names.n == 0 && (e.code == ERR_MALFORMED || e.code == ERR_LIMIT));
		return 0;
	}
	for (size_t i = 0; i < about.names.n; i++) {
		auto_free char *below = xasprintf("a%s", about.names.items[i] + 1);

		check(*about.names.items[i] && certificate_covers(&about, about.names.items[i]));
		if (str_starts(about.names.items[i], "*."))
			check(certificate_covers(&about, below));
	}
	certificate_about_release(&about);
	return 0;
}
