/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include "system.h"

#include <airgap/decode.h>
#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/proc.h>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

/*
 * STATE/journal-STREAM: a line per record, "<16 hex of its sha256> <JSON>\n", appended and fsync'ed. A last line
 * without its newline or with another hash is what a killed run left: it and nothing before it is dropped.
 * airgap-system/airgap-journal-STREAM-N: {"records": [...]}, the last record of each step, PART at a time by
 * order of first appearance. A record may stand in two Secrets when machines took turns: the later one counts.
 */
#define JOURNAL_MAX (64u << 20)
#define CHECK_HEX   16u
#define PART        500u        /* records in one Secret: each is at most about 1 KiB */
#define NOTE_MAX    300u

static const struct field record_fields[] = {
	F_STR(struct journal_record, step, "step", F_REQUIRED),
	F_DIGEST(struct journal_record, digest, "digest", 0),
	F_STR(struct journal_record, bundle, "bundle", 0),
	F_STR(struct journal_record, when, "when", 0),
	F_U64(struct journal_record, revision, "revision", 0),
	F_STR(struct journal_record, result, "result", F_REQUIRED),
	F_STR(struct journal_record, note, "note", 0),
	{ 0 }
};
static const struct type record_type = TYPE(struct journal_record, record_fields);

struct records { struct journal_record *records; size_t n; };
static const struct field records_fields[] = {
	F_LIST(struct records, records, n, "records", record_type, 0),
	{ 0 }
};
static const struct type records_type = TYPE(struct records, records_fields);

struct entry {
	struct journal_record r;
	bool stored;            /* the cluster has it */
	bool begun;             /* the last one of the local file is `started` */
};

struct journal {
	struct session *session;
	char stream[SYSTEM_STREAM];
	char *path;
	int fd;
	bool writing;
	pthread_mutex_t lock;
	struct entry *last;             /* one for each step, by first appearance */
	size_t n;
	json_t *installed;
};

static size_t find(const struct journal *j, const char *step)
{
	for (size_t i = 0; i < j->n; i++)
		if (strcmp(j->last[i].r.step, step) == 0)
			return i;
	return j->n;
}

/* Takes the content of r. RFC 3339 in UTC compares as text; the later record wins, of equals the one that comes last. */
static void remember(struct journal *j, struct journal_record *r, bool stored)
{
	bool begun = !stored && strcmp(r->result, "started") == 0;
	size_t i = find(j, r->step);

	if (i == j->n) {
		GROW(j->last, j->n);
		j->last[j->n++] = (struct entry){ *r, stored, begun };
	} else if (j->last[i].r.when && r->when && strcmp(r->when, j->last[i].r.when) < 0) {
		decode_free(&record_type, r);
	} else {
		if (stored)     /* of the cluster: says nothing of the local file */
			begun = j->last[i].begun;
		decode_free(&record_type, &j->last[i].r);
		j->last[i] = (struct entry){ *r, stored, begun };
	}
	*r = (struct journal_record){ 0 };
}

/* ---- the local file ---- */

static bool read_line(const char *line, size_t n, struct journal_record *out)
{
	char hex[DIGEST_HEX];
	struct err ignored;

	if (n <= CHECK_HEX + 1 || line[CHECK_HEX] != ' ')
		return false;

	struct digest d = digest_of(line + CHECK_HEX + 1, n - CHECK_HEX - 1);

	if (memcmp(digest_hex(&d, hex), line, CHECK_HEX) != 0)
		return false;

	auto_json json_t *doc = jdoc_parse(line + CHECK_HEX + 1, n - CHECK_HEX - 1, n, "journal", &ignored);

	return doc && decode(&record_type, doc, NULL, "journal", out, &ignored) == 0;
}

/* A killed run leaves one unfinished line at the end. Anything else that is wrong was not us. */
static int cut_tail(struct journal *j, const char *text, size_t at, size_t len, struct err *e)
{
	const char *line_end = memchr(text + at, '\n', len - at);

	if (line_end && line_end != text + len - 1)
		return err_set(e, ERR_IO, "'%s': damaged at byte %zu: move it away; the cluster has a copy", j->path, at);
	log_debug("%s: an unfinished record is dropped", j->path);
	if (j->writing && ftruncate(j->fd, (off_t)at) < 0)
		return err_sys(e, "cannot cut '%s'", j->path);
	return 0;
}

/* Whole lines count; the file is cut behind the last of them. */
static int read_file(struct journal *j, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(JOURNAL_MAX);
	size_t at = 0;

	if (fs_load(j->path, JOURNAL_MAX, &text, e) < 0)
		return -1;
	while (at < text.len) {
		const char *line = text.ptr + at, *end = memchr(line, '\n', text.len - at);
		struct journal_record r;

		if (!end || !read_line(line, (size_t)(end - line), &r))
			break;
		remember(j, &r, false);
		at += (size_t)(end - line) + 1;
	}
	return at < text.len ? cut_tail(j, text.ptr, at, text.len, e) : 0;
}

static int append(struct journal *j, const struct journal_record *r, struct err *e)
{
	auto_json json_t *doc = encode(&record_type, r);
	auto_buf struct buf text = BUF_INIT(1u << 20);
	char hex[DIGEST_HEX];

	if (jdoc_dump(doc, &text, e) < 0)
		return -1;

	struct digest d = digest_of(text.ptr, text.len);
	auto_free char *line = xasprintf("%.16s %s\n", digest_hex(&d, hex), buf_str(&text));
	off_t before = lseek(j->fd, 0, SEEK_END);

	if (fs_write_all(j->fd, line, strlen(line), e) == 0 && fs_sync(j->fd, e) == 0)
		return 0;
	/* Half a line in the middle would make the file unreadable. */
	if (before >= 0 && ftruncate(j->fd, before) < 0)
		log_debug("cannot cut '%s'", j->path);
	return err_wrap(e, "journal '%s'", j->path);
}

/* ---- the cluster's copy ---- */

static char *part_name(const struct journal *j, size_t part)
{
	return xasprintf("airgap-journal-%s-%zu", j->stream, part);
}

static int read_parts(struct journal *j, struct err *e)
{
	for (size_t part = 0;; part++) {
		auto_free char *name = part_name(j, part);
		auto_json json_t *doc = NULL;
		struct records all;
		int there = system_load(j->session, name, &doc, e);

		if (there <= 0)
			return there;
		if (decode(&records_type, doc, NULL, name, &all, e) < 0) {
			e->code = ERR_IO;
			return err_wrap(e, "secret " SYSTEM_NAMESPACE);
		}
		for (size_t i = 0; i < all.n; i++)
			remember(j, &all.records[i], true);
		free(all.records);
	}
}

static int write_part(struct journal *j, size_t part, struct err *e)
{
	size_t first = part * PART, n = MIN(PART, j->n - first);
	auto_free char *name = part_name(j, part);
	auto_free struct journal_record *some = xcalloc(n, sizeof(*some));
	struct records records = { some, 0 };

	/* A step that is under way is as if it had never been done, for others. */
	for (size_t i = 0; i < n; i++)
		if (strcmp(j->last[first + i].r.result, "started") != 0)
			some[records.n++] = j->last[first + i].r;

	auto_json json_t *doc = encode(&records_type, &records);

	if (system_save(j->session, name, "journal", doc, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		j->last[first + i].stored = true;
	return 0;
}

int journal_sync(struct journal *j, struct err *e)
{
	for (size_t i = 0; i < j->n; i++)
		if (!j->last[i].stored && strcmp(j->last[i].r.result, "started") != 0 && write_part(j, i / PART, e) < 0)
			return -1;
	return 0;
}

/* ---- the module ---- */

static int open_file(struct journal *j, struct err *e)
{
	int there = j->writing ? 1 : fs_exists(j->path, e);

	if (there <= 0)
		return there;
	j->fd = fs_open(j->path, j->writing ? O_RDWR | O_CREAT | O_APPEND : O_RDONLY, 0600, e);
	return j->fd < 0 ? -1 : read_file(j, e);
}

int journal_open(struct session *s, const char *stream, bool writing, struct journal **out, struct err *e)
{
	auto_journal struct journal *j = xcalloc(1, sizeof(*j));
	char short_name[SYSTEM_STREAM];

	pthread_mutex_init(&j->lock, NULL);
	j->fd = -1;
	j->session = s;
	j->writing = writing;
	memcpy(j->stream, system_stream(stream, short_name), SYSTEM_STREAM);
	j->path = xasprintf("%s/journal-%s", s->state_dir, j->stream);
	if (writing && fs_make_dirs(s->state_dir, 0700, e) < 0)
		return -1;

	auto_free char *about = xasprintf("airgap-installed-%s", j->stream);

	if (open_file(j, e) < 0 || read_parts(j, e) < 0 || system_load(s, about, &j->installed, e) < 0)
		return -1;
	*out = TAKE(j);
	return 0;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->n; i++)
		decode_free(&record_type, &j->last[i].r);
	free(j->last);
	free(j->path);
	json_decref(j->installed);
	if (j->fd >= 0)
		close(j->fd);
	pthread_mutex_destroy(&j->lock);
	free(j);
}

const struct journal_record *journal_last(const struct journal *j, const char *step)
{
	size_t i = find(j, step);

	return i < j->n ? &j->last[i].r : NULL;
}

bool journal_begun(const struct journal *j, const char *step)
{
	size_t i = find(j, step);

	return i < j->n && j->last[i].begun && strcmp(j->last[i].r.result, "done") != 0;
}

size_t journal_count(const struct journal *j)
{
	return j->n;
}

const struct journal_record *journal_at(const struct journal *j, size_t i)
{
	return &j->last[i].r;
}

static char *copy_text(const char *s, size_t max)
{
	return s ? xstrndup(s, max) : NULL;
}

int journal_add(struct journal *j, const struct journal_record *r, struct err *e)
{
	char now[SYSTEM_TIME];
	struct journal_record mine = { .step = xstrdup(r->step), .digest = r->digest, .revision = r->revision };

	mine.bundle = copy_text(r->bundle, DIGEST_HEX);
	mine.when = xstrdup(system_now(now));
	mine.result = xstrdup(r->result);
	mine.note = copy_text(r->note, NOTE_MAX);

	pthread_mutex_lock(&j->lock);

	int rc = append(j, &mine, e);

	if (rc == 0) {
		remember(j, &mine, false);
		if (strcmp(r->result, "started") != 0 && !proc_interrupted)
			rc = write_part(j, find(j, r->step) / PART, e);
	}
	pthread_mutex_unlock(&j->lock);
	decode_free(&record_type, &mine);
	return rc;
}

int journal_set_installed(struct journal *j, const json_t *about, struct err *e)
{
	auto_free char *name = xasprintf("airgap-installed-%s", j->stream);

	if (j->installed && json_equal(j->installed, about))
		return 0;
	if (system_save(j->session, name, "installed", about, e) < 0)
		return -1;
	json_decref(j->installed);
	j->installed = json_deep_copy(about);
	return 0;
}

const json_t *journal_installed(const struct journal *j)
{
	return j->installed;
}
