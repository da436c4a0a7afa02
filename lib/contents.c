/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/contents.h>
#include <airgap/oci.h>
#include <airgap/platform.h>
#include <airgap/ref.h>

#define NAME_MAX_LEN 128u       /* of a bundle, a version, a chart, a file */

static const struct field reason_fields[] = {
	F_STR(struct content_reason, chart, "chart", 0),
	F_STR(struct content_reason, file, "file", 0),
	F_STR(struct content_reason, kind, "kind", 0),
	F_STR(struct content_reason, path, "path", 0),
	{ 0 }
};
static const struct type reason_type = TYPE(struct content_reason, reason_fields);

static const struct field child_fields[] = {
	F_STR(struct content_child, platform, "platform", 0),
	F_DIGEST(struct content_child, digest, "digest", F_REQUIRED),
	F_BOOL(struct content_child, carried, "carried", 0),
	{ 0 }
};
static const struct type child_type = TYPE(struct content_child, child_fields);

static const struct field referrer_fields[] = {
	F_DIGEST(struct content_referrer, digest, "digest", F_REQUIRED),
	F_STR(struct content_referrer, media_type, "mediaType", F_REQUIRED),
	F_STR(struct content_referrer, artifact_type, "artifactType", 0),
	F_STR(struct content_referrer, tag, "tag", 0),
	{ 0 }
};
static const struct type referrer_type = TYPE(struct content_referrer, referrer_fields);

static const struct field image_fields[] = {
	F_STR(struct content_image, ref, "ref", F_REQUIRED),
	F_STR(struct content_image, source, "source", 0),
	F_STR(struct content_image, media_type, "mediaType", F_REQUIRED),
	F_DIGEST(struct content_image, digest, "digest", F_REQUIRED),
	F_DIGEST(struct content_image, target, "target", F_REQUIRED),
	F_LIST(struct content_image, children, n_children, "children", child_type, 0),
	F_STRV(struct content_image, tags, "tags", 0),
	F_LIST(struct content_image, referrers, n_referrers, "referrers", referrer_type, 0),
	F_U64(struct content_image, size, "size", 0),
	F_LIST(struct content_image, reasons, n_reasons, "reasons", reason_type, 0),
	F_JSON(struct content_image, notes, "notes", 0),
	{ 0 }
};
static const struct type image_type = TYPE(struct content_image, image_fields);

static const struct field chart_fields[] = {
	F_STR(struct content_chart, name, "name", F_REQUIRED),
	F_STR(struct content_chart, version, "version", F_REQUIRED),
	F_STR(struct content_chart, app_version, "appVersion", 0),
	F_STR(struct content_chart, kube_version, "kubeVersion", 0),
	F_STR(struct content_chart, role, "role", F_REQUIRED),
	F_STR(struct content_chart, origin, "origin", 0),
	F_DIGEST(struct content_chart, digest, "digest", F_REQUIRED),
	F_DIGEST(struct content_chart, archive, "archive", F_REQUIRED),
	F_U64(struct content_chart, size, "size", 0),
	{ 0 }
};
static const struct type chart_type = TYPE(struct content_chart, chart_fields);

static const struct field file_fields[] = {
	F_STR(struct content_file, name, "name", F_REQUIRED),
	F_STR(struct content_file, file, "file", F_REQUIRED),
	F_STR(struct content_file, role, "role", 0),
	F_STR(struct content_file, mode, "mode", 0),
	F_STR(struct content_file, platform, "platform", 0),
	F_STR(struct content_file, origin, "origin", 0),
	F_DIGEST(struct content_file, digest, "digest", F_REQUIRED),
	F_DIGEST(struct content_file, blob, "blob", F_REQUIRED),
	F_U64(struct content_file, size, "size", 0),
	{ 0 }
};
static const struct type file_type = TYPE(struct content_file, file_fields);

static const struct field set_fields[] = {
	F_STR(struct content_set, kind, "kind", F_REQUIRED),
	F_STR(struct content_set, name, "name", F_REQUIRED),
	F_STR(struct content_set, type, "type", F_REQUIRED),
	F_STR(struct content_set, platform, "platform", 0),
	F_STR(struct content_set, origin, "origin", 0),
	F_DIGEST(struct content_set, digest, "digest", F_REQUIRED),
	F_U64(struct content_set, files, "files", 0),
	F_U64(struct content_set, size, "size", 0),
	F_JSON(struct content_set, notes, "notes", 0),
	{ 0 }
};
static const struct type set_type = TYPE(struct content_set, set_fields);

static const struct field contents_fields[] = {
	F_STR(struct contents, name, "name", F_REQUIRED),
	F_STR(struct contents, version, "version", F_REQUIRED),
	F_STR(struct contents, builder, "builder", 0),
	F_STRV(struct contents, platforms, "platforms", 0),
	F_STR(struct contents, kube_version, "kubeVersion", 0),
	F_STRV(struct contents, api_versions, "apiVersions", 0),
	F_JSON(struct contents, facts, "facts", 0),
	F_STR(struct contents, site, "site", 0),
	F_JSON(struct contents, site_values, "siteValues", 0),
	F_LIST(struct contents, images, n_images, "images", image_type, 0),
	F_LIST(struct contents, charts, n_charts, "charts", chart_type, 0),
	F_LIST(struct contents, files, n_files, "files", file_type, 0),
	F_LIST(struct contents, sets, n_sets, "sets", set_type, 0),
	F_JSON(struct contents, rules, "rules", 0),
	F_JSON(struct contents, not_carried, "notCarried", 0),
	{ 0 }
};
const struct type contents_type = TYPE(struct contents, contents_fields);

int contents_parse(const void *p, size_t n, const char *subject, struct contents *out, struct err *e)
{
	auto_json json_t *j = jdoc_parse(p, n, CONTENTS_MAX, subject, e);
	auto_contents struct contents c = { 0 };

	if (!j || decode(&contents_type, j, NULL, subject, &c, e) < 0)
		return -1;
	if (contents_check(&c, e) < 0)
		return err_wrap(e, "%s", subject);
	*out = c;
	memset(&c, 0, sizeof(c));
	return 0;
}

int contents_dump(const struct contents *c, struct buf *out, struct err *e)
{
	auto_json json_t *j = encode(&contents_type, c);
	auto_buf struct buf b = BUF_INIT(CONTENTS_MAX);

	if (jdoc_dump(j, &b, e) < 0)
		return err_wrap(e, "description of the bundle");
	return buf_add(out, b.ptr, b.len, e);
}

void contents_release(struct contents *c)
{
	decode_free(&contents_type, c);
}

void content_set_release(struct content_set *s)
{
	decode_free(&set_type, s);
}

/* ---- order */

static int compare_images(const void *a, const void *b)
{
	const struct content_image *x = a, *y = b;

	return strcmp(x->ref, y->ref);
}

static int compare_charts(const void *a, const void *b)
{
	const struct content_chart *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int compare_files(const void *a, const void *b)
{
	const struct content_file *x = a, *y = b;
	int by_name = strcmp(x->name, y->name);

	return by_name ? by_name : strcmp(x->platform ? x->platform : "", y->platform ? y->platform : "");
}

static int compare_sets(const void *a, const void *b)
{
	const struct content_set *x = a, *y = b;
	int by_kind = strcmp(x->kind, y->kind);

	return by_kind ? by_kind : strcmp(x->name, y->name);
}

static int compare_referrers(const void *a, const void *b)
{
	const struct content_referrer *x = a, *y = b;
	int by_digest = digest_cmp(&x->digest, &y->digest);

	return by_digest ? by_digest : strcmp(x->tag ? x->tag : "", y->tag ? y->tag : "");
}

void contents_sort(struct contents *c)
{
	if (c->n_images)
		qsort(c->images, c->n_images, sizeof(c->images[0]), compare_images);
	if (c->n_charts)
		qsort(c->charts, c->n_charts, sizeof(c->charts[0]), compare_charts);
	if (c->n_files)
		qsort(c->files, c->n_files, sizeof(c->files[0]), compare_files);
	if (c->n_sets)
		qsort(c->sets, c->n_sets, sizeof(c->sets[0]), compare_sets);
	for (size_t i = 0; i < c->n_images; i++)
		if (c->images[i].n_referrers)
			qsort(c->images[i].referrers, c->images[i].n_referrers, sizeof(struct content_referrer),
			      compare_referrers);
}

const struct content_image *contents_image(const struct contents *c, const char *ref)
{
	struct content_image key = { .ref = (char *)ref };

	return c->n_images ? bsearch(&key, c->images, c->n_images, sizeof(key), compare_images) : NULL;
}

const struct content_chart *contents_chart(const struct contents *c, const char *name)
{
	struct content_chart key = { .name = (char *)name };

	return c->n_charts ? bsearch(&key, c->charts, c->n_charts, sizeof(key), compare_charts) : NULL;
}

const struct content_set *contents_set(const struct contents *c, const char *kind, const char *name)
{
	struct content_set key = { .kind = (char *)kind, .name = (char *)name };

	return c->n_sets ? bsearch(&key, c->sets, c->n_sets, sizeof(key), compare_sets) : NULL;
}

/* The file for this platform, else the one for any. */
/* The one of this name, whatever it is for; NULL when there are several. */
static const struct content_file *only_file(const struct contents *c, const char *name)
{
	const struct content_file *found = NULL;

	for (size_t i = 0; i < c->n_files; i++) {
		if (strcmp(c->files[i].name, name) != 0)
			continue;
		if (found)
			return NULL;
		found = &c->files[i];
	}
	return found;
}

const struct content_file *contents_file(const struct contents *c, const char *name, const char *platform)
{
	struct content_file key = { .name = (char *)name, .platform = (char *)platform };
	const struct content_file *f = NULL;

	if (!c->n_files)
		return NULL;
	f = bsearch(&key, c->files, c->n_files, sizeof(key), compare_files);
	if (f)
		return f;
	if (!platform)
		return only_file(c, name);
	key.platform = NULL;
	return bsearch(&key, c->files, c->n_files, sizeof(key), compare_files);
}

/* ---- meaning */

/* What goes into the signed statement and onto terminals: printable ASCII, no quote, no backslash. */
static int check_text(const char *what, const char *s, struct err *e)
{
	size_t n = s ? strlen(s) : 0;

	if (n == 0 || n > NAME_MAX_LEN)
		return err_set(e, ERR_MALFORMED, "%s: takes 1 to %u characters, has %zu", what, NAME_MAX_LEN, n);
	for (; *s; s++)
		if (*s < ' ' || *s > '~' || *s == '"' || *s == '\\')
			return err_set(e, ERR_MALFORMED, "%s: takes printable ASCII without '\"' and '\\'", what);
	return 0;
}

/* Charts and files become the last component of a repository's path. */
static int check_name(const char *what, const char *name, struct err *e)
{
	if (strlen(name) > NAME_MAX_LEN || strchr(name, '/') || !ref_path_ok(name))
		return err_set(e, ERR_UNSAFE, "%s '%.*s': takes a-z, 0-9 and single '.', '_' or '-' between them",
			       what, (int)NAME_MAX_LEN, name);
	return 0;
}

static int check_platform(const char *text, struct err *e)
{
	struct platform p;
	char normal[PLATFORM_TEXT];

	if (platform_parse(text, &p, e) < 0)
		return -1;
	if (!str_eq(platform_format(&p, normal), text))
		return err_set(e, ERR_MALFORMED, "platform '%s' is written '%s'", text, normal);
	return 0;
}

static int check_ref(const char *text, struct err *e)
{
	auto_ref struct ref r = { 0 };

	if (ref_parse(text, &r, e) < 0)
		return -1;

	auto_free char *canonical = ref_format(&r);

	if (!str_eq(canonical, text))
		return err_set(e, ERR_MALFORMED, "reference '%s' is written '%s'", text, canonical);
	if (!r.tag && !r.has_digest)
		return err_set(e, ERR_MALFORMED, "reference '%s' has neither tag nor digest", text);
	return 0;
}

static int check_referrers(const struct content_image *i, struct err *e)
{
	for (size_t k = 0; k < i->n_referrers; k++) {
		const struct content_referrer *r = &i->referrers[k];

		if (k && compare_referrers(r - 1, r) >= 0)
			return err_set(e, ERR_MALFORMED, "referrers are out of order, or one is there twice");
		if (r->tag && !ref_tag_ok(r->tag))
			return err_set(e, ERR_UNSAFE, "referrer: '%s' is no tag", r->tag);
	}
	return 0;
}

static int check_image(const struct content_image *i, struct err *e)
{
	bool found = digest_eq(&i->target, &i->digest);

	if (check_ref(i->ref, e) < 0)
		return -1;
	for (size_t k = 0; k < i->n_children; k++) {
		const struct content_child *c = &i->children[k];

		found |= c->carried && digest_eq(&i->target, &c->digest);
		if (c->carried && c->platform && check_platform(c->platform, e) < 0)
			return -1;
	}
	if (!found)
		return err_set(e, ERR_MALFORMED, "target is neither the digest nor a carried child");
	for (size_t k = 0; k < i->tags.n; k++)
		if (!ref_tag_ok(i->tags.items[k]))
			return err_set(e, ERR_UNSAFE, "'%s' is no tag", i->tags.items[k]);
	return check_referrers(i, e);
}

static int check_chart(const struct content_chart *c, struct err *e)
{
	if (check_name("name", c->name, e) < 0 || check_text("version", c->version, e) < 0)
		return -1;
	if (!str_eq(c->role, "chart") && !str_eq(c->role, "site"))
		return err_set(e, ERR_MALFORMED, "role '%s' is neither 'chart' nor 'site'", c->role);
	return 0;
}

/* The name it gets on disk when somebody takes it out: one component. */
static bool file_name_ok(const char *s)
{
	return !strchr(s, '/') && oci_title_ok(s);
}

static bool mode_ok(const char *s)
{
	return strlen(s) == 3 && strspn(s, "01234567") == 3;
}

static int check_file(const struct content_file *f, struct err *e)
{
	if (check_name("name", f->name, e) < 0)
		return -1;
	if (!file_name_ok(f->file))
		return err_set(e, ERR_UNSAFE, "'%s' is no safe file name", f->file);
	if (f->role && !str_eq(f->role, "tool"))
		return err_set(e, ERR_MALFORMED, "role '%s' is not 'tool'", f->role);
	if (f->mode && !mode_ok(f->mode))
		return err_set(e, ERR_MALFORMED, "mode '%s' is not three octal digits", f->mode);
	return f->platform ? check_platform(f->platform, e) : 0;
}

static int check_order(const char *what, const char *name, int order, struct err *e)
{
	if (order < 0)
		return 0;
	return err_set(e, ERR_MALFORMED, "%s '%s' %s", what, name, order ? "is out of order" : "is there twice");
}

static int check_images(const struct contents *c, struct err *e)
{
	for (size_t i = 0; i < c->n_images; i++) {
		const struct content_image *x = &c->images[i];

		if (i && check_order("image", x->ref, compare_images(x - 1, x), e) < 0)
			return -1;
		if (check_image(x, e) < 0)
			return err_wrap(e, "image '%s'", x->ref);
	}
	return 0;
}

static int check_charts(const struct contents *c, struct err *e)
{
	bool has_site = !c->site;

	for (size_t i = 0; i < c->n_charts; i++) {
		const struct content_chart *x = &c->charts[i];

		if (i && check_order("chart", x->name, compare_charts(x - 1, x), e) < 0)
			return -1;
		if (check_chart(x, e) < 0)
			return err_wrap(e, "chart '%s'", x->name);
		has_site |= str_eq(x->name, c->site) && str_eq(x->role, "site");
	}
	if (!has_site)
		return err_set(e, ERR_MALFORMED, "site chart '%s' is not among the charts", c->site);
	return 0;
}

static int check_files(const struct contents *c, struct err *e)
{
	for (size_t i = 0; i < c->n_files; i++) {
		const struct content_file *x = &c->files[i];

		if (i && check_order("file", x->name, compare_files(x - 1, x), e) < 0)
			return -1;
		if (check_file(x, e) < 0)
			return err_wrap(e, "file '%s'", x->name);
	}
	return 0;
}

static int check_set(const struct content_set *s, struct err *e)
{
	static const char *const types[][3] = { { "packages", "deb", "rpm" }, { "python", "simple" }, { "git", "bundle" } };

	if (check_name("name", s->name, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_eq(s->kind, types[i][0]) && (str_eq(s->type, types[i][1]) || str_eq(s->type, types[i][2])))
			return s->platform ? check_platform(s->platform, e) : 0;
	return err_set(e, ERR_MALFORMED, "'%s' of '%s' is no kind of set", s->type, s->kind);
}

static int check_sets(const struct contents *c, struct err *e)
{
	for (size_t i = 0; i < c->n_sets; i++) {
		const struct content_set *x = &c->sets[i];

		if (i && check_order(x->kind, x->name, compare_sets(x - 1, x), e) < 0)
			return -1;
		if (check_set(x, e) < 0)
			return err_wrap(e, "%s '%s'", x->kind, x->name);
	}
	return 0;
}

int contents_check(const struct contents *c, struct err *e)
{
	if (check_text("name", c->name, e) < 0 || check_text("version", c->version, e) < 0)
		return -1;
	for (size_t i = 0; i < c->platforms.n; i++)
		if (check_platform(c->platforms.items[i], e) < 0)
			return -1;
	if (check_images(c, e) < 0 || check_charts(c, e) < 0)
		return -1;
	return check_files(c, e) < 0 ? -1 : check_sets(c, e);
}
