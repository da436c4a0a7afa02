/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle.json: what is taken has one spelling, which is taken again.
 */
#include <airgap/contents.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_contents struct contents c = { 0 }, again = { 0 };
	auto_buf struct buf one = BUF_INIT(CONTENTS_MAX), two = BUF_INIT(CONTENTS_MAX);
	struct err e = { 0 };

	if (contents_parse(p, n, "bundle.json", &c, &e) < 0)
		return 0;
	for (size_t i = 0; i < c.n_images; i++)
		if (contents_image(&c, c.images[i].ref) != &c.images[i])
			abort();
	for (size_t i = 0; i < c.n_charts; i++)
		if (contents_chart(&c, c.charts[i].name) != &c.charts[i])
			abort();
	for (size_t i = 0; i < c.n_files; i++)
		if (contents_file(&c, c.files[i].name, c.files[i].platform) != &c.files[i])
			abort();
	if (contents_dump(&c, &one, &e) < 0)
		return 0;       /* escapes may make it longer than it may be */
	if (contents_parse(one.ptr, one.len, "bundle.json", &again, &e) < 0 || contents_dump(&again, &two, &e) < 0)
		abort();
	if (one.len != two.len || memcmp(one.ptr, two.ptr, one.len) != 0)
		abort();
	return 0;
}
