/* SPDX-License-Identifier: Apache-2.0 */
/* Requirement lines, pages of an index and pip's report: taken or refused; what is taken has safe names, and makes an index. */
#include <airgap/pip.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_wheels(const struct pip_wheels *w)
{
	auto_buf struct buf page = BUF_INIT(256u << 20);

	for (size_t i = 0; i < w->n; i++) {
		if (strpbrk(w->items[i].file, "/\\<>\"&%") || w->items[i].file[0] == '.' || strpbrk(w->items[i].name, "<>\"&/"))
			abort();
		if (i && strcmp(w->items[i - 1].file, w->items[i].file) >= 0)
			abort();
	}
	pip_page(w, NULL, &page);
	if (w->n) {
		auto_free char *name = pip_normal_name(w->items[0].name);

		pip_page(w, name, &page);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_free char *text = xstrndup((const char *)p, n);
	auto_pip_wheels struct pip_wheels w = { 0 };
	struct err e;

	if (pip_check_requirement(text, &e) == 0 && (strpbrk(text, "\r\n") || *text == '-' || *text == '/' || *text == '.'))
		abort();
	(void)pip_explain_page((const char *)p, n, "x", &(const struct pip_target){ "3.10", "manylinux_2_28_x86_64" }, &e);
	if (pip_report_parse((const char *)p, n, &w, &e) == 0)
		check_wheels(&w);
	return 0;
}
