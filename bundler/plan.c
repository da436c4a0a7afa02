/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <airgap/content.h>
#include <airgap/fs.h>
#include <airgap/json.h>
#include <airgap/log.h>
#include <airgap/ref.h>
#include <airgap/url.h>

#include <stdio.h>

#define FROM_CACHE "content cache"
#define FROM_HERE  "this machine"
#define TELLING    (UINT64_C(16) << 20)    /* bytes from which a rate means something */

struct plan_row { char *from; size_t blobs; uint64_t bytes; };
struct plan { struct plan_row *rows; size_t n; };

static void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->rows[i].from);
	free(p->rows);
}

/* The host of the first source that is a server; what is here or made here has none. Owned. */
static char *server_of(const struct lock_blob *b)
{
	const struct lock_source *s = b->n_sources ? &b->sources[0] : NULL;
	auto_ref struct ref r = { 0 };
	auto_url struct url u = { 0 };
	struct err ignored;

	if (!s || !s->location)
		return NULL;
	if ((s->kind == LOCK_REGISTRY || s->kind == LOCK_LAYER) && ref_parse(s->location, &r, &ignored) == 0)
		return xstrdup(r.host);
	if (s->kind != LOCK_LAYOUT && s->kind != LOCK_FILE && strstr(s->location, "://") &&
	    url_parse(s->location, "source", &u, &ignored) == 0)
		return url_host(&u);
	return NULL;
}

static void count(struct plan *p, const char *from, uint64_t bytes)
{
	size_t i = 0;

	while (i < p->n && strcmp(p->rows[i].from, from) != 0)
		i++;
	if (i == p->n) {
		GROW(p->rows, p->n);
		p->rows[p->n++] = (struct plan_row){ .from = xstrdup(from) };
	}
	p->rows[i].blobs++;
	p->rows[i].bytes += bytes;
}

static int by_bytes(const void *a, const void *b)
{
	const struct plan_row *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return strcmp(x->from, y->from);
}

static int make(const struct lock *l, struct plan *p, struct err *e)
{
	for (size_t i = 0; i < l->n_blobs; i++) {
		const struct lock_blob *b = &l->blobs[i];
		auto_free char *server = server_of(b);
		int cached = content_has(&b->digest, e);

		if (cached < 0)
			return -1;
		count(p, cached ? FROM_CACHE : server ? server : FROM_HERE, b->size);
	}
	if (p->n)
		qsort(p->rows, p->n, sizeof(p->rows[0]), by_bytes);
	return 0;
}

static uint64_t remote_bytes(const struct plan *p)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->rows[i].from, FROM_CACHE) != 0 && strcmp(p->rows[i].from, FROM_HERE) != 0)
			sum += p->rows[i].bytes;
	return sum;
}

int plan_remote(const struct lock *l, uint64_t *out, struct err *e)
{
	CLEANUP(plan_release) struct plan p = { 0 };

	if (make(l, &p, e) < 0)
		return -1;
	*out = remote_bytes(&p);
	return 0;
}

/* ---- how fast */

static char *rate_path(void)
{
	auto_free char *cache = fs_cache_dir();

	return fs_join(cache, "rate");
}

void plan_learn(uint64_t bytes, uint64_t milliseconds)
{
	auto_free char *path = rate_path(), *dir = fs_dirname(path);
	char text[32];
	struct err ignored;

	if (bytes < TELLING || !milliseconds)
		return;

	int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)((double)bytes * 1000 / (double)milliseconds));

	if (fs_make_dirs(dir, 0700, &ignored) < 0 || fs_save(path, text, (size_t)n, 0644, &ignored) < 0)
		log_debug("%s", ignored.msg);
}

/* Bytes a second; 0: no build told. */
static uint64_t known_rate(void)
{
	auto_free char *path = rate_path();
	auto_buf struct buf text = BUF_INIT(32);
	uint64_t rate = 0;
	struct err ignored;

	if (fs_load(path, 32, &text, &ignored) < 0)
		return 0;

	auto_free char *number = xstrndup(buf_str(&text), strcspn(buf_str(&text), "\n"));

	return u64_parse(number, &rate) ? rate : 0;
}

/* "about 2 h 5 min at 31.0 MiB/s, the rate of the last build"; "" when nothing comes from servers. Owned. */
static char *time_text(const struct plan *p)
{
	uint64_t rate = known_rate(), seconds = rate ? remote_bytes(p) / rate : 0;
	char text[16];

	if (!remote_bytes(p))
		return xstrdup("");
	if (!rate)
		return xstrdup("time: not known before the first build from here");
	log_size(text, rate);
	if (seconds < 60)
		return xasprintf("time: about %llu s at %s/s, the rate of the last build", (unsigned long long)seconds + 1, text);
	return xasprintf("time: about %llu h %llu min at %s/s, the rate of the last build", (unsigned long long)seconds / 3600,
			 (unsigned long long)seconds % 3600 / 60, text);
}

int plan_tell(const struct lock *l, const char *dir, struct err *e)
{
	CLEANUP(plan_release) struct plan p = { 0 };
	char size[16], free_text[16];
	uint64_t have = 0;

	if (make(l, &p, e) < 0 || fs_free_space(dir, &have, e) < 0)
		return -1;
	for (size_t i = 0; i < p.n; i++)
		log_info("from %s: %zu blob%s, %s", p.rows[i].from, p.rows[i].blobs, p.rows[i].blobs == 1 ? "" : "s",
			 log_size(size, p.rows[i].bytes));
	log_info("into '%s': %s free, %s of content", dir, log_size(free_text, have), log_size(size, lock_size(l)));

	auto_free char *time = time_text(&p);

	if (*time)
		log_info("%s", time);
	return 0;
}

static void print_text(const struct plan *p, const char *dir, uint64_t have, uint64_t need)
{
	char size[16], free_text[16];

	for (size_t i = 0; i < p->n; i++)
		printf("%-40s %8zu  %s\n", p->rows[i].from, p->rows[i].blobs, log_size(size, p->rows[i].bytes));
	printf("%s: %s free, at most %s needed\n", dir, log_size(free_text, have), log_size(size, need));

	auto_free char *time = time_text(p);

	if (*time)
		printf("%s\n", time);
}

static int print_json(const struct plan *p, const char *dir, uint64_t have, uint64_t need, struct err *e)
{
	auto_json json_t *rows = json_array();
	auto_buf struct buf text = BUF_INIT(64u << 20);

	for (size_t i = 0; i < p->n; i++)
		json_array_append_new(rows, json_pack("{s:s, s:I, s:I}", "from", p->rows[i].from, "blobs",
						      (json_int_t)p->rows[i].blobs, "bytes", (json_int_t)p->rows[i].bytes));

	auto_json json_t *all = json_pack("{s:O, s:s, s:I, s:I, s:I, s:I}", "sources", rows, "folder", dir, "free", (json_int_t)have,
					  "need", (json_int_t)need, "remote", (json_int_t)remote_bytes(p), "rate",
					  (json_int_t)known_rate());

	if (jdoc_dump(all, &text, e) < 0)
		return -1;
	printf("%s\n", buf_str(&text));
	return 0;
}

int plan_print(const struct lock *l, const char *dir, uint64_t need, bool json, struct err *e)
{
	CLEANUP(plan_release) struct plan p = { 0 };
	uint64_t have = 0;

	if (make(l, &p, e) < 0 || fs_free_space(dir, &have, e) < 0)
		return -1;
	if (json && print_json(&p, dir, have, need, e) < 0)
		return -1;
	if (!json)
		print_text(&p, dir, have, need);
	if (have >= need)
		return 0;
	return err_set(e, ERR_SPACE, "'%s': at most %llu bytes needed, %llu free: free some, or write elsewhere", dir,
		       (unsigned long long)need, (unsigned long long)have);
}
