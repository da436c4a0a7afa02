/* SPDX-License-Identifier: Apache-2.0 */
/* What stands around signatures and keys: taken or refused. */
#include <airgap/gpgv.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_buf struct buf text = BUF_INIT(32u << 20), keys = BUF_INIT(32u << 20);
	struct err e = { 0 };

	if (gpgv_clear_text((const char *)p, n, &text, &e) < 1 && text.len)
		abort();
	(void)!gpgv_dearmor((const char *)p, n, &keys, &e);
	return 0;
}
