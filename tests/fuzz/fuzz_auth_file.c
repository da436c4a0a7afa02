/* SPDX-License-Identifier: Apache-2.0 */
/* An auth file of Docker or containers, entry by entry, and what a credential helper answers. No helper is run. */
#include "../../lib/credential_file.c"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Whoever is found has a secret and an origin; whoever is not has nothing. */
static void check(int rc, const struct credential *c, const struct err *e)
{
	if (rc > 0 && (!c->secret.text || !c->origin || (c->kind == CREDENTIAL_BASIC && !c->username)))
		abort();
	if (rc > 0 && c->kind == CREDENTIAL_BEARER && !*c->secret.text)
		abort();
	if (rc < 0 && e->code != ERR_MALFORMED && e->code != ERR_LIMIT)
		abort();
}

static void entries(const struct auth_file *f)
{
	const char *key;
	json_t *entry;

	json_object_foreach(json_object_get(f->doc, "auths"), key, entry) {
		auto_credential struct credential c = { 0 };
		struct err e = { 0 };
		int rc = from_entry(entry, f, &c, &e);

		check(rc, &c, &e);
	}
}

static void helper(const uint8_t *p, size_t n)
{
	struct buf answer = { .ptr = (char *)(uintptr_t)p, .len = n, .max = n };
	auto_credential struct credential c = { 0 };
	struct err e = { 0 };
	int rc = read_answer(&answer, "docker-credential-fuzz", &c, &e);

	check(rc, &c, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct err e = { 0 };
	auto_json json_t *doc = jdoc_parse(p, n, FILE_MAX, "fuzz", &e);
	struct auth_file f = { .path = (char[]){ "fuzz" }, .doc = doc };

	if (doc)
		entries(&f);
	helper(p, n);
	(void)suffix_ok(jdoc_text(doc, "credsStore", NULL) ? jdoc_text(doc, "credsStore", NULL) : "");
	return 0;
}
