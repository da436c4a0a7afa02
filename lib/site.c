/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/site.h>

#include <airgap/decode.h>
#include <airgap/fs.h>

#define SITE_MAX (1u << 20)

static const char *const modes[] = { "existing", "serve", "install", NULL };
static const char *const rewrites[] = {
	[SITE_VALUES] = "values+verify", [SITE_POST_RENDER] = "post-render", [SITE_MIRROR] = "mirror"
};

static const struct field registry_fields[] = {
	F_STR(struct site_registry, host, "host", 0),
	F_STR(struct site_registry, push, "push", 0),
	F_STR(struct site_registry, prefix, "prefix", 0),
	F_BOOL(struct site_registry, keep_host, "keepHost", 0),
	F_BOOL(struct site_registry, plain_http, "plainHTTP", 0),
	F_STR(struct site_registry, ca, "ca", 0),
	F_STR(struct site_registry, username, "username", 0),
	F_STR(struct site_registry, password, "password", 0),
	F_ENUM(struct site_registry, mode, "mode", modes, 0),
	F_STR(struct site_registry, rewrite, "rewrite", 0),
	{ 0 }
};
static const struct type registry_type = TYPE(struct site_registry, registry_fields);

struct kubernetes { char *kubeconfig, *context, *version; };
static const struct field kubernetes_fields[] = {
	F_STR(struct kubernetes, kubeconfig, "kubeconfig", 0),
	F_STR(struct kubernetes, context, "context", 0),
	F_STR(struct kubernetes, version, "version", F_ALIAS_SCALAR),
	{ 0 }
};
static const struct type kubernetes_type = TYPE(struct kubernetes, kubernetes_fields);

struct document {
	char *api_version, *kind, *profile;
	struct site_registry registry;
	struct kubernetes kubernetes;
	json_t *releases;
};
static const struct field document_fields[] = {
	F_STR(struct document, api_version, "apiVersion", F_REQUIRED),
	F_STR(struct document, kind, "kind", F_REQUIRED),
	F_STR(struct document, profile, "profile", 0),
	F_OBJ(struct document, registry, "registry", registry_type, 0),
	F_OBJ(struct document, kubernetes, "kubernetes", kubernetes_type, 0),
	F_JSON(struct document, releases, "releases", 0),
	{ 0 }
};
/* Open: the rest is the site chart's, whose schema knows it. */
static const struct type document_type = TYPE_FLAGS(struct document, document_fields, TYPE_OPEN);

/* Empty texts are what a values.yaml of defaults holds: the same as absent. */
static char *text_or_null(char **from)
{
	char *s = TAKE(*from);

	if (s && !*s) {
		free(s);
		s = NULL;
	}
	return s;
}

/* `$(env:X)` is how the rest of the file writes a reference, `env:X` how the programs do. Anything else would go to helm,
 * into its releases and into our own record. */
static int check_password(char **password, const struct ydoc_marks *marks, const json_t *doc, const char *subject,
			  struct err *e)
{
	static const char *const kinds[] = { "env:", "file:" };
	const char *p = *password;
	unsigned line = marks ? ydoc_line(marks, json_object_get(doc, "registry"), "password", 0) : 0;
	auto_free char *at = line ? xasprintf("%s:%u", subject, line) : xstrdup(subject);

	if (!p || !*p || strcmp(p, "prompt") == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t n = strlen(p);
		bool wrapped = str_starts(p, "$(") && str_starts(p + 2, kinds[i]) && p[n - 1] == ')' && !strpbrk(p + 2, "|(");

		if (str_starts(p, kinds[i]))
			return 0;
		if (wrapped) {
			*password = xstrndup(p + 2, n - 3);
			free((char *)p);
			return 0;
		}
	}
	return err_set(e, ERR_MALFORMED, "%s: registry.password: a password in the open: write $(env:NAME) or $(file:PATH)", at);
}

bool site_profile_ok(const char *profile)
{
	static const char *const profiles[] = { "nonroot", "nonroot-arbitrary-uid", "standard" };

	for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
		if (strcmp(profiles[i], profile) == 0)
			return true;
	return false;
}

/* ARRAY_LEN(rewrites): none of them. */
static size_t find_rewrite(const char *name)
{
	size_t i = SITE_VALUES;

	while (name && *name && i < ARRAY_LEN(rewrites) && strcmp(rewrites[i], name) != 0)
		i++;
	return i;
}

enum site_rewrite site_rewrite(const struct site *s)
{
	return (enum site_rewrite)find_rewrite(s->registry.rewrite);
}

static int check_registry(const struct site_registry *r, const char *subject, struct err *e)
{
	if (find_rewrite(r->rewrite) == ARRAY_LEN(rewrites))
		return err_set(e, ERR_MALFORMED, "%s: registry.rewrite: '%s': use values+verify, post-render or mirror",
			       subject, r->rewrite);
	if (r->mode != SITE_EXISTING)
		return err_set(e, ERR_UNSUPPORTED, "%s: registry.mode: '%s' is not supported by this version: use existing",
			       subject, modes[r->mode]);
	return 0;
}

static int check(const struct document *d, const json_t *doc, const struct ydoc_marks *marks, const char *subject,
		 struct err *e)
{
	unsigned line = marks ? ydoc_line(marks, doc, "profile", 0) : 0;
	auto_free char *at = line ? xasprintf("%s:%u", subject, line) : xstrdup(subject);

	if (strcmp(d->api_version, "airgap/v1") != 0 || strcmp(d->kind, "Site") != 0)
		return err_set(e, ERR_MALFORMED, "%s: not a site file: it must begin with apiVersion: airgap/v1, kind: Site",
			       subject);
	if (d->profile && *d->profile && !site_profile_ok(d->profile))
		return err_set(e, ERR_MALFORMED, "%s: profile: '%s': use nonroot, nonroot-arbitrary-uid or standard", at,
			       d->profile);
	return check_registry(&d->registry, subject, e);
}

static void take_document(struct document *d, struct site *out)
{
	struct site_registry *to = &out->registry, *from = &d->registry;

	to->host = text_or_null(&from->host);
	to->push = text_or_null(&from->push);
	to->prefix = text_or_null(&from->prefix);
	to->ca = text_or_null(&from->ca);
	to->username = text_or_null(&from->username);
	to->password = text_or_null(&from->password);
	to->rewrite = text_or_null(&from->rewrite);
	to->keep_host = from->keep_host;
	to->plain_http = from->plain_http;
	to->mode = from->mode;
	out->kubeconfig = text_or_null(&d->kubernetes.kubeconfig);
	out->context = text_or_null(&d->kubernetes.context);
	out->kube_version = text_or_null(&d->kubernetes.version);
	out->profile = text_or_null(&d->profile);
	if (!out->profile)
		out->profile = xstrdup("nonroot");
	out->releases = json_incref(d->releases);
}

static int from_json(json_t *doc, const struct ydoc_marks *marks, const char *subject, struct site *out, struct err *e)
{
	struct document d;

	if (decode(&document_type, doc, marks, subject, &d, e) < 0)
		return -1;

	int r = check(&d, doc, marks, subject, e);

	if (r == 0)
		r = check_password(&d.registry.password, marks, doc, subject, e);
	if (r == 0) {
		take_document(&d, out);
		out->doc = json_incref(doc);
	}
	decode_free(&document_type, &d);
	return r;
}

int site_from_json(const json_t *doc, const char *subject, struct site *out, struct err *e)
{
	auto_json json_t *copy = json_deep_copy(doc);

	return from_json(copy, NULL, subject, out, e);
}

int site_check(json_t *doc, const struct ydoc_marks *marks, const char *subject, struct err *e)
{
	auto_site struct site s = { 0 };

	return from_json(doc, marks, subject, &s, e);
}

static int find(const char *given, char **out, struct err *e)
{
	static const char *const places[] = { "site.yaml", "/etc/airgap/site.yaml" };

	if (given) {
		*out = xstrdup(given);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		int there = fs_exists(places[i], e);

		if (there < 0)
			return -1;
		if (there) {
			*out = xstrdup(places[i]);
			return 0;
		}
	}
	return 0;
}

int site_load(const char *path, struct site *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(SITE_MAX);
	auto_free char *file = NULL;

	if (find(path, &file, e) < 0)
		return -1;
	if (!file)
		return 0;
	if (fs_load(file, SITE_MAX, &text, e) < 0)
		return -1;

	struct ydoc_marks *marks = NULL;
	auto_json json_t *doc = ydoc_parse(buf_str(&text), text.len, &ydoc_user, file, &marks, e);

	if (!doc || from_json(doc, marks, file, out, e) < 0) {
		ydoc_marks_free(marks);
		return -1;
	}
	out->marks = marks;
	out->dir = fs_dirname(file);
	out->path = TAKE(file);
	return 0;
}

void site_release(struct site *s)
{
	free(s->path);
	free(s->dir);
	json_decref(s->doc);
	ydoc_marks_free(s->marks);
	free(s->registry.host);
	free(s->registry.push);
	free(s->registry.prefix);
	free(s->registry.ca);
	free(s->registry.username);
	free(s->registry.password);
	free(s->registry.rewrite);
	free(s->kubeconfig);
	free(s->context);
	free(s->kube_version);
	json_decref(s->releases);
	free(s->profile);
	*s = (struct site){ 0 };
}

struct ref_site site_names(const struct site *s)
{
	return (struct ref_site){ s->registry.host, s->registry.prefix, s->registry.keep_host };
}

const char *site_push_host(const struct site *s)
{
	return s->registry.push ? s->registry.push : s->registry.host;
}
