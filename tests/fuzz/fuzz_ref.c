/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References, platforms and versions: what is taken prints, and what is printed is taken as the same.
 */
#include <airgap/platform.h>
#include <airgap/ref.h>
#include <airgap/semver.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void try_ref(const char *text)
{
	static const struct ref_site site = { "reg:5000", "air/gap", true };
	auto_ref struct ref r = { 0 }, again = { 0 }, target = { 0 }, target_again = { 0 };
	struct err e = { 0 };

	if (ref_parse(text, &r, &e) < 0)
		return;

	auto_free char *printed = ref_format(&r);

	if (ref_parse(printed, &again, &e) < 0 || !ref_eq(&r, &again))
		abort();
	if (ref_target(&r, &site, &target, &e) < 0)
		return;

	auto_free char *there = ref_format(&target);

	if (ref_parse(there, &target_again, &e) < 0 || !ref_eq(&target, &target_again))
		abort();
}

static void try_find(const char *text)
{
	auto_strv struct strv found = { 0 };

	ref_find(text, &found);
	for (size_t i = 0; i < found.n; i++)
		if (!ref_looks_like(found.items[i]))
			abort();
}

static void try_platform(const char *text)
{
	struct platform a, b;
	struct err e = { 0 };
	char out[PLATFORM_TEXT];

	if (platform_parse(text, &a, &e) == 0 &&
	    (platform_parse(platform_format(&a, out), &b, &e) < 0 || !platform_eq(&a, &b) || !platform_match(&a, &b)))
		abort();
}

/* The text up to a newline is a constraint, the rest a version. */
static void try_semver(char *text)
{
	char *line = strchr(text, '\n');
	struct semver v;
	struct err e = { 0 };

	if (semver_parse(text, SEMVER_STRICT, &v) && (!semver_parse(text, 0, &v) || semver_cmp(&v, &v) != 0))
		abort();
	if (!line)
		return;
	*line = '\0';

	int r = semver_matches(text, line + 1, &e);

	if ((r < 0) != (semver_check(text, &e) < 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_free char *text = xstrndup((const char *)p, n);

	try_ref(text);
	try_find(text);
	try_platform(text);
	try_semver(text);
	return 0;
}
