/* SPDX-License-Identifier: Apache-2.0 */
#include "registry_ask.h"

#include <airgap/json.h>

static const char *const types[] = {
	"application/vnd.oci.image.index.v1+json",
	"application/vnd.oci.image.manifest.v1+json",
	"application/vnd.docker.distribution.manifest.list.v2+json",
	"application/vnd.docker.distribution.manifest.v2+json",
};
static const char *const accept[] = {
	"Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
	"application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json",
	NULL,
};

void registry_manifest_release(struct registry_manifest *m)
{
	buf_release(&m->bytes);
	free(m->type);
	m->type = NULL;
}

static char *manifest_url(const struct registry *r, const char *repository, const char *ref)
{
	return xasprintf("%s/v2/%s/manifests/%s", r->base, repository, ref);
}

static bool is_known(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_eq(types[i], type))
			return true;
	return false;
}

static bool is_schema1(const char *type, const json_t *j)
{
	return str_starts(type, "application/vnd.docker.distribution.manifest.v1+") ||
	       json_integer_value(json_object_get(j, "schemaVersion")) == 1;
}

/* Static servers send application/json or worse: the shape tells. */
static const char *type_by_shape(const json_t *j)
{
	if (json_is_array(json_object_get(j, "manifests")))
		return types[0];
	if (json_is_object(json_object_get(j, "config")) && json_is_array(json_object_get(j, "layers")))
		return types[1];
	return NULL;
}

/* The media type: what the document says and what the server says must agree. */
static int find_type(const struct registry_manifest *m, const char *sent, const char *subject, char **out, struct err *e)
{
	auto_json json_t *j = jdoc_parse(m->bytes.ptr, m->bytes.len, REGISTRY_MANIFEST_MAX, subject, e);
	const char *said = jdoc_text(j, "mediaType", NULL);
	const char *type = said ? said : is_known(sent) ? sent : type_by_shape(j);

	if (!j)
		return -1;
	if (!json_is_object(j))
		return err_set(e, ERR_MALFORMED, "%s: the manifest is not an object", subject);
	if (is_schema1(sent, j))
		return err_set(e, ERR_UNSUPPORTED, "%s: a manifest of schema 1: push the image again with a newer tool", subject);
	if (said && is_known(sent) && !str_eq(said, sent))
		return err_set(e, ERR_PROTOCOL, "%s: the manifest says it is %.100s, the registry says %s", subject, said, sent);
	if (!type || !is_known(type))
		return err_set(e, ERR_UNSUPPORTED, "%s: manifests of type %.100s are not known", subject, type ? type : sent);
	*out = xstrdup(type);
	return 0;
}

/* Hash first, then look inside. */
static int accept_manifest(const struct http_response *answer, const char *ref, const char *subject,
			   struct registry_manifest *m, struct err *e)
{
	const char *sent = http_header(answer, "content-type");
	auto_free char *type = media_type_cut(sent ? sent : ""), *found = NULL;
	char text[DIGEST_TEXT];
	struct digest want;

	m->digest = digest_of(m->bytes.ptr, m->bytes.len);
	m->size = m->bytes.len;
	if (digest_parse(ref, &want) && !digest_eq(&want, &m->digest))
		return err_set(e, ERR_DIGEST, "%s: the registry sent a manifest with the digest %s", subject,
			       digest_text(&m->digest, text));
	if (registry_check_digest(answer, &m->digest, subject, e) < 0)
		return -1;
	if (find_type(m, type, subject, &found, e) < 0)
		return -1;
	free(m->type);
	m->type = TAKE(found);
	return 0;
}

int registry_manifest_get(struct registry *r, const char *repository, const char *ref, struct registry_manifest *m,
			  struct err *e)
{
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;
	auto_free char *url = manifest_url(r, repository, ref), *subject = registry_subject(r, repository, ref);
	struct registry_ask a = { .url = url, .headers = accept, .scope = { repository, NULL, r->push }, .into = &m->bytes, .pull = true };

	if (registry_check_names(repository, ref, e) < 0)
		return -1;
	m->bytes.max = REGISTRY_MANIFEST_MAX;
	for (int tries = 0;; tries++) {
		if (quota_wait(r, repository, ref, e) < 0)
			return -1;
		quota_take(r);
		if (registry_ask(r, &a, &answer, e) < 0)
			return err_wrap(e, "%s", subject);
		if (answer.status == 404)
			return 0;
		if (answer.status == 429 && quota_is_out(r))
			continue;
		if (answer.status != 200)
			return registry_refused(r, &answer, subject, e);
		if (accept_manifest(&answer, ref, subject, m, e) == 0)
			break;
		/* Bytes that do not match are asked for once more: a proxy may have cut them. */
		if (e->code != ERR_DIGEST || tries)
			return -1;
	}
	r->gets++;
	r->bytes_in += m->bytes.len;
	return 1;
}

/* 1: the head said all. 0: it did not. */
static bool accept_head(const struct http_response *answer, struct registry_manifest *m)
{
	const char *named = http_header(answer, "docker-content-digest"), *type = http_header(answer, "content-type");
	const char *length = http_header(answer, "content-length");
	auto_free char *cut = media_type_cut(type ? type : "");
	struct digest d;
	uint64_t size;

	if (!named || !digest_parse(named, &d) || !is_known(cut))
		return false;
	m->digest = d;
	m->size = length && u64_parse(length, &size) ? size : UINT64_MAX;
	free(m->type);
	m->type = TAKE(cut);
	buf_clear(&m->bytes);
	return true;
}

int registry_manifest_head(struct registry *r, const char *repository, const char *ref, struct registry_manifest *m,
			   struct err *e)
{
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;
	auto_free char *url = manifest_url(r, repository, ref), *subject = registry_subject(r, repository, ref);
	struct registry_ask a = {
		.method = "HEAD", .url = url, .headers = accept, .scope = { repository, NULL, r->push },
	};
	struct digest want;

	if (registry_check_names(repository, ref, e) < 0)
		return -1;
	if (registry_ask(r, &a, &answer, e) < 0)
		return err_wrap(e, "%s", subject);
	if (answer.status == 404)
		return 0;
	if (answer.status == 429 || answer.status >= 500)
		return registry_refused(r, &answer, subject, e);        /* it was asked often enough */
	/* Anything else that is odd is asked again by GET: that answer has words. */
	if (answer.status != 200 || !accept_head(&answer, m))
		return registry_manifest_get(r, repository, ref, m, e);
	if (digest_parse(ref, &want) && registry_check_digest(&answer, &want, subject, e) < 0)
		return -1;
	r->heads++;
	return 1;
}

/* The registry has to say what it took, or to show it. */
static int check_taken(struct registry *r, const struct http_response *answer, const char *repository, const char *ref,
		       const struct digest *d, struct err *e)
{
	CLEANUP(registry_manifest_release) struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	auto_free char *subject = registry_subject(r, repository, ref);

	if (http_header(answer, "docker-content-digest"))
		return registry_check_digest(answer, d, subject, e);

	int there = registry_manifest_head(r, repository, ref, &m, e);

	if (there < 0)
		return -1;
	if (!there || !digest_eq(&m.digest, d))
		return err_set(e, ERR_DIGEST, "%s: the registry does not hold what it was given", subject);
	return 0;
}

static int put(struct registry *r, const char *repository, const char *ref, const char *type, const void *bytes, size_t n,
	       struct http_response *answer, struct err *e)
{
	auto_free char *url = manifest_url(r, repository, ref), *subject = registry_subject(r, repository, ref);
	auto_free char *content_type = xasprintf("Content-Type: %s", type);
	const char *const headers[] = { content_type, NULL };
	struct digest d = digest_of(bytes, n);
	struct registry_ask a = {
		.method = "PUT", .url = url, .headers = headers, .body = bytes, .body_size = n,
		.scope = { repository, NULL, true }, .answer_ms = r->answer_ms,
	};

	if (registry_check_names(repository, ref, e) < 0)
		return -1;
	if (registry_ask(r, &a, answer, e) < 0)
		return err_wrap(e, "%s", subject);
	if (answer->status != 201 && answer->status != 200)
		return registry_refused(r, answer, subject, e);
	if (check_taken(r, answer, repository, ref, &d, e) < 0)
		return -1;
	r->puts++;
	r->bytes_out += n;
	return 0;
}

int registry_manifest_put(struct registry *r, const char *repository, const char *ref, const char *type,
			  const void *bytes, size_t n, struct err *e)
{
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;

	return put(r, repository, ref, type, bytes, n, &answer, e);
}

int registry_referrer_put(struct registry *r, const char *repository, const struct digest *subject, const char *type,
			  const void *bytes, size_t n, bool *linked, struct err *e)
{
	auto_response struct http_response answer = HTTP_RESPONSE_INIT;
	struct digest d = digest_of(bytes, n), named;
	char text[DIGEST_TEXT];
	const char *said;

	if (put(r, repository, digest_text(&d, text), type, bytes, n, &answer, e) < 0)
		return -1;
	said = http_header(&answer, "oci-subject");
	*linked = said && digest_parse(said, &named) && digest_eq(&named, subject);
	return 0;
}
