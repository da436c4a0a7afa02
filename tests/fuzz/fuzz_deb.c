/* SPDX-License-Identifier: Apache-2.0 */
/* Release and Packages: taken or refused; a path that is taken stays below, and a stanza that is rewritten says the same. */
#include <airgap/deb.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_path(const char *path)
{
	if (*path == '/' || strstr(path, "//") || strcmp(path, "..") == 0 || strncmp(path, "../", 3) == 0 || strstr(path, "/../"))
		abort();
}

static void try_stanza(const struct deb_text *stanza)
{
	auto_deb_package struct deb_package package = { 0 }, again = { 0 };
	auto_buf struct buf text = BUF_INIT(64u << 20);
	struct err e = { 0 };

	if (deb_package_parse(stanza, &package, &e) < 0)
		return;
	check_path(package.path);
	if (deb_put(&text, stanza, "Filename", "./x.deb", &e) < 0)
		abort();

	const struct deb_text rewritten = { text.ptr, text.len };

	if (deb_package_parse(&rewritten, &again, &e) < 0 || strcmp(again.path, "x.deb") != 0 ||
	    strcmp(again.name, package.name) != 0 || strcmp(again.version, package.version) != 0 ||
	    !digest_eq(&again.sha256, &package.sha256))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_deb_release struct deb_release release = { 0 };
	struct deb_text rest = { (const char *)p, n }, stanza;
	struct err e = { 0 };

	if (deb_release_parse((const char *)p, n, &release, &e) == 0)
		for (size_t i = 0; i < release.n; i++)
			if (!deb_release_find(&release, release.items[i].path))
				abort();
	while (deb_next(&rest, &stanza))
		try_stanza(&stanza);
	return 0;
}
