/* SPDX-License-Identifier: Apache-2.0 */
/* What token servers answer. A token that is taken goes into a header as it is: nothing in it may end the line. */
#include "../../lib/registry_token.c"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf body = { .ptr = (char *)(uintptr_t)p, .len = n, .max = n };
	auto_secret struct secret token = { 0 };
	uint64_t seconds = 0;
	struct err e = { 0 };

	if (read_answer(&body, "fuzz", &token, &seconds, &e) < 0) {
		if (token.text || (e.code != ERR_PROTOCOL && e.code != ERR_MALFORMED && e.code != ERR_LIMIT))
			abort();
		return 0;
	}
	if (!*token.text || seconds < 1 || seconds > SECONDS_MOST || strlen(token.text) > n)
		abort();
	for (const char *c = token.text; *c; c++)
		if (*c <= ' ' || *c > '~')
			abort();
	return 0;
}
