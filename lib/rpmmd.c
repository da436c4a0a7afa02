/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/deb.h>
#include <airgap/rpmmd.h>

#include <expat.h>

#define DEPTH_MAX 32u
#define TEXT_MAX  4096u
#define PIECE     (1u << 20)    /* expat counts in int */

/* One document under way. */
struct walk {
	XML_Parser parser;
	unsigned depth;
	struct buf text;                /* of the element that began last */
	void (*start)(struct walk *w, const char *name, const char **attributes);
	void (*end)(struct walk *w, const char *name);
	struct err *e;
	bool failed;

	struct rpmmd md;                /* repomd.xml */
	bool is_primary, has_hash;      /* the <data> we are in */
	struct digest hash;
	uint64_t size;
	char *href;

	struct rpm_package package;     /* primary.xml */
	rpmmd_fn fn;
	void *ctx;
};

void rpmmd_release(struct rpmmd *m)
{
	free(m->revision);
	free(m->primary);
	*m = (struct rpmmd){ 0 };
}

static void package_release(struct rpm_package *p)
{
	free(p->name);
	free(p->version);
	free(p->architecture);
	free(p->path);
	*p = (struct rpm_package){ 0 };
}

static void walk_release(struct walk *w)
{
	if (w->parser)
		XML_ParserFree(w->parser);
	buf_release(&w->text);
	rpmmd_release(&w->md);
	package_release(&w->package);
	free(w->href);
}

static void fail(struct walk *w)
{
	w->failed = true;
	XML_StopParser(w->parser, XML_FALSE);
}

static const char *attribute(const char **attributes, const char *name)
{
	for (; *attributes; attributes += 2)
		if (strcmp(attributes[0], name) == 0)
			return attributes[1];
	return NULL;
}

/* ---- expat's side */

static void XMLCALL on_start(void *ctx, const char *name, const char **attributes)
{
	struct walk *w = ctx;

	if (w->failed)
		return;
	buf_clear(&w->text);
	if (++w->depth > DEPTH_MAX) {
		err_set(w->e, ERR_LIMIT, "elements in elements, more than %u deep", DEPTH_MAX);
		fail(w);
		return;
	}
	w->start(w, name, attributes);
}

static void XMLCALL on_end(void *ctx, const char *name)
{
	struct walk *w = ctx;

	if (w->failed)
		return;
	w->end(w, name);
	w->depth--;
	buf_clear(&w->text);
}

/* Long texts are descriptions, which nobody asks for here: their ends are dropped. */
static void XMLCALL on_text(void *ctx, const char *p, int n)
{
	struct walk *w = ctx;

	if (!w->failed)
		buf_put(&w->text, p, MIN((size_t)n, w->text.max - w->text.len));
}

static void XMLCALL on_doctype(void *ctx, const char *name, const char *system, const char *public, int internal)
{
	struct walk *w = ctx;

	if (w->failed)
		return;
	err_set(w->e, ERR_UNSAFE, "has a document type: no repository needs one");
	fail(w);
}

static int feed(struct walk *w, const char *p, size_t n)
{
	for (size_t at = 0; at < n || at == 0;) {
		size_t piece = MIN(n - at, PIECE);
		bool last = at + piece == n;

		if (XML_Parse(w->parser, p + at, (int)piece, last) != XML_STATUS_OK) {
			if (w->failed)
				return -1;
			return err_set(w->e, ERR_MALFORMED, "line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(w->parser),
				       XML_ErrorString(XML_GetErrorCode(w->parser)));
		}
		at += piece;
		if (last)
			break;
	}
	return w->failed ? -1 : 0;
}

static int parse(struct walk *w, const char *p, size_t n)
{
	w->text.max = TEXT_MAX;
	w->parser = XML_ParserCreate("UTF-8");
	if (!w->parser)
		abort();
	XML_SetUserData(w->parser, w);
	XML_SetElementHandler(w->parser, on_start, on_end);
	XML_SetCharacterDataHandler(w->parser, on_text);
	XML_SetStartDoctypeDeclHandler(w->parser, on_doctype);
	return feed(w, p, n);
}

/* ---- what both documents have */

/* <checksum type="sha256">HEX</checksum>, at its end; the type was looked at when it began. */
static void take_hash(struct walk *w, struct digest *out)
{
	const char *text = buf_str(&w->text);

	w->has_hash = digest_parse_hex(text, strlen(text), out);
	if (w->has_hash)
		return;
	err_set(w->e, ERR_MALFORMED, "'%.80s' is no sha256", text);
	fail(w);
}

static void check_hash_type(struct walk *w, const char **attributes)
{
	const char *type = attribute(attributes, "type");

	if (type && strcmp(type, "sha256") == 0)
		return;
	err_set(w->e, ERR_UNSUPPORTED, "has hashes of type '%.20s': only sha256 is taken", type ? type : "");
	fail(w);
}

static void take_href(struct walk *w, const char **attributes, char **out)
{
	const char *href = attribute(attributes, "href");

	if (attribute(attributes, "xml:base"))
		err_set(w->e, ERR_UNSUPPORTED, "its files are at another address (xml:base)");
	else if (*out)
		err_set(w->e, ERR_MALFORMED, "two locations of one thing");
	else if (!href || !deb_path_ok(href))
		err_set(w->e, ERR_UNSAFE, "location: '%.300s' is no path below the repository", href ? href : "");
	else {
		*out = xstrdup(href);
		return;
	}
	fail(w);
}

/* ---- repomd.xml: metadata / data / checksum, location, size */

static void md_start(struct walk *w, const char *name, const char **attributes)
{
	if (w->depth == 2 && strcmp(name, "data") == 0) {
		const char *type = attribute(attributes, "type");

		w->is_primary = type && strcmp(type, "primary") == 0;
		w->has_hash = false;
		w->size = UINT64_MAX;
	} else if (w->depth == 3 && w->is_primary && strcmp(name, "checksum") == 0) {
		check_hash_type(w, attributes);
	} else if (w->depth == 3 && w->is_primary && strcmp(name, "location") == 0) {
		take_href(w, attributes, &w->href);
	}
}

static void md_data(struct walk *w)
{
	if (!w->has_hash || !w->href || w->md.primary) {
		err_set(w->e, ERR_MALFORMED, "its primary data has no hash or no location, or stands there twice");
		fail(w);
		return;
	}
	w->md.primary = TAKE(w->href);
	w->md.sha256 = w->hash;
	w->md.size = w->size;
	w->is_primary = false;
}

static void md_end(struct walk *w, const char *name)
{
	const char *text = buf_str(&w->text);

	if (w->depth == 2 && strcmp(name, "revision") == 0 && !w->md.revision)
		w->md.revision = xstrdup(text);
	else if (w->depth == 2 && w->is_primary && strcmp(name, "data") == 0)
		md_data(w);
	else if (w->depth == 3 && w->is_primary && strcmp(name, "checksum") == 0)
		take_hash(w, &w->hash);
	else if (w->depth == 3 && w->is_primary && strcmp(name, "size") == 0 && !u64_parse(text, &w->size))
		w->size = UINT64_MAX;
}

int rpmmd_parse(const char *p, size_t n, struct rpmmd *out, struct err *e)
{
	CLEANUP(walk_release) struct walk w = { .start = md_start, .end = md_end, .e = e };

	if (n > RPMMD_MAX)
		return err_set(e, ERR_LIMIT, "more than %u bytes", RPMMD_MAX);
	if (parse(&w, p, n) < 0)
		return -1;
	if (!w.md.primary)
		return err_set(e, ERR_MALFORMED, "names no primary data");
	*out = w.md;
	w.md = (struct rpmmd){ 0 };
	return 0;
}

/* ---- primary.xml: metadata / package / name, arch, version, checksum, size, location */

static void set_version(struct walk *w, const char **attributes)
{
	const char *epoch = attribute(attributes, "epoch"), *ver = attribute(attributes, "ver"),
		   *rel = attribute(attributes, "rel");
	bool some = epoch && *epoch && strcmp(epoch, "0") != 0;

	free(w->package.version);
	w->package.version = xasprintf("%s%s%s%s%s", some ? epoch : "", some ? ":" : "", ver ? ver : "", rel && *rel ? "-" : "",
				       rel ? rel : "");
}

static void package_start(struct walk *w, const char *name, const char **attributes)
{
	struct rpm_package *p = &w->package;
	const char *size;

	if (w->depth == 2 && strcmp(name, "package") == 0) {
		p->at = (size_t)XML_GetCurrentByteIndex(w->parser);
		p->size = UINT64_MAX;
		w->has_hash = false;
	}
	if (w->depth != 3)
		return;
	if (strcmp(name, "checksum") == 0)
		check_hash_type(w, attributes);
	else if (strcmp(name, "version") == 0)
		set_version(w, attributes);
	else if (strcmp(name, "size") == 0 && (size = attribute(attributes, "package")) && !u64_parse(size, &p->size))
		p->size = UINT64_MAX;
	else if (strcmp(name, "location") == 0) {
		take_href(w, attributes, &p->path);
		p->location_at = (size_t)XML_GetCurrentByteIndex(w->parser);
		p->location_length = (size_t)XML_GetCurrentByteCount(w->parser);
	}
}

static void package_done(struct walk *w)
{
	struct rpm_package *p = &w->package;

	p->length = (size_t)XML_GetCurrentByteIndex(w->parser) + (size_t)XML_GetCurrentByteCount(w->parser) - p->at;
	if (!p->name || !p->version || !p->architecture || !p->path || !w->has_hash || p->size == UINT64_MAX) {
		err_set(w->e, ERR_MALFORMED, "package '%.200s': no name, version, arch, location, hash or size",
			p->name ? p->name : "?");
		fail(w);
	} else if (w->fn(w->ctx, p, w->e) < 0) {
		fail(w);
	}
	package_release(p);
}

static void package_end(struct walk *w, const char *name)
{
	struct rpm_package *p = &w->package;

	if (w->depth == 2 && strcmp(name, "package") == 0)
		package_done(w);
	else if (w->depth == 3 && strcmp(name, "name") == 0 && !p->name)
		p->name = xstrdup(buf_str(&w->text));
	else if (w->depth == 3 && strcmp(name, "arch") == 0 && !p->architecture)
		p->architecture = xstrdup(buf_str(&w->text));
	else if (w->depth == 3 && strcmp(name, "checksum") == 0)
		take_hash(w, &p->sha256);
}

int rpmmd_each(const char *p, size_t n, rpmmd_fn fn, void *ctx, struct err *e)
{
	CLEANUP(walk_release) struct walk w = { .start = package_start, .end = package_end, .e = e, .fn = fn, .ctx = ctx };

	return parse(&w, p, n);
}
