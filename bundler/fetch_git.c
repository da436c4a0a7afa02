/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch_run.h"
#include "git_source.h"

#include <airgap/fs.h>

#include <fcntl.h>
#include <unistd.h>

#define PIECE (1u << 17)

static int send_file(const char *path, uint64_t at, const struct sink *to, struct err *e)
{
	auto_fd int fd = fs_open(path, O_RDONLY, 0, e);
	auto_free uint8_t *piece = xmalloc(PIECE);
	struct source s = source_fd(&fd);
	ssize_t n;

	if (fd < 0 || s.seek(s.ctx, at, e) < 0)
		return -1;
	while ((n = s.read(s.ctx, piece, PIECE, e)) > 0)
		if (to->write(to->ctx, piece, (size_t)n, e) < 0)
			return -1;
	return (int)n;
}

/* "REF=COMMIT REF=COMMIT" */
static int fetch_bundle(struct fetcher *f, const struct lock_source *s, uint64_t at, const struct sink *to, struct err *e)
{
	auto_temp_dir char *work = NULL;
	auto_free char *dir = NULL, *cache = fs_cache_dir();
	auto_strv struct strv refs = { 0 }, oids = { 0 };

	strv_split(&refs, s->member, ' ');
	for (size_t i = 0; i < refs.n; i++) {
		const char *equals = strrchr(refs.items[i], '=');

		if (!equals || !gitrepo_is_oid(equals + 1))
			return err_set(e, ERR_MALFORMED, "'%s' is no ref and commit", refs.items[i]);
		strv_push(&oids, equals + 1);
	}
	/* Beside the content cache: a bundle may be larger than what /tmp holds. */
	if (git_source_open(f->remote, s->location, &oids, &dir, e) < 0 || fs_make_dirs(cache, 0700, e) < 0 ||
	    fs_temp_dir(cache, "bundle-", &work, e) < 0)
		return -1;

	auto_free char *file = fs_join(work, "bundle");

	if (gitrepo_bundle(dir, &refs, file, e) < 0)
		return -1;
	return send_file(file, at, to, e);
}

int fetch_git(struct fetcher *f, const struct lock_source *s, uint64_t at, const struct sink *to, struct err *e)
{
	bool chart = strlen(s->member) > GITREPO_OID && s->member[GITREPO_OID] == ':';

	return chart ? fetch_pack(f, s, at, to, e) : fetch_bundle(f, s, at, to, e);
}
