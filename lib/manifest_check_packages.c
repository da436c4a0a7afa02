/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest_check.h"

#include <airgap/url.h>

#include <ctype.h>

#define REPOSITORIES_MAX 16u    /* in one entry */
#define WORD_MAX         128u

/* A word in a path of the repository. */
static bool word_ok(const char *s, const char *more)
{
	if (!*s || *s == '-' || strlen(s) > WORD_MAX || strstr(s, ".."))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("._+~:-", *s) && !strchr(more, *s))
			return false;
	return true;
}

static int check_suite(const struct manifest_packages *x, struct err *e)
{
	bool deb = strcmp(x->type, "deb") == 0, flat = x->suite && str_ends(x->suite, "/");

	if (!deb && (x->suite || x->components.n))
		return err_set(e, ERR_MALFORMED, "suite and components belong to type: deb");
	if (!deb)
		return 0;
	if (!x->suite || !word_ok(x->suite, "/") || *x->suite == '/')
		return err_set(e, ERR_MALFORMED, "suite: write its name (\"bookworm\"), or \"./\" for a flat repository");
	if (flat == (x->components.n > 0))
		return err_set(e, ERR_MALFORMED, "components: %s", flat ? "a flat repository has none" : "write [main]");
	for (size_t i = 0; i < x->components.n; i++)
		if (!word_ok(x->components.items[i], "/") || *x->components.items[i] == '/')
			return err_set(e, ERR_MALFORMED, "components: '%s' is none", x->components.items[i]);
	return 0;
}

static int check_package_names(const struct manifest_packages *x, struct err *e)
{
	if (!x->install.n)
		return err_set(e, ERR_MALFORMED, "install: names no packages");
	for (size_t i = 0; i < x->install.n; i++)
		if (!word_ok(x->install.items[i], "={}()[]/"))
			return err_set(e, ERR_MALFORMED, "install: '%s' is no NAME or NAME=VERSION", x->install.items[i]);
	for (size_t i = 0; i < x->present.n; i++)
		if (!word_ok(x->present.items[i], "=()[]/"))
			return err_set(e, ERR_MALFORMED, "present: '%s' is no NAME or NAME=VERSION", x->present.items[i]);
	return 0;
}

static int check_repository(const struct manifest_packages *x, struct err *e)
{
	auto_url struct url u = { 0 };

	if (url_parse(x->url, "url", &u, e) < 0)
		return -1;
	if (u.query)
		return err_set(e, ERR_MALFORMED, "url: takes no query");
	if (!x->keyring == !x->trusted)
		return err_set(e, ERR_MALFORMED, "%s", x->trusted ? "keyring and trusted: true: give only one of them" :
			       "keyring is missing: the file with the keys that sign the repository; where nothing is signed, "
			       "write trusted: true");
	return check_suite(x, e);
}

int manifest_check_package(const struct manifest_packages *x, struct err *e)
{
	if (strcmp(x->type, "deb") != 0 && strcmp(x->type, "rpm") != 0)
		return err_set(e, ERR_MALFORMED, "type: '%s' is neither deb nor rpm", x->type);
	if (!word_ok(x->architecture, ""))
		return err_set(e, ERR_MALFORMED, "architecture: '%s' is none: write amd64 or x86_64", x->architecture);
	if (x->n_more > REPOSITORIES_MAX)
		return err_set(e, ERR_LIMIT, "more: takes at most %u repositories", REPOSITORIES_MAX);
	for (size_t i = 0; i <= x->n_more; i++) {
		const struct manifest_packages at = manifest_packages_at(x, i);

		if (check_repository(&at, e) < 0)
			return i ? err_wrap(e, "more[%zu]", i - 1) : -1;
	}
	return check_package_names(x, e);
}
