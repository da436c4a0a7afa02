/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle: makes a small bundle out of image layouts, chart folders and files, without a manifest, a registry or
 * helm: for tests of the deployer alone. Everything is held in memory.
 *
 *	bundle OUT KEY name=demo version=1 stream=example/demo sequence=1
 *	       site=DIR chart=DIR... image=REF=LAYOUT... sparse=REF=LAYOUT... file=NAME=PATH... tool=NAME=PATH...
 *
 * sparse: an index of which the first image alone is carried, and pushed as it is.
 * KEY is a private key, "new:FILE" makes one (and FILE.pub), "" leaves the bundle unsigned.
 */
#include <airgap/bundle_write.h>
#include <airgap/chart.h>
#include <airgap/fs.h>
#include <airgap/lock.h>
#include <airgap/oci.h>
#include <airgap/ref.h>

#include <stdio.h>
#include <time.h>

#define BLOB_MAX (256u << 20)

struct bytes { struct digest digest; struct buf text; };

struct making {
	struct lock lock;
	struct bytes *blobs;
	size_t n;
	struct statement st;
};

static _Noreturn void die(const struct err *e)
{
	fprintf(stderr, "bundle: %s\n", e->msg);
	exit(1);
}

static void must(int r, const struct err *e)
{
	if (r < 0)
		die(e);
}

/* Takes the content of text. */
static struct oci_blob keep(struct making *m, struct buf *text, const char *type, bool manifest)
{
	static const struct lock_source nowhere = { .kind = LOCK_FILE, .location = (char *)"memory" };
	struct bytes b = { digest_of(buf_str(text), text->len), *text };
	struct err e = { 0 };

	*text = (struct buf){ 0 };
	must(lock_add_blob(&m->lock, &b.digest, b.text.len, type, oci_encoding_stored(type), manifest, &nowhere, &e), &e);
	for (size_t i = 0; i < m->n; i++)
		if (digest_eq(&m->blobs[i].digest, &b.digest)) {
			buf_release(&b.text);
			return (struct oci_blob){ m->blobs[i].digest, m->blobs[i].text.len };
		}
	GROW(m->blobs, m->n);
	m->blobs[m->n++] = b;
	return (struct oci_blob){ b.digest, b.text.len };
}

static struct buf load(const char *path)
{
	struct buf b = BUF_INIT(BLOB_MAX);
	struct err e = { 0 };

	must(fs_load(path, BLOB_MAX, &b, &e), &e);
	return b;
}

static struct buf blob_of(const char *layout, const struct digest *d)
{
	char hex[DIGEST_HEX];
	auto_free char *path = xasprintf("%s/blobs/sha256/%s", layout, digest_hex(d, hex));

	return load(path);
}

static void add_tree(struct making *m, const char *layout, const struct descriptor *d, struct content_image *image, bool sparse)
{
	struct buf bytes = blob_of(layout, &d->digest);
	struct err e = { 0 };

	if (oci_is_index(d->media_type)) {
		auto_oci_index struct oci_index ix = { 0 };

		must(oci_parse_index(bytes.ptr, bytes.len, d->media_type, &ix, &e), &e);
		for (size_t i = 0; i < ix.n_manifests; i++) {
			struct content_child c = { xmalloc(PLATFORM_TEXT), ix.manifests[i].digest, i == 0 || !sparse };

			platform_format(&ix.manifests[i].platform, c.platform);
			GROW(image->children, image->n_children);
			image->children[image->n_children++] = c;
			if (c.carried)
				add_tree(m, layout, &ix.manifests[i], image, false);
		}
	} else {
		auto_oci_manifest struct oci_manifest om = { 0 };

		must(oci_parse_manifest(bytes.ptr, bytes.len, d->media_type, &om, &e), &e);
		struct buf config = blob_of(layout, &om.config.digest);

		image->size += keep(m, &config, om.config.media_type, false).size;
		for (size_t i = 0; i < om.n_layers; i++) {
			struct buf layer = blob_of(layout, &om.layers[i].digest);

			image->size += keep(m, &layer, om.layers[i].media_type, false).size;
		}
	}
	keep(m, &bytes, d->media_type, true);
}

static void add_image(struct making *m, const char *value, bool sparse)
{
	const char *equals = strchr(value, '=');
	struct contents *c = &m->lock.contents;
	struct err e = { 0 };

	if (!equals)
		must(err_set(&e, ERR_USAGE, "image=REF=LAYOUT"), &e);

	auto_free char *text = xstrndup(value, (size_t)(equals - value));
	auto_free char *index = fs_join(equals + 1, "index.json");
	auto_ref struct ref r = { 0 };
	auto_oci_index struct oci_index ix = { 0 };
	struct buf bytes = load(index);

	must(ref_parse(text, &r, &e), &e);
	must(oci_parse_index(bytes.ptr, bytes.len, OCI_INDEX, &ix, &e), &e);
	buf_release(&bytes);

	struct content_image image = { .ref = ref_format(&r), .media_type = xstrdup(ix.manifests[0].media_type),
				       .digest = ix.manifests[0].digest, .target = ix.manifests[0].digest };

	add_tree(m, equals + 1, &ix.manifests[0], &image, sparse);
	GROW(c->images, c->n_images);
	c->images[c->n_images++] = image;
}

static void add_chart(struct making *m, const char *dir, const char *role)
{
	struct contents *c = &m->lock.contents;
	struct buf archive = BUF_INIT(CHART_MAX), config = BUF_INIT(1 << 20), manifest = BUF_INIT(1 << 20);
	auto_chart struct chart chart = { 0 };
	struct err e = { 0 };

	must(chart_pack(dir, &archive, &e), &e);
	must(chart_read(archive.ptr, archive.len, &chart, &e), &e);
	must(chart_config(&chart, &config, &e), &e);

	struct oci_blob layer = keep(m, &archive, HELM_CHART, false), conf = keep(m, &config, HELM_CONFIG, false);

	must(oci_make_chart_manifest(chart.name, chart.version, &conf, &layer, &manifest, &e), &e);

	struct content_chart entry = { .name = xstrdup(chart.name), .version = xstrdup(chart.version), .role = xstrdup(role),
				       .archive = layer.digest, .size = layer.size };

	entry.digest = keep(m, &manifest, OCI_MANIFEST, true).digest;
	if (strcmp(role, "site") == 0)
		c->site = xstrdup(chart.name);
	GROW(c->charts, c->n_charts);
	c->charts[c->n_charts++] = entry;
}

static void add_file(struct making *m, const char *value, bool tool)
{
	const char *equals = strchr(value, '=');
	struct contents *c = &m->lock.contents;
	struct buf bytes = load(equals + 1), manifest = BUF_INIT(1 << 20), empty = BUF_INIT(16);
	struct err e = { 0 };
	struct content_file f = { .name = xstrndup(value, (size_t)(equals - value)) };

	f.file = xstrdup(f.name);
	f.role = tool ? xstrdup("tool") : NULL;
	f.mode = tool ? xstrdup("755") : NULL;

	struct oci_blob blob = keep(m, &bytes, "application/octet-stream", false);

	buf_puts(&empty, OCI_EMPTY_TEXT);
	keep(m, &empty, OCI_EMPTY, false);
	must(oci_make_artifact_manifest(AIRGAP_FILE, &(struct oci_file){ f.file, blob }, 1, &manifest, &e), &e);
	f.blob = blob.digest;
	f.size = blob.size;
	f.digest = keep(m, &manifest, OCI_MANIFEST, true).digest;
	GROW(c->files, c->n_files);
	c->files[c->n_files++] = f;
}

static void replace(char **to, const char *text)
{
	free(*to);
	*to = xstrdup(text);
}

static void setting(struct making *m, const char *key, const char *value)
{
	struct contents *c = &m->lock.contents;
	struct err e = { 0 };

	if (strcmp(key, "name") == 0)
		replace(&c->name, value);
	else if (strcmp(key, "version") == 0)
		replace(&c->version, value);
	else if (strcmp(key, "stream") == 0)
		snprintf(m->st.stream, sizeof(m->st.stream), "%s", value);
	else if (strcmp(key, "sequence") == 0 && u64_parse(value, &m->st.sequence))
		;
	else if (strcmp(key, "site") == 0)
		add_chart(m, value, "site");
	else if (strcmp(key, "chart") == 0)
		add_chart(m, value, "chart");
	else if (strcmp(key, "image") == 0 || strcmp(key, "sparse") == 0)
		add_image(m, value, key[0] == 's');
	else if (strcmp(key, "file") == 0 || strcmp(key, "tool") == 0)
		add_file(m, value, key[0] == 't');
	else
		must(err_set(&e, ERR_USAGE, "%s: not known", key), &e);
}

static const struct bytes *find(const struct making *m, const struct digest *d)
{
	for (size_t i = 0; i < m->n; i++)
		if (digest_eq(&m->blobs[i].digest, d))
			return &m->blobs[i];
	abort();
}

static void write_bundle(struct making *m, const char *path, const struct signer *signer)
{
	auto_buf struct buf json = BUF_INIT(CONTENTS_MAX), index = BUF_INIT(16 << 20);
	struct bundle_blob *blobs = xcalloc(m->n, sizeof(*blobs));
	struct bundle_writer *w;
	struct digest id;
	struct err e = { 0 };
	char text[DIGEST_TEXT];

	contents_sort(&m->lock.contents);
	lock_finish(&m->lock);
	must(contents_check(&m->lock.contents, &e), &e);
	must(contents_dump(&m->lock.contents, &json, &e), &e);
	must(lock_index_json(&m->lock, &index, &e), &e);
	for (size_t i = 0; i < m->n; i++)
		blobs[i] = (struct bundle_blob){ m->lock.blobs[i].digest, m->lock.blobs[i].size, m->lock.blobs[i].stored, false };

	struct bundle_input in = { m->st, json.ptr, json.len, index.ptr, index.len, blobs, m->n, 1, 1 };

	must(bundle_writer_open(path, &in, &w, &e), &e);
	for (size_t i = 0; i < m->n; i++) {
		size_t k = bundle_writer_order(w)[i];
		const struct bytes *b = find(m, &blobs[k].digest);
		uint64_t at, end;
		int r;

		while ((r = bundle_writer_gap(w, k, &at, &end, &e)) == 1)
			must(bundle_writer_add(w, k, at, b->text.ptr + at, end - at, &e), &e);
		must(r, &e);
	}
	must(bundle_writer_finish(w, signer, &id, &e), &e);
	bundle_writer_close(w);
	free(blobs);
	printf("%s\n", digest_text(&id, text));
}

static void new_key(const char *path)
{
	auto_buf struct buf priv = BUF_INIT(8192), pub = BUF_INIT(8192);
	auto_free char *public = xasprintf("%s.pub", path);
	struct digest id;
	struct err e = { 0 };

	must(sign_generate(SIGN_P256, NULL, &priv, &pub, &id, &e), &e);
	must(fs_save(path, priv.ptr, priv.len, 0600, &e), &e);
	must(fs_save(public, pub.ptr, pub.len, 0644, &e), &e);
}

int main(int argc, char **argv)
{
	static struct making m = { .st = { .expires = POLICY_NEVER, .sequence = 1 } };
	auto_signer struct signer signer = { 0 };
	struct err e = { 0 };
	const char *key = argc > 2 ? argv[2] : "";

	if (argc < 3)
		return 2;
	if (str_starts(key, "new:")) {
		key += strlen("new:");
		new_key(key);
	}
	if (*key)
		must(signer_load(&signer, key, NULL, &e), &e);
	m.st.created = time(NULL);
	m.lock.contents.builder = xstrdup("bundle (test)");
	snprintf(m.st.stream, sizeof(m.st.stream), "example/demo");
	setting(&m, "name", "demo");
	setting(&m, "version", "1.0.0");
	for (int i = 3; i < argc; i++) {
		auto_free char *name = xstrndup(argv[i], strcspn(argv[i], "="));

		setting(&m, name, argv[i] + strlen(name) + (argv[i][strlen(name)] == '='));
	}
	snprintf(m.st.version, sizeof(m.st.version), "%s", m.lock.contents.version);
	write_bundle(&m, argv[1], *key ? &signer : NULL);
	lock_release(&m.lock);
	for (size_t i = 0; i < m.n; i++)
		buf_release(&m.blobs[i].text);
	free(m.blobs);
	return 0;
}
