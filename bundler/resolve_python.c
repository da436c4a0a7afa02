/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_sets.h"

#include <airgap/content.h>
#include <airgap/pip.h>

#define WHEEL_MAX (UINT64_C(8) << 30)

/* ---- asking pip */

/* What pip does not say: whether the index refuses us, has no such project, or has it for others only. */
static int explain_missing(struct run *r, const char *index, const struct pip_target *t, const char *project, struct err *e)
{
	auto_free char *name = pip_normal_name(project);
	auto_free char *url = xasprintf("%s%s%s/", index, str_ends(index, "/") ? "" : "/", name);
	auto_buf struct buf page = BUF_INIT(PIP_PAGE_MAX);
	const struct sink to = { buf_sink_write, &page };
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;
	auto_secret struct secret who = { 0 };
	struct http_request q = { .url = url, .max_body = PIP_PAGE_MAX };
	struct http_client *http = remote_http(r->remote);
	struct http_tries tries = { 0 };
	struct err why = { 0 };
	int done;

	if (remote_authorize(r->remote, url, &who, e) < 0)
		return -1;
	q.authorization = who.text ? &who : NULL;
	do {
		buf_clear(&page);
		done = http_do(http, &q, &to, &answer, &why);
	} while (http_again(http, &tries, done, &answer, &why));
	if (done == 0 && answer.status == 404)
		return err_set(e, ERR_USAGE, "'%s' does not have '%s'", index, name);
	if (done == 0 && answer.status == 200)
		return pip_explain_page(buf_str(&page), page.len, name, t, e);
	if (done == 0)
		http_status_error(&answer, index, &why);
	*e = why;
	return -1;
}

static int ask_pip(struct run *r, const struct manifest_python *p, struct pip_wheels *out, struct err *e)
{
	auto_free char *missing = NULL;
	const char *index = p->index ? p->index : PIP_INDEX;
	const struct pip_target target = { p->python, p->platform };
	struct pip_from from = { .index = index };
	auto_url struct url u = { 0 };
	auto_credential struct credential who = { 0 };

	if (url_parse(index, "index", &u, e) < 0)
		return -1;

	auto_free char *host = url_host(&u), *ca = NULL;
	const struct lock_host *h = remote_host(r->remote, host);
	int known = credential_find(remote_credentials(r->remote), host, u.path + 1, &who, e);

	if (known < 0)
		return -1;
	if (known && who.kind != CREDENTIAL_IDENTITY) {
		from.username = who.kind == CREDENTIAL_BASIC ? who.username : NULL;
		from.password = &who.secret;
	}
	if (h && (h->cert || h->key))
		return err_set(e, ERR_UNSUPPORTED, "hosts '%s': pip is given no client certificate: give a password or token", host);
	if (h) {
		ca = remote_ca(r->remote, h);
		from.ca_file = ca;
		from.plain_http = h->plain_http;
	}
	from.proxy = remote_proxy(r->remote, h);
	if (pip_resolve(&target, &p->requirements, &from, out, &missing, e) < 0)
		return missing ? explain_missing(r, index, &target, missing, e) : -1;
	return 0;
}

/* ---- wheels */

/* A size that the server does not tell is learnt by a download, which then is here for the build. */
static int download(struct run *r, const struct pip_wheel *w, uint64_t *size, struct err *e)
{
	auto_content_new struct content_new n = CONTENT_NEW_INIT;
	const struct sink to = { content_new_write, &n };
	auto_secret struct secret who = { 0 };
	struct http_get g = { .url = w->url, .size = UINT64_MAX, .max = WHEEL_MAX, .keep_encoding = true };
	struct digest have;

	if (remote_authorize(r->remote, w->url, &who, e) < 0)
		return -1;
	g.authorization = who.text ? &who : NULL;
	if (content_new_open(&n, WHEEL_MAX, e) < 0 || http_fetch(remote_http(r->remote), &g, &to, e) < 0 ||
	    content_new_keep(&n, &have, size, e) < 0)
		return -1;
	return digest_eq(&have, &w->digest) ? 0 : err_set(e, ERR_DIGEST, "is not what its index says");
}

static int add_wheel(struct run *r, const struct pip_wheel *w, struct set_files *files, struct err *e)
{
	struct set_file *f = set_files_add(files, w->file);

	f->blob.digest = w->digest;
	f->source = (struct lock_source){ .kind = LOCK_URL, .location = xstrdup(w->url) };
	if (run_ask_size(r, w->url, &f->blob.size, e) < 0)
		return -1;
	return f->blob.size == UINT64_MAX ? download(r, w, &f->blob.size, e) : 0;
}

/* ---- the index beside them */

static int add_page(struct run *r, const struct pip_wheels *w, const char *project, struct set_files *files, struct err *e)
{
	auto_buf struct buf page = BUF_INIT(4u << 20);
	auto_free char *title = project ? xasprintf("simple/%s/index.html", project) : xstrdup("simple/index.html");
	struct set_file *f = set_files_add(files, title);

	pip_page(w, project, &page);
	f->blob.size = page.len;
	f->source.kind = LOCK_MADE;
	return lock_add_made(r->lock, page.ptr, page.len, "application/octet-stream", false, &f->blob.digest, e);
}

static int add_pages(struct run *r, const struct pip_wheels *w, struct set_files *files, struct err *e)
{
	auto_strv struct strv names = { 0 };

	for (size_t i = 0; i < w->n; i++)
		strv_push_take(&names, pip_normal_name(w->items[i].name));
	strv_sort(&names);
	strv_uniq(&names);
	if (add_page(r, w, NULL, files, e) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (add_page(r, w, names.items[i], files, e) < 0)
			return -1;
	return 0;
}

/* ---- into the lock */

/* The machine at the end of a platform tag, as images call it. NULL: another. */
static char *oci_platform(const char *tag)
{
	static const struct { const char *machine, *platform; } names[] = {
		{ "_x86_64", "linux/amd64" }, { "_aarch64", "linux/arm64" }, { "_i686", "linux/386" },
		{ "_armv7l", "linux/arm/v7" }, { "_ppc64le", "linux/ppc64le" }, { "_s390x", "linux/s390x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_ends(tag, names[i].machine))
			return xstrdup(names[i].platform);
	return NULL;
}

static int resolve_wheels(struct run *r, const struct manifest_python *p, struct err *e)
{
	auto_pip_wheels struct pip_wheels w = { 0 };
	auto_set_files struct set_files files = { 0 };
	auto_json json_t *notes = json_array();
	auto_free char *about = xasprintf("for Python %s on %s", p->python, p->platform);

	json_array_append_new(notes, json_string(about));
	if (ask_pip(r, p, &w, e) < 0)
		return -1;
	for (size_t i = 0; i < w.n; i++) {
		auto_free char *note = xasprintf("%s %s", w.items[i].name, w.items[i].version);

		if (add_wheel(r, &w.items[i], &files, e) < 0)
			return err_wrap(e, "'%s'", w.items[i].file);
		json_array_append_new(notes, json_string(note));
	}
	if (add_pages(r, &w, &files, e) < 0)
		return -1;

	struct content_set set = {
		.kind = xstrdup("python"), .name = xstrdup(p->name), .type = xstrdup("simple"),
		.platform = oci_platform(p->platform), .origin = xstrdup(p->index ? p->index : PIP_INDEX),
		.notes = TAKE(notes),
	};

	return run_add_set_take(r, &set, &files, e);
}

int resolve_python(struct run *r, struct err *e)
{
	for (size_t i = 0; i < r->m->n_python; i++)
		if (carry_wants(&r->carry, CARRY_PYTHON, r->m->python[i].name) && resolve_wheels(r, &r->m->python[i], e) < 0)
			return err_wrap(e, "python '%s'", r->m->python[i].name);
	return 0;
}
