/* SPDX-License-Identifier: Apache-2.0 */
#include "secrets.h"

#include "system.h"

#include <airgap/certificate.h>
#include <airgap/fs.h>
#include <airgap/log.h>

#include <pthread.h>

#define SECRET_NAME  "airgap-secrets"
#define FILE_MAX     (1u << 20)
#define NESTING_MAX  8u
#define TELLING      8u         /* shorter values say nothing when they stand in a ConfigMap */

struct secrets {
	struct session *session;
	const struct steps *steps, *past;       /* past NULL = none */
	pthread_mutex_t lock;           /* of all below */
	json_t *values;                 /* {"OWNER PATH GENERATOR": text} */
	char *key;                      /* of the fingerprint, hex */
	bool changed;
	struct strv seen;               /* resolved secret values, for the ConfigMap check */
};

int secrets_open(struct session *s, const struct steps *steps, struct secrets **out, struct err *e)
{
	auto_json json_t *kept = NULL;
	auto_secrets struct secrets *x = xcalloc(1, sizeof(*x));
	int there = system_load(s, SECRET_NAME, &kept, e);

	pthread_mutex_init(&x->lock, NULL);
	if (there < 0)
		return -1;
	x->session = s;
	x->steps = steps;
	x->values = json_is_object(json_object_get(kept, "values")) ? json_incref(json_object_get(kept, "values"))
								    : json_object();
	if (jdoc_text(kept, "key", NULL)) {
		x->key = xstrdup(jdoc_text(kept, "key", NULL));
	} else {
		auto_buf struct buf key = BUF_INIT(256);

		if (reference_generate("hex:32", &key, e) < 0)
			return -1;
		x->key = buf_take(&key);
		x->changed = true;
	}
	*out = TAKE(x);
	return 0;
}

void secrets_close(struct secrets *x)
{
	if (!x)
		return;
	json_decref(x->values);
	if (x->key)
		wipe(x->key, strlen(x->key));
	free(x->key);
	for (size_t i = 0; i < x->seen.n; i++)
		wipe(x->seen.items[i], strlen(x->seen.items[i]));
	strv_release(&x->seen);
	pthread_mutex_destroy(&x->lock);
	free(x);
}

void secrets_recall(struct secrets *x, const struct steps *past)
{
	x->past = past;
}

int secrets_save(struct secrets *x, struct err *e)
{
	auto_json json_t *document = NULL;
	int r = 0;

	pthread_mutex_lock(&x->lock);
	if (x->changed) {
		document = json_pack("{s:s, s:O}", "key", x->key, "values", x->values);
		r = system_save(x->session, SECRET_NAME, "secrets", document, e);
		x->changed = r < 0;
	}
	pthread_mutex_unlock(&x->lock);
	return r;
}

/* ---- resolving ---- */

struct resolve {
	struct secrets *x;
	const char *owner;
	bool placeholders;
	bool *known;            /* becomes false with the first placeholder; may be NULL */
	unsigned depth;
};

static int resolve_one(void *ctx, const struct reference *r, const char *path, struct buf *out, struct err *e);

/* A placeholder of the right shape; its fill characters become digits of a keyed hash: it looks like nothing else. */
static int placeholder(struct resolve *w, const struct reference *r, const char *path, struct buf *out, struct err *e)
{
	auto_free char *subject = xasprintf("%s %s %d %s", w->owner, path, (int)r->kind, r->body);
	size_t at = out->len;
	char hex[DIGEST_HEX] = "";

	if (w->known)
		*w->known = false;

	struct digest d = digest_keyed(w->x->key, strlen(w->x->key), subject, strlen(subject));

	digest_hex(&d, hex);
	if (reference_placeholder(NULL, r, path, out, e) < 0)
		return -1;
	if (r->kind != REFERENCE_GENERATE)
		return buf_add(out, hex, 16, e);
	if (str_starts(r->body, "tls:"))
		return 0;               /* a certificate has to stay one */
	for (size_t i = 0; at < out->len; at++) {
		if (out->ptr[at] != '0' && out->ptr[at] != 'A')
			continue;
		if (i && i % 64 == 0) {
			d = digest_of(d.b, sizeof(d.b));
			digest_hex(&d, hex);
		}
		out->ptr[at] = hex[i++ % 64];
	}
	return 0;
}

/* One certificate for an owner and hosts: its parts belong together, wherever in the step they stand. */
static int made_certificate(struct resolve *w, const char *key, const struct strv *hosts, struct err *e)
{
	auto_certificate struct certificate c = { 0 };

	if (certificate_make(hosts, &c, e) < 0)
		return -1;
	json_object_set_new(w->x->values, key, json_pack("{s:s, s:s, s:s}", "ca", c.ca, "crt", c.crt, "key", c.key));
	w->x->changed = true;
	return 0;
}

/* 1: it was one of tls. */
static int generated_tls(struct resolve *w, const struct reference *r, const char *path, struct buf *out, struct err *e)
{
	auto_strv struct strv hosts = { 0 };
	auto_free char *part = NULL;
	int tls = reference_tls(r->body, &part, &hosts, e);

	if (tls <= 0)
		return tls;

	auto_free char *list = strv_join(&hosts, ",");
	auto_free char *key = xasprintf("%s tls:%s", w->owner, list);

	if (!json_object_get(w->x->values, key)) {
		if (w->placeholders)
			return placeholder(w, r, path, out, e) < 0 ? -1 : 1;
		if (made_certificate(w, key, &hosts, e) < 0)
			return -1;
	}

	const char *text = jdoc_text(w->x->values, key, part, NULL);

	if (!text)
		return err_set(e, ERR_IO, "secret airgap-system/" SECRET_NAME ": damaged: '%s' is no certificate", key);
	return buf_add(out, text, strlen(text), e) < 0 ? -1 : 1;
}

static int generated(struct resolve *w, const struct reference *r, const char *path, struct buf *out, struct err *e)
{
	auto_free char *key = xasprintf("%s %s %s", w->owner, path, r->body);
	const char *known = jdoc_text(w->x->values, key, NULL);
	int tls = generated_tls(w, r, path, out, e);

	if (tls)
		return MIN(tls, 0);
	if (known)
		return buf_add(out, known, strlen(known), e);
	if (w->placeholders)
		return placeholder(w, r, path, out, e);

	size_t before = out->len;

	if (reference_generate(r->body, out, e) < 0)
		return -1;
	json_object_set_new(w->x->values, key, json_string(buf_str(out) + before));
	w->x->changed = true;
	return 0;
}

static char *saved_name(const struct step *s, const char *key)
{
	return xasprintf("%s save.%s", s->id, key);
}

/* What a Call step saved when it ran. */
static int from_call(struct resolve *w, const struct step *s, const char *body, const char *key, struct buf *out, struct err *e)
{
	auto_free char *name = saved_name(s, key);
	const char *value = jdoc_text(w->x->values, name, NULL);

	if (!value)
		return err_set(e, ERR_PREFLIGHT, "$(secret:%s): not known before %s is done", body, s->id);
	return buf_add(out, value, strlen(value), e);
}

/* "N/KEY": in the data of the Secret step that makes Secret N, or saved by the Call step N. */
static int from_step(struct resolve *w, const char *body, struct buf *out, struct err *e)
{
	const char *slash = strchr(body, '/');
	auto_free char *name = slash ? xstrndup(body, (size_t)(slash - body)) : NULL;

	if (!slash)
		return err_set(e, ERR_MALFORMED, "$(secret:%s): write $(secret:NAME/KEY)", body);
	if (w->depth >= NESTING_MAX)
		return err_set(e, ERR_LIMIT, "$(secret:%s): leads back to itself", body);

	const struct step *s = steps_secret(w->x->steps, name, slash + 1);

	if (!s && w->x->past)
		s = steps_secret(w->x->past, name, slash + 1);
	if (!s)
		return err_set(e, ERR_MALFORMED, "$(secret:%s): no Secret step makes this key and no Call step saves it", body);
	if (s->kind == STEP_CALL)
		return from_call(w, s, body, slash + 1, out, e);

	struct resolve inner = { w->x, s->id, w->placeholders, w->known, w->depth + 1 };
	auto_free char *value = NULL;

	if (reference_text(jdoc_text(s->secret.data, slash + 1, NULL), slash + 1, resolve_one, &inner, &value, e) < 0)
		return -1;

	int r = buf_add(out, value, strlen(value), e);

	wipe(value, strlen(value));
	return r;
}

/* What the cluster alone says, a chart may make a reference of. */
static int check_foreign(const struct resolve *w, const char *kind, const char *body, struct err *e)
{
	if (!w->x->session->foreign)
		return 0;
	return err_set(e, ERR_PREFLIGHT, "$(%s:%s): not with the site kept in the cluster, which this machine did not apply: give "
		       "--site FILE", kind, body);
}

static int from_env(struct resolve *w, const char *name, struct buf *out, struct err *e)
{
	const char *value = getenv(name);

	if (check_foreign(w, "env", name, e) < 0)
		return -1;
	if (!value)
		return err_set(e, ERR_PREFLIGHT, "$(env:%s): the variable is not set: set it and run again", name);
	return buf_add(out, value, strlen(value), e);
}

/* Of a file of one line, such as `echo PASSWORD >file` makes, the line break is no part of the value. */
static size_t length_of(const struct buf *text)
{
	size_t n = text->len;

	if (!n || memchr(text->ptr, '\n', n) != text->ptr + n - 1)
		return n;
	n--;
	return n && text->ptr[n - 1] == '\r' ? n - 1 : n;
}

static int from_file(struct resolve *w, const char *path, struct buf *out, struct err *e)
{
	auto_free char *full = fs_join(w->x->session->site.dir, path);
	CLEANUP(buf_wipe) struct buf text = BUF_INIT(FILE_MAX);

	if (check_foreign(w, "file", path, e) < 0)
		return -1;
	if (fs_load(full, FILE_MAX, &text, e) < 0) {
		e->code = ERR_PREFLIGHT;
		return err_wrap(e, "$(file:%s)", path);
	}
	return buf_add(out, text.ptr, length_of(&text), e);
}

/* "NS/NAME/KEY" of a Secret that is in the cluster. */
static int from_cluster(struct resolve *w, const char *body, struct buf *out, struct err *e)
{
	auto_strv struct strv part = { 0 };
	auto_json json_t *secret = NULL;

	strv_split(&part, body, '/');
	if (part.n != 3)
		return err_set(e, ERR_MALFORMED, "$(kube:%s): write $(kube:NAMESPACE/NAME/KEY)", body);

	int there = kubectl_get(&w->x->session->kubectl, "secret", part.items[0], part.items[1], &secret, e);
	const char *text = there == 1 ? jdoc_text(secret, "data", part.items[2], NULL) : NULL;

	if (there < 0)
		return -1;
	if (!text)
		return err_set(e, ERR_PREFLIGHT, "$(kube:%s): the cluster has no such Secret or key", body);

	size_t n;
	auto_free uint8_t *bytes = xmalloc(strlen(text) + 1);

	if (!base64_decode(text, strlen(text), bytes, &n))
		return err_set(e, ERR_CLUSTER, "$(kube:%s): not base64", body);

	int r = buf_add(out, bytes, n, e);

	wipe(bytes, n);
	return r;
}

static int dispatch(struct resolve *w, const struct reference *r, const char *path, struct buf *out, struct err *e)
{
	switch (r->kind) {
	case REFERENCE_GENERATE:
		return generated(w, r, path, out, e);
	case REFERENCE_SECRET:
		return from_step(w, r->body, out, e);
	case REFERENCE_ENV:
		return from_env(w, r->body, out, e);
	case REFERENCE_FILE:
		return from_file(w, r->body, out, e);
	case REFERENCE_KUBE:
		return from_cluster(w, r->body, out, e);
	}
	return err_set(e, ERR_BUG, "reference kind %d", (int)r->kind);
}

/* A CA belongs into a ConfigMap as often as not. */
static bool is_public(const char *text)
{
	return strstr(text, "-----BEGIN CERTIFICATE-----") && !strstr(text, "PRIVATE KEY-----");
}

static int compare_lengths(const void *a, const void *b)
{
	size_t m = strlen(*(char *const *)a), n = strlen(*(char *const *)b);

	return (m < n) - (m > n);
}

/* As programs tell it: without the line end of its file. The longest first, which may have a shorter one in it. */
static void remember(struct strv *seen, const char *text)
{
	size_t n = strlen(text);

	while (n && strchr(" \t\r\n", text[n - 1]))
		n--;

	auto_free char *value = xstrndup(text, n);

	if (n >= TELLING && !strv_has(seen, value)) {
		strv_push(seen, value);
		qsort(seen->items, seen->n, sizeof(seen->items[0]), compare_lengths);
	}
	wipe(value, n);
}

static int resolve_one(void *ctx, const struct reference *r, const char *path, struct buf *out, struct err *e)
{
	struct resolve *w = ctx;
	size_t before = out->len;

	if (dispatch(w, r, path, out, e) < 0) {
		if (!w->placeholders || e->code != ERR_PREFLIGHT)
			return -1;
		out->len = before;
		if (placeholder(w, r, path, out, e) < 0)
			return -1;
	}

	if (!r->is_public && !is_public(buf_str(out) + before))
		remember(&w->x->seen, buf_str(out) + before);
	return 0;
}

/* References in a ConfigMap that is written out as an object; files are looked at when they are read. */
static int refuse_config_maps(const json_t *j, struct err *e)
{
	const char *key;
	json_t *child;
	size_t i;

	if (str_eq(jdoc_text(j, "kind", NULL), "ConfigMap")) {
		auto_strv struct strv found = { 0 };

		if (reference_collect(j, &found, e) < 0)
			return -1;
		for (i = 0; i < found.n; i++)
			if (!str_starts(found.items[i], "file:") && !str_starts(found.items[i], "generate:tls:crt:") &&
			    !str_starts(found.items[i], "generate:tls:ca:"))
				return err_set(e, ERR_PROOF, "ConfigMap '%s': $(%s) would stand there in the open: use a Secret",
					       jdoc_text(j, "metadata", "name", NULL) ? jdoc_text(j, "metadata", "name", NULL) : "",
					       found.items[i]);
		return 0;
	}
	json_object_foreach((json_t *)j, key, child)
		if (refuse_config_maps(child, e) < 0)
			return -1;
	json_array_foreach(j, i, child)
		if (refuse_config_maps(child, e) < 0)
			return -1;
	return 0;
}

static json_t *resolve(struct secrets *x, const char *owner, const json_t *j, bool placeholders, bool *known, struct err *e)
{
	struct resolve w = { x, owner, placeholders, known, 0 };
	auto_json json_t *copy = json_deep_copy(j);

	if (refuse_config_maps(j, e) < 0) {
		err_wrap(e, "%s", owner);
		return NULL;
	}
	pthread_mutex_lock(&x->lock);

	int r = reference_resolve(copy, resolve_one, &w, e);

	pthread_mutex_unlock(&x->lock);
	if (r < 0) {
		err_wrap(e, "%s", owner);
		return NULL;
	}
	return TAKE(copy);
}

json_t *secrets_resolve(struct secrets *x, const char *owner, const json_t *j, bool placeholders, struct err *e)
{
	return resolve(x, owner, j, placeholders, NULL, e);
}

json_t *secrets_resolve_known(struct secrets *x, const char *owner, const json_t *j, bool *known, struct err *e)
{
	*known = true;
	return resolve(x, owner, j, true, known, e);
}

/* ---- what a call saves ---- */

void secrets_keep(struct secrets *x, const struct step *s, const json_t *values)
{
	const char *key;
	json_t *value;

	pthread_mutex_lock(&x->lock);
	json_object_foreach((json_t *)values, key, value) {
		auto_free char *name = saved_name(s, key);

		if (json_equal(json_object_get(x->values, name), value))
			continue;
		json_object_set(x->values, name, value);
		x->changed = true;
	}
	pthread_mutex_unlock(&x->lock);
}

void secrets_forget(struct secrets *x, const struct step *s, const char *key)
{
	auto_free char *name = saved_name(s, key);

	pthread_mutex_lock(&x->lock);
	x->changed = json_object_del(x->values, name) == 0 || x->changed;
	pthread_mutex_unlock(&x->lock);
}

char *secrets_kept(struct secrets *x, const struct step *s, const char *key)
{
	auto_free char *name = saved_name(s, key);

	pthread_mutex_lock(&x->lock);

	const char *value = jdoc_text(x->values, name, NULL);
	char *copy = value ? xstrdup(value) : NULL;

	pthread_mutex_unlock(&x->lock);
	return copy;
}

void secrets_mask(struct secrets *x, char *text)
{
	pthread_mutex_lock(&x->lock);
	for (size_t i = 0; i < x->seen.n; i++) {
		const char *secret = x->seen.items[i];
		size_t n = strlen(secret);

		for (char *at = strstr(text, secret); at; at = strstr(at, secret)) {
			memcpy(at, "***", 3);
			memmove(at + 3, at + n, strlen(at + n) + 1);
		}
	}
	pthread_mutex_unlock(&x->lock);
}

/* ---- can they be had? ---- */

struct checking { struct secrets *x; const char *step; struct strv *out; };

static int check_one(void *ctx, const struct reference *r, const char *path, struct buf *out, struct err *e)
{
	struct checking *c = ctx;
	struct resolve w = { c->x, c->step, true, NULL, 0 };
	CLEANUP(buf_wipe) struct buf value = BUF_INIT(FILE_MAX);
	int rc = 0;

	(void)out;
	if (r->kind == REFERENCE_ENV)
		rc = from_env(&w, r->body, &value, e);
	else if (r->kind == REFERENCE_FILE)
		rc = from_file(&w, r->body, &value, e);
	if (rc < 0 && e->code == ERR_PREFLIGHT) {
		strv_pushf(c->out, "%s: %s: %s", c->step, path, e->msg);
		return 0;
	}
	return rc;
}

int secrets_check(struct secrets *x, struct strv *out, struct err *e)
{
	for (size_t i = 0; i < x->steps->n; i++) {
		const struct step *s = &x->steps->items[i];
		struct checking c = { x, s->id, out };
		auto_json json_t *copy = json_deep_copy(s->doc);

		if (reference_resolve(copy, check_one, &c, e) < 0)
			return err_wrap(e, "%s", s->id);
	}
	return 0;
}

struct digest secrets_fingerprint(struct secrets *x, const json_t *resolved)
{
	CLEANUP(buf_wipe) struct buf text = BUF_INIT(64u << 20);
	struct err ignored;

	if (jdoc_dump(resolved, &text, &ignored) < 0)
		log_debug("fingerprint: %s", ignored.msg);
	return digest_keyed(x->key, strlen(x->key), buf_str(&text), text.len);
}

/* ---- what helm made of them ---- */

struct leak { struct secrets *x; const char *value; char *path; };

static int find_leak(void *ctx, const char *path, const char *key, json_t *leaf, struct err *e)
{
	struct leak *l = ctx;

	(void)key;
	(void)e;
	for (size_t i = 0; i < l->x->seen.n && !l->path; i++)
		if (strstr(json_string_value(leaf), l->x->seen.items[i]))
			l->path = xstrdup(path);
	return 0;
}

int secrets_check_objects(struct secrets *x, const char *chart, const struct helm_objects *o, struct err *e)
{
	for (size_t i = 0; i < o->n; i++) {
		struct leak l = { .x = x };

		if (!str_eq(jdoc_text(o->items[i].object, "kind", NULL), "ConfigMap"))
			continue;
		pthread_mutex_lock(&x->lock);

		int r = jdoc_strings(o->items[i].object, find_leak, &l, e);

		pthread_mutex_unlock(&x->lock);
		if (r == 0 && l.path)
			err_set(e, ERR_PROOF, "chart '%s': %s: ConfigMap: %s: holds a secret in the open: use the chart's key for "
				"an existing Secret", chart, o->items[i].source, l.path);
		if (r < 0 || l.path) {
			free(l.path);
			return -1;
		}
	}
	return 0;
}
