/* SPDX-License-Identifier: Apache-2.0 */
#include <airgap/scalar.h>

#include <math.h>

struct word { const char *text; int value; };

static const struct word words[] = {
	{ "y", 1 }, { "Y", 1 }, { "yes", 1 }, { "Yes", 1 }, { "YES", 1 }, { "true", 1 }, { "True", 1 }, { "TRUE", 1 },
	{ "on", 1 }, { "On", 1 }, { "ON", 1 }, { "n", 0 }, { "N", 0 }, { "no", 0 }, { "No", 0 }, { "NO", 0 },
	{ "false", 0 }, { "False", 0 }, { "FALSE", 0 }, { "off", 0 }, { "Off", 0 }, { "OFF", 0 },
	{ "", -1 }, { "~", -1 }, { "null", -1 }, { "Null", -1 }, { "NULL", -1 },
};

static json_t *resolve_word(const char *s)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i].text, s) == 0)
			return words[i].value < 0 ? json_null() : json_boolean(words[i].value);
	return NULL;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return 99;
}

/* Past a base prefix; Go's: 0x, 0o, 0b, and a plain 0 in front of more is octal. */
static const char *skip_base(const char *s, int *base)
{
	*base = 10;
	if (s[0] != '0' || !s[1])
		return s;
	switch (s[1] | 32) {
	case 'x':
		*base = 16;
		return s + 2;
	case 'b':
		*base = 2;
		return s + 2;
	case 'o':
		*base = 8;
		return s + 2;
	default:
		*base = 8;
		return s + 1;
	}
}

/* NULL when it is no integer, or one that needs more than 64 bits. */
static json_t *resolve_integer(const char *s)
{
	bool negative = *s == '-';
	uint64_t v = 0;
	int base;

	s = skip_base(s + (*s == '-' || *s == '+'), &base);
	if (!*s)
		return NULL;
	for (; *s; s++) {
		int digit = digit_value(*s);

		if (digit >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)digit, &v))
			return NULL;
	}
	if (negative)
		return v <= (uint64_t)INT64_MAX + 1 ? json_integer((json_int_t)(0 - v)) : NULL;
	return v <= INT64_MAX ? json_integer((json_int_t)v) : json_real((double)v);
}

static size_t skip_digits(const char *s)
{
	return strspn(s, "0123456789");
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_real(const char *s)
{
	s += *s == '-' || *s == '+';

	size_t whole = skip_digits(s), part = 0;

	s += whole;
	if (*s == '.') {
		part = skip_digits(s + 1);
		s += 1 + part;
	}
	if (!whole && !part)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		if (!skip_digits(s))
			return false;
		s += skip_digits(s);
	}
	return !*s;
}

static json_t *resolve_number(const char *text)
{
	if (!strchr("+-.0123456789", text[0]))
		return NULL;

	auto_free char *plain = xmalloc(strlen(text) + 1);
	char *end = plain;

	for (const char *s = text; *s; s++)
		if (*s != '_')
			*end++ = *s;
	*end = '\0';

	json_t *j = resolve_integer(plain);

	if (!j && is_real(plain)) {
		double v = strtod(plain, NULL);

		j = isfinite(v) ? json_real(v) : NULL;
	}
	return j;
}

json_t *scalar_resolve(const char *text)
{
	json_t *j = resolve_word(text);

	return j ? j : resolve_number(text);
}
