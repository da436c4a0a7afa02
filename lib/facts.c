/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/facts.h>

#include <airgap/fs.h>
#include <airgap/semver.h>

#include <ctype.h>

#define API_VERSION "airgap/v1"
#define KIND        "Facts"
#define COUNT_MAX   (UINT64_C(1) << 40) /* so that sums are numbers of JSON */

static const struct field node_fields[] = {
	F_U64(struct facts_node, count, "count", 0),
	F_STR(struct facts_node, os, "os", 0),
	F_STR(struct facts_node, os_version, "osVersion", F_ALIAS_SCALAR),
	F_STR(struct facts_node, os_image, "osImage", 0),
	F_STR(struct facts_node, kernel, "kernel", F_REQUIRED),
	F_STR(struct facts_node, architecture, "architecture", 0),
	F_STR(struct facts_node, runtime, "runtime", 0),
	F_BOOL(struct facts_node, gpu, "gpu", 0),
	F_STR(struct facts_node, gpu_product, "gpuProduct", 0),
	F_STR(struct facts_node, gpu_driver, "gpuDriver", 0),
	F_U64(struct facts_node, gpus, "gpus", 0),
	F_BOOL(struct facts_node, mig, "mig", 0),
	{ 0 }
};
static const struct type node_type = TYPE(struct facts_node, node_fields);

struct kubernetes { char *version; struct strv api_versions; };
static const struct field kubernetes_fields[] = {
	F_STR(struct kubernetes, version, "version", 0),
	F_STRV(struct kubernetes, api_versions, "apiVersions", 0),
	{ 0 }
};
static const struct type kubernetes_type = TYPE(struct kubernetes, kubernetes_fields);

/* As it is written: `kubernetes` has the shape it has in manifests. */
struct document {
	char *api_version, *kind, *created;
	struct kubernetes kubernetes;
	struct facts_node *nodes; size_t n_nodes;
};

#define BODY_FIELDS                                                                     \
	F_STR(struct document, created, "created", 0),                                  \
	F_OBJ(struct document, kubernetes, "kubernetes", kubernetes_type, 0),           \
	F_LIST(struct document, nodes, n_nodes, "nodes", node_type, 0),                 \
	{ 0 }

static const struct field body_fields[] = { BODY_FIELDS };
static const struct type body_type = TYPE(struct document, body_fields);
static const struct field file_fields[] = {
	F_STR(struct document, api_version, "apiVersion", F_REQUIRED),
	F_STR(struct document, kind, "kind", F_REQUIRED),
	BODY_FIELDS
};
static const struct type file_type = TYPE(struct document, file_fields);

/* The same under one key, so that messages name it. */
struct member { struct document facts; };
static const struct field member_fields[] = {
	F_OBJ(struct member, facts, "facts", body_type, 0),
	{ 0 }
};
static const struct type member_type = TYPE(struct member, member_fields);

void facts_release(struct facts *f)
{
	struct document d = {
		f->api_version, f->kind, f->created, { f->kube_version, f->api_versions }, f->nodes, f->n_nodes,
	};

	decode_free(&file_type, &d);
	*f = (struct facts){ 0 };
}

void facts_node_release(struct facts_node *node)
{
	decode_free(&node_type, node);
}

static void document_release(struct document *d)
{
	decode_free(&file_type, d);
}

/* ---- nodes */

static int compare_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : (a != NULL) - (b != NULL);
}

/* Everything but the count. */
static int compare_nodes(const void *a, const void *b)
{
	const struct facts_node *x = a, *y = b;
	const char *const pairs[][2] = {
		{ x->os, y->os }, { x->os_version, y->os_version }, { x->kernel, y->kernel },
		{ x->architecture, y->architecture }, { x->os_image, y->os_image }, { x->runtime, y->runtime },
		{ x->gpu_product, y->gpu_product }, { x->gpu_driver, y->gpu_driver },
	};
	int c = 0;

	for (size_t i = 0; i < ARRAY_LEN(pairs) && !c; i++)
		c = compare_text(pairs[i][0], pairs[i][1]);
	c = c ? c : x->gpu - y->gpu;
	c = c ? c : x->mig - y->mig;
	return c ? c : (x->gpus > y->gpus) - (x->gpus < y->gpus);
}

static uint64_t count_of(const struct facts_node *n)
{
	return n->count ? n->count : 1;
}

void facts_add_take(struct facts *f, struct facts_node *node)
{
	for (size_t i = 0; i < f->n_nodes; i++) {
		struct facts_node *have = &f->nodes[i];

		if (compare_nodes(have, node) != 0)
			continue;
		have->count = MIN(count_of(have), COUNT_MAX) + MIN(count_of(node), COUNT_MAX);
		decode_free(&node_type, node);
		return;
	}
	GROW(f->nodes, f->n_nodes);
	f->nodes[f->n_nodes++] = *node;
	*node = (struct facts_node){ 0 };
}

void facts_sort(struct facts *f)
{
	if (f->n_nodes)
		qsort(f->nodes, f->n_nodes, sizeof(f->nodes[0]), compare_nodes);
}

void facts_merge_take(struct facts *to, struct facts *from)
{
	if (!to->kube_version)
		to->kube_version = TAKE(from->kube_version);
	if (!to->created)
		to->created = TAKE(from->created);
	if (!to->api_versions.n) {
		strv_release(&to->api_versions);
		to->api_versions = from->api_versions;
		from->api_versions = (struct strv){ 0 };
	}
	for (size_t i = 0; i < from->n_nodes; i++)
		facts_add_take(to, &from->nodes[i]);
	facts_release(from);
	facts_sort(to);
}

char *facts_node_text(const struct facts_node *n)
{
	uint64_t count = count_of(n);
	const char *os = n->os ? n->os : n->os_image ? n->os_image : "of an unknown system";

	return xasprintf("%ju node%s %s%s%s%s%s", (uintmax_t)count, count == 1 ? "" : "s", os, n->os && n->os_version ? " " : "",
			 n->os && n->os_version ? n->os_version : "", n->kernel ? ", kernel " : "", n->kernel ? n->kernel : "");
}

/* ---- reading */

static bool text_ok(const char *s)
{
	if (s && (!*s || strlen(s) > FACTS_TEXT_MAX))
		return false;
	for (; s && *s; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return true;
}

static int check_node(const struct facts_node *n, struct err *e)
{
	const struct { const char *key, *text; } texts[] = {
		{ "os", n->os }, { "osVersion", n->os_version }, { "osImage", n->os_image }, { "kernel", n->kernel },
		{ "architecture", n->architecture }, { "runtime", n->runtime }, { "gpuProduct", n->gpu_product },
		{ "gpuDriver", n->gpu_driver },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!text_ok(texts[i].text))
			return err_set(e, ERR_MALFORMED, "%s: takes 1 to %u printable ASCII characters", texts[i].key,
				       FACTS_TEXT_MAX);
	if (!n->os != !n->os_version && !n->os_image)
		return err_set(e, ERR_MALFORMED, "os and osVersion belong together: \"ubuntu\" and \"22.04\"");
	return 0;
}

static void learn_os(struct facts_node *n)
{
	char *os = NULL, *version = NULL;

	if ((n->os && n->os_version) || !n->os_image || !facts_os_of_image(n->os_image, &os, &version))
		return;
	free(n->os);
	free(n->os_version);
	n->os = os;
	n->os_version = version;
}

static int check_document(const struct document *d, struct err *e)
{
	struct semver v;

	if (d->n_nodes > FACTS_NODES_MAX)
		return err_set(e, ERR_LIMIT, "more than %u kinds of nodes", FACTS_NODES_MAX);
	if (!text_ok(d->created))
		return err_set(e, ERR_MALFORMED, "created: is no time");
	if (d->kubernetes.version && !semver_parse(d->kubernetes.version, 0, &v))
		return err_set(e, ERR_MALFORMED, "kubernetes.version: '%.*s': write a version such as v1.32.4",
			       (int)FACTS_TEXT_MAX, d->kubernetes.version);
	return 0;
}

/* d's content is taken. list is where its nodes stand, `key` what that is called, for messages. */
static int take_document(struct document *d, const json_t *list, const char *key, const struct ydoc_marks *marks,
			 const char *subject, struct facts *out, struct err *e)
{
	auto_facts struct facts f = { 0 };

	if (check_document(d, e) < 0)
		return err_wrap(e, "%s", subject);
	f = (struct facts){
		.api_version = TAKE(d->api_version), .kind = TAKE(d->kind), .created = TAKE(d->created),
		.kube_version = TAKE(d->kubernetes.version), .api_versions = d->kubernetes.api_versions,
	};
	d->kubernetes.api_versions = (struct strv){ 0 };
	for (size_t i = 0; i < d->n_nodes; i++) {
		if (check_node(&d->nodes[i], e) < 0) {
			auto_free char *where = ydoc_where(marks, list, NULL, i, subject);

			return err_wrap(e, "%s: %s[%zu]", where, key, i);
		}
		learn_os(&d->nodes[i]);
		facts_add_take(&f, &d->nodes[i]);
	}
	facts_sort(&f);
	*out = f;
	f = (struct facts){ 0 };
	return 0;
}

int facts_decode(const json_t *j, const struct ydoc_marks *marks, const char *subject, struct facts *out, struct err *e)
{
	auto_json json_t *doc = json_pack("{s:O}", "facts", j);
	struct member m;

	*out = (struct facts){ 0 };
	if (decode(&member_type, doc, marks, subject, &m, e) < 0)
		return -1;

	int r = take_document(&m.facts, json_object_get(j, "nodes"), "facts.nodes", marks, subject, out, e);

	document_release(&m.facts);
	return r;
}

static int check_head(const json_t *doc, const char *subject, struct err *e)
{
	const char *kind = jdoc_text(doc, "kind", NULL), *api = jdoc_text(doc, "apiVersion", NULL);

	if (json_is_null(doc))
		return err_set(e, ERR_MALFORMED, "%s: is empty", subject);
	if (kind && strcmp(kind, KIND) != 0)
		return err_set(e, ERR_UNSUPPORTED, "%s: kind is '%s', not " KIND, subject, kind);
	if (api && strcmp(api, API_VERSION) != 0)
		return err_set(e, ERR_UNSUPPORTED, "%s: apiVersion is '%s': this program reads " API_VERSION, subject, api);
	return 0;
}

int facts_parse(const void *p, size_t n, const char *subject, struct facts *out, struct err *e)
{
	auto_ydoc_marks struct ydoc_marks *marks = NULL;
	auto_json json_t *doc = ydoc_parse(p, n, &ydoc_user, subject, &marks, e);
	struct document d;

	*out = (struct facts){ 0 };
	if (!doc || check_head(doc, subject, e) < 0 || decode(&file_type, doc, marks, subject, &d, e) < 0)
		return -1;

	int r = take_document(&d, json_object_get(doc, "nodes"), "nodes", marks, subject, out, e);

	document_release(&d);
	return r;
}

int facts_load(const char *path, struct facts *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(FACTS_MAX);

	*out = (struct facts){ 0 };
	if (fs_load(path, FACTS_MAX, &text, e) < 0)
		return -1;
	return facts_parse(buf_str(&text), text.len, path, out, e);
}

/* ---- writing */

static struct document document_of(const struct facts *f)
{
	return (struct document){
		.api_version = (char *)API_VERSION, .kind = (char *)KIND, .created = f->created,
		.kubernetes = { f->kube_version, f->api_versions }, .nodes = f->nodes, .n_nodes = f->n_nodes,
	};
}

json_t *facts_encode(const struct facts *f)
{
	const struct document d = document_of(f);
	auto_json json_t *j = encode(&body_type, &d);

	return json_object_size(j) ? json_incref(j) : NULL;
}

int facts_dump(const struct facts *f, struct buf *out, struct err *e)
{
	const struct document d = document_of(f);
	auto_json json_t *j = encode(&file_type, &d);

	return jdoc_dump_pretty(j, out, e);
}

/* ---- the system, from what a kubelet calls it */

/* How VERSION_ID follows from the words behind the name. */
enum spelling {
	SPELLING_TWO,           /* "22.04.5 LTS" → "22.04" */
	SPELLING_WHOLE,         /* "12 (bookworm)" → "12", "9.4 (Plow)" → "9.4" */
	SPELLING_PACK,          /* "15 SP6" → "15.6", "15" → "15" */
	SPELLING_COREOS,        /* "417.94.202411201839-0" and "4.17" → "4.17" */
};

static const struct { const char *name, *id; enum spelling spelling; } systems[] = {
	{ "Ubuntu ", "ubuntu", SPELLING_TWO },
	{ "Red Hat Enterprise Linux CoreOS ", "rhcos", SPELLING_COREOS },
	{ "Red Hat Enterprise Linux ", "rhel", SPELLING_WHOLE },
	{ "Rocky Linux ", "rocky", SPELLING_WHOLE },
	{ "AlmaLinux ", "almalinux", SPELLING_WHOLE },
	{ "Oracle Linux Server ", "ol", SPELLING_WHOLE },
	{ "CentOS Stream ", "centos", SPELLING_WHOLE },
	{ "Fedora Linux ", "fedora", SPELLING_WHOLE },
	{ "SUSE Linux Enterprise Server ", "sles", SPELLING_PACK },
	{ "Debian GNU/Linux ", "debian", SPELLING_WHOLE },
};

/* "22.04" of "22.04.5 LTS": at most `parts` numbers with points between them; NULL = there is no number. */
static char *numbers(const char *text, unsigned parts)
{
	const char *p = text;

	while (isdigit((unsigned char)*p)) {
		p += strspn(p, "0123456789");
		if (--parts == 0 || *p != '.' || !isdigit((unsigned char)p[1]))
			break;
		p++;
	}
	return p > text ? xstrndup(text, (size_t)(p - text)) : NULL;
}

static char *pack_version(const char *text)
{
	auto_free char *major = numbers(text, 1);
	const char *rest = major ? text + strlen(major) : "";
	auto_free char *pack = str_starts(rest, " SP") ? numbers(rest + strlen(" SP"), 1) : NULL;

	return pack ? xasprintf("%s.%s", major, pack) : TAKE(major);
}

/* 417.94 is OpenShift 4.17 on RHEL 9.4. What begins otherwise is not known to us. */
static char *coreos_version(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (*text != '4')
		return NULL;
	return digits == 1 ? numbers(text, 2) : xasprintf("4.%.*s", (int)digits - 1, text + 1);
}

static char *version_of(const char *text, enum spelling spelling)
{
	switch (spelling) {
	case SPELLING_TWO:
		return numbers(text, 2);
	case SPELLING_PACK:
		return pack_version(text);
	case SPELLING_COREOS:
		return coreos_version(text);
	case SPELLING_WHOLE:
		break;
	}
	return numbers(text, 3);
}

bool facts_os_of_image(const char *image, char **os, char **version)
{
	for (size_t i = 0; i < ARRAY_LEN(systems); i++) {
		if (!str_starts(image, systems[i].name))
			continue;

		char *v = version_of(image + strlen(systems[i].name), systems[i].spelling);

		if (!v)
			return false;
		*os = xstrdup(systems[i].id);
		*version = v;
		return true;
	}
	return false;
}
