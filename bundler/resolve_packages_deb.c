/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_packages.h"

#include <airgap/deb.h>
#include <airgap/gpgv.h>

#include <time.h>

#define TEXT_MAX (64u << 20)    /* of our Packages, before it is refused */

static bool is_flat(const struct manifest_packages *m)
{
	return str_ends(m->suite, "/");
}

/* The folder of Release below the repository: "dists/bookworm", or that of a flat one, "" at its top. */
static char *release_folder(const struct manifest_packages *m)
{
	if (!is_flat(m))
		return xasprintf("dists/%s", m->suite);

	const char *at = m->suite + (str_starts(m->suite, "./") ? 2 : 0);
	size_t n = strlen(at);

	return xstrndup(at, n ? n - 1 : 0);
}

static char *below(const char *folder, const char *name)
{
	return *folder ? xasprintf("%s/%s", folder, name) : xstrdup(name);
}

/* ---- Release, and who says so */

static int get(const struct package_source *s, const char *folder, const char *name, struct buf *out, struct err *e)
{
	auto_free char *path = below(folder, name);

	return package_source_get(s, path, out, e);
}

static int read_detached(const struct package_source *s, const char *folder, const char *keyring, struct buf *out,
			 struct err *e)
{
	auto_buf struct buf signature = BUF_INIT(1u << 20);
	int there = get(s, folder, "Release", out, e);

	if (there < 0)
		return -1;
	if (!there && keyring)
		return err_set(e, ERR_UNSIGNED, "'%s/%s' has neither InRelease nor Release: is the address right? Where nothing is "
			       "signed, write trusted: true", s->url, folder);
	if (!there || !keyring)
		return there;
	there = get(s, folder, "Release.gpg", &signature, e);
	if (there < 0)
		return -1;
	if (!there)
		return err_set(e, ERR_UNSIGNED, "Release is not signed: there is neither InRelease nor Release.gpg");
	if (gpgv_detached(keyring, buf_str(out), out->len, buf_str(&signature), signature.len, e) < 0)
		return err_wrap(e, "Release");
	return 1;
}

/* 1: out is what is signed, or may go without. 0: there is none, and nobody asked for one. */
static int read_release(const struct package_source *s, const char *folder, struct buf *out, struct err *e)
{
	auto_free char *keyring = package_source_keyring(s);
	auto_buf struct buf message = BUF_INIT(DEB_RELEASE_MAX);
	int there = get(s, folder, "InRelease", &message, e);

	if (there <= 0)
		return there < 0 ? -1 : read_detached(s, folder, keyring, out, e);
	if (keyring)
		there = gpgv_clear(keyring, buf_str(&message), message.len, out, e) < 0 ? -1 : 1;
	else
		there = gpgv_clear_text(buf_str(&message), message.len, out, e);
	if (there == 0)
		return err_set(e, ERR_MALFORMED, "InRelease: is no signed text");
	return there < 0 ? err_wrap(e, "InRelease") : 1;
}

static bool is_named(const struct deb_release *r, const char *suite)
{
	size_t n = strcspn(suite, "/");         /* "bookworm/updates" */
	const char *const names[] = { r->suite, r->codename };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i] && (strcmp(names[i], suite) == 0 || (strncmp(names[i], suite, n) == 0 && !names[i][n])))
			return true;
	return !r->suite && !r->codename;
}

static int check_release(const struct package_source *s, const struct deb_release *r, struct err *e)
{
	const struct manifest_packages *m = &s->at;
	char when[24];

	/* Vendors write what they like there; apt tells, and takes it. */
	if (!is_flat(m) && !is_named(r, m->suite))
		run_warn(s->run, "packages '%s': suite '%s' calls itself '%s' (%s)", m->name, m->suite, r->suite ? r->suite : "",
			 r->codename ? r->codename : "");
	if (!r->valid_until || r->valid_until >= (int64_t)time(NULL))
		return 0;
	manifest_time(r->valid_until, when);
	if (m->keyring)
		return err_set(e, ERR_POLICY, "Release: was valid until %s: the mirror is out of date, or gives an old version on "
			       "purpose", when);
	run_warn(s->run, "packages '%s': what '%s' says was valid until %s", m->name, s->url, when);
	return 0;
}

/* ---- Packages */

static const char *const endings[] = { ".xz", ".zst", ".gz", "" };

/* r NULL: there is no Release, and whatever is there is taken. */
static int read_index(struct package_source *s, const struct deb_release *r, const char *component, struct err *e)
{
	auto_free char *name = component ? xasprintf("%s/binary-%s/Packages", component, s->at.architecture) : xstrdup("Packages");

	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		auto_free char *path = xasprintf("%s%s", name, endings[i]);
		auto_free char *full = below(s->folder, path);
		const struct deb_index *ix = r ? deb_release_find(r, path) : NULL;
		int there = 0;

		if (ix || !r)
			there = package_source_index(s, full, ix ? &ix->sha256 : NULL, ix ? ix->size : UINT64_MAX, e);
		if (there)
			return MIN(there, 0);
	}
	return err_set(e, ERR_USAGE, "'%s/%s' has no %s: are components and architecture right?", s->url, s->folder, name);
}

int package_source_read_deb(struct package_source *s, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(DEB_RELEASE_MAX);
	auto_deb_release struct deb_release release = { 0 };
	const struct strv *components = &s->at.components;
	int there;

	s->folder = release_folder(&s->at);
	there = read_release(s, s->folder, &text, e);
	if (there < 0)
		return -1;
	if (there && deb_release_parse(buf_str(&text), text.len, &release, e) < 0)
		return err_wrap(e, "Release");
	if (there && check_release(s, &release, e) < 0)
		return -1;
	s->said = release.date ? xstrdup(release.date) : NULL;
	for (size_t i = 0; i < MAX(components->n, 1u); i++)
		if (read_index(s, there ? &release : NULL, components->n ? components->items[i] : NULL, e) < 0)
			return -1;
	return 0;
}

/* ---- what is carried */

static int take(struct package_repo *repo, const struct package_source *s, const struct deb_text *stanza, struct buf *index,
		struct err *e)
{
	auto_deb_package struct deb_package p = { 0 };
	auto_free char *title = NULL, *name = NULL;
	struct deb_text given;

	/* Most stanzas are of no interest: their names say so before all of them is read. */
	if (!deb_field(stanza, "Package", &given))
		return 0;
	name = xstrndup(given.p, given.n);
	if (!depsolver_picks_named(&repo->picks, name))
		return 0;
	if (deb_package_parse(stanza, &p, e) < 0)
		return -1;

	/* Filename is below the repository's address, also where a flat one's index is in a folder. */
	const struct oci_blob blob = { p.sha256, p.size };
	const struct depsolver_pick package = { p.name, p.version, p.architecture };
	int mine = package_repo_take(repo, s, &package, p.path, &blob, &title, e);

	if (mine <= 0)
		return mine;

	auto_free char *here = xasprintf("./%s", title);
	auto_json json_t *text = json_stringn(stanza->p, stanza->n);

	/* It will stand in the lock. */
	if (!text)
		return err_set(e, ERR_MALFORMED, "'%s': its entry in Packages is not UTF-8", p.name);
	if (deb_put(index, stanza, "Filename", here, e) < 0)
		return -1;
	return buf_add(index, "\n", 1, e);
}

/* Everything in it follows from Packages and upstream's date, so that the same packages are the same artifact. */
static int add_release(struct package_repo *repo, const struct buf *packages, struct err *e)
{
	const struct package_source *first = &repo->sources[0];
	auto_buf struct buf text = BUF_INIT(1u << 20);
	const struct digest d = digest_of(buf_str(packages), packages->len);
	char hex[DIGEST_HEX];

	buf_putf(&text, "Origin: airgap\nLabel: %s\nSuite: %s\nArchitectures: %s\nDate: %s\n", repo->entry->name,
		 is_flat(&first->at) ? "stable" : first->at.suite, repo->entry->architecture,
		 first->said ? first->said : "Thu, 01 Jan 1970 00:00:00 UTC");
	buf_putf(&text, "SHA256:\n %s %zu Packages\n", digest_hex(&d, hex), packages->len);
	return package_repo_add_text(repo, "Release", &text, e);
}

static int take_all(struct package_repo *repo, const struct package_source *s, struct buf *packages, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		struct deb_text rest = { s->indexes[i].p, s->indexes[i].n }, stanza;

		while (deb_next(&rest, &stanza))
			if (take(repo, s, &stanza, packages, e) < 0)
				return err_wrap(e, "'%s'", s->url);
	}
	return 0;
}

int package_repo_fill_deb(struct package_repo *repo, struct err *e)
{
	auto_buf struct buf packages = BUF_INIT(TEXT_MAX);

	for (size_t i = 0; i < repo->n_sources; i++)
		if (take_all(repo, &repo->sources[i], &packages, e) < 0)
			return -1;
	if (package_repo_add_text(repo, "Packages", &packages, e) < 0)
		return -1;
	return add_release(repo, &packages, e);
}
