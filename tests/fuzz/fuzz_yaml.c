/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML in all three ways of reading; what is taken is a document that JSON can hold.
 */
#include <airgap/yaml.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void round_trip(const json_t *j)
{
	auto_buf struct buf once = BUF_INIT(256 << 20), twice = BUF_INIT(256 << 20);
	struct err e = { 0 };

	if (jdoc_dump(j, &once, &e) < 0)
		abort();

	auto_json json_t *again = jdoc_parse(buf_str(&once), once.len, 64 << 20, "fuzz", &e);

	if (!again || jdoc_dump(again, &twice, &e) < 0 || once.len != twice.len ||
	    memcmp(buf_str(&once), buf_str(&twice), once.len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const path[] = { "entries", "web", NULL };
	auto_ydoc_marks struct ydoc_marks *marks = NULL;
	struct err e = { 0 };
	auto_json json_t *user = ydoc_parse(p, n, &ydoc_user, "fuzz", &marks, &e);
	auto_json json_t *all = ydoc_parse_all(p, n, &ydoc_rendered, "fuzz", &e);
	auto_json json_t *at = ydoc_parse_at(p, n, &ydoc_index, "fuzz", path, &e);

	if (user) {
		ydoc_line(marks, user, "a", 0);
		round_trip(user);
	}
	/* What is strict is also what helm takes. */
	if (user && !all)
		abort();
	if (all)
		round_trip(all);
	if (at)
		round_trip(at);
	return 0;
}
