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
 * airgap-system/airgap-journal-STREAM-N: {"records": [...]}, the last record of each step, in the Secret it was put into
 * first; PART bytes make a Secret full. A record that has grown out of a full one goes into another, and may stand in two
 * also when machines took turns: the later one counts.
 */
#define JOURNAL_MAX (64u << 20)
#define CHECK_HEX   16u
#define PART        (256u << 10)
#define RECORD      600u        /* bytes of a record beside `made`, at most */
#define MADE_MAX    (512u << 10)
#define NOTE_MAX    300u
#define NOWHERE     SIZE_MAX
#define SECRET_NAME "airgap-journal-"

static const struct field record_fields[] = {
	F_STR(struct journal_record, step, "step", F_REQUIRED),
	F_DIGEST(struct journal_record, digest, "digest", 0),
	F_STR(struct journal_record, bundle, "bundle", 0),
	F_STR(struct journal_record, when, "when", 0),
	F_U64(struct journal_record, revision, "revision", 0),
	F_STR(struct journal_record, result, "result", F_REQUIRED),
	F_STR(struct journal_record, note, "note", 0),
	F_JSON(struct journal_record, made, "made", 0),
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
	size_t part;            /* of the cluster's copy; NOWHERE = not in it yet */
	size_t size;            /* about, there */
	bool own;               /* the local file has this `made` */
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

static size_t made_size(const json_t *made)
{
	auto_buf struct buf text = BUF_INIT(MADE_MAX);
	struct err ignored;

	if (!made)
		return 0;
	return jdoc_dump(made, &text, &ignored) < 0 ? SIZE_MAX : text.len;
}

/* A record without `made` says nothing against the one before. */
static void inherit(const struct journal_record *before, struct journal_record *r)
{
	if (!r->made && before->made && strcmp(r->result, "removed") != 0)
		r->made = json_incref(before->made);
}

/* Takes the content of r. RFC 3339 in UTC compares as text; the later record wins, of equals the one that comes last.
 * part: where the cluster has it, or NOWHERE. */
static void remember(struct journal *j, struct journal_record *r, size_t part)
{
	bool stored = part != NOWHERE, begun = !stored && strcmp(r->result, "started") == 0, own = !stored;
	size_t i = find(j, r->step);

	if (i == j->n) {
		GROW(j->last, j->n);
		j->last[j->n++] = (struct entry){ *r, stored, begun, part, RECORD + made_size(r->made), own };
	} else if (j->last[i].r.when && r->when && strcmp(r->when, j->last[i].r.when) < 0) {
		decode_free(&record_type, r);
	} else {
		struct entry *last = &j->last[i];

		if (stored)     /* of the cluster: says nothing of the local file */
			begun = last->begun;
		else
			part = last->part;
		if (!r->made || stored)
			own = last->own && (!r->made || json_equal(r->made, last->r.made));
		inherit(&last->r, r);
		decode_free(&record_type, &last->r);
		*last = (struct entry){ *r, stored, begun, part, RECORD + made_size(r->made), own };
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
		remember(j, &r, NOWHERE);
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
	return xasprintf(SECRET_NAME "%s-%zu", j->stream, part);
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
			remember(j, &all.records[i], part);
		free(all.records);
	}
}

static int recall_stream(const struct journal *j, const char *stream, struct steps *out, struct err *e)
{
	auto_journal struct journal *its = xcalloc(1, sizeof(*its));
	struct err why;

	pthread_mutex_init(&its->lock, NULL);
	its->fd = -1;
	its->session = j->session;
	memcpy(its->stream, stream, SYSTEM_STREAM - 1);
	if (read_parts(its, e) < 0)
		return -1;
	for (size_t i = 0; i < its->n; i++) {
		const struct journal_record *r = &its->last[i].r;

		if (strcmp(r->result, "removed") != 0 && steps_recall(r->step, r->made, out, &why) < 0)
			log_debug("journal: %s", why.msg);
	}
	return 0;
}

int journal_others(const struct journal *j, struct steps *out, struct err *e)
{
	const char *name;
	json_t *ignored;

	json_object_foreach(j->session->system, name, ignored) {
		const char *stream = name + strlen(SECRET_NAME);

		/* One for each: by its first part. */
		if (str_starts(name, SECRET_NAME) && strlen(stream) > SYSTEM_STREAM && strcmp(stream + SYSTEM_STREAM - 1, "-0") == 0 &&
		    strncmp(stream, j->stream, SYSTEM_STREAM - 1) != 0 && recall_stream(j, stream, out, e) < 0)
			return -1;
	}
	return 0;
}

static size_t last_part(const struct journal *j)
{
	size_t last = 0;

	for (size_t i = 0; i < j->n; i++)
		if (j->last[i].part != NOWHERE)
			last = MAX(last, j->last[i].part);
	return last;
}

/* Into the part it is in, or else the last one; a full one takes no more, and lets go what grew too much. */
static void place(struct journal *j, struct entry *entry)
{
	size_t part = entry->part == NOWHERE ? last_part(j) : entry->part, others = 0;

	for (size_t i = 0; i < j->n; i++)
		others += &j->last[i] != entry && j->last[i].part == part ? j->last[i].size : 0;
	entry->part = others && others + entry->size > PART ? last_part(j) + 1 : part;
}

/* The whole Secret that the record is in. */
static int store(struct journal *j, size_t i, struct err *e)
{
	auto_free struct journal_record *some = xcalloc(j->n, sizeof(*some));
	struct records records = { some, 0 };

	for (size_t k = 0; k < j->n; k++)
		if (k == i || j->last[k].part == NOWHERE)
			place(j, &j->last[k]);

	size_t part = j->last[i].part;
	auto_free char *name = part_name(j, part);

	/* A step that is under way is as if it had never been done, for others. */
	for (size_t k = 0; k < j->n; k++)
		if (j->last[k].part == part && strcmp(j->last[k].r.result, "started") != 0)
			some[records.n++] = j->last[k].r;

	auto_json json_t *doc = encode(&records_type, &records);

	if (system_save(j->session, name, "journal", doc, e) < 0)
		return -1;
	for (size_t k = 0; k < j->n; k++)
		j->last[k].stored = j->last[k].stored || j->last[k].part == part;
	return 0;
}

int journal_sync(struct journal *j, struct err *e)
{
	for (size_t i = 0; i < j->n; i++)
		if (!j->last[i].stored && strcmp(j->last[i].r.result, "started") != 0 && store(j, i, e) < 0)
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

bool journal_made_here(const struct journal *j, const char *step)
{
	size_t i = find(j, step);

	return i < j->n && j->last[i].own;
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

/* Too large to be kept. The record before would say what is no longer so: what the step made is not known. */
static json_t *unknown(const json_t *made)
{
	return json_pack("{s:O*, s:O*}", "needs", json_object_get(made, "needs"), "protect", json_object_get(made, "protect"));
}

int journal_add(struct journal *j, const struct journal_record *r, struct err *e)
{
	char now[SYSTEM_TIME];
	struct journal_record mine = { .step = xstrdup(r->step), .digest = r->digest, .revision = r->revision };

	mine.bundle = copy_text(r->bundle, DIGEST_HEX);
	mine.when = xstrdup(system_now(now));
	mine.result = xstrdup(r->result);
	mine.note = copy_text(r->note, NOTE_MAX);
	mine.made = made_size(r->made) == SIZE_MAX ? unknown(r->made) : json_incref(r->made);

	pthread_mutex_lock(&j->lock);

	int rc = append(j, &mine, e);

	if (rc == 0) {
		remember(j, &mine, NOWHERE);
		if (strcmp(r->result, "started") != 0 && !proc_interrupted)
			rc = store(j, find(j, r->step), e);
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
