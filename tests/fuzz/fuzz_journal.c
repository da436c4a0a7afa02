/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Journals of unfinished builds, with and without the first line they need.
 */
#include <airgap/bundle_journal.h>

#define FRAMES 16u

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct digest layout;      /* zeros, as in the corpus */
	struct journal_line lines[FRAMES];
	bool ordered = false, found = journal_parse((const char *)p, n, &layout, lines, FRAMES, &ordered);

	for (size_t i = 0; i < FRAMES; i++)
		if (!found && lines[i].bytes)
			abort();
	return 0;
}
