/* SPDX-License-Identifier: Apache-2.0 */
/* discard: a stand-in for a registry that hashes what is pushed and throws it away, so that a push of any size can be
 * measured without a disk. It remembers digests and sizes of blobs, and whole manifests; blobs cannot be read back.
 *
 * cc -O2 -pthread tests/stand/discard.c -lcrypto -o discard
 * discard [--listen ADDRESS] [--port P] [--no-hash] prints address=ADDRESS:PORT and pid=, then serves HTTP until it is killed.
 * --no-hash believes the digest of each upload: the fastest server there can be, for measuring the client alone.
 * GET /stats answers counters as JSON. */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "http1.h"

enum { MANIFEST_MAX = 4 << 20, BUCKETS = 1 << 16, NAME_MAX_LEN = 512 };

/* One thing the registry knows: a blob of a repository, or a manifest by digest or by tag. */
struct item {
	struct item *next;
	char *key; /* "b REPO DIGEST", "m REPO DIGEST" or "t REPO TAG" */
	long long size;
	char *body;      /* manifests only */
	char *type;      /* manifests only */
	char digest[80]; /* of a tag's manifest */
};

struct upload {
	struct upload *next;
	long long id, size;
	EVP_MD_CTX *hash;
};

static struct item *table[BUCKETS];
static struct upload *uploads;
static long long next_id = 1;
static struct {
	long long requests, heads, uploads, mounts, blobs, manifests, bytes, refused;
} stats;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool no_hash;

static unsigned hash_of(const char *s)
{
	unsigned h = 2166136261u;
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h % BUCKETS;
}

/* With the lock held. */
static struct item *find(const char *key)
{
	for (struct item *i = table[hash_of(key)]; i; i = i->next)
		if (strcmp(i->key, key) == 0)
			return i;
	return NULL;
}

/* With the lock held: finds or makes. */
static struct item *make(const char *key)
{
	struct item *i = find(key);
	if (i)
		return i;
	i = calloc(1, sizeof *i);
	i->key = strdup(key);
	struct item **head = &table[hash_of(key)];
	i->next = *head;
	return *head = i;
}

static void key_of(char *key, size_t n, char kind, const char *repo, const char *ref)
{
	snprintf(key, n, "%c %s %s", kind, repo, ref);
}

static bool refuse(struct request *r, int status, const char *code, const char *detail)
{
	char body[1024];
	int n = snprintf(body, sizeof body, "{\"errors\":[{\"code\":\"%s\",\"message\":\"%s\",\"detail\":\"%s\"}]}\n", code,
		code, detail);
	pthread_mutex_lock(&lock);
	stats.refused++;
	pthread_mutex_unlock(&lock);
	return answer(r, status, body, n, "Content-Type: application/json\r\n");
}

static void hex_digest(EVP_MD_CTX *ctx, char out[80])
{
	unsigned char md[32];
	unsigned n;
	EVP_DigestFinal_ex(ctx, md, &n);
	memcpy(out, "sha256:", 8);
	for (unsigned i = 0; i < 32; i++)
		snprintf(out + 7 + 2 * i, 3, "%02x", md[i]);
}

/* Uploads. Who works on one takes it off the list and puts it back. */

static struct upload *take_upload(long long id)
{
	pthread_mutex_lock(&lock);
	struct upload **p = &uploads, *u;
	while (*p && (*p)->id != id)
		p = &(*p)->next;
	u = *p;
	if (u)
		*p = u->next;
	pthread_mutex_unlock(&lock);
	return u;
}

static void put_back(struct upload *u)
{
	pthread_mutex_lock(&lock);
	u->next = uploads;
	uploads = u;
	pthread_mutex_unlock(&lock);
}

static void free_upload(struct upload *u)
{
	if (u)
		EVP_MD_CTX_free(u->hash);
	free(u);
}

static bool append_body(struct request *r, struct upload *u)
{
	const char *data;
	ssize_t k;
	while ((k = body_piece(r, &data)) > 0) {
		if (!no_hash)
			EVP_DigestUpdate(u->hash, data, (size_t)k);
		u->size += k;
	}
	return k == 0;
}

static bool start_upload(struct request *r, const char *repo)
{
	char mount[128], from[NAME_MAX_LEN], key[2 * NAME_MAX_LEN];
	query_value(r->query, "mount", mount, sizeof mount);
	query_value(r->query, "from", from, sizeof from);
	if (mount[0] && from[0]) {
		pthread_mutex_lock(&lock);
		key_of(key, sizeof key, 'b', from, mount);
		struct item *source = find(key);
		if (source) {
			key_of(key, sizeof key, 'b', repo, mount);
			make(key)->size = source->size;
			stats.mounts++;
		}
		pthread_mutex_unlock(&lock);
		if (source)
			return answer(r, 201, NULL, 0, "Location: /v2/%s/blobs/%s\r\nDocker-Content-Digest: %s\r\n", repo, mount, mount);
	}
	struct upload *u = calloc(1, sizeof *u);
	u->hash = EVP_MD_CTX_new();
	EVP_DigestInit_ex(u->hash, EVP_sha256(), NULL);
	pthread_mutex_lock(&lock);
	long long id = u->id = next_id++;
	stats.uploads++;
	pthread_mutex_unlock(&lock);
	put_back(u);
	return answer(r, 202, NULL, 0, "Location: /v2/%s/blobs/uploads/%lld?_state=x\r\nRange: 0-0\r\n", repo, id);
}

static bool finish_upload(struct request *r, const char *repo, long long id)
{
	char want[128], got[80], key[2 * NAME_MAX_LEN];
	struct upload *u = take_upload(id);
	if (!u)
		return refuse(r, 404, "BLOB_UPLOAD_UNKNOWN", "");
	query_value(r->query, "digest", want, sizeof want);
	if (!append_body(r, u)) {
		put_back(u);
		return false;
	}
	long long size = u->size;
	hex_digest(u->hash, got);
	free_upload(u);
	if (!no_hash && strcmp(want, got) != 0)
		return refuse(r, 400, "DIGEST_INVALID", got);
	key_of(key, sizeof key, 'b', repo, want);
	pthread_mutex_lock(&lock);
	make(key)->size = size;
	stats.blobs++;
	stats.bytes += size;
	pthread_mutex_unlock(&lock);
	return answer(r, 201, NULL, 0, "Location: /v2/%s/blobs/%s\r\nDocker-Content-Digest: %s\r\n", repo, want, want);
}

static bool on_upload(struct request *r, const char *repo, const char *rest)
{
	if (rest[0] == '\0')
		return strcmp(r->method, "POST") == 0 ? start_upload(r, repo) : refuse(r, 405, "UNSUPPORTED", "");
	long long id = strtoll(rest, NULL, 10);
	if (strcmp(r->method, "PUT") == 0)
		return finish_upload(r, repo, id);
	if (strcmp(r->method, "DELETE") == 0) {
		free_upload(take_upload(id));
		return answer(r, 204, NULL, 0, "%s", "");
	}
	struct upload *u = take_upload(id);
	if (!u)
		return refuse(r, 404, "BLOB_UPLOAD_UNKNOWN", "");
	bool patch = strcmp(r->method, "PATCH") == 0, whole = !patch || append_body(r, u);
	long long last = u->size ? u->size - 1 : 0;
	put_back(u);
	return whole && answer(r, patch ? 202 : 204, NULL, 0, "Location: /v2/%s/blobs/uploads/%lld?_state=x\r\nRange: 0-%lld\r\n",
		repo, id, last);
}

static bool on_blob(struct request *r, const char *repo, const char *digest)
{
	char key[2 * NAME_MAX_LEN];
	key_of(key, sizeof key, 'b', repo, digest);
	pthread_mutex_lock(&lock);
	struct item *i = find(key);
	long long size = i ? i->size : -1;
	stats.heads++;
	pthread_mutex_unlock(&lock);
	if (size < 0)
		return refuse(r, 404, "BLOB_UNKNOWN", digest);
	if (strcmp(r->method, "HEAD") != 0)
		return refuse(r, 405, "UNSUPPORTED", "this stand-in keeps no content");
	return answer(r, 200, NULL, size, "Content-Type: application/octet-stream\r\nDocker-Content-Digest: %s\r\n", digest);
}

/* Manifests. */

/* With the lock held: the first digest in the manifest that the repository does not have; false if there is none. */
static bool missing_part(const char *repo, const char *body, char digest[80])
{
	char key[2 * NAME_MAX_LEN];
	for (const char *p = body; (p = strstr(p, "\"digest\"")); ) {
		p += 8;
		p += strspn(p, " \t\r\n:");
		if (sscanf(p, "\"%79[a-z0-9:]\"", digest) != 1)
			continue;
		key_of(key, sizeof key, 'b', repo, digest);
		if (find(key))
			continue;
		key[0] = 'm';
		if (!find(key))
			return true;
	}
	return false;
}

static void store(const char *key, const char *digest, const char *type, const char *body, long long size)
{
	struct item *i = make(key);
	free(i->body);
	free(i->type);
	i->body = malloc((size_t)size + 1);
	memcpy(i->body, body, (size_t)size + 1);
	i->type = strdup(type);
	i->size = size;
	snprintf(i->digest, sizeof i->digest, "%s", digest);
}

static bool put_manifest(struct request *r, const char *repo, const char *ref)
{
	char digest[80], missing[80], key[2 * NAME_MAX_LEN];
	char *body = malloc(MANIFEST_MAX + 1);
	long long size = 0;
	const char *data;
	ssize_t k;
	while ((k = body_piece(r, &data)) > 0 && size + k <= MANIFEST_MAX) {
		memcpy(body + size, data, (size_t)k);
		size += k;
	}
	if (k != 0) {
		free(body);
		r->close = true;
		return k > 0 && refuse(r, 413, "SIZE_INVALID", "");
	}
	body[size] = '\0';
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	EVP_DigestUpdate(ctx, body, (size_t)size);
	hex_digest(ctx, digest);
	EVP_MD_CTX_free(ctx);

	bool named = strchr(ref, ':') == NULL, wrong = !named && strcmp(ref, digest) != 0;
	pthread_mutex_lock(&lock);
	bool lacks = !wrong && missing_part(repo, body, missing);
	if (!wrong && !lacks) {
		key_of(key, sizeof key, 'm', repo, digest);
		store(key, digest, r->type, body, size);
		if (named) {
			key_of(key, sizeof key, 't', repo, ref);
			store(key, digest, r->type, body, size);
		}
		stats.manifests++;
		stats.bytes += size;
	}
	pthread_mutex_unlock(&lock);
	free(body);
	if (wrong)
		return refuse(r, 400, "DIGEST_INVALID", digest);
	if (lacks)
		return refuse(r, 400, "MANIFEST_BLOB_UNKNOWN", missing);
	return answer(r, 201, NULL, 0, "Location: /v2/%s/manifests/%s\r\nDocker-Content-Digest: %s\r\n", repo, digest, digest);
}

static bool get_manifest(struct request *r, const char *repo, const char *ref)
{
	char key[2 * NAME_MAX_LEN], digest[80], type[256];
	char *body = NULL;
	long long size = 0;
	key_of(key, sizeof key, strchr(ref, ':') ? 'm' : 't', repo, ref);
	pthread_mutex_lock(&lock);
	struct item *i = find(key);
	if (i) {
		size = i->size;
		body = malloc((size_t)size + 1);
		memcpy(body, i->body, (size_t)size + 1);
		snprintf(digest, sizeof digest, "%s", i->digest);
		snprintf(type, sizeof type, "%s", i->type);
	}
	stats.heads++;
	pthread_mutex_unlock(&lock);
	if (!body)
		return refuse(r, 404, "MANIFEST_UNKNOWN", ref);
	bool ok = answer(r, 200, body, size, "Content-Type: %s\r\nDocker-Content-Digest: %s\r\n", type, digest);
	free(body);
	return ok;
}

static bool show_stats(struct request *r)
{
	char body[512];
	pthread_mutex_lock(&lock);
	int n = snprintf(body, sizeof body,
		"{\"requests\":%lld,\"heads\":%lld,\"uploads\":%lld,\"mounts\":%lld,\"blobs\":%lld,\"manifests\":%lld,"
		"\"bytes\":%lld,\"refused\":%lld}\n",
		stats.requests, stats.heads, stats.uploads, stats.mounts, stats.blobs, stats.manifests, stats.bytes, stats.refused);
	pthread_mutex_unlock(&lock);
	return answer(r, 200, body, n, "Content-Type: application/json\r\n");
}

static bool dispatch(struct request *r)
{
	pthread_mutex_lock(&lock);
	stats.requests++;
	pthread_mutex_unlock(&lock);
	bool writes = strcmp(r->method, "PUT") == 0;
	if (strcmp(r->path, "/v2/") == 0 || strcmp(r->path, "/v2") == 0)
		return answer(r, 200, "{}", 2, "Content-Type: application/json\r\n");
	if (strcmp(r->path, "/stats") == 0)
		return show_stats(r);
	if (strncmp(r->path, "/v2/", 4) != 0 || strlen(r->path) > NAME_MAX_LEN)
		return refuse(r, 404, "NAME_INVALID", "");
	char *repo = r->path + 4, *p;
	if ((p = strstr(repo, "/blobs/uploads/"))) {
		*p = '\0';
		return on_upload(r, repo, p + 15);
	}
	if ((p = strstr(repo, "/blobs/"))) {
		*p = '\0';
		return on_blob(r, repo, p + 7);
	}
	if ((p = strstr(repo, "/manifests/"))) {
		*p = '\0';
		return writes ? put_manifest(r, repo, p + 11) : get_manifest(r, repo, p + 11);
	}
	return refuse(r, 404, "UNSUPPORTED", "");
}

static void *serve(void *arg)
{
	struct request r = {.fd = (int)(long)arg};
	int on = 1;
	setsockopt(r.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	r.buffer = malloc(HTTP_BUFFER);
	while (read_head(&r) && dispatch(&r) && !r.close)
		;
	close(r.fd);
	free(r.buffer);
	return NULL;
}

static int fail(const char *what)
{
	fprintf(stderr, "discard: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t n = sizeof a;
	const char *address = "127.0.0.1";
	int on = 1;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--no-hash") == 0) {
			no_hash = true;
		} else if (strcmp(argv[i], "--port") == 0 && i + 1 < argc) {
			a.sin_port = htons((uint16_t)strtol(argv[++i], NULL, 10));
		} else if (strcmp(argv[i], "--listen") == 0 && i + 1 < argc) {
			address = argv[++i];
		} else {
			fprintf(stderr, "Usage: discard [--listen ADDRESS] [--port P] [--no-hash]\n");
			return 2;
		}
	}
	if (inet_pton(AF_INET, address, &a.sin_addr) != 1) {
		errno = EINVAL;
		return fail(address);
	}
	signal(SIGPIPE, SIG_IGN);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 128) < 0)
		return fail(address);
	getsockname(fd, (struct sockaddr *)&a, &n);
	printf("address=%s:%d\npid=%d\n", address, ntohs(a.sin_port), (int)getpid());
	fflush(stdout);
	for (;;) {
		int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		pthread_t t;
		if (c < 0)
			continue;
		if (pthread_create(&t, NULL, serve, (void *)(long)c) != 0)
			close(c);
		else
			pthread_detach(t);
	}
}
