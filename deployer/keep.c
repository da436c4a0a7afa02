/* SPDX-License-Identifier: Apache-2.0 */
#include "keep.h"

#include "system.h"

#include <airgap/log.h>
#include <airgap/pool.h>

#define HEAD_MAX (HEAD_JSON_MAX + 2u * HEAD_TABLE_MAX + (1u << 20))    /* members, and what stands around them */

int keep_target(const struct session *s, const char *stream, const struct digest *id, struct ref *out, struct err *e)
{
	struct ref_site names = site_names(&s->site);
	char name[SYSTEM_STREAM];

	return ref_target_artifact("bundles", system_stream(stream, name), id, &names, out, e);
}

/* ---- the head, made again from what was judged ---- */

static void hold_frame(struct keep_reader *r)
{
	const struct verify *v = r->verdict;
	size_t decoded;
	uint64_t frame = 0;

	if (r->frame && r->at >= r->first && r->at - r->first < r->bytes)
		return;
	if (!r->frame)
		r->frame = xmalloc(FRAME_STORED_MAX);
	r->first = 0;
	head_frame_sizes(&v->head, frame, &r->bytes, &decoded);
	while (r->at - r->first >= r->bytes) {
		r->first += r->bytes;
		head_frame_sizes(&v->head, ++frame, &r->bytes, &decoded);
	}
	if (frame)
		head_frame(&v->head, v->member, frame, r->frame);
	else
		memcpy(r->frame, v->frame0, RECORD_FRAME);
}

static ssize_t reader_read(void *reader, void *p, size_t n, struct err *e)
{
	struct keep_reader *r = reader;

	(void)e;
	n = (size_t)MIN(n, r->size - r->at);
	if (!n)
		return 0;
	if (r->text) {
		memcpy(p, r->text + r->at, n);
	} else {
		hold_frame(r);
		n = MIN(n, r->bytes - (size_t)(r->at - r->first));
		memcpy(p, r->frame + (r->at - r->first), n);
	}
	r->at += n;
	return (ssize_t)n;
}

static int reader_seek(void *reader, uint64_t at, struct err *e)
{
	struct keep_reader *r = reader;

	if (at > r->size)
		return err_set(e, ERR_BUG, "seek behind the end");
	r->at = at;
	return 0;
}

bool keep_reader_open(struct keep_reader *r, const struct keep *k, const struct digest *d, struct source *out)
{
	struct oci_blob empty = oci_empty_blob();

	*r = (struct keep_reader){ 0 };
	if (digest_eq(d, &k->head.digest))
		*r = (struct keep_reader){ .verdict = k->verdict, .size = k->head.size };
	else if (digest_eq(d, &empty.digest))
		*r = (struct keep_reader){ .text = OCI_EMPTY_TEXT, .size = empty.size };
	else
		return false;
	*out = (struct source){ reader_read, reader_seek, r };
	return true;
}

void keep_reader_close(struct keep_reader *r)
{
	free(r->frame);
	*r = (struct keep_reader){ 0 };
}

static struct digest hash_head(const struct verify *v)
{
	struct keep_reader r = { .verdict = v, .size = v->head.bytes };
	auto_hash struct hash h = { 0 };

	hash_begin(&h);
	for (; r.at < r.size; r.at = r.first + r.bytes) {
		hold_frame(&r);
		hash_add(&h, r.frame, r.bytes);
	}
	keep_reader_close(&r);
	return hash_end(&h);
}

/* ---- the artifact ---- */

void keep_release(struct keep *k)
{
	free(k->content);
	buf_release(&k->manifest);
	*k = (struct keep)KEEP_INIT;
}

static int compare(const void *a, const void *b)
{
	const struct oci_blob *x = a, *y = b;

	return digest_cmp(&x->digest, &y->digest);
}

/* What may be read when the file is gone: images are the cluster's to pull, sets are extracted from the file. */
static void list_content(const struct contents *c, struct keep *k)
{
	size_t kept = 0;

	k->content = xcalloc(c->n_charts + c->n_files + 1, sizeof(*k->content));
	for (size_t i = 0; i < c->n_charts; i++)
		k->content[k->n_content++] = (struct oci_blob){ c->charts[i].archive, c->charts[i].size };
	for (size_t i = 0; i < c->n_files; i++)
		k->content[k->n_content++] = (struct oci_blob){ c->files[i].blob, c->files[i].size };
	qsort(k->content, k->n_content, sizeof(*k->content), compare);
	for (size_t i = 0; i < k->n_content; i++)
		if (!kept || compare(&k->content[kept - 1], &k->content[i]) != 0)
			k->content[kept++] = k->content[i];
	k->n_content = kept;
}

static int make_manifest(struct keep *k, struct err *e)
{
	auto_free struct oci_file *layers = xcalloc(k->n_content + 1, sizeof(*layers));
	auto_strv struct strv titles = { 0 };
	char hex[DIGEST_HEX];

	for (size_t i = 0; i < k->n_content; i++)
		strv_push(&titles, digest_hex(&k->content[i].digest, hex));
	layers[0] = (struct oci_file){ "bundle.head", k->head };
	for (size_t i = 0; i < k->n_content; i++)
		layers[i + 1] = (struct oci_file){ titles.items[i], k->content[i] };
	if (oci_make_artifact_manifest(KEEP_TYPE, layers, k->n_content + 1, &k->manifest, e) < 0)
		return -1;
	k->digest = digest_of(k->manifest.ptr, k->manifest.len);
	return 0;
}

int keep_make(const struct session *s, struct keep *out, struct err *e)
{
	const struct verify *v = bundle_verdict(s->bundle);

	out->verdict = v;
	out->head = (struct oci_blob){ hash_head(v), v->head.bytes };
	list_content(&s->contents, out);
	if (out->n_content >= OCI_LAYERS_MAX)
		return err_set(e, ERR_LIMIT, "%zu charts and files: at most %d fit into one manifest", out->n_content,
			       OCI_LAYERS_MAX - 1);
	return make_manifest(out, e);
}

/* ---- without the file ---- */

#define LOST "repository '%s': the registry has lost it: give the bundle file, whose push brings it back"

/* 1: the registry does not have the blob. Some refuse the question alone: then the content itself is asked for. */
static int ask_lost(struct session *s, const struct digest *d, struct err *e)
{
	auto_buf struct buf byte = BUF_INIT(1);
	const struct http_range first = { .end = 1 };
	const struct sink to = { buf_sink_write, &byte };
	struct err why = { 0 };
	uint64_t size;
	int there = registry_blob_head(s->registry, s->kept_in, d, &size, e);

	if (there)
		return MIN(there, 0);
	return registry_blob_range(s->registry, s->kept_in, d, UINT64_MAX, &first, &to, &why) < 0 && why.code == ERR_NETWORK;
}

static int fetch(void *session, const struct digest *d, uint64_t size, const struct sink *to, struct err *e)
{
	struct session *s = session;

	if (registry_blob_get(s->registry, s->kept_in, d, size, 0, to, e) == 0)
		return 0;

	struct err ignored = { 0 };

	return e->code == ERR_NETWORK && ask_lost(s, d, &ignored) == 1 ? err_set(e, ERR_PREFLIGHT, LOST, s->kept_in) : -1;
}

/* The head's bytes: of what the registry says it is, compared with the digest that it says. */
static int load_head(struct session *s, const struct ref *at, const char *name, struct buf *out, struct err *e)
{
	auto_registry_manifest struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	auto_oci_manifest struct oci_manifest doc = { 0 };
	int there = registry_manifest_get(s->registry, at->path, at->tag, &m, e);

	if (there < 0)
		return -1;
	if (!there)
		return err_set(e, ERR_PREFLIGHT, "%s: not in the registry: give the bundle file, whose push leaves it there", name);
	if (!oci_is_manifest(m.type) || oci_parse_manifest(m.bytes.ptr, m.bytes.len, m.type, &doc, e) < 0 ||
	    !str_eq(doc.artifact_type, KEEP_TYPE) || !doc.n_layers)
		return err_set(e, ERR_MALFORMED, "%s: not what the deployer leaves there: give the bundle file", name);
	return registry_blob_load(s->registry, at->path, &doc.layers[0].digest, doc.layers[0].size, out, e);
}

static int open_head(struct session *s, const struct buf *head, const char *stream, const struct digest *id, struct err *e)
{
	struct bundle_options o = session_bundle_options(s);
	struct mem_source bytes = { buf_str(head), head->len, 0 };
	struct source_at src = source_at_mem(&bytes);

	o.installed = id;
	o.blob = fetch;
	o.blob_ctx = s;
	o.dir = s->state_dir;
	s->bundle = bundle_open_at(&src, &o, e);
	if (!s->bundle)
		return -1;
	/* The stream is no part of the id. */
	if (strcmp(bundle_statement(s->bundle)->stream, stream) != 0)
		return err_set(e, ERR_POLICY, "of stream '%s', and '%s' is installed", bundle_statement(s->bundle)->stream, stream);
	return 0;
}

int keep_open(struct session *s, const char *stream, const struct digest *id, struct err *e)
{
	auto_ref struct ref at = { 0 };
	auto_buf struct buf head = BUF_INIT(HEAD_MAX);

	if (keep_target(s, stream, id, &at, e) < 0)
		return -1;

	auto_free char *name = ref_format(&at);

	free(s->kept_in);
	s->kept_in = xstrdup(at.path);
	if (load_head(s, &at, name, &head, e) < 0)
		return -1;
	if (open_head(s, &head, stream, id, e) < 0)
		return err_wrap(e, "%s", name);
	if (bundle_statement(s->bundle)->expires < time(NULL))
		log_warn("%s: has expired: it is taken because it is installed; bring a new one", name);
	return 0;
}

struct checking { struct session *session; const struct oci_blob *blobs; bool *lost; };

static int check_one(void *ctx, unsigned worker, size_t i, struct err *e)
{
	struct checking *c = ctx;
	int lost = ask_lost(c->session, &c->blobs[i].digest, e);

	(void)worker;
	c->lost[i] = lost == 1;
	return MIN(lost, 0);
}

int keep_check(struct session *s, unsigned jobs, struct err *e)
{
	CLEANUP(keep_release) struct keep k = KEEP_INIT;

	list_content(&s->contents, &k);

	auto_free bool *lost = xcalloc(k.n_content + 1, sizeof(*lost));
	struct checking c = { s, k.content, lost };
	size_t n = 0;

	if (pool_each(jobs, k.n_content, check_one, &c, e) < 0)
		return -1;
	for (size_t i = 0; i < k.n_content; i++)
		n += lost[i];
	if (!n)
		return 0;
	err_set(e, ERR_PREFLIGHT, LOST, s->kept_in);
	return err_wrap(e, "%zu of %zu charts and files", n, k.n_content);
}
