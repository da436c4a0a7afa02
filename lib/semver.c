/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/semver.h>

#define CONSTRAINT_MAX 512
#define GROUPS_MAX 32
#define DIGITS "0123456789"
#define WORD DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"

/* ---- versions */

/* Dotted identifiers at s; their length, 0 when there are none or one is empty. */
static size_t span_identifiers(const char *s)
{
	size_t n = 0;

	for (;;) {
		size_t word = strspn(s + n, WORD);

		if (!word)
			return 0;
		n += word;
		if (s[n] != '.')
			return n;
		n++;
	}
}

/* Numbers in a pre-release have no leading zeros. */
static bool pre_ok(const char *s, size_t n)
{
	for (size_t at = 0; at < n;) {
		size_t word = strspn(s + at, WORD), digits = strspn(s + at, DIGITS);

		if (word == digits && digits > 1 && s[at] == '0')
			return false;
		at += word + 1;
	}
	return true;
}

/* Past the digits of one number, or NULL when it is none or too large. */
static const char *take_number(const char *s, int flags, uint64_t *out)
{
	size_t n = strspn(s, DIGITS);
	uint64_t v = 0;

	if (!n || (n > 1 && *s == '0' && (flags & SEMVER_STRICT)))
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(s[i] - '0'), &v))
			return NULL;
	*out = v;
	return s + n;
}

/* -PRE and +BUILD to the end of the text. */
static bool take_suffixes(const char *s, struct semver *v)
{
	if (*s == '-') {
		v->pre = s + 1;
		v->pre_len = span_identifiers(s + 1);
		if (!v->pre_len || !pre_ok(v->pre, v->pre_len))
			return false;
		s += 1 + v->pre_len;
	}
	if (*s == '+') {
		v->build = s + 1;
		v->build_len = span_identifiers(s + 1);
		if (!v->build_len)
			return false;
		s += 1 + v->build_len;
	}
	return !*s;
}

bool semver_parse(const char *text, int flags, struct semver *out)
{
	struct semver v = { 0 };
	uint64_t *const parts[] = { &v.major, &v.minor, &v.patch };
	const char *s = text;
	size_t n = 0;

	if (strlen(text) > SEMVER_MAX)
		return false;
	if (*s == 'v' && !(flags & SEMVER_STRICT))
		s++;
	do {
		s = take_number(s, flags, parts[n++]);
		if (!s)
			return false;
	} while (n < 3 && *s == '.' && s++);
	if ((n < 3 && (flags & SEMVER_STRICT)) || !take_suffixes(s, &v))
		return false;
	*out = v;
	return true;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Two identifiers: numbers by value and below words, words bytewise. */
static int compare_words(const char *a, size_t n, const char *b, size_t m)
{
	bool a_number = strspn(a, DIGITS) >= n, b_number = strspn(b, DIGITS) >= m;

	if (a_number != b_number)
		return a_number ? -1 : 1;
	if (a_number && n != m)         /* no leading zeros: the longer is the larger */
		return n < m ? -1 : 1;

	int c = memcmp(a, b, MIN(n, m));

	return c ? c : compare_numbers(n, m);
}

static int compare_pre(const struct semver *a, const struct semver *b)
{
	size_t i = 0, j = 0;

	if (!a->pre_len || !b->pre_len)
		return compare_numbers(!a->pre_len, !b->pre_len);
	while (i < a->pre_len && j < b->pre_len) {
		size_t n = strspn(a->pre + i, WORD), m = strspn(b->pre + j, WORD);
		int c = compare_words(a->pre + i, n, b->pre + j, m);

		if (c)
			return c;
		i += n + 1;
		j += m + 1;
	}
	return i < a->pre_len ? 1 : j < b->pre_len ? -1 : 0;
}

int semver_cmp(const struct semver *a, const struct semver *b)
{
	int c = compare_numbers(a->major, b->major);

	c = c ? c : compare_numbers(a->minor, b->minor);
	c = c ? c : compare_numbers(a->patch, b->patch);
	return c ? c : compare_pre(a, b);
}

/* ---- constraints: one comparator at a time, straight from the text */

enum op { OP_EQ, OP_NE, OP_GT, OP_LT, OP_GE, OP_LE, OP_TILDE, OP_CARET };

struct comparator {
	enum op op;
	struct semver v;
	bool any;               /* no major: * */
	bool no_minor;          /* 1, 1.x */
	bool no_patch;          /* 1.2, 1.2.x */
};

static const struct { const char *text; enum op op; } ops[] = {
	{ "!=", OP_NE }, { ">=", OP_GE }, { "=>", OP_GE }, { "<=", OP_LE }, { "=<", OP_LE }, { "~>", OP_TILDE },
	{ "=", OP_EQ }, { ">", OP_GT }, { "<", OP_LT }, { "~", OP_TILDE }, { "^", OP_CARET },
};

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t\n\r\f");
}

static const char *take_op(const char *s, enum op *out)
{
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (str_starts(s, ops[i].text)) {
			*out = ops[i].op;
			return skip_blanks(s + strlen(ops[i].text));
		}
	}
	*out = OP_EQ;
	return s;
}

static bool is_wildcard(char c)
{
	return c == 'x' || c == 'X' || c == '*';
}

/* One part of a version in a constraint: a number, or a wildcard (*wild). NULL: neither. */
static const char *take_part(const char *s, uint64_t *out, bool *wild)
{
	*wild = is_wildcard(*s);
	return *wild ? s + 1 : take_number(s, 0, out);
}

/* A version in which parts may be left out or wild; behind the first such part numbers do not count. */
static const char *take_version(const char *s, struct comparator *c)
{
	uint64_t parts[3] = { 0 };
	bool wild[3] = { false, true, true };
	const char *pre = NULL;

	s += *s == 'v';
	for (size_t n = 0; n < 3; n++) {
		s = take_part(s, &parts[n], &wild[n]);
		if (!s)
			return NULL;
		if (*s != '.' || n == 2)
			break;
		s++;
	}
	if (*s == '-') {
		pre = s + 1;
		c->v.pre_len = span_identifiers(pre);
		if (!c->v.pre_len || !pre_ok(pre, c->v.pre_len))
			return NULL;
		s = pre + c->v.pre_len;
	}
	if (*s == '+') {
		size_t n = span_identifiers(s + 1);

		if (!n)
			return NULL;
		s += 1 + n;
	}
	c->v.pre = pre;
	c->any = wild[0];
	c->no_minor = !wild[0] && wild[1];
	c->no_patch = !wild[0] && !wild[1] && wild[2];
	c->v.major = wild[0] ? 0 : parts[0];
	c->v.minor = wild[0] || wild[1] ? 0 : parts[1];
	c->v.patch = wild[0] || wild[1] || wild[2] ? 0 : parts[2];
	return s;
}

/* ---- what a comparator says to a version; pre-releases were judged before */

static bool loose(const struct comparator *c)
{
	return c->any || c->no_minor || c->no_patch;
}

static bool tilde(const struct comparator *c, const struct semver *v)
{
	if (semver_cmp(v, &c->v) < 0)
		return false;
	if (!c->v.major && !c->v.minor && !c->v.patch && !c->no_minor && !c->no_patch)
		return true;
	return v->major == c->v.major && (v->minor == c->v.minor || c->no_minor);
}

static bool caret(const struct comparator *c, const struct semver *v)
{
	if (semver_cmp(v, &c->v) < 0 || v->major != c->v.major)
		return false;
	if (c->v.major || c->no_minor)
		return true;
	if (v->minor != c->v.minor)
		return false;
	return c->v.minor || c->no_patch || v->patch == c->v.patch;
}

static bool not_equal(const struct comparator *c, const struct semver *v)
{
	if (!loose(c))
		return semver_cmp(v, &c->v) != 0;
	if (v->major != c->v.major)
		return true;
	if (c->no_minor)
		return false;
	if (v->minor != c->v.minor)
		return true;
	if (c->no_patch)
		return compare_pre(v, &c->v) != 0;
	return semver_cmp(v, &c->v) != 0;
}

static bool greater(const struct comparator *c, const struct semver *v)
{
	if (!loose(c) || v->major != c->v.major || c->any)
		return semver_cmp(v, &c->v) > 0;
	return !c->no_minor && v->minor > c->v.minor;
}

static bool less_or_equal(const struct comparator *c, const struct semver *v)
{
	if (!loose(c))
		return semver_cmp(v, &c->v) <= 0;
	if (v->major != c->v.major)
		return v->major < c->v.major;
	return v->minor <= c->v.minor || c->no_minor;
}

static bool agrees(const struct comparator *c, const struct semver *v)
{
	switch (c->op) {
	case OP_EQ:
		return loose(c) ? tilde(c, v) : semver_cmp(v, &c->v) == 0;
	case OP_NE:
		return not_equal(c, v);
	case OP_GT:
		return greater(c, v);
	case OP_LT:
		return semver_cmp(v, &c->v) < 0;
	case OP_GE:
		return semver_cmp(v, &c->v) >= 0;
	case OP_LE:
		return less_or_equal(c, v);
	case OP_TILDE:
		return tilde(c, v);
	case OP_CARET:
		return caret(c, v);
	}
	return false;
}

/* ---- groups */

struct verdict {
	bool ok;                /* every comparator of the group agreed */
	bool pre;               /* one of them carries a pre-release */
	const char *end;        /* NULL: malformed */
};

/* Behind `A` of `A - B`: the end of B, or NULL when there is no hyphen. */
static const char *take_hyphen(const char *s, struct comparator *upper)
{
	const char *dash = skip_blanks(s);

	if (dash == s || *dash != '-' || skip_blanks(dash + 1) == dash + 1)
		return NULL;
	return take_version(skip_blanks(dash + 1), upper);
}

static void judge(struct verdict *g, const struct comparator *c, const struct semver *v)
{
	g->pre |= c->v.pre_len > 0;
	g->ok = g->ok && v && agrees(c, v);
}

/* Comparators up to `||` or the end. v NULL: only the grammar counts. */
static struct verdict judge_group(const char *s, const struct semver *v)
{
	struct verdict g = { .ok = true };

	s = skip_blanks(s);
	for (;;) {
		struct comparator c = { 0 }, upper = { .op = OP_LE };
		const char *start = s;

		s = take_version(take_op(s, &c.op), &c);
		if (!s)
			return g;

		bool bare = take_op(start, &(enum op){ OP_EQ }) == start;
		const char *end = bare ? take_hyphen(s, &upper) : NULL;

		if (end) {
			c.op = OP_GE;
			judge(&g, &upper, v);
			s = end;
		}
		judge(&g, &c, v);

		const char *next = skip_blanks(s);

		if (!*next || str_starts(next, "||")) {
			g.end = next;
			return g;
		}
		if (*next == ',')
			next = skip_blanks(next + 1);
		else if (next == s)
			return g;
		s = next;
	}
}

/* 1, 0, or -1: malformed. */
static int judge_all(const char *constraint, const struct semver *v)
{
	const char *s = *skip_blanks(constraint) ? constraint : "*";
	bool ok = false;

	if (strlen(s) > CONSTRAINT_MAX)
		return -1;
	for (size_t groups = 1; ; groups++) {
		struct verdict g = judge_group(s, v);

		if (!g.end || groups > GROUPS_MAX)
			return -1;
		ok |= g.ok && v && (!v->pre_len || g.pre);
		if (!*g.end)
			return ok;
		s = g.end + 2;
	}
}

static int malformed(const char *constraint, struct err *e)
{
	return err_set(e, ERR_MALFORMED, "'%.200s' is not a version or a range of versions", constraint);
}

int semver_check(const char *constraint, struct err *e)
{
	return judge_all(constraint, NULL) < 0 ? malformed(constraint, e) : 0;
}

int semver_matches(const char *constraint, const char *version, struct err *e)
{
	struct semver v;
	bool ok = semver_parse(version, 0, &v);
	int r = judge_all(constraint, ok ? &v : NULL);

	return r < 0 ? malformed(constraint, e) : r;
}

/* A tag as the version it stands for. */
static char *tag_version(const char *tag)
{
	char *version = xstrdup(tag);

	for (char *c = version; *c; c++)
		if (*c == '_')
			*c = '+';
	return version;
}

int semver_best(const char *constraint, char *const *versions, size_t n, int flags, size_t *out, struct err *e)
{
	auto_free char *best_text = NULL;
	struct semver best = { 0 };
	bool tags = flags & SEMVER_TAGS;

	if (semver_check(constraint, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		auto_free char *text = tags ? tag_version(versions[i]) : xstrdup(versions[i]);
		struct semver v;

		if (strcmp(text, constraint) == 0) {
			*out = i;
			return 1;
		}
		if (!semver_parse(text, tags ? SEMVER_STRICT : flags, &v) || judge_all(constraint, &v) != 1 ||
		    (best_text && semver_cmp(&v, &best) <= 0))
			continue;
		free(best_text);
		best_text = TAKE(text);
		best = v;
		*out = i;
	}
	return best_text != NULL;
}
