/* SPDX-License-Identifier: Apache-2.0 */
/* A facts file, which comes from the other side of the gap. What is read can be written, and read again. */
#include <airgap/facts.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_facts struct facts f = { 0 }, again = { 0 };
	auto_buf struct buf out = BUF_INIT((size_t)16 << 20);
	auto_free char *text = xstrndup((const char *)p, n);
	auto_free char *os = NULL, *version = NULL;
	struct err e = { 0 };

	if (facts_os_of_image(text, &os, &version) && (!*os || !*version))
		abort();
	if (facts_parse(p, n, "fuzz", &f, &e) < 0)
		return 0;
	if (facts_dump(&f, &out, &e) < 0)
		abort();
	/* Pretty-printed it may be past the ceiling. */
	if (facts_parse(buf_str(&out), out.len, "again", &again, &e) < 0 && e.code != ERR_LIMIT)
		abort();
	return 0;
}
