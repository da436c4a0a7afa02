/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/chart_repo.h>

#include <airgap/chart.h>
#include <airgap/fs.h>
#include <airgap/semver.h>
#include <airgap/yaml.h>

#include <sys/mman.h>
#include <unistd.h>

void chart_entry_release(struct chart_entry *en)
{
	free(en->version);
	free(en->url);
	*en = (struct chart_entry){ 0 };
}

/* ---- the index */

/* JSON under the same name may have what YAML 1.1 does not read ("\/"): the second attempt. */
static json_t *parse_entries(const char *p, size_t n, const char *subject, const char *name, struct err *e)
{
	const char *const path[] = { "entries", name, NULL };

	/* the page of a login, which YAML reads as one long word */
	if (n && *p == '<') {
		err_set(e, ERR_MALFORMED, "%s: a web page, and no index of charts", subject);
		return NULL;
	}

	json_t *entries = ydoc_parse_at(p, n, &ydoc_index, subject, path, e);

	if (entries || n == 0 || *p != '{')
		return entries;

	struct err ignored;
	auto_json json_t *all = jdoc_parse(p, n, CHART_INDEX_MAX, subject, &ignored);

	if (!all)
		return NULL;
	err_clear(e);
	entries = jdoc_at(all, "entries", name, NULL);
	return entries ? json_incref(entries) : json_null();
}

/* Versions in the order of the index; entries without a version or an address are passed over, as helm does. */
struct versions {
	struct strv texts;
	const json_t **entries;
};

static void versions_release(struct versions *v)
{
	strv_release(&v->texts);
	free(v->entries);
}

static void list_versions(const json_t *entries, struct versions *out)
{
	size_t i;
	json_t *entry;

	json_array_foreach(entries, i, entry) {
		const char *text = jdoc_text(entry, "version", NULL);

		if (!text || !json_string_value(json_array_get(json_object_get(entry, "urls"), 0)))
			continue;
		GROW(out->entries, out->texts.n);
		out->entries[out->texts.n] = entry;
		strv_push(&out->texts, text);
	}
}

/* Which of two archives with one version helm takes is not defined: only the same one is not a question. */
static int check_twice(const struct versions *v, size_t best, struct err *e)
{
	for (size_t i = 0; i < v->texts.n; i++)
		if (i != best && strcmp(v->texts.items[i], v->texts.items[best]) == 0 &&
		    !str_eq(jdoc_text(v->entries[i], "digest", NULL), jdoc_text(v->entries[best], "digest", NULL)))
			return err_set(e, ERR_MALFORMED, "version %s stands in the index twice, with different digests",
				       v->texts.items[best]);
	return 0;
}

/* The repository as a folder: what a relative address is relative to. Its query stays for what is below. */
static int folder_url(const char *repository, const char *below, struct url *out, struct err *e)
{
	auto_url struct url u = { 0 };

	if (url_parse(repository, "repository", &u, e) < 0)
		return -1;

	size_t n = strlen(u.path);

	while (n && u.path[n - 1] == '/')
		n--;

	char *path = xasprintf("%.*s/%s", (int)n, u.path, below);

	free(u.path);
	u.path = path;
	*out = u;
	u = (struct url){ 0 };
	return 0;
}

static int entry_url(const char *repository, const char *text, char **out, struct err *e)
{
	auto_url struct url base = { 0 }, u = { 0 };

	if (str_starts(text, "oci://")) {
		*out = xstrdup(text);
		return 0;
	}
	if (folder_url(repository, "", &base, e) < 0 || url_resolve(&base, text, &u, e) < 0)
		return -1;
	if (!strstr(text, "://") && base.query && !u.query)
		u.query = xstrdup(base.query);
	*out = url_text(&u);
	return 0;
}

static int take_entry(const char *repository, const json_t *entry, struct chart_entry *out, struct err *e)
{
	const char *digest = jdoc_text(entry, "digest", NULL);
	auto_chart_entry struct chart_entry en = { 0 };

	if (digest && *digest) {
		const char *hex = str_starts(digest, "sha256:") ? digest + 7 : digest;

		if (!digest_parse_hex(hex, strlen(hex), &en.digest))
			return err_set(e, ERR_MALFORMED, "digest '%.80s' of the index is no sha256", digest);
		en.has_digest = true;
	}
	en.version = xstrdup(jdoc_text(entry, "version", NULL));
	if (entry_url(repository, json_string_value(json_array_get(json_object_get(entry, "urls"), 0)), &en.url, e) < 0)
		return -1;
	*out = en;
	en = (struct chart_entry){ 0 };
	return 0;
}

/* The newest version there is, for a message. */
static char *newest(const struct strv *v, int flags)
{
	struct err ignored;
	size_t best;

	return semver_best(">0.0.0-0", v->items, v->n, flags, &best, &ignored) == 1 ? xstrdup(v->items[best]) : NULL;
}

int chart_index_find(const void *p, size_t n, const char *repository, const char *name, const char *constraint,
		     struct chart_entry *out, char **out_near, struct err *e)
{
	auto_json json_t *entries = parse_entries(p, n, "index.yaml", name, e);
	CLEANUP(versions_release) struct versions v = { 0 };
	size_t best = 0;

	if (!entries)
		return -1;
	list_versions(entries, &v);

	int found = semver_best(constraint ? constraint : "", v.texts.items, v.texts.n, 0, &best, e);

	if (found == 0 && out_near)
		*out_near = newest(&v.texts, 0);
	if (found <= 0)
		return found;
	if (check_twice(&v, best, e) < 0 || take_entry(repository, v.entries[best], out, e) < 0)
		return -1;
	return 1;
}

/* ---- the server */

/* The Authorization of the host of an address; empty = anonymous. */
static int authorization(struct credential_set *set, const struct url *u, struct secret *out, struct err *e)
{
	auto_credential struct credential c = { 0 };
	auto_free char *host = url_host(u);
	int found = set ? credential_find(set, host, u->path[0] ? u->path + 1 : "", &c, e) : 0;

	if (found < 0)
		return err_wrap(e, "credentials of '%s'", host);
	if (found && c.kind != CREDENTIAL_IDENTITY)
		credential_header(&c, out);
	return 0;
}

static int download(struct http_client *http, struct credential_set *set, const struct url *u, uint64_t max,
		    bool keep_encoding, const struct sink *to, struct err *e)
{
	auto_secret struct secret who = { 0 };
	auto_free char *text = url_text(u);

	if (authorization(set, u, &who, e) < 0)
		return -1;

	struct http_get g = {
		.url = text, .authorization = who.text ? &who : NULL, .size = UINT64_MAX, .max = max,
		.keep_encoding = keep_encoding,
	};

	return http_fetch(http, &g, to, e);
}

struct chart_index {
	char *repository;
	char *shown;            /* address of the index, for messages */
	void *text;
	size_t size;
};

void chart_index_close(struct chart_index *ix)
{
	if (!ix)
		return;
	if (ix->text)
		munmap(ix->text, ix->size);
	free(ix->repository);
	free(ix->shown);
	free(ix);
}

static int map_index(struct chart_index *ix, int fd, struct err *e)
{
	uint64_t size = 0;

	if (fs_size(fd, &size, e) < 0)
		return -1;
	if (size == 0)
		return err_set(e, ERR_MALFORMED, "'%s': is empty", ix->shown);

	void *text = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (text == MAP_FAILED)
		return err_sys(e, "'%s'", ix->shown);
	ix->text = text;
	ix->size = (size_t)size;
	return 0;
}

struct chart_index *chart_index_open(struct http_client *http, struct credential_set *set, const char *repository,
				     struct err *e)
{
	auto_chart_index struct chart_index *ix = xcalloc(1, sizeof(*ix));
	auto_url struct url u = { 0 };
	auto_fd int fd = fs_temp_file(NULL, e);
	struct sink to = { fd_sink_write, &fd };

	if (fd < 0 || folder_url(repository, "index.yaml", &u, e) < 0)
		return NULL;
	ix->repository = xstrdup(repository);
	ix->shown = url_shown(&u);
	if (download(http, set, &u, CHART_INDEX_MAX, false, &to, e) < 0) {
		err_wrap(e, "'%s'", ix->shown);
		return NULL;
	}
	return map_index(ix, fd, e) < 0 ? NULL : TAKE(ix);
}

int chart_index_pick(const struct chart_index *ix, const char *name, const char *constraint, struct chart_entry *out,
		     char **out_near, struct err *e)
{
	int found = chart_index_find(ix->text, ix->size, ix->repository, name, constraint, out, out_near, e);

	return found < 0 ? err_wrap(e, "'%s'", ix->shown) : found;
}

int chart_repo_fetch(struct http_client *http, struct credential_set *set, const struct chart_entry *en, struct buf *out,
		     struct err *e)
{
	auto_url struct url u = { 0 };
	struct sink to = { buf_sink_write, out };
	size_t at = out->len;

	if (url_parse(en->url, "chart", &u, e) < 0)
		return -1;

	auto_free char *shown = url_shown(&u);

	if (download(http, set, &u, CHART_MAX, true, &to, e) < 0)
		return err_wrap(e, "'%s'", shown);

	struct digest d = digest_of(buf_str(out) + at, out->len - at);

	if (en->has_digest && !digest_eq(&d, &en->digest))
		return err_set(e, ERR_DIGEST, "'%s': is not what its index says: the digest differs", shown);
	return 0;
}

/* ---- registries */

/* An exact version as its tag; NULL: a range. */
static char *exact_tag(const char *constraint)
{
	struct semver v;
	char *tag;

	if (!constraint || !semver_parse(constraint, SEMVER_STRICT, &v))
		return NULL;
	tag = xstrdup(constraint);
	for (char *p = tag; *p; p++)
		if (*p == '+')
			*p = '_';
	return tag;
}

static int has_tag(struct registry *r, const char *repository, const char *tag, struct err *e)
{
	CLEANUP(registry_manifest_release) struct registry_manifest m = REGISTRY_MANIFEST_INIT;

	return registry_manifest_head(r, repository, tag, &m, e);
}

int chart_oci_find(struct registry *r, const char *repository, const char *constraint, char **out_tag, char **out_near,
		   struct err *e)
{
	auto_free char *tag = exact_tag(constraint);
	auto_strv struct strv tags = { 0 };
	size_t best = 0;
	int found = tag ? has_tag(r, repository, tag, e) : 0;

	if (found < 0)
		return -1;
	if (found) {
		*out_tag = TAKE(tag);
		return 1;
	}
	found = registry_tags(r, repository, &tags, e);
	if (found > 0)
		found = semver_best(constraint ? constraint : "", tags.items, tags.n, SEMVER_TAGS, &best, e);
	if (found == 0 && out_near) {
		*out_near = newest(&tags, SEMVER_TAGS);
		if (!*out_near && tags.n)       /* tags that no range takes, such as v1.2.3, are taken by their exact name */
			*out_near = xstrdup(tags.items[tags.n - 1]);
	}
	if (found == 1)
		*out_tag = xstrdup(tags.items[best]);
	return found;
}
