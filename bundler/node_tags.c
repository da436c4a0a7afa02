/* SPDX-License-Identifier: Apache-2.0 */
#include "node_tags.h"

#include <airgap/ref.h>
#include <airgap/semver.h>

#define SHOWN      5u           /* tags that a message names */
#define LABELS_MAX (64u << 10)

static const char kernel_word[] = "{kernel}", os_word[] = "{osTag}";

void node_tags_release(struct node_tags *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->items[i].image);
		free(t->items[i].pattern);
		free(t->items[i].nodes);
	}
	free(t->items);
	*t = (struct node_tags){ 0 };
}

bool node_tags_is_pattern(const char *image)
{
	return strstr(image, kernel_word) || strstr(image, os_word);
}

static char *replaced(const char *text, const char *word, const char *value)
{
	struct buf out = BUF_INIT(1u << 20);
	const char *at;

	while ((at = strstr(text, word))) {
		buf_putf(&out, "%.*s%s", (int)(at - text), text, value);
		text = at + strlen(word);
	}
	buf_puts(&out, text);
	return buf_take(&out);
}

/* ---- {osTag} */

/* "rhel", or "rhel>=10" for these versions of it. */
static int major_fits(const char *entry, const struct facts_node *n, struct err *e)
{
	size_t id = strcspn(entry, "<>=~^! ");

	if (strlen(n->os) != id || strncmp(entry, n->os, id) != 0)
		return 0;
	return entry[id] ? semver_matches(entry + id, n->os_version, e) : 1;
}

static int rule_fits(const struct manifest_os_tag *t, const struct node_tags_how *how, struct err *e)
{
	for (size_t i = 0; i < how->n_charts; i++)
		if (strcmp(t->chart, how->charts[i].name) == 0)
			return t->versions ? semver_matches(t->versions, how->charts[i].version, e) : 1;
	return 0;
}

/* The rule for these charts; NULL = whole versions. */
static int find_rule(const struct node_tags_how *how, const struct manifest_os_tag **out, struct err *e)
{
	*out = NULL;
	for (size_t i = 0; i < how->discover->n_os_tags && !*out; i++) {
		const struct manifest_os_tag *t = &how->discover->os_tags[i];
		int fits = rule_fits(t, how, e);

		if (fits < 0)
			return err_wrap(e, "discover.osTags[%zu]: versions", i);
		if (fits)
			*out = t;
	}
	return 0;
}

/* n's distribution is known. */
static int os_tag(const struct node_tags_how *how, const struct facts_node *n, char **out, struct err *e)
{
	const struct manifest_os_tag *rule;
	int major = 0;

	if (find_rule(how, &rule, e) < 0)
		return -1;
	for (size_t i = 0; rule && i < rule->major.n && !major; i++)
		major = major_fits(rule->major.items[i], n, e);
	if (major < 0)
		return err_wrap(e, "discover.osTags: major");
	*out = xasprintf("%s%.*s", n->os, (int)(major ? strcspn(n->os_version, ".") : strlen(n->os_version)), n->os_version);
	return 0;
}

/* ---- nodes */

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

/* Labels that facts do not know are no reason to leave a node out. */
static bool has_labels(const struct facts_node *n, const json_t *labels)
{
	const struct { const char *label, *value; } known[] = {
		{ "feature.node.kubernetes.io/system-os_release.ID", n->os },
		{ "feature.node.kubernetes.io/system-os_release.VERSION_ID", n->os_version },
		{ "feature.node.kubernetes.io/kernel-version.full", n->kernel },
		{ "kubernetes.io/arch", n->architecture },
		{ "nvidia.com/gpu.product", n->gpu_product },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		const char *wanted = jdoc_text(labels, known[i].label, NULL);

		if (wanted && known[i].value && strcmp(wanted, known[i].value) != 0)
			return false;
	}
	return true;
}

/* The nodes that matter, by what matters of them. */
static void reduce(const struct facts *f, const json_t *labels, bool kernel, struct facts *out)
{
	bool some_gpu = false;

	for (size_t i = 0; i < f->n_nodes; i++)
		some_gpu |= f->nodes[i].gpu;
	for (size_t i = 0; i < f->n_nodes; i++) {
		const struct facts_node *n = &f->nodes[i];

		if ((some_gpu && !n->gpu) || !has_labels(n, labels))
			continue;

		struct facts_node kind = {
			.count = n->count, .os = copy(n->os), .os_version = copy(n->os_version),
			.os_image = n->os ? NULL : copy(n->os_image), .kernel = kernel ? xstrdup(n->kernel) : NULL,
		};

		facts_add_take(out, &kind);
	}
	facts_sort(out);
}

static struct node_tag *find(const struct node_tags *t, const char *image)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->items[i].image, image) == 0)
			return &t->items[i];
	return NULL;
}

bool node_tags_has(const struct node_tags *t, const char *image)
{
	return find(t, image) != NULL;
}

/* The spelling by which it is known later. */
static char *canonical(char *image)
{
	auto_ref struct ref r = { 0 };
	auto_free char *given = image;
	struct err ignored;

	return ref_parse(given, &r, &ignored) == 0 ? ref_format(&r) : TAKE(given);
}

/* Nodes of several sorts may need one image. */
static void add_tag(struct node_tags *t, char *image, char *pattern, const char *nodes)
{
	struct node_tag *have = find(t, image);

	if (have) {
		char *both = xasprintf("%s; %s", have->nodes, nodes);

		free(have->nodes);
		have->nodes = both;
		free(image);
		free(pattern);
		return;
	}
	GROW(t->items, t->n);
	t->items[t->n++] = (struct node_tag){ image, pattern, xstrdup(nodes) };
}

static int fill_one(const char *pattern, const struct facts_node *n, const struct node_tags_how *how, struct node_tags *out,
		    struct err *e)
{
	auto_free char *nodes = facts_node_text(n), *os = NULL;
	const char *colon = strrchr(pattern, ':'), *tag = colon ? colon + 1 : pattern;

	if (strstr(tag, os_word) && !(n->os && n->os_version))
		return err_set(e, ERR_USAGE, "facts: %s: its distribution is not known: write os and osVersion there", nodes);
	if (n->os && n->os_version && os_tag(how, n, &os, e) < 0)
		return -1;

	/* The kernel stays open where there is one: it is what differs most. */
	auto_free char *open = n->kernel ? replaced(tag, os_word, os ? os : "") : xstrdup(tag);
	auto_free char *whole = n->kernel ? replaced(open, kernel_word, n->kernel) : replaced(open, os_word, os);

	if (!ref_tag_ok(whole))
		return err_set(e, ERR_MALFORMED, "facts: %s: '%s' can be no tag", nodes, whole);
	add_tag(out, canonical(xasprintf("%.*s%s", (int)(tag - pattern), pattern, whole)), TAKE(open), nodes);
	return 0;
}

int node_tags_fill(const char *pattern, const char *labels, const struct facts *f, const struct node_tags_how *how,
		   struct node_tags *out, struct err *e)
{
	auto_json json_t *wanted = labels ? jdoc_parse(labels, strlen(labels), LABELS_MAX, "labels of nodes", e) : NULL;
	auto_facts struct facts kinds = { 0 };

	if (labels && !wanted)
		return -1;
	reduce(f, wanted, strstr(pattern, kernel_word) != NULL, &kinds);
	for (size_t i = 0; i < kinds.n_nodes; i++)
		if (fill_one(pattern, &kinds.nodes[i], how, out, e) < 0)
			return -1;
	return 0;
}

/* ---- finds */

static void push_find(struct scan_finds *to, const struct scan_find *like, const struct node_tag *t)
{
	struct scan_find f = *like;

	f.image = xstrdup(t->image);
	f.file = xstrdup(like->file);
	f.kind = xstrdup(like->kind);
	f.path = t->nodes ? xasprintf("%s for %s", like->path, t->nodes) : xstrdup(like->path);
	f.nodes = copy(like->nodes);
	f.disabled |= t->pattern == NULL && t->nodes;
	GROW(to->items, to->n);
	to->items[to->n++] = f;
}

static void remember(struct node_tags *known, struct node_tags *more)
{
	for (size_t i = 0; i < more->n; i++) {
		struct node_tag *t = &more->items[i];

		if (!find(known, t->image))
			add_tag(known, TAKE(t->image), TAKE(t->pattern), t->nodes);
	}
}

int node_tags_replace(struct scan_finds *finds, const struct facts *f, const struct node_tags_how *how,
		      struct node_tags *known, struct err *e)
{
	auto_scan struct scan_finds all = { 0 };

	for (size_t i = 0; i < finds->n; i++) {
		const struct scan_find *x = &finds->items[i];
		const struct node_tag itself = { .image = x->image };
		auto_node_tags struct node_tags tags = { 0 };

		if (!f->n_nodes || x->disabled || !node_tags_is_pattern(x->image)) {
			push_find(&all, x, &itself);
			continue;
		}
		if (node_tags_fill(x->image, x->nodes, f, how, &tags, e) < 0)
			return err_wrap(e, "image '%s' (%s: %s: %s)", x->image, x->file, x->kind, x->path);
		if (!tags.n)
			push_find(&all, x, &(struct node_tag){ .image = x->image, .nodes = (char *)"no node of the facts" });
		for (size_t k = 0; k < tags.n; k++)
			push_find(&all, x, &tags.items[k]);
		remember(known, &tags);
	}
	scan_release(finds);
	*finds = all;
	all = (struct scan_finds){ 0 };
	return 0;
}

/* ---- what a repository has instead */

/* How far two texts go together, number by number, and how far apart the first numbers are that differ. */
struct nearness { size_t same; uint64_t apart; };

static struct nearness nearness(const char *a, const char *b)
{
	struct nearness n = { 0, UINT64_MAX };

	while (*a && *b) {
		size_t da = strspn(a, "0123456789"), db = strspn(b, "0123456789");
		auto_free char *x = xstrndup(a, da ? da : 1), *y = xstrndup(b, db ? db : 1);
		uint64_t u, v;

		if (strcmp(x, y) != 0) {
			if (u64_parse(x, &u) && u64_parse(y, &v))
				n.apart = u > v ? u - v : v - u;
			break;
		}
		n.same++;
		a += strlen(x);
		b += strlen(y);
	}
	return n;
}

static int compare_nearness(const void *a, const void *b, void *want)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	struct nearness m = nearness(x, want), n = nearness(y, want);

	if (m.same != n.same)
		return m.same > n.same ? -1 : 1;
	if (m.apart != n.apart)
		return m.apart < n.apart ? -1 : 1;
	return strcmp(x, y);
}

static void select_tags(const struct strv *tags, const char *start, size_t n, const char *end, struct strv *out)
{
	for (size_t i = 0; i < tags->n; i++)
		if (strncmp(tags->items[i], start, n) == 0 && str_ends(tags->items[i] + n, end))
			strv_push(out, tags->items[i]);
}

/* Those that differ in the open place; else of the same beginning; else of the same end. */
static void candidates(const struct strv *tags, const char *pattern, const char *want, struct strv *out)
{
	size_t start = strcspn(pattern, "{");
	const char *close = strchr(pattern + start, '}'), *end = close ? close + 1 : "";

	select_tags(tags, pattern, start, end, out);
	if (!out->n && start)
		select_tags(tags, pattern, start, "", out);
	if (!out->n && start)
		select_tags(tags, "", 0, *end ? end : want + MIN(start, strlen(want)) - 1, out);
}

char *node_tags_hint(const struct node_tags *t, const char *image, const struct strv *tags)
{
	const struct node_tag *this = find(t, image);
	const char *colon = this ? strrchr(this->image, ':') : NULL;
	auto_strv struct strv near = { 0 };
	auto_buf struct buf out = BUF_INIT(1u << 16);

	if (!colon)
		return NULL;
	candidates(tags, this->pattern, colon + 1, &near);
	if (near.n)
		qsort_r(near.items, near.n, sizeof(near.items[0]), compare_nearness, (char *)colon + 1);
	buf_puts(&out, ": ");
	for (size_t i = 0; i < MIN(near.n, SHOWN); i++)
		buf_putf(&out, "%s%s", i ? ", " : "it has ", near.items[i]);
	if (near.n > SHOWN)
		buf_putf(&out, " and %zu more like it", near.n - SHOWN);
	buf_puts(&out, near.n ? ": take a kernel or a version that is there" : "it has no tag like it: take another version");
	return buf_take(&out);
}
