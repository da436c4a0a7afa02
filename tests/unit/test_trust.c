/* SPDX-License-Identifier: Apache-2.0 */
#include "made.h"

#include <airgap/proc.h>
#include <airgap/trust.h>

#include <sys/stat.h>
#include <unistd.h>

#define NOW INT64_C(1770000000)         /* 2026-02-02 */
#define DAY 86400

static struct made_keys keys;           /* key 0 is P-256, the others Ed25519 */
static char *dir;

/* ---- the rules of format §6, as data ---- */

struct rule {
	const char *name;
	enum err_code code;
	const char *signers;            /* "01": keys 0 and 1, in this order */
	const char *known, *revoked;    /* of the site's policy; NULL = all, none */
	unsigned threshold;
	const char *streams;            /* of key 0 */
	int64_t not_after;              /* of key 0, from now; 0 = never */
	const char *audience, *site;    /* of the bundle; our name */
	int64_t expires;                /* from now; 0 = never */
	uint64_t remembered;            /* sequence; the bundle's is 7 */
	bool other_id, downgrade, allow_unsigned, no_folder;
	int64_t newest;                 /* remembered time, from now */
};

static const struct rule rules[] = {
	{ "one good signature", 0, "0" },
	{ "two", 0, "01", .threshold = 2 },
	{ "not signed", ERR_UNSIGNED, "" },
	{ "not signed, allowed", 0, "", .no_folder = true, .allow_unsigned = true },
	{ "not signed, allowed, but there is a folder", ERR_UNSIGNED, "", .allow_unsigned = true },
	{ "not signed, allowed, an empty folder", ERR_UNSIGNED, "", .known = "", .allow_unsigned = true },
	{ "signed, no folder", ERR_UNSIGNED, "0", .no_folder = true },
	{ "signed, no folder, unsigned allowed", ERR_UNSIGNED, "0", .no_folder = true, .allow_unsigned = true },
	{ "signed, no key in the folder", ERR_UNSIGNED, "0", .known = "" },
	{ "unknown key", ERR_UNTRUSTED, "0", .known = "1" },
	{ "revoked key", ERR_UNTRUSTED, "0", .revoked = "0" },
	{ "second key unknown", 0, "01", .known = "0" },
	{ "second key revoked", 0, "01", .revoked = "1" },
	{ "first key unknown, second trusted", ERR_UNTRUSTED, "01", .known = "1" },
	{ "first key revoked, second trusted", ERR_UNTRUSTED, "01", .revoked = "0" },
	{ "threshold 2, one signature", ERR_UNTRUSTED, "0", .threshold = 2 },
	{ "threshold 2, one of two revoked", ERR_UNTRUSTED, "01", .threshold = 2, .revoked = "1" },
	{ "threshold 3 of 4", 0, "0123", .threshold = 3, .revoked = "3" },
	{ "threshold over all keys there are", ERR_UNTRUSTED, "0123", .threshold = 5 },
	{ "key for this stream", 0, "0", .streams = "test/*" },
	{ "key for another stream", ERR_UNTRUSTED, "0", .streams = "prod/*" },
	{ "key for another stream, first of two", ERR_UNTRUSTED, "01", .streams = "prod/*" },
	{ "key for another stream, second of two", 0, "10", .streams = "prod/*" },
	{ "key for another stream does not count", ERR_UNTRUSTED, "10", .streams = "prod/*", .threshold = 2 },
	{ "key ends tomorrow", 0, "0", .not_after = DAY },
	{ "key ended yesterday", ERR_UNTRUSTED, "0", .not_after = -DAY },
	{ "key ended after creation, before now", ERR_UNTRUSTED, "0", .not_after = -1 },
	{ "audience", 0, "0", .audience = "site-a", .site = "site-a" },
	{ "other audience", ERR_POLICY, "0", .audience = "site-a", .site = "site-b" },
	{ "audience, a site without a name", ERR_POLICY, "0", .audience = "site-a" },
	{ "a name, a bundle for all", 0, "0", .site = "site-a" },
	{ "expires tomorrow", 0, "0", .expires = DAY },
	{ "expired", ERR_POLICY, "0", .expires = -1 },
	{ "expired by what was seen, not by the clock", ERR_POLICY, "0", .expires = DAY, .remembered = 1, .newest = 2 * DAY },
	{ "a clock ahead of what was seen", 0, "0", .expires = DAY, .remembered = 1, .newest = -2 * DAY },
	{ "newer than remembered", 0, "0", .remembered = 6 },
	{ "older than remembered", ERR_POLICY, "0", .remembered = 8 },
	{ "older, downgrade allowed", 0, "0", .remembered = 8, .downgrade = true },
	{ "the same bundle again", 0, "0", .remembered = 7 },
	{ "same sequence, another bundle", ERR_POLICY, "0", .remembered = 7, .other_id = true },
	{ "unknown before expired", ERR_UNTRUSTED, "0", .known = "1", .expires = -1 },
};

static bool has(const char *set, size_t i, bool when_null)
{
	return set ? strchr(set, (int)('0' + i)) != NULL : when_null;
}

/* A policy that borrows the keys: not released. */
static void make_policy(const struct rule *r, struct policy *p)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < MADE_KEYS; i++) {
		struct policy_key *k = &p->keys[p->n_keys];

		if (!has(r->known, i, true))
			continue;
		*k = keys.policy.keys[i];
		k->revoked = has(r->revoked, i, false);
		if (i == 0 && r->streams) {
			memcpy(k->streams[0], r->streams, strlen(r->streams) + 1);
			k->n_streams = 1;
		}
		if (i == 0 && r->not_after)
			k->not_after = NOW + r->not_after;
		p->n_keys++;
	}
	p->present = !r->no_folder;
	if (r->no_folder)
		p->n_keys = 0;
	p->threshold = r->threshold;
}

static int judge(const struct rule *r, struct made *m, struct err *e)
{
	static struct verify v;
	static struct policy p;
	struct verify_trust t = { .policy = &p, .now = NOW, .allow_unsigned = r->allow_unsigned };
	struct verify_fresh f = { .audience = r->site, .now = NOW, .allow_downgrade = r->downgrade };
	struct source_at src = made_source(m);

	make_policy(r, &p);
	if (verify_record(&v, &src, &t, e) < 0)
		return -1;
	f.state.present = r->remembered > 0;
	f.state.sequence = r->remembered;
	f.state.id = v.id;
	f.state.id.b[0] ^= r->other_id;
	f.state.newest_time = NOW + r->newest;
	return verify_policy(&v, &f, e);
}

TEST(every_rule_gives_its_code)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const struct rule *r = &rules[i];
		const struct signer *signers[MADE_KEYS];
		struct made m;
		struct err e;
		size_t n = 0;

		for (const char *s = r->signers; *s; s++)
			signers[n++] = keys.all[*s - '0'];
		made_init(&m);
		if (r->audience)
			assert_true(statement_add_audience(&m.st, r->audience));
		if (r->expires)
			m.st.expires = NOW + r->expires;
		made_build(&m, signers, n);

		int rc = judge(r, &m, &e);

		if ((rc == 0) != (r->code == 0) || (rc < 0 && e.code != r->code))
			fail_msg("%s: %d (%s), not %d", r->name, rc ? (int)e.code : 0, rc ? e.msg : "accepted", r->code);
		made_release(&m);
	}
}

/* ---- entries of the record, tampered with ---- */

static void record_of(struct made *m, struct record *r)
{
	struct err e;

	assert_ok(record_parse((const uint8_t *)m->file.ptr, r, &e), e);
}

static void assert_record(struct made *m, const struct record *r, enum err_code want)
{
	static uint8_t frame[RECORD_FRAME];
	struct err e;

	assert_ok(record_print(r, frame, &e), e);
	memcpy(m->file.ptr, frame, RECORD_FRAME);
	assert_err(judge(&rules[0], m, &e), e, want);
}

TEST(a_bad_signature_by_a_trusted_key_is_never_outvoted)
{
	struct made m, other;
	struct record r, foreign;
	static uint8_t kept[RECORD_FRAME];
	struct err e;

	made_init(&m);
	made_init(&other);
	other.st.sequence = 8;
	made_build(&m, keys.all, 2);
	made_build(&other, keys.all, 2);
	memcpy(kept, m.file.ptr, RECORD_FRAME);
	assert_ok(record_parse(kept, &r, &e), e);
	record_of(&other, &foreign);

	struct record tampered = r;

	tampered.entries[1] = foreign.entries[1];       /* its signature over another bundle */
	assert_record(&m, &tampered, ERR_SIGNATURE);
	tampered = r;
	tampered.entries[1].algorithm = SIGN_P256;      /* not what the key is */
	assert_record(&m, &tampered, ERR_SIGNATURE);
	tampered = r;
	tampered.entries[1] = r.entries[0];             /* the same key twice */
	assert_record(&m, &tampered, ERR_MALFORMED);
	tampered = r;
	tampered.entries[0].algorithm = SIGN_ED25519;
	assert_record(&m, &tampered, ERR_SIGNATURE);
	tampered = r;
	tampered.n = 0;                                 /* stripped */
	assert_record(&m, &tampered, ERR_UNSIGNED);
	made_release(&m);
	made_release(&other);
}

TEST(holds_sixteen_signatures_and_not_more)
{
	static uint8_t frame[RECORD_FRAME];
	static uint8_t sig[64];
	struct record r = { .body = (const uint8_t *)"{}", .body_len = 2, .n = RECORD_SIGNATURES };
	struct err e;

	for (size_t i = 0; i < RECORD_SIGNATURES; i++)
		r.entries[i] = (struct record_entry){ digest_of(&i, sizeof(i)), SIGN_ED25519, sizeof(sig), sig };
	assert_ok(record_print(&r, frame, &e), e);
	assert_ok(record_parse(frame, &r, &e), e);
	assert_int_equal(r.n, RECORD_SIGNATURES);
	frame[RECORD_AT + 16 + 2] = RECORD_SIGNATURES + 1;
	assert_err(record_parse(frame, &r, &e), e, ERR_MALFORMED);
	r.n = RECORD_SIGNATURES + 1;
	assert_err(record_print(&r, frame, &e), e, ERR_LIMIT);
}

/* ---- the statement ---- */

static const struct { const char *name, *from, *to; } bodies[] = {
	{ "a space", ",\"stream\"", ", \"stream\"" },
	{ "leading zero", "\"sequence\":7", "\"sequence\":07" },
	{ "sign", "\"sequence\":7", "\"sequence\":+7" },
	{ "too large", "\"sequence\":7", "\"sequence\":18446744073709551616" },
	{ "no number", "\"sequence\":7", "\"sequence\":" },
	{ "escape", "test/made", "test\\u002fmade" },
	{ "control", "test/made", "test\nmade" },
	{ "not ASCII", "test/made", "test\xc3\xa9made" },
	{ "another time", "03:00:00Z", "03:00:60Z" },
	{ "offset", "03:00:00Z", "03:00:00+00:00" },
	{ "format 2", "\"format\":1", "\"format\":2" },
	{ "other predicate", "bundle:1", "bundle:2" },
	{ "key twice", "\"version\":\"1.0.0\"", "\"version\":\"1.0.0\",\"version\":\"1.0.0\"" },
	{ "audience with a comma", "\"audience\":[]", "\"audience\":[,]" },
	{ "audience not closed", "\"audience\":[]", "\"audience\":[\"a]" },
	{ "audience of a number", "\"audience\":[]", "\"audience\":[1]" },
	{ "member name", "bundle.frames", "bundle.Frames" },
	{ "something behind", "}]}}", "}]}} " },
	{ "upper case hex", "sha256\":\"5", "sha256\":\"A" },
};

TEST(refuses_every_other_spelling_of_the_statement)
{
	struct statement s;
	struct made m;
	char body[SIGN_BODY_MAX + 64];

	made_init(&m);
	m.st.member[0].digest.b[0] = 0x55;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		size_t n = statement_print(&m.st, body), cut = strlen(bodies[i].from);

		assert_true(statement_scan(body, n, &s));
		body[n] = '\0';

		char *at = strstr(body, bodies[i].from);

		assert_non_null(at);
		auto_free char *changed = xasprintf("%.*s%s%s", (int)(at - body), body, bodies[i].to, at + cut);

		if (statement_scan(changed, strlen(changed), &s))
			fail_msg("%s", bodies[i].name);
	}
	for (size_t n = statement_print(&m.st, body); n--;)
		assert_false(statement_scan(body, n, &s));
	made_release(&m);
}

TEST(prints_and_scans_what_the_format_allows)
{
	struct statement s, again;
	char body[SIGN_BODY_MAX];
	struct made m;

	made_init(&m);
	s = m.st;
	s.sequence = UINT64_MAX;
	s.expires = 253402300799;
	memset(s.version, 'v', 2000);
	s.version[2000] = '\0';
	for (int i = 0; i < 200; i++)
		assert_true(statement_add_audience(&s, i ? "a" : ""));

	size_t n = statement_print(&s, body);

	assert_true(n > 0 && statement_scan(body, n, &again));
	assert_memory_equal(&s.audience, &again.audience, 400);
	assert_true(again.sequence == UINT64_MAX && again.n_audience == 200);
	assert_true(statement_has_audience(&again, "a") && !statement_has_audience(&again, "b"));
	memset(s.version, 'v', 4000);
	assert_int_equal(statement_print(&s, body), 0);         /* over 4,096 */
	memcpy(s.version, "1\"", 3);
	assert_int_equal(statement_print(&s, body), 0);
	made_release(&m);
}

/* ---- the folder ---- */

static void put(const char *name, const char *text, mode_t mode)
{
	auto_free char *path = fs_join(dir, name);
	struct err e;

	assert_ok(fs_save(path, text, strlen(text), mode, &e), e);
}

static void put_key(const char *name, size_t i)
{
	auto_free char *key = xasprintf("%s/k%zu.key", keys.dir, i), *pub = xasprintf("%s/%s", dir, name);
	auto_free char *command = xasprintf("openssl pkey -in %s -pubout -out %s", key, pub);
	auto_strv struct strv argv = { 0 };
	struct err e;

	strv_split(&argv, command, ' ');
	{
		struct proc p = { .argv = argv.items };

		assert_ok(proc_check(&p, NULL, ERR_IO, &e), e);
	}
	chmod(pub, 0644);
}

static void fresh_dir(void)
{
	struct err e;

	if (dir)
		assert_ok(fs_remove_tree(dir, &e), e);
	free(dir);
	assert_ok(fs_temp_dir(NULL, "airgap-trust-", &dir, &e), e);
}

TEST(reads_keys_and_policy)
{
	static struct policy p;
	char id[2][DIGEST_HEX];
	struct err e;

	fresh_dir();
	put_key("vendor.pub", 0);
	put_key("old.pub", 1);
	put_key("again.pub", 1);        /* the same key twice counts once */
	put("README", "not a key", 0644);
	for (size_t i = 0; i < 2; i++)
		digest_hex(&keys.signers[i].key.id, id[i]);

	auto_free char *text = xasprintf("threshold: 1\naudience: site-a\nrevoked: [%s]\n"
					 "keys:\n  %s: {streams: [test/*, 'b/?'], notAfter: 2027-01-31}\n", id[1], id[0]);

	put("policy.yaml", text, 0644);
	assert_ok(trust_load(dir, &p, &e), e);
	assert_true(p.present && p.n_keys == 2 && p.threshold == 1);
	assert_string_equal(p.audience, "site-a");

	int k = policy_find(&p, &keys.signers[0].key.id), old = policy_find(&p, &keys.signers[1].key.id);

	assert_true(k >= 0 && old >= 0 && p.keys[old].revoked && !p.keys[k].revoked);
	assert_string_equal(p.keys[k].key.name, "vendor");
	assert_int_equal(p.keys[k].n_streams, 2);
	assert_string_equal(p.keys[k].streams[1], "b/?");
	assert_int_equal(p.keys[k].not_after, 1801439999);
	policy_release(&p);
}

static const struct { const char *text; enum err_code code; } policies[] = {
	{ "", 0 },
	{ "# nothing\n", 0 },
	{ "{}\n", 0 },
	{ "threshold: 2\n", 0 },
	{ "treshold: 2\n", ERR_MALFORMED },
	{ "threshold: two\n", ERR_MALFORMED },
	{ "threshold: -1\n", ERR_MALFORMED },
	{ "threshold: 1000\n", ERR_MALFORMED },
	{ "- threshold\n", ERR_MALFORMED },
	{ "audience: ''\n", ERR_MALFORMED },
	{ "revoked: [abc]\n", ERR_MALFORMED },
	{ "revoked: ['0000000000000000000000000000000000000000000000000000000000000000']\n", 0 },
	{ "keys: {'0000000000000000000000000000000000000000000000000000000000000000': {streams: [a]}}\n", ERR_MALFORMED },
	{ "keys: {abc: {}}\n", ERR_MALFORMED },
	{ "keys: {KEY: {streams: a/*}}\n", 0 },
	{ "keys: {KEY: {stream: [a]}}\n", ERR_MALFORMED },
	{ "keys: {KEY: {notAfter: 2027-02-30}}\n", ERR_MALFORMED },
	{ "keys: {KEY: {notAfter: soon}}\n", ERR_MALFORMED },
	{ "keys: {KEY: {notAfter: '2027-02-28T12:00:00Z'}}\n", 0 },
	{ "keys: {KEY: {streams: [{}]}}\n", ERR_MALFORMED },
	{ "keys: {KEY: {streams: [a,b,c,d,e,f,g,h,i]}}\n", ERR_LIMIT },
	{ "a: &x [1]\nthreshold: *x\n", ERR_MALFORMED },
	{ "threshold: 1\nthreshold: 2\n", ERR_MALFORMED },
};

TEST(unknown_or_wrong_policies_are_errors)
{
	static struct policy p;
	char id[DIGEST_HEX];
	struct err e;

	fresh_dir();
	put_key("vendor.pub", 0);
	digest_hex(&keys.signers[0].key.id, id);
	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		const char *key = strstr(policies[i].text, "KEY");
		auto_free char *text = key ? xasprintf("%.*s%s%s", (int)(key - policies[i].text), policies[i].text, id, key + 3)
					   : xstrdup(policies[i].text);

		put("policy.yaml", text, 0644);
		err_clear(&e);

		int rc = trust_load(dir, &p, &e);

		if ((rc == 0) != (policies[i].code == 0) || (rc < 0 && e.code != policies[i].code))
			fail_msg("%s: %d %s", policies[i].text, e.code, e.msg);
		assert_true(rc == 0 || (!p.present && p.n_keys == 0));
		policy_release(&p);
	}
}

static void assert_refused(enum err_code code)
{
	static struct policy p;
	struct err e;

	assert_err(trust_load(dir, &p, &e), e, code);
}

TEST(refuses_files_that_others_could_have_written)
{
	auto_free char *key = NULL, *policy = NULL, *link = NULL;

	fresh_dir();
	put_key("vendor.pub", 0);
	put("policy.yaml", "threshold: 1\n", 0644);
	key = fs_join(dir, "vendor.pub");
	policy = fs_join(dir, "policy.yaml");
	link = fs_join(dir, "link.pub");
	chmod(key, 0664);
	assert_refused(ERR_UNTRUSTED);
	chmod(key, 0646);
	assert_refused(ERR_UNTRUSTED);
	chmod(key, 0644);
	chmod(policy, 0622);
	assert_refused(ERR_UNTRUSTED);
	chmod(policy, 0600);
	chmod(dir, 0777);
	assert_refused(ERR_UNTRUSTED);
	chmod(dir, 0755);
	if (geteuid() == 0) {
		assert_int_equal(chown(key, 12345, 12345), 0);
		assert_refused(geteuid() == 12345 ? ERR_NONE : ERR_UNTRUSTED);
		assert_int_equal(chown(key, 0, 0), 0);
	}
	assert_int_equal(mkfifo(link, 0600), 0);
	assert_refused(ERR_UNTRUSTED);
	unlink(link);
	put("link.pub", "no key", 0644);
	assert_refused(ERR_MALFORMED);
	unlink(link);

	static struct policy p;
	struct err e;

	assert_ok(trust_load(dir, &p, &e), e);
	policy_release(&p);
	assert_err(trust_load("/nonexistent/trust", &p, &e), e, ERR_IO);
}

TEST(the_search_takes_the_users_folder_and_says_when_there_is_none)
{
	auto_free char *config = xasprintf("%s/config", dir);
	static struct policy p;
	struct err e;

	if (access("/etc/airgap/trust.d", F_OK) == 0)
		skip();
	setenv("XDG_CONFIG_HOME", config, 1);
	assert_null(trust_dir());
	assert_ok(trust_load(NULL, &p, &e), e);
	assert_false(p.present);

	auto_free char *folder = xasprintf("%s/airgap/trust.d", config);

	assert_ok(fs_make_dirs(folder, 0700, &e), e);
	assert_ok(trust_load(NULL, &p, &e), e);
	assert_true(p.present && p.n_keys == 0);
	unsetenv("XDG_CONFIG_HOME");
}

/* ---- state ---- */

TEST(state_is_kept_and_never_taken_for_none)
{
	struct stream_state s = { true, 42, digest_of("x", 1), NOW }, got;
	struct err e;

	fresh_dir();
	assert_ok(trust_state_load(dir, "a/b", &got, &e), e);
	assert_false(got.present);
	assert_ok(trust_state_save(dir, "a/b", &s, &e), e);
	assert_ok(trust_state_load(dir, "a/b", &got, &e), e);
	assert_true(got.present && got.sequence == 42 && digest_eq(&got.id, &s.id) && got.newest_time == NOW);
	assert_ok(trust_state_load(dir, "a/c", &got, &e), e);
	assert_false(got.present);

	auto_free char *folder = fs_join(dir, "streams");
	auto_strv struct strv names = { 0 };

	assert_ok(fs_list(folder, &names, &e), e);
	assert_int_equal(names.n, 1);

	auto_free char *path = fs_join(folder, names.items[0]);
	auto_free char *other = xasprintf("{\"stream\":\"other\",\"sequence\":1,\"id\":\"sha256:%064d\","
					  "\"newestTime\":\"2026-01-01T00:00:00Z\"}", 0);
	const char *const damaged[] = {
		"", "{", "{}", "null", "{\"stream\":\"a/b\",\"sequence\":-1,\"id\":\"x\",\"newestTime\":\"\"}", other,
	};

	for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
		assert_ok(fs_save(path, damaged[i], strlen(damaged[i]), 0600, &e), e);
		assert_err(trust_state_load(dir, "a/b", &got, &e), e, ERR_IO);
	}
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_err(trust_state_load(dir, "a/b", &got, &e), e, ERR_IO);
}

TEST(the_higher_state_wins_and_time_is_bounded)
{
	struct stream_state a = { true, 5, digest_of("a", 1), 100 }, b = { true, 6, digest_of("b", 1), 50 }, none = { 0 };
	struct stream_state s = trust_state_merge(&a, &b);
	static struct verify v;

	assert_true(s.sequence == 6 && s.newest_time == 100 && digest_eq(&s.id, &b.id));
	s = trust_state_merge(&b, &a);
	assert_true(s.sequence == 6 && s.newest_time == 100 && digest_eq(&s.id, &b.id));
	s = trust_state_merge(&none, &a);
	assert_true(s.present && s.sequence == 5);
	s = trust_state_merge(&none, &none);
	assert_false(s.present);

	v.statement.sequence = 7;
	v.statement.created = NOW + 10 * DAY;
	s = verify_next_state(&v, &none, NOW);
	assert_true(s.present && s.sequence == 7 && s.newest_time == NOW + DAY);
	a.newest_time = NOW + 5 * DAY;
	a.sequence = 9;
	s = verify_next_state(&v, &a, NOW);
	assert_true(s.sequence == 9 && s.newest_time == NOW + 5 * DAY && digest_eq(&s.id, &a.id));
}

static int setup(void **state)
{
	(void)state;
	made_keys_init(&keys, SIGN_P256);
	fresh_dir();
	return 0;
}

static int teardown(void **state)
{
	struct err e;

	(void)state;
	made_keys_release(&keys);
	assert_ok(fs_remove_tree(dir, &e), e);
	free(dir);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_gives_its_code),
		cmocka_unit_test(a_bad_signature_by_a_trusted_key_is_never_outvoted),
		cmocka_unit_test(holds_sixteen_signatures_and_not_more),
		cmocka_unit_test(refuses_every_other_spelling_of_the_statement),
		cmocka_unit_test(prints_and_scans_what_the_format_allows),
		cmocka_unit_test(reads_keys_and_policy),
		cmocka_unit_test(unknown_or_wrong_policies_are_errors),
		cmocka_unit_test(refuses_files_that_others_could_have_written),
		cmocka_unit_test(the_search_takes_the_users_folder_and_says_when_there_is_none),
		cmocka_unit_test(state_is_kept_and_never_taken_for_none),
		cmocka_unit_test(the_higher_state_wins_and_time_is_bounded),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
