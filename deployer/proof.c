/* SPDX-License-Identifier: Apache-2.0 */
#include "proof.h"

#include "pod.h"

#include <time.h>

#define TRIES 20        /* of a dry run while the new namespace gets its default service account */

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

/* Carried under this site reference? Compares with every target: images are few hundreds. *pinned: it is, but the
 * digest that is asked for is of an index that did not come whole. */
static bool is_target(const struct session *s, const struct ref *r, bool *pinned)
{
	struct ref_site names = site_names(&s->site);

	*pinned = false;
	for (size_t i = 0; i < s->contents.n_images; i++) {
		const struct content_image *image = &s->contents.images[i];
		auto_ref struct ref from = { 0 }, to = { 0 };
		struct err ignored;

		if (ref_parse(image->ref, &from, &ignored) < 0 || ref_target(&from, &names, &to, &ignored) < 0)
			continue;
		if (strcmp(to.host, r->host) != 0 || strcmp(to.path, r->path) != 0)
			continue;
		if (r->has_digest && has_digest(image, &r->digest))
			return true;
		*pinned = *pinned || (r->has_digest && digest_eq(&r->digest, &image->digest));
		/* A name without a tag is pulled as latest. */
		if (!r->has_digest && (strcmp(r->tag ? r->tag : "latest", to.tag) == 0 ||
				       strv_has(&image->tags, r->tag ? r->tag : "latest")))
			return true;
	}
	return false;
}

static bool on_site(const struct session *s, const struct ref *r)
{
	return strcmp(r->host, s->site.registry.host) == 0;
}

/* "registry.site/x/driver:580-{kernel}": each node asks for a tag of its own. Where it points is proved, and that the bundle
 * has one that begins so. */
static const char *judge_pattern(const struct session *s, const char *image)
{
	const char *open = strchr(image, '{'), *colon = memrchr(image, ':', (size_t)(open - image));
	size_t n = colon ? (size_t)(open - colon) - 1 : 0;
	auto_free char *name = xstrndup(image, colon ? (size_t)(colon - image) : strlen(image));
	struct ref_site names = site_names(&s->site);
	auto_ref struct ref r = { 0 };
	struct err ignored;

	if (!colon || ref_parse(name, &r, &ignored) < 0)
		return "not an image reference: correct the chart's values";
	if (!on_site(s, &r))
		return "does not point to the site registry: set the chart's image keys in the site chart";
	for (size_t i = 0; i < s->contents.n_images; i++) {
		auto_ref struct ref from = { 0 }, to = { 0 };

		if (ref_parse(s->contents.images[i].ref, &from, &ignored) == 0 && ref_target(&from, &names, &to, &ignored) == 0 &&
		    strcmp(to.path, r.path) == 0 && to.tag && strncmp(to.tag, colon + 1, n) == 0)
			return NULL;
	}
	return "not in the bundle for any node: build it again with this site file and the facts of this site";
}

/* NULL when all is well, else what is wrong and what to do. */
static const char *judge(const struct session *s, const struct scan_find *f)
{
	auto_ref struct ref r = { 0 };
	auto_free char *name = NULL;
	struct err ignored;

	if (f->disabled)
		return NULL;
	if (f->certain && strchr(f->image, '{'))
		return judge_pattern(s, f->image);
	if (ref_parse(f->image, &r, &ignored) < 0)
		return f->certain ? "not an image reference: correct the chart's values" : NULL;
	if (on_site(s, &r)) {
		bool pinned;

		if (is_target(s, &r, &pinned))
			return NULL;
		return pinned ? "pins an index of which the bundle has one platform alone: build it with all platforms of this image"
			      : "not in the bundle: build it again with this site file";
	}
	name = ref_format(&r);
	if (f->certain)
		return "does not point to the site registry: set the chart's image keys in the site chart";
	return contents_image(&s->contents, name)
		       ? "names the upstream registry: set this key in the site chart" : NULL;
}

int proof_images(struct session *s, const char *chart, const struct helm_objects *o, struct strv *out, struct err *e)
{
	auto_scan struct scan_finds finds = { 0 };
	size_t bad = 0;
	const char *first = NULL;

	if (scan_objects(o, chart, s->rules.items, s->rules.n, false, &finds, e) < 0)
		return -1;
	for (size_t i = 0; i < finds.n; i++) {
		const struct scan_find *f = &finds.items[i];
		const char *what = judge(s, f);

		if (!what)
			continue;
		bad++;
		first = first ? first : f->image;
		if (out)
			strv_pushf(out, "%s: %s: %s: %s: %s: %s", chart, f->file, f->kind, f->path, f->image, what);
	}
	if (bad)
		return err_set(e, ERR_PROOF, "chart '%s': %zu image reference%s not proved, first '%s'", chart, bad,
			       bad > 1 ? "s" : "", first);
	return 0;
}

/* ---- profile ---- */

struct profile_proof {
	const char *profile, *level, *chart;
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
	struct profile_proof p = { .profile = profile, .level = pod_security, .chart = chart, .out = out };
	auto_pods struct pod_templates pods = { 0 };

	if (strcmp(profile, "standard") == 0 || (pod_security && strcmp(pod_security, "restricted") != 0))
		return 0;
	if (pod_find_templates(o, &pods, e) < 0)
		return -1;
	for (size_t i = 0; i < pods.n; i++)
		pod_check_restricted(&pods.items[i], strcmp(profile, "nonroot") == 0, report, &p);
	if (p.bad)
		return err_set(e, ERR_PROOF, "chart '%s': %zu violation%s of profile %s, first %s", chart, p.bad,
			       p.bad > 1 ? "s" : "", profile, p.first);
	return 0;
}

/* ---- the API server's own verdict ---- */

static bool has_volume(const json_t *volumes, const char *name)
{
	size_t i;
	json_t *v;

	json_array_foreach(volumes, i, v)
		if (str_eq(jdoc_text(v, "name", NULL), name))
			return true;
	return false;
}

/* Volumes that a StatefulSet's claims would bring: a pod alone must have them itself. */
static void add_claimed_volumes(json_t *spec, const char *containers)
{
	json_t *volumes = json_object_get(spec, "volumes"), *c, *mount;
	size_t i, k;

	json_array_foreach(json_object_get(spec, containers), i, c) {
		json_array_foreach(json_object_get(c, "volumeMounts"), k, mount) {
			const char *name = jdoc_text(mount, "name", NULL);

			if (!name || has_volume(volumes, name))
				continue;
			if (!json_is_array(volumes))
				json_object_set_new(spec, "volumes", volumes = json_array());
			json_array_append_new(volumes, json_pack("{s:s, s:{}}", "name", name, "emptyDir"));
		}
	}
}

static json_t *as_pod(const struct pod_template *t, const char *ns, size_t number)
{
	auto_free char *name = xasprintf("airgap-proof-%zu", number);
	json_t *spec = json_deep_copy(t->spec);

	/* The account may be made by the chart itself; the name of the scheduler, node and so on say nothing here. */
	json_object_del(spec, "serviceAccountName");
	json_object_del(spec, "serviceAccount");
	json_object_del(spec, "priorityClassName");
	json_object_del(spec, "runtimeClassName");
	json_object_del(spec, "ephemeralContainers");   /* none may be there at creation */
	add_claimed_volumes(spec, "initContainers");
	add_claimed_volumes(spec, "containers");
	return json_pack("{s:s, s:s, s:{s:s, s:s}, s:o}", "apiVersion", "v1", "kind", "Pod", "metadata", "name", name,
			 "namespace", ns, "spec", spec);
}

int proof_dry_run(struct session *s, const char *ns, const struct helm_objects *o, struct err *e)
{
	auto_pods struct pod_templates pods = { 0 };
	auto_json json_t *list = json_array();

	if (pod_find_templates(o, &pods, e) < 0)
		return -1;
	for (size_t i = 0; i < pods.n; i++)
		if (!pods.items[i].embedded)
			json_array_append_new(list, as_pod(&pods.items[i], ns, i));
	for (unsigned n = 0;; n++) {
		static const struct timespec pause = { 0, 500000000 };

		if (kubectl_apply(&s->kubectl, list, KUBECTL_DRY_RUN, NULL, e) == 0)
			return 0;
		if (n == TRIES || !strstr(e->msg, "serviceaccount \"default\" not found"))
			return err_wrap(e, "namespace '%s': dry run of the pods", ns);
		nanosleep(&pause, NULL);
	}
}
