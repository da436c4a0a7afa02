/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/trust.h>

#include <airgap/decode.h>
#include <airgap/fs.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLICY_NAME  "policy.yaml"
#define SYSTEM_DIR   "/etc/airgap/trust.d"
#define TRUST_FILE_MAX 65536u

/* ---- policy.yaml as written ---- */

struct rule_text {
	char *id;
	struct strv streams;
	char *not_after;
};

struct policy_text {
	uint64_t threshold;
	char *audience;
	struct strv revoked;
	struct rule_text *keys;
	size_t n_keys;
};

static const struct field rule_fields[] = {
	F_STRV(struct rule_text, streams, "streams", F_ALIAS_SCALAR),
	F_STR(struct rule_text, not_after, "notAfter", 0),
	{ 0 }
};
static const struct type rule_type = TYPE_KEYED(struct rule_text, rule_fields, id);

static const struct field policy_fields[] = {
	F_U64(struct policy_text, threshold, "threshold", 0),
	F_STR(struct policy_text, audience, "audience", 0),
	F_STRV(struct policy_text, revoked, "revoked", 0),
	F_MAP(struct policy_text, keys, n_keys, "keys", rule_type, 0),
	{ 0 }
};
static const struct type policy_type = TYPE(struct policy_text, policy_fields);

static void policy_text_release(struct policy_text *t)
{
	decode_free(&policy_type, t);
}

static int key_id(const char *path, const char *text, struct digest *out, struct err *e)
{
	if (!digest_parse_hex(text, strlen(text), out))
		return err_set(e, ERR_MALFORMED, "%s: '%s': a key id is 64 hex digits in lower case", path, text);
	return 0;
}

/* A date counts to its last second. */
static int parse_date(const char *path, const char *text, int64_t *out, struct err *e)
{
	auto_free char *day = xasprintf("%sT23:59:59Z", text);

	if (sign_time_parse(text, strlen(text), out) || sign_time_parse(day, strlen(day), out))
		return 0;
	return err_set(e, ERR_MALFORMED, "%s: notAfter '%s': a date like 2027-01-31", path, text);
}

static int copy_text(const char *path, const char *what, const char *text, char out[POLICY_TEXT_MAX], struct err *e)
{
	size_t n = strlen(text);

	if (!n || n >= POLICY_TEXT_MAX)
		return err_set(e, ERR_MALFORMED, "%s: %s '%s': 1 to %u characters", path, what, text, POLICY_TEXT_MAX - 1);
	memcpy(out, text, n + 1);
	return 0;
}

static int apply_rule(const char *path, struct policy *p, const struct rule_text *r, struct err *e)
{
	struct digest id;

	if (key_id(path, r->id, &id, e) < 0)
		return -1;

	int i = policy_find(p, &id);

	/* A rule for a key that is not here is most likely a rule meant for one that is. */
	if (i < 0)
		return err_set(e, ERR_MALFORMED, "%s: keys: %s is no key of this folder", path, r->id);

	struct policy_key *k = &p->keys[i];

	if (r->streams.n > POLICY_STREAMS_MAX)
		return err_set(e, ERR_LIMIT, "%s: keys: more than %u streams", path, POLICY_STREAMS_MAX);
	for (size_t s = 0; s < r->streams.n; s++)
		if (copy_text(path, "stream", r->streams.items[s], k->streams[s], e) < 0)
			return -1;
	k->n_streams = r->streams.n;
	if (r->not_after)
		return parse_date(path, r->not_after, &k->not_after, e);
	return 0;
}

static int apply_policy(const char *path, struct policy *p, const struct policy_text *t, struct err *e)
{
	if (t->threshold > POLICY_KEYS_MAX)
		return err_set(e, ERR_MALFORMED, "%s: threshold: at most %u", path, POLICY_KEYS_MAX);
	p->threshold = (unsigned)t->threshold;
	if (t->audience && copy_text(path, "audience", t->audience, p->audience, e) < 0)
		return -1;
	for (size_t i = 0; i < t->revoked.n; i++) {
		struct digest id;

		if (key_id(path, t->revoked.items[i], &id, e) < 0)
			return -1;

		int k = policy_find(p, &id);

		if (k >= 0)
			p->keys[k].revoked = true;
	}
	for (size_t i = 0; i < t->n_keys; i++)
		if (apply_rule(path, p, &t->keys[i], e) < 0)
			return -1;
	return 0;
}

int trust_policy_parse(struct policy *p, const void *text, size_t n, const char *path, struct err *e)
{
	struct ydoc_marks *marks = NULL;
	auto_json json_t *j = ydoc_parse(text, n, &ydoc_user, path, &marks, e);
	CLEANUP(policy_text_release) struct policy_text t = { 0 };
	int rc = -1;

	/* An empty file, or one of comments only, says nothing. */
	if (j && json_is_null(j))
		rc = 0;
	else if (j)
		rc = decode(&policy_type, j, marks, path, &t, e);
	if (j && rc == 0)
		rc = apply_policy(path, p, &t, e);
	ydoc_marks_free(marks);
	return rc;
}

/* ---- the folder ---- */

static int check_owner(const char *path, int fd, struct stat *st, struct err *e)
{
	if (fstat(fd, st) < 0)
		return err_sys(e, "cannot stat '%s'", path);
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(e, ERR_UNTRUSTED, "'%s' belongs to user %u: trust files are root's or one's own", path,
			       (unsigned)st->st_uid);
	if (st->st_mode & 022)
		return err_set(e, ERR_UNTRUSTED, "'%s' is writable by others: chmod go-w it", path);
	return 0;
}

static int load_file(int dir, const char *path, const char *name, struct buf *out, struct err *e)
{
	/* O_NONBLOCK: a FIFO must not hold us up; it is refused below. */
	auto_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_sys(e, "cannot open '%s'", path);
	if (check_owner(path, fd, &st, e) < 0)
		return -1;
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_UNTRUSTED, "'%s' is not a regular file", path);
	if (buf_read_fd(out, fd, e) < 0)
		return err_wrap(e, "'%s'", path);
	return 0;
}

static int load_key(int dir, const char *path, const char *name, struct policy *p, struct err *e)
{
	auto_buf struct buf pem = BUF_INIT(TRUST_FILE_MAX);
	auto_free char *base = xstrndup(name, strlen(name) - 4);
	struct policy_key *k = &p->keys[p->n_keys];

	if (p->n_keys == POLICY_KEYS_MAX)
		return err_set(e, ERR_LIMIT, "'%s': more than %u keys in the folder", path, POLICY_KEYS_MAX);
	if (load_file(dir, path, name, &pem, e) < 0)
		return -1;
	if (sign_key_parse(&k->key, buf_str(&pem), pem.len, base, e) < 0)
		return err_wrap(e, "'%s'", path);
	k->not_after = POLICY_NEVER;
	if (policy_find(p, &k->key.id) >= 0)
		sign_key_release(&k->key);      /* the same key in two files */
	else
		p->n_keys++;
	return 0;
}

static int load_folder(const char *dir, int fd, struct policy *p, struct err *e)
{
	auto_strv struct strv names = { 0 };
	bool has_policy = false;

	if (fs_list(dir, &names, e) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		const char *name = names.items[i];
		auto_free char *path = fs_join(dir, name);

		has_policy |= str_eq(name, POLICY_NAME);
		if (str_ends(name, ".pub") && name[0] != '.' && load_key(fd, path, name, p, e) < 0)
			return -1;
	}
	if (!has_policy)
		return 0;

	auto_free char *path = fs_join(dir, POLICY_NAME);
	auto_buf struct buf text = BUF_INIT(TRUST_FILE_MAX);

	if (load_file(fd, path, POLICY_NAME, &text, e) < 0)
		return -1;
	return trust_policy_parse(p, buf_str(&text), text.len, path, e);
}

char *trust_dir(void)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	auto_free char *mine = NULL;

	if (access(SYSTEM_DIR, F_OK) == 0)
		return xstrdup(SYSTEM_DIR);
	if (config && *config == '/')
		mine = xasprintf("%s/airgap/trust.d", config);
	else if (home && *home)
		mine = xasprintf("%s/.config/airgap/trust.d", home);
	if (mine && access(mine, F_OK) == 0)
		return TAKE(mine);
	return NULL;
}

int trust_load(const char *dir, struct policy *out, struct err *e)
{
	auto_free char *found = dir ? xstrdup(dir) : trust_dir();
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (!found)
		return 0;

	auto_fd int fd = fs_open(found, O_RDONLY | O_DIRECTORY, 0, e);

	if (fd < 0)
		return err_wrap(e, "trust folder");
	if (check_owner(found, fd, &st, e) < 0 || load_folder(found, fd, out, e) < 0) {
		policy_release(out);
		return -1;
	}
	out->present = true;
	return 0;
}

/* ---- state of a stream ---- */

struct state_text {
	char *stream, *id, *newest_time;
	uint64_t sequence;
};

static const struct field state_fields[] = {
	F_STR(struct state_text, stream, "stream", F_REQUIRED),
	F_U64(struct state_text, sequence, "sequence", F_REQUIRED),
	F_STR(struct state_text, id, "id", F_REQUIRED),
	F_STR(struct state_text, newest_time, "newestTime", F_REQUIRED),
	{ 0 }
};
static const struct type state_type = TYPE(struct state_text, state_fields);

static void state_text_release(struct state_text *t)
{
	decode_free(&state_type, t);
}

json_t *trust_state_encode(const char *stream, const struct stream_state *s)
{
	char id[DIGEST_TEXT], when[SIGN_TIME];

	return json_pack("{s:s, s:I, s:s, s:s}", "stream", stream, "sequence", (json_int_t)s->sequence, "id",
			 digest_text(&s->id, id), "newestTime", sign_time_format(s->newest_time, when));
}

int trust_state_decode(const json_t *j, const char *stream, struct stream_state *out, struct err *e)
{
	CLEANUP(state_text_release) struct state_text t = { 0 };
	struct stream_state s = { .present = true };

	if (decode(&state_type, j, NULL, "state", &t, e) < 0)
		return -1;
	s.sequence = t.sequence;
	if (!digest_parse(t.id, &s.id) || !sign_time_parse(t.newest_time, strlen(t.newest_time), &s.newest_time))
		return err_set(e, ERR_MALFORMED, "state: bad id or time");
	if (!str_eq(t.stream, stream))
		return err_set(e, ERR_MALFORMED, "state: of stream '%s', not '%s'", t.stream, stream);
	*out = s;
	return 0;
}

/* Streams have slashes and any length: the file's name is a hash, the name itself stands inside. */
static char *state_path(const char *dir, const char *stream)
{
	struct digest d = digest_of(stream, strlen(stream));
	char hex[DIGEST_HEX];
	auto_free char *home = dir ? xstrdup(dir) : fs_state_dir();

	return xasprintf("%s/streams/%s.json", home, digest_hex(&d, hex));
}

int trust_state_load(const char *dir, const char *stream, struct stream_state *out, struct err *e)
{
	auto_free char *path = state_path(dir, stream);
	auto_buf struct buf text = BUF_INIT(TRUST_FILE_MAX);
	int there = fs_exists(path, e);

	if (there == 0) {
		memset(out, 0, sizeof(*out));
		return 0;
	}

	int rc = there < 0 ? -1 : fs_load(path, TRUST_FILE_MAX, &text, e);
	auto_json json_t *j = rc < 0 ? NULL : jdoc_parse(buf_str(&text), text.len, TRUST_FILE_MAX, path, e);

	if (j && trust_state_decode(j, stream, out, e) == 0)
		return 0;
	/* Whatever is wrong with it, it is never "none": somebody may have wanted that. */
	err_wrap(e, "cannot read what is remembered of stream '%s' (%s)", stream, path);
	e->code = ERR_IO;
	return -1;
}

int trust_state_save(const char *dir, const char *stream, const struct stream_state *s, struct err *e)
{
	auto_free char *path = state_path(dir, stream), *folder = fs_dirname(path);
	auto_json json_t *j = trust_state_encode(stream, s);
	auto_buf struct buf text = BUF_INIT(TRUST_FILE_MAX);

	if (!j)
		return err_set(e, ERR_BUG, "state of stream '%s' cannot be written", stream);
	if (fs_make_dirs(folder, 0700, e) < 0 || jdoc_dump_pretty(j, &text, e) < 0)
		return -1;
	return fs_save(path, buf_str(&text), text.len, 0600, e);
}

struct stream_state trust_state_merge(const struct stream_state *a, const struct stream_state *b)
{
	if (!a->present)
		return *b;
	if (!b->present)
		return *a;

	struct stream_state s = a->sequence >= b->sequence ? *a : *b;

	s.newest_time = MAX(a->newest_time, b->newest_time);
	return s;
}
