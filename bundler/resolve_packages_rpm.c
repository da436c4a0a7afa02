/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_packages.h"

#include <airgap/gpgv.h>
#include <airgap/rpmmd.h>

#define TEXT_MAX (64u << 20)    /* of our primary.xml, before it is refused */

/* repomd.xml, and who says so. */
static int read_repomd(const struct package_source *s, struct rpmmd *out, struct err *e)
{
	auto_free char *keyring = package_source_keyring(s);
	auto_buf struct buf text = BUF_INIT(RPMMD_MAX), signature = BUF_INIT(1u << 20);
	int there = package_source_get(s, "repodata/repomd.xml", &text, e);

	if (there < 0)
		return -1;
	if (!there)
		return err_set(e, ERR_USAGE, "'%s' has no repodata/repomd.xml: is the address right?", s->url);
	there = keyring ? package_source_get(s, "repodata/repomd.xml.asc", &signature, e) : 1;
	if (there < 0)
		return -1;
	if (!there)
		return err_set(e, ERR_UNSIGNED, "repomd.xml is not signed (there is no repomd.xml.asc): where that is so, write "
			       "trusted: true");
	if (keyring && gpgv_detached(keyring, buf_str(&text), text.len, buf_str(&signature), signature.len, e) < 0)
		return err_wrap(e, "repomd.xml");
	return rpmmd_parse(buf_str(&text), text.len, out, e) < 0 ? err_wrap(e, "repomd.xml") : 0;
}

int package_source_read_rpm(struct package_source *s, struct err *e)
{
	auto_rpmmd struct rpmmd md = { 0 };
	int there;

	if (read_repomd(s, &md, e) < 0)
		return -1;
	s->said = md.revision ? xstrdup(md.revision) : NULL;
	there = package_source_index(s, md.primary, &md.sha256, md.size, e);
	if (there)
		return MIN(there, 0);
	return err_set(e, ERR_NETWORK, "'%s' is not there, though repomd.xml names it: try again", md.primary);
}

/* ---- what is carried */

struct taker {
	struct package_repo *repo;
	const struct package_source *source;
	const struct package_index *index;
	struct buf out;
};

static void taker_release(struct taker *t)
{
	buf_release(&t->out);
}

/* The package's own text with another place in it. */
static int put_package(struct taker *t, const struct rpm_package *p, const char *title, struct err *e)
{
	const char *text = t->index->p;
	size_t end = p->location_at + p->location_length;
	bool closed = p->location_length > 2 && text[end - 2] == '/';
	auto_buf struct buf location = BUF_INIT(4096);

	buf_puts(&location, "<location href=\"");
	for (const char *s = title; *s; s++) {
		if (*s == '<' || *s == '&' || *s == '"')
			return err_set(e, ERR_UNSAFE, "'%.200s': is no safe file name", title);
		buf_putc(&location, *s);
	}
	buf_puts(&location, closed ? "\"/>" : "\">");
	if (buf_add(&t->out, text + p->at, p->location_at - p->at, e) < 0 ||
	    buf_add(&t->out, buf_str(&location), location.len, e) < 0 ||
	    buf_add(&t->out, text + end, p->at + p->length - end, e) < 0)
		return -1;
	return buf_add(&t->out, "\n", 1, e);
}

static int take(void *ctx, const struct rpm_package *p, struct err *e)
{
	struct taker *t = ctx;
	const struct oci_blob blob = { p->sha256, p->size };
	auto_free char *title = NULL;
	const struct depsolver_pick package = { p->name, p->version, p->architecture };
	int mine = package_repo_take(t->repo, t->source, &package, p->path, &blob, &title, e);

	return mine <= 0 ? mine : put_package(t, p, title, e);
}

static int take_all(struct taker *t, struct err *e)
{
	for (size_t i = 0; i < t->repo->n_sources; i++) {
		t->source = &t->repo->sources[i];
		t->index = t->source->indexes;
		if (t->index->n && rpmmd_each(t->index->p, t->index->n, take, t, e) < 0)
			return err_wrap(e, "'%s'", t->source->url);
	}
	return 0;
}

static int add_repomd(struct package_repo *repo, const struct buf *primary, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(1u << 20);
	const struct digest d = digest_of(buf_str(primary), primary->len);
	const char *said = repo->sources[0].said;
	uint64_t revision;
	char hex[DIGEST_HEX];

	if (!said || !u64_parse(said, &revision))
		revision = 0;
	digest_hex(&d, hex);
	buf_putf(&text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" "
		 "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n<revision>%ju</revision>\n", (uintmax_t)revision);
	buf_putf(&text, "<data type=\"primary\">\n<checksum type=\"sha256\">%s</checksum>\n"
		 "<open-checksum type=\"sha256\">%s</open-checksum>\n<location href=\"repodata/primary.xml\"/>\n"
		 "<timestamp>%ju</timestamp>\n<size>%zu</size>\n<open-size>%zu</open-size>\n</data>\n</repomd>\n",
		 hex, hex, (uintmax_t)revision, primary->len, primary->len);
	return package_repo_add_text(repo, "repodata/repomd.xml", &text, e);
}

int package_repo_fill_rpm(struct package_repo *repo, struct err *e)
{
	static const char end[] = "</metadata>\n";
	CLEANUP(taker_release) struct taker t = { .repo = repo, .out = BUF_INIT(TEXT_MAX) };

	buf_putf(&t.out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" "
		 "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"%zu\">\n", repo->picks.n);
	if (take_all(&t, e) < 0 || buf_add(&t.out, end, strlen(end), e) < 0 ||
	    package_repo_add_text(repo, "repodata/primary.xml", &t.out, e) < 0)
		return -1;
	return add_repomd(repo, &t.out, e);
}
