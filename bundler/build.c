/* SPDX-License-Identifier: Apache-2.0 */
#include "build.h"
#include "blob_name.h"
#include "crew.h"
#include "plan.h"
#include "quota.h"

#include <airgap/bundle_write.h>
#include <airgap/content.h>
#include <airgap/frame.h>
#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/oci.h>
#include <airgap/pool.h>
#include <airgap/proc.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define JOBS 16u              /* they wait for servers, mostly; each host is asked as much at once as it takes */

#define LOOK_AHEAD 64u          /* blobs that are looked at for one whose server has room */

/* One build: what the workers share. */
struct build {
	const struct lock *lock;
	const struct build_opts *o;
	const char *output;
	struct fetcher *fetcher;
	struct bundle_writer *writer;
	struct crew *crew;
	struct bundle_input in;
	struct bundle_blob *blobs;
	struct buf json, index;
	struct signer signer;
	bool has_signer;
	pthread_mutex_t lock_places;
	bool *begun;                    /* of the places that do not wait for others */
	size_t first_free;              /* all before it are begun */
	atomic_size_t next_ordered;     /* of the others, those that nobody has begun */
};

static void build_release(struct build *b)
{
	crew_free(b->crew);
	bundle_writer_close(b->writer);
	fetcher_free(b->fetcher);
	signer_release(&b->signer);
	buf_release(&b->json);
	buf_release(&b->index);
	free(b->blobs);
	free(b->begun);
	pthread_mutex_destroy(&b->lock_places);
}

/* ---- one blob */

struct blob_sink {
	struct bundle_writer *writer;
	size_t blob;
	uint64_t at;
	bool failed;            /* not the source's fault: no other source will do better */
};

static int blob_write(void *ctx, const void *p, size_t n, struct err *e)
{
	struct blob_sink *s = ctx;

	if (proc_interrupted) {
		s->failed = true;
		return err_set(e, ERR_DEADLINE, "interrupted");
	}
	if (bundle_writer_add(s->writer, s->blob, s->at, p, n, e) < 0) {
		s->failed = e->code != ERR_DIGEST;
		return -1;
	}
	s->at += n;
	progress_add(n);
	return 0;
}

/* In order, by this worker alone. 1: the blob is complete. 0: this way failed, why stands in e. -1: give up. */
static int try_alone(struct build *b, size_t blob, size_t way, struct err *e)
{
	struct blob_sink s = { .writer = b->writer, .blob = blob };
	const struct sink to = { blob_write, &s };
	uint64_t end = 0;
	int more = bundle_writer_gap(b->writer, blob, &s.at, &end, e);

	if (more <= 0)
		return more < 0 ? -1 : 1;
	if (fetch_blob(b->fetcher, &b->lock->blobs[blob], way, s.at, &to, e) < 0)
		return s.failed || proc_interrupted ? -1 : 0;
	more = bundle_writer_gap(b->writer, blob, &s.at, &end, e);
	if (more <= 0)
		return more < 0 ? -1 : 1;
	err_set(e, ERR_DIGEST, "ended at byte %llu of %llu", (unsigned long long)s.at, (unsigned long long)end);
	return 0;
}

/* Why it failed: wrong content says more than a source that is not there, a later source no more than an earlier,
 * and the cache nothing: it need not have anything. */
static void keep_reason(struct err *why, const struct err *e, const struct build *all, const struct lock_blob *b, size_t way)
{
	auto_free char *name = fetch_way_name(b, way), *owner = blob_name(all->lock, &b->digest);
	char text[DIGEST_TEXT];

	log_debug("blob %s: %s: %s", digest_text(&b->digest, text), name, e->msg);
	if (way == 0 || why->code == ERR_DIGEST || (why->code != ERR_NONE && e->code != ERR_DIGEST))
		return;
	*why = *e;
	err_wrap(why, "%s: %s", owner, name);
}

/* Content with another digest is fetched once more: it may be the line. A damaged file of the cache is not. */
static int try_all_ways(struct build *b, size_t blob, bool has_place, struct err *e)
{
	const struct lock_blob *lb = &b->lock->blobs[blob];
	struct err why = { 0 }, ignored;

	for (size_t way = 0; way < fetch_ways(lb); way++) {
		for (int again = 0; again < 2; again++) {
			int r = has_place ? crew_fetch(b->crew, blob, way, e) : try_alone(b, blob, way, e);

			if (r != 0)
				return r < 0 ? -1 : 0;
			if (e->code == ERR_NONE)
				break;
			keep_reason(&why, e, b, lb, way);
			if (e->code != ERR_DIGEST)
				break;
			if (way == 0 && content_drop(&lb->digest, &ignored) == 0)
				break;
		}
	}
	*e = why;
	return -1;
}

static int build_blob(struct build *b, size_t blob, bool has_place, struct err *e)
{
	const struct lock_blob *lb = &b->lock->blobs[blob];
	auto_free char *owner = lb->size > SMALL_BLOB_MAX ? blob_name(b->lock, &lb->digest) : NULL;
	char size[16];
	int r;

	if (owner)
		progress_start(owner);
	r = try_all_ways(b, blob, has_place, e);
	if (owner)
		progress_stop(owner);
	if (r < 0) {
		bundle_writer_stop(b->writer, e);
		return -1;
	}
	if (owner)
		progress_item("%s: %s", owner, log_size(size, lb->size));
	return 0;
}

/* The largest blob nobody has begun whose server has room; else the largest. One slow host does not hold all workers while
 * others have nothing to do. */
static bool next_free(struct build *b, size_t *out)
{
	const size_t *order = bundle_writer_order(b->writer);
	size_t n = bundle_writer_free(b->writer), at;

	pthread_mutex_lock(&b->lock_places);
	while (b->first_free < n && b->begun[b->first_free])
		b->first_free++;
	at = b->first_free;
	for (size_t i = at; i < MIN(n, at + LOOK_AHEAD); i++)
		if (!b->begun[i] && fetch_room(b->fetcher, &b->lock->blobs[order[i]])) {
			at = i;
			break;
		}
	if (at < n)
		b->begun[at] = true;
	pthread_mutex_unlock(&b->lock_places);
	*out = at;
	return at < n;
}

static bool next_ordered(struct build *b, size_t *out)
{
	size_t n_free = bundle_writer_free(b->writer), at = b->next_ordered++;

	*out = n_free + at;
	return at < b->lock->n_blobs - n_free;
}

/* The next place in the writer's order; false when all are taken. The first worker begins with the blobs that wait
 * for one another, the others join it when those with a place of their own are all begun. */
static bool next_place(struct build *b, unsigned worker, size_t *out)
{
	if (worker == 0)
		return next_ordered(b, out) || next_free(b, out);
	return next_free(b, out) || next_ordered(b, out);
}

static int build_some(void *ctx, unsigned worker, size_t item, struct err *e)
{
	struct build *b = ctx;
	size_t at = 0, n_free = bundle_writer_free(b->writer);
	int r = 0;

	crew_enter(b->crew);
	while (r == 0 && next_place(b, worker, &at))
		r = build_blob(b, bundle_writer_order(b->writer)[at], at < n_free, e);
	crew_leave(b->crew);
	if (r == 0)
		crew_help(b->crew);
	return r;
}

/* ---- all of them */

/* Before anything is fetched: a build must not end with a signature that cannot be made. */
static int open_signer(struct build *b, struct err *e)
{
	const struct passphrase pass = { .file = b->o->passphrase_file, .ask = passphrase_prompt };
	auto_sign_key struct sign_key key = { 0 };

	if (b->o->key && b->o->signer)
		return err_set(e, ERR_USAGE, "give --key or --signer, not both");
	if (!b->o->signer != !b->o->public)
		return err_set(e, ERR_USAGE, "--signer and --public go together: the record names the key that signed");
	b->has_signer = b->o->key || b->o->signer;
	if (b->o->key)
		return signer_load(&b->signer, b->o->key, &pass, e);
	if (!b->o->signer)
		return 0;
	if (sign_key_load(&key, b->o->public, e) < 0)
		return -1;
	return signer_command(&b->signer, b->o->signer, &key, e);
}

static int fill_statement(const struct lock *l, struct statement *s, struct err *e)
{
	if (strlen(l->stream) >= sizeof(s->stream) || strlen(l->contents.version) >= sizeof(s->version))
		return err_set(e, ERR_LIMIT, "stream or version are too long");
	memcpy(s->stream, l->stream, strlen(l->stream) + 1);
	memcpy(s->version, l->contents.version, strlen(l->contents.version) + 1);
	s->sequence = l->sequence;
	s->expires = POLICY_NEVER;
	if (!sign_time_parse(l->created, strlen(l->created), &s->created))
		return err_set(e, ERR_MALFORMED, "created '%s' is no time", l->created);
	if (l->expires && *l->expires && !sign_time_parse(l->expires, strlen(l->expires), &s->expires))
		return err_set(e, ERR_MALFORMED, "expires '%s' is no time", l->expires);
	for (size_t i = 0; i < l->audience.n; i++)
		if (!statement_add_audience(s, l->audience.items[i]))
			return err_set(e, ERR_LIMIT, "audience is too long");
	return 0;
}

static int fill_input(struct build *b, struct err *e)
{
	const struct lock *l = b->lock;

	if (b->o->level > FRAME_LEVEL_MAX)
		return err_set(e, ERR_USAGE, "--level takes 1 to %u", FRAME_LEVEL_MAX);
	if (fill_statement(l, &b->in.statement, e) < 0)
		return -1;
	if (contents_dump(&l->contents, &b->json, e) < 0 || lock_index_json(l, &b->index, e) < 0)
		return -1;
	b->blobs = xcalloc(MAX(l->n_blobs, 1u), sizeof(b->blobs[0]));
	for (size_t i = 0; i < l->n_blobs; i++)
		b->blobs[i] = (struct bundle_blob){
			.digest = l->blobs[i].digest, .size = l->blobs[i].size, .stored = l->blobs[i].stored,
		};
	b->in.json = buf_str(&b->json);
	b->in.json_len = b->json.len;
	b->in.index_json = buf_str(&b->index);
	b->in.index_json_len = b->index.len;
	b->in.blobs = b->blobs;
	b->in.n_blobs = l->n_blobs;
	b->in.level = (int)b->o->level;
	b->in.jobs = b->o->jobs ? b->o->jobs : JOBS;
	return 0;
}

/* What is sure to be needed was compared by the writer; compressed parts may need more. */
static void warn_of_space(const struct build *b)
{
	auto_free char *dir = fs_dirname(b->output);
	uint64_t have = 0, need = bundle_writer_size(b->writer);
	char have_text[16], need_text[16];
	struct err ignored;

	need -= MIN(need, bundle_writer_resumed(b->writer));
	if (fs_free_space(dir, &have, &ignored) == 0 && have < need)
		log_warn("'%s' has %s left, up to %s may be needed", dir, log_size(have_text, have),
			 log_size(need_text, need));
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int fetch_all(struct build *b, struct err *e)
{
	uint64_t from = now_ms(), remote = 0, all = bundle_writer_content(b->writer), done = bundle_writer_resumed(b->writer);
	char done_text[16], all_text[16];

	if (done)
		log_info("going on: %s of %s are there", log_size(done_text, done), log_size(all_text, all));
	warn_of_space(b);
	if (!done && plan_remote(b->lock, &remote, e) < 0)
		return -1;
	progress_begin("fetching", all - done);

	b->begun = xcalloc(bundle_writer_free(b->writer) + 1, sizeof(*b->begun));
	b->crew = crew_new(b->writer, b->fetcher, b->lock);

	int r = pool_each(b->in.jobs, b->in.jobs, build_some, b, e);

	progress_end();
	if (r == 0) {
		plan_learn(remote, now_ms() - from);
		return 0;
	}
	/* What the lock says is wrong, or what its source has: no second run ends better. */
	if (e->code != ERR_DIGEST)
		log_info("'%s.partial' keeps what is done: the same command goes on from there", b->output);
	return proc_interrupted ? err_set(e, ERR_DEADLINE, "interrupted") : -1;
}

/* A run that found no room leaves nothing it has not written in. Under the lock: another run may begin. */
static void drop_empty(const char *output)
{
	auto_free char *partial = xasprintf("%s.partial", output);
	auto_fd int fd = -1;
	struct err ignored;
	struct stat st;

	if (fs_lock(partial, &fd, &ignored) == 0 && fstat(fd, &st) == 0 && st.st_size == 0 && unlink(partial) < 0)
		log_debug("cannot remove '%s'", partial);
}

static int open_writer(struct build *b, struct err *e)
{
	if (bundle_writer_open(b->output, &b->in, &b->writer, e) == 0)
		return 0;
	if (e->code == ERR_SPACE)
		drop_empty(b->output);
	return -1;
}

static int open_fetcher(struct build *b, const char *lock_dir, struct err *e)
{
	struct remote_opts r = { .env_proxy = b->o->env_proxy, .jobs = b->in.jobs };

	if (quota_choice(b->o->quota, &r.quota_stop, e) < 0)
		return -1;
	b->fetcher = fetcher_new(b->lock, lock_dir, &r, e);
	return b->fetcher ? 0 : -1;
}

static int dry_run(struct build *b, struct err *e)
{
	auto_layout struct layout l = { 0 };
	auto_free char *dir = fs_dirname(b->output);

	if (layout_make(&l, b->in.blobs, b->in.n_blobs, b->in.json_len, b->in.index_json_len, e) < 0)
		return -1;
	return plan_print(b->lock, dir, layout_size_most(&l), b->o->json, e);
}

int build_bundle(const struct lock *l, const char *lock_dir, const struct build_opts *o, struct err *e)
{
	CLEANUP(build_release) struct build b = {
		.lock = l, .o = o, .output = o->output ? o->output : "bundle.tar.zst",
		.lock_places = PTHREAD_MUTEX_INITIALIZER, .json = BUF_INIT(CONTENTS_MAX), .index = BUF_INIT(FRAME_BLOB_BYTES),
	};
	auto_free char *dir = fs_dirname(b.output);
	char text[DIGEST_TEXT];
	struct digest id;

	for (size_t i = 0; i < l->warnings.n; i++)
		log_warn("%s", l->warnings.items[i]);
	if (open_signer(&b, e) < 0 || fill_input(&b, e) < 0)
		return -1;
	if (o->dry_run)
		return dry_run(&b, e);
	if (open_fetcher(&b, lock_dir, e) < 0 || plan_tell(l, dir, e) < 0)
		return -1;
	if (open_writer(&b, e) < 0)
		return -1;
	if (fetch_all(&b, e) < 0)
		return -1;
	if (bundle_writer_finish(b.writer, b.has_signer ? &b.signer : NULL, &id, e) < 0)
		return -1;
	if (!b.has_signer)
		log_warn("the bundle is not signed: no site takes it before `bundler sign %s --key KEY`", b.output);
	printf("%s %s\n", digest_text(&id, text), b.output);
	return 0;
}
