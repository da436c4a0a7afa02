/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest_check.h"

#include <airgap/facts.h>
#include <airgap/http.h>
#include <airgap/platform.h>
#include <airgap/ref.h>
#include <airgap/semver.h>
#include <airgap/url.h>

#include <ctype.h>

#define NAME_LENGTH 128u        /* of names and versions, as in contents */
#define AUDIENCE_MAX 16u

struct check {
	const struct manifest *m;
	const struct manifest_place *place;
	struct err *e;
};

/* In front of what is wrong: "bundle.yaml:12: …", in whatever file it stands. */
static int bad_at(const struct check *c, const json_t *container, const char *key, size_t i)
{
	auto_free char *where = ydoc_where(c->place->marks, container, key, i, c->place->subject);

	return *where ? err_wrap(c->e, "%s", where) : -1;
}

/* An entry of a list: "bundle.yaml:12: charts[1] 'api': …". name may be NULL. */
static int bad_entry(const struct check *c, const json_t *list, const char *key, size_t i, const char *name)
{
	if (name)
		err_wrap(c->e, "%s[%zu] '%s'", key, i, name);
	else
		err_wrap(c->e, "%s[%zu]", key, i);
	return bad_at(c, list, NULL, i);
}

/* A key of a map: "bundle.yaml:3: metadata.expires: …". */
static int bad_key(const struct check *c, const json_t *map, const char *path, const char *key)
{
	err_wrap(c->e, "%s%s%s", path, *path ? "." : "", key);
	return bad_at(c, map, key, 0);
}

/* ---- words */

/* What goes into the signed statement: printable ASCII without quote and backslash. */
static int check_text(const char *s, struct err *e)
{
	size_t n = strlen(s);

	if (n == 0 || n > NAME_LENGTH)
		return err_set(e, ERR_MALFORMED, "takes 1 to %u characters", NAME_LENGTH);
	for (; *s; s++)
		if (*s < ' ' || *s > '~' || *s == '"' || *s == '\\')
			return err_set(e, ERR_MALFORMED, "takes printable ASCII without '\"' and '\\'");
	return 0;
}

/* Names of charts and files become the last component of a repository's path. */
static int check_name(const char *name, struct err *e)
{
	if (strlen(name) > NAME_LENGTH || strchr(name, '/') || !ref_path_ok(name))
		return err_set(e, ERR_UNSAFE, "name: takes a-z, 0-9 and single '.', '_' or '-' between them");
	return 0;
}

static int check_platforms(const struct strv *v, struct err *e)
{
	struct platform p;

	for (size_t i = 0; i < v->n; i++) {
		if (strcmp(v->items[i], "all") == 0 && v->n > 1)
			return err_set(e, ERR_MALFORMED, "platforms: 'all' stands alone");
		if (strcmp(v->items[i], "all") != 0 && platform_parse(v->items[i], &p, e) < 0)
			return err_wrap(e, "platforms");
	}
	return 0;
}

/* ---- the head */

/* The bundle's name stands in file names, messages and Kubernetes labels. */
static int check_bundle_name(const char *s, struct err *e)
{
	if (check_text(s, e) < 0)
		return -1;
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && (p == s || !p[1] || !strchr("._-", *p)))
			return err_set(e, ERR_MALFORMED, "'%s': takes letters and digits, and '.', '_', '-' between them", s);
	return 0;
}

static int check_metadata_key(const struct check *c, const char *key, const char *value)
{
	if (!value || check_text(value, c->e) == 0)
		return 0;
	return bad_key(c, json_object_get(c->place->doc, "metadata"), "metadata", key);
}

static int check_metadata(const struct check *c)
{
	const struct manifest_metadata *d = &c->m->metadata;
	const json_t *map = json_object_get(c->place->doc, "metadata");
	char text[24];

	if (d->name && check_bundle_name(d->name, c->e) < 0)
		return bad_key(c, map, "metadata", "name");
	if (check_metadata_key(c, "version", d->version) < 0 ||
	    check_metadata_key(c, "stream", d->stream) < 0)
		return -1;
	for (size_t i = 0; i < d->audience.n; i++)
		if (check_metadata_key(c, "audience", d->audience.items[i]) < 0)
			return -1;
	if (d->audience.n > AUDIENCE_MAX) {
		err_set(c->e, ERR_LIMIT, "takes at most %u names", AUDIENCE_MAX);
		return bad_key(c, map, "metadata", "audience");
	}
	/* Whether the day has passed is for the lock, which knows the time. */
	if (!manifest_expiry(d->expires, 0, text)) {
		err_set(c->e, ERR_MALFORMED, "'%s': write 180d, 2027-01-31 or 2027-01-31T00:00:00Z", d->expires);
		return bad_key(c, map, "metadata", "expires");
	}
	return 0;
}

static int check_kubernetes(const struct check *c)
{
	struct semver v;

	if (c->m->kubernetes.version && !semver_parse(c->m->kubernetes.version, 0, &v)) {
		err_set(c->e, ERR_MALFORMED, "'%s': write a version such as \"1.32\"", c->m->kubernetes.version);
		return bad_key(c, json_object_get(c->place->doc, "kubernetes"), "kubernetes", "version");
	}
	return 0;
}

/* Both sides of an alias are names: a host, or a host and the beginning of a path. */
static int check_alias(const char *from, const json_t *to, struct err *e)
{
	auto_ref struct ref a = { 0 }, b = { 0 };

	if (!json_is_string(to))
		return err_set(e, ERR_MALFORMED, "must be a string");

	/* Two components: one alone gets `library/` on Docker Hub. */
	auto_free char *left = xasprintf("%s/x/x", from);
	auto_free char *right = xasprintf("%s/x/x", json_string_value(to));
	struct err why;

	if (ref_parse(left, &a, &why) < 0 || ref_parse(right, &b, &why) < 0 || a.tag || b.tag)
		return err_set(e, ERR_MALFORMED, "takes HOST[/PATH]: HOST[/PATH], without https:// and without a final '/'");

	auto_free char *normal = ref_name(&a);

	if (strcmp(normal, left) != 0)
		return err_set(e, ERR_MALFORMED, "the name is written '%.*s'", (int)(strlen(normal) - 4), normal);
	return 0;
}

static int check_aliases(const struct check *c)
{
	const char *from;
	json_t *to;

	if (c->m->aliases && !json_is_object(c->m->aliases)) {
		err_set(c->e, ERR_MALFORMED, "must be a map");
		return bad_key(c, c->place->doc, "", "aliases");
	}
	json_object_foreach(c->m->aliases, from, to)
		if (check_alias(from, to, c->e) < 0)
			return bad_key(c, c->m->aliases, "aliases", from);
	return 0;
}

static int check_hosts(const struct check *c)
{
	for (size_t i = 0; i < c->m->n_hosts; i++)
		if (manifest_check_host(&c->m->hosts[i], c->e) < 0)
			return bad_key(c, json_object_get(c->place->doc, "hosts"), "hosts", c->m->hosts[i].host);
	return 0;
}

/* ---- charts */

static int check_repository(const char *text, struct err *e)
{
	auto_url struct url u = { 0 };

	if (str_starts(text, "oci://")) {
		auto_ref struct ref r = { 0 };
		auto_free char *name = xasprintf("%s/x", text + strlen("oci://"));

		if (ref_parse(name, &r, e) < 0 || r.tag)
			return err_set(e, ERR_MALFORMED, "repository: '%s' is no address: write oci://HOST/PATH", text);
		return 0;
	}
	if (str_starts(text, "git+"))
		return manifest_check_git_address(text + strlen("git+"), e) < 0 ? err_wrap(e, "repository") : 0;
	if (!str_starts(text, "https://") && !str_starts(text, "http://"))
		return err_set(e, ERR_MALFORMED, "repository: begins with https://, http://, oci:// or git+https://");
	return url_parse(text, "repository", &u, e);
}

/* ref and path say where in a git repository. */
static int check_place(const char *repository, const char *ref, const char *path, struct err *e)
{
	bool git = repository && str_starts(repository, "git+");

	if (!git && (ref || (repository && path)))
		return err_set(e, ERR_MALFORMED, "ref and path belong to a git repository: write git+https://…");
	if (git && ref && manifest_check_ref(ref, e) < 0)
		return -1;
	return git && path ? manifest_check_tree_path(path, e) : 0;
}

static int check_sources(const struct manifest_chart *c, struct err *e)
{
	for (size_t i = 0; i < c->n_sources; i++) {
		const struct manifest_source *s = &c->sources[i];

		if (check_repository(s->repository, e) < 0 || check_place(s->repository, s->ref, s->path, e) < 0)
			return err_wrap(e, "sources[%zu]", i);
		if (s->when && !(str_starts(s->when, "env:") && s->when[4]))
			return err_set(e, ERR_MALFORMED, "sources[%zu]: when: '%s': write env:NAME", i, s->when);
	}
	return 0;
}

static int check_chart(const struct manifest_chart *c, struct err *e)
{
	bool git = c->repository && str_starts(c->repository, "git+");
	int places = !!c->repository + (c->path && !git) + !!c->n_sources;

	if (check_name(c->name, e) < 0)
		return -1;
	if (places != 1)
		return err_set(e, ERR_MALFORMED, "%s repository, path or sources", places ? "give only one of" : "needs");
	if (c->repository && check_repository(c->repository, e) < 0)
		return -1;
	if (check_place(c->repository, c->ref, c->path, e) < 0)
		return -1;
	if (c->keyring && git)
		return err_set(e, ERR_MALFORMED, "keyring: a folder of a git repository has no provenance file");
	if (c->version && semver_check(c->version, e) < 0)
		return err_wrap(e, "version");
	if (c->patch.kube_version && semver_check(c->patch.kube_version, e) < 0)
		return err_wrap(e, "patch.kubeVersion");
	return check_sources(c, e);
}

static int check_charts(const struct check *c)
{
	const json_t *list = json_object_get(c->place->doc, "charts");

	for (size_t i = 0; i < c->m->n_charts; i++) {
		const struct manifest_chart *x = &c->m->charts[i];

		if (check_chart(x, c->e) < 0)
			return bad_entry(c, list, "charts", i, x->name);
		if (manifest_chart(c->m, x->name) != x) {
			err_set(c->e, ERR_MALFORMED, "stands there twice");
			return bad_entry(c, list, "charts", i, x->name);
		}
	}
	return 0;
}

/* ---- images and files */

/* An image of our making has no digest before it is made. */
static int check_made(const struct manifest_image *x, const struct ref *r, struct err *e)
{
	auto_ref struct ref base = { 0 };

	if (!x->base)
		return x->add.n ? err_set(e, ERR_MALFORMED, "add: needs base, the image that the files are added to") : 0;
	if (x->layout)
		return err_set(e, ERR_MALFORMED, "give only one of layout and base");
	if (!x->add.n)
		return err_set(e, ERR_MALFORMED, "base: needs add, the files that are added to it");
	if (r->has_digest)
		return err_set(e, ERR_MALFORMED, "an image that is made has no digest yet: write NAME:TAG");
	if (ref_parse(x->base, &base, e) < 0)
		return err_wrap(e, "base");
	if (!base.tag && !base.has_digest)
		return err_set(e, ERR_MALFORMED, "base: needs a tag or a digest: write %s:TAG", x->base);
	return 0;
}

static int check_image(const struct manifest *m, const struct manifest_image *x, struct err *e)
{
	auto_ref struct ref r = { 0 };

	if (ref_parse(x->ref, &r, e) < 0)
		return -1;
	if (!r.tag && !r.has_digest)
		return err_set(e, ERR_MALFORMED, "needs a tag or a digest: write %s:TAG", x->ref);
	for (size_t i = 0; i < x->tags.n; i++)
		if (!ref_tag_ok(x->tags.items[i]))
			return err_set(e, ERR_MALFORMED, "tags: '%s' is no tag", x->tags.items[i]);
	for (const struct manifest_image *other = m->images; other < x; other++) {
		auto_ref struct ref o = { 0 };

		if (ref_parse(other->ref, &o, e) < 0)
			return -1;
		if (ref_eq(&o, &r))
			return err_set(e, ERR_MALFORMED, "stands there twice");
	}
	return check_made(x, &r, e) < 0 ? -1 : check_platforms(&x->platforms, e);
}

static int check_images(const struct check *c)
{
	for (size_t i = 0; i < c->m->n_images; i++)
		if (check_image(c->m, &c->m->images[i], c->e) < 0)
			return bad_entry(c, json_object_get(c->place->doc, "images"), "images", i, c->m->images[i].ref);
	return 0;
}

static int check_mode(const char *mode, struct err *e)
{
	if (mode && (strlen(mode) != 3 || strspn(mode, "01234567") != 3))
		return err_set(e, ERR_MALFORMED, "mode: '%s' is not three octal digits: write \"755\" without a leading 0", mode);
	return 0;
}

static int check_file(const struct manifest_file *f, struct err *e)
{
	int places = !!f->url + !!f->path + !!f->image;
	auto_url struct url u = { 0 };
	auto_ref struct ref r = { 0 };
	struct platform p;
	struct digest d;

	if (check_name(f->name, e) < 0)
		return -1;
	if (places != 1)
		return err_set(e, ERR_MALFORMED, "%s url, path or image", places ? "give only one of" : "needs");
	if (f->image && ref_parse(f->image, &r, e) < 0)
		return err_wrap(e, "image");
	if (f->image && !r.tag && !r.has_digest)
		return err_set(e, ERR_MALFORMED, "image: needs a tag or a digest: write %s:TAG", f->image);
	if (f->image && !f->member)
		return err_set(e, ERR_MALFORMED, "image: needs member, the file in it");
	if (f->url && url_parse(f->url, "url", &u, e) < 0)
		return -1;
	if (f->url && !f->sha256)
		return err_set(e, ERR_MALFORMED, "sha256 is missing: what comes from a server is carried only by its hash");
	if (f->sha256 && !digest_parse_hex(f->sha256, strlen(f->sha256), &d))
		return err_set(e, ERR_MALFORMED, "sha256: takes 64 lower-case hex digits");
	if (f->role && strcmp(f->role, "tool") != 0)
		return err_set(e, ERR_MALFORMED, "role: '%s' is not 'tool'", f->role);
	if (f->platform && platform_parse(f->platform, &p, e) < 0)
		return -1;
	return check_mode(f->mode, e);
}

static int check_files(const struct check *c)
{
	const json_t *list = json_object_get(c->place->doc, "files");

	for (size_t i = 0; i < c->m->n_files; i++) {
		const struct manifest_file *x = &c->m->files[i];

		if (check_file(x, c->e) < 0)
			return bad_entry(c, list, "files", i, x->name);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(c->m->files[k].name, x->name) != 0 || !str_eq(c->m->files[k].platform, x->platform))
				continue;
			err_set(c->e, ERR_MALFORMED, "stands there twice for one platform");
			return bad_entry(c, list, "files", i, x->name);
		}
	}
	return 0;
}

/* ---- git and Python */

static int check_gits(const struct check *c)
{
	const json_t *list = json_object_get(c->place->doc, "git");

	for (size_t i = 0; i < c->m->n_git; i++) {
		const struct manifest_git *g = &c->m->git[i];
		bool twice = false;

		for (size_t k = 0; k < i; k++)
			twice = twice || strcmp(c->m->git[k].name, g->name) == 0;
		if (twice)
			err_set(c->e, ERR_MALFORMED, "stands there twice");
		if (twice || check_name(g->name, c->e) < 0 || manifest_check_git(g, c->e) < 0)
			return bad_entry(c, list, "git", i, g->name);
	}
	return 0;
}

static int check_pythons(const struct check *c)
{
	const json_t *list = json_object_get(c->place->doc, "python");

	for (size_t i = 0; i < c->m->n_python; i++) {
		const struct manifest_python *p = &c->m->python[i];
		bool twice = false;

		for (size_t k = 0; k < i; k++)
			twice = twice || strcmp(c->m->python[k].name, p->name) == 0;
		if (twice)
			err_set(c->e, ERR_MALFORMED, "stands there twice");
		if (twice || check_name(p->name, c->e) < 0 || manifest_check_python(p, c->e) < 0)
			return bad_entry(c, list, "python", i, p->name);
	}
	return 0;
}

/* ---- OS packages */

static int check_packages(const struct check *c)
{
	const json_t *list = json_object_get(c->place->doc, "packages");

	for (size_t i = 0; i < c->m->n_packages; i++) {
		const struct manifest_packages *x = &c->m->packages[i];

		if (check_name(x->name, c->e) < 0 || manifest_check_package(x, c->e) < 0)
			return bad_entry(c, list, "packages", i, x->name);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(c->m->packages[k].name, x->name) != 0)
				continue;
			err_set(c->e, ERR_MALFORMED, "stands there twice");
			return bad_entry(c, list, "packages", i, x->name);
		}
	}
	return 0;
}

/* ---- discovery */

/* "rhel", or "rhel>=10": these versions of it. */
static int check_major(const char *entry, struct err *e)
{
	size_t id = strcspn(entry, "<>=~^! ");

	if (!id || strspn(entry, "abcdefghijklmnopqrstuvwxyz0123456789._-") < id)
		return err_set(e, ERR_MALFORMED, "major: '%s': write an ID of os-release (\"rhel\"), versions may follow (\"rhel>=10\")", entry);
	return entry[id] && semver_check(entry + id, e) < 0 ? err_wrap(e, "major") : 0;
}

static int check_os_tag(const struct manifest_os_tag *t, struct err *e)
{
	if (t->versions && semver_check(t->versions, e) < 0)
		return err_wrap(e, "versions");
	for (size_t i = 0; i < t->major.n; i++)
		if (check_major(t->major.items[i], e) < 0)
			return -1;
	return 0;
}

static int check_discover(const struct check *c)
{
	const json_t *discover = json_object_get(c->place->doc, "discover");

	for (size_t i = 0; i < c->m->discover.n_rules; i++)
		if (scan_rule_check(&c->m->discover.rules[i], c->e) < 0)
			return bad_entry(c, json_object_get(discover, "rules"), "discover.rules", i, NULL);
	for (size_t i = 0; i < c->m->discover.n_os_tags; i++)
		if (check_os_tag(&c->m->discover.os_tags[i], c->e) < 0)
			return bad_entry(c, json_object_get(discover, "osTags"), "discover.osTags", i, c->m->discover.os_tags[i].chart);
	return 0;
}

static int check_facts(const struct check *c)
{
	auto_facts struct facts f = { 0 };

	if (!c->m->facts)
		return 0;
	if (!json_is_object(c->m->facts)) {
		err_set(c->e, ERR_MALFORMED, "must be a map");
		return bad_key(c, c->place->doc, "", "facts");
	}
	return facts_decode(c->m->facts, c->place->marks, c->place->subject ? c->place->subject : "manifest", &f, c->e);
}

int manifest_check_at(const struct manifest *m, const struct manifest_place *place, struct err *e)
{
	const struct check c = { m, place, e };

	if (check_metadata(&c) < 0 || check_kubernetes(&c) < 0)
		return -1;
	if (check_platforms(&m->platforms, e) < 0)
		return bad_at(&c, place->doc, "platforms", 0);
	if (check_aliases(&c) < 0 || check_hosts(&c) < 0 || check_charts(&c) < 0 || check_images(&c) < 0)
		return -1;
	if (check_files(&c) < 0 || check_packages(&c) < 0 || check_gits(&c) < 0 || check_pythons(&c) < 0 || check_discover(&c) < 0)
		return -1;
	return check_facts(&c);
}

int manifest_check(const struct manifest *m, struct err *e)
{
	static const struct manifest_place nowhere;

	return manifest_check_at(m, &nowhere, e);
}
