/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks, as JSON and as YAML: what is taken is written, taken again, and gives an index.
 */
#include <airgap/lock.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_lock struct lock l = { 0 }, again = { 0 };
	auto_buf struct buf one = BUF_INIT(64 << 20), two = BUF_INIT(64 << 20), index = BUF_INIT(4 << 20);
	struct err e = { 0 };

	if (lock_parse(p, n, "lock", &l, &e) < 0)
		return 0;
	for (size_t i = 0; i < l.n_blobs; i++)
		if (lock_find(&l, &l.blobs[i].digest) != &l.blobs[i])
			abort();
	if (lock_dump(&l, &one, &e) < 0 || lock_parse(one.ptr, one.len, "lock", &again, &e) < 0)
		abort();
	if (lock_dump(&again, &two, &e) < 0 || one.len != two.len || memcmp(one.ptr, two.ptr, one.len) != 0)
		abort();
	if (lock_index_json(&l, &index, &e) < 0 && e.code == ERR_BUG)
		abort();
	return 0;
}
