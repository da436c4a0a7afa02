/* SPDX-License-Identifier: Apache-2.0 */
#include "git_source.h"

#include <airgap/chart.h>
#include <airgap/fs.h>
#include <airgap/proc.h>
#include <airgap/yaml.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#define NESTING_MAX 8u          /* charts in charts, as in chart_pack */
#define WAIT_MS     100

const char *git_source_address(const char *repository)
{
	if (!str_starts(repository, "git+"))
		return NULL;
	repository += strlen("git+");
	return repository + (str_starts(repository, "file://") ? strlen("file://") : 0);
}

bool git_source_is_path(const char *location)
{
	return !str_starts(location, "https://") && !str_starts(location, "http://");
}

/* ---- a server */

/* Who we are to a server, and how to talk to it. The texts of `to` are owned by this. */
struct visit {
	struct gitrepo_remote to;
	struct credential who;
	char *path, *ca;
};

static void visit_release(struct visit *v)
{
	credential_release(&v->who);
	free(v->path);
	free(v->ca);
}

static int visit_host(struct remote *r, const char *location, struct visit *v, struct err *e)
{
	auto_url struct url u = { 0 };

	if (url_parse(location, "git", &u, e) < 0)
		return -1;

	auto_free char *host = url_host(&u);
	const struct lock_host *h = remote_host(r, host);

	if (!u.tls && (!h || !h->plain_http))
		return err_set(e, ERR_USAGE, "'%s' is plain http: write https, or plainHTTP: true under hosts", host);
	if (h && (h->cert || h->key))
		return err_set(e, ERR_UNSUPPORTED, "hosts '%s': git takes no client certificate: give a password or token", host);
	v->to.url = location;
	if (h) {
		v->ca = remote_ca(r, h);
		v->to.ca_file = v->ca;
	}
	v->to.proxy = remote_proxy(r, h);

	int known = credential_find(remote_credentials(r), host, u.path + 1, &v->who, e);

	if (known < 0)
		return -1;
	/* Servers take a token as the password of whatever user. */
	if (known && v->who.kind != CREDENTIAL_IDENTITY) {
		v->to.username = v->who.kind == CREDENTIAL_BASIC ? v->who.username : "token";
		v->to.password = &v->who.secret;
	}
	return 0;
}

static int visit_begin(struct remote *r, const char *location, struct visit *v, struct err *e)
{
	if (!git_source_is_path(location))
		return visit_host(r, location, v, e);
	v->path = fs_join(remote_base(r), location);
	v->to.url = v->path;
	return 0;
}

int git_source_list(struct remote *r, const char *location, struct gitrepo_refs *out, struct err *e)
{
	CLEANUP(visit_release) struct visit v = { .path = NULL };

	if (visit_begin(r, location, &v, e) < 0 || gitrepo_list(&v.to, out, e) < 0)
		return err_wrap(e, "'%s'", location);
	return 0;
}

/* ---- our copy of it */

/* One at a time, of all threads and programs. */
static int lock_copy(const char *dir, struct err *e)
{
	auto_free char *path = xasprintf("%s.lock", dir);
	struct timespec tick = { .tv_nsec = WAIT_MS * 1000000L };
	auto_fd int fd = fs_open(path, O_RDWR | O_CREAT, 0600, e);

	if (fd < 0)
		return -1;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, "'%s'", path);
		if (proc_interrupted)
			return err_set(e, ERR_DEADLINE, "interrupted");
		nanosleep(&tick, NULL);
	}

	int held = fd;

	fd = -1;
	return held;
}

static int fetch_copy(struct remote *r, const char *location, const struct strv *oids, char **out_dir, struct err *e)
{
	CLEANUP(visit_release) struct visit v = { .path = NULL };
	auto_free char *cache = fs_cache_dir(), *all = fs_join(cache, "git"), *dir = NULL;
	struct digest name = digest_of(location, strlen(location));
	char hex[DIGEST_HEX];

	dir = xasprintf("%s/%.32s", all, digest_hex(&name, hex));
	if (visit_begin(r, location, &v, e) < 0 || fs_make_dirs(all, 0700, e) < 0)
		return -1;

	auto_fd int held = lock_copy(dir, e);

	if (held < 0 || gitrepo_fetch(&v.to, dir, oids, e) < 0)
		return -1;
	*out_dir = TAKE(dir);
	return 0;
}

int git_source_open(struct remote *r, const char *location, const struct strv *oids, char **out_dir, struct err *e)
{
	if (git_source_is_path(location)) {
		*out_dir = fs_join(remote_base(r), location);
		return 0;
	}
	return fetch_copy(r, location, oids, out_dir, e) < 0 ? err_wrap(e, "'%s'", location) : 0;
}

/* ---- a chart out of it */

struct checkout {
	const char *dir, *commit, *root;
	struct strv done;               /* folders that are there */
};

/* "deploy/chart" and "../lib" are "deploy/lib". NULL: it leads out of the tree. */
static char *join_inside(const char *path, const char *more)
{
	auto_strv struct strv parts = { 0 }, kept = { 0 };
	auto_free char *both = xasprintf("%s/%s", path, more);

	strv_split(&parts, both, '/');
	for (size_t i = 0; i < parts.n; i++) {
		if (strcmp(parts.items[i], ".") == 0)
			continue;
		if (strcmp(parts.items[i], "..") != 0) {
			strv_push(&kept, parts.items[i]);
			continue;
		}
		if (!kept.n)
			return NULL;
		kept.n--;
		free(TAKE(kept.items[kept.n]));
	}
	return kept.n ? strv_join(&kept, "/") : xstrdup("");
}

static int check_out(struct checkout *c, const char *path, unsigned depth, struct err *e);

static int check_out_near(struct checkout *c, const char *path, const char *file, unsigned depth, struct err *e)
{
	auto_free char *folder = fs_join(c->root, path), *name = fs_join(folder, file);
	auto_buf struct buf text = BUF_INIT(ydoc_rendered.bytes);
	int there = fs_exists(name, e);
	const json_t *d;
	size_t i;

	if (there <= 0)
		return there;
	if (fs_load(name, ydoc_rendered.bytes, &text, e) < 0)
		return -1;

	auto_json json_t *doc = ydoc_parse(buf_str(&text), text.len, &ydoc_rendered, file, NULL, e);

	if (!doc)
		return -1;
	json_array_foreach(json_object_get(doc, "dependencies"), i, d) {
		const char *repository = jdoc_text(d, "repository", NULL);

		if (!repository || !str_starts(repository, "file://"))
			continue;

		auto_free char *near = join_inside(path, repository + strlen("file://"));

		if (!near || repository[strlen("file://")] == '/')
			return err_set(e, ERR_UNSAFE, "dependency '%s' is outside of the repository", repository);
		if (check_out(c, near, depth + 1, e) < 0)
			return err_wrap(e, "dependency '%s'", repository);
	}
	return 0;
}

/* Below a folder that is there: it came with that one. */
static bool came_along(const struct checkout *c, const char *path)
{
	for (size_t i = 0; i < c->done.n; i++) {
		size_t n = strlen(c->done.items[i]);

		if (n == 0 || (strncmp(path, c->done.items[i], n) == 0 && path[n] == '/'))
			return true;
	}
	return false;
}

/* A folder of the tree and, beside it, those its file:// dependencies are in. */
static int check_out(struct checkout *c, const char *path, unsigned depth, struct err *e)
{
	auto_free char *folder = fs_join(c->root, path);
	bool there = came_along(c, path);

	if (strv_has(&c->done, path))
		return 0;
	if (depth > NESTING_MAX)
		return err_set(e, ERR_LIMIT, "its dependencies go deeper than %u charts", NESTING_MAX);
	strv_push(&c->done, path);
	if (!there && (fs_make_dirs(folder, 0700, e) < 0 || gitrepo_export(c->dir, c->commit, path, folder, e) < 0))
		return -1;
	if (check_out_near(c, path, "Chart.yaml", depth, e) < 0)
		return -1;
	return check_out_near(c, path, "requirements.yaml", depth, e);
}

int git_source_pack(const char *dir, const char *commit, const char *path, struct buf *out, struct err *e)
{
	auto_temp_dir char *root = NULL;
	auto_free char *clean = join_inside(path, "");

	if (!clean)
		return err_set(e, ERR_UNSAFE, "'%s' leads out of the repository", path);
	if (fs_temp_dir(NULL, "airgap-git-", &root, e) < 0)
		return -1;

	struct checkout c = { .dir = dir, .commit = commit, .root = root };
	auto_free char *folder = *clean ? fs_join(root, clean) : xstrdup(root);
	int done = check_out(&c, clean, 1, e);

	strv_release(&c.done);
	return done < 0 ? -1 : chart_pack(folder, out, e);
}
