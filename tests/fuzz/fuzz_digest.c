/* SPDX-License-Identifier: Apache-2.0 */
/* digest and base64 from text: what is taken has one spelling, so writing it again gives the same text. */
#include <airgap/digest.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_free char *text = xstrndup((const char *)p, n), *again = xmalloc(base64_size(n));
	auto_free uint8_t *bytes = xmalloc(n / 4 * 3);
	char spelled[DIGEST_TEXT];
	struct digest d;
	size_t len;

	if (digest_parse(text, &d) && strcmp(digest_text(&d, spelled), text) != 0)
		abort();
	if (base64_decode((const char *)p, n, bytes, &len) &&
	    (strlen(base64_encode(bytes, len, again)) != n || memcmp(again, p, n) != 0))
		abort();
	return 0;
}
