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
	return 0;
}

static void print_text(const struct plan *p, const char *dir, uint64_t have, uint64_t need)
{
	char size[16], free_text[16];

	for (size_t i = 0; i < p->n; i++)
		printf("%-40s %8zu  %s\n", p->rows[i].from, p->rows[i].blobs, log_size(size, p->rows[i].bytes));
	printf("%s: %s free, at most %s needed\n", dir, log_size(free_text, have), log_size(size, need));
}

static int print_json(const struct plan *p, const char *dir, uint64_t have, uint64_t need, struct err *e)
{
	auto_json json_t *rows = json_array();
	auto_buf struct buf text = BUF_INIT(64u << 20);

	for (size_t i = 0; i < p->n; i++)
		json_array_append_new(rows, json_pack("{s:s, s:I, s:I}", "from", p->rows[i].from, "blobs",
						      (json_int_t)p->rows[i].blobs, "bytes", (json_int_t)p->rows[i].bytes));

	auto_json json_t *all = json_pack("{s:O, s:s, s:I, s:I}", "sources", rows, "folder", dir, "free", (json_int_t)have,
					  "need", (json_int_t)need);

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
