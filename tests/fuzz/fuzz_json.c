/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What jdoc_parse takes, it prints in one spelling that reads back the same.
 */
#include <airgap/json.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int leaf(void *ctx, const char *path, const char *key, json_t *value, struct err *e)
{
	*(size_t *)ctx += strlen(path) + (key ? strlen(key) : 0) + json_string_length(value);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_buf struct buf once = BUF_INIT(64 << 20), twice = BUF_INIT(64 << 20);
	struct err e = { 0 };
	auto_json json_t *j = jdoc_parse(p, n, 1 << 16, "fuzz", &e);
	size_t seen = 0;

	if (!j || jdoc_dump(j, &once, &e) < 0 || jdoc_strings(j, leaf, &seen, &e) < 0)
		return 0;

	/* Printing may need more bytes than were read ("\1" is six), never more depth. */
	auto_json json_t *again = jdoc_parse(buf_str(&once), once.len, 1 << 20, "fuzz", &e);

	if (!again || jdoc_dump(again, &twice, &e) < 0 || once.len != twice.len ||
	    memcmp(buf_str(&once), buf_str(&twice), once.len) != 0)
		abort();
	if (json_is_object(j)) {
		jdoc_merge(j, again);
		if (!json_equal(j, again))
			abort();
	}
	return 0;
}
