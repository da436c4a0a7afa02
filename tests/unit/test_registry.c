/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "served.h"

#include <airgap/fs.h>
#include <airgap/pool.h>
#include <airgap/registry.h>

#define INDEX "application/vnd.oci.image.index.v1+json"

static struct err e;
static struct served server;
static struct http_client *http;
static struct registry *registry;
static char *host;
static _Atomic unsigned tokens, life, basics, bearers, challenges;
static _Atomic int token_status;        /* what the token server answers; 0 = a token */
static _Atomic bool wants_basic, wants_known;

static void answer_token(struct buf *out)
{
	auto_free char *text = NULL;

	tokens++;
	usleep(20000);          /* long enough that all threads want it */
	if (token_status) {
		served_text(out, token_status, "", "wrong user");
		return;
	}
	text = xasprintf("{\"token\":\"t%u\",\"expires_in\":%u}", tokens, life);
	served_text(out, 200, "", text);
}

static void refuse_basic(const struct asked *a, struct buf *out)
{
	basics += str_starts(a->authorization, "Basic ");
	bearers += str_starts(a->authorization, "Bearer ");
	served_text(out, 401, "WWW-Authenticate: Basic realm=x\r\n", "");
}

/* Tokens that somebody else gave us; none is right. */
static void refuse_bearer(const struct asked *a, const char *challenge, struct buf *out)
{
	bearers += str_starts(a->authorization, "Bearer ");
	served_text(out, 401, challenge, "");
}

static void challenge_it(const char *challenge, struct buf *out)
{
	challenges++;
	served_text(out, 401, challenge, "");
}

/* A registry that wants tokens; every manifest is the same, every blob is "blob". More manifests are left than threads ask
 * for at once: none waits for more of them. */
static void answer(const struct asked *a, struct buf *out)
{
	auto_free char *challenge = xasprintf("WWW-Authenticate: Bearer realm=\"http://%s/token\",service=\"s\"\r\n", host);

	if (str_starts(a->target, "/token"))
		answer_token(out);
	else if (wants_basic)
		refuse_basic(a, out);
	else if (wants_known)
		refuse_bearer(a, challenge, out);
	else if (!str_starts(a->authorization, "Bearer t"))
		challenge_it(challenge, out);
	else if (strstr(a->target, "/manifests/"))
		served_text(out, 200, "Content-Type: " INDEX "\r\nRateLimit-Limit: 100;w=21600\r\nRateLimit-Remaining: 77;w=21600\r\n",
			    "{\"schemaVersion\":2,\"manifests\":[]}");
	else if (strstr(a->target, "/uploads/") && strcmp(a->method, "POST") == 0)
		served_text(out, 202, "Location: /v2/a/blobs/uploads/1\r\n", "");
	else if (strstr(a->target, "/uploads/"))
		served_text(out, 201, "", "");
	else if (strstr(a->target, "/blobs/"))
		served_text(out, 200, "", "blob");
	else
		served_text(out, 200, "", "{\"tags\":[\"b\",\"a\",\"b\"]}");
}

static int set_up(void **state)
{
	struct http_options h = { .tries = 2, .backoff_ms = 5 };
	struct registry_options o = { .plain_http = true, .push = true };

	err_clear(&e);
	tokens = basics = bearers = challenges = 0;
	token_status = 0;
	wants_basic = wants_known = false;
	life = 300;
	served_start(&server, answer);
	host = xasprintf("127.0.0.1:%u", server.port);
	http = http_new(&h, &e);
	registry = registry_open(http, host, &o, &e);
	return registry ? 0 : -1;
}

static int tear_down(void **state)
{
	registry_close(TAKE(registry));
	http_free(TAKE(http));
	served_stop(&server);
	free(TAKE(host));
	return 0;
}

static int get_manifest(void *ctx, unsigned worker, size_t item, struct err *err)
{
	auto_registry_manifest struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	auto_free char *repository = xasprintf("r%zu", item % 3);
	int rc = registry_manifest_get(registry, repository, "v1", &m, err);

	if (rc < 0)
		return -1;
	return rc == 1 && str_eq(m.type, INDEX) ? 0 : err_set(err, ERR_BUG, "%d, %s", rc, m.type);
}

TEST(fetches_one_token_per_scope)
{
	assert_ok(pool_each(8, 200, get_manifest, NULL, &e), e);
	assert_int_equal(tokens, 3);

	struct registry_stats s = registry_stats(registry);

	assert_int_equal(s.tokens, 3);
	assert_int_equal(s.gets, 200);
	/* Only who asked before the first challenge came back was challenged himself. */
	assert_in_range(challenges, 1, 8);
	assert_int_equal(s.requests, 200 + challenges + http_stats(http).retries);
}

TEST(renews_tokens_in_time)
{
	life = 1;               /* good for 900 ms */
	assert_ok(get_manifest(NULL, 0, 0, &e), e);
	assert_ok(get_manifest(NULL, 0, 0, &e), e);
	assert_int_equal(tokens, 1);
	usleep(950000);
	assert_ok(get_manifest(NULL, 0, 0, &e), e);
	assert_int_equal(tokens, 2);
	assert_int_equal(registry_stats(registry).requests, 4);
}

TEST(remembers_the_quota)
{
	struct registry_quota q;

	assert_int_equal(registry_quota(registry, &q), 0);
	assert_ok(get_manifest(NULL, 0, 0, &e), e);
	assert_int_equal(registry_quota(registry, &q), 1);
	assert_int_equal(q.limit, 100);
	assert_int_equal(q.left, 77);
	assert_true(registry_counts_pulls(registry));
}

TEST(sorts_tags)
{
	auto_strv struct strv tags = { 0 };

	assert_int_equal(registry_tags(registry, "a", &tags, &e), 1);
	assert_int_equal(tags.n, 2);
	assert_string_equal(tags.items[0], "a");
}

TEST(loads_a_small_blob_and_hashes_it)
{
	auto_buf struct buf b = BUF_INIT(10);
	struct digest good = digest_of("blob", 4), bad = digest_of("other", 5);

	assert_ok(registry_blob_load(registry, "a", &good, 4, &b, &e), e);
	assert_string_equal(buf_str(&b), "blob");
	assert_err(registry_blob_load(registry, "a", &bad, 4, &b, &e), e, ERR_DIGEST);
	assert_int_equal(b.len, 4);
	assert_err(registry_blob_load(registry, "a", &good, 5, &b, &e), e, ERR_DIGEST);
	assert_err(registry_blob_load(registry, "a", &good, 7, &b, &e), e, ERR_LIMIT);
}

static ssize_t read_blob(void *ctx, void *p, size_t n, struct err *err)
{
	size_t *at = ctx, take = MIN(n, 4 - *at);

	memcpy(p, &"blob"[*at], take);
	*at += take;
	return (ssize_t)take;
}

static int put_blob(void *ctx, unsigned worker, size_t item, struct err *err)
{
	size_t at = 0;
	struct source s = { read_blob, NULL, &at };
	struct registry_blob b = { .repository = "a", .digest = digest_of("blob", 4), .size = 4 };

	return registry_blob_put(registry, &b, &s, NULL, err);
}

TEST(pushes_in_many_threads)
{
	assert_ok(pool_each(8, 100, put_blob, NULL, &e), e);
	assert_int_equal(registry_stats(registry).puts, 100);
	assert_int_equal(registry_stats(registry).bytes_out, 400);
	assert_int_equal(tokens, 1);
}

TEST(refuses_illegal_names)
{
	auto_registry_manifest struct registry_manifest m = REGISTRY_MANIFEST_INIT;

	assert_err(registry_manifest_get(registry, "A", "v1", &m, &e), e, ERR_UNSAFE);
	assert_err(registry_manifest_get(registry, "a/../b", "v1", &m, &e), e, ERR_UNSAFE);
	assert_err(registry_manifest_get(registry, "a", "v 1", &m, &e), e, ERR_UNSAFE);
	assert_err(registry_manifest_get(registry, "a", "sha256:12", &m, &e), e, ERR_UNSAFE);
	assert_err(registry_manifest_get(registry, "a?b", "v1", &m, &e), e, ERR_UNSAFE);
	assert_int_equal(registry_stats(registry).requests, 0);
}

/* A registry that knows us by a password, or by a token. */
static struct registry *open_as(struct credential_set **set, bool token)
{
	const struct credential_host h = { .host = host, .username = token ? NULL : "me",
					   .password = token ? NULL : "env:REGISTRY_TEST",
					   .token = token ? "env:REGISTRY_TEST" : NULL };
	struct registry_options o = { .plain_http = true };

	setenv("REGISTRY_TEST", "secret", 1);
	*set = credential_set_new(&h, 1, NULL, true, &e);
	o.credentials = *set;
	return registry_open(http, host, &o, &e);
}

static struct registry *theirs;

static int get_theirs(void *ctx, unsigned worker, size_t item, struct err *err)
{
	auto_registry_manifest struct registry_manifest m = REGISTRY_MANIFEST_INIT;
	auto_free char *repository = xasprintf("r%zu", item);
	struct err why = { 0 };
	int rc = registry_manifest_get(theirs, repository, "v1", &m, &why);

	if (rc == 0 || (rc < 0 && why.code != ERR_AUTH) || (rc < 0 && !strstr(why.msg, "credentials from settings of '")))
		return err_set(err, ERR_BUG, "%d: %s", rc, why.msg);
	return 0;
}

static void assert_shown(unsigned want_tokens, unsigned want_basics, bool locked_out)
{
	auto_credential_set struct credential_set *set = NULL;
	auto_registry struct registry *r = open_as(&set, wants_known);

	theirs = r;
	assert_ok(pool_each(8, 35, get_theirs, NULL, &e), e);
	assert_int_equal(tokens, want_tokens);
	assert_int_equal(basics, want_basics);
	assert_int_equal(registry_locked_out(r), locked_out);
}

TEST(shows_a_wrong_password_once_to_a_token_server)
{
	token_status = 401;
	assert_shown(1, 0, true);
}

TEST(shows_a_wrong_password_once_to_a_registry)
{
	wants_basic = true;
	assert_shown(0, 1, true);
}

TEST(shows_a_wrong_token_once)
{
	wants_known = true;
	assert_shown(0, 0, true);
	assert_int_equal(bearers, 1);
}

/* A refresh token opens token servers; the registry itself must not see it. */
TEST(keeps_an_identity_token_from_the_registry)
{
	auto_free char *path = xasprintf("%s/registry-auth.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	auto_free char *text = xasprintf("{\"auths\":{\"%s\":{\"identitytoken\":\"refresh\"}}}", host);
	auto_fd int fd = mkstemp(path);
	auto_credential_set struct credential_set *set = credential_set_new(NULL, 0, NULL, false, &e);
	struct registry_options o = { .plain_http = true, .credentials = set };
	auto_registry struct registry *r = registry_open(http, host, &o, &e);
	auto_registry_manifest struct registry_manifest m = REGISTRY_MANIFEST_INIT;

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	setenv("REGISTRY_AUTH_FILE", path, 1);
	wants_basic = wants_known = true;
	assert_err(registry_manifest_get(r, "a", "v1", &m, &e), e, ERR_AUTH);
	unsetenv("REGISTRY_AUTH_FILE");
	unlink(path);
	assert_non_null(strstr(e.msg, "identity token"));
	assert_int_equal(basics + bearers, 0);
}

TEST(asks_again_where_one_scope_is_refused)
{
	token_status = 403;
	assert_shown(35, 0, false);
}

TEST(shows_a_good_password_for_each_scope)
{
	assert_shown(35, 0, false);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(fetches_one_token_per_scope),
		T(renews_tokens_in_time),
		T(remembers_the_quota),
		T(sorts_tags),
		T(loads_a_small_blob_and_hashes_it),
		T(pushes_in_many_threads),
		T(refuses_illegal_names),
		T(shows_a_wrong_password_once_to_a_token_server),
		T(shows_a_wrong_password_once_to_a_registry),
		T(shows_a_wrong_token_once),
		T(keeps_an_identity_token_from_the_registry),
		T(asks_again_where_one_scope_is_refused),
		T(shows_a_good_password_for_each_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
