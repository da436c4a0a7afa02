/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/rewrite.h>

#include <airgap/buf.h>
#include <airgap/ref.h>
#include <airgap/yaml.h>

#include <stdio.h>

/* ---- names */

void rewrite_release(struct rewrite *r)
{
	json_decref(r->images);
	json_decref(r->names);
	*r = (struct rewrite){ 0 };
}

static int add_image(struct rewrite *r, const struct content_image *image, const struct ref_site *names, struct err *e)
{
	auto_ref struct ref from = { 0 }, to = { 0 };
	char digest[DIGEST_TEXT];

	if (ref_parse(image->ref, &from, e) < 0 || ref_target(&from, names, &to, e) < 0)
		return err_wrap(e, "image '%s'", image->ref);

	auto_free char *name = ref_name(&from), *site = ref_name(&to), *target = ref_format(&to);

	json_object_set_new(r->names, name, json_string(site));
	json_object_set_new(r->images, image->ref, from.has_digest ? json_sprintf("%s@%s", target, digest_text(&image->target, digest))
								   : json_string(target));
	for (size_t i = 0; i < image->tags.n; i++) {
		auto_free char *one = xasprintf("%s:%s", name, image->tags.items[i]);

		json_object_set_new(r->images, one, json_sprintf("%s:%s", site, image->tags.items[i]));
	}
	return 0;
}

int rewrite_names(struct rewrite *out, const struct contents *c, const struct ref_site *site, struct err *e)
{
	auto_rewrite struct rewrite r = { json_object(), json_object() };

	for (size_t i = 0; i < c->n_images; i++)
		if (add_image(&r, &c->images[i], site, e) < 0)
			return -1;
	*out = r;
	r = (struct rewrite){ 0 };
	return 0;
}

static char *any_tag(const struct rewrite *r, const char *image)
{
	const char *colon = strrchr(image, ':'), *site;
	auto_free char *text = xstrndup(image, colon ? (size_t)(colon - image) : 0);
	auto_ref struct ref ref = { 0 };
	struct err ignored;

	if (ref_parse(text, &ref, &ignored) < 0)
		return NULL;

	auto_free char *name = ref_name(&ref);

	site = jdoc_text(r->names, name, NULL);
	return site ? xasprintf("%s:{}", site) : NULL;
}

char *rewrite_target(const struct rewrite *r, const char *image)
{
	auto_ref struct ref ref = { 0 };
	struct err ignored;

	if (str_ends(image, ":{}"))
		return any_tag(r, image);
	if (ref_parse(image, &ref, &ignored) < 0)
		return NULL;
	if (!ref.tag && !ref.has_digest)
		ref.tag = xstrdup("latest");

	auto_free char *text = ref_format(&ref);
	const char *target = jdoc_text(r->images, text, NULL);

	return target ? xstrdup(target) : NULL;
}

static char *target_of(void *ctx, const char *image)
{
	return rewrite_target(ctx, image);
}

/* ---- objects */

static int rename_one(const struct rewrite *r, const char *chart, const struct scan_rules *rules, json_t *object, bool *changed,
		      struct err *e)
{
	const struct scan_names names = { target_of, (void *)r };
	bool one;

	if (scan_rename(object, chart, rules->items, rules->n, &names, &one, e) < 0)
		return -1;
	*changed = *changed || one;
	return 0;
}

int rewrite_object(const struct rewrite *r, const char *chart, const struct scan_rules *rules, json_t *object, bool *changed,
		   struct err *e)
{
	json_t *items = json_object_get(object, "items"), *item;
	size_t i;

	*changed = false;
	if (!str_eq(jdoc_text(object, "kind", NULL), "List") || !json_is_array(items))
		return rename_one(r, chart, rules, object, changed, e);
	json_array_foreach(items, i, item)
		if (rename_one(r, chart, rules, item, changed, e) < 0)
			return -1;
	return 0;
}

/* "web/crds/x.yaml", "web/charts/db/crds/y.yaml". */
static bool in_crds(const char *source)
{
	const char *folder = strstr(source, "/crds/"), *templates = strstr(source, "/templates/");

	return folder && (!templates || folder < templates);
}

int rewrite_rendered(const struct rewrite *r, const char *chart, const struct scan_rules *rules, struct helm_objects *o,
		     const struct helm_object **hook, struct err *e)
{
	*hook = NULL;
	for (size_t i = 0; i < o->n; i++) {
		struct helm_object *x = &o->items[i];
		bool changed;

		if (x->test || in_crds(x->source))
			continue;

		json_t *own = json_deep_copy(x->object);

		json_decref(x->object);
		x->object = own;
		if (rewrite_object(r, chart, rules, own, &changed, e) < 0)
			return -1;
		if (changed && x->hook && !*hook)
			*hook = x;
	}
	return 0;
}

/* ---- text in, text out */

int rewrite_dump(const struct rewrite *r, const char *chart, const struct scan_rules *rules, struct buf *out, struct err *e)
{
	auto_json json_t *list = scan_rules_encode(rules->items, rules->n);
	auto_json json_t *doc = json_pack("{s:O, s:O, s:s, s:O*}", "images", r->images, "names", r->names, "chart", chart, "rules", list);

	return jdoc_dump(doc, out, e);
}

/* A character that JSON leaves in a string and that YAML takes for a break, a mark or an error: DEL, U+0080 to U+009F,
 * U+2028, U+2029, U+FEFF, U+FFFE, U+FFFF. Its bytes; 0: it is none. */
static size_t odd(const unsigned char *p, size_t n, unsigned *out)
{
	if (p[0] == 0x7f) {
		*out = 0x7f;
		return 1;
	}
	if (n >= 2 && p[0] == 0xc2 && p[1] < 0xa0) {
		*out = p[1];
		return 2;
	}
	if (n < 3 || !((p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9)) || (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf) ||
		       (p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe)))
		return 0;
	*out = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	return 3;
}

static int put_document(const json_t *object, struct buf *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(out->max);
	size_t done = 0, n;
	char escape[8];
	unsigned code;

	if (jdoc_dump_pretty(object, &text, e) < 0)
		return -1;
	for (size_t i = 0; i < text.len; i += n ? n : 1) {
		n = odd((const unsigned char *)text.ptr + i, text.len - i, &code);
		if (!n)
			continue;
		snprintf(escape, sizeof(escape), "\\u%04x", code);
		if (buf_add(out, text.ptr + done, i - done, e) < 0 || buf_add(out, escape, 6, e) < 0)
			return -1;
		done = i + n;
	}
	return buf_add(out, text.ptr + done, text.len - done, e);
}

/* Lines in front that are comments or empty, "---" too where it stands alone. */
static size_t head_of(const char *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t mark = done == 0 && str_starts(p, "---") ? 3 : 0;
		const char *end = memchr(p + done, '\n', n - done);
		const char *first = p + done + mark + strspn(p + done + mark, " \t\r");

		if (!end || (*first != '#' && *first != '\n'))
			break;
		done = (size_t)(end - p) + 1;
	}
	return done;
}

struct job {
	struct rewrite names;
	struct scan_rules rules;
	const char *chart;
};

static void job_release(struct job *j)
{
	rewrite_release(&j->names);
	scan_rules_release(&j->rules);
}

static int put_objects(const json_t *docs, struct buf *out, struct err *e)
{
	size_t i, start = out->len;
	json_t *doc;

	json_array_foreach(docs, i, doc)
		if ((i && buf_add(out, "---\n", 4, e) < 0) || put_document(doc, out, e) < 0)
			return -1;

	/* What helm will read is what was meant; a key of a thousand bytes is none to YAML. */
	auto_json json_t *again = ydoc_parse_all(out->ptr + start, out->len - start, &ydoc_rendered, "post-render", e);

	if (!again)
		return -1;
	return json_equal(again, docs) ? 0 : err_set(e, ERR_MALFORMED, "a document cannot be written as it is meant");
}

/* One document; what stands before it may begin with its "---". */
static int put_text(const struct job *j, const char *p, size_t n, struct buf *out, struct err *e)
{
	auto_json json_t *parsed = ydoc_parse_all(p, n, &ydoc_rendered, "post-render", e);
	/* Parts that aliases share are made its own. */
	auto_json json_t *docs = parsed ? json_deep_copy(parsed) : NULL;
	bool changed = false, one;
	json_t *doc;
	size_t i, head;

	if (!docs)
		return -1;
	json_array_foreach(docs, i, doc) {
		if (rewrite_object(&j->names, j->chart, &j->rules, doc, &one, e) < 0)
			return -1;
		changed = changed || one;
	}
	if (!changed)
		return buf_add(out, p, n, e);
	head = head_of(p, n);
	if (!head && str_starts(p, "---") && buf_add(out, "---\n", 4, e) < 0)
		return -1;
	return buf_add(out, p, head, e) < 0 || put_objects(docs, out, e) < 0 ? -1 : 0;
}

/* The next line that is a mark between documents; NULL: none. */
static const char *next_mark(const char *p)
{
	while ((p = strstr(p, "\n---"))) {
		if (strchr(" \t\r\n", p[4]))    /* or the end */
			return p + 1;
		p += 4;
	}
	return NULL;
}

static int read_job(json_t *doc, struct job *j, struct err *e)
{
	j->chart = jdoc_text(doc, "chart", NULL);
	j->names.images = json_incref(json_object_get(doc, "images"));
	j->names.names = json_incref(json_object_get(doc, "names"));
	if (!j->chart || !json_is_object(j->names.images) || !json_is_object(j->names.names))
		return err_set(e, ERR_MALFORMED, "names: chart, images or names is missing");
	return scan_rules_decode(json_object_get(doc, "rules"), "names", &j->rules, e);
}

int rewrite_manifests(const void *names, size_t n_names, const char *text, size_t n, struct buf *out, struct err *e)
{
	auto_json json_t *doc = jdoc_parse(names, n_names, REWRITE_MAX, "names", e);
	CLEANUP(job_release) struct job j = { 0 };

	if (!doc || read_job(doc, &j, e) < 0)
		return -1;
	if (memchr(text, '\0', n))
		return err_set(e, ERR_MALFORMED, "post-render: a NUL byte");

	auto_free char *copy = xstrndup(text, n);

	for (const char *p = copy; *p;) {
		const char *next = next_mark(p);
		size_t len = next ? (size_t)(next - p) : strlen(p);

		if (put_text(&j, p, len, out, e) < 0)
			return -1;
		p += len;
	}
	return 0;
}
