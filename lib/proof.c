/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/proof.h>

#include <airgap/pod.h>

/* ---- images ---- */

/* Can the site registry give this digest? A child of an index, where the index itself was pushed. */
static bool has_digest(const struct content_image *image, const struct digest *d)
{
	if (digest_eq(d, &image->target))
		return true;
	for (size_t i = 0; i < image->n_children && digest_eq(&image->digest, &image->target); i++)
		if (image->children[i].carried && digest_eq(d, &image->children[i].digest))
			return true;
	return false;
}

/* The two names of a carried image; false: it has none. */
static bool names_of(const struct proof *p, const struct content_image *image, struct ref *from, struct ref *to)
{
	struct err ignored;

	return ref_parse(image->ref, from, &ignored) == 0 && ref_target(from, &p->names, to, &ignored) == 0;
}

/* Carried under this reference, as the site or, `upstream`, as its makers call it? Compares with every image: they are few
 * hundreds. *pinned: it is, but the digest that is asked for is of an index that did not come whole. */
static bool is_carried(const struct proof *p, const struct ref *r, bool upstream, bool *pinned)
{
	/* A name without a tag is pulled as latest. */
	const char *tag = r->tag ? r->tag : "latest";

	*pinned = false;
	for (size_t i = 0; i < p->contents->n_images; i++) {
		const struct content_image *image = &p->contents->images[i];
		auto_ref struct ref from = { 0 }, to = { 0 };

		if (!names_of(p, image, &from, &to))
			continue;

		const struct ref *name = upstream ? &from : &to;

		if (!str_eq(name->host, r->host) || strcmp(name->path, r->path) != 0)
			continue;
		if (r->has_digest && has_digest(image, &r->digest))
			return true;
		*pinned = *pinned || (r->has_digest && digest_eq(&r->digest, &image->digest));
		if (!r->has_digest && (strcmp(tag, to.tag) == 0 || strv_has(&image->tags, tag)))
			return true;
	}
	return false;
}

static bool on_site(const struct proof *p, const struct ref *r)
{
	return str_eq(r->host, p->names.host);
}

/* "registry.site/x/driver:580-{kernel}": each node asks for a tag of its own. Where it points is proved, and that the bundle
 * has one that begins so. */
static const char *judge_pattern(const struct proof *p, const char *image)
{
	const char *open = strchr(image, '{'), *colon = memrchr(image, ':', (size_t)(open - image));
	size_t n = colon ? (size_t)(open - colon) - 1 : 0;
	auto_free char *name = xstrndup(image, colon ? (size_t)(colon - image) : strlen(image));
	auto_ref struct ref r = { 0 };
	struct err ignored;

	if (!colon || ref_parse(name, &r, &ignored) < 0)
		return "not an image reference: correct the chart's values";

	bool upstream = p->upstream && !on_site(p, &r);

	if (!upstream && !on_site(p, &r))
		return "does not point to the site registry: set the chart's image keys in the site chart";
	for (size_t i = 0; i < p->contents->n_images; i++) {
		auto_ref struct ref from = { 0 }, to = { 0 };

		if (!names_of(p, &p->contents->images[i], &from, &to))
			continue;

		const struct ref *known = upstream ? &from : &to;

		if (str_eq(known->host, r.host) && strcmp(known->path, r.path) == 0 && strncmp(to.tag, colon + 1, n) == 0)
			return NULL;
	}
	return "not in the bundle for any node: build it again with this site file and the facts of this site";
}

/* ---- what was waived */

/* A pattern's name is one even while its tag is not known. */
static bool parse_any(const char *image, struct ref *out)
{
	const char *colon = strchr(image, '{') ? strrchr(image, ':') : NULL;
	auto_free char *name = xstrndup(image, colon ? (size_t)(colon - image) : strlen(image));
	struct err ignored;

	if (ref_parse(name, out, &ignored) < 0)
		return false;
	if (colon)
		out->tag = xstrdup(colon + 1);
	return true;
}

static bool same_version(const struct ref *a, const struct ref *b)
{
	if (a->has_digest || b->has_digest)
		return a->has_digest && b->has_digest && digest_eq(&a->digest, &b->digest);
	return str_eq(a->tag, b->tag);
}

/* `waived` as it was found at build, `r` as it is named now: the same, or its name on site. */
static bool names_waived(const struct proof *p, const char *waived, const struct ref *r)
{
	auto_ref struct ref from = { 0 }, name = { 0 }, to = { 0 };
	struct err ignored;

	if (!parse_any(waived, &from) || !same_version(&from, r))
		return false;
	if (strcmp(from.host, r->host) == 0 && strcmp(from.path, r->path) == 0)
		return true;
	name.host = xstrdup(from.host);
	name.path = xstrdup(from.path);
	return ref_target(&name, &p->names, &to, &ignored) == 0 && str_eq(to.host, r->host) && strcmp(to.path, r->path) == 0;
}

/* The bundle's author says, with a reason, that it is not needed. */
static bool is_waived(const struct proof *p, const char *image)
{
	auto_ref struct ref r = { 0 };
	bool parsed = parse_any(image, &r);
	size_t i;
	json_t *entry;

	json_array_foreach(p->contents->not_carried, i, entry) {
		const char *waived = jdoc_text(entry, "image", NULL);

		if (waived && json_is_true(json_object_get(entry, "waived")) &&
		    (strcmp(waived, image) == 0 || (parsed && names_waived(p, waived, &r))))
			return true;
	}
	return false;
}

/* ---- judging */

static const char lacking[] = "not in the bundle: build it again with this site file";
static const char pinning[] = "pins an index of which the bundle has one platform alone: build it with all platforms of this image";
static const char elsewhere[] = "does not point to the site registry: set the chart's image keys in the site chart";

/* A name that is not of the site. What is carried and not renamed is out of the post-renderer's reach: in crds/, in an archive,
 * in pieces. */
static const char *judge_upstream(const struct proof *p, const struct ref *r, bool certain)
{
	bool pinned, carried = is_carried(p, r, true, &pinned);

	if (p->upstream)
		return carried ? NULL : pinned ? pinning : certain ? lacking : NULL;
	if (carried && p->renamed)
		return "names the upstream registry where post-render does not reach: set this key in the site chart";
	if (certain)
		return p->renamed ? lacking : elsewhere;
	return carried ? "names the upstream registry: set this key in the site chart" : NULL;
}

/* NULL when all is well, else what is wrong and what to do. */
static const char *judge(const struct proof *p, const struct scan_find *f)
{
	auto_ref struct ref r = { 0 };
	struct err ignored;
	bool pinned;

	if (f->disabled)
		return NULL;
	if (f->certain && strchr(f->image, '{'))
		return judge_pattern(p, f->image);
	if (ref_parse(f->image, &r, &ignored) < 0)
		return f->certain ? "not an image reference: correct the chart's values" : NULL;
	if (!on_site(p, &r))
		return judge_upstream(p, &r, f->certain);
	return is_carried(p, &r, false, &pinned) ? NULL : pinned ? pinning : lacking;
}

/* Where a key of the chart is what helps, its name. */
static char *hint(const struct proof *p, const char *what, const char *image)
{
	auto_free char *key = p->key_of && str_ends(what, "in the site chart") ? p->key_of(p->ctx, image) : NULL;

	return key ? xasprintf(": %s", key) : xstrdup("");
}

int proof_images(const struct proof *p, const char *chart, const struct helm_objects *o, struct strv *out, struct err *e)
{
	auto_scan struct scan_finds finds = { 0 };
	size_t bad = 0;
	const char *first = NULL;

	if (scan_objects(o, chart, p->rules->items, p->rules->n, false, &finds, e) < 0)
		return -1;
	for (size_t i = 0; i < finds.n; i++) {
		const struct scan_find *f = &finds.items[i];
		const char *what = judge(p, f);

		if (!what || is_waived(p, f->image))
			continue;
		bad++;
		first = first ? first : f->image;
		if (!out)
			continue;

		auto_free char *key = hint(p, what, f->image);

		strv_pushf(out, "%s: %s: %s: %s: %s: %s%s", chart, f->file, f->kind, f->path, f->image, what, key);
	}
	if (bad)
		return err_set(e, ERR_PROOF, "chart '%s': %zu image reference%s not proved, first '%s'", chart, bad,
			       bad > 1 ? "s" : "", first);
	return 0;
}

/* ---- profile ---- */

struct profile_proof {
	const char *chart;
	struct strv *out;
	size_t bad;
	char first[256];
};

static void report(void *ctx, const struct pod_template *t, const char *path, const char *what)
{
	struct profile_proof *p = ctx;
	auto_free char *line = xasprintf("%s: %s: %s: %s: %s", p->chart, t->source, t->kind, path, what);

	if (p->bad++ == 0) {
		size_t n = MIN(strlen(line), sizeof(p->first) - 1);

		memcpy(p->first, line, n);
		p->first[n] = '\0';
	}
	if (p->out)
		strv_push(p->out, line);
}

int proof_profile(const char *profile, const char *pod_security, const char *chart, const struct helm_objects *o,
		  struct strv *out, struct err *e)
{
	struct profile_proof p = { .chart = chart, .out = out };
	auto_pods struct pod_templates pods = { 0 };

	bool standard = strcmp(profile, "standard") == 0;
	enum pod_level level = standard && !pod_security ? POD_PRIVILEGED : pod_level(pod_security);

	if (level == POD_PRIVILEGED)
		return 0;
	if (pod_find_templates(o, &pods, e) < 0)
		return -1;
	for (size_t i = 0; i < pods.n; i++)
		pod_check(&pods.items[i], level, report, &p);
	for (size_t i = 0; i < pods.n && level == POD_RESTRICTED && strcmp(profile, "nonroot-arbitrary-uid") == 0; i++)
		pod_check_no_uid(&pods.items[i], report, &p);
	if (p.bad)
		return err_set(e, ERR_PROOF, "chart '%s': %zu violation%s of the level %s, profile %s, first %s", chart, p.bad,
			       p.bad > 1 ? "s" : "", level == POD_BASELINE ? "baseline" : "restricted", profile, p.first);
	return 0;
}
