/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/gitrepo.h>

#include <airgap/fs.h>

#include "gitrepo_worker.h"

#include <git2.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES_MAX 20000u              /* of a tree; these four are a chart's, as in tarball_chart */
#define DEPTH_MAX   32u
#define FILE_MAX    (5u << 20)
#define TREE_MAX    (UINT64_C(100) << 20)
#define WINDOW      ((size_t)32 << 20)  /* of a pack that is mapped at once */
#define MAPPED      ((size_t)512 << 20)

#define PRIVATE_REFS "refs/airgap/"     /* what was fetched: tells the next fetch what is here */

static void free_repository(git_repository **r) { git_repository_free(*r); }
static void free_remote(git_remote **r) { git_remote_free(*r); }
static void free_odb(git_odb **o) { git_odb_free(*o); }
static void free_object(git_object **o) { git_object_free(*o); }
static void free_tree(git_tree **t) { git_tree_free(*t); }
static void free_entry(git_tree_entry **t) { git_tree_entry_free(*t); }
static void free_blob(git_blob **b) { git_blob_free(*b); }
static void free_builder(git_packbuilder **p) { git_packbuilder_free(*p); }
static void free_walk(git_revwalk **w) { git_revwalk_free(*w); }
#define auto_repository CLEANUP(free_repository)
#define auto_remote     CLEANUP(free_remote)
#define auto_odb        CLEANUP(free_odb)
#define auto_object     CLEANUP(free_object)
#define auto_tree       CLEANUP(free_tree)
#define auto_entry      CLEANUP(free_entry)
#define auto_blob       CLEANUP(free_blob)
#define auto_builder    CLEANUP(free_builder)
#define auto_walk       CLEANUP(free_walk)

/* ---- errors */

static enum err_code code_of(int rc, const git_error *g)
{
	if (rc == GIT_EAUTH)
		return ERR_AUTH;
	if (rc == GIT_ECERTIFICATE)
		return ERR_TLS;
	switch (g ? g->klass : GIT_ERROR_NONE) {
	case GIT_ERROR_SSL:
		return ERR_TLS;
	case GIT_ERROR_NET:
	case GIT_ERROR_HTTP:
	case GIT_ERROR_OS:
		return ERR_NETWORK;
	case GIT_ERROR_NOMEMORY:
		return ERR_LIMIT;
	default:
		return ERR_MALFORMED;
	}
}

/* libgit2's own words; a status that means more than they say has its own code. */
static int fail(int rc, struct err *e)
{
	const git_error *g = git_error_last();
	const char *text = g && g->message ? g->message : "no reason given";

	if (strstr(text, "http status code: 401") || strstr(text, "http status code: 403"))
		return err_set(e, ERR_AUTH, "the server refuses: %s", text);
	if (strstr(text, "http status code: 404"))
		return err_set(e, ERR_NETWORK, "is not there, or is hidden from this user");
	if (strstr(text, "cannot redirect"))
		return err_set(e, ERR_REDIRECT, "the server redirects to another host: write the address it leads to");
	return err_set(e, code_of(rc, g), "%s", text);
}

/* A callback's own error goes before what libgit2 makes of it. */
static int fail_unless_set(int rc, struct err *e)
{
	return e->code ? -1 : fail(rc, e);
}

/* ---- a remote */

struct transfer {
	const json_t *request;
	struct err *e;
	unsigned stall;
	uint64_t bytes_max, moved;      /* moved: all counters together, to see that they do */
	bool asked;                     /* for a user, once */
};

static int give_credential(git_credential **out, const char *url, const char *from_url, unsigned allowed, void *ctx)
{
	struct transfer *t = ctx;
	const char *username = jdoc_text(t->request, "username", NULL), *password = jdoc_text(t->request, "password", NULL);

	(void)url;
	(void)from_url;
	if (t->asked)
		err_set(t->e, ERR_AUTH, "the server refuses this user or password");
	else if (!password || !(allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT))
		err_set(t->e, ERR_AUTH, "the server asks who we are: name username and password of its host under hosts");
	else
		t->asked = true;
	if (t->e->code)
		return GIT_EUSER;
	return git_credential_userpass_plaintext_new(out, username ? username : "git", password);
}

static int watch_transfer(const git_indexer_progress *p, void *ctx)
{
	struct transfer *t = ctx;
	uint64_t moved = (uint64_t)p->received_bytes + p->indexed_objects + p->indexed_deltas;

	if (moved != t->moved)
		alarm(t->stall);
	t->moved = moved;
	if (p->received_bytes > t->bytes_max)
		return err_set(t->e, ERR_LIMIT, "sends more than %llu bytes", (unsigned long long)t->bytes_max);
	if (p->total_objects > GITREPO_OBJECTS_MAX)
		return err_set(t->e, ERR_LIMIT, "sends more than %llu objects", (unsigned long long)GITREPO_OBJECTS_MAX);
	return 0;
}

/* A server that counts objects for long says so all the while. */
static int watch_words(const char *text, int n, void *ctx)
{
	struct transfer *t = ctx;

	(void)text;
	(void)n;
	alarm(t->stall);
	return 0;
}

static git_remote_callbacks callbacks(struct transfer *t)
{
	git_remote_callbacks c = GIT_REMOTE_CALLBACKS_INIT;

	c.credentials = give_credential;
	c.transfer_progress = watch_transfer;
	c.sideband_progress = watch_words;
	c.payload = t;
	return c;
}

static git_proxy_options proxy_of(const json_t *request)
{
	git_proxy_options p = GIT_PROXY_OPTIONS_INIT;
	const char *proxy = jdoc_text(request, "proxy", NULL);

	p.type = !proxy ? GIT_PROXY_NONE : strcmp(proxy, "environment") == 0 ? GIT_PROXY_AUTO : GIT_PROXY_SPECIFIED;
	p.url = p.type == GIT_PROXY_SPECIFIED ? proxy : NULL;
	return p;
}

static struct transfer transfer_of(const json_t *request, struct err *e)
{
	return (struct transfer){
		.request = request, .e = e, .stall = (unsigned)json_integer_value(json_object_get(request, "stall")),
		.bytes_max = (uint64_t)json_integer_value(json_object_get(request, "bytes")),
	};
}

static int connect_remote(git_remote *remote, struct transfer *t)
{
	git_remote_connect_options o = GIT_REMOTE_CONNECT_OPTIONS_INIT;
	const char *ca = jdoc_text(t->request, "ca", NULL);
	int rc = ca ? git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, ca, NULL) : 0;

	if (rc < 0)
		return fail(rc, t->e) < 0 ? err_wrap(t->e, "'%s'", ca) : -1;
	o.callbacks = callbacks(t);
	o.proxy_opts = proxy_of(t->request);
	o.follow_redirects = GIT_REMOTE_REDIRECT_NONE;  /* to its own host it follows nevertheless */
	alarm(t->stall);
	rc = git_remote_connect_ext(remote, GIT_DIRECTION_FETCH, &o);
	return rc < 0 ? fail_unless_set(rc, t->e) : 0;
}

static int heads_of(git_remote *remote, const git_remote_head ***out, size_t *out_n, struct err *e)
{
	int rc = git_remote_ls(out, out_n, remote);

	if (rc < 0)
		return fail(rc, e);
	if (*out_n > GITREPO_REFS_MAX)
		return err_set(e, ERR_LIMIT, "has more than %u refs", GITREPO_REFS_MAX);
	return 0;
}

/* ---- list */

static int op_list(const json_t *request, json_t *answer, struct err *e)
{
	auto_remote git_remote *remote = NULL;
	struct transfer t = transfer_of(request, e);
	const git_remote_head **heads;
	json_t *refs = json_array();
	char oid[GIT_OID_HEXSZ + 1];
	size_t n;

	json_object_set_new(answer, "refs", refs);

	int rc = git_remote_create_detached(&remote, jdoc_text(request, "url", NULL));

	if (rc < 0)
		return fail(rc, e);
	if (connect_remote(remote, &t) < 0 || heads_of(remote, &heads, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		json_t *ref = json_pack("{ss, ss}", "name", heads[i]->name, "oid", git_oid_tostr(oid, sizeof(oid), &heads[i]->oid));

		if (!ref)
			return err_set(e, ERR_UNSAFE, "the name of a ref is no text");
		json_array_append_new(refs, ref);
		if (strcmp(heads[i]->name, "HEAD") == 0 && heads[i]->symref_target)
			json_object_set_new(answer, "head", json_string(heads[i]->symref_target));
	}
	return 0;
}

/* ---- fetch */

static int open_own(const char *dir, git_repository **out, struct err *e)
{
	int rc = git_repository_open_bare(out, dir);

	if (rc == GIT_ENOTFOUND)
		rc = git_repository_init(out, dir, true);
	return rc < 0 ? fail(rc, e) : 0;
}

/* What a killed fetch left. Nobody else is at work in here. */
static int drop_halves(const char *dir, struct err *e)
{
	auto_free char *packs = fs_join(dir, "objects/pack");
	auto_strv struct strv names = { 0 };

	if (fs_list(packs, &names, e) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		auto_free char *path = fs_join(packs, names.items[i]);

		if (!str_starts(names.items[i], "pack-") && fs_unlink(path, e) < 0)
			return -1;
	}
	return 0;
}

/* The oids that are not there yet. A commit comes with all that belongs to it: a pack is taken whole or not at all. */
static int missing(git_repository *repo, const json_t *oids, struct strv *out, struct err *e)
{
	auto_odb git_odb *odb = NULL;
	int rc = git_repository_odb(&odb, repo);
	const json_t *item;
	size_t i;

	if (rc < 0)
		return fail(rc, e);
	json_array_foreach(oids, i, item) {
		git_oid oid;

		if (git_oid_fromstr(&oid, json_string_value(item)) < 0)
			return err_set(e, ERR_MALFORMED, "'%s' is no commit", json_string_value(item));
		if (!git_odb_exists(odb, &oid))
			strv_push(out, json_string_value(item));
	}
	return 0;
}

static void want_ref(struct strv *specs, const char *name)
{
	size_t n = strlen(name);

	n -= str_ends(name, "^{}") ? 3 : 0;
	strv_pushf(specs, "+%.*s:" PRIVATE_REFS "%.*s", (int)n, name, (int)n, name);
}

/* What to ask for: the refs whose tips are wanted; when that does not cover all, every branch and tag. */
static void choose_refs(const git_remote_head **heads, size_t n, const struct strv *wanted, struct strv *specs)
{
	char oid[GIT_OID_HEXSZ + 1];

	for (size_t i = 0; i < wanted->n; i++) {
		bool found = false;

		for (size_t k = 0; k < n && !found; k++) {
			found = str_starts(heads[k]->name, "refs/") &&
				strcmp(git_oid_tostr(oid, sizeof(oid), &heads[k]->oid), wanted->items[i]) == 0;
			if (found)
				want_ref(specs, heads[k]->name);
		}
		if (found)
			continue;
		strv_release(specs);
		strv_push(specs, "+refs/heads/*:" PRIVATE_REFS "refs/heads/*");
		strv_push(specs, "+refs/tags/*:" PRIVATE_REFS "refs/tags/*");
		return;
	}
	strv_sort(specs);
	strv_uniq(specs);
}

static int download(git_remote *remote, const struct strv *specs, struct transfer *t)
{
	git_fetch_options o = GIT_FETCH_OPTIONS_INIT;
	git_strarray list = { specs->items, specs->n };

	o.callbacks = callbacks(t);
	o.proxy_opts = proxy_of(t->request);
	o.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
	o.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
	o.prune = GIT_FETCH_NO_PRUNE;
	o.update_fetchhead = 0;

	int rc = git_remote_fetch(remote, &list, &o, NULL);

	return rc < 0 ? fail_unless_set(rc, t->e) : 0;
}

static int op_fetch(const json_t *request, json_t *answer, struct err *e)
{
	auto_repository git_repository *repo = NULL;
	auto_remote git_remote *remote = NULL;
	auto_strv struct strv wanted = { 0 }, specs = { 0 }, gone = { 0 };
	struct transfer t = transfer_of(request, e);
	const json_t *oids = json_object_get(request, "oids");
	const git_remote_head **heads;
	size_t n;

	(void)answer;
	if (open_own(jdoc_text(request, "dir", NULL), &repo, e) < 0 || missing(repo, oids, &wanted, e) < 0)
		return -1;
	if (!wanted.n)
		return 0;
	if (drop_halves(jdoc_text(request, "dir", NULL), e) < 0)
		return -1;

	int rc = git_remote_create_anonymous(&remote, repo, jdoc_text(request, "url", NULL));

	if (rc < 0)
		return fail(rc, e);
	if (connect_remote(remote, &t) < 0 || heads_of(remote, &heads, &n, e) < 0)
		return -1;
	choose_refs(heads, n, &wanted, &specs);
	/* It remembers that it is connected, and would not take the callbacks of the download. */
	git_remote_disconnect(remote);
	t.asked = false;
	if (download(remote, &specs, &t) < 0 || missing(repo, oids, &gone, e) < 0)
		return -1;
	if (gone.n)
		return err_set(e, ERR_NETWORK, "commit %s is gone: no branch and no tag of the remote leads to it any more",
			       gone.items[0]);
	return 0;
}

/* ---- export */

struct export {
	git_repository *repo;
	struct err *e;
	int to;                         /* the folder everything goes below */
	uint64_t total;
	size_t entries;
};

/* A name of a tree is bytes: what is no plain file name never reaches the file system. */
static int check_name(const char *name, struct err *e)
{
	bool bad = !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcasecmp(name, ".git") == 0;

	for (const char *p = name; *p; p++)
		bad = bad || (unsigned char)*p < ' ' || *p == '/' || *p == '\\' || *p == 0x7f;
	return bad ? err_set(e, ERR_UNSAFE, "a file of its tree has a name that is none") : 0;
}

static int export_blob(struct export *x, const char *path, const git_tree_entry *entry)
{
	auto_odb git_odb *odb = NULL;
	auto_blob git_blob *blob = NULL;
	mode_t mode = git_tree_entry_filemode(entry) == GIT_FILEMODE_BLOB_EXECUTABLE ? 0755 : 0644;
	const git_oid *id = git_tree_entry_id(entry);
	git_object_t type;
	size_t size;
	int rc = git_repository_odb(&odb, x->repo);

	/* Its size is asked for before it is unpacked. */
	if (rc < 0 || (rc = git_odb_read_header(&size, &type, odb, id)) < 0)
		return fail(rc, x->e) < 0 ? err_wrap(x->e, "'%s'", path) : -1;
	x->total += size;
	if (size > FILE_MAX)
		return err_set(x->e, ERR_LIMIT, "'%s' has %zu bytes: a file of a chart has at most %u", path, size, FILE_MAX);
	if (x->total > TREE_MAX)
		return err_set(x->e, ERR_LIMIT, "its files have more than %llu bytes", (unsigned long long)TREE_MAX);
	rc = git_blob_lookup(&blob, x->repo, id);
	if (rc < 0)
		return fail(rc, x->e) < 0 ? err_wrap(x->e, "'%s'", path) : -1;

	auto_fd int fd = fs_open_beneath(x->to, path, O_WRONLY | O_CREAT | O_EXCL, mode, x->e);

	return fd < 0 ? -1 : fs_write_all(fd, git_blob_rawcontent(blob), size, x->e);
}

static unsigned depth_of(const char *root)
{
	unsigned n = 0;

	for (; *root; root++)
		n += *root == '/';
	return n;
}

static int export_entry(const char *root, const git_tree_entry *entry, void *ctx)
{
	struct export *x = ctx;
	const char *name = git_tree_entry_name(entry);
	auto_free char *path = xasprintf("%s%s", root, name);

	if (++x->entries > ENTRIES_MAX)
		return err_set(x->e, ERR_LIMIT, "has more than %u files and folders", ENTRIES_MAX);
	if (depth_of(root) > DEPTH_MAX)
		return err_set(x->e, ERR_LIMIT, "has folders deeper than %u", DEPTH_MAX);
	if (check_name(name, x->e) < 0)
		return -1;
	switch (git_tree_entry_filemode(entry)) {
	case GIT_FILEMODE_TREE:
		return mkdirat(x->to, path, 0700) < 0 ? err_sys(x->e, "'%s'", path) : 0;
	case GIT_FILEMODE_LINK:
		return err_set(x->e, ERR_UNSAFE, "'%s' is a symbolic link, which a chart may not have", path);
	case GIT_FILEMODE_COMMIT:
		return err_set(x->e, ERR_UNSAFE, "'%s' is a submodule, which a chart may not have", path);
	default:
		return export_blob(x, path, entry);
	}
}

static int find_tree(git_repository *repo, const char *commit, const char *path, git_tree **out, struct err *e)
{
	auto_object git_object *object = NULL;
	auto_tree git_tree *root = NULL;
	auto_entry git_tree_entry *entry = NULL;
	git_oid oid;
	int rc = git_oid_fromstr(&oid, commit);

	if (rc < 0 || (rc = git_object_lookup(&object, repo, &oid, GIT_OBJECT_ANY)) < 0 ||
	    (rc = git_object_peel((git_object **)&root, object, GIT_OBJECT_TREE)) < 0)
		return rc == GIT_ENOTFOUND ? err_set(e, ERR_NETWORK, "commit %s is not there", commit) : fail(rc, e);
	if (!*path) {
		*out = TAKE(root);
		return 0;
	}
	rc = git_tree_entry_bypath(&entry, root, path);
	if (rc < 0 || git_tree_entry_type(entry) != GIT_OBJECT_TREE)
		return err_set(e, ERR_USAGE, "has no folder '%s' at commit %s", path, commit);
	rc = git_tree_lookup(out, repo, git_tree_entry_id(entry));
	return rc < 0 ? fail(rc, e) : 0;
}

static int op_export(const json_t *request, json_t *answer, struct err *e)
{
	auto_repository git_repository *repo = NULL;
	auto_tree git_tree *tree = NULL;
	int rc = git_repository_open_ext(&repo, jdoc_text(request, "dir", NULL), GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);

	(void)answer;
	if (rc < 0)
		return fail(rc, e);
	if (find_tree(repo, jdoc_text(request, "commit", NULL), jdoc_text(request, "path", NULL), &tree, e) < 0)
		return -1;

	auto_fd int to = fs_open(jdoc_text(request, "to", NULL), O_RDONLY | O_DIRECTORY, 0, e);
	struct export x = { .repo = repo, .e = e, .to = to };

	if (to < 0)
		return -1;
	rc = git_tree_walk(tree, GIT_TREEWALK_PRE, export_entry, &x);
	return rc < 0 ? fail_unless_set(rc, e) : 0;
}

/* ---- bundle */

/* A ref's history into the pack; of an annotated tag the tag itself, too. */
static int pack_ref(git_repository *repo, git_packbuilder *pack, git_revwalk *walk, const git_oid *oid, struct err *e)
{
	auto_object git_object *object = NULL, *commit = NULL;
	int rc = git_object_lookup(&object, repo, oid, GIT_OBJECT_ANY);

	if (rc == 0 && git_object_type(object) != GIT_OBJECT_COMMIT)
		rc = git_packbuilder_insert(pack, oid, NULL);
	if (rc == 0)
		rc = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
	if (rc == 0)
		rc = git_revwalk_push(walk, git_object_id(commit));
	return rc < 0 ? fail(rc, e) : 0;
}

static int write_pack(void *p, size_t n, void *ctx)
{
	struct export *x = ctx;

	return fs_write_all(x->to, p, n, x->e);
}

static int fill_pack(git_repository *repo, git_packbuilder *pack, const json_t *refs, struct buf *head, struct err *e)
{
	auto_walk git_revwalk *walk = NULL;
	int rc = git_revwalk_new(&walk, repo);
	const json_t *item;
	size_t i;

	if (rc < 0)
		return fail(rc, e);
	git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME);
	git_packbuilder_set_threads(pack, 1);
	buf_puts(head, "# v2 git bundle\n");
	json_array_foreach(refs, i, item) {
		const char *text = json_string_value(item), *equals = strrchr(text, '=');
		git_oid oid;

		if (!equals || git_oid_fromstr(&oid, equals + 1) < 0)
			return err_set(e, ERR_MALFORMED, "'%s' is no ref and commit", text);
		if (pack_ref(repo, pack, walk, &oid, e) < 0)
			return err_wrap(e, "'%s'", text);
		buf_putf(head, "%s %.*s\n", equals + 1, (int)(equals - text), text);
	}
	buf_puts(head, "\n");
	rc = git_packbuilder_insert_walk(pack, walk);
	return rc < 0 ? fail(rc, e) : 0;
}

static int op_bundle(const json_t *request, json_t *answer, struct err *e)
{
	auto_repository git_repository *repo = NULL;
	auto_builder git_packbuilder *pack = NULL;
	auto_buf struct buf head = BUF_INIT(GITREPO_REQUEST_MAX);
	struct export x = { .e = e };
	int rc = git_repository_open_ext(&repo, jdoc_text(request, "dir", NULL), GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);

	(void)answer;
	if (rc < 0 || (rc = git_packbuilder_new(&pack, repo)) < 0)
		return fail(rc, e);
	if (fill_pack(repo, pack, json_object_get(request, "refs"), &head, e) < 0)
		return -1;

	auto_fd int to = fs_open(jdoc_text(request, "to", NULL), O_WRONLY | O_CREAT | O_EXCL, 0600, e);

	x.to = to;
	if (to < 0 || fs_write_all(to, head.ptr, head.len, e) < 0)
		return -1;
	rc = git_packbuilder_foreach(pack, write_pack, &x);
	return rc < 0 ? fail_unless_set(rc, e) : 0;
}

/* ---- the library */

/* No configuration but ours. Whose files a repository's are does not matter: nothing of it is run. */
static int start_library(struct err *e)
{
	static const int levels[] = { GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG,
				      GIT_CONFIG_LEVEL_GLOBAL };
	int rc = git_libgit2_init();

	for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(levels); i++)
		rc = git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
	if (rc < 0 || (rc = git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, WINDOW)) < 0 ||
	    (rc = git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, MAPPED)) < 0 ||
	    (rc = git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0)) < 0 ||
	    (rc = git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1)) < 0 ||
	    (rc = git_libgit2_opts(GIT_OPT_SET_USER_AGENT, "airgap")) < 0)
		return fail(rc, e);
	return 0;
}

int gitrepo_serve(const json_t *request, json_t *answer, struct err *e)
{
	static const struct { const char *name; int (*run)(const json_t *, json_t *, struct err *); } ops[] = {
		{ "list", op_list }, { "fetch", op_fetch }, { "export", op_export }, { "bundle", op_bundle },
	};

	if (start_library(e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (str_eq(jdoc_text(request, "op", NULL), ops[i].name))
			return ops[i].run(request, answer, e);
	return err_set(e, ERR_BUG, "git worker: no such operation");
}
