/* SPDX-License-Identifier: Apache-2.0 */
#include "subject.h"

#include "resolve.h"

#include <airgap/content.h>
#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/tarball.h>

#include <fcntl.h>

void subject_release(struct subject *s)
{
	free(s->path);
	free(s->blobs);
	lock_release(&s->lock);
	contents_release(&s->of_bundle);
	bundle_close(s->bundle);
	policy_release(&s->policy);
	*s = (struct subject){ 0 };
}

/* ---- what it is */

static int is_bundle(const char *path, struct err *e)
{
	static const uint8_t zstd[4] = { 0x28, 0xb5, 0x2f, 0xfd };
	auto_fd int fd = fs_open(path, O_RDONLY | O_NONBLOCK, 0, e);
	uint8_t magic[4];
	struct err ignored;

	if (fd < 0)
		return -1;
	return fs_read_exact(fd, magic, sizeof(magic), 0, &ignored) == 0 && memcmp(magic, zstd, sizeof(zstd)) == 0;
}

static int open_bundle(struct subject *s, const struct subject_options *o, struct err *e)
{
	const struct show_options show = { .trust = o->trust, .allow_unsigned = true, .inspect = true };
	size_t n = 0;

	s->bundle = bundle_show_open(s->path, &show, &s->policy, e);
	if (!s->bundle)
		return -1;

	const void *p = bundle_contents_bytes(s->bundle, &n);

	if (contents_parse(p, n, s->path, &s->of_bundle, e) < 0)
		return -1;
	s->contents = &s->of_bundle;
	s->n_blobs = (size_t)bundle_blobs(s->bundle);
	s->blobs = xcalloc(s->n_blobs + 1, sizeof(s->blobs[0]));
	for (size_t i = 0; i < s->n_blobs; i++) {
		struct blob_record b;

		bundle_blob(s->bundle, i, &b);
		s->blobs[i] = (struct subject_blob){ b.digest, b.size };
	}
	return 0;
}

static int open_lock(struct subject *s, const struct subject_options *o, struct err *e)
{
	const struct resolve_opts r = {
		.site = o->site, .overlays = o->overlays, .facts = o->facts, .no_referrers = o->no_referrers,
		.jobs = o->jobs, .env_proxy = o->env_proxy,
	};
	int is_lock = lock_is(s->path, e);

	if (is_lock == 1 && (o->site || o->facts || (o->overlays && o->overlays->n)))
		return err_set(e, ERR_USAGE, "'%s' is a lock: --site, --facts and --overlay are for manifests", s->path);
	if (is_lock < 0 || (is_lock ? lock_load(s->path, &s->lock, e) : resolve_manifest(s->path, &r, &s->lock, e)) < 0)
		return -1;
	for (size_t i = 0; i < s->lock.warnings.n; i++)
		log_warn("%s", s->lock.warnings.items[i]);
	s->contents = &s->lock.contents;
	s->n_blobs = s->lock.n_blobs;
	s->blobs = xcalloc(s->n_blobs + 1, sizeof(s->blobs[0]));
	for (size_t i = 0; i < s->n_blobs; i++)
		s->blobs[i] = (struct subject_blob){ s->lock.blobs[i].digest, s->lock.blobs[i].size };
	return 0;
}

int subject_open(struct subject *s, const char *path, const struct subject_options *o, struct err *e)
{
	int bundle = is_bundle(path, e);

	if (bundle < 0)
		return -1;
	s->path = xstrdup(path);
	return bundle ? open_bundle(s, o, e) : open_lock(s, o, e);
}

/* ---- blobs */

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

const struct subject_blob *subject_find(const struct subject *s, const struct digest *d)
{
	return s->n_blobs ? bsearch(d, s->blobs, s->n_blobs, sizeof(s->blobs[0]), compare) : NULL;
}

uint64_t subject_size(const struct subject *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->n_blobs; i++)
		if (!u64_add(&sum, s->blobs[i].size))
			return UINT64_MAX;
	return sum;
}

/* Out of a layout or an archive beside the lock. */
static int from_source(const struct subject *s, const struct lock_source *source, const struct digest *d, struct buf *out,
		       struct err *e)
{
	auto_free char *dir = fs_dirname(s->path), *path = fs_join(dir, source->location);
	char hex[DIGEST_HEX];
	auto_free char *name = xasprintf("blobs/sha256/%s", digest_hex(d, hex)), *file = fs_join(path, name);
	struct sink to = { buf_sink_write, out };

	if (source->kind == LOCK_LAYOUT)
		return fs_load(file, out->max, out, e);
	if (source->kind == LOCK_MEMBER && !strstr(source->location, "://")) {
		auto_fd int fd = fs_open(path, O_RDONLY, 0, e);

		return fd < 0 ? -1 : tarball_member(fd, source->member, out->max, &to, e);
	}
	return err_set(e, ERR_USAGE, "no file");
}

static int of_lock(const struct subject *s, const struct digest *d, struct buf *out, struct err *e)
{
	const struct lock_made *made = lock_find_made(&s->lock, d);
	const struct lock_blob *blob = lock_find(&s->lock, d);
	size_t at = out->len;
	int there;

	if (made)
		return buf_add(out, made->text, strlen(made->text), e) < 0 ? -1 : 1;
	there = content_load(d, out, e);
	for (size_t i = 0; blob && there == 0 && i < blob->n_sources; i++) {
		struct err ignored;

		if (from_source(s, &blob->sources[i], d, out, &ignored) == 0) {
			struct digest have = digest_of(buf_str(out) + at, out->len - at);

			there = digest_eq(&have, d);
		}
		if (!there)
			out->len = at;
	}
	return there;
}

int subject_blob(struct subject *s, const struct digest *d, struct buf *out, struct err *e)
{
	if (!s->bundle)
		return of_lock(s, d, out, e);
	if (!bundle_has(s->bundle, d))
		return 0;
	return bundle_blob_load(s->bundle, d, out, e) < 0 ? -1 : 1;
}

/* ---- text */

char *printable(const char *s)
{
	char *out = xstrdup(s ? s : "");

	for (unsigned char *p = (unsigned char *)out; *p; p++) {
		if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			*p++ = '?';
		else if (*p >= ' ' && *p != 0x7f)
			continue;
		*p = '?';
	}
	return out;
}

char *not_carried_name(const json_t *entry)
{
	const char *image = jdoc_text(entry, "image", NULL), *key;
	json_t *value;

	json_object_foreach((json_t *)entry, key, value)
		if (!image && strcmp(key, "reason") != 0 && strcmp(key, "change") != 0 && json_is_string(value))
			return xasprintf("%s '%s'", key, json_string_value(value));
	return xstrdup(image ? image : "");
}
