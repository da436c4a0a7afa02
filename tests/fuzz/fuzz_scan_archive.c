/* SPDX-License-Identifier: Apache-2.0 */
/* Archives in archives that are looked through: an end at the ceilings, no name that leaves its folder, finds that read as
 * references. */
#include <airgap/fs.h>
#include <airgap/ref.h>
#include <airgap/scan.h>

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void look(int fd, const char *member)
{
	auto_scan struct scan_finds f = { 0 };
	struct err e = { 0 };

	if (scan_archive(fd, "fuzz", member, &f, &e) < 0 && e.code == ERR_NONE)
		abort();
	for (size_t i = 0; i < f.n; i++) {
		auto_ref struct ref r = { 0 };

		if (ref_parse(f.items[i].image, &r, &e) < 0)
			abort();
		if (f.items[i].path[0] == '/' || str_starts(f.items[i].path, "../"))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_fd int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct err e = { 0 };

	if (fd < 0 || fs_write_all(fd, p, n, &e) < 0)
		return 0;
	look(fd, NULL);
	look(fd, "*.conf");
	return 0;
}
