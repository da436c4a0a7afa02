/* SPDX-License-Identifier: Apache-2.0 */
/* A site file as a user may write it. Nothing in the open may be kept as a password. */
#include "../../lib/site.c"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct ydoc_marks *marks = NULL;
	auto_site struct site s = { 0 };
	struct err e = { 0 };
	auto_json json_t *doc = ydoc_parse(p, n, &ydoc_user, "fuzz", &marks, &e);

	if (!doc || from_json(doc, marks, "fuzz", &s, &e) < 0) {
		ydoc_marks_free(marks);
		return 0;
	}
	s.marks = marks;
	s.path = xstrdup("fuzz");

	const char *password = s.registry.password;

	if (password && strcmp(password, "prompt") != 0 && !str_starts(password, "env:") && !str_starts(password, "file:"))
		abort();
	if (!site_profile_ok(s.profile))
		abort();
	return 0;
}
