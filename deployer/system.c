/* SPDX-License-Identifier: Apache-2.0 */
#include "system.h"

#include <airgap/digest.h>

#include <stdio.h>
#include <time.h>

#define DOCUMENT_MAX (700u << 10)       /* base64 of it stays under a Secret's 1 MiB */
#define KIND_LABEL   "airgap/kind"

/* {NAME: the Secret} */
static int list(struct session *s, json_t **out, struct err *e)
{
	auto_json json_t *items = NULL;
	auto_json json_t *secrets = json_object();
	size_t i;
	json_t *secret;

	if (kubectl_list(&s->kubectl, "secrets", SYSTEM_NAMESPACE, KIND_LABEL, &items, e) < 0)
		return err_wrap(e, "namespace " SYSTEM_NAMESPACE);
	json_array_foreach(items, i, secret) {
		const char *name = jdoc_text(secret, "metadata", "name", NULL);

		if (name)
			json_object_set(secrets, name, secret);
	}
	*out = TAKE(secrets);
	return 0;
}

int system_read(struct session *s, struct err *e)
{
	json_t *read = NULL;

	if (list(s, &read, e) < 0)
		return -1;
	json_decref(s->system);
	s->system = read;
	return 0;
}

int system_load(struct session *s, const char *name, json_t **out, struct err *e)
{
	const json_t *secret = json_object_get(s->system, name);
	const char *text = jdoc_text(secret, "data", "document", NULL);

	if (!secret)
		return 0;
	if (!text)
		return err_set(e, ERR_IO, "secret " SYSTEM_NAMESPACE "/%s: damaged: it has no document", name);

	size_t room = strlen(text), n;
	auto_free uint8_t *bytes = xmalloc(room + 1);

	if (!base64_decode(text, strlen(text), bytes, &n))
		return err_set(e, ERR_IO, "secret " SYSTEM_NAMESPACE "/%s: damaged: not base64", name);

	json_t *document = jdoc_parse(bytes, n, 2 * DOCUMENT_MAX, name, e);

	wipe(bytes, room);
	if (!document) {
		e->code = ERR_IO;
		return err_wrap(e, "secret " SYSTEM_NAMESPACE);
	}
	*out = document;
	return 1;
}

int system_unchanged(struct session *s, struct err *e)
{
	auto_json json_t *now = NULL;
	bool same;
	const char *name;
	json_t *secret;

	if (list(s, &now, e) < 0)
		return -1;
	same = json_object_size(now) == json_object_size(s->system);
	json_object_foreach(now, name, secret) {
		const json_t *before = json_object_get(s->system, name);

		same = same && str_eq(jdoc_text(secret, "metadata", "resourceVersion", NULL),
				      jdoc_text(before, "metadata", "resourceVersion", NULL));
	}
	return same ? 0 : err_set(e, ERR_LOCKED, "cluster: another run of the deployer ended while this one was getting ready: "
					       "run the same command again");
}

int system_ensure(struct session *s, struct err *e)
{
	auto_json json_t *live = NULL;
	int there = 1;

	if (json_object_size(s->system) == 0)   /* what was read there stands there */
		there = kubectl_get(&s->kubectl, "namespace", NULL, SYSTEM_NAMESPACE, &live, e);
	if (there)
		return MIN(there, 0);

	auto_json json_t *ns = json_pack("{s:s, s:s, s:{s:s, s:{s:s, s:s}}}", "apiVersion", "v1", "kind", "Namespace",
					 "metadata", "name", SYSTEM_NAMESPACE, "labels",
					 "app.kubernetes.io/managed-by", "airgap-deployer",
					 "pod-security.kubernetes.io/enforce", "restricted");

	return kubectl_create(&s->kubectl, ns, NULL, e) < 0 ? err_wrap(e, "namespace " SYSTEM_NAMESPACE) : 0;
}

int system_save(struct session *s, const char *name, const char *kind, const json_t *document, struct err *e)
{
	CLEANUP(buf_wipe) struct buf text = BUF_INIT(DOCUMENT_MAX);

	if (jdoc_dump(document, &text, e) < 0)
		return err_wrap(e, "secret %s", name);

	auto_free char *encoded = xmalloc(base64_size(text.len));
	auto_json json_t *secret = json_pack(
		"{s:s, s:s, s:s, s:{s:s, s:s, s:{s:s, s:s}}, s:{s:s}}", "apiVersion", "v1", "kind", "Secret", "type", "Opaque",
		"metadata", "name", name, "namespace", SYSTEM_NAMESPACE, "labels", "app.kubernetes.io/managed-by",
		"airgap-deployer", KIND_LABEL, kind, "data", "document",
		base64_encode(text.ptr, text.len, encoded));

	wipe(encoded, strlen(encoded));
	return kubectl_apply(&s->kubectl, secret, KUBECTL_FORCE, NULL, e) < 0
		       ? err_wrap(e, "secret " SYSTEM_NAMESPACE "/%s", name) : 0;
}

char *system_stream(const char *stream, char out[SYSTEM_STREAM])
{
	struct digest d = digest_of(stream, strlen(stream));
	char hex[DIGEST_HEX];

	memcpy(out, digest_hex(&d, hex), SYSTEM_STREAM - 1);
	out[SYSTEM_STREAM - 1] = '\0';
	return out;
}

char *system_now(char out[SYSTEM_TIME])
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);

	size_t n = strftime(out, SYSTEM_TIME, "%Y-%m-%dT%H:%M:%S", &tm);

	snprintf(out + n, SYSTEM_TIME - n, ".%06ldZ", now.tv_nsec / 1000);
	return out;
}
