/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/header.h>

#include <airgap/buf.h>

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define VALUE_MAX 8192u

void challenge_release(struct challenge *c)
{
	free(c->realm);
	free(c->service);
	free(c->scope);
	free(c->error);
	*c = (struct challenge){ 0 };
}

static bool is_token(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

static const char *skip_commas(const char *s)
{
	return s + strspn(s, " \t,");
}

static size_t token_len(const char *s)
{
	size_t n = 0;

	while (is_token(s[n]))
		n++;
	return n;
}

/* A value behind '=': token (realms are also seen bare, so '/' and ':' pass) or quoted string. NULL: neither.
 * *end stands behind it. */
static char *take_value(const char *s, const char **end)
{
	auto_buf struct buf b = BUF_INIT(VALUE_MAX);

	if (*s != '"') {
		size_t n = strcspn(s, " \t,\"");

		*end = s + n;
		return n && n <= VALUE_MAX ? xstrndup(s, n) : NULL;
	}
	for (s++; *s && *s != '"'; s++) {
		if (*s == '\\' && s[1])
			s++;
		if (b.len == VALUE_MAX || (unsigned char)*s < ' ' || *s == 127)
			return NULL;
		buf_putc(&b, *s);
	}
	if (*s != '"')
		return NULL;
	*end = s + 1;
	return buf_take(&b);
}

static void set_parameter(struct challenge *c, const char *key, size_t n, char *value)
{
	const struct { const char *key; char **field; } fields[] = {
		{ "realm", &c->realm },
		{ "service", &c->service },
		{ "scope", &c->scope },
		{ "error", &c->error },
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strlen(fields[i].key) == n && strncasecmp(fields[i].key, key, n) == 0 && !*fields[i].field) {
			*fields[i].field = value;
			return;
		}
	free(value);
}

/* `key = value` at s; NULL when something else stands there (the next scheme). */
static const char *take_parameter(const char *s, struct challenge *c, bool *broken)
{
	size_t n = token_len(s);
	const char *eq = skip_blanks(s + n);

	if (!n || *eq != '=')
		return NULL;

	const char *end = NULL;
	char *value = take_value(skip_blanks(eq + 1), &end);

	if (!value) {
		*broken = true;
		return NULL;
	}
	set_parameter(c, s, n, value);
	return end;
}

/* "scheme [token68 | parameters]" at s; returns the place behind it, NULL when nothing more can be read. */
static const char *take_challenge(const char *s, struct challenge *out)
{
	size_t n = token_len(s);
	bool broken = false;

	if (!n)
		return NULL;
	if (n == 6 && strncasecmp(s, "bearer", 6) == 0)
		out->scheme = CHALLENGE_BEARER;
	else if (n == 5 && strncasecmp(s, "basic", 5) == 0)
		out->scheme = CHALLENGE_BASIC;
	s = skip_blanks(s + n);

	/* token68 of other schemes ("Negotiate YII=="): up to the comma, and no parameter */
	size_t word = strcspn(s, " \t,");

	if (word && word == strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") &&
	    (s[word - 1] == '=' || !memchr(s, '=', word)) && *skip_blanks(s + word) != '=' &&
	    (!s[word] || *skip_blanks(s + word) == ',' || !*skip_blanks(s + word)))
		return skip_commas(s + word);

	for (s = skip_commas(s); *s; s = skip_commas(s)) {
		const char *next = take_parameter(s, out, &broken);

		if (broken) {
			out->scheme = CHALLENGE_NONE;
			return NULL;
		}
		if (!next)
			return s;
		s = next;
	}
	return s;
}

static bool is_better(const struct challenge *c, const struct challenge *than)
{
	if (c->scheme == CHALLENGE_BEARER && (!c->realm || !*c->realm))
		return false;
	return c->scheme > than->scheme;
}

bool challenge_pick(const struct strv *lines, struct challenge *out)
{
	auto_challenge struct challenge best = { 0 };

	for (size_t i = 0; i < lines->n; i++) {
		const char *s = skip_commas(lines->items[i]);

		while (s && *s) {
			auto_challenge struct challenge c = { 0 };

			s = take_challenge(s, &c);
			if (is_better(&c, &best)) {
				challenge_release(&best);
				best = c;
				c = (struct challenge){ 0 };
			}
		}
	}
	if (best.scheme == CHALLENGE_NONE)
		return false;
	*out = best;
	best = (struct challenge){ 0 };
	return true;
}

/* Decimal digits at *s; moves behind them. */
static bool take_number(const char **s, uint64_t *out)
{
	size_t n = strspn(*s, "0123456789");
	char digits[24];

	if (!n || n >= sizeof(digits))
		return false;
	memcpy(digits, *s, n);
	digits[n] = '\0';
	*s += n;
	return u64_parse(digits, out);
}

static const char *skip_unit(const char *s)
{
	s = skip_blanks(s);
	if (strncasecmp(s, "bytes", 5) != 0 || (s[5] != ' ' && s[5] != '='))
		return NULL;
	return skip_blanks(s + 6);
}

bool content_range_parse(const char *s, uint64_t *first, uint64_t *last, uint64_t *total)
{
	uint64_t a, b, all = UINT64_MAX;

	s = skip_unit(s);
	if (!s || !take_number(&s, &a) || *s++ != '-' || !take_number(&s, &b) || *s++ != '/')
		return false;
	if (*s == '*')
		s++;
	else if (!take_number(&s, &all))
		return false;
	if (*skip_blanks(s) || a > b || b >= all)
		return false;
	*first = a;
	*last = b;
	*total = all;
	return true;
}

bool content_range_total(const char *s, uint64_t *total)
{
	uint64_t all;

	s = skip_unit(s);
	if (!s || *s++ != '*' || *s++ != '/' || !take_number(&s, &all) || *skip_blanks(s))
		return false;
	*total = all;
	return true;
}

bool upload_range_parse(const char *s, uint64_t *have)
{
	const char *rest = skip_unit(s);
	uint64_t first, last;

	s = rest ? rest : skip_blanks(s);
	if (!take_number(&s, &first) || *s++ != '-' || !take_number(&s, &last) || *skip_blanks(s))
		return false;
	if (first != 0 || last == UINT64_MAX)
		return false;
	*have = last + 1;
	return true;
}

/* rel="next" or one of several words. */
static bool is_next(const char *value)
{
	auto_strv struct strv words = { 0 };

	strv_split(&words, value, ' ');
	for (size_t i = 0; i < words.n; i++)
		if (strcasecmp(words.items[i], "next") == 0)
			return true;
	return false;
}

/* Parameters behind <target>; *next stands at the comma or the end. */
static bool link_has_next(const char *s, const char **next)
{
	bool found = false;

	for (s = skip_blanks(s); *s == ';'; s = skip_blanks(s)) {
		s = skip_blanks(s + 1);

		size_t n = token_len(s);
		bool rel = n == 3 && strncasecmp(s, "rel", 3) == 0;

		s = skip_blanks(s + n);
		if (*s != '=')
			continue;

		const char *end = NULL;
		const char *start = skip_blanks(s + 1);
		size_t bare = strcspn(start, " \t,;\"");
		auto_free char *value = *start == '"' ? take_value(start, &end) : xstrndup(start, bare);

		if (!value)
			break;
		found |= rel && is_next(value);
		s = end ? end : start + bare;
	}
	*next = s + strcspn(s, ",");
	return found;
}

char *link_next(const char *s)
{
	for (s = skip_commas(s); *s == '<'; s = skip_commas(s)) {
		const char *target = s + 1, *close = strchr(target, '>');

		if (!close)
			return NULL;
		if (link_has_next(close + 1, &s))
			return xstrndup(target, (size_t)(close - target));
	}
	return NULL;
}

static int month_of(const char *name)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (memcmp(months + 3 * i, name, 3) == 0)
			return i;
	return -1;
}

/* The three forms of RFC 9110: Sun, 06 Nov 1994 08:49:37 GMT; Sunday, 06-Nov-94 08:49:37 GMT; Sun Nov  6 08:49:37 1994 */
bool http_date_parse(const char *s, time_t *out)
{
	struct tm t = { 0 };
	char month[4] = "";
	int n = 0, year = 0;
	const char *comma = strchr(s, ',');
	const char *rest = comma ? skip_blanks(comma + 1) : s;

	if (comma && sscanf(rest, "%2d %3s %4d %2d:%2d:%2d GMT%n", &t.tm_mday, month, &year, &t.tm_hour, &t.tm_min,
			    &t.tm_sec, &n) == 6 && n) {
		;
	} else if (comma && sscanf(rest, "%2d-%3s-%2d %2d:%2d:%2d GMT%n", &t.tm_mday, month, &year, &t.tm_hour,
				   &t.tm_min, &t.tm_sec, &n) == 6 && n) {
		year += year < 70 ? 2000 : 1900;
	} else if (comma || sscanf(rest, "%*3s %3s %2d %2d:%2d:%2d %4d%n", month, &t.tm_mday, &t.tm_hour, &t.tm_min,
				   &t.tm_sec, &year, &n) != 6 || !n) {
		return false;
	}
	t.tm_mon = strlen(month) == 3 ? month_of(month) : -1;
	t.tm_year = year - 1900;
	if (t.tm_mon < 0 || year < 1970 || year > 9999 || t.tm_mday < 1 || t.tm_mday > 31 || t.tm_hour < 0 ||
	    t.tm_hour > 23 || t.tm_min < 0 || t.tm_min > 59 || t.tm_sec < 0 || t.tm_sec > 60)
		return false;
	*out = timegm(&t);
	return true;
}

bool retry_after_parse(const char *s, time_t now, uint64_t *seconds)
{
	time_t at;

	s = skip_blanks(s);
	if (u64_parse(s, seconds))
		return true;
	if (!http_date_parse(s, &at))
		return false;
	*seconds = at > now ? (uint64_t)(at - now) : 0;
	return true;
}

bool rate_limit_parse(const char *s, uint64_t *count, uint64_t *window)
{
	uint64_t n, w = 0;

	s = skip_blanks(s);
	if (!take_number(&s, &n))
		return false;
	s = skip_blanks(s);
	if (*s == ';') {
		s = skip_blanks(s + 1);
		if (strncmp(s, "w=", 2) == 0) {
			s += 2;
			if (!take_number(&s, &w))
				return false;
		}
	} else if (*s) {
		return false;
	}
	*count = n;
	*window = w;
	return true;
}

char *media_type_cut(const char *s)
{
	s = skip_blanks(s);

	char *type = xstrndup(s, strcspn(s, "; \t,"));

	for (char *p = type; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return type;
}
