/* SPDX-License-Identifier: Apache-2.0 */
#include "image_add.h"
#include "resolve_run.h"

#include <airgap/fs.h>
#include <airgap/tarball.h>

#define MEMBER_MAX (1u << 20)           /* of the list of files in the lock */
#define LAYER_MAX  (UINT64_C(256) << 30)

void image_layer_release(struct image_layer *l)
{
	free(l->source.location);
	free(l->source.member);
	free(l->files);
	*l = (struct image_layer){ 0 };
}

/* Its name in the layer. ERR_UNSAFE for what a layer would take as "remove this". */
static const char *name_in_layer(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (*name && !str_starts(name, ".wh."))
		return name;
	err_set(e, ERR_UNSAFE, "'%s': no name that a file of a layer can have", path);
	return NULL;
}

static int hash_file(const char *dir, const char *path, struct digest *out, struct err *e)
{
	auto_free char *at = fs_join(dir, path);
	struct oci_blob blob = { .size = 0 };
	auto_fd int fd = run_open_file(at, &blob, e);

	*out = blob.digest;
	return MIN(fd, 0);
}

static int add_file(struct tarball_pack *t, const char *dir, const char *path, struct err *e)
{
	auto_free char *at = fs_join(dir, path);
	const char *name = name_in_layer(path, e);

	return name ? tarball_pack_file(t, name, at, e) : -1;
}

/* ---- at lock time */

static int check_names(const struct strv *paths, struct err *e)
{
	for (size_t i = 0; i < paths->n; i++) {
		const char *name = name_in_layer(paths->items[i], e);

		if (!name || strchr(paths->items[i], '\n'))
			return name ? err_set(e, ERR_UNSAFE, "add[%zu]: a path of several lines", i) : -1;
		for (size_t k = 0; k < i; k++)
			if (strcmp(name_in_layer(paths->items[k], e), name) == 0)
				return err_set(e, ERR_USAGE, "'%s' and '%s' would be one file, /%s", paths->items[k],
					       paths->items[i], name);
	}
	return 0;
}

static int compare_paths(const void *a, const void *b)
{
	struct err ignored;

	return strcmp(name_in_layer(*(char *const *)a, &ignored), name_in_layer(*(char *const *)b, &ignored));
}

/* In the order of the layer, whatever the manifest's is: the same files are the same image. */
static int describe(const char *dir, const struct strv *paths, struct image_layer *out, struct err *e)
{
	auto_buf struct buf member = BUF_INIT(MEMBER_MAX);
	auto_strv struct strv names = { 0 };
	auto_free char **sorted = xmemdup(paths->items, paths->n * sizeof(*sorted));
	char hex[DIGEST_HEX];

	qsort(sorted, paths->n, sizeof(*sorted), compare_paths);
	for (size_t i = 0; i < paths->n; i++) {
		auto_free char *line = NULL;
		struct digest d;

		if (hash_file(dir, sorted[i], &d, e) < 0)
			return -1;
		line = xasprintf("%s%s  %s", i ? "\n" : "", digest_hex(&d, hex), sorted[i]);
		if (buf_add(&member, line, strlen(line), e) < 0)
			return -1;
		strv_push(&names, name_in_layer(sorted[i], e));
	}
	out->source.member = buf_take(&member);
	out->files = strv_join(&names, " ");
	return 0;
}

static int nowhere(void *ctx, const void *p, size_t n, struct err *e)
{
	return 0;
}

int image_layer_make(const char *dir, const char *lock_dir, const struct strv *paths, struct image_layer *out, struct err *e)
{
	auto_image_layer struct image_layer l = { .source = { .kind = LOCK_ADD } };
	struct hash_sink hash = { .to = { nowhere, NULL }, .limit = LAYER_MAX };
	const struct sink to = { hash_sink_write, &hash };

	if (check_names(paths, e) < 0 || describe(dir, paths, &l, e) < 0)
		return -1;
	hash_begin(&hash.hash);

	int r = image_layer_write(dir, l.source.member, &to, e);

	l.digest = hash_end(&hash.hash);
	l.size = hash.count;
	hash_release(&hash.hash);
	if (r < 0)
		return -1;
	l.source.location = xstrdup(lock_dir);
	*out = l;
	l = (struct image_layer){ 0 };
	return 0;
}

/* ---- at both times */

/* "HEX  PATH", which must be so still. */
static int add_line(struct tarball_pack *t, const char *dir, const char *line, struct err *e)
{
	char want_text[DIGEST_HEX], have_text[DIGEST_HEX];
	struct digest want, have;

	if (strlen(line) < DIGEST_HEX + 2 || !digest_parse_hex(line, DIGEST_HEX - 1, &want) ||
	    strncmp(line + DIGEST_HEX - 1, "  ", 2) != 0)
		return err_set(e, ERR_MALFORMED, "'%.200s' is no line of sha256 and path", line);

	const char *path = line + DIGEST_HEX + 1;

	if (hash_file(dir, path, &have, e) < 0)
		return -1;
	if (!digest_eq(&want, &have))
		return err_set(e, ERR_DIGEST, "'%s' has changed since it was locked: its sha256 is %s, was %s: lock again", path,
			       digest_hex(&have, have_text), digest_hex(&want, want_text));
	return add_file(t, dir, path, e);
}

int image_layer_write(const char *dir, const char *member, const struct sink *to, struct err *e)
{
	auto_tarball_pack struct tarball_pack *t = tarball_pack_new();
	auto_strv struct strv lines = { 0 };

	strv_split(&lines, member, '\n');
	for (size_t i = 0; i < lines.n; i++)
		if (add_line(t, dir, lines.items[i], e) < 0)
			return -1;
	return tarball_pack_write(t, 0, to, e);
}

char *image_layer_files(const char *member)
{
	auto_strv struct strv lines = { 0 }, paths = { 0 };

	strv_split(&lines, member, '\n');
	for (size_t i = 0; i < lines.n; i++)
		strv_push(&paths, strlen(lines.items[i]) > DIGEST_HEX + 1 ? lines.items[i] + DIGEST_HEX + 1 : "?");
	return strv_join(&paths, ", ");
}
